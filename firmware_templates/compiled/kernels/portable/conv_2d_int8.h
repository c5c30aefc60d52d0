/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution of any window, stride, dilation and padding. */
#ifndef EDGEMCU_KERNELS_CONV_2D_INT8_H
#define EDGEMCU_KERNELS_CONV_2D_INT8_H

#include <stdint.h>

#include "requantize.h"
#include "window.h"

struct conv_2d_int8_params {
    struct window window;
    int32_t output_channels;
    int32_t always_gather; /* 1 where window rows are not contiguous in the input, or short */
    struct int8_output out;
    struct channel_scales scales; /* output_channels entries each, rounded up to even */
    /* [output_channels / 2][height][width][input_channels][2], zero-filled */
    const int8_t *weights;
};

/* input: NHWC; output: NHWC; patches: 2 x height x width x input_channels bytes of scratch.
 * None of them overlap. */
void conv_2d_int8(const struct conv_2d_int8_params *p, const int8_t *input, int8_t *output,
                  int8_t *patches);

#endif
