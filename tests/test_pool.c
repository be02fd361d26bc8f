/* test_pool.c - the thread pool of exported artefacts (runtime/aot): every element once, threads
 * that come late or get stuck, several callers, nested runs, fork, the floating-point
 * environment. */
#include "runtime/aot/aot.h"
#include "runtime/aot/share.h"

#include <criterion/criterion.h>
#include <immintrin.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <unistd.h>

/* ThreadSanitizer refuses threads after a fork of a process that has some. */
#if defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define THREAD_SANITIZER
#endif
#endif

enum { N = 1000, FLUSH_TO_ZERO = 0x8000 };

typedef struct job {
    int hits[N];
    int thread[N];
} job;

static void count(void *ctx, int64_t begin, int64_t end, int thread) {
    job *j = ctx;
    for (int64_t i = begin; i < end; i++) {
        j->hits[i]++;
        j->thread[i] = thread;
    }
}

static void expect_each_once(const job *j, int n, int times) {
    for (int i = 0; i < N; i++)
        cr_assert_eq(j->hits[i], i < n ? times : 0, "element %d: %d", i, j->hits[i]);
}

Test(pool, every_element_once_at_any_thread_count_and_size) {
    static const int sizes[] = {0, 1, 2, 3, 7, 64, N};
    for (int threads = 1; threads <= 5; threads++) {
        for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
            job j = {0};
            bz_rt_run run;
            bz_rt_begin(&run, threads);
            cr_assert_eq(run.threads, threads);
            bz_rt_for(&run, count, &j, sizes[s]);
            bz_rt_end(&run);
            expect_each_once(&j, sizes[s], 1);
        }
    }
}

static uint32_t next_random(uint32_t *state) {
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* Tasks of very different lengths: those that end in ..0000 take a while. */
static void count_unevenly(void *ctx, int64_t begin, int64_t end, int thread) {
    for (int64_t i = begin; i < end; i++)
        for (volatile int turn = i % 16 ? 0 : 3000; turn > 0; turn--) {}
    count(ctx, begin, end, thread);
}

Test(pool, every_element_once_for_random_sizes_threads_and_lengths, .timeout = 60) {
    uint32_t seed = 7;
    for (int round = 0; round < 300; round++) {
        job j = {0};
        bz_rt_run run;
        int sizes[10], sum[N] = {0};
        bz_rt_begin(&run, 2 + (int)(next_random(&seed) % 7));
        for (int i = 0; i < 10; i++) {
            sizes[i] = (int)(next_random(&seed) % (i % 2 ? N : 20));
            bz_rt_for(&run, i % 3 ? count : count_unevenly, &j, sizes[i]);
            for (int k = 0; k < sizes[i]; k++) sum[k]++;
        }
        bz_rt_end(&run);
        for (int k = 0; k < N; k++) {
            cr_assert_eq(j.hits[k], sum[k], "round %d, element %d: %d", round, k, j.hits[k]);
            cr_assert_lt(j.thread[k], run.threads);
        }
    }
}

enum { MEET = 4 };

typedef struct meeting {
    _Atomic int here;
    _Atomic int64_t first[MEET];
} meeting;

/* Nobody goes on before all are here: what a thread begins with is not stolen. */
static void meet(void *ctx, int64_t begin, int64_t end, int thread) {
    meeting *m = ctx;
    (void)end;
    if (atomic_load(&m->first[thread]) >= 0) return;
    atomic_store(&m->first[thread], begin);
    atomic_fetch_add(&m->here, 1);
    while (atomic_load(&m->here) < MEET) usleep(100);
}

Test(pool, each_thread_begins_with_the_same_share, .timeout = 20) {
    static const int want[MEET] = {0, 26, 52, 77};
    for (int repeat = 0; repeat < 3; repeat++) {
        meeting m = {.first = {-1, -1, -1, -1}};
        bz_rt_run run;
        bz_rt_begin(&run, MEET);
        bz_rt_for(&run, meet, &m, 102);
        bz_rt_end(&run);
        for (int t = 0; t < MEET; t++) cr_expect_eq(atomic_load(&m.first[t]), want[t]);
    }
}

/* One thread's first piece lasts until everybody else has done all the rest, of its share too. */
typedef struct blockade {
    job count;
    int by; /* the thread that gets stuck */
    _Atomic int64_t done, stuck;
} blockade;

static void get_stuck(void *ctx, int64_t begin, int64_t end, int thread) {
    blockade *b = ctx;
    count(&b->count, begin, end, thread);
    if (thread == b->by && atomic_load(&b->stuck) == 0) {
        atomic_store(&b->stuck, end - begin);
        while (atomic_load(&b->done) < N - (end - begin)) usleep(100);
    }
    while (atomic_load(&b->stuck) == 0) usleep(100); /* so that it finds its share */
    atomic_fetch_add(&b->done, end - begin);
}

Test(pool, others_do_what_a_stuck_thread_has_not_begun, .timeout = 20) {
    for (int threads = 2; threads <= 4; threads++)
        for (int by = 0; by < threads; by++) {
            blockade b = {.by = by};
            bz_rt_run run;
            bz_rt_begin(&run, threads);
            bz_rt_for(&run, get_stuck, &b, N);
            bz_rt_end(&run);
            expect_each_once(&b.count, N, 1);
            cr_expect_lt(atomic_load(&b.stuck), N / threads);
        }
}

/* A launch's context is valid until the launch returns. The workers are often asleep when one
 * begins and come when it is over, or in the middle of the next. */
typedef struct brief {
    _Atomic int valid, hits;
} brief;

static _Atomic int stale;

static void look(void *ctx, int64_t begin, int64_t end, int thread) {
    brief *b = ctx;
    (void)thread;
    if (!atomic_load(&b->valid)) atomic_fetch_add(&stale, 1);
    atomic_fetch_add(&b->hits, (int)(end - begin));
}

Test(pool, a_late_worker_leaves_a_finished_launch_alone, .timeout = 60) {
    static brief b[64];
    for (int r = 0; r < 200; r++) {
        bz_rt_run run;
        bz_rt_begin(&run, 4);
        for (int i = 0; i < 64; i++) {
            atomic_store(&b[i].hits, 0);
            atomic_store(&b[i].valid, 1);
            bz_rt_for(&run, look, &b[i], 2 + i);
            atomic_store(&b[i].valid, 0);
            cr_assert_eq(atomic_load(&b[i].hits), 2 + i);
        }
        bz_rt_end(&run);
        usleep(r % 8 == 0 ? 1000 : 0); /* long enough to park */
    }
    cr_expect_eq(atomic_load(&stale), 0);
}

typedef struct lengths {
    int64_t n;
    _Atomic int64_t sum, last, wrong;
} lengths;

static void add_lengths(void *ctx, int64_t begin, int64_t end, int thread) {
    lengths *l = ctx;
    (void)thread;
    if (begin < 0 || begin >= end || end > l->n) atomic_fetch_add(&l->wrong, 1);
    if (end == l->n) atomic_fetch_add(&l->last, 1);
    atomic_fetch_add(&l->sum, end - begin);
}

Test(pool, more_tasks_than_32_bits_count) {
    static const int64_t sizes[] = {INT32_MAX,        (int64_t)INT32_MAX + 1,
                                    (int64_t)1 << 32, ((int64_t)1 << 40) + 12345,
                                    INT64_MAX - 1,    INT64_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        lengths l = {.n = sizes[i]};
        bz_rt_run run;
        bz_rt_begin(&run, 3);
        bz_rt_for(&run, add_lengths, &l, l.n);
        bz_rt_end(&run);
        cr_expect_eq(atomic_load(&l.sum), l.n);
        cr_expect_eq(atomic_load(&l.last), 1);
        cr_expect_eq(atomic_load(&l.wrong), 0);
    }
}

Test(pool, many_launches_in_one_run_and_across_parking) {
    job j = {0};
    bz_rt_run run;
    for (int r = 0; r < 20; r++) {
        bz_rt_begin(&run, 3);
        for (int i = 0; i < 50; i++) bz_rt_for(&run, count, &j, i % 2 ? N : 2);
        bz_rt_end(&run);
        usleep(r % 4 == 0 ? 1000 : 0); /* long enough to park */
    }
    for (int i = 0; i < N; i++) cr_assert_eq(j.hits[i], i < 2 ? 1000 : 500);
}

static void inner(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)thread;
    bz_rt_run run;
    bz_rt_begin(&run, 4);
    for (int64_t i = begin; i < end; i++) bz_rt_for(&run, count, (job *)ctx + i, N);
    bz_rt_end(&run);
}

Test(pool, a_run_inside_a_task_works_alone) {
    static job j[6];
    bz_rt_run run;
    bz_rt_begin(&run, 3);
    bz_rt_for(&run, inner, j, 6);
    bz_rt_end(&run);
    for (int i = 0; i < 6; i++) expect_each_once(&j[i], N, 1);
}

static void *caller(void *arg) {
    for (int r = 0; r < 200; r++) {
        bz_rt_run run;
        bz_rt_begin(&run, 3);
        bz_rt_for(&run, count, arg, N);
        bz_rt_end(&run);
    }
    return NULL;
}

Test(pool, concurrent_callers_all_finish) {
    static job j[4];
    pthread_t t[4];
    for (int i = 0; i < 4; i++) cr_assert_eq(pthread_create(&t[i], NULL, caller, &j[i]), 0);
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    for (int i = 0; i < 4; i++) expect_each_once(&j[i], N, 200);
}

static void look_at_fp(void *ctx, int64_t begin, int64_t end, int thread) {
    (void)thread;
    for (int64_t i = begin; i < end; i++) ((unsigned *)ctx)[i] = _mm_getcsr() & ~0x3fu;
}

Test(pool, tasks_run_in_the_default_fp_environment_and_the_callers_returns) {
    unsigned mine = _mm_getcsr() | FLUSH_TO_ZERO, seen[3] = {0};
    _mm_setcsr(mine);
    bz_rt_run run;
    bz_rt_begin(&run, 3);
    bz_rt_for(&run, look_at_fp, seen, 3);
    bz_rt_end(&run);
    cr_expect_eq(_mm_getcsr(), mine);
    for (int i = 0; i < 3; i++) cr_expect_eq(seen[i], 0x1f80);
}

Test(pool, thread_count_is_settable) {
    bz_rt_set_threads(3);
    cr_expect_eq(bz_rt_threads(), 3);
    bz_rt_run run;
    bz_rt_begin(&run, 0);
    cr_expect_eq(run.threads, 3);
    bz_rt_end(&run);
    bz_rt_set_threads(1 << 20);
    cr_expect_eq(bz_rt_threads(), BZ_RT_MAX_THREADS);
    setenv("BRAZE_THREADS", "2", 1);
    bz_rt_set_threads(0);
    cr_expect_eq(bz_rt_threads(), 2);
}

Test(pool, stop_joins_the_workers_and_the_next_run_makes_new_ones) {
    for (int r = 0; r < 10; r++) {
        job j = {0};
        bz_rt_run run;
        bz_rt_begin(&run, 4);
        bz_rt_for(&run, count, &j, N);
        bz_rt_end(&run);
        bz_rt_stop();
        expect_each_once(&j, N, 1);
    }
}

#ifndef THREAD_SANITIZER
static int status_of_child(void) {
    pid_t child = fork();
    if (child == 0) {
        job j = {0};
        bz_rt_run run;
        bz_rt_begin(&run, 3);
        bz_rt_for(&run, count, &j, N);
        bz_rt_end(&run);
        bz_rt_stop();
        int sum = 0;
        for (int i = 0; i < N; i++) sum += j.hits[i];
        _exit(sum == N && run.threads == 3 ? 0 : 1);
    }
    int status = -1;
    waitpid(child, &status, 0);
    return status;
}

Test(pool, fork_before_and_after_first_use, .timeout = 20) {
    cr_expect_eq(status_of_child(), 0);
    job j = {0};
    caller(&j);
    cr_expect_eq(status_of_child(), 0);
    caller(&j);
    expect_each_once(&j, N, 400);
}

/* The child of an open run has no workers; it goes on alone. */
Test(pool, a_run_goes_on_in_a_forked_child, .timeout = 20) {
    job j = {0};
    bz_rt_run run;
    bz_rt_begin(&run, 3);
    bz_rt_for(&run, count, &j, N);
    pid_t child = fork();
    bz_rt_for(&run, count, &j, N);
    bz_rt_end(&run);
    if (child == 0) {
        caller(&j);
        int wrong = 0;
        for (int i = 0; i < N; i++) wrong += j.hits[i] != 202;
        _exit(wrong);
    }
    int status = -1;
    waitpid(child, &status, 0);
    cr_expect_eq(status, 0);
    expect_each_once(&j, N, 2);
}
#endif

/* ---- share.h */

Test(share, shares_cover_all_in_order) {
    for (uint32_t n = 0; n < 40; n++)
        for (uint32_t parts = 1; parts < 12; parts++) {
            uint32_t end = 0;
            for (uint32_t i = 0; i < parts; i++) {
                units u = share_cut(n, parts, i);
                cr_assert_eq(u.begin, end);
                cr_assert_leq(units_left(u), n / parts + 1);
                end = u.end;
            }
            cr_assert_eq(end, n);
        }
}

Test(share, bites_come_from_the_front_and_thieves_take_the_back_half) {
    units u = {0};
    share s = share_word((units){100, 120}, false);
    cr_assert(share_steal(&s, &u));
    cr_expect_eq(u.begin, 110);
    cr_expect_eq(u.end, 120);
    cr_expect_eq(atomic_load(&s), share_word((units){100, 110}, false),
                 "a thief makes nobody busy");
    cr_assert(share_bite(&s, &u));
    cr_expect_eq(u.begin, 100);
    cr_expect_eq(u.end, 102);
    cr_expect_eq(atomic_load(&s), share_word((units){102, 110}, true));
    cr_assert(share_steal(&s, &u));
    cr_expect_eq(atomic_load(&s), share_word((units){102, 106}, true));
    while (share_bite(&s, &u)) {}
    cr_expect(share_empty(atomic_load(&s)));
    cr_expect_not(share_done(atomic_load(&s)));
    cr_expect_not(share_steal(&s, &u));
    atomic_store(&s, share_word((units){SHARE_MOST - 1, SHARE_MOST}, true));
    cr_assert(share_steal(&s, &u), "the last one too");
    cr_expect_eq(u.end, SHARE_MOST);
    cr_expect_not(share_bite(&s, &u));
}

Test(cpu, levels_are_consistent_and_capped) {
    bz_rt_isa best = bz_rt_isa_detect();
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        cr_expect_geq(best, BZ_RT_V3);
    if (!__builtin_cpu_supports("avx512f")) cr_expect_lt(best, BZ_RT_V4);
    setenv("BRAZE_ISA", "base", 1);
    cr_expect_eq(bz_rt_isa_selected(), BZ_RT_BASE);
    setenv("BRAZE_ISA", "avx512", 1);
    cr_expect_eq(bz_rt_isa_selected(), BZ_RT_BASE, "the answer is kept");
}
