/* The model, the input that it is given, and the inferences that it has run. */
#ifndef INFERENCE_H
#define INFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What is in the model's tensors. Others only read it. */
struct inference {
    enum { NO_INPUT, RECEIVING, DONE } state; /* DONE: its outputs */
    uint32_t id;       /* of the input, as whoever sends it says */
    uint32_t received; /* bytes, always the first ones */
    uint32_t crc;      /* of those, as they came over the line */
    uint8_t kind;
    int status;      /* what edgemcu_init returned: not 0, and nothing is run */
    uint32_t number; /* inferences since start, but for repetitions */
    uint32_t ticks;  /* that the last one took */
};
extern struct inference inference;

/* Whether this firmware takes a PROTOCOL_KIND. */
bool inference_takes(uint8_t kind);

/* A new input: whatever was in the tensors is given up. */
void inference_begin(uint32_t id, uint8_t kind);

/* Its next n bytes, no more than are missing. The tensors stand back to back in this order. */
void inference_append(const uint8_t *data, size_t n);
bool inference_is_whole(void);

/* The tensors hold no input any more. */
void inference_drop(void);

/* Run the model on the whole input, or on what a source has written to the tensors; timed and
 * counted. Returns edgemcu_invoke's result; if it is not 0, the input is gone. */
int inference_run(void);

/* Run the model once more, on the same input where EDGEMCU_KEEP_INPUT, else on the pattern. Not
 * counted. */
int inference_repeat(uint32_t *ticks);

/* Fill the input with pseudo-random bytes, always the same ones, and run the model on them. */
int inference_pattern(uint32_t *ticks);

#endif
