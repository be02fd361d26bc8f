/* pool.c - the thread pool: one fork costs ~0.2 us while the workers spin, ~60 us when they are
 * parked.
 *
 *      caller                               worker i
 *      ------                               --------
 *      job = {fn, ctx, n}                   spin on `launch` (pause), for a while; then
 *      pending = active - 1                 parked[i] = 1, look again, futex wait
 *      launch = {number + 1, active}  --->  i < active?  run range i, pending -= 1
 *      wake the parked among them
 *      run range 0, wait for pending == 0
 *
 * Invariants. The job's fields are written only while no worker may read them: a worker reads them
 * only when the launch word names it (i < active), and the caller waits for exactly those workers.
 * The launch word is 64 bits wide so that it never repeats. `launch` and `parked` are sequentially
 * consistent: either the worker sees the new launch before it sleeps, or the caller sees that it is
 * parked.
 *
 * All state lies in one weak symbol, so that every copy of this object in a process works on the
 * same pool. */
#define BZ_RT_DEFINES
#include "runtime/aot/aot.h"

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
    ACTIVE_BITS = 16,          /* low bits of the launch word: threads that take part */
    STOP = (1 << ACTIVE_BITS) - 1, /* ... or this: workers end */
    FP_DEFAULT = 0x1f80,           /* MXCSR: exceptions masked, to nearest, denormals kept */
};

typedef struct worker {
    _Alignas(64) _Atomic uint32_t parked; /* futex: 1 = asleep or about to be */
    int index;                            /* thread number in a launch, from 1 */
    uint64_t seen;                        /* last launch word this worker knows */
    pthread_t thread;
} worker;

/* The version in the name keeps objects of different layouts apart. */
#define POOL bz_rt_pool_v1
typedef struct pool {
    _Alignas(64) _Atomic uint64_t launch;
    _Atomic uint32_t open;                 /* a run is open */
    _Atomic uint32_t crowded;              /* ... with more threads than processors: nobody spins */
    _Alignas(64) _Atomic uint32_t pending; /* futex: workers still at the current launch */
    _Atomic uint32_t caller_parked;
    _Alignas(64) _Atomic uint32_t arrived; /* barrier: threads here, and how often it was passed */
    _Atomic uint32_t phase;
    _Alignas(64) _Atomic uint32_t taken; /* a run owns the pool; guards what follows */
    bz_rt_task *fn;
    void *ctx;
    int64_t n;
    int active;
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

static int64_t now_ns(void) {
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
    int64_t now = now_ns();
    if (s->since == 0) s->since = now;
    if (now - s->since > SPIN_ALONE_NS) sched_yield();
    return now - s->since < patience && !atomic_load_explicit(&POOL.crowded, memory_order_relaxed);
}

static uint64_t next_launch(int active) {
    uint64_t number = atomic_load_explicit(&POOL.launch, memory_order_relaxed) >> ACTIVE_BITS;
    return (number + 1) << ACTIVE_BITS | (uint64_t)active;
}

static int launch_active(uint64_t launch) {
    return (int)(launch & STOP);
}

/* Range `thread` of the current job. */
static void run_range(int thread) {
    int64_t each = POOL.n / POOL.active, longer = POOL.n % POOL.active;
    int64_t begin = each * thread + (thread < longer ? thread : longer);
    POOL.fn(POOL.ctx, begin, begin + each + (thread < longer), thread);
}

/* ---- workers ---- */

static void park(worker *w) {
    atomic_store(&w->parked, 1);
    if (atomic_load(&POOL.launch) != w->seen) {
        atomic_store(&w->parked, 0);
        return;
    }
    while (atomic_load(&w->parked)) futex_wait(&w->parked, 1);
}

/* Waits until a launch names this worker, or the pool stops; returns the launch word. Launches that
 * pass it by do not renew its patience: on a large machine the workers that small runs leave out go
 * to sleep. */
static uint64_t await_launch(worker *w) {
    spinner s = {0};
    for (;;) {
        uint64_t launch = atomic_load_explicit(&POOL.launch, memory_order_acquire);
        bool fresh = launch != w->seen;
        w->seen = launch;
        if (fresh && w->index < launch_active(launch)) return launch;
        bool open = atomic_load_explicit(&POOL.open, memory_order_relaxed);
        if (spin(&s, open ? SPIN_OPEN_NS : SPIN_IDLE_NS)) continue;
        park(w);
        s = (spinner){0};
    }
}

static void finish(void) {
    if (atomic_fetch_sub(&POOL.pending, 1) == 1 && atomic_load(&POOL.caller_parked))
        futex_wake(&POOL.pending);
}

static void *work(void *arg) {
    worker *w = arg;
    while (launch_active(await_launch(w)) != STOP) {
        _mm_setcsr(FP_DEFAULT);
        run_range(w->index);
        finish();
    }
    return NULL;
}

static void wake(worker *w) {
    if (atomic_load(&w->parked) && atomic_exchange(&w->parked, 0)) futex_wake(&w->parked);
}

static void wake_below(int active) {
    for (int i = 1; i < active; i++) wake(&POOL.worker[i]);
}

/* In a forked child the workers are gone; it starts afresh. */
static void after_fork(void) {
    POOL.workers = 0;
    atomic_store(&POOL.open, 0);
    atomic_store(&POOL.arrived, 0);
    atomic_store(&POOL.taken, 0);
}

static bool create_worker(int index) {
    worker *w = &POOL.worker[index];
    w->index = index;
    w->seen = atomic_load(&POOL.launch);
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

/* Until every worker of the launch has finished. */
static void await_workers(void) {
    spinner s = {0};
    while (atomic_load_explicit(&POOL.pending, memory_order_acquire) != 0) {
        if (spin(&s, SPIN_WAIT_NS)) continue;
        atomic_store(&POOL.caller_parked, 1);
        uint32_t left;
        while ((left = atomic_load(&POOL.pending)) != 0) futex_wait(&POOL.pending, left);
        atomic_store(&POOL.caller_parked, 0);
    }
}

void bz_rt_for(bz_rt_run *run, bz_rt_task *fn, void *ctx, int64_t n) {
    if (n <= 0) return;
    int active = n < run->threads ? (int)n : run->threads;
    if (active == 1) {
        fn(ctx, 0, n, 0);
        return;
    }
    POOL.fn = fn;
    POOL.ctx = ctx;
    POOL.n = n;
    POOL.active = active;
    atomic_store_explicit(&POOL.pending, (uint32_t)(active - 1), memory_order_relaxed);
    atomic_store(&POOL.launch, next_launch(active));
    wake_below(active);
    run_range(0);
    await_workers();
}

void bz_rt_barrier(const bz_rt_run *run) {
    if (run->threads == 1) return;
    uint32_t phase = atomic_load(&POOL.phase);
    if (atomic_fetch_add(&POOL.arrived, 1) + 1 == (uint32_t)run->threads) {
        atomic_store(&POOL.arrived, 0);
        atomic_store(&POOL.phase, phase + 1);
        return;
    }
    spinner s = {0};
    while (atomic_load_explicit(&POOL.phase, memory_order_acquire) == phase)
        if (!spin(&s, SPIN_WAIT_NS)) sched_yield();
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
        atomic_store(&POOL.launch, next_launch(STOP));
        for (int i = 1; i <= POOL.workers; i++) {
            wake(&POOL.worker[i]);
            pthread_join(POOL.worker[i].thread, NULL);
        }
        POOL.workers = 0;
    }
    atomic_store(&POOL.taken, 0);
}

__attribute__((destructor)) static void stop_at_exit(void) {
    bz_rt_stop();
}
