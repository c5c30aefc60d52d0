/* SHA-256 (FIPS 180-4), some 40 instructions per byte on a Cortex-M4. */
#ifndef EDGEMCU_SHA256_H
#define EDGEMCU_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_BYTES       32u
#define SHA256_BLOCK_BYTES 64u

struct sha256 {
    uint32_t state[8];
    uint8_t block[SHA256_BLOCK_BYTES]; /* the beginning of one, as long as it is not whole */
    uint64_t bytes;                    /* so far */
};

static inline uint32_t sha256_rotate(uint32_t x, unsigned n)
{
    return x >> n | x << (32u - n);
}

/* One round; the next one sees the variables in the places that they have moved to. */
#define SHA256_ROUND(a, b, c, d, e, f, g, h, constant, word)                                      \
    do {                                                                                          \
        uint32_t sum = (h) + (constant) + (word) + (((e) & (f)) ^ (~(e) & (g))) +                 \
                       (sha256_rotate(e, 6) ^ sha256_rotate(e, 11) ^ sha256_rotate(e, 25));       \
        (d) += sum;                                                                               \
        (h) = sum + (((a) & (b)) ^ ((a) & (c)) ^ ((b) & (c))) +                                   \
              (sha256_rotate(a, 2) ^ sha256_rotate(a, 13) ^ sha256_rotate(a, 22));                \
    } while (0)

static inline void sha256_block(struct sha256 *hash, const uint8_t *data)
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
    uint32_t w[64];
    uint32_t a = hash->state[0], b = hash->state[1], c = hash->state[2], d = hash->state[3];
    uint32_t e = hash->state[4], f = hash->state[5], g = hash->state[6], h = hash->state[7];

    for (size_t i = 0; i < 16; i++) {
        w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 |
               (uint32_t)data[4 * i + 2] << 8 | (uint32_t)data[4 * i + 3];
    }
    for (size_t i = 16; i < 64; i++) {
        uint32_t x = w[i - 15];
        uint32_t y = w[i - 2];

        w[i] = w[i - 16] + w[i - 7] + (sha256_rotate(x, 7) ^ sha256_rotate(x, 18) ^ x >> 3) +
               (sha256_rotate(y, 17) ^ sha256_rotate(y, 19) ^ y >> 10);
    }
    for (size_t i = 0; i < 64; i += 8) {
        SHA256_ROUND(a, b, c, d, e, f, g, h, round[i], w[i]);
        SHA256_ROUND(h, a, b, c, d, e, f, g, round[i + 1], w[i + 1]);
        SHA256_ROUND(g, h, a, b, c, d, e, f, round[i + 2], w[i + 2]);
        SHA256_ROUND(f, g, h, a, b, c, d, e, round[i + 3], w[i + 3]);
        SHA256_ROUND(e, f, g, h, a, b, c, d, round[i + 4], w[i + 4]);
        SHA256_ROUND(d, e, f, g, h, a, b, c, round[i + 5], w[i + 5]);
        SHA256_ROUND(c, d, e, f, g, h, a, b, round[i + 6], w[i + 6]);
        SHA256_ROUND(b, c, d, e, f, g, h, a, round[i + 7], w[i + 7]);
    }
    hash->state[0] += a;
    hash->state[1] += b;
    hash->state[2] += c;
    hash->state[3] += d;
    hash->state[4] += e;
    hash->state[5] += f;
    hash->state[6] += g;
    hash->state[7] += h;
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

static inline void sha256_update(struct sha256 *hash, const void *data, size_t bytes)
{
    const uint8_t *from = (const uint8_t *)data;

    while (bytes > 0) {
        size_t filled = (size_t)(hash->bytes % SHA256_BLOCK_BYTES);
        size_t part = SHA256_BLOCK_BYTES - filled;

        if (filled == 0 && bytes >= SHA256_BLOCK_BYTES) {
            sha256_block(hash, from);
        } else {
            part = bytes < part ? bytes : part;
            for (size_t i = 0; i < part; i++) {
                hash->block[filled + i] = from[i];
            }
            if (filled + part == SHA256_BLOCK_BYTES) {
                sha256_block(hash, hash->block);
            }
        }
        hash->bytes += part;
        from += part;
        bytes -= part;
    }
}

static inline void sha256_end(struct sha256 *hash, uint8_t digest[SHA256_BYTES])
{
    static const uint8_t padding[SHA256_BLOCK_BYTES] = {0x80};
    uint64_t bits = 8u * hash->bytes;
    uint8_t length[8];
    size_t filled = (size_t)(hash->bytes % SHA256_BLOCK_BYTES);

    for (size_t i = 0; i < sizeof length; i++) {
        length[i] = (uint8_t)(bits >> (56u - 8u * i));
    }
    /* So that the length ends the block. */
    sha256_update(hash, padding, (filled < 56u ? 56u : 120u) - filled);
    sha256_update(hash, length, sizeof length);
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        digest[i] = (uint8_t)(hash->state[i / 4] >> (24u - 8u * (i % 4u)));
    }
}

#endif
