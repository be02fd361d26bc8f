/* test_custom.c - ops of users: C functions in graphs, in every mode, on every device; shapes, errors, gradients, memory. */
#include "src/ir/external.h"
#include "tests/support/rt_support.h"

#include <stdlib.h>
#include <string.h>

/* x has these elements, as f64. */
static void values(int line, bz_tensor *x, const double *want, int n) {
    double got[64];
    cr_assert_eq(bz_numel(x), n, "line %d: %lld elements", line, (long long)bz_numel(x));
    cr_assert_eq(bz_to_host(bz_cast(x, BZ_F64), got, (size_t)n * sizeof *got), BZ_OK, "line %d: %s",
                 line, bz_message(bz_context_of(x)));
    for (int i = 0; i < n; i++)
        cr_expect_eq(got[i], want[i], "line %d, %d: %.17g, not %.17g", line, i, got[i], want[i]);
}
#define VALUES(x, ...)                                                                             \
    values(__LINE__, x, (const double[]){__VA_ARGS__},                                             \
           (int)(sizeof(double[]){__VA_ARGS__} / sizeof(double)))

/* On all devices, and where the program is cut at calls, as a GPU's is: the host calls, on copies. */
static void everywhere(void (*body)(bz_context *c)) {
    on_all(body);
    for (int m = BZ_LAZY; m <= BZ_EAGER; m++) {
        bz_context *c;
        cr_assert_eq(bz_open(&(bz_options){.device = (bz_device)FAR_KERNELS, .mode = (bz_mode)m}, &c), BZ_OK);
        body(c);
        cr_expect_eq(bz_context_status(c), BZ_OK, "far, mode %d: %s", m, bz_message(c));
        bz_close(c);
    }
}

static int calls;

/* x[n,m] times y[m] */
static int two(void *user, const float *x, const float *y, float *r, int64_t n, int64_t m) {
    (void)user;
    for (int64_t i = 0; i < n; i++) {
        r[i] = 0;
        for (int64_t j = 0; j < m; j++) r[i] += x[i * m + j] * y[j];
    }
    return 0;
}

/* by * x, and what user points to */
static int scale(void *user, float by, const float *x, float *r, int64_t n) {
    calls++;
    for (int64_t i = 0; i < n; i++) r[i] = by * x[i] + (user ? *(const float *)user : 0);
    return 0;
}

/* Every kind of argument: by value bool, u8, i8, i16, i32, i64, f16, f32, f64; then arrays. */
static int kinds(void *user, bool b, uint8_t u8, int8_t i8, int16_t i16, int32_t i32, int64_t i64,
                 uint16_t f16, float f32, double f64, const int8_t *x, double *r, int64_t n) {
    (void)user;
    r[0] = b;
    r[1] = u8;
    r[2] = i8;
    r[3] = i16;
    r[4] = i32;
    r[5] = (double)i64;
    r[6] = f16;
    r[7] = (double)f32;
    r[8] = f64;
    r[9] = (double)n * 100 + x[n - 1];
    return 0;
}

/* What has no sign, by value and in arrays. */
static int unsigned_kinds(void *user, uint16_t a, uint32_t b, uint64_t d, const uint16_t *x, const uint32_t *y,
                          const uint64_t *z, uint64_t *r, int64_t n) {
    (void)user;
    for (int64_t i = 0; i < n; i++) r[i] = (uint64_t)(x[i] - a) + (uint64_t)(y[i] - b) + (z[i] - d);
    return 0;
}

/* Sorted rows, and where their least element was. */
static int least(void *user, const double *x, double *r, int64_t *at, double *twice, int64_t n,
                 int64_t m) {
    (void)user;
    for (int64_t i = 0; i < n; i++) {
        int64_t best = 0;
        for (int64_t j = 0; j < m; j++) best = x[i * m + j] < x[i * m + best] ? j : best;
        r[i] = x[i * m + best];
        at[i] = best;
        for (int64_t j = 0; j < 2 * m; j++) twice[i * 2 * m + j] = x[i * m + j / 2];
    }
    return 0;
}

static int fails(void *user, const float *x, float *r, int64_t n) {
    (void)r, (void)n;
    if (x[0] == 1) return BZ_EIO;
    if (x[0] == 2) return bz_op_fail(BZ_ELIMIT, "element %d is %g", 0, (double)x[0]);
    if (x[0] == 3) return 200;
    *(int *)user += 1;
    memcpy(r, x, (size_t)n * sizeof *x);
    return 0;
}

static int cube(void *user, const double *x, double *r, int64_t n) {
    (void)user;
    for (int64_t i = 0; i < n; i++) r[i] = x[i] * x[i] * x[i];
    return 0;
}

/* x, r, d -> d * 3 x^2 */
static int cube_grad(void *user, const double *x, const double *r, const double *d, double *out,
                     int64_t n) {
    (void)user, (void)r;
    for (int64_t i = 0; i < n; i++) out[i] = d[i] * 3 * x[i] * x[i];
    return 0;
}

static bz_status cube_vjp(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                          void *user) {
    (void)user, (void)nin, (void)nout;
    out[0] = bz_mul(in[2], bz_mul(bz_scalar(c, 3), bz_square(in[0])));
    return BZ_OK;
}

static void add(bz_context *c, const bz_op *op) {
    cr_assert_eq(bz_op_register(c, op), BZ_OK, "%s", bz_message(c));
}

static bz_tensor *call1(bz_context *c, const char *name, bz_tensor *x) {
    bz_tensor *y;
    bz_op_call(c, name, &x, 1, &y, 1);
    return y;
}

/* ---- values */

static void by_value(bz_context *c) {
    static float shift = 0.5f;
    add(c, &(bz_op){BZ_OP("scale", "f32, f32[n] -> f32[n]", scale), .user = &shift});
    bz_tensor *x = bz_arange(c, 0, 4, 1, BZ_F32), *y;
    cr_assert_eq(bz_op_call(c, "scale", (bz_tensor *[]){bz_scalar(c, 2), x}, 2, &y, 1), BZ_OK, "%s",
                 bz_message(c));
    VALUES(y, 0.5, 2.5, 4.5, 6.5);
    /* what is computed, moved, expanded, or a constant, in front; and what follows */
    bz_tensor *two = bz_sum(bz_ones(c, BZ_SHAPE(2), BZ_F32), BZ_ALL),
              *moved = bz_flip(bz_mul(x, x), BZ_AXES(0));
    bz_op_call(c, "scale", (bz_tensor *[]){two, moved}, 2, &y, 1);
    y = bz_add(y, x);
    VALUES(y, 18.5, 9.5, 4.5, 3.5);
    bz_op_call(c, "scale", (bz_tensor *[]){two, bz_ones(c, BZ_SHAPE(3), BZ_F32)}, 2, &y, 1);
    VALUES(y, 2.5, 2.5, 2.5);
    bz_tensor *grid = bz_reshape(bz_arange(c, 0, 6, 1, BZ_F32), BZ_SHAPE(2, 3));
    bz_op_call(c, "scale", (bz_tensor *[]){two, bz_select(grid, 1, 1)}, 2, &y, 1);
    VALUES(y, 2.5, 8.5);
    bz_op_call(c, "scale", (bz_tensor *[]){two, bz_flatten(bz_transpose(grid, 0, 1), 0, -1)}, 2, &y, 1);
    VALUES(y, 0.5, 6.5, 2.5, 8.5, 4.5, 10.5);
}
Test(custom, operands_by_value_and_views) {
    everywhere(by_value);
}

/* The largest of each by value: what they take away of the arrays is exact. */
static void all_unsigned(bz_context *c) {
    add(c, &(bz_op){BZ_OP("unsigned_kinds", "u16, u32, u64, u16[n], u32[n], u64[n] -> u64[n]", unsigned_kinds)});
    const uint16_t a = UINT16_MAX - 2, xs[] = {UINT16_MAX, UINT16_MAX - 1};
    const uint32_t b = UINT32_MAX - 40, ys[] = {UINT32_MAX, UINT32_MAX - 1};
    const uint64_t d = UINT64_MAX - 600, zs[] = {UINT64_MAX, UINT64_MAX - 1};
    bz_tensor *y, *x[] = {bz_from_data(c, BZ_U16, &a, NULL, 0),     bz_from_data(c, BZ_U32, &b, NULL, 0),
                          bz_from_data(c, BZ_U64, &d, NULL, 0),     bz_from_data(c, BZ_U16, xs, BZ_SHAPE(2)),
                          bz_from_data(c, BZ_U32, ys, BZ_SHAPE(2)), bz_from_data(c, BZ_U64, zs, BZ_SHAPE(2))};
    cr_assert_eq(bz_op_call(c, "unsigned_kinds", x, 6, &y, 1), BZ_OK, "%s", bz_message(c));
    VALUES(y, 642, 639);
}

static void all_kinds(bz_context *c) {
    add(c, &(bz_op){BZ_OP("kinds", "bool, u8, i8, i16, i32, i64, f16, f32, f64, i8[n] -> f64[7+3]", kinds)});
    bz_tensor *x[10], *y;
    const double v[] = {1, 200, -100, -30000, -2000000000, -5e15, -2, 0.25, 1e-300};
    const bz_dtype t[] = {BZ_BOOL, BZ_U8, BZ_I8, BZ_I16, BZ_I32, BZ_I64, BZ_F16, BZ_F32, BZ_F64};
    for (int i = 0; i < 9; i++) x[i] = bz_cast(bz_sum(bz_full(c, BZ_SHAPE(1), v[i], BZ_F64), BZ_ALL), t[i]);
    x[9] = bz_full(c, BZ_SHAPE(3), -7, BZ_I8);
    cr_assert_eq(bz_op_call(c, "kinds", x, 10, &y, 1), BZ_OK, "%s", bz_message(c));
    VALUES(y, 1, 200, -100, -30000, -2000000000, -5e15, 0xc000, 0.25, 1e-300, 293);
}
Test(custom, every_kind_of_argument) {
    everywhere(all_kinds);
    everywhere(all_unsigned);
}

static void several_results(bz_context *c) {
    add(c, &(bz_op){BZ_OP("least", "f64[n,m] -> f64[n], i64[n], f64[n,2*m]", least)});
    bz_tensor *x = bz_cos(bz_reshape(bz_arange(c, 0, 6, 1, BZ_F64), BZ_SHAPE(2, 3))), *out[3];
    cr_assert_eq(bz_op_call(c, "least", &x, 1, out, 3), BZ_OK, "%s", bz_message(c));
    VALUES(out[1], 2, 0);
    bz_tensor *same = bz_sub(out[0], bz_amin(x, BZ_AXES(1), false));
    VALUES(same, 0, 0);
    cr_expect_eq(bz_shape(out[2])[1], 6);
    /* one that nobody reads is written nevertheless */
    bz_op_call(c, "least", &x, 1, out, 3);
    bz_release(out[0]);
    bz_release(out[2]);
    VALUES(bz_add(out[1], out[1]), 4, 0);
    bz_tensor *empty = bz_zeros(c, BZ_SHAPE(0, 3), BZ_F64);
    bz_op_call(c, "least", &empty, 1, out, 3);
    cr_expect_eq(bz_eval(out, 3), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_shape(out[2])[0], 0);
}
Test(custom, several_results) {
    everywhere(several_results);
}

/* A compiled function calls it once a call, with the values of that call; the plan is one, on a processor. */
static bz_status body(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *y;
    bz_status s = bz_op_call(c, "scale", (bz_tensor *[]){bz_scalar(c, 3), bz_neg(in[0])}, 2, &y, 1);
    out[0] = bz_add(y, in[0]);
    return s;
}

static void compiled(bz_context *c) {
    add(c, &(bz_op){BZ_OP("scale", "f32, f32[n] -> f32[n]", scale)});
    bz_program *p = bz_compile(c, body, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    calls = 0;
    for (int i = 1; i <= 3; i++) {
        bz_tensor *x = bz_full(c, BZ_SHAPE(2), i, BZ_F32), *y;
        cr_assert_eq(bz_call(p, &x, &y), BZ_OK, "%s", bz_message(c));
        VALUES(y, -2 * i, -2 * i);
        cr_expect_eq(calls, i);
    }
}
Test(custom, in_compiled_functions) {
    everywhere(compiled);
}

/* ---- errors */

static void told(bz_context *c, bz_status s, const char *text) {
    cr_expect_eq(bz_context_status(c), s, "%s: %s", text, bz_message(c));
    cr_expect(strstr(bz_message(c), text), "'%s' is not in '%s'", text, bz_message(c));
    bz_clear(c);
}

static void mistakes(bz_context *c) {
    add(c, &(bz_op){BZ_OP("two", "f32[n,m], f32[m] -> f32[n]", two)});
    bz_tensor *a = bz_ones(c, BZ_SHAPE(2, 3), BZ_F32), *b = bz_ones(c, BZ_SHAPE(4), BZ_F32), *y;
    bz_op_call(c, "two", (bz_tensor *[]){a, b}, 2, &y, 1);
    told(c, BZ_ESHAPE,
         "[two] operand 1 is f32[4], whose axis 0 is another m than axis 1 of operand 0, f32[2,3] "
         "(f32[n,m], f32[m] -> f32[n]) at " __FILE__);
    bz_op_call(c, "two", (bz_tensor *[]){b, b}, 2, &y, 1);
    told(c, BZ_ESHAPE, "[two] operand 0 is f32[4], which has 1 axes, not 2 (");
    bz_op_call(c, "two", (bz_tensor *[]){a, bz_cast(b, BZ_F64)}, 2, &y, 1);
    told(c, BZ_EDTYPE, "[two] operand 1 is f64[4], not f32 (");
    cr_expect_neq(bz_eval(&y, 1), BZ_OK); /* poisoned */
    bz_clear(c);
    bz_op_call(c, "two", &a, 1, &y, 1);
    told(c, BZ_EARG, "[two] another number of operands than 'f32[n,m], f32[m] -> f32[n]' has");
    bz_op_call(c, "three", &a, 1, &y, 1);
    told(c, BZ_EARG, "[three] there is no op of this name");
    add(c, &(bz_op){BZ_OP("fixed", "i64[2], f32[n] -> f32[n-3]", scale)});
    bz_op_call(c, "fixed", (bz_tensor *[]){bz_zeros(c, BZ_SHAPE(3), BZ_I64), b}, 2, &y, 1);
    told(c, BZ_ESHAPE, "[fixed] operand 0 is i64[3], whose axis 0 must have 2 elements");
    bz_op_call(c, "fixed", (bz_tensor *[]){bz_zeros(c, BZ_SHAPE(2), BZ_I64), bz_ones(c, BZ_SHAPE(2), BZ_F32)}, 2, &y, 1);
    told(c, BZ_ESHAPE, "[fixed] ");
    bz_tensor *sum = bz_sum(b, BZ_ALL), *g;
    bz_op_call(c, "two", (bz_tensor *[]){a, bz_ones(c, BZ_SHAPE(3), BZ_F32)}, 2, &y, 1);
    bz_grad(bz_add(sum, bz_sum(y, BZ_ALL)), &a, 1, &g);
    told(c, BZ_EGRAD, "[two] has no gradient: it was registered without at " __FILE__);
}
Test(custom, mistakes_are_told_with_shapes_and_lines) {
    everywhere(mistakes);
}

static void registered(bz_context *c) {
    static const struct {
        bz_op op;
        bz_status s;
        const char *text;
    } rows[] = {
        {{BZ_OP("add", "f32 -> f32", scale)}, BZ_EARG, "[add] there is an op of this name"},
        {{BZ_OP("softmax", "f32 -> f32", scale)}, BZ_EARG, "[softmax] there is an op"},
        {{BZ_OP("a b", "f32 -> f32", scale)}, BZ_EARG, "an op has a name"},
        {{.name = "f", .signature = "f32 -> f32"}, BZ_EARG, "and a function"},
        {{BZ_OP("f", "f32[n] f32", scale)}, BZ_EPARSE, "lacks a '->', at 'f32'"},
        {{BZ_OP("f", "f32[n] -> f32[m]", scale)}, BZ_EPARSE, "no operand gives, at 'm]'"},
        {{BZ_OP("f", "f32[n+1] -> f32[n]", scale)}, BZ_EPARSE, "lacks a ']', at '+1]"},
        {{BZ_OP("f", "x32[n] -> f32[n]", scale)}, BZ_EPARSE, "lacks a dtype, at 'x32[n]"},
        {{BZ_OP("f", "f32[n] -> f32[n/0]", scale)}, BZ_EPARSE, "divides a size by"},
        {{BZ_OP("f", "f32[n] -> f32[n] x", scale)}, BZ_EPARSE, "goes on, at 'x'"},
        {{BZ_OP("f", "f32[n] -> f32[min(n,", scale)}, BZ_EPARSE, "lacks a size"},
        {{BZ_OP("f", "f32[n] -> f32[n]", scale), .vjp_op = "nil"}, BZ_EARG, "there is no op 'nil' yet"},
        {{BZ_OP("f", "f64[n] -> f64[n]", cube), .vjp_op = "g"}, BZ_EARG, "is no gradient of"},
        {{BZ_OP("f", "f32 -> f32", scale), .symbol = "1x"}, BZ_EARG, "a symbol is a C identifier"},
    };
    add(c, &(bz_op){BZ_OP("g", "f64[n], f64[n] -> f64[n]", scale)});
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        cr_expect_eq(bz_op_register(c, &rows[i].op), rows[i].s, "row %zu", i);
        told(c, rows[i].s, rows[i].text);
    }
    cr_expect_eq(bz_op_register(c, &(bz_op){BZ_OP("g", "f32 -> f32", scale)}), BZ_EARG);
    bz_clear(c);
    /* what failed left nothing behind */
    add(c, &(bz_op){BZ_OP("f", "f32[n], f32[ 2 ] -> f32[(n + 1) * 2 / 3], f32[max(n, 4)]", scale)});
}
Test(custom, what_cannot_be_registered) {
    everywhere(registered);
}

static void statuses(bz_context *c) {
    static int good;
    good = 0;
    add(c, &(bz_op){BZ_OP("fails", "f32[n] -> f32[n]", fails), .user = &good});
    static const struct {
        float v;
        bz_status s;
        const char *text;
    } rows[] = {{1, BZ_EIO, "[fails] its function gave status 12 (input or output failed) at " __FILE__},
                {2, BZ_ELIMIT, "[fails] element 0 is 2 at " __FILE__},
                {3, BZ_EARG, "[fails] its function gave status 200 (no status of braze's)"}};
    for (size_t i = 0; i < 3; i++) {
        bz_tensor *y = call1(c, "fails", bz_full(c, BZ_SHAPE(2), (double)rows[i].v, BZ_F32));
        cr_expect_neq(bz_eval(&y, 1), BZ_OK);
        told(c, rows[i].s, rows[i].text);
    }
    bz_tensor *y = call1(c, "fails", bz_full(c, BZ_SHAPE(2), 5, BZ_F32));
    VALUES(y, 5, 5);
    cr_expect_eq(good, 1);
}
Test(custom, a_status_becomes_the_error_of_the_context) {
    everywhere(statuses);
}

/* ---- gradients */

static void gradients(bz_context *c) {
    add(c, &(bz_op){BZ_OP("cube_grad", "f64[n], f64[n], f64[n] -> f64[n]", cube_grad)});
    add(c, &(bz_op){BZ_OP("cube1", "f64[n] -> f64[n]", cube), .vjp_op = "cube_grad"});
    add(c, &(bz_op){BZ_OP("cube2", "f64[n] -> f64[n]", cube), .vjp = cube_vjp});
    for (int i = 0; i < 2; i++) {
        bz_tensor *x = bz_arange(c, 1, 4, 1, BZ_F64), *g, *g2;
        bz_tensor *y = bz_mul(call1(c, i ? "cube2" : "cube1", bz_mul(x, bz_scalar(c, 2))), x);
        cr_assert_eq(bz_grad(bz_sum(y, BZ_ALL), &x, 1, &g), BZ_OK, "%s", bz_message(c));
        if (i) cr_assert_eq(bz_grad(bz_sum(g, BZ_ALL), &x, 1, &g2), BZ_OK, "%s", bz_message(c));
        VALUES(g, 32, 256, 864);        /* (8 x^4)' */
        if (i) VALUES(g2, 96, 384, 864); /* the composition has derivatives of its own */
    }
    bz_tensor *x = bz_ones(c, BZ_SHAPE(1), BZ_F64), *g, *g2;
    bz_grad(bz_sum(call1(c, "cube1", x), BZ_ALL), &x, 1, &g);
    bz_grad(bz_sum(g, BZ_ALL), &x, 1, &g2);
    told(c, BZ_EGRAD, "[cube_grad] has no gradient");
}
Test(custom, gradients_by_another_op_and_by_a_composition) {
    everywhere(gradients);
}

/* ---- memory: a plan's buffers, no piece of its own */

Test(custom, a_launch_of_the_plan_on_processors) {
    bz_context *c;
    cr_assert_eq(bz_open(&(bz_options){.device = BZ_CPU, .threads = 2}, &c), BZ_OK);
    add(c, &(bz_op){BZ_OP("scale", "f32, f32[n] -> f32[n]", scale)});
    bz_counters before, after;
    bz_tensor *x = bz_ones(c, BZ_SHAPE(100), BZ_F32), *y;
    bz_eval(&x, 1);
    bz_get_counters(c, &before);
    bz_op_call(c, "scale", (bz_tensor *[]){bz_scalar(c, 2), bz_exp(x)}, 2, &y, 1);
    y = bz_log(y);
    cr_assert_eq(bz_eval(&y, 1), BZ_OK, "%s", bz_message(c));
    bz_get_counters(c, &after);
    cr_expect_eq(after.evaluations - before.evaluations, 1);
    cr_expect_eq(after.launches - before.launches, 3); /* exp, the call, log */
    bz_close(c);
}
