/* overhead.c - what braze costs apart from the arithmetic: compiling cold, recording an op, calling a compiled program, writing a few
 * elements of a large tensor.
 *
 *     overhead --cold KIND      one cold compilation in a process that does nothing else: prints its time in ms
 *     overhead --kept KIND      the same where all code is on disk ($BRAZE_CACHE_DIR)
 *     overhead [...]            asks such processes, a few of each kind, and takes medians
 *
 * Cold: neither the plan nor any machine code is there. All kinds but "fresh" and "jailed" have compiled one other kernel before, so
 * the plug-in is loaded. */
#include "bench/support/bench.h"
#include "bench/support/jail.h"
#include "bench/support/report.h"
#include "bench/support/samples.h"
#include "examples/support/mlp.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SAMPLES = 21, COLD = 7, OPS = 2000, CALLS = 2000, NO_JAIL = 77 };

static int samples(int n) {
    return bench_tiny ? 1 : n;
}

static void check(bz_context *c) {
    if (!bz_context_status(c)) return;
    fprintf(stderr, "overhead: %s\n", bz_message(c));
    exit(1);
}

static bz_context *open_context(void) {
    bz_context *c;
    if (bz_open(NULL, &c)) exit(1);
    return c;
}

/* ---- one cold compilation */

static bz_tensor *negative(bz_tensor *x) {
    return bz_neg(x);
}

/* Of one result: the values between have no handles when it is evaluated. */
static bz_tensor *pointwise(bz_tensor *x) {
    bz_tensor *twice = bz_add(x, x), *e = bz_exp(twice), *s = bz_sigmoid(x), *y = bz_mul(e, s);
    bz_release(twice);
    bz_release(e);
    bz_release(s);
    return y;
}

static bz_tensor *softmax(bz_tensor *x) {
    return bz_softmax(x, -1);
}

static bz_tensor *row_sum(bz_tensor *x) {
    return bz_sum(x, BZ_AXES(1), false);
}

static bz_tensor *column_sum(bz_tensor *x) {
    return bz_sum(x, BZ_AXES(0), false);
}

/* Its input is data: nothing is compiled for that. */
static double kernel_ms(bz_context *c, bz_tensor *(*of)(bz_tensor *)) {
    static const float data[64 * 300];
    bz_tensor *x = bz_from_data(c, BZ_F32, data, BZ_SHAPE(64, 300));
    double start = now_ms();
    bz_tensor *y = of(x);
    bz_eval(&y, 1);
    return now_ms() - start;
}

static double step_ms(bz_context *c) {
    int donate[STEP_IN], hidden = bench_tiny ? 24 : 512;
    bz_tensor *in[STEP_IN];
    in[0] = bz_rand(c, BZ_SHAPE(bench_tiny ? 4 : 128, 784), BZ_F32);
    in[1] = bz_randint(c, 0, 10, BZ_SHAPE(bench_tiny ? 4 : 128));
    mlp_init(c, hidden, in + 2);
    bz_eval(in, STEP_IN);
    mlp_donate(donate);
    bz_program *p =
        bz_compile(c, mlp_step, NULL,
                   &(bz_compile_options){.nin = STEP_IN, .nout = STEP_OUT, .donate = donate});
    double start = now_ms();
    bz_prepare(p, in);
    return now_ms() - start;
}

static const struct kind {
    const char *name;
    bz_tensor *(*of)(bz_tensor *); /* NULL: the training step */
} kinds[] = {{"fresh", row_sum},   {"jailed", softmax},  {"pointwise", pointwise},
             {"softmax", softmax}, {"row_sum", row_sum}, {"column_sum", column_sum},
             {"step", NULL}};

/* The time goes to standard output once it is sure that code was made, not found; of what is kept, the other way round. */
static int compile_one(const char *name, bool kept) {
    const struct kind *k = kinds;
    while (strcmp(k->name, name) != 0)
        if (++k == kinds + sizeof kinds / sizeof *kinds) return 2;
    bool jailed = strcmp(name, "jailed") == 0, warm = !jailed && strcmp(name, "fresh") != 0;
    if (jailed && !jail_enter()) return NO_JAIL;
    bz_context *c = open_context();
    if (warm) kernel_ms(c, negative);
    bz_counters before, after;
    bz_get_counters(c, &before);
    double ms = k->of ? kernel_ms(c, k->of) : step_ms(c);
    bz_get_counters(c, &after);
    check(c);
    if (kept ? after.kernels_built != 0 : after.kernels_built == before.kernels_built) return 1;
    printf("%.6f\n", ms);
    fflush(stdout);
    bz_close(c);
    return 0;
}

/* ---- asking for it */

static void become(const char *how, const char *kind, const int *out) {
    dup2(out[1], STDOUT_FILENO);
    close(out[0]);
    execl("/proc/self/exe", "overhead", how, kind, bench_tiny ? "--tiny" : (char *)NULL,
          (char *)NULL);
    _exit(127);
}

/* What the process says, in ms; NaN if it does not say a time. whole: until it says that, in ms, its start included. */
static double ask(const char *how, const char *kind, double *whole) {
    int out[2];
    double start = now_ms(), ms = NAN;
    if (pipe(out)) return NAN;
    pid_t pid = fork();
    if (pid == 0) become(how, kind, out);
    close(out[1]);
    FILE *f = fdopen(out[0], "r");
    if (!f || fscanf(f, "%lf", &ms) != 1) ms = NAN;
    *whole = now_ms() - start;
    if (f) fclose(f);
    int status = 0;
    if (pid > 0) waitpid(pid, &status, 0);
    if (pid < 0 || !WIFEXITED(status) || WEXITSTATUS(status)) ms = NAN;
    return ms;
}

static void add(const char *what, double value, const char *unit, report_goal kind, double goal) {
    report_add(&(report_figure){.workload = "overhead",
                                .what = what,
                                .unit = unit,
                                .value = value,
                                .kind = kind,
                                .goal = goal});
}

static void add_processes(const char *what, const char *how, const char *kind, double goal) {
    double t[COLD], whole[COLD];
    bool fresh = strcmp(kind, "fresh") == 0;
    int n = samples(COLD);
    for (int i = 0; i < n; i++) {
        t[i] = ask(how, kind, &whole[i]);
        if (isnan(t[i])) {
            fprintf(stderr, "overhead: no time for '%s %s'\n", how, kind);
            exit(1);
        }
    }
    add(what, median(fresh ? whole : t, n), "ms", REPORT_AT_MOST, goal);
}

static void add_cold(const char *what, const char *kind, double goal) {
    add_processes(what, "--cold", kind, goal);
}

/* One process compiles, the others find it on disk. */
static void add_kept(const char *what, const char *kind, double goal) {
    char dir[] = "/tmp/braze-overhead-XXXXXX", command[64];
    double whole;
    if (!mkdtemp(dir)) exit(1);
    setenv("BRAZE_CACHE_DIR", dir, 1);
    ask("--cold", kind, &whole);
    add_processes(what, "--kept", kind, goal);
    setenv("BRAZE_CACHE_DIR", "off", 1);
    snprintf(command, sizeof command, "rm -r %s", dir);
    if (system(command)) exit(1);
}

static void compiling(void) {
    double whole;
    add_cold("training step, cold compile", "step", 150);
    add_cold("pointwise kernel, cold, with its run", "pointwise", 10);
    add_cold("row sum kernel, cold, with its run", "row_sum", 10);
    add_cold("column sum kernel, cold, with its run", "column_sum", 10);
    add_cold("softmax kernel, cold, with its run", "softmax", 10);
    add_cold("first kernel of a fresh process, from its start", "fresh", 40);
    add_kept("training step, its code on disk", "step", 3);
    add_kept("first kernel of a fresh process, on disk, from its start", "fresh", 3);
    add("compiles where no process and no file can be made (1: yes)",
        !isnan(ask("--cold", "jailed", &whole)), "", REPORT_AT_LEAST, 1);
}

/* ---- recording */

static void recording(bz_context *c) {
    double t[SAMPLES];
    int n = samples(SAMPLES);
    for (int i = 0; i < n; i++) {
        bz_scope_begin(c);
        bz_tensor *x = bz_ones(c, BZ_SHAPE(1024), BZ_F32), *y = x;
        bz_eval(&x, 1); /* a value, not a constant that folds */
        double start = now_ms();
        for (int k = 0; k < OPS; k++) y = k % 2 ? bz_mul(y, x) : bz_add(y, x);
        t[i] = (now_ms() - start) * 1e6 / OPS;
        bz_scope_end(c);
    }
    check(c);
    add("recording an op", median(t, n), "ns", REPORT_AT_MOST, 200);
}

/* ---- calling */

static bz_status trivial(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    (void)c, (void)nout, (void)user;
    out[0] = in[0];
    for (int i = 1; i < nin; i++) out[0] = bz_add(out[0], in[i]);
    return BZ_OK;
}

static void calling(bz_context *c) {
    double t[SAMPLES];
    int n = samples(SAMPLES);
    bz_tensor *in[10], *out;
    for (int i = 0; i < 10; i++) in[i] = bz_randn(c, BZ_SHAPE(16), BZ_F32);
    bz_eval(in, 10);
    bz_program *p = bz_compile(c, trivial, NULL, &(bz_compile_options){.nin = 10, .nout = 1});
    for (int i = 0; i < n; i++) {
        double start = now_ms();
        for (int k = 0; k < CALLS; k++) {
            bz_call(p, in, &out);
            bz_release(out);
        }
        t[i] = (now_ms() - start) * 1e3 / CALLS;
    }
    check(c);
    add("call of a compiled program, ten inputs", median(t, n), "us", REPORT_AT_MOST, 2);
}

/* ---- writing into a large tensor */

/* Places that change from write to write: a quarter of a KiB of floats down a column of 64 MiB. */
static double write_us(bz_mode mode) {
    enum { SIDE = 4096, TALL = 256 };
    double t[SAMPLES];
    int n = samples(SAMPLES), writes = bench_tiny ? 10 : CALLS;
    bz_context *c;
    bz_counters before, after;
    if (bz_open(&(bz_options){.mode = mode}, &c)) exit(1);
    bz_tensor *x = bz_rand(c, BZ_SHAPE(SIDE, SIDE), BZ_F32),
              *y = bz_rand(c, BZ_SHAPE(TALL), BZ_F32);
    bz_eval((bz_tensor *[]){x, y}, 2);
    for (int i = -1; i < n; i++) {
        double start = now_ms();
        if (i == 0) bz_get_counters(c, &before);
        for (int k = 0; k < writes; k++) {
            bz_scope_begin(c);
            bz_copy_(bz_narrow(bz_select(x, 1, k % SIDE), 0, k % 3800, TALL), y);
            if (mode == BZ_LAZY) bz_eval(&x, 1);
            bz_scope_end(c);
        }
        if (i >= 0) t[i] = (now_ms() - start) * 1e3 / writes;
    }
    bz_get_counters(c, &after);
    check(c);
    if (after.kernels_built != before.kernels_built) {
        fprintf(stderr, "overhead: a write was compiled again\n");
        exit(1);
    }
    bz_close(c);
    return median(t, n);
}

int main(int argc, char **argv) {
    const bool kept = argc > 2 && strcmp(argv[1], "--kept") == 0;
    if (kept || (argc > 2 && strcmp(argv[1], "--cold") == 0)) {
        bench_tiny = argc > 3 && strcmp(argv[3], "--tiny") == 0;
        return compile_one(argv[2], kept);
    }
    bench_start(argc, argv);
    compiling();
    bz_context *c = open_context();
    recording(c);
    calling(c);
    bz_close(c);
    add("1 KiB written down a column of 64 MiB, lazy", write_us(BZ_LAZY), "us", REPORT_AT_MOST, 5);
    add("1 KiB written down a column of 64 MiB, eager", write_us(BZ_EAGER), "us", REPORT_AT_MOST,
        5);
    report_close();
    return 0;
}
