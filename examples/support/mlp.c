/* mlp.c - see mlp.h. */
#include "examples/support/mlp.h"

#include "examples/support/digits.h"

#include <math.h>

#define NAMES(p) p "w1", p "b1", p "w2", p "b2", p "w3", p "b3"
const char *const mlp_step_in[STEP_IN] = {"x", "y", "t", NAMES(""), NAMES("m_"), NAMES("v_")};
const char *const mlp_step_out[STEP_OUT] = {"loss", "new_t", NAMES("new_"), NAMES("new_m_"),
                                            NAMES("new_v_")};
const char *const mlp_test_in[TEST_IN] = {"x", "y", NAMES("")};
const char *const mlp_test_out[1] = {"right"};

/* Rows and columns of parameter k; a bias has rows 0. */
static void shape_of(int k, int hidden, int64_t shape[2]) {
    shape[0] = k % 2 ? 0 : k == 0 ? PIXELS : hidden;
    shape[1] = k < 4 ? hidden : CLASSES;
}

int64_t mlp_size(int k, int hidden) {
    int64_t s[2];
    shape_of(k, hidden, s);
    return (s[0] ? s[0] : 1) * s[1];
}

void mlp_init(bz_context *c, int hidden, bz_tensor **state) {
    const float zero = 0;
    state[0] = bz_from_data(c, BZ_F32, &zero, NULL, 0);
    for (int k = 0; k < MLP_PARAMS; k++) {
        int64_t s[2];
        shape_of(k, hidden, s);
        bool weight = s[0] > 0;
        const int64_t *shape = weight ? s : s + 1;
        state[1 + k] = weight ? bz_mul(bz_randn(c, s, 2, BZ_F32), sqrt(2.0 / (double)s[0]))
                              : bz_zeros(c, shape, 1, BZ_F32);
        for (int moment = 1; moment <= 2; moment++)
            state[1 + moment * MLP_PARAMS + k] = bz_zeros(c, shape, weight ? 2 : 1, BZ_F32);
    }
}

static bz_tensor *logits(bz_tensor *x, bz_tensor *const *p) {
    bz_tensor *h1 = bz_relu(bz_add(bz_matmul(x, p[0]), p[1]));
    bz_tensor *h2 = bz_relu(bz_add(bz_matmul(h1, p[2]), p[3]));
    return bz_add(bz_matmul(h2, p[4]), p[5]);
}

bz_status mlp_step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                   void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *const *p = in + 3, *const *m = p + MLP_PARAMS, *const *v = m + MLP_PARAMS;
    const double rate = 1e-3;
    bz_tensor *grad[MLP_PARAMS];
    bz_tensor *loss = bz_cross_entropy(logits(in[0], p), in[1]);
    bz_status s = bz_grad(loss, p, MLP_PARAMS, grad);
    if (s) return s;
    out[0] = loss;
    out[1] = bz_add(in[2], 1);
    for (int k = 0; k < MLP_PARAMS; k++) {
        bz_tensor *mk = m[k], *vk = v[k];
        out[2 + k] = bz_adam_step(p[k], grad[k], &mk, &vk, out[1], rate, NULL);
        out[2 + MLP_PARAMS + k] = mk;
        out[2 + 2 * MLP_PARAMS + k] = vk;
    }
    return BZ_OK;
}

void mlp_donate(int donate[STEP_IN]) {
    for (int i = 0; i < STEP_IN; i++) donate[i] = i < 2 ? -1 : i - 1;
}

bz_status mlp_test(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                   void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *found = bz_argmax(logits(in[0], in + 2), BZ_AXES(-1), false);
    out[0] = bz_sum(bz_eq(found, in[1]), BZ_ALL);
    return BZ_OK;
}
