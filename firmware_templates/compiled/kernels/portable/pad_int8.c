/* SPDX-License-Identifier: Apache-2.0 */
#include "pad_int8.h"

#include <string.h>

void pad_int8(const struct pad_int8_params *p, const int8_t *input, int8_t *output)
{
    memset(output, p->value, (size_t)p->output_bytes);
    for (int32_t i = 0; i < p->size[0]; ++i) {
        for (int32_t j = 0; j < p->size[1]; ++j) {
            for (int32_t k = 0; k < p->size[2]; ++k) {
                int8_t *run = output + p->first + i * p->output_stride[0] +
                              j * p->output_stride[1] + k * p->output_stride[2];
                for (int32_t l = 0; l < p->size[3]; ++l) {
                    memcpy(run, input, (size_t)p->run);
                    input += p->run;
                    run += p->output_stride[3];
                }
            }
        }
    }
}
