/* SPDX-License-Identifier: Apache-2.0 */
/* 1x1 convolution with stride 1: a matrix product of pixels by output channels. */
#ifndef EDGEMCU_KERNELS_CONV_1X1_INT8_H
#define EDGEMCU_KERNELS_CONV_1X1_INT8_H

#include <stdint.h>

#include "requantize.h"

struct conv_1x1_int8_params {
    int32_t pixels; /* height x width */
    int32_t input_channels;
    int32_t output_channels;
    struct int8_output out;
    struct channel_scales scales; /* output_channels entries each, rounded up to even */
    const int8_t *weights;        /* [output_channels / 2][input_channels][2], zero-filled */
};

/* input: [pixels][input_channels]; output: [pixels][output_channels]; they do not overlap. */
void conv_1x1_int8(const struct conv_1x1_int8_params *p, const int8_t *input, int8_t *output);

#endif
