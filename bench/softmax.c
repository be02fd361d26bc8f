/* softmax.c - rows of 1024 floats, from memory: fused in one kernel, and its parts as ops of their own. */
#include "bench/support/bench.h"

enum { ROWS = 16384, COLS = 1024 };

static bz_status softmax(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *e = bz_exp(bz_sub(in[0], bz_max(in[0], BZ_AXES(-1), true)));
    out[0] = bz_div(e, bz_sum(e, BZ_AXES(-1), true));
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in, void *user) {
    (void)user;
    in[0] = bz_randn(c, BZ_SHAPE(ROWS, COLS), BZ_F32);
}

int main(int argc, char **argv) {
    static const bench_fn f = {softmax, setup, NULL, 1, 1, NULL};
    bench *b = bench_new("softmax", (bench_work){.bytes = 8.0 * ROWS * COLS}, argc, argv);
    bench_add(b, "braze fused", true, &f);
    bench_add(b, "braze eager (5 ops)", false, &f);
    return bench_finish(b);
}
