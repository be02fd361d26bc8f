/* row_warp.c - rows folded by warps: thread x has elements 4x .. 4x+3 of each 128 of the row.
 *
 *     lanes of IR_ORDER_LAST   0 1 2 3 | 4 5 6 7 | ...  | 124 ... 127        their tree: halves that are 16 threads apart, then 8, 4, 2, 1
 *     thread                      0    |    1    |      |     31             (shuffles), then the halves of a thread's four */
#include "src/passes/gpu/gpu.h"
#include "src/passes/cpu/row.h"
#include "src/ir/loops/builder.h"

enum {
    OWN = IR_LANES / GPU_WARP, /* elements of a thread in a turn */
    KEEPS = 8                  /* turns of which a thread keeps its elements */
};

lp_val row_open_warps(row_kernel *q, lp_val count) {
    lp_builder *b = q->l->b;
    lp_val zero = lp_index(b, 0), warps = lp_index(b, GPU_WARPS);
    lp_val blocks = lower_cover(b, count, warps);
    lp_val t = lp_loop(b, LP_PARALLEL, zero, blocks, 1, NULL, 0, NULL);
    lp_val w = lp_loop(b, LP_BLOCK, zero, warps, 1, NULL, 0, NULL);
    q->lane = lp_loop(b, LP_LANE, zero, lp_index(b, GPU_WARP), 1, NULL, 0, NULL);
    lp_val i = lp_iadd(b, lp_imul(b, t, warps), w);
    lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){i, count}, 2));
    return i;
}

void row_close_warps(row_kernel *q) {
    for (unsigned i = 0; i < 4; i++) lp_end(q->l->b, NULL, 0, NULL);
    q->lane = 0;
}

/* ---- what stages keep */

bool row_fits_warp(const row_kernel *q) {
    return q->k <= KEEPS * IR_LANES;
}

static int64_t turns_of(const row_kernel *q) {
    return (q->k + IR_LANES - 1) / IR_LANES;
}

bool row_keep_in_warp(row_kernel *q) {
    lower *l = q->l;
    q->skipped = ir_ex_sym(&l->x, NULL, 0, q->k);
    q->kept_at = ir_ex_sub(&l->x, q->k_sym, q->skipped);
    for (uint32_t i = 0; i < q->w.kept.n; i++)
        if (!bz_vec_push(&q->kept_rows, lp_local(l->b, ir_dtype(l->g, q->w.kept.p[i]),
                                                 turns_of(q) * OWN, LP_STACK)))
            return false;
    return true;
}

/* ---- folds */

/* The turn that begins at element `at` of the stretch, the turn'th of the row. */
static void one_turn(row_stretch *s, lp_val lo, lp_val at, lp_val turn, lp_val count) {
    row_kernel *q = s->q;
    lp_builder *b = q->l->b;
    emitter *m = &q->l->m;
    lp_val own = lp_iadd(b, at, lp_imul(b, q->lane, lp_index(b, OWN)));
    lp_val k = lp_iadd(b, lo, own);
    unsigned mark = emit_mark(m);
    if (q->skipped) emit_sym(m, q->skipped, lp_isub(b, k, lp_imul(b, turn, lp_index(b, OWN))));
    emit_vector(m, q->k_sym, k, OWN, 1,
                count ? lower_tail_mask(q->l, lp_isub(b, count, own), OWN) : 0);
    row_step(s, 0);
    emit_forget(m, mark);
}

static void set_sums(row_stretch *s, const lp_val *acc) {
    for (unsigned f = 0; f < s->nfolds; f++) s->acc[f][0] = acc[f];
}

static void get_sums(const row_stretch *s, lp_val *acc) {
    for (unsigned f = 0; f < s->nfolds; f++) acc[f] = s->acc[f][0];
}

/* All turns; where a pass keeps something, or reads what one kept, they are written out, so that it may lie in registers. */
static void all_turns(row_stretch *s, lp_val lo, lp_val count, lp_val *acc) {
    lp_builder *b = s->q->l->b;
    lp_val zero = lp_index(b, 0), size = lp_index(b, IR_LANES), carry[MAX_FOLDS];
    lp_val over = lp_imod(b, count, size), whole = lp_isub(b, count, over);
    const lp_loop_kind kind = s->q->skipped ? LP_UNROLLED : LP_SERIAL;
    int64_t n;
    if (!lp_const_i64(b, whole, &n) || n > 0) {
        lp_val turns = lp_idiv(b, whole, size);
        lp_val turn = lp_loop(b, kind, zero, turns, 1, acc, s->nfolds, carry);
        set_sums(s, carry);
        one_turn(s, lo, lp_imul(b, turn, size), turn, 0);
        get_sums(s, carry);
        lp_end(b, carry, s->nfolds, acc);
    }
    if (lp_const_i64(b, over, &n) && n == 0) return;
    set_sums(s, acc);
    one_turn(s, lo, whole, lp_idiv(b, whole, size), count);
    get_sums(s, acc);
}

void row_fold_warp(row_stretch *s, lp_val lo, lp_val count, lp_val *out) {
    lower *l = s->q->l;
    lp_val acc[MAX_FOLDS];
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &s->q->fold[s->folds[f]].a;
        acc[f] = lp_const(l->b, a->acc, fold_identity(a), OWN);
    }
    all_turns(s, lo, count, acc);
    emit_scalar(&l->m);
    for (unsigned f = 0; f < s->nfolds; f++) {
        const ir_reduce_attr *a = &s->q->fold[s->folds[f]].a;
        for (unsigned far = GPU_WARP / 2; far > 0; far /= 2)
            acc[f] = fold_step(l, a, acc[f], lp_warp_shuffle(l->b, acc[f], far), 0);
        out[f] = fold_lanes(l, a, acc[f], OWN);
    }
}
