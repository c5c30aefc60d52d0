/* SPDX-License-Identifier: Apache-2.0 */
/* All output channels of three or four pixels from their packed inputs: the core of every
 * convolution, two channels at a time.
 *
 * How two products come out of two SMLAD with one extension of the weights. Four inputs x and four
 * weights w of a group are words; look at the lower two bytes of each, the upper two are the same.
 * Packed inputs are two words: L has x0 in its half (SXTB16), H has 256 (-x1 - 1) + (127 - x0),
 * which is the input itself with all bits but one of them flipped. A weight word S has the bytes
 * b0 = -w1 and b1 = w0 - (w1 > 0), so that its half, read as an int16, is 256 w0 + b0. With
 * E = b0 sign-extended (SXTB16),
 *
 *     E H + S L = 256 (w0 x0 + w1 x1) + 129 w1
 *
 * and the second term is a constant of the channel, taken off its bias. Plain SMLAD needs two
 * extensions of each weight word. The price: sums are 256 times too large, so the compiler allows
 * this only where the real weights keep every sum within 24 bits.
 *
 * Being 256 times too large saves more than it costs: the first of the reference's two roundings
 * (to 2^-31 of the product) becomes a constant in the upper word of the product,
 *
 *     (sum x multiplier + offset x 2^32) >> 32 >> shift
 *     offset = 2^6 (first rounding) + 2^(shift - 1) (second rounding) + zero point x 2^shift
 *
 * with `shift` 7 more than the reference's: SMMLA, ASR, SSAT and it is done. The reference rounds
 * ties of negative values down (away from zero): they are 2^7 less.
 *
 * Below a ReLU negative values all become the zero point, so ties make no difference; and mostly
 * all channels can have the same shift, where the compiler has found that no sum comes out another
 * way. SMMLA and SSAT are left, as SSAT shifts for nothing.
 */
#ifndef EDGEMCU_KERNELS_DOT_H
#define EDGEMCU_KERNELS_DOT_H

#include <stdint.h>

struct dot_run;

/* All pairs of channels of a block of pixels; dot_3x2 of three, dot_4x2 of four.
 *
 * "relu_SHIFT" is for outputs of -128 .. 127 whose zero point is -128, with one shift for all
 * channels; "any" for all outputs. "planes_SHIFT" is "relu_SHIFT" for outputs as planes of int16:
 * each channel's pixels side by side. Of an odd number of channels, it writes one more. */
typedef void dot_routine(const uint32_t *packed, const struct dot_run *run, int8_t *output);
dot_routine dot_3x2_any;
dot_routine dot_3x2_relu_11;
dot_routine dot_3x2_relu_13;
dot_routine dot_3x2_planes_11;
dot_routine dot_3x2_planes_13;
dot_routine dot_4x2_relu_11;
dot_routine dot_4x2_relu_13;
dot_routine dot_4x2_planes_11;
dot_routine dot_4x2_planes_13;

/* Sums as they are, 256 times too large: for each pair of channels [pixels][2] int32 at `output`. Its
 * stream has no multipliers. */
dot_routine dot_3x2_sums;
dot_routine dot_4x2_sums;

/* A layer's constants.
 *
 * `stream` is, for each pair of output channels, what is read from front to back: 2 biases,
 * `groups` x 2 words of weights, and per channel its multiplier, its offset and, for "any", its
 * shift. */
struct dot {
    const int32_t *stream;
    int32_t pair_words; /* of stream for each pair */
    int32_t output_channels;
    int32_t groups; /* of four inputs each, the last one filled up with zero weights */
    int32_t min;    /* -128 .. 127 */
    int32_t max;    /* -128 .. 127 */
    dot_routine *of_four;  /* pixels; NULL if there are no such blocks */
    dot_routine *of_three; /* likewise */
};

/* How pixels are divided: first blocks of four, then of three, then single ones, each of which takes
 * a block of three. */
struct dot_blocks {
    int32_t fours;
    int32_t threes;
    int32_t ones;
};

/* Packed input of a block: [groups][L of all pixels, H of all pixels]. */
#define DOT_WORDS_PER_GROUP(pixels) (2 * (pixels))

/* What is worked out once for a layer; the assembly knows these offsets. */
struct dot_run {
    const int32_t *stream; /* 0: of the first pair */
    const int32_t *end;    /* 4: behind the last pair */
    int32_t loops;         /* 8: over four groups each, for all groups but the first */
    int32_t skipped;       /* 12: groups that the first loop leaves out */
    int32_t packed_bytes;  /* 16: of a block */
    int32_t step;          /* 20: bytes from a pixel's output to the next one's, or from plane to
                              plane */
    uint32_t min;          /* 24: four times the same byte */
    uint32_t max;          /* 28 */
    dot_routine *routine;
    int32_t groups;
    int32_t pixels;
    int32_t pair_words;
    int32_t last; /* the number of a last channel that has no other one to be a pair with, or -1 */
};

/* For blocks of 3 or 4 pixels. */
struct dot_run dot_begin(const struct dot *p, int32_t pixels);

/* The last channel, if it is no part of a pair. */
void dot_last(const struct dot_run *run, const uint32_t *packed, int8_t *output);

/* A block. packed: groups x DOT_WORDS_PER_GROUP words; output: all channels of the first pixel, those
 * of the others `run->step` behind each other. With a step of 0 all pixels must be the same. */
static inline void dot(const struct dot_run *run, const uint32_t *packed, int8_t *output)
{
    if (run->stream != run->end) {
        run->routine(packed, run, output);
    }
    if (run->last >= 0) {
        dot_last(run, packed, output);
    }
}

/* Blocks of pixels of `n` inputs each, which begin `pitch` bytes apart, and their outputs
 * `output_pitch` bytes. packed: room for a block. */
void dot_pixels(const struct dot_run *run, const int8_t *input, int32_t n, int32_t pitch,
                int32_t blocks, int8_t *output, int32_t output_pitch, uint32_t *packed);

#endif
