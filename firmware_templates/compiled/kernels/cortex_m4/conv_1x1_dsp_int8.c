/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_1x1_dsp_int8.h"

void conv_1x1_dsp_int8(const struct conv_1x1_dsp_int8_params *p, const int8_t *input,
                       int8_t *output, int8_t *scratch)
{
    const int32_t n = p->input_channels;
    const int32_t channels = p->dot.output_channels;
    uint32_t *packed = (uint32_t *)(void *)scratch;
    struct dot_run run = dot_begin(&p->dot, 4);

    run.step = channels;
    dot_pixels(&run, input, n, n, p->blocks.fours, output, channels, packed);
    input += p->blocks.fours * 4 * n;
    output += p->blocks.fours * 4 * channels;
    run = dot_begin(&p->dot, 3);
    run.step = channels;
    dot_pixels(&run, input, n, n, p->blocks.threes, output, channels, packed);
    input += p->blocks.threes * 3 * n;
    output += p->blocks.threes * 3 * channels;
    /* One and the same pixel three times, and its outputs all in one place. */
    run.step = 0;
    for (int32_t left = p->blocks.ones; left > 0; --left) {
        dot_pixels(&run, input, n, 0, 1, output, 0, packed);
        input += n;
        output += channels;
    }
}
