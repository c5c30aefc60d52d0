/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_conv_2d_int8_mve.h"

#include "requantize_mve.h"

#define LANES        16
#define SCALES_BLOCK (2 * LANES + LANES / 4) /* words for sixteen channels */

/* Sums of channels 0, 4, 8, 12, then 2, 6, 10, 14, then 1, 5, 9, 13, then 3, 7, 11, 15. */
struct sums {
    int32x4_t of[4];
};
#define NO_SUMS {{vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0), vdupq_n_s32(0)}}

static inline struct sums add_products(struct sums s, int8x16_t x, int8x16_t w)
{
    const int16x8_t even = vmullbq_int_s8(x, w);
    const int16x8_t odd = vmulltq_int_s8(x, w);
    s.of[0] = vaddq_s32(s.of[0], vmovlbq_s16(even));
    s.of[1] = vaddq_s32(s.of[1], vmovltq_s16(even));
    s.of[2] = vaddq_s32(s.of[2], vmovlbq_s16(odd));
    s.of[3] = vaddq_s32(s.of[3], vmovltq_s16(odd));
    return s;
}

/* Sixteen channels of one pixel, or as many as `some` says, whose window lies in the input. */
static inline struct sums window_sums(const struct window *v, const int8_t *row, const int8_t *w,
                                      mve_pred16_t some)
{
    const int32_t channels = v->input_channels;
    const int32_t tap_stride = v->dilation_x * channels;
    const int32_t row_stride = v->dilation_y * v->input_width * channels;
    struct sums s = NO_SUMS;

    for (int32_t ky = v->height; ky > 0; --ky) {
        const int8_t *tap = row;
        for (int32_t kx = v->width; kx > 0; --kx) {
            s = add_products(s, vldrbq_z_s8(tap, some), vldrbq_z_s8(w, some));
            tap += tap_stride;
            w += channels;
        }
        row += row_stride;
    }
    return s;
}

/* The same of a window that begins at row y, column x, and leaves the input. */
static inline struct sums border_sums(const struct window *v, int32_t y, int32_t x,
                                      const int8_t *input, const int8_t *w, mve_pred16_t some)
{
    const int8x16_t outside = vdupq_n_s8((int8_t)v->input_zero_point);
    struct sums s = NO_SUMS;

    for (int32_t ky = 0; ky < v->height; ++ky) {
        const int32_t iy = y + ky * v->dilation_y;
        for (int32_t kx = 0; kx < v->width; ++kx) {
            const int32_t ix = x + kx * v->dilation_x;
            int8x16_t values = outside;
            if (iy >= 0 && iy < v->input_height && ix >= 0 && ix < v->input_width) {
                const int32_t pixel = iy * v->input_width + ix;
                values = vldrbq_z_s8(input + pixel * v->input_channels, some);
            }
            s = add_products(s, values, vldrbq_z_s8(w, some));
            w += v->input_channels;
        }
    }
    return s;
}

void depthwise_conv_2d_int8_mve(const struct depthwise_conv_2d_int8_mve_params *p,
                                const int8_t *input, int8_t *output)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;

    for (int32_t oy = 0; oy < v->output_height; ++oy) {
        const int32_t y = oy * v->stride_y - v->pad_top;
        for (int32_t ox = 0; ox < v->output_width; ++ox) {
            const int32_t x = ox * v->stride_x - v->pad_left;
            const int inside = window_is_inside(v, y, x);
            const int32_t first = inside ? (y * v->input_width + x) * channels : 0;
            const int32_t *scales = p->scales;
            for (int32_t c = 0; c < channels; c += LANES) {
                const mve_pred16_t some = vctp8q((uint32_t)(channels - c));
                const int8_t *shifts = (const int8_t *)(scales + 2 * LANES);
                const int8_t *w = p->weights + c;
                const struct sums s =
                    inside ? window_sums(v, input + first + c, w, some)
                           : border_sums(v, y, x, input + c, w, some);
                int32x4_t r[4];

                for (int32_t i = 0; i < 4; ++i) {
                    const int32_t *four = scales + 4 * i;
                    r[i] = requantize_mve(vaddq_s32(s.of[i], vldrwq_s32(four)),
                                          vldrwq_s32(four + LANES), vldrbq_s32(shifts + 4 * i),
                                          &p->out);
                }
                /* Back to the channels' order. */
                const int16x8_t zero = vdupq_n_s16(0);
                const int16x8_t even = vmovntq_s32(vmovnbq_s32(zero, r[0]), r[1]);
                const int16x8_t odd = vmovntq_s32(vmovnbq_s32(zero, r[2]), r[3]);
                vstrbq_p_s8(output + c, vmovntq_s16(vmovnbq_s16(vdupq_n_s8(0), even), odd), some);
                scales += SCALES_BLOCK;
            }
            output += channels;
        }
    }
}
