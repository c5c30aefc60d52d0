/* SPDX-License-Identifier: Apache-2.0 */
#include "mean_int8_mve.h"

#include "requantize_mve.h"

void mean_int8_mve(const struct mean_int8_mve_params *p, const int8_t *input, int8_t *output)
{
    const int32x4_t multiplier = vdupq_n_s32(p->multiplier);
    const int32x4_t shift = vdupq_n_s32(p->shift);

    for (int32_t c = 0; c < p->channels; c += 4) {
        const mve_pred16_t some = vctp32q((uint32_t)(p->channels - c));
        const int8_t *x = input + c;
        int32x4_t sum = vdupq_n_s32(-p->zero_point_sum);

        __asm volatile("vmsr p0, %[some]\n\t"
                       "dls lr, %[rows]\n"
                       "1:\n\t"
                       "vpstt\n\t"
                       "vldrbt.s32 q0, [%[x]]\n\t"
                       "vaddt.i32 %q[sum], %q[sum], q0\n\t"
                       "add %[x], %[channels]\n\t"
                       "le lr, 1b"
                       : [x] "+l"(x), [sum] "+w"(sum)
                       : [rows] "r"(p->rows), [channels] "r"(p->channels), [some] "r"(some)
                       : "q0", "lr", "memory");
        vstrbq_p_s32(output + c, requantize_mve(sum, multiplier, shift, &p->out), some);
    }
}
