/* SPDX-License-Identifier: Apache-2.0 */
/* Rescaling of int32 accumulators to int8, to the last bit as TensorFlow Lite's reference does it.
 *
 * A real factor is held as multiplier x 2^(shift - 31), with 2^30 <= multiplier < 2^31 (or 0) and
 * -31 <= shift <= 30. The product is rounded twice: once to 32 bits, once by the right shift.
 */
#ifndef EDGEMCU_KERNELS_REQUANTIZE_H
#define EDGEMCU_KERNELS_REQUANTIZE_H

#include <stdint.h>

_Static_assert((-1 >> 1) == -1, "right shifts of negative numbers must be arithmetic");

/* What an int8 output tensor needs: its zero point, and the range its activation leaves. */
struct int8_output {
    int32_t zero_point; /* -128 .. 127 */
    int32_t min;        /* -128 .. 127 */
    int32_t max;        /* -128 .. 127 */
};

/* Per output channel: bias with the input's zero point folded in, and the factor to the output. */
struct channel_scales {
    const int32_t *bias;
    const int32_t *multiplier;
    const int8_t *shift;
};

/* Those of one channel. */
struct channel_scale {
    int32_t bias;
    int32_t multiplier;
    int32_t shift;
};

/* a * b / 2^31, rounded to nearest, ties up; 0 <= b. */
static inline int32_t doubling_high_multiply(int32_t a, int32_t b)
{
    return (int32_t)(((int64_t)a * b + ((int64_t)1 << 30)) >> 31);
}

/* x / 2^exponent, rounded to nearest, ties away from zero; 1 <= exponent <= 31. */
static inline int32_t rounding_shift_right(int32_t x, int32_t exponent)
{
    const int32_t twice = (x + (x >> 31)) >> (exponent - 1);
    return (twice >> 1) + (twice & 1);
}

/* x * multiplier * 2^(shift - 31), rounded twice. */
static inline int32_t rescale(int32_t x, int32_t multiplier, int32_t shift)
{
    if (shift < 0) {
        return rounding_shift_right(doubling_high_multiply(x, multiplier), -shift);
    }
    return doubling_high_multiply((int32_t)((uint32_t)x << shift), multiplier);
}

static inline int32_t clamp(int32_t value, int32_t min, int32_t max)
{
    if (value < min) {
        value = min;
    }
    if (value > max) {
        value = max;
    }
    return value;
}

/* An accumulator as an int8 output. */
static inline int8_t requantize(int32_t acc, int32_t multiplier, int32_t shift,
                                const struct int8_output *out)
{
    int32_t value;
    if (shift < -1) {
        /* The usual case, with less to do: no shift to the left, and no overflow when rounding. */
        const int32_t high = doubling_high_multiply(acc, multiplier);
        const int32_t twice = (high + (high >> 31)) >> (-shift - 1);
        value = ((twice + 1) >> 1) + out->zero_point;
    } else {
        /* Large values wrap, as they do in the reference. */
        const uint32_t scaled = (uint32_t)rescale(acc, multiplier, shift);
        value = (int32_t)(scaled + (uint32_t)out->zero_point);
    }
    return (int8_t)clamp(value, out->min, out->max);
}

/* Copied out of the arrays once per channel, as stores to an output could change those. */
static inline struct channel_scale channel_scale(const struct channel_scales *scales, int32_t c)
{
    const struct channel_scale scale = {scales->bias[c], scales->multiplier[c], scales->shift[c]};
    return scale;
}

/* The sum of a channel's products as an int8 output. At most 131,071 products are summed, so that
 * the sum stays in int32; with the bias it may leave it, and wraps as it does in the reference. */
static inline int8_t requantize_sum(int32_t sum, struct channel_scale scale,
                                    const struct int8_output *out)
{
    const int32_t acc = (int32_t)((uint32_t)sum + (uint32_t)scale.bias);
    return requantize(acc, scale.multiplier, scale.shift, out);
}

#endif
