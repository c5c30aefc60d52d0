/* What the sketch asks of the system below it: bare metal, an RTOS, a process. */
#ifndef SYSTEM_H
#define SYSTEM_H

#include <stdint.h>

/* The processor's clock in Hz, as it is set; 0 where it is unknown, or emulated. */
uint32_t system_clock_hz(void);

/* The stack that the sketch and the model run on: its size, and the most that has been in use since
 * start. In bytes; 0 where it is unknown. */
uint32_t system_stack_bytes(void);
uint32_t system_stack_used(void);

/* Called now and then in what takes long: lets watchdogs and other tasks have their turn. */
void system_yield(void);

#endif
