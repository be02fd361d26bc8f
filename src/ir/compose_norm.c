/* compose_norm.c - norms of vectors, and what is made of them: distances, directions, angles.
 *
 * Where a norm is 0 its gradient is 0, as PyTorch's: roots get a 1 there that nothing flows into. */
#include "src/ir/complex.h"
#include "src/ir/compose.h"

#include <math.h>

/* x, but 1 where it is 0; *zero: is it? */
static ir_ref not_zero(ir_graph *g, ir_ref x, ir_ref *zero) {
    *zero = ir_build2(g, IR_EQ, x, ir_num(g, x, 0));
    return ir_build3(g, IR_SELECT, *zero, ir_num(g, x, 1), x);
}

/* x^p, x >= 0; 0 where x is 0, p > 0, with gradient 0. */
static ir_ref power(ir_graph *g, ir_ref x, double p) {
    ir_ref zero, safe = not_zero(g, x, &zero);
    ir_ref y = p == 0.5 ? ir_build1(g, IR_SQRT, safe) : ir_build2(g, IR_POW, safe, ir_num(g, x, p));
    return ir_build3(g, IR_SELECT, zero, ir_num(g, x, 0), y);
}

/* The norm of order p over the axes of x, which is in op-math. */
static ir_ref norm_of(ir_graph *g, ir_ref x, double p, const int *axes, unsigned n, bool keepdim) {
    ir_ref a = ir_build1(g, IR_ABS, x);
    if (a && ir_is_complex(ir_dtype(g, x))) x = a;
    if (p == 2) return power(g, ir_reduce(g, IR_SUM, ir_times(g, x, x), axes, n, keepdim), 0.5);
    if (p == 1) return ir_reduce(g, IR_SUM, a, axes, n, keepdim);
    if (isinf(p)) return ir_reduce(g, p > 0 ? IR_RMAX : IR_RMIN, a, axes, n, keepdim);
    if (p == 0) {
        ir_ref there = ir_cast(g, ir_build2(g, IR_NE, x, ir_num(g, x, 0)), ir_dtype(g, x));
        return ir_reduce(g, IR_SUM, there, axes, n, keepdim);
    }
    ir_ref each = p > 0 ? power(g, a, p) : ir_build2(g, IR_POW, a, ir_num(g, x, p));
    ir_ref sum = ir_reduce(g, IR_SUM, each, axes, n, keepdim);
    return p > 0 ? power(g, sum, 1 / p) : ir_build2(g, IR_POW, sum, ir_num(g, x, 1 / p));
}

ir_ref ir_vector_norm(ir_graph *g, ir_ref x, double ord, const int *axes, unsigned naxes,
                      bool keepdim) {
    bool set[IR_MAX_RANK];
    if (!x || !ir_axis_set(g, "vector_norm", x, axes, naxes, set)) return 0;
    bz_dtype t = ir_dtype(g, x);
    return ir_math_out(g, norm_of(g, ir_math_in(g, x), ord, axes, naxes, keepdim), t);
}

/* The larger of x and a number, to which no gradient flows, as clamp_min: what ties keeps it. */
static ir_ref at_least(ir_graph *g, ir_ref x, double least) {
    ir_ref limit = ir_num(g, x, least), below = ir_build2(g, IR_LT, x, limit);
    return ir_build3(g, IR_SELECT, below, limit, x);
}

ir_ref ir_normalize(ir_graph *g, ir_ref x, double p, int axis, double eps) {
    unsigned at;
    if (!x || !ir_axis_of(g, "normalize", x, axis, 0, &at)) return 0;
    bz_dtype t = ir_dtype(g, x);
    x = ir_math_in(g, x);
    ir_ref size = at_least(g, norm_of(g, x, p, (int[]){(int)at}, 1, true), eps);
    return ir_math_out(g, ir_over(g, x, size), t);
}

/* x and y in their op-math and of one shape; false and an error where they don't broadcast. */
static bool pair_in(ir_graph *g, ir_ref *x, ir_ref *y, bz_dtype *t) {
    ir_dim dims[IR_MAX_RANK];
    if (!ir_formula_in(g, (ir_ref *[]){x, y}, 2, false, t)) return false;
    int rank = ir_common_shape(g, IR_SUB, (ir_ref[]){*x, *y}, 2, dims);
    if (rank < 0) return false;
    *x = ir_expand_dims_like(g, *x, dims, (unsigned)rank);
    *y = ir_expand_dims_like(g, *y, dims, (unsigned)rank);
    return *x && *y;
}

ir_ref ir_cosine_similarity(ir_graph *g, ir_ref x, ir_ref y, int axis, double eps) {
    if ((x && ir_is_complex(ir_dtype(g, x))) || (y && ir_is_complex(ir_dtype(g, y))))
        return ir_not_for_complex(g, IR_NIL, "cosine_similarity");
    unsigned at;
    bz_dtype t;
    if (!pair_in(g, &x, &y, &t) || !ir_axis_of(g, "cosine_similarity", x, axis, 0, &at)) return 0;
    const int along = (int)at;
    ir_ref nx = ir_at_least_unseen(g, norm_of(g, x, 2, &along, 1, true), eps);
    ir_ref ny = ir_at_least_unseen(g, norm_of(g, y, 2, &along, 1, true), eps);
    ir_ref ux = ir_over(g, x, nx), uy = ir_over(g, y, ny);
    return ir_math_out(g, ir_reduce(g, IR_SUM, ir_times(g, ux, uy), &along, 1, false), t);
}

/* The norm of x - y + eps over the last axis. */
static ir_ref distance(ir_graph *g, ir_ref x, ir_ref y, double p, double eps, bool keepdim) {
    ir_ref d = ir_minus(g, x, y);
    return norm_of(g, ir_plus(g, d, ir_num(g, d, eps)), p, (int[]){-1}, 1, keepdim);
}

ir_ref ir_pairwise_distance(ir_graph *g, ir_ref x, ir_ref y, double p, double eps, bool keepdim) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    return ir_math_out(g, distance(g, x, y, p, eps, keepdim), t);
}

ir_ref ir_triplet_margin_loss(ir_graph *g, ir_ref anchor, ir_ref positive, ir_ref negative,
                              double margin, double p, double eps, bool swap, int reduction) {
    bz_dtype t;
    if (!ir_formula_in(g, (ir_ref *[]){&anchor, &positive, &negative}, 3, false, &t)) return 0;
    if (!(margin > 0))
        return ir_error_as(g, BZ_EARG, "triplet_margin_loss", "margin > 0 is needed");
    ir_ref near = distance(g, anchor, positive, p, eps, false);
    ir_ref far = distance(g, anchor, negative, p, eps, false);
    if (swap) far = ir_build2(g, IR_MIN, far, distance(g, positive, negative, p, eps, false));
    ir_ref loss = ir_plus(g, ir_minus(g, near, far), ir_num(g, near, margin));
    return ir_loss_out(g, "triplet_margin_loss", at_least(g, loss, 0), reduction, t);
}

/* x y / sqrt((x x + eps) (y y + eps)) along the last axis, as PyTorch has it in this loss. */
ir_ref ir_cosine_embedding_loss(ir_graph *g, ir_ref x, ir_ref y, ir_ref target, double margin,
                                int reduction) {
    if ((x && ir_is_complex(ir_dtype(g, x))) || (y && ir_is_complex(ir_dtype(g, y))))
        return ir_not_for_complex(g, IR_NIL, "cosine_embedding_loss");
    bz_dtype t;
    const int last = -1;
    if (!target || !ir_formula_in(g, (ir_ref *[]){&x, &y}, 2, false, &t)) return 0;
    if (ir_at(g, x)->rank == 0 && ir_at(g, y)->rank == 0)
        return ir_error_as(g, BZ_ESHAPE, "cosine_embedding_loss", "%s and %s have no axis",
                           ir_shape_text(g, x), ir_shape_text(g, y));
    ir_ref dot = ir_reduce(g, IR_SUM, ir_times(g, x, y), &last, 1, false);
    ir_ref sx = ir_reduce(g, IR_SUM, ir_times(g, x, x), &last, 1, false);
    ir_ref sy = ir_reduce(g, IR_SUM, ir_times(g, y, y), &last, 1, false);
    ir_ref ex = ir_plus(g, sx, ir_num(g, x, 1e-12)), ey = ir_plus(g, sy, ir_num(g, x, 1e-12));
    ir_ref angle = ir_over(g, dot, ir_build1(g, IR_SQRT, ir_times(g, ex, ey)));
    target = ir_cast(g, target, ir_dtype(g, x));
    ir_ref one = ir_num(g, x, 1), zero = ir_num(g, x, 0), like = ir_build2(g, IR_EQ, target, one);
    ir_ref near = ir_build3(g, IR_SELECT, like, ir_minus(g, one, angle), zero);
    ir_ref unlike = ir_build2(g, IR_EQ, target, ir_num(g, x, -1));
    ir_ref over = at_least(g, ir_minus(g, angle, ir_num(g, x, margin)), 0);
    ir_ref far = ir_build3(g, IR_SELECT, unlike, over, zero);
    return ir_loss_out(g, "cosine_embedding_loss", ir_plus(g, near, far), reduction, t);
}
