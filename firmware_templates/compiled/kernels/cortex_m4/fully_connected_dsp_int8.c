/* SPDX-License-Identifier: Apache-2.0 */
#include "fully_connected_dsp_int8.h"

#include "dsp.h"

enum { WORDS_BEFORE = 2, WORDS_BEHIND = 6, SCALE_WORDS = 3 };

/* The bits of a word of inputs that its word H has flipped. */
#define FLIPPED 0xff7fff7fu

static inline uint32_t multiply_add(uint32_t x, uint32_t y, uint32_t acc)
{
#if EDGEMCU_DSP
    uint32_t result;
    __asm("smlad %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(acc));
    return result;
#else
    return smlad(x, y, acc);
#endif
}

/* Four products with the weights of one word. */
static inline uint32_t add_products(uint32_t acc, uint32_t weights, uint32_t l, uint32_t h)
{
    acc = multiply_add(weights, l, acc);
    return multiply_add(sxtb16(weights), h, acc);
}

/* Sums of four channels, 256 times too large. */
struct four_sums {
    uint32_t s0;
    uint32_t s1;
    uint32_t s2;
    uint32_t s3;
};

/* Adds the products of four inputs with a word of weights for each channel. */
static inline void add_word(struct four_sums *sums, uint32_t x, const int32_t *first,
                            const int32_t *second)
{
    const uint32_t w0 = (uint32_t)first[0];
    const uint32_t w1 = (uint32_t)first[1];
    const uint32_t w2 = (uint32_t)second[0];
    const uint32_t w3 = (uint32_t)second[1];
    const uint32_t l = sxtb16(x);
    const uint32_t h = x ^ FLIPPED;
    sums->s0 = add_products(sums->s0, w0, l, h);
    sums->s1 = add_products(sums->s1, w1, l, h);
    sums->s2 = add_products(sums->s2, w2, l, h);
    sums->s3 = add_products(sums->s3, w3, l, h);
}

/* `first` and `second` are the streams of two pairs of channels. */
static struct four_sums sum_four(const int32_t *first, const int32_t *second, const int8_t *x,
                                 int32_t n)
{
    struct four_sums sums = {(uint32_t)first[0], (uint32_t)first[1], (uint32_t)second[0],
                             (uint32_t)second[1]};
    first += WORDS_BEFORE;
    second += WORDS_BEFORE;
    for (; n >= 8; n -= 8) {
        add_word(&sums, load_word(x), first, second);
        add_word(&sums, load_word(x + 4), first + 2, second + 2);
        first += 4;
        second += 4;
        x += 8;
    }
    if (n >= 4) {
        add_word(&sums, load_word(x), first, second);
        first += 2;
        second += 2;
        x += 4;
        n -= 4;
    }
    if (n > 0) {
        add_word(&sums, load_rest(x, n), first, second);
    }
    return sums;
}

/* scale: multiplier, offset, shift; see dot.h. */
static inline int8_t scaled(const struct fully_connected_dsp_int8_params *p, uint32_t sum,
                            const int32_t *scale)
{
    const int32_t offset = scale[1] + ((int32_t)sum >> 31) * (1 << 7);
    int32_t value = saturate_int8(smmla((int32_t)sum, scale[0], offset) >> scale[2]);
    value = value < p->min ? p->min : value;
    return (int8_t)(value > p->max ? p->max : value);
}

static void fully_connected_row(const struct fully_connected_dsp_int8_params *p,
                                const int8_t *input, int8_t *output)
{
    const int32_t groups = (p->input_channels + 3) / 4;
    const int32_t pair = WORDS_BEFORE + 2 * groups + WORDS_BEHIND;
    const int32_t *stream = p->stream;

    for (int32_t c = 0; c < p->output_channels; c += 4) {
        const int32_t count = p->output_channels - c < 4 ? p->output_channels - c : 4;
        /* Without a second pair the first is computed twice. */
        const int32_t *second = count > 2 ? stream + pair : stream;
        const int32_t *scales[2] = {stream + pair - WORDS_BEHIND, second + pair - WORDS_BEHIND};
        const struct four_sums found = sum_four(stream, second, input, p->input_channels);
        const uint32_t sums[4] = {found.s0, found.s1, found.s2, found.s3};
        for (int32_t i = 0; i < count; ++i) {
            output[c + i] = scaled(p, sums[i], scales[i / 2] + i % 2 * SCALE_WORDS);
        }
        stream += 2 * pair;
    }
}

void fully_connected_dsp_int8(const struct fully_connected_dsp_int8_params *p, const int8_t *input,
                              int8_t *output)
{
    for (int32_t row = 0; row < p->rows; ++row) {
        fully_connected_row(p, input, output);
        input += p->input_channels;
        output += p->output_channels;
    }
}
