/* Stands for components/esp_rom/include/esp_rom_sys.h of ESP-IDF 5.5.3. */
#ifndef STAND_IN_ESP_ROM_SYS_H
#define STAND_IN_ESP_ROM_SYS_H

#include <stdint.h>

uint32_t esp_rom_get_cpu_ticks_per_us(void);

#endif
