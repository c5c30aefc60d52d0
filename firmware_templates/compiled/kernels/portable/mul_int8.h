/* SPDX-License-Identifier: Apache-2.0 */
/* Product of two tensors, element by element. */
#ifndef EDGEMCU_KERNELS_MUL_INT8_H
#define EDGEMCU_KERNELS_MUL_INT8_H

#include <stdint.h>

#include "broadcast.h"
#include "requantize.h"

struct mul_int8_params {
    struct broadcast shape;
    int32_t zero_point_a;
    int32_t zero_point_b;
    int32_t multiplier;
    int32_t shift;
    struct int8_output out;
};

/* output = a * b. The output may be the same memory as an operand of its shape. */
void mul_int8(const struct mul_int8_params *p, const int8_t *a, const int8_t *b, int8_t *output);

#endif
