/* fuse_space.c - the loops of a group as an iteration space of symbols.
 *
 *     x: f32[N, 1, M]  --reduce over the last axis-->      FULL [i, j] of sizes N, M        KEPT [i] of size N
 *
 * Axes of size 1 are left out, so a node is on a level when its shape is the level's but for 1s. */
#include "src/ir/value.h"
#include "src/passes/fuse.h"

static void add_dim(int64_t *sizes, ir_ex *idx, unsigned *n, int64_t size, ir_ex e) {
    if (size == 1) return;
    sizes[*n] = size;
    idx[(*n)++] = e;
}

unsigned fuse_steps(const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    if (!ir_op_is_elementwise(n->op)) return 0;
    const ir_vprog *p =
        ir_value((ir_op)n->op, ir_dtype(g, ir_in(g, n)[n->op == IR_SELECT]), (bz_dtype)n->dtype);
    return p ? (unsigned)p->n - p->nargs : 1;
}

void fuse_space_of(const ir_graph *g, const fuse_form *form, ir_ref head, const ir_ex *sym,
                   fuse_space *s) {
    int64_t shape[IR_MAX_RANK];
    const bool reduces = form->folds;
    const ir_node *n = ir_at(g, head);
    ir_ref full = form_full_node(g, form, head);
    *s = (fuse_space){0};
    ir_static_shape(g, full, shape);
    ir_reduce_attr a = reduces ? ir_reduce_get(g, n) : (ir_reduce_attr){0};
    for (unsigned d = 0, k = 0; d < ir_at(g, full)->rank; d++) {
        bool gone = k < a.naxes && a.axes[k] == (int64_t)d;
        k += gone;
        const ir_ex e = sym ? sym[d] : 0;
        add_dim(s->full, s->full_idx, &s->nfull, shape[d], e);
        if (reduces && !gone) add_dim(s->kept, s->kept_idx, &s->nkept, shape[d], e);
    }
}

static bool same_sizes(const ir_graph *g, ir_ref r, const int64_t *sizes, unsigned n) {
    int64_t shape[IR_MAX_RANK];
    unsigned at = 0;
    ir_static_shape(g, r, shape);
    for (unsigned d = 0; d < ir_at(g, r)->rank; d++) {
        if (shape[d] == 1) continue;
        if (at == n || sizes[at] != shape[d]) return false;
        at++;
    }
    return at == n;
}

fuse_level fuse_level_of(const ir_graph *g, const fuse_space *s, ir_ref r) {
    if (same_sizes(g, r, s->full, s->nfull)) return FUSE_FULL;
    return same_sizes(g, r, s->kept, s->nkept) ? FUSE_KEPT : FUSE_NONE;
}

void fuse_index(const ir_graph *g, ir_exprs *x, const fuse_space *s, fuse_level level, ir_ref r,
                ir_ex *idx) {
    int64_t shape[IR_MAX_RANK];
    const ir_ex *from = level == FUSE_FULL ? s->full_idx : s->kept_idx;
    unsigned at = 0;
    ir_static_shape(g, r, shape);
    for (unsigned d = 0; d < ir_at(g, r)->rank; d++)
        idx[d] = shape[d] == 1 ? ir_ex_const(x, 0) : from[at++];
}

void fuse_group_space(const ir_graph *g, ir_exprs *x, const fuse_group *group, fuse_space *s) {
    ir_ex sym[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK];
    ir_ref full = form_full_node(g, group->form, group->head);
    ir_static_shape(g, full, shape);
    for (unsigned d = 0; d < ir_at(g, full)->rank; d++)
        sym[d] = shape[d] == 1 ? 0 : ir_ex_sym(x, NULL, 0, shape[d] > 0 ? shape[d] - 1 : 0);
    fuse_space_of(g, group->form, group->head, sym, s);
}
