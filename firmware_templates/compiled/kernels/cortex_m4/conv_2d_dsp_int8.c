/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_2d_dsp_int8.h"

#include "pack.h"

static int8_t *copy(int8_t *to, const int8_t *from, int32_t n)
{
    for (; n >= 4; n -= 4) {
        const uint32_t word = load_word(from);
        memcpy(to, &word, sizeof word);
        to += 4;
        from += 4;
    }
    for (; n > 0; --n) {
        *to++ = *from++;
    }
    return to;
}

static int8_t *fill(int8_t *to, int32_t value, int32_t n)
{
    for (; n > 0; --n) {
        *to++ = (int8_t)value;
    }
    return to;
}

static int32_t clip(int32_t value, int32_t max)
{
    return value < 0 ? 0 : value > max ? max : value;
}

/* The bytes of a window, with the zero point where it leaves the image. */
static void gather(const struct window *v, const int8_t *input, int32_t y, int32_t x, int8_t *patch)
{
    const int32_t channels = v->input_channels;
    const int32_t begin = clip(-x, v->width);
    const int32_t end = clip(v->input_width - x, v->width);

    if (v->dilation_x != 1) {
        window_gather(v, y, x, v->width, input, patch);
        return;
    }
    for (int32_t ky = 0; ky < v->height; ++ky) {
        const int32_t iy = y + ky * v->dilation_y;
        if (iy < 0 || iy >= v->input_height || begin >= end) {
            patch = fill(patch, v->input_zero_point, v->width * channels);
        } else {
            const int8_t *row = input + (iy * v->input_width + x + begin) * channels;
            patch = fill(patch, v->input_zero_point, begin * channels);
            patch = copy(patch, row, (end - begin) * channels);
            patch = fill(patch, v->input_zero_point, (v->width - end) * channels);
        }
    }
}

/* The bytes that whole words left over of each row of a window, one behind the other in words. */
static void pack_left(uint32_t *packed, const int8_t *row, int32_t row_bytes, int32_t rows,
                      int32_t left)
{
    uint32_t word = 0;
    int32_t shift = 0;
    for (; rows > 0; --rows) {
        for (int32_t i = 0; i < left; ++i) {
            word |= (uint32_t)(uint8_t)row[i] << shift;
            shift += 8;
            if (shift == 32) {
                pack_word(packed, word);
                packed += DOT_3X2_WORDS_PER_GROUP;
                word = 0;
                shift = 0;
            }
        }
        row += row_bytes;
    }
    if (shift > 0) {
        pack_word(packed, word);
    }
}

/* Three windows whose rows are runs of bytes, row_bytes apart. */
static void pack_windows(const struct window *v, const int8_t *const *windows, int32_t row_bytes,
                         uint32_t *packed)
{
    const int32_t run = v->width * v->input_channels;
    const int32_t left = run % 4;
    const int8_t *x0 = windows[0];
    const int8_t *x1 = windows[1];
    const int8_t *x2 = windows[2];

    for (int32_t ky = 0; ky < v->height; ++ky) {
        packed = pack_three(packed, x0, x1, x2, run / 4);
        x0 += row_bytes;
        x1 += row_bytes;
        x2 += row_bytes;
    }
    if (left > 0) {
        for (int32_t i = 0; i < 3; ++i) {
            pack_left(packed + i, windows[i] + run - left, row_bytes, v->height, left);
        }
    }
}

void conv_2d_dsp_int8(const struct conv_2d_dsp_int8_params *p, const int8_t *input, int8_t *output,
                      int8_t *scratch)
{
    const struct window *v = &p->window;
    const int32_t channels = p->dot.output_channels;
    const int32_t run = v->width * v->input_channels;
    const int32_t line = v->input_width * v->input_channels;
    uint32_t *packed = (uint32_t *)(void *)scratch;
    int8_t *patches = scratch + (int32_t)sizeof(uint32_t) * DOT_3X2_WORDS_PER_GROUP * p->dot.groups;
    /* How many places there are for windows that lie inside as a whole, if they are read in place. */
    const int32_t inner_rows = p->direct ? v->input_height - (v->height - 1) * v->dilation_y : 0;
    const int32_t inner_columns = v->input_width - (v->width - 1) * v->dilation_x;
    const int32_t end_x = v->output_width * v->stride_x - v->pad_left;
    int32_t left = v->output_height * v->output_width;
    int32_t y = -v->pad_top;
    int32_t x = -v->pad_left;

    while (left > 0) {
        /* Three pixels, or one of the last two, which is computed and stored three times. */
        const int32_t pixels = left < 3 ? 1 : 3;
        const int8_t *windows[3];
        int32_t row_bytes = v->dilation_y * line;
        struct {
            int32_t y, x;
        } places[3];
        int inside = 1;
        for (int32_t i = 0; i < pixels; ++i) {
            places[i].y = y;
            places[i].x = x;
            windows[i] = input + y * line + x * v->input_channels;
            inside &= y >= 0 && y < inner_rows && x >= 0 && x < inner_columns;
            x += v->stride_x;
            if (x == end_x) {
                x = -v->pad_left;
                y += v->stride_y;
            }
        }
        if (!inside) {
            row_bytes = run;
            for (int32_t i = 0; i < pixels; ++i) {
                int8_t *patch = patches + i * v->height * run;
                gather(v, input, places[i].y, places[i].x, patch);
                windows[i] = patch;
            }
        }
        if (pixels == 1) {
            windows[1] = windows[0];
            windows[2] = windows[0];
        }
        pack_windows(v, windows, row_bytes, packed);
        dot_3x2(&p->dot, packed, output, pixels == 3 ? channels : 0);
        output += pixels * channels;
        left -= pixels;
    }
}
