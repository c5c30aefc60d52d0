/* SPDX-License-Identifier: Apache-2.0 */
/* What dot_3x2.c and dot_4x2.c share: how their routines are put together, and the same in C for
 * machines without the DSP extension. */
#ifndef EDGEMCU_KERNELS_DOT_ROUTINES_H
#define EDGEMCU_KERNELS_DOT_ROUTINES_H

#include "dot.h"
#include "dsp.h"

#if EDGEMCU_DSP

/* The run's first eight members to r1 and r3 .. r9, where to enter the loop to r11; room for a frame
 * of nine words. */
#define BEGIN                                                                                      \
    "push   {r4-r11, lr}            \n"                                                            \
    "sub    sp, sp, #36             \n"                                                            \
    "mov    r12, r1                 \n"                                                            \
    "ldm    r12, {r1, r3, r4, r5, r6, r7, r8, r9} \n"                                              \
    "movs   r10, #" GROUP_BYTES " \n"                                                              \
    "adr.w  r11, 2f                 \n"                                                            \
    "mla    r11, r5, r10, r11       \n"                                                            \
    "orr    r11, r11, #1            \n"

/* With the next pair of channels; r0 output, r1 stream, r12 its end. */
#define REPEAT                                                                                     \
    "str    r0, [sp]                \n"                                                            \
    "cmp    r1, r12                 \n"                                                            \
    "bne    1b                      \n"                                                            \
    "add    sp, sp, #36             \n"                                                            \
    "pop    {r4-r11, pc}            \n"

#define ROUTINE(name, text)                                                                        \
    ASSEMBLY void name(const uint32_t *packed IN_REGISTER, const struct dot_run *run IN_REGISTER,  \
                       int8_t *output IN_REGISTER)                                                 \
    {                                                                                              \
        __asm volatile(PROLOGUE SUMS text REPEAT);                                                 \
    }

#define ROUTINES_RELU(pixels, shift)                                                               \
    ROUTINE(dot_##pixels##x2_relu_##shift, SCALE_RELU(#shift) PAIR_UP STORE_PAIRS)                 \
    ROUTINE(dot_##pixels##x2_planes_##shift, SCALE_RELU(#shift) STORE_IN_PLANES)

#else

enum { MOST_PIXELS = 4 };

/* All sums of a block of pixels and the pair of channels at `w`; returns its scales. */
static inline const int32_t *sum_up(const uint32_t *packed, const struct dot_run *run, int pixels,
                                    const int32_t *w, uint32_t sum[MOST_PIXELS][2])
{
    for (int pixel = 0; pixel < pixels; ++pixel) {
        sum[pixel][0] = (uint32_t)w[0];
        sum[pixel][1] = (uint32_t)w[1];
    }
    w += 2;
    for (int32_t group = 0; group < run->groups; ++group) {
        for (int pixel = 0; pixel < pixels; ++pixel) {
            for (int c = 0; c < 2; ++c) {
                const uint32_t s = (uint32_t)w[c];
                sum[pixel][c] = smlad(s, packed[pixel], sum[pixel][c]);
                sum[pixel][c] = smlad(sxtb16(s), packed[pixels + pixel], sum[pixel][c]);
            }
        }
        w += 2;
        packed += DOT_WORDS_PER_GROUP(pixels);
    }
    return w;
}

static inline void run_sums(const uint32_t *packed, const struct dot_run *run, int8_t *output,
                            int pixels)
{
    const int32_t *w = run->stream;

    while (w != run->end) {
        uint32_t sum[MOST_PIXELS][2];
        const size_t bytes = (size_t)pixels * sizeof sum[0];
        w = sum_up(packed, run, pixels, w, sum);
        memcpy(output, sum, bytes);
        output += bytes;
    }
}

static inline void run_relu(const uint32_t *packed, const struct dot_run *run, int8_t *output,
                            int pixels, int shift, int in_planes)
{
    const int32_t *w = run->stream;

    while (w != run->end) {
        uint32_t sum[MOST_PIXELS][2];
        w = sum_up(packed, run, pixels, w, sum);
        for (int c = 0; c < 2; ++c) {
            for (int pixel = 0; pixel < pixels; ++pixel) {
                const int32_t scaled = smmla((int32_t)sum[pixel][c], w[0], w[1]) >> shift;
                const int16_t value = (int16_t)saturate_int8(scaled);
                if (in_planes) {
                    memcpy(output + c * run->step + 2 * pixel, &value, sizeof value);
                } else {
                    output[pixel * run->step + c] = (int8_t)value;
                }
            }
            w += 2;
        }
        output += in_planes ? 2 * run->step : 2;
    }
}

static inline void run_any(const uint32_t *packed, const struct dot_run *run, int8_t *output,
                           int pixels)
{
    const int32_t min = (int8_t)(run->min & 0xff);
    const int32_t max = (int8_t)(run->max & 0xff);
    const int32_t *w = run->stream;

    while (w != run->end) {
        uint32_t sum[MOST_PIXELS][2];
        w = sum_up(packed, run, pixels, w, sum);
        for (int c = 0; c < 2; ++c) {
            for (int pixel = 0; pixel < pixels; ++pixel) {
                const int32_t total = (int32_t)sum[pixel][c];
                const int32_t offset = w[1] - (total < 0 ? 128 : 0);
                const int32_t value = saturate_int8(smmla(total, w[0], offset) >> w[2]);
                output[pixel * run->step + c] =
                    (int8_t)(value < min ? min : value > max ? max : value);
            }
            w += 3;
        }
        output += 2;
    }
}

#define ROUTINES_RELU(pixels, shift)                                                               \
    void dot_##pixels##x2_relu_##shift(const uint32_t *packed, const struct dot_run *run,          \
                                       int8_t *output)                                             \
    {                                                                                              \
        run_relu(packed, run, output, pixels, shift, 0);                                           \
    }                                                                                              \
    void dot_##pixels##x2_planes_##shift(const uint32_t *packed, const struct dot_run *run,        \
                                         int8_t *output)                                           \
    {                                                                                              \
        run_relu(packed, run, output, pixels, shift, 1);                                           \
    }

#endif

#endif
