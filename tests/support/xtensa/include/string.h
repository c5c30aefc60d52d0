/* What generated sources use of the C library. The kernels use the first two alone, which are
 * defined in ../builtins.c. */
#ifndef STAND_IN_STRING_H
#define STAND_IN_STRING_H

#include <stddef.h>

void *memcpy(void *restrict target, const void *restrict source, size_t bytes);
void *memset(void *target, int value, size_t bytes);
int memcmp(const void *a, const void *b, size_t bytes);
int strcmp(const char *a, const char *b);
size_t strlen(const char *text);
int strcmp(const char *a, const char *b);
char *strcpy(char *restrict target, const char *restrict source);

#endif
