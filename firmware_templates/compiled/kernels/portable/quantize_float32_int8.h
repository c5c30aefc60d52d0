/* SPDX-License-Identifier: Apache-2.0 */
/* float32 to int8. */
#ifndef EDGEMCU_KERNELS_QUANTIZE_FLOAT32_INT8_H
#define EDGEMCU_KERNELS_QUANTIZE_FLOAT32_INT8_H

#include <stdint.h>

struct quantize_float32_int8_params {
    int32_t elements;
    float scale;
    int32_t zero_point;
};

/* input: float32 values; the output may start at the same byte, as it is written behind the
 * reading. Values beyond the int8 range saturate; NaN becomes the zero point. */
void quantize_float32_int8(const struct quantize_float32_int8_params *p, const int8_t *input,
                           int8_t *output);

#endif
