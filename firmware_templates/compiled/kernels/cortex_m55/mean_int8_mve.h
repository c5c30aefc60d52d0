/* SPDX-License-Identifier: Apache-2.0 */
/* Mean of rows: of an image's pixels, channel by channel. */
#ifndef EDGEMCU_KERNELS_MEAN_INT8_MVE_H
#define EDGEMCU_KERNELS_MEAN_INT8_MVE_H

#include <stdint.h>

#include "../portable/requantize.h"

struct mean_int8_mve_params {
    int32_t rows;           /* at least 1 */
    int32_t channels;
    int32_t zero_point_sum; /* the input's zero point times the number of rows */
    int32_t multiplier;     /* with 1 / rows folded in */
    int32_t shift;          /* <= 0 */
    struct int8_output out;
};

/* input: [rows][channels]; output: [channels]. Four channels are written once all rows of them have
 * been read. */
void mean_int8_mve(const struct mean_int8_mve_params *p, const int8_t *input, int8_t *output);

#endif
