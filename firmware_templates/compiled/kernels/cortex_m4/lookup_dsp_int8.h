/* SPDX-License-Identifier: Apache-2.0 */
/* Any function of one int8 value, as a table; four elements at a time. */
#ifndef EDGEMCU_KERNELS_LOOKUP_DSP_INT8_H
#define EDGEMCU_KERNELS_LOOKUP_DSP_INT8_H

#include <stdint.h>

struct lookup_dsp_int8_params {
    int32_t elements;
    const int8_t *table; /* 256 results: for 0 .. 127, then for -128 .. -1 */
};

/* The output may be the same memory as the input. */
void lookup_dsp_int8(const struct lookup_dsp_int8_params *p, const int8_t *input, int8_t *output);

#endif
