/* newton.c - Rosenbrock's valley by Newton's method, whose steps conjugate gradients find: products with the Hessian alone, each the
 * tangent of a gradient (bz_jvp of bz_grad), in one compiled function. */
#include <braze/braze.h>

enum { N = 50 };

/* in: x, v. out: f(x), its gradient, the Hessian times v. */
static bz_status derivatives(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                             int nout, void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *x = in[0], *here = bz_narrow(x, 0, 0, N - 1), *next = bz_narrow(x, 0, 1, N - 1);
    bz_tensor *valley = bz_square(bz_sub(next, bz_square(here)));
    out[0] = bz_sum(bz_add(bz_mul(100, valley), bz_square(bz_sub(1, here))), BZ_ALL);
    bz_status s = bz_grad(out[0], &x, 1, &out[1]);
    return s ? s : bz_jvp(&out[1], 1, &x, &in[1], 1, &out[2]);
}

static double dot(bz_tensor *x, bz_tensor *y) {
    return bz_item(bz_sum(bz_mul(x, y), BZ_ALL));
}

/* s with H s = -g, as far as H is positive along the way. */
static bz_tensor *step(bz_context *c, bz_program *p, bz_tensor *x, bz_tensor *g) {
    bz_tensor *s = bz_zeros(c, BZ_SHAPE(N), BZ_F64), *r = bz_neg(g), *d = r, *out[3];
    double rr = dot(r, r);
    const double enough = 1e-4 * rr;
    for (int turn = 0; turn < 2 * N && rr > enough; turn++) {
        if (bz_call(p, (bz_tensor *[]){x, d}, out)) return s;
        const double curved = dot(d, out[2]);
        if (curved <= 0) return turn ? s : d;
        const double a = rr / curved, before = rr;
        s = bz_add(s, bz_mul(d, a));
        r = bz_sub(r, bz_mul(out[2], a));
        rr = dot(r, r);
        d = bz_add(r, bz_mul(d, rr / before));
    }
    return s;
}

int main(void) {
    bz_context *c;
    if (bz_open(NULL, &c)) return 1;
    bz_program *p = bz_compile(c, derivatives, NULL, &(bz_compile_options){.nin = 2, .nout = 3});
    bz_tensor *x = bz_full(c, BZ_SHAPE(N), -1, BZ_F64), *out[3];
    double f = 0, rate = 1;
    int turns = 0;
    for (; turns < 200 && !bz_context_status(c); turns++) {
        bz_call(p, (bz_tensor *[]){x, x}, out);
        f = bz_item(out[0]);
        if (turns % 10 == 0) printf("turn %-3d f = %.6g\n", turns, f);
        if (!(f > 1e-16)) break;
        bz_tensor *s = step(c, p, x, out[1]), *to, *there[3];
        for (rate = 1; rate > 1e-10; rate /= 2) { /* as far as f falls */
            to = bz_add(x, bz_mul(s, rate));
            if (bz_call(p, (bz_tensor *[]){to, x}, there) || bz_item(there[0]) < f) break;
        }
        x = to;
        bz_eval(&x, 1);
    }
    const double far = bz_item(bz_max(bz_abs(bz_sub(x, 1)), BZ_ALL));
    printf("after %d turns every x is 1 within %.1g\n", turns, far);
    const bool bad = bz_context_status(c) || !(far < 1e-6);
    if (bad) fprintf(stderr, "newton: %s\n", bz_message(c));
    bz_close(c);
    return bad;
}
