/* The few registers and instructions of a Cortex-M that this firmware uses. */
#ifndef CORTEX_M_H
#define CORTEX_M_H

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))

#define NVIC_ISER(n) REGISTER(0xE000E100u + 4u * (n))
#define SYST_CSR     REGISTER(0xE000E010u)
#define SYST_RVR     REGISTER(0xE000E014u)
#define SYST_CVR     REGISTER(0xE000E018u)
#define SCB_ICSR     REGISTER(0xE000ED04u)
#define SCB_VTOR     REGISTER(0xE000ED08u)
#define SCB_CCR      REGISTER(0xE000ED14u)
#define SCB_SHCSR    REGISTER(0xE000ED24u)
#define SCB_CFSR     REGISTER(0xE000ED28u)
#define SCB_HFSR     REGISTER(0xE000ED2Cu)
#define SCB_MMFAR    REGISTER(0xE000ED34u)
#define SCB_BFAR     REGISTER(0xE000ED38u)
#define SCB_CCSIDR   REGISTER(0xE000ED80u)
#define SCB_CSSELR   REGISTER(0xE000ED84u)
#define SCB_CPACR    REGISTER(0xE000ED88u)
#define SCB_ICIALLU  REGISTER(0xE000EF50u)
#define SCB_DCISW    REGISTER(0xE000EF60u)

#define SYST_ENABLED        (7u << 0)  /* from the processor's clock, pending at 0 */
#define ICSR_PENDSTCLR      (1u << 25)
#define CCR_DIV_0_TRP       (1u << 4)
#define CCR_DC              (1u << 16)
#define CCR_IC              (1u << 17)
#define SHCSR_FAULTS        (7u << 16) /* MemManage, BusFault and UsageFault as such */
#define CFSR_MMARVALID      (1u << 7)
#define CFSR_BFARVALID      (1u << 15)
#define CPACR_CP10_CP11     (15u << 20)

/* Of a cache with lines of 32 bytes, as a Cortex-M7 has: the highest way and set, and which way of
 * which set SCB_DCISW empties. */
#define CCSIDR_WAYS(ccsidr) ((ccsidr) >> 3 & 0x3FFu)
#define CCSIDR_SETS(ccsidr) ((ccsidr) >> 13 & 0x7FFFu)
#define DCISW(set, way)     ((way) << 30 | (set) << 5)

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

/* The same for `ticks` (at most 2^24) of the processor's clock at most. SysTick only ends the sleep:
 * what it has left pending is taken back before anything could serve it. */
#define SLEEP_WHILE_FOR(is_idle, ticks)                   \
    do {                                                  \
        __asm volatile("cpsid i" ::: "memory");           \
        SYST_RVR = (ticks) - 1u;                          \
        SYST_CVR = 0u;                                    \
        SYST_CSR = SYST_ENABLED;                          \
        if (is_idle) {                                    \
            __asm volatile("dsb\n\twfi" ::: "memory");    \
        }                                                 \
        SYST_CSR = 0u;                                    \
        SCB_ICSR = ICSR_PENDSTCLR;                        \
        __asm volatile("dsb\n\tcpsie i\n\tisb" ::: "memory"); \
    } while (0)

#endif
