/* plan_check.c - see plan_check.h. */
#include "tests/support/plan_check.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/plan_jit.h"
#include "tests/support/plan_run.h"
#include "tests/support/targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WORDS = 600 };

static bool differs(const ir_graph *g, const ir_value_array *want, const ir_value_array *got,
                    const char *how, char *what) {
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        int64_t at = first_difference(&want[i], &got[i]);
        if (at < 0) continue;
        snprintf(what, WORDS, "%s: output %u differs at element %lld", how, i, (long long)at);
        return true;
    }
    return false;
}

/* One run, by what the values of `out` came from. */
static bool run_fault(const ir_graph *g, bz_status s, const bz_error *e, const ir_value_array *want,
                      ir_value_array *out, const char *how, char *what) {
    bool bad = s != BZ_OK || differs(g, want, out, how, what);
    if (s) snprintf(what, WORDS, "%s: %s", how, e->text);
    free_values(out, g->outputs.n);
    return bad;
}

static bool target_fault(const ir_graph *g, const plan_target *t, const ir_value_array *in,
                         const ir_value_array *want, const plan_check *c, char *what) {
    bz_error e = {0};
    ir_value_array out[PLAN_CHECK_OUTPUTS] = {{0}}, code[PLAN_CHECK_OUTPUTS] = {{0}};
    char how[64];
    pass_target target = t->t;
    target.threads = c->threads;
    target.any_size = bz_mix(c->seed, 0x51e) % 4 == 0;
    target.keeps = t->isa != CG_NISAS;
    if (c->sizes) target.machine = c->sizes;
    pass_plan *p = pass_compile(g, &target, &e);
    if (!p) {
        snprintf(what, WORDS, "%s: %s", t->name, e.text);
        return !c->any_op || e.status != BZ_EUNSUPPORTED;
    }
    snprintf(how, sizeof how, "%s, interpreted", t->name);
    bz_status s = plan_run(p, in, out, &e);
    bool bad = run_fault(g, s, &e, want, out, how, what);
    if (!bad && c->machine && t->isa <= target_host()) {
        snprintf(how, sizeof how, "%s, machine code", t->name);
        s = plan_jit(p, (plan_jit_how){t->isa, c->threads == 4 ? 4 : 1, c->seed}, in, code, &e);
        bad = run_fault(g, s, &e, want, code, how, what);
    }
    if (!bad && c->cuda && t->isa == CG_NISAS) {
        s = plan_cuda(p, in, code, &e);
        bad = run_fault(g, s, &e, want, code, "CUDA C", what);
    }
    pass_plan_free(p);
    return bad;
}

/* Is target number t one of those that are checked? */
static bool is_wanted(const plan_check *c, unsigned t) {
    if (c->cuda) return targets[t].isa == CG_NISAS;
    if (c->sizes) return targets[t].isa != CG_NISAS && !targets[t].t.eager;
    return !c->one || t == bz_mix(c->seed, 0x7a6) % target_count;
}

bool plan_fault(const ir_graph *g, const plan_check *c, char what[WORDS]) {
    bz_error e = {0};
    ir_value_array *in = calloc(g->inputs.n + 1, sizeof *in), want[PLAN_CHECK_OUTPUTS] = {{0}};
    random_inputs(g, in, c->seed);
    for (uint32_t i = 0; i < g->inputs.n && c->specials; i++)
        sprinkle_specials(&in[i], &(uint64_t){c->seed + i});
    bz_status s = ir_interpret(g, in, want, &e);
    bool bad = false;
    for (unsigned t = 0; t < target_count && !bad && !s; t++)
        if (is_wanted(c, t)) bad = target_fault(g, &targets[t], in, want, c, what);
    free_values(in, g->inputs.n);
    free(in);
    free_values(want, g->outputs.n);
    return bad;
}
