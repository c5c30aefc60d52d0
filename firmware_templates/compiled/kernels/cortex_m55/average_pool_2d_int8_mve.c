/* SPDX-License-Identifier: Apache-2.0 */
#include "average_pool_2d_int8_mve.h"

#include <arm_mve.h>

/* sum / count, to nearest, ties away from zero; inverse = 2^32 / count, rounded up, which is right
 * as |sum| + count / 2 <= 128.5 count, times the error of less than count, is below 2^32. */
static inline int32x4_t divide(int32x4_t sum, int32_t count, uint32_t inverse)
{
    const mve_pred16_t negative = vcmpltq_n_s32(sum, 0);
    const uint32x4_t size = vaddq_n_u32(vreinterpretq_u32_s32(vabsq_s32(sum)), (uint32_t)count / 2);
    const int32x4_t quotient = vreinterpretq_s32_u32(vmulhq_u32(size, vdupq_n_u32(inverse)));
    return vnegq_m_s32(quotient, quotient, negative);
}

void average_pool_2d_int8_mve(const struct pool_params *p, const int8_t *input, int8_t *output)
{
    const int32_t channels = p->channels;
    const int32x4_t min = vdupq_n_s32(p->min);
    const int32x4_t max = vdupq_n_s32(p->max);

    for (int32_t oy = 0; oy < p->output_height; ++oy) {
        const struct pool_range rows =
            pool_clip(oy * p->stride_y - p->pad_top, p->height, p->input_height);
        for (int32_t ox = 0; ox < p->output_width; ++ox) {
            const struct pool_range columns =
                pool_clip(ox * p->stride_x - p->pad_left, p->width, p->input_width);
            const int32_t count = (rows.end - rows.begin) * (columns.end - columns.begin);
            const uint32_t inverse = count > 1 ? UINT32_MAX / (uint32_t)count + 1u : 0u;
            const int8_t *window = input + (rows.begin * p->input_width + columns.begin) * channels;
            for (int32_t c = 0; c < channels; c += 4) {
                const mve_pred16_t some = vctp32q((uint32_t)(channels - c));
                const int8_t *row = window + c;
                int32x4_t v = vdupq_n_s32(0);
                for (int32_t y = rows.begin; y < rows.end; ++y) {
                    const int8_t *x = row;
                    for (int32_t i = columns.begin; i < columns.end; ++i) {
                        v = vaddq_s32(v, vldrbq_z_s32(x, some));
                        x += channels;
                    }
                    row += p->input_width * channels;
                }
                if (count > 1) {
                    v = divide(v, count, inverse);
                }
                vstrbq_p_s32(output + c, vminq_s32(vmaxq_s32(v, min), max), some);
            }
            output += channels;
        }
    }
}
