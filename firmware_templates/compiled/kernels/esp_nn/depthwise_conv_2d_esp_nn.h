/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution by ESP-NN, one output channel per input channel. */
#ifndef EDGEMCU_KERNELS_DEPTHWISE_CONV_2D_ESP_NN_H
#define EDGEMCU_KERNELS_DEPTHWISE_CONV_2D_ESP_NN_H

#include <stdint.h>

#include "../portable/requantize.h"
#include "esp_nn_library.h"

struct depthwise_conv_2d_esp_nn_params {
    int32_t input_height;
    int32_t input_width;
    int32_t channels;
    int32_t output_height;
    int32_t output_width;
    int32_t height; /* of the window */
    int32_t width;
    int32_t stride_y;
    int32_t stride_x;
    int32_t pad_top; /* as much on the other side */
    int32_t pad_left;
    int32_t input_offset; /* added to every input; 0 where the bias has it folded in */
    int32_t scratch_bytes;
    struct int8_output out;
    struct esp_nn_scales scales;
    const int8_t *weights; /* [height][width][channels], 16-byte aligned */
};

/* Input, output and scratch memory are 16-byte aligned and do not overlap. */
void depthwise_conv_2d_esp_nn(const struct depthwise_conv_2d_esp_nn_params *p, const int8_t *input,
                              int8_t *output, int8_t *scratch);

#endif
