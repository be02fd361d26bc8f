/* gru.c - a gated recurrent unit (Cho et al. 2014) over 200 steps: it learns to foretell noisy waves of unknown pitch. */
#include "examples/support/adam.h"
#include <math.h>

enum { LENGTH = 200, BATCH = 16, HIDDEN = 24, PARAMS = 6, STEPS = 60 };

/* One step of time. x: [BATCH, 1], h: [BATCH, HIDDEN]; p: weights of x, of h, their biases, the output's. */
static bz_tensor *unit(bz_tensor *x, bz_tensor *h, bz_tensor *const *p) {
    bz_tensor *gx = bz_add(bz_matmul(x, p[0]), p[2]), *gh = bz_add(bz_matmul(h, p[1]), p[3]);
    bz_tensor *part[2][3];
    for (int k = 0; k < 3; k++) {
        part[0][k] = bz_narrow(gx, 1, k * HIDDEN, HIDDEN);
        part[1][k] = bz_narrow(gh, 1, k * HIDDEN, HIDDEN);
    }
    bz_tensor *reset = bz_sigmoid(bz_add(part[0][0], part[1][0]));
    bz_tensor *update = bz_sigmoid(bz_add(part[0][1], part[1][1]));
    bz_tensor *next = bz_tanh(bz_add(part[0][2], bz_mul(reset, part[1][2])));
    return bz_add(next, bz_mul(update, bz_sub(h, next)));
}

/* in: waves [LENGTH + 1, BATCH, 1], step number, state; out: loss, state. */
static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *const *p = in + 2, *h = bz_zeros(c, BZ_SHAPE(BATCH, HIDDEN), BZ_F32);
    bz_tensor *guess[LENGTH];
    for (int t = 0; t < LENGTH; t++) {
        h = unit(bz_select(in[0], 0, t), h, p);
        guess[t] = bz_add(bz_matmul(h, p[4]), p[5]);
    }
    bz_tensor *loss = bz_mse_loss(bz_stack(guess, LENGTH, 0), bz_narrow(in[0], 0, 1, LENGTH));
    out[0] = loss;
    return adam_step(loss, p, PARAMS, in[1], 0.01, out + 1);
}

static bz_tensor *waves(bz_context *c) {
    bz_tensor *time = bz_reshape(bz_arange(c, 0, LENGTH + 1, 1, BZ_F32), BZ_SHAPE(-1, 1, 1));
    bz_tensor *pitch = bz_add(bz_mul(bz_rand(c, BZ_SHAPE(1, BATCH, 1), BZ_F32), 0.3), 0.1);
    bz_tensor *noise = bz_randn(c, BZ_SHAPE(LENGTH + 1, BATCH, 1), BZ_F32);
    return bz_add(bz_sin(bz_mul(time, pitch)), bz_mul(noise, 0.05));
}

int main(void) {
    static const int64_t shapes[PARAMS][2] = {{1, 3 * HIDDEN}, {HIDDEN, 3 * HIDDEN},
                                              {1, 3 * HIDDEN}, {1, 3 * HIDDEN},
                                              {HIDDEN, 1},     {1, 1}};
    bz_context *c;
    if (bz_open(&(bz_options){.seed = 2}, &c)) return 1;
    bz_tensor *in[2 + 3 * PARAMS], *out[1 + 3 * PARAMS];
    for (int k = 0; k < PARAMS; k++)
        in[2 + k] = bz_mul(bz_randn(c, shapes[k], 2, BZ_F32), 1 / sqrt(HIDDEN));
    adam_start(in + 2, PARAMS);
    bz_program *p = adam_compile(c, step, 2, PARAMS);
    double loss = 0;
    for (int k = 1; k <= STEPS && !bz_context_status(c); k++) {
        bz_scope_begin(c);
        in[0] = waves(c);
        in[1] = bz_from_data(c, BZ_I32, &k, NULL, 0);
        if (!bz_call(p, in, out)) loss = bz_item(out[0]);
        if (k % 10 == 0) printf("step %2d  loss %.4f\n", k, loss);
        bz_scope_end(c);
    }
    bool bad = bz_context_status(c) || !(loss < 0.05);
    if (bad) fprintf(stderr, "gru: %s\n", bz_message(c));
    bz_close(c);
    return bad;
}
