#include "supervisor.h"

#include <stdbool.h>
#include <string.h>

#include "board.h"
#include "edgemcu_model.h"
#include "esp_err.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "frame.h"
#include "freertos/FreeRTOS.h"
#include "freertos/task.h"
#include "serial.h"

static esp_task_wdt_user_handle_t watchdog;
static esp_timer_handle_t feeder;
static volatile unsigned fed; /* seconds into an inference */
static bool stack_is_due;
static bool stack_was_said;

/* Once a second during an inference, in ESP-IDF's timer task on the other core. An inference that
 * takes longer than INFERENCE_SECONDS hangs, and the watchdog may bite. */
static void feed(void *unused)
{
    (void)unused;
    if (fed < INFERENCE_SECONDS) {
        fed = fed + 1u;
        esp_task_wdt_reset_user(watchdog);
    }
}

void supervisor_init(void)
{
    const esp_timer_create_args_t timer = {.callback = feed, .name = "inference"};

    ESP_ERROR_CHECK(esp_task_wdt_add_user("sketch", &watchdog));
    ESP_ERROR_CHECK(esp_timer_create(&timer, &feeder));
}

/* The linker puts this in the place of edgemcu_invoke, which it reaches by the name below, so that
 * sketch and model stay free of ESP-IDF. */
int __real_edgemcu_invoke(void);
int __wrap_edgemcu_invoke(void);

int __wrap_edgemcu_invoke(void)
{
    fed = 0;
    esp_task_wdt_reset_user(watchdog);
    esp_timer_start_periodic(feeder, 1000000);
    int status = __real_edgemcu_invoke();

    esp_timer_stop(feeder);
    esp_task_wdt_reset_user(watchdog);
    stack_is_due = true;
    return status;
}

void supervisor_print(const char *text)
{
    serial_write((const uint8_t *)text, strlen(text));
    serial_write((const uint8_t *)"\r\n", 2);
}

static void print_stack(void)
{
    char line[64] = "stack: ";
    size_t n = strlen(line);

    n += format_number(line + n, uxTaskGetStackHighWaterMark(NULL) * sizeof(StackType_t));
    strcpy(line + n, " of ");
    n += strlen(line + n);
    n += format_number(line + n, TASK_STACK_BYTES);
    strcpy(line + n, " bytes were never used");
    supervisor_print(line);
}

void supervisor_alive(void)
{
    esp_task_wdt_reset_user(watchdog);
    if (stack_is_due && !stack_was_said) {
        stack_was_said = true;
        print_stack();
    }
}
