/* test_limits.c - limits, interrupts, progress, warnings, the hunt for NaN: what ends work early has a status and words, and leaves all
 * as it was. */
#include "tests/support/rt_support.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* What is tried here is not to be said by whoever runs it. */
static void plain_environment(void) {
    unsetenv("BRAZE_WARN");
    unsetenv("BRAZE_NAN");
}
TestSuite(limits, .init = plain_environment);

static bz_context *open_as(bz_device d, bz_mode m, bool find_nan) {
    bz_context *c = NULL;
    cr_assert_eq(bz_open(&(bz_options){.device = d, .mode = m, .find_nan = find_nan}, &c), BZ_OK);
    return c;
}

/* Several kernels that cannot become one: each row sum is needed whole by the next step. */
static bz_tensor *chain(bz_tensor *x, int n) {
    for (int i = 0; i < n; i++) x = bz_sub(x, bz_mean(bz_cos(x), (const int[]){1}, 1, true));
    return x;
}

static bz_tensor *start(bz_context *c) {
    return bz_reshape(bz_arange(c, 0, 64 * 64, 1, BZ_F32), BZ_SHAPE(64, 64));
}

/* ---- interrupts */

static void interrupted_and_again(bz_context *c) {
    float want[64 * 64], got[64 * 64];
    bz_tensor *x = start(c), *y = chain(x, 3), *z = chain(x, 3);
    cr_expect_eq(bz_to_host(z, want, sizeof want), BZ_OK);
    bz_set_mode(c, BZ_LAZY);
    y = chain(x, 3);
    cr_expect_eq(bz_interrupt(c), BZ_OK);
    cr_expect_eq(bz_eval(&y, 1), BZ_EINTERRUPTED);
    cr_expect(strstr(bz_message(c), "[eval] interrupted (bz_interrupt) while it ") &&
                  strstr(bz_message(c), " at tests/test_limits.c:"),
              "%s", bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_to_host(y, got, sizeof got), BZ_OK, "%s", bz_message(c));
    cr_expect(memcmp(got, want, sizeof got) == 0);
    cr_expect_eq(bz_interrupt(c), BZ_OK);
    bz_clear(c); /* forgets it */
    cr_expect_eq(bz_eval((bz_tensor *[]){chain(x, 4)}, 1), BZ_OK, "%s", bz_message(c));
}

Test(limits, interrupted_and_again) {
    on_all(interrupted_and_again);
}

static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_add(in[0], bz_scalar(c, 1));
    out[1] = chain(in[0], 6);
    return BZ_OK;
}

typedef struct nuisance {
    bz_context *c;
    atomic_bool over;
} nuisance;

static void *interrupts(void *user) {
    nuisance *n = user;
    while (!atomic_load(&n->over)) {
        bz_interrupt(n->c);
        usleep(300);
    }
    return NULL;
}

/* From another thread, again and again: a call either did nothing or all; donated inputs are old or new, never between. */
static void donated_under_fire(bz_device d) {
    bz_context *c = open_as(d, BZ_LAZY, false);
    static const int donate[] = {0};
    bz_program *p =
        bz_compile(c, step, NULL, &(bz_compile_options){.nin = 1, .nout = 2, .donate = donate});
    bz_tensor *x = bz_copy(start(c)), *out[2];
    float v[64 * 64];
    nuisance n = {.c = c};
    pthread_t t;
    int done = 0, ended = 0;
    cr_assert_eq(bz_eval(&x, 1), BZ_OK);
    cr_assert_eq(bz_prepare(p, &x), BZ_OK, "%s", bz_message(c));
    cr_assert_eq(pthread_create(&t, NULL, interrupts, &n), 0);
    for (int i = 0; i < 2000 && (i < 50 || !done || !ended); i++) {
        bz_status s = bz_call(p, &x, out);
        cr_assert(s == BZ_OK || s == BZ_EINTERRUPTED, "%s", bz_message(c));
        done += !s;
        ended += s == BZ_EINTERRUPTED;
        for (int k = 0; k < 2 && !s; k++) bz_release(out[k]);
    }
    atomic_store(&n.over, true);
    pthread_join(t, NULL);
    bz_clear(c);
    cr_expect(ended > 0);
    cr_assert_eq(bz_to_host(x, v, sizeof v), BZ_OK, "%s", bz_message(c));
    for (int i = 0; i < 64 * 64; i++)
        cr_assert_eq(v[i], (float)(i + done), "device %d element %d: %g after %d calls, %d ended",
                     (int)d, i, (double)v[i], done, ended);
    cr_expect_eq(bz_close(c), BZ_OK);
}

Test(limits, donated_inputs_under_fire) {
    donated_under_fire(BZ_CPU);
    donated_under_fire(BZ_REF);
}

static bz_context *of_signal;

static void on_signal(int number) {
    (void)number;
    bz_interrupt(of_signal);
}

Test(limits, interrupts_of_no_context) {
    bz_context *c = open_as(BZ_REF, BZ_LAZY, false);
    bz_close(c);
    cr_expect_eq(bz_interrupt(c), BZ_ESCOPE);
    cr_expect_eq(bz_interrupt(NULL), BZ_EARG);
    cr_expect_eq(bz_interrupt((bz_context *)(uintptr_t)64), BZ_ESCOPE);
}

/* ---- progress */

typedef struct seen {
    bz_context *c;
    int calls, stop_at;
    bool by_signal, out_of_order;
    uint64_t done;
    char phase[64];
    bz_status nested;
} seen;

static int watches(void *user, const char *phase, uint64_t done, uint64_t total) {
    seen *s = user;
    s->calls++;
    s->out_of_order |= done > total || (!strcmp(phase, s->phase) && done < s->done);
    snprintf(s->phase, sizeof s->phase, "%s", phase);
    s->done = done;
    s->nested = bz_scope_begin(s->c);
    if (s->by_signal && s->calls == s->stop_at) raise(SIGUSR1);
    return !s->by_signal && s->calls == s->stop_at;
}

/* A compilation that is ended at each of its parts in turn, by the callback and by a signal, and then goes through. */
Test(limits, compilations_ended_at_each_part) {
    signal(SIGUSR1, on_signal);
    for (int by_signal = 0; by_signal < 2; by_signal++) {
        bz_context *c = of_signal = open_as(BZ_CPU, BZ_LAZY, false);
        bz_tensor *x = start(c), *y = chain(bz_mul(x, bz_scalar(c, 0.25 + by_signal)), 6);
        seen s = {.c = c, .by_signal = by_signal};
        bz_status status = BZ_EINTERRUPTED;
        int most = 0;
        cr_assert_eq(bz_set_progress(c, watches, &s), BZ_OK);
        for (int at = 1; status == BZ_EINTERRUPTED && at < 1000; at++) {
            s.calls = 0;
            s.stop_at = at;
            s.phase[0] = 0;
            status = bz_eval(&y, 1);
            cr_expect(!s.out_of_order);
            most = s.calls > most ? s.calls : most;
            cr_expect(status != BZ_EINTERRUPTED || *bz_message(c));
            cr_expect_eq(s.nested, BZ_EMODE, "the callback may not call the context");
            bz_clear(c);
        }
        cr_expect_eq(status, BZ_OK);
        cr_expect_geq(most, 4, "%d parts", most);
        cr_expect_eq(bz_close(c), BZ_OK);
    }
}

static int stops(void *user, const char *phase, uint64_t done, uint64_t total) {
    (void)phase, (void)done, (void)total;
    return user ? 1 : (int)bz_interrupt(of_signal);
}

Test(limits, who_ended_a_compilation_is_named) {
    for (int by_result = 0; by_result < 2; by_result++) {
        bz_context *c = of_signal = open_as(BZ_CPU, BZ_LAZY, false);
        bz_tensor *y = chain(start(c), 6);
        bz_set_progress(c, stops, by_result ? &by_result : NULL);
        cr_expect_eq(bz_eval(&y, 1), BZ_EINTERRUPTED);
        cr_expect(strstr(bz_message(c),
                         by_result
                             ? "[eval] the progress callback ended"
                             : "[eval] interrupted (bz_interrupt) while it compiled at tests/"),
                  "%s", bz_message(c));
        bz_close(c);
    }
}

/* ---- limits */

static void limit_bytes(bz_context *c) {
    bz_tensor *x = start(c), *y = bz_add(x, x);
    cr_expect_eq(bz_set_limit(c, BZ_LIMIT_BYTES, 8192), BZ_OK);
    cr_expect_eq(bz_get_limit(c, BZ_LIMIT_BYTES), 8192);
    cr_expect_eq(bz_eval(&y, 1), BZ_ELIMIT, "%s", bz_message(c));
    cr_expect(strstr(bz_message(c), "[eval] f32[64,64] takes 16384 bytes beside the ") &&
                  strstr(bz_message(c), "BZ_LIMIT_BYTES allows 8192: release tensors, or raise") &&
                  strstr(bz_message(c), " at tests/test_limits.c:"),
              "%s", bz_message(c));
    bz_clear(c);
    static const float big[64 * 64];
    bz_tensor *z = bz_from_data(c, BZ_F32, big, BZ_SHAPE(64, 64));
    cr_expect_eq(bz_eval(&z, 1), BZ_ELIMIT);
    cr_expect(strstr(bz_message(c), "[from_data] f32[64,64] takes 16384 bytes"), "%s",
              bz_message(c));
    bz_clear(c);
    bz_set_limit(c, BZ_LIMIT_BYTES, 0);
    cr_expect_eq(bz_eval(&y, 1), BZ_OK, "%s", bz_message(c));
}

Test(limits, bytes) {
    for (bz_device d = BZ_CPU; d <= BZ_REF; d++) {
        bz_context *c = open_as(d, BZ_LAZY, false);
        limit_bytes(c);
        bz_close(c);
    }
}

/* What lies between kernels, what a call computes, what eager mode computes. */
Test(limits, bytes_name_what_the_user_did) {
    static const struct {
        bz_mode mode;
        bool calls;
        const char *says;
    } ways[] = {{BZ_LAZY, true, "[call] "}, {BZ_EAGER, false, "[cos] f32[64,64] takes"}};
    for (unsigned k = 0; k < sizeof ways / sizeof *ways; k++) {
        bz_context *c = open_as(BZ_CPU, ways[k].mode, false);
        bz_tensor *x = start(c), *out[2];
        bz_program *p = bz_compile(c, step, NULL, &(bz_compile_options){.nin = 1, .nout = 2});
        cr_assert_eq(bz_eval(&x, 1), BZ_OK);
        bz_set_limit(c, BZ_LIMIT_BYTES, 20000);
        bz_status s = ways[k].calls ? bz_call(p, &x, out) : bz_eval((bz_tensor *[]){bz_cos(x)}, 1);
        cr_expect_eq(s, BZ_ELIMIT);
        cr_expect(strstr(bz_message(c), ways[k].says) == bz_message(c) &&
                      strstr(bz_message(c), " at tests/test_limits.c:"),
                  "%s", bz_message(c));
        bz_close(c);
    }
}

Test(limits, ops_of_a_recording) {
    bz_context *c = open_as(BZ_REF, BZ_LAZY, false);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32), *y = x;
    bz_set_limit(c, BZ_LIMIT_OPS, 100);
    for (int i = 0; i < 200 && !bz_context_status(c); i++) y = bz_sin(y);
    cr_expect_eq(bz_context_status(c), BZ_ELIMIT);
    cr_expect(strstr(bz_message(c), "[sin]") && strstr(bz_message(c), "test_limits.c:"), "%s",
              bz_message(c));
    bz_clear(c);
    cr_expect_eq(bz_eval(&x, 1), BZ_OK);
    cr_expect_eq(bz_context_status(c), BZ_OK);
    EXPECT(bz_add(x, x), 2, 2);
    bz_close(c);
}

Test(limits, compile_time_and_unknown_limits) {
    bz_context *c = open_as(BZ_CPU, BZ_LAZY, false);
    bz_tensor *x = start(c), *y = chain(bz_mul(x, bz_scalar(c, 3)), 60);
    bz_set_limit(c, BZ_LIMIT_COMPILE_MS, 1);
    bz_status s = bz_eval(&y, 1);
    cr_expect(s == BZ_ELIMIT || s == BZ_OK);
    if (s)
        cr_expect(
            strstr(bz_message(c), "[eval] compiling takes longer than BZ_LIMIT_COMPILE_MS, 1 ms"),
            "%s", bz_message(c));
    bz_clear(c);
    bz_set_limit(c, BZ_LIMIT_COMPILE_MS, 0);
    cr_expect_eq(bz_eval(&y, 1), BZ_OK, "%s", bz_message(c));
    cr_expect_eq(bz_set_limit(c, (bz_limit)99, 1), BZ_EARG);
    cr_expect(strstr(bz_message(c), "no limit 99"));
    bz_clear(c);
    bz_close(c);
}

Test(limits, plans) {
    bz_context *c = open_as(BZ_REF, BZ_LAZY, false);
    bz_counters k;
    bz_set_limit(c, BZ_LIMIT_PLANS, 1);
    for (int i = 0; i < 6; i++) { /* two recordings in turn: neither finds its plan */
        bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32), *y = i % 2 ? bz_sin(x) : bz_cos(x);
        cr_expect_eq(bz_eval(&y, 1), BZ_OK);
    }
    bz_get_counters(c, &k);
    cr_expect_eq(k.plan_hits, 0);
    bz_close(c);
}

/* What programs keep between their runs gives way to the next one. */
Test(limits, plans_give_way_to_bytes) {
    bz_context *c = open_as(BZ_CPU, BZ_LAZY, false);
    bz_counters k;
    bz_set_limit(c, BZ_LIMIT_BYTES, 1 << 20);
    for (int turn = 0; turn < 2; turn++)
        for (int i = 1; i <= 12; i++) {
            bz_scope_begin(c);
            bz_tensor *x = bz_sqrt(bz_arange(c, 0, 256 * (200 + i), 1, BZ_F32));
            bz_tensor *y = chain(bz_reshape(x, BZ_SHAPE(200 + i, 256)), 3);
            y = bz_sum(y, BZ_ALL);
            cr_assert_eq(bz_eval(&y, 1), BZ_OK, "%d: %s", i, bz_message(c));
            bz_scope_end(c);
        }
    bz_get_counters(c, &k);
    cr_expect_leq(k.peak_bytes, 1 << 20);
    cr_expect_gt(k.bytes, 0, "the last program keeps what it needs");
    bz_close(c);
}

/* ---- recordings that nobody reads */

static uint64_t warnings(bz_context *c) {
    bz_counters k;
    bz_get_counters(c, &k);
    return k.warnings;
}

Test(limits, a_loop_that_never_reads_is_told_once) {
    char text[1000] = "";
    FILE *f = tmpfile();
    int old = dup(2);
    dup2(fileno(f), 2);
    bz_context *c = open_as(BZ_REF, BZ_LAZY, false), *quiet = NULL;
    bz_open(&(bz_options){.device = BZ_REF, .quiet = true}, &quiet);
    for (int k = 0; k < 2; k++) {
        bz_context *now = k ? quiet : c;
        bz_tensor *x = bz_ones(now, BZ_SHAPE(2), BZ_F32), *y = x;
        for (int i = 0; i < 12000; i++) {
            bz_tensor *next = bz_add(y, x);
            if (y != x) bz_release(y);
            y = next;
        }
        cr_expect_eq(warnings(now), 1);
    }
    fflush(stderr);
    rewind(f);
    size_t n = fread(text, 1, sizeof text - 1, f);
    text[n] = 0;
    dup2(old, 2);
    char *line = strstr(text, "no value read");
    cr_assert(line && strstr(line, "test_limits.c:") && strstr(line, "bz_eval"), "'%s'", text);
    cr_expect(!strstr(line + 1, "no value read"), "once: '%s'", text);
    bz_close(quiet);
    bz_close(c);
    fclose(f);
    close(old);
}

Test(limits, a_loop_that_reads_is_left_alone) {
    bz_context *c = open_as(BZ_REF, BZ_EAGER, false);
    bz_tensor *x = bz_ones(c, BZ_SHAPE(2), BZ_F32);
    for (int i = 0; i < 6000; i++) bz_release(bz_add(x, x));
    cr_expect_eq(warnings(c), 0);
    bz_close(c);
}

/* ---- NaN */

static bz_status log_of(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)nin, (void)nout, (void)user;
    out[0] = bz_log(bz_sub(in[0], bz_scalar(c, 2)));
    return BZ_OK;
}

static void hunt(bz_context *c) {
    float v[4] = {1, 0, 4, 2};
    bz_tensor *x = bz_from_data(c, BZ_F32, v, BZ_SHAPE(2, 2)),
              *one = bz_ones(c, BZ_SHAPE(2, 2), BZ_F32);
    EXPECT_ERROR(c, bz_mul(bz_div(one, x), x), BZ_ENAN,
                 "[div] gives inf at [0,1] of f32[2,2], from operands that are finite, at ");
    EXPECT_ERROR(c, bz_div(one, x), BZ_ENAN, "test_limits.c:");
    EXPECT_ERROR(c, bz_sqrt(bz_neg(x)), BZ_ENAN, "gives nan at [0,0]");
    bz_tensor *all = bz_full(c, BZ_SHAPE(2, 2), INFINITY, BZ_F32), *data = bz_div(all, all);
    cr_expect_eq(bz_eval(&data, 1), BZ_OK, "infinities of the user's own: %s", bz_message(c));
    bz_tensor *fine = bz_sqrt(x);
    cr_expect_eq(bz_eval(&fine, 1), BZ_OK, "%s", bz_message(c));
    bz_program *p = bz_compile(
        c, log_of, NULL, &(bz_compile_options){.nin = 1, .nout = 1, .donate = (const int[]){0}});
    bz_tensor *out;
    cr_expect_eq(bz_call(p, &x, &out), BZ_ENAN);
    bz_clear(c);
    EXPECT(x, 1, 0, 4, 2);
}

Test(limits, the_first_nan_in_every_mode) {
    for (bz_device d = BZ_CPU; d <= BZ_REF; d++)
        for (bz_mode m = BZ_LAZY; m <= BZ_EAGER; m++) {
            bz_context *c = open_as(d, m, true);
            hunt(c);
            bz_close(c);
        }
}
