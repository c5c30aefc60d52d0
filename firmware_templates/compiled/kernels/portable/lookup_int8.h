/* SPDX-License-Identifier: Apache-2.0 */
/* Any function of one int8 value, as a table of its 256 results. */
#ifndef EDGEMCU_KERNELS_LOOKUP_INT8_H
#define EDGEMCU_KERNELS_LOOKUP_INT8_H

#include <stdint.h>

struct lookup_int8_params {
    int32_t elements;
    const int8_t *table; /* results for -128 .. 127, in this order */
};

/* The output may be the same memory as the input. */
void lookup_int8(const struct lookup_int8_params *p, const int8_t *input, int8_t *output);

#endif
