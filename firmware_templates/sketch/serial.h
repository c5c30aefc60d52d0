/* The byte stream between this firmware and whoever listens: a UART, or stdin and stdout. */
#ifndef SERIAL_H
#define SERIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Received bytes that can wait unread; a power of two. One more is lost and counted. */
#define SERIAL_RX_CAPACITY 4096u

/* Set the line up: 8 data bits, no parity, one stop bit, at BOARD_BAUD. Call once, first. */
void serial_init(void);

/* The next received byte, 0 to 255, or -1 when none has arrived. Never blocks. */
int serial_read(void);

/* Sleep until there may be a byte to read. Returns at once when one is waiting already. */
void serial_wait(void);

/* The same for about a millisecond at most. Whether there is a byte to read now. */
bool serial_wait_1ms(void);

/* Send all n bytes; blocks until the last one has been handed to the hardware. Needs no
 * interrupt, so it also works in a fault handler. */
void serial_write(const uint8_t *data, size_t n);

/* Bytes lost since start, in the hardware or because nobody read them in time. */
uint32_t serial_lost(void);

#endif
