/* SPDX-License-Identifier: Apache-2.0 */
#include "mean_int8.h"

static int32_t sum_int8(const struct mean_int8_params *p, const int8_t *x)
{
    int32_t sum = 0;
    for (int32_t i = 0; i < p->reduced[0]; ++i) {
        for (int32_t j = 0; j < p->reduced[1]; ++j) {
            const int8_t *row = x + i * p->reduced_stride[0] + j * p->reduced_stride[1];
            for (int32_t k = 0; k < p->reduced[2]; ++k) {
                sum += *row;
                row += p->reduced_stride[2];
            }
        }
    }
    return sum;
}

void mean_int8(const struct mean_int8_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t i = 0; i < p->kept[0]; ++i) {
        for (int32_t j = 0; j < p->kept[1]; ++j) {
            const int8_t *row = input + i * p->kept_stride[0] + j * p->kept_stride[1];
            for (int32_t k = 0; k < p->kept[2]; ++k) {
                const int32_t sum = sum_int8(p, row + k * p->kept_stride[2]) - p->zero_point_sum;
                *output++ = requantize(sum, p->multiplier, p->shift, &p->out);
            }
        }
    }
}
