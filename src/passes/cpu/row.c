/* row.c - reductions along trailing axes with what feeds them and what is made of them: softmax, layernorm, losses, argmax.
 *
 *     pass 0:  max over k of x[i, k]                          one task: some rows i
 *     pass 1:  sum over k of e = exp(x[i, k] - max)           e is kept in a row of scratch memory
 *     pass 2:  y[i, k] = e / sum                              stored
 *
 * A pass runs over the row and folds every reduction whose operands are known by then. The order of additions is that of
 * IR_ORDER_LAST (docs/numerics.md): L lanes in vectors of `vl`, blocks of 4096, pairwise above.
 * Few long rows are cut at block borders instead ("wide"): a phase folds blocks, a phase combines them. The bits are the same. */
#include "src/passes/cpu/row.h"

#include <string.h>

enum { MANY_BLOCKS = 128 }; /* rows that keep a GPU busy if each is a block's of threads */

/* Base operations per element that the pass computes. */
static unsigned pass_ops(const row_kernel *q, unsigned pass) {
    const fuse_group *g = q->l->group;
    unsigned ops = 0;
    for (uint32_t i = 0; i < g->nodes.n; i++)
        if (work_find(&q->w, g->nodes.p[i])->stages >> pass & 1)
            ops += fuse_steps(q->l->g, g->nodes.p[i]);
    return ops;
}

static row_stretch begin_pass(row_kernel *q, unsigned pass) {
    row_stretch s = {.q = q, .pass = pass};
    unsigned ops = pass_ops(q, pass), most = q->l->t->registers >= 32 ? 4 : 2;
    s.in_memory = ops > q->l->t->machine->busy &&
                  (q->any_k || q->k > (int64_t)q->lanes); /* one vector needs no loop */
    s.width = !s.in_memory ? 8 : ops <= 200 ? most : most / 2;
    s.width = q->lanes == 1 ? 1 : s.width > q->nvec ? q->nvec : s.width;
    for (unsigned f = 0; f < q->nfolds; f++)
        if (q->fold[f].pass == pass) s.folds[s.nfolds++] = f;
    return s;
}

static bool stores_any(const row_stretch *s) {
    for (uint32_t i = 0; i < s->q->l->outputs.n; i++)
        if (row_stores(s, i)) return true;
    return false;
}

/* What comes until the end is done by one thread of those that have the row; or of the warp. */
static void begin_alone(row_kernel *q, bool warp) {
    lp_builder *b = q->l->b;
    if (!q->lane) return;
    lp_val thread = q->lane;
    if (q->block_warp && !warp) thread = lp_iadd(b, thread, q->block_warp); /* both are 0 or more */
    lp_val first = lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){thread, lp_index(b, 0)}, 2);
    lp_if(b, row_in_teams(q) ? lp_base(b, IR_AND, BZ_BOOL, (lp_val[]){first, q->there}, 2) : first);
}

static void end_alone(row_kernel *q) {
    if (q->lane) lp_end(q->l->b, NULL, 0, NULL);
}

static void store_row_results(row_kernel *q) {
    const unsigned mark = emit_mark(&q->l->m);
    emit_scalar(&q->l->m);
    begin_alone(q, false);
    lower_store_outputs(q->l, FUSE_KEPT, 0);
    emit_forget(&q->l->m, mark);
    end_alone(q);
}

static void fold_stretch(row_stretch *s, lp_val lo, lp_val count, lp_val *out) {
    (s->q->warp ? row_fold_warp : row_fold_stretch)(s, lo, count, out);
}

/* ---- narrow: a task is some whole rows */

/* The results of a row's blocks, at p[base], into one. */
static lp_val fold_results(row_kernel *q, const fold_node *n, lp_val p, lp_val base) {
    if (!q->any_k) return fold_pairwise(q->l, &n->a, p, base, q->blocks, 1, 1);
    fold_rows(q->l, &n->a, p, base, q->nblocks, 1, 1, 1);
    return lp_load(q->l->b, p, base, 1, 0, 0);
}

/* Elements of a block that may be the last one. */
static lp_val count_of(const row_kernel *q, lp_val block) {
    lp_builder *b = q->l->b;
    lp_val size = lp_index(b, IR_BLOCK);
    return lp_imin(b, lp_isub(b, q->length, lp_imul(b, block, size)), size);
}

static void fold_block(row_kernel *q, row_stretch *s, lp_val block, lp_val count) {
    lp_builder *b = q->l->b;
    lp_val one[MAX_FOLDS];
    fold_stretch(s, lp_imul(b, block, lp_index(b, IR_BLOCK)), count, one);
    if (q->block_warp) begin_alone(q, true);
    for (unsigned f = 0; f < s->nfolds; f++)
        lp_store(b, q->fold[s->folds[f]].blocks, block, one[f], 0, 0);
    if (q->block_warp) end_alone(q);
}

/* The same where warps of a block have some each. */
static void fold_own_blocks(row_kernel *q, row_stretch *s, lp_val *out) {
    lp_builder *b = q->l->b;
    lp_val count, j = row_open_own(q, &count);
    fold_block(q, s, j, count);
    lp_end(b, NULL, 0, NULL);
    if (!s->nfolds) return;
    lp_barrier(b);
    begin_alone(q, false);
    for (unsigned f = 0; f < s->nfolds; f++) {
        const fold_node *n = &q->fold[s->folds[f]];
        fold_results(q, n, n->blocks, lp_index(b, 0));
    }
    end_alone(q);
    lp_barrier(b);
    for (unsigned f = 0; f < s->nfolds; f++)
        out[f] = lp_load(b, q->fold[s->folds[f]].blocks, lp_index(b, 0), 1, 0, 0);
}

/* Blocks of 4096 into block results, then pairwise. */
static void fold_blocks(row_kernel *q, row_stretch *s, lp_val *out) {
    lp_builder *b = q->l->b;
    const lp_val whole = lp_index(b, q->k / IR_BLOCK);
    lp_val j =
        lp_loop(b, LP_SERIAL, lp_index(b, 0), q->any_k ? q->nblocks : whole, 1, NULL, 0, NULL);
    fold_block(q, s, j, q->any_k ? count_of(q, j) : lp_index(b, IR_BLOCK));
    lp_end(b, NULL, 0, NULL);
    if (!q->any_k && q->k % IR_BLOCK) fold_block(q, s, whole, lp_index(b, q->k % IR_BLOCK));
    for (unsigned f = 0; f < s->nfolds; f++) {
        fold_node *n = &q->fold[s->folds[f]];
        out[f] = fold_results(q, n, n->blocks, lp_index(b, 0));
    }
}

static void narrow_row(row_kernel *q, const row_sight *sight) {
    lower *l = q->l;
    lp_val out[MAX_FOLDS], other[MAX_FOLDS];
    for (unsigned pass = 0; pass < q->w.nstages; pass++) {
        row_stretch s = begin_pass(q, pass);
        if (!s.nfolds && !stores_any(&s)) continue;
        const bool looks = q->plain >> pass & 1;
        if (looks) row_look(&s, sight, other);
        if (q->block_warp)
            fold_own_blocks(q, &s, out);
        else if (q->blocks > 1)
            fold_blocks(q, &s, out);
        else
            fold_stretch(&s, lp_index(l->b, 0), q->length, out);
        for (unsigned f = 0; f < s.nfolds; f++) {
            fold_node *n = &q->fold[s.folds[f]];
            if (looks) out[f] = fold_step(l, &n->a, out[f], other[f], 0);
            l->m.bind[n->r] = (emit_bind){.kind = BIND_SCALAR,
                                          .p = fold_narrow(l, &n->a, ir_dtype(l->g, n->r), out[f])};
        }
        for (uint32_t i = 0; i < q->w.kept.n; i++)
            if (row_kept_by(q, i) == pass) row_bind_kept(q, i);
    }
    store_row_results(q);
}

bool row_make_scratch(row_kernel *q) {
    lower *l = q->l;
    for (uint32_t i = 0; i < q->w.kept.n && !q->warp; i++)
        if (!bz_vec_push(&q->kept_rows,
                         lp_local(l->b, ir_dtype(l->g, q->w.kept.p[i]), q->k, LP_SCRATCH)))
            return false;
    const int64_t blocks = q->any_k ? l->t->machine->long_row / IR_BLOCK : q->blocks;
    for (unsigned f = 0; q->blocks > 1 && f < q->nfolds; f++)
        q->fold[f].blocks = lp_local(l->b, q->fold[f].a.acc, blocks, LP_SCRATCH);
    return true;
}

static void make_lanes(row_kernel *q) {
    for (unsigned f = 0; f < q->nfolds; f++)
        q->fold[f].lanes =
            lp_local(q->l->b, q->fold[f].a.acc, (int64_t)q->lanes * q->nvec, LP_STACK);
}

bool row_by_warp(row_kernel *q, const row_sight *sight) {
    lower *l = q->l;
    const unsigned mark = emit_mark(&l->m);
    if (q->aligned) lp_if(l->b, q->aligned);
    l->m.aligned = q->vectors;
    bool ok = row_hold_in_warp(q);
    if (ok) narrow_row(q, sight);
    l->m.aligned = false;
    emit_forget(&l->m, mark);
    if (q->aligned) {
        lp_else(l->b, NULL, 0);
        ok = ok && row_hold_nothing(q);
        if (ok) narrow_row(q, sight);
        emit_forget(&l->m, mark);
        lp_end(l->b, NULL, 0, NULL);
    }
    l->m.nstaged = 0;
    return ok;
}

/* A warp, or a block, for each row. */
static bool narrow_warps(row_kernel *q, lp_val rows, bool blocks) {
    if (!blocks) row_plan_warps(q, q->blocks == 1);
    emit_sym(&q->l->m, q->i_sym, blocks ? row_open_block(q, rows) : row_open_warps(q, rows));
    const bool ok = (blocks || row_make_scratch(q)) && row_by_warp(q, NULL);
    row_close_warps(q, blocks);
    return ok;
}

static bool narrow(row_kernel *q, bool blocks) {
    lower *l = q->l;
    lp_builder *b = l->b;
    if (q->rows == 0) return true;
    const lp_val rows = emit_extent(&l->m, "rows", q->rows);
    if (q->warp) return narrow_warps(q, rows, blocks);
    if (!row_make_scratch(q)) return false;
    make_lanes(q);
    q->nothing = lp_imin(b, rows, lp_index(b, 0));
    lp_val i = lower_open_rows(l, rows, q->any_k ? l->t->machine->task : q->k);
    emit_sym(&l->m, q->i_sym, i);
    narrow_row(q, NULL);
    lower_close_rows(l);
    return true;
}

/* ---- wide: a task is a block of a row */

static void block_task(row_kernel *q, row_stretch *s, lp_val t, lp_val block, lp_val count) {
    lp_val out[MAX_FOLDS];
    lp_builder *b = q->l->b;
    unsigned mark = emit_mark(&q->l->m);
    fold_stretch(s, lp_imul(b, block, lp_index(b, IR_BLOCK)), count, out);
    begin_alone(q, true);
    for (unsigned f = 0; f < s->nfolds; f++)
        lp_store(b, q->fold[s->folds[f]].work, t, out[f], 0, 0);
    end_alone(q);
    emit_forget(&q->l->m, mark);
}

static void wide_block(row_kernel *q, row_stretch *s, lp_val t, lp_val block) {
    lp_builder *b = q->l->b;
    const int64_t whole = q->k / IR_BLOCK, rest = q->k % IR_BLOCK;
    if (q->any_k) {
        block_task(q, s, t, block, count_of(q, block));
    } else if (rest) {
        lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){block, lp_index(b, whole)}, 2));
        block_task(q, s, t, block, lp_index(b, IR_BLOCK));
        lp_else(b, NULL, 0);
        block_task(q, s, t, block, lp_index(b, rest));
        lp_end(b, NULL, 0, NULL);
    } else {
        block_task(q, s, t, block, lp_index(b, IR_BLOCK));
    }
}

static void wide_blocks(row_kernel *q, row_stretch *s) {
    lp_builder *b = q->l->b;
    unsigned mark = emit_mark(&q->l->m);
    lp_val count = q->nblocks, all = lp_imul(b, q->all_rows, count);
    lp_val t = q->warp ? row_open_warps(q, all)
                       : lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    lp_val row = q->rows == 1 ? lp_index(b, 0) : lp_idiv(b, t, count);
    emit_sym(&q->l->m, q->i_sym, row);
    lp_val block = lp_isub(b, t, lp_imul(b, row, count));
    if (q->aligned) lp_if(b, q->aligned);
    q->l->m.aligned = q->vectors;
    wide_block(q, s, t, block);
    q->l->m.aligned = false;
    if (q->aligned) {
        lp_else(b, NULL, 0);
        emit_forget(&q->l->m, mark);
        wide_block(q, s, t, block);
        lp_end(b, NULL, 0, NULL);
    }
    emit_forget(&q->l->m, mark);
    if (q->warp)
        row_close_warps(q, false);
    else
        lp_end(b, NULL, 0, NULL);
}

/* Combines the blocks of each row; after the last pass also what the rows give. */
static void wide_rows(row_kernel *q, row_stretch *s, bool last) {
    lower *l = q->l;
    lp_builder *b = l->b;
    unsigned mark = emit_mark(&l->m);
    lp_val i = lp_loop(b, LP_PARALLEL, lp_index(b, 0), q->all_rows, 1, NULL, 0, NULL);
    lp_val base = lp_imul(b, i, q->nblocks);
    emit_sym(&l->m, q->i_sym, i);
    if (q->warp) row_open_trees(q, s, base);
    for (unsigned f = 0; f < s->nfolds; f++) {
        fold_node *n = &q->fold[s->folds[f]];
        lp_val r = q->warp ? lp_load(b, n->work, base, 1, 0, 0) : fold_results(q, n, n->work, base);
        lp_store(b, n->result, i, fold_narrow(l, &n->a, ir_dtype(l->g, n->r), r), 0, 0);
        l->m.bind[n->r] = (emit_bind){.kind = BIND_LOCAL, .p = n->result, .offset = q->i_sym};
    }
    if (last) store_row_results(q);
    emit_forget(&l->m, mark);
    if (q->warp) row_close_trees(q);
    lp_end(b, NULL, 0, NULL);
}

static bool wide(row_kernel *q) {
    lower *l = q->l;
    unsigned last_fold = 0;
    q->all_rows = emit_extent(&l->m, "rows", q->rows);
    for (unsigned f = 0; f < q->nfolds; f++) {
        fold_node *n = &q->fold[f];
        n->work = lower_work(l, n->a.acc, q->rows * q->blocks);
        n->result = lower_work(l, ir_dtype(l->g, n->r), q->rows);
        last_fold = n->pass > last_fold ? n->pass : last_fold;
    }
    if (q->warp)
        row_plan_warps(q, false);
    else
        make_lanes(q);
    for (unsigned pass = 0; pass < q->w.nstages; pass++) {
        row_stretch s = begin_pass(q, pass);
        if (!s.nfolds && !stores_any(&s)) continue;
        wide_blocks(q, &s);
        if (s.nfolds) wide_rows(q, &s, pass == last_fold);
    }
    return true;
}

/* ---- the kernel */

static void set_space(row_kernel *q) {
    lower *l = q->l;
    const ir_node *n = ir_at(l->g, l->group->head);
    ir_ref x = ir_in(l->g, n)[0];
    ir_reduce_attr a = ir_reduce_get(l->g, n);
    int64_t shape[IR_MAX_RANK], kept[IR_MAX_RANK];
    ir_ex sym[IR_MAX_RANK];
    unsigned nkept = 0;
    ir_static_shape(l->g, x, shape);
    q->rows = q->k = 1;
    for (unsigned d = 0, k = 0; d < ir_at(l->g, x)->rank; d++) {
        bool gone = k < a.naxes && a.axes[k] == (int64_t)d;
        k += gone;
        if (!gone) kept[nkept++] = d;
        *(gone ? &q->k : &q->rows) *= shape[d];
    }
    q->i_sym = lower_sym(l, "i", q->rows);
    q->k_sym = lower_vector_sym(l, "k", q->k);
    access_delinearize(&l->x, q->i_sym, shape, kept, nkept, sym);
    access_delinearize(&l->x, q->k_sym, shape, a.axes, a.naxes, sym);
    fuse_space_of(l->g, l->group->form, l->group->head, sym, &l->space);
}

static void choose_vectors(row_kernel *q) {
    unsigned lanes = 1, full = lower_lanes(q->l);
    if (q->warp) {
        row_choose_team(q);
        return;
    }
    while (lanes < IR_LANES && (q->any_k || (int64_t)lanes < q->k)) lanes *= 2;
    q->lanes = lanes < full ? lanes : full;
    q->nvec = lanes / q->lanes;
}

static void set_length(row_kernel *q) {
    lp_builder *b = q->l->b;
    q->length = q->any_k ? emit_extent(&q->l->m, "k", q->k) : lp_index(b, q->k);
    q->nblocks = lower_cover(b, q->length, lp_index(b, IR_BLOCK));
}

static void free_kernel(row_kernel *q) {
    work_free(&q->w);
    bz_vec_free(&q->kept_rows);
    bz_mem_free(q);
}

/* The space and all that is known before the first instruction. */
static row_kernel *new_kernel(lower *l, bool *wide) {
    row_kernel *q = bz_mem_zero(1, sizeof *q);
    if (!q) return NULL;
    q->l = l;
    set_space(q);
    q->blocks = (q->k + IR_BLOCK - 1) / IR_BLOCK;
    const pass_machine *m = l->t->machine;
    *wide = l->together || (q->k >= m->long_row && q->rows <= m->few_rows && !l->in_part);
    q->warp = l->together ||
              (m->warp && q->k > 1 &&
               (q->k >= 2 * m->warp || q->rows > 1 || !l->t->any_size || l->in_part));
    q->kept_at = q->k_sym;
    if (work_describe(&q->w, l->f, l->group, l->outputs.p, l->outputs.n,
                      !*wide && (q->warp ? row_fits_warp(q) || l->in_part : q->k <= m->second))) {
        for (; q->nfolds < q->w.nfolds; q->nfolds++) {
            const work_fold *f = &q->w.fold[q->nfolds];
            q->fold[q->nfolds] = (fold_node){.r = f->r, .a = f->a, .pass = f->stage};
        }
        q->any_k =
            l->together || (l->t->any_size && q->rows == 1 && q->w.kept.n == 0 && !l->in_part);
        choose_vectors(q);
        set_length(q);
        return q;
    }
    free_kernel(q);
    return NULL;
}

bool lower_row(lower *l) {
    bool is_wide, ok = false;
    row_kernel *q = new_kernel(l, &is_wide);
    if (!q) return false;
    q->stream = q->lanes > 1 ? lower_stream_flags(l, q->k) : 0;
    l->m.ahead = lower_read_ahead(l, l->t->machine->second);
    const bool blocks = (!is_wide || q->rows >= MANY_BLOCKS) && row_plan_block(q);
    ok = is_wide && !blocks ? wide(q) : narrow(q, blocks);
    free_kernel(q);
    return ok && !l->m.failed;
}

row_kernel *row_begin(lower *l, ir_ref hidden) {
    bool is_wide;
    row_kernel *q = new_kernel(l, &is_wide);
    if (!q) return NULL;
    q->hidden = hidden;
    if (q->warp) return q;
    if (hidden && q->lanes > 1) q->plain = row_plain_passes(q, hidden);
    make_lanes(q);
    if (row_make_scratch(q)) return q;
    free_kernel(q);
    return NULL;
}

void row_one(row_kernel *q, lp_val i, const row_sight *sight) {
    emit_sym(&q->l->m, q->i_sym, i);
    narrow_row(q, sight);
}

void row_end(row_kernel *q) {
    free_kernel(q);
}
