/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution with stride 1 by Winograd's F(2x2, 3x3), exact in integers.
 *
 * Four outputs (a tile of 2x2) take 16 multiplications for each input channel in place of 36
 * (Lavin and Gray 2015, arXiv:1509.09308):
 *
 *     Y = A' [(G g G') * (B' d B)] A
 *
 * d is the tile's 4x4 input, g the 3x3 weights. B and A hold only 0, 1 and -1. G holds halves, so
 * the compiler uses 2 G: transformed weights are integers, at most 9 x 128 in magnitude, and Y is
 * four times the sum, which rounding takes into account. Transformed inputs are at most 4 x 128.
 * The compiler checks with the real weights that 4 times each sum stays within 32 bits; what is in
 * between may wrap.
 */
#ifndef EDGEMCU_KERNELS_WINOGRAD_3X3_DSP_INT8_H
#define EDGEMCU_KERNELS_WINOGRAD_3X3_DSP_INT8_H

#include <stdint.h>

#include "../portable/window.h"

struct winograd_3x3_block;

/* One output channel of a block of tiles: from sums to outputs, which move on to the next channel.
 * sums: [16][6], from the channel's first on; scale: four times the bias, multiplier, offset and
 * shift. `winograd_3x3_back_relu` is for outputs of -128 .. 127 whose zero point is -128. */
typedef void winograd_3x3_back(const int32_t *sums, const int32_t *scale,
                               struct winograd_3x3_block *block);
winograd_3x3_back winograd_3x3_back_relu;
winograd_3x3_back winograd_3x3_back_any;

struct winograd_3x3_dsp_int8_params {
    struct window window;    /* 3 x 3, stride 1, not dilated, input channels in multiples of 16 */
    int32_t output_channels; /* even */
    int32_t min;             /* -128 .. 127 */
    int32_t max;             /* -128 .. 127 */
    winograd_3x3_back *back;
    /* For each pair of output channels: [16 places of a tile][input channels / 2][2] words of two
     * transformed weights (channels 0 and 2 of four, then 1 and 3), then for both channels four
     * times the bias, multiplier, offset and shift: those of dot.h, for sums that are four
     * times too large. */
    const int32_t *stream;
};

/* input: NHWC; output: NHWC; scratch, aligned to 4: 112 bytes for each input channel and 384 more.
 * Three tiles are read before any of their outputs is written: the output may lie over the input as
 * far as what later tiles read stays whole. */
void winograd_3x3_dsp_int8(const struct winograd_3x3_dsp_int8_params *p, const int8_t *input,
                           int8_t *output, int8_t *scratch);

#endif
