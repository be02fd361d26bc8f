/* grad_cases.h - programs whose derivatives are checked: every elementwise op where it is smooth, structural ops and compositions
 * (tests/ir/grad.def). */
#ifndef BRAZE_TEST_GRAD_CASES_H
#define BRAZE_TEST_GRAD_CASES_H

#include "src/ir/ir.h"

typedef struct grad_domain {
    const char *name;
    double lo[3], hi[3]; /* of float inputs 0, 1, and all others */
} grad_domain;

typedef void grad_check(const char *name, const char *text, const grad_domain *d);
/* Their number. */
unsigned grad_elementwise_cases(grad_check *check);
unsigned grad_program_cases(grad_check *check);

/* Values of the inputs within their ranges, moved by `h` along a direction, which grad_direction draws: the floats' elements in order. */
void grad_fill(const ir_graph *g, ir_value_array *in, const grad_domain *d, double h);
enum { GRAD_DIRECTION = 5 }; /* the first state of irt_random */

/* The sum of x's elements with weights that are different at every place. */
ir_ref grad_weighted_sum(ir_graph *g, ir_ref x, double from);

#endif
