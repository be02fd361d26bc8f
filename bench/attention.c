/* attention.c - softmax(q . k^T / sqrt(d)) . v for each head: of all keys, and of those that come before a query (causal); this one with
 * the gradients of q, k and v, too. */
#include "bench/support/bench.h"

#include <math.h>

static bool causal;

static int64_t length(void) {
    return bench_tiny ? 20 : 2048;
}

enum { HEADS = 8, WIDTH = 64 };

static bz_status attention(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                           void *user) {
    (void)nin, (void)user;
    bz_tensor *s = bz_mul(bz_matmul(in[0], bz_transpose(in[1], 2, 3)), 0.125);
    if (causal) {
        bz_tensor *place = bz_arange(c, 0, (double)length(), 1, BZ_I64);
        s = bz_where(bz_gt(place, bz_unsqueeze(place, 1)), -INFINITY, s);
    }
    out[0] = bz_matmul(bz_softmax(s, -1), in[2]);
    return nout == 1 ? BZ_OK : bz_vjp(out, in + 3, 1, in, 3, out + 1);
}

static void setup(bz_context *c, bz_tensor **in) {
    for (int i = 0; i < 4; i++) in[i] = bz_randn(c, BZ_SHAPE(1, HEADS, length(), WIDTH), BZ_F32);
}

static void measure(const char *name, const char *what, bool masked, bool gradients) {
    const double n = (double)length(), products = gradients ? 6 : 2;
    causal = masked;
    bench_measure(&(bench_case){.name = name,
                                .what = what,
                                .fn = attention,
                                .setup = setup,
                                .nin = 4,
                                .nout = gradients ? 4 : 1,
                                .flops = 2 * products * HEADS * n * n * WIDTH / (masked ? 2 : 1)});
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    measure("attention/all", "attention, 8 heads of 2048 x 64", false, false);
    measure("attention/causal", "causal attention, 8 heads of 2048 x 64", true, false);
    measure("attention/causal_gradients", "causal attention and its gradients", true, true);
    return bench_end();
}
