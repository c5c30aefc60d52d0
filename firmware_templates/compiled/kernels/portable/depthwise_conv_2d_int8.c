/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_conv_2d_int8.h"

/* All output channels of one pixel; taps are row_stride and column_stride apart. */
static void depthwise_pixel(const struct depthwise_conv_2d_int8_params *p, const int8_t *x,
                            int32_t row_stride, int32_t column_stride, int8_t *output)
{
    const struct window *v = &p->window;
    const int32_t width = v->width;
    const int8_t *w = p->weights;
    int32_t out_c = 0;

    for (int32_t c = 0; c < v->input_channels; ++c) {
        for (int32_t m = 0; m < p->depth_multiplier; ++m) {
            int32_t sum = 0;
            const int8_t *row = x + c;
            for (int32_t ky = 0; ky < v->height; ++ky) {
                const int8_t *tap = row;
                for (int32_t kx = 0; kx < width; ++kx) {
                    sum += *tap * w[kx];
                    tap += column_stride;
                }
                w += width;
                row += row_stride;
            }
            output[out_c] = requantize_sum(sum, channel_scale(&p->scales, out_c), &p->out);
            ++out_c;
        }
    }
}

void depthwise_conv_2d_int8(const struct depthwise_conv_2d_int8_params *p, const int8_t *input,
                            int8_t *output, int8_t *patch)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;
    const int32_t input_row = v->input_width * channels;

    for (int32_t oy = 0; oy < v->output_height; ++oy) {
        const int32_t y = oy * v->stride_y - v->pad_top;
        for (int32_t ox = 0; ox < v->output_width; ++ox) {
            const int32_t x = ox * v->stride_x - v->pad_left;
            if (window_is_inside(v, y, x)) {
                depthwise_pixel(p, input + y * input_row + x * channels, v->dilation_y * input_row,
                                v->dilation_x * channels, output);
            } else {
                window_gather(v, y, x, v->width, input, patch);
                depthwise_pixel(p, patch, v->width * channels, channels, output);
            }
            output += channels * p->depth_multiplier;
        }
    }
}
