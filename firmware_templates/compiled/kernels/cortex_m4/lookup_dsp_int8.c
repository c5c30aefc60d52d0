/* SPDX-License-Identifier: Apache-2.0 */
#include "lookup_dsp_int8.h"

#include "dsp.h"

static inline uint32_t four_results(const int8_t *table, uint32_t x)
{
    const uint32_t result0 = (uint8_t)table[x & 0xffu];
    const uint32_t result1 = (uint8_t)table[(x >> 8) & 0xffu];
    const uint32_t result2 = (uint8_t)table[(x >> 16) & 0xffu];
    const uint32_t result3 = (uint8_t)table[x >> 24];
    return result0 | (result1 << 8) | (result2 << 16) | (result3 << 24);
}

void lookup_dsp_int8(const struct lookup_dsp_int8_params *p, const int8_t *input, int8_t *output)
{
    const int8_t *table = p->table;
    int32_t n = p->elements;

    for (; n >= 8; n -= 8) {
        const uint32_t first = load_word(input);
        const uint32_t second = load_word(input + 4);
        store_word(output, four_results(table, first));
        store_word(output + 4, four_results(table, second));
        input += 8;
        output += 8;
    }
    for (; n > 0; --n) {
        *output++ = table[(uint8_t)*input++];
    }
}
