/* grad_scan.c - what stands before others is in all that comes after it.
 *
 *     sum        each element is in all sums from its place on: those of the gradient, from the other end
 *     prod       x[k] is in y[j], j >= k, beside the product before it and x[k+1] .. x[j] (below): nothing is divided, so zeros need no care
 *     max, min   a result's gradient goes to the element that it is
 *     logaddexp  e^(x[k] - y[j]) of each later gradient d[j]: sums of e^(log |d| - y) from the other end, of either sign by itself; of a
 *                tangent those of e^(log |t| + x) from the same end */
#include "src/passes/grad.h"

typedef struct scan {
    ir_graph *g;
    ir_ref x, y; /* operand and result */
    ir_way way;
    int axis;
    bool reverse;
} scan;

static ir_ref times(const scan *s, ir_ref x, ir_ref y) {
    return ir_build2(s->g, IR_MUL, x, y);
}

/* Element k is v's element k + by (in the direction of the scan), behind the end `other`. */
static ir_ref from_behind(const scan *s, ir_ref v, int64_t by, double other) {
    const unsigned rank = ir_at(s->g, v)->rank;
    int64_t start[IR_MAX_RANK] = {0}, step[IR_MAX_RANK], shape[IR_MAX_RANK], lo[IR_MAX_RANK] = {0},
            hi[IR_MAX_RANK] = {0};
    if (!ir_static_shape(s->g, v, shape)) return 0;
    for (unsigned a = 0; a < rank; a++) step[a] = 1;
    shape[s->axis] -= by;
    start[s->axis] = s->reverse ? 0 : by;
    *(s->reverse ? &lo[s->axis] : &hi[s->axis]) = by;
    ir_ref part = ir_slice_exact(s->g, v, start, shape, step);
    return ir_pad(s->g, part, lo, hi, ir_bits_from_f64(ir_dtype(s->g, v), other));
}

/* S[k] = d[k] + x[k+1] d[k+1] + x[k+1] x[k+2] d[k+2] ..., of twice as many terms with each step: S += A * S[k + 2^i], where A[k] is the
 * product of x[k+1] .. x[k + 2^i]. The share of x[k] is that times the product of all before it. */
static ir_ref of_products(const scan *s, ir_ref d) {
    ir_graph *g = s->g;
    const bz_dtype t = ir_dtype(g, s->x), wide = ir_compute_dtype(t);
    int64_t shape[IR_MAX_RANK];
    if (!ir_static_shape(g, s->x, shape)) return grad_no_rule(g, s->y);
    if (shape[s->axis] == 0) return d;
    ir_ref x = ir_cast(g, s->x, wide), sum = ir_cast(g, d, wide);
    ir_ref product = from_behind(s, x, 1, 0);
    for (int64_t by = 1; by < shape[s->axis]; by *= 2) {
        ir_ref later = from_behind(s, sum, by, 0);
        sum = ir_build2(g, IR_ADD, sum, times(s, product, later));
        if (2 * by >= shape[s->axis]) break;
        ir_ref rest = from_behind(s, product, by, 0);
        product = times(s, product, rest);
    }
    ir_ref before = ir_cumprod(g, x, s->axis, s->reverse, true);
    return ir_cast(g, times(s, before, sum), t);
}

static ir_ref of_best(const scan *s, ir_ref d) {
    ir_ref at = ir_scan_places(s->g, s->x, s->y, s->axis, s->reverse);
    ir_ref zeros = ir_const_like(s->g, s->x, 0);
    return ir_scatter(s->g, IR_BY_SUM, zeros, at, d, s->axis, true);
}

/* e^by times the running sum of e^(log w + x), in one direction or the other. Where w is not above 0 it is nothing. */
static ir_ref of_sign(const scan *s, ir_ref x, ir_ref by, ir_ref w, bool reverse) {
    ir_graph *g = s->g;
    const bz_dtype t = ir_dtype(g, w);
    ir_ref zero = ir_const_f(g, t, 0),
           lowest = ir_const_f(g, t, t == BZ_F64 ? -0x1.fffffffffffffp+1023 : -0x1.fffffep+127);
    ir_ref is = ir_build2(g, IR_LT, zero, w);
    ir_ref one = ir_build3(g, IR_SELECT, is, w, ir_const_f(g, t, 1));
    ir_ref log = ir_build3(g, IR_SELECT, is, ir_build1(g, IR_LOG, one), lowest);
    ir_ref sum = ir_scan(g, IR_BY_LOG, ir_build2(g, IR_ADD, log, x), s->axis, reverse);
    return ir_build1(g, IR_EXP, ir_build2(g, IR_ADD, sum, by));
}

/* The gradient d of y for x, or what tangent d of x comes to in y. */
static ir_ref of_logs(const scan *s, ir_ref d, bool forward) {
    ir_graph *g = s->g;
    const bz_dtype t = ir_dtype(g, s->x), wide = ir_compute_dtype(t);
    ir_ref x = ir_cast(g, s->x, wide), less = ir_build1(g, IR_NEG, ir_cast(g, s->y, wide));
    ir_ref from = forward ? x : less, by = forward ? less : x;
    const bool reverse = s->reverse == forward;
    d = ir_cast(g, d, wide);
    ir_ref up = of_sign(s, from, by, d, reverse),
           down = of_sign(s, from, by, ir_build1(g, IR_NEG, d), reverse);
    return ir_cast(g, ir_build2(g, IR_SUB, up, down), t);
}

static scan scan_of(ir_graph *g, ir_ref r) {
    const int64_t *a = ir_attrs(g, ir_at(g, r));
    return (scan){g, ir_operand(g, r, 0), r, (ir_way)a[0], (int)a[1], a[2] != 0};
}

ir_ref jvp_logaddexp_scan(ir_graph *g, ir_ref r, ir_ref t) {
    const scan s = scan_of(g, r);
    return of_logs(&s, t, true);
}

ir_ref grad_scan(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    const scan s = scan_of(g, r);
    (void)k;
    switch (s.way) {
    case IR_BY_SUM: return ir_scan(g, IR_BY_SUM, *d, s.axis, !s.reverse);
    case IR_BY_PROD: return of_products(&s, *d);
    case IR_BY_MAX:
    case IR_BY_MIN: return of_best(&s, *d);
    default: return of_logs(&s, *d, false);
    }
}
