/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_2d_int8_mve.h"

#include "memory_mve.h"

#define VECTOR 16

/* How to copy pixels of a few channels, several to a vector. */
struct pixel_scatter {
    int32_t pixels;    /* of a vector */
    uint8x16_t offset; /* where each byte goes */
};

/* Offsets are bytes, which limits how far apart the pixels of a vector may go. */
static struct pixel_scatter pixel_scatter(int32_t channels, int32_t stride)
{
    const int32_t reach = (UINT8_MAX + 1 - channels) / stride + 1;
    const int32_t fit = VECTOR / channels;
    uint8_t offset[VECTOR] = {0};
    struct pixel_scatter s = {fit < reach ? fit : reach, vdupq_n_u8(0)};

    for (int32_t i = 0; i < s.pixels * channels; ++i) {
        offset[i] = (uint8_t)(i / channels * stride + i % channels);
    }
    s.offset = vldrbq_u8(offset);
    return s;
}

/* Pixels of a few channels to `stride` bytes each. */
static void copy_narrow(int8_t *to, int32_t stride, const int8_t *from, int32_t pixels,
                        int32_t channels, const struct pixel_scatter *s)
{
    const int32_t bytes = s->pixels * channels;
    const int32_t vectors = pixels / s->pixels;
    const int32_t rest = pixels % s->pixels * channels;

    __asm volatile("vctp.8 %[bytes]\n\t"
                   "wls lr, %[vectors], 2f\n"
                   "1:\n\t"
                   "vpstt\n\t"
                   "vldrbt.8 q0, [%[from]]\n\t"
                   "vstrbt.8 q0, [%[to], %q[offset]]\n\t"
                   "add %[from], %[bytes]\n\t"
                   "add %[to], %[step]\n\t"
                   "le lr, 1b\n"
                   "2:\n\t"
                   "vctp.8 %[rest]\n\t"
                   "vpstt\n\t"
                   "vldrbt.8 q0, [%[from]]\n\t"
                   "vstrbt.8 q0, [%[to], %q[offset]]"
                   : [from] "+r"(from), [to] "+r"(to)
                   : [vectors] "r"(vectors), [bytes] "r"(bytes), [step] "r"(s->pixels * stride),
                     [rest] "r"(rest), [offset] "w"(s->offset)
                   : "lr", "q0", "memory");
}

/* The same for more channels, one pixel after another. */
static void copy_wide(int8_t *to, int32_t stride, const int8_t *from, int32_t pixels,
                      int32_t channels)
{
    for (; pixels > 0; --pixels) {
        copy_mve(to, from, channels);
        from += channels;
        to += stride;
    }
}

void conv_2d_int8_mve(const struct conv_2d_int8_mve_params *p, const int8_t *input, int8_t *output,
                      int8_t *lines)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;
    const int32_t input_row = v->input_width * channels;
    const int32_t output_row = v->output_width * p->conv.channels;

    if (p->columns == 0) {
        for (int32_t oy = 0; oy < v->output_height; ++oy) {
            const int8_t *row = input + oy * v->stride_y * input_row;
            conv_pixels_mve(&p->conv, v->output_width, row, output, oy + 1 < v->output_height);
            output += output_row;
        }
        return;
    }

    /* Columns of [height][channels], so that each window is one row of values. What lies left,
     * right and above of the input is filled in once. */
    const int32_t stride = v->height * channels;
    const int32_t visible = p->columns > v->pad_left ? p->columns - v->pad_left : 0;
    const int32_t pixels = visible < v->input_width ? visible : v->input_width;
    struct pixel_scatter scatter;

    if (channels <= VECTOR / 2) {
        scatter = pixel_scatter(channels, stride);
    }
    fill_mve(lines, v->input_zero_point, p->columns * stride);
    for (int32_t oy = 0; oy < v->output_height; ++oy) {
        for (int32_t ky = 0; ky < v->height; ++ky) {
            const int32_t y = oy * v->stride_y - v->pad_top + ky * v->dilation_y;
            int8_t *line = lines + v->pad_left * stride + ky * channels;

            if (y >= 0 && y < v->input_height) {
                const int8_t *row = input + y * input_row;
                if (channels <= VECTOR / 2) {
                    copy_narrow(line, stride, row, pixels, channels, &scatter);
                } else {
                    copy_wide(line, stride, row, pixels, channels);
                }
            } else if (y >= v->input_height) {
                for (int32_t i = 0; i < pixels; ++i) {
                    fill_mve(line + i * stride, v->input_zero_point, channels);
                }
            }
        }
        conv_pixels_mve(&p->conv, v->output_width, lines, output, oy + 1 < v->output_height);
        output += output_row;
    }
}
