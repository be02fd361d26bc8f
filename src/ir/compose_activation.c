/* compose_activation.c - activations that are more than one formula (formulas.def): those of parts of x, with weights, of rows. */
#include "src/ir/compose.h"

/* weight [C] as [C, 1, 1 ...], beside axis 1 of x. */
static ir_ref beside_channels(ir_graph *g, ir_ref x, ir_ref weight) {
    ir_dim dims[IR_MAX_RANK], one = ir_dim_const(g, 1);
    unsigned rank = ir_at(g, x)->rank;
    if (rank < 3) return weight;
    for (unsigned a = 1; a < rank - 1; a++) dims[a] = one;
    dims[0] = ir_dims(g, ir_at(g, weight))[0];
    return ir_reshape_dims(g, weight, dims, rank - 1);
}

ir_ref ir_prelu(ir_graph *g, ir_ref x, ir_ref weight) {
    if (!x || !weight) return 0;
    bz_dtype t = ir_dtype(g, x);
    const ir_node *nx = ir_at(g, x), *nw = ir_at(g, weight);
    int64_t count = 1;
    bool single = ir_numel(g, weight, &count) && count == 1 && nw->rank < 2;
    bool fits = nw->rank == 1 && nx->rank > 1 && ir_dims(g, nw)[0] == ir_dims(g, nx)[1];
    if (!single && !fits)
        return ir_error_as(
            g, BZ_ESHAPE, "prelu",
            "weight %s is neither one number nor one for each channel of %s, its axis 1",
            ir_shape_text(g, weight), ir_shape_text(g, x));
    x = ir_math_in(g, x);
    weight = ir_math_in(g, weight);
    weight = single ? ir_reshape_dims(g, weight, NULL, 0) : beside_channels(g, x, weight);
    ir_ref above = ir_build2(g, IR_GT, x, ir_num(g, x, 0)), below = ir_times(g, x, weight);
    return ir_math_out(g, ir_build3(g, IR_SELECT, above, x, below), t);
}

ir_ref ir_glu(ir_graph *g, ir_ref x, int axis) {
    unsigned at;
    int64_t n = 0;
    bz_dtype t = ir_dtype(g, x);
    if (!x || !ir_axis_of(g, "glu", x, axis, 0, &at)) return 0;
    if (ir_at(g, x)->rank == 0)
        return ir_error_as(g, BZ_EAXIS, "glu", "%s has no axis to halve", ir_shape_text(g, x));
    if (!ir_dim_value(g, ir_dims(g, ir_at(g, x))[at], &n) || n % 2)
        return ir_error_as(g, BZ_ESHAPE, "glu", "axis %d of %s is not known to be even", axis,
                           ir_shape_text(g, x));
    x = ir_math_in(g, x);
    ir_ref left = ir_narrow(g, x, (int)at, 0, n / 2),
           right = ir_narrow(g, x, (int)at, n / 2, n / 2);
    ir_ref gate = ir_build1(g, IR_SIGMOID, right);
    return ir_math_out(g, ir_times(g, left, gate), t);
}

ir_ref ir_softmin(ir_graph *g, ir_ref x, int axis) {
    unsigned at;
    if (!x || !ir_axis_of(g, "softmin", x, axis, 0, &at)) return 0;
    bz_dtype t = ir_dtype(g, x);
    ir_ref minus = ir_build1(g, IR_NEG, ir_math_in(g, x));
    return ir_math_out(g, ir_softmax(g, minus, (int)at), t);
}
