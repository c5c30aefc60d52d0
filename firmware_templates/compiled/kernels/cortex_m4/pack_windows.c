/* SPDX-License-Identifier: Apache-2.0 */
#include "pack_windows.h"

#include "dsp.h"
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

/* `words` groups of four inputs of one pixel; returns where to go on. */
static uint32_t *pack_run(uint32_t *packed, const int8_t *x, int32_t words, int32_t pixels)
{
    const int32_t group = DOT_WORDS_PER_GROUP(pixels);

    for (; words >= 4; words -= 4) {
        const uint32_t x0 = load_word(x);
        const uint32_t x1 = load_word(x + 4);
        const uint32_t x2 = load_word(x + 8);
        const uint32_t x3 = load_word(x + 12);
        pack_word(packed, x0, pixels);
        pack_word(packed + group, x1, pixels);
        pack_word(packed + 2 * group, x2, pixels);
        pack_word(packed + 3 * group, x3, pixels);
        packed += 4 * group;
        x += 16;
    }
    for (; words > 0; --words) {
        pack_word(packed, load_word(x), pixels);
        packed += group;
        x += 4;
    }
    return packed;
}

/* The bytes that whole words left over of each row of a window, one behind the other in words. */
static void pack_left(uint32_t *packed, const int8_t *row, int32_t row_bytes, int32_t rows,
                      int32_t left, int32_t pixels)
{
    uint32_t word = 0;
    int32_t shift = 0;

    for (; rows > 0; --rows) {
        const uint32_t bytes = load_rest(row, left);
        word |= bytes << shift;
        shift += 8 * left;
        if (shift >= 32) {
            pack_word(packed, word, pixels);
            packed += DOT_WORDS_PER_GROUP(pixels);
            shift -= 32;
            /* The bytes that did not fit. */
            word = bytes >> (8 * left - shift);
        }
        row += row_bytes;
    }
    if (shift > 0) {
        pack_word(packed, word, pixels);
    }
}

static inline void pack_nines_of(uint32_t *packed, const int8_t *x, int32_t row_bytes,
                                 int32_t pixels)
{
    const int32_t group = DOT_WORDS_PER_GROUP(pixels);
    const int8_t *x1 = x + row_bytes;
    const int8_t *x2 = x1 + row_bytes;
    const uint32_t left = (uint8_t)x[8] | ((uint32_t)(uint8_t)x1[8] << 8);
    pack_word(packed, load_word(x), pixels);
    pack_word(packed + group, load_word(x + 4), pixels);
    pack_word(packed + 2 * group, load_word(x1), pixels);
    pack_word(packed + 3 * group, load_word(x1 + 4), pixels);
    pack_word(packed + 4 * group, load_word(x2), pixels);
    pack_word(packed + 5 * group, load_word(x2 + 4), pixels);
    pack_word(packed + 6 * group, left | ((uint32_t)(uint8_t)x2[8] << 16), pixels);
}

/* A window of three rows of nine bytes: the usual first layer, three by three pixels of three
 * colours. */
static void pack_nines(uint32_t *packed, const int8_t *x, int32_t row_bytes, int32_t pixels)
{
    if (pixels == 4) {
        pack_nines_of(packed, x, row_bytes, 4);
    } else {
        pack_nines_of(packed, x, row_bytes, 3);
    }
}

static uint32_t three_bytes(const int8_t *x)
{
    return (uint8_t)x[0] | ((uint32_t)(uint8_t)x[1] << 8) | ((uint32_t)(uint8_t)x[2] << 16);
}

/* A window of three rows of three bytes: three by three pixels of grey. */
static void pack_threes(uint32_t *packed, const int8_t *x, int32_t row_bytes, int32_t pixels)
{
    const int32_t group = DOT_WORDS_PER_GROUP(pixels);
    const uint32_t a = three_bytes(x);
    const uint32_t b = three_bytes(x + row_bytes);
    const uint32_t c = three_bytes(x + 2 * row_bytes);
    pack_word(packed, a | (b << 24), pixels);
    pack_word(packed + group, (b >> 8) | (c << 16), pixels);
    pack_word(packed + 2 * group, c >> 16, pixels);
}

static void pack_any(const struct window *v, const int8_t *x, int32_t row_bytes, uint32_t *packed,
                     int32_t pixels)
{
    const int32_t run = v->width * v->input_channels;
    const int32_t words = run / 4;
    const int8_t *rest = x + 4 * words;

    for (int32_t ky = v->height; ky > 0; --ky) {
        packed = pack_run(packed, x, words, pixels);
        x += row_bytes;
    }
    if (run % 4 > 0) {
        pack_left(packed, rest, row_bytes, v->height, run % 4, pixels);
    }
}

/* A window whose rows are runs of bytes, `row_bytes` apart. */
static inline void pack_window(const struct window *v, const int8_t *x, int32_t row_bytes,
                               uint32_t *packed, int32_t pixels)
{
    const int32_t run = v->width * v->input_channels;
    if (run == 9 && v->height == 3) {
        pack_nines(packed, x, row_bytes, pixels);
    } else if (run == 3 && v->height == 3) {
        pack_threes(packed, x, row_bytes, pixels);
    } else {
        pack_any(v, x, row_bytes, packed, pixels);
    }
}

void pack_windows(const struct windows *p, const int8_t *input, const struct window_place *at,
                  int32_t pixels, uint32_t *packed, int8_t *patch)
{
    const struct window *v = &p->window;

    for (int32_t i = 0; i < pixels; ++i) {
        const int8_t *x = patch;
        int32_t row_bytes = v->width * v->input_channels;
        if (p->direct && window_is_inside(v, at[i].y, at[i].x)) {
            x = input + (at[i].y * v->input_width + at[i].x) * v->input_channels;
            row_bytes = v->dilation_y * v->input_width * v->input_channels;
        } else {
            gather(v, input, at[i].y, at[i].x, patch);
        }
        pack_window(v, x, row_bytes, packed + i, pixels);
    }
}

static void next_pixel(const struct window *v, struct window_place *at)
{
    at->x += v->stride_x;
    if (at->x == v->output_width * v->stride_x - v->pad_left) {
        at->x = -v->pad_left;
        at->y += v->stride_y;
    }
}

void pack_next_windows(const struct windows *p, const int8_t *input, struct window_place *at,
                       int32_t pixels, uint32_t *packed, int8_t *patch)
{
    struct window_place places[4] = {*at, *at, *at, *at};

    next_pixel(&p->window, at);
    for (int32_t i = 1; i < pixels; ++i) {
        places[i] = *at;
        next_pixel(&p->window, at);
    }
    pack_windows(p, input, places, pixels == 4 ? 4 : 3, packed, patch);
}

void pack_windows_inside(const struct windows *p, const int8_t *first, int32_t step,
                         int32_t pixels, uint32_t *packed)
{
    const struct window *v = &p->window;
    const int32_t row_bytes = v->dilation_y * v->input_width * v->input_channels;

    for (int32_t i = 0; i < pixels; ++i) {
        pack_window(v, first, row_bytes, packed + i, pixels);
        first += step;
    }
}
