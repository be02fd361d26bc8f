/* fuzz_graphs.c - random graphs, compiled for each target, against the reference interpreter: on the interpreter of the kernel loops and
 * as machine code with tasks handed out in random pieces; bit for bit. Half of the graphs get NaN, infinities and limits as input, a quarter
 * holds gradients. A fault is made small and printed as a file for tests/ir/regress.
 * usage: fuzz_graphs SECONDS [SEED [COUNT]] */
#include "src/passes/pass.h"
#include "tests/support/fuzz.h"
#include "tests/support/plan_check.h"
#include "tests/support/random_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

typedef struct context {
    plan_check check;
    char what[600];
} context;

static bool fault(const ir_graph *g, void *arg) {
    context *c = arg;
    return plan_fault(g, &c->check, c->what);
}

static void report(ir_module *m, context *c) {
    bz_text t = {0};
    printf("fuzz_graphs: seed %llu: %s\n", (unsigned long long)c->check.seed, c->what);
    fflush(stdout);
    if (!getenv("FUZZ_WHOLE")) shrink_graph(&m, fault, c);
    ir_print_module(&t, m);
    printf("# %s\n# values: seed %llu%s, %u threads\n%s\n", c->what,
           (unsigned long long)c->check.seed, c->check.specials ? ", specials" : "",
           c->check.threads, bz_text_c(&t));
    fflush(stdout);
    bz_text_free(&t);
    ir_module_free(m);
}

static void print_graph(const ir_module *m, uint64_t seed) {
    bz_text t = {0};
    ir_print_module(&t, m);
    printf("# seed %llu\n%s\n", (unsigned long long)seed, bz_text_c(&t));
    fflush(stdout);
    bz_text_free(&t);
}

/* The sum of the outputs is the loss; its gradients for the float inputs come after them. False when an op has no gradient. */
static bool add_gradients(ir_graph *g) {
    ir_ref loss = 0, wrt[16], out[16];
    unsigned n = 0;
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        ir_ref r = g->outputs.p[i].node;
        if (!ir_is_float(ir_dtype(g, r))) continue;
        ir_ref sum = ir_at(g, r)->rank ? ir_reduce(g, IR_SUM, r, NULL, 0, false) : r;
        loss = loss ? ir_build2(g, IR_ADD, loss, sum) : sum;
    }
    for (uint32_t i = 0; i < g->inputs.n && n + g->outputs.n < 16; i++)
        if (ir_is_float(ir_dtype(g, g->inputs.p[i].node))) wrt[n++] = g->inputs.p[i].node;
    if (!loss || !n || pass_grad(g, loss, 0, wrt, n, out)) return false;
    for (unsigned i = 0; i < n; i++) ir_output_add(g, NULL, out[i], -1);
    return true;
}

/* The graph of a seed. Every eighth is one of floats with its gradients; another eighth has those of a graph of any dtypes and ops,
 * where all ops have gradients. */
static ir_module *graph_of(uint64_t seed, const random_choice *base) {
    random_choice choice = *base;
    bool tame = seed % 8 == 4, any = seed % 8 == 6;
    choice.floats = tame;
    ir_module *m = random_graph(seed, &choice);
    bz_error e = {0};
    if ((tame || any) && !add_gradients(m->graphs.p[0])) {
        if (tame)
            printf("fuzz_graphs: seed %llu has no gradient: %s\n", (unsigned long long)seed,
                   m->graphs.p[0]->err.text);
        ir_module_free(m);
        m = random_graph(seed, &choice);
    }
    if (ir_verify(m->graphs.p[0], IR_ANY_GRAPH, &e))
        bz_bug("seed %llu: %s", (unsigned long long)seed, e.text);
    return m;
}

static ir_module *graph_of_seed(uint64_t seed) {
    unsigned nodes = 3 + (unsigned)(seed % 14) + (seed % 16 == 5 ? 40 : 0);
    return graph_of(seed,
                    &(random_choice){.nodes = nodes, .max_numel = seed % 32 == 3 ? 20000 : 2000});
}

static context context_of_seed(uint64_t seed) {
    static const unsigned threads[] = {2, 1, 4, 16};
    return (context){.check = {.seed = seed,
                               .machine = !getenv("FUZZ_NO_CODE") && seed % 2 == 0 && seed % 8 != 2,
                               .specials = seed / 8 % 2,
                               .threads = threads[seed / 16 % 4]}};
}

/* The first piece says what kind of graph and values, the others are a node each. */
void fuzz_bytes(const uint8_t *p, size_t n) {
    if (n < FUZZ_PIECE) return;
    uint64_t seed = p[0];
    random_choice choice = {.nodes = (unsigned)fuzz_pieces(n) - 1,
                            .max_numel = 300,
                            .bytes = p + FUZZ_PIECE,
                            .nbytes = n - FUZZ_PIECE};
    if (choice.nodes > 60) choice.nodes = 60;
    context c = context_of_seed(seed & ~UINT64_C(1)); /* no machine code */
    c.check.machine = false;
    ir_module *m = graph_of(seed, &choice);
    if (fault(m->graphs.p[0], &c)) {
        report(m, &c);
        abort();
    }
    ir_module_free(m);
}

int fuzz_main(int argc, char **argv) {
    long seconds = argc > 1 ? atol(argv[1]) : 10, count = argc > 3 ? atol(argv[3]) : 1L << 60,
         runs = 0, faults = 0;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * 1000;
    printf("fuzz_graphs: seed %llu\n", (unsigned long long)seed);
    for (time_t end = time(NULL) + seconds; time(NULL) < end && runs < count && faults < 5;
         runs++, seed++) {
        context c = context_of_seed(seed);
        ir_module *m = graph_of_seed(seed);
        if (getenv("FUZZ_TRACE")) print_graph(m, seed);
        if (fault(m->graphs.p[0], &c)) {
            faults++;
            report(m, &c);
        } else
            ir_module_free(m);
    }
    printf("fuzz_graphs: %ld graphs, %ld faults\n", runs, faults);
    return faults > 0;
}
