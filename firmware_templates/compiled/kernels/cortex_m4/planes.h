/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of single channels as int16, which depthwise convolutions multiply two at a time. */
#ifndef EDGEMCU_KERNELS_PLANES_H
#define EDGEMCU_KERNELS_PLANES_H

#include "dsp.h"

/* Four channels of two neighbouring columns, a and b, as int16 in as many planes, `pitch` bytes
 * apart. */
static inline void store_pair(int8_t *plane, int32_t pitch, uint32_t a, uint32_t b)
{
    const uint32_t a02 = sxtb16(a);
    const uint32_t b02 = sxtb16(b);
    const uint32_t a13 = sxtb16_ror8(a);
    const uint32_t b13 = sxtb16_ror8(b);
    const uint32_t pairs[4] = {low_halves(a02, b02), low_halves(a13, b13), high_halves(a02, b02),
                               high_halves(a13, b13)};
    store_word(plane, pairs[0]);
    store_word(plane + pitch, pairs[1]);
    store_word(plane + 2 * pitch, pairs[2]);
    store_word(plane + 3 * pitch, pairs[3]);
}

#endif
