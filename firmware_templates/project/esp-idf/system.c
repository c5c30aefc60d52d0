/* ESP-IDF's part of system.h. */
#include "system.h"

#include "board.h"
#include "esp_rom_sys.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"

uint32_t system_clock_hz(void)
{
    return esp_rom_get_cpu_ticks_per_us() * 1000000u;
}

uint32_t system_stack_bytes(void)
{
    return TASK_STACK_BYTES;
}

/* Of the task that asks, which is the sketch's. */
uint32_t system_stack_used(void)
{
    return TASK_STACK_BYTES - (uint32_t)(uxTaskGetStackHighWaterMark(NULL) * sizeof(StackType_t));
}

void system_yield(void)
{
    /* The sketch has its core to itself, and supervisor.c feeds the watchdog at each inference. */
}
