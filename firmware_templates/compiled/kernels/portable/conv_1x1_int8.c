/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_1x1_int8.h"

#include "dot_int8.h"

void conv_1x1_int8(const struct conv_1x1_int8_params *p, const int8_t *input, int8_t *output)
{
    const int32_t n = p->input_channels;
    const int32_t channels = p->output_channels;
    const struct int8_output out = p->out;

    for (int32_t pixel = 0; pixel < p->pixels; pixel += 2) {
        /* A last single pixel is computed twice and stored once. */
        const int two_pixels = pixel + 1 < p->pixels;
        const int8_t *x0 = input + pixel * n;
        const int8_t *x1 = two_pixels ? x0 + n : x0;
        int8_t *out0 = output + pixel * channels;
        int8_t *out1 = two_pixels ? out0 + channels : out0;
        const int8_t *w = p->weights;

        for (int32_t c = 0; c < channels; c += 2) {
            struct dot_2x2 sum = {0, 0, 0, 0};
            dot_2x2_int8(&sum, x0, x1, w, n);
            w += 2 * n;

            const struct channel_scale scale0 = channel_scale(&p->scales, c);
            out0[c] = requantize_sum(sum.p0c0, scale0, &out);
            out1[c] = requantize_sum(sum.p1c0, scale0, &out);
            if (c + 1 < channels) {
                const struct channel_scale scale1 = channel_scale(&p->scales, c + 1);
                out0[c + 1] = requantize_sum(sum.p0c1, scale1, &out);
                out1[c + 1] = requantize_sum(sum.p1c1, scale1, &out);
            }
        }
    }
}
