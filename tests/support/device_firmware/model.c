#include "edgemcu_model.h"

#include <string.h>

static uint8_t first[1024];
static uint8_t second[EDGEMCU_INPUT_BYTES - sizeof first];
static uint8_t crcs[EDGEMCU_OUTPUT_COUNT][4];

int edgemcu_init(void)
{
#ifdef MODEL_FAILS
    return MODEL_FAILS;
#else
    return 0;
#endif
}

int edgemcu_check(uint8_t digest[32])
{
    for (uint8_t i = 0; i < 32; i++) {
        digest[i] = i;
    }
#ifdef MODEL_FAILS
    digest[0] = 0xff;
#endif
    return digest[0] == 0 ? 0 : EDGEMCU_DAMAGED;
}

void *edgemcu_input(size_t index)
{
    return index == 0 ? first : second;
}

size_t edgemcu_input_bytes(size_t index)
{
    return index == 0 ? sizeof first : sizeof second;
}

static void fingerprint(uint8_t output[4], uint8_t *tensor, size_t n)
{
    uint32_t crc = 0xffffffffu;

    for (size_t i = 0; i < n; i++) {
        crc ^= tensor[i];
        for (int bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (0xedb88320u & (0u - (crc & 1u)));
        }
    }
    for (int i = 0; i < 4; i++) {
        output[i] = (uint8_t)(~crc >> (8 * i));
    }
#ifdef MODEL_IS_WRONG
    output[0] ^= 1;
#endif
    memset(tensor, 0xaa, n); /* as in a real arena, the inputs are used up */
}

int edgemcu_invoke(void)
{
#ifdef MODEL_STACK
    volatile uint8_t taken[MODEL_STACK];

    for (size_t i = 0; i < sizeof taken; i++) {
        taken[i] = 1;
    }
#endif
    if (memcmp(first, "HANG", 4) == 0) {
        for (;;) {
        }
    }
    if (memcmp(first, "TRAP", 4) == 0) {
        __builtin_trap();
    }
    if (memcmp(first, "FAIL", 4) == 0) {
        return 1;
    }
    fingerprint(crcs[0], first, sizeof first);
    fingerprint(crcs[1], second, sizeof second);
    return 0;
}

const void *edgemcu_output(size_t index)
{
    return crcs[index];
}

size_t edgemcu_output_bytes(size_t index)
{
    return sizeof crcs[index];
}

size_t edgemcu_arena_used(void)
{
    return EDGEMCU_ARENA_BYTES;
}
