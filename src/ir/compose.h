/* compose.h - what the compositions share: axes, op-math, arithmetic. */
#ifndef BRAZE_IR_COMPOSE_H
#define BRAZE_IR_COMPOSE_H

#include "src/ir/ir.h"

/* *out = axis as 0 .. rank + more - 1; false and an error that names `name` when it is outside.
 * `more` = 1 where the axis of a result is meant that has one more than x. */
bool ir_axis_of(ir_graph *g, const char *name, ir_ref x, int axis, unsigned more, unsigned *out);
/* set[a]: a is one of the n axes (n = 0: all); false and an error on one outside or repeated. */
bool ir_axis_set(ir_graph *g, const char *name, ir_ref x, const int *axes, unsigned n, bool *set);
/* Op-math: x in the dtype in which compositions compute it (f16, bf16, integers and bool: f32), and
 * a result back in the dtype that goes with `t`, that of the operand: of complex t, where the result is real, that of its parts. */
ir_ref ir_math_in(ir_graph *g, ir_ref x);
ir_ref ir_math_out(ir_graph *g, ir_ref y, bz_dtype t);
/* A 0-d operand in dtype t; 0 and an error that names `what` of `name` for any other shape. */
ir_ref ir_scalar_in(ir_graph *g, const char *name, const char *what, ir_ref x, bz_dtype t);
/* Number of elements of x along the axes as a 0-d value of dtype t (of complex t: of its parts), for symbolic shapes too. */
ir_ref ir_count(ir_graph *g, ir_ref x, const bool *set, bz_dtype t);
/* x with a reduced axis put back as size 1 at place `axis`, as keepdim does. */
ir_ref ir_keep_axis(ir_graph *g, ir_ref x, unsigned axis);
/* The shape of x, which must be known, and its axis from the front, which it must have: a 0-d value has none here. */
bool ir_axis_of_known(ir_graph *g, const char *name, ir_ref x, int axis, int64_t *shape,
                      unsigned *at);
/* Elements start .. start + n - 1 of axis `at` of x, whose shape it is, and all of the other axes. */
ir_ref ir_part_of(ir_graph *g, ir_ref x, const int64_t *shape, unsigned at, int64_t start,
                  int64_t n);
/* Room for n parts; false and an error that names `name`: there is none. */
bool ir_parts_new(ir_graph *g, const char *name, unsigned n, ir_parts *parts);

/* compose_formula.c: what formulas_made.c begins and ends with. Operands in the dtype that they are promoted to together, in that of its
 * op-math unless `same`; *t: the one that goes with the result. false: an operand is missing. */
bool ir_formula_in(ir_graph *g, ir_ref *const *x, unsigned n, bool same, bz_dtype *t);
enum ir_words {
#define IR_WORD(type, word, NAME, number) IR_##NAME = number,
#include "src/ir/words.def"
};
/* The larger of x and a number, with the gradient of x: what PyTorch clamps behind autograd's back. */
ir_ref ir_at_least_unseen(ir_graph *g, ir_ref x, double least);
/* Losses of single elements in op-math, reduced as words.def says, in dtype t. */
ir_ref ir_loss_out(ir_graph *g, const char *name, ir_ref x, int reduction, bz_dtype t);

/* compose_random.c: a stream's words. Number of the first word of each element: offset + words * (its row-major index), in the shape asked
 * for; 0 and an error that names `name`: key or offset are no i64. */
ir_ref ir_first_word(ir_graph *g, const char *name, const ir_dim *dims, unsigned rank, ir_ref key,
                     ir_ref offset, unsigned words);
/* Both expanded to the shape that they broadcast to: each element draws for itself. false and an error. */
static inline bool ir_spread(ir_graph *g, ir_ref *x, ir_ref *y) {
    ir_dim dims[IR_MAX_RANK];
    if (!*x || !*y) return false;
    const int rank = ir_common_shape(g, IR_SUB, (ir_ref[]){*x, *y}, 2, dims);
    if (rank < 0) return false;
    *x = ir_expand_dims_like(g, *x, dims, (unsigned)rank);
    *y = ir_expand_dims_like(g, *y, dims, (unsigned)rank);
    return *x && *y;
}
/* The number of word k of what begins at word n, a multiple of 4: a block of words is computed once. */
ir_ref ir_word_at(ir_graph *g, ir_ref n, int64_t k);
/* Word n as an i64 in 0 .. 2^32 - 1, its lowest `drop` bits shifted out. */
ir_ref ir_stream_word(ir_graph *g, ir_ref n, ir_ref key, int drop);
/* 53 random bits from words n and n + 1 as an i64. */
ir_ref ir_bits53(ir_graph *g, ir_ref n, ir_ref key);

static inline ir_ref ir_plus(ir_graph *g, ir_ref x, ir_ref y) {
    return ir_build2(g, IR_ADD, x, y);
}
static inline ir_ref ir_minus(ir_graph *g, ir_ref x, ir_ref y) {
    return ir_build2(g, IR_SUB, x, y);
}
static inline ir_ref ir_times(ir_graph *g, ir_ref x, ir_ref y) {
    return ir_build2(g, IR_MUL, x, y);
}
static inline ir_ref ir_over(ir_graph *g, ir_ref x, ir_ref y) {
    return ir_build2(g, IR_DIV, x, y);
}
/* A 0-d constant of x's dtype; beside complex numbers a real one of their parts'. */
static inline ir_ref ir_num(ir_graph *g, ir_ref x, double v) {
    return ir_const_f(g, ir_part_dtype(ir_dtype(g, x)), v);
}

#endif
