/* Counter on the monotonic clock of the operating system, in nanoseconds. */
#define _POSIX_C_SOURCE 200809L

#include "counter.h"

#include <time.h>

void counter_init(void)
{
}

uint32_t counter_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint32_t)((uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec);
}

uint32_t counter_hz(void)
{
    return 1000000000u;
}
