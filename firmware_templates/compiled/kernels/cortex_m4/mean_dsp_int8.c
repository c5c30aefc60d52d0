/* SPDX-License-Identifier: Apache-2.0 */
#include "mean_dsp_int8.h"

#include "sum_channels.h"

void mean_dsp_int8(const struct mean_dsp_int8_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t c = 0; c < p->channels; c += 4) {
        const int32_t count = p->channels - c < 4 ? p->channels - c : 4;
        int32_t sums[4];
        sum_channels(input + c, 1, p->pixels, p->channels, 0, count, sums);
        for (int32_t i = 0; i < count; ++i) {
            const int32_t sum = sums[i] - p->zero_point_sum;
            output[c + i] = requantize(sum, p->multiplier, p->shift, &p->out);
        }
    }
}
