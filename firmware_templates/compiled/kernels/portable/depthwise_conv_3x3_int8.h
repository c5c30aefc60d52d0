/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 convolution, one output channel per input channel, any stride and padding. */
#ifndef EDGEMCU_KERNELS_DEPTHWISE_CONV_3X3_INT8_H
#define EDGEMCU_KERNELS_DEPTHWISE_CONV_3X3_INT8_H

#include <stdint.h>

#include "requantize.h"
#include "window.h"

struct depthwise_conv_3x3_int8_params {
    struct window window; /* 3 x 3, not dilated */
    struct int8_output out;
    struct channel_scales scales; /* input_channels entries each */
    const int8_t *weights;        /* [input_channels][3][3] */
};

/* input: NHWC; output: NHWC; patch: 12 x input_channels bytes of scratch. None of them overlap. */
void depthwise_conv_3x3_int8(const struct depthwise_conv_3x3_int8_params *p, const int8_t *input,
                             int8_t *output, int8_t *patch);

#endif
