/* range.c - between which numbers the 64-bit integers of a kernel lie, by what loops, constants and extents (lp_param.most) say. What
 * fits into 32 bits a GPU computes in 32: it has no others, and indices are most of a kernel's instructions.
 *
 * One walk in the order of the text: an operand stands before its user. What goes round a loop, is loaded or handed in may be anything. */
#include "src/ir/loops/facts.h"

/* Far enough from the ends of i32 that a lane's number, or a step of a loop, can be added. */
#define NARROW (INT64_C(1) << 30)

static const lp_range anything = {INT64_MIN, INT64_MAX};

static bool is_anything(lp_range r) {
    return r.lo == INT64_MIN || r.hi == INT64_MAX;
}

bool lp_fits_32(lp_range r) {
    return r.lo >= -NARROW && r.hi <= NARROW;
}

static lp_range both(lp_range x, lp_range y) {
    return (lp_range){x.lo < y.lo ? x.lo : y.lo, x.hi > y.hi ? x.hi : y.hi};
}

static lp_range sum(lp_range x, lp_range y) {
    lp_range r;
    if (__builtin_add_overflow(x.lo, y.lo, &r.lo) || __builtin_add_overflow(x.hi, y.hi, &r.hi))
        return anything;
    return r;
}

static lp_range product(lp_range x, lp_range y) {
    const int64_t xs[2] = {x.lo, x.hi}, ys[2] = {y.lo, y.hi};
    lp_range r = {INT64_MAX, INT64_MIN};
    for (unsigned i = 0; i < 4; i++) {
        int64_t p;
        if (__builtin_mul_overflow(xs[i & 1], ys[i >> 1], &p)) return anything;
        r = both(r, (lp_range){p, p});
    }
    return r;
}

static int64_t floor_of(int64_t x, int64_t y) {
    return x / y - (x % y != 0 && x < 0);
}

/* By 0 gives 0. */
static lp_range quotient(lp_range x, lp_range y) {
    if (y.lo == 0 && x.lo >= 0) return (lp_range){0, x.hi};
    if (y.lo < 1) return anything;
    const int64_t by_lo = x.lo < 0 ? y.lo : y.hi, by_hi = x.hi < 0 ? y.hi : y.lo;
    return (lp_range){floor_of(x.lo, by_lo), floor_of(x.hi, by_hi)};
}

static lp_range rest(lp_range x, lp_range y) {
    if (y.lo < 0 || y.hi < 1) return anything;
    if (x.lo >= 0 && x.hi < y.hi) return (lp_range){0, x.hi};
    return (lp_range){0, y.hi - 1};
}

static lp_range of_base(const lp_inst *i, const lp_range *x, bz_dtype from) {
    if (i->op == IR_SELECT) return both(x[1], x[2]);
    if (i->op == IR_CAST && !ir_is_float(from) && ir_dtype_bytes(from) < 8) {
        const int64_t most = (int64_t)ir_highest(from);
        return (lp_range){ir_is_signed(from) ? -most - 1 : 0, most};
    }
    if (i->op == IR_MIN)
        return (lp_range){x[0].lo < x[1].lo ? x[0].lo : x[1].lo,
                          x[0].hi < x[1].hi ? x[0].hi : x[1].hi};
    if (i->op == IR_MAX)
        return (lp_range){x[0].lo > x[1].lo ? x[0].lo : x[1].lo,
                          x[0].hi > x[1].hi ? x[0].hi : x[1].hi};
    if (i->op == IR_IMOD) return rest(x[0], x[1]);
    if (i->op == IR_AND && x[1].lo >= 0) return (lp_range){0, x[1].hi};
    if (is_anything(x[0]) || (i->nargs > 1 && is_anything(x[1]))) return anything;
    switch (i->op) {
    case IR_ADD: return sum(x[0], x[1]);
    case IR_SUB: return sum(x[0], product(x[1], (lp_range){-1, -1}));
    case IR_MUL: return product(x[0], x[1]);
    case IR_IDIV: return quotient(x[0], x[1]);
    default: return anything;
    }
}

/* The index of a loop; so that its next value fits, too. */
static lp_range of_loop(const lp_inst *i, lp_range from, lp_range to) {
    if (is_anything(from) || is_anything(to) || i->imm > NARROW) return anything;
    return (lp_range){from.lo, to.hi - 1 > from.lo ? to.hi - 1 : from.lo};
}

static lp_range of(const lp_kernel *k, const lp_range *r, const lp_inst *i) {
    const uint32_t *args = lp_args(k, i);
    lp_range x[3] = {anything, anything, anything};
    for (unsigned n = 0; n < i->nargs && n < 3; n++) x[n] = r[args[n]];
    switch (i->op) {
    case LP_CONST: return (lp_range){i->imm, i->imm};
    case LP_EXTENT: return (lp_range){0, k->extents.p[i->imm].most};
    case LP_LANEID: return (lp_range){0, i->lanes - 1};
    case LP_SPLAT:
    case LP_EXTRACT: return x[0];
    case LP_LOOP: return of_loop(i, x[0], x[1]);
    default:
        if (!ir_op_is_base(i->op)) return anything;
        return of_base(i, x, (bz_dtype)k->inst.p[args[0]].dtype);
    }
}

lp_range *lp_ranges(const lp_kernel *k) {
    lp_range *r = bz_mem_alloc(k->inst.n * sizeof *r);
    for (lp_val v = 0; r && v < k->inst.n; v++) {
        const lp_inst *i = &k->inst.p[v];
        r[v] = v && i->dtype == BZ_I64 && i->lanes ? of(k, r, i) : anything;
        if (r[v].lo > r[v].hi) r[v] = anything;
    }
    return r;
}
