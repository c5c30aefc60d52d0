/* Serial line over the chip's USB Serial/JTAG controller, through ESP-IDF's driver. */
#include "serial.h"

#include <stdbool.h>

#include "driver/usb_serial_jtag.h"
#include "driver/usb_serial_jtag_vfs.h"
#include "esp_err.h"
#include "freertos/FreeRTOS.h"

#define PACKET_BYTES 64u /* of USB at full speed; the driver takes it whole or not at all */
#define SEND_BYTES   1024u
#define PATIENCE     pdMS_TO_TICKS(500)
#define ONE_MS       pdMS_TO_TICKS(1)
#define WAIT         pdMS_TO_TICKS(1000)

static uint8_t received[PACKET_BYTES];
static size_t taken;
static size_t filled;
static bool nobody_listens;

/* Take what has arrived, waiting for it up to `ticks`. */
static void fill(TickType_t ticks)
{
    int n = usb_serial_jtag_read_bytes(received, sizeof received, ticks);

    taken = 0;
    filled = n > 0 ? (size_t)n : 0;
}

void serial_init(void)
{
    usb_serial_jtag_driver_config_t config = {
        .tx_buffer_size = SEND_BYTES,
        .rx_buffer_size = SERIAL_RX_CAPACITY + PACKET_BYTES,
    };

    ESP_ERROR_CHECK(usb_serial_jtag_driver_install(&config));
    usb_serial_jtag_vfs_use_driver(); /* ESP-IDF's log goes the same way */
}

int serial_read(void)
{
    if (taken == filled) {
        fill(0);
    }
    return taken < filled ? received[taken++] : -1;
}

void serial_wait(void)
{
    if (taken == filled) {
        fill(WAIT);
    }
}

bool serial_wait_1ms(void)
{
    if (taken == filled) {
        fill(ONE_MS);
    }
    return taken < filled;
}

void serial_write(const uint8_t *data, size_t n)
{
    while (n > 0) {
        size_t part = n < PACKET_BYTES ? n : PACKET_BYTES;

        /* Where no program has the port open, nothing is taken away: without a host the sketch
         * goes on, and what it says is lost. */
        if (usb_serial_jtag_write_bytes(data, part, nobody_listens ? 0 : PATIENCE) <= 0) {
            nobody_listens = true;
            return;
        }
        nobody_listens = false;
        data += part;
        n -= part;
    }
}

uint32_t serial_lost(void)
{
    return 0; /* the driver does not count */
}
