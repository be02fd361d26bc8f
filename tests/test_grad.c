/* test_grad.c - gradients against central differences of the reference interpreter, in f64, along a random direction, at order 1 and 2:
 * every elementwise op of ops.def, every structural op, compositions. Then what the rules say at ties and zeros, and the errors. */
#include "tests/support/grad_cases.h"
#include "tests/support/irtest.h"

#include "src/passes/pass.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_INPUTS = 8 };

/* ---- the check: loss(x) = sum(w * result), second(x) = sum_i sum(c_i * d loss / d x_i) */

typedef struct problem {
    ir_module *m;
    ir_graph *g;
    const char *name;
    unsigned n; /* float inputs: those to differentiate for */
    ir_ref wrt[MAX_INPUTS], first[MAX_INPUTS], second[MAX_INPUTS];
} problem;

static void build(problem *p) {
    ir_graph *g = p->g;
    ir_ref value = g->outputs.p[0].node, again = 0;
    g->outputs.n = 0;
    for (uint32_t i = 0; i < g->inputs.n; i++)
        if (ir_is_float(ir_dtype(g, g->inputs.p[i].node))) p->wrt[p->n++] = g->inputs.p[i].node;
    ir_ref loss = grad_weighted_sum(g, value, 0.5);
    cr_assert_eq(pass_grad(g, loss, 0, p->wrt, p->n, p->first), BZ_OK, "%s: %s", p->name,
                 g->err.text);
    for (unsigned i = 0; i < p->n; i++) {
        ir_ref s = grad_weighted_sum(g, p->first[i], i + 1.7);
        again = again ? ir_build2(g, IR_ADD, again, s) : s;
    }
    cr_assert_eq(pass_grad(g, again, 0, p->wrt, p->n, p->second), BZ_OK, "%s, order 2: %s", p->name,
                 g->err.text);
    ir_output_add(g, NULL, loss, -1);
    ir_output_add(g, NULL, again, -1);
    for (unsigned i = 0; i < p->n; i++) {
        cr_assert(ir_same_shape(g, p->first[i], p->wrt[i]) &&
                      ir_dtype(g, p->first[i]) == ir_dtype(g, p->wrt[i]),
                  "%s: shape of gradient %u", p->name, i);
        ir_output_add(g, NULL, p->first[i], -1);
        ir_output_add(g, NULL, p->second[i], -1);
    }
    bz_error e = {0};
    cr_assert_eq(ir_verify(g, IR_ANY_GRAPH, &e), BZ_OK, "%s: %s", p->name, e.text);
}

static void evaluate(const problem *p, const grad_domain *d, double h, ir_value_array *out) {
    ir_value_array in[MAX_INPUTS];
    grad_fill(p->g, in, d, h);
    irt_run_module(p->m, in, out);
    irt_free(in, p->g->inputs.n);
}

/* Directional derivative from the gradients: outputs from, from + 2 ... */
static double along(const problem *p, const ir_value_array *out, unsigned from) {
    uint64_t direction = GRAD_DIRECTION;
    double sum = 0;
    for (unsigned i = 0; i < p->n; i++)
        for (int64_t e = 0; e < irt_numel(&out[from + 2 * i]); e++)
            sum += irt_get(&out[from + 2 * i], e) * irt_random(&direction);
    return sum;
}

static void check(const char *name, const char *text, const grad_domain *d) {
    ir_value_array at[2 + 2 * MAX_INPUTS], up[2 + 2 * MAX_INPUTS], down[2 + 2 * MAX_INPUTS];
    problem p = {.name = name, .m = irt_parse(text)};
    const double h = 1e-5;
    p.g = p.m->graphs.p[0];
    build(&p);
    evaluate(&p, d, 0, at);
    evaluate(&p, d, h, up);
    evaluate(&p, d, -h, down);
    for (unsigned order = 0; order < 2; order++) {
        double want = (irt_get(&up[order], 0) - irt_get(&down[order], 0)) / (2 * h),
               got = along(&p, at, 2 + order);
        double scale = 1 + fabs(want) + fabs(irt_get(&at[order], 0));
        cr_expect(fabs(got - want) <= 2e-7 * scale, "%s, order %u: %.12g, differences give %.12g",
                  name, order + 1, got, want);
    }
    irt_free(at, p.g->outputs.n);
    irt_free(up, p.g->outputs.n);
    irt_free(down, p.g->outputs.n);
    ir_module_free(p.m);
}

Test(grad, every_elementwise_op) {
    const unsigned checked = grad_elementwise_cases(check);
    cr_expect_geq(checked, 55u, "%u ops", checked);
}

Test(grad, programs) {
    grad_program_cases(check);
}

/* ---- exact values */

/* The gradient of the first output, summed, for input 0, whose values are given. */
static void exact(const char *text, const double *x, const double *want, unsigned n) {
    ir_module *m = irt_parse(text);
    ir_graph *g = m->graphs.p[0];
    ir_ref wrt = g->inputs.p[0].node, grad,
           loss = ir_reduce(g, IR_SUM, g->outputs.p[0].node, NULL, 0, false);
    int64_t shape[IR_MAX_RANK];
    ir_static_shape(g, wrt, shape);
    ir_value_array in = irt_array(BZ_F64, ir_at(g, wrt)->rank, shape), out;
    cr_assert_eq(irt_numel(&in), (int64_t)n);
    for (unsigned i = 0; i < n; i++) irt_set(&in, i, x[i]);
    cr_assert_eq(pass_grad(g, loss, 0, &wrt, 1, &grad), BZ_OK, "%s", g->err.text);
    g->outputs.n = 0;
    ir_output_add(g, NULL, grad, -1);
    irt_run_module(m, &in, &out);
    for (unsigned i = 0; i < n; i++)
        cr_expect(irt_get(&out, i) == want[i], "%s: element %u: %g, not %g", text, i,
                  irt_get(&out, i), want[i]);
    irt_free(&in, 1);
    irt_free(&out, 1);
    ir_module_free(m);
}

#define EXACT(text, n, ...)                                                                        \
    do {                                                                                           \
        static const double v_[2][n] = {__VA_ARGS__};                                              \
        exact(text, v_[0], v_[1], n);                                                              \
    } while (0)

Test(grad, ties_share_and_zeros_are_counted) {
    EXACT("graph main(x: f64[4]) { %1 = max %x\n return %1 }", 4, {3, 1, 3, 2}, {0.5, 0, 0.5, 0});
    EXACT("graph main(x: f64[4]) { %1 = min %x\n return %1 }", 4, {3, 1, 1, 1},
          {0, 1.0 / 3, 1.0 / 3, 1.0 / 3});
    EXACT("graph main(x: f64[3]) { %1 = prod %x\n return %1 }", 3, {2, 3, 4}, {12, 8, 6});
    EXACT("graph main(x: f64[3]) { %1 = prod %x\n return %1 }", 3, {2, 0, 4}, {0, 8, 0});
    EXACT("graph main(x: f64[3]) { %1 = prod %x\n return %1 }", 3, {2, 0, 0}, {0, 0, 0});
    EXACT("graph main(x: f64[2]) { %1 = relu %x\n return %1 }", 2, {0, -1}, {0, 0});
    EXACT("graph main(x: f64[2]) { %1 = abs %x\n return %1 }", 2, {0, -1}, {0, -1});
    EXACT("graph main(x: f64[1]) { %1 = maximum %x 2\n return %1 }", 1, {2}, {0.5});
    EXACT("graph main(x: f64[3]) { %1 = pow %x 2\n return %1 }", 3, {0, -1, 3}, {0, -2, 6});
    EXACT("graph main(x: f64[2]) { %1 = pow %x 0\n return %1 }", 2, {0, -1}, {0, 0});
    EXACT("graph main(x: f64[2]) { %1 = floor %x\n %2 = add %1 %x\n return %2 }", 2, {0.5, 2},
          {1, 1});
}

/* Elements that were not chosen have no part in a gradient that is infinite or NaN. */
Test(grad, what_was_not_chosen_gets_zero) {
    EXACT("graph main(x: f64[2,2]) { %1 = max %x {axes=[1]}\n %2 = mul %1 inf\n return %2 }", 4,
          {3, 1, 2, 2}, {INFINITY, 0, INFINITY, INFINITY});
    EXACT("graph main(x: f64[3]) { %1 = min %x\n %2 = mul %1 -inf\n return %2 }", 3, {3, 1, 2},
          {0, -INFINITY, 0});
    for (unsigned below = 0; below < 2; below++) {
        static const char *const chosen[] = {"maximum %x 2", "minimum 2 %x", "where %1 %x 2",
                                             "clamp %x 2.0 inf", "relu %2"};
        static const double x[5][2] = {{3, 1}, {1, 3}, {3, 1}, {3, 1}, {3, 1}};
        for (unsigned i = 0; i < BZ_LEN(chosen); i++) {
            char text[256];
            snprintf(text, sizeof text,
                     "graph main(x: f64[2]) { %%1 = lt 2 %%x\n %%2 = sub %%x 2\n %%3 = %s\n "
                     "%%4 = mul %%3 %s\n return %%4 }",
                     chosen[i], below ? "-inf" : "inf");
            exact(text, x[i], (const double[]){below ? -INFINITY : INFINITY, 0}, 2);
        }
    }
}

/* As text: 3 d in place of the gradient of x^2; what nobody asks for is verified too. */
Test(grad, custom) {
    EXACT("graph main(x: f64[2]) { %s = stop_gradient %x\n %f = square %s\n"
          "%y = stand_in %f : f64[2]\n %d = stand_in %f : f64[2]\n %b = mul %d 3.0\n"
          "%t = custom_grad %f, %y, %d, %x, %b {results=1, inputs=1} : (f64[2])\n"
          "%r = result %t {index=0} : f64[2]\n %p = mul %r 2.0\n return %p }",
          2, {5, -1}, {6, 6});
}

/* clamp is minimum(maximum(x, lo), hi), whichever of the limits is larger. */
Test(grad, limits_of_clamp_in_any_order) {
    EXACT("graph main(lo: f64[4]) { %1 = iota {shape=[4], dtype=f64, axis=0}\n"
          "%2 = clamp %1 %lo 1.5\n return %2 }",
          4, {1, 0, 3, 5}, {1, 0, 0, 0});
    EXACT("graph main(hi: f64[4]) { %1 = iota {shape=[4], dtype=f64, axis=0}\n"
          "%2 = clamp %1 2.0 %hi\n return %2 }",
          4, {1, 1.5, 3, 2.5}, {1, 1, 0, 1});
}

Test(grad, argmax_is_no_float_and_lets_others_through) {
    EXACT("graph main(x: f64[3]) { %1 = argmax %x\n %2 = cast %1 {dtype=f64}\n %3 = mul %x %2\n "
          "return %3 }",
          3, {1, 5, 2}, {1, 1, 1});
    EXACT("graph main(x: f64[2]) { %1 = lt %x 0\n %2 = where %1 %x 7\n return %2 }", 2, {-1, 1},
          {1, 0});
}

/* ---- what the caller says */

static ir_graph *graph_of(ir_module **m, const char *text) {
    *m = irt_parse(text);
    return (*m)->graphs.p[0];
}

Test(grad, an_op_without_a_rule_is_named) {
    ir_module *m;
    ir_graph *g = graph_of(
        &m, "graph main(x: f16[4]) { %1 = bitcast %x {dtype=bf16}\n %2 = sum %1\n return %2 }");
    ir_ref x = g->inputs.p[0].node, out;
    cr_expect_eq(pass_grad(g, g->outputs.p[0].node, 0, &x, 1, &out), BZ_EGRAD);
    cr_expect(strstr(g->err.text, "[bitcast] has no gradient"), "%s", g->err.text);
    ir_module_free(m);
}

Test(grad, an_unused_value_gets_zeros) {
    ir_module *m;
    ir_graph *g = graph_of(&m, "graph main(x: f64[4], y: f32[2,3]) { %1 = sum %x\n return %1 }");
    ir_ref wrt[2] = {g->inputs.p[0].node, g->inputs.p[1].node}, out[2];
    ir_bits v;
    cr_assert_eq(pass_grad(g, g->outputs.p[0].node, 0, wrt, 2, out), BZ_OK);
    cr_expect(ir_const_value(g, out[1], &v) && v == 0 && ir_same_shape(g, out[1], wrt[1]) &&
              ir_dtype(g, out[1]) == BZ_F32);
    ir_module_free(m);
}

Test(grad, a_seed_scales_the_gradient) {
    ir_module *m;
    ir_graph *g = graph_of(&m, "graph main(x: f64[3], s: f64[3]) { %1 = square %x\n return %1 }");
    ir_ref x = g->inputs.p[0].node, out;
    double xs[] = {1, 2, 3}, ss[] = {10, 100, 1000};
    ir_value_array in[2] = {{BZ_F64, 1, {3}, xs}, {BZ_F64, 1, {3}, ss}}, got;
    cr_assert_eq(pass_grad(g, g->outputs.p[0].node, g->inputs.p[1].node, &x, 1, &out), BZ_OK);
    g->outputs.n = 0;
    ir_output_add(g, NULL, out, -1);
    irt_run_module(m, in, &got);
    for (int i = 0; i < 3; i++) cr_expect_eq(irt_get(&got, i), 2 * xs[i] * ss[i]);
    irt_free(&got, 1);
    ir_module_free(m);
}

Test(grad, wrong_arguments_are_errors) {
    static const struct {
        const char *text;
        int wrt, seed; /* input numbers, -1: none */
        bz_status want;
        const char *says;
    } cases[] = {
        {"graph main(x: f64[3]) { %1 = square %x\n return %1 }", 0, -1, BZ_ESHAPE, "0-d"},
        {"graph main(x: i64[3]) { %1 = sum %x\n %2 = cast %1 {dtype=f64}\n return %2 }", 0, -1,
         BZ_EDTYPE, "only floats"},
        {"graph main(x: f64[3]) { %1 = argmax %x\n return %1 }", 0, -1, BZ_EDTYPE, "float"},
        {"graph main(x: f64[3], s: f64[4]) { %1 = square %x\n return %1 }", 0, 1, BZ_ESHAPE, "fit"},
        {"graph main(x: f64[3], s: f32[3]) { %1 = square %x\n return %1 }", 0, 1, BZ_ESHAPE, "fit"},
    };
    for (unsigned i = 0; i < BZ_LEN(cases); i++) {
        ir_module *m;
        ir_graph *g = graph_of(&m, cases[i].text);
        ir_ref wrt = g->inputs.p[cases[i].wrt].node, out,
               seed = cases[i].seed < 0 ? 0 : g->inputs.p[cases[i].seed].node;
        cr_expect_eq(pass_grad(g, g->outputs.p[0].node, seed, &wrt, 1, &out), cases[i].want,
                     "case %u: %s", i, g->err.text);
        cr_expect(strstr(g->err.text, cases[i].says), "case %u: %s", i, g->err.text);
        ir_module_free(m);
    }
}

Test(grad, narrow_floats_keep_their_dtype) {
    static const char *const dtypes[] = {"f16", "bf16", "f32"};
    for (unsigned i = 0; i < BZ_LEN(dtypes); i++) {
        bz_text t = {0};
        ir_module *m;
        bz_textf(&t,
                 "graph main(x: %s[5,4], y: %s[4,3]) { %%1 = matmul %%x %%y\n %%2 = gelu %%1\n %%3 "
                 "= softmax %%2\n %%4 = sum %%3\n return %%4 }",
                 dtypes[i], dtypes[i]);
        ir_graph *g = graph_of(&m, bz_text_c(&t));
        ir_ref wrt[2] = {g->inputs.p[0].node, g->inputs.p[1].node}, out[2];
        cr_assert_eq(pass_grad(g, g->outputs.p[0].node, 0, wrt, 2, out), BZ_OK, "%s: %s", dtypes[i],
                     g->err.text);
        for (unsigned k = 0; k < 2; k++)
            cr_expect(ir_dtype(g, out[k]) == ir_dtype(g, wrt[k]) &&
                      ir_same_shape(g, out[k], wrt[k]));
        ir_module_free(m);
        bz_text_free(&t);
    }
}

/* What goes wrong in a gradient while it runs is said of the op that it is the gradient of. */
Test(grad, errors_at_run_time_name_the_op_differentiated) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"graph main(x: f64[3], i: i64[2]) { %1 = gather %x, %i\n %2 = sum %1\n return %2 }",
         "[gather] index 7 is outside axis 0 of 3"},
        {"graph main(x: f64[2], i: i64[2]) { %1 = scatter_rows %x, %i {size=3}\n %2 = sum %1\n "
         "return %2 }",
         "[scatter] index 7 is outside axis 0 of 3"},
    };
    int64_t indices[2] = {0, 7};
    double xs[3] = {1, 2, 3};
    for (unsigned i = 0; i < BZ_LEN(cases); i++) {
        ir_module *m;
        ir_graph *g = graph_of(&m, cases[i].text);
        ir_ref x = g->inputs.p[0].node, out;
        ir_value_array in[2] = {{BZ_F64, 1, {i ? 2 : 3}, xs}, {BZ_I64, 1, {2}, indices}}, got = {0};
        bz_error e = {0};
        cr_assert_eq(pass_grad(g, g->outputs.p[0].node, 0, &x, 1, &out), BZ_OK);
        g->outputs.n = 0;
        ir_output_add(g, NULL, out, -1);
        ir_graph *copy = ir_copy_live(g, &e);
        cr_expect_eq(ir_interpret(copy, in, &got, &e), BZ_EINDEX);
        cr_expect(strstr(e.text, cases[i].says), "%s", e.text);
        ir_graph_free(copy);
        irt_free(&got, 1);
        ir_module_free(m);
    }
}
