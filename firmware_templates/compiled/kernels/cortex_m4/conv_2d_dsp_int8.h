/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution of any window, stride, dilation and padding, three pixels at a time. */
#ifndef EDGEMCU_KERNELS_CONV_2D_DSP_INT8_H
#define EDGEMCU_KERNELS_CONV_2D_DSP_INT8_H

#include <stdint.h>

#include "dot_3x2.h"
#include "pack_windows.h"

struct conv_2d_dsp_int8_params {
    struct windows windows;
    struct dot_3x2 dot; /* weights in the order of pack_windows */
};

/* input: NHWC; output: NHWC. scratch, aligned to 4: 24 bytes for each four values of a window,
 * rounded up; and the bytes of three windows, unless `direct` is 1, no window leaves the image, and
 * rows have a multiple of three outputs. The output may lie over the input as far as what later
 * pixels read stays whole. */
void conv_2d_dsp_int8(const struct conv_2d_dsp_int8_params *p, const int8_t *input, int8_t *output,
                      int8_t *scratch);

#endif
