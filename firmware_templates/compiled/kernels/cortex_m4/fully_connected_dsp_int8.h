/* SPDX-License-Identifier: Apache-2.0 */
/* Fully connected layers, one row at a time: four output channels by four inputs.
 *
 * Weights lie as for dot.h, whose two products out of two SMLAD with one extension are used here
 * as well. With a single row the packed inputs would be used too rarely to be worth storing: they
 * are made of each word of inputs as it comes. Sums that might leave 24 bits are made of parts.
 */
#ifndef EDGEMCU_KERNELS_FULLY_CONNECTED_DSP_INT8_H
#define EDGEMCU_KERNELS_FULLY_CONNECTED_DSP_INT8_H

#include <stdint.h>

struct fully_connected_dsp_int8_params;

/* One row: of sums that fit, and of parts. */
typedef void fully_connected_routine(const struct fully_connected_dsp_int8_params *p,
                                     const int8_t *input, int8_t *output);
fully_connected_routine fully_connected_row;
fully_connected_routine fully_connected_row_in_parts;

/* `stream` is, for each pair of output channels: 2 biases and (inputs + 3) / 4 x 2 words of weights
 * for each part of the inputs, and per channel its multiplier, offset and shift, which are for sums
 * 2^(8 - down) too large. */
struct fully_connected_dsp_int8_params {
    int32_t rows;
    int32_t input_channels;
    int32_t output_channels;
    int32_t part; /* inputs whose sum is sure to fit 24 bits: all, or a multiple of 8 */
    int32_t down; /* 2^down is at least the number of parts; 0 .. 6 */
    int32_t pair_words; /* of the stream, for each pair of output channels */
    int32_t min;  /* -128 .. 127 */
    int32_t max;  /* -128 .. 127 */
    fully_connected_routine *routine;
    const int32_t *stream;
};

/* input: [rows][input_channels]; output: [rows][output_channels]. */
void fully_connected_dsp_int8(const struct fully_connected_dsp_int8_params *p, const int8_t *input,
                              int8_t *output);

#endif
