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
static float draws[8][8]; /* of each context of on_all */
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

/* A window on a view of a matrix: a view itself where strides can say it, else a copy. What it holds is the same either way. */
static const struct window_case {
    enum { TRANSPOSE, EVERY_OTHER, COLUMNS, REVERSED, MIDDLE } of;
    int64_t shape[2], strides[2], offset;
    int rank;
    bool view;
} window_cases[] = {
    {TRANSPOSE, {6}, {4}, 1, 1, true},       /* row 1 of the matrix */
    {TRANSPOSE, {6, 4}, {4, 1}, 0, 2, true}, /* the transpose itself */
    {TRANSPOSE, {4, 6}, {1, 4}, 0, 2, true}, /* the matrix */
    {TRANSPOSE, {3, 2}, {8, 2}, 1, 2, true}, /* every other column of every other row */
    {TRANSPOSE, {24}, {1}, 0, 1, false},     /* flattened: carries at the end of each row */
    {TRANSPOSE, {3}, {3}, 0, 1, false},      {TRANSPOSE, {3}, {-4}, 9, 1, true},
    {EVERY_OTHER, {12}, {1}, 0, 1, false}, /* rows 0 and 2: axes of memory that cannot merge ... */
    {COLUMNS, {8}, {1}, 0, 1, false},      /* ... and these neither */
    {COLUMNS, {4}, {2}, 1, 1, true},         {COLUMNS, {2, 2}, {2, 1}, 2, 2, true},
    {REVERSED, {24}, {1}, 0, 1, true},       {REVERSED, {5}, {-3}, 20, 1, true},
    {MIDDLE, {2, 2}, {3, -1}, 1, 2, true},   {MIDDLE, {1}, {INT64_MIN}, 2, 1, true},
    {MIDDLE, {2, 2}, {1, 1}, 0, 2, true},
};

static bz_tensor *part_of(bz_tensor *m, int which) {
    switch (which) {
    case TRANSPOSE: return bz_transpose(m, 0, 1);
    case EVERY_OTHER: return bz_slice(m, (int64_t[]){0}, (int64_t[]){BZ_OPEN}, (int64_t[]){2}, 1);
    case COLUMNS: return bz_slice(m, ((int64_t[]){0, 1}), ((int64_t[]){4, 3}), NULL, 2);
    case REVERSED:
        return bz_slice(m, ((int64_t[]){BZ_OPEN, BZ_OPEN}), ((int64_t[]){BZ_OPEN, BZ_OPEN}),
                        ((int64_t[]){-1, -1}), 2);
    default: return bz_slice(m, ((int64_t[]){1, 2}), ((int64_t[]){3, 5}), NULL, 2);
    }
}

static void windows_on_views(bz_context *c) {
    for (size_t k = 0; k < sizeof window_cases / sizeof *window_cases; k++) {
        const struct window_case *w = &window_cases[k];
        bz_tensor *m = bz_copy(bz_reshape(bz_arange(c, 0, 24, 1, BZ_F32), BZ_SHAPE(4, 6)));
        bz_tensor *of = part_of(m, w->of);
        int64_t n = bz_numel(of), count = w->shape[0] * (w->rank == 2 ? w->shape[1] : 1);
        float flat[24], got[24], all[24];
        cr_assert_eq(bz_to_host(of, flat, (size_t)n * sizeof *flat), BZ_OK);
        bz_tensor *x = bz_as_strided(of, w->shape, w->strides, w->rank, w->offset);
        cr_assert_eq(bz_to_host(x, got, (size_t)count * sizeof *got), BZ_OK, "case %zu: %s", k,
                     bz_message(c));
        for (int64_t i = 0; i < count; i++) {
            int64_t inner = w->rank == 2 ? w->shape[1] : count;
            int64_t at =
                w->offset + (count == 1     ? 0
                             : w->rank == 2 ? i / inner * w->strides[0] + i % inner * w->strides[1]
                                            : i * w->strides[0]);
            cr_expect_eq(got[i], flat[at], "case %zu element %lld", k, (long long)i);
        }
        bool overlaps = w->of == MIDDLE && w->strides[0] == 1;
        if (!overlaps) bz_fill_(x, -1);
        cr_assert_eq(bz_to_host(m, all, sizeof all), BZ_OK, "%s", bz_message(c));
        int64_t changed = 0;
        for (int i = 0; i < 24; i++) changed += all[i] == -1.0f;
        cr_expect_eq(changed, w->view && !overlaps ? count : 0, "case %zu: %lld changed", k,
                     (long long)changed);
    }
}

Test(api, windows_on_views) {
    on_all(windows_on_views);
}

/* Any range of i64: below 2^63 numbers it is 63 bits of two words that count, from there on all 64. */
static void wide_ranges(bz_context *c) {
    enum { N = 64 };
    int64_t got[3][N];
    static const int64_t range[3][2] = {
        {0, INT64_MAX}, {INT64_MIN, INT64_MAX}, {-2, INT64_MAX - 1}};
    for (int k = 0; k < 3; k++) {
        bz_seed(c, 5);
        bz_tensor *x = bz_randint(c, range[k][0], range[k][1], BZ_SHAPE(N));
        cr_assert_eq(bz_to_host(x, got[k], sizeof got[k]), BZ_OK, "%s", bz_message(c));
    }
    int minus = 0, high = 0;
    for (int i = 0; i < N; i++) {
        uint64_t bits = (uint64_t)got[1][i] - (uint64_t)INT64_MIN; /* the largest are too rare */
        cr_expect_eq((bits >> 33 << 32 | (bits & 0xffffffff)), (uint64_t)got[0][i], "[%d]", i);
        cr_expect_eq((bits & INT64_MAX) - 2, (uint64_t)got[2][i], "[%d]", i);
        minus += got[1][i] < 0;
        high += (got[1][i] & INT64_MAX) >= INT64_MAX / 2;
    }
    cr_expect(minus > 16 && minus < 48 && high > 16 && high < 48, "%d, %d of 64", minus, high);
}
Test(api, integers_of_any_range) {
    on_all(wide_ranges);
}

/* ---- generators */

static double drawn(bz_context *c, int64_t n) {
    return bz_item(bz_sum(bz_randn(c, BZ_SHAPE(n), BZ_F64), BZ_ALL));
}

static void kept_and_set(bz_context *c) {
    bz_generator g, h, parts[3];
    bz_seed(c, 5);
    double first = drawn(c, 7);
    cr_assert_eq(bz_get_generator(c, &g), BZ_OK);
    cr_expect(g.seed == 5 && g.stream == 0 && g.offset == 16, "%llu", (unsigned long long)g.offset);
    double second = drawn(c, 7), third = bz_item(bz_sum(bz_rand(c, BZ_SHAPE(3), BZ_F32), BZ_ALL));
    cr_expect_neq(first, second);
    h = g;
    bz_set_generator(c, &g);
    cr_expect_eq(drawn(c, 7), second);
    bz_jump_generator(&h, 14); /* as that draw: two words an element, up to a multiple of 4 */
    bz_set_generator(c, &h);
    cr_expect_eq(bz_item(bz_sum(bz_rand(c, BZ_SHAPE(3), BZ_F32), BZ_ALL)), third);
    g.offset = 0;
    bz_set_generator(c, &g);
    cr_expect_eq(drawn(c, 7), first);
    /* parts: the same each time that g is split where it is, others behind */
    cr_assert_eq(bz_split_generator(&g, parts, 3), BZ_OK);
    bz_generator again[3], from = {5, 0, 0};
    bz_split_generator(&from, again, 3);
    cr_expect_arr_eq(parts, again, sizeof parts);
    cr_expect_eq(from.offset, 12);
    double got[4] = {first};
    for (int k = 0; k < 3; k++) {
        bz_set_generator(c, &parts[k]);
        got[k + 1] = drawn(c, 7);
        bz_get_generator(c, &h);
        cr_expect(h.seed == 5 && h.stream == parts[k].stream && h.offset == 16);
        for (int j = 0; j <= k; j++) cr_expect_neq(got[j], got[k + 1]);
    }
    bz_split_generator(&from, again, 1);
    for (int k = 0; k < 3; k++) cr_expect_neq(again[0].stream, parts[k].stream);
    cr_expect_eq(bz_set_generator(c, &(bz_generator){5, 0, 2}), BZ_EARG);
    cr_expect_str_eq(bz_message(c), "[set_generator] the offset 2 is no multiple of 4");
    bz_clear(c);
    cr_expect_eq(bz_split_generator(&g, NULL, 1), BZ_EARG);
    cr_expect_eq(bz_split_generator(NULL, parts, 1), BZ_EARG);
}
Test(api, generators_are_kept_and_set) {
    on_all(kept_and_set);
}

/* No correlation between streams beyond that of 1/sqrt(n): five deviations. */
Test(api, split_streams_are_independent) {
    enum { PARTS = 4, N = 20000 };
    static float x[PARTS][N];
    bz_context *c;
    cr_assert_eq(bz_open(&(bz_options){.seed = 9}, &c), BZ_OK);
    bz_generator g, parts[PARTS];
    bz_get_generator(c, &g);
    bz_split_generator(&g, parts, PARTS);
    for (int k = 0; k < PARTS; k++) {
        bz_set_generator(c, &parts[k]);
        cr_assert_eq(bz_to_host(bz_randn(c, BZ_SHAPE(N), BZ_F32), x[k], sizeof x[k]), BZ_OK);
    }
    for (int a = 0; a < PARTS; a++)
        for (int b = 0; b < a; b++) {
            double sum = 0;
            for (int i = 0; i < N; i++) sum += (double)x[a][i] * (double)x[b][i];
            cr_expect(fabs(sum) < 5 * sqrt((double)N), "%d, %d: %g", a, b, sum);
        }
    bz_close(c);
}

static bz_status noise(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)nin, (void)nout;
    bz_generator g;
    *(bz_status *)user = bz_get_generator(c, &g);
    bz_clear(c);
    out[0] = bz_add(in[0], bz_standard_gamma(in[0]));
    return BZ_OK;
}

/* A call moves the stream on, and what is set before it is where it draws. */
Test(api, generators_and_compiled_calls) {
    bz_context *c;
    bz_status inside = BZ_OK;
    cr_assert_eq(bz_open(&(bz_options){.seed = 9}, &c), BZ_OK);
    bz_program *p = bz_compile(c, noise, &inside, &(bz_compile_options){.nin = 1, .nout = 1});
    bz_tensor *x = bz_ones(c, BZ_SHAPE(5), BZ_F32), *y;
    double got[3];
    bz_generator g, h;
    bz_get_generator(c, &g);
    for (int k = 0; k < 3; k++) {
        if (k == 2) bz_set_generator(c, &g);
        cr_assert_eq(bz_call(p, &x, &y), BZ_OK, "%s", bz_message(c));
        got[k] = bz_item(bz_sum(y, BZ_ALL));
        bz_get_generator(c, &h);
        cr_expect_eq(h.offset, (k == 1 ? 2u : 1u) * 5 * 128);
    }
    cr_expect_eq(inside, BZ_EMODE);
    cr_expect_neq(got[0], got[1]);
    cr_expect_eq(got[0], got[2]);
    bz_set_generator(c, &g);
    cr_expect_eq(bz_item(bz_sum(bz_add(x, bz_standard_gamma(x)), BZ_ALL)), got[0]);
    bz_close(c);
}
