/* Stands for components/esp_common/include/esp_attr.h of ESP-IDF 5.5.3. */
#ifndef STAND_IN_ESP_ATTR_H
#define STAND_IN_ESP_ATTR_H

#define IRAM_ATTR
#define DRAM_STR(str) (str)

#endif
