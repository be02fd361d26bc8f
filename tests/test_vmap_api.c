/* test_vmap_api.c - bz_vmap: axes of operands and results, gradients of each sample, gradients through it, nested, with branches and
 * functions of the user's, on every device, in every mode and inside compiled functions; how many kernels it costs; mistakes. */
#include "tests/support/rt_support.h"

#define OK(c, call) cr_assert_eq(call, BZ_OK, "line %d: %s", __LINE__, bz_message(c))
#define FUNCTION(name)                                                                             \
    static bz_status name(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, \
                          void *user)
#define UNUSED (void)c, (void)in, (void)nin, (void)out, (void)nout, (void)user

static bz_tensor *data(bz_context *c, const float *v, int64_t m, int64_t n) {
    return bz_from_data(c, BZ_F32, v, BZ_SHAPE(m, n));
}
#define DATA(c, m, n, ...) data(c, (const float[]){__VA_ARGS__}, m, n)
#define AXES(...)          ((const int[]){__VA_ARGS__})

/* The bits of x and y are equal. */
static void same(bz_tensor *x, bz_tensor *y, int line) {
    float a[256], b[256];
    const size_t bytes = (size_t)bz_numel(x) * sizeof *a;
    cr_assert(bytes <= sizeof a && bz_numel(x) == bz_numel(y), "line %d", line);
    cr_assert_eq(bz_to_host(x, a, bytes), BZ_OK, "line %d: %s", line, bz_message(bz_context_of(x)));
    cr_assert_eq(bz_to_host(y, b, bytes), BZ_OK, "line %d: %s", line, bz_message(bz_context_of(x)));
    cr_expect(!memcmp(a, b, bytes), "line %d: %g, not %g", line, (double)a[0], (double)b[0]);
}
#define SAME(x, y) same(x, y, __LINE__)

/* ---- axes */

FUNCTION(affine) { /* x [2], w [2] -> x w, the sum of x */
    UNUSED;
    out[0] = bz_mul(in[0], in[1]);
    out[1] = bz_sum(in[0], BZ_ALL);
    return BZ_OK;
}

static void axes(bz_context *c) {
    bz_tensor *x = DATA(c, 2, 3, 1, 2, 3, 4, 5, 6),
              *w = bz_from_data(c, BZ_F32, ((float[]){10, 100}), BZ_SHAPE(2));
    bz_tensor *out[2];
    OK(c, bz_vmap(c, affine, NULL, ((bz_tensor *[]){x, w}), AXES(1, BZ_SHARED), 2, out, AXES(0, 0),
                  2));
    EXPECT(out[0], 10, 400, 20, 500, 30, 600);
    EXPECT(out[1], 5, 7, 9);
    OK(c, bz_vmap(c, affine, NULL, ((bz_tensor *[]){x, w}), AXES(-1, BZ_SHARED), 2, out,
                  AXES(-1, 0), 2));
    EXPECT(out[0], 10, 20, 30, 400, 500, 600);
    cr_expect(bz_shape(out[0])[0] == 2 && bz_shape(out[0])[1] == 3);
    x = bz_transpose(x, 0, 1); /* three samples of two, and two that all share: of w by itself */
    OK(c, bz_vmap(c, affine, NULL, ((bz_tensor *[]){w, x}), AXES(BZ_SHARED, 0), 2, out, NULL, 2));
    EXPECT(out[0], 10, 400, 20, 500, 30, 600);
    EXPECT(out[1], 110, 110, 110);
}

Test(vmap_api, axes) {
    on_all(axes);
}

/* ---- gradients of each sample */

static bz_tensor *loss_of(bz_tensor *x, bz_tensor *w) {
    return bz_sum(bz_square(bz_tanh(bz_matmul(x, w))), BZ_ALL);
}

FUNCTION(gradient) { /* x [3], w [3,2] -> of the loss by w, the loss */
    UNUSED;
    bz_tensor *loss = loss_of(in[0], in[1]);
    out[1] = loss;
    return bz_grad(loss, &in[1], 1, out);
}

FUNCTION(gradients) { /* x [4,3], w -> of each sample, and whether their sum has one */
    UNUSED;
    bz_status s = bz_vmap(c, gradient, NULL, in, AXES(0, BZ_SHARED), 2, out, NULL, 2);
    return s ? s : bz_grad(bz_sum(bz_square(out[0]), BZ_ALL), in, 2, out + 2);
}

static void per_sample(bz_context *c) {
    bz_tensor *in[2] = {DATA(c, 4, 3, 1, 2, 3, -4, 5, 6, 0.5f, 0, 1, -1, -2, 1),
                        DATA(c, 3, 2, 0.1f, 0.2f, -0.3f, 0.1f, 0.2f, 0.3f)};
    bz_tensor *out[4], *one[4][2], *total = NULL, *want[2];
    for (int compiled = 0; compiled < 2; compiled++) {
        bz_program *p = bz_compile(c, gradients, NULL, &(bz_compile_options){.nin = 2, .nout = 4});
        OK(c, compiled ? bz_call(p, in, out) : gradients(c, in, 2, out, 4, NULL));
        for (int i = 0; i < 4; i++) {
            OK(c,
               gradient(c, ((bz_tensor *[]){bz_select(in[0], 0, i), in[1]}), 2, one[i], 2, NULL));
            SAME(bz_select(out[0], 0, i), one[i][0]);
            SAME(bz_select(out[1], 0, i), one[i][1]);
            bz_tensor *square = bz_sum(bz_square(one[i][0]), BZ_ALL);
            total = i ? bz_add(total, square) : square;
        }
        OK(c, bz_grad(total, in, 2, want));
        for (int k = 0; k < 2; k++)
            cr_expect_leq(bz_item(bz_max(bz_abs(bz_sub(out[2 + k], want[k])), BZ_ALL)), 1e-5,
                          "gradient %d", k);
        bz_program_free(p);
    }
}

Test(vmap_api, gradients_of_each_sample) {
    on_all(per_sample);
}

/* ---- nested, and along a direction */

FUNCTION(dot) {
    UNUSED;
    out[0] = bz_sum(bz_mul(in[0], in[1]), BZ_ALL);
    return BZ_OK;
}

FUNCTION(row) { /* x [2], all y -> products with each */
    UNUSED;
    return bz_vmap(c, dot, NULL, in, AXES(BZ_SHARED, 0), 2, out, NULL, 1);
}

FUNCTION(moved) { /* x [2], t [2] -> the tangent of x's sorted squares */
    UNUSED;
    bz_tensor *y = bz_sort(bz_square(in[0]), 0, false, NULL);
    return bz_jvp(&y, 1, in, &in[1], 1, out);
}

static void nested(bz_context *c) {
    bz_tensor *in[2] = {DATA(c, 2, 2, 1, 2, 3, 4), DATA(c, 3, 2, 1, 0, 0, 1, 10, 100)}, *out;
    OK(c, bz_vmap(c, row, NULL, in, AXES(0, BZ_SHARED), 2, &out, NULL, 1));
    EXPECT(out, 1, 2, 210, 3, 4, 430);
    in[0] = DATA(c, 2, 2, 3, 1, -1, 2), in[1] = DATA(c, 2, 2, 1, 10, 100, 1000);
    OK(c, bz_vmap(c, moved, NULL, in, NULL, 2, &out, NULL, 1));
    EXPECT(out, 20, 6, -200, 4000);
}

Test(vmap_api, nested_and_of_tangents) {
    on_all(nested);
}

/* ---- branches, gradients of the user's, what comes from outside */

FUNCTION(negative) {
    UNUSED;
    out[0] = bz_mul(in[0], -1);
    return BZ_OK;
}
FUNCTION(tenfold) {
    UNUSED;
    out[0] = bz_mul(in[0], 10);
    return BZ_OK;
}
FUNCTION(chosen) {
    UNUSED;
    return bz_cond(c, bz_lt(bz_sum(in[0], BZ_ALL), 0), negative, tenfold, NULL, in, 1, out, 1);
}
FUNCTION(clipped) { /* in: x, y, d */
    UNUSED;
    out[0] = bz_minimum(bz_mul(in[2], *(bz_tensor **)user), 5);
    return BZ_OK;
}
FUNCTION(rounded) {
    UNUSED;
    out[0] = bz_round(in[0]);
    return BZ_OK;
}
FUNCTION(straight) {
    UNUSED;
    bz_tensor *y;
    bz_status s = bz_custom_grad(c, rounded, clipped, user, in, 1, &y, 1);
    out[0] = bz_mul(y, *(bz_tensor **)user);
    return s;
}

static void functions(bz_context *c) {
    bz_tensor *x = DATA(c, 3, 2, 1, 2, -3, 1, 0.6f, 2.6f), *out, *g,
              *scale = bz_full(c, NULL, 0, 2, BZ_F32);
    OK(c, bz_vmap(c, chosen, NULL, &x, NULL, 1, &out, NULL, 1));
    EXPECT(out, 10, 20, 3, -1, 6, 26);
    OK(c, bz_grad(bz_sum(out, BZ_ALL), &x, 1, &g));
    EXPECT(g, 10, 10, -1, -1, 10, 10);
    OK(c, bz_vmap(c, straight, &scale, &x, NULL, 1, &out, NULL, 1));
    EXPECT(out, 2, 4, -6, 2, 2, 6);
    OK(c, bz_grad(bz_sum(bz_mul(out, x), BZ_ALL), &x, 1, &g)); /* out, and at most 5 of 2 2 x */
    EXPECT(g, 2 + 4, 4 + 5, -6 - 12, 2 + 4, 2 + 2 * 2 * 0.6f, 6 + 5);
}

Test(vmap_api, branches_and_gradients_of_the_users) {
    on_all(functions);
}

/* ---- what it costs */

FUNCTION(of_samples) {
    UNUSED;
    return bz_vmap(c, *(bz_function **)user, NULL, in, AXES(0, BZ_SHARED), 2, out, NULL, 2);
}

/* The forward product of all samples is one, and so is that of their gradients, which are outer products: no loop, no kernel a sample. */
Test(vmap_api, kernels) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *in[2] = {bz_rand(c, BZ_SHAPE(64, 32), BZ_F32), bz_rand(c, BZ_SHAPE(32, 16), BZ_F32)},
              *out[2];
    bz_function *f = gradient;
    bz_explanation *x;
    bz_program *p = bz_compile(c, of_samples, &f, &(bz_compile_options){.nin = 2, .nout = 2});
    OK(c, bz_call(p, in, out));
    OK(c, bz_explain(p, NULL, &x));
    cr_expect_leq(x->nkernels, 3, "%d kernels", x->nkernels);
    bz_explanation_free(x);
    bz_close(c);
}

/* ---- mistakes */

FUNCTION(reads) {
    UNUSED;
    out[0] = bz_full(c, NULL, 0, bz_item(in[0]), BZ_F32);
    return BZ_OK;
}
FUNCTION(small) {
    UNUSED;
    out[0] = bz_lt(in[0], 100);
    return BZ_OK;
}
FUNCTION(squared) {
    UNUSED;
    out[0] = bz_square(in[0]);
    return BZ_OK;
}
FUNCTION(loops) {
    UNUSED;
    return bz_while(c, small, squared, NULL, 0, in, 1, out);
}

Test(vmap_api, mistakes) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = bz_rand(c, BZ_SHAPE(3), BZ_F32), *y = bz_rand(c, BZ_SHAPE(4), BZ_F32), *out[2];
    const struct {
        bz_function *fn;
        bz_tensor *in[2];
        int in_axes[2], out_axis;
        bz_status want;
        const char *says;
    } cases[] = {
        {affine, {x, y}, {0, 0}, 0, BZ_ESHAPE, "[vmap] operand 1 has 4 samples, those before it 3"},
        {affine,
         {x, y},
         {BZ_SHARED, BZ_SHARED},
         0,
         BZ_EARG,
         "[vmap] no operand has an axis of samples"},
        {affine, {x, x}, {1, 0}, 0, BZ_EAXIS, "[vmap] operand 0 has 1 axes, there is no axis 1"},
        {affine, {x, x}, {0, 0}, 1, BZ_EAXIS, "[vmap] result 0 has 1 axes, there is no axis 1"},
        {affine,
         {x, bz_scalar(c, 1)},
         {0, BZ_SHARED},
         0,
         BZ_EARG,
         "[vmap] operand 1 is a bz_scalar"},
        {reads, {x, x}, {0, 0}, 0, BZ_EMODE, "bz_vmap"},
        {loops, {x, x}, {0, 0}, 0, BZ_EUNSUPPORTED, "[while] cannot run over samples"},
    };
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int nout = cases[i].fn == affine ? 2 : 1;
        cr_expect_eq(bz_vmap(c, cases[i].fn, NULL, cases[i].in, cases[i].in_axes, 2, out,
                             AXES(cases[i].out_axis, 0), nout),
                     cases[i].want, "case %u: %s", i, bz_message(c));
        cr_expect(strstr(bz_message(c), cases[i].says) && strstr(bz_message(c), "test_vmap_api.c"),
                  "case %u: %s", i, bz_message(c));
        bz_clear(c);
    }
    cr_expect_eq(bz_vmap(c, NULL, NULL, &x, NULL, 1, out, NULL, 1), BZ_EARG);
    cr_expect_eq(bz_vmap(c, squared, NULL, &x, NULL, 0, out, NULL, 1), BZ_EARG);
    cr_expect_eq(bz_vmap(c, squared, NULL, &x, NULL, 1, out, NULL, 0), BZ_EARG);
    cr_expect_eq(bz_vmap(c, squared, NULL, &x, NULL, 1, NULL, NULL, 1), BZ_EARG);
    bz_clear(c);
    bz_close(c);
}
