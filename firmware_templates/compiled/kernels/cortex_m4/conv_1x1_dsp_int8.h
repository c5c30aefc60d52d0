/* SPDX-License-Identifier: Apache-2.0 */
/* 1x1 convolution with stride 1, and fully connected layers: rows of inputs by output channels. */
#ifndef EDGEMCU_KERNELS_CONV_1X1_DSP_INT8_H
#define EDGEMCU_KERNELS_CONV_1X1_DSP_INT8_H

#include <stdint.h>

#include "dot.h"

struct conv_1x1_dsp_int8_params {
    struct dot_blocks blocks; /* of height x width, or rows */
    int32_t input_channels;
    struct dot dot;
};

/* input: [pixels][input_channels]; output: [pixels][output_channels]; scratch, aligned to 4: a packed
 * block, 32 bytes (24 without blocks of four) for each four input channels, rounded up. A block is
 * read before any of its outputs is written: the output may lie over the input as far as what is
 * still to be read stays whole. */
void conv_1x1_dsp_int8(const struct conv_1x1_dsp_int8_params *p, const int8_t *input,
                       int8_t *output, int8_t *scratch);

#endif
