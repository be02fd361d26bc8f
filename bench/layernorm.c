/* layernorm.c - gelu(layer_norm(x)) + x over rows of 1024 floats, from memory. */
#include "bench/support/bench.h"

enum { ROWS = 16384, COLS = 1024 };

static bz_status block(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_add(in[0], bz_gelu(bz_layer_norm(in[0], in[1], in[2], 1, 1e-5)));
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in, void *user) {
    (void)user;
    in[0] = bz_randn(c, BZ_SHAPE(ROWS, COLS), BZ_F32);
    in[1] = bz_rand(c, BZ_SHAPE(COLS), BZ_F32);
    in[2] = bz_rand(c, BZ_SHAPE(COLS), BZ_F32);
}

int main(int argc, char **argv) {
    static const bench_fn f = {block, setup, NULL, 3, 1, NULL};
    bench *b = bench_new("layernorm", (bench_work){.bytes = 8.0 * ROWS * COLS}, argc, argv);
    bench_add(b, "braze fused", true, &f);
    bench_add(b, "braze eager", false, &f);
    return bench_finish(b);
}
