/* SPDX-License-Identifier: Apache-2.0 */
/* Rescaling of int32 accumulators to int8 in vectors of four, to the last bit as the portable
 * requantize.h does it.
 *
 * VQRDMULH is the first rounding, ties up; no multiplier is -2^31, so that it never saturates. The
 * second is a shift to the right by VRSHL, which rounds ties up too, where the reference rounds
 * them away from zero. They differ for negative ties only, which one subtracted beforehand puts
 * right. Where the activation cuts off all below the zero point, as RELU and RELU6 do, negative
 * values end as the same minimum either way, and the correction is left out.
 *
 * Shifts are <= 0, which is to say that factors are below 1; other layers take other kernels.
 */
#ifndef EDGEMCU_KERNELS_REQUANTIZE_MVE_H
#define EDGEMCU_KERNELS_REQUANTIZE_MVE_H

#include <arm_mve.h>
#include <stdint.h>

#include "../portable/requantize.h"

/* Words that the scales of four output channels take: biases, multipliers, and shifts as int8. */
#define SCALES_WORDS 9

/* Whether negative values end as the output's minimum, however they are rounded. */
static inline int cuts_negatives(const struct int8_output *out)
{
    return out->min >= out->zero_point;
}

/* Sums, biases included, as outputs in int32. */
static inline int32x4_t requantize_mve(int32x4_t sum, int32x4_t multiplier, int32x4_t shift,
                                       const struct int8_output *out)
{
    int32x4_t v = vqrdmulhq_s32(sum, multiplier);
    /* -1 where both the value and its shift are negative. */
    v = vaddq_s32(v, vshrq_n_s32(vandq_s32(v, shift), 31));
    v = vaddq_n_s32(vrshlq_s32(v, shift), out->zero_point);
    return vminq_s32(vmaxq_s32(v, vdupq_n_s32(out->min)), vdupq_n_s32(out->max));
}

/* Assembly for sums in a vector register v, a lane for each of four channels whose shifts are in
 * vector register `shift`: one subtracted where value and shift are both negative. `t` is lost. */
#define ROUND_AWAY_FROM_ZERO(v, shift, t)                                                          \
    "vand " t ", " v ", " shift "\n\t"                                                             \
    "vshr.s32 " t ", " t ", #31\n\t"                                                               \
    "vadd.i32 " v ", " v ", " t "\n\t"
#define ROUND_TIES_UP(v, shift, t) ""

#endif
