/* SPDX-License-Identifier: Apache-2.0 */
#include "dot.h"

#include "pack.h"

struct dot_run dot_begin(const struct dot *p, int32_t pixels)
{
    /* The first group stands in front of the loops. */
    const int32_t loops = p->groups > 1 ? (p->groups + 2) / 4 : 1;
    const struct dot_run run = {
        .stream = p->stream,
        .end = p->stream + p->output_channels / 2 * p->pair_words,
        .loops = loops,
        .skipped = 4 * loops - (p->groups - 1),
        .packed_bytes = 4 * DOT_WORDS_PER_GROUP(pixels) * p->groups,
        .min = (uint8_t)p->min * 0x01010101u,
        .max = (uint8_t)p->max * 0x01010101u,
        .routine = pixels == 4 ? p->of_four : p->of_three,
        .groups = p->groups,
        .pixels = pixels,
        .pair_words = p->pair_words,
        .last = p->output_channels % 2 != 0 ? p->output_channels - 1 : -1,
    };
    return run;
}

void dot_last(const struct dot_run *run, const uint32_t *packed, int8_t *output)
{
    /* With another one of zeros, to a place of their own. */
    int8_t pairs[8];
    struct dot_run last = *run;
    last.stream = run->end;
    last.end += run->pair_words;
    last.step = 2;
    run->routine(packed, &last, pairs);
    output += run->last;
    for (int32_t i = 0; i < run->pixels; ++i) {
        *output = pairs[2 * i];
        output += run->step;
    }
}

/* `words` x 4 inputs of each pixel of a block. */
static inline uint32_t *pack_words(uint32_t *packed, const int8_t *x, int32_t words, int32_t pitch,
                                   int32_t pixels)
{
    for (; words > 0; --words) {
        const uint32_t x0 = load_word(x);
        const uint32_t x1 = load_word(x + pitch);
        const uint32_t x2 = load_word(x + 2 * pitch);
        pack_word(packed, x0, pixels);
        pack_word(packed + 1, x1, pixels);
        pack_word(packed + 2, x2, pixels);
        if (pixels == 4) {
            pack_word(packed + 3, load_word(x + 3 * pitch), pixels);
        }
        packed += DOT_WORDS_PER_GROUP(pixels);
        x += 4;
    }
    return packed;
}

static void pack_rest(uint32_t *packed, const int8_t *x, int32_t rest, int32_t pitch,
                      int32_t pixels)
{
    for (int32_t i = 0; i < pixels; ++i) {
        pack_word(packed + i, load_rest(x + i * pitch, rest), pixels);
    }
}

void dot_pixels(const struct dot_run *run, const int8_t *input, int32_t n, int32_t pitch,
                int32_t blocks, int8_t *output, int32_t output_pitch, uint32_t *packed)
{
    const int32_t pixels = run->pixels;
    const int32_t rest = n % 4;

    for (; blocks > 0; --blocks) {
        uint32_t *behind = pixels == 4 ? pack_words(packed, input, n / 4, pitch, 4)
                                       : pack_words(packed, input, n / 4, pitch, 3);
        if (rest > 0) {
            pack_rest(behind, input + n - rest, rest, pitch, pixels);
        }
        dot(run, packed, output);
        input += pixels * pitch;
        output += pixels * output_pitch;
    }
}
