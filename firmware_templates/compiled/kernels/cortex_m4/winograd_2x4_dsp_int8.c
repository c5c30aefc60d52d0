/* SPDX-License-Identifier: Apache-2.0 */
#include "winograd_2x4_dsp_int8.h"

#include "dsp.h"

enum {
    ROWS = 2, /* of a tile */
    COLUMNS = 4,
    INPUT_ROWS = 4,
    INPUT_COLUMNS = 6,
    PLACES = INPUT_ROWS * INPUT_COLUMNS,
    TILES = 2,    /* computed at a time */
    CHANNELS = 4, /* likewise */
    SUMS = TILES * CHANNELS,
    WORDS_BEHIND = CHANNELS * 6, /* of `stream`, behind the weights of four channels */
    CHUNK = 16,                  /* input channels whose transforms lie together: */
    CHUNK_WORDS = CHUNK / 2 * TILES,
};

/* A tile of the output; the next channel of its upper left pixel. */
struct tile {
    int8_t *output; /* 0 */
    int32_t step;   /* 4: bytes to the pixel on the right */
    int32_t line;   /* 8: bytes to the pixel below */
};

/* The tiles that are computed together; the assembly knows these offsets. */
struct winograd_2x4_block {
    struct tile tiles[TILES];
    uint32_t min; /* 24: four times the same byte */
    uint32_t max; /* 28 */
};

/* Sums over all input channels of transformed inputs times transformed weights.
 *
 * x: [chunks][24 places][8][2 tiles] words; w: see the header; sums: [24][4 channels][2 tiles]. */
#if EDGEMCU_DSP

/* Registers: r0 x, r1 w, r2 .. r9 the sums of a place, the others operands. A chain of loads costs
 * one cycle more than it has loads, by whichever instructions. */
#define LOAD(at0, at1)                                                                             \
    "ldr    r10, [r0, #" at0 "]    \n"                                                             \
    "ldr    r11, [r0, #" at1 "]    \n"                                                             \
    "ldr    r12, [r1], #4          \n"                                                             \
    "ldr    lr, [r1], #4           \n"

#define FIRST(at0, at1)                                                                            \
    LOAD(at0, at1)                                                                                 \
    "smuad  r2, r12, r10           \n"                                                             \
    "smuad  r3, r12, r11           \n"                                                             \
    "smuad  r4, lr, r10            \n"                                                             \
    "smuad  r5, lr, r11            \n"                                                             \
    "ldmia  r1!, {r12, lr}         \n"                                                             \
    "smuad  r6, r12, r10           \n"                                                             \
    "smuad  r7, r12, r11           \n"                                                             \
    "smuad  r8, lr, r10            \n"                                                             \
    "smuad  r9, lr, r11            \n"

#define NEXT(at0, at1)                                                                             \
    LOAD(at0, at1)                                                                                 \
    "smlad  r2, r12, r10, r2       \n"                                                             \
    "smlad  r3, r12, r11, r3       \n"                                                             \
    "smlad  r4, lr, r10, r4        \n"                                                             \
    "smlad  r5, lr, r11, r5        \n"                                                             \
    "ldmia  r1!, {r12, lr}         \n"                                                             \
    "smlad  r6, r12, r10, r6       \n"                                                             \
    "smlad  r7, r12, r11, r7       \n"                                                             \
    "smlad  r8, lr, r10, r8        \n"                                                             \
    "smlad  r9, lr, r11, r9        \n"

#define SEVEN_MORE                                                                                 \
    NEXT("8", "12") NEXT("16", "20") NEXT("24", "28") NEXT("32", "36") NEXT("40", "44")            \
    NEXT("48", "52") NEXT("56", "60")

ASSEMBLY static void multiply(const uint32_t *x IN_REGISTER, const int32_t *w IN_REGISTER,
                              int32_t *sums IN_REGISTER)
{
    __asm volatile("push   {r2, r4-r11, lr}       \n"
                   "1:                            \n" /* for each place */
                   FIRST("0", "4") SEVEN_MORE
                   "2:                            \n"
                   "ldr    r10, [r1], #4          \n" /* how to go on */
                   "ldr    r11, [sp]              \n"
                   "lsls   r12, r10, #31          \n" /* N: place complete, C: all complete */
                   "add    r0, r0, r10, asr #2    \n"
                   "bpl    3f                     \n"
                   "stmia  r11!, {r2-r9}          \n"
                   "str    r11, [sp]              \n"
                   "bcc    1b                     \n"
                   "pop    {r2, r4-r11, pc}       \n"
                   "3:                            \n" /* sixteen more channels */
                   NEXT("0", "4") SEVEN_MORE
                   "b      2b                     \n");
}

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
    "add    lr, r12, #2040         \n" /* WINOGRAD_2X4_LIFT */                                     \
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

/* One tile of all channels, whose pixels and lines are so many bytes apart.
 * Frame: 0 three rows, 72 channels that are left. */
ASSEMBLY static void transform_tile(const int8_t *x IN_REGISTER, int32_t channels IN_REGISTER,
                                    int32_t line IN_REGISTER, uint32_t *to IN_REGISTER)
{
    __asm volatile("push   {r1, r4-r11, lr}       \n"
                   "sub    sp, sp, #72            \n"
                   "1:                            \n" PAIR("") PAIR(", ror #8")
                   "ldr    r4, [sp, #72]          \n"
                   "add    r0, r0, #4             \n"
                   "subs   r4, r4, #4             \n"
                   "str    r4, [sp, #72]          \n"
                   "beq    2f                     \n"
                   "tst    r4, #15                \n"
                   "bne    1b                     \n"
                   "add    r3, r3, #1472          \n" /* 23 places */
                   "b      1b                     \n"
                   "2:                            \n"
                   "add    sp, sp, #76            \n"
                   "pop    {r4-r11, pc}           \n");
}

/* Column j of sums: u = m0 + m1 + m2, which stays, and m1 - m2 - m3. */
#define SUM_COLUMN(u, at0, at1, at2, at3, to)                                                      \
    "ldr    " u ", [r0, #" at0 "]  \n"                                                             \
    "ldr    r9, [r0, #" at1 "]     \n"                                                             \
    "ldr    r10, [r0, #" at2 "]    \n"                                                             \
    "ldr    r11, [r0, #" at3 "]    \n"                                                             \
    "add    " u ", " u ", r9       \n"                                                             \
    "add    " u ", " u ", r10      \n"                                                             \
    "sub    r9, r9, r10            \n"                                                             \
    "sub    r9, r9, r11            \n"                                                             \
    "str    r9, [sp, #" to "]      \n"

/* A row's sums in r3 .. r8 to 16 times its four outputs, in r3, r6, r9 and r5.
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

#define SCALE_RELU                                                                                 \
    "smmla  r3, r3, lr, r10        \n"                                                             \
    "smmla  r6, r6, lr, r10        \n"                                                             \
    "smmla  r9, r9, lr, r10        \n"                                                             \
    "smmla  r5, r5, lr, r10        \n"

/* 2^3 less where the sum is negative. */
#define SCALE_ONE(sum)                                                                             \
    "asr    r4, " sum ", #31       \n"                                                             \
    "add    r4, r10, r4, lsl #3    \n"                                                             \
    "smmla  " sum ", " sum ", lr, r4 \n"

#define SCALE_ANY SCALE_ONE("r3") SCALE_ONE("r6") SCALE_ONE("r9") SCALE_ONE("r5")

#define SHIFT_AND_SATURATE                                                                         \
    "asr    r3, r3, r11            \n"                                                             \
    "asr    r6, r6, r11            \n"                                                             \
    "asr    r9, r9, r11            \n"                                                             \
    "asr    r5, r5, r11            \n"                                                             \
    "ssat   r3, #8, r3             \n"                                                             \
    "ssat   r6, #8, r6             \n"                                                             \
    "ssat   r9, #8, r9             \n"                                                             \
    "ssat   r5, #8, r5             \n"

/* Compares all four bytes of a word, of which the lowest counts. */
#define CLAMP_ONE(value)                                                                           \
    "ssub8  r8, " value ", r4      \n"                                                             \
    "sel    " value ", " value ", r4 \n"                                                           \
    "ssub8  r8, r7, " value "      \n"                                                             \
    "sel    " value ", " value ", r7 \n"

#define CLAMP                                                                                      \
    "ldr    r8, [sp, #24]          \n"                                                             \
    "ldr    r4, [r8, #24]          \n"                                                             \
    "ldr    r7, [r8, #28]          \n"                                                             \
    CLAMP_ONE("r3") CLAMP_ONE("r6") CLAMP_ONE("r9") CLAMP_ONE("r5")

/* Frame: 0 a row of sums, 24 the first tile, 28 end of the first place's sums. */
#define BACK(scale)                                                                                \
    "push   {r4-r11, lr}           \n"                                                             \
    "sub    sp, sp, #32            \n"                                                             \
    "add    r3, r0, #32            \n"                                                             \
    "str    r2, [sp, #24]          \n"                                                             \
    "str    r3, [sp, #28]          \n"                                                             \
    "mov    r12, #0xaaaaaaaa       \n"                                                             \
    "add    r12, r12, #1           \n" /* 1/3 modulo 2^32 */                                       \
    "1:                            \n" /* for each channel */                                      \
    "ldr    lr, [r1, #12]          \n" /* multiplier */                                            \
    "2:                            \n" /* for each tile */                                         \
    SUM_COLUMN("r3", "0", "192", "384", "576", "0")                                                \
    SUM_COLUMN("r4", "32", "224", "416", "608", "4")                                               \
    SUM_COLUMN("r5", "64", "256", "448", "640", "8")                                               \
    SUM_COLUMN("r6", "96", "288", "480", "672", "12")                                              \
    SUM_COLUMN("r7", "128", "320", "512", "704", "16")                                             \
    SUM_COLUMN("r8", "160", "352", "544", "736", "20")                                             \
    SUM_ROW scale                                                                                  \
    "ldr    r4, [r2]               \n" /* output */                                                \
    "ldr    r7, [r2, #4]           \n" /* to the right */                                          \
    "add    r8, r4, r7             \n"                                                             \
    "strb   r3, [r4]               \n"                                                             \
    "strb   r6, [r4, r7]           \n"                                                             \
    "strb   r9, [r4, r7, lsl #1]   \n"                                                             \
    "strb   r5, [r8, r7, lsl #1]   \n"                                                             \
    "ldr    r3, [sp]               \n"                                                             \
    "ldr    r4, [sp, #4]           \n"                                                             \
    "ldr    r5, [sp, #8]           \n"                                                             \
    "ldr    r6, [sp, #12]          \n"                                                             \
    "ldr    r7, [sp, #16]          \n"                                                             \
    "ldr    r8, [sp, #20]          \n"                                                             \
    SUM_ROW scale                                                                                  \
    "ldr    r4, [r2]               \n"                                                             \
    "ldr    r7, [r2, #4]           \n"                                                             \
    "ldr    r8, [r2, #8]           \n" /* below */                                                 \
    "add    r8, r8, r4             \n"                                                             \
    "add    r4, r4, #1             \n"                                                             \
    "str    r4, [r2]               \n"                                                             \
    "add    r4, r8, r7             \n"                                                             \
    "strb   r3, [r8]               \n"                                                             \
    "strb   r6, [r8, r7]           \n"                                                             \
    "strb   r9, [r8, r7, lsl #1]   \n"                                                             \
    "strb   r5, [r4, r7, lsl #1]   \n"                                                             \
    "ldr    r3, [sp, #24]          \n"                                                             \
    "add    r0, r0, #4             \n"                                                             \
    "cmp    r2, r3                 \n"                                                             \
    "add    r2, r2, #12            \n"                                                             \
    "beq    2b                     \n"                                                             \
    "mov    r2, r3                 \n"                                                             \
    "ldr    r3, [sp, #28]          \n"                                                             \
    "add    r1, r1, #24            \n"                                                             \
    "cmp    r0, r3                 \n"                                                             \
    "bne    1b                     \n"                                                             \
    "add    sp, sp, #32            \n"                                                             \
    "pop    {r4-r11, pc}           \n"

#define ROUTINE(name, scale)                                                                       \
    ASSEMBLY void name(const int32_t *sums IN_REGISTER, const int32_t *scales IN_REGISTER,         \
                       struct winograd_2x4_block *block IN_REGISTER)                               \
    {                                                                                              \
        __asm volatile(BACK(scale));                                                               \
    }

ROUTINE(winograd_2x4_back_relu, SCALE_RELU SHIFT_AND_SATURATE)
ROUTINE(winograd_2x4_back_full, SCALE_ANY SHIFT_AND_SATURATE)
ROUTINE(winograd_2x4_back_any, SCALE_ANY SHIFT_AND_SATURATE CLAMP)

#else

static void multiply(const uint32_t *x, const int32_t *w, int32_t *sums)
{
    int32_t next = 0;
    while ((next & 2) == 0) {
        uint32_t sum[SUMS] = {0};
        do {
            for (int32_t i = 0; i < CHUNK / 2; ++i) {
                for (int32_t s = 0; s < SUMS; ++s) {
                    sum[s] = smlad((uint32_t)w[i * CHANNELS + s / TILES], x[i * TILES + s % TILES],
                                   sum[s]);
                }
            }
            w += CHUNK / 2 * CHANNELS;
            next = *w++;
            x += (next >> 2) / 4;
        } while ((next & 1) == 0);
        for (int32_t s = 0; s < SUMS; ++s) {
            *sums++ = (int32_t)sum[s];
        }
    }
}

struct row {
    uint32_t v[INPUT_COLUMNS];
};

/* Two channels (0 and 2 of four, or 1 and 3) of a row of a tile, transformed along the row. */
static struct row transform_row(const int8_t *x, int32_t channels, int odd)
{
    uint32_t d[INPUT_COLUMNS];
    for (int i = 0; i < INPUT_COLUMNS; ++i) {
        const uint32_t word = load_word(x + i * channels);
        d[i] = sadd16(odd ? sxtb16_ror8(word) : sxtb16(word), 0x800080);
        d[i] += i >= COLUMNS ? WINOGRAD_2X4_LIFT : 0;
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
        struct row rows[INPUT_ROWS];
        for (int i = 0; i < INPUT_ROWS; ++i) {
            rows[i] = transform_row(x + c / 4 * 4 + i * line, channels, c % 4 / 2);
        }
        uint32_t *place = to + c / CHUNK * CHUNK_WORDS * PLACES + c % CHUNK / 2 * TILES;
        for (int j = 0; j < INPUT_COLUMNS; ++j) {
            const int32_t line_words = INPUT_COLUMNS * CHUNK_WORDS;
            place[0] = ssub16(rows[0].v[j], rows[2].v[j]);
            place[line_words] = sadd16(rows[1].v[j], rows[2].v[j]);
            place[2 * line_words] = ssub16(rows[2].v[j], rows[1].v[j]);
            place[3 * line_words] = ssub16(rows[1].v[j], rows[3].v[j]);
            place += CHUNK_WORDS;
        }
    }
}

enum rounding { RELU, FULL, ANY };

static int8_t scaled(uint32_t sum, const int32_t *scale, enum rounding rounding)
{
    const int32_t a = (int32_t)sum;
    const int32_t offset = scale[4] - (a < 0 && rounding != RELU ? 8 : 0);
    return (int8_t)saturate_int8(smmla(a, scale[3], offset) >> scale[5]);
}

static void back_one(const int32_t *sums, const int32_t *scale, struct tile *tile,
                     const struct winograd_2x4_block *block, enum rounding rounding)
{
    uint32_t m[ROWS][INPUT_COLUMNS];
    for (int j = 0; j < INPUT_COLUMNS; ++j) {
        const uint32_t m1 = (uint32_t)sums[(INPUT_COLUMNS + j) * SUMS];
        const uint32_t m2 = (uint32_t)sums[(2 * INPUT_COLUMNS + j) * SUMS];
        m[0][j] = (uint32_t)sums[j * SUMS] + m1 + m2;
        m[1][j] = m1 - m2 - (uint32_t)sums[(3 * INPUT_COLUMNS + j) * SUMS];
    }
    for (int i = 0; i < ROWS; ++i) {
        const uint32_t *v = m[i];
        const uint32_t y[COLUMNS] = {
            2 * v[0] + v[1] + v[2] + v[3] + v[4],
            v[1] - v[2] + 2 * (v[3] - v[4]),
            v[1] + v[2] + 4 * (v[3] + v[4]),
            v[1] - v[2] + 8 * (v[3] - v[4]) + 8 * v[5],
        };
        for (int j = 0; j < COLUMNS; ++j) {
            const uint32_t bias = (uint32_t)scale[j < 2 ? 0 : j - 1];
            const int8_t value = scaled(y[j] * 0xaaaaaaabu + bias, scale, rounding);
            tile->output[i * tile->line + j * tile->step] =
                rounding == ANY ? clamp_byte((uint8_t)value, block->min, block->max) : value;
        }
    }
    ++tile->output;
}

static void back_portable(const int32_t *sums, const int32_t *scale,
                          struct winograd_2x4_block *block, enum rounding rounding)
{
    for (int s = 0; s < SUMS; ++s) {
        back_one(sums + s, scale + s / TILES * (WORDS_BEHIND / CHANNELS), &block->tiles[s % TILES],
                 block, rounding);
    }
}

void winograd_2x4_back_relu(const int32_t *sums, const int32_t *scale,
                            struct winograd_2x4_block *block)
{
    back_portable(sums, scale, block, RELU);
}

void winograd_2x4_back_full(const int32_t *sums, const int32_t *scale,
                            struct winograd_2x4_block *block)
{
    back_portable(sums, scale, block, FULL);
}

void winograd_2x4_back_any(const int32_t *sums, const int32_t *scale,
                           struct winograd_2x4_block *block)
{
    back_portable(sums, scale, block, ANY);
}

#endif

/* Of a tile in the output. */
struct position {
    int32_t y;
    int32_t x;
};

/* Copies the part of a tile that is in the image. */
static void copy_tile(const struct window *v, const struct position *at, int32_t channels,
                      const int8_t *tile, int8_t *output)
{
    const int32_t rows = v->output_height - at->y < ROWS ? v->output_height - at->y : ROWS;
    const int32_t columns = v->output_width - at->x < COLUMNS ? v->output_width - at->x : COLUMNS;
    for (int32_t i = 0; i < rows; ++i) {
        memcpy(output + ((at->y + i) * v->output_width + at->x) * channels,
               tile + i * COLUMNS * channels, (size_t)(columns * channels));
    }
}

void winograd_2x4_dsp_int8(const struct winograd_2x4_dsp_int8_params *p, const int8_t *input,
                           int8_t *output, int8_t *scratch)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;
    const int32_t outputs = p->output_channels;
    const int32_t line = v->input_width * channels;
    const int32_t out_line = v->output_width * outputs;
    const int32_t stream_words =
        PLACES * (channels / CHUNK) * (CHUNK / 2 * CHANNELS + 1) + WORDS_BEHIND;
    const int32_t patch_bytes = PLACES * channels;
    const int32_t sums_bytes = PLACES * SUMS * 4;
    uint32_t *transformed = (uint32_t *)(void *)scratch;
    /* The sums are written when all inputs are transformed. */
    int8_t *patch = scratch + PLACES * TILES * 2 * channels;
    int32_t *sums = (int32_t *)(void *)patch;
    int8_t *partial = patch + (patch_bytes > sums_bytes ? patch_bytes : sums_bytes);
    struct winograd_2x4_block block = {.min = (uint8_t)p->min * 0x01010101u,
                                       .max = (uint8_t)p->max * 0x01010101u};
    struct window area = *v; /* a tile's input */
    area.height = INPUT_ROWS;
    struct position next = {0, 0};

    while (next.y < v->output_height) {
        struct position at[TILES];
        int whole[TILES];
        for (int i = 0; i < TILES; ++i) {
            /* Without a tile that is left, the last one is computed twice. */
            at[i] = next.y < v->output_height ? next : at[0];
            const int32_t y = at[i].y - v->pad_top;
            const int32_t x = at[i].x - v->pad_left;
            if (y >= 0 && x >= 0 && y + INPUT_ROWS <= v->input_height &&
                x + INPUT_COLUMNS <= v->input_width) {
                transform_tile(input + y * line + x * channels, channels, line, transformed + i);
            } else {
                window_gather(&area, y, x, INPUT_COLUMNS, input, patch);
                transform_tile(patch, channels, INPUT_COLUMNS * channels, transformed + i);
            }
            whole[i] =
                at[i].y + ROWS <= v->output_height && at[i].x + COLUMNS <= v->output_width;
            block.tiles[i].output = whole[i] ? output + at[i].y * out_line + at[i].x * outputs
                                             : partial + i * ROWS * COLUMNS * outputs;
            block.tiles[i].step = outputs;
            block.tiles[i].line = whole[i] ? out_line : COLUMNS * outputs;
            next.x += COLUMNS;
            if (next.x >= v->output_width) {
                next.x = 0;
                next.y += ROWS;
            }
        }
        const int32_t *w = p->stream;
        for (int32_t c = 0; c < outputs; c += CHANNELS) {
            multiply(transformed, w, sums);
            w += stream_words;
            p->back(sums, w - WORDS_BEHIND, &block);
        }
        for (int i = 0; i < TILES; ++i) {
            if (!whole[i]) {
                copy_tile(v, &at[i], outputs, partial + i * ROWS * COLUMNS * outputs, output);
            }
        }
    }
}
