/* test_pool.c - the thread pool of exported artefacts (runtime/aot): every element once, the same
 * split at any thread count, several callers, nested runs, fork, the floating-point environment. */
#include "runtime/aot/aot.h"

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
    bz_rt_run *run;
    _Atomic int rounds[4];
    _Atomic int wrong;
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

Test(pool, ranges_are_contiguous_ordered_and_even) {
    job j = {0};
    bz_rt_run run;
    bz_rt_begin(&run, 4);
    bz_rt_for(&run, count, &j, 10);
    bz_rt_end(&run);
    static const int want[10] = {0, 0, 0, 1, 1, 1, 2, 2, 3, 3};
    for (int i = 0; i < 10; i++) cr_expect_eq(j.thread[i], want[i]);
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

/* Each round needs the whole previous round: a thread that passes the barrier early sees too
 * few. */
static void rounds(void *ctx, int64_t begin, int64_t end, int thread) {
    job *j = ctx;
    (void)begin, (void)end, (void)thread;
    for (int r = 0; r < 4; r++) {
        atomic_fetch_add(&j->rounds[r], 1);
        bz_rt_barrier(j->run);
        if (atomic_load(&j->rounds[r]) != j->run->threads) atomic_fetch_add(&j->wrong, 1);
    }
}

Test(pool, barrier_holds_until_all_are_there) {
    for (int threads = 1; threads <= 4; threads++) {
        for (int repeat = 0; repeat < 50; repeat++) {
            job j = {0};
            bz_rt_run run;
            bz_rt_begin(&run, threads);
            j.run = &run;
            bz_rt_for(&run, rounds, &j, run.threads);
            bz_rt_end(&run);
            cr_assert_eq(atomic_load(&j.wrong), 0);
        }
    }
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
#endif

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
