/* Faults in the form that edgemcu knows, ahead of ESP-IDF's own report. */
#include "esp_attr.h"
#include "esp_private/panic_internal.h"
#include "protocol.h"

/* The linker puts the second in the place of esp_panic_handler, and gives that the first name. */
void __real_esp_panic_handler(panic_info_t *info);
void __wrap_esp_panic_handler(panic_info_t *info);

/* Code and text in RAM: flash may be out of reach when the chip panics. */
void IRAM_ATTR __wrap_esp_panic_handler(panic_info_t *info)
{
    panic_print_str(DRAM_STR("\r\n" PROTOCOL_FAULT_LINE));
    panic_print_str(info->reason ? info->reason : DRAM_STR("panic"));
    panic_print_str(DRAM_STR(" on core "));
    panic_print_dec(info->core);
    panic_print_str(DRAM_STR("\r\n"));
    __real_esp_panic_handler(info);
}
