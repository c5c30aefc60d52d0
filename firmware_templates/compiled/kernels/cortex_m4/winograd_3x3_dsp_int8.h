/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution by Winograd's F(2x2, 3x3): see winograd.h.
 *
 * B and A hold only 0, 1 and -1. G holds halves, so the compiler uses 2 G: transformed weights are
 * at most 9 x 128 in magnitude, and Y is four times the sum. Transformed inputs are at most
 * 4 x 128.
 * Each channel's scale is its bias, multiplier, offset and shift.
 */
#ifndef EDGEMCU_KERNELS_WINOGRAD_3X3_DSP_INT8_H
#define EDGEMCU_KERNELS_WINOGRAD_3X3_DSP_INT8_H

#include "winograd.h"

winograd_back winograd_3x3_back_relu; /* for outputs of -128 .. 127 with a zero point of -128 */
winograd_back winograd_3x3_back_full; /* for outputs of -128 .. 127 */
winograd_back winograd_3x3_back_any;

void winograd_3x3_dsp_int8(const struct winograd_params *p, const int8_t *input, int8_t *output,
                           int8_t *scratch);

#endif
