/* fuzz_mutants.c - programs of the corpus with tokens exchanged: what the parser still takes goes the whole way.
 *
 *     text --damage--> parsed? --> verified --> compiled for a target: a plan, or words
 *                                    |------> its gradients: a graph that verifies, or words
 *                                    \------> small? run for it against the interpreter, bit for bit
 *
 * One text of 32 is run for each target, and may be fifty times as large; one of 512 (FUZZ_CODE=N: of N) runs as machine code, too.
 * Sizes may be astronomic: compiling must not care. A fault is made small and printed as a file.
 * usage: fuzz_mutants SECONDS [SEED [COUNT]] */
#include "src/passes/pass.h"
#include "tests/support/corpus.h"
#include "tests/support/damage.h"
#include "tests/support/fuzz.h"
#include "tests/support/plan_check.h"
#include "tests/support/random_graph.h"
#include "tests/support/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT = 1 << 16, MAX_WRT = 8, WORK = 300000, LARGE_IN = 32, CODE_IN = 512 };

typedef struct context {
    plan_check check;
    int64_t work; /* what takes more is compiled, but not run */
    char what[600];
} context;

/* ---- how much work a graph is */

/* Elements of all nodes, products counted with what they sum over; -1: more than `most`, or a size that is open. */
static int64_t work_of(const ir_graph *g, int64_t most) {
    int64_t sum = 0;
    for (ir_ref r = 1; r < g->n.n; r++) {
        int64_t n, k = 1;
        if (!ir_numel(g, r, &n)) return -1;
        for (unsigned i = 0; ir_at(g, r)->op == IR_DOT && i < 2; i++) {
            int64_t x;
            ir_numel(g, ir_operand(g, r, i), &x);
            k = x < most ? k + x : most;
        }
        if (n > most || k > most || n * k > most || (sum += n * k + 1) > most) return -1;
    }
    return sum;
}

/* Has no op whose result may depend on the sign or the bits of a NaN, or that hands over to another graph. */
static bool comparable(const ir_graph *g) {
    for (ir_ref r = 1; r < g->n.n; r++) {
        unsigned op = ir_at(g, r)->op;
        if (op == IR_SIGNBIT || op == IR_COPYSIGN || op == IR_BITCAST) return false;
    }
    return g->outputs.n <= PLAN_CHECK_OUTPUTS;
}

/* ---- the ways */

static bool no_words(const char *where, const bz_error *e, context *c) {
    if (e->status && *e->text) return false;
    snprintf(c->what, sizeof c->what, "%s fails with status %d and '%s'", where, (int)e->status,
             e->text);
    return true;
}

static bool compile_fault(const ir_graph *g, context *c) {
    bz_error e = {0};
    pass_plan *p = pass_compile(g, &targets[c->check.seed % target_count].t, &e);
    bool bad = !p && no_words("compiling", &e, c);
    pass_plan_free(p);
    return bad;
}

static ir_graph *copy(const ir_graph *old) {
    ir_map map;
    bz_error e = {0};
    ir_graph *g = ir_rebuild_begin(old, &map);
    for (ir_ref r = 1; r < old->n.n; r++)
        if (!map.to[r]) map.to[r] = ir_rebuild_node(g, old, &map, r);
    g = ir_rebuild_end(g, old, &map, &e);
    if (!g) bz_bug("copy of a graph: %s", e.text);
    return g;
}

static bool grad_fault(const ir_graph *old, context *c) {
    ir_graph *g = copy(old);
    ir_ref wrt[MAX_WRT], out[MAX_WRT], loss = 0;
    unsigned n = 0;
    bz_error e = {0};
    bool bad = false;
    for (uint32_t i = 0; i < g->outputs.n && !loss; i++)
        if (ir_is_float(ir_dtype(g, g->outputs.p[i].node))) loss = g->outputs.p[i].node;
    for (uint32_t i = 0; i < g->inputs.n && n < MAX_WRT; i++)
        if (ir_is_float(ir_dtype(g, g->inputs.p[i].node))) wrt[n++] = g->inputs.p[i].node;
    if (loss && n && ir_at(g, loss)->rank) loss = ir_reduce(g, IR_SUM, loss, NULL, 0, false);
    if (loss && n && pass_grad(g, loss, 0, wrt, n, out))
        bad = no_words("the gradient", &g->err, c);
    else if (ir_verify(g, IR_ANY_GRAPH, &e)) {
        snprintf(c->what, sizeof c->what, "the gradient does not verify: %s", e.text);
        bad = true;
    }
    ir_graph_free(g);
    return bad;
}

static bool fault(const ir_graph *g, void *arg) {
    context *c = arg;
    bool runs = work_of(g, c->work) >= 0 && comparable(g);
    return grad_fault(g, c) || (runs ? plan_fault(g, &c->check, c->what) : compile_fault(g, c));
}

/* ---- the run */

static void report(ir_module *m, context *c) {
    bz_text t = {0};
    const ir_graph *g = m->graphs.p[0];
    printf("fuzz_mutants: %s\n", c->what);
    if (work_of(g, WORK) >= 0 && m->graphs.n == 1) shrink_graph(&m, fault, c);
    ir_print_module(&t, m);
    printf("# %s\n# values: seed %llu\n%s\n", c->what, (unsigned long long)c->check.seed,
           bz_text_c(&t));
    fflush(stdout);
    bz_text_free(&t);
}

/* The text of a seed, damaged. */
static size_t mutant(const corpus *all, uint64_t seed, char *s) {
    uint64_t state = bz_mix(seed, 0x9e3779b97f4a7c15u) | 1;
    unsigned i;
    do i = (unsigned)damage_draw(&state, all->n);
    while (all->size[i] >= TEXT / 2);
    memcpy(s, all->text[i], all->size[i]);
    return damage_tokens(&state, s, all->size[i], TEXT);
}

void fuzz_bytes(const uint8_t *p, size_t n) {
    bz_error e = {0};
    ir_module *m = ir_parse((const char *)p, n, NULL, &e);
    context c = {.check = {.seed = n, .threads = 2, .any_op = true}, .work = WORK};
    if (m && fault(m->graphs.p[0], &c)) {
        report(m, &c);
        abort();
    }
    ir_module_free(m);
}

int fuzz_main(int argc, char **argv) {
    long taken = 0;
    corpus all = corpus_read();
    char *s = malloc(TEXT);
    fuzz_span f = fuzz_begin("fuzz_mutants", argc, argv);
    while (fuzz_next(&f)) {
        bz_error e = {0};
        size_t n = mutant(&all, f.seed, s);
        if (getenv("FUZZ_TRACE"))
            printf("# seed %llu\n%.*s\n", (unsigned long long)f.seed, (int)n, s);
        ir_module *m = ir_parse(s, n, NULL, &e);
        if (!m) continue;
        bool large = f.seed % LARGE_IN == 0;
        context c = {.check = {.seed = f.seed,
                               .machine = fuzz_gets_code(f.seed, CODE_IN),
                               .threads = 2,
                               .any_op = true,
                               .one = !large},
                     .work = large ? WORK : WORK / 50};
        taken++;
        if (fault(m->graphs.p[0], &c)) {
            f.faults++;
            printf("fuzz_mutants: seed %llu\n", (unsigned long long)f.seed);
            report(m, &c);
        } else
            ir_module_free(m);
    }
    free(s);
    corpus_free(&all);
    printf("fuzz_mutants: %ld texts, %ld taken, %ld faults\n", f.runs, taken, f.faults);
    return f.faults > 0;
}
