/* SPDX-License-Identifier: Apache-2.0 */
#include "winograd_3x3_dsp_int8.h"

#include "dsp.h"

enum {
    TILES = 3,               /* computed at a time */
    PLACES = 16,             /* of a tile */
    SUMS = 2 * TILES,        /* for each place: tile 0 channel 0, tile 0 channel 1, tile 1 ... */
    WORDS_BEHIND = 8,        /* of `stream`, behind a pair's weights */
};

/* A tile of the output. */
struct tile {
    int8_t *output;  /* 0: its upper left pixel's channel */
    int32_t right;   /* 4: bytes to the pixel on the right, 0 if that is outside of the image */
    int32_t below;   /* 8: bytes to the pixel below, likewise */
};

/* The tiles that are computed together; the assembly knows these offsets. */
struct winograd_3x3_block {
    struct tile tiles[TILES];
    const struct tile *end; /* 36: there may be fewer */
    uint32_t min;           /* 40: four times the same byte */
    uint32_t max;           /* 44 */
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
ASSEMBLY static void multiply(const uint32_t *x IN_REGISTER, const int32_t *w IN_REGISTER,
                              int32_t *sums IN_REGISTER, int32_t words IN_REGISTER)
{
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

/* A row of a tile in d0 .. d3, two channels of it ("" for 0 and 2 of four, ", ror #8" for 1 and 3),
 * transformed along the row. */
#define ROW(d0, d1, d2, d3, odd)                                                                   \
    "add    " d3 ", r0, r1         \n"                                                             \
    "ldr    " d0 ", [r0]           \n"                                                             \
    "ldr    " d1 ", [r0, r1]       \n"                                                             \
    "ldr    " d2 ", [r0, r1, lsl #1] \n"                                                           \
    "ldr    " d3 ", [" d3 ", r1, lsl #1] \n"                                                       \
    "sxtb16 " d0 ", " d0 odd "     \n"                                                             \
    "sxtb16 " d1 ", " d1 odd "     \n"                                                             \
    "sxtb16 " d2 ", " d2 odd "     \n"                                                             \
    "sxtb16 " d3 ", " d3 odd "     \n"                                                             \
    "ssub16 " d0 ", " d0 ", " d2 " \n"                                                             \
    "ssub16 " d3 ", " d1 ", " d3 " \n"                                                             \
    "sadd16 r2, " d1 ", " d2 "     \n"                                                             \
    "ssub16 " d2 ", " d2 ", " d1 " \n"                                                             \
    "mov    " d1 ", r2             \n"

/* To four neighbouring places. */
#define PUT(v0, v1, v2, v3)                                                                        \
    "add    r2, r4, r5             \n"                                                             \
    "str    " v0 ", [r4]           \n"                                                             \
    "str    " v1 ", [r4, r5]       \n"                                                             \
    "str    " v2 ", [r4, r5, lsl #1] \n"                                                           \
    "str    " v3 ", [r2, r5, lsl #1] \n"                                                           \
    "add    r4, r4, r5, lsl #2     \n"

/* r0 x, r1 bytes of a pixel, r2 anything, r3 bytes of a line, r4 to, r5 bytes to the next place,
 * r6 .. r9 and r10 .. lr rows. */
#define PAIR(odd)                                                                                  \
    ROW("r6", "r7", "r8", "r9", odd)                                                               \
    "add    r0, r0, r3, lsl #1     \n" ROW("r10", "r11", "r12", "lr", odd)                         \
    "ssub16 r6, r6, r10            \n" /* row 0 - row 2 */                                         \
    "ssub16 r7, r7, r11            \n"                                                             \
    "ssub16 r8, r8, r12            \n"                                                             \
    "ssub16 r9, r9, lr             \n" PUT("r6", "r7", "r8", "r9")                                 \
    "sub    r0, r0, r3             \n" ROW("r6", "r7", "r8", "r9", odd)                            \
    "sadd16 r2, r6, r10            \n" /* row 1 + row 2, and row 2 - row 1 */                      \
    "ssub16 r10, r10, r6           \n"                                                             \
    "str    r2, [r4]               \n"                                                             \
    "sadd16 r2, r7, r11            \n"                                                             \
    "ssub16 r11, r11, r7           \n"                                                             \
    "str    r2, [r4, r5]           \n"                                                             \
    "sadd16 r2, r8, r12            \n"                                                             \
    "ssub16 r12, r12, r8           \n"                                                             \
    "str    r2, [r4, r5, lsl #1]   \n"                                                             \
    "sadd16 r2, r9, lr             \n"                                                             \
    "ssub16 lr, lr, r9             \n"                                                             \
    "add    r4, r4, r5             \n"                                                             \
    "str    r2, [r4, r5, lsl #1]   \n"                                                             \
    "add    r4, r4, r5             \n"                                                             \
    "add    r4, r4, r5, lsl #1     \n" PUT("r10", "r11", "r12", "lr")                              \
    "add    r0, r0, r3, lsl #1     \n" ROW("r10", "r11", "r12", "lr", odd)                         \
    "ssub16 r6, r6, r10            \n" /* row 1 - row 3 */                                         \
    "ssub16 r7, r7, r11            \n"                                                             \
    "ssub16 r8, r8, r12            \n"                                                             \
    "ssub16 r9, r9, lr             \n" PUT("r6", "r7", "r8", "r9")                                 \
    "sub    r0, r0, r3, lsl #1     \n"                                                             \
    "sub    r0, r0, r3             \n"                                                             \
    "sub    r4, r4, r5, lsl #4     \n"

/* One tile of all channels, whose pixels and lines are so many bytes apart. */
ASSEMBLY static void transform_tile(const int8_t *x IN_REGISTER, int32_t channels IN_REGISTER,
                                    uint32_t *to IN_REGISTER, int32_t line IN_REGISTER)
{
    __asm volatile("push   {r4-r11, lr}           \n"
                   "sub    sp, sp, #4             \n"
                   "add    r5, r1, r1, lsl #1     \n"
                   "lsl    r5, r5, #1             \n" /* channels / 2 x 3 tiles x 4 bytes */
                   "add    r6, r0, r1             \n"
                   "str    r6, [sp]               \n"
                   "mov    r4, r2                 \n"
                   "1:                            \n" PAIR("")
                   "add    r4, r4, #12            \n" PAIR(", ror #8")
                   "ldr    r6, [sp]               \n"
                   "add    r4, r4, #12            \n"
                   "add    r0, r0, #4             \n"
                   "cmp    r0, r6                 \n"
                   "bne    1b                     \n"
                   "add    sp, sp, #4             \n"
                   "pop    {r4-r11, pc}           \n");
}

/* Column j of sums: u = m0 + m1 + m2, l = m1 - m2 - m3. */
#define COLUMN(u, l, at0, at1, at2, at3)                                                           \
    "ldr    " u ", [r0, #" at0 "]  \n"                                                             \
    "ldr    " l ", [r0, #" at1 "]  \n"                                                             \
    "ldr    r12, [r0, #" at2 "]    \n"                                                             \
    "ldr    lr, [r0, #" at3 "]     \n"                                                             \
    "add    " u ", " u ", " l "    \n"                                                             \
    "sub    " l ", " l ", r12      \n"                                                             \
    "add    " u ", " u ", r12      \n"                                                             \
    "sub    " l ", " l ", lr       \n"

/* Frame: 0 the tile, 4 the block. */
#define BACK                                                                                       \
    "push   {r4-r11, lr}           \n"                                                             \
    "sub    sp, sp, #12            \n"                                                             \
    "str    r2, [sp]               \n"                                                             \
    "str    r2, [sp, #4]           \n"                                                             \
    "1:                            \n" COLUMN("r4", "r8", "0", "96", "192", "288")                 \
    COLUMN("r5", "r9", "24", "120", "216", "312") COLUMN("r6", "r10", "48", "144", "240", "336")   \
    COLUMN("r7", "r11", "72", "168", "264", "360")                                                 \
    "ldr    r12, [r1]              \n" /* bias */                                                  \
    "ldr    lr, [r1, #4]           \n" /* multiplier */                                            \
    "ldr    r2, [r1, #8]           \n" /* offset */                                                \
    "ldr    r3, [r1, #12]          \n" /* shift */                                                 \
    "add    r4, r4, r5             \n"                                                             \
    "add    r4, r4, r6             \n"                                                             \
    "sub    r5, r5, r6             \n"                                                             \
    "sub    r5, r5, r7             \n"                                                             \
    "add    r8, r8, r9             \n"                                                             \
    "add    r8, r8, r10            \n"                                                             \
    "sub    r9, r9, r10            \n"                                                             \
    "sub    r9, r9, r11            \n"                                                             \
    "add    r4, r4, r12            \n"                                                             \
    "add    r5, r5, r12            \n"                                                             \
    "add    r8, r8, r12            \n"                                                             \
    "add    r9, r9, r12            \n"

#define SCALE_RELU                                                                                 \
    "smmla  r4, r4, lr, r2         \n"                                                             \
    "smmla  r5, r5, lr, r2         \n"                                                             \
    "smmla  r8, r8, lr, r2         \n"                                                             \
    "smmla  r9, r9, lr, r2         \n"

/* 2^1 less where the sum is negative. */
#define SCALE_ONE(sum)                                                                             \
    "asr    r12, " sum ", #31      \n"                                                             \
    "add    r12, r2, r12, lsl #1   \n"                                                             \
    "smmla  " sum ", " sum ", lr, r12 \n"

#define SHIFT_AND_SATURATE                                                                         \
    "asr    r4, r4, r3             \n"                                                             \
    "asr    r5, r5, r3             \n"                                                             \
    "asr    r8, r8, r3             \n"                                                             \
    "asr    r9, r9, r3             \n"                                                             \
    "ssat   r4, #8, r4             \n"                                                             \
    "ssat   r5, #8, r5             \n"                                                             \
    "ssat   r8, #8, r8             \n"                                                             \
    "ssat   r9, #8, r9             \n"

/* Compares all four bytes of a word, of which the lowest counts. */
#define CLAMP(value)                                                                               \
    "ssub8  r12, " value ", r2     \n"                                                             \
    "sel    " value ", " value ", r2 \n"                                                           \
    "ssub8  r12, r3, " value "     \n"                                                             \
    "sel    " value ", " value ", r3 \n"

/* In this order, as what lies outside of the image has a step of 0 and is overwritten. */
#define PUT_BACK                                                                                   \
    "ldr    r12, [sp]              \n"                                                             \
    "ldr    r3, [sp, #4]           \n"                                                             \
    "ldr    r2, [r12]              \n" /* output */                                                \
    "ldr    r6, [r12, #4]          \n" /* to the right */                                          \
    "ldr    r7, [r12, #8]          \n" /* below */                                                 \
    "ldr    r3, [r3, #36]          \n" /* end of tiles */                                          \
    "add    r10, r2, r7            \n"                                                             \
    "strb   r9, [r10, r6]          \n"                                                             \
    "strb   r8, [r10]              \n"                                                             \
    "strb   r5, [r2, r6]           \n"                                                             \
    "strb   r4, [r2], #1           \n"                                                             \
    "str    r2, [r12]              \n"                                                             \
    "add    r12, r12, #12          \n"                                                             \
    "add    r0, r0, #8             \n"                                                             \
    "str    r12, [sp]              \n"                                                             \
    "cmp    r12, r3                \n"                                                             \
    "bne    1b                     \n"                                                             \
    "add    sp, sp, #12            \n"                                                             \
    "pop    {r4-r11, pc}           \n"

#define ROUTINE(name, text)                                                                        \
    ASSEMBLY void name(const int32_t *sums IN_REGISTER, const int32_t *scale IN_REGISTER,          \
                       struct winograd_3x3_block *block IN_REGISTER)                               \
    {                                                                                              \
        __asm volatile(text);                                                                      \
    }

ROUTINE(winograd_3x3_back_relu, BACK SCALE_RELU SHIFT_AND_SATURATE PUT_BACK)
ROUTINE(winograd_3x3_back_any, BACK SCALE_ONE("r4") SCALE_ONE("r5") SCALE_ONE("r8") SCALE_ONE("r9")
                      SHIFT_AND_SATURATE
        "ldr    r12, [sp, #4]          \n"
        "ldr    r2, [r12, #40]         \n"
        "ldr    r3, [r12, #44]         \n" CLAMP("r4") CLAMP("r5") CLAMP("r8") CLAMP("r9") PUT_BACK)

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

struct row {
    uint32_t v[4];
};

/* Two channels (0 and 2 of four, or 1 and 3) of a row of a tile, transformed along the row. */
static struct row transform_row(const int8_t *x, int32_t channels, int odd)
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

static void transform_tile(const int8_t *x, int32_t channels, uint32_t *to, int32_t line)
{
    const int32_t next = channels / 2 * TILES;
    for (int32_t c = 0; c < channels; c += 2) {
        struct row rows[4];
        for (int i = 0; i < 4; ++i) {
            rows[i] = transform_row(x + i * line, channels, c % 4 / 2);
        }
        for (int i = 0; i < 4; ++i) {
            to[i * next] = ssub16(rows[0].v[i], rows[2].v[i]);
            to[(4 + i) * next] = sadd16(rows[1].v[i], rows[2].v[i]);
            to[(8 + i) * next] = ssub16(rows[2].v[i], rows[1].v[i]);
            to[(12 + i) * next] = ssub16(rows[1].v[i], rows[3].v[i]);
        }
        x += c % 4 / 2 * 4;
        to += TILES;
    }
}

static int8_t scaled(uint32_t sum, const int32_t *scale, int relu)
{
    const int32_t a = (int32_t)sum;
    const int32_t offset = scale[2] - (a < 0 && !relu ? 2 : 0);
    return (int8_t)saturate_int8(smmla(a, scale[1], offset) >> scale[3]);
}

static void back_portable(const int32_t *sums, const int32_t *scale,
                          struct winograd_3x3_block *block, int relu)
{
    const uint32_t bias = (uint32_t)scale[0];

    for (struct tile *tile = block->tiles; tile != block->end; ++tile) {
        uint32_t u[4];
        uint32_t l[4];
        for (int i = 0; i < 4; ++i) {
            const uint32_t m1 = (uint32_t)sums[(4 + i) * SUMS];
            const uint32_t m2 = (uint32_t)sums[(8 + i) * SUMS];
            u[i] = (uint32_t)sums[i * SUMS] + m1 + m2;
            l[i] = m1 - m2 - (uint32_t)sums[(12 + i) * SUMS];
        }
        const uint32_t y[4] = {u[0] + u[1] + u[2], u[1] - u[2] - u[3], l[0] + l[1] + l[2],
                               l[1] - l[2] - l[3]};
        for (int i = 3; i >= 0; --i) {
            const int8_t value = scaled(bias + y[i], scale, relu);
            int8_t *to = tile->output + i / 2 * tile->below + i % 2 * tile->right;
            *to = relu ? value : clamp_byte((uint8_t)value, block->min, block->max);
        }
        ++tile->output;
        sums += 2;
    }
}

void winograd_3x3_back_relu(const int32_t *sums, const int32_t *scale,
                            struct winograd_3x3_block *block)
{
    back_portable(sums, scale, block, 1);
}

void winograd_3x3_back_any(const int32_t *sums, const int32_t *scale,
                           struct winograd_3x3_block *block)
{
    back_portable(sums, scale, block, 0);
}

#endif

void winograd_3x3_dsp_int8(const struct winograd_3x3_dsp_int8_params *p, const int8_t *input,
                           int8_t *output, int8_t *scratch)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;
    const int32_t line = v->input_width * channels;
    const int32_t out_line = v->output_width * p->output_channels;
    const int32_t words = channels / 2;
    const int32_t tiles_x = (v->output_width + 1) / 2;
    const int32_t tiles_y = (v->output_height + 1) / 2;
    uint32_t *transformed = (uint32_t *)(void *)scratch;
    int32_t *sums = (int32_t *)(void *)(scratch + PLACES * TILES * 4 * words);
    int8_t *patch = scratch + PLACES * TILES * 4 * words + PLACES * SUMS * 4;
    struct winograd_3x3_block block = {.min = (uint8_t)p->min * 0x01010101u,
                          .max = (uint8_t)p->max * 0x01010101u};
    struct window area = *v; /* a tile's input */
    int32_t oy = 0;
    int32_t ox = 0;
    area.height = 4;

    for (int32_t left = tiles_x * tiles_y; left > 0; left -= TILES) {
        const int32_t count = left < TILES ? left : TILES;
        for (int32_t i = 0; i < count; ++i) {
            const int32_t y = oy - v->pad_top;
            const int32_t x = ox - v->pad_left;
            if (y >= 0 && x >= 0 && y + 4 <= v->input_height && x + 4 <= v->input_width) {
                transform_tile(input + y * line + x * channels, channels, transformed + i, line);
            } else {
                window_gather(&area, y, x, 4, input, patch);
                transform_tile(patch, channels, transformed + i, 4 * channels);
            }
            block.tiles[i].output = output + oy * out_line + ox * p->output_channels;
            block.tiles[i].right = ox + 1 < v->output_width ? p->output_channels : 0;
            block.tiles[i].below = oy + 1 < v->output_height ? out_line : 0;
            ox += 2;
            if (ox >= v->output_width) {
                ox = 0;
                oy += 2;
            }
        }
        block.end = block.tiles + count;
        const int32_t *w = p->stream;
        for (int32_t c = 0; c < p->output_channels; c += 2) {
            multiply(transformed, w, sums, words);
            w += 2 * PLACES * words;
            p->back(sums, w, &block);
            p->back(sums + 1, w + 4, &block);
            w += WORDS_BEHIND;
        }
    }
}
