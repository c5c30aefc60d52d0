/* SPDX-License-Identifier: Apache-2.0 */
/* Maximum over a window, four channels at a time; what lies outside of the input does not count. */
#ifndef EDGEMCU_KERNELS_MAX_POOL_2D_DSP_INT8_H
#define EDGEMCU_KERNELS_MAX_POOL_2D_DSP_INT8_H

#include "../portable/pool_window.h"

/* input, output: NHWC. The output may lie over the input as far as what is still to be read stays
 * whole, other channels of the same pixel included. */
void max_pool_2d_dsp_int8(const struct pool_params *p, const int8_t *input, int8_t *output);

#endif
