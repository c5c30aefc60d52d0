/* SPDX-License-Identifier: Apache-2.0 */
/* 3x3 convolution with stride 1 by Winograd's F(2x2, 3x3) or F(2x4, 3x3), exact in integers.
 *
 * A tile of outputs, two rows of two or four columns, takes 16 or 24 multiplications for each input
 * channel in place of 36 or 72 (Lavin and Gray 2015, arXiv:1509.09308):
 *
 *     Y = A1' [(G1 g G2') * (B1' d B2)] A2
 *
 * d is the tile's input, two rows and columns more than its outputs, g the 3x3 weights. A and B are
 * integers; G is not, so the compiler uses multiples of its rows. All arithmetic is modulo 2^32 and
 * ends with sums that are a power of 2 too large, which rounding takes into account: only these
 * have to fit 32 bits, which the compiler checks with the real weights. What is in between may
 * wrap.
 *
 * Here is what both have in common; winograd_3x3_dsp_int8.h and winograd_2x4_dsp_int8.h have their
 * transforms.
 */
#ifndef EDGEMCU_KERNELS_WINOGRAD_H
#define EDGEMCU_KERNELS_WINOGRAD_H

#include <stdint.h>

#include "../portable/window.h"

enum {
    WINOGRAD_TILES = 2,    /* computed at a time */
    WINOGRAD_CHANNELS = 4, /* likewise, of the output */
    /* Of each place of a transformed tile. */
    WINOGRAD_SUMS = WINOGRAD_TILES * WINOGRAD_CHANNELS,
    WINOGRAD_ROWS = 2, /* of a tile */
    WINOGRAD_INPUT_ROWS = 4,
    /* Input channels whose transforms lie together, in so many words of each place. */
    WINOGRAD_CHUNK = 16,
    WINOGRAD_CHUNK_WORDS = WINOGRAD_CHUNK / 2 * WINOGRAD_TILES,
    /* How to go on after as many: store the sums, start again from 0, come to an end. */
    WINOGRAD_STORE = 1,
    WINOGRAD_CLEAR = 2,
    WINOGRAD_END = 4,
};

/* A tile of the output. */
struct winograd_tile {
    int8_t *output; /* 0: the next channel of its upper left pixel */
    int32_t step;   /* 4: bytes to the pixel on the right */
    int32_t line;   /* 8: bytes to the pixel below */
};

/* The tiles that are computed together; the assembly knows these offsets. */
struct winograd_block {
    struct winograd_tile tiles[WINOGRAD_TILES];
    uint32_t min; /* 24: four times the same byte */
    uint32_t max; /* 28 */
};

/* One tile's input of all channels, whose pixels are `channels` bytes apart and whose lines `line`,
 * to [channels / 16, rounded up][places][8][2 tiles] words, of which it writes those of one tile. A
 * word has channels 0 and 2 of four, the next one 1 and 3. */
typedef void winograd_transform(const int8_t *x, int32_t channels, int32_t line, uint32_t *to);

/* Four output channels of both tiles: from sums to outputs. Moves the tiles on by four channels.
 *
 * sums: [columns + 2][4][4 channels][2 tiles]. Of a column's places m0 .. m3 these are m1, m1 + m0,
 * m2, m2 + m3: as the two rows of outputs come from m0 + m1 + m2 and from m1 - m2 - m3, half of
 * their additions is done by products that are added to the sums of another place. */
typedef void winograd_back(const int32_t *sums, const int32_t *scale, struct winograd_block *block);

/* A kind of tile. */
struct winograd_shape {
    int32_t columns;
    int32_t scale_words; /* for each channel */
    winograd_transform *transform;
};

struct winograd_params {
    struct window window;    /* 3 x 3, stride 1, not dilated, input channels in multiples of 4 */
    int32_t output_channels; /* a multiple of 4 */
    int32_t min;             /* -128 .. 127 */
    int32_t max;             /* -128 .. 127 */
    winograd_back *back;
    /* For each four output channels:
     * - [columns + 2][places 1, 0, 2, 3][input channels / 16, rounded up] times [8][4] words of two
     *   transformed weights, 0 where there are fewer channels, and a word that says how to go on:
     *   8 times the bytes to the next 16 channels' inputs, plus WINOGRAD_STORE, WINOGRAD_CLEAR and
     *   WINOGRAD_END;
     * - for each channel the bias as the kind of tile wants it, multiplier, offset and shift: those
     *   of dot.h, for sums that are so many times too large. */
    const int32_t *stream;
};

/* input: NHWC; output: NHWC; scratch, aligned to 4, in bytes, with places = 4 x (columns + 2):
 * places x 4 for each input channel, as many as fill groups of 16; then places x 32, or places for
 * each input channel if that is more; then columns x 4 for each output channel if the output is not
 * made of whole tiles.
 * Two tiles are read before any of their outputs is written: the output may lie over the input as
 * far as what later tiles read stays whole. */
void winograd(const struct winograd_params *p, const struct winograd_shape *shape,
              const int8_t *input, int8_t *output, int8_t *scratch);

#endif
