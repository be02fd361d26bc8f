/* mixed.c - a perceptron learns three arms of a spiral in mixed precision: products in f16, weights in f32, a loss that is scaled so that
 * small gradients do not vanish. A step whose gradients overflow is skipped and the scale halves: the device decides, nobody waits. */
#include <braze/braze.h>
#include <math.h>

enum { ARMS = 3, POINTS = 300, HIDDEN = 64, PARAMS = 6, FIXED = 5, STATE = FIXED + 3 * PARAMS };
enum { X, LABELS, STEP, SCALE, TRACKER };

static bz_tensor *logits(bz_context *c, bz_tensor *x, bz_tensor *const *p) {
    bz_autocast_begin(c, BZ_F16);
    bz_tensor *h = bz_tanh(bz_linear(x, p[0], p[1]));
    h = bz_tanh(bz_linear(h, p[2], p[3]));
    bz_tensor *y = bz_linear(h, p[4], p[5]);
    bz_autocast_end(c);
    return bz_cast(y, BZ_F32);
}

/* in: the points and the state: steps so far, scale, growth tracker, parameters, m, v. out: loss, then the new state. */
static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *const *p = in + FIXED, *grad[PARAMS], *found_inf, *tracker = in[TRACKER];
    out[0] = bz_cross_entropy(logits(c, in[X], p), in[LABELS]);
    bz_status s = bz_grad(bz_mul(out[0], in[SCALE]), p, PARAMS, grad);
    if (s) return s;
    bz_tensor *norm = bz_grad_norm(in[SCALE], grad, PARAMS, &found_inf), *t = bz_add(in[STEP], 1);
    bz_adam_options adam = BZ_ADAM_DEFAULTS;
    adam.found_inf = found_inf;
    out[1] = bz_where(found_inf, in[STEP], t);
    out[2] = bz_grad_scaler_update(in[SCALE], &tracker, found_inf,
                                   &(bz_grad_scaler_options){2, 0.5, 100});
    out[3] = tracker;
    for (int k = 0; k < PARAMS; k++) {
        bz_tensor *m = p[PARAMS + k], *v = p[2 * PARAMS + k];
        bz_tensor *d = bz_unscale(grad[k], in[SCALE], norm, 1); /* and clipped */
        out[4 + k] = bz_adam_step(p[k], d, &m, &v, t, 0.01, &adam);
        out[4 + PARAMS + k] = m, out[4 + 2 * PARAMS + k] = v;
    }
    return BZ_OK;
}

int main(void) {
    static const int64_t sizes[] = {2, HIDDEN, HIDDEN, ARMS};
    bz_context *c;
    if (bz_open(&(bz_options){.seed = 5}, &c)) return 1;
    bz_tensor *arm = bz_randint(c, 0, ARMS, BZ_SHAPE(POINTS)),
              *r = bz_rand(c, BZ_SHAPE(POINTS), BZ_F32);
    bz_tensor *turn = bz_add(bz_mul(r, 4), bz_mul(bz_cast(arm, BZ_F32), 2 * acos(-1) / ARMS));
    bz_tensor *xy[] = {bz_mul(r, bz_cos(turn)), bz_mul(r, bz_sin(turn))};
    bz_tensor *in[STATE] = {bz_stack(xy, 2, 1), arm}, *out[STATE - 1];
    int donate[STATE] = {-1, -1};
    for (int i = 2; i < STATE; i++) donate[i] = i - 1;
    in[STEP] = bz_zeros(c, NULL, 0, BZ_F32);
    in[SCALE] = bz_full(c, NULL, 0, 1 << 24, BZ_F32); /* too much, at first */
    in[TRACKER] = bz_zeros(c, NULL, 0, BZ_I32);
    for (int k = 0; k < 3 * PARAMS; k++) {
        const int64_t shape[] = {sizes[k % PARAMS / 2 + 1], sizes[k % PARAMS / 2]};
        in[FIXED + k] = k < PARAMS && k % 2 == 0
                            ? bz_div(bz_randn(c, shape, 2, BZ_F32), sqrt((double)shape[1]))
                            : bz_zeros(c, shape, 2 - k % 2, BZ_F32);
    }
    bz_program *p = bz_compile(
        c, step, NULL, &(bz_compile_options){.nin = STATE, .nout = STATE - 1, .donate = donate});
    for (int k = 1; k <= 400 && !bz_call(p, in, out); k++)
        if (k % 80 == 0)
            printf("turn %3d  loss %.4f  scale %.0f  %.0f steps taken\n", k, bz_item(out[0]),
                   bz_item(in[SCALE]), bz_item(in[STEP]));
    bz_tensor *right = bz_eq(bz_argmax(logits(c, in[X], in + FIXED), BZ_AXES(1), false), arm);
    double share = bz_item(bz_mean(bz_cast(right, BZ_F32), BZ_ALL));
    printf("%.1f %% of the points on their arm\n", 100 * share);
    bool bad = bz_context_status(c) || !(share > 0.95) || !(bz_item(in[STEP]) < 400);
    if (bad) fprintf(stderr, "mixed: %s\n", bz_message(c));
    bz_close(c);
    return bad;
}
