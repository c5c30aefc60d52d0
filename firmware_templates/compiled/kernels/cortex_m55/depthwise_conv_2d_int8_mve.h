/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of any window, stride, dilation and padding, sixteen channels at a time. */
#ifndef EDGEMCU_KERNELS_DEPTHWISE_CONV_2D_INT8_MVE_H
#define EDGEMCU_KERNELS_DEPTHWISE_CONV_2D_INT8_MVE_H

#include <stdint.h>

#include "../portable/requantize.h"
#include "../portable/window.h"

struct depthwise_conv_2d_int8_mve_params {
    struct window window;
    struct int8_output out;
    /* For each sixteen channels, filled up with zeros: sixteen biases, sixteen multipliers, and
     * sixteen shifts, <= 0, as int8, all in the order of the channels 0, 4, 8, 12, 2, 6, 10, 14, 1,
     * 5, 9, 13, 3, 7, 11, 15, in which products of vectors come. */
    const int32_t *scales;
    const int8_t *weights; /* [height][width][input_channels] */
};

/* input: NHWC; output: NHWC. A pixel's outputs are written sixteen channels at a time, once those
 * channels of its window have been read. */
void depthwise_conv_2d_int8_mve(const struct depthwise_conv_2d_int8_mve_params *p,
                                const int8_t *input, int8_t *output);

#endif
