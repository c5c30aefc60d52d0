/* SPDX-License-Identifier: Apache-2.0 */
/* int8 to float32. */
#ifndef EDGEMCU_KERNELS_DEQUANTIZE_INT8_FLOAT32_H
#define EDGEMCU_KERNELS_DEQUANTIZE_INT8_FLOAT32_H

#include <stdint.h>

struct dequantize_int8_float32_params {
    int32_t elements;
    float scale;
    int32_t zero_point;
};

/* output: float32 values; it does not overlap the input. */
void dequantize_int8_float32(const struct dequantize_int8_float32_params *p, const int8_t *input,
                             int8_t *output);

#endif
