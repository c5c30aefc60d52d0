/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution of any window, stride, dilation and padding, a block of pixels at a time. */
#ifndef EDGEMCU_KERNELS_CONV_2D_DSP_INT8_H
#define EDGEMCU_KERNELS_CONV_2D_DSP_INT8_H

#include <stdint.h>

#include "dot.h"
#include "pack_windows.h"

struct conv_2d_dsp_int8_params {
    struct windows windows;
    struct dot_blocks blocks;
    struct dot dot; /* weights in the order of pack_windows */
};

/* input: NHWC; output: NHWC. scratch, aligned to 4: a packed block, 32 bytes (24 without blocks of
 * four) for each four values of a window, rounded up; and the bytes of a window, unless `direct` is 1 and no
 * window leaves the image. The output may lie over the input as far as what later pixels read stays
 * whole. */
void conv_2d_dsp_int8(const struct conv_2d_dsp_int8_params *p, const int8_t *input, int8_t *output,
                      int8_t *scratch);

#endif
