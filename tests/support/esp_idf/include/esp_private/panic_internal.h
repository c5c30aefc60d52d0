/* Stands for components/esp_system/include/esp_private/panic_internal.h of ESP-IDF 5.5.3. */
#ifndef STAND_IN_PANIC_INTERNAL_H
#define STAND_IN_PANIC_INTERNAL_H

#include <stdbool.h>

typedef enum { PANIC_EXCEPTION_FAULT = 4 } panic_exception_t;
typedef void (*panic_info_dump_fn_t)(const void *frame);
typedef struct {
    int core;
    panic_exception_t exception;
    const char *reason;
    const char *description;
    panic_info_dump_fn_t details;
    panic_info_dump_fn_t state;
    const void *addr;
    const void *frame;
    bool pseudo_excause;
} panic_info_t;

void panic_print_str(const char *str);
void panic_print_dec(int d);

#endif
