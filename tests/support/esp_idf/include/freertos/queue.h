/* Stands for components/freertos/FreeRTOS-Kernel/include/freertos/queue.h of ESP-IDF 5.5.3. */
#ifndef STAND_IN_QUEUE_H
#define STAND_IN_QUEUE_H

#include "freertos/FreeRTOS.h"

typedef struct QueueDefinition *QueueHandle_t;

BaseType_t xQueueReceive(QueueHandle_t xQueue, void *const pvBuffer, TickType_t xTicksToWait);

#endif
