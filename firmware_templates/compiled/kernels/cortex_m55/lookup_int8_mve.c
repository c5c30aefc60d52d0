/* SPDX-License-Identifier: Apache-2.0 */
#include "lookup_int8_mve.h"

void lookup_int8_mve(const struct lookup_int8_mve_params *p, const int8_t *input, int8_t *output)
{
    __asm volatile("dlstp.8 lr, %[elements]\n"
                   "1:\n\t"
                   "vldrb.8 q0, [%[input]], #16\n\t"
                   "vldrb.u8 q1, [%[table], q0]\n\t"
                   "vstrb.8 q1, [%[output]], #16\n\t"
                   "letp lr, 1b"
                   : [input] "+r"(input), [output] "+r"(output)
                   : [elements] "r"(p->elements), [table] "r"(p->table)
                   : "lr", "q0", "q1", "memory");
}
