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
    struct mallinfo2 m = mallinfo2();
    return m.uordblks + m.hblkhd;
}

/* Does `turn` so many times; those after the first `begin` may add no more than `room` bytes. */
static void stays_flat_at(int line, bz_context *c, void (*turn)(bz_context *, int), int begin,
                          int n, size_t room) {
    size_t before = 0;
    for (int i = 0; i < n; i++) {
        if (i == begin) before = in_use();
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
    STAYS_FLAT(c, names_a_function, 4000, 20000, 65536);
    STAYS_FLAT(c, names_a_tensor, 4000, 20000, 65536);
    bz_close(c);
}

/* ---- shapes that are never seen again */

static void new_shape(bz_context *c, int i) {
    float v[2] = {1, 2};
    bz_scope_begin(c);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(i % 1000 + 1, i / 1000 + 1), BZ_F32);
    bz_tensor *y = bz_add(bz_select(x, 0, 0), bz_from_buffer(c, BZ_F32, v, BZ_STRIDED((1), (2))));
    cr_assert_eq(bz_eval(&y, 1), BZ_OK, "%s", bz_message(c));
    bz_scope_end(c);
}

/* What is alive while layouts go keeps its own. */
Test(flat, shapes) {
    bz_context *c = open_one(BZ_REF);
    const int64_t shape[] = {2, 3, 1};
    float v[12];
    for (int i = 0; i < 12; i++) v[i] = (float)i + 1;
    bz_tensor *x = bz_transpose(bz_from_data(c, BZ_F32, v, shape, 3), 0, 1), *out;
    bz_tensor *gaps = bz_from_buffer(c, BZ_F32, v, BZ_STRIDED((2, 2), (6, 2)));
    bz_program *p = bz_compile(c, negate, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    cr_assert_eq(bz_call(p, &x, &out), BZ_OK, "%s", bz_message(c));
    STAYS_FLAT(c, new_shape, 8000, 30000, 262144);
    bz_tensor *loss = bz_sum(bz_square(out), BZ_ALL), *g;
    cr_expect_eq(bz_grad(loss, &x, 1, &g), BZ_OK, "%s", bz_message(c));
    EXPECT(g, 2, 8, 4, 10, 6, 12);
    EXPECT(out, -1, -4, -2, -5, -3, -6);
    EXPECT(gaps, 1, 3, 7, 9);
    cr_assert_eq(bz_call(p, &x, &out), BZ_OK, "%s", bz_message(c));
    EXPECT(out, -1, -4, -2, -5, -3, -6);
    cr_expect(bz_shape(x)[0] == 3 && bz_strides(x)[0] == 1 && bz_shape(x)[2] == 1);
    bz_close(c);
}

/* ---- a recording that nobody reads evaluates itself and gives up its start */

static bz_tensor *total, *one;

static void adds(bz_context *c, int turn) {
    if (!turn) {
        one = bz_ones(c, BZ_SHAPE(2), BZ_F32);
        total = bz_sub(one, one);
    }
    for (int i = 0; i < 1000; i++) {
        bz_tensor *next = bz_add(total, one);
        bz_release(total);
        total = next;
    }
}

Test(flat, a_recording_that_nobody_reads) {
    bz_context *c;
    bz_counters k;
    cr_assert_eq(bz_open(&(bz_options){.device = BZ_REF, .quiet = true}, &c), BZ_OK);
    STAYS_FLAT(c, adds, 800, 1400, (size_t)8 << 20);
    bz_get_counters(c, &k);
    cr_expect_eq(k.evaluations, 5, "%d evaluations of 2^18 ops", (int)k.evaluations);
    EXPECT(total, 1400000, 1400000);
    bz_close(c);
}

/* One that cannot be evaluated is not tried at each op, and the ops that have no part in the mistake go on. */
Test(flat, a_long_recording_with_a_mistake) {
    bz_context *c;
    cr_assert_eq(bz_open(&(bz_options){.device = BZ_REF, .quiet = true}, &c), BZ_OK);
    bz_tensor *bad =
        bz_gather(bz_ones(c, BZ_SHAPE(2), BZ_F32), bz_full(c, BZ_SHAPE(1), 5, BZ_I64), 0);
    for (int i = 0; i < 600; i++) adds(c, i);
    cr_expect_eq(bz_context_status(c), BZ_OK, "%s", bz_message(c));
    EXPECT(total, 600000, 600000);
    EXPECT_ERROR(c, bad, BZ_EINDEX, "index 5 is outside axis 0 of 2");
    bz_close(c);
}
