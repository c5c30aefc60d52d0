/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of any window, stride, dilation and padding, one output per input channel,
 * four channels at a time. */
#ifndef EDGEMCU_KERNELS_DEPTHWISE_2D_DSP_INT8_H
#define EDGEMCU_KERNELS_DEPTHWISE_2D_DSP_INT8_H

#include <stdint.h>

#include "../portable/requantize.h"
#include "../portable/window.h"

struct depthwise_2d_dsp_int8_params {
    struct window window;
    struct int8_output out;
    struct channel_scales scales; /* input_channels entries each */
    const int8_t *weights;        /* [input_channels / 4][height][width][4], filled up with zeros */
};

/* input: NHWC; output: NHWC; patch: height x width x input_channels bytes of scratch, if a window
 * leaves the image. The output may lie over the input as far as what is still to be read stays
 * whole, other channels of the same pixel included. */
void depthwise_2d_dsp_int8(const struct depthwise_2d_dsp_int8_params *p, const int8_t *input,
                           int8_t *output, int8_t *patch);

#endif
