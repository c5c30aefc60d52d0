/* In a file of its own, as in ESP-IDF: the linker's wrapper stands between two objects. */
#include "esp_private/panic_internal.h"

void esp_panic_handler(panic_info_t *info);
void panic(const char *reason);

void panic(const char *reason)
{
    panic_info_t info = {.core = 1, .reason = reason, .description = "the rest of the report"};

    esp_panic_handler(&info);
}
