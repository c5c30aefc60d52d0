/* SPDX-License-Identifier: Apache-2.0 */
#include "add_int8.h"

static inline int32_t rescale_operand(const struct add_int8_operand *operand, int8_t value)
{
    const int32_t shifted = (value - operand->zero_point) * (1 << ADD_INT8_LEFT_SHIFT);
    return rescale(shifted, operand->multiplier, operand->shift);
}

static void add_row(const void *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    /* Copies, as stores to the output could change what a pointer leads to. */
    const struct add_int8_params p = *(const struct add_int8_params *)params;

    for (int32_t i = 0; i < p.shape.size[3]; ++i) {
        const int32_t sum = rescale_operand(&p.a, *a) + rescale_operand(&p.b, *b);
        output[i] = requantize(sum, p.multiplier, p.shift, &p.out);
        a += p.shape.stride_a[3];
        b += p.shape.stride_b[3];
    }
}

void add_int8(const struct add_int8_params *p, const int8_t *a, const int8_t *b, int8_t *output)
{
    broadcast_rows(&p->shape, add_row, p, a, b, output);
}
