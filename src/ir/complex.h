/* complex.h - complex tensors as pairs of real ones: what the constructors of ir.h do with complex operands.
 *
 *     z: c64[n]      %3 = real %z: f32[n]                      mul %z, %w   --recorded as-->   complex(re, im)
 *                    %4 = imag %z: f32[n]                                                      re = %3 * %5 - %4 * %6 ...
 *
 * Nodes of a complex dtype are inputs, `complex`, updates of windows, and what only hands values on (results of tuples, stand-ins, a tensor's
 * own node); all others are real, so that gradients, fusion and kernels are those of real numbers. src/passes/pairs.c makes the rest real. */
#ifndef BRAZE_IR_COMPLEX_H
#define BRAZE_IR_COMPLEX_H

#include "src/ir/ir.h"

typedef struct ir_pair {
    ir_ref re, im; /* im 0: a real number */
} ir_pair;

/* The parts of x; a real one has no imaginary part. */
ir_pair ir_parts_of(ir_graph *g, ir_ref x);

/* ---- pair.c: ir_append's, of a node with a complex operand or result: of ops that move, choose or add elements up one node for each part;
 * an error that the op is not for complex numbers for those that do otherwise. */
bool ir_keeps_complex(ir_op op); /* a node of this op may be complex itself */
typedef struct ir_new_node {
    ir_op op;
    bz_dtype dtype;
    const ir_dim *dims;
    unsigned rank;
    const ir_ref *in;
    unsigned nin;
    const int64_t *attr;
    unsigned nattr;
} ir_new_node;
ir_ref ir_append_parts(ir_graph *g, const ir_new_node *n);
ir_ref ir_not_for_complex(ir_graph *g, ir_op op, const char *name);
/* f, linear in each of two operands, of complex ones: (f(a, c) - f(b, d), f(a, d) + f(b, c)). */
typedef ir_ref ir_bilinear(ir_graph *g, ir_ref x, ir_ref y, const void *with);
ir_ref ir_of_parts(ir_graph *g, ir_bilinear *f, ir_ref x, ir_ref y, const void *with);
/* The product over axes, multiplied halves by halves. */
ir_ref ir_complex_prod(ir_graph *g, ir_ref x, const int64_t *axes, unsigned n);

/* ---- complex_elem.c: ir_build where what the operands come together in, t, is complex. */
ir_ref ir_build_complex(ir_graph *g, ir_op op, const ir_ref *x, unsigned n, bz_dtype t);
/* A complex x as a real dtype: its real part; as bool whether it is not 0. */
ir_ref ir_cast_real(ir_graph *g, ir_ref x, bz_dtype t);

/* compose_complex.c: sgn of complex numbers. */
ir_ref ir_complex_sgn(ir_graph *g, ir_ref x);

/* complex_made.c: of ops of one operand, made of complex.def; NULL: there is none. */
typedef ir_pair ir_complex_rule(ir_graph *g, ir_ref a, ir_ref b);
ir_complex_rule *ir_complex_rule_of(ir_op op);

#endif
