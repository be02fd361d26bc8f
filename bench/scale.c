/* scale.c - what compiling costs as programs grow: long chains, equal layers, loops over time and windows, equal constants, calls.
 *
 *     scale --one KIND      one of them in a process that does nothing else: prints ms, launches, kernels built
 *     scale [...]           asks such processes, one of each kind
 *
 * The time is the processor's, of all threads, for recording and for the first evaluation, its run included; the plug-in is loaded
 * before. */
#include "bench/support/bench.h"
#include "bench/support/report.h"

#include <math.h>
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

enum { SEEN = 64, WIDTH = 64, HEADS = 4 };

/* in: x[b, SEEN, WIDTH] of each layer, and its weights; out: what the last one gives. */
static bz_tensor *block(bz_tensor *x, bz_tensor *const w[4]) {
    bz_tensor *n = bz_layer_norm(x, NULL, NULL, 1, 1e-5);
    bz_tensor *all = bz_reshape(bz_matmul(n, w[0]), BZ_SHAPE(-1, SEEN, 3, HEADS, WIDTH / HEADS));
    all = bz_permute(all, BZ_AXES(2, 0, 3, 1, 4));
    bz_tensor *place = bz_arange(bz_context_of(x), 0, SEEN, 1, BZ_I64);
    bz_tensor *future = bz_gt(place, bz_unsqueeze(place, 1));
    bz_tensor *key = bz_transpose(bz_select(all, 0, 1), -1, -2);
    bz_tensor *score = bz_mul(bz_matmul(bz_select(all, 0, 0), key), 0.25);
    score = bz_softmax(bz_where(future, -INFINITY, score), -1);
    bz_tensor *seen = bz_permute(bz_matmul(score, bz_select(all, 0, 2)), BZ_AXES(0, 2, 1, 3));
    x = bz_add(x, bz_matmul(bz_reshape(seen, BZ_SHAPE(-1, SEEN, WIDTH)), w[1]));
    n = bz_layer_norm(x, NULL, NULL, 1, 1e-5);
    return bz_add(x, bz_matmul(bz_gelu(bz_matmul(n, w[2])), w[3]));
}

static bz_status blocks_loss(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                             int nout, void *user) {
    (void)c, (void)user;
    bz_tensor *x = in[0];
    for (int i = 1; i < nin; i += 4) x = block(x, in + i);
    out[0] = bz_mean(bz_mul(x, x), BZ_AXES(0, 1, 2), false);
    return bz_grad(out[0], in + 1, nout - 1, out + 1);
}

/* A loss and its gradients. */
static void transformer(bz_context *c, int layers) {
    bz_tensor *in[1 + 4 * LAYERS] = {bz_rand(c, BZ_SHAPE(BATCH, SEEN, WIDTH), BZ_F32)},
                          *out[1 + 4 * LAYERS];
    const int n = 1 + 4 * layers;
    static const int64_t columns[4] = {3 * WIDTH, WIDTH, 4 * WIDTH, WIDTH};
    for (int i = 1; i < n; i++) in[i] = data(c, i % 4 ? WIDTH : 4 * WIDTH, columns[(i - 1) % 4]);
    bz_program *p = bz_compile(c, blocks_loss, NULL, &(bz_compile_options){.nin = n, .nout = n});
    bz_call(p, in, out);
}

static void one_block(bz_context *c) {
    transformer(c, 1);
}

static void two_blocks(bz_context *c) {
    transformer(c, 2);
}

static void many_blocks(bz_context *c) {
    transformer(c, LAYERS);
}

/* The windows of a long row, one after the other; after the first two nothing is compiled. */
static void offsets(bz_context *c) {
    bz_tensor *x = data(c, 1, scaled(1000) + 256), *sum = bz_zeros(c, BZ_SHAPE(1, 256), BZ_F32);
    for (int i = 0; i < scaled(1000); i++) {
        bz_tensor *w = bz_narrow(x, 1, i, 256);
        sum = then(bz_add(sum, bz_mul(w, 0.5)), sum);
        bz_release(w);
        bz_eval(&sum, 1);
    }
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
             {"block", "step of one transformer block", one_block, 0},
             {"two", "step of 2 transformer blocks", two_blocks, 0},
             {"blocks", "step of 12 transformer blocks", many_blocks, 0},
             {"offsets", "1,000 turns of a loop over windows", offsets, 0},
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
