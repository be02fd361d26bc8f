/* test_jvp_api.c - bz_jvp: lazily, op by op, on the interpreter and on far memory, inside compiled functions and through calls of them; of
 * gradients; with views as variables; loops; how many kernels it costs; mistakes. */
#include "tests/support/rt_support.h"

#include <stdio.h>

static bz_tensor *vec(bz_context *c, const float *v, int64_t n) {
    return bz_from_data(c, BZ_F32, v, BZ_SHAPE(n));
}
#define VEC(c, ...)                                                                                \
    vec(c, (const float[]){__VA_ARGS__},                                                           \
        (int64_t)(sizeof((const float[]){__VA_ARGS__}) / sizeof(float)))

#define OK(c, call) cr_assert_eq(call, BZ_OK, "line %d: %s", __LINE__, bz_message(c))

/* y0 = x^2 w, y1 = x0 x1 x2, y2 of neither; along x's t and w's 1. Then the gradient of sum y0's tangent for t. */
static bz_status pushed(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    bz_tensor *x = in[0], *w = in[1], *t = in[2], *wrt[2] = {x, w};
    bz_tensor *y[3] = {bz_mul(bz_square(x), w), bz_prod(x, NULL, 0, false), bz_neg(t)};
    (void)c, (void)nin, (void)nout, (void)user;
    bz_status s = bz_jvp(y, 3, wrt, ((bz_tensor *[]){t, NULL}), 2, out);
    return s ? s : bz_grad(bz_sum(out[0], NULL, 0, false), &t, 1, &out[3]);
}

static void check_pushed(bz_tensor *const *out) {
    EXPECT(out[0], 2 * 1 * 2 + 1, 2 * 2 * 2 * 10 + 4, 2 * 3 * 2 * 100 + 9);
    EXPECT(out[1], 1 * 6 + 10 * 3 + 100 * 2);
    EXPECT(out[2], 0, 0, 0);
    EXPECT(out[3], 4, 8, 12);
}

static void several_results(bz_context *c) {
    bz_tensor *in[3] = {VEC(c, 1, 2, 3), bz_full(c, NULL, 0, 2, BZ_F32), VEC(c, 1, 10, 100)};
    bz_tensor *out[4];
    OK(c, pushed(c, in, 3, out, 4, NULL));
    check_pushed(out);
    bz_program *p = bz_compile(c, pushed, NULL, &(bz_compile_options){.nin = 3, .nout = 4});
    OK(c, bz_call(p, in, out));
    check_pushed(out);
    bz_program_free(p);
}

Test(jvp_api, several_results_and_variables) {
    on_all(several_results);
}

/* f = x0^2 x1 + x1^3: H v = [2 x1 v0 + 2 x0 v1, 2 x0 v0 + 6 x1 v1] */
static void hessian_product(bz_context *c) {
    bz_tensor *x = VEC(c, 2, 3), *v = VEC(c, 1, 10), *g, *hv, *vh;
    bz_tensor *x0 = bz_select(x, 0, 0), *x1 = bz_select(x, 0, 1);
    bz_tensor *f = bz_sum(bz_add(bz_mul(bz_square(x0), x1), bz_pow(x1, 3)), NULL, 0, false), *d;
    OK(c, bz_grad(f, &x, 1, &g));
    OK(c, bz_jvp(&g, 1, &x, &v, 1, &hv));
    EXPECT(hv, 2 * 3 * 1 + 2 * 2 * 10, 2 * 2 * 1 + 6 * 3 * 10);
    OK(c, bz_jvp(&f, 1, &x, &v, 1, &d));
    OK(c, bz_grad(d, &x, 1, &vh));
    EXPECT(vh, 2 * 3 * 1 + 2 * 2 * 10, 2 * 2 * 1 + 6 * 3 * 10);
    OK(c, bz_jvp(&d, 1, &x, &v, 1, &d));
    EXPECT(d, 46 * 1 + 184 * 10);
}

Test(jvp_api, of_gradients) {
    on_all(hessian_product);
}

/* ---- calls of compiled functions */

static bz_status cube(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_mul(in[0], bz_square(in[0]));
    out[1] = bz_mul(in[0], 2);
    return BZ_OK;
}

/* Tangents go through two calls, the second of the first one's results, and past them. */
static void through_calls(bz_context *c) {
    bz_tensor *x = VEC(c, 1, 2), *t = VEC(c, 1, 10), *a[2], *b[2], *out[3], *g;
    bz_program *p = bz_compile(c, cube, NULL, &(bz_compile_options){.nin = 1, .nout = 2});
    OK(c, bz_call(p, &x, a));
    OK(c, bz_call(p, &a[1], b));
    bz_tensor *y[3] = {b[0], bz_add(a[0], bz_mul(b[1], x)), a[1]}; /* 8 x^3, x^3 + 4 x^2, 2 x */
    OK(c, bz_jvp(y, 3, &x, &t, 1, out));
    EXPECT(out[0], 24, 24 * 4 * 10);
    EXPECT(out[1], 3 + 8, (3 * 4 + 8 * 2) * 10);
    EXPECT(out[2], 2, 20);
    OK(c, bz_grad(bz_sum(out[1], NULL, 0, false), &x, 1, &g)); /* 6 x t + 8 t */
    EXPECT(g, 14, (12 + 8) * 10);
    /* a call's result is a variable, too: of itself, and of what it is made of */
    OK(c, bz_jvp(&b[0], 1, ((bz_tensor *[]){x, a[1]}), ((bz_tensor *[]){t, t}), 2, out));
    EXPECT(out[0], 3 * 4 * (2 + 1), 3 * 16 * (20 + 10));
    bz_program_free(p);
}

Test(jvp_api, through_calls_of_compiled_functions) {
    on_all(through_calls);
}

Test(jvp_api, through_a_call_whose_input_is_gone) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = VEC(c, 1, 2), *h = bz_mul(x, 2), *a[2], *out;
    bz_program *p = bz_compile(c, cube, NULL, &(bz_compile_options){.nin = 1, .nout = 2});
    OK(c, bz_call(p, &h, a));
    bz_release(h);
    cr_expect_eq(bz_jvp(a, 1, &x, &x, 1, &out), BZ_EGRAD, "%s", bz_message(c));
    bz_clear(c);
    bz_close(c);
}

/* ---- views, in-place ops */

static void views(bz_context *c) {
    bz_tensor *m = bz_reshape(VEC(c, 1, 2, 3, 4), BZ_SHAPE(2, 2)), *out;
    bz_tensor *row = bz_select(m, 0, 1), *t = VEC(c, 1, 10);
    bz_tensor *y =
        bz_square(m); /* not made from the view: of its storage, as far as the view sees it */
    OK(c, bz_jvp(&y, 1, &row, &t, 1, &out));
    EXPECT(out, 0, 0, 6, 80);
    y = bz_square(row);
    OK(c, bz_jvp(&y, 1, &row, &t, 1, &out));
    EXPECT(out, 6, 80);
    bz_tensor *w = VEC(c, 5, 6), *n = bz_mul(m, 1);
    bz_copy_(bz_select(n, 0, 0), bz_square(w));
    y = bz_mul(n, 3);
    OK(c, bz_jvp(&y, 1, ((bz_tensor *[]){w, m}), ((bz_tensor *[]){t, m}), 2, &out));
    EXPECT(out, 3 * 10, 3 * 120, 9, 12);
}

Test(jvp_api, views_and_windows) {
    on_all(views);
}

/* ---- control flow, functions of the user's */

static bz_status small(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_lt(bz_max(in[0], NULL, 0, false), 100);
    return BZ_OK;
}
static bz_status squared(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_square(in[0]);
    return BZ_OK;
}
static bz_status doubled(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_mul(in[0], 2);
    return BZ_OK;
}

/* A loop without a bound, then a branch. */
static bz_status loops(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    bz_tensor *y, *z;
    (void)nin, (void)nout;
    bz_status s = bz_while(c, small, squared, user, 0, in, 1, &y);
    bz_tensor *large = bz_lt(100, bz_max(y, NULL, 0, false));
    if (!s) s = bz_cond(c, large, doubled, squared, user, &y, 1, &z, 1);
    out[0] = z;
    return s ? s : bz_jvp(&z, 1, in, &in[1], 1, &out[1]);
}

static void control(bz_context *c) {
    bz_tensor *in[2] = {VEC(c, 2, 3), VEC(c, 1, 10)}, *out[2];
    for (int compiled = 0; compiled < 2; compiled++) {
        bz_program *p = bz_compile(c, loops, NULL, &(bz_compile_options){.nin = 2, .nout = 2});
        OK(c, compiled ? bz_call(p, in, out) : loops(c, in, 2, out, 2, NULL));
        EXPECT(out[0], 2 * 256, 2 * 6561);
        EXPECT(out[1], 2 * 8 * 128, 2 * 8 * 2187 * 10);
        bz_program_free(p);
    }
}

Test(jvp_api, loops_without_a_bound) {
    on_all(control);
}

/* The gradient that a function says counts: three times what arrives; where it is not linear there is no tangent. */
static bz_status three(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout;
    out[0] = *(bool *)user ? bz_mul(in[2], 3) : bz_minimum(in[2], 3);
    return BZ_OK;
}

static void custom(bz_context *c) {
    bz_tensor *x = VEC(c, 1, 2), *t = VEC(c, 1, 10), *y, *out;
    for (int linear = 1; linear >= 0; linear--) {
        bool is = linear;
        OK(c, bz_custom_grad(c, squared, three, &is, &x, 1, &y, 1));
        if (linear) {
            OK(c, bz_jvp(&y, 1, &x, &t, 1, &out));
            EXPECT(out, 3, 30);
            continue;
        }
        cr_expect_eq(bz_jvp(&y, 1, &x, &t, 1, &out), BZ_EGRAD);
        cr_expect(strstr(bz_message(c), "[custom_grad] has no tangent") &&
                      strstr(bz_message(c), "test_jvp_api.c"),
                  "%s", bz_message(c));
        bz_clear(c);
    }
}

Test(jvp_api, custom_gradients) {
    on_all(custom);
}

/* z -> z^2 + conj z, along t: 2 z t + conj t */
static void complex_numbers(bz_context *c) {
    bz_tensor *z = bz_complex(VEC(c, 1, 2), VEC(c, 3, -1)), *out;
    bz_tensor *t = bz_complex(VEC(c, 1, 0), VEC(c, 0, 10));
    bz_tensor *y = bz_add(bz_square(z), bz_conj(z));
    OK(c, bz_jvp(&y, 1, &z, &t, 1, &out));
    EXPECT(bz_real(out), 2 + 1, 20);
    EXPECT(bz_imag(out), 6, 40 - 10);
}

Test(jvp_api, complex_numbers) {
    on_all(complex_numbers);
}

/* A x = b: dx = A^-1 (db - dA x); ops of LAPACK whose gradients are compositions. */
static void solved(bz_context *c) {
    bz_tensor *a = bz_reshape(VEC(c, 2, 0, 0, 4), BZ_SHAPE(2, 2)), *b = VEC(c, 2, 4);
    bz_tensor *ta = bz_reshape(VEC(c, 0, 1, 0, 0), BZ_SHAPE(2, 2)), *tb = VEC(c, 0, 8), *out;
    bz_tensor *x = bz_solve(a, b);
    OK(c, bz_jvp(&x, 1, ((bz_tensor *[]){a, b}), ((bz_tensor *[]){ta, tb}), 2, &out));
    EXPECT(out, -0.5f, 2);
}

Test(jvp_api, through_lapack) {
    on_all(solved);
}

/* ---- what it costs */

typedef enum { VALUE, TANGENT, BOTH, LINEAR } wanted;

/* Two layers of x: [32,64]. */
static bz_status layers(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    const wanted what = *(const wanted *)user;
    bz_tensor *x = in[0], *t = in[1], *y;
    (void)c, (void)nin, (void)nout;
    y = what == LINEAR ? bz_matmul(bz_matmul(x, in[2]), in[2])
                       : bz_matmul(bz_tanh(bz_matmul(x, in[2])), in[2]);
    out[0] = y;
    return what == VALUE ? BZ_OK : bz_jvp(&y, 1, &x, &t, 1, &out[what == BOTH]);
}

static int kernels(bz_context *c, wanted what) {
    bz_tensor *in[3] = {bz_rand(c, BZ_SHAPE(32, 64), BZ_F32), bz_rand(c, BZ_SHAPE(32, 64), BZ_F32),
                        bz_rand(c, BZ_SHAPE(64, 64), BZ_F32)};
    bz_tensor *out[2];
    bz_explanation *x;
    bz_program *p =
        bz_compile(c, layers, &what, &(bz_compile_options){.nin = 3, .nout = 1 + (what == BOTH)});
    OK(c, bz_call(p, in, out));
    OK(c, bz_explain(p, NULL, &x));
    const int n = x->nkernels;
    bz_explanation_free(x);
    bz_program_free(p);
    return n;
}

/* Value and tangent together twice the value's kernels; of the tangent alone the value's last product is not there, of a linear
 * function none of the value. */
Test(jvp_api, costs_twice_the_value) {
    bz_context *c = open_one(BZ_CPU);
    cr_expect_eq(kernels(c, VALUE), 2);
    cr_expect_eq(kernels(c, BOTH), 4);
    cr_expect_eq(kernels(c, TANGENT), 3);
    cr_expect_eq(kernels(c, LINEAR), 2);
    bz_close(c);
}

/* ---- mistakes */

Test(jvp_api, mistakes) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = VEC(c, 1, 2, 3), *y = bz_square(x), *out, *before = bz_square(x);
    OK(c, bz_eval(&before, 1));
    y = bz_square(x);
    bz_tensor *bits = bz_bitcast(y, BZ_I32), *number = bz_scalar(c, 2);
    const struct {
        bz_tensor *y, *x, *t;
        bz_status want;
        const char *says;
    } cases[] = {
        {y, x, NULL, BZ_ESHAPE, "[jvp] variable 0, f32[3], needs a tangent: it is not 0-d"},
        {y, x, VEC(c, 1, 2), BZ_ESHAPE, "[jvp] the tangent f32[2] does not fit variable 0, f32[3]"},
        {y, x, bz_cast(x, BZ_F64), BZ_ESHAPE,
         "[jvp] the tangent f64[3] does not fit variable 0, f32[3]"},
        {bits, x, x, BZ_EDTYPE, "[jvp] only floats have a tangent, result 0 is i32[3]"},
        {y, bits, bits, BZ_EDTYPE, "[jvp] only floats have a tangent, number 0 of wrt is i32[3]"},
        {before, x, x, BZ_EGRAD, "[jvp] how the loss came about is not known"},
        {y, number, NULL, BZ_EGRAD, "[jvp] number 0 of wrt is a bz_scalar"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        bz_clear(c);
        cr_expect_eq(bz_jvp(&cases[i].y, 1, &cases[i].x, cases[i].t ? &cases[i].t : NULL, 1, &out),
                     cases[i].want, "case %u: %s", i, bz_message(c));
        cr_expect(strstr(bz_message(c), cases[i].says) && strstr(bz_message(c), "test_jvp_api.c"),
                  "case %u: %s", i, bz_message(c));
        cr_expect_neq(bz_eval(&out, 1), BZ_OK, "case %u: the result is poisoned", i);
    }
    bz_clear(c);
    bz_tensor *poisoned = bz_matmul(x, bz_ones(c, BZ_SHAPE(2, 2), BZ_F32));
    cr_expect_eq(bz_jvp(&poisoned, 1, &x, &x, 1, &out), BZ_ESHAPE);
    cr_expect(strstr(bz_message(c), "[matmul]"), "%s", bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_jvp(&y, 0, &x, &x, 1, &out), BZ_EARG);
    cr_expect_eq(bz_jvp(NULL, 1, &x, &x, 1, &out), BZ_EARG);
    cr_expect_eq(bz_jvp(&y, 1, &x, &x, -1, &out), BZ_EARG);
    cr_expect_eq(bz_jvp(&y, 1, NULL, &x, 1, &out), BZ_EARG);
    cr_expect(strstr(bz_message(c), "wrt is NULL"), "%s", bz_message(c));
    cr_expect_eq(bz_jvp(&y, 1, &x, &x, 1, NULL), BZ_EARG);
    bz_clear(c);
    OK(c, bz_jvp(&y, 1, NULL, NULL, 0, &out));
    EXPECT(out, 0, 0, 0);
    bz_close(c);
}
