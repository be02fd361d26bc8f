/* fuzz_graphs.c - random graphs, compiled for a target, against the reference interpreter: on the interpreter of the kernel loops and
 * as machine code with tasks handed out in random pieces; bit for bit. Half of the graphs get NaN, infinities and limits as input, a
 * quarter holds gradients. A fault is made small and printed as a file for tests/ir/regress.
 *
 *     of 128 graphs  123 small    2-8 nodes of up to 32 elements, for one of the targets
 *                      4 middle   3-16 nodes, 300 elements, for one of the targets
 *                      1 large    3-16 nodes (43-56 in one of 16), 2,000 elements (20,000 in one of 32), for each target
 *     of 512           1         as machine code, too (FUZZ_CODE=N: of N)
 *
 * FUZZ_CUDA=1: graphs for a GPU alone, as CUDA C on the emulated driver, too ($BRAZE_FAKE_DEVICES, $BRAZE_FAKE_SEED: docs/gpu-proof.md).
 *
 * Most faults of a pass need few nodes and elements, and a small graph takes a hundredth of a large one's time.
 * usage: fuzz_graphs SECONDS [SEED [COUNT]] */
#include "src/passes/pass.h"
#include "tests/support/fuzz.h"
#include "tests/support/plan_check.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/random_graph.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGE_IN = 128, MIDDLE_IN = 32, CODE_IN = 512 };

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
    for (uint32_t i = 0; i < m->graphs.p[0]->inputs.n; i++) {
        ir_input *in = &m->graphs.p[0]->inputs.p[i];
        in->lasts = !in->scalar && bz_mix(seed, i) % 2;
    }
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

/* ---- how large, and how it is checked */

typedef enum size_class { SMALL, MIDDLE, LARGE } size_class;

static size_class class_of(uint64_t seed) {
    uint64_t h = bz_mix(seed, 0x512e) % LARGE_IN;
    return h == 0 ? LARGE : h <= LARGE_IN / MIDDLE_IN ? MIDDLE : SMALL;
}

static ir_module *graph_of_seed(uint64_t seed) {
    uint32_t h = (uint32_t)bz_mix(seed, 0x6a9);
    size_class size = class_of(seed);
    random_choice choice = {.nodes = 2 + h % 7, .max_numel = 32};
    if (size != SMALL) choice = (random_choice){.nodes = 3 + h % 14, .max_numel = 300};
    if (size == LARGE) {
        choice.max_numel = h >> 8 & 31 ? 2000 : 20000;
        choice.nodes += h >> 16 & 15 ? 0 : 40;
    }
    return graph_of(seed, &choice);
}

static context context_of_seed(uint64_t seed, bool one) {
    static const unsigned threads[] = {2, 1, 4, 16};
    return (context){.check = {.seed = seed,
                               .machine = fuzz_gets_code(seed, CODE_IN),
                               .cuda = getenv("FUZZ_CUDA") && plan_cuda_ready(),
                               .specials = seed / 8 % 2,
                               .threads = threads[seed / 16 % 4],
                               .one = one}};
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
    context c = context_of_seed(seed, false);
    c.check.machine = false;
    ir_module *m = graph_of(seed, &choice);
    if (fault(m->graphs.p[0], &c)) {
        report(m, &c);
        abort();
    }
    ir_module_free(m);
}

int fuzz_main(int argc, char **argv) {
    if (getenv("FUZZ_CUDA") && !plan_cuda_ready()) {
        printf("fuzz_graphs: skipped: no NVRTC, or no driver\n");
        return 0;
    }
    long coded = 0, large = 0;
    fuzz_span f = fuzz_begin("fuzz_graphs", argc, argv);
    while (fuzz_next(&f)) {
        size_class size = class_of(f.seed);
        context c = context_of_seed(f.seed, size != LARGE);
        ir_module *m = graph_of_seed(f.seed);
        coded += c.check.machine;
        large += size == LARGE;
        if (getenv("FUZZ_TRACE")) print_graph(m, f.seed);
        if (fault(m->graphs.p[0], &c)) {
            f.faults++;
            report(m, &c);
        } else
            ir_module_free(m);
    }
    printf("fuzz_graphs: %ld graphs (%ld large, %ld as machine code), %ld faults\n", f.runs, large,
           coded, f.faults);
    return f.faults > 0;
}
