/* test_nomem.c - the n-th allocation fails, for every n, over the public API on the cpu device: each call gives a status, nothing
 * leaks (AddressSanitizer looks), and the same context does the same work right afterwards. */
#include "src/codegen/nvrtc.h"
#include "tests/support/rt_support.h"

#include <stdlib.h>
#include <unistd.h>

/* One piece of work: its result as one number, or a status. It releases nothing: the context's scope does. */
typedef bz_status work(bz_context *c, double *result);

static bz_status read_number(bz_tensor *x, double *result) {
    float v = 0;
    bz_status s = bz_to_host(x, &v, sizeof v);
    *result = (double)v;
    return s;
}

static bz_status pointwise_work(bz_context *c, double *result) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3, 4}), BZ_SHAPE(4));
    bz_tensor *y = bz_mul(bz_add(x, bz_scalar(c, 0.5)), bz_sqrt(x));
    return read_number(bz_sum(y, NULL, 0, false), result);
}

static bz_status rows_work(bz_context *c, double *result) {
    bz_tensor *x = bz_reshape(bz_arange(c, 0, 12, 1, BZ_F32), BZ_SHAPE(3, 4));
    bz_tensor *y = bz_layer_norm(bz_softmax(x, -1), NULL, NULL, 1, 1e-5);
    return read_number(bz_max(bz_concat(((bz_tensor *[]){x, y}), 2, 0), NULL, 0, false), result);
}

static bz_status views_work(bz_context *c, double *result) {
    float home[6] = {1, 2, 3, 4, 5, 6};
    bz_tensor *x = bz_from_buffer(c, BZ_F32, home, ((int64_t[]){2, 3}), NULL, 2);
    bz_tensor *column = bz_select(x, 1, 1);
    bz_add_(column, bz_scalar(c, 10));
    bz_fill_(bz_select(x, 0, 0), 0.5);
    bz_status s = bz_flush(x);
    if (!s) s = read_number(bz_sum(bz_mul(x, x), NULL, 0, false), result);
    bz_release(column); /* before its memory goes */
    bz_release(x);
    return s;
}

static bz_status grad_work(bz_context *c, double *result) {
    static const float ones[6] = {1, 1, 1, 1, 1, 1}; /* a constant is no variable */
    bz_tensor *w = bz_from_data(c, BZ_F32, ones, (int64_t[]){3, 2}, 2),
              *x = bz_eye(c, 4, 3, BZ_F32), *g;
    bz_tensor *loss = bz_mean(bz_square(bz_relu(bz_matmul(x, w))), NULL, 0, false);
    bz_status s = bz_grad(loss, &w, 1, &g);
    return s ? s : read_number(bz_sum(g, NULL, 0, false), result);
}

static bz_status turn(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *sorted = bz_sort(in[1], 0, false, NULL);
    out[0] = bz_mul(sorted, bz_prod(in[1], NULL, 0,
                                    false)); /* of these tangents come by the gradients' rules */
    return BZ_OK;
}

static bz_status tangent(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    bz_tensor *y;
    (void)nin, (void)nout;
    bz_status s = bz_for(c, 0, 2, turn, user, in, 1, &y);
    return s ? s : bz_jvp(&y, 1, in, &in[1], 1, out);
}

static bz_status jvp_work(bz_context *c, double *result) {
    static const float ones[3] = {1, 1, 1};
    bz_tensor *in[2] = {bz_from_data(c, BZ_F32, ones, BZ_SHAPE(3)),
                        bz_ones(c, BZ_SHAPE(3), BZ_F32)},
              *t;
    bz_program *p = bz_compile(c, tangent, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
    bz_status s = p ? bz_call(p, in, &t) : bz_context_status(c);
    if (!s) s = bz_jvp(&t, 1, in, in, 1, &t);
    if (!s) s = read_number(bz_sum(t, NULL, 0, false), result);
    bz_program_free(p);
    return s;
}

/* A gradient in mixed precision, its norm, the next scale. */
static bz_status mixed_work(bz_context *c, double *result) {
    static const float ones[6] = {1, 1, 1, 1, 1, 1};
    bz_tensor *w = bz_from_data(c, BZ_F32, ones, (int64_t[]){3, 2}, 2), *g[12], *found;
    bz_autocast_begin(c, BZ_BF16);
    bz_tensor *loss = bz_sum(bz_matmul(bz_eye(c, 4, 3, BZ_F32), w), BZ_ALL);
    bz_autocast_end(c);
    bz_status s = bz_grad(loss, &w, 1, g);
    if (s) return s;
    for (int i = 1; i < 12; i++) g[i] = g[0]; /* more than a call has room for */
    bz_tensor *norm = bz_grad_norm(NULL, g, 12, &found),
              *tracker = bz_full_int(c, NULL, 0, 0, BZ_I32);
    bz_tensor *scale = bz_grad_scaler_update(norm, &tracker, found, NULL);
    return read_number(bz_sum(bz_unscale(g[0], scale, norm, 1), BZ_ALL), result);
}

static bz_status random_work(bz_context *c, double *result) {
    bz_seed(c, 3);
    return read_number(bz_sum(bz_randn(c, BZ_SHAPE(8), BZ_F32), NULL, 0, false), result);
}

static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout;
    bz_tensor *g, *loss = bz_mse_loss(bz_linear(in[1], in[0], *(bz_tensor **)user), in[2]);
    bz_status s = bz_grad(loss, in, 1, &g);
    if (s) return s;
    out[0] = bz_sub(in[0], bz_mul(g, bz_scalar(c, 0.125)));
    out[1] = loss;
    return bz_context_status(c);
}

static bz_status compiled_work(bz_context *c, double *result) {
    bz_tensor *bias = bz_ones(c, BZ_SHAPE(2), BZ_F32), *out[2];
    bz_tensor *in[] = {bz_copy(bz_ones(c, BZ_SHAPE(2, 3), BZ_F32)), bz_eye(c, 3, 3, BZ_F32),
                       bz_zeros(c, BZ_SHAPE(3, 2), BZ_F32)};
    bz_program *p = bz_compile(
        c, step, &bias, &(bz_compile_options){.nin = 3, .nout = 2, .donate = (int[]){0, -1, -1}});
    bz_status s = p ? BZ_OK : bz_context_status(c);
    for (int i = 0; i < 2 && !s; i++) s = bz_call(p, in, out);
    if (!s) s = read_number(out[1], result);
    bz_program_free(p);
    return s;
}

static bz_status weight_product(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                                int nout, void *user) {
    (void)nin, (void)nout;
    out[0] = bz_sum(bz_matmul(in[0], *(bz_tensor **)user), BZ_ALL);
    return bz_context_status(c);
}

/* A weight that stays packed, and changes. */
static bz_status kept_work(bz_context *c, double *result) {
    bz_tensor *w = bz_copy(bz_ones(c, BZ_SHAPE(64, 96), BZ_F32)),
              *x = bz_ones(c, BZ_SHAPE(2, 64), BZ_F32), *out;
    bz_program *p = bz_compile(c, weight_product, &w, &(bz_compile_options){.nin = 1, .nout = 1});
    bz_status s = p ? BZ_OK : bz_context_status(c);
    for (int i = 0; i < 2 && !s; i++) {
        s = bz_call(p, &x, &out);
        bz_add_(w, w);
    }
    if (!s) s = bz_call(p, &x, &out);
    if (!s) s = read_number(out, result);
    bz_program_free(p);
    return s;
}

static bz_status in_scope(work *w, bz_context *c, double *result) {
    bz_status s = bz_scope_begin(c);
    if (s) return s;
    s = w(c, result);
    bz_scope_end(c);
    return s;
}

/* Lets allocation 0, 1, 2 ... fail until the work succeeds; later ones in steps. */
static void fail_everywhere(const char *name, work *w, bz_mode mode) {
    double want = NAN;
    bz_context *c;
    bz_options o = {.device = BZ_CPU, .mode = mode, .threads = 2};
    cr_assert_eq(bz_open(&o, &c), BZ_OK);
    cr_assert_eq(in_scope(w, c, &want), BZ_OK, "%s: %s", name, bz_message(c));
    bz_close(c);
    bz_status s = BZ_ENOMEM;
    long n = 0;
    for (; s && n < 100000; n += s ? 1 + n / 100 : 0) {
        double got = NAN;
        cr_assert_eq(bz_open(&o, &c), BZ_OK);
        bz_mem_fail_after(n);
        s = in_scope(w, c, &got);
        bz_mem_fail_after(-1);
        cr_expect(s == BZ_ENOMEM || s == BZ_OK, "%s, %ld: status %d, %s", name, n, (int)s,
                  bz_message(c));
        bz_clear(c);
        bz_status again = in_scope(w, c, &got);
        cr_expect(again == BZ_OK && got == want, "%s, %ld: then %g, not %g: %s", name, n, got, want,
                  bz_message(c));
        bz_close(c);
    }
    cr_expect(s == BZ_OK && n > 20, "%s: %ld allocations", name, n);
}

#define EACH_MODE(name, w)                                                                         \
    Test(nomem, name) {                                                                            \
        fail_everywhere(#name, w, BZ_LAZY);                                                        \
        fail_everywhere(#name, w, BZ_EAGER);                                                       \
    }
EACH_MODE(pointwise, pointwise_work)
EACH_MODE(rows, rows_work)
EACH_MODE(views, views_work)
EACH_MODE(grad, grad_work)
EACH_MODE(jvp, jvp_work)
EACH_MODE(mixed, mixed_work)
EACH_MODE(noise, random_work)
EACH_MODE(compiled, compiled_work)
EACH_MODE(kept, kept_work)

/* What is compiled for the first time: nothing is in the process's cache yet. */
static void fail_before_the_first(const char *name, work *w) {
    bz_status s = BZ_ENOMEM;
    long n = 0;
    for (; s && n < 100000; n += s ? 1 + n / 100 : 0) {
        double got;
        bz_context *c;
        cr_assert_eq(bz_open(&(bz_options){.device = BZ_CPU}, &c), BZ_OK);
        bz_mem_fail_after(n);
        s = in_scope(w, c, &got);
        bz_mem_fail_after(-1);
        cr_expect(s == BZ_ENOMEM || s == BZ_OK, "%s, %ld: status %d, %s", name, n, (int)s,
                  bz_message(c));
        bz_close(c);
    }
    cr_expect(s == BZ_OK && n > 20, "%s: %ld allocations", name, n);
}

Test(nomem, code_that_is_not_cached) {
    fail_before_the_first("rows", rows_work);
    fail_before_the_first("grad", grad_work);
}

/* ---- exports: all files or none */

static unsigned remove_files(const char *dir) {
    static const char *const names[] = {"f.o", "f.h", "braze_rt.o", "braze_rt_cuda.o"};
    char path[128];
    unsigned n = 0;
    for (int i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        n += unlink(path) == 0;
    }
    return n;
}

static void fail_exports(const bz_export_options *o) {
    char dir[] = "/tmp/braze-nomem-XXXXXX", prefix[64];
    cr_assert(mkdtemp(dir));
    snprintf(prefix, sizeof prefix, "%s/f", dir);
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *bias = bz_from_data(c, BZ_F32, ((float[]){1, 2}), BZ_SHAPE(2));
    bz_tensor *in[] = {bz_copy(bz_ones(c, BZ_SHAPE(2, 3), BZ_F32)), bz_eye(c, 3, 3, BZ_F32),
                       bz_zeros(c, BZ_SHAPE(3, 2), BZ_F32)};
    bz_program *p = bz_compile(
        c, step, &bias, &(bz_compile_options){.nin = 3, .nout = 2, .donate = (int[]){0, -1, -1}});
    cr_assert_eq(bz_eval(in, 3), BZ_OK);
    bz_status s = BZ_ENOMEM;
    /* Each of GPUs may take NVRTC its time. */
    long n = 0, step_after = o->device == BZ_CUDA ? 4 : getenv("BRAZE_QUICK") ? 25 : 100;
    for (; s && n < 100000; n += s ? 1 + n / step_after : 0) {
        bz_mem_fail_after(n);
        s = bz_export(p, in, prefix, "f", o);
        bz_mem_fail_after(-1);
        cr_expect(s == BZ_ENOMEM || s == BZ_OK, "%ld: status %d, %s", n, (int)s, bz_message(c));
        cr_expect_eq(remove_files(dir), s ? 0 : 3, "%ld: files after status %d", n, (int)s);
        bz_clear(c);
    }
    cr_expect(s == BZ_OK && n > 100, "%ld allocations", n);
    cr_expect_eq(rmdir(dir), 0, "something else is left in %s", dir);
    bz_close(c);
}

Test(nomem, exporting) {
    fail_exports(&(bz_export_options){.device = BZ_CPU});
}

Test(nomem, exporting_for_gpus) {
    bz_error e = {0};
    if (nvrtc_open(&e)) return;
    setenv("BRAZE_NVRTCFLAGS", "--Ofast-compile=max", 1);
    fail_exports(&(bz_export_options){.device = BZ_CUDA, .gpus = "sm_80"});
}

Test(nomem, exporting_for_sizes) {
    static const bz_export_axis rows[] = {{1, 0}, {2, 0}};
    static const bz_export_size size = {"n", 1, 5, rows, 2};
    fail_exports(&(bz_export_options){.bake = true, .size = &size, .device = BZ_CPU});
}

Test(nomem, opening_a_context) {
    bz_status s = BZ_ENOMEM;
    long n = 0;
    for (; s && n < 1000; n++) {
        bz_context *c;
        bz_mem_fail_after(n);
        s = bz_open(NULL, &c);
        bz_mem_fail_after(-1);
        cr_expect(s == BZ_ENOMEM ? c == NULL : s == BZ_OK, "%ld: status %d", n, (int)s);
        bz_close(c);
    }
    cr_expect(s == BZ_OK && n > 5, "%ld allocations", n);
}
