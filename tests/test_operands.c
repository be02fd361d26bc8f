/* test_operands.c - numbers beside tensors: their value, their dtype, that another one is no other program. */
#include "tests/support/rt_support.h"

#include <limits.h>

static bz_tensor *one(bz_context *c, bz_dtype t, double v) {
    return bz_full(c, NULL, 0, v, t);
}

static void expect_dtype(bz_tensor *x, bz_dtype t, const char *what) {
    cr_expect_eq(bz_dtype_of(x), t, "%s is %s, not %s", what, bz_dtype_name(bz_dtype_of(x)),
                 bz_dtype_name(t));
}

/* Every C type keeps its value: what a double does not hold, too. */
#define EXPECT_INT(x, v)                                                                           \
    do {                                                                                           \
        int64_t got_ = bz_item_int(x);                                                             \
        cr_expect_eq(got_, (int64_t)(v), "%s: %lld", #x, (long long)got_);                         \
    } while (0)

Test(operands, every_c_type_keeps_its_value) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *z = bz_zeros(c, BZ_SHAPE(1), BZ_I64), *d = bz_zeros(c, BZ_SHAPE(1), BZ_F64);
    const int64_t big = (INT64_C(1) << 53) + 1;
    const bool yes = true;
    enum { THREE = 3 } three = THREE;
    EXPECT_INT(bz_add(z, big), big);
    EXPECT_INT(bz_add(INT64_MIN, z), INT64_MIN);
    EXPECT_INT(bz_add(z, (uint64_t)INT64_MAX), INT64_MAX);
    EXPECT_INT(bz_add(z, LONG_MAX - 2), LONG_MAX - 2);
    EXPECT_INT(bz_add(z, LLONG_MIN + 7), LLONG_MIN + 7);
    EXPECT_INT(bz_sub(z, 4000000000U), -4000000000);
    EXPECT_INT(bz_sub(z, (unsigned char)200), -200);
    EXPECT_INT(bz_sub(z, (signed char)-100), 100);
    EXPECT_INT(bz_sub(z, (short)-30000), 30000);
    EXPECT_INT(bz_add(z, (unsigned short)60000), 60000);
    EXPECT_INT(bz_add(z, 'A'), 'A');
    EXPECT_INT(bz_add(z, three), 3);
    EXPECT_INT(bz_add(z, yes), 1);
    cr_expect_eq(bz_item(bz_add(d, 0.1)), 0.1);
    cr_expect_eq(bz_item(bz_add(0.1f, d)), (double)0.1f);
    cr_expect_eq(bz_item(bz_sub(1, d)), 1);
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    bz_tensor *late = bz_add(z, UINT64_MAX);
    cr_expect_eq(bz_eval(&late, 1), BZ_EARG);
    cr_expect(strstr(bz_message(c), "18446744073709551615") && strstr(bz_message(c), "operands.c:"),
              "%s", bz_message(c));
    bz_close(c);
}

/* What i64 does not hold stands beside u64 and floats, also in place, in eager mode, and while a function is traced. */
Test(operands, numbers_that_u64_alone_holds) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *z = bz_zeros(c, BZ_SHAPE(2), BZ_U64), *d = bz_zeros(c, BZ_SHAPE(1), BZ_F64),
              *f = bz_zeros(c, BZ_SHAPE(1), BZ_F32);
    bz_tensor *top = bz_add(z, UINT64_MAX);
    uint64_t v[2];
    expect_dtype(top, BZ_U64, "u64 + number");
    cr_expect_eq(bz_to_host(top, v, sizeof v), BZ_OK, "%s", bz_message(c));
    cr_expect(v[0] == UINT64_MAX && v[1] == UINT64_MAX);
    EXPECT_INT(bz_at(bz_sub(top, UINT64_MAX - 5), "1"), 5);
    EXPECT_INT(bz_at(bz_add_(z, (uint64_t)INT64_MAX + 2), "0"), INT64_MIN + 1);
    cr_expect_eq(bz_item(bz_at(z, "0")), 0x1p63);
    cr_expect_eq(bz_item(bz_add(d, UINT64_MAX)), 0x1p64);
    cr_expect_eq(bz_item(bz_add(f, UINT64_C(18446742424442109953))), 0x1p64 - 0x1p40, "rounded once");
    cr_expect_eq(bz_item(bz_max(bz_full_int(c, BZ_SHAPE(3), (int64_t)(UINT64_MAX - 1), BZ_U64), NULL, 0, false)), 0x1p64);
    char text[60];
    bz_format(top, text, sizeof text);
    cr_expect_str_eq(text, "[18446744073709551615 18446744073709551615]");
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    bz_close(c);
}

/* A number takes the dtype beside it within its category. */
Test(operands, numbers_take_the_dtype_beside_them) {
    bz_context *c = open_one(BZ_CPU);
    const bool yes = true;
    static const bz_dtype floats[] = {BZ_F16, BZ_BF16, BZ_F32, BZ_F64};
    static const bz_dtype ints[] = {BZ_U8,  BZ_I8,  BZ_I16, BZ_I32,
                                    BZ_I64, BZ_U16, BZ_U32, BZ_U64};
    for (unsigned i = 0; i < 4; i++) {
        bz_tensor *x = bz_ones(c, BZ_SHAPE(2), floats[i]);
        expect_dtype(bz_mul(x, 2), floats[i], "float * int");
        expect_dtype(bz_mul(2.5, x), floats[i], "double * float");
        expect_dtype(bz_mul(x, yes), floats[i], "float * bool");
        expect_dtype(bz_clamp(x, 0, 0.5), floats[i], "clamp");
        expect_dtype(bz_add_(x, 1), floats[i], "add_");
    }
    for (unsigned i = 0; i < sizeof ints / sizeof *ints; i++) {
        bz_tensor *x = bz_ones(c, BZ_SHAPE(2), ints[i]);
        expect_dtype(bz_mul(x, 2), ints[i], "int * int");
        expect_dtype(bz_mul(x, yes), ints[i], "int * bool");
        expect_dtype(bz_mul(x, 0.5), BZ_F32, "int * double");
        expect_dtype(bz_div_(x, 2), ints[i], "div_");
    }
    bz_tensor *m = bz_ones(c, BZ_SHAPE(2), BZ_BOOL);
    expect_dtype(bz_mul(m, yes), BZ_BOOL, "bool * bool");
    expect_dtype(bz_add(m, 1), BZ_I64, "bool + int");
    expect_dtype(bz_where(m, yes, yes), BZ_BOOL, "where of truth values");
    expect_dtype(bz_where(m, 1, 0), BZ_I64, "where of ints");
    expect_dtype(bz_where(m, 1, 0.5), BZ_F32, "where of an int and a double");
    expect_dtype(bz_lt(m, 1), BZ_BOOL, "lt");
    expect_dtype(bz_where(yes, bz_ones(c, BZ_SHAPE(2), BZ_F16), 0), BZ_F16, "where of a condition");
    EXPECT_ERROR(c, bz_where(1, m, yes), BZ_EDTYPE,
                 "[where] the condition must be bool, got i64[]");
    bz_close(c);
}

/* Each number may be the only one that is not a tensor, or the tensor the only one. */
Test(operands, at_each_place) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = one(c, BZ_F32, 3), *m = one(c, BZ_BOOL, 1);
    cr_expect_eq(bz_item(bz_sub(x, 1)), 2);
    cr_expect_eq(bz_item(bz_sub(1, x)), -2);
    cr_expect_eq(bz_item(bz_pow(x, 2)), 9);
    cr_expect_eq(bz_item(bz_pow(2, x)), 8);
    cr_expect_eq(bz_item(bz_clamp(x, 0, 1)), 1);
    cr_expect_eq(bz_item(bz_clamp(5, 0, x)), 3);
    cr_expect_eq(bz_item(bz_clamp(5, x, 9)), 5);
    cr_expect_eq(bz_item(bz_where(m, x, 0)), 3);
    cr_expect_eq(bz_item(bz_where(m, 7, x)), 7);
    cr_expect_eq(bz_item(bz_where((bool)1, x, 7)), 3);
    cr_expect_eq(bz_item(bz_where((bool)0, x, 7)), 7);
    cr_expect_eq(bz_item(bz_fma(x, 2, 1)), 7);
    cr_expect_eq(bz_item(bz_lerp(0, x, 0.5)), 1.5);
    cr_expect_eq(bz_item(bz_mse_loss(x, 1)), 4);
    cr_expect_eq(bz_item(bz_add_(x, 1)), 4);
    cr_expect_eq(bz_item(bz_sub_(x, 2)), 2);
    cr_expect_eq(bz_item(bz_mul_(x, 3)), 6);
    cr_expect_eq(bz_item(bz_div_(x, 4)), 1.5);
    cr_expect_eq(bz_item(bz_copy_(x, 5)), 5);
    cr_expect_eq(bz_item(bz_fill_(x, 0.5)), 0.5);
    bz_tensor *whole = bz_zeros(c, BZ_SHAPE(2, 2), BZ_I64);
    EXPECT_INT(bz_select(bz_flatten(bz_fill_(whole, INT64_MAX - 1), 0, -1), 0, 3), INT64_MAX - 1);
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    bz_tensor *bad = bz_fill_(whole, whole);
    cr_expect_eq(bz_eval(&bad, 1), BZ_ESHAPE);
    bz_close(c);
}

/* As deep as a program may nest: the expansion is linear, and no variable shadows another. */
Test(operands, nested_calls) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = one(c, BZ_F64, 0.5), *p;
#define STEP(k, p) bz_add(bz_mul(p, x), k)
    p = STEP(
        1,
        STEP(
            2,
            STEP(3, STEP(4, STEP(5, STEP(6, STEP(7, STEP(8, STEP(9, STEP(10, STEP(11, 12)))))))))));
    double want = 12;
    for (int k = 11; k > 0; k--) want = want * 0.5 + k;
    cr_expect_eq(bz_item(p), want);
    bz_close(c);
}

/* Other numbers are the same program; other kinds of numbers need not be. */
Test(operands, other_numbers_are_the_same_program) {
    bz_context *c = open_one(BZ_CPU);
    bz_counters before, after;
    bz_tensor *x = bz_ones(c, BZ_SHAPE(3), BZ_F32), *n = bz_ones(c, BZ_SHAPE(3), BZ_I64);
    for (int i = 1; i < 40; i++) {
        bz_scope_begin(c);
        bz_tensor *y = bz_where(bz_lt(x, 0.1 * i), bz_pow(bz_mul(x, i), 0.5 * i), bz_sub(1, x));
        bz_tensor *k = bz_add_(bz_copy(n), (int64_t)i << 40),
                  *out[] = {y, k, bz_fill_(bz_copy(x), i)};
        cr_assert_eq(bz_eval(out, 3), BZ_OK, "%s", bz_message(c));
        EXPECT_INT(bz_select(k, 0, 1), ((int64_t)i << 40) + 1);
        bz_scope_end(c);
        if (i == 2) bz_get_counters(c, &before);
    }
    bz_get_counters(c, &after);
    cr_expect_eq(after.plan_misses, before.plan_misses);
    bz_close(c);
}

static bz_status scaled(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)c, (void)nin, (void)nout;
    const double *by = user;
    out[0] = bz_mul(bz_add(in[0], 1), *by);
    return BZ_OK;
}

/* In a compiled function a number is what it was when it was traced. */
Test(operands, constants_in_compiled_functions) {
    bz_context *c = open_one(BZ_CPU);
    double by = 3;
    bz_program *p = bz_compile(c, scaled, &by, &(bz_compile_options){.nin = 1, .nout = 1});
    bz_tensor *x = bz_ones(c, BZ_SHAPE(1), BZ_F64), *y;
    cr_assert_eq(bz_call(p, &x, &y), BZ_OK);
    cr_expect_eq(bz_item(y), 6);
    by = 5;
    cr_assert_eq(bz_call(p, &x, &y), BZ_OK);
    cr_expect_eq(bz_item(y), 6);
    bz_close(c);
}

/* Rates and step numbers. */
Test(operands, optimizer_steps) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *p = bz_ones(c, BZ_SHAPE(1), BZ_F32), *g = bz_ones(c, BZ_SHAPE(1), BZ_F32);
    bz_tensor *m[2], *v[2], *q[2];
    for (int i = 0; i < 2; i++) {
        m[i] = bz_zeros(c, BZ_SHAPE(1), BZ_F32), v[i] = bz_zeros(c, BZ_SHAPE(1), BZ_F32);
        q[i] = i ? bz_adam_step(p, g, &m[i], &v[i], 3, 0.3, NULL)
                 : bz_adam_step(p, g, &m[i], &v[i], bz_scalar_int(c, 3), bz_scalar(c, 0.3), NULL);
    }
    cr_expect_eq(bz_item(q[0]), bz_item(q[1]));
    cr_expect_eq(bz_item(bz_sgd_step(p, g, 0.25, NULL, NULL)), 0.75);
    bz_tensor *speed = bz_zeros(c, BZ_SHAPE(1), BZ_F32);
    cr_expect_eq(bz_item(bz_sgd_step(p, g, 0.25, &speed,
                                     &(bz_sgd_options){.momentum = 0.5, .nesterov = false})),
                 0.75);
    cr_expect_eq(bz_item(speed), 1);
    bz_close(c);
}

/* NULL and bad handles beside numbers are the mistakes that they are beside tensors; the numbers leave no handle behind. */
Test(operands, mistakes) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = one(c, BZ_F32, 3), *none = NULL;
    cr_expect_null(bz_add(none, 1));
    cr_expect_null(bz_add(NULL, 1));
    bz_tensor *bad = bz_where(x, none, 1);
    cr_expect_eq(bz_eval(&bad, 1), BZ_EARG, "%s", bz_message(c));
    cr_expect(strstr(bz_message(c), "operand 1 is NULL"), "%s", bz_message(c));
    bz_clear(c);
    bz_tensor *gone = bz_neg(x);
    bz_release(gone);
    bad = bz_mul(2, gone);
    cr_expect_eq(bz_eval(&bad, 1), BZ_ESCOPE);
    bz_close(c);
}
