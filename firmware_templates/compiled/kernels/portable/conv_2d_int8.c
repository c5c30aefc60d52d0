/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_2d_int8.h"

#include "dot_int8.h"

/* All output channels of two pixels, whose windows are `rows` runs of n contiguous values each,
 * row_stride apart. */
static void conv_two_pixels(const struct conv_2d_int8_params *p, const int8_t *x0, const int8_t *x1,
                            int32_t rows, int32_t n, int32_t row_stride, int8_t *out0, int8_t *out1)
{
    const int32_t channels = p->output_channels;
    const struct int8_output out = p->out;
    const int8_t *w = p->weights;

    for (int32_t c = 0; c < channels; c += 2) {
        struct dot_2x2 sum = {0, 0, 0, 0};
        for (int32_t row = 0; row < rows; ++row) {
            dot_2x2_int8(&sum, x0 + row * row_stride, x1 + row * row_stride, w, n);
            w += 2 * n;
        }

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

void conv_2d_int8(const struct conv_2d_int8_params *p, const int8_t *input, int8_t *output,
                  int8_t *patches)
{
    const struct window *v = &p->window;
    const int32_t n = v->width * v->input_channels;
    const int32_t input_row = v->input_width * v->input_channels;
    int8_t *patch0 = patches;
    int8_t *patch1 = patches + v->height * n;

    for (int32_t oy = 0; oy < v->output_height; ++oy) {
        const int32_t y = oy * v->stride_y - v->pad_top;
        for (int32_t ox = 0; ox < v->output_width; ox += 2) {
            /* A last single pixel is computed twice and stored once. */
            const int two_pixels = ox + 1 < v->output_width;
            const int32_t xa = ox * v->stride_x - v->pad_left;
            const int32_t xb = two_pixels ? xa + v->stride_x : xa;
            int8_t *out0 = output;
            int8_t *out1 = two_pixels ? output + p->output_channels : output;

            if (!p->always_gather && window_is_inside(v, y, xa) && window_is_inside(v, y, xb)) {
                const int8_t *row = input + y * input_row;
                conv_two_pixels(p, row + xa * v->input_channels, row + xb * v->input_channels,
                                v->height, n, v->dilation_y * input_row, out0, out1);
            } else {
                window_gather(v, y, xa, v->width, input, patch0);
                window_gather(v, y, xb, v->width, input, patch1);
                conv_two_pixels(p, patch0, patch1, 1, v->height * n, 0, out0, out1);
            }
            output += two_pixels ? 2 * p->output_channels : p->output_channels;
        }
    }
}
