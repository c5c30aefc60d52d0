#include "log.h"

#include <string.h>

#include "counter.h"
#include "edgemcu_app.h"
#include "edgemcu_model.h"
#include "frame.h"
#include "protocol.h"
#include "serial.h"

#define DIGEST_BYTES 8u

static uint8_t level = PROTOCOL_LEVEL_FRAME;

/* Of the line that is being printed, so that a host can tell whether it arrived as it was sent. */
static struct {
    uint32_t bytes;
    uint32_t crc;
} line;

static void print_bytes(const char *text, size_t n)
{
    line.bytes += (uint32_t)n;
    line.crc = crc32_update(line.crc, text, n);
    serial_write((const uint8_t *)text, n);
}

void print(const char *text)
{
    print_bytes(text, strlen(text));
}

void print_number(uint64_t value)
{
    char digits[20];

    print_bytes(digits, format_number(digits, value));
}

void print_hex(const uint8_t *bytes, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        char digits[2] = {"0123456789abcdef"[bytes[i] >> 4], "0123456789abcdef"[bytes[i] & 15u]};

        print_bytes(digits, sizeof digits);
    }
}

/* Print hundredths as "1.07". */
static void print_hundredths(uint64_t value)
{
    print_number(value / 100);
    print(value % 100 < 10 ? ".0" : ".");
    print_number(value % 100);
}

#if EDGEMCU_CLASS_COUNT > 0
/* "cat 0.93  ": the class with the highest score; the first one of several. */
static void print_class(void)
{
    const int8_t *scores = edgemcu_output(0);
    size_t best = 0;

    for (size_t i = 1; i < EDGEMCU_CLASS_COUNT; i++) {
        if (scores[i] > scores[best]) {
            best = i;
        }
    }
    int64_t steps = scores[best] - (EDGEMCU_SCORE_ZERO_POINT);
    uint64_t size = (uint64_t)(steps < 0 ? -steps : steps) * EDGEMCU_SCORE_SCALE_Q30;

    print(edgemcu_class_names[best]);
    print(steps < 0 ? " -" : " ");
    print_hundredths((size * 100 + (1u << 29)) >> 30);
    print("  ");
}
#endif

/* The first bytes of the model's digest, from their hexadecimal digits. */
static void digest_prefix(uint8_t prefix[DIGEST_BYTES])
{
    static const char digits[] = EDGEMCU_MODEL_DIGEST;

    for (size_t i = 0; i < 2 * DIGEST_BYTES; i++) {
        int value = digits[i] <= '9' ? digits[i] - '0' : digits[i] - 'a' + 10;

        prefix[i / 2] = (uint8_t)(prefix[i / 2] << 4 | value);
    }
}

static void log_frame(uint32_t session, uint32_t number, uint32_t ticks)
{
    uint8_t digest[DIGEST_BYTES] = {0};
    uint32_t crc = 0;
    size_t room = PROTOCOL_LOG_OUTPUT_BYTES;

    digest_prefix(digest);
    for (size_t i = 0; i < EDGEMCU_OUTPUT_COUNT; i++) {
        crc = crc32_update(crc, edgemcu_output(i), edgemcu_output_bytes(i));
    }
    frame_begin(PROTOCOL_LOG_FRAME, 0);
    frame_u32(session);
    frame_u32(number);
    frame_u64(ticks);
    frame_u32(counter_hz());
    frame_bytes(digest, sizeof digest);
    frame_u32(line.bytes);
    frame_u32(line.crc);
    frame_u32(EDGEMCU_OUTPUT_BYTES);
    frame_u32(crc);
    for (size_t i = 0; i < EDGEMCU_OUTPUT_COUNT && room > 0; i++) {
        size_t bytes = edgemcu_output_bytes(i);
        size_t part = bytes < room ? bytes : room;

        frame_bytes(edgemcu_output(i), part);
        room -= part;
    }
    frame_end();
}

int log_set_level(uint8_t new_level)
{
    if (new_level > PROTOCOL_LEVEL_FRAME) {
        return -1;
    }
    level = new_level;
    return 0;
}

uint8_t log_level(void)
{
    return level;
}

void log_inference(uint32_t session, uint32_t number, uint32_t ticks)
{
    uint32_t hz = counter_hz();

    if (level == PROTOCOL_LEVEL_OFF) {
        return;
    }
    line.bytes = 0;
    line.crc = 0;
#if EDGEMCU_CLASS_COUNT > 0
    print_class();
#endif
    if (hz != 0) {
        print_hundredths((uint64_t)ticks * 100000u / hz);
        print(" ms  #");
    } else {
        print_number(ticks);
        print(" ticks  #");
    }
    print_number(number);
    if (level == PROTOCOL_LEVEL_FRAME) {
        print("  ");
        log_frame(session, number, ticks);
    } else {
        print("\r\n");
    }
}
