/* vmap.h - what the files of vmap share. Internal to src/passes/vmap*.c. */
#ifndef BRAZE_VMAP_H
#define BRAZE_VMAP_H

#include "src/passes/pass.h"

/* ---- vmap.c */
/* Operand k of node r with the axis in front, repeated where it has none. */
ir_ref vmap_operand(const pass_batch *q, ir_ref r, unsigned k);
bool vmap_is_over(const pass_batch *q, ir_ref r, unsigned k);
/* x with axis `from` moved to the front. */
ir_ref vmap_to_front(ir_graph *g, ir_ref x, unsigned from);
ir_ref vmap_cannot(const pass_batch *q, ir_ref r, const char *why);

/* ---- vmap_parts.c: rules of ops whose operands meet the axis in different ways; r: node of q->of with an operand that has it. 0: an
 * error in q->g. */
ir_ref vmap_dot(const pass_batch *q, ir_ref r);
ir_ref vmap_conv(const pass_batch *q, ir_ref r);
ir_ref vmap_gather(const pass_batch *q, ir_ref r);
ir_ref vmap_scatter(const pass_batch *q, ir_ref r);
/* as_strided, update: of a window that moves by itself in every sample */
ir_ref vmap_moving_window(const pass_batch *q, ir_ref r);
ir_ref vmap_external(const pass_batch *q, ir_ref r);
/* x, a result of that for node r of q->of, with the samples apart. */
ir_ref vmap_apart(const pass_batch *q, ir_ref r, ir_ref x);

#endif
