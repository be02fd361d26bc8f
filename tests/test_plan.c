/* test_plan.c - what pass_compile makes of a graph means what the graph means: every plan, run on the interpreter of the kernel loops,
 * gives the bits of the reference interpreter, for each vector width, with and without masks, fused and one kernel per op. */
#include "tests/support/plan_run.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct program {
    const char *name, *text;
    int kernels; /* launches that the fused plan must have */
} program;

static const program programs[] = {
#define P(name, kernels, text) {#name, text, kernels},
#include "tests/ir/programs.def"
#undef P
};

static const struct {
    const char *name;
    pass_target t;
} targets[] = {
    {"avx512", {.vector_bytes = 64, .registers = 32, .masks = true, .threads = 2}},
    {"avx2", {.vector_bytes = 32, .registers = 16, .masks = true, .threads = 2}},
    {"base", {.vector_bytes = 16, .registers = 16, .masks = false, .threads = 2}},
    {"eager", {.vector_bytes = 64, .registers = 32, .masks = true, .eager = true, .threads = 2}},
};

static void show(const pass_plan *p)
{
    bz_text t = {0};
    ir_print(&t, p->graph);
    pass_plan_print(&t, p);
    if (getenv("PLAN_KERNELS"))
        lp_print_module(&t, p->code);
    fprintf(stderr, "%s\n", bz_text_c(&t));
    bz_text_free(&t);
}

static void check(const program *q, unsigned target, const ir_graph *g, const ir_value_array *in, const ir_value_array *want)
{
    bz_error e = {0};
    pass_plan *p = pass_compile(g, &targets[target].t, &e);
    cr_assert(p, "%s for %s: %s", q->name, targets[target].name, e.text);
    ir_value_array out[16];
    bz_status st = plan_run(p, in, out, &e);
    if (st || getenv("PLAN_SHOW"))
        show(p);
    cr_assert(!st, "%s for %s: %s", q->name, targets[target].name, e.text);
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        int64_t at = first_difference(&want[i], &out[i]);
        if (at >= 0)
            show(p);
        cr_expect(at < 0, "%s for %s: output %u differs at element %lld: %a, not %a", q->name, targets[target].name, i, (long long)at,
                  at < 0 ? 0 : ir_bits_to_f64(out[i].dtype, ir_load_bits(out[i].dtype, (char *)out[i].data + (size_t)at * ir_dtype_bytes(out[i].dtype))),
                  at < 0 ? 0 : ir_bits_to_f64(want[i].dtype, ir_load_bits(want[i].dtype, (char *)want[i].data + (size_t)at * ir_dtype_bytes(want[i].dtype))));
    }
    if (target == 0 && q->kernels >= 0)
        cr_expect_eq((int)p->launches.n, q->kernels, "%s: %u kernels, %d expected", q->name, p->launches.n, q->kernels);
    free_values(out, g->outputs.n);
    pass_plan_free(p);
}

static void run(const program *q)
{
    bz_error e = {0};
    ir_module *m = ir_parse(q->text, strlen(q->text), q->name, &e);
    cr_assert(m, "%s:%d:%d: %s", q->name, e.line, e.column, e.text);
    const ir_graph *g = m->graphs.p[0];
    ir_value_array in[32], want[16];
    random_inputs(g, in, 7);
    cr_assert(!ir_interpret(g, in, want, &e), "%s: %s", q->name, e.text);
    for (unsigned t = 0; t < BZ_LEN(targets); t++)
        check(q, t, g, in, want);
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
    ir_module_free(m);
}

Test(plan, programs_mean_the_same)
{
    const char *only = getenv("PLAN_ONLY");
    for (unsigned i = 0; i < BZ_LEN(programs); i++)
        if (!only || !strcmp(only, programs[i].name))
            run(&programs[i]);
}
