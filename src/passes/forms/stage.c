/* stage.c - what the stages of a group (work.h) read of the elements, and what they leave of them: in memory of their own for later stages,
 * and among the results. */
#include "src/passes/forms/forms.h"

/* ---- what they read */

static void count_reads(lower *l, uint32_t from, unsigned stage, ir_ex sym, stage_read *c,
                        unsigned *n) {
    for (uint32_t i = from; i < l->c.reads.n; i++) {
        const collect_read *x = &l->c.reads.p[i];
        int64_t coef;
        ir_ex rest;
        unsigned at = 0;
        if (x->guarded || !ir_ex_linear(&l->x, x->offset, sym, &coef, &rest) || !coef) continue;
        while (at < *n && (c[at].read.p != x->p || c[at].read.offset != x->offset)) at++;
        if (at == STAGE_READS) continue;
        if (at == *n) c[(*n)++] = (stage_read){.read = {.p = x->p, .offset = x->offset}};
        if (c[at].last != stage + 1) c[at].times++;
        c[at].last = stage + 1;
    }
}

static void collect_element(lower *l, ir_ref r) {
    ir_ex idx[IR_MAX_RANK];
    fuse_index(l->g, &l->x, &l->space, FUSE_FULL, r, idx);
    collect_node(l, r, idx);
}

unsigned stage_reads(lower *l, const work *w, ir_ex sym, stage_read *c) {
    unsigned n = 0;
    collect_begin(l);
    for (unsigned stage = 0; stage < w->nstages; stage++) {
        const uint32_t from = l->c.reads.n;
        access_forget(&l->c.seen);
        for (unsigned f = 0; f < w->nfolds; f++)
            if (w->fold[f].stage == stage) collect_element(l, ir_operand(l->g, w->fold[f].r, 0));
        for (uint32_t i = 0; i < l->outputs.n; i++)
            if (work_stored_by(w, l->outputs.p[i], stage)) collect_element(l, l->outputs.p[i]);
        count_reads(l, from, stage, sym, c, &n);
        for (uint32_t i = 0; i < w->kept.n; i++) /* from then on they are read instead */
            if (work_kept_by(w, w->kept.p[i]) == stage) l->bind[w->kept.p[i]].kind = BIND_VALUE;
    }
    for (uint32_t i = 0; i < w->kept.n; i++) l->bind[w->kept.p[i]].kind = BIND_NONE;
    return n;
}

/* ---- what they leave */

void stage_keep(lower *l, ir_ref r, lp_val p, ir_ex at, lp_val mask) {
    emitter *m = &l->m;
    ir_ex idx[IR_MAX_RANK];
    fuse_index(l->g, &l->x, &l->space, FUSE_FULL, r, idx);
    const emit_value v = emit_node(m, r, idx);
    const lp_val k = emit_index(m, at);
    for (unsigned u = 0; u < m->width; u++)
        lp_store(m->b, p, lp_iadd(m->b, k, lp_index(m->b, u * m->lanes)), emit_lane_value(m, &v, u),
                 u + 1 == m->width ? mask : 0, 0);
}

void stage_bind_kept(lower *l, ir_ref r, lp_val p, ir_ex at) {
    ir_ex idx[IR_MAX_RANK];
    fuse_index(l->g, &l->x, &l->space, FUSE_FULL, r, idx);
    l->m.bind[r] = (emit_bind){
        .kind = BIND_LOCAL, .p = p, .offset = at, .only_at = emit_offset(&l->m, r, idx)};
}

void stage_fold(lower *l, const ir_reduce_attr *a, ir_ref x, lp_val *acc, lp_val mask) {
    ir_ex idx[IR_MAX_RANK];
    fuse_index(l->g, &l->x, &l->space, FUSE_FULL, x, idx);
    const emit_value v = emit_node(&l->m, x, idx);
    for (unsigned u = 0; u < l->m.width; u++) {
        const lp_val e = fold_widen(l, a, ir_dtype(l->g, x), emit_lane_value(&l->m, &v, u));
        acc[u] = fold_step(l, a, acc[u], e, u + 1 == l->m.width ? mask : 0);
    }
}

void stage_store_elements(lower *l, const work *w, unsigned stage, unsigned flags) {
    ir_ex idx[IR_MAX_RANK];
    emit_value *values = bz_mem_alloc((l->outputs.n + 1) * sizeof *values);
    l->m.failed |= !values;
    for (int store = 0; values && store < 2; store++)
        for (uint32_t i = 0; i < l->outputs.n; i++) {
            const ir_ref r = l->outputs.p[i];
            if (!work_stored_by(w, r, stage)) continue;
            fuse_index(l->g, &l->x, &l->space, FUSE_FULL, r, idx);
            if (store)
                emit_store(&l->m, l->out_pointers.p[i], emit_offset(&l->m, r, idx), &values[i],
                           flags);
            else
                values[i] = emit_node(&l->m, r, idx);
        }
    bz_mem_free(values);
}
