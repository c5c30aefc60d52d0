/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_depthwise_3x3_dsp_int8.h"

#include "dsp.h"

static void row_of_windows(const struct conv_depthwise_3x3_dsp_int8_params *p,
                           const struct dot_run *run, const int8_t *input,
                           struct window_place at, int32_t blocks, int8_t *planes,
                           uint32_t *packed)
{
    const struct window *v = &p->windows.window;
    const int32_t across = (run->pixels - 1) * v->stride_x;
    int8_t *patch = (int8_t *)packed + run->packed_bytes;
    /* Where a block may begin whose windows lie inside of the input. */
    const int32_t most = v->input_width - 1 - (v->width - 1) * v->dilation_x - across;
    const int32_t end = p->windows.direct && window_is_inside(v, at.y, 0) ? most : -1;

    for (; blocks > 0; --blocks) {
        if (at.x >= 0 && at.x <= end) {
            const int8_t *first = input + (at.y * v->input_width + at.x) * v->input_channels;
            pack_windows_inside(&p->windows, first, v->stride_x * v->input_channels, run->pixels,
                                packed);
        } else {
            struct window_place places[4] = {at, at, at, at};
            for (int32_t i = 1; i < run->pixels; ++i) {
                places[i].x += i * v->stride_x;
            }
            pack_windows(&p->windows, input, places, run->pixels, packed, patch);
        }
        run->routine(packed, run, planes);
        at.x += across + v->stride_x;
        planes += 2 * run->pixels;
    }
}

void conv_depthwise_row_of_windows(const struct conv_depthwise_3x3_dsp_int8_params *p,
                                   const struct dot_run *four, const struct dot_run *three,
                                   const int8_t *input, int32_t row, int8_t *planes,
                                   uint32_t *packed)
{
    const struct window *v = &p->windows.window;
    const int32_t fours = p->blocks.fours;
    struct window_place at = {row * v->stride_y - v->pad_top, -v->pad_left};

    row_of_windows(p, four, input, at, fours, planes, packed);
    at.x += 4 * fours * v->stride_x;
    row_of_windows(p, three, input, at, p->blocks.threes, planes + 8 * fours, packed);
}

void conv_depthwise_row_of_pixels(const struct conv_depthwise_3x3_dsp_int8_params *p,
                                  const struct dot_run *four, const struct dot_run *three,
                                  const int8_t *input, int32_t row, int8_t *planes,
                                  uint32_t *packed)
{
    const int32_t n = p->windows.window.input_channels;
    const int32_t fours = p->blocks.fours;
    const int8_t *x = input + row * p->windows.window.input_width * n;

    dot_pixels(four, x, n, n, fours, planes, 2, packed);
    dot_pixels(three, x + 4 * fours * n, n, n, p->blocks.threes, planes + 8 * fours, 2, packed);
}

static void fill(int8_t *planes, int32_t bytes, int32_t value)
{
    const uint32_t pair = (uint16_t)value * 0x00010001u;
    for (; bytes > 0; bytes -= 4) {
        store_word(planes, pair);
        planes += 4;
    }
}

void conv_depthwise_3x3_dsp_int8(const struct conv_depthwise_3x3_dsp_int8_params *p,
                                 const int8_t *input, int8_t *output, int8_t *scratch)
{
    const struct depthwise_3x3 *d = &p->depthwise;
    const int32_t row_bytes = p->dot.output_channels * d->plane_bytes;
    int8_t *few = scratch + 3 * row_bytes;
    int8_t *packed = few + (d->output_width < 4 ? 4 * d->channels : 0);
    struct dot_run four = dot_begin(&p->dot, 4);
    struct dot_run three = dot_begin(&p->dot, 3);
    int32_t computed = -p->pad_top; /* the first row between the two that is not there yet */

    four.step = d->plane_bytes;
    three.step = d->plane_bytes;
    fill(scratch, 3 * row_bytes, p->zero_point);
    for (int32_t oy = 0; oy < p->output_height; ++oy) {
        const int32_t y = oy * p->stride_y - p->pad_top;
        const int8_t *rows[3];
        for (int32_t ky = 0; ky < 3; ++ky) {
            const int32_t row = y + ky;
            int8_t *planes = scratch + (row + p->pad_top) % 3 * row_bytes;
            rows[ky] = planes;
            if (row < computed) {
                continue;
            }
            if (row < 0 || row >= p->windows.window.output_height) {
                fill(planes, row_bytes, p->zero_point);
                continue;
            }
            p->row(p, &four, &three, input, row, planes + 2 * p->pad_left,
                   (uint32_t *)(void *)packed);
        }
        computed = y + 3;
        depthwise_3x3_row(d, rows, 0, d->channels, output, few);
        output += d->output_width * d->channels;
    }
}
