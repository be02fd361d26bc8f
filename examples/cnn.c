/* cnn.c - real digits: two convolutions and a layer, trained with Adam, tested on digits that they have not seen.
 *
 *     28 x 28 --conv, relu, pool--> 16 x 14 x 14 --conv, relu, pool--> 32 x 7 x 7 --linear--> 10 */
#include "examples/support/adam.h"
#include "examples/support/digits.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { BATCH = 64, PARAMS = 6, STATE = 3 * PARAMS, BEFORE = 3, SIDE = 28 };

static const struct {
    int64_t shape[4];
    int rank;
} params[PARAMS] = {{{16, 1, 3, 3}, 4}, {{16}, 1},          {{32, 16, 3, 3}, 4},
                    {{32}, 1},          {{10, 32 * 49}, 2}, {{CLASSES}, 1}};

static void start(bz_context *c, bz_tensor **state) {
    for (int k = 0; k < PARAMS; k++) {
        const int64_t *s = params[k].shape;
        const double inputs = params[k].rank == 4 ? (double)(s[1] * s[2] * s[3]) : (double)s[1];
        state[k] = k % 2 ? bz_zeros(c, s, 1, BZ_F32)
                         : bz_mul(bz_randn(c, s, params[k].rank, BZ_F32), sqrt(2 / inputs));
    }
    adam_start(state, PARAMS);
}

static bz_tensor *block(bz_tensor *x, bz_tensor *weight, bz_tensor *bias) {
    bz_tensor *h = bz_relu(bz_conv2d(x, weight, bias, NULL, NULL, NULL, 0, 1, true));
    return bz_max_pool2d(h, (int[]){2}, NULL, NULL, NULL, 1, false, NULL);
}

static bz_tensor *logits(bz_tensor *x, bz_tensor *const *p) {
    bz_tensor *h = block(block(x, p[0], p[1]), p[2], p[3]);
    return bz_linear(bz_flatten(h, 1, -1), p[4], p[5]);
}

static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_cross_entropy(logits(in[0], in + BEFORE), in[1]);
    return adam_step(out[0], in + BEFORE, PARAMS, in[2], 2e-3, out + 1);
}

/* The share of the digits it has not seen that it knows. */
static double accuracy(bz_context *c, const digits *d, bz_tensor *const *p, float *x, int64_t *y) {
    digits_batch(d, TRAIN, TEST, x, y);
    bz_tensor *image = bz_from_data(c, BZ_F32, x, BZ_SHAPE(TEST, 1, SIDE, SIDE));
    bz_tensor *label = bz_from_data(c, BZ_I64, y, BZ_SHAPE(TEST));
    bz_tensor *right = bz_eq(bz_argmax(logits(image, p), BZ_AXES(1), false), label);
    return bz_item(bz_mean(bz_cast(right, BZ_F32), BZ_ALL));
}

int main(int argc, char **argv) {
    static float x[TEST * PIXELS];
    static int64_t y[TEST];
    const int steps = argc > 1 ? atoi(argv[1]) : 5 * (TRAIN / BATCH);
    digits *d = digits_load("examples/data");
    bz_tensor *in[BEFORE + STATE], *out[1 + STATE];
    bz_context *c;
    if (!d || bz_open(&(bz_options){.seed = 1}, &c)) return 1;
    start(c, in + BEFORE);
    bz_program *p = adam_compile(c, step, BEFORE, PARAMS);
    for (int i = 1; i <= steps && !bz_context_status(c); i++, bz_scope_end(c)) {
        bz_scope_begin(c);
        digits_batch(d, i % (TRAIN / BATCH) * BATCH, BATCH, x, y);
        in[0] = bz_from_data(c, BZ_F32, x, BZ_SHAPE(BATCH, 1, SIDE, SIDE));
        in[1] = bz_from_data(c, BZ_I64, y, BZ_SHAPE(BATCH));
        in[2] = bz_from_data(c, BZ_I32, &i, NULL, 0);
        if (!bz_call(p, in, out) && (i % 100 == 0 || i == steps))
            printf("step %d  loss %.4f\n", i, bz_item(out[0]));
    }
    printf("%.1f %% of the digits that it has not seen\n", 100 * accuracy(c, d, in + BEFORE, x, y));
    const int status = bz_context_status(c);
    if (status) fprintf(stderr, "cnn: %s\n", bz_message(c));
    bz_close(c);
    free(d);
    return status;
}
