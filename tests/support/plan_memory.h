/* plan_memory.h - memory for the buffers of a plan: arena buffers share one block at their offsets, as they will. */
#ifndef BRAZE_TEST_PLAN_MEMORY_H
#define BRAZE_TEST_PLAN_MEMORY_H

#include "src/passes/pass.h"

typedef struct plan_memory {
    char *arena;
    void **at;  /* per buffer */
    void **own; /* what to free */
} plan_memory;

/* Input buffers are copies; everything that a kernel has to write first is rubbish. */
plan_memory plan_memory_new(const pass_plan *p, const ir_value_array *inputs);
/* What lies in the output buffers, copied (bz_mem_free each). */
void plan_memory_outputs(const pass_plan *p, const plan_memory *m, ir_value_array *outputs);
/* Checks that nobody wrote behind a buffer; ends the program with a message otherwise. */
void plan_memory_free(plan_memory *m, const pass_plan *p);

#endif
