/* SPDX-License-Identifier: Apache-2.0 */
/* ESP-NN, Espressif's library of kernels, and the settings under which its bytes are the
 * reference's. */
#ifndef EDGEMCU_KERNELS_ESP_NN_LIBRARY_H
#define EDGEMCU_KERNELS_ESP_NN_LIBRARY_H

#include <stdint.h>
#include <stdlib.h>

#include "sdkconfig.h"

#include "esp_nn.h"

#if defined(CONFIG_IDF_TARGET_ESP32S3) && !defined(CONFIG_NN_OPTIMIZED)
#error "ESP-NN's vector instructions are off (CONFIG_NN_OPTIMIZED)"
#endif
#if defined(CONFIG_NN_SKIP_NUDGE)
#error "ESP-NN rounds in its own way with CONFIG_NN_SKIP_NUDGE"
#endif

/* Per output channel: bias, and the factor to the output. */
struct esp_nn_scales {
    const int32_t *bias;
    const int32_t *multiplier;
    const int32_t *shift;
};

/* As ESP-NN takes them: its structure is not const, but it only reads. */
static inline quant_data_t esp_nn_quantization(const struct esp_nn_scales *scales)
{
    const quant_data_t data = {(int32_t *)scales->shift, (int32_t *)scales->multiplier};
    return data;
}

/* Stops where the library wants more memory than was planned: it is another version then. */
static inline void esp_nn_check_scratch(int wanted, int32_t planned)
{
    if (wanted > planned) {
        abort();
    }
}

#endif
