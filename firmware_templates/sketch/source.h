/* Where pictures come from that nobody sends over the serial line: photos in flash, or a camera. */
#ifndef SOURCE_H
#define SOURCE_H

#include <stdint.h>

/* Set the source up. Call once, after serial_init and edgemcu_init. Returns 0, or an error of the
 * source's own; after one, source_next must not be called. */
int source_init(void);

/* Write the next picture as the model takes it: uint8 pixels (height, width, channels), cropped and
 * resized as in training. Returns 1 when one was written, 0 when there is none yet, and less than 0
 * when the source failed. */
int source_next(uint8_t *pixels);

#endif
