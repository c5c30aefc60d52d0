/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of two tensors of the same shape.
 *
 * The reference brings both operands to twice the larger scale with 20 more bits. That halves the
 * operand with the larger scale, which is exact; what rounding makes of the other one is a table.
 */
#ifndef EDGEMCU_KERNELS_ADD_DSP_INT8_H
#define EDGEMCU_KERNELS_ADD_DSP_INT8_H

#include <stdint.h>

struct add_dsp_int8_params {
    int32_t elements;
    int32_t swap; /* 1: b is the operand with the larger scale, else a */
    /* For each byte of the other operand, twice its share of the sum less both zero points. */
    const int32_t *table;
    int32_t multiplier;
    int32_t offset; /* half of 2^shift, and the output's zero point x 2^shift */
    int32_t shift;  /* 1 .. 22 */
    int32_t min;    /* -128 .. 127 */
    int32_t max;    /* -128 .. 127 */
};

/* output = a + b. The output may be the same memory as an operand. */
void add_dsp_int8(const struct add_dsp_int8_params *p, const int8_t *a, const int8_t *b,
                  int8_t *output);

#endif
