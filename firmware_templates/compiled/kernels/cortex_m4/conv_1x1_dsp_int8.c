/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_1x1_dsp_int8.h"

#include "pack.h"

void conv_1x1_dsp_int8(const struct conv_1x1_dsp_int8_params *p, const int8_t *input,
                       int8_t *output, int8_t *scratch)
{
    const int32_t n = p->input_channels;
    const int32_t channels = p->dot.output_channels;
    uint32_t *packed = (uint32_t *)(void *)scratch;
    struct dot_3x2_run run = dot_3x2_begin(&p->dot);
    int32_t pixels = p->pixels;

    for (; pixels >= 3; pixels -= 3) {
        pack_pixels(packed, input, input + n, input + 2 * n, n);
        dot_3x2(&run, packed, output, channels);
        input += 3 * n;
        output += 3 * channels;
    }
    for (; pixels > 0; --pixels) {
        /* Computed and stored three times. */
        pack_pixels(packed, input, input, input, n);
        dot_3x2(&run, packed, output, 0);
        input += n;
        output += channels;
    }
}
