/* mnist.c - trains a perceptron on real digits eagerly, lazily and compiled, exports the compiled
 * step, runs the export.
 *
 *      digits --+--> eager ----.
 *               +--> lazy -----+--> the same loss, bit for bit, at every step
 *               +--> compiled -+
 *               |    '--> step.o step.h --cc--> a program without braze --> the same bits
 *               '--> compiled, on a GPU (--device cuda) --> the same bits
 *
 * usage: mnist [--seed N] [--batch N] [--hidden N] [--steps N] [--device cuda] [--data DIR] [--out DIR]
 * Exit status: 0 done, 1 the bits differ or something failed, 2 wrong usage. */
#include "examples/support/chart.h"
#include "examples/support/digits.h"
#include "examples/support/exported.h"
#include "examples/support/mlp.h"
#include "examples/support/progress.h"
#include "examples/support/report.h"

#include <braze/explain.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { DEFAULT_STEPS = 400, EAGER = 0, LAZY, COMPILED, EXPORTED, CUDA, CUDA_EXPORTED, MODES };
static const char *const mode_names[MODES] = {"eager",    "lazy", "compiled",
                                              "exported", "cuda", "cuda exported"};
static const char *const mode_colours[MODES] = {"#c44e52", "#dd8452", "#4c72b0",
                                                "#55a868", "#8172b3", "#937860"};

typedef struct options {
    report_problem problem;
    const char *data, *out;
    int modes; /* EXPORTED + 1, or MODES */
} options;

/* One training. */
typedef struct training {
    const options *o;
    const digits *d;
    int mode;
    bz_context *c;
    bz_program *step, *test; /* compiled mode, and on a GPU */
    bz_tensor *state[MLP_STATE];
    float *x; /* room for a batch, and for the test set */
    int64_t *y;
    float *loss;     /* per step */
    double *seconds; /* at the end of each step */
} training;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- one step, in any mode */

static bz_status call(training *t, bz_program *p, bz_function *fn, bz_tensor *const *in, int nin,
                      bz_tensor **out, int nout) {
    if (t->mode == COMPILED || t->mode == CUDA) return bz_call(p, in, out);
    bz_status s = fn(t->c, in, nin, out, nout, NULL);
    return s ? s : bz_eval(out, nout);
}

/* n digits from `first` on, as tensors. */
static void take_batch(training *t, int first, int n, bz_tensor **xy) {
    digits_batch(t->d, first, n, t->x, t->y);
    xy[0] = bz_from_data(t->c, BZ_F32, t->x, BZ_SHAPE(n, PIXELS));
    xy[1] = bz_from_data(t->c, BZ_I64, t->y, BZ_SHAPE(n));
}

/* The new state takes the place of the old one. */
static void keep_state(training *t, bz_tensor *const *next) {
    for (int i = 0; i < MLP_STATE; i++) {
        bz_release(t->state[i]);
        t->state[i] = bz_keep(next[i]);
    }
}

static bz_status train_step(training *t, int number, float *loss) {
    int batch = t->o->problem.batch;
    bz_tensor *in[STEP_IN], *out[STEP_OUT];
    bz_scope_begin(t->c);
    take_batch(t, number % (TRAIN / batch) * batch, batch, in);
    memcpy(in + 2, t->state, sizeof t->state);
    bz_status s = call(t, t->step, mlp_step, in, STEP_IN, out, STEP_OUT);
    if (!s) {
        *loss = (float)bz_item(out[0]);
        keep_state(t, out + 1);
    }
    bz_scope_end(t->c);
    return s ? s : bz_context_status(t->c);
}

static bz_status accuracy(training *t, double *share) {
    bz_tensor *in[TEST_IN], *out[1];
    bz_scope_begin(t->c);
    take_batch(t, TRAIN, TEST, in);
    memcpy(in + 2, t->state + 1, MLP_PARAMS * sizeof *in);
    bz_status s = call(t, t->test, mlp_test, in, TEST_IN, out, 1);
    if (!s) *share = (double)bz_item_int(out[0]) / TEST;
    bz_scope_end(t->c);
    return s ? s : bz_context_status(t->c);
}

/* ---- one training */

static bz_status open_training(training *t) {
    const bz_options o = {.mode = t->mode == EAGER ? BZ_EAGER : BZ_LAZY,
                          .device = t->mode == CUDA ? BZ_CUDA : BZ_DEVICE_DEFAULT,
                          .seed = t->o->problem.seed};
    int donate[STEP_IN];
    bz_status s = bz_open(&o, &t->c);
    if (s) return s;
    mlp_donate(donate);
    t->step = bz_compile(t->c, mlp_step, NULL,
                         &(bz_compile_options){.nin = STEP_IN,
                                               .nout = STEP_OUT,
                                               .donate = donate,
                                               .in_names = mlp_step_in,
                                               .out_names = mlp_step_out});
    t->test = bz_compile(
        t->c, mlp_test, NULL,
        &(bz_compile_options){
            .nin = TEST_IN, .nout = 1, .in_names = mlp_test_in, .out_names = mlp_test_out});
    mlp_init(t->c, t->o->problem.hidden, t->state);
    return bz_eval(t->state, MLP_STATE);
}

static uint64_t launches(const training *t) {
    bz_counters n;
    bz_get_counters(t->c, &n);
    return n.launches;
}

static int64_t peak(const training *t) {
    bz_counters n;
    bz_get_counters(t->c, &n);
    return (int64_t)n.peak_bytes;
}

static bz_status train(training *t, report_row *row) {
    const report_problem *p = &t->o->problem;
    uint64_t before = 0;
    bz_status s = BZ_OK;
    double start = now(), first = start; /* the first step compiles: it does not count */
    bz_reset_peak(t->c);
    for (int i = 0; i < p->steps && !s; i++) {
        before = launches(t);
        s = train_step(t, i, &t->loss[i]);
        double end = now(), rate = p->batch * (i ? i : 1) / (end - first);
        if (i == 0 && p->steps > 1) first = end;
        t->seconds[i] = end - start;
        if (!s) progress(mode_names[t->mode], i + 1, p->steps, t->loss[i], rate);
    }
    int counted = p->steps > 1 ? p->steps - 1 : 1;
    double seconds = (t->seconds[p->steps - 1] - (first - start)) / counted;
    *row = (report_row){.mode = mode_names[t->mode],
                        .kernels_per_step = (double)(launches(t) - before),
                        .ms_per_step = 1e3 * seconds,
                        .images_per_s = p->batch / seconds,
                        .peak_bytes = peak(t),
                        .loss = t->loss[p->steps - 1]};
    return s ? s : accuracy(t, &row->accuracy);
}

static bool complain(training *t, bz_status s) {
    if (s)
        fprintf(stderr, "mnist: %s: %s\n", mode_names[t->mode],
                *bz_message(t->c) ? bz_message(t->c) : bz_status_text(s));
    return !s;
}

/* ---- all of them */

/* The compiled step as files: the picture of its kernels, the exports, and what they start from. */
static bz_status write_picture(training *t) {
    enum { TIMED = 20 }; /* further steps, for the bars */
    char path[4096];
    float loss;
    bz_explanation *x = NULL;
    bz_machine m;
    snprintf(path, sizeof path, "%s/graph.svg", t->o->out);
    bz_status s = bz_measure_machine(0, &m);
    bz_profile(t->c, true);
    for (int i = 0; i < TIMED && !s; i++) s = train_step(t, i, &loss);
    bz_profile(t->c, false);
    if (!s) s = bz_explain(t->step, &m, &x);
    if (!s && (s = bz_write_explanation(x, BZ_EXPLAIN_SVG, path)) == BZ_EIO)
        fprintf(stderr, "mnist: %s cannot be written; is there a directory %s?\n", path, t->o->out);
    bz_explanation_free(x);
    return s;
}

static bz_status write_exports(training *t) {
    bz_tensor *step[STEP_IN], *test[TEST_IN];
    /* The device that it was trained on; GPUs of other kinds make their code of PTX. */
    const bz_export_options o = {.gpus = "sm_75,sm_80,sm_90"};
    const char *at = t->mode == CUDA ? "/gpu" : "";
    char path[4096];
    snprintf(path, sizeof path, "%s%s", t->o->out, at);
    if (t->mode == CUDA) mkdir(path, 0777);
    take_batch(t, TRAIN, TEST, test);
    take_batch(t, 0, t->o->problem.batch, step);
    memcpy(step + 2, t->state, sizeof t->state);
    memcpy(test + 2, t->state + 1, MLP_PARAMS * sizeof *test);
    snprintf(path, sizeof path, "%s%s/step", t->o->out, at);
    bz_status s = bz_export(t->step, step, path, "step", &o);
    snprintf(path, sizeof path, "%s%s/test", t->o->out, at);
    return s ? s : bz_export(t->test, test, path, "test", &o);
}

/* The first parameters, from the same seed once more. */
static bool write_start(training *t) {
    float *parameter[MLP_PARAMS];
    int64_t size[MLP_PARAMS];
    bool ok = true;
    bz_seed(t->c, t->o->problem.seed);
    mlp_init(t->c, t->o->problem.hidden, t->state);
    for (int k = 0; k < MLP_PARAMS; k++) {
        size[k] = mlp_size(k, t->o->problem.hidden);
        parameter[k] = malloc((size_t)size[k] * sizeof(float));
        ok =
            ok && parameter[k] &&
            complain(t, bz_to_host(t->state[1 + k], parameter[k], (size_t)size[k] * sizeof(float)));
    }
    ok = ok && exported_write(t->o->out, &t->o->problem, parameter, size, MLP_PARAMS, t->d);
    for (int k = 0; k < MLP_PARAMS; k++) free(parameter[k]);
    return ok;
}

/* What t trained, exported for its device; `row`, the one behind t's. */
static bool run_exported(training *t, const report_row *compiled, training *exported,
                         report_row *row) {
    const bool gpu = t->mode == CUDA;
    const report_problem *p = &t->o->problem;
    size_t arrays = (size_t)p->batch * (PIXELS * sizeof *t->x + sizeof *t->y);
    for (int k = 0; k < MLP_PARAMS; k++) /* each with its two moments */
        arrays += 3 * (size_t)mlp_size(k, p->hidden) * sizeof(float);
    *row = (report_row){.mode = mode_names[t->mode + 1],
                        .kernels_per_step = compiled->kernels_per_step};
    return (gpu || complain(t, write_picture(t))) && complain(t, write_exports(t)) &&
           (gpu || write_start(t)) &&
           exported_run(t->o->out, gpu, "examples/exported/mnist.c", p, arrays, exported->loss,
                        exported->seconds, row);
}

static bool same_bits(const training *t, const report_row *row) {
    const report_problem *p = &t->o->problem;
    for (int m = LAZY; m < t->o->modes; m++)
        for (int i = 0; i < p->steps; i++)
            if (report_bits(t[EAGER].loss[i]) != report_bits(t[m].loss[i]))
                return fprintf(stderr, "mnist: %s and eager differ from step %d on\n",
                               mode_names[m], i + 1),
                       false;
    for (int m = LAZY; m < t->o->modes; m++)
        if (row[m].accuracy != row[EAGER].accuracy)
            return fprintf(stderr, "mnist: %s and eager differ\n", mode_names[m]), false;
    return true;
}

/* Loss over time. Single steps jump: each point is the mean of the last WINDOW. */
static bool write_curves(const training *t, const char *path) {
    enum { WINDOW = 16 };
    chart_curve curve[MODES];
    int steps = t->o->problem.steps;
    double *mean = malloc((size_t)steps * sizeof *mean);
    if (!mean) return perror("mnist"), false;
    for (int i = 0; i < steps; i++) {
        int from = i < WINDOW ? 0 : i - WINDOW + 1;
        mean[i] = 1e-30;
        for (int k = from; k <= i; k++) mean[i] += (double)t[EAGER].loss[k] / (i - from + 1);
    }
    for (int m = EAGER; m < t->o->modes; m++)
        curve[m] = (chart_curve){mode_names[m], mode_colours[m], t[m].seconds, mean, steps};
    bool ok = chart_write(path, "The same losses, sooner", "seconds", "loss (logarithmic)", curve,
                          t->o->modes);
    free(mean);
    return ok;
}

static bool write_report(const training *t, const report_row *row) {
    char chart[4096], json[4096];
    const char *out = t->o->out;
    snprintf(chart, sizeof chart, "%s/loss.svg", out);
    snprintf(json, sizeof json, "%s/report.json", out);
    if (!write_curves(t, chart) || !report_json(json, &t->o->problem, row, t->o->modes))
        return false;
    printf("\nthe same bits in every mode, at each of %d steps\n", t->o->problem.steps);
    printf("%s  %s/graph.svg  %s  %s/step.o  %s/step.h\n", chart, out, json, out, out);
    return true;
}

static bool run(const options *o, training *t, const digits *d) {
    report_row row[MODES];
    for (int m = EAGER; m < o->modes; m++) {
        t[m].o = o, t[m].d = d, t[m].mode = m;
        if (m == EXPORTED || m == CUDA_EXPORTED) continue; /* they run behind the compiled ones */
        bz_status s = open_training(&t[m]);
        if (!s) s = train(&t[m], &row[m]);
        if (!complain(&t[m], s)) return false;
        if ((m == COMPILED || m == CUDA) && !run_exported(&t[m], &row[m], &t[m + 1], &row[m + 1]))
            return false;
        bz_close(t[m].c);
        t[m].c = NULL;
    }
    report_table(row, o->modes);
    return same_bits(t, row) && write_report(t, row);
}

/* Room for all trainings, in one piece each. */
static bool get_room(training *t, int batch, int steps) {
    size_t n = (size_t)(batch > TEST ? batch : TEST);
    bool ok = true;
    for (int m = EAGER; m < MODES; m++) {
        t[m] = (training){.x = malloc(n * PIXELS * sizeof(float)),
                          .y = malloc(n * sizeof(int64_t)),
                          .loss = malloc((size_t)steps * sizeof(float)),
                          .seconds = malloc((size_t)steps * sizeof(double))};
        ok = ok && t[m].x && t[m].y && t[m].loss && t[m].seconds;
    }
    if (!ok) perror("mnist");
    return ok;
}

static void free_room(training *t) {
    for (int m = EAGER; m < MODES; m++) {
        bz_close(t[m].c);
        free(t[m].x);
        free(t[m].y);
        free(t[m].loss);
        free(t[m].seconds);
    }
}

/* ---- the command line */

static bool number(const char *option, long low, long high, long *out) {
    char *end;
    errno = 0;
    long v = strtol(optarg, &end, 10);
    if (end == optarg || *end || errno || v < low || v > high)
        return fprintf(stderr, "mnist: --%s: '%s' is no number from %ld to %ld\n", option, optarg,
                       low, high),
               false;
    return *out = v, true;
}

static bool parse(int argc, char **argv, options *o) {
    static const struct option known[] = {{"seed", 1, NULL, 's'},   {"batch", 1, NULL, 'b'},
                                          {"hidden", 1, NULL, 'h'}, {"steps", 1, NULL, 'n'},
                                          {"data", 1, NULL, 'd'},   {"out", 1, NULL, 'o'},
                                          {"device", 1, NULL, 'D'}, {NULL, 0, NULL, 0}};
    long seed = 1, batch = 128, hidden = 512, steps = DEFAULT_STEPS;
    bool ok = true;
    for (int k; ok && (k = getopt_long(argc, argv, "", known, NULL)) != -1;) switch (k) {
        case 's': ok = number("seed", 0, LONG_MAX, &seed); break;
        case 'b': ok = number("batch", 1, TRAIN, &batch); break;
        case 'h': ok = number("hidden", 1, 16384, &hidden); break;
        case 'n': ok = number("steps", 1, 1000000, &steps); break;
        case 'd': o->data = optarg; break;
        case 'o': o->out = optarg; break;
        case 'D':
            o->modes = MODES;
            ok = strcmp(optarg, "cuda") == 0;
            break;
        default: ok = false;
        }
    o->problem = (report_problem){(uint64_t)seed, (int)batch, (int)hidden, (int)steps};
    if (ok && optind == argc) return true;
    fprintf(stderr, "usage: mnist [--seed N] [--batch N] [--hidden N] [--steps N] [--device cuda] "
                    "[--data DIR] [--out DIR]\n");
    return false;
}

int main(int argc, char **argv) {
    static training t[MODES];
    options o = {.data = "examples/data", .out = "build/demo", .modes = EXPORTED + 1};
    if (!parse(argc, argv, &o)) return 2;
    digits *d = digits_load(o.data);
    bool ok = d && get_room(t, o.problem.batch, o.problem.steps) && run(&o, t, d);
    free_room(t);
    free(d);
    return ok ? 0 : 1;
}
