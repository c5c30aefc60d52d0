/* SHA-256 (FIPS 180-4), small rather than fast: some 40 instructions per byte. */
#ifndef EDGEMCU_SHA256_H
#define EDGEMCU_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES 32u

struct sha256 {
    uint32_t state[8];
    uint32_t block[16]; /* big endian; the last, unfinished one */
    uint64_t bytes;     /* so far */
};

static inline uint32_t sha256_rotate(uint32_t x, unsigned n)
{
    return x >> n | x << (32u - n);
}

static inline void sha256_block(struct sha256 *hash)
{
    static const uint32_t round[64] = {
        0x428a2f98u, 0x71374491u, 0xb5c0fbcfu, 0xe9b5dba5u, 0x3956c25bu, 0x59f111f1u, 0x923f82a4u,
        0xab1c5ed5u, 0xd807aa98u, 0x12835b01u, 0x243185beu, 0x550c7dc3u, 0x72be5d74u, 0x80deb1feu,
        0x9bdc06a7u, 0xc19bf174u, 0xe49b69c1u, 0xefbe4786u, 0x0fc19dc6u, 0x240ca1ccu, 0x2de92c6fu,
        0x4a7484aau, 0x5cb0a9dcu, 0x76f988dau, 0x983e5152u, 0xa831c66du, 0xb00327c8u, 0xbf597fc7u,
        0xc6e00bf3u, 0xd5a79147u, 0x06ca6351u, 0x14292967u, 0x27b70a85u, 0x2e1b2138u, 0x4d2c6dfcu,
        0x53380d13u, 0x650a7354u, 0x766a0abbu, 0x81c2c92eu, 0x92722c85u, 0xa2bfe8a1u, 0xa81a664bu,
        0xc24b8b70u, 0xc76c51a3u, 0xd192e819u, 0xd6990624u, 0xf40e3585u, 0x106aa070u, 0x19a4c116u,
        0x1e376c08u, 0x2748774cu, 0x34b0bcb5u, 0x391c0cb3u, 0x4ed8aa4au, 0x5b9cca4fu, 0x682e6ff3u,
        0x748f82eeu, 0x78a5636fu, 0x84c87814u, 0x8cc70208u, 0x90befffau, 0xa4506cebu, 0xbef9a3f7u,
        0xc67178f2u,
    };
    uint32_t s[8];
    uint32_t *w = hash->block;

    for (size_t i = 0; i < 8; i++) {
        s[i] = hash->state[i];
    }
    for (size_t i = 0; i < 64; i++) {
        if (i >= 16) {
            uint32_t a = w[(i + 1) % 16];
            uint32_t b = w[(i + 14) % 16];

            w[i % 16] += w[(i + 9) % 16] + (sha256_rotate(a, 7) ^ sha256_rotate(a, 18) ^ a >> 3) +
                         (sha256_rotate(b, 17) ^ sha256_rotate(b, 19) ^ b >> 10);
        }
        uint32_t e = s[4];
        uint32_t a = s[0];
        uint32_t t1 = s[7] + (sha256_rotate(e, 6) ^ sha256_rotate(e, 11) ^ sha256_rotate(e, 25)) +
                      ((e & s[5]) ^ (~e & s[6])) + round[i] + w[i % 16];
        uint32_t t2 = (sha256_rotate(a, 2) ^ sha256_rotate(a, 13) ^ sha256_rotate(a, 22)) +
                      ((a & s[1]) ^ (a & s[2]) ^ (s[1] & s[2]));

        for (size_t j = 7; j > 0; j--) {
            s[j] = s[j - 1];
        }
        s[4] += t1;
        s[0] = t1 + t2;
    }
    for (size_t i = 0; i < 8; i++) {
        hash->state[i] += s[i];
    }
}

static inline void sha256_begin(struct sha256 *hash)
{
    static const uint32_t start[8] = {
        0x6a09e667u, 0xbb67ae85u, 0x3c6ef372u, 0xa54ff53au,
        0x510e527fu, 0x9b05688cu, 0x1f83d9abu, 0x5be0cd19u,
    };

    for (size_t i = 0; i < 8; i++) {
        hash->state[i] = start[i];
    }
    hash->bytes = 0;
}

static inline void sha256_byte(struct sha256 *hash, uint8_t byte)
{
    size_t i = (size_t)(hash->bytes % 64u);
    uint32_t *word = &hash->block[i / 4];

    *word = *word << 8 | byte;
    hash->bytes++;
    if (i == 63) {
        sha256_block(hash);
    }
}

static inline void sha256_update(struct sha256 *hash, const void *data, size_t bytes)
{
    const uint8_t *from = (const uint8_t *)data;

    for (size_t i = 0; i < bytes; i++) {
        sha256_byte(hash, from[i]);
    }
}

static inline void sha256_end(struct sha256 *hash, uint8_t digest[SHA256_BYTES])
{
    uint64_t bits = 8u * hash->bytes;

    sha256_byte(hash, 0x80);
    while (hash->bytes % 64u != 56u) {
        sha256_byte(hash, 0);
    }
    for (unsigned shift = 64; shift > 0;) {
        shift -= 8;
        sha256_byte(hash, (uint8_t)(bits >> shift));
    }
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        digest[i] = (uint8_t)(hash->state[i / 4] >> (24u - 8u * (i % 4u)));
    }
}

#endif
