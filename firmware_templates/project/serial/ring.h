/* Bytes between the receive interrupt, which alone puts, and the main loop, which alone takes. */
#ifndef RING_H
#define RING_H

#include <stdbool.h>
#include <stdint.h>

#include "serial.h"

_Static_assert((SERIAL_RX_CAPACITY & (SERIAL_RX_CAPACITY - 1u)) == 0, "must be a power of two");

/* `put` and `taken` count all bytes since start; their difference is what is waiting, also
 * after they have wrapped around. */
struct ring {
    volatile uint32_t put;
    volatile uint32_t taken;
    volatile uint8_t bytes[SERIAL_RX_CAPACITY];
};

static inline bool ring_is_empty(const struct ring *ring)
{
    return ring->put == ring->taken;
}

/* False when the ring is full and the byte was not taken in. */
static inline bool ring_put(struct ring *ring, uint8_t byte)
{
    uint32_t put = ring->put;
    if (put - ring->taken == SERIAL_RX_CAPACITY) {
        return false;
    }
    ring->bytes[put % SERIAL_RX_CAPACITY] = byte;
    ring->put = put + 1u;
    return true;
}

/* The oldest byte, or -1. */
static inline int ring_take(struct ring *ring)
{
    uint32_t taken = ring->taken;
    if (ring->put == taken) {
        return -1;
    }
    int byte = ring->bytes[taken % SERIAL_RX_CAPACITY];
    ring->taken = taken + 1u;
    return byte;
}

#endif
