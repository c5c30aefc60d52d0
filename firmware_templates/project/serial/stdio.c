/* Serial line on stdin and stdout of a process; it ends with exit code 0 when stdin does. */
#define _POSIX_C_SOURCE 200809L

#include "serial.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

static uint8_t received[SERIAL_RX_CAPACITY];
static size_t taken;
static size_t filled;

/* Read what stdin has, waiting `timeout` milliseconds for it (-1: for ever). */
static void fill(int timeout)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    ssize_t n;

    if (poll(&input, 1, timeout) <= 0) {
        return;
    }
    n = read(STDIN_FILENO, received, sizeof received);
    if (n == 0) {
        exit(EXIT_SUCCESS);
    }
    if (n < 0) {
        if (errno == EINTR || errno == EAGAIN) {
            return;
        }
        exit(EXIT_FAILURE);
    }
    taken = 0;
    filled = (size_t)n;
}

void serial_init(void)
{
    taken = 0;
    filled = 0;
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
        fill(-1);
    }
}

bool serial_wait_1ms(void)
{
    if (taken == filled) {
        fill(1);
    }
    return taken < filled;
}

void serial_write(const uint8_t *data, size_t n)
{
    while (n > 0) {
        ssize_t written = write(STDOUT_FILENO, data, n);
        if (written < 0) {
            if (errno == EINTR) {
                continue;
            }
            exit(EXIT_FAILURE); /* nobody listens any more */
        }
        data += written;
        n -= (size_t)written;
    }
}

uint32_t serial_lost(void)
{
    return 0; /* a pipe loses nothing */
}
