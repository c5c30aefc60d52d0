/* What the sketch asks of ESP-IDF. */
#include "system.h"

#include "board.h"
#include "esp_rom_sys.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "supervisor.h"

uint32_t system_clock_hz(void)
{
    return esp_rom_get_cpu_ticks_per_us() * 1000000u;
}

uint32_t system_stack_bytes(void)
{
    return TASK_STACK_BYTES;
}

uint32_t system_stack_used(void)
{
    return TASK_STACK_BYTES - uxTaskGetStackHighWaterMark(NULL) * sizeof(StackType_t);
}

void system_yield(void)
{
    supervisor_alive();
    vTaskDelay(1);
}
