/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution by Winograd's F(2x4, 3x3): see winograd.h.
 *
 * Twice G1 and 3 or 24 times the rows of G2 are integers: transformed weights are at most 36 x 128
 * in magnitude, and Y is 48 times the sum. Modulo 2^32 the number 3 has an inverse: times that, it
 * is 16 times the sum.
 *
 * Two channels are transformed along a row by plain additions with a shift, of which there are none
 * for two halves: a word whose lower half is not negative is the number 2^16 high + low, for which
 * sums and shifts are right as long as the result is such a word again. So 128 is added to all
 * inputs, and 2040 more to the lower half of columns 4 and 5, which adds just that to each of the
 * six results and makes none of them negative: the least is -(4 + 4) x 255. The effect on the
 * outputs is known: it is taken off the bias, of which columns 2 and 3 have their own. So each
 * channel's scale is the bias of columns 0 and 1, of column 2, of column 3, multiplier, offset and
 * shift.
 */
#ifndef EDGEMCU_KERNELS_WINOGRAD_2X4_DSP_INT8_H
#define EDGEMCU_KERNELS_WINOGRAD_2X4_DSP_INT8_H

#include "winograd.h"

winograd_back winograd_2x4_back_relu; /* for outputs of -128 .. 127 with a zero point of -128 */
winograd_back winograd_2x4_back_full; /* for outputs of -128 .. 127 */
winograd_back winograd_2x4_back_any;

void winograd_2x4_dsp_int8(const struct winograd_params *p, const int8_t *input, int8_t *output,
                           int8_t *scratch);

#endif
