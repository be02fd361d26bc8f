/* test_control_calls.c - bz_cond, bz_while, bz_for: what the host decides and what a program decides is the same, to the bit: values,
 * gradients of gradients, random numbers; on every device, in every mode. Mistakes; memory; graphs that go when nobody needs them. */
#include "runtime/base/context.h"
#include "runtime/memory/buffer.h"
#include "tests/support/rt_support.h"

#include <stdlib.h>

#define FUNCTION(name)                                                                             \
    static bz_status name(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, \
                          void *user)
#define UNUSED (void)c, (void)in, (void)nin, (void)out, (void)nout, (void)user

static bz_tensor *total(bz_tensor *x) {
    return bz_sum(x, NULL, 0, false);
}

/* ---- functions of which each is run as it is, and compiled */

FUNCTION(doubles) {
    UNUSED;
    return out[0] = bz_add(in[0], in[0]), out[1] = bz_sin(in[0]), BZ_OK;
}

FUNCTION(reads_outside) {
    UNUSED;
    return out[0] = bz_mul(in[0], *(bz_tensor **)user), out[1] = in[0], BZ_OK;
}

FUNCTION(chooses) { /* x, p, w */
    UNUSED;
    bz_tensor *w = in[2], *y[2];
    bz_status s = bz_cond(c, in[1], doubles, reads_outside, &w, in, 1, y, 2);
    if (s) return s;
    return out[0] = bz_add(y[0], in[0]), out[1] = y[1], BZ_OK;
}

FUNCTION(is_small) {
    UNUSED;
    return out[0] = bz_lt(bz_max(in[0], NULL, 0, false), bz_scalar(c, 100)), BZ_OK;
}

FUNCTION(grows) {
    UNUSED;
    bz_tensor *w = *(bz_tensor **)user;
    return out[0] = bz_add(bz_mul(in[0], w), bz_scalar(c, 1)), out[1] = in[1], BZ_OK;
}

FUNCTION(loops) { /* x, p, w */
    UNUSED;
    bz_tensor *w = bz_exp(in[2]), *x[2] = {in[0], in[2]};
    bz_status s = bz_while(c, is_small, grows, &w, 9, x, 2, x);
    return out[0] = x[0], out[1] = x[1], s;
}

FUNCTION(turn) { /* i, x */
    UNUSED;
    bz_tensor *w = *(bz_tensor **)user;
    bz_tensor *odd = bz_eq(bz_remainder(in[0], bz_scalar_int(c, 2)), bz_scalar_int(c, 1)), *y[2];
    bz_status s = bz_cond(c, odd, doubles, reads_outside, user, in + 1, 1, y, 2);
    if (s) return s;
    bz_tensor *i = bz_mul(bz_cast(in[0], BZ_F32), bz_scalar(c, 0.25));
    return out[0] = bz_tanh(bz_add(bz_mul(y[0], w), bz_add(i, y[1]))), BZ_OK;
}

FUNCTION(counts) { /* x, p, w */
    UNUSED;
    bz_tensor *w = in[2];
    bz_status s = bz_for(c, -1, 4, turn, &w, in, 1, out);
    return out[1] = bz_mul(w, w), s;
}

FUNCTION(inner) { /* j, x */
    UNUSED;
    return out[0] = bz_sin(bz_mul(in[1], *(bz_tensor **)user)), BZ_OK;
}

FUNCTION(outer) { /* i, x */
    UNUSED;
    bz_tensor *y;
    bz_status s = bz_for(c, 0, 3, inner, user, in + 1, 1, &y);
    return out[0] = bz_add(y, in[1]), s;
}

FUNCTION(nests) {
    UNUSED;
    bz_tensor *w = in[2];
    bz_status s = bz_for(c, 0, 3, outer, &w, in, 1, out);
    return out[1] = in[0], s;
}

FUNCTION(never) {
    UNUSED;
    bz_tensor *w = in[2];
    bz_status s = bz_for(c, 3, 3, turn, &w, in, 1, out);
    return out[1] = in[0], s;
}

FUNCTION(slope_inside) { /* a step down the slope: a gradient is taken in the body */
    UNUSED;
    bz_tensor *y = total(bz_cosh(bz_mul(in[1], *(bz_tensor **)user))), *g;
    bz_status s = bz_grad(y, in + 1, 1, &g);
    return out[0] = bz_sub(in[1], bz_mul(g, bz_scalar(c, 0.125))), s;
}

FUNCTION(descends) {
    UNUSED;
    bz_tensor *w = in[2];
    bz_status s = bz_for(c, 0, 4, slope_inside, &w, in, 1, out);
    return out[1] = in[0], s;
}

static bz_function *const functions[] = {chooses, loops, counts, nests, never, descends};

/* The function's values, d loss / d x, d loss / d w, and gradients of their sum. */
static unsigned at_hand;
FUNCTION(everything) {
    UNUSED;
    bz_tensor *y[2], *wrt[2] = {in[0], in[2]}, *g[2];
    bz_status s = functions[at_hand](c, in, 3, y, 2, NULL);
    bz_tensor *loss = s ? NULL : bz_add(total(bz_square(y[0])), total(y[1]));
    if (!s) s = bz_grad(loss, wrt, 2, g);
    if (!s) s = bz_grad(bz_add(total(bz_square(g[0])), total(bz_sin(g[1]))), wrt, 2, out + 4);
    if (s) return s;
    return out[0] = y[0], out[1] = y[1], out[2] = g[0], out[3] = g[1], BZ_OK;
}

static void read_all(bz_tensor **x, float values[6][6]) {
    for (int k = 0; k < 6; k++) {
        memset(values[k], 0, sizeof values[k]);
        cr_assert_leq(bz_numel(x[k]), 6);
        cr_assert_eq(bz_to_host(x[k], values[k], (size_t)bz_numel(x[k]) * sizeof(float)), BZ_OK,
                     "function %u, result %d: %s", at_hand, k, bz_message(bz_context_of(x[k])));
    }
}

enum { RESULTS = 6, ROOM = 6 };
static float reference[BZ_LEN(functions)][2][RESULTS][ROOM]; /* by the first context */
static bool known;

/* Values are the same bits; of gradients the shares of a turn may add up before they are added to those of others, unless there is but
 * one (`loops`). Gradients of gradients: the same. */
static void compare(int k, float got[ROOM], float want[ROOM]) {
    const bool bits = k < 2 || (k < 4 && functions[at_hand] == loops);
    for (int i = 0; i < ROOM; i++)
        cr_expect(bits ? !memcmp(&got[i], &want[i], sizeof *got)
                       : fabsf(got[i] - want[i]) <= 2e-5f * (1 + fabsf(want[i])),
                  "function %u, result %d, element %d: %g, not %g", at_hand, k, i, (double)got[i],
                  (double)want[i]);
}

static void same_both_ways(bz_context *c) {
    for (at_hand = 0; at_hand < BZ_LEN(functions); at_hand++) {
        bz_program *p =
            bz_compile(c, everything, NULL, &(bz_compile_options){.nin = 3, .nout = RESULTS});
        for (int yes = 0; yes < 2; yes++) {
            bz_scope_begin(c);
            const float x[6] = {0.5f, -1, 0.25f, 2, 1, -0.75f}, w[3] = {1, 0.5f, -0.5f};
            bz_tensor *in[3] = {bz_from_data(c, BZ_F32, x, BZ_SHAPE(2, 3)),
                                bz_full_int(c, NULL, 0, yes, BZ_BOOL),
                                bz_from_data(c, BZ_F32, w, BZ_SHAPE(3))};
            bz_tensor *here[RESULTS], *there[RESULTS];
            float a[RESULTS][ROOM], b[RESULTS][ROOM];
            cr_assert_eq(everything(c, in, 3, here, RESULTS, NULL), BZ_OK, "function %u: %s",
                         at_hand, bz_message(c));
            read_all(here, a);
            cr_assert_eq(bz_call(p, in, there), BZ_OK, "function %u: %s", at_hand, bz_message(c));
            read_all(there, b);
            if (!known) memcpy(reference[at_hand][yes], a, sizeof a);
            for (int k = 0; k < RESULTS; k++) {
                compare(k, b[k], a[k]);
                cr_expect(!memcmp(a[k], reference[at_hand][yes][k], sizeof a[k]),
                          "function %u, result %d", at_hand, k);
            }
            bz_scope_end(c);
        }
        bz_program_free(p);
    }
    known = true;
}

Test(control_calls, decided_by_the_host_or_by_a_program) {
    on_all(same_both_ways);
}

/* ---- a gradient through a call; functions that are recorded in a recording that has values */

FUNCTION(only_loops) {
    UNUSED;
    bz_tensor *y[2];
    bz_status s = loops(c, in, 3, y, 2, NULL);
    return out[0] = y[0], s;
}

FUNCTION(passes_on) {
    UNUSED;
    return out[0] = bz_mul(in[2], bz_scalar(c, 2)), BZ_OK;
}

FUNCTION(halves_or_not) {
    UNUSED;
    bz_tensor *p = bz_lt(total(in[0]), bz_scalar(c, 3)), *y[2];
    bz_tensor *half = bz_full(c, NULL, 0, 0.5, BZ_F32);
    bz_status s = bz_cond(c, p, doubles, reads_outside, &half, in, 1, y, 2);
    return out[0] = y[0], s;
}

static void through_calls(bz_context *c) {
    bz_program *p = bz_compile(c, only_loops, NULL, &(bz_compile_options){.nin = 3, .nout = 1});
    const float x[3] = {0.5f, -1, 0.25f}, w[3] = {1, 0.5f, -0.5f};
    for (int turn = 0; turn < 3; turn++) {
        bz_tensor *in[3] = {bz_from_data(c, BZ_F32, x, BZ_SHAPE(3)),
                            bz_full_int(c, NULL, 0, 1, BZ_BOOL),
                            bz_from_data(c, BZ_F32, w, BZ_SHAPE(3))};
        bz_tensor *y, *z, *g, *h;
        cr_assert_eq(bz_call(p, in, &y), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_grad(total(y), &in[2], 1, &g), BZ_OK, "%s", bz_message(c));
        float a[3], b[3];
        cr_assert_eq(bz_to_host(g, a, sizeof a), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(only_loops(c, in, 3, &z, 1, NULL), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_grad(total(z), &in[2], 1, &h), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_to_host(h, b, sizeof b), BZ_OK, "%s", bz_message(c));
        cr_expect(!memcmp(a, b, sizeof a), "%g, not %g", (double)a[0], (double)b[0]);
    }
    bz_program_free(p);
    bz_tensor *few = bz_full(c, BZ_SHAPE(2), 1, BZ_F32), *many = bz_full(c, BZ_SHAPE(2), 4, BZ_F32),
              *y, *g;
    cr_assert_eq(bz_custom_grad(c, halves_or_not, passes_on, NULL, &few, 1, &y, 1), BZ_OK, "%s",
                 bz_message(c));
    EXPECT(y, 2, 2);
    cr_assert_eq(bz_custom_grad(c, halves_or_not, passes_on, NULL, &many, 1, &y, 1), BZ_OK, "%s",
                 bz_message(c));
    EXPECT(y, 2, 2);
    cr_assert_eq(bz_grad(total(y), &many, 1, &g), BZ_OK, "%s", bz_message(c));
    EXPECT(g, 2, 2);
}

Test(control_calls, gradients_through_calls) {
    on_all(through_calls);
}

/* ---- random numbers */

FUNCTION(drops) { /* i, x */
    UNUSED;
    bz_tensor *r = bz_rand(c, BZ_SHAPE(3), BZ_F32), *n = bz_randn(c, BZ_SHAPE(3), BZ_F32);
    return out[0] = bz_add(bz_mul(in[1], r), n), BZ_OK;
}

FUNCTION(drops_twice) {
    UNUSED;
    bz_tensor *x;
    bz_status s = bz_for(c, 0, 2, drops, NULL, in + 1, 1, &x);
    return out[0] = bz_add(x, bz_rand(c, BZ_SHAPE(3), BZ_F32)), s;
}

FUNCTION(draws) {
    UNUSED;
    bz_tensor *x = bz_add(in[0], bz_rand(c, BZ_SHAPE(3), BZ_F32)), *y;
    bz_status s = bz_for(c, 5, 9, drops_twice, NULL, &x, 1, &y);
    return out[0] = bz_add(y, bz_rand(c, BZ_SHAPE(3), BZ_F32)), s;
}

static void same_numbers(bz_context *c) {
    bz_program *p = bz_compile(c, draws, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    bz_tensor *x = bz_zeros(c, BZ_SHAPE(3), BZ_F32), *y;
    float a[2][3], b[2][3];
    bz_seed(c, 5);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(draws(c, &x, 1, &y, 1, NULL), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_to_host(y, a[i], sizeof a[i]), BZ_OK);
    }
    bz_seed(c, 5);
    for (int i = 0; i < 2; i++) {
        cr_assert_eq(bz_call(p, &x, &y), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_to_host(y, b[i], sizeof b[i]), BZ_OK);
    }
    cr_expect(!memcmp(a, b, sizeof a), "%g %g, not %g %g", (double)b[0][0], (double)b[1][0],
              (double)a[0][0], (double)a[1][0]);
    cr_expect(memcmp(a[0], a[1], sizeof a[0]));
    bz_program_free(p);
}

Test(control_calls, random_numbers_of_turns) {
    on_all(same_numbers);
}

/* ---- results are tensors of their own; what goes round is written where it lies */

FUNCTION(same) {
    UNUSED;
    for (int i = 0; i < nout; i++) out[i] = in[0];
    return BZ_OK;
}

static void own_results(bz_context *c) {
    bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32), *y[2],
              *yes = bz_full_int(c, NULL, 0, 1, BZ_BOOL);
    cr_assert_eq(bz_cond(c, yes, same, same, NULL, &x, 1, y, 2), BZ_OK, "%s", bz_message(c));
    bz_add_(y[0], bz_scalar(c, 1));
    EXPECT(x, 1, 1);
    EXPECT(y[0], 2, 2);
    EXPECT(y[1], 1, 1);
    cr_assert_eq(bz_for(c, 0, 0, turn, NULL, &x, 1, y), BZ_OK, "%s", bz_message(c));
    bz_add_(y[0], bz_scalar(c, 1));
    EXPECT(x, 1, 1);
}

Test(control_calls, results_are_their_own) {
    on_all(own_results);
}

FUNCTION(writes_a_row) { /* i, rows, x */
    UNUSED;
    bz_tensor *rows = bz_copy(in[1]), *x = bz_mul(in[2], bz_scalar(c, 1.5));
    bz_copy_(bz_select(rows, 0, 0), x);
    return out[0] = rows, out[1] = x, BZ_OK;
}

FUNCTION(rows_loop) {
    UNUSED;
    const int64_t turns = *(const int64_t *)user;
    bz_tensor *x[2] = {bz_mul(in[0], bz_scalar(c, 2)), in[1]};
    return bz_for(c, 0, turns, writes_a_row, NULL, x, 2, out);
}

/* Bytes that a call of a loop writes, for so many turns. */
static uint64_t bytes_of(bz_context *c, int64_t turns) {
    bz_program *p = bz_compile(c, rows_loop, &turns, &(bz_compile_options){.nin = 2, .nout = 2});
    bz_tensor *in[2] = {bz_ones(c, BZ_SHAPE(512, 64), BZ_F32), bz_ones(c, BZ_SHAPE(64), BZ_F32)},
              *out[2];
    cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s", bz_message(c));
    bz_counters before, after;
    bz_get_counters(c, &before);
    cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s", bz_message(c));
    bz_get_counters(c, &after);
    bz_program_free(p);
    return after.bytes_written - before.bytes_written;
}

Test(control_calls, turns_write_where_the_value_lies) {
    bz_context *c = open_one(BZ_CPU);
    const uint64_t a = bytes_of(c, 10), b = bytes_of(c, 110);
    cr_expect_leq(b - a, 100u * 4 * 64 * 4, "%llu bytes a turn", (unsigned long long)(b - a) / 100);
    bz_close(c);
}

/* ---- graphs go when nobody needs them */

Test(control_calls, graphs_are_not_kept) {
    bz_context *c = open_one(BZ_CPU);
    const float x[6] = {0}, w[3] = {0};
    uint32_t first = 0;
    for (int i = 0; i < 18; i++) {
        bz_scope_begin(c);
        bz_program *p =
            bz_compile(c, everything, NULL, &(bz_compile_options){.nin = 3, .nout = RESULTS});
        at_hand = (unsigned)i % BZ_LEN(functions);
        bz_tensor *in[3] = {bz_from_data(c, BZ_F32, x, BZ_SHAPE(1 + i % 2, 3)),
                            bz_full_int(c, NULL, 0, 1, BZ_BOOL),
                            bz_from_data(c, BZ_F32, w, BZ_SHAPE(3))};
        bz_tensor *out[RESULTS], *g;
        cr_assert_eq(bz_call(p, in, out), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_grad(total(out[0]), in, 1, &g), BZ_OK, "%s", bz_message(c));
        cr_assert_eq(bz_eval(&g, 1), BZ_OK, "%s", bz_message(c));
        bz_program_free(p);
        bz_scope_end(c);
        if (i == 2 * BZ_LEN(functions) - 1) first = c->m->graphs.n;
    }
    cr_expect_eq(c->m->graphs.n, first);
    bz_tensor *one = bz_ones(c, BZ_SHAPE(2), BZ_F32), *two = bz_add(one, one), *three;
    EXPECT(two, 2, 2); /* other work takes the place of the last one */
    three = bz_add(two, one);
    EXPECT(three, 3, 3);
    uint32_t there = 0;
    for (uint32_t i = 0; i < c->m->graphs.n; i++) there += c->m->graphs.p[i] != NULL;
    cr_expect_eq(there, 0, "%u of %u graphs", there, c->m->graphs.n);
    bz_close(c);
}

/* ---- mistakes */

static bz_tensor *kept;

FUNCTION(gives_up) {
    UNUSED;
    return BZ_EARG;
}
FUNCTION(wider) {
    UNUSED;
    return out[0] = bz_reshape(in[0], BZ_SHAPE(2, 1)), out[1] = in[0], BZ_OK;
}
FUNCTION(in_f64) {
    UNUSED;
    for (int i = 0; i < nout; i++) out[i] = bz_cast(in[0], BZ_F64);
    return BZ_OK;
}
FUNCTION(changes) {
    UNUSED;
    for (int i = 0; i < nout; i++) out[i] = bz_add_(in[0], in[0]);
    return BZ_OK;
}
FUNCTION(changes_outside) {
    UNUSED;
    for (int i = 0; i < nout; i++) out[i] = bz_add_(*(bz_tensor **)user, in[0]);
    return BZ_OK;
}
FUNCTION(a_number) {
    UNUSED;
    for (int i = 0; i < nout; i++) out[i] = bz_scalar(c, 1);
    return BZ_OK;
}
FUNCTION(sets_nothing) {
    UNUSED;
    return BZ_OK;
}
FUNCTION(keeps) {
    UNUSED;
    kept = bz_keep(bz_keep(bz_exp(in[0])));
    for (int i = 0; i < nout; i++) out[i] = bz_exp(in[0]);
    return BZ_OK;
}
FUNCTION(noise) {
    UNUSED;
    for (int i = 0; i < nout; i++) out[i] = bz_rand(c, BZ_SHAPE(2), BZ_F32);
    return BZ_OK;
}
FUNCTION(plain) {
    UNUSED;
    for (int i = 0; i < nout; i++) out[i] = bz_exp(in[0]);
    return BZ_OK;
}
FUNCTION(below) {
    UNUSED;
    return out[0] = bz_lt(total(in[0]), bz_scalar(c, 1e9)), BZ_OK;
}
FUNCTION(reads) {
    UNUSED;
    for (int i = 0; i < nout; i++) out[i] = bz_mul(in[0], bz_scalar(c, bz_item(total(in[0]))));
    return BZ_OK;
}

enum { HERE = 1, THERE = 2, BOTH = 3 };
static const struct mistake {
    const char *call; /* cond, while, for */
    bz_function *first, *second;
    bz_status want;
    int where;
    const char *says;
} mistakes[] = {
    {"cond", gives_up, plain, BZ_EARG, BOTH, "[cond] the then function gave up"},
    {"cond", plain, gives_up, BZ_EARG, THERE, "[cond] the else function gave up"},
    {"cond", plain, wider, BZ_ESHAPE, THERE,
     "[cond] result 0 is f32[2] where the condition holds, and f32[2,1] where it does not"},
    {"cond", in_f64, plain, BZ_EDTYPE, THERE, "[cond] result 0 is f64[2] where"},
    {"cond", changes, plain, BZ_EMODE, HERE, "cannot be changed while bz_cond runs"},
    {"cond", changes, plain, BZ_EMODE, THERE,
     "[add_] an input cannot be changed while bz_cond records: change a bz_copy"},
    {"cond", changes_outside, plain, BZ_EMODE, HERE,
     "[add_] a tensor from outside cannot be changed while bz_cond runs: change a bz_copy of it"},
    {"cond", a_number, plain, BZ_EARG, BOTH, "output 0 of the then function is a bz_scalar"},
    {"cond", sets_nothing, plain, BZ_ESCOPE, BOTH, "the then function did not set output 0"},
    {"cond", reads, plain, BZ_EMODE, THERE, "no values while bz_cond records"},
    {"cond", NULL, plain, BZ_EARG, BOTH, "[cond] a function is NULL"},
    {"pred", plain, plain, BZ_EDTYPE, BOTH, "[cond] the condition must be bool[], got f32"},
    {"while", below, wider, BZ_ESHAPE, BOTH,
     "[while] the body makes f32[2,1] of operand 0, which is f32[2]"},
    {"while", below, in_f64, BZ_EDTYPE, BOTH,
     "[while] the body makes f64[2] of operand 0, which is f32[2]"},
    {"while", plain, plain, BZ_EDTYPE, BOTH, "[while] the test's result must be bool[], got f32"},
    {"while", below, noise, BZ_EMODE, THERE, "[while] the body draws random numbers"},
    {"while", below, NULL, BZ_EARG, BOTH, "[while] a function is NULL"},
    {"for", NULL, gives_up, BZ_EARG, BOTH, "[for] the body function gave up"},
};

static const struct mistake *mistake;

FUNCTION(makes_a_mistake) {
    UNUSED;
    bz_tensor *w = in[1], *y[2], *x[2] = {in[0], in[0]};
    bz_tensor *p = !strcmp(mistake->call, "pred") ? in[0] : bz_lt(total(in[0]), bz_scalar(c, 1e9));
    bz_status s = !strcmp(mistake->call, "while")
                      ? bz_while(c, mistake->first, mistake->second, &w, 4, x, 1, y)
                  : !strcmp(mistake->call, "for")
                      ? bz_for(c, 0, 2, mistake->second, &w, x, 1, y)
                      : bz_cond(c, p, mistake->first, mistake->second, &w, x, 1, y, 1);
    return out[0] = y[0], s;
}

static void all_mistakes(bz_context *c) {
    for (unsigned i = 0; i < BZ_LEN(mistakes); i++) {
        mistake = &mistakes[i];
        bz_program *p =
            bz_compile(c, makes_a_mistake, NULL, &(bz_compile_options){.nin = 2, .nout = 1});
        for (int where = HERE; where <= THERE; where *= 2) {
            bz_tensor *in[2] = {bz_ones(c, BZ_SHAPE(2), BZ_F32), bz_ones(c, BZ_SHAPE(2), BZ_F32)},
                      *y;
            if (!(mistake->where & where)) continue;
            const bz_status s =
                where == HERE ? makes_a_mistake(c, in, 2, &y, 1, NULL) : bz_call(p, in, &y);
            cr_expect_eq(s, mistake->want, "case %u, %d: %d, %s", i, where, (int)s, bz_message(c));
            cr_expect(strstr(bz_message(c), mistake->says), "case %u, %d: %s", i, where,
                      bz_message(c));
            cr_expect(strstr(bz_message(c), "test_control_calls.c:"), "case %u: %s", i,
                      bz_message(c));
            bz_clear(c);
            EXPECT(bz_add(in[0], in[1]), 2, 2);
        }
        bz_program_free(p);
    }
}

Test(control_calls, mistakes) {
    on_all(all_mistakes);
}

FUNCTION(without_a_bound) {
    UNUSED;
    bz_tensor *y;
    bz_status s = bz_while(c, below, plain, NULL, 0, in, 1, &y);
    return s ? s : bz_grad(total(y), in, 1, out);
}

FUNCTION(uses_what_was_kept) {
    UNUSED;
    bz_tensor *y, *p = bz_lt(total(in[0]), bz_scalar(c, 1e9));
    bz_status s = bz_cond(c, p, keeps, keeps, NULL, in, 1, &y, 1);
    return out[0] = bz_add(y, kept), s;
}

Test(control_calls, what_a_program_cannot_do) {
    static const struct {
        bz_function *f;
        bz_status want;
        const char *says;
    } cases[] = {
        {without_a_bound, BZ_EGRAD, "bz_while's `most`"},
        {uses_what_was_kept, BZ_EMODE, "[cond] a tensor of its functions is used outside"}};
    for (unsigned i = 0; i < BZ_LEN(cases); i++) {
        bz_context *c = open_one(BZ_CPU);
        bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32), *y;
        bz_program *p = bz_compile(c, cases[i].f, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
        cr_expect_eq(bz_call(p, &x, &y), cases[i].want, "%s", bz_message(c));
        cr_expect(strstr(bz_message(c), cases[i].says), "%s", bz_message(c));
        bz_clear(c);
        cr_expect_eq(cases[i].f(c, &x, 1, &y, 1, NULL), BZ_OK, "%s", bz_message(c));
        bz_close(c);
    }
}

Test(control_calls, what_has_no_one_plan) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *in[3] = {bz_ones(c, BZ_SHAPE(3), BZ_F32), bz_full_int(c, NULL, 0, 1, BZ_BOOL),
                        bz_ones(c, BZ_SHAPE(3), BZ_F32)};
    bz_program *p = bz_compile(c, only_loops, NULL, &(bz_compile_options){.nin = 3, .nout = 1});
    bz_explanation *x;
    cr_assert_eq(bz_prepare(p, in), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_explain(p, NULL, &x), BZ_EMODE);
    cr_expect(strstr(bz_message(c), "[explain] the program chooses between plans"), "%s",
              bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_export(p, in, "/nowhere/step", "step", NULL), BZ_EUNSUPPORTED);
    cr_expect(strstr(bz_message(c), "[while] is run between kernels") &&
                  strstr(bz_message(c), "test_control_calls.c:"),
              "%s", bz_message(c));
    bz_clear(c);
    bz_close(c);
}

/* ---- memory that runs out */

Test(control_calls, memory_that_runs_out) {
    const float x[3] = {0.5f, -1, 0.25f}, w[3] = {1, 0.5f, -0.5f};
    for (at_hand = 0; at_hand < 3; at_hand++)
        for (int there = 0; there < 2; there++) {
            bz_status s = BZ_ENOMEM;
            float want[3] = {0}, got[3];
            for (long n = -1; s; n = n < 40 ? n + 1 : n + 1 + n / 16) {
                bz_context *c = open_one(BZ_CPU);
                bz_tensor *in[3] = {bz_from_data(c, BZ_F32, x, BZ_SHAPE(3)),
                                    bz_full_int(c, NULL, 0, 1, BZ_BOOL),
                                    bz_from_data(c, BZ_F32, w, BZ_SHAPE(3))},
                          *out[RESULTS];
                bz_program *p = bz_compile(c, everything, NULL,
                                           &(bz_compile_options){.nin = 3, .nout = RESULTS});
                if (n >= 0) bz_mem_fail_after(n);
                s = there ? bz_call(p, in, out) : everything(c, in, 3, out, RESULTS, NULL);
                if (!s) s = bz_to_host(out[2], got, sizeof got);
                bz_mem_fail_after(-1);
                if (n < 0) memcpy(want, got, sizeof got);
                cr_assert(s == BZ_ENOMEM || (!s && !memcmp(want, got, sizeof got)),
                          "function %u, allocation %ld: %s", at_hand, n, bz_message(c));
                if (n < 0) s = BZ_ENOMEM;
                bz_clear(c);
                bz_close(c);
            }
        }
}
