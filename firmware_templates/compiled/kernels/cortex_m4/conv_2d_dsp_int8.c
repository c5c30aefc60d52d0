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

/* The bytes of a window whose columns are neighbours. */
static void gather(const struct window *v, const int8_t *input, int32_t y, int32_t x, int8_t *patch)
{
    const int32_t channels = v->input_channels;
    const int32_t begin = clip(-x, v->width);
    const int32_t end = clip(v->input_width - x, v->width);

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

/* The window of one pixel; `packed` points at its word N of the first group. */
static void pack_window(const struct conv_2d_dsp_int8_params *p, const int8_t *input, int32_t y,
                        int32_t x, uint32_t *packed, int8_t *patch)
{
    const struct window *v = &p->window;

    if (p->direct && window_is_inside(v, y, x)) {
        const int32_t row_bytes = v->input_width * v->input_channels;
        const int8_t *row = input + y * row_bytes + x * v->input_channels;
        for (int32_t ky = 0; ky < v->height; ++ky) {
            packed = pack_run(packed, row, v->width * v->input_channels);
            row += v->dilation_y * row_bytes;
        }
        return;
    }
    if (v->dilation_x == 1) {
        gather(v, input, y, x, patch);
    } else {
        window_gather(v, y, x, v->width, input, patch);
    }
    /* The patch has room for a whole number of groups. */
    pack_run(packed, patch, 4 * p->dot.groups);
}

void conv_2d_dsp_int8(const struct conv_2d_dsp_int8_params *p, const int8_t *input, int8_t *output,
                      int8_t *scratch)
{
    const struct window *v = &p->window;
    const int32_t channels = p->dot.output_channels;
    uint32_t *packed = (uint32_t *)(void *)scratch;
    int8_t *patch = scratch + (int32_t)sizeof(uint32_t) * DOT_3X2_WORDS_PER_GROUP * p->dot.groups;
    const int32_t pixels = v->output_height * v->output_width;
    /* As many blocks of three as there are, then single pixels, which are computed three times. */
    const int32_t in_blocks = pixels - pixels % 3;
    int32_t oy = 0;
    int32_t ox = 0;

    for (int32_t pixel = 0; pixel < pixels; ++pixel) {
        const int32_t y = oy * v->stride_y - v->pad_top;
        const int32_t x = ox * v->stride_x - v->pad_left;
        if (pixel < in_blocks) {
            const int32_t lane = pixel % 3;
            pack_window(p, input, y, x, packed + lane, patch);
            if (lane == 2) {
                dot_3x2(&p->dot, packed, output, channels);
                output += 3 * channels;
            }
        } else {
            for (int32_t lane = 0; lane < 3; ++lane) {
                pack_window(p, input, y, x, packed + lane, patch);
            }
            dot_3x2(&p->dot, packed, output, 0);
            output += channels;
        }
        if (++ox == v->output_width) {
            ox = 0;
            ++oy;
        }
    }
}
