/* compose_gcd.c - greatest common divisors, by halves (Stein), and least common multiples.
 *
 *     a, b odd:  a, b = min(a, b), |a - b| without its zero bits at the end       a + b halves in each turn: as many turns as bits
 *
 * |INT_MIN| wraps to itself, as in PyTorch and NumPy. */
#include "src/ir/compose.h"

static bz_dtype unsigned_of(bz_dtype t) {
    static const bz_dtype same[BZ_NDTYPES] = {
        [BZ_I8] = BZ_U8, [BZ_I16] = BZ_U16, [BZ_I32] = BZ_U32, [BZ_I64] = BZ_U64};
    return same[t] ? same[t] : t;
}

/* Zero bits at the end of x; of 0 all. */
static ir_ref zeros_behind(ir_graph *g, ir_ref x) {
    ir_ref last = ir_build2(g, IR_AND, x, ir_build1(g, IR_NEG, x));
    return ir_build1(g, IR_POPCOUNT, ir_minus(g, last, ir_const_i(g, ir_dtype(g, x), 1)));
}

static ir_ref odd_part(ir_graph *g, ir_ref x) {
    return ir_build2(g, IR_LSHR, x, zeros_behind(g, x));
}

/* x and y in the dtype that both go to, *t; false and an error: these are no integers. */
static bool integers(ir_graph *g, const char *name, ir_ref *x, ir_ref *y, bz_dtype *t) {
    ir_ref both[2] = {*x, *y};
    if (!*x || !*y || !ir_broadcasts(g, IR_SUB, both, 2)) return false;
    *t = ir_dtype_beside(g, IR_NIL, both, 2);
    if (!ir_is_int(*t) || *t == BZ_BOOL)
        return ir_error_as(g, BZ_EDTYPE, name, "wants integers of one kind, got %s and %s",
                           ir_shape_text(g, *x), ir_shape_text(g, *y)),
               false;
    *x = ir_cast(g, both[0], *t);
    *y = ir_cast(g, both[1], *t);
    return true;
}

static ir_ref gcd(ir_graph *g, ir_ref x, ir_ref y, bz_dtype t) {
    const bz_dtype u = unsigned_of(t);
    ir_ref a = ir_cast(g, ir_build1(g, IR_ABS, x), u), b = ir_cast(g, ir_build1(g, IR_ABS, y), u);
    ir_ref shift = zeros_behind(g, ir_build2(g, IR_OR, a, b));
    a = odd_part(g, a);
    b = odd_part(g, b);
    for (unsigned turn = 0; turn <= ir_dtypes[t].bits && a && b; turn++) {
        ir_ref less = ir_build2(g, IR_MIN, a, b), more = ir_build2(g, IR_MAX, a, b);
        b = odd_part(g, ir_minus(g, more, less));
        a = less;
    }
    ir_ref odd = ir_build2(g, IR_OR, a, b); /* one of them is 0 */
    return ir_cast(g, ir_build2(g, IR_SHL, odd, shift), t);
}

ir_ref ir_gcd(ir_graph *g, ir_ref x, ir_ref y) {
    bz_dtype t;
    return integers(g, "gcd", &x, &y, &t) ? gcd(g, x, y, t) : 0;
}

ir_ref ir_lcm(ir_graph *g, ir_ref x, ir_ref y) {
    bz_dtype t;
    if (!integers(g, "lcm", &x, &y, &t)) return 0;
    ir_ref part = ir_build2(g, IR_IDIV, x, gcd(g, x, y, t)); /* 0 / 0 is 0 */
    return ir_build1(g, IR_ABS, ir_times(g, part, y));
}
