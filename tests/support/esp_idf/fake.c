/* A small part of ESP-IDF as a process: its serial lines are stdin and stdout, its one task runs in
 * main, and its watchdog ends the process where the chip would restart. The timer's callbacks run
 * in a thread, as they do in a task of another core. */
#define _POSIX_C_SOURCE 200809L

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "driver/uart.h"
#include "driver/uart_vfs.h"
#include "driver/usb_serial_jtag.h"
#include "driver/usb_serial_jtag_vfs.h"
#include "esp_private/panic_internal.h"
#include "esp_rom_sys.h"
#include "esp_task_wdt.h"
#include "esp_timer.h"
#include "freertos/task.h"

void app_main(void);
void esp_panic_handler(panic_info_t *info);

int64_t esp_timer_get_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

uint32_t esp_rom_get_cpu_ticks_per_us(void)
{
    return 240;
}

/* ---- Panic ---------------------------------------------------------------------------------- */

void panic_print_str(const char *str)
{
    if (write(STDOUT_FILENO, str, strlen(str)) < 0) {
        _exit(3);
    }
}

void panic_print_dec(int d)
{
    char text[16];

    snprintf(text, sizeof text, "%d", d);
    panic_print_str(text);
}

void esp_panic_handler(panic_info_t *info)
{
    panic_print_str(info->description);
    panic_print_str("\r\n");
    _exit(1);
}

/* In panic_handler.c: calls esp_panic_handler through the linker's wrapper, as ESP-IDF does. */
void panic(const char *reason);

/* ---- Watchdog and timer --------------------------------------------------------------------- */

static const char *user;
static _Atomic int64_t alive;

esp_err_t esp_task_wdt_add_user(const char *user_name, esp_task_wdt_user_handle_t *user_handle_ret)
{
    user = user_name;
    alive = esp_timer_get_time();
    *user_handle_ret = (esp_task_wdt_user_handle_t)&user;
    return ESP_OK;
}

esp_err_t esp_task_wdt_reset_user(esp_task_wdt_user_handle_t user_handle)
{
    if (user_handle != (esp_task_wdt_user_handle_t)&user) {
        _exit(4);
    }
    alive = esp_timer_get_time();
    return ESP_OK;
}

struct esp_timer {
    esp_timer_cb_t callback;
    void *arg;
};
static struct esp_timer the_timer;
static _Atomic uint64_t period;

#ifndef SECOND
#define SECOND 1000000 /* how many microseconds the timer and the watchdog take for one */
#endif
#ifndef WATCHDOG_SECONDS
#define WATCHDOG_SECONDS 10
#endif

static void *tick(void *unused)
{
    (void)unused;
    for (;;) {
        struct timespec second = {.tv_sec = SECOND / 1000000, .tv_nsec = SECOND % 1000000 * 1000L};

        nanosleep(&second, NULL);
        if (period != 0) {
            the_timer.callback(the_timer.arg);
        }
        if (user != NULL && esp_timer_get_time() - alive > (int64_t)WATCHDOG_SECONDS * SECOND) {
            panic("Task watchdog");
        }
    }
    return NULL;
}

esp_err_t esp_timer_create(const esp_timer_create_args_t *create_args,
                           esp_timer_handle_t *out_handle)
{
    the_timer.callback = create_args->callback;
    the_timer.arg = create_args->arg;
    *out_handle = &the_timer;
    return ESP_OK;
}

esp_err_t esp_timer_start_periodic(esp_timer_handle_t timer, uint64_t every)
{
    if (timer != &the_timer || period != 0) {
        return -1;
    }
    period = every;
    return ESP_OK;
}

esp_err_t esp_timer_stop(esp_timer_handle_t timer)
{
    (void)timer;
    period = 0;
    return ESP_OK;
}

/* ---- Serial lines --------------------------------------------------------------------------- */

static int read_line(void *buf, uint32_t length, TickType_t ticks_to_wait)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    if (poll(&input, 1, (int)ticks_to_wait * 1000 / configTICK_RATE_HZ) <= 0) {
        return 0;
    }
    ssize_t n = read(STDIN_FILENO, buf, length);
    if (n == 0) {
        _exit(0);
    }
    return n < 0 ? 0 : (int)n;
}

static int write_line(const void *src, size_t size)
{
    const char *bytes = src;
    size_t left = size;

    while (left > 0) {
        ssize_t n = write(STDOUT_FILENO, bytes, left);
        if (n < 0 && errno != EINTR) {
            _exit(0);
        }
        if (n > 0) {
            bytes += n;
            left -= (size_t)n;
        }
    }
    return (int)size;
}

esp_err_t usb_serial_jtag_driver_install(usb_serial_jtag_driver_config_t *config)
{
    return config->rx_buffer_size > 64 && config->tx_buffer_size > 0 ? ESP_OK : -1;
}

void usb_serial_jtag_vfs_use_driver(void)
{
}

int usb_serial_jtag_read_bytes(void *buf, uint32_t length, TickType_t ticks_to_wait)
{
    return read_line(buf, length, ticks_to_wait);
}

int usb_serial_jtag_write_bytes(const void *src, size_t size, TickType_t ticks_to_wait)
{
    (void)ticks_to_wait;
#ifdef NOBODY_LISTENS
    (void)src;
    (void)size;
    return 0;
#else
    return write_line(src, size);
#endif
}

esp_err_t uart_driver_install(uart_port_t uart_num, int rx_buffer_size, int tx_buffer_size,
                              int queue_size, QueueHandle_t *uart_queue, int intr_alloc_flags)
{
    (void)uart_num, (void)tx_buffer_size, (void)intr_alloc_flags;
    *uart_queue = (QueueHandle_t)&user;
    return rx_buffer_size > 128 && queue_size > 0 ? ESP_OK : -1;
}

esp_err_t uart_param_config(uart_port_t uart_num, const uart_config_t *uart_config)
{
    (void)uart_num;
    return uart_config->baud_rate > 0 && uart_config->data_bits == UART_DATA_8_BITS ? ESP_OK : -1;
}

esp_err_t uart_set_pin(uart_port_t uart_num, int tx_io_num, int rx_io_num, int rts_io_num,
                       int cts_io_num)
{
    (void)uart_num, (void)rts_io_num, (void)cts_io_num;
    return tx_io_num != rx_io_num ? ESP_OK : -1;
}

void uart_vfs_dev_use_driver(int uart_num)
{
    (void)uart_num;
}

esp_err_t uart_get_buffered_data_len(uart_port_t uart_num, size_t *size)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};

    (void)uart_num;
    *size = poll(&input, 1, 0) > 0 ? 1 : 0;
    return ESP_OK;
}

int uart_read_bytes(uart_port_t uart_num, void *buf, uint32_t length, TickType_t ticks_to_wait)
{
    (void)uart_num;
    return read_line(buf, length, ticks_to_wait);
}

int uart_write_bytes(uart_port_t uart_num, const void *src, size_t size)
{
    (void)uart_num;
    return write_line(src, size);
}

BaseType_t xQueueReceive(QueueHandle_t xQueue, void *const pvBuffer, TickType_t xTicksToWait)
{
    (void)xQueue, (void)pvBuffer, (void)xTicksToWait;
    return pdFALSE;
}

/* ---- Tasks ---------------------------------------------------------------------------------- */

static TaskFunction_t the_task;
static void *its_parameters;

TaskHandle_t xTaskCreateStaticPinnedToCore(TaskFunction_t pxTaskCode, const char *const pcName,
                                           const uint32_t ulStackDepth, void *const pvParameters,
                                           UBaseType_t uxPriority,
                                           StackType_t *const puxStackBuffer,
                                           StaticTask_t *const pxTaskBuffer,
                                           const BaseType_t xCoreID)
{
    (void)pcName, (void)uxPriority, (void)puxStackBuffer;
    if (xCoreID != 1 || ulStackDepth < 4096) {
        return NULL;
    }
    the_task = pxTaskCode;
    its_parameters = pvParameters;
    return (TaskHandle_t)pxTaskBuffer;
}

void vTaskDelay(const TickType_t xTicksToDelay)
{
    (void)xTicksToDelay;
}

UBaseType_t uxTaskGetStackHighWaterMark(TaskHandle_t xTask)
{
    (void)xTask;
    return 4321;
}

int main(void)
{
    pthread_t timer;

    app_main();
    if (the_task == NULL || pthread_create(&timer, NULL, tick, NULL) != 0) {
        return 2;
    }
    the_task(its_parameters);
    return 2; /* a task never returns */
}
