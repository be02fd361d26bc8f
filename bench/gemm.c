/* gemm.c - a product of two 1024 x 1024 matrices of floats against the machine's fma peak. --threads 1 for one thread. */
#include "bench/support/bench.h"

enum { N = 1024 };

static bz_status product(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_matmul(in[0], in[1]);
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in, void *user) {
    (void)user;
    for (int i = 0; i < 2; i++) in[i] = bz_randn(c, BZ_SHAPE(N, N), BZ_F32);
}

int main(int argc, char **argv) {
    static const bench_fn f = {product, setup, NULL, 2, 1, NULL};
    bench *b = bench_new("gemm", (bench_work){.flops = 2.0 * N * N * N}, argc, argv);
    bench_add(b, "braze", true, &f);
    return bench_finish(b);
}
