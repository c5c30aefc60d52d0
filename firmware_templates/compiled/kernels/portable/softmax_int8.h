/* SPDX-License-Identifier: Apache-2.0 */
/* Softmax over the last axis; the output's scale is 1/256 and its zero point -128. */
#ifndef EDGEMCU_KERNELS_SOFTMAX_INT8_H
#define EDGEMCU_KERNELS_SOFTMAX_INT8_H

#include <stdint.h>

struct softmax_int8_params {
    int32_t rows;
    int32_t depth;              /* values of a row, 1 .. 4095 */
    int32_t exponentials;       /* entries of the table, 1 .. 256 */
    const int32_t *exponential; /* exp(-i x input scale x beta) in Q0.31; 0 beyond the table */
};

/* The output may be the same memory as the input. */
void softmax_int8(const struct softmax_int8_params *p, const int8_t *input, int8_t *output);

#endif
