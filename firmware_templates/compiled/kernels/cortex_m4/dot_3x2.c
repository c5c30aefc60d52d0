/* SPDX-License-Identifier: Apache-2.0 */
#include "dot_3x2.h"

#include "dsp.h"

/* Words of `stream` before the weights of a pair of channels. */
enum { WORDS_BEFORE = 2 };

#if EDGEMCU_DSP

/* Registers: r0 packed inputs, r1 stream, r2 loops left, r3 .. r8 sums (pixel 0 channel 0, pixel 0
 * channel 1, pixel 1 channel 0, ...), all others hold operands. Loads stand together, as every one
 * behind another takes a cycle less. Four groups make a loop, which is entered in its middle if
 * there are fewer left over. */
#define GROUP                                                                                      \
    "ldr    r9, [r1], #4           \n" /* S of both channels */                                    \
    "ldr    r10, [r1], #4          \n"                                                             \
    "ldr    r11, [r0], #4          \n" /* L of three pixels */                                     \
    "ldr    r12, [r0], #4          \n"                                                             \
    "ldr    lr, [r0], #4           \n"                                                             \
    "smlad  r3, r9, r11, r3        \n"                                                             \
    "smlad  r4, r10, r11, r4       \n"                                                             \
    "smlad  r5, r9, r12, r5        \n"                                                             \
    "smlad  r6, r10, r12, r6       \n"                                                             \
    "smlad  r7, r9, lr, r7         \n"                                                             \
    "smlad  r8, r10, lr, r8        \n"                                                             \
    "ldmia  r0!, {r11, r12, lr}    \n" /* H of three pixels */                                     \
    "sxtb16 r9, r9                 \n"                                                             \
    "sxtb16 r10, r10               \n"                                                             \
    "smlad  r3, r9, r11, r3        \n"                                                             \
    "smlad  r4, r10, r11, r4       \n"                                                             \
    "smlad  r5, r9, r12, r5        \n"                                                             \
    "smlad  r6, r10, r12, r6       \n"                                                             \
    "smlad  r7, r9, lr, r7         \n"                                                             \
    "smlad  r8, r10, lr, r8        \n"

/* Bytes of one GROUP: 20 instructions of four. */
#define GROUP_BYTES "80"

/* Frame: 0 packed inputs, 4 loops, 8 where to enter the loop, 12 output, 16 step, 20 end, 24 min,
 * 28 max. */
#define PROLOGUE                                                                                   \
    "push   {r4-r11, lr}           \n"                                                             \
    "sub    sp, sp, #36            \n"                                                             \
    "mov    r12, r1                \n"                                                             \
    "ldm    r12, {r1, r3, r4, r5, r6, r7, r8} \n"                                                  \
    "movs   r10, #" GROUP_BYTES "  \n"                                                             \
    "adr.w  r11, 2f                \n"                                                             \
    "mla    r11, r5, r10, r11      \n"                                                             \
    "orr    r11, r11, #1           \n"                                                             \
    "strd   r0, r4, [sp]           \n"                                                             \
    "strd   r11, r2, [sp, #8]      \n"                                                             \
    "strd   r6, r3, [sp, #16]      \n"                                                             \
    "strd   r7, r8, [sp, #24]      \n"

/* Where a pair of channels begins: sums at their biases. */
#define BEGIN                                                                                      \
    "ldmia  r1!, {r3, r4}          \n"                                                             \
    "ldm    sp, {r0, r2, r9}       \n"                                                             \
    "mov    r5, r3                 \n"                                                             \
    "mov    r6, r4                 \n"                                                             \
    "mov    r7, r3                 \n"                                                             \
    "mov    r8, r4                 \n"                                                             \
    "bx     r9                     \n"

#define SUMS                                                                                       \
    BEGIN                                                                                          \
    ".balign 4                     \n"                                                             \
    "2:                            \n" GROUP GROUP GROUP GROUP                                     \
    "subs   r2, r2, #1             \n"                                                             \
    "bne    2b                     \n"

#define REPEAT                                                                                     \
    "str    r0, [sp, #12]          \n"                                                             \
    "cmp    r1, r12                \n"                                                             \
    "beq    3f                     \n" BEGIN                                                       \
    "3:                            \n"                                                             \
    "add    sp, sp, #36            \n"                                                             \
    "pop    {r4-r11, pc}           \n"

#define LOAD_PLACES                                                                                \
    "ldr    r0, [sp, #12]          \n"                                                             \
    "ldr    r2, [sp, #16]          \n"                                                             \
    "ldr    r12, [sp, #20]         \n"

/* One shift for all: SSAT does it. */
#define SCALE_RELU(shift)                                                                          \
    "ldmia  r1!, {r9, r10, r11, r12} \n" /* multiplier and offset of both */                       \
    "smmla  r3, r3, r9, r10        \n"                                                             \
    "smmla  r5, r5, r9, r10        \n"                                                             \
    "smmla  r7, r7, r9, r10        \n"                                                             \
    "smmla  r4, r4, r11, r12       \n"                                                             \
    "smmla  r6, r6, r11, r12       \n"                                                             \
    "smmla  r8, r8, r11, r12       \n"                                                             \
    "ssat   r3, #8, r3, asr #" shift " \n"                                                         \
    "ssat   r5, #8, r5, asr #" shift " \n"                                                         \
    "ssat   r7, #8, r7, asr #" shift " \n"                                                         \
    "ssat   r4, #8, r4, asr #" shift " \n"                                                         \
    "ssat   r6, #8, r6, asr #" shift " \n"                                                         \
    "ssat   r8, #8, r8, asr #" shift " \n" LOAD_PLACES

/* A sum times a multiplier, and 2^7 less where it is negative. */
#define SCALE_ONE(a)                                                                               \
    "asr    lr, " a ", #31         \n"                                                             \
    "add    lr, r10, lr, lsl #7    \n"                                                             \
    "smmla  " a ", " a ", r9, lr   \n"

#define SHIFT_AND_SATURATE(a)                                                                      \
    "asr    " a ", " a ", r11      \n"                                                             \
    "ssat   " a ", #8, " a "       \n"

/* A multiplier, an offset and a shift for each channel. */
#define SCALE_ANY(a, b, c)                                                                         \
    "ldmia  r1!, {r9, r10, r11}    \n" SCALE_ONE(a) SCALE_ONE(b) SCALE_ONE(c)                      \
    SHIFT_AND_SATURATE(a) SHIFT_AND_SATURATE(b) SHIFT_AND_SATURATE(c)

#define CLAMP(a)                                                                                   \
    "ssub8  r11, " a ", r9         \n"                                                             \
    "sel    " a ", " a ", r9       \n"                                                             \
    "ssub8  r11, r10, " a "        \n"                                                             \
    "sel    " a ", " a ", r10      \n"

#define PAIR_UP                                                                                    \
    "bfi    r3, r4, #8, #8         \n"                                                             \
    "bfi    r5, r6, #8, #8         \n"                                                             \
    "bfi    r7, r8, #8, #8         \n"

#define STORE_PAIRS                                                                                \
    "strh   r5, [r0, r2]           \n"                                                             \
    "strh   r7, [r0, r2, lsl #1]   \n"                                                             \
    "strh   r3, [r0], #2           \n"

#define STORE_IN_PLANES                                                                            \
    "strh   r3, [r0]               \n"                                                             \
    "strh   r5, [r0, #2]           \n"                                                             \
    "strh   r7, [r0, #4]           \n"                                                             \
    "add    r0, r0, r2             \n"                                                             \
    "strh   r4, [r0]               \n"                                                             \
    "strh   r6, [r0, #2]           \n"                                                             \
    "strh   r8, [r0, #4]           \n"                                                             \
    "add    r0, r0, r2             \n"

#define ROUTINE(name, text)                                                                        \
    ASSEMBLY void name(const uint32_t *packed IN_REGISTER,                                         \
                       const struct dot_3x2_run *run IN_REGISTER, int8_t *output IN_REGISTER)      \
    {                                                                                              \
        __asm volatile(PROLOGUE SUMS text REPEAT);                                                 \
    }

#define ROUTINES_RELU(shift)                                                                       \
    ROUTINE(dot_3x2_relu_##shift, SCALE_RELU(#shift) PAIR_UP STORE_PAIRS)                          \
    ROUTINE(dot_3x2_planes_##shift, SCALE_RELU(#shift) STORE_IN_PLANES)

ROUTINES_RELU(11)
ROUTINES_RELU(13)
ROUTINE(dot_3x2_any,
        SCALE_ANY("r3", "r5", "r7") SCALE_ANY("r4", "r6", "r8") PAIR_UP
        "ldr    r9, [sp, #24]          \n"
        "ldr    r10, [sp, #28]         \n" CLAMP("r3") CLAMP("r5") CLAMP("r7")
            LOAD_PLACES STORE_PAIRS)

#else

/* All sums of three pixels and the pair of channels at `w`; returns its scales. */
static const int32_t *sum_up(const uint32_t *packed, const struct dot_3x2_run *run,
                             const int32_t *w, uint32_t sum[3][2])
{
    for (int pixel = 0; pixel < 3; ++pixel) {
        sum[pixel][0] = (uint32_t)w[0];
        sum[pixel][1] = (uint32_t)w[1];
    }
    w += WORDS_BEFORE;
    for (int32_t group = 0; group < run->groups; ++group) {
        for (int pixel = 0; pixel < 3; ++pixel) {
            for (int c = 0; c < 2; ++c) {
                const uint32_t s = (uint32_t)w[c];
                sum[pixel][c] = smlad(s, packed[pixel], sum[pixel][c]);
                sum[pixel][c] = smlad(sxtb16(s), packed[3 + pixel], sum[pixel][c]);
            }
        }
        w += 2;
        packed += DOT_3X2_WORDS_PER_GROUP;
    }
    return w;
}

static void run_relu(const uint32_t *packed, const struct dot_3x2_run *run, int8_t *output,
                     int shift, int in_planes)
{
    const int32_t *w = run->stream;

    while (w != run->end) {
        uint32_t sum[3][2];
        w = sum_up(packed, run, w, sum);
        for (int c = 0; c < 2; ++c) {
            for (int pixel = 0; pixel < 3; ++pixel) {
                const int32_t scaled = smmla((int32_t)sum[pixel][c], w[0], w[1]) >> shift;
                const int16_t value = (int16_t)saturate_int8(scaled);
                if (in_planes) {
                    memcpy(output + c * run->step + 2 * pixel, &value, sizeof value);
                } else {
                    output[pixel * run->step + c] = (int8_t)value;
                }
            }
            w += 2;
        }
        output += in_planes ? 2 * run->step : 2;
    }
}

#define ROUTINES_RELU(shift)                                                                       \
    void dot_3x2_relu_##shift(const uint32_t *packed, const struct dot_3x2_run *run,               \
                              int8_t *output)                                                      \
    {                                                                                              \
        run_relu(packed, run, output, shift, 0);                                                   \
    }                                                                                              \
    void dot_3x2_planes_##shift(const uint32_t *packed, const struct dot_3x2_run *run,             \
                                int8_t *output)                                                    \
    {                                                                                              \
        run_relu(packed, run, output, shift, 1);                                                   \
    }

ROUTINES_RELU(11)
ROUTINES_RELU(13)

void dot_3x2_any(const uint32_t *packed, const struct dot_3x2_run *run, int8_t *output)
{
    const int32_t min = (int8_t)(run->min & 0xff);
    const int32_t max = (int8_t)(run->max & 0xff);
    const int32_t *w = run->stream;

    while (w != run->end) {
        uint32_t sum[3][2];
        w = sum_up(packed, run, w, sum);
        for (int c = 0; c < 2; ++c) {
            for (int pixel = 0; pixel < 3; ++pixel) {
                const int32_t total = (int32_t)sum[pixel][c];
                const int32_t offset = w[1] - (total < 0 ? 128 : 0);
                const int32_t value = saturate_int8(smmla(total, w[0], offset) >> w[2]);
                output[pixel * run->step + c] =
                    (int8_t)(value < min ? min : value > max ? max : value);
            }
            w += 3;
        }
        output += 2;
    }
}

#endif

struct dot_3x2_run dot_3x2_begin(const struct dot_3x2 *p)
{
    const int32_t loops = (p->groups + 3) / 4;
    const struct dot_3x2_run run = {
        .stream = p->stream,
        .end = p->stream + p->output_channels / 2 * p->pair_words,
        .loops = loops,
        .skipped = 4 * loops - p->groups,
        .min = (uint8_t)p->min * 0x01010101u,
        .max = (uint8_t)p->max * 0x01010101u,
        .routine = p->routine,
        .groups = p->groups,
        .pair_words = p->pair_words,
        .last = p->output_channels % 2 != 0 ? p->output_channels - 1 : -1,
    };
    return run;
}

void dot_3x2_last(const struct dot_3x2_run *run, const uint32_t *packed, int8_t *output)
{
    /* With another one of zeros, to a place of their own. */
    int8_t pair[6];
    struct dot_3x2_run last = *run;
    last.stream = run->end;
    last.end += run->pair_words;
    last.step = 2;
    run->routine(packed, &last, pair);
    output += run->last;
    output[0] = pair[0];
    output[run->step] = pair[2];
    output[2 * run->step] = pair[4];
}
