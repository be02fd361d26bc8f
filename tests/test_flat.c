/* test_flat.c - what is done again and again takes no more memory: it is what lives that counts, not what ever lived. */
#include "tests/support/rt_support.h"

#include <malloc.h>
#include <stdio.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { MEASURED = 0 }; /* what is freed stays in quarantine */
#else
enum { MEASURED = 1 };
#endif

/* Bytes that malloc has handed out. */
static size_t in_use(void) {
    return mallinfo2().uordblks;
}

/* Does `turn` so many times; the last four in five may add no more than `room` bytes. */
static void stays_flat_at(int line, bz_context *c, void (*turn)(bz_context *, int), int n,
                          size_t room) {
    size_t before = 0;
    for (int i = 0; i < n; i++) {
        if (i == n / 5) before = in_use();
        turn(c, i);
    }
    size_t after = in_use();
    cr_assert_eq(bz_context_status(c), BZ_OK, "line %d: %s", line, bz_message(c));
    if (MEASURED)
        cr_expect_leq(after, before + room, "line %d: %zu bytes, then %zu", line, before, after);
}
#define STAYS_FLAT(...) stays_flat_at(__LINE__, __VA_ARGS__)

static bz_status negate(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_neg(in[0]);
    return BZ_OK;
}

static const char *long_name(int i) {
    static char text[200];
    snprintf(text, sizeof text, "%0*d", (int)sizeof text - 1, i);
    return text;
}

static void names_a_function(bz_context *c, int i) {
    const char *name = long_name(i);
    bz_program *p = bz_compile(
        c, negate, NULL,
        &(bz_compile_options){.nin = 1, .nout = 1, .in_names = &name, .out_names = &name});
    if (i % 1000 == 0) {
        bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32), *y;
        cr_assert_eq(bz_call(p, &x, &y), BZ_OK, "%s", bz_message(c));
        bz_release(x);
        bz_release(y);
    }
    cr_assert_eq(bz_program_free(p), BZ_OK);
}

static void names_a_tensor(bz_context *c, int i) {
    bz_tensor *x = bz_scalar(c, i);
    bz_name(x, "a name that another takes the place of, which is longer than most");
    bz_name(x, long_name(i));
    bz_release(x);
}

Test(flat, names) {
    bz_context *c = open_one(BZ_REF);
    STAYS_FLAT(c, names_a_function, 20000, 65536);
    STAYS_FLAT(c, names_a_tensor, 20000, 65536);
    bz_close(c);
}
