/* fuzz_grads.c - gradients of random graphs against differences, order 1 and 2, and as machine code against the interpreter.
 *
 *     loss  = sum(w * result)          its slope along a random u  =  <grad loss, u>
 *     slope = sum <grad loss, v>       its slope along u           =  <grad slope, u>      u, v, w random, everything f64
 *
 * The slopes on the left come from central differences with halved steps, extrapolated (Richardson); where these do not agree with
 * each other or with one of a far smaller step (a staircase looks smooth from afar), or the slopes from both sides differ, there is a
 * kink or noise and the pair is passed over. Two steps come first: a gradient that agrees with those is right. What has been checked is
 * counted by op: a long run that never checked an op of ops.def fails, and so does one that passes over too much.
 * One graph of 32 has up to 60 elements a tensor, the others 12; one of 512 (FUZZ_CODE=N: of N) runs as machine code, too.
 * A fault is made small and printed as a file.   usage: fuzz_grads SECONDS [SEED [COUNT]] */
#include "tests/support/fuzz.h"
#include "tests/support/plan_jit.h"
#include "tests/support/plan_run.h"
#include "tests/support/random_graph.h"
#include "tests/support/targets.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_WRT = 6,
    MAX_OUT = 2 + 2 * MAX_WRT,
    LEVELS = 6,
    POINTS = 3 + 2 * LEVELS,
    ENOUGH = 400,
    CODE_IN = 512
};
static const double FIRST = 0x1p-6, SMALLEST = 0x1p-20; /* steps */
static const double LARGEST = 0x1p40;

typedef struct context {
    uint64_t seed;
    bool machine; /* compare machine code too */
    /* a value of the loss is so large that a mod of it is a staircase as far as differences see */
    bool coarse;
    long *checked, *passed_over;
    char what[600];
} context;

/* A graph with outputs loss, slope, grad loss for each x, grad slope for each x. */
typedef struct problem {
    ir_module *m;
    ir_graph *g;
    unsigned n;
    ir_ref x[MAX_WRT];
    unsigned number[MAX_WRT]; /* of the input */
    bz_error e;
} problem;

/* ---- the graph */

static ir_ref times_input(ir_graph *g, ir_ref x) {
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    ir_ref y = ir_build2(g, IR_MUL, x, ir_input_new(g, NULL, BZ_F64, dims, rank));
    return rank ? ir_reduce(g, IR_SUM, y, NULL, 0, false) : y;
}

static ir_ref sum_of_outputs(ir_graph *g) {
    ir_ref sum = 0;
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        ir_ref r = g->outputs.p[i].node;
        if (ir_dtype(g, r) != BZ_F64) continue;
        ir_ref s = times_input(g, r);
        sum = sum ? ir_build2(g, IR_ADD, sum, s) : s;
    }
    return sum;
}

static void choose_inputs(problem *p) {
    for (uint32_t i = 0; i < p->g->inputs.n && p->n < MAX_WRT; i++) {
        if (ir_dtype(p->g, p->g->inputs.p[i].node) != BZ_F64) continue;
        p->number[p->n] = i;
        p->x[p->n++] = p->g->inputs.p[i].node;
    }
}

static void append(problem *p) {
    ir_graph *g = p->g;
    ir_ref first[MAX_WRT], second[MAX_WRT], slope = 0, loss;
    choose_inputs(p);
    loss = sum_of_outputs(g);
    g->outputs.n = 0;
    if (!loss || !p->n || pass_grad(g, loss, 0, p->x, p->n, first)) return;
    for (unsigned i = 0; i < p->n; i++) {
        ir_ref s = times_input(g, first[i]);
        slope = slope ? ir_build2(g, IR_ADD, slope, s) : s;
    }
    if (pass_grad(g, slope, 0, p->x, p->n, second)) return;
    ir_output_add(g, NULL, loss, -1);
    ir_output_add(g, NULL, slope, -1);
    for (unsigned i = 0; i < p->n; i++) ir_output_add(g, NULL, first[i], -1);
    for (unsigned i = 0; i < p->n; i++) ir_output_add(g, NULL, second[i], -1);
}

/* The problem of a graph; without outputs when it has no f64 in it, or there is an error. */
static problem problem_of(const ir_graph *old) {
    problem p = {.m = ir_module_new()};
    ir_map map;
    ir_graph *g = ir_rebuild_begin(old, &map);
    for (ir_ref r = 1; r < old->n.n; r++)
        if (!map.to[r]) map.to[r] = ir_rebuild_node(g, old, &map, r);
    p.g = ir_rebuild_end(g, old, &map, &p.e);
    if (!p.g) bz_bug("copy of a graph: %s", p.e.text);
    ir_module_add(p.m, p.g);
    append(&p);
    p.e = p.g->err;
    if (!p.e.status) ir_verify(p.g, IR_ANY_GRAPH, &p.e);
    return p;
}

/* ---- values */

static double element(const ir_value_array *a, int64_t i) {
    return ir_bits_to_f64(
        a->dtype,
        ir_load_bits(a->dtype, (const char *)a->data + (size_t)i * ir_dtype_bytes(a->dtype)));
}

static int64_t count(const ir_value_array *a) {
    int64_t n = 1;
    for (unsigned i = 0; i < a->rank; i++) n *= a->shape[i];
    return n;
}

/* In [-1, 1). */
static double number(uint64_t *state) {
    *state = bz_mix(*state, 0x9e3779b97f4a7c15u);
    return (double)(*state >> 11) * 0x1p-52 - 1;
}

static uint64_t direction_seed(uint64_t seed) {
    return seed * 31 + 17;
}

/* The inputs, those that matter moved by t * u. */
static void place(const problem *p, uint64_t seed, const ir_value_array *base, double t,
                  ir_value_array *in) {
    uint64_t state = direction_seed(seed);
    memcpy(in, base, p->g->inputs.n * sizeof *in);
    for (unsigned k = 0; k < p->n; k++) {
        ir_value_array *a = &in[p->number[k]];
        int64_t n = count(a);
        const double *from = a->data;
        double *to = malloc((size_t)n * sizeof *to + 1);
        for (int64_t i = 0; i < n; i++) to[i] = from[i] + t * number(&state);
        a->data = to;
    }
}

static void displace(const problem *p, ir_value_array *in) {
    for (unsigned k = 0; k < p->n; k++) free(in[p->number[k]].data);
}

static bz_status value_at(const problem *p, uint64_t seed, const ir_value_array *base, double t,
                          double *v, bz_error *e) {
    ir_value_array *in = calloc(p->g->inputs.n, sizeof *in), out[MAX_OUT] = {{0}};
    uint32_t all = p->g->outputs.n;
    place(p, seed, base, t, in);
    p->g->outputs.n = 2; /* what only the gradients need is left out */
    bz_status s = ir_interpret(p->g, in, out, e);
    p->g->outputs.n = all;
    for (unsigned i = 0; i < 2 && !s; i++) v[i] = element(&out[i], 0);
    free_values(out, 2);
    displace(p, in);
    free(in);
    return s;
}

/* ---- slopes */

typedef struct slope {
    double value, error; /* error: how far the best two extrapolations lie apart */
    double kink; /* what remains of the difference between both sides as the step goes to 0 */
    double fine; /* the difference of the smallest step: few digits, but no staircase */
} slope;

/* Point 0 is at 0; points 1 + 2k and 2 + 2k at +h and -h. */
static double point(unsigned i) {
    unsigned k = (i - 1) / 2;
    double h = i == 0 ? 0 : k == LEVELS ? SMALLEST : ldexp(FIRST, -(int)k);
    return i % 2 ? h : -h;
}

static slope extrapolate(const double *f) {
    double t[LEVELS][LEVELS], sides[LEVELS];
    slope s = {.error = INFINITY, .fine = (f[POINTS - 2] - f[POINTS - 1]) / (2 * SMALLEST)};
    for (unsigned k = 0; k < LEVELS; k++) {
        double h = point(1 + 2 * k), up = f[1 + 2 * k], down = f[2 + 2 * k], power = 1;
        t[k][0] = (up - down) / (2 * h);
        sides[k] = (up - 2 * f[0] + down) / h;
        for (unsigned j = 1; j <= k; j++) {
            power *= 4;
            t[k][j] = (power * t[k][j - 1] - t[k - 1][j - 1]) / (power - 1);
            double error = fmax(fabs(t[k][j] - t[k][j - 1]), fabs(t[k][j] - t[k - 1][j - 1]));
            if (error <= s.error) s.error = error, s.value = t[k][j];
        }
    }
    s.kink = fabs(2 * sides[LEVELS - 1] - sides[LEVELS - 2]);
    return s;
}

/* <gradients, u>; outputs from `from` on. */
static double along(const problem *p, uint64_t seed, const ir_value_array *out, unsigned from) {
    uint64_t state = direction_seed(seed);
    double sum = 0;
    for (unsigned k = 0; k < p->n; k++)
        for (int64_t i = 0; i < count(&out[from + k]); i++)
            sum += element(&out[from + k], i) * number(&state);
    return sum;
}

static bool is_wrong(context *c, unsigned order, double got, slope want, double at_zero) {
    double scale = 1 + fabs(want.value);
    bool usable = !c->coarse && isfinite(got) && isfinite(want.value) &&
                  want.error <= 1e-6 * scale && want.kink <= 1e-6 * scale &&
                  fabs(want.fine - want.value) <= 1e-3 * scale && fabs(at_zero) <= 1e6 * scale;
    (usable ? c->checked : c->passed_over)[order - 1]++;
    if (!usable || fabs(got - want.value) <= 1e-9 * scale + 10 * want.error + want.kink)
        return false;
    snprintf(c->what, sizeof c->what,
             "order %u: the gradient gives %.12g, differences %.12g (%.1g)", order, got, want.value,
             want.error);
    return true;
}

/* The gradients, where two steps' differences are enough to see that they are right: most of them. */
static bool plainly_right(const problem *p, const ir_value_array *in, const ir_value_array *out,
                          const context *c) {
    double t[2][2];
    for (unsigned k = 0; k < 2; k++) {
        double up[2], down[2], h = point(5 + 2 * k);
        if (value_at(p, c->seed, in, h, up, &(bz_error){0}) ||
            value_at(p, c->seed, in, -h, down, &(bz_error){0}))
            return false;
        for (unsigned i = 0; i < 2; i++) t[i][k] = (up[i] - down[i]) / (2 * h);
    }
    for (unsigned i = 0; i < 2; i++) {
        double want = (4 * t[i][1] - t[i][0]) / 3, got = along(p, c->seed, out, i ? 2 + p->n : 2);
        if (!(fabs(got - want) <= 1e-8 * (1 + fabs(want)))) return false;
    }
    return true;
}

static bool gradient_fault(const problem *p, const ir_value_array *in, const ir_value_array *out,
                           context *c) {
    double f[2][POINTS], v[2];
    if (plainly_right(p, in, out, c)) return c->checked[0]++, c->checked[1]++, false;
    for (unsigned i = 0; i < POINTS; i++) {
        if (value_at(p, c->seed, in, point(i), v, &(bz_error){0}))
            return false; /* index out of range */
        f[0][i] = v[0];
        f[1][i] = v[1];
    }
    for (unsigned order = 1; order <= 2; order++)
        if (is_wrong(c, order, along(p, c->seed, out, order == 1 ? 2 : 2 + p->n),
                     extrapolate(f[order - 1]), f[order - 1][0]))
            return true;
    return false;
}

/* ---- machine code */

static bool code_fault(const problem *p, const ir_value_array *in, const ir_value_array *want,
                       context *c) {
    ir_value_array out[MAX_OUT] = {{0}};
    const plan_target *t = NULL;
    bz_error e = {0};
    for (unsigned i = 0; i < target_count; i++)
        if (targets[i].isa == target_host() && !targets[i].t.eager) t = &targets[i];
    pass_plan *plan = pass_compile(p->g, &t->t, &e);
    bz_status s = plan ? plan_jit(plan, (plan_jit_how){t->isa, 1, c->seed}, in, out, &e) : e.status;
    bool bad = s != BZ_OK;
    if (bad) snprintf(c->what, sizeof c->what, "%s: %s", t->name, e.text);
    for (unsigned i = 0; i < p->g->outputs.n && !bad; i++) {
        int64_t at = first_difference(&want[i], &out[i]);
        bad = at >= 0;
        if (bad)
            snprintf(c->what, sizeof c->what, "%s: output %u of the gradients differs at %lld",
                     t->name, i, (long long)at);
    }
    free_values(out, p->g->outputs.n);
    pass_plan_free(plan);
    return bad;
}

/* ---- one graph */

typedef struct watcher {
    ir_onlooker base;
    ir_ref loss;
    double largest; /* of the finite elements that the loss is computed from */
} watcher;

static bz_status look_at(const ir_onlooker *o, const ir_graph *g, ir_ref r, const ir_value_array *a,
                         const ir_value_array *const *operands, bz_error *e) {
    (void)g, (void)operands, (void)e;
    watcher *w = (watcher *)(uintptr_t)o;
    for (int64_t i = 0; a->dtype == BZ_F64 && r <= w->loss && i < count(a); i++) {
        double v = fabs(((const double *)a->data)[i]);
        if (isfinite(v) && v > w->largest) w->largest = v;
    }
    return BZ_OK;
}

static bool fault(const ir_graph *g, void *arg) {
    context *c = arg;
    problem p = problem_of(g);
    bool bad = p.e.status != BZ_OK;
    if (bad) snprintf(c->what, sizeof c->what, "%s", p.e.text);
    if (!bad && p.g->outputs.n) {
        ir_value_array *in = calloc(p.g->inputs.n, sizeof *in), out[MAX_OUT] = {{0}};
        watcher w = {.base.see = look_at, .loss = p.g->outputs.p[0].node};
        random_inputs(p.g, in, c->seed);
        bz_status s = ir_interpret_seen(p.g, in, out, &w.base, &(bz_error){0});
        c->coarse = w.largest > LARGEST;
        if (!s) bad = gradient_fault(&p, in, out, c) || (c->machine && code_fault(&p, in, out, c));
        free_values(out, p.g->outputs.n);
        free_values(in, p.g->inputs.n);
        free(in);
    }
    ir_module_free(p.m);
    return bad;
}

static void report(ir_module *m, context *c) {
    bz_text t = {0};
    long ignored[2];
    printf("fuzz_grads: seed %llu: %s\n", (unsigned long long)c->seed, c->what);
    c->checked = c->passed_over = ignored;
    if (!getenv("FUZZ_WHOLE")) shrink_graph(&m, fault, c);
    fault(m->graphs.p[0], c);
    ir_print_module(&t, m);
    printf("# %s\n# values: seed %llu\n%s\n", c->what, (unsigned long long)c->seed, bz_text_c(&t));
    fflush(stdout);
    bz_text_free(&t);
    ir_module_free(m);
}

/* ---- the run */

static void count_ops(const ir_graph *g, long *seen) {
    bool *live = ir_live(g);
    for (ir_ref r = 1; r < g->n.n; r++)
        if (live[r] && ir_at(g, r)->op < IR_ELEM_END && ir_dtype(g, r) == BZ_F64)
            seen[ir_at(g, r)->op]++;
    bz_mem_free(live);
}

static bool too_little(const long *seen, const long *checked, const long *passed_over) {
    bool bad = false;
    for (unsigned op = 1; op < IR_ELEM_END; op++) {
        if (!random_is_differentiable((ir_op)op) || seen[op]) continue;
        printf("fuzz_grads: no gradient of %s was checked\n", ir_ops[op].name);
        bad = true;
    }
    for (unsigned k = 0; k < 2; k++) {
        if (passed_over[k] <= checked[k]) continue;
        printf("fuzz_grads: order %u passes over more than it checks\n", k + 1);
        bad = true;
    }
    return bad;
}

void fuzz_bytes(const uint8_t *p, size_t n) {
    long checked[2] = {0}, passed_over[2] = {0};
    context c = {.seed = n, .checked = checked, .passed_over = passed_over};
    random_choice choice = {.nodes = (unsigned)fuzz_pieces(n),
                            .max_numel = 60,
                            .floats = true,
                            .bytes = p,
                            .nbytes = n};
    if (choice.nodes > 12) choice.nodes = 12;
    ir_module *m = random_graph(1, &choice);
    if (fault(m->graphs.p[0], &c)) {
        report(m, &c);
        abort();
    }
    ir_module_free(m);
}

int fuzz_main(int argc, char **argv) {
    long checked[2] = {0}, passed_over[2] = {0}, seen[IR_ELEM_END] = {0};
    fuzz_span f = fuzz_begin("fuzz_grads", argc, argv);
    while (fuzz_next(&f)) {
        context c = {.seed = f.seed,
                     .machine = fuzz_gets_code(f.seed, CODE_IN),
                     .checked = checked,
                     .passed_over = passed_over};
        random_choice choice = {.nodes = 2 + (unsigned)(f.seed % 9),
                                .max_numel = f.seed % 32 ? 12 : 60,
                                .floats = true};
        ir_module *m = random_graph(f.seed, &choice);
        long before = checked[0];
        if (fault(m->graphs.p[0], &c)) {
            f.faults++;
            report(m, &c);
            continue;
        }
        if (checked[0] > before) count_ops(m->graphs.p[0], seen);
        ir_module_free(m);
    }
    if (f.runs >= ENOUGH && !f.faults) f.faults += too_little(seen, checked, passed_over);
    printf(
        "fuzz_grads: %ld graphs, %ld faults; checked %ld and %ld slopes, passed over %ld and %ld\n",
        f.runs, f.faults, checked[0], checked[1], passed_over[0], passed_over[1]);
    return f.faults > 0;
}
