/* SPDX-License-Identifier: Apache-2.0 */
/* 2-D convolution of so many inputs that sums do not fit into the 24 bits that dot.h has for them.
 *
 * Each half of the inputs is summed up by itself, and QADD adds the two. Where that saturates, the
 * output is at the end of its range anyway: the compiler makes sure of it. 1x1 convolutions and fully
 * connected layers are convolutions like any other here.
 */
#ifndef EDGEMCU_KERNELS_CONV_2D_WIDE_DSP_INT8_H
#define EDGEMCU_KERNELS_CONV_2D_WIDE_DSP_INT8_H

#include <stdint.h>

#include "dot.h"
#include "pack_windows.h"

struct conv_2d_wide_dsp_int8_params {
    struct windows windows;
    struct dot_blocks blocks;
    int32_t output_channels;
    int32_t groups; /* of four inputs each, of both halves, the last one filled up with zeros */
    int32_t first;  /* of these, those of the first half */
    int32_t min;    /* -128 .. 127 */
    int32_t max;    /* -128 .. 127 */
    dot_routine *of_four; /* as in struct dot: sums */
    dot_routine *of_three;
    /* For each pair of channels: 2 biases and the weights of the first half, the same of the second,
     * and per channel multiplier, offset and shift. */
    const int32_t *stream;
};

/* input: NHWC; output: NHWC. scratch, aligned to 4: a packed block, 32 bytes (24 without blocks of
 * four) for each group; and the bytes of a window, unless `direct` is 1 and no window leaves the
 * image. The output may lie over the input as far as what later pixels read stays whole. */
void conv_2d_wide_dsp_int8(const struct conv_2d_wide_dsp_int8_params *p, const int8_t *input,
                           int8_t *output, int8_t *scratch);

#endif
