/* test_train.c - a whole training step as one plan: how many kernels, in place, the reference interpreter's bits. */
#include "tests/support/mlp.h"
#include "tests/support/plan_run.h"

#include <criterion/criterion.h>
#include <string.h>

static const pass_target target = {.vector_bytes = 64,
                                   .registers = 32,
                                   .masks = true,
                                   .threads = 2,
                                   .machine = &pass_cpu,
                                   .cached = PASS_CACHED};

Test(train, kernels_of_the_step) {
    bz_error e = {0};
    ir_module *m = mlp_step(128, 784, 512, 10);
    cr_assert(m);
    pass_plan *p = pass_compile(m->graphs.p[0], &target, &e);
    cr_assert(p, "%s", e.text);
    cr_expect_leq(p->launches.n, 13u, "%u kernels in the training step", p->launches.n);
    for (uint32_t i = 1; i < p->noutputs;
         i++) { /* parameters, moments and t are written in place */
        const pass_buffer *b = &p->buffers.p[p->output[i]];
        cr_expect(b->place == PASS_INPUT && (int)b->number == p->graph->outputs.p[i].donated,
                  "output %u is not in place", i);
    }
    cr_expect_leq((double)p->arena_bytes, 1.05 * (double)p->arena_bound);
    pass_plan_free(p);
    ir_module_free(m);
}

Test(train, step_means_the_same) {
    bz_error e = {0};
    ir_module *m = mlp_step(20, 37, 33, 10);
    cr_assert(m);
    const ir_graph *g = m->graphs.p[0];
    ir_value_array in[32], want[32], out[32];
    random_inputs(g, in, 3);
    for (uint32_t i = 0; i < g->inputs.n;
         i++) /* steps so far and second moments are never negative */
        if (!strcmp(g->inputs.p[i].name, "t") || g->inputs.p[i].name[0] == 'v')
            for (int64_t k = 0; k < (in[i].rank == 2 ? in[i].shape[0] * in[i].shape[1]
                                     : in[i].rank    ? in[i].shape[0]
                                                     : 1);
                 k++)
                ((float *)in[i].data)[k] *= ((float *)in[i].data)[k];
    cr_assert(!ir_interpret(g, in, want, &e), "%s", e.text);
    pass_plan *p = pass_compile(g, &target, &e);
    cr_assert(p, "%s", e.text);
    cr_assert(!plan_run(p, in, out, &e), "%s", e.text);
    for (uint32_t i = 0; i < g->outputs.n; i++)
        cr_expect_eq(first_difference(&want[i], &out[i]), -1, "output %s differs",
                     g->outputs.p[i].name);
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
    free_values(out, g->outputs.n);
    pass_plan_free(p);
    ir_module_free(m);
}
