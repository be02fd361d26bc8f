/* gpt.c - see gpt.h. */
#include "bench/support/gpt.h"

#include "examples/support/adam.h"

#include <math.h>

enum { BEFORE = 3 }; /* inputs before the state */

static int params(const gpt_size *s) {
    return 2 + 4 * s->layers;
}

int gpt_inputs(const gpt_size *s) {
    return BEFORE + 3 * params(s);
}

int gpt_outputs(const gpt_size *s) {
    return 1 + 3 * params(s);
}

/* Two operations a weight and row forward, four backward; two products of attention, each with two more backward. */
double gpt_flops(const gpt_size *s) {
    const double rows = (double)s->batch * s->length, w = s->width;
    const double weights = 12.0 * w * w * s->layers + w * s->letters;
    return 6 * rows * weights + 12 * rows * s->length * w * s->layers;
}

void gpt_start(bz_context *c, const gpt_size *s, bz_tensor **in) {
    const int64_t w = s->width;
    const int64_t shapes[][2] = {{s->letters, w}, {s->length, w}, {w, 3 * w},
                                 {w, w},          {w, 4 * w},     {4 * w, w}};
    in[0] = bz_randint(c, 0, s->letters, BZ_SHAPE(s->batch, s->length));
    in[1] = bz_randint(c, 0, s->letters, BZ_SHAPE(s->batch, s->length));
    in[2] = bz_from_data(c, BZ_I32, &(int32_t){1}, NULL, 0);
    for (int k = 0; k < params(s); k++)
        in[BEFORE + k] = bz_mul(bz_randn(c, shapes[k < 2 ? k : 2 + (k - 2) % 4], 2, BZ_F32), 0.02);
    adam_start(in + BEFORE, params(s));
}

void gpt_donate(const gpt_size *s, int *donate) {
    for (int i = 0; i < gpt_inputs(s); i++) donate[i] = i < BEFORE ? -1 : 1 + i - BEFORE;
}

static bz_tensor *attention(const gpt_size *s, bz_tensor *x, bz_tensor *wqkv, bz_tensor *wo) {
    const int size = s->width / s->heads;
    bz_tensor *all =
        bz_reshape(bz_matmul(x, wqkv), BZ_SHAPE(s->batch, s->length, 3, s->heads, size));
    all = bz_permute(all, BZ_AXES(2, 0, 3, 1, 4)); /* [3, batch, heads, length, size] */
    bz_tensor *place = bz_arange(bz_context_of(x), 0, s->length, 1, BZ_I64);
    bz_tensor *future = bz_gt(place, bz_unsqueeze(place, 1));
    bz_tensor *scores = bz_matmul(bz_at(all, "0"), bz_transpose(bz_at(all, "1"), -1, -2));
    scores = bz_softmax(bz_where(future, -INFINITY, bz_div(scores, sqrt(size))), -1);
    bz_tensor *seen = bz_permute(bz_matmul(scores, bz_at(all, "2")), BZ_AXES(0, 2, 1, 3));
    return bz_matmul(bz_reshape(seen, BZ_SHAPE(s->batch, s->length, s->width)), wo);
}

static bz_tensor *norm(bz_tensor *x) {
    return bz_layer_norm(x, NULL, NULL, 1, 1e-5);
}

bz_status gpt_step(const gpt_size *s, bz_tensor *const *in, bz_tensor **out) {
    bz_tensor *const *p = in + BEFORE;
    bz_tensor *x = bz_add(bz_gather(p[0], in[0], 0), p[1]);
    for (bz_tensor *const *w = p + 2; w < p + params(s); w += 4) {
        x = bz_add(x, attention(s, norm(x), w[0], w[1]));
        x = bz_add(x, bz_matmul(bz_gelu(bz_matmul(norm(x), w[2])), w[3]));
    }
    bz_tensor *y = bz_matmul(norm(x), bz_transpose(p[0], 0, 1));
    out[0] = bz_cross_entropy(bz_flatten(y, 0, 1), bz_flatten(in[1], 0, 1));
    return adam_step(out[0], p, params(s), in[2], 3e-4, out + 1);
}
