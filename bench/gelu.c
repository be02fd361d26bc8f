/* gelu.c - gelu(x * 0.5 + 1) * y + x over 16 Mi floats, the form with tanh: arithmetic beside memory. */
#include "bench/support/bench.h"

static int64_t size(void) {
    return bench_tiny ? 1000 : 16 << 20;
}

static bz_status gate(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *inner = bz_add(bz_mul(in[0], 0.5), 1);
    out[0] = bz_add(bz_mul(bz_gelu_tanh(inner), in[1]), in[0]);
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in) {
    for (int i = 0; i < 2; i++) in[i] = bz_randn(c, BZ_SHAPE(size()), BZ_F32);
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    return bench_run(&(bench_case){.name = "gelu",
                                   .what = "gelu(x*0.5+1)*y+x, 16 Mi",
                                   .fn = gate,
                                   .setup = setup,
                                   .nin = 2,
                                   .nout = 1,
                                   .bytes = 12.0 * (double)size(),
                                   .by_ops = true});
}
