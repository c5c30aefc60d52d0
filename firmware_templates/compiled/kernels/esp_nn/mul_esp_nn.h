/* SPDX-License-Identifier: Apache-2.0 */
/* Product of two tensors of the same shape by ESP-NN. */
#ifndef EDGEMCU_KERNELS_MUL_ESP_NN_H
#define EDGEMCU_KERNELS_MUL_ESP_NN_H

#include <stdint.h>

#include "../portable/requantize.h"
#include "esp_nn_library.h"

struct mul_esp_nn_params {
    int32_t elements;
    int32_t zero_point_a;
    int32_t zero_point_b;
    int32_t multiplier;
    int32_t shift;
    struct int8_output out;
};

/* a, b and output are 16-byte aligned; the output overlaps neither. */
void mul_esp_nn(const struct mul_esp_nn_params *p, const int8_t *a, const int8_t *b,
                int8_t *output);

#endif
