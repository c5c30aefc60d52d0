/* Checks of the firmware by itself. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include <stdint.h>

enum selftest_result { SELFTEST_OK, SELFTEST_FAILED, SELFTEST_SKIPPED };

struct selftest {
    enum selftest_result constants; /* the model in flash has the digest that it was generated with */
    enum selftest_result memory;    /* the input tensors' RAM holds what is written to it */
    enum selftest_result arena;     /* no more of it is in use than was planned */
    enum selftest_result answer;    /* the pattern's outputs are those of the reference interpreter */
    enum selftest_result stack;     /* it has never been used up */
    uint32_t answer_crc;            /* CRC-32 of the pattern's outputs, where they were computed */
};

/* Run all checks; the input and the outputs in the model's tensors are gone afterwards. */
void selftest_run(struct selftest *result);

const char *selftest_word(enum selftest_result result);

#endif
