/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs of three pixels as `dot_3x2` wants them. */
#ifndef EDGEMCU_KERNELS_PACK_H
#define EDGEMCU_KERNELS_PACK_H

#include "dot_3x2.h"
#include "dsp.h"

/* Four inputs of one pixel; `packed` points at its word N. */
static inline void pack_word(uint32_t *packed, uint32_t x)
{
    packed[0] = ~sxtb16(x);
    packed[3] = x ^ 0x00800080u;
}

/* The last one to three inputs, filled up with anything, as their weights are 0. */
static inline uint32_t load_rest(const int8_t *x, int32_t n)
{
    uint32_t word = (uint8_t)x[0];
    word |= n > 1 ? (uint32_t)(uint8_t)x[1] << 8 : 0;
    word |= n > 2 ? (uint32_t)(uint8_t)x[2] << 16 : 0;
    return word;
}

/* n inputs of each of three pixels. */
static inline void pack_three(uint32_t *packed, const int8_t *x0, const int8_t *x1,
                              const int8_t *x2, int32_t n)
{
    for (; n >= 4; n -= 4) {
        const uint32_t w0 = load_word(x0);
        const uint32_t w1 = load_word(x1);
        const uint32_t w2 = load_word(x2);
        pack_word(packed, w0);
        pack_word(packed + 1, w1);
        pack_word(packed + 2, w2);
        packed += DOT_3X2_WORDS_PER_GROUP;
        x0 += 4;
        x1 += 4;
        x2 += 4;
    }
    if (n > 0) {
        pack_word(packed, load_rest(x0, n));
        pack_word(packed + 1, load_rest(x1, n));
        pack_word(packed + 2, load_rest(x2, n));
    }
}

/* n inputs of one pixel, a multiple of four; returns where to go on. */
static inline uint32_t *pack_run(uint32_t *packed, const int8_t *x, int32_t n)
{
    for (; n >= 8; n -= 8) {
        const uint32_t w0 = load_word(x);
        const uint32_t w1 = load_word(x + 4);
        pack_word(packed, w0);
        pack_word(packed + DOT_3X2_WORDS_PER_GROUP, w1);
        packed += 2 * DOT_3X2_WORDS_PER_GROUP;
        x += 8;
    }
    if (n > 0) {
        pack_word(packed, load_word(x));
        packed += DOT_3X2_WORDS_PER_GROUP;
    }
    return packed;
}

#endif
