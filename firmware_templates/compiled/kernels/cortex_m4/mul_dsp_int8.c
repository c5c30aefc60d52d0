/* SPDX-License-Identifier: Apache-2.0 */
#include "mul_dsp_int8.h"

#include "dsp.h"

/* What is the same for all elements. */
struct product {
    uint32_t zero_a; /* of both halves of a word */
    uint32_t zero_b;
    int32_t multiplier;
    int32_t offset;
    int32_t shift;
    uint32_t min; /* four times the same byte */
    uint32_t max;
};

/* A product, twice too large, as an output that is not clamped yet. */
static inline uint32_t scaled(const struct product *p, int32_t product)
{
    /* Ties of negative values are rounded down. */
    const int32_t high = smmlar(product, p->multiplier, p->offset + (product >> 31));
    return (uint32_t)saturate_int8(high >> p->shift);
}

/* Four elements of a; those of b are in halves already, less the zero point. */
static inline uint32_t multiply_four(const struct product *p, uint32_t a, uint32_t b02,
                                     uint32_t b13)
{
    const uint32_t a02 = ssub16(sxtb16(a), p->zero_a);
    const uint32_t a13 = ssub16(sxtb16_ror8(a), p->zero_a);
    const uint32_t twice02 = sadd16(a02, a02);
    const uint32_t twice13 = sadd16(a13, a13);
    const uint32_t result0 = scaled(p, smlabb(twice02, b02, 0));
    const uint32_t result1 = scaled(p, smlabb(twice13, b13, 0));
    const uint32_t result2 = scaled(p, smlatt(twice02, b02, 0));
    const uint32_t result3 = scaled(p, smlatt(twice13, b13, 0));
    return clamp_bytes(with_bytes(result0, result1, result2, result3), p->min, p->max);
}

static inline uint32_t multiply_words(const struct product *p, uint32_t a, uint32_t b)
{
    return multiply_four(p, a, ssub16(sxtb16(b), p->zero_b), ssub16(sxtb16_ror8(b), p->zero_b));
}

static void mul_row(const void *params, const int8_t *a, const int8_t *b, int8_t *output)
{
    const struct mul_dsp_int8_params *p = params;
    /* A copy, as stores to the output could change what a pointer leads to. */
    const struct product product = {
        .zero_a = (uint16_t)p->zero_point_a * 0x00010001u,
        .zero_b = (uint16_t)p->zero_point_b * 0x00010001u,
        .multiplier = p->multiplier,
        .offset = p->offset,
        .shift = p->shift,
        .min = (uint8_t)p->min * 0x01010101u,
        .max = (uint8_t)p->max * 0x01010101u,
    };
    int32_t n = p->shape.size[3];
    uint32_t rest;

    if (p->shape.stride_b[3] == 0) {
        const uint32_t one = ssub16(sxtb16((uint8_t)*b * 0x01010101u), product.zero_b);
        for (; n >= 4; n -= 4) {
            store_word(output, multiply_four(&product, load_word(a), one, one));
            a += 4;
            output += 4;
        }
        rest = n > 0 ? multiply_four(&product, load_rest(a, n), one, one) : 0;
    } else {
        for (; n >= 4; n -= 4) {
            store_word(output, multiply_words(&product, load_word(a), load_word(b)));
            a += 4;
            b += 4;
            output += 4;
        }
        rest = n > 0 ? multiply_words(&product, load_rest(a, n), load_rest(b, n)) : 0;
    }
    store_rest(output, rest, n);
}

void mul_dsp_int8(const struct mul_dsp_int8_params *p, const int8_t *a, const int8_t *b,
                  int8_t *output)
{
    broadcast_rows(&p->shape, mul_row, p, p->swap ? b : a, p->swap ? a : b, output);
}
