/* test_customgrad.c - bz_custom_grad, lazily, op by op, on the interpreter, inside a compiled function, through its call. */
#include "braze/braze.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static const struct {
    const char *name;
    bz_mode mode;
    bz_device device;
    bool compiled;
} ways[] = {
    {"lazy", BZ_LAZY, BZ_CPU, false},           {"eager", BZ_EAGER, BZ_CPU, false},
    {"reference", BZ_LAZY, BZ_REF, false},      {"compiled", BZ_LAZY, BZ_CPU, true},
    {"compiled eager", BZ_EAGER, BZ_CPU, true}, {"compiled reference", BZ_LAZY, BZ_REF, true}};
enum { WAYS = sizeof ways / sizeof *ways };
#define FUNCTION(name)                                                                             \
    static bz_status name(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, \
                          void *user)
#define UNUSED (void)c, (void)in, (void)nin, (void)out, (void)nout, (void)user

static bz_context *opened(unsigned way) {
    bz_context *c;
    cr_assert_eq(bz_open(&(bz_options){.mode = ways[way].mode, .device = ways[way].device}, &c),
                 BZ_OK);
    return c;
}

static void expect(bz_tensor *x, const char *what, const double *want, int n) {
    double got[8] = {0};
    cr_expect_eq(bz_to_host(bz_cast(x, BZ_F64), got, (size_t)n * sizeof *got), BZ_OK, "%s: %s",
                 what, bz_message(bz_context_of(x)));
    for (int i = 0; i < n; i++)
        cr_expect(got[i] == want[i] || fabs(got[i] - want[i]) < 1e-6 ||
                      (isnan(got[i]) && isnan(want[i])),
                  "%s[%d]: %.9g, not %.9g", what, i, got[i], want[i]);
}
#define EXPECT(way, x, ...)                                                                        \
    expect(x, ways[way].name, (const double[]){__VA_ARGS__},                                       \
           (int)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)))

/* Runs body(x, w) -> nout tensors, as it stands or through bz_call. */
static void run(unsigned way, bz_context *c, bz_function *body, void *user, bz_tensor **in, int nin,
                bz_tensor **out, int nout) {
    if (!ways[way].compiled) {
        cr_assert_eq(body(c, in, nin, out, nout, user), BZ_OK, "%s: %s", ways[way].name,
                     bz_message(c));
        return;
    }
    bz_program *p = bz_compile(c, body, user, &(bz_compile_options){.nin = nin, .nout = nout});
    cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s: %s", ways[way].name, bz_message(c));
}

static bz_tensor *total(bz_tensor *x) {
    return bz_sum(x, NULL, 0, false);
}

static bz_tensor *custom1(bz_context *c, bz_function *f, bz_function *b, void *user, bz_tensor *x) {
    bz_tensor *y;
    bz_custom_grad(c, f, b, user, &x, 1, &y, 1);
    return y;
}

/* ---- round, straight through */
FUNCTION(rounds) {
    UNUSED;
    return out[0] = bz_round(in[0]), BZ_OK;
}
FUNCTION(straight) {
    UNUSED;
    return out[0] = in[2], BZ_OK;
}
FUNCTION(rounding) {
    UNUSED;
    bz_tensor *y = custom1(c, rounds, straight, NULL, in[0]);
    out[0] = y;
    return bz_grad(total(bz_square(y)), in, 1, &out[1]);
}

/* ---- the identity, with clipped gradients: no linear function of them */
FUNCTION(same) {
    UNUSED;
    return out[0] = in[0], BZ_OK;
}
FUNCTION(clipped) {
    UNUSED;
    return out[0] = bz_minimum(bz_maximum(in[2], bz_scalar(c, -*(double *)user)),
                               bz_scalar(c, *(double *)user)),
           BZ_OK;
}
FUNCTION(clipping) {
    UNUSED;
    bz_tensor *y = custom1(c, same, clipped, user, bz_square(in[0]));
    out[0] = y;
    return bz_grad(total(bz_mul(y, in[1])), in, 2, &out[1]);
}

/* ---- log(1 + e^x) whose gradient is sigmoid(x), without inf / inf */
FUNCTION(log1pexp) {
    UNUSED;
    return out[0] = bz_log(bz_add(bz_exp(in[0]), bz_scalar(c, 1))), BZ_OK;
}
FUNCTION(log1pexp_back) {
    UNUSED;
    bz_tensor *one = bz_scalar(c, 1);
    return out[0] = bz_mul(in[2], bz_sub(one, bz_div(one, bz_add(one, bz_exp(in[0]))))), BZ_OK;
}
FUNCTION(stable) {
    UNUSED;
    return bz_grad(total(custom1(c, log1pexp, log1pexp_back, NULL, in[0])), in, 1, out);
}

/* ---- e^x whose backward uses the result; orders 1 to 3 */
FUNCTION(exps) {
    UNUSED;
    return out[0] = bz_exp(in[0]), BZ_OK;
}
FUNCTION(exps_back) {
    UNUSED;
    return out[0] = bz_mul(in[1], in[2]), BZ_OK;
}
FUNCTION(orders) {
    UNUSED;
    bz_tensor *y = custom1(c, exps, exps_back, NULL, bz_mul(in[0], bz_scalar(c, 2)));
    for (int k = 0; k < nout; k++) {
        bz_status s = bz_grad(total(k ? out[k - 1] : y), in, 1, &out[k]);
        if (s) return s;
    }
    return BZ_OK;
}

/* ---- two results, three inputs (one of integers); the backward scales both gradients by their common norm */
FUNCTION(pair) {
    UNUSED;
    out[0] = bz_mul(in[0], in[1]);
    out[1] = bz_add(in[0], bz_cast(in[2], BZ_F32));
    return BZ_OK;
}
FUNCTION(pair_back) {
    UNUSED;
    bz_tensor *a = in[5], *b = in[6];
    bz_tensor *norm = bz_sqrt(bz_add(total(bz_square(a)), total(bz_square(b))));
    out[0] = bz_div(bz_add(a, b), norm);
    return BZ_OK;
}
FUNCTION(pairs) {
    UNUSED;
    bz_tensor *y[2];
    bz_status s = bz_custom_grad(c, pair, pair_back, NULL, in, 3, y, 2);
    if (s) return s;
    s = bz_grad(total(bz_add(bz_mul(y[0], bz_scalar(c, 3)), bz_mul(y[1], bz_scalar(c, 4)))), in, 2,
                out);
    if (!s) s = bz_grad(total(bz_mul(y[0], bz_scalar(c, 3))), in, 1, out + 2);
    return s;
}

/* ---- one inside another's functions, the same one too */
FUNCTION(outer) {
    UNUSED;
    return out[0] = bz_mul(custom1(c, exps, exps_back, NULL, in[0]), in[0]), BZ_OK;
}
FUNCTION(outer_back) {
    UNUSED;
    bz_tensor *e = custom1(c, exps, exps_back, NULL, in[0]);
    bz_tensor *d = custom1(c, exps, exps_back, NULL, bz_mul(in[2], bz_scalar(c, 0)));
    return out[0] = bz_mul(bz_mul(in[2], d), bz_add(e, bz_mul(e, in[0]))), BZ_OK;
}
FUNCTION(nested) {
    UNUSED;
    bz_tensor *y = custom1(c, outer, outer_back, NULL, in[0]);
    for (int k = 0; k < nout; k++) {
        bz_status s = bz_grad(total(k ? out[k - 1] : y), in, 1, &out[k]);
        if (s) return s;
    }
    return BZ_OK;
}

/* ---- a backward made by bz_vjp of the forward, with a weight from outside */
FUNCTION(weighted) {
    UNUSED;
    return out[0] = bz_mul(bz_square(in[0]), bz_stop_gradient(*(bz_tensor **)user)), BZ_OK;
}
FUNCTION(weighted_back) {
    UNUSED;
    bz_tensor *y = bz_mul(bz_square(in[0]), *(bz_tensor **)user);
    return bz_vjp(&y, &in[2], 1, in, 1, out);
}
FUNCTION(weights) {
    UNUSED;
    bz_tensor *y = custom1(c, weighted, weighted_back, user, in[0]);
    bz_status s = bz_grad(total(y), in, 1, out);
    return s ? s : bz_grad(total(out[0]), in, 1, &out[1]);
}

/* ---- a tensor that the backward alone takes from outside: read anew at each call, and nothing without a gradient */
FUNCTION(scaled_back) {
    UNUSED;
    return out[0] = bz_mul(in[2], *(bz_tensor **)user), BZ_OK;
}
FUNCTION(scales) {
    UNUSED;
    bz_tensor *y = custom1(c, same, scaled_back, user, bz_mul(in[0], bz_scalar(c, 3)));
    out[0] = y;
    return nout > 1 ? bz_grad(total(y), in, 1, &out[1]) : BZ_OK;
}

Test(customgrad, a_tensor_that_the_backward_alone_captures) {
    for (unsigned way = 0; way < WAYS; way++) {
        bz_context *c = opened(way);
        bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, -2}), BZ_SHAPE(2)), *out[2];
        bz_tensor *w = bz_from_data(c, BZ_F32, ((float[]){5, 7}), BZ_SHAPE(2));
        for (int nout = 1; nout <= 2; nout++) {
            bz_program *p =
                bz_compile(c, scales, &w, &(bz_compile_options){.nin = 1, .nout = nout});
            for (int turn = 0; turn < 2; turn++) {
                if (ways[way].compiled)
                    cr_assert_eq(bz_call(p, &x, out), BZ_OK, "%s", bz_message(c));
                else
                    cr_assert_eq(scales(c, &x, 1, out, nout, &w), BZ_OK, "%s", bz_message(c));
                EXPECT(way, out[0], 3, -6);
                if (nout > 1 && !turn) EXPECT(way, out[1], 15, 21);
                if (nout > 1 && turn) EXPECT(way, out[1], 16.5, 22.5);
                bz_add_(w, bz_scalar(c, turn ? -0.5 : 0.5));
            }
        }
        bz_close(c);
    }
}

Test(customgrad, in_every_mode, .timeout = 300) {
    for (unsigned way = 0; way < WAYS; way++) {
        bz_context *c = opened(way);
        double most = 2;
        bz_tensor *in[3], *out[4];
        in[0] = bz_from_data(c, BZ_F32, ((float[]){1.25f, -2.5f, 3.75f}), BZ_SHAPE(3));
        run(way, c, rounding, NULL, in, 1, out, 2);
        EXPECT(way, out[0], 1, -2, 4);
        EXPECT(way, out[1], 2, -4, 8);

        in[0] = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3}), BZ_SHAPE(3));
        in[1] = bz_from_data(c, BZ_F32, ((float[]){1, INFINITY, -7}), BZ_SHAPE(3));
        run(way, c, clipping, &most, in, 2, out, 3);
        EXPECT(way, out[0], 1, 4, 9);
        EXPECT(way, out[1], 2, 8, -12);
        EXPECT(way, out[2], 1, 4, 9);

        in[0] = bz_from_data(c, BZ_F32, ((float[]){0, 100, -100}), BZ_SHAPE(3));
        run(way, c, stable, NULL, in, 1, out, 1);
        EXPECT(way, out[0], 0.5, 1, 0);

        in[0] = bz_from_data(c, BZ_F32, ((float[]){0, 0.5f}), BZ_SHAPE(2));
        run(way, c, orders, NULL, in, 1, out, 3);
        EXPECT(way, out[0], 2, 2 * exp(1));
        EXPECT(way, out[1], 4, 4 * exp(1));
        EXPECT(way, out[2], 8, 8 * exp(1));

        run(way, c, nested, NULL, in, 1, out, 2);
        EXPECT(way, out[0], 1, 1.5 * exp(0.5));
        EXPECT(way, out[1], 2, 2.5 * exp(0.5));

        in[0] = bz_from_data(c, BZ_F32, ((float[]){1}), BZ_SHAPE(1));
        in[1] = bz_from_data(c, BZ_F32, ((float[]){5}), BZ_SHAPE(1));
        in[2] = bz_from_data(c, BZ_I32, ((int[]){2}), BZ_SHAPE(1));
        run(way, c, pairs, NULL, in, 3, out, 3);
        EXPECT(way, out[0], 7. / 5);
        EXPECT(way, out[1], 0);
        EXPECT(way, out[2], 1);

        bz_tensor *w = bz_add(in[1], in[1]);
        run(way, c, weights, &w, in, 1, out, 2);
        EXPECT(way, out[0], 20);
        EXPECT(way, out[1], 20);
        bz_close(c);
    }
}

/* A compiled function with one in it, called, then differentiated from outside. */
FUNCTION(rounded) {
    UNUSED;
    return out[0] = bz_square(custom1(c, rounds, straight, NULL, in[0])), BZ_OK;
}
Test(customgrad, through_a_call) {
    for (unsigned way = 0; way < 3; way++) {
        bz_context *c = opened(way);
        bz_tensor *g, *y, *x = bz_from_data(c, BZ_F32, ((float[]){1.25f, -2.5f}), BZ_SHAPE(2));
        bz_program *p = bz_compile(c, rounded, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
        cr_assert_eq(bz_call(p, &x, &y), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_grad(total(y), &x, 1, &g), BZ_OK, "%s", bz_message(c));
        EXPECT(way, g, 2, -4);
        bz_close(c);
    }
}

/* A value is read, scopes end, the recording goes on; the result is evaluated and the gradient taken after it. */
Test(customgrad, between_evaluations) {
    for (unsigned way = 0; way < 3; way++) {
        bz_context *c = opened(way);
        bz_tensor *g, *x = bz_from_data(c, BZ_F32, ((float[]){1.25f, -2.5f}), BZ_SHAPE(2));
        bz_scope_begin(c);
        bz_tensor *h = bz_add(x, bz_scalar(c, 1)), *y = custom1(c, rounds, straight, NULL, h);
        bz_tensor *loss = total(bz_square(y));
        cr_expect_float_eq(bz_item(loss), 8, 1e-6, "%s", bz_message(c));
        cr_assert_eq(bz_grad(loss, &x, 1, &g), BZ_OK, "%s", bz_message(c));
        EXPECT(way, g, 4, -4);
        cr_assert_eq(bz_grad(loss, &y, 1, &g), BZ_OK, "%s", bz_message(c));
        EXPECT(way, g, 4, -4);
        cr_assert_eq(bz_eval(&loss, 1), BZ_OK);
        cr_expect_eq(bz_grad(loss, &x, 1, &g), BZ_EGRAD);
        bz_clear(c);
        bz_scope_end(c);
        bz_close(c);
    }
}

/* ---- mistakes */
FUNCTION(gives_up) {
    UNUSED;
    return BZ_EARG;
}
FUNCTION(reads) {
    UNUSED;
    return bz_item(bz_sum(in[0], NULL, 0, false)) > 0 ? out[0] = in[0], BZ_OK : BZ_OK;
}
FUNCTION(nothing) {
    UNUSED;
    return BZ_OK;
}
FUNCTION(misses) {
    UNUSED;
    return out[0] = bz_sum(in[2], NULL, 0, false), BZ_OK;
}
FUNCTION(widens) {
    UNUSED;
    return out[0] = bz_cast(in[2], BZ_F64), BZ_OK;
}
FUNCTION(changes) {
    UNUSED;
    return bz_add_(in[0], in[0]), out[0] = in[0], BZ_OK;
}
FUNCTION(outside) {
    UNUSED;
    return out[0] = bz_mul(in[0], *(bz_tensor **)user), BZ_OK;
}
FUNCTION(keeps) {
    UNUSED;
    *(bz_tensor **)user = bz_keep(bz_exp(in[2]));
    return out[0] = in[2], BZ_OK;
}

Test(customgrad, mistakes) {
    static const struct {
        bz_function *f, *b;
        bz_status want;
        const char *says;
    } cases[] = {
        {gives_up, straight, BZ_EARG, "the forward function gave up"},
        {rounds, gives_up, BZ_EARG, "the backward function gave up"},
        {reads, straight, BZ_EMODE, "no values while bz_custom_grad records"},
        {rounds, reads, BZ_EMODE, "no values while"},
        {nothing, straight, BZ_ESCOPE, "the forward function did not set output 0"},
        {rounds, misses, BZ_ESHAPE, "the gradient of input 0 is f32[], the input is f32[2]"},
        {rounds, widens, BZ_EDTYPE, "the gradient of input 0 is f64[2]"},
        {changes, straight, BZ_EMODE,
         "[add_] an input cannot be changed while bz_custom_grad records: change a bz_copy of it"},
        {NULL, straight, BZ_EARG, "no forward function"},
        {rounds, NULL, BZ_EARG, "no backward function"},
    };
    for (unsigned way = 0; way < 3; way++) {
        for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
            bz_context *c = opened(way);
            bz_tensor *y, *x = bz_ones(c, BZ_SHAPE(2), BZ_F32);
            cr_expect_eq(bz_custom_grad(c, cases[i].f, cases[i].b, NULL, &x, 1, &y, 1),
                         cases[i].want, "case %u: %s", i, bz_message(c));
            cr_expect(strstr(bz_message(c), cases[i].says) &&
                          strstr(bz_message(c), "test_customgrad.c"),
                      "case %u: %s", i, bz_message(c));
            bz_clear(c);
            EXPECT(way, bz_add(x, x), 2, 2);
            bz_close(c);
        }
    }
}

Test(customgrad, tensors_from_outside) {
    for (unsigned way = 0; way < 3; way++) {
        bz_context *c = opened(way);
        bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32), *w = bz_exp(bz_zeros(c, NULL, 0, BZ_F32)),
                  *g, *lost;
        bz_tensor *y = custom1(c, outside, straight, &w, x);
        cr_assert_eq(bz_grad(total(y), &x, 1, &g), BZ_OK, "%s", bz_message(c));
        EXPECT(way, g, 1, 1);
        cr_expect_eq(bz_grad(total(y), &w, 1, &g), BZ_EGRAD);
        cr_expect(strstr(bz_message(c), "from outside"), "%s", bz_message(c));
        bz_clear(c);
        y = custom1(c, rounds, keeps, &lost, x);
        EXPECT(way, y, 1, 1);
        float v[2];
        cr_expect_eq(bz_to_host(lost, v, sizeof v), BZ_EMODE);
        cr_expect(strstr(bz_message(c), "backward function is used outside"), "%s", bz_message(c));
        bz_clear(c);
        cr_assert_eq(bz_grad(total(y), &x, 1, &g), BZ_OK, "%s", bz_message(c));
        EXPECT(way, g, 1, 1);
        bz_close(c);
    }
}
