#include "selftest.h"

#include <stddef.h>

#include "edgemcu_app.h"
#include "edgemcu_model.h"
#include "frame.h"
#include "inference.h"
#include "system.h"

static enum selftest_result verdict(int is_right)
{
    return is_right ? SELFTEST_OK : SELFTEST_FAILED;
}

/* What lies at an address depends on the address, so that two of them on the same cell show. */
static uint8_t expected_at(size_t tensor, size_t i, uint8_t inverted)
{
    return (uint8_t)((i ^ i >> 8 ^ i >> 16 ^ tensor << 7) ^ inverted);
}

static enum selftest_result check_memory(void)
{
    int is_right = 1;

    for (unsigned round = 0; round < 2; round++) {
        uint8_t inverted = round == 0 ? 0x00 : 0xff;

        for (size_t i = 0; i < EDGEMCU_INPUT_COUNT; i++) {
            volatile uint8_t *tensor = edgemcu_input(i);

            for (size_t j = 0; j < edgemcu_input_bytes(i); j++) {
                tensor[j] = expected_at(i, j, inverted);
            }
        }
        for (size_t i = 0; i < EDGEMCU_INPUT_COUNT; i++) {
            const volatile uint8_t *tensor = edgemcu_input(i);

            for (size_t j = 0; j < edgemcu_input_bytes(i); j++) {
                is_right &= tensor[j] == expected_at(i, j, inverted);
            }
        }
    }
    return verdict(is_right);
}

static enum selftest_result check_answer(uint32_t *crc)
{
    uint32_t ticks;

    if (inference_pattern(&ticks) != 0) {
        return SELFTEST_FAILED;
    }
    for (size_t i = 0; i < EDGEMCU_OUTPUT_COUNT; i++) {
        *crc = crc32_update(*crc, edgemcu_output(i), edgemcu_output_bytes(i));
    }
#ifdef EDGEMCU_PATTERN_OUTPUTS_CRC32
    return verdict(*crc == EDGEMCU_PATTERN_OUTPUTS_CRC32);
#else
    return SELFTEST_SKIPPED;
#endif
}

void selftest_run(struct selftest *result)
{
    uint8_t digest[32];
    uint32_t stack = system_stack_bytes();

    inference_drop();
    result->constants = verdict(edgemcu_check(digest) == 0);
    result->answer_crc = 0;
    result->memory = SELFTEST_SKIPPED;
    result->arena = SELFTEST_SKIPPED;
    result->answer = SELFTEST_SKIPPED;
    if (inference.status == 0) {
        result->memory = check_memory();
        result->arena = verdict(edgemcu_arena_used() <= EDGEMCU_ARENA_BYTES);
        result->answer = check_answer(&result->answer_crc);
    }
    result->stack = stack == 0 ? SELFTEST_SKIPPED : verdict(system_stack_used() < stack);
}

const char *selftest_word(enum selftest_result result)
{
    static const char *const words[] = {"ok", "failed", "skipped"};

    return words[result];
}
