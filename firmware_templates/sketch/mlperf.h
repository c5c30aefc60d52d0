/* Commands of the MLPerf Tiny benchmark, as its public API describes them: text that ends with '%'
 * from the host; lines that end with "m-ready" from here. See docs/protocol.md of edgemcu. */
#ifndef MLPERF_H
#define MLPERF_H

#include <stdint.h>

/* Take one received byte that belongs to no frame; carries a command out when it is the last one. */
void mlperf_accept(uint8_t byte);

/* Forget the command that has begun, if any. */
void mlperf_forget(void);

#endif
