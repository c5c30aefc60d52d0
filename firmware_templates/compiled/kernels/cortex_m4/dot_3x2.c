/* SPDX-License-Identifier: Apache-2.0 */
#include "dot_3x2.h"

#include "dsp.h"

/* Words of `stream` before and behind the weights of a pair of channels. */
enum { WORDS_BEFORE = 2, WORDS_BEHIND = 6 };

#if EDGEMCU_DSP

/* Registers: r0 packed inputs, r1 stream, r2 loops left, r3 .. r8 sums (pixel 0 channel 0, pixel 0
 * channel 1, pixel 1 channel 0, ...), all others hold operands. Loads stand together, as every one
 * behind another takes a cycle less. Four groups make a loop, which is entered in its middle if
 * there are fewer left over. */
#define GROUP                                                                                      \
    "ldr    r9, [r1], #4           \n" /* S of both channels */                                    \
    "ldr    r10, [r1], #4          \n"                                                             \
    "ldr    r11, [r0], #4          \n" /* L of three pixels */                                     \
    "ldr    r12, [r0], #4          \n"                                                             \
    "ldr    lr, [r0], #4           \n"                                                             \
    "smlad  r3, r9, r11, r3        \n"                                                             \
    "smlad  r4, r10, r11, r4       \n"                                                             \
    "smlad  r5, r9, r12, r5        \n"                                                             \
    "smlad  r6, r10, r12, r6       \n"                                                             \
    "smlad  r7, r9, lr, r7         \n"                                                             \
    "smlad  r8, r10, lr, r8        \n"                                                             \
    "ldmia  r0!, {r11, r12, lr}    \n" /* H of three pixels */                                     \
    "sxtb16 r9, r9                 \n"                                                             \
    "sxtb16 r10, r10               \n"                                                             \
    "smlad  r3, r9, r11, r3        \n"                                                             \
    "smlad  r4, r10, r11, r4       \n"                                                             \
    "smlad  r5, r9, r12, r5        \n"                                                             \
    "smlad  r6, r10, r12, r6       \n"                                                             \
    "smlad  r7, r9, lr, r7         \n"                                                             \
    "smlad  r8, r10, lr, r8        \n"

/* Bytes of one GROUP: all its instructions but LDMIA have four. */
#define GROUP_BYTES "80"

/* Frame: 0 packed inputs, 4 where to enter the loop, 8 loops, 12 output, 16 stride, 20 end,
 * 24 min, 28 max. */
#define PROLOGUE                                                                                   \
    "push   {r4-r11, lr}           \n"                                                             \
    "sub    sp, sp, #36            \n"                                                             \
    "mov    r12, r1                \n"                                                             \
    "ldm    r12, {r1, r3, r4, r5, r6, r7, r8} \n"                                                  \
    "movs   r10, #" GROUP_BYTES "  \n"                                                             \
    "adr.w  r11, 2f                \n"                                                             \
    "mla    r11, r5, r10, r11      \n"                                                             \
    "orr    r11, r11, #1           \n"                                                             \
    "str    r0, [sp]               \n"                                                             \
    "str    r11, [sp, #4]          \n"                                                             \
    "str    r4, [sp, #8]           \n"                                                             \
    "str    r2, [sp, #12]          \n"                                                             \
    "str    r6, [sp, #16]          \n"                                                             \
    "str    r3, [sp, #20]          \n"                                                             \
    "str    r7, [sp, #24]          \n"                                                             \
    "str    r8, [sp, #28]          \n"

#define SUMS                                                                                       \
    "1:                            \n"                                                             \
    "ldr    r3, [r1], #4           \n" /* biases */                                                \
    "ldr    r4, [r1], #4           \n"                                                             \
    "ldr    r0, [sp]               \n"                                                             \
    "ldr    r2, [sp, #8]           \n"                                                             \
    "ldr    r9, [sp, #4]           \n"                                                             \
    "mov    r5, r3                 \n"                                                             \
    "mov    r6, r4                 \n"                                                             \
    "mov    r7, r3                 \n"                                                             \
    "mov    r8, r4                 \n"                                                             \
    "bx     r9                     \n"                                                             \
    ".balign 4                     \n"                                                             \
    "2:                            \n" GROUP GROUP GROUP GROUP                                     \
    "subs   r2, r2, #1             \n"                                                             \
    "bne    2b                     \n"

#define LOAD_SCALE                                                                                 \
    "ldr    r9, [r1], #4           \n" /* multiplier */                                            \
    "ldr    r10, [r1], #4          \n" /* offset */                                                \
    "ldr    r11, [r1], #4          \n" /* shift */

#define SHIFT_AND_SATURATE(a, b, c)                                                                \
    "asr    " a ", " a ", r11      \n"                                                             \
    "asr    " b ", " b ", r11      \n"                                                             \
    "asr    " c ", " c ", r11      \n"                                                             \
    "ssat   " a ", #8, " a "       \n"                                                             \
    "ssat   " b ", #8, " b "       \n"                                                             \
    "ssat   " c ", #8, " c "       \n"

#define SCALE_RELU(a, b, c)                                                                        \
    "smmla  " a ", " a ", r9, r10  \n"                                                             \
    "smmla  " b ", " b ", r9, r10  \n"                                                             \
    "smmla  " c ", " c ", r9, r10  \n" SHIFT_AND_SATURATE(a, b, c)

/* 2^7 less where the sum is negative. */
#define SCALE_ONE(a)                                                                               \
    "asr    lr, " a ", #31         \n"                                                             \
    "add    lr, r10, lr, lsl #7    \n"                                                             \
    "smmla  " a ", " a ", r9, lr   \n"

#define SCALE(a, b, c) SCALE_ONE(a) SCALE_ONE(b) SCALE_ONE(c) SHIFT_AND_SATURATE(a, b, c)

#define PAIR_UP                                                                                    \
    "bfi    r3, r4, #8, #8         \n"                                                             \
    "bfi    r5, r6, #8, #8         \n"                                                             \
    "bfi    r7, r8, #8, #8         \n"

#define CLAMP(a)                                                                                   \
    "ssub8  r11, " a ", r9         \n"                                                             \
    "sel    " a ", " a ", r9       \n"                                                             \
    "ssub8  r11, r10, " a "        \n"                                                             \
    "sel    " a ", " a ", r10      \n"

#define STORE_AND_REPEAT                                                                           \
    "strh   r5, [r0, r2]           \n"                                                             \
    "strh   r7, [r0, r2, lsl #1]   \n"                                                             \
    "strh   r3, [r0], #2           \n"                                                             \
    "str    r0, [sp, #12]          \n"                                                             \
    "cmp    r1, r12                \n"                                                             \
    "bne    1b                     \n"                                                             \
    "add    sp, sp, #36            \n"                                                             \
    "pop    {r4-r11, pc}           \n"

#define LOAD_PLACES                                                                                \
    "ldr    r0, [sp, #12]          \n"                                                             \
    "ldr    r2, [sp, #16]          \n"                                                             \
    "ldr    r12, [sp, #20]         \n"

/* Where the zero point is -128, and nothing clamps but the range of an int8. */
ASSEMBLY void dot_3x2_relu(const uint32_t *packed IN_REGISTER,
    const struct dot_3x2_run *run IN_REGISTER, int8_t *output IN_REGISTER)
{
    __asm volatile(PROLOGUE SUMS LOAD_SCALE LOAD_PLACES SCALE_RELU("r3", "r5", "r7")
                       LOAD_SCALE SCALE_RELU("r4", "r6", "r8") PAIR_UP STORE_AND_REPEAT);
}

/* Any zero point and range. */
ASSEMBLY void dot_3x2_any(const uint32_t *packed IN_REGISTER,
    const struct dot_3x2_run *run IN_REGISTER, int8_t *output IN_REGISTER)
{
    __asm volatile(PROLOGUE SUMS LOAD_SCALE LOAD_PLACES SCALE("r3", "r5", "r7")
                       LOAD_SCALE SCALE("r4", "r6", "r8") PAIR_UP
                   "ldr    r9, [sp, #24]          \n"
                   "ldr    r10, [sp, #28]         \n" CLAMP("r3") CLAMP("r5")
                       CLAMP("r7") STORE_AND_REPEAT);
}

#else

static int8_t scaled(uint32_t sum, const int32_t *scale, int relu, int32_t min, int32_t max)
{
    const int32_t a = (int32_t)sum;
    const int32_t offset = scale[1] - (a < 0 && !relu ? 128 : 0);
    const int32_t value = saturate_int8(smmla(a, scale[0], offset) >> scale[2]);
    return (int8_t)(value < min ? min : value > max ? max : value);
}

static void run_portable(const uint32_t *packed, const struct dot_3x2_run *run, int8_t *output,
                         int relu)
{
    const int32_t min = relu ? -128 : (int8_t)(run->min & 0xff);
    const int32_t max = relu ? 127 : (int8_t)(run->max & 0xff);
    const int32_t *w = run->stream;

    while (w != run->end) {
        uint32_t sum[3][2];
        for (int pixel = 0; pixel < 3; ++pixel) {
            sum[pixel][0] = (uint32_t)w[0];
            sum[pixel][1] = (uint32_t)w[1];
        }
        w += WORDS_BEFORE;
        const uint32_t *x = packed;
        for (int32_t group = 0; group < run->groups; ++group) {
            for (int pixel = 0; pixel < 3; ++pixel) {
                for (int c = 0; c < 2; ++c) {
                    const uint32_t s = (uint32_t)w[c];
                    sum[pixel][c] = smlad(s, x[pixel], sum[pixel][c]);
                    sum[pixel][c] = smlad(sxtb16(s), x[3 + pixel], sum[pixel][c]);
                }
            }
            w += 2;
            x += DOT_3X2_WORDS_PER_GROUP;
        }
        for (int pixel = 0; pixel < 3; ++pixel) {
            output[pixel * run->stride] = scaled(sum[pixel][0], w, relu, min, max);
            output[pixel * run->stride + 1] = scaled(sum[pixel][1], w + 3, relu, min, max);
        }
        w += WORDS_BEHIND;
        output += 2;
    }
}

void dot_3x2_relu(const uint32_t *packed, const struct dot_3x2_run *run, int8_t *output)
{
    run_portable(packed, run, output, 1);
}

void dot_3x2_any(const uint32_t *packed, const struct dot_3x2_run *run, int8_t *output)
{
    run_portable(packed, run, output, 0);
}

#endif

struct dot_3x2_run dot_3x2_begin(const struct dot_3x2 *p)
{
    const int32_t loops = (p->groups + 3) / 4;
    const struct dot_3x2_run run = {
        .stream = p->stream,
        .end = p->stream + p->output_channels / 2 * (WORDS_BEFORE + 2 * p->groups + WORDS_BEHIND),
        .loops = loops,
        .skipped = 4 * loops - p->groups,
        .min = (uint8_t)p->min * 0x01010101u,
        .max = (uint8_t)p->max * 0x01010101u,
        .routine = p->routine,
        .groups = p->groups,
        .last = p->output_channels % 2 != 0 ? p->output_channels - 1 : -1,
    };
    return run;
}

void dot_3x2_last(const struct dot_3x2_run *run, const uint32_t *packed, int8_t *output)
{
    /* With another one of zeros, to a place of their own. */
    int8_t pair[6];
    struct dot_3x2_run last = *run;
    last.stream = run->end;
    last.end += WORDS_BEFORE + 2 * run->groups + WORDS_BEHIND;
    last.stride = 2;
    run->routine(packed, &last, pair);
    output += run->last;
    output[0] = pair[0];
    output[run->stride] = pair[2];
    output[2 * run->stride] = pair[4];
}
