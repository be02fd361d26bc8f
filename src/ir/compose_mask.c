/* compose_mask.c - elements chosen by a mask, or taken at places of the whole, with results whose sizes are known. */
#include "src/ir/compose.h"

ir_ref ir_take(ir_graph *g, ir_ref x, ir_ref index, int axis) {
    if (!x || !index) return 0;
    return axis == IR_FLAT ? ir_gather(g, ir_flatten(g, x, 0, -1), index, 0)
                           : ir_gather(g, x, index, axis);
}

static bool is_mask(ir_graph *g, const char *name, ir_ref mask) {
    if (ir_dtype(g, mask) == BZ_BOOL) return true;
    ir_error_as(g, BZ_EDTYPE, name, "the mask is %s, not bool", ir_shape_text(g, mask));
    return false;
}

ir_ref ir_masked_fill(ir_graph *g, ir_ref x, ir_ref mask, ir_ref value) {
    if (!x || !mask || !value || !is_mask(g, "masked_fill", mask)) return 0;
    value = ir_scalar_in(g, "masked_fill", "value", value, ir_dtype(g, x));
    return ir_build3(g, IR_SELECT, mask, value, x);
}

/* Where the mask is true for the k-th time, element k of source. */
ir_ref ir_masked_scatter(ir_graph *g, ir_ref x, ir_ref mask, ir_ref source) {
    if (!x || !mask || !source || !is_mask(g, "masked_scatter", mask)) return 0;
    if (ir_dtype(g, x) != ir_dtype(g, source))
        return ir_error_as(g, BZ_EDTYPE, "masked_scatter", "x is %s and source %s",
                           ir_shape_text(g, x), ir_shape_text(g, source));
    ir_ref wide = ir_expand_as(g, mask, x);
    if (!wide) return 0;
    ir_ref before = ir_cumsum(g, ir_flatten(g, wide, 0, -1), 0, false, true);
    ir_ref zero = ir_const_i(g, BZ_I64, 0);
    before = ir_build3(g, IR_SELECT, wide, ir_reshape_as(g, before, wide), zero);
    ir_ref next = ir_gather(g, ir_flatten(g, source, 0, -1), before, 0);
    return ir_build3(g, IR_SELECT, wide, next, x);
}
