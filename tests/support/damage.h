/* damage.h - random damage to texts of the IR, for fuzzers. */
#ifndef BRAZE_TEST_DAMAGE_H
#define BRAZE_TEST_DAMAGE_H

#include <stddef.h>
#include <stdint.h>

/* A random number below `below`; steps the state. */
uint64_t damage_draw(uint64_t *state, uint64_t below);
/* Bytes and pieces put anywhere: most results are no program any more. s has room for `room` bytes; the new length. */
size_t damage_bytes(uint64_t *state, char *s, size_t n, size_t room);
/* Tokens exchanged, numbers made large, small, negative or nan, ops by other ops, lines repeated or left out: many results still
 * are programs. */
size_t damage_tokens(uint64_t *state, char *s, size_t n, size_t room);

#endif
