/* pool.c - the thread pool: one fork costs ~0.2 us while the workers spin, ~60 us when they are
 * parked, and no launch waits for a worker that is not there.
 *
 *      caller (thread 0)                      worker i
 *      -----------------                      --------
 *      worker[i].job = {fn, ctx, n}           spin on worker[i].rest (pause), for a while; then
 *      worker[i].rest = its share  ------>    parked = 1, look again, futex wait
 *      wake the parked among them             bite off the first tasks: BUSY from now on
 *      bite and run, until nothing is left    run them, bite again, until nothing is left
 *      steal, bite and run, until ...         steal, bite and run, until nothing is left anywhere
 *      wait until nobody is BUSY   <------    rest = empty, not BUSY
 *
 * Shares are the same from launch to launch, so that a thread finds its data in its caches; what a
 * thread does not come to do in time the others do for it, the caller all of it if need be. Where
 * another program takes a processor, only the bite that its thread was at is waited for.
 *
 * Invariants. A worker reads its job only while it is BUSY, and becomes BUSY only by a bite, that
 * is while a launch is open and lacks tasks; the caller writes jobs only when nobody is BUSY and
 * every share is empty. So one that comes late finds an empty share and goes back, or the share of
 * a later launch and that one's job (share.h). A thread steals only while it is BUSY. `rest` and
 * `parked` are sequentially consistent: either the worker sees its share before it sleeps, or the
 * caller sees that it is parked; `rest` and `caller_parked` likewise.
 *
 * All state lies in one weak symbol, so that every copy of this object in a process works on the
 * same pool. */
#define BZ_RT_DEFINES
#include "runtime/aot/aot.h"
#include "runtime/aot/share.h"

#include <immintrin.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    SPIN_IDLE_NS = 150 * 1000,      /* a worker's patience after a run */
    SPIN_OPEN_NS = 5 * 1000 * 1000, /* ... while a run is open: its program may do a serial part */
    SPIN_WAIT_NS = 200 * 1000,      /* the caller's, for workers that lost their processor */
    SPIN_ALONE_NS = 20 * 1000, /* from then on a spinner lets others on its processor go first */
    FP_DEFAULT = 0x1f80,       /* MXCSR: exceptions masked, to nearest, denormals kept */
};

/* A launch, as each of its threads knows it. */
typedef struct job {
    bz_rt_task *fn;
    void *ctx;
    int64_t n, grain; /* tasks; of them in a unit */
    uint32_t units;
    int active; /* threads with a share */
} job;

/* What a worker needs for a launch lies in one cache line. Number 0 stands for the caller. */
typedef struct worker {
    _Alignas(64) share rest;
    job job;
    _Atomic uint32_t parked; /* futex: 1 = asleep or about to be */
    int index;               /* thread number in a launch */
    _Alignas(64) pthread_t thread;
} worker;

/* The version in the name keeps objects of different layouts apart. */
#define POOL bz_rt_pool_v2
typedef struct pool {
    _Alignas(64) _Atomic uint32_t open;  /* a run is open */
    _Atomic uint32_t crowded;            /* ... with more threads than processors: nobody spins */
    _Atomic uint32_t stop;               /* workers end */
    _Atomic uint32_t caller_parked;      /* futex: 1 = it waits for a worker that is BUSY */
    _Alignas(64) _Atomic uint32_t taken; /* a run owns the pool; guards what follows */
    int workers;
    int processors; /* 0 = not asked yet */
    bool fork_handled;
    _Atomic int threads; /* bz_rt_set_threads; 0 = default */
    worker worker[BZ_RT_MAX_THREADS];
} pool;
extern pool POOL;
__attribute__((weak, visibility("default"))) pool POOL;

/* ---- small tools ---- */

static void futex_wait(_Atomic uint32_t *word, uint32_t value) {
    syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

static void futex_wake(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

int64_t bz_rt_now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Counts pauses and looks at the clock only now and then: false once `patience` ns have passed, and
 * at once when the spinner may hold the processor that the awaited thread needs. The system may wake
 * a worker on the caller's processor though another is idle: one that spun there without a break
 * would hold the caller up until the next tick, 4 ms. */
typedef struct spinner {
    unsigned turns;
    int64_t since;
} spinner;

static bool spin(spinner *s, int64_t patience) {
    _mm_pause();
    if (++s->turns % 64 != 0) return true;
    int64_t now = bz_rt_now();
    if (s->since == 0) s->since = now;
    if (now - s->since > SPIN_ALONE_NS) sched_yield();
    return now - s->since < patience && !atomic_load_explicit(&POOL.crowded, memory_order_relaxed);
}

/* ---- a thread's part in a launch ---- */

static void run_units(const worker *w, units u) {
    const job *j = &w->job;
    int64_t end = u.end == j->units ? j->n : u.end * j->grain;
    j->fn(j->ctx, u.begin * j->grain, end, w->index);
}

static void eat(worker *w) {
    for (units u; share_bite(&w->rest, &u);) run_units(w, u);
}

/* Refills the empty share of `w`, which is BUSY, from the next thread that has something left; it
 * can be stolen from there again. */
static bool steal(worker *w) {
    units u;
    for (int i = 1; i < w->job.active; i++) {
        worker *victim = &POOL.worker[(w->index + i) % w->job.active];
        if (!share_steal(&victim->rest, &u)) continue;
        atomic_store_explicit(&w->rest, share_word(u, true), memory_order_relaxed);
        return true;
    }
    return false;
}

/* ---- workers ---- */

static void wake(_Atomic uint32_t *parked) {
    if (atomic_load(parked) && atomic_exchange(parked, 0)) futex_wake(parked);
}

static void wake_below(int active) {
    for (int i = 1; i < active; i++) wake(&POOL.worker[i].parked);
}

static bool called_up(worker *w) {
    return !share_empty(atomic_load(&w->rest)) || atomic_load(&POOL.stop);
}

static void park(worker *w) {
    atomic_store(&w->parked, 1);
    if (called_up(w)) {
        atomic_store(&w->parked, 0);
        return;
    }
    while (atomic_load(&w->parked)) futex_wait(&w->parked, 1);
}

/* Waits for a share, or for the end of the pool. Launches that pass this worker by do not renew its
 * patience: on a large machine the workers that small runs leave out go to sleep. */
static void await_call(worker *w) {
    spinner s = {0};
    while (!called_up(w)) {
        bool open = atomic_load_explicit(&POOL.open, memory_order_relaxed);
        if (spin(&s, open ? SPIN_OPEN_NS : SPIN_IDLE_NS)) continue;
        park(w);
        s = (spinner){0};
    }
}

/* If nothing was left of the share the launch may be over: then nothing of it is looked at. */
static void take_part(worker *w) {
    units first;
    if (!share_bite(&w->rest, &first)) return;
    run_units(w, first);
    do eat(w);
    while (steal(w));
    atomic_store(&w->rest, 0);
    wake(&POOL.caller_parked);
}

static void *work(void *arg) {
    worker *w = arg;
    for (;;) {
        await_call(w);
        if (atomic_load(&POOL.stop)) return NULL;
        _mm_setcsr(FP_DEFAULT);
        take_part(w);
    }
}

/* In a forked child the workers are gone; it starts afresh. */
static void after_fork(void) {
    POOL.workers = 0;
    atomic_store(&POOL.stop, 0);
    atomic_store(&POOL.open, 0);
    atomic_store(&POOL.taken, 0);
}

static bool create_worker(int index) {
    worker *w = &POOL.worker[index];
    w->index = index;
    atomic_store(&w->rest, 0);
    atomic_store(&w->parked, 0);
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old); /* signals stay with the application's threads */
    bool made = pthread_create(&w->thread, NULL, work, w) == 0;
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return made;
}

/* Makes workers until `threads` threads can run; returns how many can. Owner of the pool only. */
static int ensure_workers(int threads) {
    if (!POOL.fork_handled) POOL.fork_handled = pthread_atfork(NULL, NULL, after_fork) == 0;
    while (POOL.workers + 1 < threads && create_worker(POOL.workers + 1)) POOL.workers++;
    return POOL.workers + 1 < threads ? POOL.workers + 1 : threads;
}

/* ---- the caller ---- */

static int clamp_threads(long threads) {
    if (threads < 1) return 1;
    return threads < BZ_RT_MAX_THREADS ? (int)threads : BZ_RT_MAX_THREADS;
}

/* The processors that this process may run on. */
static int count_processors(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) == 0) return clamp_threads(CPU_COUNT(&set));
    return clamp_threads(sysconf(_SC_NPROCESSORS_ONLN));
}

/* $BRAZE_THREADS, read once: a mistake in it is told once. */
static int default_threads(void) {
    enum { NOT_READ = -2 };
    static _Atomic int known = NOT_READ;
    int wanted = atomic_load_explicit(&known, memory_order_relaxed);
    if (wanted == NOT_READ) {
        wanted = bz_rt_env_number("BRAZE_THREADS", BZ_RT_MAX_THREADS);
        atomic_store_explicit(&known, wanted, memory_order_relaxed);
    }
    return wanted > 0 ? wanted : count_processors();
}

int bz_rt_threads(void) {
    int threads = atomic_load_explicit(&POOL.threads, memory_order_relaxed);
    return threads > 0 ? threads : default_threads();
}

void bz_rt_set_threads(int threads) {
    int kept = threads > 0 ? clamp_threads(threads) : default_threads();
    atomic_store_explicit(&POOL.threads, kept, memory_order_relaxed);
}

static bool take_pool(void) {
    uint32_t none = 0;
    return atomic_compare_exchange_strong(&POOL.taken, &none, 1);
}

void bz_rt_begin(bz_rt_run *run, int threads) {
    if (threads == 0 && atomic_load_explicit(&POOL.threads, memory_order_relaxed) == 0)
        bz_rt_set_threads(0); /* the system is asked once, not for every run */
    threads = threads > 0 ? clamp_threads(threads) : bz_rt_threads();
    *run = (bz_rt_run){.threads = 1, .caller_fp = _mm_getcsr()};
    _mm_setcsr(FP_DEFAULT);
    if (threads == 1 || !take_pool()) return;
    run->pooled = true;
    run->threads = ensure_workers(threads);
    if (POOL.processors == 0) POOL.processors = count_processors();
    atomic_store_explicit(&POOL.crowded, run->threads > POOL.processors, memory_order_relaxed);
    atomic_store_explicit(&POOL.open, 1, memory_order_relaxed);
    wake_below(run->threads);
}

/* Until every thread is done that has taken part, helping it with what it has not begun. */
static void await_workers(worker *me) {
    spinner s = {0};
    for (int i = 1; i < me->job.active;) {
        share *rest = &POOL.worker[i].rest;
        if (share_done(atomic_load_explicit(rest, memory_order_acquire))) {
            i++;
        } else if (steal(me)) {
            eat(me);
        } else if (!spin(&s, SPIN_WAIT_NS)) {
            atomic_store(&POOL.caller_parked, 1);
            if (!share_done(atomic_load(rest))) futex_wait(&POOL.caller_parked, 1);
            atomic_store(&POOL.caller_parked, 0);
        }
    }
}

void bz_rt_for(bz_rt_run *run, bz_rt_task *fn, void *ctx, int64_t n) {
    if (n <= 0) return;
    int active = n < run->threads ? (int)n : run->threads;
    if (active == 1) {
        fn(ctx, 0, n, 0);
        return;
    }
    job j = {fn, ctx, n, .grain = (n - 1) / SHARE_MOST + 1, .active = active};
    j.units = (uint32_t)((n - 1) / j.grain + 1);
    for (int i = active; i-- > 0;) {
        worker *w = &POOL.worker[i];
        w->job = j;
        atomic_store(&w->rest,
                     share_word(share_cut(j.units, (uint32_t)active, (uint32_t)i), false));
    }
    wake_below(active);
    eat(&POOL.worker[0]);
    await_workers(&POOL.worker[0]);
}

void bz_rt_end(bz_rt_run *run) {
    if (run->pooled) {
        atomic_store_explicit(&POOL.open, 0, memory_order_relaxed);
        atomic_store_explicit(&POOL.taken, 0, memory_order_release);
    }
    _mm_setcsr(run->caller_fp);
}

/* A worker that ends the process must not wait for itself, nor for a run that is still open. */
static bool called_by_worker(void) {
    for (int i = 1; i <= POOL.workers; i++)
        if (pthread_equal(POOL.worker[i].thread, pthread_self())) return true;
    return false;
}

void bz_rt_stop(void) {
    if (!take_pool()) return;
    if (!called_by_worker()) {
        atomic_store(&POOL.stop, 1);
        wake_below(POOL.workers + 1);
        for (int i = 1; i <= POOL.workers; i++) pthread_join(POOL.worker[i].thread, NULL);
        atomic_store(&POOL.stop, 0);
        POOL.workers = 0;
    }
    atomic_store(&POOL.taken, 0);
}

__attribute__((destructor)) static void stop_at_exit(void) {
    bz_rt_stop();
}
