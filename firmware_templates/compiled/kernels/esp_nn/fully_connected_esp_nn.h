/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layer by ESP-NN. */
#ifndef EDGEMCU_KERNELS_FULLY_CONNECTED_ESP_NN_H
#define EDGEMCU_KERNELS_FULLY_CONNECTED_ESP_NN_H

#include <stdint.h>

#include "../portable/requantize.h"
#include "esp_nn_library.h"

struct fully_connected_esp_nn_params {
    int32_t rows;
    int32_t input_channels;
    int32_t output_channels;
    struct int8_output out;
    struct esp_nn_scales scales; /* the input's zero point is folded into the bias */
    const int8_t *weights;       /* [output_channels][input_channels], 16-byte aligned */
};

/* input: [rows][input_channels], 16-byte aligned; output: [rows][output_channels]; they do not
 * overlap. */
void fully_connected_esp_nn(const struct fully_connected_esp_nn_params *p, const int8_t *input,
                            int8_t *output);

#endif
