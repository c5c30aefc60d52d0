/* SPDX-License-Identifier: Apache-2.0 */
/* Instructions of the Arm DSP extension, and the same in C for other machines.
 *
 * The kernels of this folder are written for Cortex-M cores that have the extension (M4, M7, M33,
 * M55). Elsewhere they give the same bytes, slowly: so that the layout of their constants, and
 * everything around their inner loops, can be tested on a computer.
 */
#ifndef EDGEMCU_KERNELS_DSP_H
#define EDGEMCU_KERNELS_DSP_H

#include <stdint.h>
#include <string.h>

#if defined(__ARM_FEATURE_DSP) && __ARM_FEATURE_DSP
#define EDGEMCU_DSP 1
#else
#define EDGEMCU_DSP 0
#endif

#if EDGEMCU_DSP
/* A function of assembly alone, and its arguments, which are in r0 to r3. A compiler that looks at
 * its body must conclude nothing from it: neither which arguments nor which registers it uses. */
#if defined(__clang__) || __GNUC__ < 8
#define ASSEMBLY __attribute__((naked, noinline))
#else
#define ASSEMBLY __attribute__((naked, noipa))
#endif
#define IN_REGISTER __attribute__((unused))
#endif

/* Four bytes at any address as one word. */
static inline uint32_t load_word(const int8_t *p)
{
    uint32_t word;
    memcpy(&word, p, sizeof word);
    return word;
}

/* One to three bytes, as the lower bytes of a word. */
static inline uint32_t load_rest(const int8_t *p, int32_t n)
{
    uint32_t word = (uint8_t)p[0];
    word |= n > 1 ? (uint32_t)(uint8_t)p[1] << 8 : 0;
    word |= n > 2 ? (uint32_t)(uint8_t)p[2] << 16 : 0;
    return word;
}

static inline void store_word(int8_t *p, uint32_t word)
{
    memcpy(p, &word, sizeof word);
}

/* The lower n bytes of a word; returns where to go on. */
static inline int8_t *store_rest(int8_t *p, uint32_t word, int32_t n)
{
    for (; n > 0; --n) {
        *p++ = (int8_t)(uint8_t)word;
        word >>= 8;
    }
    return p;
}

/* Bytes 0 and 2, sign-extended to the two halves of a word. */
static inline uint32_t sxtb16(uint32_t x)
{
#if EDGEMCU_DSP
    uint32_t result;
    __asm("sxtb16 %0, %1" : "=r"(result) : "r"(x));
    return result;
#else
    const uint32_t low = (uint32_t)(int32_t)(int8_t)(uint8_t)x;
    const uint32_t high = (uint32_t)(int32_t)(int8_t)(uint8_t)(x >> 16);
    return (low & 0xffffu) | (high << 16);
#endif
}

/* Bytes 1 and 3, sign-extended to the two halves of a word. */
static inline uint32_t sxtb16_ror8(uint32_t x)
{
#if EDGEMCU_DSP
    uint32_t result;
    __asm("sxtb16 %0, %1, ror #8" : "=r"(result) : "r"(x));
    return result;
#else
    return sxtb16(x >> 8);
#endif
}

/* Low halves of a and b. */
static inline uint32_t low_halves(uint32_t a, uint32_t b)
{
#if EDGEMCU_DSP
    uint32_t result;
    __asm("pkhbt %0, %1, %2, lsl #16" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    return (a & 0xffffu) | (b << 16);
#endif
}

/* High halves of a and b. */
static inline uint32_t high_halves(uint32_t a, uint32_t b)
{
#if EDGEMCU_DSP
    uint32_t result;
    __asm("pkhtb %0, %2, %1, asr #16" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    return (a >> 16) | (b & 0xffff0000u);
#endif
}

/* acc + low half x low half. */
static inline int32_t smlabb(uint32_t x, uint32_t y, int32_t acc)
{
#if EDGEMCU_DSP
    int32_t result;
    __asm("smlabb %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(acc));
    return result;
#else
    return acc + (int16_t)(uint16_t)x * (int16_t)(uint16_t)y;
#endif
}

/* acc + high half x high half. */
static inline int32_t smlatt(uint32_t x, uint32_t y, int32_t acc)
{
#if EDGEMCU_DSP
    int32_t result;
    __asm("smlatt %0, %1, %2, %3" : "=r"(result) : "r"(x), "r"(y), "r"(acc));
    return result;
#else
    return smlabb(x >> 16, y >> 16, acc);
#endif
}

/* Sums of both halves. */
static inline uint32_t sadd16(uint32_t a, uint32_t b)
{
#if EDGEMCU_DSP
    uint32_t result;
    __asm("sadd16 %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    return ((a + b) & 0xffffu) | ((a & 0xffff0000u) + (b & 0xffff0000u));
#endif
}

/* Differences of both halves. */
static inline uint32_t ssub16(uint32_t a, uint32_t b)
{
#if EDGEMCU_DSP
    uint32_t result;
    __asm("ssub16 %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    return ((a - b) & 0xffffu) | ((a & 0xffff0000u) - (b & 0xffff0000u));
#endif
}

static inline int32_t saturate_int8(int32_t x)
{
#if EDGEMCU_DSP
    int32_t result;
    __asm("ssat %0, #8, %1" : "=r"(result) : "r"(x));
    return result;
#else
    return x < -128 ? -128 : x > 127 ? 127 : x;
#endif
}

/* a + b, kept within an int32. */
static inline int32_t qadd(int32_t a, int32_t b)
{
#if EDGEMCU_DSP
    int32_t result;
    __asm("qadd %0, %1, %2" : "=r"(result) : "r"(a), "r"(b));
    return result;
#else
    const int64_t sum = (int64_t)a + b;
    return sum < INT32_MIN ? INT32_MIN : sum > INT32_MAX ? INT32_MAX : (int32_t)sum;
#endif
}

/* The upper 32 bits of a x b + acc x 2^32. */
static inline int32_t smmla(int32_t a, int32_t b, int32_t acc)
{
#if EDGEMCU_DSP
    int32_t result;
    __asm("smmla %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(acc));
    return result;
#else
    return (int32_t)((uint32_t)acc + (uint32_t)(((int64_t)a * b) >> 32));
#endif
}

/* The upper 32 bits of a x b + acc x 2^32, rounded to nearest, ties up. */
static inline int32_t smmlar(int32_t a, int32_t b, int32_t acc)
{
#if EDGEMCU_DSP
    int32_t result;
    __asm("smmlar %0, %1, %2, %3" : "=r"(result) : "r"(a), "r"(b), "r"(acc));
    return result;
#else
    const int64_t product = (int64_t)a * b + ((int64_t)1 << 31);
    return (int32_t)((uint32_t)acc + (uint32_t)(product >> 32));
#endif
}

#if !EDGEMCU_DSP
static inline int8_t clamp_byte(uint32_t x, uint32_t min, uint32_t max)
{
    const int8_t low = (int8_t)(uint8_t)min;
    const int8_t high = (int8_t)(uint8_t)max;
    const int8_t value = (int8_t)(uint8_t)x;
    return value < low ? low : value > high ? high : value;
}
#endif

/* Each byte of x, signed, kept within those of min and max. */
static inline uint32_t clamp_bytes(uint32_t x, uint32_t min, uint32_t max)
{
#if EDGEMCU_DSP
    uint32_t compared;
    __asm("ssub8 %0, %1, %2\n\tsel %1, %1, %2\n\tssub8 %0, %3, %1\n\tsel %1, %1, %3"
          : "=&r"(compared), "+r"(x)
          : "r"(min), "r"(max));
    return x;
#else
    uint32_t result = 0;
    for (int shift = 0; shift < 32; shift += 8) {
        const int8_t byte = clamp_byte(x >> shift, min >> shift, max >> shift);
        result |= (uint32_t)(uint8_t)byte << shift;
    }
    return result;
#endif
}

/* The second byte of a word and those above it, replaced by the lowest of others. */
static inline uint32_t with_bytes(uint32_t word, uint32_t second, uint32_t third, uint32_t fourth)
{
#if EDGEMCU_DSP
    __asm("bfi %0, %1, #8, #8\n\tbfi %0, %2, #16, #8\n\tbfi %0, %3, #24, #8"
          : "+r"(word)
          : "r"(second), "r"(third), "r"(fourth));
    return word;
#else
    return (word & 0xffu) | ((second & 0xffu) << 8) | ((third & 0xffu) << 16) | (fourth << 24);
#endif
}

/* The larger of each byte of a and b, signed. */
static inline uint32_t max_bytes(uint32_t a, uint32_t b)
{
#if EDGEMCU_DSP
    uint32_t result;
    __asm("ssub8 %0, %1, %2\n\tsel %0, %1, %2" : "=&r"(result) : "r"(a), "r"(b));
    return result;
#else
    uint32_t result = 0;
    for (int shift = 0; shift < 32; shift += 8) {
        const int8_t x = (int8_t)(uint8_t)(a >> shift);
        const int8_t y = (int8_t)(uint8_t)(b >> shift);
        result |= (uint32_t)(uint8_t)(x > y ? x : y) << shift;
    }
    return result;
#endif
}

#if !EDGEMCU_DSP
static inline int32_t half(uint32_t x, int top)
{
    return (int16_t)(uint16_t)(top ? x >> 16 : x);
}

/* acc + low half x low half + high half x high half, modulo 2^32. */
static inline uint32_t smlad(uint32_t x, uint32_t y, uint32_t acc)
{
    return acc + (uint32_t)(half(x, 0) * half(y, 0)) + (uint32_t)(half(x, 1) * half(y, 1));
}
#endif

#endif
