/* test_callgrad.c - gradients through calls of compiled functions: each is the gradient of the same function called as C, at order
 * one and two, or BZ_EGRAD where an input is gone. */
#include "runtime/value/tensor.h"
#include "tests/support/rt_support.h"

#include <stdio.h>

enum { N = 3 };

typedef struct world {
    bz_context *c;
    bool direct; /* the functions are called as C: what is right */
    bz_tensor *x, *w;
} world;

#define FUNCTION(name)                                                                             \
    static bz_status name(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, \
                          void *user)
#define UNUSED (void)c, (void)in, (void)nin, (void)out, (void)nout, (void)user

static bz_tensor *total(bz_tensor *x) {
    return bz_sum(x, NULL, 0, false);
}

/* out[0 .. nout-1] = fn(in), compiled or not. */
static void apply(const world *w, bz_function *fn, void *user, bz_tensor *const *in, int nin,
                  bz_tensor **out, int nout) {
    if (w->direct) {
        cr_assert_eq(fn(w->c, in, nin, out, nout, user), BZ_OK, "%s", bz_message(w->c));
        return;
    }
    bz_program *p = bz_compile(w->c, fn, user, &(bz_compile_options){.nin = nin, .nout = nout});
    cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s", bz_message(w->c));
    bz_program_free(p); /* the gradient does not need it */
}

static bz_tensor *apply1(const world *w, bz_function *fn, bz_tensor *x, bz_tensor *y) {
    bz_tensor *out;
    apply(w, fn, NULL, (bz_tensor *[]){x, y}, y ? 2 : 1, &out, 1);
    return out;
}

/* ---- functions */

FUNCTION(cube) {
    UNUSED;
    out[0] = bz_mul(in[0], bz_square(in[0]));
    return BZ_OK;
}
FUNCTION(layer) {
    UNUSED;
    out[0] = bz_tanh(bz_mul(in[0], in[1]));
    return BZ_OK;
}
FUNCTION(two_outputs) {
    UNUSED;
    out[0] = bz_mul(in[0], in[1]);
    out[1] = bz_argmax(in[0], BZ_AXES(0), false);
    out[2] = bz_exp(in[0]);
    return BZ_OK;
}
FUNCTION(with_captured) {
    UNUSED;
    out[0] = bz_mul(bz_sin(in[0]), *(bz_tensor **)user);
    return BZ_OK;
}
FUNCTION(dropped_out) {
    UNUSED;
    out[0] = bz_mul(bz_square(in[0]), bz_rand(c, BZ_SHAPE(N), BZ_F32));
    return BZ_OK;
}
FUNCTION(loss_of) {
    UNUSED;
    out[0] = total(bz_mul(bz_square(in[0]), in[1]));
    return BZ_OK;
}
FUNCTION(calls_layer) {
    UNUSED;
    bz_program *p = bz_compile(c, layer, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
    bz_tensor *h;
    bz_status s = bz_call(p, in, &h);
    return s ? s : bz_call(p, (bz_tensor *[]){h, in[1]}, out);
}
FUNCTION(hands_on) {
    UNUSED;
    out[0] = in[0];
    return BZ_OK;
}

/* ---- losses */

static bz_tensor *one_call(const world *w) {
    return total(apply1(w, cube, w->x, NULL));
}
static bz_tensor *a_chain(const world *w) {
    bz_tensor *h = apply1(w, layer, w->x, w->w), *k = apply1(w, layer, h, w->w);
    return total(bz_mul(bz_mul(k, h), w->x));
}
static bz_tensor *recorded_between(const world *w) {
    bz_tensor *h = bz_exp(bz_mul(w->x, w->w)), *k = apply1(w, layer, h, w->w);
    return total(apply1(w, cube, bz_add(k, h), NULL));
}
static bz_tensor *several_outputs(const world *w) {
    bz_tensor *out[3];
    apply(w, two_outputs, NULL, (bz_tensor *[]){w->x, w->w}, 2, out, 3);
    return total(bz_mul(bz_mul(out[0], out[2]), bz_add(out[0], out[1])));
}
static bz_tensor *captured(const world *w) {
    bz_tensor *out;
    bz_tensor *h = w->w;
    apply(w, with_captured, &h, &w->x, 1, &out, 1);
    return total(bz_mul(out, w->w));
}
static bz_tensor *views_and_numbers(const world *w) {
    bz_tensor *back =
        bz_slice(w->x, (int64_t[]){BZ_OPEN}, (int64_t[]){BZ_OPEN}, (int64_t[]){-1}, 1);
    bz_tensor *h = apply1(w, layer, back, bz_scalar(w->c, 0.5));
    return total(bz_mul(apply1(w, layer, bz_reshape(h, BZ_SHAPE(N, 1)), w->w), w->x));
}
static bz_tensor *random_numbers(const world *w) {
    return total(bz_mul(apply1(w, dropped_out, w->x, NULL), w->w));
}
static bz_tensor *the_loss_itself(const world *w) {
    return apply1(w, loss_of, w->x, w->w);
}
static bz_tensor *calls_in_calls(const world *w) {
    return total(apply1(w, calls_layer, w->x, w->w));
}
static bz_tensor *handed_on(const world *w) {
    return total(bz_square(apply1(w, hands_on, w->x, NULL)));
}

static const struct {
    const char *name;
    bz_tensor *(*loss)(const world *w);
} losses[] = {
    {"one call", one_call},
    {"a chain", a_chain},
    {"recorded between calls", recorded_between},
    {"several outputs", several_outputs},
    {"captured", captured},
    {"views and numbers", views_and_numbers},
    {"random numbers", random_numbers},
    {"the loss itself", the_loss_itself},
    {"calls in calls", calls_in_calls},
    {"handed on", handed_on},
};

/* Loss, d / dx, d / dw, then both again of sum(d / dx). */
static void differentiate(unsigned k, bz_mode mode, bz_device d, bool direct, float got[5][N]) {
    world w = {.direct = direct};
    cr_assert_eq(bz_open(&(bz_options){.mode = mode, .device = d, .seed = 3}, &w.c), BZ_OK);
    w.x = bz_from_data(w.c, BZ_F32, ((float[]){0.5f, -1, 1.5f}), BZ_SHAPE(N));
    w.w = bz_from_data(w.c, BZ_F32, ((float[]){1, 0.25f, -2}), BZ_SHAPE(N));
    bz_tensor *v[2] = {w.x, w.w}, *g[4], *loss = losses[k].loss(&w);
    cr_assert_eq(bz_grad(loss, v, 2, g), BZ_OK, "%s: %s", losses[k].name, bz_message(w.c));
    cr_assert_eq(bz_grad(total(bz_square(g[0])), v, 2, g + 2), BZ_OK, "%s: %s", losses[k].name,
                 bz_message(w.c));
    memset(got, 0, 5 * sizeof *got);
    got[4][0] = (float)bz_item(loss);
    for (int i = 0; i < 4; i++)
        cr_assert_eq(bz_to_host(g[i], got[i], sizeof got[i]), BZ_OK, "%s", bz_message(w.c));
    bz_close(w.c);
}

Test(callgrad, as_if_called_in_C) {
    for (unsigned k = 0; k < sizeof losses / sizeof *losses; k++)
        for (int mode = BZ_LAZY; mode <= BZ_EAGER; mode++)
            for (int device = BZ_CPU; device <= BZ_REF; device++) {
                float want[5][N], got[5][N];
                differentiate(k, BZ_LAZY, BZ_REF, true, want);
                differentiate(k, (bz_mode)mode, (bz_device)device, false, got);
                cr_expect_eq(got[4][0], want[4][0], "%s: the loss", losses[k].name);
                for (int i = 0; i < 4 * N; i++)
                    cr_expect_float_eq(got[i / N][i % N], want[i / N][i % N],
                                       1e-5 * (1 + fabs((double)want[i / N][i % N])),
                                       "%s, mode %d, device %d: [%d][%d] is %g, not %g",
                                       losses[k].name, mode, device, i / N, i % N,
                                       (double)got[i / N][i % N], (double)want[i / N][i % N]);
            }
}

/* ---- inputs that are gone: BZ_EGRAD for what depended on them, and no more */

static void gone(bz_context *c) {
    bz_tensor *x = bz_ones(c, BZ_SHAPE(N), BZ_F32), *w = bz_full(c, BZ_SHAPE(N), 2, BZ_F32), *g, *y;
    bz_tensor *one = bz_ones(c, NULL, 0, BZ_F32);
    bz_program *p = bz_compile(c, layer, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
    bz_program *q = bz_compile(
        c, two_outputs, NULL, &(bz_compile_options){.nin = 2, .nout = 3, .donate = (int[]){0, -1}});
    for (int how = 0; how < 6; how++) {
        bz_tensor *h = bz_mul(bz_add(x, x), w), *o[3];
        cr_assert_eq(bz_call(p, (bz_tensor *[]){h, w}, &y), BZ_OK, "%s", bz_message(c));
        if (how == 0) bz_release(h);
        if (how == 1) bz_add_(h, one);
        if (how == 2) bz_fill_(bz_select(h, 0, 1), 3), bz_eval(&h, 1);
        if (how == 3)
            cr_assert_eq(bz_call(q, (bz_tensor *[]){h, w}, o), BZ_OK, "%s", bz_message(c));
        if (how == 4) bz_eval(&y, 1); /* h forgets x */
        bz_tensor *loss = total(bz_mul(y, x));
        if (how == 5) bz_copy_(x, bz_neg(x)), loss = total(bz_mul(y, one));
        cr_expect_eq(bz_grad(loss, &x, 1, &g), BZ_EGRAD, "way %d", how);
        cr_expect(how == 5 || how == 4 || strstr(bz_message(c), "bz_call"), "way %d: %s", how,
                  bz_message(c));
        bz_clear(c);
        cr_expect_eq(bz_grad(total(bz_mul(y, x)), &one, 1, &g), BZ_OK, "way %d: %s", how,
                     bz_message(c));
        EXPECT(g, 0);
    }
    /* w is an input of both outputs, and of what its own update gave */
    bz_program *step = bz_compile(
        c, two_outputs, NULL, &(bz_compile_options){.nin = 2, .nout = 3, .donate = (int[]){0, -1}});
    bz_tensor *v = bz_copy(w), *outs[3];
    cr_assert_eq(bz_call(step, (bz_tensor *[]){v, x}, outs), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_grad(total(bz_mul(outs[2], x)), &v, 1, &g), BZ_EGRAD); /* of the old v */
    bz_clear(c);
    cr_expect_eq(bz_grad(total(bz_square(outs[0])), &v, 1, &g), BZ_OK, "%s", bz_message(c));
}
Test(callgrad, inputs_that_are_gone) {
    on_all(gone);
}

FUNCTION(update) {
    UNUSED;
    bz_tensor *loss = total(bz_square(bz_mul(in[0], in[1]))), *g;
    bz_status s = bz_grad(loss, in, 1, &g);
    out[0] = bz_sub(in[0], bz_mul(g, bz_scalar(c, 0.01)));
    out[1] = loss;
    return s;
}

/* Compiled steps between recorded losses, a state that a call hands to the next one: goes on, and does not grow. */
static void loop(bz_context *c) {
    bz_tensor *w = bz_full(c, BZ_SHAPE(N), 1, BZ_F32), *data = bz_full(c, BZ_SHAPE(N), 0.5, BZ_F32);
    bz_tensor *state = bz_zeros(c, BZ_SHAPE(N), BZ_F32), *g, *out[2];
    bz_program *step = bz_compile(
        c, update, NULL, &(bz_compile_options){.nin = 2, .nout = 2, .donate = (int[]){0, -1}});
    bz_program *next = bz_compile(c, layer, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
    bz_counters k;
    uint64_t bytes = 0;
    bz_eval((bz_tensor *[]){w, data, state}, 3); /* each turn's recording begins in its scope */
    for (int i = 0; i < 60; i++) {
        bz_tensor *new_state;
        bz_scope_begin(c);
        cr_assert_eq(bz_call(next, (bz_tensor *[]){state, w}, &new_state), BZ_OK);
        bz_release(state);
        state = bz_keep(new_state);
        cr_assert_eq(bz_call(step, (bz_tensor *[]){w, data}, out), BZ_OK, "%s", bz_message(c));
        bz_tensor *loss = total(bz_mul(bz_square(w), bz_add(state, data)));
        cr_assert_eq(bz_grad(loss, &w, 1, &g), BZ_OK, "step %d: %s", i, bz_message(c));
        bz_item(total(g));
        bz_scope_end(c);
        bz_get_counters(c, &k);
        if (i == 20) bytes = k.bytes;
        cr_expect(i < 20 || k.bytes <= bytes, "step %d: %llu bytes", i,
                  (unsigned long long)k.bytes);
    }
}
Test(callgrad, a_loop_of_calls) {
    on_all(loop);
}

/* A captured tensor gets its value while the function is traced: what is recorded for that begins outside, not in the function's scope. */
static void scope_after_a_capture(bz_context *c) {
    bz_tensor *x = bz_full(c, BZ_SHAPE(N), 2, BZ_F32), *late, *out, *g;
    bz_eval(&x, 1);
    late = bz_full(c, BZ_SHAPE(N), 3, BZ_F32);
    bz_release(bz_neg(late)); /* it is recorded */
    bz_eval(&x, 1);           /* and nothing records now */
    bz_program *p = bz_compile(c, with_captured, &late, &(bz_compile_options){.nin = 1, .nout = 1});
    cr_assert_eq(bz_call(p, &x, &out), BZ_OK, "%s", bz_message(c));
    bz_tensor *y = bz_mul(x, x);
    bz_scope_begin(c);
    bz_scope_end(c);
    cr_assert_eq(bz_grad(total(y), &x, 1, &g), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_item(total(g)), 2.0 * 2 * N);
}

Test(callgrad, scope_after_a_capture) {
    on_all(scope_after_a_capture);
}

FUNCTION(product) {
    UNUSED;
    out[0] = bz_mul(in[0], in[1]);
    return BZ_OK;
}

/* One gradient through n calls, each of what the last one gave: the nodes that it looks at, a call. */
static double long_chain(unsigned n) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *w = bz_ones(c, BZ_SHAPE(1), BZ_F32), *y = w, *g;
    bz_program *p = bz_compile(c, product, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
    cr_assert_eq(bz_eval(&w, 1), BZ_OK);
    for (unsigned i = 0; i < n; i++)
        cr_assert_eq(bz_call(p, (bz_tensor *[]){y, w}, &y), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_grad(total(y), &w, 1, &g), BZ_OK, "%s", bz_message(c));
    uint64_t work = c->lineage->reach.work + c->lineage->backward.work;
    cr_expect_eq(bz_item(g), n + 1, "%u calls", n); /* of 1^(n + 1) */
    bz_close(c);
    return (double)work / n;
}

Test(callgrad, a_long_chain_costs_what_a_short_one_does) {
    double few = long_chain(100), many = long_chain(1600);
    cr_expect_leq(many, 1.1 * few, "nodes a call: %g of 100, %g of 1600", few, many);
}

/* ---- what a call left for one gradient is no concern of another's */

static bz_status from_outside(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                              int nout, void *user) {
    UNUSED;
    out[0] = bz_mul(in[0], *(bz_tensor **)user);
    return BZ_OK;
}
static bz_status straight(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                          void *user) {
    UNUSED;
    out[0] = in[2];
    return BZ_OK;
}

/* y = call(x, x); h = x * y, whose own gradient does not lead to y; d sum(h a + y) / da, after a gradient that led through the call. */
static void after_another(bz_context *c, bool ends, bool first) {
    bz_tensor *x = bz_full(c, BZ_SHAPE(N), 2, BZ_F32), *a = bz_ones(c, BZ_SHAPE(N), BZ_F32), *y, *h,
              *g[2];
    bz_program *p = bz_compile(c, product, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
    cr_assert_eq(bz_call(p, (bz_tensor *[]){x, x}, &y), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_custom_grad(c, from_outside, straight, &y, &x, 1, &h, 1), BZ_OK);
    if (ends) cr_assert_eq(bz_eval(&a, 1) || bz_eval(&y, 1), 0, "%s", bz_message(c));
    bz_tensor *z = bz_mul(bz_exp(h), 0), *loss = total(bz_add(bz_mul(bz_add(h, z), a), y));
    if (first) cr_assert_eq(bz_grad(total(y), &x, 1, g), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_grad(loss, &a, 1, g), BZ_OK, "ends %d, first %d: %s", ends, first,
                 bz_message(c));
    EXPECT(g[0], 8, 8, 8);
    bz_clear(c);
    cr_expect_eq(bz_grad(loss, (bz_tensor *[]){a, x}, 2, g), BZ_EGRAD); /* to y, and on to x */
    bz_clear(c);
}
static void gradients_apart(bz_context *c) {
    for (int k = 0; k < 4; k++) after_another(c, k & 1, k & 2);
}
Test(callgrad, gradients_do_not_hang_on_others) {
    on_all(gradients_apart);
}
