/* col.c - reductions over leading axes: their space, values and results, whoever folds them. */
#include "src/passes/forms/col.h"

/* Kept axes are cut into outer and inner so that every access is linear along inner. */
static void set_space(col_kernel *q, unsigned inner) {
    lower *l = q->l;
    int64_t shape[IR_MAX_RANK], kept[IR_MAX_RANK];
    ir_ex sym[IR_MAX_RANK];
    unsigned nkept = 0;
    const ir_ref x = q->fold[0].x;
    const ir_reduce_attr *a = &q->fold[0].a;
    ir_static_shape(l->g, x, shape);
    q->outer = q->inner = q->k = 1;
    for (unsigned d = 0, r = 0; d < ir_at(l->g, x)->rank; d++) {
        bool gone = r < a->naxes && a->axes[r] == (int64_t)d;
        r += gone;
        q->k *= gone ? shape[d] : 1;
        if (!gone) kept[nkept++] = d;
    }
    inner = inner > nkept ? nkept : inner;
    for (unsigned i = 0; i < nkept; i++)
        *(i < nkept - inner ? &q->outer : &q->inner) *= shape[kept[i]];
    q->o_sym = lower_sym(l, "o", q->outer);
    q->c_sym = lower_vector_sym(l, "c", q->inner);
    q->k_sym = lower_sym(l, "k", q->k);
    access_delinearize(&l->x, q->o_sym, shape, kept, nkept - inner, sym);
    access_delinearize(&l->x, q->c_sym, shape, kept + nkept - inner, inner, sym);
    access_delinearize(&l->x, q->k_sym, shape, a->axes, a->naxes, sym);
    fuse_space_of(l->g, l->group->form, l->group->head, sym, &l->space);
}

/* `dense` is of the last space that is tried. */
static void choose_space(col_kernel *q) {
    unsigned kept = ir_at(q->l->g, q->fold[0].x)->rank - q->fold[0].a.naxes;
    for (unsigned inner = kept; inner > 0; inner--) {
        ir_ex idx[IR_MAX_RANK];
        set_space(q, inner);
        collect_begin(q->l);
        for (unsigned f = 0; f < q->nfolds; f++) {
            fuse_index(q->l->g, &q->l->x, &q->l->space, FUSE_FULL, q->fold[f].x, idx);
            collect_node(q->l, q->fold[f].x, idx);
        }
        if (collect_linear(q->l, q->c_sym, &q->dense)) return;
    }
    if (kept == 0) set_space(q, 0);
}

static bool find_folds(col_kernel *q) {
    work w;
    bool ok = work_describe(&w, q->l->f, q->l->group, q->l->outputs.p, q->l->outputs.n, false);
    for (unsigned f = 0; ok && f < w.nfolds; f++)
        q->fold[q->nfolds++] = (col_fold){
            .r = w.fold[f].r, .x = ir_operand(q->l->g, w.fold[f].r, 0), .a = w.fold[f].a};
    work_free(&w);
    return ok;
}

bool col_begin(col_kernel *q, lower *l) {
    *q = (col_kernel){.l = l};
    if (!find_folds(q)) return false;
    choose_space(q);
    q->chains = (q->k + IR_CHAIN - 1) / IR_CHAIN;
    return true;
}

void col_make_counts(col_kernel *q) {
    q->outer_rows = emit_extent(&q->l->m, "outer", q->outer);
    q->rows = emit_extent(&q->l->m, "rows", q->k);
    q->all_chains = lower_cover(q->l->b, q->rows, lp_index(q->l->b, IR_CHAIN));
    q->all_groups = lower_cover(q->l->b, q->all_chains, lp_index(q->l->b, q->group));
    if (q->groups == 1) q->all_groups = lp_index(q->l->b, 1);
}

int64_t col_count_rows(col_kernel *q) {
    lower *l = q->l;
    int64_t most = l->t->any_size ? IR_CHAIN : q->k;
    while (most < q->k) most *= 2;
    q->chains = (most + IR_CHAIN - 1) / IR_CHAIN;
    q->outer_rows = emit_extent(&l->m, "outer", q->outer);
    q->rows = emit_count(&l->m, "rows", q->k);
    q->all_chains = lower_cover(l->b, q->rows, lp_index(l->b, IR_CHAIN));
    return most;
}

void col_values(col_kernel *q, lp_val at, unsigned width, lp_val mask, lp_val *v, unsigned row) {
    lower *l = q->l;
    ir_ex idx[IR_MAX_RANK];
    unsigned mark = emit_mark(&l->m);
    emit_vector(&l->m, q->c_sym, at, q->lanes, width, mask);
    for (unsigned f = 0; f < q->nfolds; f++) {
        const col_fold *n = &q->fold[f];
        fuse_index(l->g, &l->x, &l->space, FUSE_FULL, n->x, idx);
        emit_value e = emit_node(&l->m, n->x, idx);
        for (unsigned u = 0; u < width; u++)
            v[f * row + u] =
                fold_widen(l, &n->a, ir_dtype(l->g, n->x), emit_lane_value(&l->m, &e, u));
    }
    emit_forget(&l->m, mark);
    emit_scalar(&l->m);
}

void col_store_results(col_kernel *q, lp_val at, unsigned width, lp_val mask, const lp_val *acc,
                       unsigned row) {
    lower *l = q->l;
    unsigned mark = emit_mark(&l->m);
    emit_vector(&l->m, q->c_sym, at, q->lanes, width, mask);
    for (unsigned f = 0; f < q->nfolds; f++) {
        const col_fold *n = &q->fold[f];
        emit_bind *bind = &l->m.bind[n->r];
        *bind = (emit_bind){.kind = BIND_VALUE};
        for (unsigned u = 0; u < width; u++)
            bind->value.v[u] = fold_narrow(l, &n->a, ir_dtype(l->g, n->r), acc[f * row + u]);
    }
    lower_store_outputs(l, FUSE_KEPT, 0);
    for (unsigned f = 0; f < q->nfolds; f++) l->m.bind[q->fold[f].r] = (emit_bind){0};
    emit_forget(&l->m, mark);
    emit_scalar(&l->m);
}
