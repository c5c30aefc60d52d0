/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution with stride 1 by Winograd's F(2x4, 3x3), exact in integers.
 *
 * Eight outputs (a tile of two rows and four columns) take 24 multiplications for each input
 * channel in place of 72; F(2x2, 3x3) takes 32 (Lavin and Gray 2015, arXiv:1509.09308):
 *
 *     Y = A2' [(G2 g G4') * (B2' d B4)] A4
 *
 * d is the tile's 4x6 input, g the 3x3 weights. G2 holds halves and G4 fractions of 24: the
 * compiler multiplies the first by 2 and the rows of the second by 3 or 24, so that transformed
 * weights are integers, at most 36 x 128 in magnitude, and Y is 48 times the sum. All arithmetic is
 * modulo 2^32, where 3 has an inverse: 48 times the sum, times that, is 16 times the sum, which
 * rounding takes into account. So only 16 times each sum has to fit 32 bits, which the compiler
 * checks with the real weights; what is in between may wrap.
 *
 * How two channels are transformed by plain additions with a shift, of which there are none for two
 * halves: a word whose lower half is not negative is the number 2^16 high + low, for which sums and
 * shifts are right as long as the result is such a word again. So 128 is added to all inputs, and
 * WINOGRAD_2X4_LIFT more to the lower half of columns 4 and 5, which adds just that to each of the
 * six results along a row and makes none of them negative. The effect on the outputs is known: it
 * is taken off the bias, of which columns 2 and 3 have their own.
 */
#ifndef EDGEMCU_KERNELS_WINOGRAD_2X4_DSP_INT8_H
#define EDGEMCU_KERNELS_WINOGRAD_2X4_DSP_INT8_H

#include <stdint.h>

#include "../portable/window.h"

/* The largest magnitude of a negative result along a row: (4 + 4) x 255. */
#define WINOGRAD_2X4_LIFT 2040

struct winograd_2x4_block;

/* Four output channels of a block of tiles: from sums to outputs, which move on to the next
 * channels. sums: [24 places][4 channels][2 tiles]; scale: six words for each channel. */
typedef void winograd_2x4_back(const int32_t *sums, const int32_t *scale,
                               struct winograd_2x4_block *block);
winograd_2x4_back winograd_2x4_back_relu; /* outputs of -128 .. 127, zero point -128 */
winograd_2x4_back winograd_2x4_back_full; /* outputs of -128 .. 127 */
winograd_2x4_back winograd_2x4_back_any;

struct winograd_2x4_dsp_int8_params {
    struct window window;    /* 3 x 3, stride 1, not dilated, input channels in multiples of 16 */
    int32_t output_channels; /* a multiple of 4 */
    int32_t min;             /* -128 .. 127 */
    int32_t max;             /* -128 .. 127 */
    winograd_2x4_back *back;
    /* For each four output channels:
     * - [24 places of a tile][input channels / 16] times [8][4] words of two transformed weights
     *   (input channels 0 and 2 of four, then 1 and 3) and a word that says how to go on: 4 times
     *   the bytes to the next 16 channels' inputs, plus 1 if the place is complete, plus 2 if all
     *   are;
     * - for each channel 16 times the bias for columns 0 and 1, for column 2 and for column 3,
     *   multiplier, offset and shift: those of dot.h, for sums that are 16 times too large. */
    const int32_t *stream;
};

/* input: NHWC; output: NHWC; scratch, aligned to 4, in bytes: 96 for each input channel, then 24 for
 * each or 768, whichever is more, then 16 for each output channel if the output is not made of
 * whole tiles.
 * Two tiles are read before any of their outputs is written: the output may lie over the input as
 * far as what later tiles read stays whole. */
void winograd_2x4_dsp_int8(const struct winograd_2x4_dsp_int8_params *p, const int8_t *input,
                           int8_t *output, int8_t *scratch);

#endif
