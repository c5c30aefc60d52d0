/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_conv_3x3_int8.h"

/* All channels of one output pixel; x points at the window's first tap. */
static void one_pixel(const struct depthwise_conv_3x3_int8_params *p, const int8_t *x,
                      int32_t row_stride, int8_t *output)
{
    const int32_t channels = p->window.input_channels;
    const int8_t *row0 = x;
    const int8_t *row1 = row0 + row_stride;
    const int8_t *row2 = row1 + row_stride;
    const struct int8_output out = p->out;
    const int8_t *w = p->weights;

    for (int32_t c = 0; c < channels; ++c) {
        int32_t sum = 0;
        sum += row0[0] * w[0];
        sum += row0[channels] * w[1];
        sum += row0[2 * channels] * w[2];
        sum += row1[0] * w[3];
        sum += row1[channels] * w[4];
        sum += row1[2 * channels] * w[5];
        sum += row2[0] * w[6];
        sum += row2[channels] * w[7];
        sum += row2[2 * channels] * w[8];
        output[c] = requantize_sum(sum, channel_scale(&p->scales, c), &out);
        ++row0;
        ++row1;
        ++row2;
        w += 9;
    }
}

/* One window row of two neighbouring pixels: four columns, of which they share two. */
static inline void row_of_two(int32_t *sum0, int32_t *sum1, const int8_t *row, int32_t channels,
                              const int8_t *w)
{
    const int32_t x0 = row[0];
    const int32_t x1 = row[channels];
    const int32_t x2 = row[2 * channels];
    const int32_t x3 = row[3 * channels];
    *sum0 += x0 * w[0];
    *sum1 += x1 * w[0];
    *sum0 += x1 * w[1];
    *sum1 += x2 * w[1];
    *sum0 += x2 * w[2];
    *sum1 += x3 * w[2];
}

/* All channels of two output pixels that are one input column apart (stride 1). */
static void two_pixels(const struct depthwise_conv_3x3_int8_params *p, const int8_t *x,
                       int32_t row_stride, int8_t *out0, int8_t *out1)
{
    const int32_t channels = p->window.input_channels;
    const struct int8_output out = p->out;
    const int8_t *w = p->weights;

    for (int32_t c = 0; c < channels; ++c) {
        int32_t sum0 = 0;
        int32_t sum1 = 0;
        const int8_t *row = x + c;
        row_of_two(&sum0, &sum1, row, channels, w);
        row += row_stride;
        row_of_two(&sum0, &sum1, row, channels, w + 3);
        row += row_stride;
        row_of_two(&sum0, &sum1, row, channels, w + 6);
        w += 9;

        const struct channel_scale scale = channel_scale(&p->scales, c);
        out0[c] = requantize_sum(sum0, scale, &out);
        out1[c] = requantize_sum(sum1, scale, &out);
    }
}

void depthwise_conv_3x3_int8(const struct depthwise_conv_3x3_int8_params *p, const int8_t *input,
                             int8_t *output, int8_t *patch)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;
    const int32_t input_row = v->input_width * channels;
    const int32_t step = v->stride_x == 1 ? 2 : 1;

    for (int32_t oy = 0; oy < v->output_height; ++oy) {
        const int32_t y = oy * v->stride_y - v->pad_top;
        for (int32_t ox = 0; ox < v->output_width; ox += step) {
            const int32_t x = ox * v->stride_x - v->pad_left;
            const int32_t pixels = ox + step <= v->output_width ? step : 1;
            const int8_t *first = patch;
            int32_t row_stride = (2 + pixels) * channels;
            if (window_is_inside(v, y, x) && window_is_inside(v, y, x + pixels - 1)) {
                first = input + y * input_row + x * channels;
                row_stride = input_row;
            } else {
                window_gather(v, y, x, 2 + pixels, input, patch);
            }
            if (pixels == 2) {
                two_pixels(p, first, row_stride, output, output + channels);
            } else {
                one_pixel(p, first, row_stride, output);
            }
            output += pixels * channels;
        }
    }
}
