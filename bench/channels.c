/* channels.c - what runs over a middle axis: pictures with 64 channels, each pixel by itself. */
#include "bench/support/bench.h"

#include <stddef.h>

enum { CHANNELS = 64 };

static int64_t pixels(void) {
    return bench_tiny ? 5 : 16384;
}

static bz_tensor *softmax(bz_tensor *x) {
    return bz_softmax(x, 1);
}

static bz_tensor *norm(bz_tensor *x) {
    bz_tensor *d = bz_sub(x, bz_mean(x, BZ_AXES(1), true));
    return bz_mul(d, bz_rsqrt(bz_add(bz_mean(bz_mul(d, d), BZ_AXES(1), true), 1e-5)));
}

static const struct problem {
    const char *name, *what;
    bz_tensor *(*of)(bz_tensor *x);
} problems[] = {{"channel_softmax", "softmax over 1 of 8 x 64 x 16384", softmax},
                {"channel_norm", "norm over 1 of 8 x 64 x 16384", norm}};

static const struct problem *at; /* the one that is measured */

static bz_status run(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                     void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = at->of(in[0]);
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in) {
    in[0] = bz_randn(c, BZ_SHAPE(8, CHANNELS, pixels()), BZ_F32);
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        at = &problems[i];
        bench_measure(&(bench_case){.name = at->name,
                                    .what = at->what,
                                    .fn = run,
                                    .setup = setup,
                                    .nin = 1,
                                    .nout = 1,
                                    .bytes = 8.0 * 8 * CHANNELS * (double)pixels()});
    }
    return bench_end();
}
