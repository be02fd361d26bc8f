/* collect.c - what values depend on, before any loop is chosen: the offsets of loads, the conditions of pad and concat.
 *
 * It goes the ways that the emitter will go. What is bound ends them, as there. */
#include "src/passes/lower.h"

static void note(lower *l, bool ok) {
    if (!ok) emit_fail(&l->m);
}

static void depends(lower *l, ir_ex e) {
    note(l, bz_vec_push(&l->c.on, e));
}

static void read(lower *l, lp_val p, ir_ex offset, bool guarded) {
    depends(l, offset);
    note(l, bz_vec_push(&l->c.reads, ((collect_read){p, offset, guarded})));
}

/* Notes where idx, a symbol and a number, leads from one part of a concat into another. */
static void border(lower *l, ir_ex idx, int64_t at) {
    const ir_ex_node n = *ir_ex_at(&l->x, idx);
    int64_t shift = 0;
    ir_ex sym = n.kind == EX_ADD && ir_ex_is_const(&l->x, n.b, &shift) ? n.a : idx;
    if (n.hi >= at && ir_ex_at(&l->x, sym)->kind == EX_SYM)
        note(l, bz_vec_push(&l->c.borders, ((collect_border){sym, at - shift})));
}

static void conditions(lower *l, const access_place *p) {
    int64_t shape[IR_MAX_RANK];
    access_shape(l->g, p->node, shape);
    for (uint32_t axes = p->step->outside; axes; axes &= axes - 1) {
        const int axis = __builtin_ctz(axes);
        depends(l, p->step->at[axis]);
        if (ir_at(l->g, p->reader)->op == IR_CONCAT) border(l, p->step->at[axis], shape[axis]);
    }
}

static access_answer visit(void *ctx, const access_place *p) {
    lower *l = ctx;
    const emit_bind *b = &l->bind[p->node];
    const ir_node *n = ir_at(l->g, p->node);
    if (p->step && p->step->outside) conditions(l, p);
    switch (b->kind) {
    case BIND_BUFFER:
        read(l, b->p, access_offset(l->g, &l->x, p->node, p->idx), p->guard);
        return ACCESS_STOP;
    case BIND_LOCAL:
        if (b->only_at && b->only_at != access_offset(l->g, &l->x, p->node, p->idx)) break;
        depends(l, b->offset);
        return ACCESS_STOP;
    case BIND_SCALAR:
    case BIND_VALUE: return ACCESS_STOP;
    case BIND_NONE: break;
    }
    if (n->op == IR_IOTA) depends(l, p->idx[ir_attrs(l->g, n)[0]]);
    if (n->op == IR_GATHER) depends(l, access_picked_offset(l->g, &l->x, p->node, p->idx));
    return ACCESS_ON;
}

void collect_begin(lower *l) {
    l->c.on.n = l->c.reads.n = l->c.borders.n = 0;
    access_forget(&l->c.seen);
}

void collect_node(lower *l, ir_ref r, const ir_ex *idx) {
    const access_walker a = {.g = l->g, .x = &l->x, .seen = &l->c.seen, .visit = visit, .ctx = l};
    note(l, access_walk(&a, r, idx));
}

bool collect_linear(lower *l, ir_ex sym, bool *dense) {
    int64_t coef;
    ir_ex rest;
    bool linear = true;
    *dense = true;
    for (uint32_t i = 0; i < l->c.on.n; i++) {
        bool is = ir_ex_linear(&l->x, l->c.on.p[i], sym, &coef, &rest);
        linear &= is;
        *dense &= is && (coef == 0 || coef == 1);
    }
    return linear;
}

void lower_collect(lower *l) {
    ir_ex idx[IR_MAX_RANK], offset;
    ir_ref node;
    collect_begin(l);
    for (uint32_t i = 0; i < l->outputs.n; i++) {
        if (!lower_place(l, l->outputs.p[i], FUSE_FULL, &node, idx, &offset)) continue;
        collect_node(l, node, idx);
        bool window = l->group->form->window && !l->filling;
        if (window && !bz_vec_push(&l->c.on, offset)) emit_fail(&l->m);
    }
}

void collect_free(lower *l) {
    bz_vec_free(&l->c.on);
    bz_vec_free(&l->c.reads);
    bz_vec_free(&l->c.borders);
    access_seen_free(&l->c.seen);
}
