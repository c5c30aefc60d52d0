/* Stands for components/esp_system/include/esp_task_wdt.h of ESP-IDF 5.5.3. */
#ifndef STAND_IN_ESP_TASK_WDT_H
#define STAND_IN_ESP_TASK_WDT_H

#include "esp_err.h"

typedef struct esp_task_wdt_user_handle_s *esp_task_wdt_user_handle_t;

esp_err_t esp_task_wdt_add_user(const char *user_name, esp_task_wdt_user_handle_t *user_handle_ret);
esp_err_t esp_task_wdt_reset_user(esp_task_wdt_user_handle_t user_handle);

#endif
