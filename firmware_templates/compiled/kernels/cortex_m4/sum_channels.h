/* SPDX-License-Identifier: Apache-2.0 */
/* Sums over an area of an image, four channels at a time. */
#ifndef EDGEMCU_KERNELS_SUM_CHANNELS_H
#define EDGEMCU_KERNELS_SUM_CHANNELS_H

#include "dsp.h"

/* Pixels whose sum is sure to fit 16 bits: 255 x 128 < 2^15. */
#define SUM_CHANNELS_MAX_PIXELS 255

/* Adds up `count` (1 to 4) channels of rows x columns pixels, SUM_CHANNELS_MAX_PIXELS at most.
 * Pixels are `pixel` bytes apart, rows `line`. */
static inline void sum_channels(const int8_t *x, int32_t rows, int32_t columns, int32_t pixel,
                                int32_t line, int32_t count, int32_t sums[4])
{
    uint32_t sum02 = 0;
    uint32_t sum13 = 0;

    for (; rows > 0; --rows) {
        const int8_t *p = x;
        int32_t i = columns;
        for (; i > 1; i -= 2) {
            const uint32_t first = count >= 4 ? load_word(p) : load_rest(p, count);
            const uint32_t second = count >= 4 ? load_word(p + pixel) : load_rest(p + pixel, count);
            sum02 = sadd16(sum02, sadd16(sxtb16(first), sxtb16(second)));
            sum13 = sadd16(sum13, sadd16(sxtb16_ror8(first), sxtb16_ror8(second)));
            p += 2 * pixel;
        }
        if (i > 0) {
            const uint32_t word = count >= 4 ? load_word(p) : load_rest(p, count);
            sum02 = sadd16(sum02, sxtb16(word));
            sum13 = sadd16(sum13, sxtb16_ror8(word));
        }
        x += line;
    }
    sums[0] = (int16_t)(uint16_t)sum02;
    sums[1] = (int16_t)(uint16_t)sum13;
    sums[2] = (int16_t)(uint16_t)(sum02 >> 16);
    sums[3] = (int16_t)(uint16_t)(sum13 >> 16);
}

#endif
