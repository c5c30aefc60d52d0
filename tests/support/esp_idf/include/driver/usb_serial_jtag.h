/* Stands for components/esp_driver_usb_serial_jtag/include/driver/usb_serial_jtag.h of ESP-IDF
 * 5.5.3. */
#ifndef STAND_IN_USB_SERIAL_JTAG_H
#define STAND_IN_USB_SERIAL_JTAG_H

#include "esp_err.h"
#include "freertos/FreeRTOS.h"

typedef struct {
    uint32_t tx_buffer_size;
    uint32_t rx_buffer_size;
} usb_serial_jtag_driver_config_t;

esp_err_t usb_serial_jtag_driver_install(usb_serial_jtag_driver_config_t *usb_serial_jtag_config);
int usb_serial_jtag_read_bytes(void *buf, uint32_t length, TickType_t ticks_to_wait);
int usb_serial_jtag_write_bytes(const void *src, size_t size, TickType_t ticks_to_wait);

#endif
