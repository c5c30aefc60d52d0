/* SPDX-License-Identifier: Apache-2.0 */
#include "winograd_2x4_dsp_int8.h"

#include "winograd_back.h"

enum {
    COLUMNS = 4, /* of a tile */
    INPUT_COLUMNS = 6,
    SCALE_WORDS = 6,
    LIFT = 2040, /* of the lower half of columns 4 and 5 */
};

#if EDGEMCU_DSP

/* A row of a tile, two channels of it ("" for 0 and 2 of four, ", ror #8" for 1 and 3), transformed
 * along the row: to r4, r5, r6, r10, r8, r9. r0: its first pixel, r11: the second, r1: bytes of a
 * pixel, r12 and lr: what is added to columns 0 .. 3 and to 4 and 5. */
#define ROW(odd)                                                                                   \
    "ldr    r4, [r0]               \n"                                                             \
    "ldr    r5, [r0, r1]           \n"                                                             \
    "ldr    r6, [r0, r1, lsl #1]   \n"                                                             \
    "ldr    r8, [r0, r1, lsl #2]   \n"                                                             \
    "ldr    r7, [r11, r1, lsl #1]  \n"                                                             \
    "ldr    r9, [r11, r1, lsl #2]  \n"                                                             \
    "sxtab16 r4, r12, r4" odd "    \n"                                                             \
    "sxtab16 r5, r12, r5" odd "    \n"                                                             \
    "sxtab16 r6, r12, r6" odd "    \n"                                                             \
    "sxtab16 r7, r12, r7" odd "    \n"                                                             \
    "sxtab16 r8, lr, r8" odd "     \n"                                                             \
    "sxtab16 r9, lr, r9" odd "     \n"                                                             \
    "sub    r10, r8, r6, lsl #2    \n" /* d4 - 4 d2 */                                             \
    "sub    r11, r7, r5, lsl #2    \n" /* d3 - 4 d1 */                                             \
    "sub    r4, r4, r6             \n" /* d0 - d2 */                                               \
    "sub    r9, r9, r7             \n" /* d5 - d3 */                                               \
    "sub    r8, r8, r6             \n" /* d4 - d2 */                                               \
    "sub    r7, r7, r5             \n" /* d3 - d1 */                                               \
    "add    r5, r10, r11           \n"                                                             \
    "sub    r6, r10, r11           \n"                                                             \
    "add    r10, r8, r7, lsl #1    \n"                                                             \
    "add    r4, r8, r4, lsl #2     \n"                                                             \
    "sub    r9, r9, r7, lsl #2     \n"                                                             \
    "sub    r8, r8, r7, lsl #1     \n"

/* On to the next row. */
#define KEEP_ROW(at0, at1, at2, at3, at4, at5)                                                     \
    "add    r0, r0, r2             \n"                                                             \
    "add    r11, r0, r1            \n"                                                             \
    "str    r4, [sp, #" at0 "]     \n"                                                             \
    "str    r5, [sp, #" at1 "]     \n"                                                             \
    "str    r6, [sp, #" at2 "]     \n"                                                             \
    "str    r10, [sp, #" at3 "]    \n"                                                             \
    "str    r8, [sp, #" at4 "]     \n"                                                             \
    "str    r9, [sp, #" at5 "]     \n"

/* A column of three kept rows and `row3`, transformed to four places. */
#define COLUMN(row3, from0, from1, from2, to0, to1, to2, to3)                                      \
    "ldr    r7, [sp, #" from0 "]   \n"                                                             \
    "ldr    r11, [sp, #" from1 "]  \n"                                                             \
    "ldr    r12, [sp, #" from2 "]  \n"                                                             \
    "ssub16 r7, r7, r12            \n"                                                             \
    "ssub16 " row3 ", r11, " row3 "\n"                                                             \
    "sadd16 lr, r11, r12           \n"                                                             \
    "ssub16 r12, r12, r11          \n"                                                             \
    "str    r7, [r3, #" to0 "]     \n"                                                             \
    "str    lr, [r3, #" to1 "]     \n"                                                             \
    "str    r12, [r3, #" to2 "]    \n"                                                             \
    "str    " row3 ", [r3, #" to3 "]\n"

/* r0 x, r1 bytes of a pixel, r2 bytes of a line, r3 to. */
#define PAIR(odd)                                                                                  \
    "mov    r12, #0x800080         \n"                                                             \
    "add    lr, r12, #2040         \n" /* LIFT */                                                  \
    "add    r11, r0, r1            \n"                                                             \
    ROW(odd) KEEP_ROW("0", "4", "8", "12", "16", "20")                                             \
    ROW(odd) KEEP_ROW("24", "28", "32", "36", "40", "44")                                          \
    ROW(odd) KEEP_ROW("48", "52", "56", "60", "64", "68")                                          \
    ROW(odd)                                                                                       \
    COLUMN("r4", "0", "24", "48", "0", "384", "768", "1152")                                       \
    COLUMN("r5", "4", "28", "52", "64", "448", "832", "1216")                                      \
    COLUMN("r6", "8", "32", "56", "128", "512", "896", "1280")                                     \
    COLUMN("r10", "12", "36", "60", "192", "576", "960", "1344")                                   \
    COLUMN("r8", "16", "40", "64", "256", "640", "1024", "1408")                                   \
    COLUMN("r9", "20", "44", "68", "320", "704", "1088", "1472")                                   \
    "sub    r0, r0, r2, lsl #1     \n"                                                             \
    "sub    r0, r0, r2             \n"                                                             \
    "add    r3, r3, #8             \n"

/* Frame: 0 three rows, 72 channels that are left, as if they were a multiple of 16, 76 how many of
 * these are none. */
ASSEMBLY static void transform_tile(const int8_t *x IN_REGISTER, int32_t channels IN_REGISTER,
                                    int32_t line IN_REGISTER, uint32_t *to IN_REGISTER)
{
    __asm volatile("push   {r4-r11, lr}           \n"
                   "sub    sp, sp, #80            \n"
                   "add    r4, r1, #15            \n"
                   "bic    r4, r4, #15            \n"
                   "sub    r5, r4, r1             \n"
                   "str    r4, [sp, #72]           \n"
                   "str    r5, [sp, #76]           \n"
                   "1:                            \n" PAIR("") PAIR(", ror #8")
                   "ldr    r4, [sp, #72]           \n"
                   "ldr    r5, [sp, #76]           \n"
                   "add    r0, r0, #4             \n"
                   "sub    r4, r4, #4             \n"
                   "str    r4, [sp, #72]           \n"
                   "cmp    r4, r5                 \n"
                   "beq    2f                     \n"
                   "tst    r4, #15                \n"
                   "bne    1b                     \n"
                   "add    r3, r3, #1472         \n" /* 23 places */
                   "b      1b                     \n"
                   "2:                            \n"
                   "add    sp, sp, #80            \n"
                   "pop    {r4-r11, pc}           \n");
}

/* Three columns of sums to one row: a = a0 + a1 or a0 - a1. */
#define SUM_COLUMNS(op, a, a0, a1, b, b0, b1, c, c0, c1)                                           \
    "ldr    " a ", [r0, #" a0 "]   \n"                                                             \
    "ldr    r9, [r0, #" a1 "]      \n"                                                             \
    "ldr    " b ", [r0, #" b0 "]   \n"                                                             \
    "ldr    r10, [r0, #" b1 "]     \n"                                                             \
    "ldr    " c ", [r0, #" c0 "]   \n"                                                             \
    "ldr    r11, [r0, #" c1 "]     \n"                                                             \
    op "    " a ", " a ", r9       \n"                                                             \
    op "    " b ", " b ", r10      \n"                                                             \
    op "    " c ", " c ", r11      \n"

/* A row's sums in r3 .. r8 to 16 times its four outputs, in the registers of winograd_back.h.
 * r12: 1/3. */
#define SUM_ROW                                                                                    \
    "add    r9, r4, r5             \n" /* m1 + m2 */                                               \
    "sub    r5, r4, r5             \n" /* m1 - m2 */                                               \
    "add    r4, r6, r7             \n" /* m3 + m4 */                                               \
    "sub    r7, r6, r7             \n" /* m3 - m4 */                                               \
    "add    r3, r9, r3, lsl #1     \n"                                                             \
    "add    r3, r3, r4             \n"                                                             \
    "add    r6, r5, r7, lsl #1     \n"                                                             \
    "add    r9, r9, r4, lsl #2     \n"                                                             \
    "add    r5, r5, r7, lsl #3     \n"                                                             \
    "add    r5, r5, r8, lsl #3     \n"                                                             \
    "ldr    r4, [r1]               \n"                                                             \
    "ldr    r7, [r1, #4]           \n"                                                             \
    "ldr    r8, [r1, #8]           \n"                                                             \
    "ldr    r10, [r1, #16]         \n"                                                             \
    "ldr    r11, [r1, #20]         \n"                                                             \
    "mla    r3, r3, r12, r4        \n"                                                             \
    "mla    r6, r6, r12, r4        \n"                                                             \
    "mla    r9, r9, r12, r7        \n"                                                             \
    "mla    r5, r5, r12, r8        \n"

/* A row's outputs, where r8 points. r4: free; r7: bytes to the next pixel. */
#define STORE_ROW                                                                                  \
    "add    r4, r8, r7             \n"                                                             \
    "strb   r3, [r8]               \n"                                                             \
    "strb   r6, [r8, r7]           \n"                                                             \
    "strb   r9, [r8, r7, lsl #1]   \n"                                                             \
    "strb   r5, [r4, r7, lsl #1]   \n"

#define BACK(scale)                                                                                \
    BACK_BEGIN                                                                                     \
    "mov    r12, #0xaaaaaaaa       \n"                                                             \
    "add    r12, r12, #1           \n" /* 1/3 modulo 2^32 */                                       \
    "1:                            \n" /* for each channel */                                      \
    "ldr    lr, [r1, #12]          \n" /* multiplier */                                            \
    "2:                            \n" /* for each tile */                                         \
    SUM_COLUMNS("add", "r3", "32", "64", "r4", "160", "192", "r5", "288", "320")                   \
    SUM_COLUMNS("add", "r6", "416", "448", "r7", "544", "576", "r8", "672", "704")                 \
    SUM_ROW scale                                                                                  \
    "ldr    r8, [r2]               \n" /* output */                                                \
    "ldr    r7, [r2, #4]           \n" /* to the right */                                          \
    STORE_ROW                                                                                      \
    SUM_COLUMNS("sub", "r3", "0", "96", "r4", "128", "224", "r5", "256", "352")                    \
    SUM_COLUMNS("sub", "r6", "384", "480", "r7", "512", "608", "r8", "640", "736")                 \
    SUM_ROW scale                                                                                  \
    "ldr    r4, [r2]               \n"                                                             \
    "ldr    r7, [r2, #4]           \n"                                                             \
    "ldr    r8, [r2, #8]           \n" /* below */                                                 \
    "add    r8, r8, r4             \n"                                                             \
    "add    r4, r4, #1             \n"                                                             \
    "str    r4, [r2]               \n"                                                             \
    STORE_ROW                                                                                      \
    BACK_END("24")

ROUTINE(winograd_2x4_back_relu, SCALE_RELU SHIFT_AND_SATURATE)
ROUTINE(winograd_2x4_back_full, SCALE_ANY("3") SHIFT_AND_SATURATE)
ROUTINE(winograd_2x4_back_any, SCALE_ANY("3") SHIFT_AND_SATURATE CLAMP)

#else

/* Two channels (0 and 2 of four, or 1 and 3) of a row of a tile, transformed along the row. */
static struct row transform_row(const int8_t *x, int32_t channels, int odd)
{
    uint32_t d[INPUT_COLUMNS];
    for (int i = 0; i < INPUT_COLUMNS; ++i) {
        const uint32_t word = load_word(x + i * channels);
        d[i] = sadd16(odd ? sxtb16_ror8(word) : sxtb16(word), 0x800080);
        d[i] += i >= COLUMNS ? LIFT : 0;
    }
    const uint32_t a = d[4] - 4 * d[2];
    const uint32_t b = d[3] - 4 * d[1];
    const uint32_t c = d[4] - d[2];
    const uint32_t e = d[3] - d[1];
    const struct row row = {
        {c + 4 * (d[0] - d[2]), a + b, a - b, c + 2 * e, c - 2 * e, d[5] - d[3] - 4 * e}};
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
        const uint32_t y[COLUMNS] = {
            2 * v[0] + v[1] + v[2] + v[3] + v[4],
            v[1] - v[2] + 2 * (v[3] - v[4]),
            v[1] + v[2] + 4 * (v[3] + v[4]),
            v[1] - v[2] + 8 * (v[3] - v[4]) + 8 * v[5],
        };
        for (int j = 0; j < COLUMNS; ++j) {
            const uint32_t bias = (uint32_t)scale[j < 2 ? 0 : j - 1];
            tile->output[i * tile->line + j * tile->step] =
                scaled(y[j] * 0xaaaaaaabu + bias, scale + 3, 8, rounding, block);
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

void winograd_2x4_back_relu(const int32_t *sums, const int32_t *scale, struct winograd_block *block)
{
    back(sums, scale, block, RELU);
}

void winograd_2x4_back_full(const int32_t *sums, const int32_t *scale, struct winograd_block *block)
{
    back(sums, scale, block, FULL);
}

void winograd_2x4_back_any(const int32_t *sums, const int32_t *scale, struct winograd_block *block)
{
    back(sums, scale, block, ANY);
}

#endif

void winograd_2x4_dsp_int8(const struct winograd_params *p, const int8_t *input, int8_t *output,
                           int8_t *scratch)
{
    static const struct winograd_shape shape = {
        .columns = COLUMNS, .scale_words = SCALE_WORDS, .transform = transform_tile};
    winograd(p, &shape, input, output, scratch);
}
