/* SPDX-License-Identifier: Apache-2.0 */
/* The window of a pooling layer, cut off where it leaves the input. */
#ifndef EDGEMCU_KERNELS_POOL_WINDOW_H
#define EDGEMCU_KERNELS_POOL_WINDOW_H

#include <stdint.h>

/* Shapes are those of one NHWC tensor with a batch of 1; all sizes are at least 1. */
struct pool_params {
    int32_t input_height;
    int32_t input_width;
    int32_t channels;
    int32_t output_height;
    int32_t output_width;
    int32_t height; /* rows of the window */
    int32_t width;  /* columns of the window */
    int32_t stride_y;
    int32_t stride_x;
    int32_t pad_top;
    int32_t pad_left;
    int32_t min; /* -128 .. 127: the range that the fused activation leaves */
    int32_t max; /* -128 .. 127 */
};

/* First and one past the last input row (or column) of the window at `origin`. */
struct pool_range {
    int32_t begin;
    int32_t end;
};

static inline struct pool_range pool_clip(int32_t origin, int32_t window, int32_t size)
{
    const int32_t end = origin + window;
    const struct pool_range range = {origin < 0 ? 0 : origin, end > size ? size : end};
    return range;
}

#endif
