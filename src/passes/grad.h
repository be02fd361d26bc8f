/* grad.h - what the files of the gradient share. Internal to src/passes/grad*.c. */
#ifndef BRAZE_GRAD_H
#define BRAZE_GRAD_H

#include "src/passes/pass.h"

/* Records that node r has no gradient, with its line. Returns 0. */
ir_ref grad_no_rule(ir_graph *g, ir_ref r);

/* ---- grad_move.c, grad_fold.c, grad_index.c: share of operand k of node r, NAME of structs.def. d: the gradient of r; of a tuple
 * those of its results, 0 = none arrived. Such a rule is there for each row that says so. 0: an error in g. */
#define GRAD_RULE(name) ir_ref grad_##name(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d);
#define GRAD_NONE(name)
#define GRAD_OWN(name)
#define IR_STRUCT(E, name, arity, results, flags, reads, gradient, doc, ...) GRAD_##gradient(name)
#include "src/ir/structs.def"
#undef GRAD_RULE
#undef GRAD_NONE
#undef GRAD_OWN
ir_ref grad_like_shape(ir_graph *g, ir_ref d, ir_ref x); /* d reshaped, expanded, to x's shape */
ir_ref grad_expand_like(ir_graph *g, ir_ref d, ir_ref x);

/* ---- grad_prod.c */
/* Share of x in r, the product of x over n ascending axes, under gradient d of r's shape. */
ir_ref grad_prod(ir_graph *g, ir_ref r, ir_ref x, ir_ref d, const int *axes, unsigned n);

/* ---- grad_custom.c */
/* Shares of the nin inputs of custom_grad r. out: nodes of its results, 0 = any; d: their gradients, 0 = none arrived. false: an
 * error, in g unless memory ran out. */
bool grad_custom(ir_graph *g, ir_ref r, const ir_ref *out, const ir_ref *d, ir_ref *share);

/* ---- grad_cond.c */
/* Shares of the operands behind the condition of cond r that are wanted; 0: none. d: as above. false: an error in g. */
bool grad_cond(ir_graph *g, ir_ref r, const ir_ref *d, const bool *wants, ir_ref *share);
/* Lends b to its module as NAME_suffix, or a name near it that no graph has. Its number; -1: no memory. */
int64_t grad_lend(ir_graph *b, const char *name, const char *suffix);

/* ---- grad_while.c: the same of the operands of while r */
bool grad_while(ir_graph *g, ir_ref r, const ir_ref *d, const bool *wants, ir_ref *share);

#endif
