/* SPDX-License-Identifier: Apache-2.0 */
/* Product of two tensors, element by element, four at a time; either may be repeated. */
#ifndef EDGEMCU_KERNELS_MUL_DSP_INT8_H
#define EDGEMCU_KERNELS_MUL_DSP_INT8_H

#include <stdint.h>

#include "../portable/broadcast.h"

struct mul_dsp_int8_params {
    /* Its a is b of the arguments if `swap` is 1. Of a's rows each has elements of its own; b has
     * one value for a whole row where stride_b[3] is 0. */
    struct broadcast shape;
    int32_t swap;
    int32_t zero_point_a; /* -128 .. 127 */
    int32_t zero_point_b; /* -128 .. 127 */
    int32_t multiplier;
    int32_t offset; /* half of 2^shift, and the output's zero point x 2^shift */
    int32_t shift;  /* 1 .. 22 */
    int32_t min;    /* -128 .. 127 */
    int32_t max;    /* -128 .. 127 */
};

/* output = a * b. The output may be the same memory as an operand of its shape. */
void mul_dsp_int8(const struct mul_dsp_int8_params *p, const int8_t *a, const int8_t *b,
                  int8_t *output);

#endif
