/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_2d_dsp_int8.h"

static void next_pixel(const struct window *v, struct window_place *at)
{
    at->x += v->stride_x;
    if (at->x == v->output_width * v->stride_x - v->pad_left) {
        at->x = -v->pad_left;
        at->y += v->stride_y;
    }
}

void conv_2d_dsp_int8(const struct conv_2d_dsp_int8_params *p, const int8_t *input, int8_t *output,
                      int8_t *scratch)
{
    const struct window *v = &p->windows.window;
    const int32_t channels = p->dot.output_channels;
    uint32_t *packed = (uint32_t *)(void *)scratch;
    int8_t *patches = scratch + 4 * DOT_3X2_WORDS_PER_GROUP * p->dot.groups;
    struct dot_3x2_run run = dot_3x2_begin(&p->dot);
    struct window_place at = {-v->pad_top, -v->pad_left};
    int32_t left = v->output_height * v->output_width;

    while (left > 0) {
        /* One of the last two is computed and stored three times. */
        const int32_t pixels = left < 3 ? 1 : 3;
        struct window_place places[3] = {at, at, at};
        next_pixel(v, &at);
        for (int32_t i = 1; i < pixels; ++i) {
            places[i] = at;
            next_pixel(v, &at);
        }
        pack_windows(&p->windows, input, places, packed, patches);
        dot_3x2(&run, packed, output, pixels == 3 ? channels : 0);
        output += pixels * channels;
        left -= pixels;
    }
}
