/* test_variables.c - what a gradient is taken with respect to: a tensor, not its value. Equal tensors are different variables,
 * whether they were recorded, evaluated, changed in place, viewed or handed out by a compiled function. */
#include "braze/braze.h"

#include <criterion/criterion.h>
#include <string.h>

static const float data[3] = {5, 6, 7};

typedef struct world {
    bz_context *c;
    bz_tensor *x; /* 5 6 7 */
    bool evaluate;
} world;

static bz_tensor *total(bz_tensor *x) {
    return bz_sum(x, NULL, 0, false);
}

static void expect(bz_tensor *g, const char *what, const float *want) {
    float got[3] = {0};
    cr_expect_eq(bz_to_host(g, got, sizeof got), BZ_OK, "%s", what);
    for (int i = 0; i < 3; i++)
        cr_expect_float_eq(got[i], want[i], 1e-5, "%s[%d]: %g, not %g", what, i, (double)got[i],
                           (double)want[i]);
}

/* d/da sum(a * x) = x, d/db sum(b^2) = 2 b, for a and b that are equal, and 2 each. */
static void two_variables(const world *w, const char *what, bz_tensor *a, bz_tensor *b) {
    bz_tensor *v[2] = {a, b}, *g[2];
    if (w->evaluate) bz_eval(v, 2);
    bz_tensor *loss = total(bz_add(bz_mul(a, w->x), bz_square(b)));
    cr_assert_eq(bz_grad(loss, v, 2, g), BZ_OK, "%s: %s", what, bz_message(w->c));
    expect(g[0], what, data);
    expect(g[1], what, (const float[]){4, 4, 4});
    /* a at one, b at two removes: d loss / d b sees neither a nor the other way round */
    loss = total(bz_mul(bz_mul(a, a), b));
    cr_assert_eq(bz_grad(loss, v, 2, g), BZ_OK);
    expect(g[0], what, (const float[]){8, 8, 8});
    expect(g[1], what, (const float[]){4, 4, 4});
    /* and again */
    bz_tensor *h;
    cr_assert_eq(bz_grad(total(g[0]), &b, 1, &h), BZ_OK);
    expect(h, what, (const float[]){4, 4, 4});
}

static bz_tensor *twos(bz_context *c) {
    return bz_full(c, BZ_SHAPE(3), 2, BZ_F32);
}

static void equal_tensors(const world *w) {
    bz_context *c = w->c;
    two_variables(w, "constants", twos(c), twos(c));
    bz_tensor *one = bz_ones(c, BZ_SHAPE(3), BZ_F32);
    two_variables(w, "sums", bz_add(one, one), bz_add(one, one));
    bz_tensor *line = bz_arange(c, 2, 5, 1, BZ_F32);
    two_variables(w, "the same op twice", bz_minimum(line, twos(c)), bz_minimum(line, twos(c)));
    bz_tensor *p = bz_exp(w->x), *q = bz_exp(w->x);
    two_variables(w, "filled", bz_fill_(p, 2), bz_fill_(q, 2));
    two_variables(w, "copied into", bz_copy_(p, twos(c)), bz_copy_(q, bz_copy_(p, twos(c))));
}

/* y = cast(x) to x's dtype, or a copy, is a variable that depends on x. */
static void passed_on(const world *w) {
    bz_tensor *x = w->x, *y = bz_cast(x, BZ_F32), *v[2] = {x, y}, *g[2];
    cr_assert_eq(bz_grad(total(bz_mul(x, bz_square(y))), v, 2, g), BZ_OK, "%s", bz_message(w->c));
    expect(g[0], "d x^3", (const float[]){75, 108, 147});
    expect(g[1], "d x y^2 / d y", (const float[]){50, 72, 98});
    bz_tensor *z = bz_zeros(w->c, BZ_SHAPE(3), BZ_F32);
    bz_copy_(z, x);
    v[1] = z;
    cr_assert_eq(bz_grad(total(bz_mul(x, bz_square(z))), v, 2, g), BZ_OK, "%s", bz_message(w->c));
    expect(g[0], "d x^3", (const float[]){75, 108, 147});
    expect(g[1], "d x z^2 / d z", (const float[]){50, 72, 98});
}

/* A view is a variable: what was made from it counts, what was made from its storage does not. */
static void views(const world *w) {
    bz_tensor *x = w->x, *row = bz_reshape(x, BZ_SHAPE(1, 3)), *col = bz_transpose(row, 0, 1);
    bz_tensor *flat = bz_reshape(col, BZ_SHAPE(3)), *v[4] = {x, row, col, flat}, *g[4];
    bz_tensor *loss = total(bz_add(bz_square(flat), bz_mul(x, x)));
    cr_assert_eq(bz_grad(loss, v, 4, g), BZ_OK, "%s", bz_message(w->c));
    expect(g[0], "storage", (const float[]){20, 24, 28});
    for (int i = 1; i < 4; i++) expect(g[i], "view", (const float[]){10, 12, 14});
    cr_expect_eq(bz_ndim(g[1]), 2);
    cr_expect_eq(bz_shape(g[2])[0], 3);
}

/* d sum(x w) / dw is x itself: as a variable it is still not x. */
static void gradients(const world *w) {
    bz_tensor *k = twos(w->c), *x = w->x, *gk, *g[2];
    cr_assert_eq(bz_grad(total(bz_mul(k, x)), &k, 1, &gk), BZ_OK);
    bz_tensor *v[2] = {gk, x};
    cr_assert_eq(bz_grad(total(bz_mul(bz_square(gk), x)), v, 2, g), BZ_OK);
    expect(g[0], "d g^2 x / d g", (const float[]){50, 72, 98});
    expect(g[1], "d x^3", (const float[]){75, 108, 147});
}

static void in_every_mode(void (*test)(const world *w)) {
    for (int i = 0; i < 4; i++) {
        world w = {.evaluate = i & 1};
        cr_assert_eq(bz_open(NULL, &w.c), BZ_OK);
        bz_set_mode(w.c, i & 2 ? BZ_EAGER : BZ_LAZY);
        w.x = bz_from_data(w.c, BZ_F32, data, BZ_SHAPE(3));
        test(&w);
        bz_close(w.c);
    }
}

Test(variables, equal_tensors) {
    in_every_mode(equal_tensors);
}
Test(variables, passed_on) {
    in_every_mode(passed_on);
}
Test(variables, views) {
    in_every_mode(views);
}
Test(variables, gradients) {
    in_every_mode(gradients);
}

static bz_status gradients_of_constants(bz_context *c, bz_tensor *const *in, int nin,
                                        bz_tensor **out, int nout, void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *v[2] = {twos(c), twos(c)};
    return bz_grad(total(bz_add(bz_mul(v[0], in[0]), bz_square(v[1]))), v, 2, out);
}

Test(variables, in_a_compiled_function) {
    bz_context *c;
    cr_assert_eq(bz_open(NULL, &c), BZ_OK);
    bz_tensor *x = bz_from_data(c, BZ_F32, data, BZ_SHAPE(3)), *g[2];
    bz_program *p =
        bz_compile(c, gradients_of_constants, NULL, &(bz_compile_options){.nin = 1, .nout = 2});
    cr_assert_eq(bz_call(p, &x, g), BZ_OK, "%s", bz_message(c));
    expect(g[0], "traced", data);
    expect(g[1], "traced", (const float[]){4, 4, 4});
    bz_close(c);
}

static bz_status hand_back(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                           void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = in[0];
    out[1] = bz_add(in[0], in[0]);
    out[2] = bz_add(in[0], in[0]);
    return BZ_OK;
}

/* Results that share memory are variables all the same, and a donation of one leaves the others alone. */
Test(variables, results_in_one_memory) {
    bz_context *c;
    cr_assert_eq(bz_open(NULL, &c), BZ_OK);
    bz_tensor *x = twos(c), *out[3], *v[3], *g[3];
    bz_program *p = bz_compile(c, hand_back, NULL, &(bz_compile_options){.nin = 1, .nout = 3});
    cr_assert_eq(bz_call(p, &x, out), BZ_OK, "%s", bz_message(c));
    bz_tensor *k = bz_from_data(c, BZ_F32, data, BZ_SHAPE(3));
    memcpy(v, (bz_tensor *[]){x, out[0], out[1]}, sizeof v);
    bz_tensor *loss =
        total(bz_add(bz_add(bz_mul(x, k), bz_square(out[0])), bz_mul(out[1], bz_square(out[2]))));
    cr_assert_eq(bz_grad(loss, v, 3, g), BZ_OK, "%s", bz_message(c));
    expect(g[0], "the input, through the call", (const float[]){105, 106, 107});
    expect(g[1], "the input, handed back", (const float[]){4, 4, 4});
    expect(g[2], "one of two equal results", (const float[]){16, 16, 16});
    bz_close(c);
}
