/* SPDX-License-Identifier: Apache-2.0 */
#include "depthwise_conv_3x3_int8_mve.h"

#include "memory_mve.h"
#include "requantize_mve.h"

#define ROWS 4 /* of a column in scratch memory */

/* Offsets into struct depthwise_channel_mve that make up the weights of 2x2 outputs. A column's
 * first row is the window's: [0]; or its third is, as rows are replaced in pairs: [1]. */
#define FIRST 8
#define ZERO  (FIRST + 9)
#define COLUMN(a, b, c, d) a, b, c, d
#define NONE COLUMN(ZERO, ZERO, ZERO, ZERO)
#define UPPER(x) COLUMN(x, x + 3, x + 6, ZERO)
#define LOWER(x) COLUMN(ZERO, x, x + 3, x + 6)
#define UPPER_TURNED(x) COLUMN(x + 6, ZERO, x, x + 3)
#define LOWER_TURNED(x) COLUMN(x + 3, x + 6, ZERO, x)
#define LEFT(rows) {rows(FIRST), rows(FIRST + 1), rows(FIRST + 2), NONE}
#define RIGHT(rows) {NONE, rows(FIRST), rows(FIRST + 1), rows(FIRST + 2)}

static const uint8_t weight_offsets[2][4][16] = {
    {LEFT(UPPER), RIGHT(UPPER), LEFT(LOWER), RIGHT(LOWER)},
    {LEFT(UPPER_TURNED), RIGHT(UPPER_TURNED), LEFT(LOWER_TURNED), RIGHT(LOWER_TURNED)},
};

/* Bytes of a vector of 2x2 outputs, as in VPR.P0. */
#define ALL_LANES   0xFFFF
#define UPPER_LANES 0x00FF
#define LEFT_LANES  0x0F0F

/* Two rows of pixels: 8 channels to halfwords of columns `offsets` apart. */
#define LOAD_8                                                                                     \
    "vpstttt\n\t"                                                                                  \
    "vldrbt.u16 q0, [%[row0]]\n\t"                                                                 \
    "vldrbt.u16 q1, [%[row1]]\n\t"                                                                 \
    "vslit.16 q0, q1, #8\n\t"                                                                      \
    "vstrht.16 q0, [%[to], %q[even]]\n\t"

/* 16 channels, even and odd ones apart. */
#define LOAD_16                                                                                    \
    "vldrb.8 q0, [%[row0]]\n\t"                                                                    \
    "vldrb.8 q1, [%[row1]]\n\t"                                                                    \
    "vmov q2, q1\n\t"                                                                              \
    "vsri.16 q2, q0, #8\n\t"                                                                       \
    "vsli.16 q0, q1, #8\n\t"                                                                       \
    "vstrh.16 q2, [%[to], %q[odd]]\n\t"                                                            \
    "vstrh.16 q0, [%[to], %q[even]]\n\t"

#define LOAD(VECTOR)                                                                               \
    __asm volatile("vctp.16 %[lanes]\n\t"                                                          \
                   "dls lr, %[pixels]\n"                                                           \
                   "1:\n\t"                                                                        \
                   VECTOR                                                                          \
                   "adds %[to], #4\n\t"                                                            \
                   "add %[row0], %[step0]\n\t"                                                     \
                   "add %[row1], %[step1]\n\t"                                                     \
                   "le lr, 1b"                                                                     \
                   : [row0] "+l"(row0), [row1] "+l"(row1), [to] "+l"(to)                           \
                   : [pixels] "r"(pixels), [lanes] "r"(lanes), [step0] "r"(step0),                 \
                     [step1] "r"(step1), [even] "w"(even), [odd] "w"(odd)                          \
                   : "q0", "q1", "q2", "lr", "cc", "memory")

/* Input rows y and y + 1, all channels, to rows 0 and 1 of the planes' columns. */
static void load_rows(const struct window *v, int32_t columns, int32_t y, const int8_t *input,
                      int8_t *planes)
{
    const int32_t channels = v->input_channels;
    const int32_t plane = columns * ROWS;
    const int32_t visible = columns - v->pad_left;
    const int32_t pixels = visible < v->input_width ? visible : v->input_width;
    const int32_t vector = channels % 16 == 0 ? 16 : 8;
    const int32_t lane = vector / 8 * plane;
    const uint16x8_t even = vmulq_n_u16(vidupq_n_u16(0, 1), (uint16_t)lane);
    const uint16x8_t odd = vaddq_n_u16(even, (uint16_t)plane);
    const int inside0 = y >= 0 && y < v->input_height;
    const int inside1 = y + 1 >= 0 && y + 1 < v->input_height;
    /* Outside of the input, the same vector is read again and again. */
    const int32_t step0 = inside0 ? channels : 0;
    const int32_t step1 = inside1 ? channels : 0;
    int8_t outside[16];

    fill_mve(outside, v->input_zero_point, sizeof outside);
    for (int32_t c = 0; c < channels; c += vector) {
        const int32_t lanes = channels - c;
        const int8_t *row0 = inside0 ? input + y * v->input_width * channels + c : outside;
        const int8_t *row1 = inside1 ? input + (y + 1) * v->input_width * channels + c : outside;
        int8_t *to = planes + c * plane + v->pad_left * ROWS;

        if (vector == 16) {
            LOAD(LOAD_16);
        } else {
            LOAD(LOAD_8);
        }
    }
}

/* What the loop over channels keeps in memory; the assembly below knows the offsets. */
struct state {
    const int8_t *plane;                         /* 0 */
    int8_t *output;                              /* 4 */
    const struct depthwise_channel_mve *channel; /* 8 */
    const uint8_t (*weight_offsets)[16];         /* 12 */
    int32_t whole;                               /* 16: whole vectors */
    int32_t mask;                                /* 20: bytes of those to be written */
    int32_t last_mask;                           /* 24: those of one more vector, or 0 */
    int32_t plane_bytes;                         /* 28 */
    const struct depthwise_channel_mve *end;     /* 32 */
};

/* The sums of four outputs in r0, r2, r4, r6: 2x2 from four columns of a plane, or four of a row
 * from three columns each, and one by weights of 0. */
#define SUMS_STRIDE_1                                                                              \
    "vldrb.8 q7, [r1], #8\n\t"                                                                     \
    "vmladav.s8 r0, q7, q0\n\t"                                                                    \
    "vmladav.s8 r2, q7, q1\n\t"                                                                    \
    "vmladav.s8 r4, q7, q2\n\t"                                                                    \
    "vmladav.s8 r6, q7, q3\n\t"
#define SUMS_STRIDE_2                                                                              \
    "vldrb.8 q1, [r1], #8\n\t"                                                                     \
    "vldrb.8 q2, [r1], #8\n\t"                                                                     \
    "vmladav.s8 r0, q1, q0\n\t"                                                                    \
    "vldrb.8 q1, [r1], #8\n\t"                                                                     \
    "vmladav.s8 r2, q2, q0\n\t"                                                                    \
    "vldrb.8 q2, [r1], #8\n\t"                                                                     \
    "vmladav.s8 r4, q1, q0\n\t"                                                                    \
    "vmladav.s8 r6, q2, q0\n\t"

/* Their weights. */
#define WEIGHTS_STRIDE_1                                                                           \
    "vldrb.8 q7, [r2]\n\t"                                                                         \
    "vldrb.8 q2, [r2, #16]\n\t"                                                                    \
    "vldrb.u8 q0, [r5, q7]\n\t"                                                                    \
    "vldrb.8 q7, [r2, #32]\n\t"                                                                    \
    "vldrb.u8 q1, [r5, q2]\n\t"                                                                    \
    "vldrb.u8 q2, [r5, q7]\n\t"                                                                    \
    "vldrb.8 q7, [r2, #48]\n\t"                                                                    \
    "vldrb.u8 q3, [r5, q7]\n\t"
#define WEIGHTS_STRIDE_2                                                                           \
    "vldrb.8 q1, [r2]\n\t"                                                                         \
    "vldrb.u8 q0, [r5, q1]\n\t"

/* Rounding and bounds: where negative values all end as the minimum, or for outputs without bounds
 * but those of int8. */
#define ROUND_UP ""
#define CLAMP "vmax.s32 q7, q7, q5\n\tvmin.s32 q7, q7, q6\n\t"
#define ROUND_AWAY "vshr.s32 q5, q7, #31\n\tvand q5, q5, q6\n\tvadd.i32 q7, q7, q5\n\t"
#define SATURATE "vqmovnb.s32 q7, q7\n\tvqmovnb.s16 q7, q7\n\t"

#define OUTPUTS(SUMS, ROUND, CLAMP_)                                                               \
    SUMS                                                                                           \
    "vmov q7[2], q7[0], r0, r4\n\t"                                                                \
    "vmov q7[3], q7[1], r2, r6\n\t"                                                                \
    "vadd.i32 q7, q7, r5\n\t"                                                                      \
    "vqrdmulh.s32 q7, q7, r8\n\t"                                                                  \
    ROUND                                                                                          \
    "vrshl.s32 q7, r9\n\t"                                                                         \
    "vadd.i32 q7, q7, r10\n\t"                                                                     \
    CLAMP_
#define STORE "vstrb.32 q7, [r3, q4]\n\t"
#define STORE_MASKED "vpst\n\tvstrbt.32 q7, [r3, q4]\n\t"
#define NO_MASK ""
#define MASK "ldr r0, [r11, #20]\n\tvmsr p0, r0\n\t"
#define PER_CHANNEL_ROUND_UP ""
#define PER_CHANNEL_ROUND_AWAY "asr r0, r9, #31\n\tvdup.32 q6, r0\n\t"

/* All channels of a row of outputs, or of two. r1: input, r3: output, r5, r8, r9: the channel's
 * bias, multiplier and shift, r10: zero point, r11: state, r12: bytes from vector to vector. */
#define CHANNELS(WEIGHTS, PER_CHANNEL, SET_MASK, SUMS, ROUND, CLAMP_, STORE_)                      \
    "1:\n\t"                                                                                       \
    "ldm r11, {r1, r3, r5}\n\t"                                                                    \
    "ldrd r2, lr, [r11, #12]\n\t"                                                                  \
    WEIGHTS                                                                                        \
    "ldrsb r9, [r5, #18]\n\t"                                                                      \
    "ldrd r5, r8, [r5]\n\t"                                                                        \
    PER_CHANNEL                                                                                    \
    SET_MASK                                                                                       \
    "wls lr, lr, 3f\n"                                                                             \
    "2:\n\t"                                                                                       \
    OUTPUTS(SUMS, ROUND, CLAMP_)                                                                   \
    STORE_                                                                                         \
    "add r3, r12\n\t"                                                                              \
    "le lr, 2b\n"                                                                                  \
    "3:\n\t"                                                                                       \
    "ldr r0, [r11, #24]\n\t"                                                                       \
    "cbz r0, 4f\n\t"                                                                               \
    "vmsr p0, r0\n\t"                                                                              \
    OUTPUTS(SUMS, ROUND, CLAMP_)                                                                   \
    STORE_MASKED                                                                                   \
    "4:\n\t"                                                                                       \
    "ldm r11, {r1, r3, r5}\n\t"                                                                    \
    "ldrd r0, r2, [r11, #28]\n\t"                                                                  \
    "add r1, r0\n\t"                                                                               \
    "adds r3, #1\n\t"                                                                              \
    "adds r5, #20\n\t"                                                                             \
    "stm r11, {r1, r3, r5}\n\t"                                                                    \
    "cmp r5, r2\n\t"                                                                               \
    "bne 1b"

#define DEPTHWISE(...)                                                                             \
    __asm volatile(CHANNELS(__VA_ARGS__)                                                           \
                   : "+w"(min), "+w"(max)                                                          \
                   : "r"(s), "r"(zero_point), "r"(bytes), "w"(lanes)                               \
                   : "r0", "r1", "r2", "r3", "r4", "r5", "r6", "r8", "r9", "lr", "q0", "q1", "q2", \
                     "q3", "q7", "cc", "memory")

/* One row of outputs, or two; `step` bytes from vector to vector of a channel. */
static void output_rows(struct state *state, const struct int8_output *out, int32_t stride,
                        int32_t step, uint32x4_t offsets)
{
    register struct state *s __asm("r11") = state;
    register int32_t zero_point __asm("r10") = out->zero_point;
    register int32_t bytes __asm("r12") = step;
    register uint32x4_t lanes __asm("q4") = offsets;
    register int32x4_t min __asm("q5") = vdupq_n_s32(out->min);
    register int32x4_t max __asm("q6") = vdupq_n_s32(out->max);

    if (stride == 2) {
        if (cuts_negatives(out)) {
            DEPTHWISE(WEIGHTS_STRIDE_2, PER_CHANNEL_ROUND_UP, NO_MASK, SUMS_STRIDE_2, ROUND_UP,
                      CLAMP, STORE);
        } else {
            DEPTHWISE(WEIGHTS_STRIDE_2, PER_CHANNEL_ROUND_AWAY, NO_MASK, SUMS_STRIDE_2, ROUND_AWAY,
                      SATURATE, STORE);
        }
    } else if (state->mask == ALL_LANES) {
        if (cuts_negatives(out)) {
            DEPTHWISE(WEIGHTS_STRIDE_1, PER_CHANNEL_ROUND_UP, NO_MASK, SUMS_STRIDE_1, ROUND_UP,
                      CLAMP, STORE);
        } else {
            DEPTHWISE(WEIGHTS_STRIDE_1, PER_CHANNEL_ROUND_AWAY, NO_MASK, SUMS_STRIDE_1, ROUND_AWAY,
                      SATURATE, STORE);
        }
    } else if (cuts_negatives(out)) {
        DEPTHWISE(WEIGHTS_STRIDE_1, PER_CHANNEL_ROUND_UP, MASK, SUMS_STRIDE_1, ROUND_UP, CLAMP,
                  STORE_MASKED);
    } else {
        DEPTHWISE(WEIGHTS_STRIDE_1, PER_CHANNEL_ROUND_AWAY, MASK, SUMS_STRIDE_1, ROUND_AWAY,
                  SATURATE, STORE_MASKED);
    }
}

void depthwise_conv_3x3_int8_mve(const struct depthwise_conv_3x3_int8_mve_params *p,
                                 const int8_t *input, int8_t *output, int8_t *planes)
{
    const struct window *v = &p->window;
    const int32_t channels = v->input_channels;
    const struct depthwise_channel_mve *channel =
        (const struct depthwise_channel_mve *)(const void *)p->channels;
    const int32_t width = v->output_width;
    const int32_t row = width * channels;
    const int32_t plane_bytes = p->columns * ROWS;
    /* A vector has two rows by two columns, or four columns. */
    const int32_t high = v->stride_y == 1 ? 2 : 1;
    const int32_t wide = v->stride_y == 1 ? 2 : 4;
    const int32_t left_over = width % wide;
    const int32_t last_mask = high == 2 ? LEFT_LANES : (1 << 4 * left_over) - 1;
    uint32x4_t lanes = vmulq_n_u32(vidupq_n_u32(0, 1), (uint32_t)channels);
    if (high == 2) {
        lanes = vsetq_lane_u32((uint32_t)row, lanes, 2);
        lanes = vsetq_lane_u32((uint32_t)(row + channels), lanes, 3);
    }

    fill_mve(planes, v->input_zero_point, channels * plane_bytes);
    load_rows(v, p->columns, -v->pad_top, input, planes);
    int turned = 0;
    for (int32_t oy = 0; oy < v->output_height; oy += high) {
        const int32_t mask = oy + high <= v->output_height ? ALL_LANES : UPPER_LANES;
        struct state state = {
            .plane = planes,
            .output = output,
            .channel = channel,
            .weight_offsets = weight_offsets[turned],
            .whole = width / wide,
            .mask = mask,
            .last_mask = left_over > 0 ? mask & last_mask : 0,
            .plane_bytes = plane_bytes,
            .end = channel + channels,
        };

        load_rows(v, p->columns, oy * v->stride_y - v->pad_top + 2, input,
                  planes + (turned ? 0 : 2));
        output_rows(&state, &p->out, v->stride_y, wide * channels, lanes);
        turned = !turned;
        output += high * row;
    }
}
