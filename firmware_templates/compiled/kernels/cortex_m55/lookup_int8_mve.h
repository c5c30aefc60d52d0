/* SPDX-License-Identifier: Apache-2.0 */
/* A function of one int8 value, as a table. */
#ifndef EDGEMCU_KERNELS_LOOKUP_INT8_MVE_H
#define EDGEMCU_KERNELS_LOOKUP_INT8_MVE_H

#include <stdint.h>

struct lookup_int8_mve_params {
    int32_t elements;
    const int8_t *table; /* [256], for 0 .. 127, then for -128 .. -1 */
};

/* The output may be the same memory as the input. */
void lookup_int8_mve(const struct lookup_int8_mve_params *p, const int8_t *input, int8_t *output);

#endif
