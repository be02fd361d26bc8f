/* reduce.c - reductions over leading, middle and last axes, from memory and from the caches: long rows and short ones, few and many. */
#include "bench/support/bench.h"

#include <stdio.h>

typedef struct problem {
    bz_tensor *(*of)(bz_tensor *x, int axis);
    const char *op;
    int axis, rank;
    int64_t shape[3];
} problem;

static bz_tensor *sum(bz_tensor *x, int axis) {
    return bz_sum(x, BZ_AXES(axis), false);
}

static bz_tensor *max(bz_tensor *x, int axis) {
    return bz_max(x, BZ_AXES(axis), false);
}

static bz_tensor *argmax(bz_tensor *x, int axis) {
    return bz_argmax(x, BZ_AXES(axis), false);
}

static const problem problems[] = {
    {sum, "sum", 0, 2, {16384, 1024}},      {sum, "sum", 0, 2, {1024, 16384}},
    {sum, "sum", 0, 2, {1 << 20, 3}},       {sum, "sum", 0, 2, {100000, 10}},
    {sum, "sum", 0, 2, {4, 1 << 20}},       {sum, "sum", 1, 3, {64, 512, 512}},
    {sum, "sum", 0, 2, {128, 512}},         {max, "max", 0, 2, {16384, 1024}},
    {max, "max", 0, 2, {1 << 20, 3}},       {argmax, "argmax", 0, 2, {16384, 1024}},
    {sum, "sum", 1, 2, {1 << 20, 8}},       {sum, "sum", 1, 2, {300000, 10}},
    {sum, "sum", 1, 2, {65536, 33}},        {max, "max", 1, 2, {300000, 10}},
    {argmax, "argmax", 1, 2, {300000, 10}}, {max, "max", 0, 2, {4, 1 << 20}},
    {sum, "sum", 1, 2, {16384, 1024}}};

static const problem *at; /* the one that is measured */

static bz_status reduce(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                        void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = at->of(in[0], at->axis);
    return BZ_OK;
}

/* bench/peers.py cuts the axes alike. */
static int64_t size(const problem *p, int axis) {
    enum { TINY = 5 };
    return bench_tiny && p->shape[axis] > TINY ? TINY : p->shape[axis];
}

static void setup(bz_context *c, bz_tensor **in) {
    int64_t shape[3];
    for (int d = 0; d < at->rank; d++) shape[d] = size(at, d);
    in[0] = bz_randn(c, shape, at->rank, BZ_F32);
}

/* "sum/0/16384x1024" for the peers, "sum 16384 x 1024 over 0" for the reader. */
static void measure(const problem *p) {
    char name[64], what[64];
    double bytes = 4;
    int n = snprintf(name, sizeof name, "%s/%d/", p->op, p->axis);
    int w = snprintf(what, sizeof what, "%s ", p->op);
    for (int d = 0; d < p->rank; d++) {
        n += snprintf(name + n, sizeof name - (size_t)n, "%s%lld", d ? "x" : "",
                      (long long)p->shape[d]);
        w += snprintf(what + w, sizeof what - (size_t)w, "%s%lld", d ? " x " : "",
                      (long long)p->shape[d]);
        bytes *= (double)size(p, d);
    }
    snprintf(what + w, sizeof what - (size_t)w, " over %d", p->axis);
    at = p;
    bench_measure(&(bench_case){.name = name,
                                .what = what,
                                .fn = reduce,
                                .setup = setup,
                                .nin = 1,
                                .nout = 1,
                                .bytes = bytes});
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) measure(&problems[i]);
    return bench_end();
}
