/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 convolution with stride 1 or 2 in both directions.
 *
 * VMLADAV.S8 sums 16 products, and four rows by four columns of one channel are 16 values: windows
 * of 2x2 outputs with stride 1. The input is brought into such an order a pair of rows at a time:
 * for each channel, columns of four rows. The weights of each output lie in a vector of their own,
 * with zeros where the window is not.
 */
#ifndef EDGEMCU_KERNELS_DEPTHWISE_CONV_3X3_INT8_MVE_H
#define EDGEMCU_KERNELS_DEPTHWISE_CONV_3X3_INT8_MVE_H

#include <stdint.h>

#include "../portable/requantize.h"
#include "../portable/window.h"

struct depthwise_channel_mve {
    int32_t bias;
    int32_t multiplier;
    int8_t weights[10]; /* [3][3], and a 0 */
    int8_t shift;       /* <= 0 */
    int8_t unused;
};

struct depthwise_conv_3x3_int8_mve_params {
    struct window window; /* 3x3, no dilation, stride_x = stride_y <= 2 */
    /* Input columns, padding included, in scratch memory: 2 more than the output's width rounded
     * up to even with stride 1, and than twice that width rounded up to 4 with stride 2. */
    int32_t columns;
    struct int8_output out;
    const int32_t *channels; /* input_channels times struct depthwise_channel_mve */
};

/* input: NHWC; output: NHWC; planes: input_channels x columns x 4 bytes of scratch, aligned to 2
 * bytes. The outputs of two rows (stride 1) or of one (stride 2) are written once their window's
 * first input row and the three behind it have been read, which are not read again. */
void depthwise_conv_3x3_int8_mve(const struct depthwise_conv_3x3_int8_mve_params *p,
                                 const int8_t *input, int8_t *output, int8_t *planes);

#endif
