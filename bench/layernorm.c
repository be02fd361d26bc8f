/* layernorm.c - x + gelu(layer_norm(x)) over rows of 1024 floats, from memory: in one kernel, and op by op. */
#include "bench/support/bench.h"

enum { COLS = 1024 };

static int64_t rows(void) {
    return bench_tiny ? 3 : 16384;
}

/* Bytes of n tensors of x's size. */
static double blocks(int n) {
    return 4.0 * n * COLS * (double)rows();
}

static bz_tensor *norm(bz_tensor *x, bz_tensor *weight, bz_tensor *bias) {
    bz_tensor *mean = bench_op("mean", BENCH_READS, blocks(1), bz_mean(x, BZ_AXES(-1), true), NULL);
    bz_tensor *d = bench_op("sub", BENCH_COPIES, blocks(2), bz_sub(x, mean), mean);
    bz_tensor *s = bench_op("square", BENCH_COPIES, blocks(2), bz_mul(d, d), NULL);
    bz_tensor *var = bench_op("mean", BENCH_READS, blocks(1), bz_mean(s, BZ_AXES(-1), true), s);
    bz_tensor *scale = bz_rsqrt(bz_add(var, 1e-5));
    bz_tensor *y = bench_op("mul", BENCH_COPIES, blocks(2), bz_mul(d, scale), d);
    y = bench_op("mul", BENCH_COPIES, blocks(2), bz_mul(y, weight), y);
    return bench_op("add", BENCH_COPIES, blocks(2), bz_add(y, bias), y);
}

static bz_tensor *gelu(bz_tensor *x) {
    bz_tensor *g = bench_op("mul", BENCH_COPIES, blocks(2), bz_mul(x, 0x1.6a09e667f3bcdp-1), NULL);
    g = bench_op("erf", BENCH_COMPUTES, blocks(2), bz_erf(g), g);
    g = bench_op("add", BENCH_COPIES, blocks(2), bz_add(g, 1), g);
    bz_tensor *half = bench_op("mul", BENCH_COPIES, blocks(2), bz_mul(x, 0.5), x);
    g = bench_op("mul", BENCH_COPIES, blocks(3), bz_mul(half, g), g);
    bz_release(half);
    return g;
}

static bz_status block(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *y = gelu(norm(in[0], in[1], in[2]));
    out[0] = bench_op("add", BENCH_COPIES, blocks(3), bz_add(in[0], y), y);
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in) {
    in[0] = bz_randn(c, BZ_SHAPE(rows(), COLS), BZ_F32);
    in[1] = bz_rand(c, BZ_SHAPE(COLS), BZ_F32);
    in[2] = bz_rand(c, BZ_SHAPE(COLS), BZ_F32);
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    return bench_run(&(bench_case){.name = "layernorm",
                                   .what = "x+gelu(layernorm(x)), 16384 x 1024",
                                   .fn = block,
                                   .setup = setup,
                                   .nin = 3,
                                   .nout = 1,
                                   .bytes = blocks(2),
                                   .by_ops = true,
                                   .speedup = 2});
}
