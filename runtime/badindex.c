/* badindex.c - the words for an index outside: which one, of what.
 *
 * A kernel reports the node alone, so that the check costs a comparison. What the index was is found out afterwards: the nodes that
 * the index depends on are interpreted once more, from the inputs of the call, and the first element in row-major order that
 * is outside counts. So the words are the interpreter's, whatever threads and fusion. Where an input was overwritten by the
 * call (donated), or it would be much work, the words do without the number. */
#include "runtime/cpu.h"

#include <string.h>

static const int64_t most_work = 1 << 22; /* elements */

typedef struct asked {
    ir_ref index;
    int64_t axis, size;
} asked;

static bool what_is_asked(const ir_graph *g, ir_ref r, asked *a) {
    int64_t shape[IR_MAX_RANK];
    const ir_node *n = ir_at(g, r);
    if ((n->op != IR_GATHER && n->op != IR_SCATTER_ADD) || n->nin < 2) return false;
    ir_ref table = n->op == IR_GATHER ? ir_in(g, n)[0] : r;
    a->index = ir_in(g, n)[1];
    a->axis = ir_attrs(g, n)[0];
    if (!ir_static_shape(g, table, shape)) return false;
    a->size = shape[a->axis];
    return true;
}

static bool overwritten(const rt_call *call, const rt_program *p, uint32_t input) {
    for (uint32_t k = 0; k < p->noutputs; k++)
        if (call->in[input] && call->out[k] && call->in[input]->p == call->out[k]->p) return true;
    return false;
}

/* The part of the graph that gives the index; NULL: it cannot be computed again, or not cheaply. */
static ir_graph *part_of(const ir_graph *g, ir_ref index, const rt_program *p,
                         const rt_call *call) {
    bz_error e = {0};
    ir_graph part = *g;
    ir_output only = {"index", index, -1};
    int64_t work = 0, n;
    part.outputs.p = &only;
    part.outputs.n = part.outputs.cap = 1;
    bool *live = ir_live(&part);
    bool good = live != NULL;
    for (ir_ref r = 1; good && r < g->n.n; r++) {
        if (!live[r]) continue;
        good = ir_numel(g, r, &n);
        work = good ? bz_plus(work, n) : work;
        if (ir_at(g, r)->op == IR_INPUT)
            good &= !overwritten(call, p, (uint32_t)ir_attrs(g, ir_at(g, r))[0]);
    }
    bz_mem_free(live);
    return good && work <= most_work ? rt_graph_copy(&part, &e) : NULL;
}

/* The first index outside; false: not known. */
static bool find(const ir_graph *g, const asked *a, const rt_program *p, const rt_call *call,
                 int64_t *found) {
    bz_error e = {0};
    ir_value_array out = {0};
    ir_graph *part = part_of(g, a->index, p, call);
    if (!part) return false;
    rt_program alone = {.graph = part};
    bool done = rt_interpret(NULL, &alone, call, &out, &e) == BZ_OK, outside = false;
    int64_t count = 0;
    if (done) ir_numel(part, part->outputs.p[0].node, &count);
    for (int64_t i = 0; i < count && !outside; i++) {
        memcpy(found, (const char *)out.data + (size_t)i * sizeof *found, sizeof *found);
        outside = *found < -a->size || *found >= a->size;
    }
    bz_mem_free(out.data);
    ir_graph_free(part);
    return outside;
}

void rt_bad_index_text(bz_text *t, const ir_graph *g, ir_ref r) {
    asked a;
    if (what_is_asked(g, r, &a))
        bz_textf(t, "an index is outside axis %lld of %lld", (long long)a.axis, (long long)a.size);
    else
        bz_text_str(t, bz_status_doc(BZ_EINDEX));
}

bz_status rt_bad_index(const rt_program *p, const ir_graph *g, ir_ref r, const rt_call *call,
                       bz_error *e) {
    asked a;
    int64_t found;
    bz_text t = {0};
    const char *site = g->sites.p[r];
    if (what_is_asked(g, r, &a) && find(g, &a, p, call, &found))
        bz_textf(&t, "index %lld is outside axis %lld of %lld", (long long)found, (long long)a.axis,
                 (long long)a.size);
    else
        rt_bad_index_text(&t, g, r);
    bz_fail(e, BZ_EINDEX, "[%s] %s%s%s", ir_ops[ir_at(g, r)->op].name, bz_text_c(&t),
            site ? " at " : "", site ? site : "");
    bz_text_free(&t);
    return BZ_EINDEX;
}
