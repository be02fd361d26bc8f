/* scale.c - what compiling costs as programs grow: long chains, equal layers, a loop over time, equal constants, calls.
 *
 *     scale --one KIND      one of them in a process that does nothing else: prints ms, launches, kernels built
 *     scale [...]           asks such processes, one of each kind
 *
 * The time is the processor's, of all threads, for recording and for the first evaluation, its run included; the plug-in is loaded
 * before. */
#include "bench/support/bench.h"
#include "bench/support/report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { HIDDEN = 64, BATCH = 8, STEPS = 200, LAYERS = 12 };

static int scaled(int n) {
    return bench_tiny ? n / 100 + 2 : n;
}

/* ---- the kinds: record and evaluate */

static bz_tensor *data(bz_context *c, int64_t rows, int64_t cols) {
    bz_tensor *x = bz_rand(c, BZ_SHAPE(rows, cols), BZ_F32);
    bz_eval(&x, 1);
    return x;
}

/* Gives y; the handle on what it was made of goes. */
static bz_tensor *then(bz_tensor *y, bz_tensor *of) {
    bz_release(of);
    return y;
}

static bz_tensor *chain(bz_context *c, int n, bool sines) {
    bz_tensor *x = data(c, 16, 64), *y = bz_add(x, x);
    for (int i = 0; i < n; i++) y = then(sines ? bz_sin(y) : bz_add(y, x), y);
    return y;
}

static void sin_chain(bz_context *c) {
    bz_tensor *y = chain(c, scaled(1000), true);
    bz_eval(&y, 1);
}

static void short_chain(bz_context *c) {
    bz_tensor *y = chain(c, scaled(10000), false);
    bz_eval(&y, 1);
}

static void long_chain(bz_context *c) {
    bz_tensor *y = chain(c, scaled(100000), false);
    bz_eval(&y, 1);
}

static void live_adds(bz_context *c, int n) {
    bz_tensor *x = data(c, 16, 64), *y = x;
    for (int i = 0; i < n; i++) y = bz_add(y, x);
    bz_eval(&y, 1);
}

static void few_live_adds(bz_context *c) {
    live_adds(c, scaled(8000));
}

static void many_live_adds(bz_context *c) {
    live_adds(c, scaled(100000));
}

static bz_tensor *stack(bz_context *c, int n) {
    bz_tensor *h = data(c, 128, 256);
    for (int i = 0; i < n; i++) {
        bz_tensor *w = data(c, 256, 256), *b = data(c, 1, 256), *y = bz_matmul(h, w);
        y = then(bz_add(y, b), y);
        y = then(bz_gelu(y), y);
        h = then(bz_layer_norm(y, NULL, NULL, 1, 1e-5), y);
    }
    return h;
}

static void one_layer(bz_context *c) {
    bz_tensor *y = stack(c, 1);
    bz_eval(&y, 1);
}

static void layers(bz_context *c) {
    bz_tensor *y = stack(c, LAYERS);
    bz_eval(&y, 1);
}

static bz_tensor *gate(bz_tensor *x, int k) {
    return bz_slice(x, (const int64_t[]){0, (int64_t)k * HIDDEN},
                    (const int64_t[]){BATCH, (int64_t)(k + 1) * HIDDEN}, NULL, 2);
}

/* h' = (1 - z) n + z h; w: x to 3 gates, u: h to 3 gates. */
static bz_tensor *gru_step(bz_tensor *x, bz_tensor *h, bz_tensor *w, bz_tensor *u) {
    bz_tensor *a = bz_matmul(x, w), *b = bz_matmul(h, u), *ga[3], *gb[3];
    for (int k = 0; k < 3; k++) {
        ga[k] = gate(a, k);
        gb[k] = gate(b, k);
    }
    bz_tensor *r = bz_sigmoid(bz_add(ga[0], gb[0])), *z = bz_sigmoid(bz_add(ga[1], gb[1]));
    bz_tensor *n = bz_tanh(bz_add(ga[2], bz_mul(r, gb[2])));
    return bz_add(n, bz_mul(z, bz_sub(h, n)));
}

/* in: x[t, b, d], w, u; out: the loss. */
static bz_tensor *gru_loss(bz_context *c, bz_tensor *const *in, int steps) {
    bz_tensor *h = bz_zeros(c, BZ_SHAPE(BATCH, HIDDEN), BZ_F32);
    for (int t = 0; t < steps; t++) h = gru_step(bz_select(in[0], 0, t), h, in[1], in[2]);
    return bz_mean(bz_mul(h, h), BZ_AXES(0, 1), false);
}

static bz_status gru_forward(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                             int nout, void *user) {
    (void)nin, (void)nout;
    out[0] = gru_loss(c, in, *(const int *)user);
    return BZ_OK;
}

static bz_status gru_backward(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                              int nout, void *user) {
    (void)nin, (void)nout;
    out[0] = gru_loss(c, in, *(const int *)user);
    return bz_grad(out[0], in + 1, 2, out + 1);
}

static void gru(bz_context *c, bz_function *f, int nout) {
    int steps = bench_tiny ? 3 : STEPS;
    bz_tensor *in[3] = {bz_rand(c, BZ_SHAPE(steps, BATCH, HIDDEN), BZ_F32),
                        data(c, HIDDEN, 3 * HIDDEN), data(c, HIDDEN, 3 * HIDDEN)},
              *out[3];
    bz_eval(in, 1);
    bz_program *p = bz_compile(c, f, &steps, &(bz_compile_options){.nin = 3, .nout = nout});
    bz_call(p, in, out);
}

static void gru_run(bz_context *c) {
    gru(c, gru_forward, 1);
}

static void gru_train(bz_context *c) {
    gru(c, gru_backward, 3);
}

static void constants(bz_context *c) {
    for (int i = 0; i < scaled(100000); i++) bz_full(c, BZ_SHAPE(16), 1.5, BZ_F32);
}

static bz_status halve(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_mul(in[0], 0.5);
    return BZ_OK;
}

/* Each turn keeps a value that nobody reads, and calls a function of one that was recorded. */
static void unread(bz_context *c) {
    bz_tensor *w = data(c, 1, 16), *x = data(c, 1, 16), *y;
    bz_program *p = bz_compile(c, halve, NULL, &(bz_compile_options){.nin = 1, .nout = 1});
    for (int i = 0; i < scaled(10000); i++) {
        bz_add(w, i);
        y = bz_add(x, 1);
        bz_call(p, &y, &x);
    }
}

static const struct kind {
    const char *name, *what;
    void (*of)(bz_context *);
    double goal; /* ms; 0: none */
} kinds[] = {{"sin", "chain of 1,000 sin", sin_chain, 2000},
             {"live", "8,000 adds, all kept", few_live_adds, 0},
             {"lives", "100,000 adds, all kept", many_live_adds, 0},
             {"adds", "chain of 10,000 adds", short_chain, 0},
             {"chain", "chain of 100,000 adds", long_chain, 0},
             {"layer", "one layer", one_layer, 0},
             {"layers", "12 equal layers", layers, 0},
             {"gru", "GRU over 200 steps", gru_run, 5000},
             {"train", "GRU over 200 steps, with gradient", gru_train, 5000},
             {"constants", "recording 100,000 equal constants", constants, 0},
             {"unread", "10,000 calls beside values that nobody reads", unread, 0}};

static double cpu_ms(void) {
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

static int one(const char *name) {
    const struct kind *k = kinds;
    while (strcmp(k->name, name) != 0)
        if (++k == kinds + sizeof kinds / sizeof *kinds) return 2;
    bz_context *c;
    if (bz_open(NULL, &c)) return 1;
    data(c, 16, 64);
    bz_counters before, after;
    bz_get_counters(c, &before);
    double start = cpu_ms();
    k->of(c);
    double ms = cpu_ms() - start;
    bz_get_counters(c, &after);
    if (bz_context_status(c)) return fprintf(stderr, "scale: %s\n", bz_message(c)), 1;
    printf("%.6f %llu %llu\n", ms, (unsigned long long)(after.launches - before.launches),
           (unsigned long long)(after.kernels_built - before.kernels_built));
    fflush(stdout);
    _exit(0); /* what follows is not measured */
}

/* ---- asking for it */

static void become(const char *kind, const int *out) {
    dup2(out[1], STDOUT_FILENO);
    close(out[0]);
    execl("/proc/self/exe", "scale", "--one", kind, bench_tiny ? "--tiny" : (char *)NULL,
          (char *)NULL);
    _exit(127);
}

typedef struct answer {
    double ms;
    unsigned long long launches, kernels;
} answer;

static bool ask(const char *kind, answer *a) {
    int out[2], status = 0;
    if (pipe(out)) return false;
    pid_t pid = fork();
    if (pid == 0) become(kind, out);
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    bool said = f && fscanf(f, "%lf %llu %llu", &a->ms, &a->launches, &a->kernels) == 3;
    if (f) fclose(f);
    return pid > 0 && waitpid(pid, &status, 0) == pid && !status && said;
}

int main(int argc, char **argv) {
    if (argc > 2 && strcmp(argv[1], "--one") == 0) {
        bench_tiny = argc > 3 && strcmp(argv[3], "--tiny") == 0;
        return one(argv[2]);
    }
    bench_start(argc, argv);
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        answer a;
        if (!ask(kinds[i].name, &a)) {
            fprintf(stderr, "scale: no time for '%s'\n", kinds[i].name);
            return 1;
        }
        char what[120];
        snprintf(what, sizeof what, "%s: %llu launches, %llu kernels built", kinds[i].what,
                 a.launches, a.kernels);
        report_add(&(report_figure){.workload = "scale",
                                    .what = what,
                                    .unit = "ms",
                                    .value = a.ms,
                                    .kind = kinds[i].goal > 0 ? REPORT_AT_MOST : REPORT_NO_GOAL,
                                    .goal = kinds[i].goal});
    }
    report_close();
    return 0;
}
