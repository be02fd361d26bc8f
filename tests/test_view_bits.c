/* test_view_bits.c - views that are changed in place between uses: loss and gradients have the same bits interpreted, eager, lazy and
 * compiled. What each program does is drawn from its seed. */
#include "tests/support/rt_support.h"

enum { N = 6, VIEWS = 6, PROGRAMS = 60, RESULTS = 3 };

typedef struct draws {
    uint32_t seed, state;
} draws;

static unsigned draw(draws *d, unsigned n) {
    d->state = d->state * 1664525u + 1013904223u;
    return (d->state >> 16) % n;
}

static void use(bz_tensor **v, draws *d, bz_tensor **loss) {
    bz_tensor *x = v[0], *a = v[draw(d, VIEWS)], *b = v[1 + draw(d, 2)], *other = v[3 - draw(d, 2)];
    switch (draw(d, 8)) {
    case 0: bz_mul_(a, bz_scalar(bz_context_of(x), 1.1)); break;
    case 1: bz_add_(a, bz_sin(a)); break;
    case 2: bz_mul_(b, other); break;
    case 3: bz_div_(b, bz_add(bz_exp(other), 3)); break;
    case 4: bz_sub_(v[4], bz_select(x, 0, 1)); break; /* a row, and another one of its base */
    case 5: bz_div_(v[5], bz_add(bz_square(bz_transpose(x, 0, 1)), 2)); break;
    case 6: *loss = bz_add(*loss, bz_sum(bz_exp(a), BZ_ALL)); break;
    default: *loss = bz_add(*loss, bz_sum(bz_mul(a, a), BZ_ALL)); break;
    }
}

static bz_status program(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)c, (void)nin, (void)nout;
    draws *d = user;
    d->state = d->seed * 7919u;
    bz_tensor *x = bz_mul(in[0], in[1]), *loss = bz_sum(x, BZ_ALL);
    bz_tensor *v[VIEWS] = {x,
                           bz_narrow(x, 0, 1, 3),
                           bz_narrow(x, 0, 2, 3),
                           bz_at(x, "::2, :"),
                           bz_select(x, 0, 3),
                           bz_transpose(x, 0, 1)};
    for (unsigned i = 0, n = 3 + draw(d, 5); i < n; i++) use(v, d, &loss);
    out[0] = bz_add(loss, bz_sum(bz_mul(v[1], v[2]), BZ_ALL));
    return bz_grad(out[0], in, 2, out + 1);
}

static void run(bz_context *c, draws *d, bool compiled, float *got) {
    float data[2][N * N];
    for (int i = 0; i < 2 * N * N; i++) data[i / (N * N)][i % (N * N)] = (float)sin(1.3 * i + 1);
    bz_tensor *in[2], *out[RESULTS];
    for (int k = 0; k < 2; k++) in[k] = bz_from_data(c, BZ_F32, data[k], BZ_SHAPE(N, N));
    bz_program *p = bz_compile(c, program, d, &(bz_compile_options){.nin = 2, .nout = RESULTS});
    bz_status s = compiled ? bz_call(p, in, out) : program(c, in, 2, out, RESULTS, d);
    cr_assert_eq(s, BZ_OK, "seed %u: %s", d->seed, bz_message(c));
    cr_assert_eq(bz_to_host(out[0], got, sizeof *got), BZ_OK);
    for (int k = 0; k < 2; k++)
        cr_assert_eq(bz_to_host(out[1 + k], got + 1 + k * N * N, sizeof data[k]), BZ_OK);
}

Test(view_bits, changed_in_place_between_uses) {
    static const struct way {
        const char *name;
        bz_options options;
        bool compiled;
    } ways[] = {{"interpreted", {.device = BZ_REF}, false},
                {"eager", {.mode = BZ_EAGER}, false},
                {"lazy", {.mode = BZ_LAZY}, false},
                {"compiled", {.mode = BZ_LAZY}, true},
                {"compiled, interpreted", {.device = BZ_REF}, true}};
    float want[1 + 2 * N * N], got[1 + 2 * N * N];
    for (draws d = {.seed = 1}; d.seed <= PROGRAMS; d.seed++) {
        for (unsigned w = 0; w < sizeof ways / sizeof *ways; w++) {
            bz_context *c;
            cr_assert_eq(bz_open(&ways[w].options, &c), BZ_OK);
            run(c, &d, ways[w].compiled, w ? got : want);
            bz_close(c);
            cr_expect(w == 0 || memcmp(got, want, sizeof got) == 0, "seed %u: %s differs", d.seed,
                      ways[w].name);
        }
    }
}
