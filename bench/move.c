/* move.c - copies of views, from memory: what a movement costs that has to be stored. */
#include "bench/support/bench.h"

#include <stdio.h>

static bz_tensor *transpose(bz_tensor *x) {
    return bz_permute(x, BZ_AXES(1, 0));
}

static bz_tensor *add_transposed(bz_tensor *x) {
    return bz_add(x, transpose(x));
}

static bz_tensor *flip(bz_tensor *x) {
    return bz_flip(x, BZ_AXES(1));
}

static bz_tensor *every_second(bz_tensor *x) {
    const int64_t start[] = {0, 0}, stop[] = {BZ_OPEN, BZ_OPEN}, step[] = {1, 2};
    return bz_slice(x, start, stop, step, 2);
}

static bz_tensor *pad(bz_tensor *x) {
    const int64_t one[] = {1, 1};
    return bz_pad(x, one, one, 2, 0);
}

static bz_tensor *concat(bz_tensor *x) {
    return bz_concat((bz_tensor *const[]){x, x}, 2, 1);
}

static const struct problem {
    const char *name, *what;
    bz_tensor *(*of)(bz_tensor *x);
    double touched; /* bytes for each of x */
} problems[] = {{"transpose", "transposed", transpose, 8},
                {"add_transposed", "x + x transposed", add_transposed, 8},
                {"flip", "flipped along rows", flip, 8},
                {"every_second", "every second column", every_second, 6},
                {"pad", "one element of padding around", pad, 8},
                {"concat", "beside itself", concat, 12}};

static const struct problem *at; /* the one that is measured */

static int64_t side(void) {
    return bench_tiny ? 20 : 4096;
}

static bz_status move(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_copy(at->of(in[0]));
    return BZ_OK;
}

static void setup(bz_context *c, bz_tensor **in) {
    in[0] = bz_randn(c, BZ_SHAPE(side(), side()), BZ_F32);
}

int main(int argc, char **argv) {
    bench_start(argc, argv);
    for (size_t i = 0; i < sizeof problems / sizeof *problems; i++) {
        char what[64];
        at = &problems[i];
        snprintf(what, sizeof what, "%lld^2 %s", (long long)side(), at->what);
        bench_measure(&(bench_case){.name = at->name,
                                    .what = what,
                                    .fn = move,
                                    .setup = setup,
                                    .nin = 1,
                                    .nout = 1,
                                    .bytes = at->touched * (double)(side() * side())});
    }
    return bench_end();
}
