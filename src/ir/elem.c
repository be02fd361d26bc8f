/* elem.c - elementwise constructors: promotion and broadcasting as PyTorch does them, folding of constants, casts. */
#include "src/ir/complex.h"
#include "src/ir/value.h"

#include <string.h>

/* ---- promotion */

/* The dtype that operands come together in (0: not one of them; none at all: BZ_NDTYPES). 0-d operands count only where their
 * category is higher, or nothing else is there. */
static bz_dtype promoted(const ir_graph *g, const ir_ref *x, unsigned n) {
    ir_meeting m[2] = {ir_meeting_none(), ir_meeting_none()};
    for (unsigned i = 0; i < n; i++)
        if (x[i]) ir_meet(&m[ir_at(g, x[i])->rank == 0], ir_dtype(g, x[i]));
    const bz_dtype t = ir_met(&m[0]), scalar = ir_met(&m[1]);
    if (t == BZ_NDTYPES || scalar == BZ_NDTYPES) return scalar == BZ_NDTYPES ? t : scalar;
    return ir_category_of(scalar) > ir_category_of(t) ? ir_promote(t, scalar) : t;
}

bz_dtype ir_dtype_beside(const ir_graph *g, ir_op op, const ir_ref *x, unsigned n) {
    bool known = ir_op_is_elementwise(op);
    unsigned first = known && ir_ops[op].rule == IR_RULE_SELECT && n;
    bz_dtype t = promoted(g, first ? x + first : x, n - first); /* x may be NULL where n is 0 */
    bool floats = known && ir_ops[op].rule == IR_RULE_FLOAT;
    return floats && t != BZ_NDTYPES && !ir_is_smooth(t) ? BZ_F32 : t;
}

bz_dtype ir_dtype_beside_at(ir_op op, unsigned k, bz_dtype beside) {
    bool condition = ir_op_is_elementwise(op) && ir_ops[op].rule == IR_RULE_SELECT && k == 0;
    return condition ? BZ_BOOL : beside;
}

bool ir_number_allowed(ir_graph *g, ir_op op, unsigned k, ir_number v, bz_dtype t) {
    if (!ir_number_fits(t, v)) {
        char digits[IR_DIGITS];
        ir_error(g, BZ_EARG, op, "the number %s is larger than %s holds", ir_digits(digits, v),
                 ir_dtypes[t].name);
        return false;
    }
    if (op != IR_POW || k != 1 || v.kind != IR_CAT_INT || v.i >= 0 || v.huge || ir_is_smooth(t)) return true;
    ir_error(g, BZ_EARG, op, "an integer to the power %lld is no integer; cast it to a float first",
             (long long)v.i);
    return false;
}

static bool same_shapes(const ir_graph *g, const ir_ref *x, unsigned n) {
    for (unsigned i = 1; i < n; i++)
        if (!ir_same_shape(g, x[0], x[i])) return false;
    return true;
}

int ir_common_shape(ir_graph *g, ir_op op, const ir_ref *x, unsigned n, ir_dim *dims) {
    const ir_dim one = ir_dim_const(g, 1);
    unsigned rank = 0;
    for (unsigned i = 0; i < n; i++)
        rank = ir_at(g, x[i])->rank > rank ? ir_at(g, x[i])->rank : rank;
    for (unsigned d = 0, by = 0; d < rank; d++) {
        dims[d] = one;
        for (unsigned i = 0; i < n; i++) {
            const ir_node *s = ir_at(g, x[i]);
            ir_dim own = d + s->rank < rank ? one : ir_dims(g, s)[d + s->rank - rank];
            if (own == one || own == dims[d]) continue;
            if (dims[d] != one)
                return ir_error(g, BZ_ESHAPE, op, "shapes do not broadcast: %s and %s",
                                ir_shape_text(g, x[by]), ir_shape_text(g, x[i])),
                       -1;
            dims[d] = own;
            by = i;
        }
    }
    return (int)rank;
}

bool ir_broadcasts(ir_graph *g, ir_op op, const ir_ref *x, unsigned n) {
    ir_dim dims[IR_MAX_RANK];
    return ir_common_shape(g, op, x, n, dims) >= 0;
}

/* ---- the constructors */

/* The value when every operand is a constant of one value everywhere; false otherwise. */
static bool folded(const ir_graph *g, ir_op op, bz_dtype t, const ir_ref *x, unsigned n,
                   ir_bits *out) {
    ir_bits v[3] = {0};
    for (unsigned i = 0; i < n; i++)
        if (!ir_const_value(g, x[i], &v[i])) return false;
    const ir_vprog *p = ir_value(op, ir_dtype(g, x[op == IR_SELECT]), t);
    if (p) *out = ir_value_eval_bits(p, v);
    return p != NULL;
}

static ir_ref elem(ir_graph *g, ir_op op, bz_dtype t, const ir_ref *x, unsigned n) {
    ir_dim dims[IR_MAX_RANK];
    ir_bits v;
    unsigned rank = ir_at(g, x[0])->rank;
    memcpy(dims, ir_dims(g, ir_at(g, x[0])), rank * sizeof *dims);
    if (folded(g, op, t, x, n, &v)) return ir_const_bits(g, t, v, dims, rank);
    return ir_append(g, op, t, dims, rank, x, n, NULL, 0);
}

ir_ref ir_elem(ir_graph *g, ir_op op, const ir_ref *x, unsigned n) {
    bz_dtype in[3] = {BZ_BOOL}, t;
    bool complex = false;
    for (unsigned i = 0; i < n; i++) {
        if (!x[i]) return 0;
        in[i] = ir_dtype(g, x[i]);
        complex |= ir_is_complex(in[i]);
        if (!ir_same_shape(g, x[0], x[i]))
            return ir_error(g, BZ_ESHAPE, op, "shapes differ: %s and %s", ir_shape_text(g, x[0]),
                            ir_shape_text(g, x[i]));
    }
    if (complex) return ir_build(g, op, x, n);
    if (n != ir_ops[op].arity || !ir_op_result_dtype(op, in, &t))
        return ir_error(g, BZ_EDTYPE, op, "not defined for %s%s%s", ir_shape_text(g, x[0]),
                        n > 1 ? " and " : "", n > 1 ? ir_shape_text(g, x[1]) : "");
    return elem(g, op, t, x, n);
}

/* What a user means by a base op for integers, of floats: PyTorch's names hold for both. */
static ir_op of_floats(ir_op op) {
    return op == IR_IDIV ? IR_FLOORDIV : op == IR_IMOD ? IR_MOD : op;
}

/* An op of bits on what comes together in the float t. */
static ir_ref no_integers(ir_graph *g, ir_op op, const ir_ref *x, unsigned n, bz_dtype t) {
    for (unsigned i = 0; i < n; i++)
        if (ir_is_float(ir_dtype(g, x[i])))
            return ir_error(g, BZ_EDTYPE, op, "wants integers or bool, got %s",
                            ir_shape_text(g, x[i]));
    return ir_error(g, BZ_EDTYPE, op, "wants integers, but %s and %s come together in %s: cast one",
                    ir_shape_text(g, x[0]), ir_shape_text(g, x[1]), ir_dtypes[t].name);
}

/* ---- u64 beside integers with a sign, compared as numbers: what is below 0 is less than all, the rest are u64 */

static bool is_comparison(ir_op op) {
    return op == IR_EQ || op == IR_NE || op == IR_LT || op == IR_LE || op == IR_GT || op == IR_GE;
}

/* Which of both is the u64, -1: they come together as they are. */
static int u64_beside_signed(const ir_graph *g, ir_op op, const ir_ref *x) {
    const bz_dtype t[2] = {ir_dtype(g, x[0]), ir_dtype(g, x[1])};
    for (int k = 0; k < 2; k++)
        if (is_comparison(op) && t[k] == BZ_U64 && ir_is_int(t[!k]) && ir_is_signed(t[!k])) return k;
    return -1;
}

static ir_ref compared(ir_graph *g, ir_op op, const ir_ref *x, int wide) {
    ir_ref s = x[!wide], below = ir_build2(g, IR_LT, s, ir_const_i(g, ir_dtype(g, s), 0)), y[2];
    y[wide] = x[wide];
    y[!wide] = ir_cast(g, s, BZ_U64);
    ir_ref r = ir_build2(g, op, y[0], y[1]);
    const bool less = op == IR_LT || op == IR_LE, more = op == IR_GT || op == IR_GE;
    const bool then = op == IR_NE || (less && wide) || (more && !wide); /* what holds of a number below 0 */
    return then ? ir_build2(g, IR_OR, r, below)
                : ir_build2(g, IR_AND, r, ir_build1(g, IR_NOT, below));
}

ir_ref ir_build(ir_graph *g, ir_op op, const ir_ref *given, unsigned n) {
    ir_ref x[3];
    for (unsigned i = 0; i < n; i++)
        if (!(x[i] = given[i])) return 0;
    const int wide = n == 2 ? u64_beside_signed(g, op, x) : -1;
    if (wide >= 0) return compared(g, op, x, wide);
    if (n != ir_ops[op].arity)
        return ir_error(g, BZ_EARG, op, "takes %u operands, got %u", ir_ops[op].arity, n);
    unsigned first = ir_ops[op].rule == IR_RULE_SELECT ? 1 : 0;
    bz_dtype t = promoted(g, first ? x + first : x, n - first); /* x may be NULL where n is 0 */
    if (ir_ops[op].rule == IR_RULE_FLOAT && !ir_is_smooth(t)) t = BZ_F32;
    if (ir_is_float(t)) op = of_floats(op);
    if (ir_ops[op].rule == IR_RULE_INT && ir_is_float(t))
        return no_integers(g, op, x, n, t);
    if (first && ir_dtype(g, x[0]) != BZ_BOOL)
        return ir_error(g, BZ_EDTYPE, op, "the condition must be bool, got %s",
                        ir_shape_text(g, x[0]));
    if (ir_is_complex(t)) return ir_build_complex(g, op, x, n, t);
    ir_dim dims[IR_MAX_RANK];
    bool same = same_shapes(g, x, n); /* the usual case, and recording should cost little */
    int rank = same ? 0 : ir_common_shape(g, op, x, n, dims);
    if (rank < 0) return 0;
    for (unsigned i = first; i < n; i++) x[i] = ir_cast(g, x[i], t);
    for (unsigned i = 0; i < n && !same; i++)
        x[i] = ir_expand_dims_like(g, x[i], dims, (unsigned)rank);
    return ir_elem(g, op, x, n);
}

ir_ref ir_cast(ir_graph *g, ir_ref x, bz_dtype t) {
    if (!x || ir_dtype(g, x) == t) return x;
    const bz_dtype from = ir_dtype(g, x), part = ir_part_dtype(t);
    if (!ir_is_complex(from) && !ir_is_complex(t)) return elem(g, IR_CAST, t, &x, 1);
    if (!ir_is_complex(t))
        return ir_not_for_complex(g, IR_CAST, NULL);
    const ir_pair p = ir_parts_of(g, x);
    const ir_ref re = ir_cast(g, p.re, part);
    return re ? ir_complex(g, re, p.im ? ir_cast(g, p.im, part) : ir_const_like(g, re, 0)) : 0;
}

ir_ref ir_as_index(ir_graph *g, ir_ref x) {
    if (x && ir_dtype(g, x) == BZ_U64)
        x = ir_build2(g, IR_MIN, x, ir_const_i(g, BZ_U64, INT64_MAX));
    return ir_cast(g, x, BZ_I64);
}

ir_ref ir_bitcast(ir_graph *g, ir_ref x, bz_dtype t) {
    if (!x || ir_dtype(g, x) == t) return x;
    bz_dtype from = ir_dtype(g, x);
    if (ir_is_complex(t) || ir_is_complex(from)) return ir_not_for_complex(g, IR_BITCAST, NULL);
    if (t == BZ_BOOL || from == BZ_BOOL)
        return ir_error(g, BZ_EDTYPE, IR_BITCAST,
                        "%s to %s: a bool is a truth value, not bits; cast it",
                        ir_dtypes[from].name, ir_dtypes[t].name);
    if (ir_dtype_bytes(from) != ir_dtype_bytes(t))
        return ir_error(g, BZ_EDTYPE, IR_BITCAST, "%s and %s differ in size", ir_dtypes[from].name,
                        ir_dtypes[t].name);
    return elem(g, IR_BITCAST, t, &x, 1);
}
