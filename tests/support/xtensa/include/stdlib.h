/* What generated sources use of the C library. */
#ifndef STAND_IN_STDLIB_H
#define STAND_IN_STDLIB_H

_Noreturn void abort(void);

#endif
