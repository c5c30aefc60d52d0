/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise 3x3 convolution with a horizontal stride of 1 or 2, one output per input channel.
 *
 * Three rows of input are turned into planes in scratch memory (see depthwise_3x3.h), then an output
 * row is computed from them. Either all channels' rows are kept, and each output row adds the rows
 * that are new; or, where that takes too much memory, a few channels at a time, whose rows are
 * turned again for each output row.
 */
#ifndef EDGEMCU_KERNELS_DEPTHWISE_3X3_DSP_INT8_H
#define EDGEMCU_KERNELS_DEPTHWISE_3X3_DSP_INT8_H

#include <stdint.h>

#include "../portable/window.h"
#include "depthwise_3x3.h"

struct depthwise_3x3_dsp_int8_params {
    struct window window; /* 3 x 3, not dilated, stride_x 1 or 2 */
    int32_t group;        /* channels whose rows are in scratch memory at a time: all, or some
                             multiple of 4 */
    struct depthwise_3x3 depthwise;
};

/* input: NHWC; output: NHWC; scratch, aligned to 4: 3 rows of planes for `group` channels, and
 * 4 x group bytes if there are fewer than 4 outputs in a row. The output may lie over the input as
 * far as what later rows read stays whole; and, unless `group` is all channels, what later channels
 * of the same row read. */
void depthwise_3x3_dsp_int8(const struct depthwise_3x3_dsp_int8_params *p, const int8_t *input,
                            int8_t *output, int8_t *scratch);

#endif
