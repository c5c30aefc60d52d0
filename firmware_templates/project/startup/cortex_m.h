/* The few registers and instructions of a Cortex-M that this firmware uses. */
#ifndef CORTEX_M_H
#define CORTEX_M_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define NVIC_ISER(n) REGISTER(0xE000E100u + 4u * (n))
#define SCB_VTOR     REGISTER(0xE000ED08u)
#define SCB_CCR      REGISTER(0xE000ED14u)
#define SCB_SHCSR    REGISTER(0xE000ED24u)
#define SCB_CFSR     REGISTER(0xE000ED28u)
#define SCB_HFSR     REGISTER(0xE000ED2Cu)
#define SCB_MMFAR    REGISTER(0xE000ED34u)
#define SCB_BFAR     REGISTER(0xE000ED38u)
#define SCB_CPACR    REGISTER(0xE000ED88u)

#define CCR_DIV_0_TRP       (1u << 4)
#define SHCSR_FAULTS        (7u << 16) /* MemManage, BusFault and UsageFault as such */
#define CFSR_MMARVALID      (1u << 7)
#define CFSR_BFARVALID      (1u << 15)
#define CPACR_CP10_CP11     (15u << 20)

static inline void enable_interrupt(uint32_t number)
{
    NVIC_ISER(number / 32u) = 1u << (number % 32u);
}

/* Sleep until an interrupt is pending, unless `is_idle` has become false meanwhile. Interrupts
 * are held off between the question and the sleep, so that none can be missed in between; a
 * pending one still ends the sleep and is served right after. */
#define SLEEP_WHILE(is_idle)                              \
    do {                                                  \
        __asm volatile("cpsid i" ::: "memory");           \
        if (is_idle) {                                    \
            __asm volatile("dsb\n\twfi" ::: "memory");    \
        }                                                 \
        __asm volatile("cpsie i\n\tisb" ::: "memory");    \
    } while (0)

#endif
