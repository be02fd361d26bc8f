/* overhead.c - what braze costs apart from the arithmetic: recording an op, calling a compiled program, compiling cold.
 *
 *     build/bench/overhead          medians; every line says what it measured
 *
 * Cold: a shape that this process has not seen, so neither plan nor machine code is there. "Fresh" is the first kernel of the process,
 * with the plug-in opened; run the program again for another sample. */
#include "braze/braze.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { SAMPLES = 21, OPS = 2000, CALLS = 2000 };

static double now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec * 1e-3;
}

static int ascending(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *t, int n)
{
    qsort(t, (size_t)n, sizeof *t, ascending);
    return t[n / 2];
}

static void report(const char *what, double us, double goal_us)
{
    printf("%-52s %10.3f us   goal %10.3f   %s\n", what, us, goal_us, us <= goal_us ? "ok" : "OVER");
}

static void check(bz_context *c)
{
    if (!bz_context_status(c))
        return;
    fprintf(stderr, "overhead: %s\n", bz_message(c));
    exit(1);
}

/* ---- compiling */

static bz_tensor *pointwise(bz_tensor *x)
{
    return bz_mul(bz_exp(bz_add(x, x)), bz_sigmoid(x));
}

static double compile_us(bz_context *c, int64_t rows, int64_t cols, int kind)
{
    int64_t shape[2] = {rows, cols};
    bz_scope_begin(c);
    bz_tensor *x = bz_ones(c, shape, 2, BZ_F32), *y;
    bz_eval(&x, 1);
    double start = now_us();
    y = kind == 0 ? pointwise(bz_add(x, bz_sum(x, (int[]){0}, 1, true))) : bz_softmax(x, -1);
    y = kind == 2 ? bz_sum(x, (int[]){1}, 1, false) : y;
    bz_eval(&y, 1);
    double us = now_us() - start;
    bz_scope_end(c);
    check(c);
    return us;
}

static void compiling(bz_context *c)
{
    static const char *const names[] = {"two kernels (column sum, pointwise), cold, with run", "softmax kernel, cold, with run",
                                        "row sum kernel, cold, with run"};
    static const double goals[] = {20000, 10000, 10000};
    double t[SAMPLES];
    report("first kernel of a fresh process, plug-in opened", compile_us(c, 64, 33, 2), 40000);
    for (int kind = 0; kind < 3; kind++) {
        for (int i = 0; i < SAMPLES; i++)
            t[i] = compile_us(c, 64, 300 + 7 * i + kind, kind);
        report(names[kind], median(t, SAMPLES), goals[kind]);
    }
}

/* ---- recording */

static void recording(bz_context *c)
{
    double t[SAMPLES];
    int64_t shape[1] = {1024};
    for (int i = 0; i < SAMPLES; i++) {
        bz_scope_begin(c);
        bz_tensor *x = bz_ones(c, shape, 1, BZ_F32), *y = x;
        bz_eval(&x, 1); /* a value, not a constant that folds */
        double start = now_us();
        for (int k = 0; k < OPS; k++)
            y = k % 2 ? bz_mul(y, x) : bz_add(y, x);
        t[i] = (now_us() - start) / OPS;
        bz_scope_end(c);
    }
    check(c);
    report("recording an op", median(t, SAMPLES), 0.2);
}

/* ---- calling */

static bz_status trivial(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, void *user)
{
    (void)c, (void)nout, (void)user;
    out[0] = in[0];
    for (int i = 1; i < nin; i++)
        out[0] = bz_add(out[0], in[i]);
    return BZ_OK;
}

static void calling(bz_context *c)
{
    double t[SAMPLES];
    int64_t shape[1] = {16};
    bz_tensor *in[10], *out;
    for (int i = 0; i < 10; i++)
        in[i] = bz_ones(c, shape, 1, BZ_F32);
    bz_eval(in, 10);
    bz_program *p = bz_compile(c, trivial, NULL, &(bz_compile_options){.nin = 10, .nout = 1});
    for (int i = 0; i < SAMPLES; i++) {
        double start = now_us();
        for (int k = 0; k < CALLS; k++) {
            bz_call(p, in, &out);
            bz_release(out);
        }
        t[i] = (now_us() - start) / CALLS;
    }
    check(c);
    report("call of a compiled program, ten inputs", median(t, SAMPLES), 2);
}

int main(void)
{
    bz_context *c;
    if (bz_open(NULL, &c))
        return 3;
    compiling(c);
    recording(c);
    calling(c);
    bz_close(c);
    return 0;
}
