/* grad.h - what the files of the gradient share. Internal to src/passes/grad*.c. */
#ifndef BRAZE_GRAD_H
#define BRAZE_GRAD_H

#include "src/passes/pass.h"

/* Records that node r has no gradient, with its line. Returns 0. */
ir_ref grad_no_rule(ir_graph *g, ir_ref r);

/* Records an error with the line that is at work. */
BZ_PRINTF(3, 4)
bz_status grad_refuse(ir_graph *g, bz_status s, const char *fmt, ...);
bool grad_is_zero(const ir_graph *g, ir_ref r);
/* x + y; of complex numbers only what is not zero by itself. */
ir_ref grad_add(ir_graph *g, ir_ref x, ir_ref y);

/* The rule of a structural op: share of operand k of node r under d, the gradient of r, of a tuple those of its results. NULL: none. */
typedef ir_ref grad_rule(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d);
grad_rule *grad_rule_of(ir_op op);
/* d times the derivative of elementwise node r by its operand k, of r's shape: the share under gradient d, and, as an element depends on one
 * alone, what tangent d of the operand comes to in r. 0: an error in g. */
ir_ref grad_elementwise(ir_graph *g, ir_ref r, unsigned k, ir_ref d);

/* Of the cone: which nodes depend on wrt; all zeros again. */
void grad_find_dependents(pass_backward *b, const ir_ref *wrt, unsigned n);
void grad_forget(pass_backward *b, const ir_ref *wrt, unsigned n);
/* false, and an error: what the custom_grad computes depends on wrt in another way than through its inputs. */
bool grad_custom_is_closed(const pass_backward *b, ir_ref r);

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

/* ---- grad_scan.c */
/* Tangent of r, running logarithms of sums of exponentials of x, by tangent t of x. */
ir_ref jvp_logaddexp_scan(ir_graph *g, ir_ref r, ir_ref t);

/* ---- grad_cond.c */
/* Shares of the operands behind the condition of cond r that are wanted; 0: none. d: as above. false: an error in g. */
bool grad_cond(ir_graph *g, ir_ref r, const ir_ref *d, const bool *wants, ir_ref *share);
/* Tangents of the results; t: of the operands behind the condition; 0: none. */
bool jvp_cond(ir_graph *g, ir_ref r, const ir_ref *t, ir_ref *out);

/* ---- grad_while.c, jvp_while.c: the same of the operands and results of while r */
bool grad_while(ir_graph *g, ir_ref r, const ir_ref *d, const bool *wants, ir_ref *share);
bool jvp_while(ir_graph *g, ir_ref r, const ir_ref *t, ir_ref *out);

/* ---- grad_graphs.c: what both have of graphs that nodes apply */
ir_ref grad_in(const ir_graph *g, unsigned j); /* input j, output j */
ir_ref grad_out(const ir_graph *g, unsigned j);
/* An input of g with the type of node r of another graph, which nobody reads by its name. */
ir_ref grad_input_like(ir_graph *g, const ir_graph *of, ir_ref r);
bool grad_map_new(ir_map *map, const ir_graph *of);
/* The live nodes of `of` in g; its inputs stand in the map, or are not live. */
bool grad_copy_live(ir_graph *g, const ir_graph *of, ir_map *map);
/* A turn of body more: which of the m operands that go round depend on those that do (varied) and on captured ones (wants, behind m
 * entries). mark: room for the body's nodes. false: none more. */
bool grad_spread(const ir_graph *body, unsigned m, unsigned k, const bool *wants, bool *varied,
                 bool *mark);
/* Lends b to its module as NAME_suffix, or a name near it that no graph has. Its number; -1: no memory. */
int64_t grad_lend(ir_graph *b, const char *name, const char *suffix);
/* g has b's error (b may be NULL), or that of memory. false. */
bool grad_fails(ir_graph *g, const ir_graph *b);

#endif
