/* logistic.c - logistic regression: two clouds of points, and the straight line between them. */
#include <braze/braze.h>

enum { POINTS = 400, STEPS = 200 };

int main(void) {
    bz_context *c;
    if (bz_open(&(bz_options){.seed = 3}, &c)) return 1;
    /* label 0 around (-1, -1), label 1 around (1, 1) */
    bz_tensor *label = bz_cast(bz_randint(c, 0, 2, BZ_SHAPE(POINTS)), BZ_F32);
    bz_tensor *centre = bz_unsqueeze(bz_sub(bz_mul(label, 2), 1), 1);
    bz_tensor *x = bz_add(centre, bz_mul(bz_randn(c, BZ_SHAPE(POINTS, 2), BZ_F32), 0.7));
    bz_tensor *w = bz_zeros(c, BZ_SHAPE(2), BZ_F32), *b = bz_zeros(c, NULL, 0, BZ_F32), *grad[2];
    for (int step = 1; step <= STEPS; step++) {
        bz_scope_begin(c);
        bz_tensor *z = bz_add(bz_matmul(x, w), b);
        /* -log of the probability that sigmoid(z) gives to the label, without overflow */
        bz_tensor *loss = bz_mean(bz_sub(bz_softplus(z), bz_mul(label, z)), BZ_ALL);
        bz_grad(loss, (bz_tensor *[]){w, b}, 2, grad);
        bz_sub_(w, grad[0]);
        bz_sub_(b, grad[1]);
        if (step % 50 == 0) printf("step %3d  loss %.4f\n", step, bz_item(loss));
        bz_eval((bz_tensor *[]){w, b}, 2);
        bz_scope_end(c);
    }
    bz_tensor *right = bz_eq(bz_gt(bz_add(bz_matmul(x, w), b), 0), bz_gt(label, 0));
    double share = bz_item(bz_mean(bz_cast(right, BZ_F32), BZ_ALL));
    printf("%.1f %% of the points on their side; the line is", 100 * share);
    bz_print(w);
    bool bad = bz_context_status(c) || share < 0.95;
    if (bad) fprintf(stderr, "logistic: %s\n", bz_message(c));
    bz_close(c);
    return bad;
}
