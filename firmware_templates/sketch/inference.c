#include "inference.h"

#include <string.h>

#include "counter.h"
#include "edgemcu_app.h"
#include "edgemcu_model.h"
#include "frame.h"
#include "protocol.h"

#define PATTERN_SEED 0x6d637531u

struct inference inference;

#if EDGEMCU_KEEP_INPUT
/* The model uses its input up: what an inference is repeated from. */
static uint8_t kept[EDGEMCU_INPUT_BYTES];
#endif

bool inference_takes(uint8_t kind)
{
    return kind == PROTOCOL_KIND_TENSOR || (EDGEMCU_PIXEL_INPUT && kind == PROTOCOL_KIND_PIXELS);
}

void inference_begin(uint32_t id, uint8_t kind)
{
    inference.state = RECEIVING;
    inference.id = id;
    inference.kind = kind;
    inference.received = 0;
    inference.crc = 0;
}

void inference_append(const uint8_t *data, size_t n)
{
    size_t offset = inference.received;

    inference.crc = crc32_update(inference.crc, data, n);
    inference.received += (uint32_t)n;
    for (size_t i = 0; i < EDGEMCU_INPUT_COUNT && n > 0; i++) {
        size_t size = edgemcu_input_bytes(i);

        if (offset >= size) {
            offset -= size;
            continue;
        }
        uint8_t *tensor = (uint8_t *)edgemcu_input(i) + offset;
        size_t part = n < size - offset ? n : size - offset;

#if EDGEMCU_PIXEL_INPUT
        if (inference.kind == PROTOCOL_KIND_PIXELS) {
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

bool inference_is_whole(void)
{
    return inference.state != NO_INPUT && inference.received == EDGEMCU_INPUT_BYTES;
}

void inference_drop(void)
{
    inference.state = NO_INPUT;
}

static int timed(uint32_t *ticks)
{
    uint32_t start = counter_now();
    int status = edgemcu_invoke();

    *ticks = counter_now() - start;
    return status;
}

#if EDGEMCU_KEEP_INPUT
static void keep_input(void)
{
    uint8_t *to = kept;

    for (size_t i = 0; i < EDGEMCU_INPUT_COUNT; i++) {
        memcpy(to, edgemcu_input(i), edgemcu_input_bytes(i));
        to += edgemcu_input_bytes(i);
    }
}

static void restore_input(void)
{
    const uint8_t *from = kept;

    for (size_t i = 0; i < EDGEMCU_INPUT_COUNT; i++) {
        memcpy(edgemcu_input(i), from, edgemcu_input_bytes(i));
        from += edgemcu_input_bytes(i);
    }
}
#endif

int inference_run(void)
{
#if EDGEMCU_KEEP_INPUT
    keep_input();
#endif
    int status = timed(&inference.ticks);

    if (status != 0) {
        inference.state = NO_INPUT;
        return status;
    }
    /* A source's picture is no host's input. */
    inference.state = inference.state == NO_INPUT ? NO_INPUT : DONE;
    inference.number++;
    return 0;
}

int inference_repeat(uint32_t *ticks)
{
#if EDGEMCU_KEEP_INPUT
    restore_input();
    return timed(ticks);
#else
    return inference_pattern(ticks);
#endif
}

/* The top bytes of George Marsaglia's xorshift32. */
static void fill_with_pattern(void)
{
    uint32_t x = PATTERN_SEED;

    for (size_t i = 0; i < EDGEMCU_INPUT_COUNT; i++) {
        uint8_t *tensor = edgemcu_input(i);

        for (size_t j = 0; j < edgemcu_input_bytes(i); j++) {
            x ^= x << 13;
            x ^= x >> 17;
            x ^= x << 5;
            tensor[j] = (uint8_t)(x >> 24);
        }
    }
}

int inference_pattern(uint32_t *ticks)
{
    inference.state = NO_INPUT;
    fill_with_pattern();
    return timed(ticks);
}
