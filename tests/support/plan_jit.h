/* plan_jit.h - runs a plan as machine code, as the runtime will: launches in order, phases in step. */
#ifndef BRAZE_TEST_PLAN_JIT_H
#define BRAZE_TEST_PLAN_JIT_H

#include "src/codegen/codegen.h"
#include "src/passes/pass.h"

/* How the tasks of a phase are handed out; no choice may change a bit. */
typedef struct plan_jit_how {
    cg_isa isa;
    unsigned threads; /* 1: in order, as one piece; more: that many POSIX threads, a piece each */
    /* not 0 and one thread: random borders, pieces in random order, drawn from this seed */
    uint64_t split;
} plan_jit_how;

/* As plan_run: outputs are allocated here, inputs stay as they are. A failed compilation or an index out of range gives its status. */
bz_status plan_jit(const pass_plan *p, plan_jit_how how, const ir_value_array *inputs,
                   ir_value_array *outputs, bz_error *e);

#endif
