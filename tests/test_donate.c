/* test_donate.c - donated inputs whose new value is not computed in place: inputs handed on, values that read all of what they
 * replace, values with several owners. Each runs twice, over braze's memory and over the caller's. */
#include "tests/support/rt_support.h"

enum { N = 4, MAX = 3 };

/* Inputs [1 2 3 4], [5 6 7 8], [9 10 11 12]. */
typedef struct memory {
    bool foreign;
    float values[MAX][N];
    bz_tensor *x[MAX];
} memory;

static void fill(bz_context *c, memory *m, bool foreign) {
    m->foreign = foreign;
    for (int i = 0; i < MAX; i++) {
        for (int k = 0; k < N; k++) m->values[i][k] = (float)(i * N + k + 1);
        m->x[i] = foreign ? bz_from_buffer(c, BZ_F32, m->values[i], ((int64_t[]){N}), NULL, 1)
                          : bz_from_data(c, BZ_F32, m->values[i], BZ_SHAPE(N));
    }
}

/* Tensor i is `want`, and so is the caller's memory. */
static void expect_input(int line, const memory *m, int i, const float *want) {
    expect_at(line, m->x[i], want, N);
    if (m->foreign)
        cr_expect(memcmp(m->values[i], want, sizeof m->values[i]) == 0,
                  "line %d: the caller's memory has %g ...", line, (double)m->values[i][0]);
}
#define EXPECT_INPUT(m, i, ...) expect_input(__LINE__, m, i, (const float[N]){__VA_ARGS__})

static void call(bz_context *c, bz_program *p, memory *m, bz_tensor **out) {
    cr_assert_eq(bz_call(p, m->x, out), BZ_OK, "%s", bz_message(c));
}

#define FUNCTION(name)                                                                             \
    static bz_status name(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, \
                          void *user)
#define UNUSED (void)c, (void)in, (void)nin, (void)out, (void)nout, (void)user

/* Runs `body` over both kinds of memory on every device; it is done when the new values are checked. */
#define CASE(function, nin_, nout_, body, ...)                                                     \
    static void function##_over(bz_context *c, bool foreign) {                                     \
        bz_program *p =                                                                            \
            bz_compile(c, function, NULL,                                                          \
                       &(bz_compile_options){                                                      \
                           .nin = nin_, .nout = nout_, .donate = (const int[]){__VA_ARGS__}});     \
        memory m;                                                                                  \
        fill(c, &m, foreign);                                                                      \
        body(c, p, &m);                                                                            \
    }                                                                                              \
    static void function##_both(bz_context *c) {                                                   \
        function##_over(c, false);                                                                 \
        function##_over(c, true);                                                                  \
    }                                                                                              \
    Test(donate, function) {                                                                       \
        on_all(function##_both);                                                                   \
    }                                                                                              \
    struct function##_end

/* ---- inputs handed on */

FUNCTION(swap) {
    UNUSED;
    out[0] = in[1];
    out[1] = in[0];
    return BZ_OK;
}

static void check_swap(bz_context *c, bz_program *p, memory *m) {
    bz_tensor *out[2], *view = bz_reshape(m->x[0], BZ_SHAPE(2, 2));
    call(c, p, m, out);
    EXPECT_INPUT(m, 0, 5, 6, 7, 8);
    EXPECT_INPUT(m, 1, 1, 2, 3, 4);
    EXPECT(view, 5, 6, 7, 8);
    call(c, p, m, out);
    call(c, p, m, out);
    bz_add_(m->x[0], m->x[0]);
    bz_eval(m->x, 1);
    EXPECT_INPUT(m, 0, 10, 12, 14, 16);
    EXPECT_INPUT(m, 1, 1, 2, 3, 4);
    EXPECT(out[0], 10, 12, 14, 16);
    EXPECT(out[1], 1, 2, 3, 4);
}
CASE(swap, 2, 2, check_swap, 0, 1);

FUNCTION(rotate) {
    UNUSED;
    for (int i = 0; i < 3; i++) out[i] = in[(i + 1) % 3];
    return BZ_OK;
}

static void check_rotate(bz_context *c, bz_program *p, memory *m) {
    bz_tensor *out[3];
    call(c, p, m, out);
    EXPECT_INPUT(m, 0, 5, 6, 7, 8);
    EXPECT_INPUT(m, 1, 9, 10, 11, 12);
    EXPECT_INPUT(m, 2, 1, 2, 3, 4);
}
CASE(rotate, 3, 3, check_rotate, 0, 1, 2);

/* One value for two donated inputs, and once more. */
FUNCTION(share) {
    UNUSED;
    out[0] = out[1] = out[2] = bz_neg(in[0]);
    return BZ_OK;
}

static void check_share(bz_context *c, bz_program *p, memory *m) {
    bz_tensor *out[3];
    call(c, p, m, out);
    bz_fill_(m->x[0], 0);
    bz_eval(m->x, 1);
    EXPECT_INPUT(m, 0, 0, 0, 0, 0);
    EXPECT_INPUT(m, 1, -1, -2, -3, -4);
    EXPECT(out[2], -1, -2, -3, -4);
}
CASE(share, 2, 3, check_share, 1, 0);

/* ---- the old value is still asked for */

FUNCTION(new_and_old) {
    UNUSED;
    out[0] = bz_neg(in[0]);
    out[1] = in[0];
    return BZ_OK;
}

static void check_new_and_old(bz_context *c, bz_program *p, memory *m) {
    bz_tensor *out[2];
    call(c, p, m, out);
    EXPECT_INPUT(m, 0, -1, -2, -3, -4);
    EXPECT(out[0], -1, -2, -3, -4);
    EXPECT(out[1], 1, 2, 3, 4);
}
CASE(new_and_old, 1, 2, check_new_and_old, 0);

FUNCTION(old_and_new) {
    UNUSED;
    out[0] = bz_reshape(in[0], BZ_SHAPE(2, 2));
    out[1] = bz_neg(in[0]);
    return BZ_OK;
}

static void check_old_and_new(bz_context *c, bz_program *p, memory *m) {
    bz_tensor *out[2];
    call(c, p, m, out);
    EXPECT_INPUT(m, 0, -1, -2, -3, -4);
    EXPECT(out[0], 1, 2, 3, 4);
}
CASE(old_and_new, 1, 2, check_old_and_new, 1);

/* What is donated to one output is what another output hands on. */
FUNCTION(pass_on) {
    UNUSED;
    out[0] = bz_neg(in[1]);
    out[1] = in[0];
    return BZ_OK;
}

static void check_pass_on(bz_context *c, bz_program *p, memory *m) {
    bz_tensor *out[2];
    call(c, p, m, out);
    EXPECT_INPUT(m, 0, -5, -6, -7, -8);
    EXPECT_INPUT(m, 1, 1, 2, 3, 4);
}
CASE(pass_on, 2, 2, check_pass_on, 0, 1);

/* Recorded before the call, run after it. */
static void check_recorded(bz_context *c, bz_program *p, memory *m) {
    bz_tensor *out[2], *sum = bz_add(m->x[0], m->x[0]), *diff = bz_sub(m->x[1], m->x[0]);
    call(c, p, m, out);
    EXPECT(sum, 2, 4, 6, 8);
    EXPECT(diff, 4, 4, 4, 4);
    EXPECT_INPUT(m, 0, 5, 6, 7, 8);
    EXPECT_INPUT(m, 1, 1, 2, 3, 4);
}

FUNCTION(swap_later) {
    return swap(c, in, nin, out, nout, user);
}
CASE(swap_later, 2, 2, check_recorded, 0, 1);

/* An in-place change before the call, seen, and read by what is not computed yet. */
static void check_changed(bz_context *c, bz_program *p, memory *m) {
    bz_tensor *out[2];
    bz_add_(m->x[0], m->x[1]);
    EXPECT_INPUT(m, 0, 6, 8, 10, 12);
    bz_tensor *twice = bz_add(m->x[0], m->x[0]);
    call(c, p, m, out);
    EXPECT(twice, 12, 16, 20, 24);
    EXPECT(bz_add(m->x[0], m->x[0]), 10, 12, 14, 16);
    EXPECT_INPUT(m, 0, 5, 6, 7, 8);
    EXPECT_INPUT(m, 1, 6, 8, 10, 12);
}

FUNCTION(swap_changed) {
    return swap(c, in, nin, out, nout, user);
}
CASE(swap_changed, 2, 2, check_changed, 0, 1);

/* ---- values that read all of what they replace */

FUNCTION(reverse) {
    UNUSED;
    out[0] = bz_flip(in[0], BZ_AXES(0));
    return BZ_OK;
}

static void check_reverse(bz_context *c, bz_program *p, memory *m) {
    bz_tensor *out[1];
    call(c, p, m, out);
    EXPECT_INPUT(m, 0, 4, 3, 2, 1);
    call(c, p, m, out);
    EXPECT_INPUT(m, 0, 1, 2, 3, 4);
}
CASE(reverse, 1, 1, check_reverse, 0);

FUNCTION(square) {
    UNUSED;
    bz_tensor *x = bz_reshape(in[0], BZ_SHAPE(2, 2));
    out[0] = bz_reshape(bz_matmul(x, x), BZ_SHAPE(4));
    return BZ_OK;
}

static void check_square(bz_context *c, bz_program *p, memory *m) {
    bz_tensor *out[1];
    call(c, p, m, out);
    EXPECT_INPUT(m, 0, 7, 10, 15, 22);
}
CASE(square, 1, 1, check_square, 0);

FUNCTION(both_ways) {
    UNUSED;
    out[0] = bz_add(in[0], bz_flip(in[1], BZ_AXES(0)));
    out[1] = bz_add(in[1], bz_flip(in[0], BZ_AXES(0)));
    return BZ_OK;
}

static void check_both_ways(bz_context *c, bz_program *p, memory *m) {
    bz_tensor *out[2];
    call(c, p, m, out);
    EXPECT_INPUT(m, 0, 9, 9, 9, 9);
    EXPECT_INPUT(m, 1, 9, 9, 9, 9);
}
CASE(both_ways, 2, 2, check_both_ways, 0, 1);

/* ---- what cannot be donated says what it is, and what to do */

FUNCTION(negate) {
    UNUSED;
    out[0] = bz_neg(in[0]);
    return BZ_OK;
}

Test(donate, what_is_not_whole_is_named) {
    bz_context *c = open_one(BZ_REF);
    float v[8] = {0};
    bz_tensor *x = bz_ones(c, BZ_SHAPE(2, 2), BZ_F32), *y;
    const struct {
        bz_tensor *x;
        const char *says;
    } cases[] = {
        {bz_reshape(x, BZ_SHAPE(4)),
         "[call] donated input 0 is a view of another shape (bz_reshape)"},
        {bz_transpose(x, 0, 1), "is a view: only whole tensors can be donated, such as a bz_copy"},
        {bz_select(x, 0, 1), "is a view: "},
        {bz_from_buffer(c, BZ_F32, v, BZ_STRIDED((4), (2))),
         "is memory with strides of its own (bz_from_buffer): only"},
        {bz_scalar(c, 3), "is a bz_scalar: "},
    };
    bz_program *p = bz_compile(c, negate, NULL,
                               &(bz_compile_options){.nin = 1, .nout = 1, .donate = (int[]){0}});
    for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
        bz_tensor *in = cases[i].x;
        cr_expect_eq(bz_call(p, &in, &y), BZ_EARG, "case %u", i);
        cr_expect(strstr(bz_message(c), cases[i].says), "case %u: %s", i, bz_message(c));
        bz_clear(c);
        if (i == 4) break;
        in = bz_copy(in); /* as it says */
        cr_expect_eq(bz_call(p, &in, &y), BZ_OK, "case %u: %s", i, bz_message(c));
    }
    bz_close(c);
}
