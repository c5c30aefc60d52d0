/* SPDX-License-Identifier: Apache-2.0 */
/* 1x1 convolution with stride 1, and fully connected layers: rows of inputs by output channels. */
#ifndef EDGEMCU_KERNELS_CONV_1X1_DSP_INT8_H
#define EDGEMCU_KERNELS_CONV_1X1_DSP_INT8_H

#include <stdint.h>

#include "dot_3x2.h"

struct conv_1x1_dsp_int8_params {
    int32_t pixels; /* height x width, or rows */
    int32_t input_channels;
    struct dot_3x2 dot;
};

/* input: [pixels][input_channels]; output: [pixels][output_channels]; scratch, aligned to 4: 24
 * bytes for each four input channels, rounded up. Three pixels are read before any of their outputs
 * is written: the output may lie over the input as far as what is still to be read stays whole. */
void conv_1x1_dsp_int8(const struct conv_1x1_dsp_int8_params *p, const int8_t *input,
                       int8_t *output, int8_t *scratch);

#endif
