/* nan.c - BRAZE_NAN=1: the first op that gives a NaN or an infinity from operands without.
 *
 * Before a program runs, the interpreter runs what was recorded for it and looks at each node's result: slow, and in every mode the
 * same. Constants, data and what only moves elements make nothing. */
#include "runtime/exec/device.h"

#include <math.h>

static int64_t count_of(const ir_value_array *a) {
    int64_t n = 1;
    for (unsigned i = 0; i < a->rank; i++) n *= a->shape[i];
    return n;
}

/* The first element that is not finite, -1 = none; *v: it. */
static int64_t first_bad(const ir_value_array *a, double *v) {
    if (!ir_is_float(a->dtype)) return -1;
    size_t size = ir_dtype_bytes(a->dtype);
    int64_t n = count_of(a);
    for (int64_t i = 0; i < n; i++) {
        *v = ir_bits_to_f64(a->dtype,
                            ir_load_bits(a->dtype, (const char *)a->data + (size_t)i * size));
        if (!isfinite(*v)) return i;
    }
    return -1;
}

static void print_index(bz_text *t, const ir_value_array *a, int64_t at) {
    int64_t stride = count_of(a);
    for (unsigned i = 0; i < a->rank; i++) {
        stride /= a->shape[i];
        bz_textf(t, "%s%lld", i ? "," : "", (long long)(at / stride));
        at %= stride;
    }
}

static bool makes_values(unsigned op) {
    return op != IR_INPUT && op != IR_CONST && op != IR_IOTA && op != IR_BITCAST &&
           !ir_op_is_movement((ir_op)op);
}

bz_status rt_look_for_nan(const ir_graph *g, ir_ref r, const ir_value_array *result,
                          const ir_value_array *const *x, bz_error *e) {
    const ir_node *n = ir_at(g, r);
    double v = 0, old;
    int64_t at = makes_values(n->op) ? first_bad(result, &v) : -1;
    for (unsigned k = 0; k < n->nin && at >= 0; k++)
        if (x[k] && first_bad(x[k], &old) >= 0) at = -1;
    if (at < 0) return BZ_OK;
    bz_text index = {0}, shape = {0};
    print_index(&index, result, at);
    ir_print_shape(&shape, g, r);
    const char *site = g->sites.p[r];
    bz_fail(e, BZ_ENAN, "[%s] gives %s at [%s] of %s, from operands that are finite, at %s",
            ir_ops[n->op].name,
            isnan(v) ? "nan"
            : v > 0  ? "inf"
                     : "-inf",
            bz_text_c(&index), bz_text_c(&shape), site ? site : "?");
    bz_text_free(&index);
    bz_text_free(&shape);
    return BZ_ENAN;
}
