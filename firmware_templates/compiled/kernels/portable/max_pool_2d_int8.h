/* SPDX-License-Identifier: Apache-2.0 */
/* Maximum pooling; padding does not count. */
#ifndef EDGEMCU_KERNELS_MAX_POOL_2D_INT8_H
#define EDGEMCU_KERNELS_MAX_POOL_2D_INT8_H

#include "pool_window.h"

/* input: NHWC; output: NHWC; they do not overlap. */
void max_pool_2d_int8(const struct pool_params *p, const int8_t *input, int8_t *output);

#endif
