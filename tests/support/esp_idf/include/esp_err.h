/* Stands for components/esp_common/include/esp_err.h of ESP-IDF 5.5.3. */
#ifndef STAND_IN_ESP_ERR_H
#define STAND_IN_ESP_ERR_H

#include <stdlib.h>

typedef int esp_err_t;

#define ESP_OK 0

const char *esp_err_to_name(esp_err_t code);

#define ESP_ERROR_CHECK(x)                                                                         \
    do {                                                                                           \
        if ((x) != ESP_OK) {                                                                       \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

#endif
