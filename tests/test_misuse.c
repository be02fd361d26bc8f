/* test_misuse.c - contexts and compiled functions used as they should not be: closed, freed, from within, by two threads. Each call
 * has a status and words, and nothing is touched. */
#include "tests/support/rt_support.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>

static bz_status twice(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_mul(in[0], bz_scalar(c, 2));
    return BZ_OK;
}

static bz_program *compiled(bz_context *c, bz_function *f, void *user) {
    return bz_compile(c, f, user, &(bz_compile_options){.nin = 1, .nout = 1});
}

/* Every call on a context that takes one; those without a status give -1. */
static int call(int which, bz_context *c) {
    bz_tensor *x = NULL;
    switch (which) {
    case 0: return (int)bz_close(c);
    case 1: return (int)bz_scope_begin(c);
    case 2: return (int)bz_scope_end(c);
    case 3: return (int)bz_set_mode(c, BZ_EAGER);
    case 4: return (int)bz_seed(c, 1);
    case 5: x = bz_ones(c, BZ_SHAPE(2), BZ_F32); break;
    case 6: x = bz_from_data(c, BZ_F32, (float[]){1}, BZ_SHAPE(1)); break;
    case 7: x = bz_scalar(c, 1); break;
    case 8: x = bz_randn(c, BZ_SHAPE(2), BZ_F32); break;
    case 9: x = bz_load_npy(c, "/nowhere"); break;
    case 10: x = bz_from_buffer(c, BZ_F32, &(float){1}, NULL, NULL, 0); break;
    case 11: x = (bz_tensor *)compiled(c, twice, NULL); break;
    case 12: bz_clear(c), bz_profile(c, true), bz_reset_peak(c), bz_get_mode(c); break;
    default: return -2;
    }
    cr_expect_null(x, "call %d gives a tensor", which);
    return -1;
}

/* Closed, never opened, misaligned, on the stack: no crash, a status, words. */
Test(misuse, contexts_that_are_none) {
    long rubbish[64] = {0};
    bz_context *closed = open_one(BZ_REF);
    bz_tensor *x = bz_ones(closed, BZ_SHAPE(2), BZ_F32);
    cr_assert_eq(bz_close(closed), BZ_OK);
    bz_context *other = open_one(BZ_REF); /* not at the same place */
    bz_context *none[] = {closed, (bz_context *)rubbish, (bz_context *)((char *)other + 8),
                          (bz_context *)(uintptr_t)16};
    for (size_t k = 0; k < sizeof none / sizeof *none; k++) {
        for (int i = 0, s; (s = call(i, none[k])) != -2; i++) {
            cr_expect(s == BZ_ESCOPE || s == -1, "call %d: %d", i, s);
            if (i != 12)
                cr_expect(strstr(bz_message(NULL), "closed, or was never one"), "call %d", i);
        }
        cr_expect(bz_context_status(none[k]) != BZ_OK);
        cr_expect(*bz_message(none[k]));
    }
    cr_expect_eq(bz_eval(&x, 1), BZ_ESCOPE);
    cr_expect(*bz_message(NULL));
    cr_expect_eq(bz_close(NULL), BZ_OK);
    cr_expect_eq(bz_scope_begin(NULL), BZ_EARG);
    cr_expect(strstr(bz_message(NULL), "NULL"));
    cr_expect_eq(bz_context_status(other), BZ_OK);
    cr_expect_eq(bz_close(other), BZ_OK);
}

/* A stale pointer stays stale while others come and go. */
Test(misuse, places_are_not_used_again_soon) {
    bz_context *first = open_one(BZ_REF);
    bz_close(first);
    for (int i = 0; i < 1000; i++) {
        bz_context *c = open_one(BZ_REF);
        cr_assert_neq(c, first);
        cr_assert_eq(bz_close(c), BZ_OK);
        cr_assert_eq(bz_close(first), BZ_ESCOPE);
    }
}

Test(misuse, compiled_functions_that_are_none) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32), *out;
    bz_program *freed = compiled(c, twice, NULL), *kept = compiled(c, twice, NULL);
    bz_explanation *e;
    cr_expect_eq(bz_program_free(freed), BZ_OK);
    for (int k = 0; k < 3; k++) {
        bz_program *p = k == 0 ? freed : k == 1 ? (bz_program *)(uintptr_t)64 : NULL;
        bz_status want = p ? BZ_ESCOPE : BZ_EARG;
        cr_expect_eq(bz_call(p, &x, &out), want);
        cr_expect(strstr(bz_message(NULL), "the compiled function"), "%s", bz_message(NULL));
        cr_expect_eq(bz_prepare(p, &x), want);
        cr_expect_eq(bz_explain(p, NULL, &e), want);
        cr_expect_eq(bz_export(p, &x, "/nowhere/x", "x", NULL), want);
        cr_expect_eq(bz_program_free(p), p ? BZ_ESCOPE : BZ_OK);
    }
    cr_expect_eq(bz_explain(kept, NULL, NULL), BZ_EARG);
    bz_close(c);
    cr_expect_eq(bz_call(kept, &x, &out), BZ_ESCOPE, "its context is closed");
    cr_expect_eq(bz_program_free(kept), BZ_ESCOPE);
}

static bz_program *victim;

static bz_status closes(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)nin, (void)nout;
    out[0] = bz_neg(in[0]);
    return *(int *)user ? bz_close(c) : bz_program_free(victim);
}

Test(misuse, closing_and_freeing_from_within) {
    for (int close = 0; close < 2; close++) {
        bz_context *c = open_one(BZ_REF);
        bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32), *out;
        bz_program *p = victim = compiled(c, closes, &close);
        cr_expect_eq(bz_call(p, &x, &out), BZ_EMODE);
        cr_expect(strstr(bz_message(c), close ? "[close]" : "[program_free]"), "%s", bz_message(c));
        bz_clear(c);
        EXPECT(bz_add(x, x), 2, 2);
        cr_expect_eq(bz_program_free(p), BZ_OK);
        cr_expect_eq(bz_close(c), BZ_OK);
    }
}

/* ---- two threads */

static pthread_barrier_t meet;

/* Holds the context for as long as the other thread tries it. */
static bz_status waits(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    pthread_barrier_wait(&meet);
    pthread_barrier_wait(&meet);
    out[0] = bz_neg(in[0]);
    return BZ_OK;
}

static void *holder(void *user) {
    bz_tensor **x = user, *out;
    bz_program *p = compiled(bz_context_of(x[0]), waits, NULL);
    cr_expect_eq(bz_call(p, x, &out), BZ_OK);
    EXPECT(out, -1, -1);
    return NULL;
}

Test(misuse, one_context_on_two_threads) {
    bz_context *c = open_one(BZ_REF);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32), *out, *y = x;
    pthread_t other;
    float v[2];
    bz_eval(&x, 1);
    pthread_barrier_init(&meet, NULL, 2);
    cr_assert_eq(pthread_create(&other, NULL, holder, &x), 0);
    pthread_barrier_wait(&meet); /* the other one is in a call now */
    for (int i = 0, s; (s = call(i, c)) != -2; i++) {
        cr_expect(s == BZ_EBUSY || s == -1, "call %d: %d", i, s);
        if (i != 12)
            cr_expect(strstr(bz_message(c), "another thread"), "call %d: %s", i, bz_message(c));
    }
    cr_expect_null(bz_add(x, x));
    cr_expect_eq(bz_eval(&x, 1), BZ_EBUSY);
    cr_expect_eq(bz_flush(x), BZ_EBUSY);
    cr_expect_eq(bz_to_host(x, v, sizeof v), BZ_EBUSY);
    cr_expect_eq(bz_print(x), BZ_EBUSY);
    cr_expect_eq(bz_release(x), BZ_EBUSY);
    cr_expect_eq(bz_grad(x, &y, 1, &out), BZ_EBUSY);
    cr_expect_eq(bz_context_status(c), BZ_EBUSY, "as this thread sees it");
    pthread_barrier_wait(&meet);
    pthread_join(other, NULL);
    bz_clear(c);
    cr_expect_eq(bz_context_status(c), BZ_OK);
    EXPECT(bz_add(x, x), 2, 2);
    cr_expect_eq(bz_close(c), BZ_OK);
    pthread_barrier_destroy(&meet);
}

/* One after the other is fine. */
static void *adds(void *user) {
    bz_tensor **x = user;
    *x = bz_add(*x, *x);
    cr_expect_eq(bz_eval(x, 1), BZ_OK);
    return NULL;
}

Test(misuse, a_context_wanders_from_thread_to_thread) {
    bz_context *c = open_one(BZ_CPU);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(1), BZ_F32);
    for (int i = 0; i < 4; i++) {
        pthread_t t;
        cr_assert_eq(pthread_create(&t, NULL, adds, &x), 0);
        pthread_join(t, NULL);
    }
    EXPECT(x, 16);
    cr_expect_eq(bz_close(c), BZ_OK);
}

/* Two threads that come within nanoseconds: one gets in, the other BZ_EBUSY, and nothing that the one did is lost. */
enum { ROUNDS = 100000 };
static _Atomic int arrived;

static void *rounds(void *user) {
    static _Thread_local int in;
    in = 0;
    for (int i = 1; i <= ROUNDS; i++) {
        atomic_fetch_add(&arrived, 1);
        for (int spins = 0; atomic_load(&arrived) < 2 * i; spins++)
            if (spins % 1024 == 1023) sched_yield();
        in += bz_scope_begin(user) == BZ_OK;
    }
    return (void *)(intptr_t)in;
}

Test(misuse, two_threads_at_the_same_moment) {
    bz_context *c = open_one(BZ_REF);
    pthread_t other;
    void *theirs;
    atomic_store(&arrived, 0);
    cr_assert_eq(pthread_create(&other, NULL, rounds, c), 0);
    intptr_t in = (intptr_t)rounds(c), scopes = 0;
    pthread_join(other, &theirs);
    in += (intptr_t)theirs;
    while (bz_scope_end(c) == BZ_OK) scopes++;
    cr_expect_geq(in, ROUNDS);
    cr_expect_eq(scopes, in, "%ld calls came in, %ld scopes", (long)in, (long)scopes);
    bz_clear(c);
    cr_expect_eq(bz_close(c), BZ_OK);
}

/* ---- a stale handle names the call that it was given to */

Test(misuse, stale_handles_name_the_call) {
    bz_context *c = open_one(BZ_REF), *closed = open_one(BZ_REF);
    bz_tensor *stale[] = {bz_ones(c, BZ_SHAPE(2), BZ_F32), bz_ones(closed, BZ_SHAPE(2), BZ_F32)},
              *y;
    bz_program *p = compiled(c, twice, NULL);
    bz_release(stale[0]);
    bz_close(closed);
    char text[8];
#define NAMES(call, op)                                                                            \
    do {                                                                                           \
        bz_clear(c);                                                                               \
        (void)(call);                                                                              \
        const char *says_ = *bz_message(c) ? bz_message(c) : bz_message(NULL);                     \
        cr_expect(strstr(says_, "[" op "] the handle is stale") == says_, #call ": %s", says_);    \
    } while (0)
    for (int k = 0; k < 2; k++) {
        bz_tensor *x = stale[k];
        NAMES(bz_item(x), "item");
        NAMES(bz_item_int(x), "item_int");
        NAMES(bz_to_host(x, NULL, 0), "to_host");
        NAMES(bz_print(x), "print");
        NAMES(bz_format(x, text, sizeof text), "format");
        NAMES(bz_save_npy(x, "/nowhere"), "save_npy");
        NAMES(bz_eval(&x, 1), "eval");
        NAMES(bz_flush(x), "flush");
        NAMES(bz_release(x), "release");
        NAMES(bz_exp(x), "exp");
        NAMES(bz_sum(x, BZ_ALL), "sum");
        NAMES(bz_add_(x, 1), "add_");
        NAMES(bz_grad(x, &x, 1, &y), "grad");
    }
    NAMES(bz_ndim(stale[0]), "ndim");
    NAMES(bz_shape(stale[0]), "shape");
    NAMES(bz_call(p, stale, &y), "call");
    NAMES(bz_prepare(p, stale), "prepare");
    NAMES(bz_export(p, stale, "/nowhere/x", "x", NULL), "export");
    bz_close(c);
}

/* ---- every status has words */

Test(misuse, every_status_has_words) {
    bz_context *c = open_one(BZ_REF), *d = open_one(BZ_REF);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32), *y = bz_ones(d, BZ_SHAPE(2), BZ_F32),
              *out = NULL;
    bz_tensor *stale = bz_ones(c, BZ_SHAPE(2), BZ_F32), *mixed[] = {x, y};
    bz_program *p = compiled(c, twice, NULL);
    bz_release(stale);
#define FAILS(expression)                                                                          \
    do {                                                                                           \
        bz_clear(c);                                                                               \
        bz_status s_ = (expression);                                                               \
        cr_expect(s_ != BZ_OK, #expression);                                                       \
        cr_expect(*bz_message(c) || *bz_message(NULL), #expression " says nothing");               \
    } while (0)
    FAILS(bz_eval(NULL, 1));
    FAILS(bz_eval((bz_tensor *[]){NULL}, 1));
    FAILS(bz_eval(&stale, 1));
    FAILS(bz_eval(mixed, 2));
    cr_expect_eq(bz_context_status(d), BZ_OK, "the other context has no part in it");
    FAILS(bz_flush(NULL));
    FAILS(bz_flush(stale));
    FAILS(bz_to_host(stale, NULL, 0));
    FAILS(bz_to_host(x, NULL, 8));
    FAILS(bz_print(stale));
    FAILS(bz_print(NULL));
    FAILS(bz_save_npy(stale, "/nowhere"));
    FAILS(bz_save_npy(NULL, "/nowhere"));
    FAILS(bz_release(stale));
    FAILS(bz_grad(NULL, &x, 1, &out));
    FAILS(bz_grad(x, NULL, 1, &out));
    FAILS(bz_grad(x, &x, 1, NULL));
    FAILS(bz_grad(stale, &x, 1, &out));
    FAILS(bz_grad(x, &y, 1, &out));
    FAILS(bz_call(p, NULL, &out));
    FAILS(bz_call(p, &x, NULL));
    FAILS(bz_call(p, &y, &out));
    FAILS(bz_call(p, &stale, &out));
    FAILS(bz_prepare(p, NULL));
    FAILS(bz_export(p, NULL, "/nowhere/x", "x", NULL));
    FAILS(bz_write_explanation(NULL, BZ_EXPLAIN_TEXT, NULL));
    FAILS(bz_open(NULL, NULL));
#define CHECK_TEXT(name, text) cr_expect(*bz_status_text(name));
    BZ_STATUSES(CHECK_TEXT)
    cr_expect(*bz_status_text((bz_status)999));
    bz_close(d);
    bz_close(c);
}
