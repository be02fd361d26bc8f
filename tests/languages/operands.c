/* operands.c - numbers beside tensors, as a program of C11 and of C++17; what it says is in operands.txt. */
#ifdef __cplusplus
#define CAST(T, x) static_cast<T>(x)
extern "C" { /* as some include every C header */
#include <braze/braze.h>
}
#else
#define CAST(T, x) ((T)(x))
#include <braze/braze.h>
#endif
#include <math.h>
#include <stdio.h>

enum kind { SEVEN = 7 };

static void number(const char *what, bz_tensor *x) {
    printf("%s %s %.17g %lld\n", what, bz_dtype_name(bz_dtype_of(x)), bz_item(x),
           (long long)bz_item_int(x));
}

int main(void) {
    bz_context *c;
    if (bz_open(NULL, &c)) return 1;
    const bool yes = true;
    const enum kind seven = SEVEN;
    bz_tensor *x = bz_full(c, NULL, 0, 3, BZ_F32), *i = bz_zeros(c, NULL, 0, BZ_I64);
    bz_tensor *const d = bz_zeros(c, NULL, 0, BZ_F64), *m = bz_ones(c, NULL, 0, BZ_BOOL);
    number("int", bz_mul(x, 2));
    number("left", bz_sub(1, x));
    number("unsigned", bz_sub(i, 4000000000U));
    number("long", bz_add(i, 9007199254740993));
    number("uint64", bz_add(i, UINT64_C(9007199254740993)));
    number("min", bz_add(INT64_MIN, i));
    number("char", bz_add(i, CAST(signed char, -3)));
    number("enum", bz_mul(bz_add(i, seven), SEVEN));
    number("bool", bz_mul(m, yes));
    number("float", bz_add(0.1F, d));
    number("double", bz_add(d, 0.1));
    number("where", bz_where(m, x, 0));
    number("choice", bz_where(bz_lt(x, INFINITY), 0.5, 1));
    number("clamp", bz_clamp(x, 0, 1));
    number("nested", bz_add(bz_mul(bz_add(bz_mul(bz_add(1, x), 2), 3), 0.5), bz_neg(bz_pow(x, 2))));
    number("sgd", bz_sgd_step(x, x, 0.5, NULL, NULL));
    bz_tensor *first = bz_mul(x, 0), *second = first;
    number("adam", bz_adam_step(x, x, &first, &second, 1, 0.25, NULL));
    number("none",
           bz_linear(bz_ones(c, BZ_SHAPE(1), BZ_F32), bz_ones(c, BZ_SHAPE(1, 1), BZ_F32), NULL));
    number("in place", bz_mul_(bz_add_(bz_fill_(i, INT64_MAX / 4), 1), 2));
    float data[] = {1, 2, 3, 4, 5, 6};
    bz_tensor *t = bz_from_buffer(c, BZ_F32, data, BZ_STRIDED((3, 2), (1, 3)));
    number("strided", bz_sum(bz_mul(t, bz_from_buffer(c, BZ_F32, data, BZ_DENSE(3, 2))), BZ_ALL));
    number("window", bz_sum(bz_as_strided(bz_sub(t, 1), BZ_STRIDED((2, 2), (2, 1)), 1), BZ_ALL));
    number("variance", bz_var(bz_at(t, ":, 0"), BZ_ALL, 1));
    number("of all", bz_sum(bz_var(bz_mul(t, 6), BZ_AXES(1, -2), true, 0), BZ_ALL));
    bz_tensor *bad = bz_add(x, CAST(bz_tensor *, NULL));
    bz_eval(&bad, 1);
    printf("%.23s\n", bz_message(c));
    bz_close(c);
    return 0;
}
