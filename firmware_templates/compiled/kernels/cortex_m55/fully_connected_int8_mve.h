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
    const int32_t *weights; /* as in struct conv_pixels_mve */
};

/* input: [rows][input_channels]; output: [rows][output_channels]; they do not overlap. */
void fully_connected_int8_mve(const struct fully_connected_int8_mve_params *p, const int8_t *input,
                              int8_t *output);

#endif
