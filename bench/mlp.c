/* mlp.c - the training step of examples/mnist.c: 784-512-512-10, batch 128, Adam, parameters and moments updated in place. */
#include "bench/support/bench.h"
#include "examples/support/mlp.h"

enum { BATCH = 128, HIDDEN = 512 };

static void setup(bz_context *c, bz_tensor **in, void *user) {
    (void)user;
    in[0] = bz_rand(c, BZ_SHAPE(BATCH, 784), BZ_F32);
    in[1] = bz_randint(c, 0, 10, BZ_SHAPE(BATCH));
    mlp_init(c, HIDDEN, in + 2);
}

int main(int argc, char **argv) {
    static int donate[STEP_IN];
    static const bench_fn f = {mlp_step, setup, NULL, STEP_IN, STEP_OUT, donate};
    const double weights = 784 * HIDDEN + HIDDEN * HIDDEN + HIDDEN * 10;
    mlp_donate(donate);
    /* two products per weight and sample forward, two backward for each weight, but no gradient of x */
    bench *b = bench_new("mlp", (bench_work){.flops = 2.0 * BATCH * (3 * weights - 784 * HIDDEN)}, argc, argv);
    bench_add(b, "braze compiled", true, &f);
    bench_add(b, "braze eager", false, &f);
    return bench_finish(b);
}
