/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_rows_dsp_int8.h"

#include "planes.h"

enum { SCALE_WORDS = 3 };

/* One output row of some channels, one plane of each; assembly knows the offsets, which are also
 * those of its frame. */
struct depthwise_rows_run {
    const int8_t *plane;   /* 0: the first channel's, of the window's first row */
    int8_t *output;        /* 4: the first channel's */
    const int32_t *stream; /* 8: the first channel's */
    int32_t channels;      /* 12: of the output */
    int32_t plane_step;    /* 16: bytes from a channel's plane to the next one's */
    int32_t pixel;         /* 20: bytes from an output to its right neighbour */
    int32_t count;         /* 24: outputs */
    int32_t rows;          /* 28: of the window up to the end of the ring of rows, 1 or more */
    int32_t rows_behind;   /* 32: from its beginning on */
    int32_t behind;        /* 36: bytes from the first of `rows` to the first of `rows_behind` */
    int32_t row_step;      /* 40: bytes from a row of the window to the next */
    uint32_t min;          /* 44: four times the same byte */
    uint32_t max;          /* 48 */
};

#if EDGEMCU_DSP

/* Registers: r0 row, r1 stream, r2 rows left, r3 bytes to the next row, r4 .. r9 sums. Frame: the
 * run; 52 outputs left, 56 the block's plane, 60 its output. */

/* Six outputs with a stride of 1: r10 and r11 weights, r12 and lr inputs. Even outputs begin with a
 * word of the plane and take the words of weights as they are. Odd ones begin in the middle of it:
 * they take the second weight of a word with the first one of the next. */

#define FIRST_WORD_1                                                                               \
    "ldr    r12, [r0]               \n"                                                            \
    "ldr    lr, [r0, #4]            \n"                                                            \
    "ldr    r10, [r1], #4           \n"                                                            \
    "smladx r4, r12, r10, r4        \n"                                                            \
    "smlatt r5, r12, r10, r5        \n"                                                            \
    "ldr    r12, [r0, #8]           \n"                                                            \
    "smladx r6, lr, r10, r6         \n"                                                            \
    "smlatt r7, lr, r10, r7         \n"                                                            \
    "smladx r8, r12, r10, r8        \n"                                                            \
    "smlatt r9, r12, r10, r9        \n"

/* x and next hold the two words that follow the first one of this step; `before` and w are this
 * word of weights and the one before. */
#define NEXT_WORD_1(offset, x, next, before, w)                                                    \
    "ldr    " w ", [r1], #4        \n"                                                             \
    "pkhbt  " before ", " before ", " w " \n"                                                      \
    "smladx r4, " x ", " w ", r4   \n"                                                             \
    "smlad  r5, " x ", " before ", r5 \n"                                                          \
    "ldr    " x ", [r0, #" offset "] \n"                                                           \
    "smladx r6, " next ", " w ", r6 \n"                                                            \
    "smlad  r7, " next ", " before ", r7 \n"                                                       \
    "smladx r8, " x ", " w ", r8   \n"                                                             \
    "smlad  r9, " x ", " before ", r9 \n"

#define ROW_1_1 FIRST_WORD_1
#define ROW_1_2 ROW_1_1 NEXT_WORD_1("12", "lr", "r12", "r10", "r11")
#define ROW_1_3 ROW_1_2 NEXT_WORD_1("16", "r12", "lr", "r11", "r10")
#define ROW_1_4 ROW_1_3 NEXT_WORD_1("20", "lr", "r12", "r10", "r11")

/* Four outputs with a stride of 2, all of which begin with a word of the plane: r8 .. r11 inputs,
 * r12 weights. */
#define MULTIPLY_2(x0, x1, x2, x3)                                                                 \
    "smladx r4, " x0 ", r12, r4    \n"                                                             \
    "smladx r5, " x1 ", r12, r5    \n"                                                             \
    "smladx r6, " x2 ", r12, r6    \n"                                                             \
    "smladx r7, " x3 ", r12, r7    \n"

#define FIRST_WORD_2                                                                               \
    "ldr    r8, [r0]               \n"                                                             \
    "ldr    r9, [r0, #4]           \n"                                                             \
    "ldr    r10, [r0, #8]          \n"                                                             \
    "ldr    r11, [r0, #12]         \n"                                                             \
    "ldr    r12, [r1], #4          \n" MULTIPLY_2("r8", "r9", "r10", "r11")

#define NEXT_WORD_2(offset, x0, x1, x2, x3)                                                        \
    "ldr    " x3 ", [r0, #" offset "] \n"                                                          \
    "ldr    r12, [r1], #4          \n" MULTIPLY_2(x0, x1, x2, x3)

#define ROW_2_1 FIRST_WORD_2
#define ROW_2_2 ROW_2_1 NEXT_WORD_2("16", "r9", "r10", "r11", "r8")
#define ROW_2_3 ROW_2_2 NEXT_WORD_2("20", "r10", "r11", "r8", "r9")
#define ROW_2_4 ROW_2_3 NEXT_WORD_2("24", "r11", "r8", "r9", "r10")

#define BEGIN                                                                                      \
    "push   {r4-r11, lr}            \n"                                                            \
    "sub    sp, sp, #68             \n"                                                            \
    "ldm    r0!, {r4-r10}           \n"                                                            \
    "stm    sp, {r4-r10}            \n"                                                            \
    "ldm    r0, {r4-r9}             \n"                                                            \
    "add    r1, sp, #28             \n"                                                            \
    "stm    r1, {r4-r9}             \n"                                                            \
    "1:                             \n" /* for each channel */                                     \
    "ldr    r0, [sp]                \n"                                                            \
    "ldr    r4, [sp, #4]            \n"                                                            \
    "ldr    r5, [sp, #24]           \n"                                                            \
    "str    r0, [sp, #56]           \n"                                                            \
    "str    r4, [sp, #60]           \n"                                                            \
    "str    r5, [sp, #52]           \n"                                                            \
    "2:                             \n" /* for each block of outputs */                            \
    "ldr    r1, [sp, #8]            \n"                                                            \
    "ldr    r2, [sp, #28]           \n"                                                            \
    "ldr    r3, [sp, #40]           \n"                                                            \
    "ldr    r4, [r1], #4            \n"                                                            \
    "mov    r5, r4                  \n"                                                            \
    "mov    r6, r4                  \n"                                                            \
    "mov    r7, r4                  \n"

#define BIAS_1                                                                                     \
    "mov    r8, r4                 \n"                                                             \
    "mov    r9, r4                 \n"
#define BIAS_2

#define NEXT_ROW(loop)                                                                             \
    "add    r0, r0, r3             \n"                                                             \
    "subs   r2, r2, #1             \n"                                                             \
    "bne    " loop "b              \n"

#define ROWS(row)                                                                                  \
    "3:                            \n" row NEXT_ROW("3")                                           \
    "ldr    r2, [sp, #32]           \n"                                                            \
    "ldr    r0, [sp, #56]           \n"                                                            \
    "cmp    r2, #0                 \n"                                                             \
    "beq    5f                     \n"                                                             \
    "ldr    r10, [sp, #36]          \n"                                                            \
    "add    r0, r0, r10             \n"                                                            \
    "4:                            \n" row NEXT_ROW("4")                                           \
    "5:                            \n"

#define LOAD_SCALE                                                                                 \
    "ldr    r10, [r1]               \n" /* multiplier */                                           \
    "ldr    r11, [r1, #4]           \n" /* offset */                                               \
    "ldr    r12, [r1, #8]           \n" /* shift */

#define SCALE_RELU(sum) "smmla  " sum ", " sum ", r10, r11 \n"

/* 2^7 less where the sum is negative. */
#define SCALE_ANY(sum)                                                                             \
    "asr    lr, " sum ", #31       \n"                                                             \
    "add    lr, r11, lr, lsl #7    \n"                                                             \
    "smmla  " sum ", " sum ", r10, lr \n"

#define SHIFT(value) "asr    " value ", " value ", r12 \n"
#define SATURATE(value) "ssat   " value ", #8, " value " \n"

/* Compares all four bytes of a word, of which the lowest counts. */
#define CLAMP(value)                                                                               \
    "ssub8  lr, " value ", r10     \n"                                                             \
    "sel    " value ", " value ", r10 \n"                                                          \
    "ssub8  lr, r11, " value "     \n"                                                             \
    "sel    " value ", " value ", r11 \n"

#define EACH_1(f) f("r4") f("r5") f("r6") f("r7") f("r8") f("r9")
#define EACH_2(f) f("r4") f("r5") f("r6") f("r7")

#define FINISH_RELU(each) LOAD_SCALE each(SCALE_RELU) each(SHIFT) each(SATURATE)

#define FINISH_ANY(each)                                                                           \
    LOAD_SCALE each(SCALE_ANY) each(SHIFT) each(SATURATE)                                          \
    "ldr    r10, [sp, #44]         \n"                                                             \
    "ldr    r11, [sp, #48]         \n" each(CLAMP)

/* As many of the outputs as are left; r0 output, r2 outputs left, r3 the next one's distance. */

#define LOAD_OUTPUT                                                                                \
    "ldr    r0, [sp, #60]           \n"                                                            \
    "ldr    r2, [sp, #52]           \n"                                                            \
    "ldr    r3, [sp, #20]           \n"                                                            \
    "strb   r4, [r0]                \n"

#define STORE_NEXT(value, place)                                                                   \
    "cmp    r2, #" place "         \n"                                                             \
    "ble    7f                     \n"                                                             \
    "add    r0, r0, r3             \n"                                                             \
    "strb   " value ", [r0]        \n"

#define STORE_1                                                                                    \
    LOAD_OUTPUT                                                                                    \
    "cmp    r2, #6                  \n"                                                            \
    "blt    6f                      \n"                                                            \
    "strb   r5, [r0, r3]            \n"                                                            \
    "strb   r6, [r0, r3, lsl #1]    \n"                                                            \
    "add    r0, r0, r3, lsl #2      \n"                                                            \
    "strb   r8, [r0]                \n"                                                            \
    "strb   r9, [r0, r3]            \n"                                                            \
    "sub    r0, r0, r3              \n"                                                            \
    "strb   r7, [r0]                \n"                                                            \
    "add    r0, r0, r3, lsl #1      \n"                                                            \
    "add    r0, r0, r3              \n"                                                            \
    REPEAT("6", "12")                                                                              \
    "6:                            \n" STORE_NEXT("r5", "1") STORE_NEXT("r6", "2") STORE_NEXT("r7", "3")\
        STORE_NEXT("r8", "4") END

#define STORE_2                                                                                    \
    LOAD_OUTPUT                                                                                    \
    "cmp    r2, #4                  \n"                                                            \
    "blt    6f                      \n"                                                            \
    "strb   r5, [r0, r3]            \n"                                                            \
    "strb   r6, [r0, r3, lsl #1]    \n"                                                            \
    "add    r0, r0, r3, lsl #2      \n"                                                            \
    "sub    r4, r0, r3              \n"                                                            \
    "strb   r7, [r4]                \n"                                                            \
    REPEAT("4", "16")                                                                              \
    "6:                            \n" STORE_NEXT("r5", "1") STORE_NEXT("r6", "2") END

/* After a whole block: the next one, of which `bytes` of input further, or the next channel. */

#define REPEAT(outputs, bytes)                                                                     \
    "subs   r2, r2, #" outputs "   \n"                                                             \
    "beq    7f                      \n"                                                            \
    "str    r0, [sp, #60]           \n"                                                            \
    "ldr    r0, [sp, #56]           \n"                                                            \
    "str    r2, [sp, #52]           \n"                                                            \
    "add    r0, r0, #" bytes "     \n"                                                             \
    "str    r0, [sp, #56]           \n"                                                            \
    "b      2b                      \n"

#define END                                                                                        \
    "7:                             \n"                                                            \
    "ldr    r0, [sp]                \n"                                                            \
    "ldr    r2, [sp, #4]            \n"                                                            \
    "ldr    r3, [sp, #16]           \n"                                                            \
    "ldr    r4, [sp, #12]           \n"                                                            \
    "add    r0, r0, r3              \n"                                                            \
    "add    r2, r2, #1              \n"                                                            \
    "add    r1, r1, #12             \n"                                                            \
    "str    r0, [sp]                \n"                                                            \
    "str    r2, [sp, #4]            \n"                                                            \
    "str    r1, [sp, #8]            \n"                                                            \
    "subs   r4, r4, #1              \n"                                                            \
    "str    r4, [sp, #12]           \n"                                                            \
    "bne    1b                      \n"                                                            \
    "add    sp, sp, #68             \n"                                                            \
    "pop    {r4-r11, pc}            \n"

#define ROUTINES(stride, words)                                                                    \
    ASSEMBLY void depthwise_rows_##stride##_##words##_relu(struct depthwise_rows_run *run          \
                                                               IN_REGISTER)                        \
    {                                                                                              \
        __asm volatile(BEGIN BIAS_##stride ROWS(ROW_##stride##_##words)                            \
                           FINISH_RELU(EACH_##stride) STORE_##stride);                             \
    }                                                                                              \
    ASSEMBLY void depthwise_rows_##stride##_##words##_any(struct depthwise_rows_run *run           \
                                                              IN_REGISTER)                         \
    {                                                                                              \
        __asm volatile(BEGIN BIAS_##stride ROWS(ROW_##stride##_##words)                            \
                           FINISH_ANY(EACH_##stride) STORE_##stride);                              \
    }

#else

static int32_t weight(int32_t word, int32_t column)
{
    return half((uint32_t)word, column % 2 == 0);
}

static uint32_t sum_rows(const struct depthwise_rows_run *run, const int8_t *plane, int32_t stride,
                         int32_t words)
{
    const int32_t *w = run->stream + 1;
    /* With a stride of 1, there is no weight in the last half. */
    const int32_t columns = stride == 1 ? 2 * words - 1 : 2 * words;
    uint32_t sum = (uint32_t)run->stream[0];
    int32_t row = 0;
    for (int32_t i = 0; i < run->rows + run->rows_behind; ++i) {
        row = i == run->rows ? run->behind : row;
        for (int32_t k = 0; k < columns; ++k) {
            int16_t x;
            memcpy(&x, plane + row + 2 * k, sizeof x);
            sum += (uint32_t)(x * weight(w[k / 2], k));
        }
        w += words;
        row += run->row_step;
    }
    return sum;
}

static void run_portable(struct depthwise_rows_run *run, int32_t stride, int32_t words, int relu)
{
    const int32_t weights = (run->rows + run->rows_behind) * words;
    const int32_t min = relu ? -128 : (int8_t)(uint8_t)run->min;
    const int32_t max = relu ? 127 : (int8_t)(uint8_t)run->max;

    for (; run->channels > 0; --run->channels) {
        const int32_t *scale = run->stream + 1 + weights;
        for (int32_t i = 0; i < run->count; ++i) {
            const int8_t *x = run->plane + 2 * stride * i;
            const int32_t sum = (int32_t)sum_rows(run, x, stride, words);
            const int32_t offset = scale[1] - (sum < 0 && !relu ? 1 << 7 : 0);
            const int32_t value = saturate_int8(smmla(sum, scale[0], offset) >> scale[2]);
            run->output[i * run->pixel] = (int8_t)(value < min ? min : value > max ? max : value);
        }
        run->plane += run->plane_step;
        run->stream = scale + SCALE_WORDS;
        ++run->output;
    }
}

#define ROUTINES(stride, words)                                                                    \
    void depthwise_rows_##stride##_##words##_relu(struct depthwise_rows_run *run)                  \
    {                                                                                              \
        run_portable(run, stride, words, 1);                                                       \
    }                                                                                              \
    void depthwise_rows_##stride##_##words##_any(struct depthwise_rows_run *run)                   \
    {                                                                                              \
        run_portable(run, stride, words, 0);                                                       \
    }

#endif

ROUTINES(1, 1)
ROUTINES(1, 2)
ROUTINES(1, 3)
ROUTINES(1, 4)
ROUTINES(2, 1)
ROUTINES(2, 2)
ROUTINES(2, 3)
ROUTINES(2, 4)

static int32_t min(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

/* Where the image's columns are in a plane; the others are padding, written once for all rows. */
struct columns {
    int32_t padding; /* columns left of the image */
    int32_t inside;
    int32_t offset; /* bytes from the image's first column to the first inside */
    int32_t step;   /* bytes from column to column */
};

/* Those of plane i. */
static struct columns split_columns(const struct depthwise_rows_dsp_int8_params *p, int32_t i)
{
    const struct window *v = &p->window;
    const int32_t step = v->dilation_x;
    const int32_t left = v->pad_left > i ? (v->pad_left - i + step - 1) / step : 0;
    const int32_t x = i + left * step - v->pad_left;
    const int32_t columns = x < v->input_width ? (v->input_width - x + step - 1) / step : 0;
    const int32_t most = p->plane_bytes / 2 - left;
    const struct columns k = {left, min(columns, most), x * v->input_channels,
                              step * v->input_channels};
    return k;
}

/* One row of four channels; x is its first column inside of the image. */
static void pack_planes(const struct columns *k, const int8_t *x, uint32_t pad, int8_t *plane,
                        int32_t pitch)
{
    const int32_t step = k->step;
    int32_t inside = k->inside;

    plane += k->padding / 2 * 4;
    if (k->padding % 2 != 0) {
        store_pair(plane, pitch, pad, load_word(x));
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
        store_pair(plane, pitch, load_word(x), pad);
    }
}

/* One row of one channel: what is left over of four. */
static void pack_plane(const struct columns *k, const int8_t *x, int8_t *plane)
{
    plane += 2 * k->padding;
    for (int32_t i = k->inside; i > 0; --i) {
        const int16_t half = *x;
        memcpy(plane, &half, sizeof half);
        plane += sizeof half;
        x += k->step;
    }
}

/* Padding alone; bytes are a multiple of 4. */
static void fill(int8_t *place, int32_t bytes, uint32_t pad)
{
    const uint32_t pair = low_halves(sxtb16(pad), sxtb16(pad));
    for (; bytes > 0; bytes -= 4) {
        store_word(place, pair);
        place += 4;
    }
}

/* Row y of `count` channels; x is where the first of them would be in row 0 of the input. `plane0`
 * is what split_columns says of plane 0, for most windows the only one. */
static void pack_row(const struct depthwise_rows_dsp_int8_params *p, const struct columns *plane0,
                     const int8_t *x, int32_t y, int32_t count, int8_t *place)
{
    const struct window *v = &p->window;
    const int32_t pitch = p->planes * p->plane_bytes;
    const uint32_t pad = (uint8_t)v->input_zero_point * 0x01010101u;

    if (y < 0 || y >= v->input_height) {
        fill(place, count * pitch, pad);
        return;
    }
    for (int32_t i = 0; i < p->planes; ++i) {
        const struct columns k = i == 0 ? *plane0 : split_columns(p, i);
        if (k.inside <= 0) {
            continue;
        }
        const int8_t *first = x + y * v->input_width * v->input_channels + k.offset;
        int8_t *plane = place + i * p->plane_bytes;
        int32_t c = count;
        for (; c >= 4; c -= 4) {
            pack_planes(&k, first, pad, plane, pitch);
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

/* One output row of `channels` input channels: all of them in one run for each plane, or one by one
 * where each has several outputs. */
static void run_row(const struct depthwise_rows_dsp_int8_params *p,
                    const struct depthwise_rows_run *row, int32_t channels, int32_t channel_words)
{
    const int32_t planes = p->planes;
    const int at_once = p->depth_multiplier == 1;
    const int32_t runs = at_once ? 1 : channels;

    for (int32_t c = 0; c < runs; ++c) {
        const int32_t outputs_before = c * p->depth_multiplier;
        for (int32_t i = 0; i < planes; ++i) {
            struct depthwise_rows_run run = *row;
            run.plane += (c * planes + i) * p->plane_bytes;
            run.output += outputs_before + i * row->pixel;
            run.stream += outputs_before * channel_words;
            run.channels = at_once ? channels : p->depth_multiplier;
            run.plane_step = at_once ? planes * p->plane_bytes : 0;
            run.pixel *= planes;
            run.count = (run.count - i + planes - 1) / planes;
            p->routine(&run);
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
    const struct columns plane0 = split_columns(p, 0);
    int32_t packed = -v->pad_top; /* the first input row that is not in scratch memory yet */
    struct depthwise_rows_run run = {
        .row_step = v->dilation_y * row_bytes,
        .pixel = output_channels,
        .count = v->output_width,
        .min = (uint8_t)p->min * 0x01010101u,
        .max = (uint8_t)p->max * 0x01010101u,
    };

    fill(scratch, p->slots * row_bytes, (uint8_t)v->input_zero_point * 0x01010101u);
    for (int32_t top = 0; top < v->output_height; top += p->block_rows) {
        const int32_t block_rows = min(p->block_rows, v->output_height - top);
        const int32_t y = top * v->stride_y - v->pad_top;
        const int32_t end = y + p->slots - (p->block_rows - block_rows) * v->stride_y;
        for (int32_t c = 0; c < channels; c += p->group) {
            const int32_t outputs_before = c * p->depth_multiplier;
            int32_t slot = keeps ? (y + v->pad_top) % p->slots : 0;
            const int32_t count = min(channels - c, p->group);
            run.stream = p->stream + outputs_before * channel_words;
            run.output = output + outputs_before;
            for (int32_t row = keeps && packed > y ? packed : y; row < end; ++row) {
                const int32_t place = keeps ? (row + v->pad_top) % p->slots : row - y;
                pack_row(p, &plane0, input + c, row, count, scratch + place * row_bytes);
            }
            for (int32_t i = 0; i < block_rows; ++i) {
                run.plane = scratch + slot * row_bytes;
                run.rows =
                    min(v->height, (p->slots - slot + v->dilation_y - 1) / v->dilation_y);
                run.rows_behind = v->height - run.rows;
                run.behind = (run.rows * v->dilation_y - p->slots) * row_bytes;
                run_row(p, &run, count, channel_words);
                run.output += v->output_width * output_channels;
                slot += v->stride_y;
            }
        }
        packed = end;
        output += block_rows * v->output_width * output_channels;
    }
}
