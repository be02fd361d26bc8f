/* pointwise.c - a chain of ten ops over 16 Mi floats: one pass over memory when fused, ten when not. */
#include "bench/support/bench.h"

enum { N = 16 << 20 };

static bz_status chain(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *x = in[0], *y = bz_scalar(c, 0.5);
    for (int i = 0; i < 5; i++) x = bz_add(bz_mul(x, y), y);
    out[0] = x;
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in, void *user) {
    (void)user;
    in[0] = bz_rand(c, BZ_SHAPE(N), BZ_F32);
}

int main(int argc, char **argv) {
    static const bench_fn f = {chain, setup, NULL, 1, 1, NULL};
    bench *b = bench_new("pointwise", (bench_work){.bytes = 8.0 * N}, argc, argv);
    bench_add(b, "braze fused", true, &f);
    bench_add(b, "braze eager (10 ops)", false, &f);
    return bench_finish(b);
}
