/* test_views.c - inputs of compiled functions that are not row-major: the same bits as of a copy of them, read where they lie. */
#include "tests/support/rt_support.h"
#include "src/ir/base/base.h"

enum { N = 160 }; /* views of 160 x 160 f32 are large enough to be read where they lie */

#define FUNCTION(name)                                                                             \
    static bz_status name(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, \
                          void *user) {                                                            \
        (void)nin, (void)nout, (void)user;
#define END                                                                                        \
    return bz_context_status(c);                                                                   \
    }

FUNCTION(pointwise) out[0] = bz_relu(bz_sub(in[0], in[1]));
END FUNCTION(product) out[0] = bz_matmul(in[0], in[1]);
END FUNCTION(transposed_product) out[0] = bz_matmul(in[1], bz_transpose(in[0], 0, 1));
END FUNCTION(rows) out[0] = bz_softmax(bz_mul(in[0], in[1]), -1);
END FUNCTION(columns) out[0] = bz_add(bz_sum(in[0], BZ_AXES(0), true), in[1]);
END FUNCTION(itself) out[0] = in[0];
END

    static bz_function *const functions[] = {pointwise, product, transposed_product,
                                             rows,      columns, itself};

/* Views of N x N on a storage of 2N + 8 squared, whose place `at` moves. */
static bz_tensor *view(bz_tensor *x, unsigned which, int at) {
    bz_tensor *square = bz_narrow(bz_narrow(x, 0, at, N), 1, at + 1, N);
    switch (which) {
    case 0: return square;
    case 1: return bz_transpose(square, 0, 1);
    case 2: return bz_at(bz_narrow(bz_narrow(x, 0, at, 2 * N), 1, 1, 2 * N), "::2, ::2");
    case 3: return bz_at(square, "::-1, :");
    case 4: return bz_at(square, ":, ::-1");
    case 5: return bz_transpose(bz_at(square, "::-1, ::-1"), 0, 1);
    case 6: return bz_expand(bz_narrow(bz_select(x, 0, at), 0, 0, N), BZ_SHAPE(N, N));
    case 7: return bz_expand(bz_narrow(bz_narrow(x, 1, at, 1), 0, 3, N), BZ_SHAPE(N, N));
    default: return NULL;
    }
}

static bz_tensor *storage(bz_context *c) {
    bz_seed(c, 11);
    bz_tensor *x = bz_randn(c, BZ_SHAPE(2 * N + 8, 2 * N + 8), BZ_F32);
    bz_eval(&x, 1);
    return x;
}

static bool same(bz_tensor *a, bz_tensor *b) {
    static float x[N * N], y[N * N];
    return !bz_to_host(a, x, sizeof x) && !bz_to_host(b, y, sizeof y) && !memcmp(x, y, sizeof x);
}

static bz_program *compiled(bz_context *c, bz_function *fn) {
    return bz_compile(c, fn, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
}

static bz_tensor *call(bz_program *p, bz_tensor *x, bz_tensor *y) {
    bz_tensor *out;
    cr_assert_eq(bz_call(p, (bz_tensor *[]){x, y}, &out), BZ_OK, "%s",
                 bz_message(bz_context_of(x)));
    return out;
}

/* ---- the same bits */

static void bits(bz_context *c) {
    bz_tensor *x = storage(c), *y = bz_copy(bz_narrow(bz_narrow(x, 0, 3, N), 1, 5, N)), *v;
    for (unsigned f = 0; f < BZ_LEN(functions); f++) {
        bz_program *p = compiled(c, functions[f]);
        for (unsigned i = 0; (v = view(x, i, 2)) != NULL; i++)
            cr_expect(same(call(p, v, y), call(p, bz_copy(v), y)), "function %u, view %u", f, i);
    }
}
Test(views, give_the_bits_of_copies) {
    on_all(bits);
}

/* The caller's memory with gaps, and a view of what the same call overwrites. */
static void shared(bz_context *c) {
    static float home[(N + 1) * N * 2];
    for (int i = 0; i < (N + 1) * N * 2; i++) home[i] = (float)(i % 97);
    bz_tensor *f = bz_from_buffer(c, BZ_F32, home, BZ_STRIDED((N, N), (2, 2 * N + 2))), *out;
    bz_tensor *x = bz_copy(f), *turned = bz_transpose(x, 0, 1), *want = bz_sub(turned, f);
    bz_program *p = bz_compile(
        c, pointwise, NULL, &(bz_compile_options){.nin = 2, .nout = 1, .donate = (int[]){0, -1}});
    want = bz_relu(bz_sub(x, bz_copy(turned)));
    bz_eval(&want, 1);
    cr_assert_eq(bz_call(p, (bz_tensor *[]){x, turned}, &out), BZ_OK, "%s", bz_message(c));
    cr_expect(same(out, want) && same(x, want));
    bz_program *q = compiled(c, columns);
    cr_expect(same(call(q, f, want), call(q, bz_copy(f), want)));
}
Test(views, of_memory_that_others_have) {
    on_all(shared);
}

/* ---- read where they lie */

static bz_counters counters(bz_context *c) {
    bz_counters n;
    bz_get_counters(c, &n);
    return n;
}

/* No buffer for a copy, and nothing compiled for another place. Folds across memory are of a copy. */
Test(views, are_not_copied) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = storage(c), *y = bz_copy(bz_narrow(bz_narrow(x, 0, 3, N), 1, 5, N)), *v;
    bz_eval(&y, 1);
    for (unsigned f = 0; f < 4; f++) {
        for (unsigned i = 0; (v = view(x, i, 0)) != NULL; i++) {
            bz_program *p = compiled(c, functions[f]); /* view 6 has no transposed twin in memory */
            bz_release(call(p, v, y));
            bz_counters before = counters(c);
            bz_reset_peak(c);
            bz_tensor *out = call(p, view(x, i, 5), y);
            bz_counters after = counters(c);
            bool copied = functions[f] == rows && (i == 1 || i == 5);
            size_t made = after.peak_bytes - before.bytes, one = N * N * sizeof(float);
            cr_expect(copied ? made > one * 3 / 2 : made < one * 3 / 2,
                      "function %u, view %u: %zu bytes", f, i, made);
            cr_expect_eq(after.kernels_built, before.kernels_built);
            cr_expect_eq(after.plan_misses, before.plan_misses);
            cr_expect_eq(after.compile_ns, before.compile_ns, "function %u, view %u", f, i);
            bz_release(out);
            bz_program_free(p);
        }
    }
    bz_close(c);
}

/* A function is compiled for a few ways to lie; all others are copied. */
Test(views, of_many_strides) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *y = bz_ones(c, BZ_SHAPE(N, N), BZ_F32);
    bz_program *p = compiled(c, pointwise);
    for (int k = 0; k < 14; k++) {
        bz_tensor *x = bz_rand(c, BZ_SHAPE(N, N + 1 + k), BZ_F32), *v = bz_narrow(x, 1, 1, N);
        bz_tensor *whole = bz_copy(v);
        bz_eval((bz_tensor *[]){x, y, whole}, 3);
        bz_tensor *want = call(p, whole, y);
        uint64_t before = counters(c).compile_ns;
        bz_tensor *got = call(p, v, y);
        cr_expect(k < 8 ? counters(c).compile_ns > before : counters(c).compile_ns == before, "%d",
                  k);
        cr_expect(same(got, want), "%d", k);
    }
    bz_close(c);
}

/* ---- gradients */

static void gradient(bz_context *c) {
    bz_tensor *x = storage(c), *v = view(x, 1, 3), *g[2], *y = bz_ones(c, BZ_SHAPE(N, N), BZ_F32);
    bz_program *p = compiled(c, product);
    bz_tensor *loss = bz_sum(bz_square(call(p, v, y)), NULL, 0, false);
    cr_assert_eq(bz_grad(loss, &x, 1, &g[0]), BZ_OK, "%s", bz_message(c));
    loss = bz_sum(bz_square(bz_matmul(v, y)), NULL, 0, false);
    cr_assert_eq(bz_grad(loss, &x, 1, &g[1]), BZ_OK, "%s", bz_message(c));
    cr_expect(same(bz_copy(view(g[0], 0, 3)), bz_copy(view(g[1], 0, 3))));
    cr_expect(same(bz_copy(view(g[0], 0, 0)), bz_copy(view(g[1], 0, 0))));
}
Test(views, have_gradients) {
    on_all(gradient);
}
