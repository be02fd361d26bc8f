/* test_vjp.c - bz_vjp and bz_stop_gradient, lazily, op by op, on the interpreter and inside a compiled function. */
#include "braze/braze.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const float data[3] = {1, 2, 3};

static void expect(bz_tensor *x, const char *what, const float *want, int n) {
    float got[8] = {0};
    cr_expect_eq(bz_to_host(x, got, (size_t)n * sizeof *got), BZ_OK, "%s: %s", what,
                 bz_message(bz_context_of(x)));
    for (int i = 0; i < n; i++)
        cr_expect_float_eq(got[i], want[i], 1e-5, "%s[%d]: %g, not %g", what, i, (double)got[i],
                           (double)want[i]);
}
#define EXPECT(x, ...)                                                                             \
    expect(x, #x, (const float[]){__VA_ARGS__},                                                    \
           (int)(sizeof((const float[]){__VA_ARGS__}) / sizeof(float)))

/* y0 = x^2 [3], y1 = x0 x1 x2 [], both of x and of a weight: out[0], out[1] = gradients for x, w; out[2]: again, for the seed. */
static bz_status pulled_back(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                             int nout, void *user) {
    bz_tensor *x = in[0], *w = in[1], *seed = in[2], *one = bz_ones(c, NULL, 0, BZ_F32);
    bz_tensor *y[2] = {bz_mul(bz_square(x), w), bz_prod(x, NULL, 0, false)};
    bz_tensor *again;
    (void)nin, (void)nout, (void)user;
    bz_status s = bz_vjp(y, ((bz_tensor *[]){seed, one}), 2, in, 2, out);
    if (!s) s = bz_grad(bz_sum(out[0], NULL, 0, false), &seed, 1, &again);
    out[2] = again;
    return s;
}

static void check_results(bz_tensor *const *out) {
    EXPECT(out[0], 2 * 1 * 2 * 1 + 6, 2 * 2 * 2 * 10 + 3, 2 * 3 * 2 * 100 + 2);
    EXPECT(out[1], 1 * 1 + 4 * 10 + 9 * 100);
    EXPECT(out[2], 4, 8, 12);
}

static bz_context *opened(bz_mode mode, bz_device device) {
    bz_context *c;
    cr_assert_eq(bz_open(&(bz_options){.mode = mode, .device = device}, &c), BZ_OK);
    return c;
}

static void operands(bz_context *c, bz_tensor **in) {
    in[0] = bz_from_data(c, BZ_F32, data, BZ_SHAPE(3));
    in[1] = bz_full(c, NULL, 0, 2, BZ_F32);
    in[2] = bz_from_data(c, BZ_F32, ((float[]){1, 10, 100}), BZ_SHAPE(3));
}

static const struct {
    bz_mode mode;
    bz_device device;
} ways[] = {{BZ_LAZY, BZ_CPU}, {BZ_EAGER, BZ_CPU}, {BZ_LAZY, BZ_REF}};

Test(vjp, several_results_with_seeds) {
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        bz_context *c = opened(ways[i].mode, ways[i].device);
        bz_tensor *in[3], *out[3];
        operands(c, in);
        cr_assert_eq(pulled_back(c, in, 3, out, 3, NULL), BZ_OK, "%s", bz_message(c));
        check_results(out);
        bz_program *p =
            bz_compile(c, pulled_back, NULL, &(bz_compile_options){.nin = 3, .nout = 3});
        cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s", bz_message(c));
        check_results(out);
        bz_close(c);
    }
}

/* A result that is given twice, one that is a variable, one that the other is made of; no seed for a 0-d one. */
Test(vjp, results_that_overlap) {
    bz_context *c = opened(BZ_LAZY, BZ_CPU);
    bz_tensor *in[3], *out[2];
    operands(c, in);
    bz_tensor *h = bz_square(in[1]),
              *y[4] = {h, bz_exp(bz_mul(h, bz_zeros(c, NULL, 0, BZ_F32))), h, in[1]};
    cr_assert_eq(bz_vjp(y, NULL, 4, &in[1], 1, out), BZ_OK, "%s", bz_message(c));
    EXPECT(out[0], 4 + 0 + 4 + 1);
    cr_assert_eq(bz_vjp(&in[0], &in[2], 1, in, 2, out), BZ_OK, "%s", bz_message(c));
    EXPECT(out[0], 1, 10, 100);
    EXPECT(out[1], 0);
    bz_close(c);
}

Test(vjp, mistakes) {
    bz_context *c = opened(BZ_LAZY, BZ_CPU);
    bz_tensor *in[3], *out[1], *wrong = bz_ones(c, BZ_SHAPE(2), BZ_F32);
    operands(c, in);
    bz_tensor *y = bz_square(in[0]);
    const struct {
        bz_tensor **y, **seed;
        bz_status want;
        const char *says;
    } cases[] = {
        {&y, NULL, BZ_ESHAPE, "[vjp] result 0, f"},
        {&y, &wrong, BZ_ESHAPE, "does not fit"},
        {&y, (bz_tensor *[]){bz_cast(in[2], BZ_F64)}, BZ_ESHAPE, "does not fit"},
        {(bz_tensor *[]){bz_argmax(in[0], NULL, 0, false)}, NULL, BZ_EDTYPE,
         "[vjp] the loss must be a float"},
        {&in[2], &in[2], BZ_EGRAD, "not known"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        cr_expect_eq(bz_vjp(cases[i].y, cases[i].seed, 1, in, 1, out), cases[i].want, "case %u", i);
        cr_expect(strstr(bz_message(c), cases[i].says) && strstr(bz_message(c), "test_vjp.c"),
                  "case %u: %s", i, bz_message(c));
        bz_clear(c);
    }
    cr_expect_eq(bz_vjp(&y, &in[2], 0, in, 1, out), BZ_EARG);
    cr_expect_eq(bz_vjp(&y, &in[2], 1, NULL, 1, out), BZ_EARG);
    bz_close(c);
}

/* stop_gradient(x) x: half of the product rule; and with respect to what was stopped it is a variable like others. */
Test(stop_gradient, is_a_constant_to_gradients) {
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        bz_context *c = opened(ways[i].mode, ways[i].device);
        bz_tensor *x = bz_from_data(c, BZ_F32, data, BZ_SHAPE(3)), *fixed = bz_stop_gradient(x);
        bz_tensor *loss = bz_sum(bz_mul(fixed, bz_square(x)), NULL, 0, false);
        bz_tensor *wrt[2] = {x, fixed}, *g[2], *h;
        EXPECT(fixed, 1, 2, 3);
        cr_assert_eq(bz_grad(loss, wrt, 2, g), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_grad(bz_sum(g[0], NULL, 0, false), &x, 1, &h), BZ_OK, "%s", bz_message(c));
        EXPECT(g[0], 2, 8, 18);
        EXPECT(g[1], 1, 4, 9);
        EXPECT(h, 2, 4, 6);
        bz_tensor *n = bz_from_data(c, BZ_I64, ((int64_t[]){7}), BZ_SHAPE(1));
        cr_expect(bz_dtype_of(bz_stop_gradient(n)) == BZ_I64);
        cr_expect_eq(bz_item_int(bz_stop_gradient(bz_reshape(n, NULL, 0))), 7);
        bz_close(c);
    }
}

static bz_status stopped(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)c, (void)nin, (void)nout;
    bz_tensor *x = *(bool *)user ? bz_stop_gradient(bz_exp(in[0])) : bz_exp(in[0]);
    out[0] = bz_sum(bz_mul(x, in[2]), NULL, 0, false);
    return BZ_OK;
}

static int kernels(bz_context *c, bool stop, bz_tensor *const *in) {
    bz_program *p = bz_compile(c, stopped, &stop, &(bz_compile_options){.nin = 3, .nout = 1});
    bz_tensor *out;
    bz_explanation *x;
    cr_assert_eq(bz_call(p, in, &out), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_explain(p, NULL, &x), BZ_OK, "%s", bz_message(c));
    int n = x->nkernels;
    bz_explanation_free(x);
    return n;
}

Test(stop_gradient, costs_no_kernel) {
    bz_context *c = opened(BZ_LAZY, BZ_CPU);
    bz_tensor *in[3];
    operands(c, in);
    cr_expect_eq(kernels(c, true, in), 1);
    cr_expect_eq(kernels(c, false, in), 1);
    bz_close(c);
}

/* The squares of what atan2 differentiates by need not be numbers of the dtype. */
Test(vjp, atan2_far_and_near) {
    bz_context *c = opened(BZ_LAZY, BZ_REF);
    static const bz_dtype dtypes[] = {BZ_F32, BZ_F16};
    static const float at[][3] = {{1e-30f, 1e25f, 3}, {2e-4f, 300, 3}},
                       want[][3] = {{5e29f, 5e-26f, 1 / 6.0f}, {2500, 1 / 600.0f, 1 / 6.0f}};
    for (unsigned k = 0; k < 2; k++) {
        bz_tensor *x = bz_cast(bz_from_data(c, BZ_F32, at[k], BZ_SHAPE(3)), dtypes[k]),
                  *y = bz_mul(x, bz_ones(c, BZ_SHAPE(3), dtypes[k])), *g[2];
        float got[3];
        cr_assert_eq(bz_grad(bz_sum(bz_atan2(x, y), NULL, 0, false), ((bz_tensor *[]){x, y}), 2, g),
                     BZ_OK, "%s", bz_message(c));
        for (unsigned j = 0; j < 2; j++) {
            cr_assert_eq(bz_to_host(bz_cast(g[j], BZ_F32), got, sizeof got), BZ_OK);
            /* y is x: the gradient of y arrives at x, too */
            for (unsigned i = 0; i < 3; i++) {
                float right = j ? -want[k][i] : 0;
                cr_expect_leq(fabsf(got[i] - right), 2e-3f * want[k][i], "%g, not %g",
                              (double)got[i], (double)right);
            }
        }
    }
    bz_close(c);
}
