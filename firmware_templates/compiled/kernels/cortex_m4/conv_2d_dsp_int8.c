/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_2d_dsp_int8.h"

/* So many blocks from `at` on, which moves behind them; returns where the outputs go on. */
static int8_t *convolve(const struct conv_2d_dsp_int8_params *p, const int8_t *input,
                        struct window_place *at, int32_t pixels, int32_t blocks, int8_t *output,
                        int8_t *scratch)
{
    const int32_t channels = p->dot.output_channels;
    uint32_t *packed = (uint32_t *)(void *)scratch;
    struct dot_run run = dot_begin(&p->dot, pixels == 4 ? 4 : 3);
    int8_t *patch = scratch + run.packed_bytes;

    /* A single pixel is computed three times, all in one place. */
    run.step = pixels > 1 ? channels : 0;
    for (; blocks > 0; --blocks) {
        pack_next_windows(&p->windows, input, at, pixels, packed, patch);
        dot(&run, packed, output);
        output += pixels * channels;
    }
    return output;
}

void conv_2d_dsp_int8(const struct conv_2d_dsp_int8_params *p, const int8_t *input, int8_t *output,
                      int8_t *scratch)
{
    struct window_place at = {-p->windows.window.pad_top, -p->windows.window.pad_left};

    output = convolve(p, input, &at, 4, p->blocks.fours, output, scratch);
    output = convolve(p, input, &at, 3, p->blocks.threes, output, scratch);
    convolve(p, input, &at, 1, p->blocks.ones, output, scratch);
}
