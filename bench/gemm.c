/* gemm.c - a product of two 1024 x 1024 matrices of floats against the machine's multiply-adds. */
#include "bench/support/bench.h"

static int64_t size(void) {
    return bench_tiny ? 20 : 1024;
}

static bz_status product(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_matmul(in[0], in[1]);
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in) {
    for (int i = 0; i < 2; i++) in[i] = bz_randn(c, BZ_SHAPE(size(), size()), BZ_F32);
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    const double n = (double)size();
    return bench_run(&(bench_case){.name = "gemm",
                                   .what = "GEMM 1024^3",
                                   .fn = product,
                                   .setup = setup,
                                   .nin = 2,
                                   .nout = 1,
                                   .flops = 2 * n * n * n,
                                   .fma_share = 85});
}
