/* A free-running 32-bit counter to time one inference with.
 *
 * On a chip it measures time. In an emulator that advances virtual time by a fixed amount per
 * instruction (QEMU's -icount), a difference of two readings is proportional to the number of
 * instructions: the board's data file holds the factor. It is never a latency there.
 */
#ifndef COUNTER_H
#define COUNTER_H

#include <stdint.h>

void counter_init(void);

/* Ticks since some moment, modulo 2^32: subtract two readings as uint32_t. */
uint32_t counter_now(void);

/* Ticks per second where the counter measures time. 0 where the firmware finds itself in an
 * emulator, whose ticks follow instructions. */
uint32_t counter_hz(void);

#endif
