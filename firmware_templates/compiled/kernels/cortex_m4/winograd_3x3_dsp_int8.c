/* SPDX-License-Identifier: Apache-2.0 */
#include "winograd_3x3_dsp_int8.h"

#include "dsp.h"

enum {
    TILES = 3,               /* computed at a time */
    PLACES = 16,             /* of a tile */
    SUMS = 2 * TILES,        /* for each place: tile 0 channel 0, tile 0 channel 1, tile 1 ... */
    WORDS_BEHIND = 8,        /* of `stream`, behind a pair's weights */
};

/* Sums over all input channels of transformed inputs times transformed weights.
 *
 * x: [16][channels / 2][3 tiles] words; w: [16][channels / 2][2] words; sums: [16][6].
 * words: channels / 2, a multiple of 8. */
#if EDGEMCU_DSP

/* Registers: r0 x, r1 w, r2 sums, r3 .. r8 the six sums of a place, the others operands. */
#define LOAD                                                                                       \
    "ldr    r9, [r1], #4           \n"                                                             \
    "ldr    r10, [r1], #4          \n"                                                             \
    "ldr    r11, [r0], #4          \n"                                                             \
    "ldr    r12, [r0], #4          \n"                                                             \
    "ldr    lr, [r0], #4           \n"

#define FIRST                                                                                      \
    LOAD                                                                                           \
    "smuad  r3, r9, r11            \n"                                                             \
    "smuad  r4, r10, r11           \n"                                                             \
    "smuad  r5, r9, r12            \n"                                                             \
    "smuad  r6, r10, r12           \n"                                                             \
    "smuad  r7, r9, lr             \n"                                                             \
    "smuad  r8, r10, lr            \n"

#define NEXT                                                                                       \
    LOAD                                                                                           \
    "smlad  r3, r9, r11, r3        \n"                                                             \
    "smlad  r4, r10, r11, r4       \n"                                                             \
    "smlad  r5, r9, r12, r5        \n"                                                             \
    "smlad  r6, r10, r12, r6       \n"                                                             \
    "smlad  r7, r9, lr, r7         \n"                                                             \
    "smlad  r8, r10, lr, r8        \n"

/* Frame: 0 end of a place's weights, 4 their bytes, 8 end of all weights. */
__attribute__((naked, noinline)) static void multiply(const uint32_t *x, const int32_t *w,
                                                      int32_t *sums, int32_t words)
{
    (void)x;
    (void)w;
    (void)sums;
    (void)words;
    __asm volatile("push   {r4-r11, lr}           \n"
                   "sub    sp, sp, #12            \n"
                   "lsl    r3, r3, #3             \n"
                   "add    r4, r1, r3             \n"
                   "add    r5, r1, r3, lsl #4     \n"
                   "str    r4, [sp]               \n"
                   "str    r3, [sp, #4]           \n"
                   "str    r5, [sp, #8]           \n"
                   "1:                            \n" /* for each place */
                   FIRST NEXT NEXT NEXT NEXT NEXT NEXT NEXT
                   "ldr    r9, [sp]               \n"
                   "cmp    r1, r9                 \n"
                   "beq    3f                     \n"
                   "2:                            \n" /* for eight words more */
                   NEXT NEXT NEXT NEXT NEXT NEXT NEXT NEXT
                   "ldr    r9, [sp]               \n"
                   "cmp    r1, r9                 \n"
                   "bne    2b                     \n"
                   "3:                            \n"
                   "stmia  r2!, {r3-r8}           \n"
                   "ldr    r10, [sp, #4]          \n"
                   "ldr    r11, [sp, #8]          \n"
                   "add    r9, r9, r10            \n"
                   "str    r9, [sp]               \n"
                   "cmp    r1, r11                \n"
                   "bne    1b                     \n"
                   "add    sp, sp, #12            \n"
                   "pop    {r4-r11, pc}           \n");
}

#else

static void multiply(const uint32_t *x, const int32_t *w, int32_t *sums, int32_t words)
{
    for (int32_t place = 0; place < PLACES; ++place) {
        uint32_t sum[SUMS] = {0};
        for (int32_t i = 0; i < words; ++i) {
            for (int32_t s = 0; s < SUMS; ++s) {
                sum[s] = smlad((uint32_t)w[s % 2], x[s / 2], sum[s]);
            }
            w += 2;
            x += TILES;
        }
        for (int32_t s = 0; s < SUMS; ++s) {
            *sums++ = (int32_t)sum[s];
        }
    }
}

#endif

struct row {
    uint32_t v[4];
};

/* Two channels (0 and 2 of four, or 1 and 3) of a row of a tile, transformed along the row. */
static inline struct row transform_row(const int8_t *x, int32_t channels, int odd)
{
    uint32_t d[4];
    for (int i = 0; i < 4; ++i) {
        const uint32_t word = load_word(x + i * channels);
        d[i] = odd ? sxtb16_ror8(word) : sxtb16(word);
    }
    const struct row row = {
        {ssub16(d[0], d[2]), sadd16(d[1], d[2]), ssub16(d[2], d[1]), ssub16(d[1], d[3])}};
    return row;
}

/* Two channels of one tile, from rows that are `line` bytes apart; to its first place, of which
 * there are `pitch` words to the next. */
static inline void transform_pair(const int8_t *x, int32_t line, int32_t channels, int odd,
                                  uint32_t *to, int32_t pitch)
{
    const struct row row0 = transform_row(x, channels, odd);
    const struct row row2 = transform_row(x + 2 * line, channels, odd);
    for (int i = 0; i < 4; ++i) {
        to[i * pitch] = ssub16(row0.v[i], row2.v[i]);
    }
    to += 4 * pitch;
    const struct row row1 = transform_row(x + line, channels, odd);
    for (int i = 0; i < 4; ++i) {
        to[i * pitch] = sadd16(row1.v[i], row2.v[i]);
        to[(4 + i) * pitch] = ssub16(row2.v[i], row1.v[i]);
    }
    to += 8 * pitch;
    const struct row row3 = transform_row(x + 3 * line, channels, odd);
    for (int i = 0; i < 4; ++i) {
        to[i * pitch] = ssub16(row1.v[i], row3.v[i]);
    }
}

/* One tile of all channels, whose columns are neighbours and whose rows are `line` bytes apart. */
static void transform_tile(const int8_t *x, int32_t line, int32_t channels, uint32_t *to)
{
    const int32_t pitch = channels / 2 * TILES;
    for (int32_t c = 0; c < channels; c += 4) {
        transform_pair(x, line, channels, 0, to, pitch);
        transform_pair(x, line, channels, 1, to + TILES, pitch);
        x += 4;
        to += 2 * TILES;
    }
}

static inline int8_t scaled(uint32_t sum, const int32_t *scale, int relu)
{
    const int32_t a = (int32_t)sum;
    /* 2^1 less where the sum is negative. */
    const int32_t offset = relu ? scale[2] : scale[2] + (a >> 31) * 2;
    return (int8_t)saturate_int8(smmla(a, scale[1], offset) >> scale[3]);
}

/* The four outputs of a tile: m is its sum for the first place, scale: bias, multiplier, ... */
static inline void transform_back(const int32_t *m, const int32_t *scale, int relu, int8_t *values)
{
    uint32_t upper[4];
    uint32_t lower[4];
    for (int i = 0; i < 4; ++i) {
        const uint32_t m0 = (uint32_t)m[i * SUMS];
        const uint32_t m1 = (uint32_t)m[(4 + i) * SUMS];
        const uint32_t m2 = (uint32_t)m[(8 + i) * SUMS];
        const uint32_t m3 = (uint32_t)m[(12 + i) * SUMS];
        upper[i] = m0 + m1 + m2;
        lower[i] = m1 - m2 - m3;
    }
    const uint32_t bias = (uint32_t)scale[0];
    values[0] = scaled(bias + upper[0] + upper[1] + upper[2], scale, relu);
    values[1] = scaled(bias + upper[1] - upper[2] - upper[3], scale, relu);
    values[2] = scaled(bias + lower[0] + lower[1] + lower[2], scale, relu);
    values[3] = scaled(bias + lower[1] - lower[2] - lower[3], scale, relu);
}

static inline int8_t clamped(int8_t value, int32_t min, int32_t max)
{
    return (int8_t)(value < min ? min : value > max ? max : value);
}

/* A tile of the output: where its first pixel goes, and what of it lies in the image. */
struct tile {
    int8_t *output;
    int right; /* 1: the second column */
    int below; /* 1: the second row */
};

/* A pair of output channels of up to three tiles. */
static inline void store_tiles(const struct winograd_3x3_dsp_int8_params *p, const int32_t *sums,
                               const int32_t *scale, int relu, const struct tile *tiles,
                               int32_t count, int32_t channel)
{
    const int32_t pixel = p->output_channels;
    const int32_t line = p->window.output_width * pixel;

    for (int32_t i = 0; i < 2 * count; ++i) {
        const struct tile *tile = &tiles[i / 2];
        int8_t *output = tile->output + channel + i % 2;
        int8_t values[4];
        transform_back(sums + i, scale + i % 2 * 4, relu, values);
        if (!relu) {
            for (int k = 0; k < 4; ++k) {
                values[k] = clamped(values[k], p->min, p->max);
            }
        }
        output[0] = values[0];
        if (tile->right) {
            output[pixel] = values[1];
        }
        if (tile->below) {
            output[line] = values[2];
            if (tile->right) {
                output[line + pixel] = values[3];
            }
        }
    }
}

void winograd_3x3_dsp_int8(const struct winograd_3x3_dsp_int8_params *p, const int8_t *input,
                           int8_t *output, int8_t *scratch)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;
    const int32_t line = v->input_width * channels;
    const int32_t words = channels / 2;
    const int32_t tiles_x = (v->output_width + 1) / 2;
    const int32_t tiles_y = (v->output_height + 1) / 2;
    uint32_t *transformed = (uint32_t *)(void *)scratch;
    int32_t *sums = (int32_t *)(void *)(scratch + PLACES * TILES * 4 * words);
    int8_t *patch = scratch + PLACES * TILES * 4 * words + PLACES * SUMS * 4;
    int32_t ty = 0;
    int32_t tx = 0;

    for (int32_t left = tiles_x * tiles_y; left > 0; left -= TILES) {
        const int32_t count = left < TILES ? left : TILES;
        struct tile tiles[TILES];
        for (int32_t i = 0; i < count; ++i) {
            const int32_t y = 2 * ty - v->pad_top;
            const int32_t x = 2 * tx - v->pad_left;
            tiles[i].output =
                output + (2 * ty * v->output_width + 2 * tx) * p->output_channels;
            tiles[i].right = 2 * tx + 1 < v->output_width;
            tiles[i].below = 2 * ty + 1 < v->output_height;
            if (y >= 0 && x >= 0 && y + 4 <= v->input_height && x + 4 <= v->input_width) {
                transform_tile(input + y * line + x * channels, line, channels, transformed + i);
            } else {
                struct window tile = *v;
                tile.height = 4;
                window_gather(&tile, y, x, 4, input, patch);
                transform_tile(patch, 4 * channels, channels, transformed + i);
            }
            if (++tx == tiles_x) {
                tx = 0;
                ++ty;
            }
        }
        const int32_t *w = p->stream;
        for (int32_t c = 0; c < p->output_channels; c += 2) {
            multiply(transformed, w, sums, words);
            w += 2 * PLACES * words;
            if (p->relu) {
                store_tiles(p, sums, w, 1, tiles, count, c);
            } else {
                store_tiles(p, sums, w, 0, tiles, count, c);
            }
            w += WORDS_BEHIND;
        }
    }
}
