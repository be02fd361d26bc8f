/* test_sizes.c - sizes at which elements, bytes or offsets leave 64 bits, for every dtype and every builder that makes a larger shape
 * of a smaller one. Each line gives a handle or a status with words; what is stored whole is BZ_ENOMEM with its size before anything
 * runs; a part of it has the right elements, or is BZ_ENOMEM too. Under UBSan (make ubsan) nothing overflows on the way. */
#include "src/ir/base/base.h"
#include "tests/support/rt_support.h"

static const int64_t sizes[] = {
    INT64_C(1) << 44, INT64_C(1) << 47,
    INT64_C(1) << 50, (INT64_C(1) << 57) - 1,
    INT64_C(1) << 57, INT64_C(1) << 58,
    INT64_C(1) << 59, (INT64_C(1) << 60) - 1,
    INT64_C(1) << 60, (INT64_C(1) << 60) + 1,
    INT64_C(1) << 61, INT64_C(1) << 62,
    INT64_MAX - 1,    INT64_MAX,
};

/* 1 2 3 4 as t, the last three axes of length 1. */
static bz_tensor *four(bz_context *c, bz_dtype t) {
    static const float data[] = {1, 2, 3, 4};
    return bz_cast(bz_from_data(c, BZ_F32, data, (int64_t[]){4, 1}, 2), t);
}

static bz_tensor *one(bz_context *c, bz_dtype t) {
    static const float data[] = {1};
    return bz_cast(bz_from_data(c, BZ_F32, data, (int64_t[]){1}, 1), t);
}

static bz_tensor *wide(bz_context *c, bz_dtype t, int64_t n) {
    return bz_expand(one(c, t), (int64_t[]){n}, 1);
}

#define BUILDER(name, ...)                                                                         \
    static bz_tensor *make_##name(bz_context *c, bz_dtype t, int64_t n) {                          \
        __VA_ARGS__                                                                                \
    }
BUILDER(full, return bz_full(c, (int64_t[]){n}, 1, 1.0, t);)
BUILDER(full_2, return bz_full(c, (int64_t[]){n / 2, 2}, 2, 1.0, t);)
BUILDER(arange, return bz_arange(c, 1.0, (double)n, 1.0, t);)
BUILDER(linspace, return bz_linspace(c, 1.0, 1.0, n, t);)
BUILDER(eye, return bz_eye(c, n, 1, t);)
BUILDER(rand, return bz_rand(c, (int64_t[]){n}, 1, t);)
BUILDER(expand, return wide(c, t, n);)
BUILDER(expand_2, return bz_expand(four(c, t), (int64_t[]){4, n / 4}, 2);)
BUILDER(expand_copy, return bz_copy(bz_expand(four(c, t), (int64_t[]){4, n / 4}, 2));)
BUILDER(flatten, return bz_flatten(bz_expand(four(c, t), (int64_t[]){4, n / 4}, 2), 0, 1);)
BUILDER(reshape, return bz_reshape(wide(c, t, n), (int64_t[]){1, -1}, 2);)
BUILDER(pad_high, return bz_pad(one(c, t), (int64_t[]){0}, (int64_t[]){n - 1}, 1, 1);)
BUILDER(pad_low, return bz_pad(one(c, t), (int64_t[]){n}, (int64_t[]){n}, 1, 1);)
BUILDER(pad_2, return bz_pad(four(c, t), (int64_t[]){n / 8, 0}, (int64_t[]){0, n / 8}, 2, 1);)
BUILDER(pad_copy,
        return bz_copy(bz_pad(four(c, t), (int64_t[]){n / 8, 0}, (int64_t[]){0, n / 8}, 2, 1));)
BUILDER(concat, return bz_concat(((bz_tensor *[]){wide(c, t, n), one(c, t)}), 2, 0);)
BUILDER(concat_same, return bz_concat(((bz_tensor *[]){wide(c, t, n), wide(c, t, n)}), 2, 0);)
BUILDER(stack, return bz_stack(((bz_tensor *[]){wide(c, t, n), wide(c, t, n)}), 2, 1);)
BUILDER(as_strided, return bz_as_strided(one(c, t), (int64_t[]){n}, (int64_t[]){0}, 1, 0);)
BUILDER(strided_far, return bz_as_strided(four(c, t), (int64_t[]){2, 2}, (int64_t[]){n, 1}, 2, 0);)
BUILDER(strided_back, return bz_as_strided(four(c, t), (int64_t[]){2}, (int64_t[]){-n}, 1, n);)
BUILDER(slice, return bz_slice(wide(c, t, n), (int64_t[]){1}, (int64_t[]){n}, (int64_t[]){2}, 1);)
BUILDER(slice_step,
        return bz_slice(wide(c, t, n), (int64_t[]){0}, (int64_t[]){BZ_OPEN}, (int64_t[]){n}, 1);)
BUILDER(flip, return bz_flip(wide(c, t, n), NULL, 0);)
BUILDER(one_hot, return bz_one_hot(bz_full(c, (int64_t[]){2}, 1, 0, BZ_I64), n, t);)
BUILDER(outer, return bz_mul(wide(c, t, n), bz_unsqueeze(wide(c, t, n), 1));)
BUILDER(matmul,
        return bz_matmul(bz_unsqueeze(wide(c, t, n), 1), bz_full(c, (int64_t[]){1, 2}, 2, 1.0, t));)
BUILDER(cast, return bz_cast(bz_add(wide(c, BZ_F64, n), wide(c, BZ_F64, n)), t);)
BUILDER(empty, return bz_full(c, (int64_t[]){n, 0}, 2, 1.0, t);)
BUILDER(diagonal, return bz_diagonal(bz_expand(one(c, t), (int64_t[]){n / 2, 2}, 2), 0, 0, 1);)

static const struct {
    const char *name;
    bz_tensor *(*make)(bz_context *c, bz_dtype t, int64_t n);
} builders[] = {
#define ROW(name)                                                                                  \
    { #name, make_##name }
    ROW(full),         ROW(full_2),      ROW(arange),     ROW(linspace),    ROW(eye),
    ROW(rand),         ROW(expand),      ROW(expand_2),   ROW(expand_copy), ROW(flatten),
    ROW(reshape),      ROW(pad_high),    ROW(pad_low),    ROW(pad_2),       ROW(pad_copy),
    ROW(concat),       ROW(concat_same), ROW(stack),      ROW(as_strided),  ROW(strided_far),
    ROW(strided_back), ROW(slice),       ROW(slice_step), ROW(flip),        ROW(one_hot),
    ROW(outer),        ROW(matmul),      ROW(cast),       ROW(empty),       ROW(diagonal),
};

typedef struct place {
    const char *builder;
    bz_dtype t;
    int64_t n;
    const bz_options *o;
} place;

static bz_context *open_at(const place *at) {
    bz_context *c;
    cr_assert_eq(bz_open(at->o, &c), BZ_OK);
    return c;
}

/* Refused: with a status that a size may have, and words. */
static void expect_words(const place *at, const char *what, bz_context *c, bz_status s) {
    cr_expect(s == BZ_ENOMEM || s == BZ_ESHAPE || s == BZ_EINDEX || s == BZ_EDTYPE ||
                  s == BZ_EUNSUPPORTED || s == BZ_EARG,
              "%s %s %lld, %s: status %d, '%s'", at->builder, bz_dtype_name(at->t),
              (long long)at->n, what, s, bz_message(c));
    cr_expect(strlen(bz_message(c)) > 10 && (s == BZ_ENOMEM || strchr(bz_message(c), '[')),
              "%s %s %lld, %s: '%s'", at->builder, bz_dtype_name(at->t), (long long)at->n, what,
              bz_message(c));
}

static bool has_unit(const char *s) {
    return strstr(s, "iB") || strstr(s, "no memory for ");
}

/* All of it, stored: cannot be, unless it is small. */
static void store_whole(const place *at, bz_context *c, bz_tensor *x) {
    bz_tensor *whole = bz_copy(x);
    bz_status s = bz_eval(&whole, 1);
    if (bz_numel(x) <= 16) return;
    const bool twice = at->t == BZ_C64 || at->t == BZ_C128; /* so many elements */
    cr_expect(s == BZ_ENOMEM || s == BZ_EUNSUPPORTED || (twice && s == BZ_ESHAPE),
              "%s %s %lld: status %d, '%s'", at->builder, bz_dtype_name(at->t), (long long)at->n, s,
              bz_message(c));
    cr_expect(s != BZ_ENOMEM || has_unit(bz_message(c)), "%s %s %lld: no size in '%s'", at->builder,
              bz_dtype_name(at->t), (long long)at->n, bz_message(c));
    bz_clear(c);
}

/* One element. */
static void take_part(const place *at, bz_context *c, bz_tensor *x) {
    if (bz_numel(x) == 0) return;
    for (int axis = bz_ndim(x); axis-- > 0;) x = bz_select(x, axis, 0);
    double v = bz_item(x);
    bz_status s = bz_context_status(c);
    if (s)
        expect_words(at, "a part", c, s);
    else
        cr_expect(v >= 0 && v <= 2, "%s %s %lld: %g", at->builder, bz_dtype_name(at->t),
                  (long long)at->n, v);
    bz_clear(c);
}

static void read_it(const place *at, bz_context *c, bz_tensor *x) {
    char shown[4];
    float few[4];
    if (bz_numel(x) > 16) {
        cr_expect_neq(bz_to_host(x, few, sizeof few), BZ_OK);
        bz_clear(c);
        cr_expect_eq(bz_format(x, shown, sizeof shown), 0u, "%s", at->builder);
        expect_words(at, "printing", c, bz_context_status(c));
        bz_clear(c);
    }
}

static void try_all(const bz_options *o) {
    for (size_t b = 0; b < BZ_LEN(builders); b++)
        for (bz_dtype t = BZ_BOOL; t < BZ_NDTYPES; t++)
            for (size_t k = 0; k < BZ_LEN(sizes); k++) {
                place at = {builders[b].name, t, sizes[k], o};
                bz_context *c = open_at(&at);
                bz_tensor *x = builders[b].make(c, t, sizes[k]);
                if (bz_context_status(c)) {
                    expect_words(&at, "made", c, bz_context_status(c));
                } else if (o->device != BZ_REF || bz_numel(x) >= INT64_C(1) << 47 ||
                           bz_numel(x) <= 16) {
                    take_part(&at, c, x);
                    store_whole(&at, c, x);
                    read_it(&at, c, x);
                }
                bz_clear(c);
                bz_close(c);
            }
}

Test(sizes, on_the_cpu) {
    try_all(&(bz_options){.device = BZ_CPU, .threads = 1});
}

Test(sizes, on_the_interpreter) {
    try_all(&(bz_options){.device = BZ_REF});
}

Test(sizes, eagerly) {
    try_all(&(bz_options){.device = BZ_CPU, .mode = BZ_EAGER, .threads = 1});
}
