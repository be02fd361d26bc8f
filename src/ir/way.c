/* way.c - how elements are combined where one comes after another: their names, ops, and what changes nothing. */
#include "src/ir/ir.h"

static const struct way {
    const char *name;
    ir_op op;
} ways[] = {
    [IR_BY_SUM] = {"sum", IR_ADD},   [IR_BY_PROD] = {"prod", IR_MUL},
    [IR_BY_MAX] = {"max", IR_MAX},   [IR_BY_MIN] = {"min", IR_MIN},
    [IR_BY_LOG] = {"logaddexp", IR_LOGADDEXP}, [IR_BY_LAST] = {"last", IR_NIL},
};
_Static_assert(BZ_LEN(ways) == IR_NWAYS, "a row for each way");

const char *ir_way_name(ir_way w) {
    return ways[w].name;
}

ir_op ir_way_op(ir_way w) {
    return ways[w].op;
}

ir_bits ir_way_start(ir_way w, bz_dtype t) {
    switch (w) {
    case IR_BY_PROD: return ir_bits_from_i64(t, 1);
    case IR_BY_MAX:
    case IR_BY_LOG: return ir_lowest(t);
    case IR_BY_MIN: return ir_highest(t);
    default: return ir_is_float(t) ? ir_bits_from_f64(t, -0.0) : 0;
    }
}
