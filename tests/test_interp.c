/* test_interp.c - the reference interpreter against straightforward C and known values, orders of
 * addition bit for bit. */
#include "tests/support/irtest.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- orders of addition, written here a second time from docs/numerics.md: recursively where the
 * interpreter loops */

static float block_sum(const float *x, int64_t n, int64_t lanes, int64_t lane, int64_t span) {
    if (span == lanes) { /* a lane: every lanes-th element, from +0 */
        float s = 0;
        for (int64_t k = lane; k < n; k += lanes) s += x[k];
        return s;
    }
    return block_sum(x, n, lanes, lane, span * 2) + block_sum(x, n, lanes, lane + span, span * 2);
}

/* Sum of blocks lo .. hi-1 of 2^level blocks each, the last one incomplete. */
static float tree(const float *sums, int64_t n, int64_t at, int64_t width) {
    if (width == 1) return sums[at];
    float left = tree(sums, n, at, width / 2);
    return at + width / 2 < n ? left + tree(sums, n, at + width / 2, width / 2) : left;
}

static float pairwise(const float *sums, int64_t n) {
    int64_t width = 1;
    while (width < n) width *= 2;
    return n ? tree(sums, n, 0, width) : 0;
}

static float sum_last(const float *x, int64_t n) {
    static float sums[64];
    int64_t lanes = 1, blocks = 0;
    while (lanes < n && lanes < 128) lanes *= 2;
    for (int64_t at = 0; at < n; at += 4096)
        sums[blocks++] = block_sum(x + at, n - at < 4096 ? n - at : 4096, lanes, 0, 1);
    return pairwise(sums, blocks);
}

static float sum_lead(const float *x, int64_t n) {
    static float sums[1024];
    int64_t chains = 0;
    for (int64_t at = 0; at < n; at += 128) {
        sums[chains] = 0;
        for (int64_t k = at; k < n && k < at + 128; k++) sums[chains] += x[k];
        chains++;
    }
    return pairwise(sums, chains);
}

static float dot_order(const float *x, const float *y, int64_t n) {
    float total = 0;
    for (int64_t at = 0; at < n; at += 512) {
        float chain = 0;
        for (int64_t k = at; k < n && k < at + 512; k++) chain = fmaf(x[k], y[k], chain);
        total = at ? total + chain : chain;
    }
    return total;
}

/* Numbers of very different size, so that another order gives other bits. */
static ir_value_array noise(unsigned rank, const int64_t *shape, uint64_t seed) {
    ir_value_array a = irt_array(BZ_F32, rank, shape);
    for (int64_t i = 0, n = irt_numel(&a); i < n; i++) {
        double size = ldexp(1, (int)(irt_random(&seed) * 12));
        ((float *)a.data)[i] = (float)(irt_random(&seed) * size);
    }
    return a;
}

static const int64_t lengths[] = {0,   1,   2,   3,    5,    64,   100,  127,  128,  129,   200,
                                  511, 512, 513, 1300, 4095, 4096, 4097, 8192, 9000, 12293, 20480};

Test(interp, sum_over_the_last_axis_in_its_order) {
    for (unsigned i = 0; i < BZ_LEN(lengths); i++) {
        int64_t n = lengths[i], count;
        char text[200];
        ir_value_array x = noise(2, (int64_t[]){2, n}, 7 + i);
        snprintf(text, sizeof text,
                 "graph main(x: f32[2,%lld]) { %%1 = sum %%x {axes=[1]}\nreturn %%1 }",
                 (long long)n);
        double *v = irt_run(text, &x, 0, &count);
        cr_assert_eq(count, 2);
        for (int row = 0; row < 2; row++) {
            float want = sum_last((float *)x.data + row * n, n);
            cr_assert(v[row] == (double)want, "%lld elements, row %d: %a, not %a", (long long)n,
                      row, v[row], (double)want);
        }
        bz_mem_free(v);
        irt_free(&x, 1);
    }
}

Test(interp, sum_over_leading_axes_in_its_order) {
    for (unsigned i = 0; i < BZ_LEN(lengths); i++) {
        int64_t n = lengths[i], count;
        char text[200];
        ir_value_array x = noise(2, (int64_t[]){n, 3}, 70 + i);
        float *column = malloc((size_t)(n + 1) * sizeof *column);
        snprintf(text, sizeof text,
                 "graph main(x: f32[%lld,3]) { %%1 = sum %%x {axes=[0]}\nreturn %%1 }",
                 (long long)n);
        double *v = irt_run(text, &x, 0, &count);
        cr_assert_eq(count, 3);
        for (int c = 0; c < 3; c++) {
            for (int64_t k = 0; k < n; k++) column[k] = ((float *)x.data)[3 * k + c];
            float want = sum_lead(column, n);
            cr_assert(v[c] == (double)want, "%lld rows, column %d: %a, not %a", (long long)n, c,
                      v[c], (double)want);
        }
        free(column);
        bz_mem_free(v);
        irt_free(&x, 1);
    }
}

Test(interp, several_reduced_axes_are_one_row_major_index) {
    int64_t n;
    float row[6 * 50];
    ir_value_array x = noise(3, (int64_t[]){6, 4, 50}, 3);
    double *v =
        irt_run("graph main(x: f32[6,4,50]) { %1 = sum %x {axes=[0,2]}\nreturn %1 }", &x, 0, &n);
    for (int j = 0; j < 4; j++) {
        for (int i = 0; i < 6; i++)
            memcpy(row + 50 * i, (float *)x.data + (4 * i + j) * 50, 50 * sizeof *row);
        cr_assert_eq(v[j], (double)sum_last(row, 300));
    }
    bz_mem_free(v);
    irt_free(&x, 1);
}

Test(interp, dot_in_its_order) {
    for (unsigned i = 0; i < BZ_LEN(lengths); i++) {
        int64_t n = lengths[i], count;
        char text[200];
        ir_value_array in[2] = {noise(1, &n, 11 + i), noise(1, &n, 99 + i)};
        snprintf(text, sizeof text,
                 "graph main(x: f32[%lld], y: f32[%lld]) { %%1 = matmul %%x, %%y\nreturn %%1 }",
                 (long long)n, (long long)n);
        double *v = irt_run(text, in, 0, &count);
        float want = dot_order(in[0].data, in[1].data, n);
        cr_assert(v[0] == (double)want, "%lld elements: %a, not %a", (long long)n, v[0],
                  (double)want);
        bz_mem_free(v);
        irt_free(in, 2);
    }
}

/* The orders must differ from a plain chain, or the tests above would say nothing. */
Test(interp, the_orders_differ_from_a_plain_sum) {
    int64_t n = 9000;
    ir_value_array x = noise(1, &n, 6);
    float plain = 0;
    for (int64_t k = 0; k < n; k++) plain += ((float *)x.data)[k];
    cr_assert(plain != sum_last(x.data, n) && plain != sum_lead(x.data, n) &&
              sum_last(x.data, n) != sum_lead(x.data, n));
    irt_free(&x, 1);
}

Test(interp, halves_accumulate_in_f32_and_round_once) {
    /* 2048 + 1 + 1 + ...: in f16 each 1 would be lost */
    cr_assert_eq(irt_eval("%1 = full {shape=[1], value=2048, dtype=f16}\n%2 = ones {shape=[64], "
                          "dtype=f16}\n%3 = concat %1, %2\n%r = sum %3"),
                 2112);
    cr_assert_eq(irt_eval("%1 = full {shape=[300], value=1, dtype=bf16}\n%r = sum %1"), 300);
    cr_assert_eq(irt_eval("%1 = full {shape=[300], value=1, dtype=bf16}\n%r = matmul %1, %1"), 300);
    cr_assert_eq(irt_eval("%1 = full {shape=[257], value=1, dtype=bf16}\n%r = sum %1"),
                 256); /* 257 ties to even */
}

Test(interp, zeros_and_empty_sums) {
    cr_assert_eq(irt_eval("%1 = full {shape=[5], value=-0.0}\n%2 = sum %1\n%3 = signbit %2\n%r = "
                          "cast %3 {dtype=i64}"),
                 0);
    cr_assert_eq(irt_eval("%1 = zeros {shape=[0]}\n%r = sum %1"), 0);
    cr_assert_eq(irt_eval("%1 = zeros {shape=[0]}\n%r = prod %1"), 1);
    cr_assert_eq(irt_eval("%1 = zeros {shape=[0], dtype=bool}\n%r = all %1"), 1);
    cr_assert_eq(irt_eval("%1 = zeros {shape=[0], dtype=bool}\n%r = any %1"), 0);
    cr_assert_eq(
        irt_eval(
            "%1 = zeros {shape=[2,0]}\n%2 = zeros {shape=[0,3]}\n%3 = matmul %1, %2\n%r = sum %3"),
        0);
}

Test(interp, integers_wrap) {
    cr_assert_eq(irt_eval("%1 = full {shape=[3], value=100, dtype=i8}\n%r = sum %1"), 300);
    cr_assert_eq(irt_eval("%1 = full {shape=[3], value=100, dtype=i8}\n%r = matmul %1, %1"),
                 (int8_t)30000);
    cr_assert_eq(
        irt_eval("%1 = full {shape=[2], value=200, dtype=u8}\n%2 = add %1, %1\n%r = max %2"), 144);
    cr_assert_eq(irt_eval("%1 = const {value=[true, true, false]} : bool[3]\n%r = sum %1"), 2);
}

#define F4(a) "%1 = const {value=" a "} : f32[4]\n"

Test(interp, largest_and_smallest) {
    cr_assert_eq(irt_eval(F4("[1.0, -inf, 3.5, 2.0]") "%r = max %1"), 3.5);
    cr_assert_eq(irt_eval(F4("[1.0, -inf, 3.5, 2.0]") "%r = min %1"), -INFINITY);
    cr_assert(isnan(irt_eval(F4("[1.0, nan, 3.5, 2.0]") "%r = max %1")));
    cr_assert(isnan(irt_eval(F4("[1.0, nan, 3.5, 2.0]") "%r = min %1")));
    cr_assert_eq(irt_eval(F4("[-inf, -inf, -inf, -inf]") "%r = max %1"), -INFINITY);
    cr_assert_eq(irt_eval("%1 = const {value=[-128, -3, -128]} : i8[3]\n%r = max %1"), -3);
    cr_assert_eq(irt_eval("%1 = const {value=[9, 200, 3]} : u8[3]\n%r = max %1"), 200);
    cr_assert_eq(irt_eval("%1 = const {value=[false, true]} : bool[2]\n%r = max %1"), 1);
}

Test(interp, index_of_the_largest) {
    cr_assert_eq(irt_eval(F4("[1.0, 3.0, 3.0, 2.0]") "%r = argmax %1"), 1);
    cr_assert_eq(irt_eval(F4("[1.0, 3.0, nan, nan]") "%r = argmax %1"), 2);
    cr_assert_eq(irt_eval(F4("[1.0, -3.0, nan, nan]") "%r = argmin %1"), 2);
    cr_assert_eq(irt_eval(F4("[5.0, -3.0, 1.0, -3.0]") "%r = argmin %1"), 1);
    cr_assert_eq(irt_eval(F4("[-inf, -inf, -inf, -inf]") "%r = argmax %1"), 0);
    cr_assert_eq(
        irt_eval("%1 = const {value=[-5, -4, -4, 9223372036854775807]} : i64[4]\n%r = argmax %1"),
        3);
    cr_assert_eq(
        irt_eval("%1 = const {value=[1.0, 2.0, 3.0, 9.0, 5.0, 6.0]} : f32[2,3]\n%r = argmax %1"),
        3);
}

/* ---- movement: result as a list of numbers */

static void expect(const char *lines, const double *want, int64_t n) {
    int64_t count;
    bz_text t = {0};
    bz_textf(
        &t,
        "graph main() {\n%%x = iota {shape=[6]}\n%%m = reshape %%x {shape=[2,3]}\n%s\nreturn %%r }",
        lines);
    double *v = irt_run(bz_text_c(&t), NULL, 0, &count);
    cr_assert_eq(count, n, "%s: %lld elements", lines, (long long)count);
    for (int64_t i = 0; i < n; i++)
        cr_assert(v[i] == want[i], "%s: element %lld is %g, not %g", lines, (long long)i, v[i],
                  want[i]);
    bz_mem_free(v);
    bz_text_free(&t);
}
#define EXPECT(lines, ...)                                                                         \
    expect(lines, (double[]){__VA_ARGS__},                                                         \
           (int64_t)(sizeof((double[]){__VA_ARGS__}) / sizeof(double)))

Test(interp, movement) {
    EXPECT("%r = permute %m {perm=[1,0]}", 0, 3, 1, 4, 2, 5);
    EXPECT("%r = transpose %m", 0, 3, 1, 4, 2, 5);
    EXPECT("%r = slice %m {start=[1, -1], stop=[2, _], step=[1, -2]}", 5, 3);
    EXPECT("%r = slice %x {step=-2}", 5, 3, 1);
    EXPECT("%r = slice %x {start=1, stop=-1}", 1, 2, 3, 4);
    EXPECT("%r = pad %m {lo=[0,1], hi=[1,0], value=9}", 9, 0, 1, 2, 9, 3, 4, 5, 9, 9, 9, 9);
    EXPECT("%r = as_strided %m {shape=[4,3], strides=[1,1]}", 0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5);
    EXPECT("%r = as_strided %x {shape=[3], strides=[-2], offset=5}", 5, 3, 1);
    EXPECT("%r = concat %m %m {axis=1}", 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5);
    EXPECT("%r = flip %m {axes=[0,1]}", 5, 4, 3, 2, 1, 0);
    EXPECT("%1 = iota {shape=[3]}\n%r = expand %1 {shape=[2,3]}", 0, 1, 2, 0, 1, 2);
    EXPECT("%1 = iota {shape=[2,3], axis=0}\n%r = add %1 %m", 0, 1, 2, 4, 5, 6);
    EXPECT("%r = diagonal %m", 0, 4);
    EXPECT("%r = diagonal %m {offset=1}", 1, 5);
    EXPECT("%r = diagonal %m {offset=-1}", 3);
    EXPECT("%r = copy %m", 0, 1, 2, 3, 4, 5);
    EXPECT("%r = one_hot %x {classes=2}", 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0);
}

Test(interp, updates) {
    EXPECT("%1 = const {value=[7, 8]} : i64[1,2]\n%r = update %m %1 {start=[1,2], step=[1,-2]}", 0,
           1, 2, 8, 4, 7);
    EXPECT(
        "%1 = const {value=[7, 8]} : i64[2]\n%r = update %m %1 {offset=1, strides=[3]} : i64[2,3]",
        0, 7, 2, 3, 8, 5);
    /* moved by a number, as far as the window stays inside */
    EXPECT("%1 = const {value=[7, 8]} : i64[2]\n%r = update %x %1 3 {start=[0]}", 0, 1, 2, 7, 8, 5);
    EXPECT("%1 = const {value=[7, 8]} : i64[2]\n%r = update %x %1 9 {start=[0]}", 0, 1, 2, 3, 7, 8);
    EXPECT("%1 = const {value=[7, 8]} : i64[2]\n%r = update %x %1 -9 {start=[2]}", 7, 8, 2, 3, 4,
           5);
    EXPECT("%k = max %x\n%1 = const {value=[7, 8]} : i64[2]\n%r = update %x %1 %k {start=[0]}", 0,
           1, 2, 3, 7, 8);
    EXPECT("%k = min %x\n%1 = add %k 2\n%r = as_strided %x %1 {offset=1, strides=[-1]} : i64[2]", 3,
           2);
    EXPECT("%1 = const {value=1} : i64[0]\n%r = update %x %1 {start=[6]}", 0, 1, 2, 3, 4, 5);
}

Test(interp, parts_of_an_order) {
    EXPECT(F4("[2.0, nan, -1.0, 2.0]") "%v, %r = topk %1 {k=3}", 1, 3, 0);
    EXPECT(F4("[2.0, nan, -1.0, 2.0]") "%v, %r = topk %1 {k=3, smallest}", 2, 0, 3);
    EXPECT("%r = topk %m {k=1, axis=0}", 3, 4, 5);
    EXPECT("%r = kthvalue %m {k=2}", 1, 4);
    EXPECT(F4("[2.0, nan, -1.0, 2.0]") "%v, %r = kthvalue %1 {k=4}", 1);
    EXPECT("%r = argsort %m {axis=1, descending}", 2, 1, 0, 2, 1, 0);
    EXPECT("%1 = const {value=[1, 3, 3, 5]} : i64[4]\n%2 = const {value=[3, 0, 6, 5, 4]} : i64[5]\n%r = searchsorted %1, %2", 1, 0, 4, 3, 3);
    EXPECT("%1 = const {value=[1, 3, 3, 5]} : i64[4]\n%2 = const {value=[3, 0, 6, 5, 4]} : i64[5]\n%r = searchsorted %1, %2 {right}", 3, 0, 4, 4, 3);
    EXPECT(F4("[1.0, 2.0, nan, nan]") "%2 = const {value=[nan, 3.0]} : f32[2]\n%r = searchsorted %1, %2", 2, 2);
    EXPECT(F4("[1.0, 2.0, nan, nan]") "%2 = const {value=[nan, 3.0]} : f32[2]\n%r = bucketize %2, %1 {right}", 4, 2);
    EXPECT("%1 = const {value=[9, 0, 4]} : i64[3]\n%2 = isin %m, %1\n%r = cast %2 {dtype=f32}", 1, 0, 0, 0, 1, 0);
    EXPECT("%1 = const {value=1} : i64[0]\n%2 = isin %m, %1 {invert}\n%r = cast %2 {dtype=f32}", 1, 1, 1, 1, 1, 1);
}

Test(interp, along_an_axis) {
    EXPECT("%i = const {value=[2, -3, 0, 0]} : i64[2,2]\n%r = take_along_dim %m, %i {axis=1}", 2, 0, 3, 3);
    EXPECT("%i = const {value=[1, 0]} : i64[1,2]\n%r = take_along_dim %m, %i", 3, 1);
    EXPECT("%i = const {value=[1, 1]} : i64[2,1]\n%r = take_along_dim %m, %i {axis=1}", 1, 4);
    EXPECT("%i = const {value=[0, 0, 1, -1]} : i64[2,2]\n%r = scatter %m, %i, %m {axis=1}", 1, 1, 2, 3, 3, 4);
    EXPECT("%i = const {value=[0, 0, 1, -1]} : i64[2,2]\n%r = scatter_add %m, %i, 10 {axis=1}", 20, 1, 2, 3, 14, 15);
    EXPECT("%i = const {value=[0, 0, 1, -1]} : i64[2,2]\n%r = scatter_add %m, %i, 10 {axis=1, exclude_self}", 20, 1, 2, 3, 10, 10);
    EXPECT("%i = const {value=[1, 1, 1]} : i64[1,3]\n%r = scatter_prod %m, %i, %m", 0, 1, 2, 0, 4, 10);
    EXPECT("%i = const {value=[0, 0, 0]} : i64[1,3]\n%r = scatter_amax %m, %i, 1", 1, 1, 2, 3, 4, 5);
    EXPECT("%i = const {value=[0, 1, 0]} : i64[1,3]\n%r = scatter_amin %m, %i, 9 {exclude_self}", 9, 1, 9, 3, 9, 5);
    EXPECT("%1 = cast %x {dtype=f32}\n%i = const {value=[1, 1, 2]} : i64[3]\n%r = scatter_mean %1, %i, %1", 0, 2.0f / 3, 2, 3, 4, 5);
    EXPECT("%1 = cast %x {dtype=i32}\n%i = const {value=[1, 1, 2]} : i64[3]\n%2 = scatter_mean %1, %i, -2\n%r = cast %2 {dtype=f32}", 0, -1, 0, 3, 4, 5);
}

Test(interp, rows_by_index) {
    EXPECT("%i = const {value=[2, 0, 2]} : i64[3]\n%r = index_select %m, %i {axis=1}", 2, 0, 2, 5, 3, 5);
    EXPECT("%i = const {value=[0, 0]} : i64[2]\n%r = index_add %m, %i, %m {alpha=2}", 6, 11, 16, 3, 4, 5);
    EXPECT("%i = const {value=[1, 1]} : i64[2]\n%s = slice %m {start=[0,0], stop=[2,2]}\n%r = index_copy %m, %i, %s {axis=1}", 0, 1, 2, 3, 4, 5);
    EXPECT("%r = index_fill %m, -1, 7 {axis=1}", 0, 1, 7, 3, 4, 7);
    EXPECT("%i = const {value=[1, 1, 0]} : i64[3]\n%j = const {value=[-1, 2, 0]} : i64[3]\n%r = index_put %m, 7, %i, %j", 7, 1, 2, 3, 4, 7);
    EXPECT("%i = const {value=[1, 1, 0]} : i64[3]\n%j = const {value=[-1, 2, 0]} : i64[3]\n%r = index_put %m, 7, %i, %j {accumulate}", 7, 1, 2, 3, 4, 19);
    EXPECT("%r = index_put %m, 9, 1", 0, 1, 2, 9, 9, 9);
    EXPECT("%i = const {value=[1, 0]} : i64[2]\n%r = embedding %i, %m", 3, 4, 5, 0, 1, 2);
}

Test(interp, bags_of_rows) {
    EXPECT("%1 = cast %m {dtype=f32}\n%i = const {value=[1, 0, 1, 1]} : i64[2,2]\n%r = embedding_bag %i, %1 {mode=sum}", 3, 5, 7, 6, 8, 10);
    EXPECT("%1 = cast %m {dtype=f32}\n%i = const {value=[1, 0, 1, 1]} : i64[2,2]\n%r = embedding_bag %i, %1", 1.5f, 2.5f, 3.5f, 3, 4, 5);
    EXPECT("%1 = cast %m {dtype=f32}\n%i = const {value=[1, 0, 1]} : i64[3]\n%o = const {value=[0, 2, 2]} : i64[3]\n%r = embedding_bag %i, %1, %o {mode=max}", 3, 4, 5, 0, 0, 0, 3, 4, 5);
    EXPECT("%1 = cast %m {dtype=f32}\n%i = const {value=[1, 0, 1]} : i64[3]\n%o = const {value=[0, 2]} : i64[2]\n%r = embedding_bag %i, %1, %o", 1.5f, 2.5f, 3.5f, 3, 4, 5);
    EXPECT("%i = const {value=[0, 0, 0]} : i64[1,3]\n%r = scatter_reduce %m, %i, 1 {reduce=amax}", 1, 1, 2, 3, 4, 5);
}

Test(interp, indices_outside) {
    static const char *const wrong[][2] = {
        {"take_along_dim %1, %2 {axis=1}", "[gather] index 3 is outside axis 1 of 3"},
        {"scatter %1, %2, %1 {axis=1}", "[scatter] index 3 is outside axis 1 of 3"},
        {"index_put %1, 0, 0, %2", "[gather] index 3 is outside axis 1 of 3"},
    };
    for (size_t i = 0; i < BZ_LEN(wrong); i++) {
        bz_error e = {0};
        ir_value_array out = {0};
        char text[300];
        snprintf(text, sizeof text, "graph main() { %%1 = iota {shape=[2,3]}\n%%2 = const {value=[0, -3, 3, 1]} : i64[2,2]\n%%3 = %s\nreturn %%3 }", wrong[i][0]);
        ir_module *m = irt_parse(text);
        cr_assert_eq(ir_interpret(m->graphs.p[0], NULL, &out, &e), BZ_EINDEX);
        cr_expect_str_eq(e.text, wrong[i][1]);
        ir_module_free(m);
    }
}

Test(interp, scatter_add_rows) {
    EXPECT("%1 = const {value=[1, -2, 1]} : i64[3]\n%r = scatter_rows %m, %1 {axis=1, size=2}", 1, 2,
           4, 8);
    EXPECT("%1 = const {value=[2, 2]} : i64[2]\n%r = scatter_rows %m, %1 {size=3}", 0, 0, 0, 0, 0, 0,
           3, 5, 7);
    EXPECT("%r = scatter_rows %x, -1 {size=2}", 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5);
}

Test(interp, cumsum_along_an_axis) {
    EXPECT("%r = cumsum %m {axis=1}", 0, 1, 3, 3, 7, 12);
    EXPECT("%r = cumsum %m {axis=-2}", 0, 1, 2, 3, 5, 7);
    EXPECT("%1 = const {value=[true, false, true]} : bool[3]\n%r = cumsum %1 {axis=0}", 1, 1, 2);
    EXPECT("%r = cumsum 7 {axis=0}", 7);
}

/* Literally what docs/numerics.md says. */
Test(interp, cumsum_is_chains_of_128) {
    enum { N = 300 };
    float x[N], y[N], chain = 0, before = 0;
    for (int i = 0; i < N; i++) x[i] = 1.0f / (float)(i + 3) + (i == 5 ? 0x1p24f : 0);
    ir_value_array in = {BZ_F32, 1, {N}, x}, out = {0};
    bz_error e = {0};
    ir_module *m = irt_parse("graph main(x: f32[300]) { %1 = cumsum %x {axis=0}\nreturn %1 }");
    cr_assert_eq(ir_interpret(m->graphs.p[0], &in, &out, &e), BZ_OK);
    for (int i = 0; i < N; i++) {
        if (i % 128 == 0) before = i ? before + chain : -0.0f, chain = -0.0f;
        chain = chain + x[i];
        y[i] = before + chain;
    }
    cr_expect(!memcmp(out.data, y, sizeof y));
    bz_mem_free(out.data);
    ir_module_free(m);
}

Test(interp, scans) {
    EXPECT("%r = cumsum %m {axis=1, reverse}", 3, 3, 2, 12, 9, 5);
    EXPECT("%r = cumsum %m {axis=1, exclusive}", 0, 0, 1, 0, 3, 7);
    EXPECT("%r = cumsum %m {axis=0, exclusive, reverse}", 3, 4, 5, 0, 0, 0);
    EXPECT("%r = cumprod %m {axis=0}", 0, 1, 2, 0, 4, 10);
    EXPECT("%r = cumprod %m {axis=1, reverse, exclusive}", 2, 2, 1, 20, 5, 1);
    EXPECT(F4("[2.0, nan, 3.0, 1.0]") "%v, %r = cummax %1 {axis=0}", 0, 1, 1, 1);
    EXPECT(F4("[2.0, 1.0, 2.0, 2.0]") "%v, %r = cummax %1 {axis=0}", 0, 0, 2, 3);
    EXPECT(F4("[2.0, 1.0, 2.0, 2.0]") "%v, %r = cummax %1 {axis=0, reverse}", 0, 2, 2, 3);
    EXPECT(F4("[2.0, 1.0, nan, 0.0]") "%2 = cummin %1 {axis=0}\n%r = isnan %2", 0, 0, 1, 1);
    EXPECT("%1 = const {value=[true, false, true]} : bool[3]\n%2 = cummin %1 {axis=0}\n%r = cast "
           "%2 {dtype=i32}",
           1, 0, 0);
    EXPECT(F4("[-inf, -inf, 0.0, 0.0]") "%r = logcumsumexp %1 {axis=0}", -INFINITY, -INFINITY, 0,
           0x1.62e43p-1);
    EXPECT("%r = cumprod 7 {axis=0, exclusive}", 1);
    EXPECT("%1 = const {value=1.0} : f32[0]\n%2 = cumsum %1 {axis=0, exclusive}\n%r = sum %2", 0);
}

Test(interp, gather_rows) {
    EXPECT("%1 = const {value=[1, -1, 0]} : i64[3]\n%r = gather %m, %1 {axis=1}", 1, 2, 0, 4, 5, 3);
    EXPECT("%1 = const {value=[1, 0]} : i64[2,1]\n%r = gather %m, %1", 3, 4, 5, 0, 1, 2);
    EXPECT("%r = gather %x, -2", 4);
    bz_error e = {0};
    ir_value_array out = {0};
    ir_module *m = irt_parse(
        "graph main() { %1 = iota {shape=[2,3]}\n%2 = const {value=[0, -3, 3, 9]} : i64[4]\n"
        "%3 = gather %1, %2 {axis=1} @ \"f.c:7\"\nreturn %3 }");
    cr_assert_eq(ir_interpret(m->graphs.p[0], NULL, &out, &e), BZ_EINDEX);
    cr_assert_str_eq(e.text, "[gather] index 3 is outside axis 1 of 3 at f.c:7");
    ir_module_free(m);
}

Test(interp, sort_is_stable_with_nan_last) {
    EXPECT(F4("[2.0, nan, -1.0, 2.0]") "%v, %r = sort %1", 2, 0, 3, 1);
    EXPECT(F4("[2.0, nan, -1.0, 2.0]") "%v, %r = sort %1 {descending}", 0, 3, 2, 1);
    EXPECT(F4("[0.0, -0.0, 0.0, -0.0]") "%v, %r = sort %1", 0, 1, 2, 3);
    EXPECT("%1 = const {value=[5, 200, 0, 4, 4, 3]} : u8[3,2]\n%v, %r = sort %1 {axis=0}", 1, 2, 2,
           1, 0, 0);
    EXPECT("%1 = const {value=[5, 200, 0, 4, 4, 3]} : u8[3,2]\n%r = sort %1 {axis=0, descending}",
           5, 200, 4, 4, 0, 3);
}

/* ---- control and symbols */

static const char loops[] =
    "graph main(n: i64) {\n"
    "    %a, %b, %k = while 0, 1, 0, %n {cond=less, body=step, captured=1}\n"
    "    %even = remainder %n, 2\n"
    "    %p = eq %even, 0\n"
    "    %c = cond %p, %a, %b {then=first, else=second}\n"
    "    return %a, %c }\n"
    "graph less(a: i64, b: i64, k: i64, n: i64) { %1 = lt %k, %n\n return %1 }\n"
    "graph step(a: i64, b: i64, k: i64, n: i64) { %1 = add %a, %b\n %2 = add %k, 1\n return %b, "
    "%1, %2 }\n"
    "graph first(a: i64, b: i64) { return %a }\n"
    "graph second(a: i64, b: i64) { %1 = neg %b\n return %1 }\n";

Test(interp, while_and_cond) {
    static const double fibonacci[] = {0, 1, 1, 2, 3, 5, 8, 13, 21};
    for (int n = 0; n < 8; n++) {
        int64_t count;
        ir_value_array in = irt_array(BZ_I64, 0, NULL);
        irt_set(&in, 0, n);
        double *a = irt_run(loops, &in, 0, &count), *c = irt_run(loops, &in, 1, &count);
        cr_assert_eq(a[0], fibonacci[n]);
        cr_assert_eq(c[0], n % 2 ? -fibonacci[n + 1] : fibonacci[n]);
        bz_mem_free(a);
        bz_mem_free(c);
        irt_free(&in, 1);
    }
}

/* A truth value that stands for the condition is one, whatever the operands. */
Test(interp, cond_of_a_literal) {
    for (int then = 0; then < 2; then++) {
        char text[300];
        snprintf(
            text, sizeof text,
            "graph main(x: f32 = 3.0) { %%r = cond %s, %%x {then=one, else=two}\n return %%r }\n"
            "graph one(x: f32) { return %%x }\n"
            "graph two(x: f32) { %%1 = neg %%x\n return %%1 }\n",
            then ? "true" : "false");
        int64_t n;
        ir_value_array in = irt_array(BZ_F32, 0, NULL);
        irt_set(&in, 0, 3);
        double *r = irt_run(text, &in, 0, &n);
        cr_expect_eq(r[0], then ? 3 : -3);
        bz_mem_free(r);
        irt_free(&in, 1);
    }
}

static const char symbolic[] =
    "graph main(n: sym(1, 8), m: sym, x: f32[n,m], y: f32[n*m]) {\n"
    "    %1 = reshape %x {shape=[n*m]}\n    %2 = add %1, %y\n    %3 = mean %2\n    return %3 }";

Test(interp, symbols_take_the_sizes_that_come_in) {
    int64_t n;
    ir_value_array in[2] = {irt_array(BZ_F32, 2, (int64_t[]){2, 5}),
                            irt_array(BZ_F32, 1, (int64_t[]){10})};
    for (int i = 0; i < 10; i++) irt_set(&in[0], i, i), irt_set(&in[1], i, 1);
    double *v = irt_run(symbolic, in, 0, &n);
    cr_assert_eq(v[0], 5.5);
    bz_mem_free(v);
    irt_free(in, 2);
}

static void refused(int64_t a, int64_t b, int64_t c, const char *message) {
    bz_error e = {0};
    ir_value_array out = {0},
                   in[2] = {irt_array(BZ_F32, 2, (int64_t[]){a, b}), irt_array(BZ_F32, 1, &c)};
    ir_module *m = irt_parse(symbolic);
    cr_assert_eq(ir_interpret(m->graphs.p[0], in, &out, &e), BZ_ESHAPE);
    cr_assert_str_eq(e.text, message);
    cr_assert_null(out.data);
    ir_module_free(m);
    irt_free(in, 2);
}

Test(interp, inputs_that_do_not_fit_are_refused) {
    refused(2, 5, 11, "input y is f32[11], but the graph takes f32[n*m]");
    refused(9, 2, 18, "input x is f32[9,2], but the graph takes f32[n,m]");
}

Test(interp, values_of_every_dtype) {
    EXPECT("%1 = cast %x {dtype=bf16}\n%2 = mul %1, 1.5\n%r = cast %2 {dtype=i8}", 0, 1, 3, 4, 6,
           7);
    EXPECT("%1 = cast %x {dtype=f64}\n%2 = div %1, 4.0\n%3 = lt %2, 0.6\n%r = where %3, %2, -1.0",
           0, 0.25, 0.5, -1, -1, -1);
    EXPECT("%1 = bitwise_and %x, 3\n%2 = left_shift %1, 2\n%r = bitwise_xor %2, 1", 1, 5, 9, 13, 1,
           5);
}

Test(interp, out_of_memory_is_an_error_and_leaks_nothing) {
    ir_module *m = irt_parse("graph main() {\n%1 = iota {shape=[4,4], dtype=f32}\n%2 = matmul %1, "
                             "%1\n%v, %i = sort %2\n%3 = sum %v\nreturn %3, %i }");
    for (long n = 0;; n++) {
        bz_error e = {0};
        ir_value_array out[2] = {{0}};
        bz_mem_fail_after(n);
        bz_status s = ir_interpret(m->graphs.p[0], NULL, out, &e);
        bz_mem_fail_after(-1);
        if (s == BZ_OK) {
            cr_assert_gt(n, 10);
            irt_free(out, 2);
            break;
        }
        cr_assert_eq(s, BZ_ENOMEM, "%s", e.text);
        cr_assert(!out[0].data && !out[1].data);
    }
    ir_module_free(m);
}

Test(interp, too_large_arrays_are_refused) {
    bz_error e = {0};
    ir_value_array out = {0};
    ir_module *m =
        irt_parse("graph main() {\n%1 = iota {shape=[1099511627776]}\n%2 = sum %1\nreturn %2 }");
    cr_assert_eq(ir_interpret(m->graphs.p[0], NULL, &out, &e), BZ_ENOMEM);
    cr_assert_str_eq(e.text, "[iota] no memory for i64[1099511627776]");
    ir_module_free(m);
}
