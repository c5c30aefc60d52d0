/* SPDX-License-Identifier: Apache-2.0 */
/* VMLADAV.S8 sums 16 products into a general register with an even number. Two pixels by four
 * output channels make eight sums, which take all of those; 16 values then need six loads for eight
 * products of vectors, and the two alternate, as a load and a product can overlap.
 */
#include "conv_pixels_mve.h"

#include "requantize_mve.h"

/* What the loops over pixels and output channels keep in memory. The first members are loaded into
 * r0, r1, r2, r3, r4, r6 and r9 at once; the assembly knows the offsets of the others. */
struct state {
    int8_t *out0;
    int32_t middle; /* 16 values each between the first and the last ones; negative: 1 .. 16 in all */
    int8_t *out1;
    const int8_t *x0;
    int32_t zero_point;
    const int32_t *weights_end;
    const int8_t *x1;
    int32_t next_input;     /* 28: from one pair of pixels to the next */
    int32_t next_output;    /* 32: from below a pair's outputs to the next one's last channels */
    const int32_t *weights; /* 36 */
    int32_t pairs;          /* 40: still to do */
};

/* 16 values x0 and x1 of two pixels by four channels. */
#define CONV_STEP(VMLADAV, x0, x1)                                                                 \
    "vldrb.8 q2, [r5], #64\n\t" VMLADAV " r0, " x0 ", q2\n\t"                                      \
    "vldrb.8 q3, [r5, #-48]\n\t" VMLADAV " r8, " x1 ", q2\n\t"                                     \
    "vldrb.8 q2, [r5, #-32]\n\t" VMLADAV " r2, " x0 ", q3\n\t" VMLADAV " r10, " x1 ", q3\n\t"      \
    "vldrb.8 q3, [r5, #-16]\n\t" VMLADAV " r4, " x0 ", q2\n\t" VMLADAV " r12, " x1 ", q2\n\t"      \
    VMLADAV " r6, " x0 ", q3\n\t" VMLADAV " lr, " x1 ", q3\n\t"
#define CONV_LOAD "vldrb.8 q0, [r3], #16\n\tvldrb.8 q1, [r9], #16\n\t"

/* All values of two pixels by four channels. The last 16 or fewer are loaded under a predicate, so
 * that nothing is read beyond them. */
#define CONV_SUMS                                                                                  \
    CONV_LOAD                                                                                      \
    CONV_STEP("vmladav.s8", "q0", "q1")                                                            \
    "lsrs r1, #1\n\t"                                                                              \
    "bcc 2f\n\t"                                                                                   \
    CONV_LOAD                                                                                      \
    CONV_STEP("vmladava.s8", "q0", "q1")                                                           \
    "2:\n\t"                                                                                       \
    "cbz r1, 4f\n"                                                                                 \
    "3:\n\t"                                                                                       \
    CONV_LOAD                                                                                      \
    CONV_STEP("vmladava.s8", "q0", "q1")                                                           \
    CONV_LOAD                                                                                      \
    CONV_STEP("vmladava.s8", "q0", "q1")                                                           \
    "subs r1, #1\n\t"                                                                              \
    "bne 3b\n"                                                                                     \
    "4:\n\t"                                                                                       \
    "vpstt\n\t"                                                                                    \
    "vldrbt.8 q0, [r3]\n\t"                                                                        \
    "vldrbt.8 q1, [r9]\n\t"                                                                        \
    CONV_STEP("vmladava.s8", "q0", "q1")

/* Up to 16 values, which stay in registers for all channels. */
#define CONV_LOAD_SHORT "vpstt\n\tvldrbt.8 q4, [r3]\n\tvldrbt.8 q5, [r9]\n"
#define CONV_SUMS_SHORT CONV_STEP("vmladav.s8", "q4", "q5")

/* Pairs of pixels, and for each all groups of four channels, the last ones first.
 *
 * r0, r2, r4, r6 and r8, r10, r12, lr: the sums of the pixels; r1: how many 16 values are left;
 * r3, r9: the pixels' rows; r5: weights; r11: state. */
#define CONV_PAIRS(LOAD_PAIR, SUMS, ROUND)                                                         \
    "vctp.8 r0\n\t"                                                                                \
    "ldm r11, {r0, r1, r2, r3, r4, r6, r9}\n"                                                      \
    "0:\n\t"                                                                                       \
    "ldr r5, [r11, #36]\n\t"                                                                       \
    LOAD_PAIR                                                                                      \
    "1:\n\t"                                                                                       \
    SUMS                                                                                           \
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
    "vstrb.32 q2, [r0], #-4\n\t"                                                                   \
    "vstrb.32 q3, [r2], #-4\n\t"                                                                   \
    "stm r11, {r0, r1, r2}\n\t"                                                                    \
    "cmp r5, r6\n\t"                                                                               \
    "bne 1b\n\t"                                                                                   \
    "ldrd r8, r10, [r11, #28]\n\t"                                                                 \
    "ldr r12, [r11, #40]\n\t"                                                                      \
    "add r3, r8\n\t"                                                                               \
    "add r9, r8\n\t"                                                                               \
    "add r0, r10\n\t"                                                                              \
    "add r2, r10\n\t"                                                                              \
    "stm r11, {r0, r1, r2, r3, r4, r6, r9}\n\t"                                                    \
    "subs r12, #1\n\t"                                                                             \
    "str r12, [r11, #40]\n\t"                                                                      \
    "bne 0b\n\t"

#define CONV_ASM(...)                                                                              \
    __asm volatile(CONV_PAIRS(__VA_ARGS__)                                                         \
                   : "+r"(last)                                                                    \
                   : "r"(s), [min] "w"(min), [max] "w"(max)                                        \
                   : "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "r10", "r12", "lr", "q0",     \
                     "q1", "q2", "q3", "q4", "q5", "cc", "memory")

/* `values` of the last 16 count. */
static void conv_pairs(struct state *state, int32_t values, const struct int8_output *out)
{
    const int32x4_t min = vdupq_n_s32(out->min);
    const int32x4_t max = vdupq_n_s32(out->max);
    register int32_t last __asm("r0") = values;
    register struct state *s __asm("r11") = state;

    if (state->middle >= 0) {
        if (cuts_negatives(out)) {
            CONV_ASM("", CONV_SUMS, ROUND_TIES_UP);
        } else {
            CONV_ASM("", CONV_SUMS, ROUND_AWAY_FROM_ZERO);
        }
    } else if (cuts_negatives(out)) {
        CONV_ASM(CONV_LOAD_SHORT, CONV_SUMS_SHORT, ROUND_TIES_UP);
    } else {
        CONV_ASM(CONV_LOAD_SHORT, CONV_SUMS_SHORT, ROUND_AWAY_FROM_ZERO);
    }
}

void conv_pixels_mve(const struct conv_pixels_mve *p, int32_t pixels, const int8_t *x,
                     int8_t *output, int followed)
{
    const int32_t channels = p->channels;
    const int32_t steps = (p->values + 15) / 16;
    const int32_t last = p->values - 16 * (steps - 1);
    const int32_t groups = (channels + 3) / 4;
    const int32_t group_words = 16 * steps + SCALES_WORDS;
    /* More than the last group's channels would be written behind the last pixel. */
    const int32_t apart = channels % 4 != 0 && !followed;

    while (pixels > 0) {
        /* A single pixel is computed twice, and so is written twice. */
        const int32_t second = pixels > 1;
        const int32_t all = second ? pixels / 2 : 1;
        const int32_t pairs = apart && all > 1 && 2 * all >= pixels ? all - 1 : all;
        const int is_last = 2 * pairs >= pixels;
        int8_t *last0 = output + 4 * (groups - 1);
        int8_t *last1 = last0 + second * channels;
        struct state state = {
            .out0 = last0,
            .middle = steps - 2,
            .out1 = last1,
            .x0 = x,
            .zero_point = p->out.zero_point,
            .weights_end = p->weights + groups * group_words,
            .x1 = x + second * p->stride,
            .next_input = 2 * p->stride,
            .next_output = 2 * channels + 4 * groups,
            .weights = p->weights,
            .pairs = pairs,
        };

        if (apart && is_last) {
            int8_t four[2][4];
            struct state group = state;
            group.out0 = four[0];
            group.out1 = four[1];
            group.weights_end = p->weights + group_words;
            conv_pairs(&group, last, &p->out);
            for (int32_t i = 0; i < channels % 4; ++i) {
                last0[i] = four[0][i];
                last1[i] = four[1][i];
            }
            state.out0 -= 4;
            state.out1 -= 4;
            state.weights += group_words;
        }
        if (state.weights != state.weights_end) {
            conv_pairs(&state, last, &p->out);
        }
        x += pairs * state.next_input;
        output += 2 * pairs * channels;
        pixels -= 2 * pairs;
    }
}
