/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_depthwise_3x3_dsp_int8.h"

#include "dsp.h"
#include "pack.h"

/* Where a block of three outputs begins. The last one is computed once more, in part, where blocks do
 * not end with the row. */
static int32_t block_begin(int32_t x, int32_t width)
{
    return x < width - 3 ? x : width - 3;
}

void conv_depthwise_row_of_windows(const struct conv_depthwise_3x3_dsp_int8_params *p,
                                   const struct dot_3x2_run *run, const int8_t *input, int32_t row,
                                   int8_t *planes, uint32_t *packed, int8_t *patches)
{
    const struct window *v = &p->windows.window;
    const int32_t y = row * v->stride_y - v->pad_top;
    const int32_t step = v->stride_x * v->input_channels;
    const int8_t *line = input + y * v->input_width * v->input_channels;

    for (int32_t x = 0; x < v->output_width; x += 3) {
        const int32_t first = block_begin(x, v->output_width);
        const int32_t left = first * v->stride_x - v->pad_left;
        const struct window_place places[3] = {
            {y, left}, {y, left + v->stride_x}, {y, left + 2 * v->stride_x}};
        if (p->windows.direct && window_is_inside(v, y, left) &&
            window_is_inside(v, y, places[2].x)) {
            pack_windows_inside(&p->windows, line + left * v->input_channels, step, packed);
        } else {
            pack_windows(&p->windows, input, places, packed, patches);
        }
        p->dot.routine(packed, run, planes + 2 * first);
    }
}

void conv_depthwise_row_of_pixels(const struct conv_depthwise_3x3_dsp_int8_params *p,
                                  const struct dot_3x2_run *run, const int8_t *input, int32_t row,
                                  int8_t *planes, uint32_t *packed, int8_t *patches)
{
    const int32_t width = p->windows.window.input_width;
    const int32_t n = p->windows.window.input_channels;
    const int8_t *line = input + row * width * n;
    (void)patches;

    for (int32_t x = 0; x < width; x += 3) {
        const int32_t first = block_begin(x, width);
        const int8_t *pixel = line + first * n;
        pack_pixels(packed, pixel, pixel + n, pixel + 2 * n, n);
        p->dot.routine(packed, run, planes + 2 * first);
    }
}

static void fill(int8_t *planes, int32_t bytes, int32_t value)
{
    const uint32_t pair = (uint16_t)value * 0x00010001u;
    for (; bytes > 0; bytes -= 4) {
        store_word(planes, pair);
        planes += 4;
    }
}

/* Where a kernel keeps what, in its scratch memory. */
struct places {
    int32_t row_bytes; /* rows of planes are at the beginning */
    int8_t *few;
    uint32_t *packed;
    int8_t *patches;
};

static struct places divide(const struct conv_depthwise_3x3_dsp_int8_params *p, int8_t *scratch)
{
    const int32_t row_bytes = p->dot.output_channels * p->depthwise.plane_bytes;
    int8_t *few = scratch + 3 * row_bytes;
    int8_t *packed = few + (p->depthwise.output_width < 4 ? 4 * p->depthwise.channels : 0);
    const struct places places = {
        .row_bytes = row_bytes,
        .few = few,
        .packed = (uint32_t *)(void *)packed,
        .patches = packed + 4 * DOT_3X2_WORDS_PER_GROUP * p->dot.groups,
    };
    return places;
}

void conv_depthwise_3x3_dsp_int8(const struct conv_depthwise_3x3_dsp_int8_params *p,
                                 const int8_t *input, int8_t *output, int8_t *scratch)
{
    const struct places places = divide(p, scratch);
    struct dot_3x2_run run = dot_3x2_begin(&p->dot);
    int32_t computed = -p->pad_top; /* the first row between the two that is not there yet */

    run.step = p->depthwise.plane_bytes;
    fill(scratch, 3 * places.row_bytes, p->zero_point);
    for (int32_t oy = 0; oy < p->output_height; ++oy) {
        const int32_t y = oy * p->stride_y - p->pad_top;
        const int8_t *rows[3];
        for (int32_t ky = 0; ky < 3; ++ky) {
            const int32_t row = y + ky;
            int8_t *planes = scratch + (row + p->pad_top) % 3 * places.row_bytes;
            rows[ky] = planes;
            if (row < computed) {
                continue;
            }
            if (row < 0 || row >= p->windows.window.output_height) {
                fill(planes, places.row_bytes, p->zero_point);
                continue;
            }
            p->row(p, &run, input, row, planes + 2 * p->pad_left, places.packed, places.patches);
        }
        computed = y + 3;
        depthwise_3x3_row(&p->depthwise, rows, 0, p->depthwise.channels, output, places.few);
        output += p->depthwise.output_width * p->depthwise.channels;
    }
}
