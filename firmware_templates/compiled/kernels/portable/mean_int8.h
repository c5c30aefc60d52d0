/* SPDX-License-Identifier: Apache-2.0 */
/* Mean over any axes. */
#ifndef EDGEMCU_KERNELS_MEAN_INT8_H
#define EDGEMCU_KERNELS_MEAN_INT8_H

#include <stdint.h>

#include "requantize.h"

/* The axes that stay and those that are averaged, neighbours of a kind merged into one; unused
 * ones have size 1. Strides are in elements of the input. */
struct mean_int8_params {
    int32_t kept[3];
    int32_t kept_stride[3];
    int32_t reduced[3];
    int32_t reduced_stride[3];
    int32_t zero_point_sum; /* the input's zero point times the number of values averaged */
    int32_t multiplier;     /* with 1 / number of values folded in */
    int32_t shift;
    struct int8_output out;
};

/* output: the kept axes in their order; it does not overlap the input. */
void mean_int8(const struct mean_int8_params *p, const int8_t *input, int8_t *output);

#endif
