/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of two tensors of the same shape. */
#ifndef EDGEMCU_KERNELS_ADD_INT8_MVE_H
#define EDGEMCU_KERNELS_ADD_INT8_MVE_H

#include <stdint.h>

#include "../portable/requantize.h"

/* Both operands are brought to twice the larger of their scales with 20 more bits. For the one
 * that has the larger scale, the coarse one, this is a multiplication by 2^19. */
struct add_int8_mve_params {
    int32_t elements;   /* at least 1 */
    int32_t coarse;     /* which operand it is: 0 or 1 */
    int32_t coarse_sum; /* -2^19 times its zero point */
    int32_t fine_sum;   /* -2^20 times the other's */
    int32_t fine_multiplier;
    int32_t fine_shift; /* <= 0 */
    int32_t multiplier; /* of the sum, to the output's scale */
    int32_t shift;      /* <= 0 */
    struct int8_output out;
};

/* output = a + b. The output may be the same memory as an operand. */
void add_int8_mve(const struct add_int8_mve_params *p, const int8_t *a, const int8_t *b,
                  int8_t *output);

#endif
