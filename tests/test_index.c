/* test_index.c - indexing by a text and narrowing: the elements that Python's x[...] has, as views; mistakes with their place. */
#include "tests/support/rt_support.h"

/* x = arange(24).reshape(2, 3, 4): shape and elements that NumPy gives. */
static const struct {
    const char *text;
    int rank;
    int64_t shape[6];
    int n;
    float want[24];
} rows[] = {
    {"1", 2, {3, 4}, 12, {12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}},
    {"1, 2, 3", 0, {0}, 1, {23}},
    {"-1,-1,-1", 0, {0}, 1, {23}},
    {" 1 ,\t:, 2 ", 1, {3}, 3, {14, 18, 22}},
    {"0, 1, :", 1, {4}, 4, {4, 5, 6, 7}},
    {"0, 1,", 1, {4}, 4, {4, 5, 6, 7}},
    {"..., 0", 2, {2, 3}, 6, {0, 4, 8, 12, 16, 20}},
    {"1, ..., 0", 1, {3}, 3, {12, 16, 20}},
    {"0, 0, 0, ...", 0, {0}, 1, {0}},
    {"...", 3, {2, 3, 4}, 24, {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11,
                               12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23}},
    {"0, 0, ::-1", 1, {4}, 4, {3, 2, 1, 0}},
    {"0, ::-2, 1:3", 2, {2, 2}, 4, {9, 10, 1, 2}},
    {"0, 0, 3:0:-2", 1, {2}, 2, {3, 1}},
    {"0, 0, -1:-5:-3", 1, {2}, 2, {3, 0}},
    {"0, 0, 1:", 1, {3}, 3, {1, 2, 3}},
    {"0, 0, :-1", 1, {3}, 3, {0, 1, 2}},
    {"0, 0, :+2", 1, {2}, 2, {0, 1}},
    {"0, 0, 1:100", 1, {3}, 3, {1, 2, 3}},
    {"0, 0, -100:2", 1, {2}, 2, {0, 1}},
    {"0, 0, ::9223372036854775807", 1, {1}, 1, {0}},
    {"0, 0, ::-99999999999999999999999", 1, {1}, 1, {3}},
    {"0, 0, 99999999999999999999999:", 1, {0}, 0, {0}},
    {"0, 0, 9223372036854775807::-1", 1, {4}, 4, {3, 2, 1, 0}},
    {"0, 0, 2:2", 1, {0}, 0, {0}},
    {"5:, :0, 0", 2, {0, 0}, 0, {0}},
    {"None, 0, 0, 0", 1, {1}, 1, {0}},
    {"0, None, 1, newaxis, ::3", 3, {1, 1, 2}, 2, {4, 7}},
    {"0, ..., None, 0", 2, {3, 1}, 3, {0, 4, 8}},
    {"0, 0, ..., None", 2, {4, 1}, 4, {0, 1, 2, 3}},
};

static bz_tensor *cube(bz_context *c) {
    return bz_reshape(bz_arange(c, 0, 24, 1, BZ_F32), BZ_SHAPE(2, 3, 4));
}

static void reads(bz_context *c) {
    bz_tensor *x = cube(c),
              *t = bz_permute(bz_copy(bz_permute(x, (int[]){2, 0, 1}, 3)), (int[]){1, 2, 0}, 3);
    for (unsigned i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int strided = 0; strided < 2; strided++) {
            float got[24] = {0};
            bz_tensor *y = bz_at(strided ? t : x, rows[i].text);
            cr_expect_eq(bz_ndim(y), rows[i].rank, "%s: %s", rows[i].text, bz_message(c));
            for (int k = 0; k < rows[i].rank && k < bz_ndim(y); k++)
                cr_expect_eq(bz_shape(y)[k], rows[i].shape[k], "%s, axis %d", rows[i].text, k);
            cr_assert_eq(bz_to_host(y, got, (size_t)rows[i].n * sizeof *got), BZ_OK, "%s: %s",
                         rows[i].text, bz_message(c));
            cr_expect_arr_eq(got, rows[i].want, sizeof got, "%s", rows[i].text);
        }
}

Test(index, elements_as_numpy) {
    on_all(reads);
}

/* Writing through a view of a view reaches x, once. */
static void writes(bz_context *c) {
    bz_tensor *x = bz_zeros(c, BZ_SHAPE(2, 3, 4), BZ_F32);
    bz_add_(bz_at(x, "1, ::-2, None, 1::2"), 1);
    bz_copy_(bz_at(bz_at(x, "0"), "..., -1"), bz_arange(c, 5, 8, 1, BZ_F32));
    bz_mul_(bz_narrow(bz_at(x, "0"), 1, 2, 2), 2);
    bz_fill_(bz_at(x, "1, 1, 2"), 9);
    EXPECT(bz_flatten(x, 0, -1), 0, 0, 0, 10, 0, 0, 0, 12, 0, 0, 0, 14, 0, 1, 0, 1, 0, 0, 9, 0, 0,
           1, 0, 1);
}

/* NumPy's x[()]: nothing picked is everything. */
static void nothing(bz_context *c) {
    bz_tensor *x = cube(c), *z = bz_full(c, NULL, 0, 5, BZ_F32);
    cr_expect_eq(bz_ndim(bz_at(z, "")), 0);
    EXPECT(bz_at(z, ""), 5);
    EXPECT(bz_at(z, " ..."), 5);
    cr_expect_eq(bz_ndim(bz_at(x, " ")), bz_ndim(x));
    bz_fill_(bz_at(z, ""), 7);
    EXPECT(z, 7);
}

Test(index, no_text) {
    on_all(nothing);
}

Test(index, writing_through_views) {
    on_all(writes);
}

static void gradients(bz_context *c) {
    bz_tensor *x = bz_ones(c, BZ_SHAPE(2, 3), BZ_F32), *g;
    bz_grad(bz_sum(bz_square(bz_mul(bz_at(x, "1, ::-2"), 3)), BZ_ALL), &x, 1, &g);
    EXPECT(bz_flatten(g, 0, -1), 0, 0, 0, 18, 0, 18);
}

Test(index, gradients) {
    on_all(gradients);
}

/* Each mistake names the text and the character. */
static const struct {
    const char *text;
    bz_status status;
    const char *said;
} mistakes[] = {
    {",", BZ_EARG, "[at] \",\": an integer, a slice, ..., None or @ should stand at character 1"},
    {"1, x", BZ_EARG, "\"1, x\": an integer, a slice, ..., None or @ should stand at character 4"},
    {"1,, 2", BZ_EARG, "should stand at character 3"},
    {"1 2", BZ_EARG, "a comma or the end should stand at character 3"},
    {"[1]", BZ_EARG, "character 1"},
    {"1.5", BZ_EARG, "a comma or the end should stand at character 2"},
    {"- 1", BZ_EARG, "character 1"},
    {"0, ::0", BZ_EARG, "a step of 0 at character 6"},
    {"0, 1:2:3:4", BZ_EARG, "a comma or the end should stand at character 9"},
    {"..., 0, ...", BZ_EARG, "a second ... at character 9"},
    {"0, -4", BZ_EINDEX, "index -4 of axis 1, which has 3 elements, at character 4"},
    {"2", BZ_EINDEX, "index 2 of axis 0, which has 2 elements, at character 1"},
    {"..., 99999999999999999999", BZ_EINDEX,
     "index 99999999999999999999 of axis 2, which has 4 elements, at character 6"},
    {"0, 0, 0, 0", BZ_EAXIS, "4 indices for 3 axes"},
    {"None, None, None, None, None, None, None, None, None, None, None, None, None, None, None, "
     "None,"
     "None, None, None, None, None, None, None, None, None, None, None, None, None, None, None",
     BZ_ESHAPE, "more than 32 axes"},
    {NULL, BZ_EARG, "the text is NULL"},
};

Test(index, mistakes) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = cube(c), *y;
    for (unsigned i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        bz_clear(c);
        y = bz_at(x, mistakes[i].text);
        cr_expect_eq(bz_eval(&y, 1), mistakes[i].status, "%s", mistakes[i].text);
        cr_expect(strstr(bz_message(c), mistakes[i].said) && strstr(bz_message(c), "test_index.c:"),
                  "%s: %s", mistakes[i].text, bz_message(c));
    }
    bz_release(x);
    bz_clear(c);
    y = bz_at(x, "0");
    cr_expect_eq(bz_eval(&y, 1), BZ_ESCOPE);
    cr_expect_null(bz_at(NULL, "0"));
    bz_close(c);
}

Test(index, narrow) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = cube(c), *y;
    EXPECT(bz_flatten(bz_narrow(bz_at(x, "0"), 0, 1, 2), 0, -1), 4, 5, 6, 7, 8, 9, 10, 11);
    EXPECT(bz_narrow(bz_at(x, "1, 0"), -1, -3, 2), 13, 14);
    cr_expect_eq(bz_numel(bz_narrow(x, 1, 3, 0)), 0);
    static const int64_t bad[][2] = {{0, 4},         {-4, 1},        {4, 0},        {1, -1},
                                     {INT64_MAX, 1}, {1, INT64_MAX}, {INT64_MIN, 0}};
    for (unsigned i = 0; i < sizeof bad / sizeof *bad; i++) {
        bz_clear(c);
        y = bz_narrow(x, 1, bad[i][0], bad[i][1]);
        cr_expect_eq(bz_eval(&y, 1), BZ_EINDEX, "%lld %lld", (long long)bad[i][0],
                     (long long)bad[i][1]);
        cr_expect(strstr(bz_message(c), "[narrow]") && strstr(bz_message(c), "2,3,4"), "%s",
                  bz_message(c));
    }
    bz_clear(c);
    y = bz_narrow(x, 3, 0, 1);
    cr_expect_eq(bz_eval(&y, 1), BZ_EAXIS);
    bz_close(c);
}
