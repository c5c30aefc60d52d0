/* SPDX-License-Identifier: Apache-2.0 */
#include "add_esp_nn.h"

void add_esp_nn(const struct add_esp_nn_params *p, const int8_t *a, const int8_t *b,
                int8_t *output)
{
    esp_nn_add_elementwise_s8(a, b, -p->a.zero_point, -p->b.zero_point, p->a.multiplier,
                              p->b.multiplier, p->a.shift, p->b.shift, ADD_ESP_NN_LEFT_SHIFT,
                              output, p->out.zero_point, p->multiplier, p->shift, p->out.min,
                              p->out.max, p->elements);
}
