/* test_compile.c - compiled functions: signatures, donation, captured tensors, random numbers, no allocation in a steady loop. */
#include <sys/resource.h>

#include "runtime/record/compiled.h"
#include "runtime/exec/kernels.h"
#include "tests/support/rt_support.h"

static int traced;

static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout, (void)user;
    traced++;
    bz_tensor *loss = bz_mse_loss(bz_matmul(in[1], in[0]), in[2]), *g;
    bz_status s = bz_grad(loss, in, 1, &g);
    out[0] = bz_sub(in[0], bz_mul(g, bz_scalar(c, 0.125)));
    out[1] = loss;
    return s;
}

static void donation(bz_context *c) {
    traced = 0;
    bz_tensor *w = bz_ones(c, BZ_SHAPE(2, 1), BZ_F32), *x = bz_eye(c, 2, 2, BZ_F32),
              *y = bz_zeros(c, BZ_SHAPE(2, 1), BZ_F32);
    bz_tensor *view = bz_transpose(w, 0, 1), *before = bz_add(w, w);
    bz_program *p = bz_compile(
        c, step, NULL, &(bz_compile_options){.nin = 3, .nout = 2, .donate = (int[]){0, -1, -1}});
    float want = 1;
    for (int i = 0; i < 3; i++) {
        bz_tensor *out[2];
        cr_assert_eq(bz_call(p, (bz_tensor *[]){w, x, y}, out), BZ_OK, "%s", bz_message(c));
        cr_expect_eq(bz_item(out[1]), (double)(want * want));
        want -= 0.125f * want;
        EXPECT(out[0], want, want);
    }
    EXPECT(w, want, want);
    EXPECT(view, want, want);
    EXPECT(before, 2, 2);
    cr_expect_eq(traced, 1);
}
Test(compile, donated_inputs_change_in_place) {
    on_all(donation);
}

static bz_status twice(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout;
    traced++;
    out[0] = bz_add(bz_add(in[0], in[0]), *(bz_tensor **)user);
    return BZ_OK;
}

/* Captured tensors are read anew; views come in without being whole; each signature is traced once. */
static void captured(bz_context *c) {
    traced = 0;
    bz_tensor *bias = bz_full(c, BZ_SHAPE(1), 1, BZ_F32), *out;
    bz_tensor *x = bz_reshape(bz_arange(c, 0, 6, 1, BZ_F32), BZ_SHAPE(2, 3)),
              *row = bz_select(x, 0, 1), *column = bz_select(x, 1, 1);
    bz_program *p = bz_compile(c, twice, &bias, &(bz_compile_options){.nin = 1, .nout = 1});
    cr_assert_eq(bz_call(p, &row, &out), BZ_OK, "%s", bz_message(c));
    EXPECT(out, 7, 9, 11);
    bz_fill_(bias, 100);
    cr_assert_eq(bz_call(p, &row, &out), BZ_OK, "%s", bz_message(c));
    EXPECT(out, 106, 108, 110);
    cr_expect_eq(traced, 1);
    cr_assert_eq(bz_call(p, &column, &out), BZ_OK, "%s", bz_message(c));
    EXPECT(out, 102, 108);
    cr_expect_eq(traced, 2);
}
Test(compile, captured_tensors_and_signatures) {
    on_all(captured);
}

static bz_status noise(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)in, (void)nin, (void)nout, (void)user;
    out[0] = bz_rand(c, BZ_SHAPE(4), BZ_F32);
    return BZ_OK;
}

static void replayed_noise(bz_context *c) {
    bz_program *p = bz_compile(c, noise, NULL, &(bz_compile_options){.nin = 0, .nout = 1});
    float called[2][4], recorded[2][4];
    bz_tensor *out;
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(bz_call(p, NULL, &out), BZ_OK, "%s", bz_message(c));
        bz_to_host(out, called[i], sizeof called[i]);
    }
    bz_seed(c, 7);
    for (int i = 0; i < 2; i++)
        bz_to_host(bz_rand(c, BZ_SHAPE(4), BZ_F32), recorded[i], sizeof recorded[i]);
    cr_expect(memcmp(called, recorded, sizeof called) == 0);
    cr_expect(memcmp(called[0], called[1], sizeof called[0]) != 0);
}
Test(compile, noise_is_new_at_each_call) {
    on_all(replayed_noise);
}

static bz_status reads(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = in[0];
    return isnan(bz_item(in[0])) ? bz_context_status(c) : BZ_OK;
}
Test(compile, reading_while_tracing_is_an_error) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(1), BZ_F32), *out;
    bz_program *p = bz_compile(c, reads, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    cr_expect_eq(bz_call(p, &x, &out), BZ_EMODE);
    cr_expect(strstr(bz_message(c), "traces"), "%s", bz_message(c));
    bz_clear(c);
    EXPECT(bz_add(x, x), 2); /* the context works on */
    cr_expect_null(bz_compile(c, reads, NULL,
                              &(bz_compile_options){.nin = 2, .nout = 1, .donate = (int[]){0, 0}}));
    cr_expect_eq(bz_context_status(c), BZ_EARG);
    bz_close(c);
}

static long faults(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return u.ru_minflt;
}

/* A lazy and a compiled loop in a steady state: no new buffer, no page fault, no plan compiled. */
Test(compile, steady_loops_take_no_memory) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *w = bz_ones(c, BZ_SHAPE(300, 1), BZ_F32),
              *x = bz_randn(c, BZ_SHAPE(200, 300), BZ_F32),
              *y = bz_zeros(c, BZ_SHAPE(200, 1), BZ_F32);
    bz_program *p = bz_compile(
        c, step, NULL, &(bz_compile_options){.nin = 3, .nout = 2, .donate = (int[]){0, -1, -1}});
    bz_counters before = {0}, after;
    long faults_before = 0;
    for (int i = 0; i < 60; i++) {
        if (i == 40) bz_get_counters(c, &before), faults_before = faults();
        bz_tensor *out[2], *g;
        bz_scope_begin(c);
        cr_assert_eq(bz_call(p, (bz_tensor *[]){w, x, y}, out), BZ_OK, "%s", bz_message(c));
        bz_tensor *loss = bz_mse_loss(bz_matmul(x, w), y);
        bz_grad(loss, &w, 1, &g);
        bz_copy_(w, bz_sub(w, bz_mul(g, bz_scalar(c, 0.001 * i))));
        bz_eval(&w, 1);
        bz_scope_end(c);
    }
    bz_get_counters(c, &after);
    cr_expect_eq(after.buffers_made, before.buffers_made);
    cr_expect_eq(after.plan_misses, before.plan_misses);
    cr_expect_eq(after.bytes, before.bytes);
#if !defined __SANITIZE_THREAD__ && !defined __SANITIZE_ADDRESS__ /* whose shadow, and memory not given back yet, grow with time */
    cr_expect_leq(faults() - faults_before, 0, "%ld page faults", faults() - faults_before);
#endif
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    bz_close(c);
}

/* in[1] mirrored, added into in[0]. */
static bz_status add_into(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                          void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_add(bz_flip(in[1], BZ_AXES(0)), in[0]);
    return BZ_OK;
}

/* The donated tensor comes in a second time: itself, a view of it, twice donated, the caller's memory. */
static void aliases(bz_context *c) {
    bz_program *p = bz_compile(
        c, add_into, NULL, &(bz_compile_options){.nin = 2, .nout = 1, .donate = (int[]){0, -1}});
    bz_tensor *out, *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3, 4}), BZ_SHAPE(4));
    cr_assert_eq(bz_call(p, (bz_tensor *[]){x, x}, &out), BZ_OK, "%s", bz_message(c));
    EXPECT(x, 5, 5, 5, 5);
    bz_tensor *big = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3, 4, 5, 6, 7, 8}), BZ_SHAPE(2, 4));
    bz_program *q = bz_compile(
        c, add_into, NULL, &(bz_compile_options){.nin = 2, .nout = 1, .donate = (int[]){0, -1}});
    bz_tensor *row = bz_slice(big, ((int64_t[]){1}), ((int64_t[]){2}), NULL, 1);
    cr_assert_eq(bz_call(q, (bz_tensor *[]){big, row}, &out), BZ_OK, "%s", bz_message(c));
    EXPECT(big, 6, 8, 10, 12, 10, 12, 14, 16);
    EXPECT(row, 10, 12, 14, 16);
    bz_tensor *flat = bz_reshape(bz_flatten(big, 0, 1), BZ_SHAPE(2, 4));
    cr_assert_eq(bz_call(q, (bz_tensor *[]){big, flat}, &out), BZ_OK, "%s", bz_message(c));
    EXPECT(flat, 16, 20, 24, 28, 16, 20, 24, 28);
}
Test(compile, a_donated_input_that_comes_twice) {
    on_all(aliases);
}

static bz_status swap(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_add(in[1], in[0]);
    out[1] = bz_mul(in[1], in[0]);
    return BZ_OK;
}

static void donated_twice(bz_context *c) {
    bz_program *p = bz_compile(c, swap, NULL,
                               &(bz_compile_options){.nin = 2, .nout = 2, .donate = (int[]){0, 1}});
    bz_tensor *out[2], *x = bz_from_data(c, BZ_F32, ((float[]){3, 5}), BZ_SHAPE(2));
    bz_tensor *row = bz_reshape(x, BZ_SHAPE(1, 2)), *same = bz_reshape(row, BZ_SHAPE(2));
    for (int i = 0; i < 2; i++) {
        cr_expect_eq(bz_call(p, (bz_tensor *[]){x, i ? same : x}, out), BZ_EARG);
        cr_expect(strstr(bz_message(c), "input 1 was donated before"), "%s", bz_message(c));
        bz_clear(c);
    }
    EXPECT(x, 3, 5);
}
Test(compile, one_tensor_donated_twice) {
    on_all(donated_twice);
}

/* Donations whose results cannot all be written where they belong while others still read. in: 2 tensors, donated crosswise or not. */
typedef bz_tensor *pair_fn(bz_tensor *const *in, int output);

static bz_tensor *sum_and_product(bz_tensor *const *in, int k) {
    return k == 0 ? bz_add(in[1], in[0]) : k == 1 ? bz_mul(in[1], in[0]) : in[0];
}
static bz_tensor *exchange(bz_tensor *const *in, int k) {
    return k == 2 ? bz_sub(in[0], in[1]) : in[1 - k];
}
static bz_tensor *one_for_both(bz_tensor *const *in, int k) {
    return k == 2 ? in[1] : bz_add(in[0], in[1]);
}
static bz_tensor *mirrored(bz_tensor *const *in, int k) {
    return k == 0 ? bz_flip(in[1], BZ_AXES(0)) : k == 1 ? bz_flip(in[0], BZ_AXES(0)) : in[1];
}
static bz_tensor *itself_and_rows(bz_tensor *const *in, int k) {
    return k == 0 ? in[0] : k == 1 ? bz_softmax(in[0], 0) : bz_neg(bz_softmax(in[1], 0));
}

static bz_status run_pair(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                          void *user) {
    (void)c, (void)nin;
    for (int k = 0; k < nout; k++) out[k] = (*(pair_fn **)user)(in, k);
    return BZ_OK;
}

/* What is left in both inputs and in the three outputs, after two calls. */
static void call_pair(bz_context *c, pair_fn *fn, const int *donate, float got[5][4]) {
    bz_tensor *out[3], *in[2] = {bz_from_data(c, BZ_F32, ((float[]){3, 5, -2, 0.5f}), BZ_SHAPE(4)),
                                 bz_from_data(c, BZ_F32, ((float[]){7, 11, 13, -4}), BZ_SHAPE(4))};
    bz_program *p =
        bz_compile(c, run_pair, &fn, &(bz_compile_options){.nin = 2, .nout = 3, .donate = donate});
    for (int i = 0; i < 2; i++) cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s", bz_message(c));
    for (int k = 0; k < 5; k++) bz_to_host(k < 2 ? in[k] : out[k - 2], got[k], sizeof got[k]);
    bz_program_free(p);
}

Test(compile, donations_that_cross) {
    static pair_fn *const fns[] = {sum_and_product, exchange, one_for_both, mirrored,
                                   itself_and_rows};
    static const int donations[][2] = {{0, 1}, {1, 0}, {0, -1}, {-1, 0}, {2, 0}, {1, 2}, {-1, 2}};
    for (unsigned f = 0; f < sizeof fns / sizeof *fns; f++)
        for (unsigned d = 0; d < sizeof donations / sizeof *donations; d++) {
            float want[5][4], got[5][4];
            for (int mode = BZ_LAZY; mode <= BZ_EAGER; mode++)
                for (int device = BZ_REF; device >= BZ_CPU; device--) {
                    bz_context *c;
                    cr_assert_eq(
                        bz_open(&(bz_options){.device = (bz_device)device, .mode = (bz_mode)mode},
                                &c),
                        BZ_OK);
                    call_pair(c, fns[f], donations[d], device == BZ_REF ? want : got);
                    if (device == BZ_CPU)
                        cr_expect(memcmp(want, got, sizeof want) == 0,
                                  "function %u, donation %u, mode %d", f, d, mode);
                    bz_close(c);
                }
        }
}

static bz_status itself(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)c, (void)nin, (void)nout;
    return bz_call(*(bz_program **)user, in, out);
}
static bz_status ends_scopes(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                             int nout, void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = in[0];
    return bz_scope_end(c);
}
static bz_status gives_up(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                          void *user) {
    (void)c, (void)in, (void)nin, (void)out, (void)nout, (void)user;
    return BZ_EUNSUPPORTED;
}
static bz_status sets_nothing(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                              int nout, void *user) {
    (void)c, (void)in, (void)nin, (void)out, (void)nout, (void)user;
    return BZ_OK;
}

/* Functions that misbehave: a status, poisoned results, and the context works on. */
static void misbehaves(bz_context *c) {
    static const struct {
        bz_function *fn;
        bz_status status;
        const char *text;
    } bad[] = {
        {itself, BZ_EMODE, "calls itself"},
        {ends_scopes, BZ_ESCOPE, "not the function's"},
        {gives_up, BZ_EUNSUPPORTED, "gave up"},
        {sets_nothing, BZ_ESCOPE, "did not set output 0"},
    };
    bz_tensor *out, *x = bz_ones(c, BZ_SHAPE(2), BZ_F32);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        bz_program *p;
        p = bz_compile(c, bad[i].fn, &p, &(bz_compile_options){.nin = 1, .nout = 1});
        cr_expect_eq(bz_call(p, &x, &out), bad[i].status, "%zu: %s", i, bz_message(c));
        cr_expect(strstr(bz_message(c), bad[i].text), "%zu: %s", i, bz_message(c));
        bz_clear(c);
        cr_expect_eq(bz_eval(&out, 1), BZ_ESCOPE, "%zu", i);
        bz_clear(c);
        EXPECT(bz_add(x, x), 2, 2);
        bz_program_free(p);
    }
}
Test(compile, functions_that_misbehave) {
    on_all(misbehaves);
}

/* ---- code that no program uses goes when there is too much of it */

static bz_status scaled_rows(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                             int nout, void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_softmax(in[0], -1);
    return BZ_OK;
}

static bz_program *run_rows(bz_context *c, int n) {
    static const float data[64];
    bz_tensor *x = bz_from_data(c, BZ_F32, data, BZ_SHAPE(2, n)), *y;
    bz_program *p = bz_compile(c, scaled_rows, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    cr_assert_eq(bz_call(p, &x, &y), BZ_OK, "%s", bz_message(c));
    float v[64];
    cr_expect_eq(bz_to_host(y, v, 2 * (size_t)n * sizeof *v), BZ_OK);
    cr_expect_float_eq(v[n], 1.0 / n, 1e-6);
    bz_release(x);
    bz_release(y);
    return p;
}

Test(compile, unused_code_goes_and_comes_again) {
    bz_context *c;
    bz_counters before, after;
    bz_open(&(bz_options){.code_bytes = 1, .threads = 1}, &c);
    bz_program *held = run_rows(c, 3);
    size_t least = rt_kernels_bytes();
    for (int n = 4; n < 24; n++) {
        bz_program_free(run_rows(c, n));
        cr_expect_leq(rt_kernels_bytes(), least, "after %d: %zu bytes", n, rt_kernels_bytes());
    }
    bz_get_counters(c, &before);
    bz_program *again = run_rows(c, 3); /* held: its code is there */
    bz_program_free(run_rows(c, 4));    /* not held */
    bz_get_counters(c, &after);
    cr_expect_eq(after.kernels_built - before.kernels_built, 1);
    cr_expect_eq(after.kernels_shared - before.kernels_shared, 1);
    bz_program_free(held);
    cr_expect_eq(rt_kernels_bytes(), least);
    bz_program_free(again);
    cr_expect_eq(rt_kernels_bytes(), 0);
    rt_kernels_limit((size_t)1 << 20);
    bz_program_free(run_rows(c, 3));
    cr_expect_eq(rt_kernels_bytes(), least, "unused, but within the limit");
    bz_close(c);
}
