/* SPDX-License-Identifier: Apache-2.0 */
#include "dot_routines.h"

#if EDGEMCU_DSP

/* As in dot_3x2.c, but with eight sums, r3 .. r10, all registers are in use: loops end where the
 * packed inputs do.
 * Frame: 0 output, 4 step, 8 end, 12 packed inputs, 16 where to enter the loop, 20 end of the packed
 * inputs. */
#define MULTIPLY                                                                                   \
    "smlad  r3, r11, r2, r3         \n"                                                            \
    "smlad  r4, r12, r2, r4         \n"                                                            \
    "smlad  r5, r11, lr, r5         \n"                                                            \
    "smlad  r6, r12, lr, r6         \n"                                                            \
    "ldmia  r0!, {r2, lr}           \n"                                                            \
    "smlad  r7, r11, r2, r7         \n"                                                            \
    "smlad  r8, r12, r2, r8         \n"                                                            \
    "smlad  r9, r11, lr, r9         \n"                                                            \
    "smlad  r10, r12, lr, r10       \n"

#define MULTIPLY_H                                                                                 \
    "ldmia  r0!, {r2, lr}           \n" /* H of four pixels */                                     \
    "sxtb16 r11, r11                \n"                                                            \
    "sxtb16 r12, r12                \n"                                                            \
    MULTIPLY

#define GROUP                                                                                      \
    "ldr    r11, [r1], #4           \n" /* S of both channels */                                   \
    "ldr    r12, [r1], #4           \n"                                                            \
    "ldr    r2, [r0], #4            \n" /* L of four pixels */                                     \
    "ldr    lr, [r0], #4            \n"                                                            \
    MULTIPLY                                                                                       \
    MULTIPLY_H

/* Bytes of one GROUP: 25 instructions of four. */
#define GROUP_BYTES "100"

#define PROLOGUE                                                                                   \
    BEGIN                                                                                          \
    "add    r6, r0, r6              \n"                                                            \
    "strd   r2, r7, [sp]            \n"                                                            \
    "strd   r3, r0, [sp, #8]        \n"                                                            \
    "strd   r11, r6, [sp, #16]      \n"

#define FIRST_GROUP                                                                                \
    "ldmia  r1!, {r3, r4, r11, r12} \n" /* biases, S of both channels */                           \
    "ldr    r0, [sp, #12]           \n"                                                            \
    "ldmia  r0!, {r2, r9, r10, lr}  \n" /* L of four pixels */                                     \
    "smlad  r5, r11, r9, r3         \n"                                                            \
    "smlad  r6, r12, r9, r4         \n"                                                            \
    "smlad  r7, r11, r10, r3        \n"                                                            \
    "smlad  r8, r12, r10, r4        \n"                                                            \
    "smlad  r9, r11, lr, r3         \n"                                                            \
    "smlad  r10, r12, lr, r4        \n"                                                            \
    "smlad  r3, r11, r2, r3         \n"                                                            \
    "smlad  r4, r12, r2, r4         \n"                                                            \
    MULTIPLY_H                                                                                     \
    "ldr    r2, [sp, #16]           \n"                                                            \
    "bx     r2                      \n"

#define SUMS                                                                                       \
    "1:                             \n"                                                            \
    FIRST_GROUP                                                                                    \
    ".balign 4                      \n"                                                            \
    "2:                             \n"                                                            \
    GROUP GROUP GROUP GROUP                                                                        \
    "ldr    r2, [sp, #20]           \n"                                                            \
    "cmp    r0, r2                  \n"                                                            \
    "bne    2b                      \n"

/* One shift for all: SSAT does it. */
#define SCALE_RELU(shift)                                                                          \
    "ldmia  r1!, {r0, r2, r11, r12} \n" /* multiplier and offset of both */                        \
    "smmla  r3, r3, r0, r2          \n"                                                            \
    "smmla  r5, r5, r0, r2          \n"                                                            \
    "smmla  r7, r7, r0, r2          \n"                                                            \
    "smmla  r9, r9, r0, r2          \n"                                                            \
    "smmla  r4, r4, r11, r12        \n"                                                            \
    "smmla  r6, r6, r11, r12        \n"                                                            \
    "smmla  r8, r8, r11, r12        \n"                                                            \
    "smmla  r10, r10, r11, r12      \n"                                                            \
    "ssat   r3, #8, r3, asr #" shift " \n"                                                         \
    "ssat   r5, #8, r5, asr #" shift " \n"                                                         \
    "ssat   r7, #8, r7, asr #" shift " \n"                                                         \
    "ssat   r9, #8, r9, asr #" shift " \n"                                                         \
    "ssat   r4, #8, r4, asr #" shift " \n"                                                         \
    "ssat   r6, #8, r6, asr #" shift " \n"                                                         \
    "ssat   r8, #8, r8, asr #" shift " \n"                                                         \
    "ssat   r10, #8, r10, asr #" shift " \n"                                                       \
    "ldm    sp, {r0, r2, r12}       \n" /* output, step, end */

#define PAIR_UP                                                                                    \
    "bfi    r3, r4, #8, #8          \n"                                                            \
    "bfi    r5, r6, #8, #8          \n"                                                            \
    "bfi    r7, r8, #8, #8          \n"                                                            \
    "bfi    r9, r10, #8, #8         \n"

#define STORE_PAIRS                                                                                \
    "add    lr, r0, r2              \n"                                                            \
    "strh   r9, [lr, r2, lsl #1]    \n"                                                            \
    "strh   r5, [r0, r2]            \n"                                                            \
    "strh   r7, [r0, r2, lsl #1]    \n"                                                            \
    "strh   r3, [r0], #2            \n"

#define STORE_IN_PLANES                                                                            \
    "strh   r3, [r0]                \n"                                                            \
    "strh   r5, [r0, #2]            \n"                                                            \
    "strh   r7, [r0, #4]            \n"                                                            \
    "strh   r9, [r0, #6]            \n"                                                            \
    "add    r0, r0, r2              \n"                                                            \
    "strh   r4, [r0]                \n"                                                            \
    "strh   r6, [r0, #2]            \n"                                                            \
    "strh   r8, [r0, #4]            \n"                                                            \
    "strh   r10, [r0, #6]           \n"                                                            \
    "add    r0, r0, r2              \n"

ROUTINE(dot_4x2_sums,
        "ldr    r0, [sp]                \n"
        "stmia  r0!, {r3-r10}         \n"
        "ldr    r12, [sp, #8]           \n")

#else

void dot_4x2_sums(const uint32_t *packed, const struct dot_run *run, int8_t *output)
{
    run_sums(packed, run, output, 4);
}

#endif

ROUTINES_RELU(4, 11)
ROUTINES_RELU(4, 13)
