/* derivatives.c - sin x and its derivatives, each the gradient of the one before. */
#include <braze/braze.h>
#include <math.h>

int main(void) {
    bz_context *c;
    if (bz_open(NULL, &c)) return 1;
    static const char *const names[] = {"sin x", "cos x", "-sin x", "-cos x", "sin x"};
    bz_tensor *x = bz_linspace(c, 0, 3, 4, BZ_F64), *f = bz_sin(x);
    double got[4], at[4], worst = 0;
    bz_to_host(x, at, sizeof at);
    for (int order = 0; order < 5; order++) {
        printf("%-7s", names[order]);
        bz_print(f);
        bz_to_host(f, got, sizeof got);
        for (int i = 0; i < 4; i++)
            worst = fmax(worst, fabs(got[i] - sin(at[i] + order * acos(0))));
        bz_grad(bz_sum(f, BZ_ALL), &x, 1, &f);
    }
    bool bad = bz_context_status(c) || !(worst < 1e-14);
    if (bad) fprintf(stderr, "derivatives: %s (worst error %g)\n", bz_message(c), worst);
    bz_close(c);
    return bad;
}
