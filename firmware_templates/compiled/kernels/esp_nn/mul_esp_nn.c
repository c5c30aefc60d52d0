/* SPDX-License-Identifier: Apache-2.0 */
#include "mul_esp_nn.h"

void mul_esp_nn(const struct mul_esp_nn_params *p, const int8_t *a, const int8_t *b,
                int8_t *output)
{
    esp_nn_mul_elementwise_s8(a, b, -p->zero_point_a, -p->zero_point_b, output,
                              p->out.zero_point, p->multiplier, p->shift, p->out.min, p->out.max,
                              p->elements);
}
