/* custom.c - an op of one's own: a C function, its gradient by a second one, in a least-squares fit of a damped wave's rate. */
#include <braze/braze.h>
#include <math.h>
#include <stdio.h>

/* y = e^(-rate t) cos(2 t) */
static int wave(void *user, double rate, const double *t, double *y, int64_t n) {
    (void)user;
    for (int64_t i = 0; i < n; i++) y[i] = exp(-rate * t[i]) * cos(2 * t[i]);
    return rate < 0 ? bz_op_fail(BZ_EARG, "the wave grows: its rate is %g", rate) : 0;
}

/* operands, result, gradient of the result -> gradients of the operands */
static int wave_grad(void *user, double rate, const double *t, const double *y, const double *dy,
                     double *drate, double *dt, int64_t n) {
    (void)user;
    *drate = 0;
    for (int64_t i = 0; i < n; i++) {
        *drate -= dy[i] * t[i] * y[i];
        dt[i] = dy[i] * (-rate * y[i] - 2 * exp(-rate * t[i]) * sin(2 * t[i]));
    }
    return 0;
}

/* in: rate, times, what was measured; out: the rate after a step, the error before it */
static bz_status step(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout, void *user) {
    (void)nin, (void)nout, (void)user;
    bz_tensor *y, *slope;
    bz_op_call(c, "wave", in, 2, &y, 1);
    out[1] = bz_mean(bz_square(bz_sub(y, in[2])), BZ_ALL);
    bz_status s = bz_grad(out[1], in, 1, &slope);
    out[0] = bz_sub(in[0], slope);
    return s;
}

int main(void) {
    bz_context *c;
    if (bz_open(NULL, &c)) return 1;
    bz_op_register(c, &(bz_op){BZ_OP("wave_grad", "f64, f64[n], f64[n], f64[n] -> f64, f64[n]", wave_grad)});
    bz_op_register(c, &(bz_op){BZ_OP("wave", "f64, f64[n] -> f64[n]", wave), .vjp_op = "wave_grad"});

    bz_tensor *t = bz_linspace(c, 0, 6, 200, BZ_F64), *rate = bz_full(c, NULL, 0, 2, BZ_F64), *y;
    bz_op_call(c, "wave", (bz_tensor *[]){bz_scalar(c, 0.4), t}, 2, &y, 1);
    bz_tensor *measured = bz_add(y, bz_mul(bz_randn(c, BZ_SHAPE(200), BZ_F64), bz_scalar(c, 0.01)));

    bz_program *p = bz_compile(c, step, NULL, &(bz_compile_options){.nin = 3, .nout = 2, .donate = (int[]){0, -1, -1}});
    for (int i = 0; i <= 60; i++) {
        bz_tensor *out[2];
        bz_call(p, (bz_tensor *[]){rate, t, measured}, out);
        if (i % 20 == 0) printf("step %2d  error %.6f  rate %.4f\n", i, bz_item(out[1]), bz_item(out[0]));
    }
    const double found = bz_item(rate);
    printf("the rate was 0.4, %.3f was found\n", found);
    if (bz_context_status(c)) fprintf(stderr, "custom: %s\n", bz_message(c));
    const int bad = bz_context_status(c) || !(fabs(found - 0.4) < 0.01);
    bz_close(c);
    return bad;
}
