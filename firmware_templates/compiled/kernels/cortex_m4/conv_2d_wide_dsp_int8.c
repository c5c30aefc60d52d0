/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_2d_wide_dsp_int8.h"

#include "dsp.h"

enum { WORDS_BEFORE = 2, SCALE_WORDS = 3, MOST_PIXELS = 4 };

/* Sums of one half of the inputs of a block, for one pair of channels; returns the rest of the
 * stream. */
static const int32_t *sum_half(const struct dot *layer, const uint32_t *packed, int32_t pixels,
                               int32_t sums[MOST_PIXELS][2])
{
    const struct dot_run run = dot_begin(layer, pixels);
    run.routine(packed, &run, (int8_t *)sums);
    return run.end;
}

static int8_t scaled(const struct conv_2d_wide_dsp_int8_params *p, int32_t sum,
                     const int32_t *scale)
{
    const int32_t offset = scale[1] + (sum >> 31) * (1 << 7);
    const int32_t value = saturate_int8(smmla(sum, scale[0], offset) >> scale[2]);
    return (int8_t)(value < p->min ? p->min : value > p->max ? p->max : value);
}

/* A block; pixels: 1, 3 or 4. */
static void dot_wide(const struct conv_2d_wide_dsp_int8_params *p, const uint32_t *packed,
                     int32_t pixels, int8_t *output)
{
    const int32_t block = pixels == 4 ? 4 : 3;
    const int32_t *stream = p->stream;

    for (int32_t c = 0; c < p->output_channels; c += 2) {
        int32_t halves[2][MOST_PIXELS][2];
        const uint32_t *inputs = packed;
        for (int half = 0; half < 2; ++half) {
            const int32_t groups = half == 0 ? p->first : p->groups - p->first;
            const struct dot layer = {
                .stream = stream,
                .pair_words = WORDS_BEFORE + 2 * groups,
                .output_channels = 2,
                .groups = groups,
                .of_four = p->of_four,
                .of_three = p->of_three,
            };
            stream = sum_half(&layer, inputs, block, halves[half]);
            inputs += DOT_WORDS_PER_GROUP(block) * groups;
        }
        for (int32_t i = 0; i < 2 && c + i < p->output_channels; ++i) {
            for (int32_t pixel = 0; pixel < pixels; ++pixel) {
                const int32_t sum = qadd(halves[0][pixel][i], halves[1][pixel][i]);
                output[pixel * p->output_channels + c + i] =
                    scaled(p, sum, stream + i * SCALE_WORDS);
            }
        }
        stream += 2 * SCALE_WORDS;
    }
}

void conv_2d_wide_dsp_int8(const struct conv_2d_wide_dsp_int8_params *p, const int8_t *input,
                           int8_t *output, int8_t *scratch)
{
    const int32_t counts[3] = {p->blocks.fours, p->blocks.threes, p->blocks.ones};
    const int32_t pixels[3] = {4, 3, 1};
    uint32_t *packed = (uint32_t *)(void *)scratch;
    struct window_place at = {-p->windows.window.pad_top, -p->windows.window.pad_left};

    for (int kind = 0; kind < 3; ++kind) {
        const int32_t block = pixels[kind] == 4 ? 4 : 3;
        int8_t *patch = scratch + 4 * DOT_WORDS_PER_GROUP(block) * p->groups;
        for (int32_t left = counts[kind]; left > 0; --left) {
            pack_next_windows(&p->windows, input, &at, pixels[kind], packed, patch);
            dot_wide(p, packed, pixels[kind], output);
            output += pixels[kind] * p->output_channels;
        }
    }
}
