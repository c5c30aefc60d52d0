/* SPDX-License-Identifier: Apache-2.0 */
#include "fully_connected_esp_nn.h"

void fully_connected_esp_nn(const struct fully_connected_esp_nn_params *p, const int8_t *input,
                            int8_t *output)
{
    for (int32_t row = 0; row < p->rows; row++) {
        esp_nn_fully_connected_per_ch_s8(input, 0, (uint16_t)p->input_channels, p->weights, 0,
                                         p->scales.bias, output, (uint16_t)p->output_channels,
                                         p->out.zero_point, p->scales.shift, p->scales.multiplier,
                                         p->out.min, p->out.max);
        input += p->input_channels;
        output += p->output_channels;
    }
}
