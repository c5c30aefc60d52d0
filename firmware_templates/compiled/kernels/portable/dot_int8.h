/* SPDX-License-Identifier: Apache-2.0 */
/* Dot products of int8 rows in register blocks: the inner loop of convolutions.
 *
 * Weights of two output channels are interleaved: w[0], w[1] belong to the first input value of
 * channel 0 and channel 1, w[2], w[3] to the second, and so on.
 */
#ifndef EDGEMCU_KERNELS_DOT_INT8_H
#define EDGEMCU_KERNELS_DOT_INT8_H

#include <stdint.h>

#include "requantize.h"

/* Sums of pixels 0 and 1 for channels 0 and 1: p0c1 is that of pixel 0 for channel 1. */
struct dot_2x2 {
    int32_t p0c0;
    int32_t p0c1;
    int32_t p1c0;
    int32_t p1c1;
};

/* Adds the products of one value of each pixel with one weight of each channel. */
static inline void dot_2x2_step(struct dot_2x2 *sum, int32_t x0, int32_t x1, int32_t w0, int32_t w1)
{
    sum->p0c0 += x0 * w0;
    sum->p0c1 += x0 * w1;
    sum->p1c0 += x1 * w0;
    sum->p1c1 += x1 * w1;
}

/* Adds the products of n values of pixels x0 and x1 with 2n interleaved weights. */
static inline void dot_2x2_int8(struct dot_2x2 *sum, const int8_t *x0, const int8_t *x1,
                                const int8_t *w, int32_t n)
{
    struct dot_2x2 s = *sum;
    for (; n >= 4; n -= 4) {
        dot_2x2_step(&s, x0[0], x1[0], w[0], w[1]);
        dot_2x2_step(&s, x0[1], x1[1], w[2], w[3]);
        dot_2x2_step(&s, x0[2], x1[2], w[4], w[5]);
        dot_2x2_step(&s, x0[3], x1[3], w[6], w[7]);
        x0 += 4;
        x1 += 4;
        w += 8;
    }
    for (; n > 0; --n) {
        dot_2x2_step(&s, *x0++, *x1++, w[0], w[1]);
        w += 2;
    }
    *sum = s;
}

#endif
