/* test_api.c - values through the public API: creation, ops, views, in-place changes, foreign memory. */
#include "tests/support/rt_support.h"

static void creation(bz_context *c) {
    EXPECT(bz_zeros(c, BZ_SHAPE(2, 2), BZ_F32), 0, 0, 0, 0);
    EXPECT(bz_full(c, BZ_SHAPE(3), 2.5, BZ_F32), 2.5f, 2.5f, 2.5f);
    EXPECT(bz_arange(c, 1, 8, 3, BZ_F32), 1, 4, 7);
    EXPECT(bz_arange(c, 1, 0, -0.5, BZ_F32), 1, 0.5f);
    EXPECT(bz_linspace(c, 0, 1, 5, BZ_F32), 0, 0.25f, 0.5f, 0.75f, 1);
    EXPECT(bz_eye(c, 2, 3, BZ_F32), 1, 0, 0, 0, 1, 0);
    cr_expect_eq(bz_item_int(bz_arange(c, 5, 6, 1, BZ_I64)), 5);
    cr_expect_eq(bz_numel(bz_zeros(c, BZ_SHAPE(3, 0), BZ_F32)), 0);
}
Test(api, creation) {
    on_all(creation);
}

static void arithmetic(bz_context *c) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3, 4}), BZ_SHAPE(2, 2));
    EXPECT(bz_add(x, bz_scalar(c, 10)), 11, 12, 13, 14);
    EXPECT(bz_mul(x, bz_from_data(c, BZ_F32, ((float[]){1, -1}), BZ_SHAPE(2))), 1, -2, 3, -4);
    EXPECT(bz_where(bz_gt(x, bz_scalar(c, 2)), x, bz_scalar(c, 0)), 0, 0, 3, 4);
    EXPECT(bz_matmul(x, x), 7, 10, 15, 22);
    EXPECT(bz_sum(x, BZ_AXES(0), false), 4, 6);
    EXPECT(bz_mean(x, BZ_AXES(-1), true), 1.5f, 3.5f);
    EXPECT(bz_linear(x, bz_eye(c, 2, 2, BZ_F32), bz_ones(c, BZ_SHAPE(2), BZ_F32)), 2, 3, 4, 5);
    cr_expect_eq(bz_item_int(bz_argmax(x, NULL, 0, false)), 3);
    cr_expect_eq(bz_item(bz_scalar(c, 2.5)), 2.5);
    cr_expect_eq(bz_dtype_of(bz_add(bz_arange(c, 0, 3, 1, BZ_I64), bz_scalar(c, 0.5))), BZ_F32);
    cr_expect_eq(bz_dtype_of(bz_add(bz_ones(c, BZ_SHAPE(2), BZ_F64), bz_scalar(c, 0.5))), BZ_F64);
    cr_expect_eq(
        bz_item(bz_select(bz_add(bz_zeros(c, BZ_SHAPE(2), BZ_F64), bz_scalar(c, 0.1)), 0, 0)), 0.1);
}
Test(api, arithmetic) {
    on_all(arithmetic);
}

static void movement(bz_context *c) {
    bz_tensor *x = bz_reshape(bz_arange(c, 0, 6, 1, BZ_F32), BZ_SHAPE(2, -1)), *both[] = {x, x};
    EXPECT(bz_transpose(x, 0, 1), 0, 3, 1, 4, 2, 5);
    EXPECT(
        bz_slice(x, (int64_t[]){0, BZ_OPEN}, (int64_t[]){BZ_OPEN, BZ_OPEN}, (int64_t[]){1, -2}, 2),
        2, 0, 5, 3);
    EXPECT(bz_select(x, 1, -1), 2, 5);
    EXPECT(bz_expand(bz_select(x, 0, 1), BZ_SHAPE(2, 3)), 3, 4, 5, 3, 4, 5);
    EXPECT(bz_flip(x, BZ_AXES(0)), 3, 4, 5, 0, 1, 2);
    EXPECT(bz_pad(bz_select(x, 0, 0), ((int64_t[]){1}), ((int64_t[]){2}), 1, 9), 9, 0, 1, 2, 9, 9);
    EXPECT(bz_concat(both, 2, 1), 0, 1, 2, 0, 1, 2, 3, 4, 5, 3, 4, 5);
    EXPECT(bz_stack(both, 2, -1), 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5);
    EXPECT(bz_diagonal(x, 1, 0, 1), 1, 5);
    EXPECT(bz_as_strided(x, ((int64_t[]){2, 2}), ((int64_t[]){1, 2}), 2, 1), 1, 3, 2, 4);
    EXPECT(bz_reshape(bz_transpose(x, 0, 1), BZ_SHAPE(6)), 0, 3, 1, 4, 2, 5);
    const int64_t *s = bz_strides(bz_transpose(x, 0, 1));
    cr_expect(s[0] == 1 && s[1] == 3);
}
Test(api, movement) {
    on_all(movement);
}

/* Every view sees what is written through any other. */
static void in_place(bz_context *c) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){0, 1, 2, 3, 4, 5}), BZ_SHAPE(2, 3));
    bz_tensor *t = bz_transpose(x, 0, 1), *old = bz_add(x, bz_scalar(c, 0));
    bz_fill_(bz_select(t, 0, 1), 9);
    EXPECT(x, 0, 9, 2, 3, 9, 5);
    EXPECT(t, 0, 3, 9, 9, 2, 5);
    EXPECT(old, 0, 1, 2, 3, 4, 5);
    bz_add_(bz_slice(x, (int64_t[]){0, 2}, (int64_t[]){2, BZ_OPEN}, (int64_t[]){1, -2}, 2),
            bz_scalar(c, 10));
    EXPECT(x, 10, 9, 12, 13, 9, 15);
    bz_mul_(bz_diagonal(x, 0, 0, 1), bz_scalar(c, 2));
    EXPECT(x, 20, 9, 12, 13, 18, 15);
    bz_copy_(x, bz_arange(c, 0, 3, 1, BZ_I64)); /* broadcast and cast */
    EXPECT(t, 0, 0, 1, 1, 2, 2);
}
Test(api, in_place) {
    on_all(in_place);
}

/* The owner's memory: read without a copy, written by in-place ops, gaps untouched; readers of the old value run first. */
static void foreign(bz_context *c) {
    float m[8] = {0, 1, 2, 3, 4, 5, 6, 7};
    bz_tensor *x = bz_from_buffer(c, BZ_F32, m, ((int64_t[]){2, 2}), ((int64_t[]){4, 2}), 2);
    bz_tensor *square = bz_mul(x, x);
    bz_add_(x, bz_scalar(c, 10));
    cr_expect_eq(bz_flush(x), BZ_OK);
    cr_expect(memcmp(m, (float[]){10, 1, 12, 3, 14, 5, 16, 7}, sizeof m) == 0);
    EXPECT(square, 0, 4, 16, 36);
    bz_tensor *y = bz_from_buffer(c, BZ_F32, m + 1, ((int64_t[]){2}), ((int64_t[]){-1}), 1);
    EXPECT(bz_neg(y), -1, -10);
    bz_fill_(y, 8);
    bz_release(y); /* the write is not lost */
    cr_expect_eq(m[1], 8);
}
Test(api, foreign_memory) {
    on_all(foreign);
}

static void gradients(bz_context *c) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3}), BZ_SHAPE(3)), *g, *gg;
    bz_tensor *loss = bz_sum(bz_mul(bz_square(x), x), NULL, 0, false);
    cr_expect_eq(bz_item(loss), 36); /* reading does not forget the history */
    cr_expect_eq(bz_grad(loss, &x, 1, &g), BZ_OK);
    EXPECT(g, 3, 12, 27);
    cr_expect_eq(bz_grad(bz_sum(g, NULL, 0, false), &x, 1, &gg), BZ_OK);
    EXPECT(gg, 6, 12, 18);
}
Test(api, gradients) {
    on_all(gradients);
}

/* One seed, one sequence: whatever the device, the mode and the cuts between evaluations. */
static float draws[4][8];
static int draw;
static void random_numbers(bz_context *c) {
    bz_tensor *a = bz_rand(c, BZ_SHAPE(4), BZ_F32);
    if (draw % 2) bz_eval(&a, 1);
    bz_tensor *b = bz_randn(c, BZ_SHAPE(4), BZ_F32);
    cr_assert_eq(bz_to_host(b, draws[draw] + 4, 16), BZ_OK);
    cr_assert_eq(bz_to_host(a, draws[draw++], 16), BZ_OK);
    bz_seed(c, 7);
    float again[4];
    cr_assert_eq(bz_to_host(bz_rand(c, BZ_SHAPE(4), BZ_F32), again, 16), BZ_OK);
    cr_expect(memcmp(again, draws[draw - 1], 16) == 0);
}
Test(api, random_numbers) {
    on_all(random_numbers);
    cr_expect(draws[0][0] != draws[0][1] && draws[0][0] >= 0 && draws[0][0] < 1);
    for (int i = 1; i < 4; i++) cr_expect(memcmp(draws[0], draws[i], sizeof draws[0]) == 0);
}

static void optimizers(bz_context *c) {
    bz_tensor *p = bz_ones(c, BZ_SHAPE(2), BZ_F32), *g = bz_full(c, BZ_SHAPE(2), 0.5, BZ_F32);
    bz_tensor *m = bz_zeros(c, BZ_SHAPE(2), BZ_F32), *v = bz_zeros(c, BZ_SHAPE(2), BZ_F32);
    EXPECT(bz_sgd_step(p, g, bz_scalar(c, 0.5), NULL, NULL), 0.75f, 0.75f);
    bz_tensor *next = bz_adam_step(p, g, &m, &v, bz_scalar_int(c, 1), bz_scalar(c, 0.1), NULL);
    cr_expect_float_eq(bz_item(bz_select(next, 0, 0)), 0.9, 1e-6);
    cr_expect_float_eq(bz_item(bz_select(m, 0, 0)), 0.05, 1e-7);
    cr_expect_float_eq(bz_item(bz_select(v, 0, 1)), 0.00025, 1e-9);
}
Test(api, optimizers) {
    on_all(optimizers);
}

Test(api, scopes) {
    bz_context *c = open_one(BZ_REF);
    bz_scope_begin(c);
    bz_scope_begin(c);
    bz_tensor *kept = bz_keep(bz_ones(c, BZ_SHAPE(2), BZ_F32)), *gone = bz_add(kept, kept);
    bz_scope_end(c);
    EXPECT(bz_add(kept, kept), 2, 2);
    cr_expect_eq(bz_ndim(gone), -1);
    cr_expect_eq(bz_context_status(c), BZ_ESCOPE);
    bz_clear(c);
    bz_scope_end(c);
    cr_expect_eq(bz_eval(&kept, 1), BZ_ESCOPE);
    bz_close(c);
    cr_expect_eq(bz_eval(&kept, 1), BZ_ESCOPE);
}
