/* gemm.c - products of matrices of floats: the square one against the machine's multiply-adds; few rows, small ones and large ones,
 * the right side as it lies and transposed, an operand or a weight that stays as it is, against other systems. */
#include "bench/support/bench.h"

#include <stdio.h>
#include <stdlib.h>

typedef struct problem {
    int64_t m, k, n;
    bool turned; /* the right side is [n, k] */
    bool weight; /* ... and captured */
} problem;

static const problem problems[] = {
    {1024, 1024, 1024, false, false}, {1, 4096, 4096, false, false},
    {1, 4096, 4096, true, false},     {8, 1024, 4096, true, false},
    {32, 768, 768, false, false},     {32, 768, 768, true, false},
    {64, 64, 64, false, false},       {2048, 2048, 2048, false, false},
    {1, 4096, 4096, false, true},     {8, 1024, 4096, true, true},
    {32, 768, 768, false, true},      {128, 4096, 4096, false, true},
};

static const problem *at; /* the one that is measured */

/* bench/peers.py cuts alike. */
static int64_t size(int64_t n) {
    enum { TINY = 20 };
    return bench_tiny && n > TINY ? TINY : n;
}

static bz_status product(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_matmul(in[0], at->turned ? bz_transpose(in[1], 0, 1) : in[1]);
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in) {
    int64_t rows = at->turned ? at->n : at->k, cols = at->turned ? at->k : at->n;
    in[0] = bz_randn(c, BZ_SHAPE(size(at->m), size(at->k)), BZ_F32);
    in[1] = bz_randn(c, BZ_SHAPE(size(rows), size(cols)), BZ_F32);
}

/* "product/1x4096x4096/t" for the peers; m x k x n. Only the first has a goal: it is what compilers are measured by. */
static void measure(const problem *p) {
    char name[64], what[64];
    const long long m = p->m, k = p->k, n = p->n;
    at = p;
    snprintf(name, sizeof name, "product/%lldx%lldx%lld/%s%s", m, k, n, p->turned ? "t" : "n",
             p->weight ? "/weight" : "");
    snprintf(what, sizeof what, "product %lld x %lld x %lld%s%s", m, k, n,
             p->turned ? " of w^T" : "", p->weight ? ", w captured" : "");
    bench_measure(&(bench_case){.name = name,
                                .what = what,
                                .fn = product,
                                .setup = setup,
                                .nin = 2,
                                .weight = p->weight,
                                .nout = 1,
                                .flops = 2.0 * (double)size(m) * (double)size(k) * (double)size(n),
                                .fma_share = p == problems ? 85 : 0});
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    for (unsigned i = 0; i < sizeof problems / sizeof *problems; i++)
        if (!getenv("ONLY") || atoi(getenv("ONLY")) == (int)i) measure(&problems[i]);
    return bench_end();
}
