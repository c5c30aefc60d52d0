/* SPDX-License-Identifier: Apache-2.0 */
/* Sum of two tensors of the same shape by ESP-NN. */
#ifndef EDGEMCU_KERNELS_ADD_ESP_NN_H
#define EDGEMCU_KERNELS_ADD_ESP_NN_H

#include <stdint.h>

#include "../portable/requantize.h"
#include "esp_nn_library.h"

/* Inputs are shifted left so far before they are rescaled, as in TensorFlow Lite's ADD. */
#define ADD_ESP_NN_LEFT_SHIFT 20

struct add_esp_nn_operand {
    int32_t zero_point;
    int32_t multiplier;
    int32_t shift;
};

struct add_esp_nn_params {
    int32_t elements;
    struct add_esp_nn_operand a;
    struct add_esp_nn_operand b;
    int32_t multiplier;
    int32_t shift;
    struct int8_output out;
};

/* a, b and output are 16-byte aligned; the output overlaps neither. */
void add_esp_nn(const struct add_esp_nn_params *p, const int8_t *a, const int8_t *b,
                int8_t *output);

#endif
