/* SPDX-License-Identifier: Apache-2.0 */
/* Convolutions as dot products of int8 rows on the Cortex-M55.
 *
 * VMLADAV.S8 sums 16 products into a general register with an even number. Two pixels by four
 * output channels make eight sums, which take all of those; 16 values then need six loads for eight
 * products of vectors, and the two alternate, as a load and a product can overlap.
 */
#ifndef EDGEMCU_KERNELS_CONV_PIXELS_MVE_H
#define EDGEMCU_KERNELS_CONV_PIXELS_MVE_H

#include "requantize_mve.h"

/* A line of pixels to be computed from the same weights. */
struct conv_pixels_mve {
    int32_t values;   /* of each input row */
    int32_t stride;   /* bytes from one pixel's input row to the next */
    int32_t channels; /* of the output */
    struct int8_output out;
    /* For each four output channels, filled up with zeros: weights as int8 [values / 16][4][16],
     * four biases, four multipliers, and four shifts as int8. */
    const int32_t *weights;
};

/* What the loop over output channels keeps in memory, in the order of the registers that it
 * is loaded to. */
struct conv_state_mve {
    int8_t *out0;
    int32_t middle;
    int8_t *out1;
    const int8_t *x0;
    int32_t zero_point;
    int8_t *out0_end;
    const int8_t *x1;
};

/* 16 values x0 and x1 of two pixels by four channels. */
#define CONV_STEP(VMLADAV, x0, x1)                                                                 \
    "vldrb.8 q2, [r5], #64\n\t" VMLADAV " r0, " x0 ", q2\n\t"                                      \
    "vldrb.8 q3, [r5, #-48]\n\t" VMLADAV " r8, " x1 ", q2\n\t"                                     \
    "vldrb.8 q2, [r5, #-32]\n\t" VMLADAV " r2, " x0 ", q3\n\t" VMLADAV " r10, " x1 ", q3\n\t"      \
    "vldrb.8 q3, [r5, #-16]\n\t" VMLADAV " r4, " x0 ", q2\n\t" VMLADAV " r12, " x1 ", q2\n\t"      \
    VMLADAV " r6, " x0 ", q3\n\t" VMLADAV " lr, " x1 ", q3\n\t"
#define CONV_LOAD "vldrb.8 q0, [r3], #16\n\tvldrb.8 q1, [r9], #16\n\t"

/* Sums to vectors, and on to int8. */
#define CONV_FINISH(ROUND)                                                                         \
    "vmov q2[2], q2[0], r0, r4\n\t"                                                                \
    "vldrw.32 q0, [r5], #16\n\t"                                                                   \
    "vmov q3[2], q3[0], r8, r12\n\t"                                                               \
    "vmov q2[3], q2[1], r2, r6\n\t"                                                                \
    "vldrw.32 q1, [r5], #16\n\t"                                                                   \
    "vmov q3[3], q3[1], r10, lr\n\t"                                                               \
    "ldm r11, {r0, r1, r2, r3, r4, r6, r9}\n\t"                                                    \
    "vadd.i32 q2, q2, q0\n\t"                                                                      \
    "vadd.i32 q3, q3, q0\n\t"                                                                      \
    "vldrb.s32 q0, [r5], #4\n\t"                                                                   \
    "vqrdmulh.s32 q2, q2, q1\n\t"                                                                  \
    "vqrdmulh.s32 q3, q3, q1\n\t"                                                                  \
    ROUND("q2", "q0", "q1") ROUND("q3", "q0", "q1")                                                \
    "vrshl.s32 q2, q2, q0\n\t"                                                                     \
    "vrshl.s32 q3, q3, q0\n\t"                                                                     \
    "vadd.i32 q2, q2, r4\n\t"                                                                      \
    "vadd.i32 q3, q3, r4\n\t"                                                                      \
    "vmax.s32 q2, q2, %q[min]\n\t"                                                                 \
    "vmax.s32 q3, q3, %q[min]\n\t"                                                                 \
    "vmin.s32 q2, q2, %q[max]\n\t"                                                                 \
    "vmin.s32 q3, q3, %q[max]\n\t"                                                                 \
    "vstrb.32 q2, [r0], #4\n\t"                                                                    \
    "vstrb.32 q3, [r2], #4\n\t"

/* Rows of at least 17 values: the last 16 or fewer are loaded under a predicate, so that nothing is
 * read beyond them. */
#define CONV_CHANNELS(ROUND)                                                                       \
    "vctp.8 %[last]\n"                                                                             \
    "1:\n\t"                                                                                       \
    CONV_LOAD                                                                                      \
    CONV_STEP("vmladav.s8", "q0", "q1")                                                            \
    "cbz r1, 3f\n"                                                                                 \
    "2:\n\t"                                                                                       \
    CONV_LOAD                                                                                      \
    CONV_STEP("vmladava.s8", "q0", "q1")                                                           \
    "subs r1, #1\n\t"                                                                              \
    "bne 2b\n"                                                                                     \
    "3:\n\t"                                                                                       \
    "vpstt\n\t"                                                                                    \
    "vldrbt.8 q0, [r3]\n\t"                                                                        \
    "vldrbt.8 q1, [r9]\n\t"                                                                        \
    CONV_STEP("vmladava.s8", "q0", "q1")                                                           \
    CONV_FINISH(ROUND)                                                                             \
    "stm r11, {r0, r1, r2}\n\t"                                                                    \
    "cmp r0, r6\n\t"                                                                               \
    "bne 1b\n\t"

/* Rows of up to 16 values stay in registers. */
#define CONV_CHANNELS_SHORT(ROUND)                                                                 \
    "vctp.8 %[last]\n\t"                                                                           \
    "vpstt\n\t"                                                                                    \
    "vldrbt.8 q4, [r3]\n\t"                                                                        \
    "vldrbt.8 q5, [r9]\n"                                                                          \
    "1:\n\t"                                                                                       \
    CONV_STEP("vmladav.s8", "q4", "q5")                                                            \
    CONV_FINISH(ROUND)                                                                             \
    "stm r11, {r0, r1, r2}\n\t"                                                                    \
    "cmp r0, r6\n\t"                                                                               \
    "bne 1b\n\t"

#define CONV_ASM(LOOP)                                                                             \
    __asm volatile(LOOP                                                                            \
                   : "+r"(middle), "+r"(x0), "+r"(x1), "+r"(w)                                     \
                   : "r"(s), [last] "r"(last), [min] "w"(min), [max] "w"(max)                      \
                   : "r0", "r2", "r4", "r6", "r8", "r10", "r12", "lr", "q0", "q1", "q2", "q3",     \
                     "q4", "q5", "cc", "memory")

/* Four output channels at a time of two pixels, up to state->out0_end; `last` of 1 .. 16 values
 * follow the first 16 x (middle + 1). Returns where the weights of the next channels begin. */
static inline const int32_t *conv_channels(const int32_t *weights, struct conv_state_mve *state,
                                           int32_t last, const struct int8_output *out)
{
    const int32x4_t min = vdupq_n_s32(out->min);
    const int32x4_t max = vdupq_n_s32(out->max);
    register int32_t middle __asm("r1") = state->middle;
    register const int8_t *x0 __asm("r3") = state->x0;
    register const int8_t *x1 __asm("r9") = state->x1;
    register const int32_t *w __asm("r5") = weights;
    register struct conv_state_mve *s __asm("r11") = state;

    if (middle >= 0) {
        if (cuts_negatives(out)) {
            CONV_ASM(CONV_CHANNELS(ROUND_TIES_UP));
        } else {
            CONV_ASM(CONV_CHANNELS(ROUND_AWAY_FROM_ZERO));
        }
    } else if (cuts_negatives(out)) {
        CONV_ASM(CONV_CHANNELS_SHORT(ROUND_TIES_UP));
    } else {
        CONV_ASM(CONV_CHANNELS_SHORT(ROUND_AWAY_FROM_ZERO));
    }
    return w;
}

/* `pixels` neighbouring pixels: rows of input `p->stride` apart, outputs one behind another. The
 * outputs of two pixels are written once both have been read. */
static inline void conv_pixels(const struct conv_pixels_mve *p, int32_t pixels, const int8_t *x,
                               int8_t *output)
{
    const int32_t steps = (p->values + 15) / 16;
    const int32_t last = p->values - 16 * (steps - 1);
    const int32_t rest = p->channels % 4;

    for (; pixels > 0; pixels -= 2) {
        /* A last single pixel is computed twice. */
        const int32_t second = pixels > 1;
        struct conv_state_mve state = {
            .out0 = output,
            .middle = steps - 2,
            .out1 = output + second * p->channels,
            .x0 = x,
            .zero_point = p->out.zero_point,
            .out0_end = output + p->channels - rest,
            .x1 = x + second * p->stride,
        };
        const int32_t *weights = p->weights;

        if (p->channels >= 4) {
            weights = conv_channels(weights, &state, last, &p->out);
        }
        if (rest > 0) {
            int8_t four[2][4];
            int8_t *const out0 = state.out0;
            int8_t *const out1 = state.out1;
            state.out0 = four[0];
            state.out1 = four[1];
            state.out0_end = four[0] + 4;
            conv_channels(weights, &state, last, &p->out);
            for (int32_t i = 0; i < rest; ++i) {
                out0[i] = four[0][i];
                out1[i] = four[1][i];
            }
        }
        x += 2 * p->stride;
        output += 2 * p->channels;
    }
}

#endif
