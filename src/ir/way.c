/* way.c - how elements are combined where one comes after another: their names, ops, and what changes nothing. */
#include "src/ir/ir.h"

#include <math.h>

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

/* The lowest and highest of an integer dtype. */
static int64_t integer_end(bz_dtype t, bool high) {
    const unsigned bits = ir_dtypes[t].bits;
    const bool without_sign = t == BZ_BOOL || t == BZ_U8;
    if (t == BZ_BOOL) return high;
    if (bits == 64) return high ? INT64_MAX : INT64_MIN;
    if (without_sign) return high ? (INT64_C(1) << bits) - 1 : 0;
    return high ? (INT64_C(1) << (bits - 1)) - 1 : -(INT64_C(1) << (bits - 1));
}

ir_bits ir_way_start(ir_way w, bz_dtype t) {
    const bool whole = !ir_is_float(t);
    switch (w) {
    case IR_BY_PROD: return ir_bits_from_i64(t, 1);
    case IR_BY_MAX:
    case IR_BY_LOG:
        return whole ? ir_bits_from_i64(t, integer_end(t, false)) : ir_bits_from_f64(t, -HUGE_VAL);
    case IR_BY_MIN:
        return whole ? ir_bits_from_i64(t, integer_end(t, true)) : ir_bits_from_f64(t, HUGE_VAL);
    default: return whole ? 0 : ir_bits_from_f64(t, -0.0);
    }
}
