/* regression.c - a straight line through noisy points, by gradient descent. */
#include <braze/braze.h>
#include <math.h>

int main(void) {
    bz_context *c;
    if (bz_open(&(bz_options){.seed = 7}, &c)) return 1;
    bz_tensor *x = bz_randn(c, BZ_SHAPE(256), BZ_F32), *noise = bz_randn(c, BZ_SHAPE(256), BZ_F32);
    bz_tensor *y = bz_add(bz_mul(x, 3), bz_add(2, bz_mul(noise, 0.1)));
    bz_tensor *w = bz_zeros(c, NULL, 0, BZ_F32), *b = bz_zeros(c, NULL, 0, BZ_F32);
    bz_tensor *grad[2];
    for (int step = 1; step <= 100; step++) {
        bz_scope_begin(c);
        bz_tensor *loss = bz_mse_loss(bz_add(bz_mul(x, w), b), y);
        bz_grad(loss, (bz_tensor *[]){w, b}, 2, grad);
        bz_sub_(w, bz_mul(grad[0], 0.1));
        bz_sub_(b, bz_mul(grad[1], 0.1));
        if (step % 25 == 0) printf("step %3d  loss %.5f\n", step, bz_item(loss));
        bz_eval((bz_tensor *[]){w, b}, 2);
        bz_scope_end(c);
    }
    double slope = bz_item(w), offset = bz_item(b);
    printf("y = %.3f x + %.3f\n", slope, offset);
    bool bad = bz_context_status(c) || fabs(slope - 3) > 0.05 || fabs(offset - 2) > 0.05;
    if (bad) fprintf(stderr, "regression: %s\n", bz_message(c));
    bz_close(c);
    return bad;
}
