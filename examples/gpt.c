/* gpt.c - a small transformer learns to write like Shakespeare, letter by letter, and writes.   usage: gpt [STEPS [LETTERS]] */
#include "examples/support/adam.h"
#include <math.h>
#include <stdlib.h>

enum { CONTEXT = 48, BATCH = 12, WIDTH = 64, HEADS = 4, SIZE = WIDTH / HEADS, LAYERS = 2 };
enum { LETTERS = 128, PARAMS = 2 + 4 * LAYERS, TEXT = 100000 };

/* x: [b, CONTEXT, WIDTH]; every letter looks at itself and those before it. */
static bz_tensor *attention(bz_tensor *x, bz_tensor *wqkv, bz_tensor *wo) {
    bz_tensor *all = bz_reshape(bz_matmul(x, wqkv), BZ_SHAPE(-1, CONTEXT, 3, HEADS, SIZE));
    all = bz_permute(all, BZ_AXES(2, 0, 3, 1, 4)); /* [3, b, HEADS, CONTEXT, SIZE] */
    bz_tensor *place = bz_arange(bz_context_of(x), 0, CONTEXT, 1, BZ_I64);
    bz_tensor *future = bz_gt(place, bz_unsqueeze(place, 1));
    bz_tensor *scores = bz_matmul(bz_at(all, "0"), bz_transpose(bz_at(all, "1"), -1, -2));
    scores = bz_softmax(bz_where(future, -INFINITY, bz_div(scores, sqrt(SIZE))), -1);
    bz_tensor *seen = bz_permute(bz_matmul(scores, bz_at(all, "2")), BZ_AXES(0, 2, 1, 3));
    return bz_matmul(bz_reshape(seen, BZ_SHAPE(-1, CONTEXT, WIDTH)), wo);
}

static bz_tensor *norm(bz_tensor *x) {
    return bz_layer_norm(x, NULL, NULL, 1, 1e-5);
}

/* letters: i64[b, CONTEXT] -> what comes next: f32[b, CONTEXT, LETTERS] */
static bz_tensor *logits(bz_tensor *letters, bz_tensor *const *p) {
    bz_tensor *x = bz_add(bz_gather(p[0], letters, 0), p[1]);
    for (bz_tensor *const *w = p + 2; w < p + PARAMS; w += 4) {
        x = bz_add(x, attention(norm(x), w[0], w[1]));
        x = bz_add(x, bz_matmul(bz_gelu(bz_matmul(norm(x), w[2])), w[3]));
    }
    return bz_matmul(norm(x), bz_transpose(p[0], 0, 1));
}

/* in: letters, those after them, step number, state; out: loss, state. */
static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                      void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_cross_entropy(bz_flatten(logits(in[0], in + 3), 0, 1), bz_flatten(in[1], 0, 1));
    return adam_step(out[0], in + 3, PARAMS, in[2], 3e-3, out + 1);
}

int main(int argc, char **argv) {
    static unsigned char text[TEXT];
    static const int64_t shapes[][2] = {{LETTERS, WIDTH}, {CONTEXT, WIDTH},   {WIDTH, 3 * WIDTH},
                                        {WIDTH, WIDTH},   {WIDTH, 4 * WIDTH}, {4 * WIDTH, WIDTH}};
    FILE *f = fopen("examples/data/shakespeare.txt", "rb");
    bz_context *c;
    if (!f || fread(text, TEXT, 1, f) != 1 || bz_open(NULL, &c)) return perror("gpt"), 1;
    bz_tensor *in[3 + 3 * PARAMS], *out[1 + 3 * PARAMS], *const *p = in + 3;
    int steps = argc > 1 ? atoi(argv[1]) : 200, letters = argc > 2 ? atoi(argv[2]) : 300;
    for (int k = 0; k < PARAMS; k++)
        in[3 + k] = bz_mul(bz_randn(c, shapes[k < 2 ? k : 2 + (k - 2) % 4], 2, BZ_F32), 0.08);
    adam_start(in + 3, PARAMS);
    bz_program *train = adam_compile(c, step, 3, PARAMS);
    bz_tensor *all = bz_cast(bz_from_data(c, BZ_U8, text, BZ_SHAPE(TEXT)), BZ_I64);
    bz_tensor *window = bz_arange(c, 0, CONTEXT, 1, BZ_I64);
    for (int k = 1; k <= steps && !bz_context_status(c); k++, bz_scope_end(c)) {
        bz_scope_begin(c);
        bz_tensor *at = bz_add(bz_randint(c, 0, TEXT - CONTEXT, BZ_SHAPE(BATCH, 1)), window);
        in[0] = bz_gather(all, at, 0), in[1] = bz_gather(all, bz_add(at, 1), 0);
        in[2] = bz_from_data(c, BZ_I32, &k, NULL, 0);
        if (!bz_call(train, in, out) && (k % 50 == 0 || k == steps))
            printf("step %d  loss %.3f  %a\n", k, bz_item(out[0]), bz_item(out[0]));
    }
    bz_tensor *seen = bz_copy(bz_at(all, "None, :48"));
    for (int i = 0; i < letters && !bz_context_status(c); i++, bz_scope_end(c)) {
        bz_scope_begin(c); /* the next letter is drawn in Gumbel's way, at temperature 0.8 */
        bz_tensor *luck = bz_log(bz_neg(bz_log(bz_rand(c, BZ_SHAPE(LETTERS), BZ_F32))));
        bz_tensor *guess = bz_sub(bz_div(bz_at(logits(seen, p), "0, -1"), 0.8), luck);
        bz_tensor *next = bz_argmax(guess, BZ_AXES(0), true),
                  *list[] = {bz_at(seen, "0, 1:"), next};
        bz_copy_(seen, bz_concat(list, 2, 0));
        putchar((int)bz_item_int(next));
        bz_eval(&seen, 1);
    }
    int status = bz_context_status(c);
    printf("\n%s\n", bz_message(c));
    return bz_close(c), status;
}
