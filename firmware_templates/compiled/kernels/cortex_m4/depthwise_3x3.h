/* SPDX-License-Identifier: Apache-2.0 */
/* One row of outputs of a depthwise 3x3 convolution with a horizontal stride of 1 or 2.
 *
 * It is computed from planes: rows of one channel as int16, so that the neighbours that one SMLAD
 * multiplies lie side by side, and padding is ordinary data.
 */
#ifndef EDGEMCU_KERNELS_DEPTHWISE_3X3_H
#define EDGEMCU_KERNELS_DEPTHWISE_3X3_H

#include <stdint.h>

struct depthwise_3x3_run;

/* By the horizontal stride: "six" is for a stride of 1, rows of five or six outputs, and planes of
 * 16 bytes. "relu_10" is for outputs of -128 .. 127 whose zero point is -128, with one shift for
 * all channels. */
typedef void depthwise_3x3_routine(struct depthwise_3x3_run *run);
depthwise_3x3_routine depthwise_3x3_1_relu_10;
depthwise_3x3_routine depthwise_3x3_1_any;
depthwise_3x3_routine depthwise_3x3_2_relu_10;
depthwise_3x3_routine depthwise_3x3_2_any;
depthwise_3x3_routine depthwise_3x3_six_relu_10;
depthwise_3x3_routine depthwise_3x3_six_any;

struct depthwise_3x3 {
    int32_t channels;
    int32_t output_width;
    int32_t stride_x;
    int32_t plane_bytes; /* of one channel's row; at least what 4 outputs read */
    int32_t min;         /* -128 .. 127 */
    int32_t max;         /* -128 .. 127 */
    depthwise_3x3_routine *routine;
    int32_t channel_words; /* of stream for each channel */
    /* Per channel: bias, the weights of three rows, multiplier, offset and, for "any", shift.
     * Weights are 256 times their value, two to a word: the left and the middle one, the middle and
     * the right one. Multiplier, offset and shift are those of dot.h. */
    const int32_t *stream;
};

/* `count` channels from `first` on. rows: of these channels, plane behind plane; output: NHWC, all
 * channels of the row's first pixel; few: 4 x count bytes if there are fewer than 4 outputs. */
void depthwise_3x3_row(const struct depthwise_3x3 *p, const int8_t *const rows[3], int32_t first,
                       int32_t count, int8_t *output, int8_t *few);

#endif
