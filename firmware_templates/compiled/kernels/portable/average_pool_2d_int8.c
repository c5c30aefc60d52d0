/* SPDX-License-Identifier: Apache-2.0 */
#include "average_pool_2d_int8.h"

#include "requantize.h"

void average_pool_2d_int8(const struct pool_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->channels;

    for (int32_t oy = 0; oy < p->output_height; ++oy) {
        const struct pool_range rows =
            pool_clip(oy * p->stride_y - p->pad_top, p->height, p->input_height);
        for (int32_t ox = 0; ox < p->output_width; ++ox) {
            const struct pool_range columns =
                pool_clip(ox * p->stride_x - p->pad_left, p->width, p->input_width);
            const int32_t count = (rows.end - rows.begin) * (columns.end - columns.begin);
            for (int32_t c = 0; c < channels; ++c) {
                int32_t sum = 0;
                for (int32_t y = rows.begin; y < rows.end; ++y) {
                    const int8_t *x = input + (y * p->input_width + columns.begin) * channels + c;
                    for (int32_t i = columns.begin; i < columns.end; ++i) {
                        sum += *x;
                        x += channels;
                    }
                }
                /* To nearest, ties away from zero. */
                const int32_t half = sum > 0 ? count / 2 : -(count / 2);
                *output++ = (int8_t)clamp((sum + half) / count, p->min, p->max);
            }
        }
    }
}
