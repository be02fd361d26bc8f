/* export_find.c - finders: small plans that compute the indices of a gather or scatter once more, when one of them was outside.
 *
 *     gather table, i -> ... (the plan)          i's nodes -> arena (its finder), for each instruction set
 *
 * Mostly i is an input as it is, and a finder is a copy without code. */
#include "runtime/export/export.h"

#include <stdio.h>
#include <string.h>

/* An input that an output is written over has not the old elements any more. */
static bool updated(const void *user, const ir_graph *g, uint32_t input) {
    (void)user;
    for (uint32_t k = 0; k < g->outputs.n; k++)
        if (g->outputs.p[k].donated == (int)input) return true;
    return false;
}

static bz_status make(ex_finder *f, const pass_plan *p, const pass_target *t, ex_fields *fields,
                      bz_error *e) {
    ir_graph *part = rt_index_part(p->graph, &f->index, updated, NULL);
    if (!part) return BZ_OK;
    bz_status s = ex_plan(&f->code, part, t, fields, e);
    ir_graph_free(part);
    return s;
}

bz_status ex_make_finders(ex_variant *v, const pass_target *t, const char *name, ex_fields *fields,
                          bz_error *e) {
    ex_nodes nodes = {0};
    bool ready = ex_index_nodes(v->plan, &nodes) &&
                 (v->finders = bz_mem_zero(nodes.n + 1, sizeof *v->finders)) != NULL;
    bz_status s = ready ? BZ_OK : bz_fail(e, BZ_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < nodes.n && !s; i++) {
        ex_finder *f = &v->finders[v->nfinders];
        *f = (ex_finder){.node = nodes.p[i], .code = {.isa = v->isa, .finds = true}};
        if (!rt_index_of(v->plan->graph, f->node, &f->index)) continue;
        snprintf(f->code.suffix, sizeof f->code.suffix, "%.8si%u", v->suffix, v->nfinders);
        snprintf(f->code.consts_name, sizeof f->code.consts_name, "%.64s.consts%s", name,
                 f->code.suffix);
        s = make(f, v->plan, t, fields, e);
        if (f->code.plan) v->nfinders++;
    }
    bz_vec_free(&nodes);
    return s;
}

void ex_variant_free(ex_variant *v) {
    for (unsigned i = 0; i < v->nfinders; i++) ex_variant_free(&v->finders[i].code);
    bz_mem_free(v->finders);
    if (!v->borrowed) pass_plan_free(v->plan);
    bz_mem_free(v->consts);
}
