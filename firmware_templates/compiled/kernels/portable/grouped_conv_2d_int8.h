/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution whose output channels each see one group of the input channels. */
#ifndef EDGEMCU_KERNELS_GROUPED_CONV_2D_INT8_H
#define EDGEMCU_KERNELS_GROUPED_CONV_2D_INT8_H

#include <stdint.h>

#include "requantize.h"
#include "window.h"

struct grouped_conv_2d_int8_params {
    struct window window;
    int32_t output_channels;
    int32_t groups; /* divides input_channels and output_channels */
    struct int8_output out;
    struct channel_scales scales; /* output_channels entries each */
    const int8_t *weights;        /* [output_channels][height][width][input_channels / groups] */
};

/* input: NHWC; output: NHWC; patch: height x width x input_channels bytes of scratch.
 * None of them overlap. */
void grouped_conv_2d_int8(const struct grouped_conv_2d_int8_params *p, const int8_t *input,
                          int8_t *output, int8_t *patch);

#endif
