/* SPDX-License-Identifier: Apache-2.0 */
#include "dot_routines.h"

#if EDGEMCU_DSP

/* Registers: r0 packed inputs, r1 stream, r2 loops left, r3 .. r8 sums (pixel 0 channel 0, pixel 0
 * channel 1, pixel 1 channel 0, ...), all others hold operands. Loads stand together, as every one
 * behind another takes a cycle less. The first group begins with the biases. The others are done in
 * loops of four, which are entered in their middle if there are fewer left over.
 * Frame: 0 output, 4 step, 8 end, 12 packed inputs, 16 where to enter the loop, 20 loops, 24 min,
 * 28 max. */
#define MULTIPLY                                                                                   \
    "smlad  r3, r9, r11, r3         \n"                                                            \
    "smlad  r4, r10, r11, r4        \n"                                                            \
    "smlad  r5, r9, r12, r5         \n"                                                            \
    "smlad  r6, r10, r12, r6        \n"                                                            \
    "smlad  r7, r9, lr, r7          \n"                                                            \
    "smlad  r8, r10, lr, r8         \n"

#define MULTIPLY_H                                                                                 \
    "ldmia  r0!, {r11, r12, lr}     \n" /* H of three pixels */                                    \
    "sxtb16 r9, r9                  \n"                                                            \
    "sxtb16 r10, r10                \n"                                                            \
    MULTIPLY

#define GROUP                                                                                      \
    "ldr    r9, [r1], #4            \n" /* S of both channels */                                   \
    "ldr    r10, [r1], #4           \n"                                                            \
    "ldr    r11, [r0], #4           \n" /* L of three pixels */                                    \
    "ldr    r12, [r0], #4           \n"                                                            \
    "ldr    lr, [r0], #4            \n"                                                            \
    MULTIPLY                                                                                       \
    MULTIPLY_H

/* Bytes of one GROUP: 20 instructions of four. */
#define GROUP_BYTES "80"

#define PROLOGUE                                                                                   \
    BEGIN                                                                                          \
    "strd   r2, r7, [sp]            \n"                                                            \
    "strd   r3, r0, [sp, #8]        \n"                                                            \
    "strd   r11, r4, [sp, #16]      \n"                                                            \
    "strd   r8, r9, [sp, #24]       \n"

#define FIRST_GROUP                                                                                \
    "ldmia  r1!, {r3, r4, r9, r10}  \n" /* biases, S of both channels */                           \
    "ldr    r0, [sp, #12]           \n"                                                            \
    "ldmia  r0!, {r11, r12, lr}     \n" /* L of three pixels */                                    \
    "smlad  r5, r9, r12, r3         \n"                                                            \
    "smlad  r6, r10, r12, r4        \n"                                                            \
    "smlad  r7, r9, lr, r3          \n"                                                            \
    "smlad  r8, r10, lr, r4         \n"                                                            \
    "smlad  r3, r9, r11, r3         \n"                                                            \
    "smlad  r4, r10, r11, r4        \n"                                                            \
    MULTIPLY_H                                                                                     \
    "ldrd   r9, r2, [sp, #16]       \n"                                                            \
    "bx     r9                      \n"

#define SUMS                                                                                       \
    "1:                             \n"                                                            \
    FIRST_GROUP                                                                                    \
    ".balign 4                      \n"                                                            \
    "2:                             \n"                                                            \
    GROUP GROUP GROUP GROUP                                                                        \
    "subs   r2, r2, #1              \n"                                                            \
    "bne    2b                      \n"

/* One shift for all: SSAT does it. */
#define SCALE_RELU(shift)                                                                          \
    "ldmia  r1!, {r9, r10, r11, r12} \n" /* multiplier and offset of both */                       \
    "smmla  r3, r3, r9, r10         \n"                                                            \
    "smmla  r5, r5, r9, r10         \n"                                                            \
    "smmla  r7, r7, r9, r10         \n"                                                            \
    "smmla  r4, r4, r11, r12        \n"                                                            \
    "smmla  r6, r6, r11, r12        \n"                                                            \
    "smmla  r8, r8, r11, r12        \n"                                                            \
    "ssat   r3, #8, r3, asr #" shift " \n"                                                         \
    "ssat   r5, #8, r5, asr #" shift " \n"                                                         \
    "ssat   r7, #8, r7, asr #" shift " \n"                                                         \
    "ssat   r4, #8, r4, asr #" shift " \n"                                                         \
    "ssat   r6, #8, r6, asr #" shift " \n"                                                         \
    "ssat   r8, #8, r8, asr #" shift " \n"                                                         \
    "ldm    sp, {r0, r2, r12}       \n" /* output, step, end */

/* A sum times a multiplier, and 2^7 less where it is negative. */
#define SCALE_ONE(a)                                                                               \
    "asr    lr, " a ", #31          \n"                                                            \
    "add    lr, r10, lr, lsl #7     \n"                                                            \
    "smmla  " a ", " a ", r9, lr    \n"

#define SHIFT_AND_SATURATE(a)                                                                      \
    "asr    " a ", " a ", r11       \n"                                                            \
    "ssat   " a ", #8, " a "        \n"

/* A multiplier, an offset and a shift for each channel. */
#define SCALE_ANY(a, b, c)                                                                         \
    "ldmia  r1!, {r9, r10, r11}     \n" SCALE_ONE(a) SCALE_ONE(b) SCALE_ONE(c)                     \
    SHIFT_AND_SATURATE(a) SHIFT_AND_SATURATE(b) SHIFT_AND_SATURATE(c)

#define CLAMP(a)                                                                                   \
    "ssub8  r11, " a ", r9          \n"                                                            \
    "sel    " a ", " a ", r9        \n"                                                            \
    "ssub8  r11, r10, " a "         \n"                                                            \
    "sel    " a ", " a ", r10       \n"

#define PAIR_UP                                                                                    \
    "bfi    r3, r4, #8, #8          \n"                                                            \
    "bfi    r5, r6, #8, #8          \n"                                                            \
    "bfi    r7, r8, #8, #8          \n"

#define STORE_PAIRS                                                                                \
    "strh   r5, [r0, r2]            \n"                                                            \
    "strh   r7, [r0, r2, lsl #1]    \n"                                                            \
    "strh   r3, [r0], #2            \n"

#define STORE_IN_PLANES                                                                            \
    "strh   r3, [r0]                \n"                                                            \
    "strh   r5, [r0, #2]            \n"                                                            \
    "strh   r7, [r0, #4]            \n"                                                            \
    "add    r0, r0, r2              \n"                                                            \
    "strh   r4, [r0]                \n"                                                            \
    "strh   r6, [r0, #2]            \n"                                                            \
    "strh   r8, [r0, #4]            \n"                                                            \
    "add    r0, r0, r2              \n"

ROUTINE(dot_3x2_any, SCALE_ANY("r3", "r5", "r7") SCALE_ANY("r4", "r6", "r8") PAIR_UP
        "ldrd   r9, r10, [sp, #24]      \n" CLAMP("r3") CLAMP("r5") CLAMP("r7")
        "ldm    sp, {r0, r2, r12}       \n" STORE_PAIRS)

ROUTINE(dot_3x2_sums,
        "ldr    r0, [sp]                \n"
        "stmia  r0!, {r3-r8}         \n"
        "ldr    r12, [sp, #8]           \n")

#else

void dot_3x2_any(const uint32_t *packed, const struct dot_run *run, int8_t *output)
{
    run_any(packed, run, output, 3);
}

void dot_3x2_sums(const uint32_t *packed, const struct dot_run *run, int8_t *output)
{
    run_sums(packed, run, output, 3);
}

#endif

ROUTINES_RELU(3, 11)
ROUTINES_RELU(3, 13)
