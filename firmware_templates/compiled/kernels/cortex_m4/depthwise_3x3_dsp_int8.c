/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_3x3_dsp_int8.h"

#include "planes.h"

/* What a row of planes is made of, in pairs of columns from left to right. */
struct columns {
    int32_t padding;    /* pairs left of the image */
    int32_t first_half; /* 1: a pair of padding and the image's first column */
    int32_t inside;     /* pairs inside the image */
    int32_t last_half;  /* 1: a pair of the image's last column and padding */
    int32_t rest;       /* pairs right of the image */
    uint32_t pad;       /* the zero point as four bytes */
};

static int32_t min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static struct columns split_columns(const struct window *v, int32_t pairs)
{
    struct columns k = {.padding = min(v->pad_left / 2, pairs),
                        .pad = (uint8_t)v->input_zero_point * 0x01010101u};
    pairs -= k.padding;
    k.first_half = pairs > 0 && v->pad_left % 2 != 0;
    pairs -= k.first_half;
    const int32_t columns = v->input_width - k.first_half;
    k.inside = min(columns / 2, pairs);
    pairs -= k.inside;
    k.last_half = pairs > 0 && columns % 2 != 0;
    k.rest = pairs - k.last_half;
    return k;
}

/* One row of four channels as planes; pixels are `pitch` bytes apart. */
static void pack_planes(const struct columns *k, const int8_t *x, int32_t pitch, int8_t *plane,
                        int32_t plane_bytes)
{
    for (int32_t i = k->padding; i > 0; --i) {
        store_pair(plane, plane_bytes, k->pad, k->pad);
        plane += 4;
    }
    if (k->first_half) {
        store_pair(plane, plane_bytes, k->pad, load_word(x));
        x += pitch;
        plane += 4;
    }
    for (int32_t i = k->inside; i > 0; --i) {
        const uint32_t a = load_word(x);
        const uint32_t b = load_word(x + pitch);
        store_pair(plane, plane_bytes, a, b);
        x += 2 * pitch;
        plane += 4;
    }
    if (k->last_half) {
        store_pair(plane, plane_bytes, load_word(x), k->pad);
        plane += 4;
    }
    for (int32_t i = k->rest; i > 0; --i) {
        store_pair(plane, plane_bytes, k->pad, k->pad);
        plane += 4;
    }
}

static int8_t *put(int8_t *plane, int32_t value)
{
    const int16_t half = (int16_t)value;
    memcpy(plane, &half, sizeof half);
    return plane + sizeof half;
}

/* One row of one channel: what is left over of four. */
static void pack_plane(const struct columns *k, const int8_t *x, int32_t pitch, int8_t *plane,
                       int32_t plane_bytes)
{
    const int8_t *end = plane + plane_bytes;
    const int32_t pad = (int8_t)(uint8_t)k->pad;

    for (int32_t i = 2 * k->padding + k->first_half; i > 0; --i) {
        plane = put(plane, pad);
    }
    for (int32_t i = k->first_half + 2 * k->inside + k->last_half; i > 0; --i) {
        plane = put(plane, *x);
        x += pitch;
    }
    while (plane < end) {
        plane = put(plane, pad);
    }
}

/* A row of `count` channels; x is the first column's, NULL if the row is outside of the image. */
static void pack_row(const struct columns *k, const int8_t *x, int32_t pitch, int32_t count,
                     int8_t *plane, int32_t plane_bytes)
{
    if (x == NULL) {
        const uint32_t pad = low_halves(sxtb16(k->pad), sxtb16(k->pad));
        for (int32_t bytes = count * plane_bytes; bytes > 0; bytes -= 4) {
            store_word(plane, pad);
            plane += 4;
        }
        return;
    }
    for (; count >= 4; count -= 4) {
        pack_planes(k, x, pitch, plane, plane_bytes);
        plane += 4 * plane_bytes;
        x += 4;
    }
    for (; count > 0; --count) {
        pack_plane(k, x++, pitch, plane, plane_bytes);
        plane += plane_bytes;
    }
}

void depthwise_3x3_dsp_int8(const struct depthwise_3x3_dsp_int8_params *p, const int8_t *input,
                            int8_t *output, int8_t *scratch)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;
    const int32_t plane_bytes = p->depthwise.plane_bytes;
    const int32_t row_bytes = p->group * plane_bytes;
    const struct columns columns = split_columns(v, plane_bytes / 4);
    int8_t *const few = scratch + 3 * row_bytes;
    int32_t packed = -v->pad_top; /* the first input row that is not in scratch memory yet */

    for (int32_t oy = 0; oy < v->output_height; ++oy) {
        const int32_t y = oy * v->stride_y - v->pad_top;
        for (int32_t c = 0; c < channels; c += p->group) {
            const int32_t count = min(channels - c, p->group);
            const int8_t *rows[3];
            for (int32_t ky = 0; ky < 3; ++ky) {
                /* A ring of three rows; rows of a part of the channels are never kept. */
                const int32_t row = y + ky;
                int8_t *place = scratch + (row + v->pad_top) % 3 * row_bytes;
                if (row >= packed || p->group < channels) {
                    const int inside = row >= 0 && row < v->input_height;
                    pack_row(&columns, inside ? input + row * v->input_width * channels + c : NULL,
                             channels, count, place, plane_bytes);
                }
                rows[ky] = place;
            }
            depthwise_3x3_row(&p->depthwise, rows, c, count, output, few);
        }
        packed = y + 3;
        output += v->output_width * channels;
    }
}
