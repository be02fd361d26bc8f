/* grad.h - what the files of the gradient share. Internal to src/passes/grad*.c. */
#ifndef BRAZE_GRAD_H
#define BRAZE_GRAD_H

#include "src/passes/pass.h"

/* Records that node r has no gradient, with its line. Returns 0. */
ir_ref grad_no_rule(ir_graph *g, ir_ref r);

/* ---- grad_prod.c */
/* Share of x in r, the product of x over n ascending axes, under gradient d of r's shape. */
ir_ref grad_prod(ir_graph *g, ir_ref r, ir_ref x, ir_ref d, const int *axes, unsigned n);

/* ---- grad_custom.c */
/* Shares of the nin inputs of custom_grad r. out: nodes of its results, 0 = any; d: their gradients, 0 = none arrived. false: an
 * error, in g unless memory ran out. */
bool grad_custom(ir_graph *g, ir_ref r, const ir_ref *out, const ir_ref *d, ir_ref *share);

#endif
