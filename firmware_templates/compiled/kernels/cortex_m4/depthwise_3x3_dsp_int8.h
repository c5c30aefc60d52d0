/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 convolution with a horizontal stride of 1 or 2, one output per input channel.
 *
 * Three rows of input are turned into planes of int16 in scratch memory, where the neighbours that
 * one SMLAD multiplies lie side by side, and where padding is ordinary data. Then each channel's
 * row is computed, four outputs at a time. Either all channels' rows are kept, and each output row
 * adds the rows that are new; or, where that takes too much memory, a few channels at a time, whose
 * rows are turned again for each output row.
 */
#ifndef EDGEMCU_KERNELS_DEPTHWISE_3X3_DSP_INT8_H
#define EDGEMCU_KERNELS_DEPTHWISE_3X3_DSP_INT8_H

#include <stdint.h>

#include "../portable/window.h"

struct depthwise_3x3_run;

/* One output row of some channels, by the horizontal stride: "six" is for a stride of 1 and rows of
 * five or six outputs. "relu" is for outputs of -128 .. 127 whose zero point is -128. */
typedef void depthwise_3x3_routine(struct depthwise_3x3_run *run);
depthwise_3x3_routine depthwise_3x3_1_relu;
depthwise_3x3_routine depthwise_3x3_1_any;
depthwise_3x3_routine depthwise_3x3_2_relu;
depthwise_3x3_routine depthwise_3x3_2_any;
depthwise_3x3_routine depthwise_3x3_six_relu;
depthwise_3x3_routine depthwise_3x3_six_any;

struct depthwise_3x3_dsp_int8_params {
    struct window window; /* 3 x 3, not dilated, stride_x 1 or 2 */
    int32_t group;        /* channels whose rows are in scratch memory at a time: all, or some
                             multiple of 4 */
    int32_t min;          /* -128 .. 127 */
    int32_t max;          /* -128 .. 127 */
    depthwise_3x3_routine *routine;
    /* Per channel: bias, the weights of three rows, multiplier, offset and shift. Weights are 256
     * times their value, two to a word: the left and the middle one, the middle and the right one.
     * Multiplier, offset and shift are those of dot_3x2.h. */
    const int32_t *stream;
};

/* Bytes of one channel's plane of an input row: what `outputs` (4 or more) outputs read. */
#define DEPTHWISE_3X3_PLANE_BYTES(outputs, stride_x) ((((outputs)-1) * (stride_x) + 4) / 2 * 4)

/* input: NHWC; output: NHWC; scratch, aligned to 4: 3 rows of planes for `group` channels, and
 * 4 x group bytes if there are fewer than 4 outputs in a row. The output may lie over the input as
 * far as what later rows read stays whole; and, unless `group` is all channels, what later channels
 * of the same row read. */
void depthwise_3x3_dsp_int8(const struct depthwise_3x3_dsp_int8_params *p, const int8_t *input,
                            int8_t *output, int8_t *scratch);

#endif
