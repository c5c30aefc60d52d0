/* Stands for components/freertos/FreeRTOS-Kernel/include/freertos/FreeRTOS.h of ESP-IDF 5.5.3, and
 * for portmacro.h of its port for Xtensa. */
#ifndef STAND_IN_FREERTOS_H
#define STAND_IN_FREERTOS_H

#include <stddef.h>
#include <stdint.h>

typedef uint8_t StackType_t;
typedef int BaseType_t;
typedef unsigned UBaseType_t;
typedef uint32_t TickType_t;
typedef struct {
    uint8_t memory[344];
} StaticTask_t;

#define configTICK_RATE_HZ 1000 /* CONFIG_FREERTOS_HZ */
#define pdFALSE            ((BaseType_t)0)
#define pdTRUE             ((BaseType_t)1)
#define pdMS_TO_TICKS(ms)  ((TickType_t)(((uint64_t)(ms)*configTICK_RATE_HZ) / 1000U))

#endif
