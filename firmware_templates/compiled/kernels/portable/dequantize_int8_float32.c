/* SPDX-License-Identifier: Apache-2.0 */
#include "dequantize_int8_float32.h"

#include <string.h>

void dequantize_int8_float32(const struct dequantize_int8_float32_params *p, const int8_t *input,
                             int8_t *output)
{
    for (int32_t i = 0; i < p->elements; ++i) {
        const float value = p->scale * (float)(input[i] - p->zero_point);
        memcpy(output, &value, sizeof value);
        output += sizeof value;
    }
}
