/* SPDX-License-Identifier: Apache-2.0 */
/* A tensor set into a larger one, the rest of which holds one value. */
#ifndef EDGEMCU_KERNELS_PAD_INT8_H
#define EDGEMCU_KERNELS_PAD_INT8_H

#include <stdint.h>

/* The input is cut into runs of bytes that stay contiguous; unused axes have size 1. */
struct pad_int8_params {
    int32_t output_bytes;
    int32_t value; /* -128 .. 127 */
    int32_t first; /* where in the output the first run goes */
    int32_t run;   /* bytes of a run */
    int32_t size[4];
    int32_t output_stride[4];
};

/* output does not overlap the input. */
void pad_int8(const struct pad_int8_params *p, const int8_t *input, int8_t *output);

#endif
