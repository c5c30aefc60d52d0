/* SPDX-License-Identifier: Apache-2.0 */
#include "softmax_int8.h"

#include "requantize.h"

/* Exponentials are at most 1, in Q0.31; their sum is kept in Q12.19. */
#define SUM_SHIFT 12

/* 1 / (1 + x) for x in [0, 1), both in Q0.31: three Newton-Raphson steps in Q2.29. */
static int32_t one_over_one_plus(int32_t x)
{
    const int32_t one = 1 << 29;
    const int32_t half_denominator = (int32_t)(((uint32_t)x + 0x80000000u) >> 1);
    /* 48/17 - 32/17 x half_denominator */
    int32_t estimate = 1515870810 + doubling_high_multiply(-1010580540, half_denominator);

    for (int i = 0; i < 3; ++i) {
        const int32_t error = one - doubling_high_multiply(estimate, half_denominator);
        estimate += doubling_high_multiply(error, estimate) * 4;
    }
    /* The estimate is of twice the result, which saturates just below 1. */
    return estimate > INT32_MAX / 2 ? INT32_MAX : estimate * 2;
}

static void softmax_row(const struct softmax_int8_params *p, const int8_t *input, int8_t *output)
{
    int32_t largest = INT8_MIN;
    for (int32_t i = 0; i < p->depth; ++i) {
        if (input[i] > largest) {
            largest = input[i];
        }
    }

    uint32_t sum = 0;
    for (int32_t i = 0; i < p->depth; ++i) {
        const int32_t difference = largest - input[i];
        if (difference < p->exponentials) {
            sum += (uint32_t)rounding_shift_right(p->exponential[difference], SUM_SHIFT);
        }
    }

    /* The sum, at least 1, as a power of two times (1 + fraction). */
    int32_t exponent = 31 + SUM_SHIFT - 8;
    while ((sum & 0x80000000u) == 0) {
        sum <<= 1;
        --exponent;
    }
    const int32_t scale = one_over_one_plus((int32_t)(sum - 0x80000000u));

    for (int32_t i = 0; i < p->depth; ++i) {
        const int32_t difference = largest - input[i];
        int32_t probability = 0; /* in 1/256 */
        /* Shifted further than 31 bits, everything rounds to 0. */
        if (difference < p->exponentials && exponent <= 31) {
            const int32_t product = doubling_high_multiply(p->exponential[difference], scale);
            probability = rounding_shift_right(product, exponent);
        }
        output[i] = (int8_t)clamp(probability + INT8_MIN, INT8_MIN, INT8_MAX);
    }
}

void softmax_int8(const struct softmax_int8_params *p, const int8_t *input, int8_t *output)
{
    for (int32_t row = 0; row < p->rows; ++row) {
        softmax_row(p, input, output);
        input += p->depth;
        output += p->depth;
    }
}
