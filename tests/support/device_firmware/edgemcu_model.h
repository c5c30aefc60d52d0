/* A model whose outputs tell the inputs: the CRC-32 of each of its two tensors. It stands in for
 * a real one in tests of the wire protocol. */
#ifndef EDGEMCU_MODEL_H
#define EDGEMCU_MODEL_H

#include <stddef.h>
#include <stdint.h>

#define EDGEMCU_INPUT_BYTES  3000u
#define EDGEMCU_OUTPUT_BYTES 8u
#define EDGEMCU_INPUT_COUNT  2u
#define EDGEMCU_OUTPUT_COUNT 2u
#define EDGEMCU_ARENA_BYTES  3008u
#define EDGEMCU_MODEL_DIGEST "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define EDGEMCU_CONSTANTS_DIGEST EDGEMCU_MODEL_DIGEST
#define EDGEMCU_DAMAGED      (-1)
#define EDGEMCU_RUNTIME      "compiled"
#define EDGEMCU_KERNELS      "portable"

int         edgemcu_init(void);
int         edgemcu_check(uint8_t digest[32]);
void       *edgemcu_input(size_t index);
size_t      edgemcu_input_bytes(size_t index);
int         edgemcu_invoke(void);
const void *edgemcu_output(size_t index);
size_t      edgemcu_output_bytes(size_t index);
size_t      edgemcu_arena_used(void);

#endif
