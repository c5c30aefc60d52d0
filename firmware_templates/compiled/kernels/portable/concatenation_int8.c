/* SPDX-License-Identifier: Apache-2.0 */
#include "concatenation_int8.h"

#include <string.h>

void concatenation_int8(const struct concatenation_int8_params *p, const int8_t *input,
                        int8_t *output)
{
    output += p->first;
    for (int32_t i = 0; i < p->blocks; ++i) {
        memcpy(output, input, (size_t)p->block);
        input += p->block;
        output += p->output_stride;
    }
}
