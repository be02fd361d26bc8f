/* test_complex_api.c - complex tensors by the public functions: in and out of memory, views, in place through views, compiled, gradients; on every
 * device, lazy and eager. */
#include "tests/support/rt_support.h"

#include <complex.h>

#define EXPECT_C(x, ...)                                                                           \
    expect_complex(__LINE__, (x), (const float complex[]){__VA_ARGS__},                            \
                   (int)(sizeof((const float complex[]){__VA_ARGS__}) / sizeof(float complex)))

static void expect_complex(int line, bz_tensor *x, const float complex *want, int n) {
    float complex got[64];
    cr_assert_eq(bz_dtype_of(x), BZ_C64, "line %d: %s", line, bz_message(bz_context_of(x)));
    cr_assert_eq(bz_numel(x), n, "line %d", line);
    cr_assert_eq(bz_to_host(x, got, (size_t)n * sizeof *got), BZ_OK, "line %d: %s", line, bz_message(bz_context_of(x)));
    for (int i = 0; i < n; i++)
        cr_expect(cabsf(got[i] - want[i]) <= 1e-5f * (1 + cabsf(want[i])), "line %d: element %d is %g%+gi, not %g%+gi", line, i,
                  (double)crealf(got[i]), (double)cimagf(got[i]), (double)crealf(want[i]), (double)cimagf(want[i]));
}

static bz_tensor *numbers(bz_context *c) {
    const float complex z[6] = {1 + 2 * I, -1, 3 * I, 2 - 1 * I, 0.5f, -2 - 2 * I};
    return bz_from_data(c, BZ_C64, z, BZ_SHAPE(2, 3));
}

static void arithmetic(bz_context *c) {
    bz_tensor *z = numbers(c);
    double parts[2];
    EXPECT_C(bz_mul(z, z), -3 + 4 * I, 1, -9, 3 - 4 * I, 0.25f, 8 * I);
    EXPECT_C(bz_add(bz_mul(z, 2.0), 1), 3 + 4 * I, -1, 1 + 6 * I, 5 - 2 * I, 2, -3 - 4 * I);
    EXPECT_C(bz_div(1.0, bz_at(z, "0")), (1 - 2 * I) / 5, -1, -I / 3);
    EXPECT_C(bz_complex(bz_real(z), bz_imag(z)), 1 + 2 * I, -1, 3 * I, 2 - 1 * I, 0.5f, -2 - 2 * I);
    EXPECT(bz_abs(bz_at(z, ":, 2")), 3, (float)sqrt(8));
    EXPECT_C(bz_sum(z, NULL, 0, false), 0.5f + 2 * I);
    EXPECT_C(bz_full(c, BZ_SHAPE(2), 1.5, BZ_C64), 1.5f, 1.5f);
    EXPECT_C(bz_zeros(c, BZ_SHAPE(2), BZ_C64), 0, 0);
    cr_expect_eq(bz_dtype_of(bz_mul(z, bz_full(c, BZ_SHAPE(3), 1, BZ_F64))), BZ_C128);
    cr_expect_eq(bz_item_complex(bz_at(z, "1, 0"), NULL), BZ_EARG);
    bz_clear(c);
    cr_assert_eq(bz_item_complex(bz_at(z, "1, 0"), parts), BZ_OK, "%s", bz_message(c));
    cr_expect(parts[0] == 2 && parts[1] == -1);
    cr_expect(isnan(bz_item(bz_at(z, "1, 0"))));
    cr_expect(strstr(bz_message(c), "[item] not for complex numbers"), "%s", bz_message(c));
    bz_clear(c);
    EXPECT_ERROR(c, bz_lt(z, z), BZ_EDTYPE, "[lt] not for complex numbers");
    EXPECT_ERROR(c, bz_sort(z, 0, false, NULL), BZ_EDTYPE, "[sort] not for complex numbers");
}

Test(complex_api, arithmetic) {
    on_all(arithmetic);
}

/* What is written through one view is seen by the others, whatever was recorded of them. */
static void in_place(bz_context *c) {
    bz_tensor *z = numbers(c), *t = bz_transpose(z, 0, 1), *row = bz_at(z, "1"), *odd = bz_at(t, "::2, 0");
    bz_add_(row, bz_at(z, "0"));
    EXPECT_C(z, 1 + 2 * I, -1, 3 * I, 3 + 1 * I, -0.5f, -2 + 1 * I);
    bz_mul_(odd, bz_complex(bz_full(c, BZ_SHAPE(1), 0, BZ_F32), bz_full(c, BZ_SHAPE(1), 1, BZ_F32)));
    EXPECT_C(t, -2 + 1 * I, 3 + 1 * I, -1, -0.5f, -3, -2 + 1 * I);
    bz_fill_(bz_at(z, ":, 1"), 7);
    bz_copy_(bz_at(z, "0, :2"), bz_at(z, "1, 1:"));
    EXPECT_C(z, 7, -2 + 1 * I, -3, 3 + 1 * I, 7, -2 + 1 * I);
    EXPECT_C(row, 3 + 1 * I, 7, -2 + 1 * I);
    EXPECT_C(bz_copy(t), 7, 3 + 1 * I, -2 + 1 * I, 7, -3, -2 + 1 * I);
    EXPECT_C(bz_swapaxes(z, 0, 1), 7, 3 + 1 * I, -2 + 1 * I, 7, -3, -2 + 1 * I);
}

Test(complex_api, in_place_through_views) {
    on_all(in_place);
}

static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *y = bz_exp(bz_mul(in[0], in[1]));
    out[0] = y;
    out[1] = bz_sum(bz_abs(y), NULL, 0, false);
    return bz_context_status(c);
}

/* A compiled function has the bits of the calls; of e^(z w), |.|: gradient by z is |e^(z w)| conj(w). */
static void compiled(bz_context *c) {
    bz_tensor *z = numbers(c), *w = bz_at(z, "::-1, ::-1"), *eager[2], *out[2], *d;
    float complex a[6], b[6];
    cr_assert_eq(step(c, (bz_tensor *[]){z, w}, 2, eager, 2, NULL), BZ_OK, "%s", bz_message(c));
    bz_program *p = bz_compile(c, step, NULL, &(bz_compile_options){.nin = 2, .nout = 2});
    cr_assert_eq(bz_call(p, (bz_tensor *[]){z, w}, out), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(bz_to_host(eager[0], a, sizeof a), BZ_OK);
    cr_assert_eq(bz_to_host(out[0], b, sizeof b), BZ_OK);
    cr_expect_arr_eq(a, b, sizeof a);
    bz_tensor *v = bz_stop_gradient(w), *loss = bz_sum(bz_abs(bz_exp(bz_mul(z, v))), NULL, 0, false);
    cr_assert_eq(bz_grad(loss, &z, 1, &d), BZ_OK, "%s", bz_message(c));
    bz_tensor *want = bz_mul(bz_abs(bz_exp(bz_mul(z, v))), bz_conj(v));
    cr_assert_eq(bz_to_host(want, a, sizeof a), BZ_OK, "%s", bz_message(c));
    expect_complex(__LINE__, d, a, 6);
}

Test(complex_api, compiled_and_differentiated) {
    on_all(compiled);
}
