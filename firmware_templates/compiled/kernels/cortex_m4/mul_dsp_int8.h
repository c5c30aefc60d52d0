/* SPDX-License-Identifier: Apache-2.0 */
/* Product of two tensors, element by element, four at a time; either may be repeated. */
#ifndef EDGEMCU_KERNELS_MUL_DSP_INT8_H
#define EDGEMCU_KERNELS_MUL_DSP_INT8_H

#include <stdint.h>

#include "../portable/broadcast.h"

struct mul_dsp_int8_params {
    struct broadcast shape;
    int32_t zero_point_a; /* -128 .. 127 */
    int32_t zero_point_b; /* -128 .. 127 */
    /* To outputs from products that are 4 times too large; see dot_3x2.h. */
    int32_t multiplier;
    int32_t offset;
    int32_t shift;
    int32_t min; /* -128 .. 127 */
    int32_t max; /* -128 .. 127 */
};

/* output = a * b. The output may be the same memory as an operand of its shape. */
void mul_dsp_int8(const struct mul_dsp_int8_params *p, const int8_t *a, const int8_t *b,
                  int8_t *output);

#endif
