/* SPDX-License-Identifier: Apache-2.0 */
/* Inputs of a block of pixels as `dot` wants them. `pixels`, of the block, is 3 or 4. */
#ifndef EDGEMCU_KERNELS_PACK_H
#define EDGEMCU_KERNELS_PACK_H

#include "dot.h"
#include "dsp.h"

/* Four inputs of one pixel; `packed` points at its word L. */
static inline void pack_word(uint32_t *packed, uint32_t x, int32_t pixels)
{
    packed[0] = sxtb16(x);
    packed[pixels] = x ^ 0xff7fff7fu;
}

#endif
