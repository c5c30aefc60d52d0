/* SPDX-License-Identifier: Apache-2.0 */
/* Average pooling over up to 255 pixels; padding does not count. */
#ifndef EDGEMCU_KERNELS_AVERAGE_POOL_2D_DSP_INT8_H
#define EDGEMCU_KERNELS_AVERAGE_POOL_2D_DSP_INT8_H

#include "../portable/pool_window.h"

/* input: NHWC; output: NHWC. The output may lie over the input as far as what later pixels and
 * channels read stays whole. */
void average_pool_2d_dsp_int8(const struct pool_params *p, const int8_t *input, int8_t *output);

#endif
