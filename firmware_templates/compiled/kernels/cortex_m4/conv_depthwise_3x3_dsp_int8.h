/* SPDX-License-Identifier: Apache-2.0 */
/* A convolution and the depthwise 3x3 convolution behind it, row by row.
 *
 * The convolution writes its outputs as the planes that the depthwise convolution reads, three rows
 * of them: what lies between the two layers never takes more memory than that, and nobody has to
 * make planes of it.
 */
#ifndef EDGEMCU_KERNELS_CONV_DEPTHWISE_3X3_DSP_INT8_H
#define EDGEMCU_KERNELS_CONV_DEPTHWISE_3X3_DSP_INT8_H

#include <stdint.h>

#include "depthwise_3x3.h"
#include "dot.h"
#include "pack_windows.h"

struct conv_depthwise_3x3_dsp_int8_params;

/* Computes a row of the convolution, as planes that begin with its first output: of any window, and
 * of a 1x1 window with a stride of 1. packed: a place for what is packed. */
typedef void conv_depthwise_row(const struct conv_depthwise_3x3_dsp_int8_params *p,
                                const struct dot_run *four, const struct dot_run *three,
                                const int8_t *input, int32_t row, int8_t *planes,
                                uint32_t *packed);
conv_depthwise_row conv_depthwise_row_of_windows;
conv_depthwise_row conv_depthwise_row_of_pixels;

struct conv_depthwise_3x3_dsp_int8_params {
    struct windows windows; /* of the convolution */
    conv_depthwise_row *row;
    struct dot_blocks blocks; /* of a row; no single pixels */
    struct dot dot; /* an even number of channels; writes planes */
    int32_t output_height;
    int32_t stride_y;
    int32_t pad_top;
    int32_t pad_left;
    int32_t zero_point; /* between the two */
    struct depthwise_3x3 depthwise;
};

/* input: NHWC; output: NHWC; scratch, aligned to 4: 3 rows of planes for all channels, and for one
 * more if they are odd; 4 bytes for each channel if the output is less than 4 wide; what
 * conv_1x1_dsp_int8 or conv_2d_dsp_int8 have there. The output may lie over the input as far as what
 * later rows read stays whole. */
void conv_depthwise_3x3_dsp_int8(const struct conv_depthwise_3x3_dsp_int8_params *p,
                                 const int8_t *input, int8_t *output, int8_t *scratch);

#endif
