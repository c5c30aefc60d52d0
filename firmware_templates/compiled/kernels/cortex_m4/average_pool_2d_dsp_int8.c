/* SPDX-License-Identifier: Apache-2.0 */
#include "average_pool_2d_dsp_int8.h"

#include "../portable/requantize.h"
#include "sum_channels.h"

void average_pool_2d_dsp_int8(const struct pool_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->channels;
    const int32_t line = p->input_width * channels;

    for (int32_t oy = 0; oy < p->output_height; ++oy) {
        const struct pool_range rows =
            pool_clip(oy * p->stride_y - p->pad_top, p->height, p->input_height);
        for (int32_t ox = 0; ox < p->output_width; ++ox) {
            const struct pool_range columns =
                pool_clip(ox * p->stride_x - p->pad_left, p->width, p->input_width);
            const int32_t height = rows.end - rows.begin;
            const int32_t width = columns.end - columns.begin;
            const int8_t *x = input + rows.begin * line + columns.begin * channels;
            for (int32_t c = 0; c < channels; c += 4) {
                const int32_t count = channels - c < 4 ? channels - c : 4;
                int32_t sums[4];
                sum_channels(x + c, height, width, channels, line, count, sums);
                for (int32_t i = 0; i < count; ++i) {
                    /* To nearest, ties away from zero. */
                    const int32_t half = height * width / 2;
                    const int32_t sum = sums[i] > 0 ? sums[i] + half : sums[i] - half;
                    *output++ = (int8_t)clamp(sum / (height * width), p->min, p->max);
                }
            }
        }
    }
}
