/* rt_support.h - tests of the public API: contexts of every device and mode, values compared. */
#ifndef TESTS_RT_SUPPORT_H
#define TESTS_RT_SUPPORT_H

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "braze/braze.h"

/* The interpreter, and the CPU's kernels, on memory that the host cannot read: tests/support/devices.c. */
enum { FAR_DEVICE = BZ_CUDA + 1, FAR_KERNELS };

/* Runs `body(context)` on the CPU and on the interpreter, near and far, lazy and eager. */
static inline void on_all(void (*body)(bz_context *c)) {
    static const int devices[] = {BZ_CPU, BZ_REF, FAR_DEVICE};
    for (int i = 0, d; i < 3; i++) {
        d = devices[i];
        for (int m = BZ_LAZY; m <= BZ_EAGER; m++) {
            bz_context *c;
            bz_options o = {.device = (bz_device)d, .mode = (bz_mode)m, .seed = 7};
            cr_assert_eq(bz_open(&o, &c), BZ_OK);
            body(c);
            cr_expect_eq(bz_context_status(c), BZ_OK, "device %d mode %d: %s", d, m, bz_message(c));
            bz_close(c);
        }
    }
}

static inline bz_context *open_one(bz_device d) {
    bz_context *c = NULL;
    cr_assert_eq(bz_open(&(bz_options){.device = d}, &c), BZ_OK);
    return c;
}

/* x is f32 with exactly these elements. */
static inline void expect_at(int line, bz_tensor *x, const float *want, int n) {
    float got[256];
    cr_assert_eq(bz_numel(x), n, "line %d: %lld elements, not %d", line, (long long)bz_numel(x), n);
    cr_assert_eq(bz_to_host(x, got, (size_t)n * sizeof *got), BZ_OK, "line %d: %s", line,
                 bz_message(bz_context_of(x)));
    for (int i = 0; i < n; i++)
        cr_expect(memcmp(&got[i], &want[i], sizeof *got) == 0, "line %d: element %d is %g, not %g",
                  line, i, (double)got[i], (double)want[i]);
}
#define EXPECT(x, ...)                                                                             \
    expect_at(__LINE__, (x), (const float[]){__VA_ARGS__},                                         \
              (int)(sizeof((const float[]){__VA_ARGS__}) / sizeof(float)))

/* The call fails with this status and a message that has this text in it; the context is clean afterwards. */
#define EXPECT_ERROR(c, expression, status, text)                                                  \
    do {                                                                                           \
        bz_tensor *result_ = (expression);                                                         \
        cr_expect_eq(bz_eval(&result_, 1), status, "%s", bz_message(c));                           \
        cr_expect_eq(bz_context_status(c), status);                                                \
        cr_expect(strstr(bz_message(c), text), "'%s' is not in: %s", text, bz_message(c));         \
        bz_clear(c);                                                                               \
    } while (0)

#endif
