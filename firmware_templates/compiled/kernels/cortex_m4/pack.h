/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs of three pixels as `dot_3x2` wants them. */
#ifndef EDGEMCU_KERNELS_PACK_H
#define EDGEMCU_KERNELS_PACK_H

#include "dot_3x2.h"
#include "dsp.h"

/* Four inputs of one pixel; `packed` points at its word L. */
static inline void pack_word(uint32_t *packed, uint32_t x)
{
    packed[0] = sxtb16(x);
    packed[3] = x ^ 0xff7fff7fu;
}

/* `words` groups of four inputs of each of three pixels; returns where to go on. */
static inline uint32_t *pack_three(uint32_t *packed, const int8_t *x0, const int8_t *x1,
                                   const int8_t *x2, int32_t words)
{
    for (; words > 0; --words) {
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
    return packed;
}

/* All `n` inputs of three pixels. */
static inline void pack_pixels(uint32_t *packed, const int8_t *x0, const int8_t *x1,
                               const int8_t *x2, int32_t n)
{
    const int32_t rest = n % 4;
    packed = pack_three(packed, x0, x1, x2, n / 4);
    if (rest > 0) {
        pack_word(packed, load_rest(x0 + n - rest, rest));
        pack_word(packed + 1, load_rest(x1 + n - rest, rest));
        pack_word(packed + 2, load_rest(x2 + n - rest, rest));
    }
}

#endif
