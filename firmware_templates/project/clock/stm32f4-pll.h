/* Clock tree of an STM32F4: the PLL, and what comes out of it for each bus. */
#ifndef CLOCK_H
#define CLOCK_H

#include <stdbool.h>
#include <stdint.h>

/* Their values are the offsets of the clock enable registers in the RCC. */
enum bus { BUS_AHB1 = 0x30, BUS_APB1 = 0x40, BUS_APB2 = 0x44 };

/* Switch to the PLL. Where it does not lock in time, the chip stays at its 16 MHz oscillator and
 * everything below says so. */
void clock_init(void);

/* Whether there is no clock tree at all, as in QEMU, where its registers read 0. */
bool clock_is_emulated(void);

/* Enable the clock of a peripheral. */
void clock_enable(enum bus bus, uint32_t bit);

/* The processor's clock, in Hz. */
uint32_t clock_core_hz(void);

/* The clock of the peripherals on a bus, in Hz. */
uint32_t clock_bus_hz(enum bus bus);

/* The clock of the timers on APB1, in Hz. */
uint32_t clock_timer_hz(void);

#endif
