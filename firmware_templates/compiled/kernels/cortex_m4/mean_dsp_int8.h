/* SPDX-License-Identifier: Apache-2.0 */
/* Mean over the pixels of an image. */
#ifndef EDGEMCU_KERNELS_MEAN_DSP_INT8_H
#define EDGEMCU_KERNELS_MEAN_DSP_INT8_H

#include <stdint.h>

#include "../portable/requantize.h"

struct mean_dsp_int8_params {
    int32_t pixels;
    int32_t channels;
    int32_t zero_point_sum; /* the input's zero point times the number of pixels */
    int32_t multiplier;     /* with 1 / pixels folded in */
    int32_t shift;
    struct int8_output out;
};

/* input: [pixels][channels]; output: [channels]; it may be the same memory as the input. */
void mean_dsp_int8(const struct mean_dsp_int8_params *p, const int8_t *input, int8_t *output);

#endif
