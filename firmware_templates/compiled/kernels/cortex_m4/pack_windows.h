/* SPDX-License-Identifier: Apache-2.0 */
/* The windows of a block of a convolution's outputs, packed as `dot` wants them. */
#ifndef EDGEMCU_KERNELS_PACK_WINDOWS_H
#define EDGEMCU_KERNELS_PACK_WINDOWS_H

#include <stdint.h>

#include "../portable/window.h"

struct windows {
    struct window window;
    int32_t direct; /* 1 where the rows of a window are contiguous in the input */
};

/* A window's first tap; negative where it lies in the padding. */
struct window_place {
    int32_t y;
    int32_t x;
};

/* Packs `pixels` windows, wherever they are. Of a window's values, first all whole words of its rows
 * are packed, then the rest. patch: room for the bytes of a window. */
void pack_windows(const struct windows *p, const int8_t *input, const struct window_place *at,
                  int32_t pixels, uint32_t *packed, int8_t *patch);

/* The next windows in raster order from `at` on, which moves behind them: four, three, or one, which
 * is packed three times. */
void pack_next_windows(const struct windows *p, const int8_t *input, struct window_place *at,
                       int32_t pixels, uint32_t *packed, int8_t *patch);

/* The same as `pack_windows`, of windows that lie inside of the input, `step` bytes apart; `direct` is 1. */
void pack_windows_inside(const struct windows *p, const int8_t *first, int32_t step,
                         int32_t pixels, uint32_t *packed);

#endif
