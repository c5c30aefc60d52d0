/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of two tensors of different scales. */
#ifndef EDGEMCU_KERNELS_ADD_INT8_H
#define EDGEMCU_KERNELS_ADD_INT8_H

#include <stdint.h>

#include "broadcast.h"
#include "requantize.h"

/* Both operands are brought to twice the larger of their scales with 20 more bits. */
#define ADD_INT8_LEFT_SHIFT 20

struct add_int8_operand {
    int32_t zero_point;
    int32_t multiplier;
    int32_t shift; /* <= 0 */
};

struct add_int8_params {
    struct broadcast shape;
    struct add_int8_operand a;
    struct add_int8_operand b;
    int32_t multiplier; /* of the sum, to the output's scale */
    int32_t shift;      /* <= 0 */
    struct int8_output out;
};

/* output = a + b. The output may be the same memory as an operand of its shape. */
void add_int8(const struct add_int8_params *p, const int8_t *a, const int8_t *b, int8_t *output);

#endif
