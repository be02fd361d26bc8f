/* slow_cuda_fast.c - fast mode through the public API: how it is asked for, that strict contexts beside it and other devices keep their bits, and a
 * training in mixed precision that ends where the strict one does. Products alone: slow_gpu_fast.c. */
#include "src/codegen/nvrtc.h"
#include "tests/support/fakecuda.h"

#include <stdio.h>
#include <stdlib.h>

static bool compiles(void) {
    bz_error e = {0};
    bz_status s = nvrtc_open(&e);
    if (s) fprintf(stderr, "skipped: no NVRTC\n");
    return s == BZ_OK;
}

static bz_context *open_as(bz_device d, bz_numerics n) {
    bz_context *c = NULL;
    cr_assert_eq(bz_open(&(bz_options){.device = d, .numerics = n, .seed = 3}, &c), BZ_OK, "%s",
                 bz_message(NULL));
    return c;
}

/* ---- products */

enum { M = 50, K = 70, N = 30, ALL = M * N };

static void product(bz_context *c, bz_dtype t, float *out) {
    bz_seed(c, 11);
    bz_tensor *x = bz_randn(c, BZ_SHAPE(M, K), BZ_F32), *w = bz_randn(c, BZ_SHAPE(K, N), BZ_F32);
    bz_tensor *y = bz_relu(bz_matmul(bz_cast(x, t), bz_cast(w, t)));
    cr_assert_eq(bz_to_host(bz_cast(y, BZ_F32), out, ALL * sizeof *out), BZ_OK, "%s",
                 bz_message(c));
}

static bool same(const float *a, const float *b) {
    return !memcmp(a, b, ALL * sizeof *a);
}

static double apart(const float *a, const float *b) {
    double most = 0;
    for (int i = 0; i < ALL; i++) most = fmax(most, fabs((double)a[i] - (double)b[i]));
    return most;
}

/* Contexts of both kinds in one process; sums of 70 products of about 1. */
Test(cuda_fast, strict_beside_fast) {
    if (!compiles()) return;
    fakecuda_use("80");
    static float cpu[ALL], strict[ALL], fast[ALL], again[ALL];
    bz_context *c = open_as(BZ_CPU, BZ_STRICT), *f = open_as(BZ_CUDA, BZ_FAST),
               *s = open_as(BZ_CUDA, BZ_STRICT), *g = open_as(BZ_CUDA, BZ_FAST);
    for (bz_dtype t = getenv("BRAZE_QUICK") ? BZ_F32 : BZ_F16; t <= BZ_F32; t++) {
        product(c, t, cpu);
        product(f, t, fast), product(s, t, strict), product(g, t, again);
        cr_expect(same(cpu, strict) && same(fast, again), "dtype %d", t);
        const double d = apart(strict, fast);
        cr_expect(d < (t == BZ_BF16 ? 0.3 : 0.05), "dtype %d: %g", t, d);
        if (t == BZ_F32) cr_expect(d > 1e-5, "f32 is rounded to 11 bits: %g", d);
    }
    bz_close(c), bz_close(f), bz_close(s), bz_close(g);
    fakecuda_is_clean();
}

/* Kernels of the second size serve any (RT_ANY_SIZE). */
static void rows(bz_context *c, int n, float *out) {
    bz_seed(c, 11);
    bz_tensor *x = bz_randn(c, BZ_SHAPE(n, K), BZ_F32), *w = bz_randn(c, BZ_SHAPE(K, 40), BZ_F32);
    bz_tensor *y = bz_relu(bz_matmul(bz_sub(x, 0.5), w));
    const size_t bytes = (size_t)n * 40 * sizeof *out;
    cr_assert_eq(bz_to_host(y, out, bytes), BZ_OK, "%s", bz_message(c));
}

Test(cuda_fast, any_size) {
    if (!compiles()) return;
    fakecuda_use("80");
    static float strict[ALL * 4], fast[ALL * 4];
    bz_context *f = open_as(BZ_CUDA, BZ_FAST), *s = open_as(BZ_CPU, BZ_STRICT);
    static const int sizes[] = {20, 33, 90, 9, 64};
    for (int i = 0; i < 5; i++) {
        rows(f, sizes[i], fast), rows(s, sizes[i], strict);
        for (int k = 0; k < sizes[i] * 40; k++)
            cr_assert(fabsf(fast[k] - strict[k]) < 0.06F, "%d rows: %d: %g, %g", sizes[i], k,
                      (double)fast[k], (double)strict[k]);
    }
    bz_counters n;
    bz_get_counters(f, &n);
    cr_expect(n.kernels_built < 5 * n.plan_misses / 2, "%d kernels", (int)n.kernels_built);
    bz_close(f), bz_close(s);
    fakecuda_is_clean();
}

Test(cuda_fast, older_devices_are_strict) {
    if (!compiles()) return;
    fakecuda_use("75");
    static float strict[ALL], fast[ALL];
    bz_context *f = open_as(BZ_CUDA, BZ_FAST), *s = open_as(BZ_CUDA, BZ_STRICT);
    product(f, BZ_F32, fast), product(s, BZ_F32, strict);
    cr_expect(same(fast, strict));
    bz_close(f), bz_close(s);
}

Test(cuda_fast, other_devices_are_strict) {
    static float strict[ALL], fast[ALL];
    for (bz_device d = BZ_CPU; d <= BZ_REF; d++) {
        bz_context *f = open_as(d, BZ_FAST), *s = open_as(d, BZ_STRICT);
        product(f, BZ_F32, fast), product(s, BZ_F32, strict);
        cr_expect(same(fast, strict));
        bz_close(f), bz_close(s);
    }
}

/* ---- how it is asked for */

Test(cuda_fast, by_the_environment) {
    if (!compiles()) return;
    setenv("BRAZE_NUMERICS", "fast", 1);
    fakecuda_use("90");
    static float strict[ALL], fast[ALL], asked[ALL];
    bz_context *f = open_as(BZ_CUDA, BZ_NUMERICS_DEFAULT), *s = open_as(BZ_CUDA, BZ_STRICT),
               *g = open_as(BZ_CUDA, BZ_FAST);
    product(f, BZ_F32, fast), product(s, BZ_F32, strict), product(g, BZ_F32, asked);
    cr_expect(!same(fast, strict) && same(fast, asked));
    bz_close(f), bz_close(s), bz_close(g);
}

Test(cuda_fast, mistakes) {
    bz_context *c;
    cr_expect_eq(bz_open(&(bz_options){.numerics = (bz_numerics)7}, &c), BZ_EARG);
    cr_expect(!c && strstr(bz_message(NULL), "[open] there are no numerics 7"), "%s",
              bz_message(NULL));
}

Test(cuda_fast, a_mistake_in_the_environment) {
    bz_context *c;
    setenv("BRAZE_NUMERICS", "faster", 1);
    cr_expect_eq(bz_open(NULL, &c), BZ_EARG);
    cr_expect(strstr(bz_message(NULL), "[BRAZE_NUMERICS] 'faster' is none of strict|fast"), "%s",
              bz_message(NULL));
}

/* ---- training: halves by a region, weights in f32, f16 with a loss that is scaled */

enum { BATCH = 96, IN = 20, WIDE = 48, CLASSES = 10, PARAMS = 4, NIN = 6 + PARAMS, STEPS = 30 };

static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *dtype) {
    (void)nin, (void)nout;
    bz_tensor *const *p = in + 6, *grad[PARAMS], *found, *tracker = in[3];
    bz_autocast_begin(c, *(bz_dtype *)dtype);
    bz_tensor *h = bz_gelu(bz_linear(in[0], p[0], p[1])), *y = bz_linear(h, p[2], p[3]);
    bz_autocast_end(c);
    out[0] = bz_cross_entropy(bz_cast(y, BZ_F32), in[1]);
    const bz_status s = bz_grad(bz_mul(out[0], in[2]), p, PARAMS, grad);
    if (s) return s;
    bz_tensor *norm = bz_grad_norm(in[2], grad, PARAMS, &found);
    out[1] = bz_grad_scaler_update(in[2], &tracker, found, &(bz_grad_scaler_options){2, 0.5, 8});
    out[2] = tracker;
    for (int k = 0; k < PARAMS; k++) {
        bz_tensor *d = bz_unscale(grad[k], in[2], norm, 1);
        out[3 + k] = bz_where(found, p[k], bz_sub(p[k], bz_mul(d, in[4])));
    }
    return BZ_OK;
}

/* The loss after some steps; *scale: of the loss, at the end. */
static double train(bz_context *c, bz_dtype t, double *scale) {
    bz_seed(c, 5);
    bz_tensor *in[NIN] = {bz_randn(c, BZ_SHAPE(BATCH, IN), BZ_F32)}, *out[3 + PARAMS];
    in[1] = bz_argmax(bz_narrow(in[0], 1, 0, CLASSES), BZ_AXES(1), false);
    in[2] = bz_full(c, NULL, 0, 1 << 24, BZ_F32); /* too much, at first */
    in[3] = bz_zeros(c, NULL, 0, BZ_I32);
    in[4] = bz_full(c, NULL, 0, 0.5, BZ_F32);
    in[5] = bz_zeros(c, NULL, 0, BZ_F32);
    in[6] = bz_mul(bz_randn(c, BZ_SHAPE(WIDE, IN), BZ_F32), 0.2);
    in[7] = bz_zeros(c, BZ_SHAPE(WIDE), BZ_F32);
    in[8] = bz_mul(bz_randn(c, BZ_SHAPE(CLASSES, WIDE), BZ_F32), 0.15);
    in[9] = bz_zeros(c, BZ_SHAPE(CLASSES), BZ_F32);
    bz_program *p = bz_compile(c, step, &t, &(bz_compile_options){.nin = NIN, .nout = 3 + PARAMS});
    double loss = 0;
    for (int i = 0; i < STEPS; i++) {
        cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s", bz_message(c));
        loss = bz_item(out[0]);
        in[2] = out[1], in[3] = out[2];
        for (int k = 0; k < PARAMS; k++) in[6 + k] = out[3 + k];
    }
    *scale = bz_item(in[2]);
    return loss;
}

Test(cuda_fast, training_in_mixed_precision) {
    if (!compiles()) return;
    fakecuda_use("80");
    static const bz_dtype dtypes[] = {BZ_F16, BZ_BF16, BZ_F32};
    for (int i = 0; i < (getenv("GPU_FAST") ? 3 : 1); i++) { /* compiling takes most of the time */
        double scales[2];
        bz_context *f = open_as(BZ_CUDA, BZ_FAST), *s = open_as(BZ_CUDA, BZ_STRICT);
        const double fast = train(f, dtypes[i], &scales[0]),
                     strict = train(s, dtypes[i], &scales[1]);
        cr_expect(strict < 1.8 && fabs(fast - strict) < 0.002 * strict, "dtype %d: %g, %g",
                  dtypes[i], fast, strict);
        cr_expect(scales[0] == scales[1] && scales[0] > 0, "%g, %g", scales[0], scales[1]);
        bz_close(f), bz_close(s);
    }
    fakecuda_is_clean();
}
