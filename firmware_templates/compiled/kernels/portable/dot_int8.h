/* Dot products of int8 rows in register blocks: the inner loop of convolutions.
 *
 * Weights of two output channels are interleaved: w[0], w[1] belong to the first input value of
 * channel 0 and channel 1, w[2], w[3] to the second, and so on.
 */
#ifndef EDGEMCU_KERNELS_DOT_INT8_H
#define EDGEMCU_KERNELS_DOT_INT8_H

#include <stdint.h>

#include "requantize.h"

/* Sums of two pixels by two output channels: [pixel][channel]. */
struct dot_2x2 {
    uint32_t acc[2][2];
};

/* Adds the products of n values of pixels x0 and x1 with 2n interleaved weights. */
static inline void dot_2x2_int8(struct dot_2x2 *sum, const int8_t *x0, const int8_t *x1,
                                const int8_t *w, int32_t n)
{
    uint32_t acc00 = sum->acc[0][0];
    uint32_t acc01 = sum->acc[0][1];
    uint32_t acc10 = sum->acc[1][0];
    uint32_t acc11 = sum->acc[1][1];
    for (int32_t i = 0; i < n; ++i) {
        const int32_t w0 = w[2 * i];
        const int32_t w1 = w[2 * i + 1];
        acc00 = multiply_accumulate(acc00, x0[i], w0);
        acc01 = multiply_accumulate(acc01, x0[i], w1);
        acc10 = multiply_accumulate(acc10, x1[i], w0);
        acc11 = multiply_accumulate(acc11, x1[i], w1);
    }
    sum->acc[0][0] = acc00;
    sum->acc[0][1] = acc01;
    sum->acc[1][0] = acc10;
    sum->acc[1][1] = acc11;
}

#endif
