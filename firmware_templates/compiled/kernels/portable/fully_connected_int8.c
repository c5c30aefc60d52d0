/* SPDX-License-Identifier: Apache-2.0 */
#include "fully_connected_int8.h"

void fully_connected_int8(const struct fully_connected_int8_params *p, const int8_t *input,
                          int8_t *output)
{
    const int32_t n = p->input_channels;

    for (int32_t row = 0; row < p->rows; ++row) {
        const int8_t *w = p->weights;
        for (int32_t c = 0; c < p->output_channels; c += 2) {
            int32_t sum0 = 0;
            int32_t sum1 = 0;
            const int8_t *x = input;
            int32_t i = n;
            for (; i >= 4; i -= 4) {
                sum0 += x[0] * w[0] + x[1] * w[2] + x[2] * w[4] + x[3] * w[6];
                sum1 += x[0] * w[1] + x[1] * w[3] + x[2] * w[5] + x[3] * w[7];
                x += 4;
                w += 8;
            }
            for (; i > 0; --i) {
                sum0 += *x * w[0];
                sum1 += *x * w[1];
                ++x;
                w += 2;
            }
            output[c] = requantize_sum(sum0, channel_scale(&p->scales, c), &p->out);
            if (c + 1 < p->output_channels) {
                output[c + 1] = requantize_sum(sum1, channel_scale(&p->scales, c + 1), &p->out);
            }
        }
        input += n;
        output += p->output_channels;
    }
}
