/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer: a matrix by a vector, for each row of the input. */
#ifndef EDGEMCU_KERNELS_FULLY_CONNECTED_INT8_H
#define EDGEMCU_KERNELS_FULLY_CONNECTED_INT8_H

#include <stdint.h>

#include "requantize.h"

struct fully_connected_int8_params {
    int32_t rows;
    int32_t input_channels;
    int32_t output_channels;
    struct int8_output out;
    struct channel_scales scales; /* output_channels entries each, rounded up to even */
    const int8_t *weights;        /* [output_channels / 2][input_channels][2], zero-filled */
};

/* input: [rows][input_channels]; output: [rows][output_channels]; they do not overlap. */
void fully_connected_int8(const struct fully_connected_int8_params *p, const int8_t *input,
                          int8_t *output);

#endif
