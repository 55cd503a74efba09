/* Reading big-endian fields and summing octets, at any alignment and on hosts of any byte order. */
#ifndef VXCSUM_NATIVE_OCTETS_H
#define VXCSUM_NATIVE_OCTETS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define HOST_IS_BIG_ENDIAN 1
#else
#define HOST_IS_BIG_ENDIAN 0
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline))
#define NOINLINE __attribute__((noinline))
#define PREFETCH(address) __builtin_prefetch(address)
#else
#define INLINE static inline
#define NOINLINE
#define PREFETCH(address) ((void)(address))
#endif

/* A function of its own, in a version for wider vectors too where the loader can choose. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__) && \
    !defined(__SANITIZE_ADDRESS__)
#define WIDE __attribute__((noinline, target_clones("avx2", "default")))
#else
#define WIDE NOINLINE
#endif

INLINE uint16_t be16(const uint8_t *at)
{
    return (uint16_t)(at[0] << 8 | at[1]);
}

INLINE uint32_t be32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

INLINE uint64_t be64(const uint8_t *at)
{
    return (uint64_t)be32(at) << 32 | be32(at + 4);
}

INLINE int64_t least(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

INLINE int64_t most(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Sums are of 16-bit words in host order and not folded: bigger words count as several, for
   2^16 = 1 modulo 0xffff. Sums of up to 2^32 octets each can be added without overflow. */
typedef uint64_t word_sum;

/* Return the sum of octets whose first one is the upper half of a word; fit for few of them. */
INLINE word_sum sum_few(const uint8_t *at, int64_t count)
{
    word_sum total = 0;
    for (; count >= 8; count -= 8, at += 8) {
        uint64_t word;
        memcpy(&word, at, sizeof word);
        total += (word & 0xffffffff) + (word >> 32);
    }
    if (count & 4) {
        uint32_t word;
        memcpy(&word, at, sizeof word);
        total += word;
        at += 4;
    }
    if (count & 2) {
        uint16_t word;
        memcpy(&word, at, sizeof word);
        total += word;
        at += 2;
    }
    if (count & 1)
        total += HOST_IS_BIG_ENDIAN ? (word_sum)*at << 8 : *at;
    return total;
}

/* The same for many. The sum of 64-bit words is also that of their halves, if the upper
   halves are known: with `all` = low + 2^32 high (mod 2^64), low comes back by subtraction. That
   takes fewer operations than widening each half. The loop is kept plain and in a function of its
   own: so compilers turn it into one over vectors. */
WIDE static word_sum sum_many(const uint8_t *at, int64_t count)
{
    const int64_t words = count / 8;
    uint64_t all = 0, high = 0;
    for (int64_t index = 0; index < words; index++) {
        uint64_t word;
        memcpy(&word, at + 8 * index, sizeof word);
        all += word;
        high += word >> 32;
    }
    return (all - (high << 32)) + high + sum_few(at + 8 * words, count % 8);
}

enum { MANY = 128 }; /* octets for which a call and vectors pay */

/* The same for any count. */
INLINE word_sum sum_octets(const uint8_t *at, int64_t count)
{
    return count < MANY ? sum_few(at, count) : sum_many(at, count);
}

/* Return a number as a canonical residue, 0 to 0xfffe. Compilers make a multiplication of it. */
INLINE uint16_t fold(uint64_t number)
{
    return (uint16_t)(number % 0xffff);
}

/* Fold a sum into a residue of words in network order. */
INLINE uint16_t network_order(word_sum total)
{
    const uint16_t residue = fold(total);
    return HOST_IS_BIG_ENDIAN ? residue : (uint16_t)(residue << 8 | residue >> 8);
}

/* Append a sum to that of `count` octets before it: behind an odd number its octets are in the
   other halves of words (RFC 1071 section 2(B)), and changing halves is multiplication by 256. */
INLINE word_sum append(word_sum before, int64_t count, word_sum next)
{
    return before + (count & 1 ? (word_sum)fold(next) << 8 : next);
}

#endif
