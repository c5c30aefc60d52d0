/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution of any window, stride and padding; dilation in the vertical direction only. */
#ifndef EDGEMCU_KERNELS_CONV_2D_INT8_MVE_H
#define EDGEMCU_KERNELS_CONV_2D_INT8_MVE_H

#include <stdint.h>

#include "../portable/window.h"
#include "conv_pixels_mve.h"

struct conv_2d_int8_mve_params {
    struct window window;
    /* Columns of the input, padding included, that a row of outputs reads; 0 for 1x1 windows
     * without padding, which read the input as it lies. */
    int32_t columns;
    struct conv_pixels_mve conv; /* weights in the order [width][height][input_channels] */
};

/* input: NHWC; output: NHWC; lines: columns x height x input_channels bytes of scratch. Without
 * columns, the outputs of two pixels are written once their inputs have been read; with columns,
 * those of a row are. Except at the end of the output, up to 3 bytes behind those may be overwritten
 * as well. */
void conv_2d_int8_mve(const struct conv_2d_int8_mve_params *p, const int8_t *input, int8_t *output,
                      int8_t *lines);

#endif
