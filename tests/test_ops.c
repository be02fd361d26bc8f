/* test_ops.c - the op harness (tests/support/op_cases.h) as machine code of every ISA, against the reference interpreter, bit for bit.
 *
 * A run takes every other case (op_cases_sample); the number of cases that were valid is asserted, so that none vanishes unseen. */
#include "tests/support/op_cases.h"
#include "tests/support/plan_jit.h"
#include "tests/support/plan_run.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>

/* ---- one graph, all ISAs */

static void check_target(const char *what, const ir_graph *g, unsigned target,
                         const ir_value_array *in, const ir_value_array *want) {
    bz_error e = {0};
    ir_value_array out[OP_VALUES];
    pass_plan *p = pass_compile(g, &targets[target].t, &e);
    cr_assert(p, "%s for %s: %s", what, targets[target].name, e.text);
    bz_status s =
        plan_jit(p, (plan_jit_how){.isa = targets[target].isa, .threads = 1}, in, out, &e);
    cr_assert(!s, "%s for %s: %s", what, targets[target].name, e.text);
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        int64_t at = first_difference(&want[i], &out[i]);
        cr_expect(at < 0, "%s for %s: output %u differs at element %lld", what,
                  targets[target].name, i, (long long)at);
    }
    free_values(out, g->outputs.n);
    pass_plan_free(p);
}

static void check(const char *what, const ir_graph *g) {
    bz_error e = {0};
    ir_value_array in[OP_VALUES], want[OP_VALUES];
    cr_assert(g->inputs.n <= OP_VALUES && g->outputs.n <= OP_VALUES);
    op_case_inputs(g, in);
    cr_assert(!ir_interpret(g, in, want, &e), "%s: %s", what, e.text);
    for (unsigned t = 0; t < target_count; t++)
        if (!targets[t].t.eager && targets[t].isa <= target_host())
            check_target(what, g, t, in, want);
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
}

static void run_family(op_family_id family) {
    const op_sample sample = op_cases_sample(2);
    unsigned number = 0, valid = 0, run = 0;
    for (unsigned i = 0; i < op_cases_of(family); i++) {
        char name[96];
        bool refused;
        ir_module *m = op_case(family, i, name, &refused);
        if ((m || refused) && op_sampled(sample, number++)) {
            run++;
            valid += m != NULL;
            cr_expect(m || !op_families[family].all, "%s is refused", name);
            if (m) check(name, m->graphs.p[0]);
        }
        if (m) ir_module_free(m);
    }
    cr_expect_geq(valid, run * 3 / 4, "only %u of %u cases are valid", valid, run);
}

Test(ops, elementwise, .timeout = 1200) {
    run_family(OPS_ELEMENTWISE);
}
Test(ops, casts, .timeout = 600) {
    run_family(OPS_CASTS);
}
Test(ops, reductions, .timeout = 900) {
    run_family(OPS_REDUCTIONS);
}
Test(ops, products, .timeout = 600) {
    run_family(OPS_PRODUCTS);
}
Test(ops, texts, .timeout = 600) {
    run_family(OPS_TEXTS);
}
