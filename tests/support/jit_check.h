/* jit_check.h - a kernel text run by the interpreter and, compiled for each ISA of this machine, on copies of the same data. */
#ifndef TESTS_JIT_CHECK_H
#define TESTS_JIT_CHECK_H

#include "tests/support/jit.h"

enum { MAX_BUFFERS = 8 };

typedef struct jit_case {
    const char *text;
    int64_t sizes[MAX_BUFFERS]; /* in elements */
    int64_t extents[8];
    ir_bits scalars[8];
    bool specials; /* data has NaN and infinities */
} jit_case;

/* Every buffer that the last kernel of the text may write, and the error slot, must hold the same bits after both (NaN for NaN).
 * Each phase runs in two parts, the second one first. */
void jit_check(const jit_case *c);
/* The module of a text; a fault in it ends the test. */
lp_module *jit_parse(const char *text);

#endif
