/* SPDX-License-Identifier: Apache-2.0 */
#include "add_dsp_int8.h"

#include "dsp.h"

/* One element: `exact` of the operand that is halved, the other one as an index. */
static inline uint32_t add_one(const struct add_dsp_int8_params *p, int32_t exact, uint32_t other)
{
    const int32_t sum = p->table[other] + exact * (1 << 20);
    /* Ties of negative values are rounded down. */
    const int32_t scaled = smmlar(sum, p->multiplier, p->offset + (sum >> 31));
    return (uint32_t)saturate_int8(scaled >> p->shift);
}

void add_dsp_int8(const struct add_dsp_int8_params *params, const int8_t *a, const int8_t *b,
                  int8_t *output)
{
    /* A copy, as stores to the output could change what a pointer leads to. */
    const struct add_dsp_int8_params p = *params;
    const uint32_t min = (uint8_t)p.min * 0x01010101u;
    const uint32_t max = (uint8_t)p.max * 0x01010101u;
    const int8_t *exact = p.swap ? b : a;
    const int8_t *other = p.swap ? a : b;
    int32_t n = p.elements;

    for (; n >= 4; n -= 4) {
        const uint32_t x = load_word(exact);
        const uint32_t y = load_word(other);
        const uint32_t sum0 = add_one(&p, (int8_t)x, y & 0xffu);
        const uint32_t sum1 = add_one(&p, (int8_t)(x >> 8), (y >> 8) & 0xffu);
        const uint32_t sum2 = add_one(&p, (int8_t)(x >> 16), (y >> 16) & 0xffu);
        const uint32_t sum3 = add_one(&p, (int8_t)(x >> 24), y >> 24);
        store_word(output, clamp_bytes(with_bytes(sum0, sum1, sum2, sum3), min, max));
        exact += 4;
        other += 4;
        output += 4;
    }
    for (; n > 0; --n) {
        const uint32_t sum = add_one(&p, *exact++, (uint8_t)*other++);
        *output++ = (int8_t)(uint8_t)clamp_bytes(sum, min, max);
    }
}
