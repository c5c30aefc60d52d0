/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_rows_dsp_int8.h"

#include <stddef.h>

#include "dsp.h"

enum { OUTPUTS = 4, SCALE_WORDS = 3 };

/* The rows of some channels, and what is computed of them. */
struct depthwise_rows_run {
    const int8_t *first;      /* the window's first row */
    int32_t rows;             /* up to the end of the ring of rows, 1 or more */
    int32_t rows_behind;      /* from its beginning on */
    int32_t row_step;         /* bytes from a row of the window to the next */
    int32_t behind;           /* bytes from the first of `rows` to the first of `rows_behind` */
    const int32_t *stream;    /* of the first output channel */
    int8_t *output;           /* of the first output channel */
    int32_t pixel;            /* bytes from an output to its right neighbour */
    int32_t width;            /* outputs in a row */
    int32_t channels;         /* of the input */
    int32_t depth_multiplier; /* outputs per channel of the input */
    int32_t planes;           /* per channel */
    int32_t plane_bytes;
    uint32_t min; /* four times the same byte */
    uint32_t max;
};

/* Sums of four neighbouring outputs, 256 times too large. */
struct row_sums {
    uint32_t s0;
    uint32_t s1;
    uint32_t s2;
    uint32_t s3;
};

#if EDGEMCU_DSP
#define ALWAYS_INLINE inline __attribute__((always_inline))

/* Stride 1. Even outputs begin with a word of the plane: they take the words of weights as they
 * are. Odd ones begin in the middle of it: they take the second weight of a word with the first one
 * of the next. %4 to %7: two words of the plane, two of weights. */
#define FIRST_WORD_1                                                                               \
    "ldr    %4, [%9]               \n"                                                             \
    "ldr    %5, [%9, #4]           \n"                                                             \
    "ldr    %6, [%8], #4           \n"                                                             \
    "smladx %0, %4, %6, %0         \n"                                                             \
    "smlatt %1, %4, %6, %1         \n"                                                             \
    "smladx %2, %5, %6, %2         \n"                                                             \
    "smlatt %3, %5, %6, %3         \n"

#define NEXT_WORD_1(offset, x, next, before, w)                                                    \
    "ldr    " w ", [%8], #4        \n"                                                             \
    "ldr    " next ", [%9, #" offset "] \n"                                                        \
    "pkhbt  " before ", " before ", " w " \n"                                                      \
    "smladx %0, " x ", " w ", %0   \n"                                                             \
    "smlad  %1, " x ", " before ", %1 \n"                                                          \
    "smladx %2, " next ", " w ", %2 \n"                                                            \
    "smlad  %3, " next ", " before ", %3 \n"

#define ROW_1_1 FIRST_WORD_1
#define ROW_1_2 ROW_1_1 NEXT_WORD_1("8", "%5", "%4", "%6", "%7")
#define ROW_1_3 ROW_1_2 NEXT_WORD_1("12", "%4", "%5", "%7", "%6")
#define ROW_1_4 ROW_1_3 NEXT_WORD_1("16", "%5", "%4", "%6", "%7")

/* Stride 2: all outputs begin with a word of the plane. %4 to %7: the words of four outputs, %9 of
 * weights. */
#define MULTIPLY_2(x0, x1, x2, x3)                                                                 \
    "smladx %0, " x0 ", %9, %0    \n"                                                             \
    "smladx %1, " x1 ", %9, %1    \n"                                                             \
    "smladx %2, " x2 ", %9, %2    \n"                                                             \
    "smladx %3, " x3 ", %9, %3    \n"

#define FIRST_WORD_2                                                                               \
    "ldr    %4, [%10]               \n"                                                             \
    "ldr    %5, [%10, #4]           \n"                                                             \
    "ldr    %6, [%10, #8]           \n"                                                             \
    "ldr    %7, [%10, #12]          \n"                                                             \
    "ldr    %9, [%8], #4          \n" MULTIPLY_2("%4", "%5", "%6", "%7")

#define NEXT_WORD_2(offset, x0, x1, x2, x3)                                                        \
    "ldr    " x3 ", [%10, #" offset "] \n"                                                          \
    "ldr    %9, [%8], #4          \n" MULTIPLY_2(x0, x1, x2, x3)

#define ROW_2_1 FIRST_WORD_2
#define ROW_2_2 ROW_2_1 NEXT_WORD_2("16", "%5", "%6", "%7", "%4")
#define ROW_2_3 ROW_2_2 NEXT_WORD_2("20", "%6", "%7", "%4", "%5")
#define ROW_2_4 ROW_2_3 NEXT_WORD_2("24", "%7", "%4", "%5", "%6")

#define ADD_ROW_1(text)                                                                            \
    __asm volatile(text                                                                            \
                   : "+r"(sums->s0), "+r"(sums->s1), "+r"(sums->s2), "+r"(sums->s3), "=&r"(t0),    \
                     "=&r"(t1), "=&r"(t2), "=&r"(t3), "+r"(w)                                      \
                   : "r"(x)                                                                        \
                   : "memory")

#define ADD_ROW_2(text)                                                                            \
    __asm volatile(text                                                                            \
                   : "+r"(sums->s0), "+r"(sums->s1), "+r"(sums->s2), "+r"(sums->s3), "=&r"(t0),    \
                     "=&r"(t1), "=&r"(t2), "=&r"(t3), "+r"(w), "=&r"(t4)                           \
                   : "r"(x)                                                                        \
                   : "memory")

/* Adds the products of one row of the window; returns the next row's weights. All but the pointers
 * and the sums is constant. */
static ALWAYS_INLINE const int32_t *add_row(struct row_sums *sums, const int8_t *x,
                                            const int32_t *w, int32_t stride, int32_t words)
{
    uint32_t t0;
    uint32_t t1;
    uint32_t t2;
    uint32_t t3;
    uint32_t t4;

    switch (4 * stride + words) {
    case 4 + 1:
        ADD_ROW_1(ROW_1_1);
        break;
    case 4 + 2:
        ADD_ROW_1(ROW_1_2);
        break;
    case 4 + 3:
        ADD_ROW_1(ROW_1_3);
        break;
    case 4 + 4:
        ADD_ROW_1(ROW_1_4);
        break;
    case 8 + 1:
        ADD_ROW_2(ROW_2_1);
        break;
    case 8 + 2:
        ADD_ROW_2(ROW_2_2);
        break;
    case 8 + 3:
        ADD_ROW_2(ROW_2_3);
        break;
    default:
        ADD_ROW_2(ROW_2_4);
        break;
    }
    return w;
}

#else
#define ALWAYS_INLINE inline

static uint32_t swap_halves(uint32_t x)
{
    return (x << 16) | (x >> 16);
}

static const int32_t *add_row(struct row_sums *sums, const int8_t *x, const int32_t *w,
                              int32_t stride, int32_t words)
{
    uint32_t before = 0;
    for (int32_t i = 0; i < words; ++i) {
        const uint32_t weights = (uint32_t)*w++;
        const uint32_t even = swap_halves(weights);
        if (stride == 1) {
            const uint32_t odd = (before & 0xffffu) | (weights & 0xffff0000u);
            sums->s0 = smlad(load_word(x), even, sums->s0);
            sums->s1 = smlad(load_word(x), odd, sums->s1);
            sums->s2 = smlad(load_word(x + 4), even, sums->s2);
            sums->s3 = smlad(load_word(x + 4), odd, sums->s3);
            before = weights;
        } else {
            sums->s0 = smlad(load_word(x), even, sums->s0);
            sums->s1 = smlad(load_word(x + 4), even, sums->s1);
            sums->s2 = smlad(load_word(x + 8), even, sums->s2);
            sums->s3 = smlad(load_word(x + 12), even, sums->s3);
        }
        x += 4;
    }
    return w;
}

#endif

static int32_t min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* A sum as an output, not clamped yet; see dot_3x2.h. */
static ALWAYS_INLINE uint32_t scaled(uint32_t sum, const int32_t *scale, int relu)
{
    const int32_t a = (int32_t)sum;
    const int32_t offset = scale[1] + (relu ? 0 : (a >> 31) * (1 << 7));
    return (uint32_t)saturate_int8(smmla(a, scale[0], offset) >> scale[2]);
}

/* The outputs of one plane; returns where the next channel's stream begins. */
static ALWAYS_INLINE const int32_t *run_plane(const struct depthwise_rows_run *run,
                                              const int8_t *plane, const int32_t *stream,
                                              int8_t *output, int32_t pixel, int32_t count,
                                              int32_t stride, int32_t words, int relu)
{
    const int32_t row_step = run->row_step;
    const int32_t *scale;

    do {
        const uint32_t bias = (uint32_t)stream[0];
        struct row_sums sums = {bias, bias, bias, bias};
        const int32_t *w = stream + 1;
        const int8_t *x = plane;
        for (int32_t i = run->rows; i > 0; --i) {
            w = add_row(&sums, x, w, stride, words);
            x += row_step;
        }
        x = plane + run->behind;
        for (int32_t i = run->rows_behind; i > 0; --i) {
            w = add_row(&sums, x, w, stride, words);
            x += row_step;
        }
        scale = w;
        uint32_t s0 = scaled(sums.s0, scale, relu);
        uint32_t s1 = scaled(sums.s1, scale, relu);
        uint32_t s2 = scaled(sums.s2, scale, relu);
        uint32_t s3 = scaled(sums.s3, scale, relu);
        if (!relu) {
            s0 = clamp_bytes(s0, run->min, run->max);
            s1 = clamp_bytes(s1, run->min, run->max);
            s2 = clamp_bytes(s2, run->min, run->max);
            s3 = clamp_bytes(s3, run->min, run->max);
        }
        *output = (int8_t)(uint8_t)s0;
        output += pixel;
        if (count > 1) {
            *output = (int8_t)(uint8_t)s1;
            output += pixel;
        }
        if (count > 2) {
            *output = (int8_t)(uint8_t)s2;
            output += pixel;
        }
        if (count > 3) {
            *output = (int8_t)(uint8_t)s3;
            output += pixel;
        }
        plane += 2 * OUTPUTS * stride;
        count -= OUTPUTS;
    } while (count > 0);
    return scale + SCALE_WORDS;
}

static ALWAYS_INLINE void run_channels(const struct depthwise_rows_run *run, int32_t stride,
                                       int32_t words, int relu)
{
    const int8_t *plane = run->first;
    const int32_t *stream = run->stream;
    int8_t *output = run->output;
    const int32_t planes = run->planes;

    for (int32_t c = run->channels; c > 0; --c) {
        for (int32_t m = run->depth_multiplier; m > 0; --m) {
            const int32_t *behind = stream;
            for (int32_t i = 0; i < planes; ++i) {
                const int32_t count = (run->width - i + planes - 1) / planes;
                behind = run_plane(run, plane + i * run->plane_bytes, stream,
                                   output + i * run->pixel, planes * run->pixel, count, stride,
                                   words, relu);
            }
            stream = behind;
            ++output;
        }
        plane += planes * run->plane_bytes;
    }
}

#define ROUTINES(stride, words)                                                                    \
    void depthwise_rows_##stride##_##words##_relu(const struct depthwise_rows_run *run)            \
    {                                                                                              \
        run_channels(run, stride, words, 1);                                                       \
    }                                                                                              \
    void depthwise_rows_##stride##_##words##_any(const struct depthwise_rows_run *run)             \
    {                                                                                              \
        run_channels(run, stride, words, 0);                                                       \
    }

ROUTINES(1, 1)
ROUTINES(1, 2)
ROUTINES(1, 3)
ROUTINES(1, 4)
ROUTINES(2, 1)
ROUTINES(2, 2)
ROUTINES(2, 3)
ROUTINES(2, 4)

/* Four channels of two neighbouring columns, a and b, as int16 in as many planes. */
static inline void store_pair(int8_t *plane, int32_t pitch, uint32_t a, uint32_t b)
{
    const uint32_t a02 = sxtb16(a);
    const uint32_t b02 = sxtb16(b);
    const uint32_t a13 = sxtb16_ror8(a);
    const uint32_t b13 = sxtb16_ror8(b);
    store_word(plane, low_halves(a02, b02));
    store_word(plane + pitch, low_halves(a13, b13));
    store_word(plane + 2 * pitch, high_halves(a02, b02));
    store_word(plane + 3 * pitch, high_halves(a13, b13));
}

/* What a plane is made of, in columns from left to right: padding, the image, padding. */
struct columns {
    int32_t padding;
    int32_t inside;
    int32_t all;    /* even */
    int32_t offset; /* bytes from the image's first column to the first inside */
    int32_t step;   /* bytes from column to column */
    uint32_t pad;   /* the zero point as four bytes */
};

/* Those of plane i. */
static struct columns split_columns(const struct depthwise_rows_dsp_int8_params *p, int32_t i)
{
    const struct window *v = &p->window;
    const int32_t step = v->dilation_x;
    const int32_t left = v->pad_left > i ? (v->pad_left - i + step - 1) / step : 0;
    const int32_t x = i + left * step - v->pad_left;
    const int32_t columns = x < v->input_width ? (v->input_width - x + step - 1) / step : 0;
    struct columns k = {.all = p->plane_bytes / 2,
                        .offset = x * v->input_channels,
                        .step = step * v->input_channels,
                        .pad = (uint8_t)v->input_zero_point * 0x01010101u};
    k.padding = min(left, k.all);
    k.inside = min(columns, k.all - k.padding);
    return k;
}

/* One row of four channels; x is its first column inside of the image. */
static void pack_planes(const struct columns *k, const int8_t *x, int8_t *plane, int32_t pitch)
{
    const int8_t *end = plane + 2 * k->all;
    const int32_t step = k->step;
    int32_t inside = k->inside;

    for (int32_t i = k->padding; i > 1; i -= 2) {
        store_pair(plane, pitch, k->pad, k->pad);
        plane += 4;
    }
    if (k->padding % 2 != 0) {
        store_pair(plane, pitch, k->pad, inside > 0 ? load_word(x) : k->pad);
        plane += 4;
        x += step;
        --inside;
    }
    for (; inside > 1; inside -= 2) {
        const uint32_t a = load_word(x);
        const uint32_t b = load_word(x + step);
        store_pair(plane, pitch, a, b);
        plane += 4;
        x += 2 * step;
    }
    if (inside > 0) {
        store_pair(plane, pitch, load_word(x), k->pad);
        plane += 4;
    }
    while (plane < end) {
        store_pair(plane, pitch, k->pad, k->pad);
        plane += 4;
    }
}

static int8_t *put(int8_t *plane, int32_t value)
{
    const int16_t half = (int16_t)value;
    memcpy(plane, &half, sizeof half);
    return plane + sizeof half;
}

/* One row of one channel: what is left over of four. */
static void pack_plane(const struct columns *k, const int8_t *x, int8_t *plane)
{
    const int8_t *end = plane + 2 * k->all;
    const int32_t pad = (int8_t)(uint8_t)k->pad;

    for (int32_t i = k->padding; i > 0; --i) {
        plane = put(plane, pad);
    }
    for (int32_t i = k->inside; i > 0; --i) {
        plane = put(plane, *x);
        x += k->step;
    }
    while (plane < end) {
        plane = put(plane, pad);
    }
}

/* Row y of `count` channels; x is where the first of them would be in row 0 of the input. */
static void pack_row(const struct depthwise_rows_dsp_int8_params *p, const int8_t *x, int32_t y,
                     int32_t count, int8_t *place)
{
    const struct window *v = &p->window;
    const int32_t pitch = p->planes * p->plane_bytes;

    for (int32_t i = 0; i < p->planes; ++i) {
        struct columns k = split_columns(p, i);
        const int8_t *first = x;
        int8_t *plane = place + i * p->plane_bytes;
        if (y < 0 || y >= v->input_height || k.inside == 0) {
            k.padding = k.all;
            k.inside = 0;
        } else {
            first += y * v->input_width * v->input_channels + k.offset;
        }
        int32_t c = count;
        for (; c >= 4; c -= 4) {
            pack_planes(&k, first, plane, pitch);
            plane += 4 * pitch;
            first += 4;
        }
        for (; c > 0; --c) {
            pack_plane(&k, first, plane);
            plane += pitch;
            ++first;
        }
    }
}

void depthwise_rows_dsp_int8(const struct depthwise_rows_dsp_int8_params *p, const int8_t *input,
                             int8_t *output, int8_t *scratch)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;
    const int32_t row_bytes = p->group * p->planes * p->plane_bytes;
    const int32_t output_channels = channels * p->depth_multiplier;
    const int32_t channel_words = 1 + v->height * p->words + SCALE_WORDS;
    const int keeps = p->group == channels;
    int32_t packed = -v->pad_top; /* the first input row that is not in scratch memory yet */
    struct depthwise_rows_run run = {
        .row_step = v->dilation_y * row_bytes,
        .pixel = output_channels,
        .width = v->output_width,
        .depth_multiplier = p->depth_multiplier,
        .planes = p->planes,
        .plane_bytes = p->plane_bytes,
        .min = (uint8_t)p->min * 0x01010101u,
        .max = (uint8_t)p->max * 0x01010101u,
    };

    for (int32_t top = 0; top < v->output_height; top += p->block_rows) {
        const int32_t block_rows = min(p->block_rows, v->output_height - top);
        const int32_t y = top * v->stride_y - v->pad_top;
        const int32_t end = y + p->slots - (p->block_rows - block_rows) * v->stride_y;
        for (int32_t c = 0; c < channels; c += p->group) {
            const int32_t outputs_before = c * p->depth_multiplier;
            int32_t slot = keeps ? (y + v->pad_top) % p->slots : 0;
            run.channels = min(channels - c, p->group);
            run.stream = p->stream + outputs_before * channel_words;
            run.output = output + outputs_before;
            for (int32_t row = keeps && packed > y ? packed : y; row < end; ++row) {
                const int32_t place = keeps ? (row + v->pad_top) % p->slots : row - y;
                pack_row(p, input + c, row, run.channels, scratch + place * row_bytes);
            }
            for (int32_t i = 0; i < block_rows; ++i) {
                run.first = scratch + slot * row_bytes;
                run.rows =
                    min(v->height, (p->slots - slot + v->dilation_y - 1) / v->dilation_y);
                run.rows_behind = v->height - run.rows;
                run.behind = (run.rows * v->dilation_y - p->slots) * row_bytes;
                p->routine(&run);
                run.output += v->output_width * output_channels;
                slot += v->stride_y;
            }
        }
        packed = end;
        output += block_rows * v->output_width * output_channels;
    }
}
