/* SPDX-License-Identifier: Apache-2.0 */
#include "mul_int8.h"

static void mul_row(const void *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    const struct mul_int8_params *p = params;
    const int32_t stride_a = p->shape.stride_a[3];
    const int32_t stride_b = p->shape.stride_b[3];

    for (int32_t i = 0; i < p->shape.size[3]; ++i) {
        const int32_t product = (*a - p->zero_point_a) * (*b - p->zero_point_b);
        output[i] = requantize(product, p->multiplier, p->shift, &p->out);
        a += stride_a;
        b += stride_b;
    }
}

void mul_int8(const struct mul_int8_params *p, const int8_t *a, const int8_t *b, int8_t *output)
{
    broadcast_rows(&p->shape, mul_row, p, a, b, output);
}
