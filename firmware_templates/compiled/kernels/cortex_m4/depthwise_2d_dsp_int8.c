/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_2d_dsp_int8.h"

#include "dsp.h"

/* One pixel of up to four channels; taps are `pixel` bytes apart, rows of taps `line`. */
static inline void sum_taps(const int8_t *x, const int8_t *w, int32_t rows, int32_t columns,
                            int32_t pixel, int32_t line, int32_t count, int32_t sums[4])
{
    int32_t sum0 = 0;
    int32_t sum1 = 0;
    int32_t sum2 = 0;
    int32_t sum3 = 0;

    for (; rows > 0; --rows) {
        const int8_t *tap = x;
        for (int32_t i = columns; i > 0; --i) {
            const uint32_t word = count == 4 ? load_word(tap) : load_rest(tap, count);
            const uint32_t weights = load_word(w);
            const uint32_t x02 = sxtb16(word);
            const uint32_t x13 = sxtb16_ror8(word);
            const uint32_t w02 = sxtb16(weights);
            const uint32_t w13 = sxtb16_ror8(weights);
            sum0 = smlabb(x02, w02, sum0);
            sum2 = smlatt(x02, w02, sum2);
            sum1 = smlabb(x13, w13, sum1);
            sum3 = smlatt(x13, w13, sum3);
            tap += pixel;
            w += 4;
        }
        x += line;
    }
    sums[0] = sum0;
    sums[1] = sum1;
    sums[2] = sum2;
    sums[3] = sum3;
}

void depthwise_2d_dsp_int8(const struct depthwise_2d_dsp_int8_params *p, const int8_t *input,
                           int8_t *output, int8_t *patch)
{
    const struct window *v = &p->window;
    const struct int8_output out = p->out;
    const int32_t channels = v->input_channels;
    const int32_t line = v->input_width * channels;

    for (int32_t oy = 0; oy < v->output_height; ++oy) {
        const int32_t y = oy * v->stride_y - v->pad_top;
        for (int32_t ox = 0; ox < v->output_width; ++ox) {
            const int32_t x = ox * v->stride_x - v->pad_left;
            const int8_t *taps = patch;
            int32_t to_right = channels;
            int32_t down = v->width * channels;
            if (window_is_inside(v, y, x)) {
                taps = input + y * line + x * channels;
                to_right = v->dilation_x * channels;
                down = v->dilation_y * line;
            } else {
                window_gather(v, y, x, v->width, input, patch);
            }
            const int8_t *w = p->weights;
            for (int32_t c = 0; c < channels; c += 4) {
                const int32_t count = channels - c < 4 ? channels - c : 4;
                int32_t sums[4];
                if (count == 4) {
                    sum_taps(taps + c, w, v->height, v->width, to_right, down, 4, sums);
                } else {
                    sum_taps(taps + c, w, v->height, v->width, to_right, down, count, sums);
                }
                for (int32_t i = 0; i < count; ++i) {
                    *output++ = requantize_sum(sums[i], channel_scale(&p->scales, c + i), &out);
                }
                w += 4 * v->height * v->width;
            }
        }
    }
}
