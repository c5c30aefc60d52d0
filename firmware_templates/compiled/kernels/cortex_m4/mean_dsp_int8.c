/* SPDX-License-Identifier: Apache-2.0 */
#include "mean_dsp_int8.h"

#include "sum_channels.h"

static int32_t min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

void mean_dsp_int8(const struct mean_dsp_int8_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->channels;

    for (int32_t c = 0; c < channels; c += 4) {
        const int32_t count = min(channels - c, 4);
        int32_t pixels = min(p->pixels, SUM_CHANNELS_MAX_PIXELS);
        int32_t sums[4];
        sum_channels(input + c, 1, pixels, channels, 0, count, sums);
        for (int32_t summed = pixels; summed < p->pixels; summed += pixels) {
            int32_t more[4];
            pixels = min(p->pixels - summed, SUM_CHANNELS_MAX_PIXELS);
            sum_channels(input + summed * channels + c, 1, pixels, channels, 0, count, more);
            for (int32_t i = 0; i < 4; ++i) {
                sums[i] += more[i];
            }
        }
        for (int32_t i = 0; i < count; ++i) {
            const int32_t sum = sums[i] - p->zero_point_sum;
            output[c + i] = requantize(sum, p->multiplier, p->shift, &p->out);
        }
    }
}
