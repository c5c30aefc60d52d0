/* SPDX-License-Identifier: Apache-2.0 */
/* Average over a window of up to 4096 elements, four channels at a time; what lies outside of the
 * input does not count. */
#ifndef EDGEMCU_KERNELS_AVERAGE_POOL_2D_INT8_MVE_H
#define EDGEMCU_KERNELS_AVERAGE_POOL_2D_INT8_MVE_H

#include "../portable/pool_window.h"

/* input: NHWC; output: NHWC. A pixel is written when all of its window was read. */
void average_pool_2d_int8_mve(const struct pool_params *p, const int8_t *input, int8_t *output);

#endif
