#include "supervisor.h"

#include "board.h"
#include "edgemcu_model.h"
#include "esp_err.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"

static esp_task_wdt_user_handle_t watchdog;
static esp_timer_handle_t feeder;
static volatile unsigned fed; /* seconds into an inference */

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

void supervisor_alive(void)
{
    esp_task_wdt_reset_user(watchdog);
}

/* The linker puts this in the place of edgemcu_invoke, which it reaches by the name below, so that
 * sketch and model stay free of ESP-IDF. */
int __real_edgemcu_invoke(void);
int __wrap_edgemcu_invoke(void);

int __wrap_edgemcu_invoke(void)
{
    fed = 0;
    supervisor_alive();
    esp_timer_start_periodic(feeder, 1000000);
    int status = __real_edgemcu_invoke();

    esp_timer_stop(feeder);
    supervisor_alive();
    return status;
}
