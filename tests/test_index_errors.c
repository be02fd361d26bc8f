/* test_index_errors.c - an index outside is the same error in every mode and on every device: BZ_EINDEX, and words that name op,
 * index, axis and extent. The first bad one in row-major order counts, whatever threads, and also where nobody reads the element. */
#include "tests/support/rt_support.h"

enum { ROWS = 5, MANY = 20000 };

static const float table_data[ROWS * 4];

static bz_tensor *table(bz_context *c) {
    return bz_from_data(c, BZ_F32, table_data, BZ_SHAPE(ROWS, 4));
}

static bz_tensor *indices(bz_context *c, const int64_t *i, int n) {
    return bz_from_data(c, BZ_I64, i, BZ_SHAPE(n));
}

static bz_tensor *plain(bz_tensor *x, bz_tensor *i) {
    return bz_gather(x, i, 0);
}

static bz_tensor *fused(bz_tensor *x, bz_tensor *i) {
    return bz_sum(bz_exp(bz_gather(bz_mul(x, 2), i, 0)), BZ_AXES(1), false);
}

static bz_tensor *part(bz_tensor *x, bz_tensor *i) {
    return bz_mul(bz_slice(bz_gather(x, i, 0), (int64_t[]){0}, (int64_t[]){1}, NULL, 1), 2);
}

static bz_tensor *part_of_columns(bz_tensor *x, bz_tensor *i) {
    return bz_add(
        bz_slice(bz_exp(bz_gather(x, i, 0)), (int64_t[]){0, 1}, (int64_t[]){2, 2}, NULL, 2), 1);
}

static bz_tensor *strided(bz_tensor *x, bz_tensor *i) {
    return bz_mul(bz_as_strided(bz_gather(x, i, 0), (int64_t[]){4}, (int64_t[]){1}, 1, 0), 2);
}

static bz_tensor *computed(bz_tensor *x, bz_tensor *i) {
    return bz_gather(x, bz_add(bz_sub(i, 1), 1), 0);
}

static bz_tensor *other_axis(bz_tensor *x, bz_tensor *i) {
    return bz_gather(bz_transpose(x, 0, 1), i, 1);
}

/* Of the sum of y by x; the value itself need not be computed. */
static bz_tensor *slope(bz_tensor *y, bz_tensor *x) {
    bz_tensor *d = NULL;
    bz_grad(bz_sum(y, BZ_ALL), &x, 1, &d);
    return d;
}

static bz_tensor *gradient(bz_tensor *x, bz_tensor *i) {
    return slope(bz_gather(x, i, 0), x);
}

static bz_tensor *fused_gradient(bz_tensor *x, bz_tensor *i) {
    bz_tensor *y = bz_mul(x, 2);
    return bz_exp(slope(bz_mul(bz_gather(bz_transpose(y, 0, 1), i, 1), 3), x));
}

static bz_tensor *second_order(bz_tensor *x, bz_tensor *i) {
    return slope(bz_exp(slope(bz_square(bz_gather(x, i, 0)), x)), x);
}

static const struct {
    const char *name;
    bz_tensor *(*make)(bz_tensor *x, bz_tensor *i);
    const char *words;
} makers[] = {
    {"plain", plain, "[gather] index 7 is outside axis 0 of 5"},
    {"fused", fused, "[gather] index 7 is outside axis 0 of 5"},
    {"part", part, "[gather] index 7 is outside axis 0 of 5"},
    {"part of columns", part_of_columns, "[gather] index 7 is outside axis 0 of 5"},
    {"strided", strided, "[gather] index 7 is outside axis 0 of 5"},
    {"computed", computed, "[gather] index 7 is outside axis 0 of 5"},
    {"other axis", other_axis, "[gather] index 7 is outside axis 1 of 5"},
    {"gradient", gradient, "[gather] index 7 is outside axis 0 of 5"},
    {"fused gradient", fused_gradient, "[gather] index 7 is outside axis 1 of 5"},
    {"second order", second_order, "[gather] index 7 is outside axis 0 of 5"},
};

static bz_status apply(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout;
    out[0] = makers[*(unsigned *)user].make(in[0], in[1]);
    return BZ_OK;
}

static void expect_words(bz_context *c, bz_status s, unsigned k, const char *how) {
    cr_expect_eq(s, BZ_EINDEX, "%s, %s: status %d: %s", makers[k].name, how, s, bz_message(c));
    cr_expect(strstr(bz_message(c), makers[k].words), "%s, %s: '%s'", makers[k].name, how,
              bz_message(c));
    bz_clear(c);
}

/* Called directly and compiled, with one thread and several. */
static void try_all(const int64_t *i, int n) {
    static const bz_options ways[] = {{.device = BZ_REF},
                                      {.device = BZ_CPU, .threads = 1},
                                      {.device = BZ_CPU, .threads = 4},
                                      {.device = BZ_CPU, .mode = BZ_EAGER}};
    for (unsigned w = 0; w < sizeof ways / sizeof *ways; w++)
        for (unsigned k = 0; k < sizeof makers / sizeof *makers; k++) {
            bz_context *c;
            cr_assert_eq(bz_open(&ways[w], &c), BZ_OK);
            bz_tensor *in[2] = {table(c), indices(c, i, n)}, *y = makers[k].make(in[0], in[1]);
            bz_status s = bz_eval(&y, 1);
            expect_words(c, s, k,
                         ways[w].device == BZ_REF ? "ref"
                         : ways[w].mode           ? "eager"
                                                  : "lazy");
            bz_program *p = bz_compile(c, apply, &k, &(bz_compile_options){.nin = 2, .nout = 1});
            expect_words(c, bz_call(p, in, &y), k, "compiled");
            bz_close(c);
        }
}

Test(index_errors, the_same_words_in_every_mode) {
    try_all((int64_t[]){0, 4, 7, -9}, 4);
    try_all((int64_t[]){-5, 7}, 2);
}

Test(index_errors, the_first_of_many) {
    static int64_t many[MANY];
    many[MANY / 3] = 7;
    for (int i = MANY / 3 + 1; i < MANY; i += 100) many[i] = i % 200 ? 9 : -6;
    try_all(many, MANY);
}

/* A donated index may be overwritten by the call: then the words do without a number. */
static bz_status donate(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_gather(in[0], in[1], 0);
    out[1] = bz_add(in[1], 1);
    return BZ_OK;
}

Test(index_errors, an_index_that_the_call_overwrites) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *in[2] = {table(c), indices(c, (int64_t[]){0, 7}, 2)}, *out[2];
    bz_program *p = bz_compile(
        c, donate, NULL, &(bz_compile_options){.nin = 2, .nout = 2, .donate = (int[]){-1, 1}});
    cr_expect_eq(bz_call(p, in, out), BZ_EINDEX);
    cr_expect(strstr(bz_message(c), "outside axis 0 of 5") && !strstr(bz_message(c), "index 8"),
              "%s", bz_message(c));
    bz_close(c);
}
