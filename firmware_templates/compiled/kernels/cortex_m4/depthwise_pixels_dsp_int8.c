/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_pixels_dsp_int8.h"

#include "dsp.h"

enum { CHANNELS = 4 };

/* Where a window's taps are. */
struct taps {
    int32_t rows;
    int32_t columns;
    int32_t pixel; /* bytes from a column to the next */
    int32_t line;  /* bytes from a row to the next */
};

struct four_sums {
    int32_t s0;
    int32_t s1;
    int32_t s2;
    int32_t s3;
};

static inline void add_tap(struct four_sums *sums, uint32_t x, uint32_t weights)
{
    const uint32_t x02 = sxtb16(x);
    const uint32_t x13 = sxtb16_ror8(x);
    const uint32_t w02 = sxtb16(weights);
    const uint32_t w13 = sxtb16_ror8(weights);
    sums->s0 = smlabb(x02, w02, sums->s0);
    sums->s1 = smlabb(x13, w13, sums->s1);
    sums->s2 = smlatt(x02, w02, sums->s2);
    sums->s3 = smlatt(x13, w13, sums->s3);
}

/* Four channels of a row of taps, which are `pixel` bytes apart. */
static inline void add_row(struct four_sums *sums, const int8_t *tap, const int32_t *w,
                           int32_t columns, int32_t pixel)
{
#if EDGEMCU_DSP
    uint32_t x02;
    uint32_t x13;
    uint32_t w02;
    uint32_t w13;
    __asm volatile("1:                            \n"
                   "ldr    %[x13], [%[tap]]       \n"
                   "ldr    %[w13], [%[w]], #4     \n"
                   "add    %[tap], %[tap], %[pixel] \n"
                   "sxtb16 %[x02], %[x13]         \n"
                   "sxtb16 %[w02], %[w13]         \n"
                   "sxtb16 %[x13], %[x13], ror #8 \n"
                   "sxtb16 %[w13], %[w13], ror #8 \n"
                   "smlabb %[s0], %[x02], %[w02], %[s0] \n"
                   "smlatt %[s2], %[x02], %[w02], %[s2] \n"
                   "smlabb %[s1], %[x13], %[w13], %[s1] \n"
                   "smlatt %[s3], %[x13], %[w13], %[s3] \n"
                   "subs   %[n], %[n], #1         \n"
                   "bne    1b                     \n"
                   : [s0] "+r"(sums->s0), [s1] "+r"(sums->s1), [s2] "+r"(sums->s2),
                     [s3] "+r"(sums->s3), [tap] "+r"(tap), [w] "+r"(w), [n] "+r"(columns),
                     [x02] "=&r"(x02), [x13] "=&r"(x13), [w02] "=&r"(w02), [w13] "=&r"(w13)
                   : [pixel] "r"(pixel)
                   : "cc", "memory");
#else
    for (; columns > 0; --columns) {
        add_tap(sums, load_word(tap), (uint32_t)*w++);
        tap += pixel;
    }
#endif
}

/* Four channels of all taps. */
static inline struct four_sums sum_taps(const struct taps *t, const int8_t *x, const int32_t *w)
{
    struct four_sums sums = {0, 0, 0, 0};

    for (int32_t rows = t->rows; rows > 0; --rows) {
        add_row(&sums, x, w, t->columns, t->pixel);
        x += t->line;
        w += t->columns;
    }
    return sums;
}

/* One to three channels. */
static inline struct four_sums sum_rest(const struct taps *t, const int8_t *x, const int32_t *w,
                                        int32_t count)
{
    struct four_sums sums = {0, 0, 0, 0};

    for (int32_t rows = t->rows; rows > 0; --rows) {
        const int8_t *tap = x;
        for (int32_t i = t->columns; i > 0; --i) {
            add_tap(&sums, load_rest(tap, count), (uint32_t)*w++);
            tap += t->pixel;
        }
        x += t->line;
    }
    return sums;
}

/* A sum as an output, not clamped yet; scale: multiplier, offset and shift, each for four channels. */
static inline uint32_t scaled(int32_t sum, int32_t bias, const int32_t *scale)
{
    const int32_t large = (int32_t)((uint32_t)bias + ((uint32_t)sum << 8));
    const int32_t offset = scale[CHANNELS] + (large >> 31) * (1 << 7);
    return (uint32_t)saturate_int8(smmla(large, scale[0], offset) >> scale[2 * CHANNELS]);
}

static inline uint32_t four_outputs(const struct four_sums *sums, const int32_t *bias,
                                    const int32_t *scale)
{
    return with_bytes(scaled(sums->s0, bias[0], scale), scaled(sums->s1, bias[1], scale + 1),
                      scaled(sums->s2, bias[2], scale + 2), scaled(sums->s3, bias[3], scale + 3));
}

/* All channels of one pixel. */
static void one_pixel(const struct depthwise_pixels_dsp_int8_params *p, const struct taps *t,
                      const int8_t *x, int8_t *output)
{
    const int32_t weights = t->rows * t->columns;
    const uint32_t min = (uint8_t)p->min * 0x01010101u;
    const uint32_t max = (uint8_t)p->max * 0x01010101u;
    const int32_t *stream = p->stream;
    int32_t count = p->window.input_channels;

    for (; count >= CHANNELS; count -= CHANNELS) {
        const int32_t *scale = stream + CHANNELS + weights;
        const struct four_sums sums = sum_taps(t, x, stream + CHANNELS);
        store_word(output, clamp_bytes(four_outputs(&sums, stream, scale), min, max));
        stream = scale + 3 * CHANNELS;
        x += CHANNELS;
        output += CHANNELS;
    }
    if (count > 0) {
        const struct four_sums sums = sum_rest(t, x, stream + CHANNELS, count);
        const uint32_t word = four_outputs(&sums, stream, stream + CHANNELS + weights);
        store_rest(output, clamp_bytes(word, min, max), count);
    }
}

/* Taps in one column are taken as a row, whose loop is the faster one. */
static struct taps taps_of(const struct window *v, int32_t pixel, int32_t line)
{
    const struct taps rows = {v->height, v->width, pixel, line};
    const struct taps column = {1, v->height, line, 0};
    return v->width == 1 ? column : rows;
}

void depthwise_pixels_dsp_int8(const struct depthwise_pixels_dsp_int8_params *p,
                               const int8_t *input, int8_t *output, int8_t *patch)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;
    const int32_t line = v->input_width * channels;
    const struct taps inside = taps_of(v, v->dilation_x * channels, v->dilation_y * line);
    const struct taps gathered = taps_of(v, channels, v->width * channels);

    for (int32_t oy = 0; oy < v->output_height; ++oy) {
        const int32_t y = oy * v->stride_y - v->pad_top;
        for (int32_t ox = 0; ox < v->output_width; ++ox) {
            const int32_t x = ox * v->stride_x - v->pad_left;
            if (window_is_inside(v, y, x)) {
                one_pixel(p, &inside, input + y * line + x * channels, output);
            } else {
                window_gather(v, y, x, v->width, input, patch);
                one_pixel(p, &gathered, patch, output);
            }
            output += channels;
        }
    }
}
