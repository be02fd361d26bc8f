/* op_cases.h - the cases of the op harnesses: every elementwise op x dtype, every cast, every reduction x dtype x axes and products x dtype,
 * on every layout (contiguous, permuted, broadcast, sliced with negative steps, empty, one element, 0-d), a graph each; and what moves,
 * orders and draws elements x dtype.
 *
 * Elementwise ops and casts meet the other layouts in turn: every op meets each of them, and every dtype does, but not all three together
 * (they have nothing to do with one another: an index map, a value, a type). */
#ifndef BRAZE_TEST_OP_CASES_H
#define BRAZE_TEST_OP_CASES_H

#include "src/ir/ir.h"

typedef struct op_family {
    const char *name;
    unsigned count; /* of what differs beside the dtype */
    bool all;       /* each case is valid */
    ir_ref (*make)(ir_graph *g, unsigned what, bz_dtype t, unsigned layout);
} op_family;
typedef enum {
    OPS_ELEMENTWISE,
    OPS_CASTS,
    OPS_REDUCTIONS,
    OPS_PRODUCTS,
    OPS_TEXTS,
    OPS_FAMILIES
} op_family_id;
extern const op_family op_families[OPS_FAMILIES];

enum { OP_VALUES = 32 }; /* inputs and outputs of a case at most */

/* A case: the graph of number `number` of the family, 0 .. op_cases_of(family)-1; its name goes to `name`. NULL: there is none (not
 * elementwise, no such cast), or the op does not take the dtype (*refused). */
unsigned op_cases_of(op_family_id family);
ir_module *op_case(op_family_id family, unsigned number, char name[96], bool *refused);
/* Values for the inputs, special ones in front, so that they meet in all operands. */
void op_case_inputs(const ir_graph *g, ir_value_array *in);
/* Which cases run: number `first` and each `step`-th behind it. One in `every`, from one that the fuzzers' seed says; with BRAZE_FULL=1
 * all; under BRAZE_QUICK every 13th. */
typedef struct op_sample {
    unsigned first, step;
    bool quick;
} op_sample;
op_sample op_cases_sample(unsigned every);
bool op_sampled(op_sample s, unsigned number);
/* Of `count` cases, how many run. */
unsigned op_sample_size(op_sample s, unsigned count);

#endif
