/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of any window, stride, dilation and padding, one output per input channel:
 * pixel by pixel, four channels at a time. For images so narrow that rows do not pay. */
#ifndef EDGEMCU_KERNELS_DEPTHWISE_PIXELS_DSP_INT8_H
#define EDGEMCU_KERNELS_DEPTHWISE_PIXELS_DSP_INT8_H

#include <stdint.h>

#include "../portable/window.h"

struct depthwise_pixels_dsp_int8_params {
    struct window window;
    int32_t min; /* -128 .. 127 */
    int32_t max; /* -128 .. 127 */
    /* For each four channels: biases, the four weights of each tap as bytes of a word, multipliers,
     * offsets and shifts; zeros where channels are missing. Biases are 256 times their value, the
     * rest is for sums that are; see dot.h. */
    const int32_t *stream;
};

/* input: NHWC; output: NHWC; patch: height x width x input_channels bytes of scratch, if a window
 * leaves the image. The output may lie over the input as far as what is still to be read stays
 * whole, other channels of the same pixel included. */
void depthwise_pixels_dsp_int8(const struct depthwise_pixels_dsp_int8_params *p,
                               const int8_t *input, int8_t *output, int8_t *patch);

#endif
