/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_3x3.h"

#include "dsp.h"

/* At a time. */
enum { OUTPUTS = 4 };

/* A row of outputs of some channels; the assembly knows these offsets. Pointers are those of the
 * first channel, and move on with the channels. */
struct depthwise_3x3_run {
    const int8_t *rows[3];  /* 0, 4, 8: planes of int16 */
    const int32_t *stream;  /* 12 */
    int8_t *output;         /* 16 */
    int32_t channels;       /* 20: to be computed */
    int32_t pitch;          /* 24: bytes from an output to its right neighbour */
    int32_t pitch_3;        /* 28: three times that */
    int32_t block_bytes;    /* 32: of a row's input that whole blocks of four outputs consume */
    int32_t back;           /* 36: bytes of input to go back before a last block, 0 without */
    int32_t output_back;    /* 40: bytes of output to go back likewise */
    int32_t next_plane;     /* 44: from the end of a row's input to the next channel's */
    int32_t next_channel;   /* 48: from the end of a row's outputs back to the next channel's */
    uint32_t min;           /* 52: four times the same byte */
    uint32_t max;           /* 56 */
    int32_t last_output;    /* 60: bytes from a row's first output to its last */
};

#if EDGEMCU_DSP

/* Registers: r0 .. r2 rows, r3 stream, r4 output, r5 .. r8 sums of four outputs, r9 and r10 a row's
 * weights, the others its inputs.
 * Frame: 0 end of the blocks' input, 4 bytes to go back then, 8 the run, 12 pitch, 16 pitch_3. */
#define LOAD_ROW(row, left, right)                                                                 \
    "ldr    r9, [r3, #" left "]    \n"                                                             \
    "ldr    r10, [r3, #" right "]  \n"                                                             \
    "ldr    r11, [" row "], #4     \n"                                                             \
    "ldr    r12, [" row "], #4     \n"

/* x0 .. x5 in three words, and the weights w0 w1, w1 w2. */
#define ROW_1(row, left, right)                                                                    \
    LOAD_ROW(row, left, right)                                                                     \
    "ldr    lr, [" row "]          \n"                                                             \
    "smlatb r6, r11, r9, r6        \n" /* x1 w0 */                                                 \
    "smlad  r7, r12, r9, r7        \n" /* x2 w0 + x3 w1 */                                         \
    "smlatb r8, r12, r9, r8        \n" /* x3 w0 */                                                 \
    "smlad  r5, r11, r9, r5        \n" /* x0 w0 + x1 w1 */ ROW_1_RIGHT

#define ROW_1_RIGHT                                                                                \
    "smlabt r5, r12, r10, r5       \n" /* x2 w2 */                                                 \
    "smlad  r6, r12, r10, r6       \n" /* x2 w1 + x3 w2 */                                         \
    "smlabt r7, lr, r10, r7        \n" /* x4 w2 */                                                 \
    "smlad  r8, lr, r10, r8        \n" /* x4 w1 + x5 w2 */

/* The first row begins with the bias in r5. */
#define FIRST_ROW_1                                                                                \
    "ldr    r5, [r3]               \n" LOAD_ROW("r0", "4", "8")                                    \
    "ldr    lr, [r0]               \n"                                                             \
    "smlatb r6, r11, r9, r5        \n"                                                             \
    "smlad  r7, r12, r9, r5        \n"                                                             \
    "smlatb r8, r12, r9, r5        \n"                                                             \
    "smlad  r5, r11, r9, r5        \n" ROW_1_RIGHT

/* Stride 2: x0 .. x8 in five words. */
#define ROW_2(row, left, right)                                                                    \
    LOAD_ROW(row, left, right)                                                                     \
    "ldr    lr, [" row "], #4      \n"                                                             \
    "smlad  r6, r12, r9, r6        \n" /* x2 w0 + x3 w1 */                                         \
    "smlad  r7, lr, r9, r7         \n" /* x4 w0 + x5 w1 */                                         \
    "smlad  r5, r11, r9, r5        \n" /* x0 w0 + x1 w1 */ ROW_2_RIGHT(row)

#define ROW_2_RIGHT(row)                                                                           \
    "smlabt r5, r12, r10, r5       \n" /* x2 w2 */                                                 \
    "smlabt r6, lr, r10, r6        \n" /* x4 w2 */                                                 \
    "ldr    r11, [" row "], #4     \n"                                                             \
    "ldr    r12, [" row "]         \n"                                                             \
    "smlabt r7, r11, r10, r7       \n" /* x6 w2 */                                                 \
    "smlad  r8, r11, r9, r8        \n" /* x6 w0 + x7 w1 */                                         \
    "smlabt r8, r12, r10, r8       \n" /* x8 w2 */

#define FIRST_ROW_2                                                                                \
    "ldr    r5, [r3]               \n" LOAD_ROW("r0", "4", "8")                                    \
    "ldr    lr, [r0], #4           \n"                                                             \
    "mov    r8, r5                 \n"                                                             \
    "smlad  r6, r12, r9, r5        \n"                                                             \
    "smlad  r7, lr, r9, r5         \n"                                                             \
    "smlad  r5, r11, r9, r5        \n" ROW_2_RIGHT("r0")

#define BEGIN                                                                                      \
    "push   {r4-r11, lr}           \n"                                                             \
    "sub    sp, sp, #20            \n"                                                             \
    "mov    r12, r0                \n"                                                             \
    "str    r12, [sp, #8]          \n"                                                             \
    "ldr    r9, [r12, #24]         \n"                                                             \
    "ldr    r10, [r12, #28]        \n"                                                             \
    "str    r9, [sp, #12]          \n"                                                             \
    "str    r10, [sp, #16]         \n"                                                             \
    "ldm    r12, {r0, r1, r2, r3, r4} \n"                                                          \
    "1:                            \n" /* for each channel */                                      \
    "ldr    r9, [r12, #32]         \n"                                                             \
    "ldr    r10, [r12, #36]        \n"                                                             \
    "add    r9, r0, r9             \n"                                                             \
    "str    r9, [sp]               \n"                                                             \
    "str    r10, [sp, #4]          \n"                                                             \
    "2:                            \n" /* for each four outputs */

#define LOAD_PITCH                                                                                 \
    "ldr    r12, [sp, #12]         \n"                                                             \
    "ldr    lr, [sp, #16]          \n"

#define LOAD_SCALE                                                                                 \
    "ldr    r9, [r3, #28]          \n" /* multiplier */                                            \
    "ldr    r10, [r3, #32]         \n" /* offset */                                                \
    "ldr    r11, [r3, #36]         \n" /* shift */

/* One shift for all: SSAT does it. */
#define FINISH_RELU(shift)                                                                         \
    "ldr    r9, [r3, #28]          \n" /* multiplier */                                            \
    "ldr    r10, [r3, #32]         \n" /* offset */                                                \
    LOAD_PITCH                                                                                     \
    "smmla  r5, r5, r9, r10        \n"                                                             \
    "smmla  r6, r6, r9, r10        \n"                                                             \
    "smmla  r7, r7, r9, r10        \n"                                                             \
    "smmla  r8, r8, r9, r10        \n"                                                             \
    "ssat   r5, #8, r5, asr #" shift " \n"                                                         \
    "ssat   r6, #8, r6, asr #" shift " \n"                                                         \
    "ssat   r7, #8, r7, asr #" shift " \n"                                                         \
    "ssat   r8, #8, r8, asr #" shift " \n"

/* 2^7 less where the sum is negative. */
#define SCALE_ONE(sum)                                                                             \
    "asr    r12, " sum ", #31      \n"                                                             \
    "add    r12, r10, r12, lsl #7  \n"                                                             \
    "smmla  " sum ", " sum ", r9, r12 \n"

#define SHIFT_AND_SATURATE                                                                         \
    "asr    r5, r5, r11            \n"                                                             \
    "asr    r6, r6, r11            \n"                                                             \
    "asr    r7, r7, r11            \n"                                                             \
    "asr    r8, r8, r11            \n"                                                             \
    "ssat   r5, #8, r5             \n"                                                             \
    "ssat   r6, #8, r6             \n"                                                             \
    "ssat   r7, #8, r7             \n"                                                             \
    "ssat   r8, #8, r8             \n"

/* Compares all four bytes of a word, of which the lowest counts. */
#define CLAMP(value)                                                                               \
    "ssub8  r11, " value ", r9     \n"                                                             \
    "sel    " value ", " value ", r9 \n"                                                           \
    "ssub8  r11, r10, " value "    \n"                                                             \
    "sel    " value ", " value ", r10 \n"

/* `block` is the input that four outputs consume, `stream` what a channel does. */
#define STORE_AND_REPEAT(block, stream)                                                                    \
    "strb   r5, [r4]               \n"                                                             \
    "strb   r6, [r4, r12]          \n"                                                             \
    "strb   r7, [r4, r12, lsl #1]  \n"                                                             \
    "strb   r8, [r4, lr]           \n"                                                             \
    "ldr    r9, [sp]               \n"                                                             \
    "add    r4, r4, r12, lsl #2    \n"                                                             \
    "cmp    r0, r9                 \n"                                                             \
    "bne    2b                     \n"                                                             \
    "ldr    r9, [sp, #4]           \n"                                                             \
    "ldr    r12, [sp, #8]          \n"                                                             \
    "cmp    r9, #0                 \n"                                                             \
    "beq    3f                     \n"                                                             \
    "ldr    r10, [r12, #40]        \n" /* once more, the last four outputs */                      \
    "sub    r0, r0, r9             \n"                                                             \
    "sub    r1, r1, r9             \n"                                                             \
    "sub    r2, r2, r9             \n"                                                             \
    "sub    r4, r4, r10            \n"                                                             \
    "add    r9, r0, #" block "     \n"                                                             \
    "movs   r10, #0                \n"                                                             \
    "str    r9, [sp]               \n"                                                             \
    "str    r10, [sp, #4]          \n"                                                             \
    "b      2b                     \n"                                                             \
    "3:                            \n"                                                             \
    "ldr    r9, [r12, #44]         \n"                                                             \
    "ldr    r10, [r12, #48]        \n"                                                             \
    "ldr    r11, [r12, #20]        \n"                                                             \
    "add    r0, r0, r9             \n"                                                             \
    "add    r1, r1, r9             \n"                                                             \
    "add    r2, r2, r9             \n"                                                             \
    "add    r3, r3, #" stream "    \n"                                                             \
    "sub    r4, r4, r10            \n"                                                             \
    "subs   r11, r11, #1           \n"                                                             \
    "str    r11, [r12, #20]        \n"                                                             \
    "bne    1b                     \n"                                                             \
    "add    sp, sp, #20            \n"                                                             \
    "pop    {r4-r11, pc}           \n"

#define ROWS_1 BEGIN FIRST_ROW_1 ROW_1("r1", "12", "16") ROW_1("r2", "20", "24")
#define ROWS_2 BEGIN FIRST_ROW_2 ROW_2("r1", "12", "16") ROW_2("r2", "20", "24")

#define FINISH                                                                                     \
    LOAD_SCALE SCALE_ONE("r5") SCALE_ONE("r6") SCALE_ONE("r7") SCALE_ONE("r8") SHIFT_AND_SATURATE  \
    "ldr    r12, [sp, #8]          \n"                                                             \
    "ldr    r9, [r12, #52]         \n"                                                             \
    "ldr    r10, [r12, #56]        \n" CLAMP("r5") CLAMP("r6") CLAMP("r7") CLAMP("r8") LOAD_PITCH

#define ROUTINE(name, text)                                                                        \
    ASSEMBLY void name(struct depthwise_3x3_run *run IN_REGISTER)                                  \
    {                                                                                              \
        __asm volatile(text);                                                                      \
    }

ROUTINE(depthwise_3x3_1_relu_10, ROWS_1 FINISH_RELU("10") STORE_AND_REPEAT("8", "36"))
ROUTINE(depthwise_3x3_1_any, ROWS_1 FINISH STORE_AND_REPEAT("8", "40"))
ROUTINE(depthwise_3x3_2_relu_10, ROWS_2 FINISH_RELU("10") STORE_AND_REPEAT("16", "36"))
ROUTINE(depthwise_3x3_2_any, ROWS_2 FINISH STORE_AND_REPEAT("16", "40"))

/* Rows of five or six outputs, all at once: eight columns, which are a plane of exactly 16 bytes.
 * Registers: r0 row, r3 stream, r4 .. r9 sums, r10 and r11 a row's weights, r12, lr, r1, r2 inputs.
 * Frame: 0, 4, 8 rows, 12 output, 16 pitch, 20 pitch_3, 24 last_output, 28 channels, 32 the run. */
#define LOAD_ROW_OF_SIX(row)                                                                       \
    "ldr    r0, [sp, #" row "]     \n"                                                             \
    "ldr    r10, [r3], #4          \n"                                                             \
    "ldr    r11, [r3], #4          \n"                                                             \
    "ldr    r12, [r0], #4          \n"                                                             \
    "ldr    lr, [r0], #4           \n"                                                             \
    "ldr    r1, [r0], #4           \n"                                                             \
    "ldr    r2, [r0], #4           \n"                                                             \
    "str    r0, [sp, #" row "]     \n"

/* x0 w0 + x1 w1 and so on, onto six sums that may be one and the same: the first comes last. */
#define LEFT_OF_SIX(s0, s1, s2, s3, s4, s5)                                                        \
    "smlatb r5, r12, r10, " s1 "   \n"                                                             \
    "smlad  r6, lr, r10, " s2 "    \n"                                                             \
    "smlatb r7, lr, r10, " s3 "    \n"                                                             \
    "smlad  r8, r1, r10, " s4 "    \n"                                                             \
    "smlatb r9, r1, r10, " s5 "    \n"                                                             \
    "smlad  r4, r12, r10, " s0 "   \n"

#define RIGHT_OF_SIX                                                                               \
    "smlabt r4, lr, r11, r4        \n"                                                             \
    "smlad  r5, lr, r11, r5        \n"                                                             \
    "smlabt r6, r1, r11, r6        \n"                                                             \
    "smlad  r7, r1, r11, r7        \n"                                                             \
    "smlabt r8, r2, r11, r8        \n"                                                             \
    "smlad  r9, r2, r11, r9        \n"

#define ROWS_OF_SIX                                                                                \
    "push   {r4-r11, lr}           \n"                                                             \
    "sub    sp, sp, #36            \n"                                                             \
    "ldm    r0, {r1, r2, r3, r4, r5, r6, r7, r8} \n"                                               \
    "ldr    r9, [r0, #60]          \n"                                                             \
    "str    r1, [sp]               \n"                                                             \
    "str    r2, [sp, #4]           \n"                                                             \
    "str    r3, [sp, #8]           \n"                                                             \
    "str    r5, [sp, #12]          \n"                                                             \
    "str    r7, [sp, #16]          \n"                                                             \
    "str    r8, [sp, #20]          \n"                                                             \
    "str    r9, [sp, #24]          \n"                                                             \
    "str    r6, [sp, #28]          \n"                                                             \
    "str    r0, [sp, #32]          \n"                                                             \
    "mov    r3, r4                 \n"                                                             \
    "1:                            \n"                                                             \
    "ldr    r4, [r3], #4           \n" /* bias */ LOAD_ROW_OF_SIX("0")                             \
        LEFT_OF_SIX("r4", "r4", "r4", "r4", "r4", "r4") RIGHT_OF_SIX LOAD_ROW_OF_SIX("4")          \
            LEFT_OF_SIX("r4", "r5", "r6", "r7", "r8", "r9") RIGHT_OF_SIX LOAD_ROW_OF_SIX("8")      \
                LEFT_OF_SIX("r4", "r5", "r6", "r7", "r8", "r9") RIGHT_OF_SIX                       \
    "ldr    r10, [r3], #4          \n" /* multiplier */                                            \
    "ldr    r11, [r3], #4          \n" /* offset */

#define SCALE_SIX_RELU(shift)                                                                      \
    "smmla  r4, r4, r10, r11       \n"                                                             \
    "smmla  r5, r5, r10, r11       \n"                                                             \
    "smmla  r6, r6, r10, r11       \n"                                                             \
    "smmla  r7, r7, r10, r11       \n"                                                             \
    "smmla  r8, r8, r10, r11       \n"                                                             \
    "smmla  r9, r9, r10, r11       \n"                                                             \
    "ssat   r4, #8, r4, asr #" shift " \n"                                                         \
    "ssat   r5, #8, r5, asr #" shift " \n"                                                         \
    "ssat   r6, #8, r6, asr #" shift " \n"                                                         \
    "ssat   r7, #8, r7, asr #" shift " \n"                                                         \
    "ssat   r8, #8, r8, asr #" shift " \n"                                                         \
    "ssat   r9, #8, r9, asr #" shift " \n"

#define SCALE_ONE_OF_SIX(sum)                                                                      \
    "asr    lr, " sum ", #31       \n"                                                             \
    "add    lr, r11, lr, lsl #7    \n"                                                             \
    "smmla  " sum ", " sum ", r10, lr \n"

#define SHIFT_AND_SATURATE_ONE_OF_SIX(value)                                                       \
    "asr    " value ", " value ", r12 \n"                                                          \
    "ssat   " value ", #8, " value " \n"

#define SHIFT_AND_SATURATE_SIX                                                                     \
    SHIFT_AND_SATURATE_ONE_OF_SIX("r4") SHIFT_AND_SATURATE_ONE_OF_SIX("r5")                        \
    SHIFT_AND_SATURATE_ONE_OF_SIX("r6") SHIFT_AND_SATURATE_ONE_OF_SIX("r7")                        \
    SHIFT_AND_SATURATE_ONE_OF_SIX("r8") SHIFT_AND_SATURATE_ONE_OF_SIX("r9")

#define CLAMP_ONE_OF_SIX(value)                                                                    \
    "ssub8  lr, " value ", r10     \n"                                                             \
    "sel    " value ", " value ", r10 \n"                                                          \
    "ssub8  lr, r11, " value "     \n"                                                             \
    "sel    " value ", " value ", r11 \n"

/* Of five outputs, the sixth is written where the fifth belongs, and before it. */
#define STORE_SIX_AND_REPEAT                                                                       \
    "ldr    r0, [sp, #12]          \n"                                                             \
    "ldr    r1, [sp, #16]          \n"                                                             \
    "ldr    r2, [sp, #20]          \n"                                                             \
    "ldr    r10, [sp, #24]         \n"                                                             \
    "ldr    r11, [sp, #28]         \n"                                                             \
    "add    r2, r0, r2             \n"                                                             \
    "strb   r9, [r0, r10]          \n"                                                             \
    "strb   r8, [r2, r1]           \n"                                                             \
    "strb   r7, [r2]               \n"                                                             \
    "strb   r6, [r0, r1, lsl #1]   \n"                                                             \
    "strb   r5, [r0, r1]           \n"                                                             \
    "strb   r4, [r0], #1           \n"                                                             \
    "str    r0, [sp, #12]          \n"                                                             \
    "subs   r11, r11, #1           \n"                                                             \
    "str    r11, [sp, #28]         \n"                                                             \
    "bne    1b                     \n"                                                             \
    "add    sp, sp, #36            \n"                                                             \
    "pop    {r4-r11, pc}           \n"

ROUTINE(depthwise_3x3_six_relu_10, ROWS_OF_SIX SCALE_SIX_RELU("10") STORE_SIX_AND_REPEAT)
ROUTINE(depthwise_3x3_six_any, ROWS_OF_SIX
        "ldr    r12, [r3], #4          \n" /* shift */
        SCALE_ONE_OF_SIX("r4") SCALE_ONE_OF_SIX("r5") SCALE_ONE_OF_SIX("r6") SCALE_ONE_OF_SIX("r7")
            SCALE_ONE_OF_SIX("r8") SCALE_ONE_OF_SIX("r9") SHIFT_AND_SATURATE_SIX
        "ldr    r0, [sp, #32]          \n"
        "ldr    r10, [r0, #52]         \n"
        "ldr    r11, [r0, #56]         \n" CLAMP_ONE_OF_SIX("r4") CLAMP_ONE_OF_SIX("r5")
            CLAMP_ONE_OF_SIX("r6") CLAMP_ONE_OF_SIX("r7") CLAMP_ONE_OF_SIX("r8")
                CLAMP_ONE_OF_SIX("r9") STORE_SIX_AND_REPEAT)

#else

enum { OWN_SHIFT = 0 };

/* Words of `stream` for each channel. */
static int32_t words(int shift)
{
    return shift == OWN_SHIFT ? 10 : 9;
}

static int8_t one_output(const struct depthwise_3x3_run *run, const int8_t *const *rows, int32_t x,
                         int shift)
{
    const int32_t *w = run->stream;
    uint32_t sum = (uint32_t)w[0];
    for (int row = 0; row < 3; ++row) {
        const int8_t *p = rows[row] + 2 * x;
        sum = smlad(load_word(p), (uint32_t)w[1 + 2 * row], sum);
        int16_t right;
        memcpy(&right, p + 4, sizeof right);
        sum += (uint32_t)(right * half((uint32_t)w[2 + 2 * row], 1));
    }
    const int32_t total = (int32_t)sum;
    if (shift != OWN_SHIFT) {
        return (int8_t)saturate_int8(smmla(total, w[7], w[8]) >> shift);
    }
    const int32_t offset = w[8] - (total < 0 ? 128 : 0);
    const int32_t value = saturate_int8(smmla(total, w[7], offset) >> w[9]);
    const int32_t min = (int8_t)(run->min & 0xff);
    const int32_t max = (int8_t)(run->max & 0xff);
    return (int8_t)(value < min ? min : value > max ? max : value);
}

static void run_fours(struct depthwise_3x3_run *run, int32_t stride, int shift)
{
    for (; run->channels > 0; --run->channels) {
        const int8_t *rows[3] = {run->rows[0], run->rows[1], run->rows[2]};
        const int8_t *end = rows[0] + run->block_bytes;
        int8_t *out = run->output;
        int32_t back = run->back;
        for (;;) {
            for (int32_t i = 0; i < OUTPUTS; ++i) {
                out[i * run->pitch] = one_output(run, rows, i * stride, shift);
            }
            out += OUTPUTS * run->pitch;
            for (int row = 0; row < 3; ++row) {
                rows[row] += 2 * OUTPUTS * stride;
            }
            if (rows[0] == end) {
                if (back == 0) {
                    break;
                }
                for (int row = 0; row < 3; ++row) {
                    rows[row] -= back;
                }
                out -= run->output_back;
                end = rows[0] + 2 * OUTPUTS * stride;
                back = 0;
            }
        }
        for (int row = 0; row < 3; ++row) {
            run->rows[row] = rows[row] + run->next_plane;
        }
        run->stream += words(shift);
        run->output = out - run->next_channel;
    }
}

static void run_six(struct depthwise_3x3_run *run, int shift)
{
    for (; run->channels > 0; --run->channels) {
        for (int32_t i = 5; i >= 0; --i) {
            const int32_t place = i * run->pitch;
            const int32_t last = run->last_output;
            run->output[place < last ? place : last] = one_output(run, run->rows, i, shift);
        }
        for (int row = 0; row < 3; ++row) {
            run->rows[row] += 16;
        }
        run->stream += words(shift);
        ++run->output;
    }
}

void depthwise_3x3_six_relu_10(struct depthwise_3x3_run *run)
{
    run_six(run, 10);
}

void depthwise_3x3_six_any(struct depthwise_3x3_run *run)
{
    run_six(run, OWN_SHIFT);
}

void depthwise_3x3_1_relu_10(struct depthwise_3x3_run *run)
{
    run_fours(run, 1, 10);
}

void depthwise_3x3_1_any(struct depthwise_3x3_run *run)
{
    run_fours(run, 1, OWN_SHIFT);
}

void depthwise_3x3_2_relu_10(struct depthwise_3x3_run *run)
{
    run_fours(run, 2, 10);
}

void depthwise_3x3_2_any(struct depthwise_3x3_run *run)
{
    run_fours(run, 2, OWN_SHIFT);
}

#endif

void depthwise_3x3_row(const struct depthwise_3x3 *p, const int8_t *const rows[3], int32_t first,
                       int32_t count, int8_t *output, int8_t *few)
{
    const int32_t width = p->output_width;
    const int32_t bytes_per_output = 2 * p->stride_x;
    /* Less than four outputs are four in a place of their own. */
    const int32_t outputs = width < OUTPUTS ? OUTPUTS : width;
    const int32_t pitch = width < OUTPUTS ? count : p->channels;
    struct depthwise_3x3_run run = {
        .rows = {rows[0], rows[1], rows[2]},
        .stream = p->stream + first * p->channel_words,
        .output = width < OUTPUTS ? few : output + first,
        .channels = count,
        .pitch = pitch,
        .pitch_3 = 3 * pitch,
        .block_bytes = outputs / OUTPUTS * OUTPUTS * bytes_per_output,
        .next_plane = p->plane_bytes - outputs * bytes_per_output,
        .next_channel = outputs * pitch - 1,
        .min = (uint8_t)p->min * 0x01010101u,
        .max = (uint8_t)p->max * 0x01010101u,
        .last_output = (outputs - 1) * pitch,
    };
    if (outputs % OUTPUTS != 0) {
        run.back = (OUTPUTS - outputs % OUTPUTS) * bytes_per_output;
        run.output_back = (OUTPUTS - outputs % OUTPUTS) * pitch;
    }
    p->routine(&run);
    if (width < OUTPUTS) {
        for (int32_t x = 0; x < width; ++x) {
            memcpy(output + x * p->channels + first, few + x * count, (size_t)count);
        }
    }
}
