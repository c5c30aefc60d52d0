#include "conv_1x1_int8.h"

#include "dot_int8.h"

void conv_1x1_int8(const struct conv_1x1_int8_params *p, const int8_t *input, int8_t *output)
{
    const int32_t n = p->input_channels;
    const int32_t channels = p->output_channels;

    for (int32_t pixel = 0; pixel < p->pixels; pixel += 2) {
        /* A last single pixel is computed twice and stored once. */
        const int two_pixels = pixel + 1 < p->pixels;
        const int8_t *x0 = input + pixel * n;
        const int8_t *x1 = two_pixels ? x0 + n : x0;
        int8_t *out0 = output + pixel * channels;
        int8_t *out1 = two_pixels ? out0 + channels : out0;
        const int8_t *w = p->weights;

        for (int32_t c = 0; c < channels; c += 2) {
            const uint32_t bias0 = (uint32_t)p->scales.bias[c];
            const uint32_t bias1 = (uint32_t)p->scales.bias[c + 1];
            struct dot_2x2 sum = {{{bias0, bias1}, {bias0, bias1}}};
            dot_2x2_int8(&sum, x0, x1, w, n);
            w += 2 * n;

            const int32_t multiplier0 = p->scales.multiplier[c];
            const int32_t shift0 = p->scales.shift[c];
            out0[c] = requantize(sum.acc[0][0], multiplier0, shift0, &p->out);
            out1[c] = requantize(sum.acc[1][0], multiplier0, shift0, &p->out);
            if (c + 1 < channels) {
                const int32_t multiplier1 = p->scales.multiplier[c + 1];
                const int32_t shift1 = p->scales.shift[c + 1];
                out0[c + 1] = requantize(sum.acc[0][1], multiplier1, shift1, &p->out);
                out1[c + 1] = requantize(sum.acc[1][1], multiplier1, shift1, &p->out);
            }
        }
    }
}
