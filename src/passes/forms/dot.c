/* dot.c - what is known of a product before a target cuts it, and what is made of its elements. */
#include "src/passes/forms/dot.h"

#include <string.h>

/* ---- the space: which symbol each axis of x, y and the result follows */

static int64_t extent(const int64_t *shape, const int64_t *axes, unsigned n) {
    int64_t r = 1;
    for (unsigned i = 0; i < n; i++) r *= shape[axes[i]];
    return r;
}

/* Axes of an operand that are neither batch nor contracted. */
static unsigned rest_axes(unsigned rank, const int64_t *batch, unsigned nb, const int64_t *contract,
                          unsigned nc, int64_t *out) {
    unsigned n = 0;
    for (unsigned d = 0; d < rank; d++) {
        bool used = false;
        for (unsigned i = 0; i < nb; i++) used |= batch[i] == (int64_t)d;
        for (unsigned i = 0; i < nc; i++) used |= contract[i] == (int64_t)d;
        if (!used) out[n++] = d;
    }
    return n;
}

static void set_space(dot_kernel *q) {
    lower *l = q->l;
    int64_t xs[IR_MAX_RANK], ys[IR_MAX_RANK], xr[IR_MAX_RANK], yr[IR_MAX_RANK], out[IR_MAX_RANK],
        axes[IR_MAX_RANK];
    ir_ex sym[IR_MAX_RANK];
    const ir_dot_attr *a = &q->a;
    dot_side *x = &q->x, *y = &q->y;
    ir_static_shape(l->g, x->r, xs);
    ir_static_shape(l->g, y->r, ys);
    ir_static_shape(l->g, l->group->head, out);
    unsigned nx =
        rest_axes(ir_at(l->g, x->r)->rank, a->lbatch, a->nbatch, a->lcontract, a->ncontract, xr);
    unsigned ny =
        rest_axes(ir_at(l->g, y->r)->rank, a->rbatch, a->nbatch, a->rcontract, a->ncontract, yr);
    q->batch = extent(xs, a->lbatch, a->nbatch);
    q->k = extent(xs, a->lcontract, a->ncontract);
    x->size = extent(xs, xr, nx);
    y->size = extent(ys, yr, ny);
    x->naxes = nx;
    y->naxes = ny;
    for (unsigned i = 0; i < nx; i++) x->axes[i] = xs[xr[i]];
    for (unsigned i = 0; i < ny; i++) y->axes[i] = ys[yr[i]];
    for (unsigned i = 0; i < a->ncontract; i++) q->contracted[i] = xs[a->lcontract[i]];
    q->b_sym = lower_sym(l, "b", q->batch);
    x->sym = lower_vector_sym(l, "m", x->size);
    y->sym = lower_vector_sym(l, "n", y->size);
    q->k_sym = lower_vector_sym(l, "k", q->k);
    access_delinearize(&l->x, q->b_sym, xs, a->lbatch, a->nbatch, x->idx);
    access_delinearize(&l->x, q->k_sym, xs, a->lcontract, a->ncontract, x->idx);
    access_delinearize(&l->x, x->sym, xs, xr, nx, x->idx);
    access_delinearize(&l->x, q->b_sym, ys, a->rbatch, a->nbatch, y->idx);
    access_delinearize(&l->x, q->k_sym, ys, a->rcontract, a->ncontract, y->idx);
    access_delinearize(&l->x, y->sym, ys, yr, ny, y->idx);
    for (unsigned d = 0; d < IR_MAX_RANK; d++) axes[d] = d;
    access_delinearize(&l->x, q->b_sym, out, axes, a->nbatch, sym);
    access_delinearize(&l->x, x->sym, out, axes + a->nbatch, nx, sym);
    access_delinearize(&l->x, y->sym, out, axes + a->nbatch + nx, ny, sym);
    fuse_space_of(l->g, l->group->form, l->group->head, sym, &l->space);
    if (y->size ==
        1) { /* matrix times vector: the rows become the columns, so that vectors are full */
        dot_side other = *x;
        *x = *y;
        *y = other;
        q->swapped = true;
    }
}

void dot_find_sides(dot_kernel *q, lower *l) {
    *q = (dot_kernel){.l = l, .a = ir_dot_get(l->g, ir_at(l->g, l->group->head))};
    q->x.r = ir_operand(l->g, l->group->head, 0);
    q->y.r = ir_operand(l->g, l->group->head, 1);
    set_space(q);
    q->lanes = l->t->vector_bytes / (unsigned)ir_dtype_bytes(q->a.acc);
}

/* ---- elements */

bool dot_find_buffer(dot_kernel *q, dot_side *s, bz_dtype t) {
    emitter *m = &q->l->m;
    const ir_graph *g = q->l->g;
    access_step way[2] = {{.x = s->r}};
    unsigned now = 0;
    memcpy(way[0].at, s->idx, sizeof s->idx);
    for (; m->bind[way[now].x].kind == BIND_NONE; now = !now)
        if (!access_moves(g, way[now].x) ||
            !access_take(g, m->x, way[now].x, way[now].at, 0, &way[!now]) || way[!now].outside)
            return false;
    const ir_ref r = way[now].x;
    if (m->bind[r].kind != BIND_BUFFER || ir_dtype(g, r) != t) return false;
    s->p = m->bind[r].p;
    s->offset = emit_offset(m, r, way[now].at);
    return true;
}

emit_value dot_widened(dot_kernel *q, ir_ref r, const ir_ex *idx) {
    emit_value v = emit_node(&q->l->m, r, idx), out = {.uniform = v.uniform};
    bz_dtype from = ir_dtype(q->l->g, r);
    for (unsigned u = 0; u < (v.uniform ? 1 : q->l->m.width); u++)
        out.v[u] = emit_cast(q->l->b, q->a.acc, from, v.v[u]);
    return out;
}

bool dot_dense_along(dot_kernel *q, const dot_side *s, ir_ex sym) {
    bool dense;
    collect_begin(q->l);
    collect_node(q->l, s->r, s->idx);
    return collect_linear(q->l, sym, &dense) && dense;
}

lp_val dot_multiply_add(lp_builder *b, bz_dtype t, lp_val x, lp_val y, lp_val acc) {
    if (ir_is_float(t)) return lp_base(b, IR_FMA, t, (lp_val[]){x, y, acc}, 3);
    lp_val p = lp_base(b, IR_MUL, t, (lp_val[]){x, y}, 2);
    return lp_base(b, IR_ADD, t, (lp_val[]){acc, p}, 2);
}

void dot_epilogue(dot_kernel *q, lp_val x) {
    lower *l = q->l;
    emit_bind *bind = &l->m.bind[l->group->head];
    *bind = (emit_bind){.kind = BIND_VALUE, .value.uniform = !l->m.vec};
    bind->value.v[0] = emit_cast(l->b, ir_dtype(l->g, l->group->head), q->a.acc, x);
    lower_store_outputs(l, FUSE_FULL, 0);
    *bind = (emit_bind){0};
}
