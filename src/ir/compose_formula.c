/* compose_formula.c - how compositions of one formula (formulas.def) take their operands, and what losses do with their elements. */
#include "src/ir/compose.h"

bool ir_formula_in(ir_graph *g, ir_ref *const *x, unsigned n, bool same, bz_dtype *t) {
    ir_ref all[4] = {0};
    bz_assert(n <= BZ_LEN(all));
    for (unsigned i = 0; i < n; i++)
        if (!(all[i] = *x[i])) return false;
    if (n > 1 && !ir_broadcasts(g, IR_SUB, all, n)) return false;
    *t = ir_dtype_beside(g, IR_NIL, all, n);
    bz_dtype in = same ? *t : ir_compute_dtype(ir_is_smooth(*t) ? *t : BZ_F32);
    for (unsigned i = 0; i < n; i++) *x[i] = ir_cast(g, all[i], in);
    return true;
}

/* The number of elements along axis 0, 1 of a 0-d value. */
static ir_ref batch(ir_graph *g, ir_ref x) {
    bool first[IR_MAX_RANK] = {ir_at(g, x)->rank > 0};
    return ir_count(g, x, first, ir_dtype(g, x));
}

ir_ref ir_loss_out(ir_graph *g, const char *name, ir_ref x, int reduction, bz_dtype t) {
    if (!x) return 0;
    if (ir_is_complex(ir_dtype(g, x)))
        return ir_error_as(g, BZ_EDTYPE, name, "not for complex numbers");
    switch (reduction) {
    case IR_REDUCTION_NONE: return ir_math_out(g, x, t);
    case IR_REDUCTION_MEAN: return ir_math_out(g, ir_mean(g, x, NULL, 0, false), t);
    case IR_REDUCTION_SUM: return ir_math_out(g, ir_reduce(g, IR_SUM, x, NULL, 0, false), t);
    case IR_REDUCTION_BATCHMEAN: {
        ir_ref n = batch(g, x), sum = ir_reduce(g, IR_SUM, x, NULL, 0, false);
        return ir_math_out(g, ir_over(g, sum, n), t);
    }
    default: return ir_error_as(g, BZ_EARG, name, "there is no reduction %d", reduction);
    }
}

ir_ref ir_at_least_unseen(ir_graph *g, ir_ref x, double least) {
    ir_ref f = ir_build2(g, IR_MAX, ir_build1(g, IR_STOP_GRADIENT, x), ir_num(g, x, least));
    ir_ref stand = ir_stand_in(g, f), d = ir_stand_in(g, f);
    return d ? ir_result(g, ir_custom_grad(g, (ir_ref[]){f, stand, d, x, d}, 1, 1), 0) : 0;
}
