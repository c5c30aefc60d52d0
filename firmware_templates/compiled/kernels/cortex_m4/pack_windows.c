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

/* The bytes that whole words left over of each row of a window, one behind the other in words. */
static void pack_left(uint32_t *packed, const int8_t *row, int32_t row_bytes, int32_t rows,
                      int32_t left)
{
    uint32_t word = 0;
    int32_t shift = 0;

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

/* A window of three rows of nine bytes: the usual first layer, three by three pixels of three
 * colours. */
static inline void pack_nines(uint32_t *packed, const int8_t *x, int32_t row_bytes)
{
    const int8_t *x1 = x + row_bytes;
    const int8_t *x2 = x1 + row_bytes;
    const uint32_t left = (uint8_t)x[8] | ((uint32_t)(uint8_t)x1[8] << 8);
    pack_word(packed, load_word(x));
    pack_word(packed + DOT_3X2_WORDS_PER_GROUP, load_word(x + 4));
    pack_word(packed + 2 * DOT_3X2_WORDS_PER_GROUP, load_word(x1));
    pack_word(packed + 3 * DOT_3X2_WORDS_PER_GROUP, load_word(x1 + 4));
    pack_word(packed + 4 * DOT_3X2_WORDS_PER_GROUP, load_word(x2));
    pack_word(packed + 5 * DOT_3X2_WORDS_PER_GROUP, load_word(x2 + 4));
    pack_word(packed + 6 * DOT_3X2_WORDS_PER_GROUP, left | ((uint32_t)(uint8_t)x2[8] << 16));
}

/* A window whose rows are runs of bytes. */
struct runs {
    const int8_t *x;
    int32_t row_bytes; /* from one row to the next */
};

static void pack_runs(const struct window *v, struct runs a, struct runs b, struct runs c,
                      uint32_t *packed)
{
    const int32_t run = v->width * v->input_channels;
    const int32_t left = run % 4;
    const int32_t whole = run - left;

    if (run == 9 && v->height == 3) {
        pack_nines(packed, a.x, a.row_bytes);
        pack_nines(packed + 1, b.x, b.row_bytes);
        pack_nines(packed + 2, c.x, c.row_bytes);
        return;
    }
    if (left > 0) {
        uint32_t *behind = packed + v->height * (whole / 4) * DOT_3X2_WORDS_PER_GROUP;
        pack_left(behind, a.x + whole, a.row_bytes, v->height, left);
        pack_left(behind + 1, b.x + whole, b.row_bytes, v->height, left);
        pack_left(behind + 2, c.x + whole, c.row_bytes, v->height, left);
    }
    for (int32_t ky = v->height; ky > 0; --ky) {
        packed = pack_three(packed, a.x, b.x, c.x, whole / 4);
        a.x += a.row_bytes;
        b.x += b.row_bytes;
        c.x += c.row_bytes;
    }
}

/* A window where it is, or a copy of it. */
static struct runs find(const struct windows *p, const int8_t *input, struct window_place at,
                        int8_t *patch)
{
    const struct window *v = &p->window;
    struct runs runs = {patch, v->width * v->input_channels};
    if (p->direct && window_is_inside(v, at.y, at.x)) {
        runs.x = input + (at.y * v->input_width + at.x) * v->input_channels;
        runs.row_bytes = v->dilation_y * v->input_width * v->input_channels;
    } else {
        gather(v, input, at.y, at.x, patch);
    }
    return runs;
}

void pack_windows(const struct windows *p, const int8_t *input, const struct window_place at[3],
                  uint32_t *packed, int8_t *patches)
{
    const int32_t bytes = p->window.height * p->window.width * p->window.input_channels;
    pack_runs(&p->window, find(p, input, at[0], patches), find(p, input, at[1], patches + bytes),
              find(p, input, at[2], patches + 2 * bytes), packed);
}

void pack_windows_inside(const struct windows *p, const int8_t *first, int32_t step,
                         uint32_t *packed)
{
    const struct window *v = &p->window;
    const int32_t row_bytes = v->dilation_y * v->input_width * v->input_channels;
    const struct runs a = {first, row_bytes};
    const struct runs b = {first + step, row_bytes};
    const struct runs c = {first + 2 * step, row_bytes};
    pack_runs(v, a, b, c, packed);
}
