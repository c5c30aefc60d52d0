/* SPDX-License-Identifier: Apache-2.0 */
#include "winograd_3x3_dsp_int8.h"

#include "winograd_back.h"

enum {
    COLUMNS = 2, /* of a tile */
    INPUT_COLUMNS = 4,
    SCALE_WORDS = 4,
};

#if EDGEMCU_DSP

/* A row of a tile, two channels of it ("" for 0 and 2 of four, ", ror #8" for 1 and 3), transformed
 * along the row: to d0, free, d2, d3. r0: its first pixel, r4: the second, r1: bytes of a pixel. */
#define ROW(d0, d1, d2, d3, free, odd)                                                             \
    "ldr    " d0 ", [r0]           \n"                                                             \
    "ldr    " d1 ", [r4]           \n"                                                             \
    "ldr    " d2 ", [r4, r1]       \n"                                                             \
    "ldr    " d3 ", [r4, r1, lsl #1] \n"                                                           \
    "sxtb16 " d0 ", " d0 odd "     \n"                                                             \
    "sxtb16 " d1 ", " d1 odd "     \n"                                                             \
    "sxtb16 " d2 ", " d2 odd "     \n"                                                             \
    "sxtb16 " d3 ", " d3 odd "     \n"                                                             \
    "ssub16 " d0 ", " d0 ", " d2 " \n"                                                             \
    "ssub16 " d3 ", " d1 ", " d3 " \n"                                                             \
    "sadd16 " free ", " d1 ", " d2 "\n"                                                            \
    "ssub16 " d2 ", " d2 ", " d1 " \n"

/* One column of a row less that of another one, to a place. */
#define DIFFERENCE(from, less, at)                                                                 \
    "ssub16 " from ", " from ", " less "\n"                                                        \
    "str    " from ", [r3, #" at "]\n"

/* One column of rows 1 and 2: their sum, then row 2 - row 1. */
#define SUM_AND_DIFFERENCE(row1, row2, at, at_difference)                                          \
    "sadd16 r5, " row1 ", " row2 " \n"                                                             \
    "ssub16 " row2 ", " row2 ", " row1 "\n"                                                        \
    "str    r5, [r3, #" at "]      \n"                                                             \
    "str    " row2 ", [r3, #" at_difference "]\n"

/* r0 x, r1 bytes of a pixel, r2 bytes of a line, r3 to; two rows at a time are in r6 .. r9 and in
 * r10 .. lr, with r5 or the register that a row leaves in place of one of them. */
#define PAIR(odd)                                                                                  \
    "add    r4, r0, r1             \n"                                                             \
    ROW("r6", "r7", "r8", "r9", "r5", odd)                                                         \
    "add    r0, r0, r2, lsl #1     \n"                                                             \
    "add    r4, r0, r1             \n"                                                             \
    ROW("r10", "r11", "r12", "lr", "r7", odd)                                                      \
    "sub    r0, r0, r2             \n"                                                             \
    "add    r4, r0, r1             \n"                                                             \
    DIFFERENCE("r6", "r10", "0") DIFFERENCE("r5", "r7", "64")                                      \
    DIFFERENCE("r8", "r12", "128") DIFFERENCE("r9", "lr", "192")                                   \
    ROW("r6", "r5", "r8", "r9", "r11", odd)                                                        \
    "add    r0, r0, r2, lsl #1     \n"                                                             \
    "add    r4, r0, r1             \n"                                                             \
    SUM_AND_DIFFERENCE("r6", "r10", "256", "512") SUM_AND_DIFFERENCE("r11", "r7", "320", "576")    \
    SUM_AND_DIFFERENCE("r8", "r12", "384", "640") SUM_AND_DIFFERENCE("r9", "lr", "448", "704")     \
    ROW("r10", "r7", "r12", "lr", "r5", odd)                                                       \
    "sub    r0, r0, r2, lsl #1     \n"                                                             \
    "sub    r0, r0, r2             \n"                                                             \
    DIFFERENCE("r6", "r10", "768") DIFFERENCE("r11", "r5", "832")                                  \
    DIFFERENCE("r8", "r12", "896") DIFFERENCE("r9", "lr", "960")                                   \
    "add    r3, r3, #8             \n"

/* Frame: 0 channels that are left, as if they were a multiple of 16, 4 how many of
 * these are none. */
ASSEMBLY static void transform_tile(const int8_t *x IN_REGISTER, int32_t channels IN_REGISTER,
                                    int32_t line IN_REGISTER, uint32_t *to IN_REGISTER)
{
    __asm volatile("push   {r4-r11, lr}           \n"
                   "sub    sp, sp, #8             \n"
                   "add    r4, r1, #15            \n"
                   "bic    r4, r4, #15            \n"
                   "sub    r5, r4, r1             \n"
                   "str    r4, [sp, #0]            \n"
                   "str    r5, [sp, #4]            \n"
                   "1:                            \n" PAIR("") PAIR(", ror #8")
                   "ldr    r4, [sp, #0]            \n"
                   "ldr    r5, [sp, #4]            \n"
                   "add    r0, r0, #4             \n"
                   "sub    r4, r4, #4             \n"
                   "str    r4, [sp, #0]            \n"
                   "cmp    r4, r5                 \n"
                   "beq    2f                     \n"
                   "tst    r4, #15                \n"
                   "bne    1b                     \n"
                   "add    r3, r3, #960          \n" /* 15 places */
                   "b      1b                     \n"
                   "2:                            \n"
                   "add    sp, sp, #8             \n"
                   "pop    {r4-r11, pc}           \n");
}

/* Sums to four times the two outputs of a row, y0 and y1: d0 = d0 + s0 or d0 - s0, likewise the
 * others, then y0 = d0 + d1 + d2 in place of d0, y1 = d1 - d2 - d3 in place of d1. */
#define SUM_ROW(op, d0, s0, d1, s1, d2, s2, d3, s3, at0, from0, at1, from1, at2, from2, at3, from3)\
    "ldr    " d0 ", [r0, #" at0 "] \n"                                                             \
    "ldr    " s0 ", [r0, #" from0 "]\n"                                                            \
    "ldr    " d1 ", [r0, #" at1 "] \n"                                                             \
    "ldr    " s1 ", [r0, #" from1 "]\n"                                                            \
    "ldr    " d2 ", [r0, #" at2 "] \n"                                                             \
    "ldr    " s2 ", [r0, #" from2 "]\n"                                                            \
    "ldr    " d3 ", [r0, #" at3 "] \n"                                                             \
    "ldr    " s3 ", [r0, #" from3 "]\n"                                                            \
    op "    " d0 ", " d0 ", " s0 " \n"                                                             \
    op "    " d1 ", " d1 ", " s1 " \n"                                                             \
    op "    " d2 ", " d2 ", " s2 " \n"                                                             \
    op "    " d3 ", " d3 ", " s3 " \n"                                                             \
    "add    " d0 ", " d0 ", " d1 " \n"                                                             \
    "add    " d0 ", " d0 ", " d2 " \n"                                                             \
    "sub    " d1 ", " d1 ", " d2 " \n"                                                             \
    "sub    " d1 ", " d1 ", " d3 " \n"

#define BACK(scale)                                                                                \
    BACK_BEGIN                                                                                     \
    "1:                            \n"                                                             \
    "ldr    lr, [r1, #4]           \n" /* multiplier */                                            \
    "2:                            \n"                                                             \
    SUM_ROW("add", "r3", "r5", "r6", "r8", "r4", "r9", "r7", "r10",                                \
            "32", "64", "160", "192", "288", "320", "416", "448")                                  \
    SUM_ROW("sub", "r9", "r4", "r5", "r7", "r8", "r11", "r10", "r12",                              \
            "0", "96", "128", "224", "256", "352", "384", "480")                                   \
    "ldr    r4, [r1]               \n" /* bias */                                                  \
    "ldr    r10, [r1, #8]          \n"                                                             \
    "ldr    r11, [r1, #12]         \n"                                                             \
    "add    r3, r3, r4             \n"                                                             \
    "add    r6, r6, r4             \n"                                                             \
    "add    r9, r9, r4             \n"                                                             \
    "add    r5, r5, r4             \n"                                                             \
    scale                                                                                          \
    "ldr    r4, [r2]               \n" /* output */                                                \
    "ldr    r7, [r2, #4]           \n" /* to the right */                                          \
    "ldr    r8, [r2, #8]           \n" /* below */                                                 \
    "add    r8, r8, r4             \n"                                                             \
    "strb   r6, [r4, r7]           \n"                                                             \
    "strb   r9, [r8]               \n"                                                             \
    "strb   r5, [r8, r7]           \n"                                                             \
    "strb   r3, [r4], #1           \n"                                                             \
    "str    r4, [r2]               \n"                                                             \
    BACK_END("16")

ROUTINE(winograd_3x3_back_relu, SCALE_RELU SHIFT_AND_SATURATE)
ROUTINE(winograd_3x3_back_full, SCALE_ANY("1") SHIFT_AND_SATURATE)
ROUTINE(winograd_3x3_back_any, SCALE_ANY("1") SHIFT_AND_SATURATE CLAMP)

#else

/* Two channels (0 and 2 of four, or 1 and 3) of a row of a tile, transformed along the row. */
static struct row transform_row(const int8_t *x, int32_t channels, int odd)
{
    uint32_t d[INPUT_COLUMNS];
    for (int i = 0; i < INPUT_COLUMNS; ++i) {
        const uint32_t word = load_word(x + i * channels);
        d[i] = odd ? sxtb16_ror8(word) : sxtb16(word);
    }
    const struct row row = {
        {ssub16(d[0], d[2]), sadd16(d[1], d[2]), ssub16(d[2], d[1]), ssub16(d[1], d[3])}};
    return row;
}

static void transform_tile(const int8_t *x, int32_t channels, int32_t line, uint32_t *to)
{
    for (int32_t c = 0; c < channels; c += 2) {
        struct row rows[WINOGRAD_INPUT_ROWS];
        for (int i = 0; i < WINOGRAD_INPUT_ROWS; ++i) {
            rows[i] = transform_row(x + c / 4 * 4 + i * line, channels, c % 4 / 2);
        }
        transform_columns(rows, INPUT_COLUMNS, c, to);
    }
}

static void back_one(const int32_t *sums, const int32_t *scale, struct winograd_tile *tile,
                     const struct winograd_block *block, enum rounding rounding)
{
    struct row rows[WINOGRAD_ROWS];
    sum_columns(sums, INPUT_COLUMNS, rows);
    for (int i = 0; i < WINOGRAD_ROWS; ++i) {
        const uint32_t *v = rows[i].v;
        const uint32_t y[COLUMNS] = {v[0] + v[1] + v[2], v[1] - v[2] - v[3]};
        for (int j = 0; j < COLUMNS; ++j) {
            tile->output[i * tile->line + j * tile->step] =
                scaled(y[j] + (uint32_t)scale[0], scale + 1, 2, rounding, block);
        }
    }
    ++tile->output;
}

static void back(const int32_t *sums, const int32_t *scale, struct winograd_block *block,
                 enum rounding rounding)
{
    for (int s = 0; s < WINOGRAD_SUMS; ++s) {
        back_one(sums + s, scale + s / WINOGRAD_TILES * SCALE_WORDS,
                 &block->tiles[s % WINOGRAD_TILES], block, rounding);
    }
}

void winograd_3x3_back_relu(const int32_t *sums, const int32_t *scale, struct winograd_block *block)
{
    back(sums, scale, block, RELU);
}

void winograd_3x3_back_full(const int32_t *sums, const int32_t *scale, struct winograd_block *block)
{
    back(sums, scale, block, FULL);
}

void winograd_3x3_back_any(const int32_t *sums, const int32_t *scale, struct winograd_block *block)
{
    back(sums, scale, block, ANY);
}

#endif

void winograd_3x3_dsp_int8(const struct winograd_params *p, const int8_t *input, int8_t *output,
                           int8_t *scratch)
{
    static const struct winograd_shape shape = {
        .columns = COLUMNS, .scale_words = SCALE_WORDS, .transform = transform_tile};
    winograd(p, &shape, input, output, scratch);
}
