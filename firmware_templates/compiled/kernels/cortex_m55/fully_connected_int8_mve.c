/* SPDX-License-Identifier: Apache-2.0 */
#include "fully_connected_int8_mve.h"

#include "requantize_mve.h"

void fully_connected_int8_mve(const struct fully_connected_int8_mve_params *p, const int8_t *input,
                              int8_t *output)
{
    for (int32_t row = 0; row < p->rows; ++row) {
        const int32_t *w = p->weights;

        for (int32_t c = 0; c < p->output_channels; c += 4) {
            const int8_t *x = input;
            int32x4_t sum;

            /* Each 16 values by four channels, the last of them under the loop's own predicate. */
            __asm volatile("movs r0, #0\n\t"
                           "movs r2, #0\n\t"
                           "movs r4, #0\n\t"
                           "movs r6, #0\n\t"
                           "dlstp.8 lr, %[values]\n"
                           "1:\n\t"
                           "vldrb.8 q0, [%[x]], #16\n\t"
                           "vldrb.8 q1, [%[w]], #64\n\t"
                           "vmladava.s8 r0, q0, q1\n\t"
                           "vldrb.8 q2, [%[w], #-48]\n\t"
                           "vmladava.s8 r2, q0, q2\n\t"
                           "vldrb.8 q1, [%[w], #-32]\n\t"
                           "vmladava.s8 r4, q0, q1\n\t"
                           "vldrb.8 q2, [%[w], #-16]\n\t"
                           "vmladava.s8 r6, q0, q2\n\t"
                           "letp lr, 1b\n\t"
                           "vmov %q[sum][2], %q[sum][0], r0, r4\n\t"
                           "vmov %q[sum][3], %q[sum][1], r2, r6"
                           : [x] "+r"(x), [w] "+r"(w), [sum] "=w"(sum)
                           : [values] "r"(p->input_channels)
                           : "r0", "r2", "r4", "r6", "q0", "q1", "q2", "lr", "cc", "memory");
            const int32x4_t v =
                requantize_mve(vaddq_s32(sum, vldrwq_s32(w)), vldrwq_s32(w + 4),
                               vldrbq_s32((const int8_t *)(w + 8)), &p->out);
            vstrbq_p_s32(output + c, v, vctp32q((uint32_t)(p->output_channels - c)));
            w += SCALES_WORDS;
        }
        input += p->input_channels;
        output += p->output_channels;
    }
}
