/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer: a matrix by a vector, for each row of the input. */
#ifndef EDGEMCU_KERNELS_FULLY_CONNECTED_INT8_MVE_H
#define EDGEMCU_KERNELS_FULLY_CONNECTED_INT8_MVE_H

#include <stdint.h>

#include "../portable/requantize.h"

struct fully_connected_int8_mve_params {
    int32_t rows;
    int32_t input_channels;
    int32_t output_channels;
    struct int8_output out;
    /* For each four output channels, filled up with zeros: weights as int8
     * [input_channels / 16][4][16], biases as int32 [4], multipliers as int32 [4], and shifts, <= 0,
     * as int8 [4]. */
    const int32_t *weights;
};

/* input: [rows][input_channels]; output: [rows][output_channels]; they do not overlap. */
void fully_connected_int8_mve(const struct fully_connected_int8_mve_params *p, const int8_t *input,
                              int8_t *output);

#endif
