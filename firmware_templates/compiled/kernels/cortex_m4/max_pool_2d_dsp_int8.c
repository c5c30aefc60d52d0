/* SPDX-License-Identifier: Apache-2.0 */
#include "max_pool_2d_dsp_int8.h"

#include "dsp.h"

/* The part of a window that lies in the input. */
struct area {
    int32_t rows;
    int32_t columns;
    int32_t pixel; /* bytes from a column to the next */
    int32_t line;  /* bytes from a row to the next */
};

/* Four channels. */
static inline uint32_t largest_four(const struct area *a, const int8_t *x)
{
    uint32_t largest = load_word(x);
    const int32_t pixel = a->pixel;

    for (int32_t rows = a->rows; rows > 0; --rows) {
        const int8_t *p = x;
        int32_t i = a->columns;
        for (; i > 1; i -= 2) {
            const uint32_t first = load_word(p);
            const uint32_t second = load_word(p + pixel);
            largest = max_bytes(largest, first);
            largest = max_bytes(largest, second);
            p += 2 * pixel;
        }
        if (i > 0) {
            largest = max_bytes(largest, load_word(p));
        }
        x += a->line;
    }
    return largest;
}

/* One to three channels. */
static inline uint32_t largest_rest(const struct area *a, const int8_t *x, int32_t count)
{
    uint32_t largest = load_rest(x, count);

    for (int32_t rows = a->rows; rows > 0; --rows) {
        const int8_t *p = x;
        for (int32_t i = a->columns; i > 0; --i) {
            largest = max_bytes(largest, load_rest(p, count));
            p += a->pixel;
        }
        x += a->line;
    }
    return largest;
}

void max_pool_2d_dsp_int8(const struct pool_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->channels;
    const int32_t line = p->input_width * channels;
    const uint32_t min = (uint8_t)p->min * 0x01010101u;
    const uint32_t max = (uint8_t)p->max * 0x01010101u;

    for (int32_t oy = 0; oy < p->output_height; ++oy) {
        const struct pool_range rows =
            pool_clip(oy * p->stride_y - p->pad_top, p->height, p->input_height);
        for (int32_t ox = 0; ox < p->output_width; ++ox) {
            const struct pool_range columns =
                pool_clip(ox * p->stride_x - p->pad_left, p->width, p->input_width);
            const struct area area = {rows.end - rows.begin, columns.end - columns.begin, channels,
                                      line};
            const int8_t *x = input + rows.begin * line + columns.begin * channels;
            int32_t c = channels;
            for (; c >= 4; c -= 4) {
                store_word(output, clamp_bytes(largest_four(&area, x), min, max));
                x += 4;
                output += 4;
            }
            if (c > 0) {
                output = store_rest(output, clamp_bytes(largest_rest(&area, x, c), min, max), c);
            }
        }
    }
}
