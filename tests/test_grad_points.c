/* test_grad_points.c - gradients where formulas divide by zero, meet infinities or choose: first and second derivatives of elementwise
 * ops at single points, and of compositions on short rows. */
#include "tests/support/irtest.h"

#include "src/passes/pass.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#define NO_Y 0 /* ops of one operand */

/* r = op(x, y). want: dr/dx, dr/dy, and the derivatives of their sum for x and for y. */
typedef struct point {
    const char *op;
    double x, y, want[4];
} point;

/* What PyTorch 2 (CPU, float64) gives: torch.autograd.grad with create_graph, twice; cbrt as pow(x, 1/3), for x >= 0. */
static const point theirs[] = {
    {"abs", 0, NO_Y, {0, 0, 0, 0}},
    {"abs", 1, NO_Y, {1, 0, 0, 0}},
    {"abs", -1, NO_Y, {-1, 0, 0, 0}},
    {"abs", INFINITY, NO_Y, {1, 0, 0, 0}},
    {"abs", -INFINITY, NO_Y, {-1, 0, 0, 0}},
    {"sqrt", 0, NO_Y, {INFINITY, 0, -INFINITY, 0}},
    {"sqrt", 1, NO_Y, {0.5, 0, -0.25, 0}},
    {"sqrt", -1, NO_Y, {NAN, 0, NAN, 0}},
    {"sqrt", INFINITY, NO_Y, {0, 0, 0, 0}},
    {"sqrt", -INFINITY, NO_Y, {NAN, 0, NAN, 0}},
    {"sqrt", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"rsqrt", 0, NO_Y, {-INFINITY, 0, INFINITY, 0}},
    {"rsqrt", 1, NO_Y, {-0.5, 0, 0.75, 0}},
    {"rsqrt", -1, NO_Y, {NAN, 0, NAN, 0}},
    {"rsqrt", INFINITY, NO_Y, {0, 0, 0, 0}},
    {"rsqrt", -INFINITY, NO_Y, {NAN, 0, NAN, 0}},
    {"rsqrt", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"reciprocal", 0, NO_Y, {-INFINITY, 0, INFINITY, 0}},
    {"reciprocal", 1, NO_Y, {-1, 0, 2, 0}},
    {"reciprocal", -1, NO_Y, {-1, 0, -2, 0}},
    {"reciprocal", INFINITY, NO_Y, {0, 0, 0, 0}},
    {"reciprocal", -INFINITY, NO_Y, {0, 0, 0, 0}},
    {"reciprocal", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"cbrt", 0, NO_Y, {INFINITY, 0, -INFINITY, 0}},
    {"cbrt", 1, NO_Y, {0.3333333333333333, 0, -0.22222222222222224, 0}},
    {"cbrt", INFINITY, NO_Y, {0, 0, 0, 0}},
    {"cbrt", -INFINITY, NO_Y, {0, 0, 0, 0}},
    {"cbrt", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"log", 0, NO_Y, {INFINITY, 0, -INFINITY, 0}},
    {"log", 1, NO_Y, {1, 0, -1, 0}},
    {"log", -1, NO_Y, {-1, 0, -1, 0}},
    {"log", INFINITY, NO_Y, {0, 0, 0, 0}},
    {"log", -INFINITY, NO_Y, {0, 0, 0, 0}},
    {"log", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"log1p", 0, NO_Y, {1, 0, -1, 0}},
    {"log1p", 1, NO_Y, {0.5, 0, -0.25, 0}},
    {"log1p", -1, NO_Y, {INFINITY, 0, -INFINITY, 0}},
    {"log1p", INFINITY, NO_Y, {0, 0, 0, 0}},
    {"log1p", -INFINITY, NO_Y, {0, 0, 0, 0}},
    {"log1p", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"asin", 0, NO_Y, {1, 0, 0, 0}},
    {"asin", 1, NO_Y, {INFINITY, 0, INFINITY, 0}},
    {"asin", -1, NO_Y, {INFINITY, 0, -INFINITY, 0}},
    {"asin", INFINITY, NO_Y, {NAN, 0, NAN, 0}},
    {"asin", -INFINITY, NO_Y, {NAN, 0, NAN, 0}},
    {"asin", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"acos", 0, NO_Y, {-1, 0, 0, 0}},
    {"acos", 1, NO_Y, {-INFINITY, 0, -INFINITY, 0}},
    {"acos", -1, NO_Y, {-INFINITY, 0, INFINITY, 0}},
    {"acos", INFINITY, NO_Y, {NAN, 0, NAN, 0}},
    {"acos", -INFINITY, NO_Y, {NAN, 0, NAN, 0}},
    {"acos", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"acosh", 0, NO_Y, {NAN, 0, NAN, 0}},
    {"acosh", 1, NO_Y, {INFINITY, 0, -INFINITY, 0}},
    {"acosh", -1, NO_Y, {INFINITY, 0, INFINITY, 0}},
    {"acosh", INFINITY, NO_Y, {0, 0, NAN, 0}},
    {"acosh", -INFINITY, NO_Y, {0, 0, NAN, 0}},
    {"acosh", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"atanh", 0, NO_Y, {1, 0, 0, 0}},
    {"atanh", 1, NO_Y, {INFINITY, 0, INFINITY, 0}},
    {"atanh", -1, NO_Y, {INFINITY, 0, -INFINITY, 0}},
    {"atanh", INFINITY, NO_Y, {0, 0, NAN, 0}},
    {"atanh", -INFINITY, NO_Y, {0, 0, NAN, 0}},
    {"atanh", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"relu", 0, NO_Y, {0, 0, 0, 0}},
    {"relu", 1, NO_Y, {1, 0, 0, 0}},
    {"relu", -1, NO_Y, {0, 0, 0, 0}},
    {"relu", INFINITY, NO_Y, {1, 0, 0, 0}},
    {"relu", -INFINITY, NO_Y, {0, 0, 0, 0}},
    {"relu", NAN, NO_Y, {1, 0, 0, 0}},
    {"sigmoid", 0, NO_Y, {0.25, 0, 0, 0}},
    {"sigmoid", 1, NO_Y, {0.19661193324148185, 0, -0.09085774767294841, 0}},
    {"sigmoid", -1, NO_Y, {0.19661193324148185, 0, 0.09085774767294841, 0}},
    {"sigmoid", INFINITY, NO_Y, {0, 0, 0, 0}},
    {"sigmoid", -INFINITY, NO_Y, {0, 0, 0, 0}},
    {"sigmoid", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"softplus", 0, NO_Y, {0.5, 0, 0.25, 0}},
    {"softplus", 1, NO_Y, {0.7310585786300049, 0, 0.19661193324148185, 0}},
    {"softplus", -1, NO_Y, {0.2689414213699951, 0, 0.19661193324148185, 0}},
    {"softplus", INFINITY, NO_Y, {1, 0, 0, 0}},
    {"softplus", -INFINITY, NO_Y, {0, 0, 0, 0}},
    {"softplus", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"tanh", 0, NO_Y, {1, 0, 0, 0}},
    {"tanh", 1, NO_Y, {0.41997434161402614, 0, -0.6397000084492246, 0}},
    {"tanh", -1, NO_Y, {0.41997434161402614, 0, 0.6397000084492246, 0}},
    {"tanh", INFINITY, NO_Y, {0, 0, 0, 0}},
    {"tanh", -INFINITY, NO_Y, {0, 0, 0, 0}},
    {"tanh", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"erf", 0, NO_Y, {1.1283791670955126, 0, 0, 0}},
    {"erf", 1, NO_Y, {0.4151074974205947, 0, -0.8302149948411894, 0}},
    {"erf", -1, NO_Y, {0.4151074974205947, 0, 0.8302149948411894, 0}},
    {"erf", INFINITY, NO_Y, {0, 0, NAN, 0}},
    {"erf", -INFINITY, NO_Y, {0, 0, NAN, 0}},
    {"erf", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"square", 0, NO_Y, {0, 0, 2, 0}},
    {"square", 1, NO_Y, {2, 0, 2, 0}},
    {"square", -1, NO_Y, {-2, 0, 2, 0}},
    {"square", INFINITY, NO_Y, {INFINITY, 0, 2, 0}},
    {"square", -INFINITY, NO_Y, {-INFINITY, 0, 2, 0}},
    {"square", NAN, NO_Y, {NAN, 0, 2, 0}},
    {"exp", 0, NO_Y, {1, 0, 1, 0}},
    {"exp", 1, NO_Y, {2.718281828459045, 0, 2.718281828459045, 0}},
    {"exp", -1, NO_Y, {0.36787944117144233, 0, 0.36787944117144233, 0}},
    {"exp", INFINITY, NO_Y, {INFINITY, 0, INFINITY, 0}},
    {"exp", -INFINITY, NO_Y, {0, 0, 0, 0}},
    {"exp", NAN, NO_Y, {NAN, 0, NAN, 0}},
    {"div", 0, 0, {INFINITY, NAN, -INFINITY, NAN}},
    {"div", 0, 1, {1, 0, -1, -1}},
    {"div", 0, 2, {0.5, 0, -0.25, -0.25}},
    {"div", 0, 3, {0.3333333333333333, 0, -0.1111111111111111, -0.1111111111111111}},
    {"div", 0, -1, {-1, 0, -1, -1}},
    {"div", 0, 0.5, {2, 0, -4, -4}},
    {"div", 2, 0, {INFINITY, -INFINITY, -INFINITY, NAN}},
    {"div",
     -2,
     3,
     {0.3333333333333333, 0.2222222222222222, -0.1111111111111111, -0.25925925925925924}},
    {"div", INFINITY, 0, {INFINITY, -INFINITY, -INFINITY, NAN}},
    {"div", 1, INFINITY, {0, 0, 0, 0}},
    {"div", -INFINITY, -INFINITY, {0, NAN, 0, NAN}},
    {"div", -INFINITY, 0, {INFINITY, INFINITY, -INFINITY, -INFINITY}},
    {"pow", 0, -1, {-INFINITY, -INFINITY, INFINITY, INFINITY}},
    {"pow", 0, 0.5, {INFINITY, 0, NAN, NAN}},
    {"pow", 2, 0, {0, 0.6931471805599453, 0.5, 0.4804530139182014}},
    {"pow", -2, 3, {12, NAN, NAN, NAN}},
    {"pow", 1, INFINITY, {INFINITY, 0, NAN, NAN}},
    {"pow", -INFINITY, -INFINITY, {NAN, NAN, NAN, NAN}},
    {"pow", -INFINITY, 0, {0, NAN, 0, NAN}},
    {"atan2", 0, 1, {1, 0, -1, -1}},
    {"atan2", 0, 2, {0.5, 0, -0.25, -0.25}},
    {"atan2", 0, 3, {0.3333333333333333, 0, -0.1111111111111111, -0.1111111111111111}},
    {"atan2", 0, -1, {-1, 0, -1, -1}},
    {"atan2", 0, 0.5, {2, 0, -4, -4}},
    {"atan2", 2, 0, {0, -0.5, 0.25, 0.25}},
    {"atan2",
     -2,
     3,
     {0.23076923076923078, 0.15384615384615385, 0.041420118343195284, -0.10059171597633138}},
    {"atan2", INFINITY, 0, {0, NAN, NAN, NAN}},
    {"atan2", 1, INFINITY, {NAN, 0, NAN, NAN}},
    {"atan2", -INFINITY, -INFINITY, {NAN, NAN, NAN, NAN}},
    {"atan2", -INFINITY, 0, {0, NAN, NAN, NAN}},
    {"hypot", 0, 0, {NAN, NAN, NAN, NAN}},
    {"hypot", 0, 1, {0, 1, 1, 0}},
    {"hypot", 0, 2, {0, 1, 0.5, 0}},
    {"hypot", 0, 3, {0, 1, 0.3333333333333333, 0}},
    {"hypot", 0, -1, {0, -1, 1, 0}},
    {"hypot", 0, 0.5, {0, 1, 2, 0}},
    {"hypot", 2, 0, {1, 0, 0, 0.5}},
    {"hypot",
     -2,
     3,
     {-0.5547001962252291, 0.8320502943378437, 0.3200193439760937, 0.21334622931739583}},
    {"hypot", INFINITY, 0, {NAN, 0, NAN, NAN}},
    {"hypot", 1, INFINITY, {0, NAN, NAN, NAN}},
    {"hypot", -INFINITY, -INFINITY, {NAN, NAN, NAN, NAN}},
    {"hypot", -INFINITY, 0, {NAN, 0, NAN, NAN}},
    {"copysign", 2, 0, {1, 0, 0, 0}},
    {"copysign", -2, 3, {-1, 0, 0, 0}},
    {"copysign", 1, INFINITY, {1, 0, 0, 0}},
    {"mod", 0, 0, {1, NAN, 0, 0}},
    {"mod", 0, 1, {1, 0, 0, 0}},
    {"mod", 0, 2, {1, 0, 0, 0}},
    {"mod", 0, 3, {1, 0, 0, 0}},
    {"mod", 0, -1, {1, 0, 0, 0}},
    {"mod", 0, 0.5, {1, 0, 0, 0}},
    {"mod", 2, 0, {1, -INFINITY, 0, 0}},
    {"mod", -2, 3, {1, 1, 0, 0}},
    {"mod", INFINITY, 0, {1, -INFINITY, 0, 0}},
    {"mod", 1, INFINITY, {1, 0, 0, 0}},
    {"mod", -INFINITY, -INFINITY, {1, NAN, 0, 0}},
    {"mod", -INFINITY, 0, {1, INFINITY, 0, 0}},
    {"fmod", 0, 0, {1, NAN, 0, 0}},
    {"fmod", 0, 1, {1, 0, 0, 0}},
    {"fmod", 0, 2, {1, 0, 0, 0}},
    {"fmod", 0, 3, {1, 0, 0, 0}},
    {"fmod", 0, -1, {1, 0, 0, 0}},
    {"fmod", 0, 0.5, {1, 0, 0, 0}},
    {"fmod", 2, 0, {1, -INFINITY, 0, 0}},
    {"fmod", -2, 3, {1, 0, 0, 0}},
    {"fmod", INFINITY, 0, {1, -INFINITY, 0, 0}},
    {"fmod", 1, INFINITY, {1, 0, 0, 0}},
    {"fmod", -INFINITY, -INFINITY, {1, NAN, 0, 0}},
    {"fmod", -INFINITY, 0, {1, INFINITY, 0, 0}},
    {"logaddexp", 0, 0, {0.5, 0.5, 0, 0}},
    {"logaddexp", 0, 1, {0.2689414213699951, 0.7310585786300049, 0, 0}},
    {"logaddexp", 0, 2, {0.11920292202211755, 0.8807970779778823, 0, 0}},
    {"logaddexp", 0, 3, {0.04742587317756678, 0.9525741268224334, 0, 0}},
    {"logaddexp", 0, -1, {0.7310585786300049, 0.2689414213699951, 0, 0}},
    {"logaddexp", 0, 0.5, {0.3775406687981454, 0.6224593312018546, 0, 0}},
    {"logaddexp", 2, 0, {0.8807970779778823, 0.11920292202211755, 0, 0}},
    {"logaddexp", -2, 3, {0.0066928509242848554, 0.9933071490757153, 0, 0}},
    {"logaddexp", -INFINITY, -INFINITY, {NAN, NAN, NAN, NAN}},
};

/* Where PyTorch's second derivative is NaN (cbrt below zero: pow's domain) and the limit, or for copysign and atan2 the rule that was
 * taken for the first one, is a number. */
static const point ours[] = {
    {"cbrt", -1, NO_Y, {0.3333333333333333, 0, 0.2222222222222222, 0}},
    {"pow", 0, 2, {0, 0, 2, 0}},
    {"pow", 0, 3, {0, 0, 0, 0}},
    {"pow", INFINITY, 0, {0, INFINITY, 0, INFINITY}},
    {"atan2", 0, 0, {0, 0, 0, 0}},
    {"copysign", 0, 0, {0, 0, 0, 0}},
    {"copysign", 0, 1, {0, 0, 0, 0}},
    {"copysign", 0, -1, {0, 0, 0, 0}},
    {"copysign", INFINITY, 0, {1, 0, 0, 0}},
    {"copysign", -INFINITY, -INFINITY, {1, 0, 0, 0}},
    {"copysign", -INFINITY, 0, {-1, 0, 0, 0}},
    {"logaddexp", INFINITY, 0, {1, 0, 0, 0}},
    {"logaddexp", 1, INFINITY, {0, 1, 0, 0}},
    {"logaddexp", -INFINITY, 0, {0, 1, 0, 0}},
    /* Bessel functions near 0, by their series in exact arithmetic */
    {"i1", 0, NO_Y, {0.5, 0, 0, 0}},
    {"i1", 0.001, NO_Y, {0.5000001875000131, 0, 0.00037500005208333564, 0}},
    {"i1", -0.0078125, NO_Y, {0.5000114441403033, 0, -0.002929712335334974, 0}},
    {"i1", 1, NO_Y, {0.7009067737595233, 0, 0.42941143422544675, 0}},
    {"i1e", 0.001, NO_Y, {0.49900093691694003, 0, -0.9981267489067654, 0}},
    {"i1e", 0.01, NO_Y, {0.49009316939076164, 0, -0.9814239113867611, 0}},
    {"i1e", 1, NO_Y, {0.04993877689422354, 0, -0.1498163306826706, 0}},
};

enum { MAX_VALUES = 8 };

/* Outputs of the graph become the gradient of their sum for each input, and the second gradients. */
static void differentiate(ir_graph *g) {
    ir_ref wrt[2], first[2], second[2], loss = 0, again = 0;
    const unsigned n = g->inputs.n;
    for (unsigned i = 0; i < n; i++) wrt[i] = g->inputs.p[i].node;
    loss = ir_reduce(g, IR_SUM, g->outputs.p[0].node, NULL, 0, false);
    cr_assert_eq(pass_grad(g, loss, 0, wrt, n, first), BZ_OK, "%s", g->err.text);
    for (unsigned i = 0; i < n; i++) {
        ir_ref sum = ir_reduce(g, IR_SUM, first[i], NULL, 0, false);
        again = again ? ir_build2(g, IR_ADD, again, sum) : sum;
    }
    cr_assert_eq(pass_grad(g, again, 0, wrt, n, second), BZ_OK, "%s", g->err.text);
    g->outputs.n = 0;
    for (unsigned i = 0; i < n; i++) ir_output_add(g, NULL, first[i], -1);
    for (unsigned i = 0; i < n; i++) ir_output_add(g, NULL, second[i], -1);
}

static bool close_to(double got, double want) {
    if (isnan(want) || isinf(want)) return isnan(want) ? isnan(got) : got == want;
    return fabs(got - want) <= 1e-13 * (1 + fabs(want));
}

static void check_point(const point *p) {
    bz_text t = {0};
    bool binary = ir_ops[ir_op_from_name(p->op, strlen(p->op))].arity == 2;
    bz_textf(&t,
             binary ? "graph main(x: f64[], y: f64[]) { %%r = %s %%x %%y\n return %%r }"
                    : "graph main(x: f64[]) { %%r = %s %%x\n return %%r }",
             p->op);
    ir_module *m = irt_parse(bz_text_c(&t));
    const unsigned n = binary ? 2 : 1;
    ir_value_array in[2], out[4];
    differentiate(m->graphs.p[0]);
    for (unsigned i = 0; i < n; i++) {
        in[i] = irt_array(BZ_F64, 0, NULL);
        irt_set(&in[i], 0, i ? p->y : p->x);
    }
    irt_run_module(m, in, out);
    for (unsigned i = 0; i < 2 * n; i++) {
        double want = p->want[binary ? i : 2 * i], got = irt_get(&out[i], 0);
        cr_expect(close_to(got, want), "%s(%g, %g), derivative %u: %.17g, not %.17g", p->op, p->x,
                  p->y, i, got, want);
    }
    irt_free(in, n);
    irt_free(out, 2 * n);
    ir_module_free(m);
    bz_text_free(&t);
}

Test(grad_points, as_pytorch) {
    for (unsigned i = 0; i < BZ_LEN(theirs); i++) check_point(&theirs[i]);
}

Test(grad_points, limits_and_rules_of_our_own) {
    for (unsigned i = 0; i < BZ_LEN(ours); i++) check_point(&ours[i]);
}

/* ---- rows: the same two derivatives for every element of x: f64[n] */

static const struct {
    const char *text;
    unsigned n;
    double x[MAX_VALUES], first[MAX_VALUES], second[MAX_VALUES];
} rows[] = {
    /* products: the second derivative is the sum over the others of the products without both */
    {"%r = prod %x", 3, {2, 0, 3}, {0, 6, 0}, {3, 5, 2}},
    {"%r = prod %x", 3, {0, 0, 3}, {0, 0, 0}, {3, 3, 0}},
    {"%r = prod %x", 3, {0, 0, 0}, {0, 0, 0}, {0, 0, 0}},
    {"%r = prod %x", 1, {0}, {1}, {0}},
    {"%r = prod %x", 2, {0, 5}, {5, 0}, {1, 1}},
    {"%r = prod %x", 5, {1, 2, 3, 4, 5}, {120, 60, 40, 30, 24}, {154, 107, 78, 61, 50}},
    {"%r = prod %x", 3, {1e200, 1e200, 0}, {0, 0, INFINITY}, {1e200, 1e200, 2e200}},
    /* a whole exponent at 0, and a derivative that has gone to 0 */
    {"%r = pow %x 2", 3, {0, -1, 3}, {0, -2, 6}, {2, 2, 2}},
    {"%r = pow %x 1", 2, {0, 3}, {1, 1}, {0, 0}},
    {"%r = pow %x 0", 3, {0, 3, INFINITY}, {0, 0, 0}, {0, 0, 0}},
    {"%1 = pow %x 2\n %2 = pow %1 2\n %r = mul %2 %1", 2, {0, 1}, {0, 6}, {0, 30}},
    /* a row that is infinite stays where it was taken from */
    {"%1 = reshape %x {shape=[3,2]}\n %i = const {value=[0,-1]} : i64[2]\n %2 = gather %1 %i\n %r "
     "= "
     "log %2",
     6,
     {0, 1, 2, 3, 4, 5},
     {INFINITY, 1, 0, 0, 0.25, 0.2},
     {-INFINITY, -1, 0, 0, -0.0625, -0.04}},
    {"%v, %i = sort %x\n %r = log %v",
     4,
     {4, 0, NAN, 2},
     {0.25, INFINITY, NAN, 0.5},
     {-0.0625, -INFINITY, NAN, -0.25}},
    /* rows that hold -inf, as masks leave them */
    {"%1 = softmax %x\n %r = square %1", 2, {0, -INFINITY}, {0, 0}, {0, 0}},
    {"%r = logsumexp %x", 3, {0, -INFINITY, 0}, {0.5, 0, 0.5}, {0, 0, 0}},
    /* what goes through a variance's mean is zero, and not inf - inf */
    {"%r = var %x", 3, {INFINITY, 1, 2}, {NAN, -INFINITY, -INFINITY}, {0, 0, 0}},
    {"%1 = var %x {axes=[0], keepdim}\n %r = square %1", 3, {1, 2, 6}, {-28, -14, 42}, {0, 0, 0}},
    {"%1 = square %x\n %2 = sum %1\n %r = sqrt %2", 2, {0, 0}, {NAN, NAN}, {NAN, NAN}},
    {"%1 = square %x\n %2 = sum %1\n %r = sqrt %2", 2, {3, 4}, {0.6, 0.8}, {0.032, -0.024}},
};

static void check_row(unsigned number) {
    bz_text t = {0};
    const unsigned n = rows[number].n;
    bz_textf(&t, "graph main(x: f64[%u]) {\n %s\n return %%r }", n, rows[number].text);
    ir_module *m = irt_parse(bz_text_c(&t));
    int64_t shape = n;
    ir_value_array in = irt_array(BZ_F64, 1, &shape), out[2];
    differentiate(m->graphs.p[0]);
    for (unsigned e = 0; e < n; e++) irt_set(&in, e, rows[number].x[e]);
    irt_run_module(m, &in, out);
    for (unsigned k = 0; k < 2; k++)
        for (unsigned e = 0; e < n; e++) {
            double want = k ? rows[number].second[e] : rows[number].first[e],
                   got = irt_get(&out[k], e);
            cr_expect(close_to(got, want), "row %u, order %u, element %u: %.17g, not %.17g", number,
                      k + 1, e, got, want);
        }
    irt_free(&in, 1);
    irt_free(out, 2);
    ir_module_free(m);
    bz_text_free(&t);
}

Test(grad_points, rows) {
    for (unsigned i = 0; i < BZ_LEN(rows); i++) check_row(i);
}

/* The fourth derivative of x^2 and the fifth of x^3 at 0: steps at which the exponent passes 0. */
Test(grad_points, powers_at_any_order) {
    static const struct {
        const char *text;
        double want[6];
    } cases[] = {
        {"graph main(x: f64[]) { %r = pow %x 2\n return %r }", {0, 2, 0, 0, 0, 0}},
        {"graph main(x: f64[]) { %r = pow %x 3\n return %r }", {0, 0, 6, 0, 0, 0}},
        {"graph main(x: f64[]) { %1 = pow %x 1\n %r = mul %1 %x\n return %r }", {0, 2, 0, 0, 0, 0}},
    };
    for (unsigned i = 0; i < BZ_LEN(cases); i++) {
        ir_module *m = irt_parse(cases[i].text);
        ir_graph *g = m->graphs.p[0];
        ir_ref x = g->inputs.p[0].node, y = g->outputs.p[0].node;
        ir_value_array in = irt_array(BZ_F64, 0, NULL), out[6];
        irt_set(&in, 0, 0);
        g->outputs.n = 0;
        for (unsigned k = 0; k < 6; k++) {
            cr_assert_eq(pass_grad(g, y, 0, &x, 1, &y), BZ_OK, "%s", g->err.text);
            ir_output_add(g, NULL, y, -1);
        }
        irt_run_module(m, &in, out);
        for (unsigned k = 0; k < 6; k++)
            cr_expect(irt_get(&out[k], 0) == cases[i].want[k], "case %u, order %u: %g, not %g", i,
                      k + 1, irt_get(&out[k], 0), cases[i].want[k]);
        irt_free(&in, 1);
        irt_free(out, 6);
        ir_module_free(m);
    }
}
