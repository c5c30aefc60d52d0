/* SPDX-License-Identifier: Apache-2.0 */
/* One input of a concatenation, copied to its place in the output. */
#ifndef EDGEMCU_KERNELS_CONCATENATION_INT8_H
#define EDGEMCU_KERNELS_CONCATENATION_INT8_H

#include <stdint.h>

struct concatenation_int8_params {
    int32_t blocks;        /* product of the axes before the one that is joined */
    int32_t block;         /* bytes of this input in each block */
    int32_t output_stride; /* bytes of all inputs in each block */
    int32_t first;         /* where in a block this input goes */
};

/* output does not overlap the input. */
void concatenation_int8(const struct concatenation_int8_params *p, const int8_t *input,
                        int8_t *output);

#endif
