/* test_picks.c - elements at places that are in tensors: NumPy's advanced indexing with masks, nonzero, masked_select, their gradients;
 * when values are asked for, and mistakes. Random items beside NumPy: tests/test_numpy_moves.py. */
#include "tests/support/rt_support.h"

static bz_tensor *cube(bz_context *c) {
    return bz_reshape(bz_arange(c, 0, 24, 1, BZ_F32), BZ_SHAPE(2, 3, 4));
}

static bz_tensor *ints(bz_context *c, int n, const int64_t *v) {
    return bz_from_data(c, BZ_I64, v, BZ_SHAPE(n));
}
#define INTS(c, ...)                                                                               \
    ints((c), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)), (int64_t[]){__VA_ARGS__})

static void expect_shape(int line, bz_tensor *x, int rank, const int64_t *shape) {
    cr_assert_eq(bz_ndim(x), rank, "line %d: rank %d: %s", line, bz_ndim(x),
                 bz_message(bz_context_of(x)));
    for (int i = 0; i < rank; i++)
        cr_expect_eq(bz_shape(x)[i], shape[i], "line %d: axis %d has %lld", line, i,
                     (long long)bz_shape(x)[i]);
}
#define EXPECT_SHAPE(x, ...)                                                                       \
    expect_shape(__LINE__, (x), (int)(sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t)),         \
                 (int64_t[]){__VA_ARGS__})

/* Places counted from either end; axes where NumPy has them. */
static void indices(bz_context *c) {
    bz_tensor *x = cube(c), *i = INTS(c, 1, 0, -1), *j = INTS(c, -1, 0, 2), *y;
    EXPECT(bz_at_get(x, ((bz_tensor *[]){i, j}), 2, "@, @, 0"), 20, 0, 20);
    EXPECT_SHAPE(y = bz_at_get(x, ((bz_tensor *[]){i, j}), 2, "@, :2, @"), 3, 2);
    EXPECT(bz_ravel(y), 15, 19, 0, 4, 14, 18);
    EXPECT_SHAPE(y = bz_at_get(x, &j, 1, "0, :, @"), 3, 3); /* as NumPy: a slice stands between */
    EXPECT(bz_ravel(y), 3, 7, 11, 0, 4, 8, 2, 6, 10);
    EXPECT_SHAPE(y = bz_at_get(x, &j, 1, "0, None, @, ::-1"), 3, 1, 4);
    EXPECT_SHAPE(y = bz_at_get(x, &j, 1, ":, @, 0"), 2, 3);
    EXPECT(bz_ravel(y), 8, 0, 8, 20, 12, 20);
    bz_fill_(bz_at_get(x, NULL, 0, "0, ..., 1"), 100); /* without tensors a view */
    EXPECT(bz_at(x, "0, :, 1"), 100, 100, 100);
}
Test(picks, rows_at_indices) {
    on_all(indices);
}

static void masks(bz_context *c) {
    bz_tensor *x = cube(c), *m = bz_gt(x, 20), *j = INTS(c, 1, 2), *y;
    bz_tensor *row = bz_from_data(c, BZ_BOOL, ((bool[]){true, false, true}), BZ_SHAPE(3));
    EXPECT(bz_at_get(x, &m, 1, "@"), 21, 22, 23);
    EXPECT_SHAPE(y = bz_at_get(x, &row, 1, "1, @"), 2, 4);
    EXPECT(bz_ravel(y), 12, 13, 14, 15, 20, 21, 22, 23);
    EXPECT(bz_at_get(x, ((bz_tensor *[]){row, j}), 2, "0, @, @"), 1, 10);
    bz_tensor *plane = bz_at(bz_lt(x, 2), "0");
    EXPECT_SHAPE(y = bz_at_get(x, &plane, 1, ":, @"), 2, 2);
    EXPECT(bz_ravel(y), 0, 1, 12, 13);
    bz_tensor *none = bz_lt(x, 0);
    cr_expect_eq(bz_numel(bz_at_get(x, &none, 1, "@")), 0);
}
Test(picks, masks) {
    on_all(masks);
}

static void chosen(bz_context *c) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){0, 3, 0, -1, 0, 2}), BZ_SHAPE(2, 3)), *p[2],
              *y;
    EXPECT_SHAPE(y = bz_nonzero(x), 3, 2);
    cr_expect_eq(bz_dtype_of(y), BZ_I64);
    EXPECT(bz_ravel(bz_cast(y, BZ_F32)), 0, 1, 1, 0, 1, 2);
    EXPECT(bz_ravel(bz_cast(bz_argwhere(bz_t(x)), BZ_F32)), 0, 1, 1, 0, 2, 1);
    cr_expect_eq(bz_nonzero_axes(x, p, 2), 2);
    EXPECT(bz_cast(p[1], BZ_F32), 1, 0, 2);
    EXPECT(bz_masked_select(x, bz_lt(x, 3)), 0, 0, -1, 0, 2);
    EXPECT(bz_masked_select(bz_at(x, "1"),
                            bz_from_data(c, BZ_BOOL, ((bool[]){true, false}), BZ_SHAPE(2, 1))),
           -1, 0, 2);
    cr_expect_eq(bz_numel(bz_nonzero(bz_zeros(c, BZ_SHAPE(0, 3), BZ_F32))), 0);
    EXPECT_SHAPE(bz_nonzero(bz_ones(c, NULL, 0, BZ_F32)), 1, 0);
    EXPECT(bz_masked_fill(x, bz_gt(x, 2), -7), 0, -7, 0, -1, 0, 2);
    EXPECT(bz_ravel(bz_masked_scatter(x, bz_ne(x, 0), bz_arange(c, 5, 9, 1, BZ_F32))), 0, 5, 0, 6,
           0, 7);
    EXPECT(bz_take(x, INTS(c, 1, -1), BZ_FLAT), 3, 2);
}
Test(picks, chosen_by_value) {
    on_all(chosen);
}

/* Through views, of storages that others see; in the order of the indices. */
static void written(bz_context *c) {
    bz_tensor *x = bz_zeros(c, BZ_SHAPE(3, 4), BZ_F32), *t = bz_t(x), *i = INTS(c, 2, 0, 2, -1);
    bz_tensor *v = bz_arange(c, 1, 5, 1, BZ_F32),
              *m = bz_from_data(c, BZ_BOOL, ((bool[]){true, false, true}), BZ_SHAPE(3));
    bz_at_set_(x, &i, 1, "@, 1", v);
    EXPECT(bz_at(t, "1"), 2, 0, 4);
    bz_at_add_(t, &i, 1, "0, @", v);
    EXPECT(bz_at(x, ":, 0"), 2, 0, 8);
    bz_at_set_(t, ((bz_tensor *[]){i, INTS(c, 0, 1, 1, 2)}), 2, "@, @", 7);
    EXPECT(bz_ravel(x), 2, 2, 7, 0, 7, 0, 7, 0, 8, 4, 0, 7);
    bz_at_add_(x, &m, 1, "@", 1); /* a mask alone: lazy */
    bz_at_set_(x, &m, 1, "@, 3", bz_at(v, ":2"));
    EXPECT(bz_ravel(x), 3, 3, 8, 1, 7, 0, 7, 0, 9, 5, 1, 2);
    bz_tensor *old = bz_mul(x, 1);
    bz_at_set_(x, NULL, 0, "::2, 1:3", bz_from_data(c, BZ_I32, ((int[]){-1, -2}), BZ_SHAPE(2)));
    EXPECT(bz_ravel(x), 3, -1, -2, 1, 7, 0, 7, 0, 9, -1, -2, 2);
    EXPECT(bz_at(old, "0"), 3, 3, 8, 1);
    EXPECT_ERROR(c, bz_at_set_(x, &i, 1, "@", bz_zeros(c, BZ_SHAPE(3, 4), BZ_F32)), BZ_ESHAPE,
                 "[at_set_]");
    EXPECT_ERROR(c, bz_at_add_(x, &m, 1, ":, @", 1), BZ_ESHAPE,
                 "[at_add_] a mask has 3 elements along axis 1");
    bz_tensor *far = INTS(c, 0, 3), *same = bz_copy(x);
    EXPECT_ERROR(c, bz_at_set_(same, &far, 1, "@", 1), BZ_EINDEX, "index 3 is outside axis 0 of 3");
}
Test(picks, written) {
    on_all(written);
}

static void written_gradients(bz_context *c) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){1, 2, 3, 4}), BZ_SHAPE(4)),
              *i = INTS(c, 1, 1, 3);
    bz_tensor *v = bz_from_data(c, BZ_F32, ((float[]){5, 6, 7}), BZ_SHAPE(3)), *both[] = {x, v},
              *g[2];
    bz_tensor *y = bz_mul(x, 2);
    bz_at_set_(y, &i, 1, "@", v);
    bz_grad(bz_sum(bz_square(y), BZ_ALL), both, 2, g);
    EXPECT(g[0], 8, 0, 24, 0);
    EXPECT(g[1], 0, 12, 14);
    y = bz_mul(x, 2);
    bz_at_add_(y, &i, 1, "@", v);
    bz_grad(bz_sum(bz_square(y), BZ_ALL), both, 2, g);
    EXPECT(y, 2, 15, 6, 15);
    EXPECT(g[0], 8, 60, 24, 60);
    EXPECT(g[1], 30, 30, 30);
}
Test(picks, gradients_through_writes) {
    on_all(written_gradients);
}

static void gradients(bz_context *c) {
    bz_tensor *x = cube(c), *i = INTS(c, 1, 0, 1), *j = INTS(c, 0, 2, 0), *g, *m;
    bz_grad(bz_sum(bz_mul(bz_at_get(x, ((bz_tensor *[]){i, j}), 2, "@, @, 0"), INTS(c, 1, 10, 100)),
                   BZ_ALL),
            &x, 1, &g);
    EXPECT(bz_ravel(bz_at(g, "..., 0")), 0, 0, 10, 101, 0, 0);
    bz_tensor *y = bz_mul(x, 2);
    m = bz_gt(y, 40);
    bz_grad(bz_sum(bz_square(bz_masked_select(y, m)), BZ_ALL), &x, 1, &g);
    EXPECT(bz_at(g, "1, 2"), 0, 8 * 21, 8 * 22, 8 * 23);
    bz_tensor *s = bz_arange(c, 1, 4, 1, BZ_F32), *both[] = {x, s}, *gs[2];
    m = bz_ge(x, 21);
    bz_grad(bz_sum(bz_mul(bz_masked_scatter(x, m, s), x), BZ_ALL), both, 2, gs);
    EXPECT(gs[1], 21, 22, 23);
    EXPECT(bz_at(gs[0], "1, 2"), 40, 1, 2, 3);
}
Test(picks, gradients) {
    on_all(gradients);
}

/* ---- each element once */

static void uniques(bz_context *c) {
    bz_tensor *x = bz_from_data(c, BZ_F32, ((float[]){2, -1, 2, 0, NAN, -1, -0.0f, NAN}), BZ_SHAPE(2, 4)), *of, *counts;
    EXPECT(bz_unique(x, &of, &counts), -1, 0, 2, NAN, NAN);
    EXPECT_SHAPE(of, 2, 4);
    EXPECT(bz_cast(bz_ravel(of), BZ_F32), 2, 0, 2, 1, 3, 0, 1, 4);
    EXPECT(bz_cast(counts, BZ_F32), 2, 2, 2, 1, 1);
    EXPECT(bz_unique_consecutive(x, &of, NULL), 2, -1, 2, 0, NAN, -1, -0.0, NAN);
    bz_tensor *runs = INTS(c, 3, 3, 1, 1, 1, 3);
    EXPECT(bz_cast(bz_unique_consecutive(runs, &of, &counts), BZ_F32), 3, 1, 3);
    EXPECT(bz_cast(of, BZ_F32), 0, 0, 1, 1, 1, 2);
    EXPECT(bz_cast(counts, BZ_F32), 2, 3, 1);
    EXPECT(bz_cast(bz_unique(runs, NULL, &counts), BZ_F32), 1, 3);
    EXPECT(bz_cast(counts, BZ_F32), 3, 3);
    EXPECT(bz_cast(bz_unique(bz_gt(runs, 2), NULL, NULL), BZ_F32), 0, 1);
    cr_expect_eq(bz_numel(bz_unique(bz_zeros(c, BZ_SHAPE(0, 3), BZ_U16), &of, &counts)), 0);
    EXPECT_SHAPE(of, 0, 3);
    EXPECT_SHAPE(counts, 0);
    EXPECT(bz_unique(bz_scalar(c, 7), NULL, NULL), 7);
    bz_tensor *g;
    bz_grad(bz_sum(bz_square(bz_unique_consecutive(bz_narrow(bz_ravel(x), 0, 0, 4), NULL, NULL)), BZ_ALL), &x, 1, &g);
    EXPECT(bz_ravel(g), 4, -2, 4, 0, 0, 0, 0, 0);
}
Test(picks, elements_once) {
    on_all(uniques);
}

/* ---- compiled functions */

static bz_status rows(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_tanh(bz_at_get(in[0], ((bz_tensor *[]){in[1], in[1]}), 2, "@, ::2, @"));
    return bz_context_status(c);
}

static bz_status values(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)nin, (void)nout;
    out[0] = *(int *)user == 2 ? bz_unique(in[0], NULL, NULL) : *(int *)user ? bz_nonzero(in[0]) : bz_masked_select(in[0], bz_gt(in[0], 0));
    return bz_context_status(c);
}

Test(picks, compiled) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = cube(c), *good = INTS(c, 1, -2), *bad = INTS(c, 0, 3), *out;
    bz_program *p = bz_compile(c, rows, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
    cr_assert_eq(bz_call(p, (bz_tensor *[]){x, good}, &out), BZ_OK, "%s", bz_message(c));
    bz_tensor *same = bz_tanh(bz_at_get(x, ((bz_tensor *[]){good, good}), 2, "@, ::2, @"));
    cr_expect_eq(bz_item(bz_all(bz_eq(out, same), BZ_ALL)), 1);
    cr_expect_eq(bz_call(p, (bz_tensor *[]){x, bad}, &out), BZ_EINDEX);
    cr_expect(strstr(bz_message(c), "index 3 is outside axis 0 of 2"), "%s", bz_message(c));
    bz_clear(c);
    bad = INTS(c, 0, -5);
    EXPECT_ERROR(c, bz_at_get(x, &bad, 1, "..., @"), BZ_EINDEX, "index -5 is outside axis 2 of 4");
    for (int which = 0; which < 3; which++) {
        bz_program *q = bz_compile(c, values, &which, &(bz_compile_options){.nin = 1, .nout = 1});
        cr_expect_eq(bz_call(q, &x, &out), BZ_EMODE);
        cr_expect(strstr(bz_message(c), which == 2 ? "[unique]"
                             : which    ? "[nonzero] the number of elements that are not 0"
                                        : "[masked_select]") &&
                      strstr(bz_message(c), "while bz_compile traces"),
                  "%s", bz_message(c));
        bz_clear(c);
        bz_program_free(q);
    }
    bz_close(c);
}

Test(picks, mistakes) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = cube(c), *i = INTS(c, 0, 1), *two[] = {i, INTS(c, 0, 1, 2)}, *parts[2];
    bz_tensor *m = bz_gt(bz_at(x, "0, 0"), 0), *f = bz_ones(c, BZ_SHAPE(2), BZ_F32);
    EXPECT_ERROR(c, bz_at_get(x, &i, 1, "0"), BZ_EARG, "[at_get] more tensors than @");
    EXPECT_ERROR(c, bz_at_get(x, NULL, 0, "@"), BZ_EARG, "[at_get] more @ than tensors");
    EXPECT_ERROR(c, bz_at_get(x, &i, 1, "@, x"), BZ_EARG, "at character 4");
    EXPECT_ERROR(c, bz_at_get(x, &i, 1, NULL), BZ_EARG, "[at_get] the text is NULL");
    EXPECT_ERROR(c, bz_at_get(x, two, 2, "@, @"), BZ_ESHAPE, "indices 1, i64[3], do not broadcast");
    EXPECT_ERROR(c, bz_at_get(x, &f, 1, "@"), BZ_EDTYPE, "tensor 0 of indices is f32[2]");
    EXPECT_ERROR(c, bz_at_get(x, &m, 1, "@"), BZ_ESHAPE,
                 "a mask has 4 elements along axis 0 of f32[2,3,4]");
    EXPECT_ERROR(c, bz_at_get(x, &i, 1, "0, 0, 0, @"), BZ_EAXIS, "4 indices for 3 axes");
    EXPECT_ERROR(c, bz_at(x, "@"), BZ_EARG, "[at] \"@\": tensors of indices are for bz_at_get");
    EXPECT_ERROR(c, bz_masked_select(x, f), BZ_ESHAPE, "[broadcast_tensors]");
    EXPECT_ERROR(c, bz_masked_select(x, bz_at(x, "0, 0")), BZ_EDTYPE,
                 "[masked_select] the mask is f32");
    EXPECT_ERROR(c, bz_masked_fill(x, f, 0), BZ_EDTYPE, "[masked_fill] the mask is f32[2]");
    EXPECT_ERROR(c, bz_masked_scatter(x, bz_ge(x, 0), f), BZ_EINDEX,
                 "index 2 is outside axis 0 of 2");
    cr_expect_eq(bz_nonzero_axes(x, parts, 2), -1);
    EXPECT_ERROR(c, parts[0], BZ_EARG, "[nonzero_axes] 3 results, and room for 2");
    bz_release(x);
    EXPECT_ERROR(c, bz_at_get(x, &i, 1, "@"), BZ_ESCOPE, "[at_get]");
    bz_close(c);
}
