/* SPDX-License-Identifier: Apache-2.0 */
#include "quantize_float32_int8.h"

#include <string.h>

#include "requantize.h"

/* To nearest, ties away from zero; |value| <= 512. */
static int32_t round_to_int(float value)
{
    const int32_t whole = (int32_t)value;
    const float fraction = value - (float)whole;
    if (fraction >= 0.5f) {
        return whole + 1;
    }
    return fraction <= -0.5f ? whole - 1 : whole;
}

void quantize_float32_int8(const struct quantize_float32_int8_params *p, const int8_t *input,
                           int8_t *output)
{
    for (int32_t i = 0; i < p->elements; ++i) {
        float value;
        memcpy(&value, input, sizeof value);
        input += sizeof value;

        value /= p->scale;
        int32_t rounded = 0;
        if (value > 512.0f) {
            rounded = 512;
        } else if (value < -512.0f) {
            rounded = -512;
        } else if (value == value) { /* not NaN */
            rounded = round_to_int(value);
        }
        output[i] = (int8_t)clamp(rounded + p->zero_point, INT8_MIN, INT8_MAX);
    }
}
