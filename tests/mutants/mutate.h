/* mutate.h - one wrong thing at a time, in a text. */
#ifndef MUTATE_H
#define MUTATE_H

#include <stdbool.h>
#include <stddef.h>

/* `len` bytes at `at` become `with`. `what` says it in words; `line` counts from 1. */
typedef struct {
    size_t at, len;
    char with[160], what[96];
    unsigned line;
} mutant;

typedef struct {
    mutant *list;
    size_t n, cap;
} mutants;

/* Every wrong thing we can think of in CUDA C: barriers, fences, waits, copies and stores dropped,
 * masks and guards opened, comparisons, operators, constants and indices off, operands swapped,
 * shared arrays short. */
void mutate_kernel(const char *source, mutants *out);

/* In a host client: calls dropped whose names say that they order or move (event, wait, sync,
 * copy, set), and sizes and indices off. */
void mutate_host(const char *source, mutants *out);

void mutate_free(mutants *m);

/* The whole text with one mutant in it; the caller frees it. */
char *mutate_apply(const char *source, const mutant *m);

/* The source line of a mutant, without its indentation, in a static buffer. */
const char *mutate_line(const char *source, const mutant *m);

#endif
