/* SPDX-License-Identifier: Apache-2.0 */
/* A line of pixels of a convolution, each from one contiguous row of int8 values. */
#ifndef EDGEMCU_KERNELS_CONV_PIXELS_MVE_H
#define EDGEMCU_KERNELS_CONV_PIXELS_MVE_H

#include <stdint.h>

#include "../portable/requantize.h"

struct conv_pixels_mve {
    int32_t values;   /* of each row, at least 1 */
    int32_t stride;   /* bytes from one pixel's row to the next */
    int32_t channels; /* of the output */
    struct int8_output out;
    /* For each four output channels, the last four first, filled up with zeros: weights as int8
     * [values / 16][4][16], biases as int32 [4], multipliers as int32 [4], and shifts, <= 0, as
     * int8 [4]. */
    const int32_t *weights;
};

/* output: [pixels][channels]. The outputs of two pixels are written once both have been read; with
 * `followed`, up to 3 bytes behind them may be overwritten as well. */
void conv_pixels_mve(const struct conv_pixels_mve *p, int32_t pixels, const int8_t *x,
                     int8_t *output, int followed);

#endif
