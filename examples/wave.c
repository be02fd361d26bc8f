/* wave.c - the wave equation on a square drum (leapfrog): windows of tensors written in place, one fused kernel a step. */
#include <braze/braze.h>
#include <math.h>

enum { N = 129, STEPS = 400 };

/* Kinetic and potential energy; leapfrog keeps it but for a ripple. dt = speed in units of the grid. */
static double energy(bz_tensor *now, bz_tensor *before, double speed) {
    bz_tensor *velocity = bz_div(bz_sub(now, before), speed),
              *half = bz_mul(bz_add(now, before), 0.5);
    bz_tensor *dx = bz_sub(bz_at(half, ":, 1:"), bz_at(half, ":, :-1"));
    bz_tensor *dy = bz_sub(bz_at(half, "1:"), bz_at(half, ":-1"));
    return bz_item(bz_add(bz_sum(bz_square(velocity), BZ_ALL),
                          bz_add(bz_sum(bz_square(dx), BZ_ALL), bz_sum(bz_square(dy), BZ_ALL))));
}

/* One step: `before` becomes the time after `now`. The border stays 0. */
static void step(bz_tensor *now, bz_tensor *before, double speed) {
    bz_tensor *inside = bz_at(now, "1:-1, 1:-1");
    bz_tensor *around = bz_add(bz_add(bz_at(now, ":-2, 1:-1"), bz_at(now, "2:, 1:-1")),
                               bz_add(bz_at(now, "1:-1, :-2"), bz_at(now, "1:-1, 2:")));
    bz_tensor *bend = bz_sub(around, bz_mul(inside, 4));
    bz_tensor *past = bz_at(before, "1:-1, 1:-1");
    bz_copy_(past, bz_add(bz_sub(bz_mul(inside, 2), past), bz_mul(bend, speed * speed)));
}

static void draw(bz_tensor *u) {
    float v[16][32];
    bz_to_host(bz_copy(bz_at(u, "4:-4:8, 4::4")), v, sizeof v);
    for (int i = 0; i < 16; i++, putchar('\n'))
        for (int k = 0; k < 32; k++) putchar(" .:-=+*#%@"[(int)fmin(9, fabs(v[i][k]) * 40)]);
}

int main(void) {
    bz_context *c;
    if (bz_open(NULL, &c)) return 1;
    bz_tensor *x = bz_linspace(c, -1, 1, N, BZ_F32), *r2;
    r2 = bz_add(bz_square(bz_sub(x, 0.3)), bz_square(bz_unsqueeze(bz_add(x, 0.2), 1)));
    bz_tensor *u[2] = {bz_mul(bz_exp(bz_mul(r2, -60)), 1), NULL};
    for (int side = 0; side < 2; side++) { /* the border is held */
        bz_fill_(bz_select(u[0], side, 0), 0);
        bz_fill_(bz_select(u[0], side, N - 1), 0);
    }
    u[1] = bz_copy(u[0]); /* at rest */
    const double speed = 0.5, first = energy(u[0], u[1], speed);
    for (int k = 0; k < STEPS; k++) {
        bz_scope_begin(c);
        step(u[k % 2], u[1 - k % 2], speed);
        bz_eval(u, 2);
        bz_scope_end(c);
    }
    draw(u[0]);
    double last = energy(u[STEPS % 2], u[1 - STEPS % 2], speed);
    bz_counters n;
    bz_get_counters(c, &n);
    printf("energy %.4f, after %d steps %.4f; %llu programs compiled\n", first, STEPS, last,
           (unsigned long long)n.plan_misses);
    bool bad = bz_context_status(c) || !(fabs(last / first - 1) < 0.02) || n.plan_misses > 40;
    if (bad) fprintf(stderr, "wave: %s\n", bz_message(c));
    bz_close(c);
    return bad;
}
