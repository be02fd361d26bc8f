/* grad.h - what the files of the gradient share. Internal to src/passes/grad*.c. */
#ifndef BRAZE_GRAD_H
#define BRAZE_GRAD_H

#include "src/passes/pass.h"

/* Records that node r has no gradient, with its line. Returns 0. */
ir_ref grad_no_rule(ir_graph *g, ir_ref r);

/* ---- grad_prod.c */
/* Share of x in r, the product of x over n ascending axes, under gradient d of r's shape. */
ir_ref grad_prod(ir_graph *g, ir_ref r, ir_ref x, ir_ref d, const int *axes, unsigned n);

#endif
