/* mlp.c - the training step of examples/mnist.c: 784-512-512-10, batch 128, Adam, parameters and
 * moments updated in place. */
#include "bench/support/bench.h"
#include "examples/support/mlp.h"

static int batch(void) {
    return bench_tiny ? 4 : 128;
}

static int hidden(void) {
    return bench_tiny ? 24 : 512;
}

static void setup(bz_context *c, bz_tensor **in) {
    in[0] = bz_rand(c, BZ_SHAPE(batch(), 784), BZ_F32);
    in[1] = bz_randint(c, 0, 10, BZ_SHAPE(batch()));
    mlp_init(c, hidden(), in + 2);
}

int main(int argc, char **argv) {
    int donate[STEP_IN];
    bench_start(argc, argv);
    mlp_donate(donate);
    /* two operations per weight and sample forward, four backward, but there is no gradient of x */
    double first = 784.0 * hidden(), weights = first + hidden() * (hidden() + 10.0);
    return bench_run(&(bench_case){.name = "mlp",
                                   .what = "MLP training step, Adam, b128",
                                   .fn = mlp_step,
                                   .setup = setup,
                                   .nin = STEP_IN,
                                   .nout = STEP_OUT,
                                   .donate = donate,
                                   .flops = 2.0 * batch() * (3 * weights - first),
                                   .by_ops = true,
                                   .kernels = 13,
                                   .beats_torch = true});
}
