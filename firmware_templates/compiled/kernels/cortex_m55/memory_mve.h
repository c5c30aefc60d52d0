/* SPDX-License-Identifier: Apache-2.0 */
/* memset and memcpy for short runs, which small C libraries do byte by byte. */
#ifndef EDGEMCU_KERNELS_MEMORY_MVE_H
#define EDGEMCU_KERNELS_MEMORY_MVE_H

#include <arm_mve.h>
#include <stdint.h>

/* bytes >= 1 */
static inline void fill_mve(int8_t *to, int32_t value, int32_t bytes)
{
    const int8x16_t v = vdupq_n_s8((int8_t)value);
    __asm volatile("dlstp.8 lr, %[n]\n"
                   "1:\n\t"
                   "vstrb.8 %q[v], [%[to]], #16\n\t"
                   "letp lr, 1b"
                   : [to] "+r"(to)
                   : [n] "r"(bytes), [v] "w"(v)
                   : "lr", "memory");
}

/* bytes >= 1 */
static inline void copy_mve(int8_t *to, const int8_t *from, int32_t bytes)
{
    __asm volatile("dlstp.8 lr, %[n]\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[from]], #16\n\t"
                   "vstrb.8 q0, [%[to]], #16\n\t"
                   "letp lr, 1b"
                   : [to] "+r"(to), [from] "+r"(from)
                   : [n] "r"(bytes)
                   : "lr", "q0", "memory");
}

#endif
