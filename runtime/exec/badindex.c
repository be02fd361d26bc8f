/* badindex.c - the words for an index outside: which one, of what.
 *
 * A kernel reports the node alone, so that the check costs a comparison. What the index was is found out afterwards: the nodes that
 * the index depends on are interpreted once more, from the inputs of the call, and the first element in row-major order that
 * is outside counts. So the words are the interpreter's, whatever threads and fusion. An export has code for the same nodes
 * (export_find.c). Where an input was overwritten by the call (donated), or it would be much work, the words do without the number. */
#include "runtime/exec/cpu.h"

#include <stdio.h>
#include <string.h>

enum { MOST_WORK = 1 << 22, MOST_NODES = 256 }; /* elements; nodes */

bool rt_index_of(const ir_graph *g, ir_ref r, rt_index *a) {
    int64_t shape[IR_MAX_RANK];
    const ir_node *n = ir_at(g, r);
    if ((n->op != IR_GATHER && n->op != IR_SCATTER) || n->nin < 2) return false;
    a->node = ir_in(g, n)[1];
    a->axis = ir_attrs(g, n)[n->op == IR_SCATTER];
    if (!ir_static_shape(g, ir_in(g, n)[0], shape) || !ir_numel(g, a->node, &a->count)) return false;
    a->size = shape[a->axis];
    return true;
}

ir_graph *rt_index_part(const ir_graph *g, const rt_index *a, rt_index_gone *gone,
                        const void *user) {
    bz_error e = {0};
    ir_graph part = *g;
    ir_output only = {"index", a->node, -1};
    int64_t work = 0, n;
    uint32_t nodes = 0;
    part.outputs.p = &only;
    part.outputs.n = part.outputs.cap = 1;
    bool *live = ir_live(&part);
    bool good = live != NULL;
    for (ir_ref r = 1; good && r < g->n.n; r++) {
        if (!live[r]) continue;
        bool input = ir_at(g, r)->op == IR_INPUT;
        good =
            ir_numel(g, r, &n) && !(input && gone(user, g, (uint32_t)ir_attrs(g, ir_at(g, r))[0]));
        work = good && !input ? bz_plus(work, n) : work;
        nodes += !input;
    }
    bz_mem_free(live);
    return good && work <= MOST_WORK && nodes <= MOST_NODES ? ir_copy_live(&part, &e) : NULL;
}

typedef struct run_call {
    const rt_program *p;
    const rt_call *call;
} run_call;

static bool overwritten(const void *user, const ir_graph *g, uint32_t input) {
    const run_call *u = user;
    (void)g;
    for (uint32_t k = 0; k < u->p->noutputs; k++)
        if (u->call->in[input] && u->call->out[k] && u->call->in[input]->at == u->call->out[k]->at)
            return true;
    return false;
}

/* The first index outside; false: not known. */
static bool find(const ir_graph *g, const rt_index *a, const rt_program *p, const rt_call *call,
                 int64_t *found) {
    bz_error e = {0};
    ir_value_array out = {0};
    ir_graph *part = rt_index_part(g, a, overwritten, &(run_call){p, call});
    if (!part) return false;
    rt_program alone = {.graph = part};
    bool done = rt_interpret(NULL, &alone, call, &out, &e) == BZ_OK, outside = false;
    for (int64_t i = 0; done && i < a->count && !outside; i++) {
        memcpy(found, (const char *)out.data + (size_t)i * sizeof *found, sizeof *found);
        outside = *found < -a->size || *found >= a->size;
    }
    bz_mem_free(out.data);
    ir_graph_free(part);
    return outside;
}

void rt_index_text(bz_text *t, const ir_graph *g, ir_ref r, const rt_index *a, const char *which) {
    const char *site = g->sites.p[r];
    bz_textf(t, "[%s] ", ir_ops[ir_blamed(g, r)].name);
    if (a)
        bz_textf(t, "%s is outside axis %lld of %lld", which, (long long)a->axis,
                 (long long)a->size);
    else
        bz_text_str(t, bz_status_doc(BZ_EINDEX));
    bz_textf(t, "%s%s", site ? " at " : "", site ? site : "");
}

bz_status rt_bad_index(const rt_program *p, const ir_graph *g, ir_ref r, const rt_call *call,
                       bz_error *e) {
    rt_index a;
    int64_t found;
    char which[40] = "an index";
    bool known = rt_index_of(g, r, &a);
    if (known && find(g, &a, p, call, &found))
        snprintf(which, sizeof which, "index %lld", (long long)found);
    bz_text t = {0};
    rt_index_text(&t, g, r, known ? &a : NULL, which);
    bz_fail(e, BZ_EINDEX, "%s", bz_text_c(&t));
    bz_text_free(&t);
    return BZ_EINDEX;
}
