/* SPDX-License-Identifier: Apache-2.0 */
/* What both kinds of tile in winograd.h have in common: from sums to outputs, and, in C, what is
 * done along the columns. */
#ifndef EDGEMCU_KERNELS_WINOGRAD_BACK_H
#define EDGEMCU_KERNELS_WINOGRAD_BACK_H

#include "dsp.h"
#include "winograd.h"

#if EDGEMCU_DSP

/* Registers of a `winograd_back`: r0 sums, r1 scale, r2 a tile, lr multiplier; four outputs are in
 * r3, r6, r9 and r5, with r10 offset, r11 shift, and r4, r7, r8 for anything.
 * Frame: 0 the first tile, 4 the end of the first place's sums. Labels: 1 for each channel, 2 for
 * each tile. */
#define BACK_BEGIN                                                                                 \
    "push   {r4-r11, lr}           \n"                                                             \
    "sub    sp, sp, #8             \n"                                                             \
    "add    r3, r0, #32            \n"                                                             \
    "str    r2, [sp]               \n"                                                             \
    "str    r3, [sp, #4]           \n"

#define BACK_END(scale_bytes)                                                                      \
    "ldr    r3, [sp]               \n"                                                             \
    "add    r0, r0, #4             \n"                                                             \
    "cmp    r2, r3                 \n"                                                             \
    "add    r2, r2, #12            \n"                                                             \
    "beq    2b                     \n"                                                             \
    "mov    r2, r3                 \n"                                                             \
    "ldr    r3, [sp, #4]           \n"                                                             \
    "add    r1, r1, #" scale_bytes "\n"                                                            \
    "cmp    r0, r3                 \n"                                                             \
    "bne    1b                     \n"                                                             \
    "add    sp, sp, #8             \n"                                                             \
    "pop    {r4-r11, pc}           \n"

#define SCALE_RELU                                                                                 \
    "smmla  r3, r3, lr, r10        \n"                                                             \
    "smmla  r6, r6, lr, r10        \n"                                                             \
    "smmla  r9, r9, lr, r10        \n"                                                             \
    "smmla  r5, r5, lr, r10        \n"

/* 2^bits less where the sum is negative. */
#define SCALE_ONE(sum, bits)                                                                       \
    "asr    r4, " sum ", #31       \n"                                                             \
    "add    r4, r10, r4, lsl #" bits "\n"                                                          \
    "smmla  " sum ", " sum ", lr, r4 \n"

#define SCALE_ANY(bits)                                                                            \
    SCALE_ONE("r3", bits) SCALE_ONE("r6", bits) SCALE_ONE("r9", bits) SCALE_ONE("r5", bits)

#define SHIFT_AND_SATURATE                                                                         \
    "asr    r3, r3, r11            \n"                                                             \
    "asr    r6, r6, r11            \n"                                                             \
    "asr    r9, r9, r11            \n"                                                             \
    "asr    r5, r5, r11            \n"                                                             \
    "ssat   r3, #8, r3             \n"                                                             \
    "ssat   r6, #8, r6             \n"                                                             \
    "ssat   r9, #8, r9             \n"                                                             \
    "ssat   r5, #8, r5             \n"

/* Compares all four bytes of a word, of which the lowest counts. */
#define CLAMP_ONE(value)                                                                           \
    "ssub8  r8, " value ", r4      \n"                                                             \
    "sel    " value ", " value ", r4 \n"                                                           \
    "ssub8  r8, r7, " value "      \n"                                                             \
    "sel    " value ", " value ", r7 \n"

#define CLAMP                                                                                      \
    "ldr    r8, [sp]               \n"                                                             \
    "ldr    r4, [r8, #24]          \n"                                                             \
    "ldr    r7, [r8, #28]          \n"                                                             \
    CLAMP_ONE("r3") CLAMP_ONE("r6") CLAMP_ONE("r9") CLAMP_ONE("r5")

#define ROUTINE(name, scale)                                                                       \
    ASSEMBLY void name(const int32_t *sums IN_REGISTER, const int32_t *scales IN_REGISTER,         \
                       struct winograd_block *block IN_REGISTER)                                   \
    {                                                                                              \
        __asm volatile(BACK(scale));                                                               \
    }

#else

enum rounding { RELU, FULL, ANY };

/* scale: multiplier, offset and shift; tie: what negative sums get less. */
static inline int8_t scaled(uint32_t sum, const int32_t *scale, int32_t tie, enum rounding rounding,
                            const struct winograd_block *block)
{
    const int32_t a = (int32_t)sum;
    const int32_t offset = scale[1] - (a < 0 && rounding != RELU ? tie : 0);
    const int8_t value = (int8_t)saturate_int8(smmla(a, scale[0], offset) >> scale[2]);
    return rounding == ANY ? clamp_byte((uint8_t)value, block->min, block->max) : value;
}

/* A row of a transformed tile. */
struct row {
    uint32_t v[6];
};

/* Four rows transformed along the columns, to the words of input channels c and c + 2, or, where c
 * is 2 more than a multiple of 4, c - 1 and c + 1. */
static inline void transform_columns(const struct row *rows, int32_t columns, int32_t c,
                                     uint32_t *to)
{
    const int32_t line = columns * WINOGRAD_CHUNK_WORDS;
    to += c / WINOGRAD_CHUNK * WINOGRAD_INPUT_ROWS * line;
    to += c % WINOGRAD_CHUNK / 2 * WINOGRAD_TILES;
    for (int32_t j = 0; j < columns; ++j) {
        to[0] = ssub16(rows[0].v[j], rows[2].v[j]);
        to[line] = sadd16(rows[1].v[j], rows[2].v[j]);
        to[2 * line] = ssub16(rows[2].v[j], rows[1].v[j]);
        to[3 * line] = ssub16(rows[1].v[j], rows[3].v[j]);
        to += WINOGRAD_CHUNK_WORDS;
    }
}

/* The sums of one channel of one tile, to two rows. */
static inline void sum_columns(const int32_t *sums, int32_t columns, struct row *rows)
{
    for (int32_t j = 0; j < columns; ++j) {
        rows[0].v[j] = (uint32_t)sums[WINOGRAD_SUMS] + (uint32_t)sums[2 * WINOGRAD_SUMS];
        rows[1].v[j] = (uint32_t)sums[0] - (uint32_t)sums[3 * WINOGRAD_SUMS];
        sums += 4 * WINOGRAD_SUMS;
    }
}

#endif

#endif
