/* emit_pattern.c - loads whose lanes lie as in every other vector, whatever the offset is made of: side by side in a split axis,
 * each element twice (nearest neighbours, gradients of pools), the same few again and again (tiles).
 *
 *     offset (i - 1) / 2      lane 0   1   2   3   4   5   6   7      (the vector begins at a multiple of the lanes)
 *     behind that of lane 0        0   1   1   2   2   3   3   4      -> a load of 5 and a shuffle
 *
 * deltas() finds the second line: quotients and rests of what is known modulo the divisor. */
#include "src/passes/emit_parts.h"

#include <string.h>

bool emit_residue(const emitter *m, ir_ex e, int64_t n, int64_t *r) {
    const ir_ex_node *x = ir_ex_at(m->x, e);
    int64_t a = 0, b = 0;
    *r = 0;
    if (n == 1) return true;
    if (x->kind == EX_CONST) return *r = bz_mod_down(x->value, n), true;
    if (x->kind == EX_SYM) return e == m->vec && m->lanes % n == 0;
    if (x->kind == EX_DIV) return false;
    const bool left = emit_residue(m, x->a, n, &a), right = emit_residue(m, x->b, n, &b);
    switch (x->kind) {
    case EX_ADD: *r = a < n - b ? a + b : a - (n - b); break;
    case EX_MUL:
        if ((left && a == 0) || (right && b == 0)) return true;
        return left && right && !__builtin_mul_overflow(a, b, r) && (*r %= n, true);
    case EX_MOD: *r = a; return left && right && b == 0; /* n divides the divisor */
    default: *r = a; return left && right && a == b;     /* the smaller or larger one */
    }
    return left && right;
}

static bool all_zero(const emitter *m, const int64_t *d) {
    for (unsigned l = 0; l < m->lanes; l++)
        if (d[l]) return false;
    return true;
}

/* By how much e over n is more in lane l than in lane 0, where e is a[l] more: into d. */
static bool deltas_of_quotient(const emitter *m, ir_ex e, int64_t n, const int64_t *a, int64_t *d) {
    int64_t r;
    const bool known = emit_residue(m, e, n, &r);
    const int64_t part = known ? n : bz_common_divisor(n, m->lanes);
    if (!known && !emit_residue(m, e, part, &r)) return false;
    for (unsigned l = 0; l < m->lanes; l++) {
        d[l] = bz_div_down(r + a[l], part);
        if (!known && d[l]) return false;
    }
    return true;
}

/* By how much e is more in lane l than in lane 0, into d; false: nobody knows, or it is another thing in each vector. */
static bool deltas(const emitter *m, ir_ex e, int64_t *d) {
    const ir_ex_node *x = ir_ex_at(m->x, e);
    memset(d, 0, m->lanes * sizeof *d);
    if (!ir_ex_uses(m->x, e, m->vec)) return true;
    for (unsigned l = 0; l < m->lanes && e == m->vec; l++) d[l] = l;
    if (e == m->vec) return true;
    int64_t a[LP_MAX_LANES], b[LP_MAX_LANES], c;
    if (!deltas(m, x->a, a) || !deltas(m, x->b, b)) return false;
    const bool still = all_zero(m, a) && all_zero(m, b);
    switch (x->kind) {
    case EX_ADD:
        for (unsigned l = 0; l < m->lanes; l++) d[l] = a[l] + b[l];
        return true;
    case EX_MUL:
        if (still) return true;
        if (!ir_ex_is_const(m->x, x->a, &c) && !ir_ex_is_const(m->x, x->b, &c)) return false;
        for (unsigned l = 0; l < m->lanes; l++)
            if (__builtin_mul_overflow(c, a[l] + b[l], &d[l])) return false;
        return true;
    case EX_DIV:
    case EX_MOD:
        if (still) return true;
        if (!ir_ex_is_const(m->x, x->b, &c) || c < 1 || !deltas_of_quotient(m, x->a, c, a, d))
            return false;
        for (unsigned l = 0; l < m->lanes && x->kind == EX_MOD; l++) d[l] = a[l] - c * d[l];
        return true;
    default: return still;
    }
}

bool emit_pattern(emitter *m, ir_ex offset, lane_pattern *p) {
    int64_t d[LP_MAX_LANES], low = 0, high = 0;
    if (m->lanes == 1 || !m->vec || !lp_is_multiple(m->b, emit_index(m, m->vec), m->lanes) ||
        !deltas(m, offset, d))
        return false;
    *p = (lane_pattern){.side_by_side = true};
    for (unsigned l = 0; l < m->lanes; l++) {
        low = d[l] < low ? d[l] : low, high = d[l] > high ? d[l] : high;
        p->side_by_side &= d[l] == l;
    }
    if (high - low >= m->lanes) return false;
    unsigned times[LP_MAX_LANES] = {0};
    for (unsigned l = 0; l < m->lanes; l++) {
        const unsigned n = ++times[p->pick[l] = (uint32_t)(d[l] - low)];
        p->times = n > p->times ? n : p->times;
    }
    p->first = low, p->n = (unsigned)(high - low) + 1;
    for (unsigned i = 0; i < p->n; i++)
        if (!times[i]) return false;
    return true;
}

/* The elements that a lane of the mask reads. */
static lp_val wanted(emitter *m, const lane_pattern *l, lp_val mask) {
    if (m->guard_uniform && !m->tail) return mask;
    lp_val all = 0;
    for (unsigned t = 0; t < l->times; t++) {
        uint32_t from[LP_MAX_LANES] = {0};
        unsigned seen[LP_MAX_LANES] = {0};
        /* the t-th lane that reads an element, or the last one before */
        for (unsigned k = 0; k < m->lanes; k++)
            if (seen[l->pick[k]]++ <= t) from[l->pick[k]] = k;
        const lp_val one = lp_shuffle(m->b, mask, mask, from, m->lanes);
        all = all ? lp_base(m->b, IR_OR, BZ_BOOL, (lp_val[]){all, one}, 2) : one;
    }
    return all;
}

lp_val emit_patterned(emitter *m, lp_val p, lp_val at, const lane_pattern *l, lp_val mask) {
    if (l->side_by_side) return lp_load(m->b, p, at, m->lanes, mask, 0);
    const bool part = (l->n & (l->n - 1)) == 0 && !mask; /* a vector of fewer lanes */
    at = lp_iadd(m->b, at, lp_index(m->b, l->first));
    if (part) {
        const lp_val x = lp_load(m->b, p, at, l->n, 0, 0);
        return l->n == 1 ? lp_splat(m->b, x, m->lanes) : lp_shuffle(m->b, x, x, l->pick, m->lanes);
    }
    lp_val of[2] = {lp_laneid(m->b, BZ_I64, m->lanes), lp_const(m->b, BZ_I64, l->n, m->lanes)};
    lp_val those = l->n < m->lanes ? lp_base(m->b, IR_LT, BZ_BOOL, of, 2) : 0;
    if (mask) {
        const lp_val some = wanted(m, l, mask);
        those = those ? lp_base(m->b, IR_AND, BZ_BOOL, (lp_val[]){those, some}, 2) : some;
    }
    const lp_val x = lp_load(m->b, p, at, m->lanes, those, 0);
    return lp_shuffle(m->b, x, x, l->pick, m->lanes);
}
