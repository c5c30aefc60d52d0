#include "protocol.h"

#include <stdbool.h>
#include <string.h>

#include "counter.h"
#include "edgemcu_app.h"
#include "edgemcu_image.h"
#include "edgemcu_model.h"
#include "frame.h"
#include "inference.h"
#include "log.h"
#include "mlperf.h"
#include "selftest.h"
#include "serial.h"
#include "system.h"

#define DATA_HEADER 9u     /* input id, offset, kind */
#define TIMING_MAX  10000u /* inferences in one request */

static struct frame frame;
static uint32_t session; /* chosen by the host; 0 after a reset, which is how it notices */

static uint32_t get_u32(const uint8_t *bytes)
{
    return (uint32_t)bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 |
           (uint32_t)bytes[3] << 24;
}

/* ---- Answers -------------------------------------------------------------------------------- */

static void answer(uint8_t type)
{
    frame_begin(type, frame.sequence);
    frame_u32(session);
}

static void answer_error(uint16_t code, const char *text)
{
    answer(PROTOCOL_ERROR);
    frame_u16(code);
    frame_text(text);
    frame_end();
}

static void field(const char *key, const char *value)
{
    frame_text(key);
    frame_text("=");
    frame_text(value);
    frame_text("\n");
}

static void number_field(const char *key, uint64_t value)
{
    frame_text(key);
    frame_text("=");
    frame_number(value);
    frame_text("\n");
}

static void answer_identity(void)
{
    answer(PROTOCOL_IDENTITY);
    number_field("protocol", PROTOCOL_VERSION);
    field("firmware", EDGEMCU_VERSION);
    field("image", EDGEMCU_IMAGE);
    field("board", EDGEMCU_BOARD);
    field("model", EDGEMCU_MODEL_DIGEST);
    field("runtime", EDGEMCU_RUNTIME);
    field("kernels", EDGEMCU_KERNELS);
    number_field("model_ok", inference.status == 0);
    number_field("input_bytes", EDGEMCU_INPUT_BYTES);
    number_field("output_bytes", EDGEMCU_OUTPUT_BYTES);
    number_field("pixels", EDGEMCU_PIXEL_INPUT);
    number_field("arena_planned", EDGEMCU_ARENA_BYTES);
    number_field("arena_used", inference.status == 0 ? edgemcu_arena_used() : 0);
    number_field("counter_hz", counter_hz());
    number_field("clock_hz", system_clock_hz());
    number_field("stack_bytes", system_stack_bytes());
    number_field("keeps_input", EDGEMCU_KEEP_INPUT);
    number_field("max_payload", FRAME_MAX_PAYLOAD);
    number_field("window", SERIAL_RX_CAPACITY);
    field("messages", PROTOCOL_MESSAGES);
    frame_end();
}

static void answer_acknowledge(uint32_t id, uint32_t received)
{
    answer(PROTOCOL_ACKNOWLEDGE);
    frame_u32(id);
    frame_u32(received);
    frame_end();
}

static void answer_result(void)
{
    answer(PROTOCOL_RESULT);
    frame_u32(inference.id);
    frame_u32(inference.crc);
    frame_u32(inference.number);
    frame_u64(inference.ticks);
    for (size_t i = 0; i < EDGEMCU_OUTPUT_COUNT; i++) {
        frame_bytes(edgemcu_output(i), edgemcu_output_bytes(i));
    }
    frame_end();
}

/* False, and answered, where the model must not run. */
static bool model_is_usable(void)
{
    if (inference.status == EDGEMCU_DAMAGED) {
        answer_error(PROTOCOL_ERROR_DAMAGED_MODEL, "the model in flash is damaged");
    } else if (inference.status != 0) {
        answer_error(PROTOCOL_ERROR_MODEL, "the model failed to initialise");
    }
    return inference.status == 0;
}

/* ---- Requests ------------------------------------------------------------------------------- */

static void handle_data(void)
{
    if (frame.size <= DATA_HEADER) {
        answer_error(PROTOCOL_ERROR_MALFORMED, "data frame without data");
        return;
    }
    uint32_t id = get_u32(frame.payload);
    uint32_t offset = get_u32(frame.payload + 4);
    uint8_t kind = frame.payload[8];
    size_t n = frame.size - DATA_HEADER;

    if (!inference_takes(kind)) {
        answer_error(PROTOCOL_ERROR_MALFORMED, "this kind of input is not accepted");
        return;
    }
    if (offset > EDGEMCU_INPUT_BYTES || n > EDGEMCU_INPUT_BYTES - offset) {
        answer_error(PROTOCOL_ERROR_MALFORMED, "data beyond the end of the input");
        return;
    }
    if (!model_is_usable()) {
        return;
    }
    bool known = inference.state != NO_INPUT && inference.id == id;

    if (!known && offset == 0) {
        inference_begin(id, kind);
        known = true;
    }
    /* Only the next bytes are taken: a doubled frame changes nothing, and a lost one shows in the
     * acknowledgement. Once the input has run, its bytes are used up but were all received. */
    if (known && inference.state == RECEIVING && offset == inference.received &&
        kind == inference.kind) {
        inference_append(frame.payload + DATA_HEADER, n);
    }
    answer_acknowledge(id, known ? inference.received : 0);
}

static int run_model(void)
{
    int status = inference_run();

    if (status == 0) {
        log_inference(session, inference.number, inference.ticks);
    }
    return status;
}

static void handle_run(void)
{
    if (frame.size != 8) {
        answer_error(PROTOCOL_ERROR_MALFORMED, "run frame of another size");
        return;
    }
    uint32_t id = get_u32(frame.payload);
    uint32_t crc = get_u32(frame.payload + 4);

    if (!model_is_usable()) {
        return;
    }
    if (!inference_is_whole() || inference.id != id) {
        answer_error(PROTOCOL_ERROR_NO_INPUT, "this input is not here");
        return;
    }
    if (inference.crc != crc) {
        inference_drop();
        answer_error(PROTOCOL_ERROR_WRONG_INPUT, "this input arrived with another CRC");
        return;
    }
    if (inference.state == RECEIVING) {
        /* The host now waits for as long as an inference may take. */
        answer_acknowledge(id, inference.received);
        if (run_model() != 0) {
            answer_error(PROTOCOL_ERROR_MODEL, "the model failed to run");
            return;
        }
    }
    answer_result();
}

static void check_field(const char *key, enum selftest_result result)
{
    field(key, selftest_word(result));
}

static void handle_selftest(void)
{
    struct selftest result;

    if (frame.size != 0) {
        answer_error(PROTOCOL_ERROR_MALFORMED, "self-test frame of another size");
        return;
    }
    selftest_run(&result);
    answer(PROTOCOL_SELFTEST_RESULT);
    check_field("constants", result.constants);
    check_field("memory", result.memory);
    check_field("arena", result.arena);
    check_field("answer", result.answer);
    check_field("stack", result.stack);
    number_field("answer_crc", result.answer_crc);
    number_field("arena_used", inference.status == 0 ? edgemcu_arena_used() : 0);
    number_field("stack_used", system_stack_used());
    number_field("serial_lost", serial_lost());
    frame_end();
}

/* Inferences one after the other, each timed by itself. No log: writing it would take longer. */
static void handle_timing(void)
{
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    uint64_t total = 0;

    if (frame.size != 8) {
        answer_error(PROTOCOL_ERROR_MALFORMED, "timing frame of another size");
        return;
    }
    uint32_t id = get_u32(frame.payload);
    uint32_t count = get_u32(frame.payload + 4);

    if (count == 0 || count > TIMING_MAX) {
        answer_error(PROTOCOL_ERROR_MALFORMED, "this number of inferences is not accepted");
        return;
    }
    if (!model_is_usable()) {
        return;
    }
    if (EDGEMCU_KEEP_INPUT && (inference.state != DONE || inference.id != id)) {
        answer_error(PROTOCOL_ERROR_NO_INPUT, "this input has not run here");
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t ticks;

        if (inference_repeat(&ticks) != 0) {
            inference_drop();
            answer_error(PROTOCOL_ERROR_MODEL, "the model failed to run");
            return;
        }
        least = ticks < least ? ticks : least;
        most = ticks > most ? ticks : most;
        total += ticks;
        system_yield();
    }
    answer(PROTOCOL_TIMING);
    frame_u32(id);
    frame_u32(count);
    frame_u32(least);
    frame_u32(most);
    frame_u64(total);
    frame_end();
}

static void handle_log(void)
{
    if (frame.size != 1 || log_set_level(frame.payload[0]) != 0) {
        answer_error(PROTOCOL_ERROR_MALFORMED, "no such level of logging");
        return;
    }
    answer(PROTOCOL_DONE);
    frame_end();
}

static void handle_frame(void)
{
    if (frame.size > FRAME_MAX_PAYLOAD) {
        answer_error(PROTOCOL_ERROR_TOO_LONG, "payload too long");
        return;
    }
    switch (frame.type) {
    case PROTOCOL_PING:
        answer(PROTOCOL_PONG);
        frame_bytes(frame.payload, frame.size);
        frame_end();
        break;
    case PROTOCOL_IDENTIFY:
        if (frame.size != 4) {
            answer_error(PROTOCOL_ERROR_MALFORMED, "identify frame of another size");
            break;
        }
        session = get_u32(frame.payload);
        answer_identity();
        break;
    case PROTOCOL_DATA:
        handle_data();
        break;
    case PROTOCOL_RUN:
        handle_run();
        break;
    case PROTOCOL_LOG:
        handle_log();
        break;
    case PROTOCOL_SELFTEST:
        handle_selftest();
        break;
    case PROTOCOL_TIME:
        handle_timing();
        break;
    default:
        answer_error(PROTOCOL_ERROR_UNKNOWN, "unknown type of frame");
        break;
    }
}

static void print_damage(void)
{
    uint8_t digest[32];

    (void)edgemcu_check(digest);
    print("edgemcu: the model in flash is damaged: the SHA-256 of its constants is ");
    print_hex(digest, sizeof digest);
    print(", not " EDGEMCU_CONSTANTS_DIGEST "\r\n");
}

void protocol_start(int status)
{
    inference.status = status;
    /* A reset may have cut a line off. */
    print("\r\nedgemcu " EDGEMCU_VERSION " on " EDGEMCU_BOARD ", model " EDGEMCU_MODEL_DIGEST
          ", " EDGEMCU_RUNTIME " runtime, " EDGEMCU_KERNELS " kernels\r\n");
    if (status == EDGEMCU_DAMAGED) {
        print_damage();
    } else if (status != 0) {
        print("the model failed to initialise: error ");
        print(status < 0 ? "-" : "");
        print_number(status < 0 ? 0u - (unsigned)status : (unsigned)status);
        print("\r\n");
    }
    frame.sequence = 0;
    answer_identity();
}

int protocol_classify(void)
{
    /* Of whatever a host has sent, nothing is left. */
    inference_drop();
#if EDGEMCU_PIXEL_INPUT
    if (inference.status != 0) {
        return PROTOCOL_REFUSED;
    }
    uint8_t *pixels = edgemcu_input(0);

    for (size_t i = 0; i < edgemcu_input_bytes(0); i++) {
        pixels[i] = (uint8_t)edgemcu_input_table[pixels[i]];
    }
    return run_model();
#else
    return PROTOCOL_REFUSED;
#endif
}

void protocol_poll(void)
{
    for (int byte = serial_read(); byte >= 0; byte = serial_read()) {
        if (byte == '@') {
            mlperf_forget();
        }
        switch (frame_accept(&frame, (uint8_t)byte)) {
        case FRAME_READY:
            handle_frame();
            break;
        case FRAME_DAMAGED:
            /* Which frame it was cannot be known: its number may be what was damaged. */
            frame.sequence = 0;
            answer_error(PROTOCOL_ERROR_DAMAGED, "damaged frame");
            break;
        case FRAME_OUTSIDE:
            mlperf_accept((uint8_t)byte);
            break;
        case FRAME_NONE:
            break;
        }
    }
}
