/* SPDX-License-Identifier: Apache-2.0 */
#include "max_pool_2d_int8_mve.h"

#include <arm_mve.h>

void max_pool_2d_int8_mve(const struct pool_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->channels;
    const int8x16_t min = vdupq_n_s8((int8_t)p->min);
    const int8x16_t max = vdupq_n_s8((int8_t)p->max);

    for (int32_t oy = 0; oy < p->output_height; ++oy) {
        const struct pool_range rows =
            pool_clip(oy * p->stride_y - p->pad_top, p->height, p->input_height);
        for (int32_t ox = 0; ox < p->output_width; ++ox) {
            const struct pool_range columns =
                pool_clip(ox * p->stride_x - p->pad_left, p->width, p->input_width);
            const int8_t *window = input + (rows.begin * p->input_width + columns.begin) * channels;
            for (int32_t c = 0; c < channels; c += 16) {
                const mve_pred16_t some = vctp8q((uint32_t)(channels - c));
                const int8_t *row = window + c;
                int8x16_t largest = min;
                for (int32_t y = rows.begin; y < rows.end; ++y) {
                    const int8_t *x = row;
                    for (int32_t i = columns.begin; i < columns.end; ++i) {
                        largest = vmaxq_s8(largest, vldrbq_z_s8(x, some));
                        x += channels;
                    }
                    row += p->input_width * channels;
                }
                vstrbq_p_s8(output + c, vminq_s8(largest, max), some);
            }
            output += channels;
        }
    }
}
