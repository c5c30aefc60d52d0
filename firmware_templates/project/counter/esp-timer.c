/* Counter on ESP-IDF's timer, in microseconds; its low 32 bits wrap after 71 minutes. */
#include "counter.h"

#include "esp_timer.h"

void counter_init(void)
{
}

uint32_t counter_now(void)
{
    return (uint32_t)esp_timer_get_time();
}

uint32_t counter_hz(void)
{
    return 1000000u;
}
