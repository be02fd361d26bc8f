/* test_loops.c - the kernels of tests/kernels in the interpreter, beside plain C. Each runs as
 * written, with its tasks in another order, cleaned, and printed and parsed again: all must give
 * the same bits. */
#include "tests/support/loops.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GUARD 0x5A

/* ---- data */

static float noise(uint64_t *state) {
    *state = bz_mix(*state + 1, 0xB5);
    return (float)((double)(*state >> 40) / (1 << 24) * 4 - 2);
}

static float *floats(size_t n, uint64_t seed) {
    float *p = aligned_alloc(64, (n * sizeof *p + 127) / 64 * 64);
    for (size_t i = 0; i < n; i++) p[i] = noise(&seed);
    return p;
}

static void *space(size_t bytes) {
    void *p = aligned_alloc(64, (bytes + 127) / 64 * 64);
    memset(p, GUARD, bytes);
    return p;
}

static void run(const char *name, int way, lp_run_args a) {
    bz_error e = {0};
    cr_assert_eq(loops_run(name, way, a, &e), BZ_OK, "%s", e.text);
}

static void expect_close(const float *got, const float *want, size_t n, double tolerance,
                         const char *what) {
    for (size_t i = 0; i < n; i++)
        cr_assert(fabs((double)got[i] - (double)want[i]) <= tolerance * (1 + fabs((double)want[i])),
                  "%s: element %zu is %a, not %a", what, i, (double)got[i], (double)want[i]);
}

static void expect_bits(const void *got, const void *want, size_t bytes, const char *what) {
    cr_assert(memcmp(got, want, bytes) == 0, "%s: other bits", what);
}

/* ---- gemm */

static void plain_gemm(const float *a, const float *b, const float *bias, float *c, int m, int n,
                       int k) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            float sum = 0;
            for (int l = 0; l < k; l++) sum = fmaf(a[i * k + l], b[l * n + j], sum);
            sum += bias[j];
            c[i * n + j] = sum > 0 ? sum : 0;
        }
}

static void check_gemm(int m, int n, int k, int way) {
    size_t sa = (size_t)(m * k), sb = (size_t)(k * n), sc = (size_t)(m * n),
           sp = (size_t)((n + 7) / 8 * 8 * k);
    float *a = floats(sa, 1), *b = floats(sb, 2), *bias = floats((size_t)n, 3);
    float *c = space(sc * 4), *panels = space(sp * 4), *want = space(sc * 4);
    lp_arg buffers[] = {
        {a, (int64_t)sa}, {b, (int64_t)sb}, {bias, n}, {c, (int64_t)sc}, {panels, (int64_t)sp}};
    run("gemm", way, (lp_run_args){.buffers = buffers, .extents = (int64_t[]){m, n, k}});
    plain_gemm(a, b, bias, want, m, n, k);
    expect_bits(c, want, sc * 4, "gemm");
    free(a), free(b), free(bias), free(c), free(panels), free(want);
}

Test(loops, gemm) {
    for (int way = 0; way < LOOPS_WAYS; way++) {
        check_gemm(1, 1, 1, way);
        check_gemm(4, 8, 64, way);
        check_gemm(7, 13, 65, way);
        check_gemm(9, 20, 3, way);
    }
    check_gemm(5, 9, 130, LOOPS_PLAIN);
}

/* Tiles of 16 products: added exactly as far as f64 does, then rounded. */
static void matrix_gemm(const float *a, const float *b, float *c, int m, int n, int k) {
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            c[i * n + j] = 0;
            for (int l = 0; l < k; l += 16) {
                double sum = (double)c[i * n + j];
                for (int t = l; t < l + 16; t++) sum += (double)a[i * k + t] * (double)b[t * n + j];
                c[i * n + j] = (float)sum;
            }
        }
}

static void check_gemm_gpu(int m, int n, int k, int way) {
    size_t sa = (size_t)(m * k), sb = (size_t)(k * n), sc = (size_t)(m * n);
    float *a = floats(sa, 4), *b = floats(sb, 5);
    uint16_t *ha = space(sa * 2), *hb = space(sb * 2);
    float *c = space(sc * 4), *want = space(sc * 4);
    for (size_t i = 0; i < sa; i++) a[i] = ir_f16_to_f32(ha[i] = ir_f32_to_f16(fabsf(a[i])));
    for (size_t i = 0; i < sb; i++) b[i] = ir_f16_to_f32(hb[i] = ir_f32_to_f16(fabsf(b[i])));
    lp_arg buffers[] = {{ha, (int64_t)sa}, {hb, (int64_t)sb}, {c, (int64_t)sc}};
    run("gemm_gpu", way, (lp_run_args){.buffers = buffers, .extents = (int64_t[]){m, n, k}});
    matrix_gemm(a, b, want, m, n, k);
    expect_bits(c, want, sc * 4, "gemm_gpu");
    free(a), free(b), free(ha), free(hb), free(c), free(want);
}

Test(loops, gemm_gpu) {
    for (int way = 0; way < LOOPS_WAYS; way++) check_gemm_gpu(32, 16, 48, way);
    check_gemm_gpu(16, 16, 16, LOOPS_PLAIN);
}

/* ---- softmax */

static void plain_softmax(const float *x, float *y, int rows, int n) {
    for (int r = 0; r < rows; r++) {
        double max = -INFINITY, sum = 0;
        for (int i = 0; i < n; i++) max = fmax(max, (double)x[r * n + i]);
        for (int i = 0; i < n; i++) sum += exp((double)x[r * n + i] - max);
        for (int i = 0; i < n; i++) y[r * n + i] = (float)(exp((double)x[r * n + i] - max) / sum);
    }
}

static void check_softmax(const char *name, int rows, int n, int way) {
    size_t s = (size_t)(rows * n);
    float *x = floats(s, 6), *y = space(s * 4), *want = space(s * 4);
    lp_arg buffers[] = {{x, (int64_t)s}, {y, (int64_t)s}};
    run(name, way, (lp_run_args){.buffers = buffers, .extents = (int64_t[]){rows, n}});
    plain_softmax(x, want, rows, n);
    expect_close(y, want, s, 1e-6, name);
    free(x), free(y), free(want);
}

Test(loops, softmax) {
    for (int way = 0; way < LOOPS_WAYS; way++) {
        check_softmax("softmax", 3, 1, way);
        check_softmax("softmax", 2, 8, way);
        check_softmax("softmax", 5, 37, way);
        check_softmax("softmax_gpu", 2, 5, way);
        check_softmax("softmax_gpu", 3, 300, way);
    }
}

/* ---- attention */

static void plain_attention(const float *q, const float *k, const float *v, float *o,
                            const int64_t *size, double scale, bool causal) {
    int64_t t = size[0], s = size[1], d = size[2];
    for (int64_t i = 0; i < t; i++) {
        int64_t keys = causal && i + 1 < s ? i + 1 : s;
        double p[64], sum = 0, mean[64] = {0};
        for (int64_t j = 0; j < keys; j++) {
            double dot = 0;
            for (int64_t c = 0; c < d; c++) dot += (double)q[i * d + c] * (double)k[j * d + c];
            sum += p[j] = exp(dot * scale);
        }
        for (int64_t j = 0; j < keys; j++)
            for (int64_t c = 0; c < d; c++) mean[c] += p[j] / sum * (double)v[j * d + c];
        for (int64_t c = 0; c < d; c++) o[i * d + c] = (float)mean[c];
    }
}

static void check_attention(int64_t t, int64_t s, int64_t d, bool causal, int way) {
    size_t nq = (size_t)(t * d), nk = (size_t)(s * d);
    float *q = floats(nq, 7), *k = floats(nk, 8), *v = floats(nk, 9), *o = space(nq * 4),
          *want = space(nq * 4);
    float scale = 1 / sqrtf((float)d);
    int64_t size[] = {t, s, d};
    lp_arg buffers[] = {{q, (int64_t)nq}, {k, (int64_t)nk}, {v, (int64_t)nk}, {o, (int64_t)nq}};
    ir_bits scalars[] = {ir_bits_from_f64(BZ_F32, (double)scale), causal};
    run("attention", way, (lp_run_args){.buffers = buffers, .extents = size, .scalars = scalars});
    plain_attention(q, k, v, want, size, (double)scale, causal);
    expect_close(o, want, nq, 2e-6, "attention");
    free(q), free(k), free(v), free(o), free(want);
}

Test(loops, attention) {
    for (int way = 0; way < LOOPS_WAYS; way++) {
        check_attention(3, 5, 4, false, way);
        check_attention(6, 6, 16, true, way);
    }
    check_attention(1, 1, 1, true, LOOPS_PLAIN);
    check_attention(4, 20, 64, false, LOOPS_PLAIN);
}

/* ---- scan */

static void check_scan(int n, int way) {
    int32_t *x = space((size_t)n * 4);
    int64_t *y = space((size_t)n * 8), *sums = space((size_t)(n + 15) / 16 * 8), total = 0;
    uint64_t state = 10;
    for (int i = 0; i < n; i++) x[i] = (int32_t)((double)noise(&state) * 1e9);
    lp_arg buffers[] = {{x, n}, {y, n}, {sums, (n + 15) / 16}};
    run("scan", way, (lp_run_args){.buffers = buffers, .extents = (int64_t[]){n}});
    for (int i = 0; i < n; i++) cr_assert_eq(y[i], total += x[i], "element %d", i);
    free(x), free(y), free(sums);
}

Test(loops, scan) {
    for (int way = 0; way < LOOPS_WAYS; way++) {
        check_scan(1, way);
        check_scan(16, way);
        check_scan(1003, way);
    }
    check_scan(0, LOOPS_PLAIN);
}

/* ---- sort */

static bool before(float a, float b) {
    return a < b || (a == a && b != b);
}

static void check_sort(int rows, int n, int way) {
    size_t s = (size_t)(rows * n);
    float *x = floats(s, 11), *y = space(s * 4);
    int64_t *place = space(s * 8);
    bool *seen = calloc(s + 1, 1);
    for (size_t i = 0; i < s; i++) x[i] = i % 7 == 3 ? NAN : i % 5 == 2 ? 0.5f : x[i];
    lp_arg buffers[] = {{x, (int64_t)s}, {y, (int64_t)s}, {place, (int64_t)s}};
    run("sort", way, (lp_run_args){.buffers = buffers, .extents = (int64_t[]){rows, n}});
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < n; i++) {
            int at = r * n + i;
            cr_assert(place[at] >= 0 && place[at] < n && !seen[r * n + place[at]]);
            seen[r * n + place[at]] = true;
            expect_bits(&y[at], &x[r * n + place[at]], 4, "sort");
            if (i == 0) continue;
            cr_assert(!before(y[at], y[at - 1]), "row %d is not in order at %d", r, i);
            cr_assert(before(y[at - 1], y[at]) || place[at - 1] < place[at],
                      "row %d is not stable at %d", r, i);
        }
    free(x), free(y), free(place), free(seen);
}

Test(loops, sort) {
    for (int way = 0; way < LOOPS_WAYS; way++) {
        check_sort(1, 1, way);
        check_sort(3, 40, way);
    }
    check_sort(2, 0, LOOPS_PLAIN);
}

/* ---- convolution */

static float plain_pixel(const float *x, const float *f, const int64_t *size, int64_t y, int64_t z,
                         int64_t o) {
    int64_t h = size[0], w = size[1], ic = size[2], oc = size[3];
    float sum = 0;
    for (int64_t kh = 0; kh < 3; kh++)
        for (int64_t kw = 0; kw < 3; kw++)
            for (int64_t c = 0; c < ic; c++) {
                int64_t hh = y + kh - 1, ww = z + kw - 1;
                bool in = hh >= 0 && hh < h && ww >= 0 && ww < w;
                float v = in ? x[(hh * w + ww) * ic + c] : 0;
                sum = fmaf(v, f[((kh * 3 + kw) * ic + c) * oc + o], sum);
            }
    return sum;
}

static void check_conv(int64_t h, int64_t w, int64_t ic, int64_t oc, int way) {
    int64_t size[] = {h, w, ic, oc};
    size_t nx = (size_t)(h * w * ic), nf = (size_t)(9 * ic * oc), ny = (size_t)(h * w * oc);
    float *x = floats(nx, 12), *f = floats(nf, 13), *y = space(ny * 4);
    lp_arg buffers[] = {{x, (int64_t)nx}, {f, (int64_t)nf}, {y, (int64_t)ny}};
    run("conv", way, (lp_run_args){.buffers = buffers, .extents = size});
    for (int64_t i = 0; i < h * w * oc; i++) {
        float want = plain_pixel(x, f, size, i / oc / w, i / oc % w, i % oc);
        expect_bits(&y[i], &want, 4, "conv");
    }
    free(x), free(f), free(y);
}

Test(loops, conv) {
    for (int way = 0; way < LOOPS_WAYS; way++) {
        check_conv(1, 1, 1, 1, way);
        check_conv(4, 5, 3, 9, way);
    }
    check_conv(3, 2, 5, 8, LOOPS_PLAIN);
}

/* ---- gather */

static void check_gather(const int32_t *index, int64_t n, int64_t rows, int64_t d, int64_t bad,
                         int way) {
    size_t nt = (size_t)(rows * d), ny = (size_t)(n * d);
    float *table = floats(nt, 14), *y = space(ny * 4);
    int32_t ix[8];
    memcpy(ix, index, (size_t)n * sizeof *ix);
    lp_arg buffers[] = {{table, (int64_t)nt}, {ix, n}, {y, (int64_t)ny}};
    int64_t element = 0;
    int code = -1;
    run("gather", way,
        (lp_run_args){.buffers = buffers,
                      .extents = (int64_t[]){rows, n, d},
                      .error_element = &element,
                      .error_code = &code});
    cr_assert_eq(element, bad);
    cr_assert_eq(code, bad == INT64_MAX ? 0 : 5);
    for (int64_t i = 0; i < n * d; i++) {
        int64_t r = index[i / d] < 0 ? index[i / d] + rows : index[i / d];
        float want = r >= 0 && r < rows ? table[r * d + i % d] : 0;
        expect_bits(&y[i], &want, 4, "gather");
    }
    free(table), free(y);
}

Test(loops, gather) {
    for (int way = 0; way < LOOPS_WAYS; way++) {
        check_gather((int32_t[]){0, 4, -1, 2, -5}, 5, 5, 11, INT64_MAX, way);
        check_gather((int32_t[]){1, 5, 0, -6, 2}, 5, 5, 8, 1, way);
        check_gather((int32_t[]){1, 3, 0, -6, 2147483647}, 5, 5, 3, 3, way);
    }
}
