#include "frame.h"

#include <string.h>

#include "serial.h"

/* ---- CRC-32 --------------------------------------------------------------------------------- */

static uint32_t crc_step(uint32_t crc, uint8_t byte)
{
    /* Four bits at a time: a sixteenth of the usual table at two thirds of its speed. */
    static const uint32_t table[16] = {
        0x00000000u, 0x1db71064u, 0x3b6e20c8u, 0x26d930acu, 0x76dc4190u, 0x6b6b51f4u,
        0x4db26158u, 0x5005713cu, 0xedb88320u, 0xf00f9344u, 0xd6d6a3e8u, 0xcb61b38cu,
        0x9b64c2b0u, 0x86d3d2d4u, 0xa00ae278u, 0xbdbdf21cu,
    };
    crc ^= byte;
    crc = table[crc & 15u] ^ (crc >> 4);
    return table[crc & 15u] ^ (crc >> 4);
}

uint32_t crc32_update(uint32_t crc, const void *data, size_t n)
{
    const uint8_t *bytes = data;

    crc = ~crc;
    for (size_t i = 0; i < n; i++) {
        crc = crc_step(crc, bytes[i]);
    }
    return ~crc;
}

/* ---- Reading -------------------------------------------------------------------------------- */

#define PREFIX_LENGTH (sizeof PROTOCOL_PREFIX - 1)

enum field { OUTSIDE, PREFIX, TYPE, TYPE_END, SEQUENCE, PAYLOAD, CRC, LINE_END, SKIP };

static struct {
    enum field field;
    uint32_t count;  /* characters of the current field that have been read */
    uint32_t crc;    /* of the characters so far, inverted */
    uint32_t bits;   /* base64 characters that do not make three bytes yet */
    uint32_t number; /* of the current hexadecimal field */
    uint32_t padding;
} reader;

static int hex_digit(uint8_t byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

static int base64_digit(uint8_t byte)
{
    if (byte >= 'A' && byte <= 'Z') {
        return byte - 'A';
    }
    if (byte >= 'a' && byte <= 'z') {
        return byte - 'a' + 26;
    }
    if (byte >= '0' && byte <= '9') {
        return byte - '0' + 52;
    }
    return byte == '+' ? 62 : byte == '/' ? 63 : -1;
}

static void next_field(enum field field)
{
    reader.field = field;
    reader.count = 0;
    reader.number = 0;
}

static void keep(struct frame *frame, uint32_t byte)
{
    if (frame->size < FRAME_MAX_PAYLOAD) {
        frame->payload[frame->size] = (uint8_t)byte;
    }
    /* One too many is enough to know, and cannot overflow on an endless line. */
    if (frame->size <= FRAME_MAX_PAYLOAD) {
        frame->size++;
    }
}

/* One character of the payload; false if it cannot stand there. */
static bool accept_base64(struct frame *frame, uint8_t byte)
{
    int digit = base64_digit(byte);

    if (byte == '=') {
        digit = 0;
        reader.padding++;
    } else if (digit < 0 || reader.padding > 0) {
        return false;
    }
    reader.bits = reader.bits << 6 | (uint32_t)digit;
    reader.count = (reader.count + 1) & 3u;
    if (reader.count != 0) {
        return reader.padding < 2 || reader.count == 3;
    }
    if (reader.padding > 2) {
        return false;
    }
    keep(frame, reader.bits >> 16 & 0xffu);
    if (reader.padding < 2) {
        keep(frame, reader.bits >> 8 & 0xffu);
    }
    if (reader.padding < 1) {
        keep(frame, reader.bits & 0xffu);
    }
    return true;
}

/* One character of a hexadecimal field; false if it is none. */
static bool accept_hex(uint8_t byte)
{
    int digit = hex_digit(byte);

    reader.number = reader.number << 4 | ((uint32_t)digit & 15u);
    reader.count++;
    return digit >= 0;
}

/* One character inside a frame; false if it cannot stand there. */
static bool accept_inside(struct frame *frame, uint8_t byte)
{
    switch (reader.field) {
    case TYPE:
        frame->type = byte;
        next_field(TYPE_END);
        return byte > ' ' && byte <= '~';
    case TYPE_END:
        next_field(SEQUENCE);
        return byte == ' ';
    case SEQUENCE:
        if (reader.count < 4) {
            return accept_hex(byte);
        }
        frame->sequence = (uint16_t)reader.number;
        frame->size = 0;
        reader.padding = 0;
        next_field(PAYLOAD);
        return byte == ' ';
    case PAYLOAD:
        if (byte != ' ') {
            return accept_base64(frame, byte);
        }
        if (reader.count != 0) {
            return false;
        }
        next_field(CRC);
        return true;
    case CRC:
        if (!accept_hex(byte)) {
            return false;
        }
        if (reader.count == 8) {
            reader.field = LINE_END;
            return reader.number == ~reader.crc;
        }
        return true;
    default:
        return byte == '\r';
    }
}

enum frame_event frame_accept(struct frame *frame, uint8_t byte)
{
    if (byte == '@') {
        /* No frame contains one, so whatever went before has been cut off: start again. */
        next_field(PREFIX);
        reader.count = 1;
        reader.crc = crc_step(0xffffffffu, byte);
        return FRAME_NONE;
    }
    if (reader.field == OUTSIDE) {
        return FRAME_OUTSIDE;
    }
    if (reader.field == PREFIX) {
        if (byte != (uint8_t)PROTOCOL_PREFIX[reader.count]) {
            next_field(OUTSIDE);
            return FRAME_OUTSIDE;
        }
        reader.crc = crc_step(reader.crc, byte);
        if (++reader.count == PREFIX_LENGTH) {
            next_field(TYPE);
        }
        return FRAME_NONE;
    }
    if (byte == '\n') {
        bool whole = reader.field == LINE_END;

        next_field(OUTSIDE);
        return whole ? FRAME_READY : FRAME_DAMAGED;
    }
    if (byte == '%') {
        /* Ends a command of the benchmark's, which knows no lines: the next one must be heard. */
        next_field(OUTSIDE);
        return FRAME_DAMAGED;
    }
    if (reader.field == SKIP) {
        return FRAME_NONE;
    }
    /* The CRC's own digits are not part of what it is taken over. */
    if (reader.field < CRC) {
        reader.crc = crc_step(reader.crc, byte);
    }
    /* Damage is reported when the line has ended: until then the host is still sending. */
    if (!accept_inside(frame, byte)) {
        next_field(SKIP);
    }
    return FRAME_NONE;
}

/* ---- Writing -------------------------------------------------------------------------------- */

static struct {
    uint8_t buffer[64];
    size_t used;
    uint32_t crc;
    uint32_t bits; /* bytes that do not make four base64 characters yet */
    uint32_t count;
} writer;

static void put(char character)
{
    if (writer.used == sizeof writer.buffer) {
        serial_write(writer.buffer, writer.used);
        writer.used = 0;
    }
    writer.crc = crc_step(writer.crc, (uint8_t)character);
    writer.buffer[writer.used++] = (uint8_t)character;
}

static void put_hex(uint32_t value, int digits)
{
    while (digits-- > 0) {
        put("0123456789abcdef"[value >> (4 * digits) & 15u]);
    }
}

static void put_base64(uint32_t bits, int characters)
{
    static const char alphabet[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    for (int i = 0; i < 4; i++) {
        put(i < characters ? alphabet[bits >> (18 - 6 * i) & 63u] : '=');
    }
}

void frame_begin(uint8_t type, uint16_t sequence)
{
    writer.used = 0;
    writer.count = 0;
    writer.bits = 0;
    writer.crc = 0xffffffffu;
    for (size_t i = 0; i < PREFIX_LENGTH; i++) {
        put(PROTOCOL_PREFIX[i]);
    }
    put((char)type);
    put(' ');
    put_hex(sequence, 4);
    put(' ');
}

void frame_bytes(const void *data, size_t n)
{
    const uint8_t *bytes = data;

    for (size_t i = 0; i < n; i++) {
        writer.bits = writer.bits << 8 | bytes[i];
        if (++writer.count == 3) {
            put_base64(writer.bits, 4);
            writer.bits = 0;
            writer.count = 0;
        }
    }
}

static void little_endian(uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint8_t byte = (uint8_t)(value >> (8 * i));

        frame_bytes(&byte, 1);
    }
}

void frame_u16(uint16_t value)
{
    little_endian(value, 2);
}

void frame_u32(uint32_t value)
{
    little_endian(value, 4);
}

void frame_u64(uint64_t value)
{
    little_endian(value, 8);
}

void frame_text(const char *text)
{
    frame_bytes(text, strlen(text));
}

void frame_number(uint64_t value)
{
    char digits[20];

    frame_bytes(digits, format_number(digits, value));
}

void frame_end(void)
{
    if (writer.count > 0) {
        put_base64(writer.bits << (24 - 8 * writer.count), (int)writer.count + 1);
    }
    put(' ');
    put_hex(~writer.crc, 8);
    put('\r');
    put('\n');
    serial_write(writer.buffer, writer.used);
    writer.used = 0;
}

size_t format_number(char *digits, uint64_t value)
{
    size_t n = 1;

    for (uint64_t rest = value; rest >= 10; rest /= 10) {
        n++;
    }
    for (size_t i = n; i-- > 0; value /= 10) {
        digits[i] = (char)('0' + value % 10);
    }
    return n;
}
