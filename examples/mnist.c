/* mnist.c - trains a perceptron on real digits eagerly, lazily and compiled, exports the compiled step, runs the export.
 *
 *      digits --+--> eager ----.
 *               +--> lazy -----+--> the same loss, bit for bit, at every step
 *               +--> compiled -+
 *                    '--> step.o step.h --cc--> a program without braze --> the same bits
 *
 * usage: mnist [--seed N] [--batch N] [--hidden N] [--steps N] [--data DIR] [--out DIR]
 * Exit status: 0 done, 1 the bits differ or something failed, 2 wrong usage. */
#include "examples/support/chart.h"
#include "examples/support/digits.h"
#include "examples/support/exported.h"
#include "examples/support/mlp.h"
#include "examples/support/progress.h"
#include "examples/support/report.h"

#include <braze/explain.h>
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DEFAULT_STEPS = 400, EAGER = 0, LAZY, COMPILED, EXPORTED, MODES };
static const char *const mode_names[MODES] = {"eager", "lazy", "compiled", "exported"};
static const char *const mode_colours[MODES] = {"#c44e52", "#dd8452", "#4c72b0", "#55a868"};

typedef struct options {
    report_problem problem;
    const char *data, *out;
} options;

/* One training. */
typedef struct training {
    const options *o;
    const digits *d;
    int mode;
    bz_context *c;
    bz_program *step, *test; /* compiled mode */
    bz_tensor *state[MLP_STATE];
    float *x;                /* room for a batch, and for the test set */
    int64_t *y;
    float *loss;             /* per step */
    double *seconds;         /* at the end of each step */
} training;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- one step, in any mode */

static bz_status call(training *t, bz_program *p, bz_function *fn, bz_tensor *const *in, int nin, bz_tensor **out, int nout) {
    if (t->mode == COMPILED) return bz_call(p, in, out);
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

static bz_status train_step(training *t, int number) {
    int batch = t->o->problem.batch;
    bz_tensor *in[STEP_IN], *out[STEP_OUT];
    bz_scope_begin(t->c);
    take_batch(t, number % (TRAIN / batch) * batch, batch, in);
    memcpy(in + 2, t->state, sizeof t->state);
    bz_status s = call(t, t->step, mlp_step, in, STEP_IN, out, STEP_OUT);
    if (!s) {
        t->loss[number] = (float)bz_item(out[0]);
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
    const bz_options o = {.mode = t->mode == EAGER ? BZ_EAGER : BZ_LAZY, .seed = t->o->problem.seed};
    int donate[STEP_IN];
    bz_status s = bz_open(&o, &t->c);
    if (s) return s;
    mlp_donate(donate);
    t->step = bz_compile(t->c, mlp_step, NULL, &(bz_compile_options){STEP_IN, STEP_OUT, donate});
    t->test = bz_compile(t->c, mlp_test, NULL, &(bz_compile_options){TEST_IN, 1, NULL});
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
        s = train_step(t, i);
        double end = now(), rate = p->batch * (i ? i : 1) / (end - first);
        if (i == 0 && p->steps > 1) first = end;
        t->seconds[i] = end - start;
        if (!s) progress(mode_names[t->mode], i + 1, p->steps, t->loss[i], rate);
    }
    int counted = p->steps > 1 ? p->steps - 1 : 1;
    double seconds = (t->seconds[p->steps - 1] - (first - start)) / counted;
    *row = (report_row){.mode = mode_names[t->mode], .kernels_per_step = (double)(launches(t) - before), .ms_per_step = 1e3 * seconds,
                        .images_per_s = p->batch / seconds, .peak_bytes = peak(t), .loss = t->loss[p->steps - 1]};
    return s ? s : accuracy(t, &row->accuracy);
}

static bool complain(training *t, bz_status s) {
    if (s) fprintf(stderr, "mnist: %s: %s\n", mode_names[t->mode], t->c ? bz_message(t->c) : bz_status_text(s));
    return !s;
}

/* ---- all of them */

/* The compiled step as files: the export, what it starts from, the picture of its kernels. */
static bz_status write_out(training *t) {
    const options *o = t->o;
    bz_tensor *in[STEP_IN], *test_in[TEST_IN];
    char path[4096];
    int batch = o->problem.batch;
    take_batch(t, TRAIN, TEST, test_in);
    take_batch(t, 0, batch, in);
    mlp_init(t->c, o->problem.hidden, t->state);
    memcpy(in + 2, t->state, sizeof t->state);
    memcpy(test_in + 2, t->state + 1, MLP_PARAMS * sizeof *in);
    snprintf(path, sizeof path, "%s/step", o->out);
    bz_status s = bz_export(t->step, in, path, "step", &(bz_export_options){mlp_step_in, mlp_step_out});
    snprintf(path, sizeof path, "%s/test", o->out);
    if (!s) s = bz_export(t->test, test_in, path, "test", &(bz_export_options){mlp_test_in, mlp_test_out});
    snprintf(path, sizeof path, "%s/graph.svg", o->out);
    if (!s) s = bz_explain_svg(t->step, in, path);
    snprintf(path, sizeof path, "%s/mnist.bin", o->out);
    return s ? s : bz_seed(t->c, o->problem.seed);
}

static bool same_curves(const training *t) {
    size_t bytes = (size_t)t->o->problem.steps * sizeof(float);
    for (int m = LAZY; m <= COMPILED; m++)
        for (int i = 0; memcmp(t[EAGER].loss, t[m].loss, bytes) && i < t->o->problem.steps; i++)
            if (report_bits(t[EAGER].loss[i]) != report_bits(t[m].loss[i]))
                return fprintf(stderr, "mnist: %s and eager differ from step %d on\n", mode_names[m], i + 1), false;
    return true;
}
