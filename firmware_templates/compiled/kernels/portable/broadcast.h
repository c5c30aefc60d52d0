/* SPDX-License-Identifier: Apache-2.0 */
/* Walks two tensors that are combined element by element, one possibly repeated along some axes. */
#ifndef EDGEMCU_KERNELS_BROADCAST_H
#define EDGEMCU_KERNELS_BROADCAST_H

#include <stdint.h>

/* Axes of the output, outermost first; unused ones have size 1. A stride of 0 repeats. */
struct broadcast {
    int32_t size[4];
    int32_t stride_a[4];
    int32_t stride_b[4];
};

/* Combines one innermost row: size[3] elements with strides stride_a[3] and stride_b[3]. */
typedef void broadcast_row(const void *params, const int8_t *a, const int8_t *b, int8_t *output);

static inline void broadcast_rows(const struct broadcast *s, broadcast_row *row, const void *params,
                                  const int8_t *a, const int8_t *b, int8_t *output)
{
    for (int32_t i = 0; i < s->size[0]; ++i) {
        for (int32_t j = 0; j < s->size[1]; ++j) {
            for (int32_t k = 0; k < s->size[2]; ++k) {
                row(params, a + i * s->stride_a[0] + j * s->stride_a[1] + k * s->stride_a[2],
                    b + i * s->stride_b[0] + j * s->stride_b[1] + k * s->stride_b[2], output);
                output += s->size[3];
            }
        }
    }
}

#endif
