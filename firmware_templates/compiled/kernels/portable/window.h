/* SPDX-License-Identifier: Apache-2.0 */
/* The window that a convolution moves over its input, and what to do where it leaves the input. */
#ifndef EDGEMCU_KERNELS_WINDOW_H
#define EDGEMCU_KERNELS_WINDOW_H

#include <stdint.h>
#include <string.h>

/* Shapes are those of one NHWC tensor with a batch of 1; all sizes are at least 1. */
struct window {
    int32_t input_height;
    int32_t input_width;
    int32_t input_channels;
    int32_t output_height;
    int32_t output_width;
    int32_t height; /* rows of the window */
    int32_t width;  /* columns of the window */
    int32_t stride_y;
    int32_t stride_x;
    int32_t dilation_y;
    int32_t dilation_x;
    int32_t pad_top;
    int32_t pad_left;
    int32_t input_zero_point; /* the value of everything outside of the input */
};

/* Whether the window whose first tap is at row y, column x lies in the input as a whole. */
static inline int window_is_inside(const struct window *v, int32_t y, int32_t x)
{
    return y >= 0 && x >= 0 && y + (v->height - 1) * v->dilation_y < v->input_height &&
           x + (v->width - 1) * v->dilation_x < v->input_width;
}

/* Copies `columns` columns of the window that starts at row y, column x to patch:
 * [height][columns][input_channels], with the input's zero point where there is no input. */
static inline void window_gather(const struct window *v, int32_t y, int32_t x, int32_t columns,
                                 const int8_t *input, int8_t *patch)
{
    const int32_t channels = v->input_channels;
    const size_t bytes = (size_t)channels;

    for (int32_t ky = 0; ky < v->height; ++ky) {
        const int32_t iy = y + ky * v->dilation_y;
        const int row_inside = iy >= 0 && iy < v->input_height;
        for (int32_t kx = 0; kx < columns; ++kx) {
            const int32_t ix = x + kx * v->dilation_x;
            if (row_inside && ix >= 0 && ix < v->input_width) {
                memcpy(patch, input + (iy * v->input_width + ix) * channels, bytes);
            } else {
                memset(patch, v->input_zero_point, bytes);
            }
            patch += channels;
        }
    }
}

#endif
