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

    if (rows == 3 && left == 1) {
        /* The usual first layer: three rows of nine bytes. */
        const uint32_t byte0 = (uint8_t)row[0];
        const uint32_t byte1 = (uint8_t)row[row_bytes];
        const uint32_t byte2 = (uint8_t)row[2 * row_bytes];
        pack_word(packed, byte0 | (byte1 << 8) | (byte2 << 16));
        return;
    }
    for (; rows > 0; --rows) {
        const uint32_t bytes = load_rest(row, left);
        word |= bytes << shift;
        shift += 8 * left;
        if (shift >= 32) {
            pack_word(packed, word);
            packed += DOT_3X2_WORDS_PER_GROUP;
            shift -= 32;
            /* The bytes that did not fit. */
            word = bytes >> (8 * left - shift);
        }
        row += row_bytes;
    }
    if (shift > 0) {
        pack_word(packed, word);
    }
}

/* Three windows whose rows are runs of bytes, row_bytes apart. */
static void pack_windows(const struct window *v, const int8_t *x0, const int8_t *x1,
                         const int8_t *x2, int32_t row_bytes, uint32_t *packed)
{
    const int32_t run = v->width * v->input_channels;
    const int32_t left = run % 4;
    const int32_t whole = run - left;

    if (left > 0) {
        uint32_t *behind = packed + v->height * (whole / 4) * DOT_3X2_WORDS_PER_GROUP;
        pack_left(behind, x0 + whole, row_bytes, v->height, left);
        pack_left(behind + 1, x1 + whole, row_bytes, v->height, left);
        pack_left(behind + 2, x2 + whole, row_bytes, v->height, left);
    }
    for (int32_t ky = v->height; ky > 0; --ky) {
        packed = pack_three(packed, x0, x1, x2, whole / 4);
        x0 += row_bytes;
        x1 += row_bytes;
        x2 += row_bytes;
    }
}

void conv_2d_dsp_int8(const struct conv_2d_dsp_int8_params *p, const int8_t *input, int8_t *output,
                      int8_t *scratch)
{
    const struct window *v = &p->window;
    const int32_t channels = p->dot.output_channels;
    const int32_t run_bytes = v->width * v->input_channels;
    const int32_t line = v->input_width * v->input_channels;
    const int32_t step = v->stride_x * v->input_channels;
    uint32_t *packed = (uint32_t *)(void *)scratch;
    int8_t *patches = scratch + 4 * DOT_3X2_WORDS_PER_GROUP * p->dot.groups;
    /* Rows and columns where windows that are read in place may begin. */
    const int32_t inner_rows = p->direct ? v->input_height - (v->height - 1) * v->dilation_y : 0;
    const int32_t inner_columns = v->input_width - (v->width - 1) * v->dilation_x;
    const int32_t end_x = v->output_width * v->stride_x - v->pad_left;
    struct dot_3x2_run run = dot_3x2_begin(&p->dot);
    int32_t left = v->output_height * v->output_width;
    int32_t y = -v->pad_top;
    int32_t x = -v->pad_left;

    while (left > 0) {
        /* Three pixels, or one of the last two, which is computed and stored three times. */
        const int32_t pixels = left < 3 ? 1 : 3;
        const int32_t third = x + (pixels - 1) * v->stride_x;
        if (y >= 0 && y < inner_rows && x >= 0 && third < inner_columns && third < end_x) {
            const int8_t *x0 = input + y * line + x * v->input_channels;
            const int8_t *x1 = pixels == 3 ? x0 + step : x0;
            const int8_t *x2 = pixels == 3 ? x1 + step : x0;
            pack_windows(v, x0, x1, x2, v->dilation_y * line, packed);
            x = third + v->stride_x;
        } else {
            const int8_t *windows[3] = {patches, patches, patches};
            for (int32_t i = 0; i < pixels; ++i) {
                int8_t *patch = patches + i * v->height * run_bytes;
                gather(v, input, y, x, patch);
                windows[i] = patch;
                x += v->stride_x;
                if (x == end_x) {
                    x = -v->pad_left;
                    y += v->stride_y;
                }
            }
            pack_windows(v, windows[0], windows[1], windows[2], run_bytes, packed);
        }
        if (x == end_x) {
            x = -v->pad_left;
            y += v->stride_y;
        }
        dot_3x2(&run, packed, output, pixels == 3 ? channels : 0);
        output += pixels * channels;
        left -= pixels;
    }
}
