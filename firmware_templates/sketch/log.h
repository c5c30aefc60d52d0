/* What is said unasked: lines for people, and behind each inference's a frame for programs. */
#ifndef LOG_H
#define LOG_H

#include <stddef.h>
#include <stdint.h>

void print(const char *text);
void print_number(uint64_t value);
void print_hex(const uint8_t *bytes, size_t n); /* two digits each */

/* What log_inference writes from now on, a PROTOCOL_LEVEL; anything else is refused with -1. */
int log_set_level(uint8_t level);
uint8_t log_level(void);

/* One line about inference `number`, whose outputs are in the model's output tensors:
 *
 *     cat 0.93  41.20 ms  #128  @em1 l 0000 BASE64 CCCCCCCC
 */
void log_inference(uint32_t session, uint32_t number, uint32_t ticks);

#endif
