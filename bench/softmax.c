/* softmax.c - rows of 1024 floats, from memory: in one kernel, and as five. */
#include "bench/support/bench.h"

enum { COLS = 1024 };

static int64_t rows(void) {
    return bench_tiny ? 3 : 16384;
}

static bz_status softmax(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    const double block = 4.0 * COLS * (double)rows();
    bz_tensor *x = in[0],
              *m = bench_op("max", BENCH_READS, block, bz_max(x, BZ_AXES(-1), true), NULL);
    bz_tensor *d = bench_op("sub", BENCH_COPIES, 2 * block, bz_sub(x, m), m);
    bz_tensor *e = bench_op("exp", BENCH_COPIES, 2 * block, bz_exp(d), d);
    bz_tensor *s = bench_op("sum", BENCH_READS, block, bz_sum(e, BZ_AXES(-1), true), NULL);
    out[0] = bench_op("div", BENCH_COPIES, 2 * block, bz_div(e, s), e);
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in) {
    in[0] = bz_randn(c, BZ_SHAPE(rows(), COLS), BZ_F32);
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    return bench_run(&(bench_case){.name = "softmax",
                                   .what = "softmax 16384 x 1024",
                                   .fn = softmax,
                                   .setup = setup,
                                   .nin = 1,
                                   .nout = 1,
                                   .bytes = 8.0 * COLS * (double)rows(),
                                   .by_ops = true,
                                   .speedup = 2});
}
