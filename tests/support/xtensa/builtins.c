/* What clang calls for 64-bit and floating-point arithmetic, and of the C library: there is no
 * runtime library for this target. Written for being right, not fast. */
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict target, const void *restrict source, size_t bytes)
{
    volatile uint8_t *to = target;
    const uint8_t *from = source;

    while (bytes-- > 0) {
        *to++ = *from++;
    }
    return target;
}

void *memset(void *target, int value, size_t bytes)
{
    volatile uint8_t *to = target;

    while (bytes-- > 0) {
        *to++ = (uint8_t)value;
    }
    return target;
}

static uint64_t multiply(uint32_t a, uint32_t b)
{
    uint32_t a0 = a & 0xffff, a1 = a >> 16, b0 = b & 0xffff, b1 = b >> 16;
    uint32_t low = a0 * b0, cross0 = a0 * b1, cross1 = a1 * b0;
    uint32_t middle = (low >> 16) + (cross0 & 0xffff) + (cross1 & 0xffff);
    uint32_t high = a1 * b1 + (cross0 >> 16) + (cross1 >> 16) + (middle >> 16);

    return ((uint64_t)high << 32) | (middle << 16) | (low & 0xffff);
}

int64_t __muldi3(int64_t a, int64_t b);
int64_t __muldi3(int64_t a, int64_t b)
{
    uint32_t a0 = (uint32_t)a, a1 = (uint32_t)((uint64_t)a >> 32);
    uint32_t b0 = (uint32_t)b, b1 = (uint32_t)((uint64_t)b >> 32);
    uint64_t low = multiply(a0, b0);
    uint32_t high = (uint32_t)(low >> 32) + a0 * b1 + a1 * b0;

    return (int64_t)(((uint64_t)high << 32) | (uint32_t)low);
}

/* Shifts by a variable amount, out of two words. */
int64_t __ashldi3(int64_t value, int32_t by);
int64_t __ashldi3(int64_t value, int32_t by)
{
    uint32_t low = (uint32_t)value, high = (uint32_t)((uint64_t)value >> 32);

    if (by >= 32) {
        high = low << (by - 32);
        low = 0;
    } else if (by > 0) {
        high = (high << by) | (low >> (32 - by));
        low <<= by;
    }
    return (int64_t)(((uint64_t)high << 32) | low);
}

int64_t __ashrdi3(int64_t value, int32_t by);
int64_t __ashrdi3(int64_t value, int32_t by)
{
    uint32_t low = (uint32_t)value;
    int32_t high = (int32_t)((uint64_t)value >> 32);

    if (by >= 32) {
        low = (uint32_t)(high >> (by - 32));
        high >>= 31;
    } else if (by > 0) {
        low = (low >> by) | ((uint32_t)high << (32 - by));
        high >>= by;
    }
    return (int64_t)(((uint64_t)(uint32_t)high << 32) | low);
}

int64_t __lshrdi3(int64_t value, int32_t by);
int64_t __lshrdi3(int64_t value, int32_t by)
{
    uint32_t low = (uint32_t)value, high = (uint32_t)((uint64_t)value >> 32);

    if (by >= 32) {
        low = high >> (by - 32);
        high = 0;
    } else if (by > 0) {
        low = (low >> by) | (high << (32 - by));
        high >>= by;
    }
    return (int64_t)(((uint64_t)high << 32) | low);
}

static uint32_t bits_of(float value)
{
    union { float value; uint32_t bits; } both = {.value = value};
    return both.bits;
}

static float float_of(uint32_t bits)
{
    union { uint32_t bits; float value; } both = {.bits = bits};
    return both.value;
}

/* The fraction with its leading 1 in bit 23, and the exponent that belongs to it. */
static uint32_t normalize(uint32_t bits, int *exponent)
{
    uint32_t fraction = bits & 0x7fffff;

    *exponent = (int)(bits >> 23 & 0xff);
    if (*exponent != 0) {
        return fraction | 0x800000;
    }
    *exponent = 1;
    while ((fraction & 0x800000) == 0) {
        fraction <<= 1;
        --*exponent;
    }
    return fraction;
}

/* Rounded to nearest, ties to even. */
float __divsf3(float dividend, float divisor);
float __divsf3(float dividend, float divisor)
{
    const uint32_t infinity = 0x7f800000, not_a_number = 0x7fc00000;
    uint32_t a = bits_of(dividend), b = bits_of(divisor);
    uint32_t sign = (a ^ b) & 0x80000000;
    int exponent_a, exponent_b;

    a &= 0x7fffffff;
    b &= 0x7fffffff;
    if (a > infinity || b > infinity || (a == infinity && b == infinity) || (a == 0 && b == 0)) {
        return float_of(not_a_number);
    }
    if (a == infinity || b == 0) {
        return float_of(sign | infinity);
    }
    if (a == 0 || b == infinity) {
        return float_of(sign);
    }
    uint32_t rest = normalize(a, &exponent_a), by = normalize(b, &exponent_b);
    int exponent = exponent_a - exponent_b + 127;

    if (rest < by) {
        rest <<= 1;
        --exponent;
    }
    uint32_t quotient = 0; /* 24 bits of the result, one to round by, one that says what follows */
    for (int bit = 0; bit < 25; ++bit) {
        quotient <<= 1;
        if (rest >= by) {
            rest -= by;
            quotient |= 1;
        }
        rest <<= 1;
    }
    quotient = quotient << 1 | (rest != 0);
    for (; exponent < 1 && quotient > 1; ++exponent) { /* too small for a leading 1 */
        quotient = quotient >> 1 | (quotient & 1);
    }
    if (exponent < 1) {
        return float_of(sign);
    }
    uint32_t rounded = (quotient >> 2) + ((quotient & 2) && (quotient & 5) ? 1 : 0);
    uint32_t result = ((uint32_t)(exponent - 1) << 23) + rounded;

    return float_of(sign | (result < infinity ? result : infinity));
}
