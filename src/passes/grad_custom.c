/* grad_custom.c - the gradient of a custom_grad: what its backward function recorded, with values in place of the stand-ins.
 *
 *      b = where(d > 1, 1, d) * y      d, y: stand-ins       gradient of x: where(g > 1, 1, g) * result
 *
 * The nodes between the stand-ins and b are recorded once more, so that they have gradients like others. What does not depend on a
 * stand-in stays as it is. */
#include "src/passes/grad.h"

#include <string.h>

enum { DEPENDS = 1, NEEDED = 2 };

typedef struct inlining {
    ir_graph *g;
    ir_ref first, end; /* the nodes that may depend on stand-ins: first .. end - 1 */
    ir_map map;        /* of nodes below end */
    uint8_t *mark;
} inlining;

static bool depends_on_marked(const inlining *l, ir_ref r) {
    for (unsigned k = 0; k < ir_at(l->g, r)->nin; k++)
        if (l->mark[ir_operand(l->g, r, k)] & DEPENDS) return true;
    return false;
}

/* Another custom_grad that is recorded once more gets stand-ins of its own. true: there was one to mark. */
static bool mark_stand_ins(inlining *l, ir_ref r) {
    bool more = false;
    if (ir_at(l->g, r)->op != IR_CUSTOM_GRAD) return false;
    ir_custom c = ir_custom_get(l->g, r);
    for (unsigned k = 0; k < 2 * c.nout; k++) {
        ir_ref s = c.stands[k];
        more |= !(l->mark[s] & DEPENDS);
        l->mark[s] |= DEPENDS;
        l->first = s < l->first ? s : l->first;
    }
    return more;
}

static void mark_dependents(inlining *l) {
    for (bool again = true; again;) {
        again = false;
        for (ir_ref r = l->first; r < l->end; r++) {
            if (depends_on_marked(l, r)) l->mark[r] |= DEPENDS;
            if (l->mark[r] & DEPENDS) again |= mark_stand_ins(l, r);
        }
    }
}

static void mark_needed(inlining *l) {
    for (ir_ref r = l->end - 1; r >= l->first; r--)
        for (unsigned k = 0; l->mark[r] == (NEEDED | DEPENDS) && k < ir_at(l->g, r)->nin; k++)
            l->mark[ir_operand(l->g, r, k)] |= NEEDED;
}

/* Node r of the backward function as a node for these values; 0: an error. */
static ir_ref inlined(inlining *l, ir_ref r) {
    ir_ref *to = l->map.to;
    for (unsigned k = 0; k < ir_at(l->g, r)->nin; k++) {
        ir_ref x = ir_operand(l->g, r, k);
        if (!to[x]) to[x] = x;
    }
    return ir_rebuild_node(l->g, l->g, &l->map, r);
}

static bool inline_all(inlining *l) {
    mark_dependents(l);
    mark_needed(l);
    for (ir_ref r = l->first; r < l->end; r++)
        if (l->mark[r] == (NEEDED | DEPENDS) && !l->map.to[r] && !(l->map.to[r] = inlined(l, r)))
            return false;
    return true;
}

/* The gradient that arrives at result k; zeros where none does. */
static ir_ref arriving(ir_graph *g, ir_ref f, ir_ref d) {
    return d ? d : ir_const_like(g, f, 0);
}

bool grad_custom(ir_graph *g, ir_ref r, const ir_ref *out, const ir_ref *d, ir_ref *share) {
    ir_custom c = ir_custom_get(g, r);
    unsigned nout = c.nout, nin = c.nin;
    inlining l = {.g = g, .first = r, .end = r, .map = {bz_mem_zero(r, sizeof(ir_ref)), r}};
    l.mark = bz_mem_zero(r, 1);
    bool done = l.map.to && l.mark;
    for (unsigned k = 0; k < 2 * nout && done; k++) {
        c = ir_custom_get(g, r);
        ir_ref s = c.stands[k], f = c.f[k % nout];
        l.first = s < l.first ? s : l.first;
        l.mark[s] |= DEPENDS;
        l.map.to[s] = k < nout ? out[k] ? out[k] : ir_result(g, r, k) : arriving(g, f, d[k - nout]);
        done = l.map.to[s] != 0;
    }
    for (unsigned j = 0; j < nin && done; j++) l.mark[ir_custom_get(g, r).b[j]] |= NEEDED;
    done = done && inline_all(&l);
    for (unsigned j = 0; j < nin && done; j++) {
        ir_ref b = ir_custom_get(g, r).b[j];
        share[j] = l.map.to[b] && l.mark[b] & DEPENDS ? l.map.to[b] : b;
    }
    bz_mem_free(l.map.to);
    bz_mem_free(l.mark);
    return done;
}
