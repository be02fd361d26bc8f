/* compose_class.c - losses of classes: cross entropy, negative log likelihood, margins between a row's classes.
 *
 * The class is found by comparing along the axis of classes, inside the row; one that is outside 0 .. C-1, unless it is the one to ignore,
 * makes its row, and so the loss, NaN. */
#include "src/ir/compose.h"

/* What a loss of classes is about: x in op-math, its axis of classes; target: integers, one a row. */
typedef struct classes {
    ir_graph *g;
    const char *name;
    ir_ref x, target, weight; /* weight: [C] or 0 */
    int axis;
    int64_t ignore; /* INT64_MIN: none */
} classes;

static bool no_class(const ir_graph *g, ir_ref x, int axis) {
    int64_t v;
    return ir_dim_value(g, ir_dims(g, ir_at(g, x))[axis], &v) && v == 0;
}

/* Has the target the axes of x, `without` left out (-1: none)? */
static bool target_fits(const ir_graph *g, ir_ref x, ir_ref target, int without) {
    unsigned n = 0, rank = ir_at(g, target)->rank;
    for (int a = 0; a < (int)ir_at(g, x)->rank; a++) {
        if (a == without) continue;
        if (n == rank || ir_dims(g, ir_at(g, x))[a] != ir_dims(g, ir_at(g, target))[n++])
            return false;
    }
    return n == rank;
}

/* False and an error unless x, target, which has classes by their number or a probability of each, and weight fit. */
static bool check(const classes *c, bool by_number) {
    ir_graph *g = c->g;
    const ir_ref x = c->x, target = c->target, w = c->weight;
    if (by_number && (ir_dtype(g, target) == BZ_BOOL || !ir_is_int(ir_dtype(g, target))))
        return ir_error_as(g, BZ_EDTYPE, c->name, "the target is %s: integer classes are needed",
                           ir_shape_text(g, target)),
               false;
    if (ir_at(g, x)->rank == 0 || !target_fits(g, x, target, by_number ? c->axis : -1))
        return ir_error_as(g, BZ_ESHAPE, c->name,
                           "target %s does not fit %s, whose axis %d is the classes",
                           ir_shape_text(g, target), ir_shape_text(g, x), c->axis),
               false;
    if (no_class(g, x, c->axis))
        return ir_error_as(g, BZ_ESHAPE, c->name, "%s has no class", ir_shape_text(g, x)), false;
    if (w &&
        (ir_at(g, w)->rank != 1 || ir_dims(g, ir_at(g, w))[0] != ir_dims(g, ir_at(g, x))[c->axis]))
        return ir_error_as(g, BZ_ESHAPE, c->name, "weight %s is not one for each class of %s",
                           ir_shape_text(g, w), ir_shape_text(g, x)),
               false;
    return true;
}

/* A vector over the classes, beside x: [C, 1, 1 ...] */
static ir_ref beside(const classes *c, ir_ref v) {
    ir_dim dims[IR_MAX_RANK], one = ir_dim_const(c->g, 1);
    unsigned rank = ir_at(c->g, c->x)->rank - (unsigned)c->axis;
    for (unsigned a = 1; a < rank; a++) dims[a] = one;
    dims[0] = ir_dims(c->g, ir_at(c->g, c->x))[c->axis];
    return v ? ir_reshape_dims(c->g, v, dims, rank)
             : ir_iota(c->g, BZ_I64, dims, rank, 0); /* the number of each class */
}

/* Of values v, which broadcast to x, that of each row's class. */
static ir_ref own(const classes *c, ir_ref v) {
    ir_graph *g = c->g;
    ir_ref numbers = beside(c, 0);
    ir_ref hit = ir_build2(g, IR_EQ, ir_unsqueeze(g, c->target, c->axis), numbers);
    ir_ref there = ir_build3(g, IR_SELECT, hit, v, ir_num(g, v, 0));
    return ir_reduce(g, IR_SUM, there, &c->axis, 1, false);
}

/* NaN where the class is outside of 0 .. C-1. */
static ir_ref or_nan(const classes *c, ir_ref loss) {
    ir_graph *g = c->g;
    bool row[IR_MAX_RANK] = {false};
    if (!loss) return 0;
    row[c->axis] = true;
    ir_ref low = ir_build2(g, IR_LE, ir_const_i(g, BZ_I64, 0), c->target);
    ir_ref high = ir_build2(g, IR_LT, c->target, ir_count(g, c->x, row, BZ_I64));
    return ir_build3(g, IR_SELECT, ir_build2(g, IR_AND, low, high), loss,
                     ir_num(g, c->x, __builtin_nan("")));
}

/* Losses of rows times the weight of their class, 0 for the class to ignore, reduced; a mean is one of the weights. */
static ir_ref reduced(const classes *c, ir_ref rows, ir_ref smooth, int reduction, bz_dtype t) {
    ir_graph *g = c->g;
    if (!rows) return 0;
    if (!c->weight && !smooth && c->ignore == INT64_MIN)
        return ir_loss_out(g, c->name, rows, reduction, t);
    ir_ref each = c->weight ? own(c, beside(c, c->weight)) : ir_const_like(g, rows, 1);
    if (c->weight) rows = ir_times(g, rows, each);
    if (smooth) rows = ir_plus(g, rows, smooth);
    ir_ref ignored = ir_build2(g, IR_EQ, c->target, ir_const_i(g, BZ_I64, c->ignore));
    ir_ref none = ir_num(g, rows, 0);
    rows = ir_build3(g, IR_SELECT, ignored, none, rows);
    if (reduction != IR_REDUCTION_MEAN) return ir_loss_out(g, c->name, rows, reduction, t);
    ir_ref sum = ir_reduce(g, IR_SUM, rows, NULL, 0, false);
    ir_ref share = ir_build3(g, IR_SELECT, ignored, none, each);
    return ir_math_out(g, ir_over(g, sum, ir_reduce(g, IR_SUM, share, NULL, 0, false)), t);
}

/* ---- cross entropy */

/* -log p of each row's class: log sum e^s - s[class] with s = x - max. */
static ir_ref class_loss(const classes *c) {
    ir_graph *g = c->g;
    ir_ref from = ir_build1(g, IR_STOP_GRADIENT, c->x);
    ir_ref shifted = ir_minus(g, c->x, ir_reduce(g, IR_RMAX, from, &c->axis, 1, true));
    ir_ref sum = ir_reduce(g, IR_SUM, ir_build1(g, IR_EXP, shifted), &c->axis, 1, false);
    ir_ref log_sum = ir_build1(g, IR_LOG, sum);
    return or_nan(c, ir_minus(g, log_sum, own(c, shifted)));
}

/* The share of all classes in a smoothed loss: -sum of w log p, times by / C. */
static ir_ref smooth_loss(const classes *c, double by) {
    ir_graph *g = c->g;
    bool row[IR_MAX_RANK] = {false};
    row[c->axis] = true;
    ir_ref log = ir_log_softmax(g, c->x, c->axis);
    if (c->weight) log = ir_times(g, log, beside(c, c->weight));
    ir_ref sum = ir_reduce(g, IR_SUM, log, &c->axis, 1, false);
    ir_ref share = ir_over(g, ir_num(g, c->x, -by), ir_count(g, c->x, row, ir_dtype(g, c->x)));
    return ir_times(g, sum, share);
}

/* Against probabilities: the mean is one over rows, whatever they weigh. */
static ir_ref soft_loss(const classes *c, double smoothing, int reduction, bz_dtype t) {
    ir_graph *g = c->g;
    bool row[IR_MAX_RANK] = {false};
    row[c->axis] = true;
    ir_ref p = ir_math_in(g, c->target), log = ir_log_softmax(g, c->x, c->axis);
    if (smoothing > 0) {
        ir_ref even =
            ir_over(g, ir_num(g, c->x, smoothing), ir_count(g, c->x, row, ir_dtype(g, c->x)));
        p = ir_plus(g, ir_times(g, p, ir_num(g, p, 1 - smoothing)), even);
    }
    if (c->weight) p = ir_times(g, p, beside(c, c->weight));
    ir_ref rows = ir_reduce(g, IR_SUM, ir_times(g, p, log), &c->axis, 1, false);
    return ir_loss_out(g, c->name, ir_build1(g, IR_NEG, rows), reduction, t);
}

ir_ref ir_cross_entropy(ir_graph *g, ir_ref logits, ir_ref target, ir_ref weight,
                        int64_t ignore_index, int reduction, double label_smoothing) {
    if (!logits || !target) return 0;
    bz_dtype t = ir_dtype(g, logits);
    bool by_number = ir_is_int(ir_dtype(g, target));
    classes c = {g,           "cross_entropy", logits, target, weight, ir_at(g, logits)->rank > 1,
                 ignore_index};
    if (ir_dtype(g, target) == BZ_BOOL)
        return ir_error_as(g, BZ_EDTYPE, "cross_entropy",
                           "the target is %s: integer classes or probabilities are needed",
                           ir_shape_text(g, target));
    if (!(label_smoothing >= 0 && label_smoothing <= 1))
        return ir_error_as(g, BZ_EARG, "cross_entropy", "label_smoothing must be in 0 .. 1");
    if (!check(&c, by_number)) return 0;
    if (by_number) c.target = ir_as_index(g, target);
    c.x = ir_math_in(g, logits);
    if (weight) c.weight = ir_cast(g, weight, ir_dtype(g, c.x));
    if (!by_number) return soft_loss(&c, label_smoothing, reduction, t);
    ir_ref rows = class_loss(&c), smooth = 0;
    if (label_smoothing > 0) {
        rows = ir_times(g, rows, ir_num(g, c.x, 1 - label_smoothing));
        smooth = smooth_loss(&c, label_smoothing);
    }
    return reduced(&c, rows, smooth, reduction, t);
}

ir_ref ir_nll_loss(ir_graph *g, ir_ref x, ir_ref target, ir_ref weight, int64_t ignore_index,
                   int reduction) {
    if (!x || !target) return 0;
    bz_dtype t = ir_dtype(g, x);
    classes c = {g, "nll_loss", x, target, weight, ir_at(g, x)->rank > 1, ignore_index};
    if (!check(&c, true)) return 0;
    c.target = ir_as_index(g, target);
    c.x = ir_math_in(g, x);
    if (weight) c.weight = ir_cast(g, weight, ir_dtype(g, c.x));
    ir_ref rows = or_nan(&c, ir_build1(g, IR_NEG, own(&c, c.x)));
    return reduced(&c, rows, 0, reduction, t);
}

/* ---- margins */

ir_ref ir_multi_margin_loss(ir_graph *g, ir_ref x, ir_ref target, ir_ref weight, double p,
                            double margin, int reduction) {
    if (!x || !target) return 0;
    bz_dtype t = ir_dtype(g, x);
    bool row[IR_MAX_RANK] = {false};
    classes c = {g, "multi_margin_loss", x, target, weight, ir_at(g, x)->rank > 1, 0};
    if (p != 1 && p != 2) return ir_error_as(g, BZ_EARG, c.name, "p must be 1 or 2");
    if (ir_at(g, x)->rank > 2)
        return ir_error_as(g, BZ_ESHAPE, c.name, "%s is neither [C] nor [N, C]",
                           ir_shape_text(g, x));
    if (!check(&c, true)) return 0;
    c.target = ir_as_index(g, target);
    c.x = ir_math_in(g, x);
    if (weight) c.weight = ir_cast(g, weight, ir_dtype(g, c.x));
    row[c.axis] = true;
    ir_ref mine = ir_unsqueeze(g, own(&c, c.x), c.axis), zero = ir_num(g, c.x, 0);
    ir_ref z = ir_plus(g, ir_minus(g, c.x, mine), ir_num(g, c.x, margin));
    ir_ref numbers = beside(&c, 0);
    ir_ref other = ir_build2(g, IR_NE, ir_unsqueeze(g, c.target, c.axis), numbers);
    ir_ref counts = ir_build2(g, IR_AND, ir_build2(g, IR_LT, zero, z), other);
    ir_ref each = ir_build3(g, IR_SELECT, counts, p == 1 ? z : ir_times(g, z, z), zero);
    ir_ref sum = ir_reduce(g, IR_SUM, each, &c.axis, 1, false);
    if (weight) sum = ir_times(g, sum, own(&c, beside(&c, c.weight)));
    ir_ref loss = ir_over(g, sum, ir_count(g, c.x, row, ir_dtype(g, c.x)));
    return ir_loss_out(g, c.name, or_nan(&c, loss), reduction, t);
}
