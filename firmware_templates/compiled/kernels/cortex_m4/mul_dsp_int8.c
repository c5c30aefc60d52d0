/* SPDX-License-Identifier: Apache-2.0 */
#include "mul_dsp_int8.h"

#include "dsp.h"

/* What is the same for all elements. */
struct product {
    uint32_t zero_a; /* of both halves of a word */
    uint32_t zero_b; /* likewise: 4 x (zero point + 128) */
    int32_t multiplier;
    int32_t offset;
    int32_t shift;
    uint32_t min; /* four times the same byte */
    uint32_t max;
};

/* A product, 4 times too large, as an output that is not clamped yet. */
static inline uint32_t scaled(const struct product *p, int32_t product)
{
    /* Ties of negative values are rounded down. */
    const int32_t offset = p->offset + (product >> 31) * 2;
    return (uint8_t)saturate_int8(smmla(product, p->multiplier, offset) >> p->shift);
}

/* Four elements, of which the bytes of a and b are two operands each. */
static inline uint32_t multiply_four(const struct product *p, uint32_t a, uint32_t b)
{
    /* The second operand is made positive, so that it can be shifted with its neighbour. */
    const uint32_t positive = b ^ 0x80808080u;
    const uint32_t b02 = ssub16((positive & 0x00ff00ffu) << 2, p->zero_b);
    const uint32_t b13 = ssub16(((positive >> 8) & 0x00ff00ffu) << 2, p->zero_b);
    const uint32_t a02 = ssub16(sxtb16(a), p->zero_a);
    const uint32_t a13 = ssub16(sxtb16_ror8(a), p->zero_a);
    const uint32_t result0 = scaled(p, smlabb(a02, b02, 0));
    const uint32_t result1 = scaled(p, smlabb(a13, b13, 0));
    const uint32_t result2 = scaled(p, smlatt(a02, b02, 0));
    const uint32_t result3 = scaled(p, smlatt(a13, b13, 0));
    const uint32_t word = result0 | (result1 << 8) | (result2 << 16) | (result3 << 24);
    return clamp_bytes(word, p->min, p->max);
}

static void mul_row(const void *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    const struct mul_dsp_int8_params *p = params;
    const struct product product = {
        .zero_a = (uint16_t)p->zero_point_a * 0x00010001u,
        .zero_b = 4 * (uint32_t)(p->zero_point_b + 128) * 0x00010001u,
        .multiplier = p->multiplier,
        .offset = p->offset,
        .shift = p->shift,
        .min = (uint8_t)p->min * 0x01010101u,
        .max = (uint8_t)p->max * 0x01010101u,
    };
    const int32_t stride_a = p->shape.stride_a[3];
    const int32_t stride_b = p->shape.stride_b[3];
    const uint32_t all_a = (uint8_t)*a * 0x01010101u;
    const uint32_t all_b = (uint8_t)*b * 0x01010101u;
    int32_t n = p->shape.size[3];

    for (; n >= 4; n -= 4) {
        const uint32_t x = stride_a != 0 ? load_word(a) : all_a;
        const uint32_t y = stride_b != 0 ? load_word(b) : all_b;
        store_word(output, multiply_four(&product, x, y));
        a += 4 * stride_a;
        b += 4 * stride_b;
        output += 4;
    }
    if (n > 0) {
        const uint32_t x = stride_a != 0 ? load_rest(a, n) : all_a;
        const uint32_t y = stride_b != 0 ? load_rest(b, n) : all_b;
        const uint32_t word = multiply_four(&product, x, y);
        for (int32_t i = 0; i < n; ++i) {
            output[i] = (int8_t)(uint8_t)(word >> 8 * i);
        }
    }
}

void mul_dsp_int8(const struct mul_dsp_int8_params *p, const int8_t *a, const int8_t *b,
                  int8_t *output)
{
    broadcast_rows(&p->shape, mul_row, p, a, b, output);
}
