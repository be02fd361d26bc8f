/* aot.h - what an exported artefact needs at run time: threads and the machine's instruction set.
 *
 *      begin --- for --- for --- for ... --- end          one program run (the caller is thread 0)
 *        | wakes          ^ a launch: [0, n) over the threads of the run; who is done helps others
 *        +-> workers spin between the launches, and park a while after the end
 *
 * Stands on libc and pthread alone. Every symbol is weak and visible: several artefacts, each with
 * its own copy of this object, link into one program and share one pool.
 *
 * The pool serves one run at a time. A second caller (another thread, or a task that starts a run
 * itself) does its work alone on its own thread: slower, the same results, never a deadlock. */
#ifndef BZ_RT_AOT_H
#define BZ_RT_AOT_H

#include <stdbool.h>
#include <stdint.h>

/* Weak where it is defined; a weak reference would not make the linker look into an archive. */
#ifdef BZ_RT_DEFINES
#define BZ_RT_API extern __attribute__((weak, visibility("default")))
#else
#define BZ_RT_API extern __attribute__((visibility("default")))
#endif
/* Of what the files here need of each other and nobody else does: weak only in the definition. */
#define BZ_RT_INNER       extern __attribute__((visibility("default")))
#define BZ_RT_WEAK        __attribute__((weak)) /* each exported program may bring these files along */
#define BZ_RT_MAX_THREADS 256

/* ---- pool.c ---- */

/* A piece of a launch: the elements [begin, end) on thread `thread` of the run (0 = the caller). */
typedef void bz_rt_task(void *ctx, int64_t begin, int64_t end, int thread);

/* One program run; lives on the caller's stack. Fields are for reading. */
typedef struct bz_rt_run {
    int threads;        /* threads that a launch of this run may use, the caller included */
    bool pooled;        /* false: the pool was taken, or one thread was asked for */
    uint32_t caller_fp; /* the caller's floating-point control word, restored by bz_rt_end */
} bz_rt_run;

/* The number of threads a run gets when it asks for 0: what bz_rt_set_threads said, else
 * $BRAZE_THREADS, else the processors this process may run on. At least 1, at most
 * BZ_RT_MAX_THREADS. */
BZ_RT_API int bz_rt_threads(void);

/* Sets that number; 0 goes back to the default. Takes effect with the next run. */
BZ_RT_API void bz_rt_set_threads(int threads);

/* Opens a run with `threads` threads (0: bz_rt_threads()): wakes the workers, creating them at
 * first use, and sets the default floating-point environment (round to nearest, denormals kept, no
 * traps). Fewer threads are given when the system refuses to create them; see run->threads. Each
 * begin needs its end, on the same thread. */
BZ_RT_API void bz_rt_begin(bz_rt_run *run, int threads);

/* Calls fn on contiguous pieces of [0, n), each element in one of them; returns when all are done.
 * The caller sees all that the tasks wrote. Each of min(run->threads, n) threads has a share of
 * nearly equal length, share t on thread t, and cuts pieces from its front; a thread that has done
 * its own takes from the others' backs. So a thread may get several pieces, or none, and no task
 * may wait for one that has not begun. For the thread that opened the run, outside its tasks; a
 * task may open a run of its own. */
BZ_RT_API void bz_rt_for(bz_rt_run *run, bz_rt_task *fn, void *ctx, int64_t n);

/* Closes the run: gives the pool back and restores the caller's floating-point environment. */
BZ_RT_API void bz_rt_end(bz_rt_run *run);

/* Ends and joins the workers if no run is open; the next run creates new ones. Happens by itself at
 * exit. */
BZ_RT_API void bz_rt_stop(void);

/* A clock that only goes forward, in ns. */
BZ_RT_API int64_t bz_rt_now(void);

/* ---- env.c ---- */

/* A switch of the environment: a number from 0 to hi; the place of its word in `words` (NULL-terminated). -1 when it is not set,
 * or, with a line on standard error, when its value is none of these. */
BZ_RT_INNER int bz_rt_env_number(const char *name, int hi);
BZ_RT_INNER int bz_rt_env_word(const char *name, const char *const *words);

/* ---- cpu.c ---- */

typedef enum bz_rt_isa {
    BZ_RT_BASE, /* x86-64 */
    BZ_RT_V3,   /* AVX2, FMA, F16C, BMI2 (x86-64-v3) */
    BZ_RT_V4,   /* AVX-512 F, BW, CD, DQ, VL (x86-64-v4) */
} bz_rt_isa;

/* The best of these that both the processor and the operating system support, whatever the
 * environment says. */
BZ_RT_API bz_rt_isa bz_rt_isa_detect(void);

/* The same, capped by $BRAZE_ISA (base, avx2, avx512; read once). This is what code selection goes
 * by. */
BZ_RT_API bz_rt_isa bz_rt_isa_selected(void);

#endif
