/* fuzz.h - what each tests/fuzz_NAME.c offers to the program around it.
 *
 *     fuzz_main    by main_fuzz.c: random inputs of its own, for some seconds          make fuzz
 *     fuzz_bytes   by main_cover.c: bytes that libFuzzer chooses by what they reach    make fuzz-cover
 *                  by main_fuzz.c: files that once showed a fault                      make check
 *
 * Both tell of a fault: fuzz_main by its status, fuzz_bytes by abort(). */
#ifndef BRAZE_TEST_FUZZ_H
#define BRAZE_TEST_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/* NAME SECONDS [SEED [COUNT]]: the status of the program. */
int fuzz_main(int argc, char **argv);
/* One input. p may be NULL when n is 0. */
void fuzz_bytes(const uint8_t *p, size_t n);

/* The inputs of a fuzzer's own, a seed each:
 *     for (fuzz_span f = fuzz_begin("fuzz_NAME", argc, argv); fuzz_next(&f);) try(f.seed); */
typedef struct fuzz_span {
    const char *name;
    uint64_t seed;           /* of the input at hand */
    long runs, faults, most; /* runs: with the one at hand */
    time_t end, now;
} fuzz_span;
/* Reads SECONDS (10), SEED (by the time), COUNT (no limit) and prints the first seed. A program that ends by a signal or a sanitizer,
 * or that has tried one input for five minutes, prints the seed at hand. */
fuzz_span fuzz_begin(const char *name, int argc, char **argv);
/* false: SECONDS are over, COUNT inputs were tried, five showed faults, or SIGTERM or SIGINT came. */
bool fuzz_next(fuzz_span *f);
/* Machine code costs a hundred times what its graph does: one seed in `usual` gets it, or in $FUZZ_CODE (0: none). */
bool fuzz_gets_code(uint64_t seed, unsigned usual);

/* A new directory, in memory where there is such a place: each file that braze saves is synced. false, and words: there is none. */
enum { FUZZ_PATH = 64 };
bool fuzz_directory(char dir[FUZZ_PATH]);

/* Random numbers that bytes decide as long as there are any: piece k of them is the k-th step's, so that a change of one
 * piece changes one step. */
enum { FUZZ_PIECE = 8 };
static inline uint64_t fuzz_piece(const uint8_t *p, size_t n, size_t k) {
    uint64_t x = 0x9e3779b97f4a7c15u;
    for (size_t i = FUZZ_PIECE * k; i < n && i < FUZZ_PIECE * (k + 1); i++)
        x = (x ^ p[i]) * 0x100000001b3u;
    return x;
}
static inline size_t fuzz_pieces(size_t n) {
    return (n + FUZZ_PIECE - 1) / FUZZ_PIECE;
}

#endif
