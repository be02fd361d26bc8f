/* conv.c - windows on 8 pictures of 64 channels: a convolution with a relu behind it, pooling, a norm of channels; and their gradients. */
#include "bench/support/bench.h"

#include <stddef.h>

enum { PICTURES = 8, CHANNELS = 64, KERNEL = 9 };

static int64_t side(void) {
    return bench_tiny ? 6 : 56;
}

static bz_tensor *convolved(bz_tensor *const *in) {
    return bz_relu(bz_conv2d(in[0], in[1], NULL, NULL, NULL, NULL, 0, 1, true));
}

static bz_tensor *pooled(bz_tensor *const *in) {
    const int one = 1, two = 2, three = 3;
    return bz_max_pool2d(in[0], &three, &two, &one, NULL, 1, false, NULL);
}

static bz_tensor *normed(bz_tensor *const *in) {
    return bz_relu(bz_batch_norm(in[0], NULL, NULL, in[2], in[2], true, 0.1, 1e-5, NULL, NULL));
}

static const struct problem {
    const char *name, *what;
    bz_tensor *(*of)(bz_tensor *const *in);
    int by; /* of the first inputs gradients are wanted */
    double products;
    bool halved; /* the result has half as many rows */
} problems[] = {{"windows/conv", "conv 3x3 and relu of 8 x 64 x 56 x 56", convolved, 0, 1, false},
                {"windows/conv_gradients", "the same with its gradients", convolved, 2, 3, false},
                {"windows/pool", "max pool 3x3 of 8 x 64 x 56 x 56", pooled, 0, 0, true},
                {"windows/pool_gradients", "the same with its gradients", pooled, 1, 0, true},
                {"windows/norm", "batch norm and relu of 8 x 64 x 56 x 56", normed, 0, 0, false},
                {"windows/norm_gradients", "the same with its gradients", normed, 1, 0, false}};

static const struct problem *at; /* the one that is measured */

/* in: x, kernel, weights, what is multiplied from the left */
static bz_status run(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                     void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = at->of(in);
    return at->by ? bz_vjp(out, in + 3, 1, in, at->by, out + 1) : BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in) {
    const int64_t n = side(), m = at->halved ? (n + 1) / 2 : n;
    in[0] = bz_randn(c, BZ_SHAPE(PICTURES, CHANNELS, n, n), BZ_F32);
    in[1] = bz_randn(c, BZ_SHAPE(CHANNELS, CHANNELS, 3, 3), BZ_F32);
    in[2] = bz_randn(c, BZ_SHAPE(CHANNELS), BZ_F32);
    in[3] = bz_randn(c, BZ_SHAPE(PICTURES, CHANNELS, m, m), BZ_F32);
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        at = &problems[i];
        const double pixels = PICTURES * (double)(side() * side());
        bench_measure(
            &(bench_case){.name = at->name,
                          .what = at->what,
                          .fn = run,
                          .setup = setup,
                          .nin = 4,
                          .nout = 1 + at->by,
                          .flops = 2 * at->products * pixels * CHANNELS * CHANNELS * KERNEL,
                          .bytes = at->products > 0 ? 0 : 8 * pixels * CHANNELS});
    }
    return bench_end();
}
