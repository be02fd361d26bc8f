/* bench.h - contenders timed in turn, beside the limits of the machine.
 *
 *     for each round: probe (copy, fma) | contender 1 | contender 2 | ... | peers     then medians over the rounds
 *
 * Rounds in which the probe found less than 95 % of its best are dropped: something else used the machine. A contender's sample is
 * the mean of as many calls as fill SAMPLE_SECONDS, after one call that does not count. */
#ifndef BENCH_SUPPORT_H
#define BENCH_SUPPORT_H

#include <braze/braze.h>

typedef struct bench bench;

/* What one call does, the least that is possible: for GB/s and GFLOP/s. 0: no such column. */
typedef struct bench_work {
    double bytes, flops;
} bench_work;

/* argv: [--rounds N] [--threads N] [--json FILE] [--summary FILE]; name: of the case, also for bench/peers.py. Exits on wrong usage. */
bench *bench_new(const char *name, bench_work w, int argc, char **argv);
int bench_threads(const bench *b);

/* A function of tensors. setup fills in[] with values in a context. */
typedef struct bench_fn {
    bz_function *fn;
    void (*setup)(bz_context *c, bz_tensor **in, void *user);
    void *user;
    int nin, nout;
    const int *donate; /* as in bz_compile_options */
} bench_fn;

/* Contenders: fn compiled, fn eager; each in a context of its own. */
void bench_add(bench *b, const char *name, bool compiled, const bench_fn *fn);
/* The same with another number of threads. */
void bench_add_threads(bench *b, const char *name, bool compiled, const bench_fn *fn, int threads);

/* Runs the rounds, prints the table, writes the files, frees b. The status of the program. */
int bench_finish(bench *b);

#endif
