#include "protocol.h"

#include <stdbool.h>
#include <string.h>

#include "counter.h"
#include "edgemcu_app.h"
#include "edgemcu_image.h"
#include "edgemcu_model.h"
#include "frame.h"
#include "log.h"
#include "serial.h"

#define DATA_HEADER 9u /* input id, offset, kind */

/* What is known of the input that is in the model's tensors, or of the outputs that it gave. */
static struct {
    enum { NO_INPUT, RECEIVING, DONE } state;
    uint32_t id;
    uint32_t received; /* bytes, always the first ones */
    uint32_t crc;      /* of those, as they came over the line */
    uint8_t kind;
} input;

static struct frame frame;
static uint32_t session; /* chosen by the host; 0 after a reset, which is how it notices */
static int model_status;
static uint32_t inferences;
static uint32_t ticks;
static uint32_t last_data; /* when the last piece of an input arrived, by the counter */

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
    number_field("model_ok", model_status == 0);
    number_field("input_bytes", EDGEMCU_INPUT_BYTES);
    number_field("output_bytes", EDGEMCU_OUTPUT_BYTES);
    number_field("pixels", EDGEMCU_PIXEL_INPUT);
    number_field("arena_planned", EDGEMCU_ARENA_BYTES);
    number_field("arena_used", model_status == 0 ? edgemcu_arena_used() : 0);
    number_field("counter_hz", counter_hz());
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
    frame_u32(input.id);
    frame_u32(input.crc);
    frame_u32(inferences);
    frame_u64(ticks);
    for (size_t i = 0; i < EDGEMCU_OUTPUT_COUNT; i++) {
        frame_bytes(edgemcu_output(i), edgemcu_output_bytes(i));
    }
    frame_end();
}

/* False, and answered, where the model must not run. */
static bool model_is_usable(void)
{
    if (model_status == EDGEMCU_DAMAGED) {
        answer_error(PROTOCOL_ERROR_DAMAGED_MODEL, "the model in flash is damaged");
    } else if (model_status != 0) {
        answer_error(PROTOCOL_ERROR_MODEL, "the model failed to initialise");
    }
    return model_status == 0;
}

/* ---- Requests ------------------------------------------------------------------------------- */

/* Append to the input: the tensors stand back to back in the host's numbering of the bytes. */
static void store(const uint8_t *data, size_t n)
{
    size_t offset = input.received;

    input.crc = crc32_update(input.crc, data, n);
    input.received += (uint32_t)n;
    for (size_t i = 0; i < EDGEMCU_INPUT_COUNT && n > 0; i++) {
        size_t size = edgemcu_input_bytes(i);

        if (offset >= size) {
            offset -= size;
            continue;
        }
        uint8_t *tensor = (uint8_t *)edgemcu_input(i) + offset;
        size_t part = n < size - offset ? n : size - offset;

#if EDGEMCU_PIXEL_INPUT
        if (input.kind == PROTOCOL_KIND_PIXELS) {
            for (size_t j = 0; j < part; j++) {
                tensor[j] = (uint8_t)edgemcu_input_table[data[j]];
            }
        } else
#endif
        {
            memcpy(tensor, data, part);
        }
        data += part;
        n -= part;
        offset = 0;
    }
}

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

    if (kind != PROTOCOL_KIND_TENSOR && !(EDGEMCU_PIXEL_INPUT && kind == PROTOCOL_KIND_PIXELS)) {
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
    bool known = input.state != NO_INPUT && input.id == id;

    if (!known && offset == 0) {
        input.state = RECEIVING;
        input.id = id;
        input.kind = kind;
        input.received = 0;
        input.crc = 0;
        known = true;
    }
    /* Only the next bytes are taken: a doubled frame changes nothing, and a lost one shows in the
     * acknowledgement. Once the input has run, its bytes are used up but were all received. */
    last_data = counter_now();
    if (known && input.state == RECEIVING && offset == input.received && kind == input.kind) {
        store(frame.payload + DATA_HEADER, n);
    }
    answer_acknowledge(id, known ? input.received : 0);
}

/* One timed inference on what is in the input tensors; logs it. Returns edgemcu_invoke's result. */
static int run_model(void)
{
    uint32_t start = counter_now();
    int status = edgemcu_invoke();

    ticks = counter_now() - start;
    if (status == 0) {
        inferences++;
        log_inference(session, inferences, ticks);
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
    if (input.state == NO_INPUT || input.id != id || input.received != EDGEMCU_INPUT_BYTES) {
        answer_error(PROTOCOL_ERROR_NO_INPUT, "this input is not here");
        return;
    }
    if (input.crc != crc) {
        input.state = NO_INPUT;
        answer_error(PROTOCOL_ERROR_WRONG_INPUT, "this input arrived with another CRC");
        return;
    }
    last_data = counter_now();
    if (input.state == RECEIVING) {
        /* The host now waits for as long as an inference may take. */
        answer_acknowledge(id, input.received);
        if (run_model() != 0) {
            input.state = NO_INPUT;
            answer_error(PROTOCOL_ERROR_MODEL, "the model failed to run");
            return;
        }
        input.state = DONE;
    }
    answer_result();
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
    model_status = status;
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

int protocol_is_receiving(void)
{
    /* Two seconds, or their like where the ticks follow instructions. */
    uint32_t patience = counter_hz() != 0 ? 2u * counter_hz() : 1u << 28;

    if (input.state != NO_INPUT && counter_now() - last_data > patience) {
        input.state = NO_INPUT;
    }
    return input.state != NO_INPUT;
}

int protocol_classify(void)
{
#if EDGEMCU_PIXEL_INPUT
    /* Of whatever a host has sent, nothing is left. */
    input.state = NO_INPUT;
    if (model_status != 0) {
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
        switch (frame_accept(&frame, (uint8_t)byte)) {
        case FRAME_READY:
            handle_frame();
            break;
        case FRAME_DAMAGED:
            /* Which frame it was cannot be known: its number may be what was damaged. */
            frame.sequence = 0;
            answer_error(PROTOCOL_ERROR_DAMAGED, "damaged frame");
            break;
        case FRAME_NONE:
            break;
        }
    }
}
