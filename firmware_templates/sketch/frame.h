/* Frames on the serial line: "@em1 T SSSS BASE64 CCCCCCCC\n", see docs/protocol.md of edgemcu.
 *
 * Reading keeps one decoded payload in a static buffer; writing needs none, since the payload is
 * encoded while it is handed over.
 */
#ifndef FRAME_H
#define FRAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "protocol.h"

/* The largest payload that is accepted: a data frame's header and one chunk. */
#define FRAME_MAX_PAYLOAD (9u + PROTOCOL_CHUNK_BYTES)

struct frame {
    uint8_t type;
    uint16_t sequence;
    size_t size; /* of the payload as sent; more than FRAME_MAX_PAYLOAD: it was not kept */
    uint8_t payload[FRAME_MAX_PAYLOAD];
};

enum frame_event {
    FRAME_NONE,    /* the byte completed nothing */
    FRAME_OUTSIDE, /* the byte belongs to no frame */
    FRAME_READY,   /* the frame given to frame_accept is whole and its CRC is right */
    FRAME_DAMAGED, /* a line that began as a frame did not end as one */
};

/* Take one received byte. `frame` must be the same one in every call; its contents are valid from
 * FRAME_READY to the next call. */
enum frame_event frame_accept(struct frame *frame, uint8_t byte);

/* Write one frame: begin, any number of pieces of the payload, end. */
void frame_begin(uint8_t type, uint16_t sequence);
void frame_bytes(const void *data, size_t n);
void frame_u16(uint16_t value); /* little endian, like every number in a payload */
void frame_u32(uint32_t value);
void frame_u64(uint64_t value);
void frame_text(const char *text);
void frame_number(uint64_t value); /* in decimal digits */
void frame_end(void);

/* CRC-32 (IEEE 802.3, as in zlib) of data appended to data whose CRC is `crc`; 0 to begin. */
uint32_t crc32_update(uint32_t crc, const void *data, size_t n);

/* Write `value` in decimal to `digits` (room for 20 characters, no terminator); returns how many. */
size_t format_number(char *digits, uint64_t value);

#endif
