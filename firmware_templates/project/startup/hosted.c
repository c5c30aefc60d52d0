/* The operating system's part of system.h: nothing that the firmware has to look after. */
#include "system.h"

uint32_t system_clock_hz(void)
{
    return 0;
}

uint32_t system_stack_bytes(void)
{
    return 0;
}

uint32_t system_stack_used(void)
{
    return 0;
}

void system_yield(void)
{
}
