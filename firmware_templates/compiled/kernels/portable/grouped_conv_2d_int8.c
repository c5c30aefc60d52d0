/* SPDX-License-Identifier: Apache-2.0 */
#include "grouped_conv_2d_int8.h"

void grouped_conv_2d_int8(const struct grouped_conv_2d_int8_params *p, const int8_t *input,
                          int8_t *output, int8_t *patch)
{
    const struct window *v = &p->window;
    const int32_t taps = v->height * v->width;
    const int32_t group_inputs = v->input_channels / p->groups;
    const int32_t group_outputs = p->output_channels / p->groups;

    for (int32_t oy = 0; oy < v->output_height; ++oy) {
        for (int32_t ox = 0; ox < v->output_width; ++ox) {
            window_gather(v, oy * v->stride_y - v->pad_top, ox * v->stride_x - v->pad_left,
                          v->width, input, patch);
            const int8_t *w = p->weights;
            for (int32_t c = 0; c < p->output_channels; ++c) {
                const int8_t *x = patch + (c / group_outputs) * group_inputs;
                int32_t sum = 0;
                for (int32_t tap = 0; tap < taps; ++tap) {
                    for (int32_t i = 0; i < group_inputs; ++i) {
                        sum += x[i] * w[i];
                    }
                    x += v->input_channels;
                    w += group_inputs;
                }
                *output++ = requantize_sum(sum, channel_scale(&p->scales, c), &p->out);
            }
        }
    }
}
