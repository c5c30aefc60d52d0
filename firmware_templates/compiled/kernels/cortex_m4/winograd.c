/* SPDX-License-Identifier: Apache-2.0 */
#include "winograd.h"

#include "dsp.h"

/* Sums over all input channels of transformed inputs times transformed weights.
 *
 * x: where the first place is in what `winograd_transform` writes; w: `stream`; sums: what
 * `winograd_back` reads. */
#if EDGEMCU_DSP

/* Registers: r0 x, r1 w, r2 .. r9 the sums of a place, the others operands. A chain of loads costs
 * one cycle more than it has loads, by whichever instructions. */
#define LOAD(at0, at1)                                                                             \
    "ldr    r10, [r0, #" at0 "]    \n"                                                             \
    "ldr    r11, [r0, #" at1 "]    \n"                                                             \
    "ldr    r12, [r1], #4          \n"                                                             \
    "ldr    lr, [r1], #4           \n"

#define FIRST(at0, at1)                                                                            \
    LOAD(at0, at1)                                                                                 \
    "smuad  r2, r12, r10           \n"                                                             \
    "smuad  r3, r12, r11           \n"                                                             \
    "smuad  r4, lr, r10            \n"                                                             \
    "smuad  r5, lr, r11            \n"                                                             \
    "ldmia  r1!, {r12, lr}         \n"                                                             \
    "smuad  r6, r12, r10           \n"                                                             \
    "smuad  r7, r12, r11           \n"                                                             \
    "smuad  r8, lr, r10            \n"                                                             \
    "smuad  r9, lr, r11            \n"

#define NEXT(at0, at1)                                                                             \
    LOAD(at0, at1)                                                                                 \
    "smlad  r2, r12, r10, r2       \n"                                                             \
    "smlad  r3, r12, r11, r3       \n"                                                             \
    "smlad  r4, lr, r10, r4        \n"                                                             \
    "smlad  r5, lr, r11, r5        \n"                                                             \
    "ldmia  r1!, {r12, lr}         \n"                                                             \
    "smlad  r6, r12, r10, r6       \n"                                                             \
    "smlad  r7, r12, r11, r7       \n"                                                             \
    "smlad  r8, lr, r10, r8        \n"                                                             \
    "smlad  r9, lr, r11, r9        \n"

#define SEVEN_MORE                                                                                 \
    NEXT("8", "12") NEXT("16", "20") NEXT("24", "28") NEXT("32", "36") NEXT("40", "44")            \
    NEXT("48", "52") NEXT("56", "60")

/* After 16 channels: Z for more of them, otherwise N for sums that start from 0, C for the end. */
#define STORE_COMPLETE(more)                                                                       \
    "ldr    r10, [r1], #4          \n" /* how to go on */                                          \
    "ldr    r11, [sp]              \n"                                                             \
    "lsls   r12, r10, #30          \n"                                                             \
    "add    r0, r0, r10, asr #3    \n"                                                             \
    "beq    " more "               \n"                                                             \
    "stmia  r11!, {r2-r9}          \n"                                                             \
    "str    r11, [sp]              \n"                                                             \
    "bmi    1b                     \n"

ASSEMBLY static void multiply(const uint32_t *x IN_REGISTER, const int32_t *w IN_REGISTER,
                              int32_t *sums IN_REGISTER)
{
    __asm volatile("push   {r2, r4-r11, lr}       \n"
                   "1:                            \n"
                   FIRST("0", "4") SEVEN_MORE STORE_COMPLETE("2f")
                   "2:                            \n"
                   NEXT("0", "4") SEVEN_MORE STORE_COMPLETE("2b")
                   "bcc    2b                     \n"
                   "pop    {r2, r4-r11, pc}       \n");
}

#else

static void multiply(const uint32_t *x, const int32_t *w, int32_t *sums)
{
    uint32_t sum[WINOGRAD_SUMS] = {0};
    int32_t next = 0;
    while ((next & WINOGRAD_END) == 0) {
        for (int32_t i = 0; i < WINOGRAD_CHUNK / 2; ++i) {
            for (int32_t s = 0; s < WINOGRAD_SUMS; ++s) {
                sum[s] = smlad((uint32_t)w[s / WINOGRAD_TILES], x[s % WINOGRAD_TILES], sum[s]);
            }
            w += WINOGRAD_CHANNELS;
            x += WINOGRAD_TILES;
        }
        next = *w++;
        x += (next >> 3) / 4 - WINOGRAD_CHUNK_WORDS;
        for (int32_t s = 0; s < WINOGRAD_SUMS && (next & WINOGRAD_STORE) != 0; ++s) {
            *sums++ = (int32_t)sum[s];
            sum[s] = (next & WINOGRAD_CLEAR) != 0 ? 0 : sum[s];
        }
    }
}

#endif

/* Of a tile in the output. */
struct position {
    int32_t y;
    int32_t x;
};

static int32_t clamp(int32_t x, int32_t min, int32_t max)
{
    return x < min ? min : x > max ? max : x;
}

/* Whole words, mostly four at a time: no call of `memset` or `memcpy` is worth it. */
static int8_t *fill(int8_t *to, int32_t value, int32_t bytes)
{
    const uint32_t word = (uint8_t)value * 0x01010101u;
    for (; bytes >= 16; bytes -= 16) {
        store_word(to, word);
        store_word(to + 4, word);
        store_word(to + 8, word);
        store_word(to + 12, word);
        to += 16;
    }
    for (; bytes > 0; bytes -= 4) {
        store_word(to, word);
        to += 4;
    }
    return to;
}

static int8_t *copy(int8_t *to, const int8_t *from, int32_t bytes)
{
    for (; bytes >= 16; bytes -= 16) {
        memcpy(to, from, 16);
        to += 16;
        from += 16;
    }
    for (; bytes > 0; bytes -= 4) {
        memcpy(to, from, 4);
        to += 4;
        from += 4;
    }
    return to;
}

/* A tile's input that is not in the image as a whole, to [4][columns][channels]. */
static void gather(const struct window *v, const struct position *at, int32_t columns,
                   const int8_t *input, int8_t *patch)
{
    const int32_t channels = v->input_channels;
    const int32_t left = clamp(-at->x, 0, columns);
    const int32_t right = clamp(v->input_width - at->x, left, columns);

    for (int32_t y = at->y; y < at->y + WINOGRAD_INPUT_ROWS; ++y) {
        if (y < 0 || y >= v->input_height || left == right) {
            patch = fill(patch, v->input_zero_point, columns * channels);
            continue;
        }
        const int8_t *from = input + (y * v->input_width + at->x + left) * channels;
        patch = fill(patch, v->input_zero_point, left * channels);
        patch = copy(patch, from, (right - left) * channels);
        patch = fill(patch, v->input_zero_point, (columns - right) * channels);
    }
}

/* Copies the part of a tile that is in the image. */
static void copy_tile(const struct window *v, const struct position *at, int32_t columns,
                      int32_t channels, const int8_t *tile, int8_t *output)
{
    const int32_t rows = clamp(v->output_height - at->y, 0, WINOGRAD_ROWS);
    const int32_t bytes = clamp(v->output_width - at->x, 0, columns) * channels;
    for (int32_t i = 0; i < rows; ++i) {
        memcpy(output + ((at->y + i) * v->output_width + at->x) * channels,
               tile + i * columns * channels, (size_t)bytes);
    }
}

void winograd(const struct winograd_params *p, const struct winograd_shape *shape,
              const int8_t *input, int8_t *output, int8_t *scratch)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;
    const int32_t outputs = p->output_channels;
    const int32_t line = v->input_width * channels;
    const int32_t out_line = v->output_width * outputs;
    const int32_t columns = shape->columns;
    const int32_t places = WINOGRAD_INPUT_ROWS * (columns + 2);
    const int32_t chunks = (channels + WINOGRAD_CHUNK - 1) / WINOGRAD_CHUNK;
    const int32_t weight_words = places * chunks * (WINOGRAD_CHUNK / 2 * WINOGRAD_CHANNELS + 1);
    const int32_t sums_bytes = places * WINOGRAD_SUMS * 4;
    const int32_t patch_bytes = places * channels;
    const int32_t tile_bytes = WINOGRAD_ROWS * columns * outputs;
    uint32_t *transformed = (uint32_t *)(void *)scratch;
    const uint32_t *first = transformed + (columns + 2) * WINOGRAD_CHUNK_WORDS; /* row 1 */
    /* In one place: there are no sums before all inputs are transformed. */
    int8_t *patch = scratch + places * WINOGRAD_CHUNK_WORDS * 4 * chunks;
    int32_t *sums = (int32_t *)(void *)patch;
    /* The outputs of tiles that are not in the image as a whole. */
    int8_t *partial = patch + (patch_bytes > sums_bytes ? patch_bytes : sums_bytes);
    struct winograd_block block = {.min = (uint8_t)p->min * 0x01010101u,
                                   .max = (uint8_t)p->max * 0x01010101u};
    struct position next = {0, 0};

    while (next.y < v->output_height) {
        struct position at[WINOGRAD_TILES];
        int whole[WINOGRAD_TILES];
        for (int i = 0; i < WINOGRAD_TILES; ++i) {
            struct winograd_tile *tile = &block.tiles[i];
            /* An odd last tile is computed twice. */
            at[i] = next.y < v->output_height ? next : at[0];
            const struct position from = {at[i].y - v->pad_top, at[i].x - v->pad_left};
            if (from.y >= 0 && from.x >= 0 && from.y + WINOGRAD_INPUT_ROWS <= v->input_height &&
                from.x + columns + 2 <= v->input_width) {
                shape->transform(input + from.y * line + from.x * channels, channels, line,
                                 transformed + i);
            } else {
                gather(v, &from, columns + 2, input, patch);
                shape->transform(patch, channels, (columns + 2) * channels, transformed + i);
            }
            whole[i] = at[i].y + WINOGRAD_ROWS <= v->output_height &&
                       at[i].x + columns <= v->output_width;
            tile->output = whole[i] ? output + at[i].y * out_line + at[i].x * outputs
                                    : partial + i * tile_bytes;
            tile->step = outputs;
            tile->line = whole[i] ? out_line : columns * outputs;
            next.x += columns;
            if (next.x >= v->output_width) {
                next.x = 0;
                next.y += WINOGRAD_ROWS;
            }
        }
        const int32_t *w = p->stream;
        for (int32_t c = 0; c < outputs; c += WINOGRAD_CHANNELS) {
            multiply(first, w, sums);
            w += weight_words;
            p->back(sums, w, &block);
            w += WINOGRAD_CHANNELS * shape->scale_words;
        }
        for (int i = 0; i < WINOGRAD_TILES; ++i) {
            if (!whole[i]) {
                copy_tile(v, &at[i], columns, outputs, partial + i * tile_bytes, output);
            }
        }
    }
}
