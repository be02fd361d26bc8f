/* row.c - reductions along trailing axes with what feeds them and what is made of them: softmax, layernorm, losses, argmax.
 *
 *     pass 0:  max over k of x[i, k]                          one task: some rows i
 *     pass 1:  sum over k of e = exp(x[i, k] - max)           e is kept in a row of scratch memory
 *     pass 2:  y[i, k] = e / sum                              stored
 *
 * A pass runs over the row and folds every reduction whose operands are known by then. The order of additions is that of
 * IR_ORDER_LAST (docs/numerics.md): L lanes in vectors of `vl`, blocks of 4096, pairwise above.
 * Few long rows are cut at block borders instead ("wide"): a phase folds blocks, a phase combines them. The bits are the same. */
#include "src/passes/forms/row.h"

#include <string.h>

/* ---- a pass */

unsigned row_kept_by(const row_kernel *q, uint32_t i) {
    return work_kept_by(&q->w, q->w.kept.p[i]);
}

bool row_stores(const row_stretch *s, uint32_t i) {
    return work_stored_by(&s->q->w, s->q->l->outputs.p[i], s->pass);
}

void row_bind_kept(row_kernel *q, uint32_t i) {
    stage_bind_kept(q->l, q->w.kept.p[i], q->kept_rows.p[i], q->kept_at);
}

void row_step(row_stretch *s, unsigned at) {
    row_kernel *q = s->q;
    lower *l = q->l;
    /* a thread's own array has room for all lanes, and what nothing has written is not there to be read: not even by a compiler that
     * looks before it asks the mask */
    const lp_val mask = q->keeps_all ? 0 : l->m.tail;
    for (uint32_t i = 0; i < q->w.kept.n; i++)
        if (row_kept_by(q, i) == s->pass)
            stage_keep(l, q->w.kept.p[i], q->kept_rows.p[i], q->kept_at, mask);
    for (unsigned f = 0; f < s->nfolds; f++) {
        const fold_node *n = &q->fold[s->folds[f]];
        stage_fold(l, &n->a, ir_operand(l->g, n->r, 0), s->acc[f] + at, l->m.tail);
    }
    if (q->team->store_elements)
        q->team->store_elements(s);
    else
        stage_store_elements(l, &q->w, s->pass, q->stream);
}

unsigned row_steps(const row_kernel *q, unsigned pass) {
    const fuse_group *g = q->l->group;
    unsigned ops = 0;
    for (uint32_t i = 0; i < g->nodes.n; i++)
        if (work_find(&q->w, g->nodes.p[i])->stages >> pass & 1)
            ops += fuse_steps(q->l->g, g->nodes.p[i]);
    return ops;
}

static row_stretch begin_pass(row_kernel *q, unsigned pass) {
    row_stretch s = {.q = q, .pass = pass};
    unsigned ops = row_steps(q, pass), most = q->l->t->registers >= 32 ? 4 : 2;
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

/* What comes until the end is done by one thread of those that have the row together; or, if some have stretches of it, the stretch. */
static void begin_alone(row_kernel *q, bool stretch) {
    if (q->team->begin_alone) q->team->begin_alone(q, stretch);
}

static void end_alone(row_kernel *q) {
    if (q->team->begin_alone) lp_end(q->l->b, NULL, 0, NULL);
}

static void store_row_results(row_kernel *q) {
    const unsigned mark = emit_mark(&q->l->m);
    if (q->team->enter_results)
        q->team->enter_results(q);
    else
        emit_scalar(&q->l->m);
    lower_store_outputs(q->l, FUSE_KEPT, 0);
    emit_forget(&q->l->m, mark);
}

/* ---- narrow: a task is some whole rows */

lp_val row_fold_results(row_kernel *q, const fold_node *n, lp_val p, lp_val base) {
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
    q->team->fold(s, lp_imul(b, block, lp_index(b, IR_BLOCK)), count, one);
    for (unsigned f = 0; f < s->nfolds; f++)
        lp_store(b, q->fold[s->folds[f]].blocks, block, one[f], 0, 0);
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
        out[f] = row_fold_results(q, n, n->blocks, lp_index(b, 0));
    }
}

void row_fold_whole(row_stretch *s, lp_val *out) {
    row_kernel *q = s->q;
    if (q->blocks > 1)
        fold_blocks(q, s, out);
    else
        q->team->fold(s, lp_index(q->l->b, 0), q->length, out);
}

void row_passes(row_kernel *q, const row_sight *sight) {
    lower *l = q->l;
    lp_val out[MAX_FOLDS], other[MAX_FOLDS];
    for (unsigned pass = 0; pass < q->w.nstages; pass++) {
        row_stretch s = begin_pass(q, pass);
        if (!s.nfolds && !stores_any(&s)) continue;
        const bool looks = q->plain >> pass & 1;
        if (looks) row_look(&s, sight, other);
        q->team->fold_row(&s, out);
        for (unsigned f = 0; f < s.nfolds; f++) {
            fold_node *n = &q->fold[s.folds[f]];
            if (looks) out[f] = fold_step(l, &n->a, out[f], other[f], 0);
            const lp_val r = fold_narrow(l, &n->a, ir_dtype(l->g, n->r), out[f]);
            l->m.bind[n->r] = q->beside ? (emit_bind){.kind = BIND_VALUE, .value.v = {r}}
                                        : (emit_bind){.kind = BIND_SCALAR, .p = r};
        }
        for (uint32_t i = 0; i < q->w.kept.n; i++)
            if (row_kept_by(q, i) == pass) row_bind_kept(q, i);
    }
    begin_alone(q, false);
    store_row_results(q);
    end_alone(q);
}

void row_make_blocks(row_kernel *q) {
    const int64_t blocks = q->any_k ? q->l->t->machine->long_row / IR_BLOCK : q->blocks;
    for (unsigned f = 0; q->blocks > 1 && f < q->nfolds; f++)
        q->fold[f].blocks = lp_local(q->l->b, q->fold[f].a.acc, blocks, LP_SCRATCH);
}

static bool narrow(row_kernel *q) {
    return q->rows == 0 || q->team->whole_rows(q, emit_extent(&q->l->m, "rows", q->rows));
}

/* ---- wide: a task is a block of a row */

static void block_task(row_kernel *q, row_stretch *s, lp_val t, lp_val block, lp_val count) {
    lp_val out[MAX_FOLDS];
    lp_builder *b = q->l->b;
    unsigned mark = emit_mark(&q->l->m);
    q->team->fold(s, lp_imul(b, block, lp_index(b, IR_BLOCK)), count, out);
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
    lp_val t = q->team->open_blocks(q, all);
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
    q->team->close_blocks(q);
}

/* Combines the blocks of each row; after the last pass also what the rows give. */
static void wide_rows(row_kernel *q, row_stretch *s, bool last) {
    lower *l = q->l;
    lp_builder *b = l->b;
    unsigned mark = emit_mark(&l->m);
    lp_val i = lp_loop(b, LP_PARALLEL, lp_index(b, 0), q->all_rows, 1, NULL, 0, NULL);
    lp_val base = lp_imul(b, i, q->nblocks);
    emit_sym(&l->m, q->i_sym, i);
    if (q->team->open_results) q->team->open_results(s, base);
    for (unsigned f = 0; f < s->nfolds; f++) {
        fold_node *n = &q->fold[s->folds[f]];
        lp_val r = q->team->result(q, n, base);
        lp_store(b, n->result, i, fold_narrow(l, &n->a, ir_dtype(l->g, n->r), r), 0, 0);
        l->m.bind[n->r] = (emit_bind){.kind = BIND_LOCAL, .p = n->result, .offset = q->i_sym};
    }
    if (last) store_row_results(q);
    emit_forget(&l->m, mark);
    if (q->team->close_results) q->team->close_results(q);
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
    q->team->begin_blocks(q);
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

/* The team's own, with the space. */
static row_kernel *make_kernel(lower *l, row_teams *choose) {
    row_kernel space = {.l = l};
    set_space(&space);
    space.blocks = (space.k + IR_BLOCK - 1) / IR_BLOCK;
    space.team = choose(&space);
    space.kept_at = space.k_sym;
    row_kernel *q = bz_mem_zero(1, space.team->size);
    if (q) *q = space;
    return q;
}

/* All that is known before the first instruction. */
static row_kernel *new_kernel(lower *l, row_teams *choose, bool *wide) {
    row_kernel *q = make_kernel(l, choose);
    if (!q) return NULL;
    const pass_machine *m = l->t->machine;
    *wide = l->together || (q->k >= m->long_row && q->rows <= m->few_rows && !l->in_part);
    if (work_describe(&q->w, l->f, l->group, l->outputs.p, l->outputs.n,
                      !*wide && q->team->keeps(q))) {
        for (; q->nfolds < q->w.nfolds; q->nfolds++) {
            const work_fold *f = &q->w.fold[q->nfolds];
            q->fold[q->nfolds] = (fold_node){.r = f->r, .a = f->a, .pass = f->stage};
        }
        q->any_k =
            l->together || (l->t->any_size && q->rows == 1 && q->w.kept.n == 0 && !l->in_part);
        q->team->choose_vectors(q);
        set_length(q);
        return q;
    }
    free_kernel(q);
    return NULL;
}

bool lower_rows(lower *l, row_teams *choose) {
    bool is_wide;
    row_kernel *q = new_kernel(l, choose, &is_wide);
    if (!q) return false;
    q->stream = q->lanes > 1 ? lower_stream_flags(l, q->k) : 0;
    l->m.ahead = lower_read_ahead(l, l->t->machine->second);
    if (is_wide && q->team->takes_long) is_wide = !q->team->takes_long(q);
    const bool ok = is_wide ? wide(q) : narrow(q);
    free_kernel(q);
    return ok && !l->m.failed;
}

row_kernel *row_begin(lower *l, row_teams *choose) {
    bool is_wide;
    return new_kernel(l, choose, &is_wide);
}

void row_end(row_kernel *q) {
    free_kernel(q);
}
