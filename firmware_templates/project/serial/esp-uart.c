/* Serial line on a UART of an ESP32, through ESP-IDF's driver. */
#include "serial.h"

#include "board.h"
#include "driver/uart.h"
#include "driver/uart_vfs.h"
#include "esp_err.h"
#include "freertos/FreeRTOS.h"
#include "freertos/queue.h"

#define FIFO_BYTES 128 /* of the UART; a full ring stops the driver from emptying it */
#define EVENTS     64 /* more than arrive until the ring is full: a loss must still find room */
#define ONE_MS     pdMS_TO_TICKS(1)
#define WAIT       pdMS_TO_TICKS(1000)

static uint8_t received[FIFO_BYTES];
static size_t taken;
static size_t filled;
static uint32_t lost;
static QueueHandle_t events;

static void count_losses(void)
{
    uart_event_t event;

    while (xQueueReceive(events, &event, 0) == pdTRUE) {
        if (event.type == UART_FIFO_OVF) {
            lost++;
        }
    }
}

/* Take what has arrived, waiting for the first byte of it up to `ticks`. */
static void fill(TickType_t ticks)
{
    size_t waiting = 0;
    int n;

    count_losses();
    uart_get_buffered_data_len(SERIAL_PORT, &waiting);
    if (waiting > sizeof received) {
        waiting = sizeof received;
    }
    /* The driver waits for as many bytes as are asked for. */
    n = uart_read_bytes(SERIAL_PORT, received, waiting > 0 ? waiting : 1, ticks);
    taken = 0;
    filled = n > 0 ? (size_t)n : 0;
}

void serial_init(void)
{
    const uart_config_t config = {
        .baud_rate = SERIAL_BAUD,
        .data_bits = UART_DATA_8_BITS,
        .parity = UART_PARITY_DISABLE,
        .stop_bits = UART_STOP_BITS_1,
        .flow_ctrl = UART_HW_FLOWCTRL_DISABLE,
        .source_clk = UART_SCLK_DEFAULT,
    };

    ESP_ERROR_CHECK(uart_driver_install(SERIAL_PORT, SERIAL_RX_CAPACITY + FIFO_BYTES, 0, EVENTS,
                                        &events, 0));
    ESP_ERROR_CHECK(uart_param_config(SERIAL_PORT, &config));
    ESP_ERROR_CHECK(uart_set_pin(SERIAL_PORT, SERIAL_TX, SERIAL_RX, UART_PIN_NO_CHANGE,
                                 UART_PIN_NO_CHANGE));
    uart_vfs_dev_use_driver(SERIAL_PORT); /* ESP-IDF's log goes the same way */
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
    uart_write_bytes(SERIAL_PORT, data, n); /* without a send buffer it returns when all is sent */
}

uint32_t serial_lost(void)
{
    return lost;
}
