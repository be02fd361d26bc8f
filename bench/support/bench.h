/* bench.h - one workload: fused and op by op, on one thread and on all, beside the machine's limits and other systems.
 *
 *     for each round:   1 thread:  probe | fused | eager
 *                       N threads: probe | fused | eager | peers, one after the other
 *
 * The probe measures copy bandwidth and multiply-adds. A contender's sample is the median and the best call of as many as fill
 * SAMPLE_SECONDS, after one call that does not count; its result is released before the next call, so that memory is reused. Times and
 * ratios of times are medians over the rounds of those medians. A share of what the machine allows is the best call of a round against
 * the best probe of the same round, and of these the median. Rounds in which the probe found less than 95 % of its best multiply-adds
 * are dropped: something else had the machine. */
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <braze/braze.h>

enum { BENCH_MAX_IN = 32 };

/* What is measured, and what it has to reach (0: no such row). */
typedef struct bench_case {
    const char *name, *what; /* for bench/peers.py; for the reader */
    bz_function *fn;         /* names the ops of its eager form with bench_op */
    void (*setup)(bz_context *c, bz_tensor **in);
    int nin, nout;
    const int *donate;   /* as in bz_compile_options; eager mode steps on alike */
    double bytes, flops; /* of one call, the least that is possible */
    bool weight;         /* the last input is captured: the same in all calls */
    bool by_ops;         /* time eager mode too */
    double speedup;      /* goal: fused against eager, times */
    double copy_share;   /* goal: of copy bandwidth, in % */
    double fma_share;    /* goal: of multiply-adds, in % */
    int kernels; /* goal: at most so many; and then neither allocations nor page faults in a call */
    bool beats_torch; /* goal: faster than PyTorch, eager and compiled */
} bench_case;

/* Sizes are a few rows or elements and nothing is timed for long: that the programs work is all that is asked. */
extern bool bench_tiny;

/* argv: [--rounds N] [--threads N] [--out FILE] [--tiny]; figures are appended to FILE, an object of JSON a line. Exits on wrong
 * usage. Comes first. */
void bench_start(int argc, char **argv);

/* Measures, prints, appends. */
void bench_measure(const bench_case *k);
/* After the last one. The exit status of the program. */
int bench_end(void);
/* Both, for a program of one workload. */
int bench_run(const bench_case *k);

/* What bounds an op of the eager form: memory that it reads and writes, memory that it reads, or arithmetic (then it has no goal). */
typedef enum bench_bound { BENCH_COPIES, BENCH_READS, BENCH_COMPUTES, BENCH_BOUNDS } bench_bound;

/* Passes y on. In eager mode y is there now: the time since the op before is this op's, which touched `bytes` of memory at least.
 * done: an operand to release, NULL for none. */
bz_tensor *bench_op(const char *name, bench_bound bound, double bytes, bz_tensor *y,
                    bz_tensor *done);

#endif
