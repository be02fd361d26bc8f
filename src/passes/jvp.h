/* jvp.h - what the files of forward mode share. Internal to src/passes/jvp*.c. */
#ifndef BRAZE_JVP_H
#define BRAZE_JVP_H

#include "src/passes/grad.h"

typedef struct forward {
    ir_graph *g;
    pass_backward *b;       /* .grad: tangents; .results: of cond and while, where in `results` */
    BZ_VEC(ir_ref) results; /* tangents of their results, 0: none */
    pass_backward inner;    /* of gradients that are differentiated */
} forward;

/* The tangent of operand k of node r as far as it matters to r; 0: none. */
ir_ref jvp_of_operand(const forward *f, ir_ref r, unsigned k);

/* ---- jvp_transposed.c */
/* The tangent of y, result k of node r (r itself, if it is no tuple), by the rule of r's gradient. 0: none, or an error in g. */
ir_ref jvp_transposed(forward *f, ir_ref r, ir_ref y, unsigned k);

#endif
