/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 2-D convolution of any window, stride, dilation, padding and depth multiplier. */
#ifndef EDGEMCU_KERNELS_DEPTHWISE_CONV_2D_INT8_H
#define EDGEMCU_KERNELS_DEPTHWISE_CONV_2D_INT8_H

#include <stdint.h>

#include "requantize.h"
#include "window.h"

struct depthwise_conv_2d_int8_params {
    struct window window;
    int32_t depth_multiplier; /* output channels per input channel */
    struct int8_output out;
    struct channel_scales scales; /* input_channels x depth_multiplier entries each */
    const int8_t *weights;        /* [input_channels][depth_multiplier][height][width] */
};

/* input: NHWC; output: NHWC; patch: height x width x input_channels bytes of scratch.
 * None of them overlap. */
void depthwise_conv_2d_int8(const struct depthwise_conv_2d_int8_params *p, const int8_t *input,
                            int8_t *output, int8_t *patch);

#endif
