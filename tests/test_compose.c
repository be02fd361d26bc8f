/* test_compose.c - compositions against their formulas in long double, and their special cases. */
#include "tests/support/irtest.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef long double real;

enum { ROWS = 5, COLS = 37 };

/* x: ROWS x COLS numbers of size `scale`. */
static ir_value_array matrix(bz_dtype t, double scale, uint64_t seed) {
    ir_value_array a = irt_array(t, 2, (int64_t[]){ROWS, COLS});
    for (int i = 0; i < ROWS * COLS; i++) irt_set(&a, i, irt_random(&seed) * scale);
    return a;
}

static double unit(bz_dtype t) {
    return t == BZ_F64 ? 0x1p-53 : t == BZ_F32 ? 0x1p-24 : t == BZ_F16 ? 0x1p-11 : 0x1p-8;
}

typedef void formula(const real *x, real *out);

/* "%r = <call>" on x: dtype[ROWS,COLS], each row of the result against the formula on that row.
 * `units`: allowed error in units of the last place of the largest value of the row; halves must be
 * right to half a place and a bit. */
static void check_rows(const char *call, bz_dtype t, double scale, formula *f, int width,
                       double units) {
    char text[300];
    int64_t n;
    ir_value_array x = matrix(t, scale, 42 + (uint64_t)t);
    snprintf(text, sizeof text, "graph main(x: %s[%d,%d]) { %s\nreturn %%r }", ir_dtypes[t].name,
             ROWS, COLS, call);
    double *v = irt_run(text, &x, 0, &n);
    cr_assert_eq(n, ROWS * width, "%s", call);
    for (int r = 0; r < ROWS; r++) {
        real row[COLS], want[COLS], size = 0;
        for (int c = 0; c < COLS; c++) row[c] = irt_get(&x, r * COLS + c);
        f(row, want);
        for (int c = 0; c < width; c++) size = fabsl(want[c]) > size ? fabsl(want[c]) : size;
        real allowed = size * (real)unit(t) * (t == BZ_F16 || t == BZ_BF16 ? 1.05L : (real)units);
        for (int c = 0; c < width; c++)
            cr_assert(fabsl(v[r * width + c] - want[c]) <= allowed,
                      "%s %s: row %d, %d: %.17g, not %.17g", ir_dtypes[t].name, call, r, c,
                      v[r * width + c], (double)want[c]);
    }
    bz_mem_free(v);
    irt_free(&x, 1);
}

static void check_all(const char *call, double scale, formula *f, int width, double units) {
    static const bz_dtype floats[] = {BZ_F16, BZ_BF16, BZ_F32, BZ_F64};
    for (unsigned i = 0; i < BZ_LEN(floats); i++)
        check_rows(call, floats[i], scale, f, width, units);
}

/* ---- formulas */

static real total(const real *x, int n) {
    real s = 0;
    for (int i = 0; i < n; i++) s += x[i];
    return s;
}

static real spread(const real *x, real center) {
    real s = 0;
    for (int i = 0; i < COLS; i++) s += (x[i] - center) * (x[i] - center);
    return s;
}

static real log_sum(const real *x) {
    real s = 0;
    for (int i = 0; i < COLS; i++) s += expl(x[i]);
    return logl(s);
}

static void mean(const real *x, real *out) {
    out[0] = total(x, COLS) / COLS;
}
static void var(const real *x, real *out) {
    out[0] = spread(x, total(x, COLS) / COLS) / (COLS - 1);
}
static void var0(const real *x, real *out) {
    out[0] = spread(x, total(x, COLS) / COLS) / COLS;
}
static void logsumexp(const real *x, real *out) {
    out[0] = log_sum(x);
}

static void softmax(const real *x, real *out) {
    for (int i = 0; i < COLS; i++) out[i] = expl(x[i] - log_sum(x));
}

static void log_softmax(const real *x, real *out) {
    for (int i = 0; i < COLS; i++) out[i] = x[i] - log_sum(x);
}

static void layer_norm(const real *x, real *out) {
    real m = total(x, COLS) / COLS, d = sqrtl(spread(x, m) / COLS + 1e-5L);
    for (int i = 0; i < COLS; i++) out[i] = (x[i] - m) / d;
}

static void rms_norm(const real *x, real *out) {
    real d = sqrtl(spread(x, 0) / COLS + 1e-6L);
    for (int i = 0; i < COLS; i++) out[i] = x[i] / d;
}

static void gelu(const real *x, real *out) {
    for (int i = 0; i < COLS; i++) out[i] = x[i] / 2 * (1 + erfl(x[i] / sqrtl(2)));
}

static void gelu_tanh(const real *x, real *out) {
    for (int i = 0; i < COLS; i++)
        out[i] =
            x[i] / 2 * (1 + tanhl(sqrtl(2 / acosl(-1)) * (x[i] + 0.044715L * x[i] * x[i] * x[i])));
}

static void silu(const real *x, real *out) {
    for (int i = 0; i < COLS; i++) out[i] = x[i] / (1 + expl(-x[i]));
}

Test(compose, rows_match_their_formulas) {
    check_all("%r = mean %x {axes=[1]}", 1, mean, 1, 40);
    check_all("%r = var %x {axes=[1]}", 3, var, 1, 8);
    check_all("%r = var %x {axes=[1], correction=0}", 3, var0, 1, 8);
    check_all("%r = logsumexp %x {axes=[1]}", 8, logsumexp, 1, 6);
    check_all("%r = softmax %x", 8, softmax, COLS, 24);
    check_all("%r = log_softmax %x", 8, log_softmax, COLS, 6);
    check_all("%r = layer_norm %x", 2, layer_norm, COLS, 8);
    check_all("%r = rms_norm %x", 2, rms_norm, COLS, 8);
    check_all("%r = gelu %x", 4, gelu, COLS, 6);
    check_all("%r = gelu %x {tanh}", 4, gelu_tanh, COLS, 6);
    check_all("%r = silu %x", 6, silu, COLS, 6);
}

/* ---- losses */

Test(compose, cross_entropy_of_classes_and_of_probabilities) {
    int64_t n;
    ir_value_array in[2] = {matrix(BZ_F32, 5, 9), irt_array(BZ_I64, 1, (int64_t[]){ROWS})};
    real want = 0;
    for (int r = 0; r < ROWS; r++) {
        real row[COLS], logp[COLS];
        irt_set(&in[1], r, (7 * r + 3) % COLS);
        for (int c = 0; c < COLS; c++) row[c] = irt_get(&in[0], r * COLS + c);
        log_softmax(row, logp);
        want -= logp[(7 * r + 3) % COLS] / ROWS;
    }
    double *v = irt_run(
        "graph main(x: f32[5,37], t: i64[5]) {\n%r = cross_entropy %x, %t\n"
        "%1 = one_hot %t {classes=37, dtype=f32}\n%q = cross_entropy %x, %1\nreturn %r, %q }",
        in, 0, &n);
    double *q =
        irt_run("graph main(x: f32[5,37], t: i64[5]) {\n%1 = one_hot %t {classes=37, dtype=f32}\n"
                "%q = cross_entropy %x, %1\nreturn %q }",
                in, 0, &n);
    cr_assert(fabsl(v[0] - want) < 1e-6L, "%.9g, not %.9Lg", v[0], want);
    cr_assert(fabsl(q[0] - want) < 1e-6L, "%.9g, not %.9Lg", q[0], want);
    bz_mem_free(v);
    bz_mem_free(q);
    irt_set(&in[1], 2, COLS); /* no such class */
    v = irt_run("graph main(x: f32[5,37], t: i64[5]) { %r = cross_entropy %x, %t\nreturn %r }", in,
                0, &n);
    cr_assert(isnan(v[0]));
    bz_mem_free(v);
    irt_free(in, 2);
}

Test(compose, losses_and_means_of_known_numbers) {
    cr_assert_eq(irt_eval("%1 = const {value=[1, 2, 4]} : i64[3]\n%2 = const {value=[1.0, 0.0, "
                          "1.0]} : f32[3]\n%r = mse_loss %1, %2"),
                 (double)(13.0f / 3));
    cr_assert_eq(irt_eval("%1 = const {value=[1, 2]} : i64[2]\n%r = mean %1"), 1.5);
    cr_assert(isnan(irt_eval("%1 = zeros {shape=[0]}\n%r = mean %1")));
    cr_assert(isnan(irt_eval("%1 = zeros {shape=[1]}\n%r = var %1")));
    cr_assert_eq(irt_eval("%1 = full {shape=[100000], value=1, dtype=f16}\n%r = mean %1"),
                 1); /* the sum exceeds f16 */
}

Test(compose, softmax_of_extremes) {
    cr_assert_eq(
        irt_eval("%1 = const {value=[1e30, -1e30]} : f32[2]\n%2 = softmax %1\n%r = max %2"), 1);
    cr_assert_eq(irt_eval("%1 = full {shape=[3], value=-inf}\n%r = logsumexp %1"), -INFINITY);
    cr_assert_eq(irt_eval("%1 = const {value=[1.0, inf]} : f32[2]\n%r = logsumexp %1"), INFINITY);
    cr_assert_eq(irt_eval("%1 = zeros {shape=[0]}\n%r = logsumexp %1"), -INFINITY);
    cr_assert_eq(irt_eval("%1 = zeros {shape=[2,0]}\n%2 = softmax %1\n%r = sum %2"), 0);
    cr_assert(
        isnan(irt_eval("%1 = const {value=[1.0, nan]} : f32[2]\n%2 = softmax %1\n%r = sum %2")));
}

/* ---- matmul: every pair of ranks against loops over indices, in exact integers */

typedef struct shape {
    unsigned rank;
    int64_t d[4];
} shape;

static ir_value_array counting(const shape *s, int first) {
    ir_value_array a = irt_array(BZ_F32, s->rank, s->d);
    for (int64_t i = 0, n = irt_numel(&a); i < n; i++)
        irt_set(&a, i, (double)((first + 7 * i) % 11 - 5));
    return a;
}

/* The element of x, seen as [b0, b1, row, column] with broadcast batch axes; a 1-d operand is one
 * row or one column. */
static double element(const ir_value_array *x, int64_t b0, int64_t b1, int64_t row, int64_t col,
                      bool vector_is_row) {
    if (x->rank == 1) return irt_get(x, vector_is_row ? col : row);
    int64_t at = 0, batch[2] = {b0, b1};
    for (unsigned a = 0; a + 2 < x->rank; a++) {
        int64_t i = batch[2 - (x->rank - 2) + a];
        at = at * x->shape[a] + (x->shape[a] == 1 ? 0 : i);
    }
    at = at * x->shape[x->rank - 2] + row;
    return irt_get(x, at * x->shape[x->rank - 1] + col);
}

static int64_t batch_size(const ir_value_array *x, const ir_value_array *y, unsigned from_matrix) {
    int64_t dx = x->rank > from_matrix + 1 ? x->shape[x->rank - 2 - from_matrix] : 1;
    int64_t dy = y->rank > from_matrix + 1 ? y->shape[y->rank - 2 - from_matrix] : 1;
    return dx > dy ? dx : dy;
}

static void print_type(bz_text *t, const char *name, const shape *s) {
    bz_textf(t, "%s: f32[", name);
    for (unsigned i = 0; i < s->rank; i++) bz_textf(t, "%s%lld", i ? "," : "", (long long)s->d[i]);
    bz_text_str(t, "]");
}

static void check_matmul(shape sx, shape sy) {
    bz_text t = {0};
    ir_value_array in[2] = {counting(&sx, 1), counting(&sy, 4)};
    bz_text_str(&t, "graph main(");
    print_type(&t, "x", &sx);
    print_type(&t, ", y", &sy);
    bz_text_str(&t, ") { %r = matmul %x, %y\nreturn %r }");
    int64_t n, at = 0, k = sx.d[sx.rank - 1];
    int64_t rows = sx.rank == 1 ? 1 : sx.d[sx.rank - 2],
            cols = sy.rank == 1 ? 1 : sy.d[sy.rank - 1];
    double *v = irt_run(bz_text_c(&t), in, 0, &n);
    for (int64_t b0 = 0; b0 < batch_size(&in[0], &in[1], 2); b0++) {
        for (int64_t b1 = 0; b1 < batch_size(&in[0], &in[1], 1); b1++) {
            for (int64_t i = 0; i < rows * cols; i++, at++) {
                double want = 0;
                for (int64_t j = 0; j < k; j++)
                    want += element(&in[0], b0, b1, i / cols, j, true) *
                            element(&in[1], b0, b1, j, i % cols, false);
                cr_assert(at < n && v[at] == want, "%s: element %lld is %g, not %g", bz_text_c(&t),
                          (long long)at, v[at], want);
            }
        }
    }
    cr_assert_eq(at, n);
    bz_mem_free(v);
    bz_text_free(&t);
    irt_free(in, 2);
}

Test(compose, matmul_as_numpy) {
    static const shape left[] = {{1, {3}},          {2, {2, 3}},    {3, {4, 2, 3}},
                                 {4, {5, 1, 2, 3}}, {3, {1, 2, 3}}, {4, {1, 4, 2, 3}}};
    static const shape right[] = {{1, {3}},          {2, {3, 2}},    {3, {4, 3, 2}},
                                  {4, {5, 4, 3, 2}}, {3, {1, 3, 2}}, {4, {5, 1, 3, 2}}};
    for (unsigned i = 0; i < BZ_LEN(left); i++) {
        for (unsigned j = 0; j < BZ_LEN(right); j++) check_matmul(left[i], right[j]);
    }
}

Test(compose, linear_rounds_once) {
    /* 256 + 1 rounds to 256 in bf16, and - 255 then gives 1; rounded once it is 2 */
    cr_assert_eq(
        irt_eval(
            "%x = const {value=[16.0, 1.0]} : bf16[2]\n%w = const {value=[16.0, 1.0]} : bf16[1,2]\n"
            "%b = const {value=-255.0} : bf16[1]\n%r = linear %x, %w, %b"),
        2);
    cr_assert_eq(irt_eval("%x = const {value=[1.0, 2.0]} : f32[1,2]\n%w = const {value=[3.0, 4.0]} "
                          ": f32[1,2]\n%r = linear %x, %w"),
                 11);
}

/* ---- optimizers against the same steps in long double */

enum { N = 6, STEPS = 4 };

/* Runs STEPS steps of `call` over p, m, v; grad of step k is p / 2 + k / 8. */
static void run_steps(const char *call, ir_value_array state[3]) {
    bz_text t = {0};
    bz_textf(&t,
             "graph main(p: f32[6], m: f32[6], v: f32[6], t: i64) {\n%%k = mul %%t, 0.125\n%%h = "
             "mul %%p, 0.5\n%%g = add %%h, %%k\n"
             "%s\nreturn %%p2, %%m2, %%v2 }",
             call);
    ir_module *m = irt_parse(bz_text_c(&t));
    for (int step = 1; step <= STEPS; step++) {
        ir_value_array in[4] = {state[0], state[1], state[2], irt_array(BZ_I64, 0, NULL)}, out[3];
        irt_set(&in[3], 0, step);
        irt_run_module(m, in, out);
        irt_free(in, 4);
        memcpy(state, out, sizeof out);
    }
    ir_module_free(m);
    bz_text_free(&t);
}

static void start(ir_value_array state[3]) {
    for (int i = 0; i < 3; i++) state[i] = irt_array(BZ_F32, 1, (int64_t[]){N});
    for (int i = 0; i < N; i++) irt_set(&state[0], i, 0.75 * i - 1.5);
}

static real adam_reference(real p, real decay, bool decoupled) {
    real m = 0, v = 0, lr = 0.01L;
    for (int t = 1; t <= STEPS; t++) {
        real g = p / 2 + t / 8.0L;
        if (decoupled)
            p *= 1 - lr * decay;
        else
            g += decay * p;
        m = 0.9L * m + 0.1L * g;
        v = 0.999L * v + 0.001L * g * g;
        p -= lr / (1 - powl(0.9L, t)) * m / (sqrtl(v) / sqrtl(1 - powl(0.999L, t)) + 1e-8L);
    }
    return p;
}

Test(compose, adam_steps) {
    for (int decoupled = 0; decoupled < 2; decoupled++) {
        ir_value_array state[3];
        start(state);
        run_steps(decoupled
                      ? "%p2, %m2, %v2 = adamw_step %p, %g, %m, %v, %t, 0.01 {weight_decay=0.1}"
                      : "%p2, %m2, %v2 = adam_step %p, %g, %m, %v, %t, 0.01 {weight_decay=0.1}",
                  state);
        for (int i = 0; i < N; i++) {
            real want = adam_reference(0.75L * i - 1.5L, 0.1L, decoupled);
            cr_assert(fabsl(irt_get(&state[0], i) - want) < 1e-6L, "%d: %.9g, not %.9Lg", i,
                      irt_get(&state[0], i), want);
        }
        irt_free(state, 3);
    }
}

static real sgd_reference(real p, bool nesterov) {
    real v = 0;
    for (int t = 1; t <= STEPS; t++) {
        real g = p / 2 + t / 8.0L + 0.1L * p;
        v = 0.9L * v + g;
        p -= 0.01L * (nesterov ? g + 0.9L * v : v);
    }
    return p;
}

Test(compose, sgd_steps) {
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        ir_value_array state[3];
        start(state);
        run_steps(nesterov ? "%p2, %m2 = sgd_step %p, %g, 0.01, %m {momentum=0.9, "
                             "weight_decay=0.1, nesterov}\n%v2 = copy %v"
                           : "%p2, %m2 = sgd_step %p, %g, 0.01, %m {momentum=0.9, "
                             "weight_decay=0.1}\n%v2 = copy %v",
                  state);
        for (int i = 0; i < N; i++) {
            real want = sgd_reference(0.75L * i - 1.5L, nesterov);
            cr_assert(fabsl(irt_get(&state[0], i) - want) < 1e-6L, "%d: %.9g, not %.9Lg", i,
                      irt_get(&state[0], i), want);
        }
        irt_free(state, 3);
    }
}

/* ---- random numbers */

static double *numbers(const char *call, int64_t *n) {
    bz_text t = {0};
    bz_textf(&t, "graph main() { %%r = %s\nreturn %%r }", call);
    double *v = irt_run(bz_text_c(&t), NULL, 0, n);
    bz_text_free(&t);
    return v;
}

static void check_moments(const char *call, double mean_want, double var_want, double lo,
                          double hi) {
    int64_t n;
    double *v = numbers(call, &n), s = 0, q = 0;
    for (int64_t i = 0; i < n; i++) {
        cr_assert(v[i] >= lo && v[i] < hi, "%s: %g", call, v[i]);
        s += v[i];
        q += (v[i] - mean_want) * (v[i] - mean_want);
    }
    double error = 5 * sqrt(var_want / (double)n);
    cr_assert(fabs(s / (double)n - mean_want) < error, "%s: mean %g", call, s / (double)n);
    cr_assert(fabs(q / (double)n - var_want) < var_want * 0.1, "%s: variance %g", call,
              q / (double)n);
    bz_mem_free(v);
}

Test(compose, random_numbers_have_their_moments) {
    check_moments("rand 1, 0 {shape=[5000]}", 0.5, 1.0 / 12, 0, 1);
    check_moments("rand 1, 0 {shape=[50, 100], dtype=f64}", 0.5, 1.0 / 12, 0, 1);
    check_moments("rand 1, 0 {shape=[5000], dtype=f16}", 0.5 - 0x1p-12, 1.0 / 12, 0, 1);
    check_moments("rand 1, 0 {shape=[5000], dtype=bf16}", 0.5 - 0x1p-9, 1.0 / 12, 0, 1);
    check_moments("randn 1, 0 {shape=[5000]}", 0, 1, -7, 7);
    check_moments("randn 1, 0 {shape=[5000], dtype=f64}", 0, 1, -9, 9);
    check_moments("randint 1, 0 {shape=[5000], lo=-3, hi=7}", 1.5, 8.25, -3, 7);
}

/* Element i depends on key and offset + i alone: a tensor is a window on its stream. */
Test(compose, random_tensors_are_windows_on_a_stream) {
    static const char *const calls[][2] = {
        {"rand 5, 0 {shape=[64]}", "rand 5, 8 {shape=[4,14]}"},
        {"randn 5, 0 {shape=[64]}", "randn 5, 8 {shape=[56]}"},
        {"randn 5, 0 {shape=[60], dtype=f64}", "randn 5, 16 {shape=[52], dtype=f64}"}};
    for (unsigned i = 0; i < BZ_LEN(calls); i++) {
        int64_t n, m;
        double *a = numbers(calls[i][0], &n), *b = numbers(calls[i][1], &m);
        for (int64_t k = 0; k < m; k++)
            cr_assert_eq(a[8 + k], b[k], "%s, element %lld", calls[i][1], (long long)k);
        cr_assert(a[0] != a[1] && a[1] != a[2]);
        bz_mem_free(a);
        bz_mem_free(b);
    }
}
