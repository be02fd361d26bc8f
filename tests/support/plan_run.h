/* plan_run.h - runs a plan on the interpreter of the kernel loops: what a plan means, without any machine code. */
#ifndef BRAZE_TEST_PLAN_RUN_H
#define BRAZE_TEST_PLAN_RUN_H

#include "src/passes/pass.h"

/* inputs: one per graph input. outputs: data allocated here (bz_mem_free each). Inputs that are donated are not changed. */
bz_status plan_run(const pass_plan *p, const ir_value_array *inputs, ir_value_array *outputs,
                   bz_error *e);

/* Fills a value with small random numbers of its dtype. */
void random_value(ir_value_array *v, uint64_t *seed);
/* Puts NaN, infinities, zeros of both signs, denormals and limits of the dtype at about every sixth place. */
void sprinkle_specials(ir_value_array *v, uint64_t *seed);
/* Values for all inputs of a graph with constant shapes; data allocated. */
void random_inputs(const ir_graph *g, ir_value_array *in, uint64_t seed);
void free_values(ir_value_array *v, unsigned n);
/* Number of the first element that differs (NaN equals NaN), -1 if none. */
int64_t first_difference(const ir_value_array *a, const ir_value_array *b);

#endif
