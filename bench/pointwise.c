/* pointwise.c - a chain of ten ops over 16 Mi floats: one pass over memory when fused, ten when not.
 *
 *     -((min(|max(x * 1.5 + 0.25, -1) * x - 0.5|, 8) + x) * 0.125) */
#include "bench/support/bench.h"

static int64_t size(void) {
    return bench_tiny ? 1000 : 16 << 20;
}

static bz_status chain(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    const double block = 4.0 * (double)size();
    bz_tensor *x = in[0], *y = bench_op("mul", BENCH_COPIES, 2 * block, bz_mul(x, 1.5), NULL);
    y = bench_op("add", BENCH_COPIES, 2 * block, bz_add(y, 0.25), y);
    y = bench_op("maximum", BENCH_COPIES, 2 * block, bz_maximum(y, -1), y);
    y = bench_op("mul", BENCH_COPIES, 3 * block, bz_mul(y, x), y);
    y = bench_op("sub", BENCH_COPIES, 2 * block, bz_sub(y, 0.5), y);
    y = bench_op("abs", BENCH_COPIES, 2 * block, bz_abs(y), y);
    y = bench_op("minimum", BENCH_COPIES, 2 * block, bz_minimum(y, 8), y);
    y = bench_op("add", BENCH_COPIES, 3 * block, bz_add(y, x), y);
    y = bench_op("mul", BENCH_COPIES, 2 * block, bz_mul(y, 0.125), y);
    out[0] = bench_op("neg", BENCH_COPIES, 2 * block, bz_neg(y), y);
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in) {
    in[0] = bz_randn(c, BZ_SHAPE(size()), BZ_F32);
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    return bench_run(&(bench_case){.name = "pointwise",
                                   .what = "10 pointwise ops, 16 Mi",
                                   .fn = chain,
                                   .setup = setup,
                                   .nin = 1,
                                   .nout = 1,
                                   .bytes = 8.0 * (double)size(),
                                   .by_ops = true,
                                   .speedup = 3,
                                   .copy_share = 80});
}
