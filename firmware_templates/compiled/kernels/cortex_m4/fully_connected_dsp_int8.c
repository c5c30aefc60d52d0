/* SPDX-License-Identifier: Apache-2.0 */
#include "fully_connected_dsp_int8.h"

#include "dsp.h"

/* What is called in two places, and faster as a part of either. */
#define ALWAYS_INLINE inline __attribute__((always_inline))

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

#if EDGEMCU_DSP
/* A word of weights for two channels. */
#define LOAD_PAIR(stream)                                                                          \
    "ldr    %[w0], [%[" stream "]], #4 \n"                                                         \
    "ldr    %[w1], [%[" stream "]], #4 \n"

/* Their products, onto the sums s and t. */
#define ADD_PAIR(s, t)                                                                             \
    "smlad  %[" s "], %[w0], %[l], %[" s "] \n"                                                    \
    "smlad  %[" t "], %[w1], %[l], %[" t "] \n"                                                    \
    "sxtb16 %[w0], %[w0]           \n"                                                             \
    "sxtb16 %[w1], %[w1]           \n"                                                             \
    "smlad  %[" s "], %[w0], %[h], %[" s "] \n"                                                    \
    "smlad  %[" t "], %[w1], %[h], %[" t "] \n"

/* What add_word does; of loads behind one another only the first takes two cycles. */
#define ADD_WORD                                                                                   \
    "ldr    %[l], [%[x]], #4       \n" LOAD_PAIR("first")                                          \
    "eor    %[h], %[l], %[flipped] \n"                                                             \
    "sxtb16 %[l], %[l]             \n" ADD_PAIR("s0", "s1") LOAD_PAIR("second")                    \
        ADD_PAIR("s2", "s3")
#endif

/* Adds the products of `n` inputs, a multiple of 8 that is not 0. */
static inline void add_words(struct four_sums *sums, const int8_t *x, const int32_t *first,
                             const int32_t *second, int32_t n)
{
#if EDGEMCU_DSP
    uint32_t l;
    uint32_t h;
    uint32_t w0;
    uint32_t w1;
    __asm volatile("1:             \n" ADD_WORD ADD_WORD
                   "subs   %[n], %[n], #8 \n"
                   "bne    1b      \n"
                   : [s0] "+r"(sums->s0), [s1] "+r"(sums->s1), [s2] "+r"(sums->s2),
                     [s3] "+r"(sums->s3), [x] "+r"(x), [first] "+r"(first), [second] "+r"(second),
                     [n] "+r"(n), [l] "=&r"(l), [h] "=&r"(h), [w0] "=&r"(w0), [w1] "=&r"(w1)
                   : [flipped] "r"(FLIPPED)
                   : "cc", "memory");
#else
    for (; n > 0; n -= 4) {
        add_word(sums, load_word(x), first, second);
        first += 2;
        second += 2;
        x += 4;
    }
#endif
}

/* `first` and `second` are the streams of two pairs of channels. */
static ALWAYS_INLINE struct four_sums sum_four(const int32_t *first, const int32_t *second,
                                               const int8_t *x, int32_t n)
{
    struct four_sums sums = {(uint32_t)first[0], (uint32_t)first[1], (uint32_t)second[0],
                             (uint32_t)second[1]};
    first += WORDS_BEFORE;
    second += WORDS_BEFORE;
    const int32_t eights = n & ~7;
    if (eights > 0) {
        add_words(&sums, x, first, second, eights);
        first += eights / 2;
        second += eights / 2;
        x += eights;
        n -= eights;
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

/* A part's sum, less the bits that make room for the others: its lowest 8 are zeros. */
static inline uint32_t shifted(uint32_t sum, int32_t down)
{
    return (uint32_t)((int32_t)sum >> down);
}

/* The same of all inputs: part by part where their sum would not fit. */
static inline struct four_sums sum_parts(const struct fully_connected_dsp_int8_params *p,
                                         const int32_t *first, const int32_t *second,
                                         const int8_t *x)
{
    const int32_t down = p->down;
    struct four_sums sums = {0, 0, 0, 0};
    int32_t left = p->input_channels;
    do {
        const int32_t n = left < p->part ? left : p->part;
        const struct four_sums part = sum_four(first, second, x, n);
        sums.s0 += shifted(part.s0, down);
        sums.s1 += shifted(part.s1, down);
        sums.s2 += shifted(part.s2, down);
        sums.s3 += shifted(part.s3, down);
        x += n;
        first += WORDS_BEFORE + n / 2;
        second += WORDS_BEFORE + n / 2;
        left -= n;
    } while (left > 0);
    return sums;
}

/* A sum as an output, not clamped yet; `tie` is added to a negative sum's offset. scale: multiplier,
 * offset, shift; see dot.h. */
static inline uint32_t scaled(uint32_t sum, const int32_t *scale, int32_t tie)
{
    const int32_t offset = scale[1] + (((int32_t)sum >> 31) & tie);
    return (uint32_t)saturate_int8(smmla((int32_t)sum, scale[0], offset) >> scale[2]);
}

static ALWAYS_INLINE void one_row(const struct fully_connected_dsp_int8_params *p,
                                  const int8_t *input, int8_t *output, int in_parts)
{
    const int32_t inputs = p->input_channels;
    const int32_t pair = p->pair_words;
    const int32_t tie = -((1 << 7) >> p->down);
    const uint32_t min = (uint8_t)p->min * 0x01010101u;
    const uint32_t max = (uint8_t)p->max * 0x01010101u;
    const int32_t *stream = p->stream;

    for (int32_t count = p->output_channels; count > 0; count -= 4) {
        /* Without a second pair the first is computed twice. */
        const int32_t *second = count > 2 ? stream + pair : stream;
        const struct four_sums sums = in_parts ? sum_parts(p, stream, second, input)
                                               : sum_four(stream, second, input, inputs);
        const int32_t *scales = stream + pair - WORDS_BEHIND;
        const uint32_t output0 = scaled(sums.s0, scales, tie);
        const uint32_t output1 = scaled(sums.s1, scales + SCALE_WORDS, tie);
        scales = second + pair - WORDS_BEHIND;
        const uint32_t output2 = scaled(sums.s2, scales, tie);
        const uint32_t output3 = scaled(sums.s3, scales + SCALE_WORDS, tie);
        const uint32_t word = clamp_bytes(with_bytes(output0, output1, output2, output3), min, max);
        if (count >= 4) {
            store_word(output, word);
            output += 4;
        } else {
            output = store_rest(output, word, count);
        }
        stream += 2 * pair;
    }
}

void fully_connected_row(const struct fully_connected_dsp_int8_params *p, const int8_t *input,
                         int8_t *output)
{
    one_row(p, input, output, 0);
}

void fully_connected_row_in_parts(const struct fully_connected_dsp_int8_params *p,
                                  const int8_t *input, int8_t *output)
{
    one_row(p, input, output, 1);
}

void fully_connected_dsp_int8(const struct fully_connected_dsp_int8_params *p, const int8_t *input,
                              int8_t *output)
{
    for (int32_t row = 0; row < p->rows; ++row) {
        p->routine(p, input, output);
        input += p->input_channels;
        output += p->output_channels;
    }
}
