/* test_jvp.c - tangents, of every elementwise op, structural op and composition whose gradient is tested: against central differences of the
 * reference interpreter, against gradients (<u, J v> = <J' u, v>), and at order 2, where tangent of tangent, gradient of tangent and tangent
 * of gradient are one number; as machine code the same bits. Then what they are made of, and the errors. */
#include "tests/support/grad_cases.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_check.h"

#include "src/passes/pass.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { MAX_INPUTS = 8 };

/* Outputs: the loss l = <u, y>; l's tangent, that by the gradient; its tangent, by its gradient, by the gradient's tangent. */
enum { LOSS, FORWARD, BACKWARD, TWICE, BACK_OF_FORWARD, FORWARD_OF_BACK, OUTPUTS };

typedef struct problem {
    ir_module *m;
    ir_graph *g;
    const char *name;
    unsigned n, first; /* float inputs; inputs before their tangents */
    ir_ref wrt[MAX_INPUTS], t[MAX_INPUTS];
} problem;

/* The tangent of r along t. */
static ir_ref along(const problem *p, ir_ref r) {
    pass_backward b = {0};
    ir_ref out = 0;
    cr_assert_eq(pass_jvp(&b, p->g, &r, 1, p->wrt, p->t, p->n, &out), BZ_OK, "%s: %s", p->name,
                 p->g->err.text);
    pass_backward_free(&b);
    cr_assert(ir_same_type(p->g, out, p->g, r), "%s: type of the tangent", p->name);
    return out;
}

static ir_ref inner(ir_graph *g, ir_ref x, ir_ref y) {
    return ir_reduce(g, IR_SUM, ir_build2(g, IR_MUL, x, y), NULL, 0, false);
}

/* <gradient of r, t>, or, forward, that gradient's tangent. */
static ir_ref gradient_along(const problem *p, ir_ref r, bool forward) {
    ir_graph *g = p->g;
    ir_ref grad[MAX_INPUTS], sum = ir_const_f(g, BZ_F64, 0);
    cr_assert_eq(pass_grad(g, r, 0, p->wrt, p->n, grad), BZ_OK, "%s: %s", p->name, g->err.text);
    for (unsigned i = 0; i < p->n; i++)
        sum = ir_build2(g, IR_ADD, sum, inner(g, forward ? along(p, grad[i]) : grad[i], p->t[i]));
    return sum;
}

static void build(problem *p) {
    ir_graph *g = p->g;
    const ir_ref y = g->outputs.p[0].node;
    p->first = g->inputs.n;
    g->outputs.n = 0;
    for (uint32_t i = 0; i < p->first; i++)
        if (ir_is_float(ir_dtype(g, g->inputs.p[i].node))) p->wrt[p->n++] = g->inputs.p[i].node;
    for (unsigned i = 0; i < p->n; i++) {
        const ir_node *n = ir_at(g, p->wrt[i]);
        p->t[i] = ir_input_new(g, NULL, BZ_F64, ir_dims(g, n), n->rank);
    }
    const ir_ref loss = grad_weighted_sum(g, y, 0.5),
                 forward = grad_weighted_sum(g, along(p, y), 0.5);
    const ir_ref out[OUTPUTS] = {loss,
                                 forward,
                                 gradient_along(p, loss, false),
                                 along(p, forward),
                                 gradient_along(p, forward, false),
                                 gradient_along(p, loss, true)};
    bz_error e = {0};
    for (unsigned i = 0; i < OUTPUTS; i++) ir_output_add(g, NULL, out[i], -1);
    cr_assert_eq(ir_verify(g, IR_ANY_GRAPH, &e), BZ_OK, "%s: %s", p->name, e.text);
}

static void evaluate(const problem *p, const grad_domain *d, double h, double out[OUTPUTS]) {
    ir_value_array in[2 * MAX_INPUTS], got[OUTPUTS];
    uint64_t direction = GRAD_DIRECTION;
    grad_fill(p->g, in, d, h);
    for (uint32_t i = p->first; i < p->g->inputs.n; i++)
        for (int64_t e = 0; e < irt_numel(&in[i]); e++) irt_set(&in[i], e, irt_random(&direction));
    irt_run_module(p->m, in, got);
    for (unsigned i = 0; i < OUTPUTS; i++) out[i] = irt_get(&got[i], 0);
    irt_free(in, p->g->inputs.n);
    irt_free(got, OUTPUTS);
}

static void near(const char *name, const char *what, double got, double want, double within) {
    cr_expect(fabs(got - want) <= within * (1 + fabs(want)), "%s, %s: %.12g, not %.12g", name, what,
              got, want);
}

static void check(const char *name, const char *text, const grad_domain *d) {
    double at[OUTPUTS], up[OUTPUTS], down[OUTPUTS];
    const double h = 1e-5;
    problem p = {.name = name, .m = irt_parse(text)};
    p.g = p.m->graphs.p[0];
    build(&p);
    evaluate(&p, d, 0, at);
    evaluate(&p, d, h, up);
    evaluate(&p, d, -h, down);
    const double slope = (up[LOSS] - down[LOSS]) / (2 * h),
                 bend = (up[FORWARD] - down[FORWARD]) / (2 * h);
    near(name, "tangent, of differences", at[FORWARD], slope, 2e-7 * (1 + fabs(at[LOSS])));
    near(name, "tangent, of the gradient", at[FORWARD], at[BACKWARD], 1e-11);
    near(name, "order 2, of differences", at[TWICE], bend, 2e-7 * (1 + fabs(at[FORWARD])));
    near(name, "gradient of the tangent", at[BACK_OF_FORWARD], at[TWICE], 1e-10);
    near(name, "tangent of the gradient", at[FORWARD_OF_BACK], at[TWICE], 1e-10);
    ir_module_free(p.m);
}

Test(jvp, every_elementwise_op) {
    const unsigned checked = grad_elementwise_cases(check);
    cr_expect_geq(checked, 55u, "%u ops", checked);
}

Test(jvp, programs) {
    const unsigned checked = grad_program_cases(check);
    cr_expect_geq(checked, 160u, "%u programs", checked);
}

/* Ops of LAPACK, whose gradients are compositions: of values that do not hang on signs. */
Test(jvp, of_matrices) {
    static const grad_domain domain = {"", {-1, -1, -1}, {1, 1, 1}};
#define POSITIVE                                                                                   \
    "%t = transpose %x {a=0, b=1}\n %m = matmul %x %t\n %e = eye {n=3, dtype=f64}\n %a = add %m "  \
    "%e\n "
    static const char *const texts[] = {
        "graph main(x: f64[3,3]) { " POSITIVE "%1 = cholesky %a\n return %1 }",
        "graph main(x: f64[3,3], y: f64[3,2]) { " POSITIVE "%1 = solve %a %y\n return %1 }",
        "graph main(x: f64[3,3], y: f64[3,2]) { " POSITIVE
        "%1 = solve_triangular %a %y {upper}\n return %1 }",
        "graph main(x: f64[3,3]) { " POSITIVE
        "%1 = inv %a\n %2 = det %a\n %3 = mul %1 %2\n return %3 }",
        "graph main(x: f64[3,3]) { " POSITIVE "%1, %2 = slogdet %a\n return %2 }",
        "graph main(x: f64[3,3]) { " POSITIVE
        "%1, %2 = eigh %a\n %3 = abs %2\n %4 = mul %3 %1\n return %4 }",
        "graph main(x: f64[4,3]) { %1, %2, %3 = svd %x\n %4 = square %1\n %5 = mul %4 %2\n return "
        "%5 }",
        "graph main(x: f64[4,3]) { %1, %2 = qr %x\n %3 = matmul %1 %2\n %4 = square %2\n %5 = "
        "matmul %3 %4\n return %5 }",
    };
    for (unsigned i = 0; i < BZ_LEN(texts); i++) check(texts[i], texts[i], &domain);
}

/* The same as machine code, bit for bit: the tangent of y, and the tangent's tangent. */
static void check_compiled(const char *name, const char *text, const grad_domain *d) {
    static uint64_t seed = 3; /* draws the target, too */
    char what[600];
    problem p = {.name = name, .m = irt_parse(text)};
    ir_graph *g = p.g = p.m->graphs.p[0];
    (void)d;
    build(&p);
    ir_ref kept[2] = {g->outputs.p[FORWARD].node, g->outputs.p[TWICE].node};
    g->outputs.n = 0;
    for (unsigned i = 0; i < 2; i++) ir_output_add(g, NULL, kept[i], -1);
    const plan_check c = {
        .seed = seed++, .machine = true, .any_op = true, .threads = 3, .one = true};
    cr_expect(!plan_fault(g, &c, what), "%s: %s", name, what);
    ir_module_free(p.m);
}

Test(jvp, as_machine_code, .timeout = 600) {
    grad_program_cases(check_compiled);
}

/* ---- what a tangent is made of */

/* Parses, takes the tangent of the first output along the input `t`, by `x`, and prints the graph that gives it alone. */
static void expect_graph(const char *text, const char *want) {
    ir_module *m = irt_parse(text);
    ir_graph *g = m->graphs.p[0];
    pass_backward b = {0};
    bz_error e = {0};
    bz_text got = {0};
    ir_ref x = g->inputs.p[0].node, t = g->inputs.p[1].node, out = 0;
    cr_assert_eq(pass_jvp(&b, g, &g->outputs.p[0].node, 1, &x, &t, 1, &out), BZ_OK, "%s",
                 g->err.text);
    g->outputs.n = 0;
    ir_output_add(g, "ty", out, -1);
    const pass_info *canon = pass_find("canon", 5);
    const pass_target target = {.vector_bytes = 32, .machine = &pass_cpu};
    ir_graph *clean = canon->run(g, &target, &e);
    cr_assert(clean, "%s", e.text);
    ir_print(&got, clean);
    cr_expect(strstr(bz_text_c(&got), want), "%s\n-- is not in --\n%s", want, bz_text_c(&got));
    bz_text_free(&got);
    ir_graph_free(clean);
    pass_backward_free(&b);
    ir_module_free(m);
}

/* No value that the tangent does not need is computed, and linear ops are themselves. */
Test(jvp, is_lean) {
    expect_graph("graph main(x: f32[4,3], t: f32[4,3], w: f32[3,5]) { %1 = matmul %x %w\n %2 = sum "
                 "%1 {axes=[1]}\n return %2 }",
                 "{\n    %4 = dot %t, %w {acc=f32, order=dot, lcontract=[1], rcontract=[0]} : "
                 "f32[4,5]\n    %5 = reduce %4 {");
    expect_graph("graph main(x: f32[8], t: f32[8], i: i64[3]) { %1 = gather %x %i\n %2 = flip %1 "
                 "{axes=[0]}\n return %2 }",
                 "    %4 = gather %t, %i {axis=0} : f32[3]\n    %5 = slice %4 {start=[2], "
                 "step=[-1]} : f32[3]\n    return %5 as ty");
    expect_graph("graph main(x: f32[8], t: f32[8]) { %1, %2 = sort %x\n return %1 }",
                 "    %5 = gather %t, %4 {axis=0} : f32[8]\n    return %5 as ty");
    expect_graph(
        "graph main(x: f32[8], t: f32[8]) { %1 = sin %x\n %2 = cumsum %1 {axis=0}\n return %2 }",
        "    %3 = cos %x : f32[8]\n    %4 = mul %3, %t : f32[8]\n    %5 = scan %4 {way=sum, "
        "axis=0} : f32[8]\n    return %5 as ty");
    expect_graph(
        "graph main(x: f32[2], t: f32[2], y: f32[3]) { %1 = concat %y %x {axis=0}\n return %1 }",
        "    %5 = concat %4, %t {axis=0} : f32[5]\n    return %5 as ty");
    expect_graph(
        "graph main(x: f32[2], t: f32[2]) { %1 = lt %x 0\n %2 = where %1 %x 7\n return %2 }",
        "    %5 = where %4, %t, %3 : f32[2]\n    return %5 as ty");
    expect_graph(
        "graph main(x: f32[2], t: f32[2]) { %1 = stop_gradient %x\n %2 = mul %1 %x\n return %2 }",
        "{\n    %3 = mul %x, %t : f32[2]\n    return %3 as ty");
}

/* What depends on no variable has zeros; a variable that another is made of moves it too. */
Test(jvp, variables) {
    ir_module *m = irt_parse("graph main(x: f64[2], s: f64[2], y: f64[3]) { %1 = square %x\n %2 = "
                             "mul %1 %x\n return %2, %y }");
    ir_graph *g = m->graphs.p[0];
    pass_backward b = {0};
    const ir_ref x = g->inputs.p[0].node, s = g->inputs.p[1].node,
                 y[2] = {g->outputs.p[0].node, g->outputs.p[1].node};
    const ir_ref square =
        ir_operand(g, y[0], 0) == x ? ir_operand(g, y[0], 1) : ir_operand(g, y[0], 0);
    const ir_ref wrt[3] = {x, square, x}, t[3] = {s, s, s};
    ir_ref out[2];
    ir_bits v;
    cr_assert_eq(pass_jvp(&b, g, y, 2, wrt, t, 3, out), BZ_OK, "%s", g->err.text);
    cr_expect(ir_const_value(g, out[1], &v) && v == 0 && ir_same_type(g, out[1], g, y[1]));
    g->outputs.n = 0;
    ir_output_add(g, NULL, out[0], -1);
    double xs[] = {2, 3}, ss[] = {1, 10}, ys[3] = {0};
    ir_value_array in[3] = {{BZ_F64, 1, {2}, xs}, {BZ_F64, 1, {2}, ss}, {BZ_F64, 1, {3}, ys}}, got;
    irt_run_module(m, in, &got);
    /* x moves by 2 s, its square by s beside 2 x 2 s, x^3 by x times that and x^2 2 s */
    for (int i = 0; i < 2; i++)
        cr_expect_eq(irt_get(&got, i),
                     xs[i] * (ss[i] + 4 * xs[i] * ss[i]) + xs[i] * xs[i] * 2 * ss[i]);
    irt_free(&got, 1);
    pass_backward_free(&b);
    ir_module_free(m);
}

/* A loop without a bound, which has no gradient, has a tangent. */
Test(jvp, loop_without_a_bound) {
    ir_module *m = irt_parse(
        "graph main(x: f64, t: f64) { %1 = while %x {cond=small, body=turn}\n return %1 }\n"
        "graph small(a: f64) { %1 = lt %a 100.0\n return %1 }\n graph turn(a: f64) { %1 = square "
        "%a\n return %1 }");
    ir_graph *g = m->graphs.p[0];
    pass_backward b = {0};
    ir_ref x = g->inputs.p[0].node, t = g->inputs.p[1].node, out;
    cr_assert_eq(pass_jvp(&b, g, &g->outputs.p[0].node, 1, &x, &t, 1, &out), BZ_OK, "%s",
                 g->err.text);
    g->outputs.n = 0;
    ir_output_add(g, NULL, out, -1);
    double xs[] = {3}, ts[] = {10};
    ir_value_array in[2] = {{BZ_F64, 0, {0}, xs}, {BZ_F64, 0, {0}, ts}}, got;
    irt_run_module(m, in, &got); /* 3, 9, 81, 6561: x^8 */
    cr_expect_eq(irt_get(&got, 0), 8 * 2187.0 * 10);
    irt_free(&got, 1);
    pass_backward_free(&b);
    ir_module_free(m);
}

/* ---- mistakes */

Test(jvp, mistakes) {
    static const struct {
        const char *text;
        int tangent; /* an input, -1: none */
        bz_status want;
        const char *says;
    } cases[] = {
        {"graph main(x: f64[3], t: f64[4]) { %1 = square %x\n return %1 }", 1, BZ_ESHAPE,
         "[grad] the tangent f64[4] does not fit number 0 of wrt, f64[3]"},
        {"graph main(x: f64[3], t: f32[3]) { %1 = square %x\n return %1 }", 1, BZ_ESHAPE,
         "[grad] the tangent f32[3] does not fit number 0 of wrt, f64[3]"},
        {"graph main(x: f64[3]) { %1 = square %x\n return %1 }", -1, BZ_ESHAPE,
         "[grad] number 0 of wrt, f64[3], needs a tangent: it is not 0-d"},
        {"graph main(x: i64[3], t: i64[3]) { %1 = cast %x {dtype=f64}\n return %1 }", 1, BZ_EDTYPE,
         "[grad] only floats have a tangent, number 0 of wrt is i64[3]"},
        {"graph main(x: f64[3], t: f64[3]) { %1 = argmax %x\n return %1 }", 1, BZ_EDTYPE,
         "[grad] only floats have a tangent, result 0 is i64[]"},
        {"graph main(x: f16[3], t: f16[3]) { %1 = bitcast %x {dtype=bf16}\n return %1 }", 1,
         BZ_EGRAD, "[bitcast] has no gradient"},
        {"graph main(x: f64[2], t: f64[2]) { %s = stop_gradient %x\n %f = square %s\n"
         "%y = stand_in %f : f64[2]\n %d = stand_in %f : f64[2]\n %c = minimum %d 1.0\n"
         "%u = custom_grad %f, %y, %d, %x, %c {results=1, inputs=1} : (f64[2])\n"
         "%r = result %u {index=0} : f64[2]\n return %r }",
         1, BZ_EGRAD,
         "[custom_grad] has no tangent: what its gradient makes of the gradient that arrives is "
         "not linear"},
    };
    for (unsigned i = 0; i < BZ_LEN(cases); i++) {
        ir_module *m = irt_parse(cases[i].text);
        ir_graph *g = m->graphs.p[0];
        pass_backward b = {0};
        ir_ref x = g->inputs.p[0].node, out,
               t = cases[i].tangent < 0 ? 0 : g->inputs.p[cases[i].tangent].node;
        cr_expect_eq(pass_jvp(&b, g, &g->outputs.p[0].node, 1, &x, t ? &t : NULL, 1, &out),
                     cases[i].want, "case %u: %s", i, g->err.text);
        cr_expect(strstr(g->err.text, cases[i].says), "case %u: %s", i, g->err.text);
        pass_backward_free(&b);
        ir_module_free(m);
    }
}

/* A custom gradient that is linear in what arrives: 3 d in place of the gradient of x^2. */
Test(jvp, custom) {
    ir_module *m =
        irt_parse("graph main(x: f64[2], t: f64[2]) { %s = stop_gradient %x\n %f = square %s\n"
                  "%y = stand_in %f : f64[2]\n %d = stand_in %f : f64[2]\n %b = mul %d 3.0\n"
                  "%t1 = custom_grad %f, %y, %d, %x, %b {results=1, inputs=1} : (f64[2])\n"
                  "%r = result %t1 {index=0} : f64[2]\n %p = mul %r 2.0\n return %p }");
    ir_graph *g = m->graphs.p[0];
    pass_backward b = {0};
    ir_ref x = g->inputs.p[0].node, t = g->inputs.p[1].node, out;
    cr_assert_eq(pass_jvp(&b, g, &g->outputs.p[0].node, 1, &x, &t, 1, &out), BZ_OK, "%s",
                 g->err.text);
    g->outputs.n = 0;
    ir_output_add(g, NULL, out, -1);
    double xs[] = {5, -1}, ts[] = {1, 10};
    ir_value_array in[2] = {{BZ_F64, 1, {2}, xs}, {BZ_F64, 1, {2}, ts}}, got;
    irt_run_module(m, in, &got);
    for (int i = 0; i < 2; i++) cr_expect_eq(irt_get(&got, i), 6 * ts[i]);
    irt_free(&got, 1);
    pass_backward_free(&b);
    ir_module_free(m);
}
