/* SPDX-License-Identifier: Apache-2.0 */
#include "mean_dsp_int8.h"

#include "sum_channels.h"

void mean_dsp_int8(const struct mean_dsp_int8_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t c = 0; c < p->channels; c += 4) {
        const int32_t count = p->channels - c < 4 ? p->channels - c : 4;
        int32_t sums[4] = {-p->zero_point_sum, -p->zero_point_sum, -p->zero_point_sum,
                           -p->zero_point_sum};
        const int8_t *x = input + c;
        for (int32_t left = p->pixels; left > 0; left -= SUM_CHANNELS_MAX_PIXELS) {
            const int32_t pixels = left < SUM_CHANNELS_MAX_PIXELS ? left : SUM_CHANNELS_MAX_PIXELS;
            int32_t part[4];
            sum_channels(x, 1, pixels, p->channels, 0, count, part);
            for (int32_t i = 0; i < 4; ++i) {
                sums[i] += part[i];
            }
            x += pixels * p->channels;
        }
        for (int32_t i = 0; i < count; ++i) {
            output[c + i] = requantize(sums[i], p->multiplier, p->shift, &p->out);
        }
    }
}
