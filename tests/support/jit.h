/* jit.h - compiled kernels for tests: a module compiled, loaded and called. */
#ifndef TESTS_JIT_H
#define TESTS_JIT_H

#include "runtime/exec/objload.h"
#include "src/codegen/codegen.h"

typedef int32_t jit_phase(const lp_frame *f, int64_t begin, int64_t end);

typedef struct jit {
    rt_code *code;
    rt_object *object;
} jit;

/* Compiles and loads `m`; a failure ends the test. */
jit jit_open(const lp_module *m, cg_isa isa);
void jit_close(jit *j);
/* Phase `phase` of the kernel called `name`; never NULL. */
jit_phase *jit_find(const jit *j, const char *name, unsigned phase);
/* The newest ISA that this machine and $BRAZE_ISA allow. */
cg_isa jit_host(void);
/* A module of one kernel, which it takes over. */
lp_module *jit_module(lp_kernel *k);

#endif
