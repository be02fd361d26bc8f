/* hash.c - a 64-bit hash: eight bytes a step, multiply and fold (the idea of wyhash and Fibonacci hashing). */
#include "src/ir/base/base.h"

#include <string.h>

static uint64_t fold(uint64_t a, uint64_t b) {
    __extension__ unsigned __int128 p = (unsigned __int128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

uint64_t bz_hash(uint64_t seed, const void *data, size_t n) {
    const unsigned char *p = data;
    uint64_t h = seed ^ 0xA0761D6478BD642Fu ^ (uint64_t)n;
    for (; n >= 8; n -= 8, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        h = fold(h ^ w, 0xE7037ED1A0B428DBu);
    }
    uint64_t tail = 0;
    for (size_t i = 0; i < n; i++) tail |= (uint64_t)p[i] << (8 * i);
    return fold(h ^ tail, 0x8EBC6AF09C88C6E3u ^ h);
}
