/* test_api_ops.c - each public builder against the C library or plain arithmetic, on every device and mode. The kernels' values are
 * tested elsewhere; here a name must lead to its op, with operands in their order. */
#include "tests/support/rt_support.h"

static void near(int line, bz_tensor *x, const double *want, int n) {
    double got[16];
    bz_tensor *wide = bz_cast(x, BZ_F64);
    cr_assert_eq(bz_numel(wide), n, "line %d: %s", line, bz_message(bz_context_of(x)));
    cr_assert_eq(bz_to_host(wide, got, (size_t)n * sizeof *got), BZ_OK, "line %d: %s", line,
                 bz_message(bz_context_of(x)));
    for (int i = 0; i < n; i++)
        cr_expect((isnan(got[i]) && isnan(want[i])) || got[i] == want[i] ||
                      fabs(got[i] - want[i]) < 1e-5 * fmax(1, fabs(want[i])),
                  "line %d: element %d is %.9g, not %.9g", line, i, got[i], want[i]);
}
#define NEAR(x, ...)                                                                               \
    near(__LINE__, x, (const double[]){__VA_ARGS__},                                               \
         (int)(sizeof((const double[]){__VA_ARGS__}) / sizeof(double)))

static void floats(bz_context *c) {
    const double u = 0.75, v = -1.5;
    bz_tensor *x = bz_full(c, BZ_SHAPE(1), u, BZ_F32), *y = bz_full(c, BZ_SHAPE(1), v, BZ_F32),
              *z = bz_full(c, BZ_SHAPE(1), 3, BZ_F32);
    NEAR(bz_div(x, y), u / v);
    NEAR(bz_fma(x, y, z), u * v + 3);
    NEAR(bz_abs(y), 1.5);
    NEAR(bz_floor(y), -2);
    NEAR(bz_ceil(y), -1);
    NEAR(bz_trunc(y), -1);
    NEAR(bz_round(bz_mul(y, z)), -4); /* of -4.5: ties to even */
    NEAR(bz_maximum(x, y), u);
    NEAR(bz_minimum(x, y), v);
    NEAR(bz_floor_div(x, y), -1);
    NEAR(bz_mod(x, y), -0.75);
    NEAR(bz_floor_divide(x, y), -1); /* PyTorch's names, of floats too */
    NEAR(bz_remainder(x, y), -0.75);
    NEAR(bz_fmod(z, bz_sub(y, x)), fmod(3, v - u));
    NEAR(bz_reciprocal(y), 1 / v);
    NEAR(bz_rsqrt(x), 1 / sqrt(u));
    NEAR(bz_cbrt(y), cbrt(v));
    NEAR(bz_sign(y), -1);
    NEAR(bz_copysign(x, y), -u);
    NEAR(bz_clamp(z, y, x), u);
    NEAR(bz_lerp(x, y, z), u + 3 * (v - u));
    NEAR(bz_hypot(x, y), hypot(u, v));
    NEAR(bz_frac(y), -0.5);
    NEAR(bz_heaviside(bz_sub(x, x), z), 3);
    NEAR(bz_exp2(y), exp2(v));
    NEAR(bz_expm1(y), expm1(v));
    NEAR(bz_log2(x), log2(u));
    NEAR(bz_log10(x), log10(u));
    NEAR(bz_log1p(x), log1p(u));
    NEAR(bz_pow(x, y), pow(u, v));
    NEAR(bz_logaddexp(x, y), log(exp(u) + exp(v)));
    NEAR(bz_sin(y), sin(v));
    NEAR(bz_cos(y), cos(v));
    NEAR(bz_tan(x), tan(u));
    NEAR(bz_asin(x), asin(u));
    NEAR(bz_acos(x), acos(u));
    NEAR(bz_atan(y), atan(v));
    NEAR(bz_atan2(x, y), atan2(u, v));
    NEAR(bz_sinh(y), sinh(v));
    NEAR(bz_cosh(y), cosh(v));
    NEAR(bz_tanh(y), tanh(v));
    NEAR(bz_asinh(y), asinh(v));
    NEAR(bz_acosh(z), acosh(3));
    NEAR(bz_atanh(x), atanh(u));
    NEAR(bz_erf(y), erf(v));
    NEAR(bz_erfc(y), erfc(v));
    NEAR(bz_sigmoid(y), 1 / (1 + exp(-v)));
    NEAR(bz_softplus(y), log1p(exp(v)));
    NEAR(bz_gelu(y), v / 2 * (1 + erf(v / sqrt(2))));
    NEAR(bz_gelu_tanh(y), v / 2 * (1 + tanh(sqrt(2 / acos(-1)) * (v + 0.044715 * v * v * v))));
    NEAR(bz_silu(y), v / (1 + exp(-v)));
}
Test(api_ops, floats) {
    on_all(floats);
}

static void integers(bz_context *c) {
    bz_tensor *x = bz_full(c, BZ_SHAPE(1), 12, BZ_I32), *y = bz_full(c, BZ_SHAPE(1), 10, BZ_I32),
              *m = bz_full(c, BZ_SHAPE(1), -16, BZ_I32), *two = bz_full(c, BZ_SHAPE(1), 2, BZ_I32);
    NEAR(bz_bitwise_or(x, y), 14);
    NEAR(bz_bitwise_xor(x, y), 6);
    NEAR(bz_bitwise_not(x), -13);
    NEAR(bz_left_shift(x, two), 48);
    NEAR(bz_right_shift(m, two), -4);
    NEAR(bz_logical_right_shift(m, two), (double)(0xfffffff0u >> 2));
    NEAR(bz_popcount(x), 2);
    NEAR(bz_count_leading_zeros(x), 28);
    NEAR(bz_div(x, y), 1.2);
    NEAR(bz_floor_divide(m, y), -2);
    NEAR(bz_remainder(m, y), 4);
}
Test(api_ops, integers) {
    on_all(integers);
}

static void truths(bz_context *c) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, NAN, INFINITY}), BZ_SHAPE(4)),
              *y = bz_from_data(c, BZ_F32, ((float[]){2, 2, 2, -0.0f}), BZ_SHAPE(4));
    NEAR(bz_eq(x, y), 0, 1, 0, 0);
    NEAR(bz_ne(x, y), 1, 0, 1, 1);
    NEAR(bz_lt(x, y), 1, 0, 0, 0);
    NEAR(bz_le(x, y), 1, 1, 0, 0);
    NEAR(bz_ge(x, y), 0, 1, 0, 1);
    NEAR(bz_logical_and(x, y), 1, 1, 1, 0);
    NEAR(bz_logical_or(x, y), 1, 1, 1, 1);
    NEAR(bz_logical_xor(x, y), 0, 0, 0, 1);
    NEAR(bz_logical_not(y), 0, 0, 0, 1);
    NEAR(bz_isnan(x), 0, 0, 1, 0);
    NEAR(bz_isinf(x), 0, 0, 0, 1);
    NEAR(bz_isfinite(x), 1, 1, 0, 0);
    NEAR(bz_signbit(y), 0, 0, 0, 1);
}
Test(api_ops, truths) {
    on_all(truths);
}

/* What C may leave out, numbers beside tensors, words, texts. */
static void calls(bz_context *c) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){-1, 0.5f, 3, NAN}), BZ_SHAPE(2, 2)), *e;
    NEAR(bz_elu(x), expm1(-1), 0.5, 3, NAN);
    NEAR(bz_elu(bz_elu(x), 2), 2 * expm1(expm1(-1)), 0.5, 3, NAN);
    NEAR(bz_l1_loss(x, 1, BZ_REDUCTION_NONE), 2, 0.5, 2, NAN);
    NEAR(bz_mse_loss(bz_nan_to_num(x), 1), (4 + 0.25 + 4 + 1) / 4);
    NEAR(bz_divide(x, 2, BZ_ROUNDING_FLOOR), -1, 0, 1, NAN);
    NEAR(bz_addcmul(x, x, 2, 0.5), -2, 1, 6, NAN);
    NEAR(bz_nanmean(x, BZ_AXES(1), false), -0.25, 3);
    bz_tensor *m = bz_frexp(x, &e);
    NEAR(m, -0.5, 0.5, 0.75, NAN);
    NEAR(e, 1, 0, 2, 0);
    bz_tensor *z = bz_nan_to_num(x), *pair[] = {z, z};
    NEAR(bz_einsum(pair, 2, "ij,jk->ik"), 2.5, -0.5, -3, 1.5);
    NEAR(bz_empty_like(bz_tril(z)), 0, 0, 0, 0);
    NEAR(bz_logspace(c, 0, 2, 3), 1, 10, 100);
    NEAR(bz_tri(c, 2, 2), 1, 0, 1, 1);
    NEAR(bz_tril_indices(c, 2, 2), 0, 1, 1, 0, 0, 1);
    NEAR(bz_triu_indices(c, 2, 2, 1), 0, 1);
    NEAR(bz_empty(c, BZ_SHAPE(2), BZ_F32), 0, 0);
    EXPECT_ERROR(c, bz_divide(x, 2, (bz_rounding)9), BZ_EARG,
                 "[divide] there is no rounding mode 9");
    EXPECT_ERROR(c, bz_einsum(pair, 2, NULL), BZ_EARG, "[einsum] there is no equation");
}
Test(api_ops, calls) {
    on_all(calls);
}

/* The mean and the variance of what is drawn, as the distribution says, within some deviations. */
static void expect_moments(int line, bz_tensor *x, double mean, double var) {
    bz_tensor *v = bz_cast(x, BZ_F64);
    double n = (double)bz_numel(x), m = bz_item(bz_mean(v, BZ_ALL)),
           d = bz_item(bz_var(v, BZ_ALL, 1));
    cr_expect_lt(fabs(m - mean), 5 * sqrt(var / n), "line %d: mean %g, not %g", line, m, mean);
    cr_expect_lt(fabs(d - var), 20 * var / sqrt(n), "line %d: variance %g, not %g", line, d, var);
}

static void drawn(bz_context *c) {
    enum { N = 4096 };
    expect_moments(__LINE__, bz_uniform(c, -1, 2, BZ_SHAPE(N), BZ_F32), 0.5, 0.75);
    expect_moments(__LINE__, bz_normal(c, 3, 2, BZ_SHAPE(N), BZ_F64), 3, 4);
    expect_moments(__LINE__, bz_exponential(c, 2, BZ_SHAPE(N), BZ_F32), 0.5, 0.25);
    expect_moments(__LINE__, bz_geometric(c, 0.25, BZ_SHAPE(N), BZ_I64), 4, 12);
    bz_tensor *p = bz_full(c, BZ_SHAPE(N), 0.25, BZ_F32),
              *w = bz_from_data(c, BZ_F32, ((float[]){1, 0, 2, 1}), BZ_SHAPE(4));
    expect_moments(__LINE__, bz_bernoulli(p), 0.25, 0.1875);
    expect_moments(__LINE__, bz_dropout(p, 0.5), 0.25, 0.0625);
    expect_moments(__LINE__, bz_rand_like(p), 0.5, 1.0 / 12);
    expect_moments(__LINE__, bz_randn_like(p), 0, 1);
    expect_moments(__LINE__, bz_multinomial(w, N, true), 1.75, 1.1875);
    NEAR(bz_any(bz_eq(bz_multinomial(w, N, true), 1), BZ_ALL), 0);
    bz_tensor *sorted = bz_sort(bz_multinomial(w, 3), 0, false, NULL);
    NEAR(sorted, 0, 2, 3);
    bz_tensor *order = bz_randperm(c, 6), *place;
    NEAR(bz_sort(order, 0, false, &place), 0, 1, 2, 3, 4, 5);
    NEAR(bz_dropout(w, 0.5, false), 1, 0, 2, 1);
    NEAR(bz_sum(bz_gumbel_softmax(w, 1, true), BZ_ALL), 1);
    EXPECT_ERROR(c, bz_multinomial(w, 5), BZ_EARG, "[multinomial]");
    EXPECT_ERROR(c, bz_dropout(w, 2), BZ_EARG, "[dropout] 0 <= p <= 1");
}
Test(api_ops, drawn) {
    on_all(drawn);
}

/* Folds, layers, losses of two rows; what is documented in nn.h and move.h. */
static void rows(bz_context *c) {
    const double e0 = exp(-1), e1 = exp(-2), lse = log(1 + e0 + e1); /* of 1 2 3, less 3 */
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){3, 1, 2}), BZ_SHAPE(1, 3));
    bz_tensor *class = bz_full(c, BZ_SHAPE(1), 2, BZ_I64);
    NEAR(bz_prod(x, NULL, 0, false), 6);
    NEAR(bz_min(x, BZ_AXES(1), true), 1);
    NEAR(bz_any(bz_sub(x, x), NULL, 0, false), 0);
    NEAR(bz_all(x, NULL, 0, false), 1);
    NEAR(bz_argmin(x, BZ_AXES(-1), false), 1);
    NEAR(bz_var(x, BZ_AXES(1), false, 0), 2.0 / 3);
    NEAR(bz_var(x, BZ_AXES(1), false, 1), 1);
    NEAR(bz_logsumexp(x, BZ_AXES(1), false), 3 + lse);
    NEAR(bz_log_softmax(x, 1), -lse, -2 - lse, -1 - lse);
    NEAR(bz_rms_norm(x, NULL, 0), 3 / sqrt(14.0 / 3), 1 / sqrt(14.0 / 3), 2 / sqrt(14.0 / 3));
    NEAR(bz_cross_entropy(x, class), 1 + lse);
    NEAR(bz_one_hot(class, 4, BZ_F32), 0, 0, 1, 0);
    bz_tensor *u = bz_unsqueeze(x, -1);
    cr_expect(bz_ndim(u) == 3 && bz_shape(u)[1] == 3 && bz_shape(u)[2] == 1);
    NEAR(bz_div_(bz_sub_(bz_copy(x), x), x), 0, 0, 0);
}
Test(api_ops, rows) {
    on_all(rows);
}

static void in_order(bz_context *c) {
    bz_tensor *at, *x = bz_from_data(c, BZ_F32, ((float[]){3, NAN, 1, 3}), BZ_SHAPE(4));
    bz_tensor *sorted = bz_sort(x, 0, false, &at);
    cr_assert_eq(bz_eval((bz_tensor *[]){sorted, at}, 2), BZ_OK);
    NEAR(sorted, 1, 3, 3, NAN);
    NEAR(at, 2, 0, 3, 1);
    NEAR(bz_sort(bz_slice(x, ((int64_t[]){2}), ((int64_t[]){4}), NULL, 1), 0, true, NULL), 3, 1);
    NEAR(bz_gather(x, at, 0), 1, 3, 3, NAN); /* the other result alone */
    NEAR(bz_cumsum(bz_narrow(x, 0, 2, 2), -1, false, false), 1, 4);
    bz_tensor *flags = bz_isnan(x), *sums = bz_cumsum(flags, 0, false, false);
    cr_expect_eq(bz_dtype_of(sums), BZ_I64);
    NEAR(sums, 0, 1, 1, 1);
    bz_tensor *six = bz_reshape(bz_arange(c, 0, 6, 1, BZ_F16), BZ_SHAPE(2, 3));
    NEAR(bz_cumsum(six, 0, false, false), 0, 1, 2, 3, 5, 7);
    NEAR(bz_cumsum(six, 1, true, true), 3, 2, 0, 9, 5, 0);
    NEAR(bz_cumprod(six, -1, false, true), 1, 0, 0, 1, 3, 12);
    bz_tensor *best = bz_cummax(x, 0, false, &at);
    NEAR(best, 3, NAN, NAN, NAN);
    NEAR(at, 0, 1, 1, 1);
    NEAR(bz_cummin(bz_flip(x, BZ_AXES(0)), 0, false, NULL), 3, 1, NAN, NAN);
    NEAR(bz_logcumsumexp(bz_zeros(c, BZ_SHAPE(3), BZ_F32), 0, false, true), -INFINITY, 0,
         0.6931472);
}
Test(api_ops, in_order) {
    on_all(in_order);
}

Test(api_ops, facts) {
    bz_context *c = open_one(BZ_CPU);
    cr_expect_eq(bz_get_mode(c), BZ_LAZY);
    bz_tensor *lazy = bz_ones(c, BZ_SHAPE(2), BZ_F32);
    cr_expect_eq(bz_set_mode(c, BZ_EAGER), BZ_OK);
    cr_expect_eq(bz_get_mode(c), BZ_EAGER);
    cr_expect(bz_is_evaluated(bz_add(lazy, lazy)));
    cr_expect_eq(bz_set_mode(c, (bz_mode)7), BZ_EARG);
    bz_clear(c);
    bz_counters n;
    bz_reset_peak(c);
    bz_get_counters(c, &n);
    cr_expect_eq(n.peak_bytes, n.bytes);
    cr_expect_str_eq(bz_dtype_name(BZ_BF16), "bf16");
    cr_expect_eq(bz_dtype_size(BZ_BF16), 2);
    cr_expect_eq(bz_dtype_size(BZ_NDTYPES), 0);
    cr_expect(strlen(bz_status_text(BZ_ESHAPE)) > 0);
    bz_close(c);
}

/* ---- numbers and 0-d operands through the API; tests/test_numbers.c has the rules */

static void expect_int(int line, bz_tensor *x, bz_dtype t, int64_t want) {
    int64_t got = bz_item_int(x);
    cr_expect(got == want && bz_dtype_of(x) == t, "line %d: %lld of %s, not %lld of %s", line,
              (long long)got, bz_dtype_name(bz_dtype_of(x)), (long long)want, bz_dtype_name(t));
}
#define INT(x, t, want) expect_int(__LINE__, x, t, want)

static void numbers(bz_context *c) {
    const int64_t big = INT64_C(9007199254740993);
    bz_tensor *i = bz_full(c, NULL, 0, 3, BZ_I32), *h = bz_full(c, NULL, 0, 1.5, BZ_F16),
              *h1 = bz_full(c, BZ_SHAPE(1), 1, BZ_F16), *f = bz_full(c, NULL, 0, 1, BZ_F32),
              *d = bz_full(c, BZ_SHAPE(1), 1, BZ_F64), *u = bz_full(c, BZ_SHAPE(1), 200, BZ_U8);
    INT(bz_add(i, bz_scalar_int(c, 1)), BZ_I32, 4);
    INT(bz_lt(u, bz_scalar_int(c, 300)), BZ_BOOL, 0);
    NEAR(bz_div(u, bz_scalar_int(c, 400)), 0.5);
    cr_expect_eq(bz_dtype_of(bz_mul(h, bz_scalar(c, 0.5))), BZ_F16);
    cr_expect_eq(bz_item(bz_mul(d, bz_scalar(c, 0.1))), 0.1);
    /* rounded to f16 once: through f32 it would be 2048, which is even */
    cr_expect_eq(bz_item(bz_clamp(h1, f, bz_scalar(c, 1))), 1);
    cr_expect_eq(bz_item(bz_maximum(h1, bz_scalar(c, 2049 + 0x1p-30))), 2050);
    INT(bz_gather(h1, bz_scalar_int(c, 0), 0), BZ_F16, 1);
    INT(bz_full_int(c, NULL, 0, big, BZ_I64), BZ_I64, big);
    INT(bz_full_int(c, NULL, 0, -5, BZ_U8), BZ_U8, 251);
    INT(bz_full(c, NULL, 0, -5, BZ_U8), BZ_U8, 251);
    INT(bz_full(c, NULL, 0, -5.5, BZ_U8), BZ_U8, 0);
    bz_tensor *a = bz_arange_int(c, big, big + 5, 2, BZ_I64);
    cr_expect_eq(bz_numel(a), 3);
    INT(bz_max(a, BZ_ALL), BZ_I64, big + 4);
    cr_expect_eq(bz_numel(bz_arange_int(c, INT64_MAX, INT64_MIN, INT64_MIN, BZ_I64)), 2);
    cr_expect_eq(bz_numel(bz_arange_int(c, 3, 3, 1, BZ_I64)), 0);
    INT(bz_pow(bz_full_int(c, NULL, 0, 16777217, BZ_I64), bz_scalar_int(c, 1)), BZ_I64, 16777217);
    INT(bz_pow(i, bz_full_int(c, NULL, 0, -1, BZ_I32)), BZ_I32, 0);
    INT(bz_pow(i, bz_scalar_int(c, 4)), BZ_I32, 81);
}

Test(api_ops, numbers) {
    on_all(numbers);
    bz_context *c = open_one(BZ_CPU);
    EXPECT_ERROR(c, bz_pow(bz_ones(c, BZ_SHAPE(2), BZ_I32), bz_scalar_int(c, -2)), BZ_EARG,
                 "[pow] an integer to the power -2");
    EXPECT_ERROR(c, bz_arange_int(c, 0, 1, 0, BZ_I64), BZ_EARG, "by 0");
    bz_close(c);
}

static void without_axes(bz_context *c) {
    for (int a = -1; a <= 0; a++) {
        bz_tensor *x = bz_full(c, NULL, 0, 3, BZ_F32), *at = NULL;
        NEAR(bz_sum(x, &a, 1, true), 3);
        NEAR(bz_mean(x, &a, 1, false), 3);
        NEAR(bz_var(x, &a, 1, false, 0), 0);
        NEAR(bz_logsumexp(x, &a, 1, false), 3);
        NEAR(bz_argmax(x, &a, 1, false), 0);
        NEAR(bz_softmax(x, a), 1);
        NEAR(bz_log_softmax(x, a), 0);
        NEAR(bz_sort(x, a, true, &at), 3);
        NEAR(at, 0);
        NEAR(bz_flip(x, &a, 1), 3);
        NEAR(bz_gather(x, bz_zeros(c, BZ_SHAPE(2), BZ_I64), a), 3, 3);
        /* views, which see what is written */
        bz_tensor *views[] = {bz_transpose(x, a, 0), bz_squeeze(x, a), bz_flatten(x, a, 0),
                              bz_unsqueeze(x, a), bz_expand(bz_flatten(x, 0, a), BZ_SHAPE(-1))};
        bz_fill_(x, 5);
        for (unsigned i = 0; i < sizeof views / sizeof *views; i++) NEAR(views[i], 5);
    }
    bz_tensor *x = bz_arange(c, 0, 2, 1, BZ_F32);
    bz_tensor *wide = bz_expand(bz_unsqueeze(x, 1), BZ_SHAPE(3, -1, 2));
    bz_fill_(x, 7);
    NEAR(wide, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7);
}

Test(api_ops, without_axes) {
    on_all(without_axes);
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = bz_full(c, NULL, 0, 3, BZ_F32), *many[] = {x, x};
    EXPECT_ERROR(c, bz_softmax(x, 1), BZ_EAXIS, "axis 1 is out of range");
    EXPECT_ERROR(c, bz_sum(x, (int[]){0, -1}, 2, false), BZ_EAXIS, "given twice");
    EXPECT_ERROR(c, bz_concat(many, 2, 0), BZ_ESHAPE, "0-d tensors have no axis");
    EXPECT_ERROR(c, bz_stack(many, 2, -3), BZ_EAXIS, "axis -3");
    EXPECT_ERROR(c, bz_expand(x, BZ_SHAPE(-1)), BZ_ESHAPE, "negative");
    bz_close(c);
}

/* ---- many operands */

/* 300 tensors of 1 .. 4 rows, element k of them all is k; at the last axis, too. */
static void concat_of_many(bz_context *c) {
    enum { N = 300 };
    bz_tensor *x[N], *turned[N];
    int rows = 0;
    for (int i = 0; i < N; rows += 1 + i % 4, i++) {
        bz_tensor *flat = bz_arange(c, 3 * rows, 3 * (rows + 1 + i % 4), 1, BZ_F32);
        x[i] = bz_reshape(flat, BZ_SHAPE(-1, 3));
        turned[i] = bz_transpose(x[i], 0, 1);
    }
    bz_tensor *all = bz_reshape(bz_arange(c, 0, 3 * rows, 1, BZ_F32), BZ_SHAPE(-1, 3));
    bz_tensor *y = bz_relu(bz_concat(x, N, 0)), *z = bz_concat(turned, N, 1);
    INT(bz_all(bz_eq(y, all), BZ_ALL), BZ_BOOL, 1);
    INT(bz_all(bz_eq(bz_transpose(z, 0, 1), all), BZ_ALL), BZ_BOOL, 1);
    cr_expect_eq(bz_shape(y)[0], rows);
}

Test(api_ops, concat_of_many) {
    on_all(concat_of_many);
}

/* Running statistics that a norm was not given are no result of it: NULL, and no error. */
static void results_that_are_absent(bz_context *c) {
    bz_tensor *x = bz_reshape(bz_arange(c, 0, 8, 1, BZ_F32), BZ_SHAPE(2, 2, 2)), *mean = x,
              *var = x;
    bz_tensor *y = bz_instance_norm(x, NULL, NULL, NULL, NULL, true, 0.1, 0, &mean, &var);
    NEAR(y, -1, 1, -1, 1, -1, 1, -1, 1);
    cr_expect(!mean && !var);
    mean = var = x;
    NEAR(bz_batch_norm(bz_narrow(x, 2, 0, 1), NULL, NULL, NULL, NULL, true, 0.1, 0, NULL, &var), -1,
         -1, 1, 1);
    cr_expect(!var);
    mean = NULL;
    bz_batch_norm(x, NULL, NULL, NULL, NULL, false, 0.1, 0, &mean, NULL);
    cr_expect(mean && bz_context_status(c) == BZ_EARG, "an error poisons all");
    bz_clear(c);
}

Test(api_ops, results_that_are_absent) {
    on_all(results_that_are_absent);
}
