/* compose_make.c - sequences and the identity, as graphs of iota. */
#include "src/ir/compose.h"

#include <math.h>

/* start + i * step in the dtype `in`, given as t. */
static ir_ref steps(ir_graph *g, bz_dtype t, bz_dtype in, int64_t n, ir_number start,
                    ir_number step) {
    ir_dim dim = ir_dim_const(g, n);
    ir_ref i = ir_cast(g, ir_iota(g, BZ_I64, &dim, 1, 0), in);
    ir_ref by = ir_const_bits(g, in, ir_bits_from_number(in, step), NULL, 0);
    ir_ref from = ir_const_bits(g, in, ir_bits_from_number(in, start), NULL, 0);
    return ir_cast(g, ir_build2(g, IR_ADD, ir_build2(g, IR_MUL, i, by), from), t);
}

/* start + i * step: integers in i64 where start and step are whole, else in f64, rounded once. */
static ir_ref ramp(ir_graph *g, bz_dtype t, int64_t n, double start, double step) {
    bool whole =
        start == floor(start) && step == floor(step) && fabs(start) < 0x1p62 && fabs(step) < 0x1p62;
    bz_dtype in = whole && !ir_is_float(t) ? BZ_I64 : BZ_F64;
    return steps(g, t, in, n, ir_number_of_double(start), ir_number_of_double(step));
}

/* ceil((stop - start) / step), by integers that cannot overflow. */
static uint64_t whole_steps(ir_number start, ir_number stop, ir_number step) {
    const bool up = step.huge || step.i > 0;
    const ir_number lo = up ? start : stop, hi = up ? stop : start;
    if (lo.huge == hi.huge ? lo.i >= hi.i : lo.huge) return 0;
    uint64_t span = (uint64_t)hi.i - (uint64_t)lo.i;
    uint64_t by = up ? (uint64_t)step.i : 0 - (uint64_t)step.i;
    return (span - 1) / by + 1;
}

static bool is_whole(ir_number v) {
    return v.kind != IR_CAT_FLOAT;
}

bool ir_arange_count(ir_graph *g, ir_number start, ir_number stop, ir_number step, int64_t *n) {
    double a = ir_number_to_f64(start), b = ir_number_to_f64(stop), by = ir_number_to_f64(step);
    double count = by != 0 ? ceil((b - a) / by) : NAN;
    if (!isfinite(count) || !isfinite(a) || !isfinite(by)) {
        char text[100];
        bz_snprintf(text, sizeof text, "no sequence from %g to %g by %g", a, b, by);
        return ir_error_as(g, BZ_EARG, "arange", "%s", text), false;
    }
    if (is_whole(start) && is_whole(stop) && is_whole(step) && fabs(b - a) < 0x1p64) {
        uint64_t whole = whole_steps(start, stop, step);
        *n = whole < (uint64_t)INT64_MAX ? (int64_t)whole : INT64_MAX;
    } else {
        *n = count > 0 ? (count < 0x1p62 ? (int64_t)count : INT64_MAX) : 0;
    }
    return true;
}

ir_ref ir_arange(ir_graph *g, ir_number start, ir_number stop, ir_number step, bz_dtype t) {
    int64_t n;
    if (!ir_arange_count(g, start, stop, step, &n)) return 0;
    const bool above = start.huge || stop.huge || step.huge; /* i64 */
    return is_whole(start) && is_whole(stop) && is_whole(step) && !(above && ir_is_float(t))
               ? steps(g, t, above ? BZ_U64 : BZ_I64, n, start, step)
               : ramp(g, t, n, ir_number_to_f64(start), ir_number_to_f64(step));
}

ir_ref ir_linspace(ir_graph *g, double start, double stop, int64_t n, bz_dtype t) {
    if (!ir_is_float(t))
        return ir_error_as(g, BZ_EDTYPE, "linspace", "wants a floating dtype, not %s",
                           ir_dtypes[t].name);
    if (!isfinite(start) || !isfinite(stop)) {
        char text[100];
        bz_snprintf(text, sizeof text, "no sequence from %g to %g", start, stop);
        return ir_error_as(g, BZ_EARG, "linspace", "%s", text);
    }
    if (n < 2) return ramp(g, t, n, start, 0);
    ir_dim dim = ir_dim_const(g, n);
    ir_ref last = /* it is exact */
        ir_build2(g, IR_EQ, ir_iota(g, BZ_I64, &dim, 1, 0), ir_const_i(g, BZ_I64, n - 1));
    ir_ref x = ramp(g, BZ_F64, n, start, (stop - start) / (double)(n - 1));
    return ir_cast(g, ir_build3(g, IR_SELECT, last, ir_const_f(g, BZ_F64, stop), x), t);
}

ir_ref ir_eye(ir_graph *g, int64_t n, int64_t m, bz_dtype t) {
    if (m == INT64_MIN) m = n;
    ir_dim dims[2] = {ir_dim_const(g, n), ir_dim_const(g, m)};
    ir_ref i = ir_iota(g, BZ_I64, dims, 2, 0), j = ir_iota(g, BZ_I64, dims, 2, 1);
    return ir_cast(g, ir_build2(g, IR_EQ, i, j), t);
}
