/* SPDX-License-Identifier: Apache-2.0 */
#include "add_int8_mve.h"

#include "requantize_mve.h"

/* Four elements at a time, the last of them under the loop's own predicate. */
#define ADD(ROUND)                                                                                 \
    "dlstp.32 lr, lr\n"                                                                            \
    "1:\n\t"                                                                                       \
    "vldrb.s32 q0, [%[fine]], #4\n\t"                                                              \
    "vmlas.s32 q0, %q[power_20], %[fine_sum]\n\t"                                                  \
    "vldrb.s32 q1, [%[coarse]], #4\n\t"                                                            \
    "vqrdmulh.s32 q0, q0, %[fine_multiplier]\n\t"                                                  \
    ROUND_AWAY_FROM_ZERO("q0", "%q[fine_shift]", "q2")                                             \
    "vrshl.s32 q0, q0, %q[fine_shift]\n\t"                                                         \
    "vadd.i32 q0, q0, %[coarse_sum]\n\t"                                                           \
    "vmla.s32 q0, q1, %[power_19]\n\t"                                                             \
    "vqrdmulh.s32 q0, q0, %[multiplier]\n\t"                                                       \
    ROUND("q0", "%q[shift]", "q2")                                                                 \
    "vrshl.s32 q0, q0, %q[shift]\n\t"                                                              \
    "vadd.i32 q0, q0, %[zero_point]\n\t"                                                           \
    "vmax.s32 q0, q0, %q[min]\n\t"                                                                 \
    "vmin.s32 q0, q0, %q[max]\n\t"                                                                 \
    "vstrb.32 q0, [%[output]], #4\n\t"                                                             \
    "letp lr, 1b"

#define ADD_ASM(ROUND)                                                                             \
    __asm volatile(                                                                                \
        ADD(ROUND)                                                                                 \
        : [fine] "+l"(fine), [coarse] "+l"(coarse), [output] "+l"(output), "+r"(elements)          \
        : [fine_sum] "r"(p->fine_sum), [fine_multiplier] "r"(p->fine_multiplier),                  \
          [coarse_sum] "r"(p->coarse_sum),                                                         \
          [power_19] "r"(1 << 19), [multiplier] "r"(p->multiplier),                                \
          [zero_point] "r"(p->out.zero_point), [power_20] "w"(vdupq_n_s32(1 << 20)),               \
          [fine_shift] "w"(vdupq_n_s32(p->fine_shift)), [shift] "w"(vdupq_n_s32(p->shift)),        \
          [min] "w"(vdupq_n_s32(p->out.min)), [max] "w"(vdupq_n_s32(p->out.max))                   \
        : "q0", "q1", "q2", "memory")

void add_int8_mve(const struct add_int8_mve_params *p, const int8_t *a, const int8_t *b,
                  int8_t *output)
{
    const int8_t *coarse = p->coarse == 0 ? a : b;
    const int8_t *fine = p->coarse == 0 ? b : a;
    register int32_t elements __asm("lr") = p->elements;

    if (cuts_negatives(&p->out)) {
        ADD_ASM(ROUND_TIES_UP);
    } else {
        ADD_ASM(ROUND_AWAY_FROM_ZERO);
    }
}
