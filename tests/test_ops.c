/* test_ops.c - the op harness: every elementwise op x dtype, every reduction x dtype x axes and products x dtype, on every layout
 * (contiguous, permuted, broadcast, sliced with negative steps, empty, one element, 0-d), as machine code of every ISA, against the
 * reference interpreter, bit for bit.
 *
 * Elementwise ops and casts meet the other layouts in turn: every op meets each of them, and every dtype does, but not all three together
 * (they have nothing to do with one another: an index map, a value, a type).
 * Under BRAZE_QUICK every 9th case runs; the number of cases that were valid is asserted, so that none vanishes unseen. */
#include "tests/support/plan_jit.h"
#include "tests/support/plan_run.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LAYOUTS = 7, MAX_IN = 32, QUICK_STEP = 9 };

static unsigned stride(void) {
    return getenv("BRAZE_QUICK") ? QUICK_STEP : 1;
}

/* ---- operands: a new input of dtype t, seen through a layout */

static ir_ref input(ir_graph *g, bz_dtype t, const int64_t *shape, unsigned rank) {
    ir_dim dims[4] = {0};
    for (unsigned i = 0; i < rank; i++) dims[i] = ir_dim_const(g, shape[i]);
    return ir_input_new(g, NULL, t, dims, rank);
}

static ir_ref operand(ir_graph *g, bz_dtype t, unsigned layout) {
    static const int64_t start[2] = {0, -1}, stop[2] = {INT64_MAX, INT64_MIN}, step[2] = {2, -2},
                         wide[2] = {5, 37};
    switch (layout) {
    case 0: return input(g, t, (int64_t[]){5, 37}, 2);
    case 1: return ir_permute(g, input(g, t, (int64_t[]){37, 5}, 2), (int[]){1, 0}, 2);
    case 2: return ir_expand(g, input(g, t, (int64_t[]){1, 37}, 2), wide, 2);
    case 3: return ir_slice(g, input(g, t, (int64_t[]){9, 74}, 2), start, stop, step);
    case 4: return input(g, t, (int64_t[]){0, 5}, 2);
    case 5: return input(g, t, (int64_t[]){1, 1}, 2);
    default: return input(g, t, NULL, 0);
    }
}

/* Special values in front, so that they meet in all operands. */
static void add_specials(ir_value_array *v) {
    static const double special[] = {NAN,     INFINITY, -INFINITY, 0.0,   -0.0, 1e-45,
                                     -1e-310, 1.0,      -1.0,      65504, 3.5};
    int64_t n = 1;
    for (unsigned i = 0; i < v->rank; i++) n *= v->shape[i];
    for (int64_t i = 0; ir_is_float(v->dtype) && n > 40 && i < (int64_t)BZ_LEN(special); i++)
        ir_store_bits(v->dtype, (char *)v->data + (size_t)i * ir_dtype_bytes(v->dtype),
                      ir_bits_from_f64(v->dtype, special[i]));
}

/* ---- one graph, all ISAs */

static void check_target(const char *what, const ir_graph *g, unsigned target,
                         const ir_value_array *in, const ir_value_array *want) {
    bz_error e = {0};
    ir_value_array out[MAX_IN];
    pass_plan *p = pass_compile(g, &targets[target].t, &e);
    cr_assert(p, "%s for %s: %s", what, targets[target].name, e.text);
    bz_status s =
        plan_jit(p, (plan_jit_how){.isa = targets[target].isa, .threads = 1}, in, out, &e);
    cr_assert(!s, "%s for %s: %s", what, targets[target].name, e.text);
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        int64_t at = first_difference(&want[i], &out[i]);
        cr_expect(at < 0, "%s for %s: output %u differs at element %lld", what,
                  targets[target].name, i, (long long)at);
    }
    free_values(out, g->outputs.n);
    pass_plan_free(p);
}

static void check(const char *what, const ir_graph *g) {
    bz_error e = {0};
    ir_value_array in[MAX_IN], want[MAX_IN];
    cr_assert(g->inputs.n <= MAX_IN && g->outputs.n <= MAX_IN);
    random_inputs(g, in, 11);
    for (uint32_t i = 0; i < g->inputs.n; i++) add_specials(&in[i]);
    cr_assert(!ir_interpret(g, in, want, &e), "%s: %s", what, e.text);
    for (unsigned t = 0; t < target_count; t++)
        if (!targets[t].t.eager && targets[t].isa <= target_host())
            check_target(what, g, t, in, want);
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
}

typedef ir_ref make_fn(ir_graph *g, unsigned what, bz_dtype t, unsigned layout);

/* The case on every layout as one graph; false if the op does not take the dtype. */
static bool run_case(const char *name, make_fn *make, unsigned what, bz_dtype t) {
    char text[96];
    ir_module *m = ir_module_new();
    ir_graph *g = ir_graph_new(m, "main");
    cr_assert(!ir_module_add(m, g));
    for (unsigned l = 0; l < LAYOUTS && !g->err.status; l++) {
        ir_ref r = make(g, what, t, l);
        if (r) ir_output_add(g, NULL, r, -1);
    }
    bool valid = !g->err.status && g->outputs.n > 0;
    snprintf(text, sizeof text, "%s of %s", name, ir_dtypes[t].name);
    if (valid) check(text, g);
    ir_module_free(m);
    return valid;
}

/* ---- elementwise */

/* Contiguous, and every third of the others, which ones depends on the op and the dtype. */
static bool has_turn(unsigned layout, unsigned what, bz_dtype t) {
    return layout == 0 || (layout + what + (unsigned)t) % 3 == 0;
}

static ir_ref make_elementwise(ir_graph *g, unsigned op, bz_dtype t, unsigned layout) {
    ir_ref x[3];
    if (!has_turn(layout, op, t)) return 0;
    for (unsigned i = 0; i < ir_ops[op].arity; i++)
        x[i] = operand(g, op == IR_SELECT && i == 0 ? BZ_BOOL : t, layout);
    return ir_build(g, (ir_op)op, x, ir_ops[op].arity);
}

Test(ops, elementwise, .timeout = 1200) {
    unsigned number = 0, valid = 0, run = 0;
    for (unsigned op = IR_NIL + 1; op < IR_ELEM_END; op++) {
        if (!ir_op_is_elementwise(op) || ir_ops[op].rule == IR_RULE_CONV) continue;
        for (int t = 0; t < BZ_NDTYPES; t++)
            if (number++ % stride() == 0) {
                run++;
                valid += run_case(ir_ops[op].name, make_elementwise, op, (bz_dtype)t);
            }
    }
    cr_expect_geq(valid, run * 3 / 4, "only %u of %u cases are valid", valid, run);
}

static ir_ref make_cast(ir_graph *g, unsigned to, bz_dtype t, unsigned layout) {
    return has_turn(layout, to, t) ? ir_cast(g, operand(g, t, layout), (bz_dtype)to) : 0;
}

Test(ops, casts, .timeout = 600) {
    unsigned number = 0;
    for (unsigned to = 0; to < BZ_NDTYPES; to++)
        for (int t = 0; t < BZ_NDTYPES; t++)
            if ((int)to != t && number++ % stride() == 0)
                cr_expect(run_case(ir_dtypes[to].name, make_cast, to, (bz_dtype)t));
}

/* ---- reductions: kind and which axes in one number */

static ir_ref make_reduction(ir_graph *g, unsigned what, bz_dtype t, unsigned layout) {
    static const int axes[] = {1, 0};
    unsigned kind = what / 3, which = what % 3;
    if (layout >= 4 && (layout != 5 || which == 2)) /* empty: has no maximum; 0-d: has no axes */
        return 0;
    return ir_reduce(g, (ir_reduce_kind)kind, operand(g, t, layout),
                     which == 2 ? NULL : &axes[which], which == 2 ? 0 : 1, false);
}

Test(ops, reductions, .timeout = 900) {
    unsigned number = 0;
    for (unsigned what = 0; what < 3 * IR_NREDUCE; what++)
        for (int t = 0; t < BZ_NDTYPES; t++)
            if (number++ % stride() == 0)
                cr_expect(run_case(ir_reduce_name((ir_reduce_kind)(what / 3)), make_reduction, what,
                                   (bz_dtype)t),
                          "%s of %s", ir_reduce_name((ir_reduce_kind)(what / 3)),
                          ir_dtypes[t].name);
}

/* ---- products: which operands are transposed */

static ir_ref make_product(ir_graph *g, unsigned which, bz_dtype t, unsigned layout) {
    if (layout > 3) return 0;
    ir_ref x = operand(g, t, layout), y = operand(g, t, (layout + which) % 4); /* [5, 37] each */
    return ir_dot(g, x, y, NULL, NULL, 0, (int[]){which & 1 ? 0 : 1}, (int[]){which & 1 ? 0 : 1},
                  1);
}

Test(ops, products, .timeout = 600) {
    unsigned number = 0;
    for (unsigned which = 0; which < 4; which++)
        for (int t = BZ_U8; t < BZ_NDTYPES; t++)
            if (number++ % stride() == 0)
                cr_expect(run_case("dot", make_product, which, (bz_dtype)t));
}
