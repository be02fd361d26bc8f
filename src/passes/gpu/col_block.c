/* col_block.c - columns folded by blocks of threads: a thread goes down a chain of 128 rows in its columns.
 *
 *              across -->                                                 shared memory
 *     chain 0  | thread 0 | thread 1 | ...                  down       +------------------+
 *     chain 1  |          |          | ...    ----------->   |         | a chain's sums   |    the first threads fold these pairwise
 *     ...                                                    v         +------------------+
 *
 * A block's chains are a power of two, so a subtree of IR_ORDER_LEAD. With more than one of them for a column the results go to memory,
 * and a second phase folds them, the same way: subtrees first, each by other threads. */
#include "src/passes/gpu/gpu.h"
#include "src/passes/forms/col.h"

enum {
    THREADS = GPU_WARP * GPU_WARPS,
    ENOUGH = 1 << 12, /* threads with vectors that do; with fewer ones each has a column */
    WIDE = 1 << 10,   /* columns where their number is all that is known */
    SHARED = 40 << 10,
    LIGHT = 16, /* steps up to which eight rows are read at once, else four */
    FEW = 3     /* log2 of the results that are folded first, where their number is not known */
};

typedef struct col_block {
    col_kernel q;
    unsigned across, down, rows; /* threads; rows that are read at once */
    int64_t width, strips;       /* columns of a block */
    lp_val aligned;
    lp_val x, d, c,
        group; /* of the thread: column of threads, chain of the block, first column; the block's number among those of its columns */
} col_block;

static unsigned power_above(int64_t n, unsigned most) {
    unsigned p = 1;
    while (p < most && (int64_t)p < n) p *= 2;
    return p;
}

static lp_val less(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){x, y}, 2);
}

/* ---- choices */

static unsigned choose_lanes(const col_kernel *q) {
    unsigned size = 1;
    for (uint32_t i = 0; i < q->l->c.reads.n; i++) {
        const collect_read *r = &q->l->c.reads.p[i];
        const unsigned own = (unsigned)ir_dtype_bytes((bz_dtype)lp_at(q->l->b, r->p)->dtype);
        if (ir_ex_uses(&q->l->x, r->offset, q->c_sym) && own > size) size = own;
    }
    unsigned lanes = 16 / size, bytes = 0;
    for (unsigned f = 0; f < q->nfolds; f++) bytes += (unsigned)ir_dtype_bytes(q->fold[f].a.acc);
    const bool enough = q->l->t->any_size
                            ? q->inner >= WIDE
                            : q->outer * q->chains * q->inner >= (int64_t)ENOUGH * lanes;
    return q->dense && q->inner % lanes == 0 && enough && THREADS * lanes * bytes <= SHARED ? lanes
                                                                                            : 1;
}

static void choose_block(col_block *k) {
    col_kernel *q = &k->q;
    const int64_t columns = q->inner / q->lanes;
    const unsigned most = q->l->t->any_size ? GPU_WARPS : power_above(q->chains, THREADS);
    k->across = power_above(columns, most > GPU_WARPS ? GPU_WARP : THREADS / most);
    k->down = THREADS / k->across < most ? THREADS / k->across : most;
    if (k->across * k->down < GPU_WARP) k->down = GPU_WARP / k->across;
    k->width = (int64_t)k->across * q->lanes;
    k->strips = (q->inner + k->width - 1) / k->width;
    k->rows = q->l->group->steps <= LIGHT && q->nfolds <= 2 ? 8 : 4;
    q->group = k->down;
    q->groups = (q->chains + q->group - 1) / q->group;
}

/* ---- a chain */

static void steps(col_block *k, lp_val k0, lp_val from, lp_val to, unsigned at_once, lp_val *acc) {
    col_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    lp_val carry[FUSE_MAX_FOLDS], next[FUSE_MAX_FOLDS], v[FUSE_MAX_FOLDS];
    lp_val j = lp_loop(b, LP_SERIAL, from, to, at_once, acc, q->nfolds, carry);
    lp_val u =
        lp_loop(b, LP_UNROLLED, lp_index(b, 0), lp_index(b, at_once), 1, carry, q->nfolds, next);
    const unsigned mark = emit_mark(&q->l->m);
    emit_sym(&q->l->m, q->k_sym, lp_iadd(b, k0, lp_iadd(b, j, u)));
    col_values(q, k->c, 1, 0, v, 1);
    emit_forget(&q->l->m, mark);
    for (unsigned f = 0; f < q->nfolds; f++)
        next[f] = fold_step(q->l, &q->fold[f].a, next[f], v[f], 0);
    lp_end(b, next, q->nfolds, carry);
    lp_end(b, carry, q->nfolds, acc);
}

/* The chain's elements, `at_once` rows at once as long as there are so many. */
static void fold_chain(col_block *k, lp_val chain, unsigned at_once, lp_val *acc) {
    col_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    const lp_val size = lp_index(b, IR_CHAIN), zero = lp_index(b, 0);
    for (unsigned f = 0; f < q->nfolds; f++)
        acc[f] = lp_const(b, q->fold[f].a.acc, fold_identity(&q->fold[f].a), q->lanes);
    lp_val k0 = lp_imul(b, chain, size), count = lp_imin(b, lp_isub(b, q->rows, k0), size);
    lp_val many = lp_isub(b, count, lp_imod(b, count, lp_index(b, at_once)));
    steps(k, k0, zero, many, at_once, acc);
    if (at_once > 1) steps(k, k0, many, count, 1, acc);
}

/* Into shared memory: with accesses of vectors where they may be. */
static void chain_sums(col_block *k, lp_val chain) {
    col_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    lp_val acc[FUSE_MAX_FOLDS];
    q->l->m.aligned = q->lanes > 1;
    if (k->aligned) lp_if(b, k->aligned);
    fold_chain(k, chain, k->rows, acc);
    q->l->m.aligned = false;
    if (k->aligned) {
        lp_else(b, acc, q->nfolds);
        fold_chain(k, chain, 1, acc);
        lp_end(b, acc, q->nfolds, acc);
    }
    lp_val to = lp_iadd(b, lp_imul(b, k->d, lp_index(b, k->width)),
                        lp_imul(b, k->x, lp_index(b, q->lanes)));
    for (unsigned f = 0; f < q->nfolds; f++)
        lp_store(b, q->fold[f].sums, to, acc[f], 0, LP_ALIGNED);
}

/* ---- blocks */

/* Opens the loops over blocks, `each` for every strip of columns, and their threads. */
static void open_blocks(col_block *k, lp_val each, unsigned down) {
    col_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    const lp_val strips = lp_index(b, k->strips), across = lp_index(b, k->across);
    lp_val own = lp_imul(b, each, strips);
    lp_val t =
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_imul(b, q->outer_rows, own), 1, NULL, 0, NULL);
    for (unsigned f = 0; f < q->nfolds; f++)
        q->fold[f].sums = lp_local(b, q->fold[f].a.acc, k->down * k->width, LP_SHARED);
    lp_val o = q->outer == 1 ? lp_index(b, 0) : lp_idiv(b, t, own);
    lp_val in = lp_isub(b, t, lp_imul(b, o, own));
    emit_sym(&q->l->m, q->o_sym, o);
    k->group = lp_idiv(b, in, strips);
    lp_val thread =
        lp_loop(b, LP_BLOCK, lp_index(b, 0), lp_index(b, k->across * down), 1, NULL, 0, NULL);
    k->x = lp_imod(b, thread, across);
    k->d = lp_idiv(b, thread, across);
    k->c = lp_iadd(b, lp_imul(b, lp_imod(b, in, strips), lp_index(b, k->width)),
                   lp_imul(b, k->x, lp_index(b, q->lanes)));
}

static void close_blocks(col_block *k) {
    lp_end(k->q.l->b, NULL, 0, NULL);
    lp_end(k->q.l->b, NULL, 0, NULL);
}

/* Is the thread one of the first, with columns that are there? */
static void if_first(col_block *k) {
    lp_builder *b = k->q.l->b;
    lp_val v[2] = {lp_base(b, IR_EQ, BZ_BOOL, (lp_val[]){k->d, lp_index(b, 0)}, 2),
                   less(b, k->c, lp_index(b, k->q.inner))};
    lp_if(b, lp_base(b, IR_AND, BZ_BOOL, v, 2));
}

/* Where result number `group` of the thread's columns lies. */
static lp_val result_at(col_block *k, lp_val group) {
    col_kernel *q = &k->q;
    lp_builder *b = q->l->b;
    lp_val row = lp_iadd(b, lp_imul(b, emit_index(&q->l->m, q->o_sym), q->all_groups), group);
    return lp_iadd(b, lp_imul(b, row, lp_index(b, q->inner)), k->c);
}

static void fold_groups(col_block *k) {
    col_kernel *q = &k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    const unsigned mark = emit_mark(&l->m);
    lp_val acc[FUSE_MAX_FOLDS], down = lp_index(b, k->down);
    open_blocks(k, q->all_groups, k->down);
    lp_val first = lp_imul(b, k->group, down), chain = lp_iadd(b, first, k->d);
    lp_val there[2] = {less(b, k->c, lp_index(b, q->inner)), less(b, chain, q->all_chains)};
    lp_if(b, lp_base(b, IR_AND, BZ_BOOL, there, 2));
    chain_sums(k, chain);
    lp_end(b, NULL, 0, NULL);
    lp_barrier(b);
    if_first(k);
    lp_val at = lp_imul(b, k->x, lp_index(b, q->lanes));
    lp_val n = lp_imin(b, lp_isub(b, q->all_chains, first), down);
    for (unsigned f = 0; f < q->nfolds; f++) {
        col_fold *of = &q->fold[f];
        if (k->down > 1) fold_rows(l, &of->a, of->sums, at, n, k->width, q->lanes, q->lanes);
        acc[f] = lp_load(b, of->sums, at, q->lanes, 0, LP_ALIGNED);
        if (q->groups > 1) lp_store(b, of->results, result_at(k, k->group), acc[f], 0, 0);
    }
    if (q->groups == 1) col_store_results(q, k->c, 1, 0, acc, 1);
    lp_end(b, NULL, 0, NULL);
    close_blocks(k);
    emit_forget(&l->m, mark);
}

/* The groups' results, in memory: subtrees by all threads, then these by the first. */
static void combine_groups(col_block *k) {
    col_kernel *q = &k->q;
    lower *l = q->l;
    lp_builder *b = l->b;
    const unsigned mark = emit_mark(&l->m);
    const unsigned down = THREADS / k->across;
    unsigned log = FEW;
    lp_val acc[FUSE_MAX_FOLDS];
    while (!l->t->any_size && log < 16 && (int64_t)1 << 2 * log < q->groups) log++;
    const lp_val some = lp_index(b, (int64_t)1 << log), zero = lp_index(b, 0);
    lp_val trees = lower_cover(b, q->all_groups, some);
    open_blocks(k, lp_index(b, 1), down);
    lp_val base = result_at(k, zero);
    lp_if(b, less(b, k->c, lp_index(b, q->inner)));
    lp_val u = lp_loop(b, LP_SERIAL, k->d, trees, down, NULL, 0, NULL);
    lp_val first = lp_imul(b, u, some), n = lp_imin(b, lp_isub(b, q->all_groups, first), some);
    for (unsigned f = 0; f < q->nfolds; f++)
        fold_rows(l, &q->fold[f].a, q->fold[f].results, result_at(k, first), n, q->inner, q->lanes,
                  q->lanes);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    lp_barrier(b);
    if_first(k);
    for (unsigned f = 0; f < q->nfolds; f++) {
        fold_rows(l, &q->fold[f].a, q->fold[f].results, base, trees, q->inner << log, q->lanes,
                  q->lanes);
        acc[f] = lp_load(b, q->fold[f].results, base, q->lanes, 0, 0);
    }
    col_store_results(q, k->c, 1, 0, acc, 1);
    lp_end(b, NULL, 0, NULL);
    close_blocks(k);
    emit_forget(&l->m, mark);
}

bool lower_col_block(lower *l) {
    col_block k = {0};
    col_kernel *q = &k.q;
    if (!col_begin(q, l)) return false;
    q->lanes = choose_lanes(q);
    choose_block(&k);
    col_make_counts(q);
    if (q->groups > 1)
        for (unsigned f = 0; f < q->nfolds; f++)
            q->fold[f].results = lower_work(l, q->fold[f].a.acc, q->outer * q->groups * q->inner);
    k.aligned = q->lanes > 1 ? gpu_aligned(l, q->lanes) : 0;
    fold_groups(&k);
    if (q->groups > 1) combine_groups(&k);
    return !l->m.failed;
}
