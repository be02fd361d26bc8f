/* plan_check.h - a graph compiled for each target against the reference interpreter, bit for bit: on the interpreter of the kernel
 * loops and as machine code. */
#ifndef BRAZE_TEST_PLAN_CHECK_H
#define BRAZE_TEST_PLAN_CHECK_H

#include "src/passes/pass.h"

enum { PLAN_CHECK_OUTPUTS = 16 };

typedef struct plan_check {
    uint64_t seed;    /* of the inputs and of the order of tasks */
    bool machine;     /* compare machine code too */
    bool specials;    /* NaN and so on in the inputs */
    bool any_op;      /* the graph may hold what lowering says that it does not support */
    unsigned threads; /* that tasks are cut for */
    bool cuda;        /* for a GPU alone, as CUDA C on the emulated driver, too (plan_cuda_ready) */
    const pass_machine *sizes; /* processors alone, and with these caches; NULL: those of today */
    bool one;                  /* for one target, drawn by the seed, instead of each */
} plan_check;

/* True when a target differs, with the words in `what`. A graph that the interpreter refuses (an index out of range) is no fault. At
 * most PLAN_CHECK_OUTPUTS outputs. */
bool plan_fault(const ir_graph *g, const plan_check *c, char what[600]);

#endif
