/* mlp.c - a perceptron learns three arms of a spiral: a compiled step with gradients clipped by their norm, Adam, and a rate
 * that warms up and then falls with a cosine. The rate is a tensor that is handed in: it changes, the code does not. */
#include <braze/braze.h>
#include <math.h>

enum { ARMS = 3, POINTS = 300, HIDDEN = 64, PARAMS = 6, STEPS = 300, STATE = 3 * PARAMS };

static bz_tensor *logits(bz_tensor *x, bz_tensor *const *p) {
    bz_tensor *h = bz_tanh(bz_add(bz_matmul(x, p[0]), p[1]));
    h = bz_tanh(bz_add(bz_matmul(h, p[2]), p[3]));
    return bz_add(bz_matmul(h, p[4]), p[5]);
}

/* in: x, labels, rate, step number, parameters, m, v. out: loss, then the new parameters, m, v in place of the old ones. */
static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *const *p = in + 4, *grad[PARAMS], *norm = NULL;
    bz_tensor *loss = bz_cross_entropy(logits(in[0], p), in[1]);
    bz_status s = bz_grad(loss, p, PARAMS, grad);
    if (s) return s;
    for (int k = 0; k < PARAMS; k++) {
        bz_tensor *square = bz_sum(bz_square(grad[k]), BZ_ALL);
        norm = norm ? bz_add(norm, square) : square;
    }
    bz_tensor *scale = bz_minimum(bz_div(1, bz_add(bz_sqrt(norm), 1e-6)), 1);
    out[0] = loss;
    for (int k = 0; k < PARAMS; k++) {
        bz_tensor *m = p[PARAMS + k], *v = p[2 * PARAMS + k];
        out[1 + k] = bz_adam_step(p[k], bz_mul(grad[k], scale), &m, &v, in[3], in[2], NULL);
        out[1 + PARAMS + k] = m;
        out[1 + 2 * PARAMS + k] = v;
    }
    return BZ_OK;
}

static void start(bz_context *c, bz_tensor **state) {
    static const int64_t sizes[] = {2, HIDDEN, HIDDEN, ARMS};
    for (int k = 0; k < STATE; k++) {
        int layer = k % PARAMS / 2;
        const int64_t shape[] = {sizes[layer], sizes[layer + 1]};
        bool bias = k % 2;
        state[k] = k < PARAMS && !bias
                       ? bz_div(bz_randn(c, shape, 2, BZ_F32), sqrt((double)shape[0]))
                       : bz_zeros(c, shape + bias, 2 - bias, BZ_F32);
    }
}

int main(void) {
    bz_context *c;
    if (bz_open(&(bz_options){.seed = 5}, &c)) return 1;
    bz_tensor *arm = bz_randint(c, 0, ARMS, BZ_SHAPE(POINTS)),
              *r = bz_rand(c, BZ_SHAPE(POINTS), BZ_F32);
    bz_tensor *turn = bz_add(bz_mul(r, 4), bz_mul(bz_cast(arm, BZ_F32), 2 * acos(-1) / ARMS));
    turn = bz_add(turn, bz_mul(bz_randn(c, BZ_SHAPE(POINTS), BZ_F32), 0.1));
    bz_tensor *xy[] = {bz_mul(r, bz_cos(turn)), bz_mul(r, bz_sin(turn))};
    bz_tensor *in[4 + STATE] = {bz_stack(xy, 2, 1), arm}, *out[1 + STATE];
    int donate[4 + STATE];
    for (int i = 0; i < 4 + STATE; i++) donate[i] = i < 4 ? -1 : i - 3;
    bz_program *p =
        bz_compile(c, step, NULL,
                   &(bz_compile_options){.nin = 4 + STATE, .nout = 1 + STATE, .donate = donate});
    start(c, in + 4);
    for (int k = 1; k <= STEPS; k++) {
        double rate =
            0.02 * (k < 20 ? k / 20.0 : 0.5 * (1 + cos(acos(-1) * (k - 20) / (STEPS - 20))));
        bz_scope_begin(c);
        in[2] = bz_from_data(c, BZ_F64, &rate, NULL, 0);
        in[3] = bz_from_data(c, BZ_I32, &k, NULL, 0);
        if (bz_call(p, in, out)) break; /* the state is changed in place */
        if (k % 60 == 0) printf("step %3d  rate %.4f  loss %.4f\n", k, rate, bz_item(out[0]));
        bz_scope_end(c);
    }
    bz_tensor *right = bz_eq(bz_argmax(logits(in[0], in + 4), BZ_AXES(1), false), arm);
    double share = bz_item(bz_mean(bz_cast(right, BZ_F32), BZ_ALL));
    printf("%.1f %% of the points on their arm\n", 100 * share);
    bool bad = bz_context_status(c) || !(share > 0.95);
    if (bad) fprintf(stderr, "mlp: %s\n", bz_message(c));
    bz_close(c);
    return bad;
}
