/* lower_dot.c - sums of products: packing, a register-tiled micro-kernel, an epilogue on each tile while it is in the cache.
 *
 *     phase 0   B[b, k, n] packed into panels   Bp[b][n / NR][k][n % NR]        (all threads, zero padded)
 *     phase 1   a task = a few panels of MR rows and all columns:
 *                  its A[b, m, k] packed into   Ap[m / MR][k][m % MR]  (scratch)
 *                  for each column panel, for each row panel:  tile[MR][NR] = micro-kernel(Ap, Bp, K)
 *                  epilogue: what the group makes of the product at (b, m, n), stored
 *
 * The micro-kernel holds MR x NR accumulators in registers. Order of additions (IR_ORDER_DOT): an fma chain from +0 over blocks of
 * 512, the blocks' sums added in order; tiles, threads and batch don't enter. The panels follow GotoBLAS and BLIS. */
#include "src/passes/lower.h"

#include <stdio.h>
#include <string.h>

enum { ROW_PANELS_MAX = 16 };

typedef struct dot_kernel {
    lower *l;
    ir_dot_attr a;
    ir_ref x, y;
    int64_t batch, m, n, k;
    ir_ex b_sym, m_sym, n_sym, k_sym;
    ir_ex x_idx[IR_MAX_RANK], y_idx[IR_MAX_RANK];
    unsigned lanes;                  /* of the accumulator's dtype */
    unsigned mr, nv;                 /* rows of a tile, vectors of a tile row */
    int64_t nr;                      /* nv * lanes */
    int64_t mpanels, npanels, group; /* row panels of a task */
    unsigned ukernel;                /* number of the function */
    lp_val bp;                       /* packed B */
} dot_kernel;

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
    ir_static_shape(l->g, q->x, xs);
    ir_static_shape(l->g, q->y, ys);
    ir_static_shape(l->g, l->group->head, out);
    unsigned nx =
        rest_axes(ir_at(l->g, q->x)->rank, a->lbatch, a->nbatch, a->lcontract, a->ncontract, xr);
    unsigned ny =
        rest_axes(ir_at(l->g, q->y)->rank, a->rbatch, a->nbatch, a->rcontract, a->ncontract, yr);
    q->batch = extent(xs, a->lbatch, a->nbatch);
    q->k = extent(xs, a->lcontract, a->ncontract);
    q->m = extent(xs, xr, nx);
    q->n = extent(ys, yr, ny);
    q->b_sym = lower_sym(l, "b", q->batch);
    q->m_sym = lower_vector_sym(l, "m", q->m);
    q->n_sym = lower_vector_sym(l, "n", q->n);
    q->k_sym = lower_vector_sym(l, "k", q->k);
    emit_delinearize(&l->x, q->b_sym, xs, a->lbatch, a->nbatch, q->x_idx);
    emit_delinearize(&l->x, q->k_sym, xs, a->lcontract, a->ncontract, q->x_idx);
    emit_delinearize(&l->x, q->m_sym, xs, xr, nx, q->x_idx);
    emit_delinearize(&l->x, q->b_sym, ys, a->rbatch, a->nbatch, q->y_idx);
    emit_delinearize(&l->x, q->k_sym, ys, a->rcontract, a->ncontract, q->y_idx);
    emit_delinearize(&l->x, q->n_sym, ys, yr, ny, q->y_idx);
    for (unsigned d = 0; d < IR_MAX_RANK; d++) axes[d] = d;
    emit_delinearize(&l->x, q->b_sym, out, axes, a->nbatch, sym);
    emit_delinearize(&l->x, q->m_sym, out, axes + a->nbatch, nx, sym);
    emit_delinearize(&l->x, q->n_sym, out, axes + a->nbatch + nx, ny, sym);
    fuse_space_of(l->g, FUSE_DOT, l->group->head, sym, &l->space);
}

#define SWAP(T, a, b)                                                                              \
    do {                                                                                           \
        T swap_ = a;                                                                               \
        a = b;                                                                                     \
        b = swap_;                                                                                 \
    } while (0)

/* Matrix times vector: the rows become the columns, so that vectors are full. */
static void swap_sides(dot_kernel *q) {
    SWAP(ir_ref, q->x, q->y);
    SWAP(int64_t, q->m, q->n);
    SWAP(ir_ex, q->m_sym, q->n_sym);
    for (unsigned d = 0; d < IR_MAX_RANK; d++) SWAP(ir_ex, q->x_idx[d], q->y_idx[d]);
}

/* ---- the tile: as many accumulators as fit the registers, as little padding as possible */

static double tile_cost(const dot_kernel *q, unsigned mr, unsigned nv) {
    double fma = mr * nv / 2.0, loads = (mr + nv) / 2.0;
    double cycles = fma > loads ? fma : loads;
    cycles = cycles > 4 ? cycles : 4; /* latency of the chain */
    int64_t nr = (int64_t)nv * q->lanes;
    return cycles * (double)((q->m + mr - 1) / mr) * (double)((q->n + nr - 1) / nr) +
           1e-9 / (mr * nv);
}

static void choose_tile(dot_kernel *q) {
    unsigned budget = q->l->t->registers >= 32 ? 28 : 12, most = q->l->t->registers >= 32 ? 4 : 3;
    double best = 1e300;
    q->lanes = q->l->t->vector_bytes / (unsigned)ir_dtype_bytes(q->a.acc);
    for (unsigned nv = 1; nv <= most; nv++)
        for (unsigned mr = 1; mr * nv <= budget && mr <= 14; mr++) {
            double cost = tile_cost(q, mr, nv);
            if (cost < best) {
                best = cost;
                q->mr = mr;
                q->nv = nv;
            }
        }
    q->nr = (int64_t)q->nv * q->lanes;
    q->mpanels = (q->m + q->mr - 1) / q->mr;
    q->npanels = (q->n + q->nr - 1) / q->nr;
    int64_t tasks = 2 * (int64_t)(q->l->t->threads ? q->l->t->threads : 1);
    q->group = (q->mpanels * q->batch + tasks - 1) / tasks;
    q->group = q->group < 1 ? 1 : q->group > ROW_PANELS_MAX ? ROW_PANELS_MAX : q->group;
    q->group = q->group > q->mpanels ? (q->mpanels ? q->mpanels : 1) : q->group;
}

/* ---- the micro-kernel: a function of packed panels, shared by all products with this tile */

static lp_val multiply_add(lp_builder *b, bz_dtype t, lp_val x, lp_val y, lp_val acc) {
    if (ir_is_float(t)) return lp_base(b, IR_FMA, t, (lp_val[]){x, y, acc}, 3);
    lp_val p = lp_base(b, IR_MUL, t, (lp_val[]){x, y}, 2);
    return lp_base(b, IR_ADD, t, (lp_val[]){acc, p}, 2);
}

/* tile[i * NR + j] of a block of k from k0 to k1: chains from +0; `add`: onto what the tile holds. */
static void block_of_k(const dot_kernel *q, lp_builder *b, const lp_val *p, lp_val k0, lp_val k1,
                       bool add) {
    bz_dtype t = q->a.acc;
    unsigned n = q->mr * q->nv;
    lp_val acc[64], next[64], col[8];
    for (unsigned i = 0; i < n; i++) acc[i] = lp_const(b, t, 0, q->lanes);
    lp_val k = lp_loop(b, LP_SERIAL, k0, k1, 1, acc, n, next);
    lp_val at = lp_imul(b, k, lp_index(b, q->nr)), row = lp_imul(b, k, lp_index(b, q->mr));
    for (unsigned v = 0; v < q->nv; v++)
        col[v] =
            lp_load(b, p[1], lp_iadd(b, at, lp_index(b, v * q->lanes)), q->lanes, 0, LP_ALIGNED);
    for (unsigned i = 0; i < q->mr; i++) {
        lp_val a =
            lp_splat(b, lp_load(b, p[0], lp_iadd(b, row, lp_index(b, i)), 1, 0, 0), q->lanes);
        for (unsigned v = 0; v < q->nv; v++)
            next[i * q->nv + v] = multiply_add(b, t, a, col[v], next[i * q->nv + v]);
    }
    lp_end(b, next, n, acc);
    for (unsigned i = 0; i < n; i++) {
        lp_val to = lp_index(b, (int64_t)(i / q->nv) * q->nr + (i % q->nv) * q->lanes);
        lp_val sum = acc[i];
        if (add)
            sum = lp_base(b, IR_ADD, t,
                          (lp_val[]){lp_load(b, p[2], to, q->lanes, 0, LP_ALIGNED), acc[i]}, 2);
        lp_store(b, p[2], to, sum, 0, LP_ALIGNED);
    }
}

static bool make_ukernel(dot_kernel *q) {
    char name[48];
    snprintf(name, sizeof name, "ukernel_%s_%ux%ux%u", ir_dtypes[q->a.acc].name, q->mr, q->nv,
             q->lanes);
    lp_kernel *f = lp_kernel_new(name);
    lp_builder *b = f ? lp_builder_new(f) : NULL;
    if (!b) {
        lp_kernel_free(f);
        return false;
    }
    f->function = true;
    lp_val p[3] = {lp_add_buffer(b, "a", q->a.acc, LP_IN), lp_add_buffer(b, "b", q->a.acc, LP_IN),
                   lp_add_buffer(b, "tile", q->a.acc, LP_INOUT)};
    lp_val k = lp_add_extent(b, "k"), block = lp_index(b, IR_DOT_BLOCK);
    block_of_k(q, b, p, lp_index(b, 0), lp_base(b, IR_MIN, BZ_I64, (lp_val[]){k, block}, 2), false);
    lp_val k0 = lp_loop(b, LP_SERIAL, block, k, IR_DOT_BLOCK, NULL, 0, NULL);
    lp_val end = lp_iadd(b, k0, block);
    block_of_k(q, b, p, k0, lp_base(b, IR_MIN, BZ_I64, (lp_val[]){end, k}, 2), true);
    lp_end(b, NULL, 0, NULL);
    lp_builder_free(b);
    return lower_function(q->l, f, &q->ukernel);
}

/* ---- packing */

static emit_value widened(dot_kernel *q, ir_ref r, const ir_ex *idx) {
    emit_value v = emit_node(&q->l->m, r, idx), out = {.uniform = v.uniform};
    bz_dtype from = ir_dtype(q->l->g, r);
    for (unsigned u = 0; u < (v.uniform ? 1 : q->l->m.width); u++)
        out.v[u] = emit_cast(q->l->b, q->a.acc, from, v.v[u]);
    return out;
}

/* How the elements of an operand lie along a symbol: step 1, or not. */
static bool dense_along(dot_kernel *q, ir_ref r, const ir_ex *idx, ir_ex sym) {
    emitter *m = &q->l->m;
    lp_builder *b = m->b;
    int64_t coef;
    ir_ex rest;
    bool ok = true;
    m->b = NULL;
    m->seen.n = 0;
    unsigned mark = emit_mark(m);
    emit_node(m, r, idx);
    emit_forget(m, mark);
    emit_resume(m, b);
    for (uint32_t i = 0; i < m->seen.n; i++)
        ok &= ir_ex_linear(m->x, m->seen.p[i], sym, &coef, &rest) && (coef == 1 || coef == 0);
    return ok;
}

/* One panel of an operand: rows along `sym` (width of them from `first` on, zero where beyond `size`), k from 0 to K, stored as
 * to[base + k * panel + row]. Vectors run along sym where memory does, else along k with a transposition in registers. */
typedef struct panel {
    ir_ref r;
    const ir_ex *idx;
    ir_ex sym;
    int64_t size, panel; /* elements along sym; rows of a panel */
    lp_val to, base, first;
} panel;

static void store_panel_row(dot_kernel *q, const panel *p, lp_val k, int64_t row, unsigned lanes,
                            bool guard) {
    lower *l = q->l;
    lp_builder *b = l->b;
    unsigned mark = emit_mark(&l->m);
    lp_val at = lp_iadd(b, p->first, lp_index(b, row)), mask = 0;
    if (guard && lanes > 1)
        mask = lower_tail_mask(
            l, lp_base(b, IR_SUB, BZ_I64, (lp_val[]){lp_index(b, p->size), at}, 2), lanes);
    emit_sym(&l->m, q->k_sym, k);
    emit_vector(&l->m, p->sym, at, lanes, 1, mask);
    emit_value v = widened(q, p->r, p->idx);
    lp_val x = emit_lane_value(&l->m, &v, 0);
    if (mask) /* prologues may make something of masked lanes: padding is zero */
        x = lp_base(b, IR_SELECT, q->a.acc, (lp_val[]){mask, x, lp_const(b, q->a.acc, 0, lanes)},
                    3);
    lp_store(
        b, p->to,
        lp_iadd(b, p->base, lp_iadd(b, lp_imul(b, k, lp_index(b, p->panel)), lp_index(b, row))), x,
        0, 0);
    emit_forget(&l->m, mark);
}

static void pack_rows(dot_kernel *q, const panel *p, bool guard) {
    lower *l = q->l;
    lp_builder *b = l->b;
    lp_val k = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, q->k), 1, NULL, 0, NULL);
    int64_t row = 0;
    for (unsigned lanes = q->lanes; lanes > 1; lanes /= 2)
        for (; p->panel - row >= lanes; row += lanes) store_panel_row(q, p, k, row, lanes, guard);
    for (; row < p->panel; row++) { /* odd panels: the last row alone */
        if (guard) {
            lp_val at = lp_iadd(b, p->first, lp_index(b, row));
            lp_val place = lp_iadd(
                b, p->base, lp_iadd(b, lp_imul(b, k, lp_index(b, p->panel)), lp_index(b, row)));
            lp_if(b, lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){at, lp_index(b, p->size)}, 2));
            store_panel_row(q, p, k, row, 1, false);
            lp_else(b, NULL, 0);
            lp_store(b, p->to, place, lp_const(b, q->a.acc, 0, 1), 0, 0);
            lp_end(b, NULL, 0, NULL);
        } else {
            store_panel_row(q, p, k, row, 1, false);
        }
    }
    lp_end(b, NULL, 0, NULL);
    emit_scalar(&l->m);
}

/* Transposes n vectors of n lanes in registers: log2(n) rounds of interleaving pairs. */
static void transpose(lp_builder *b, lp_val *v, unsigned n) {
    uint32_t low[64], high[64];
    lp_val next[64];
    for (unsigned i = 0; i < n / 2; i++) {
        low[2 * i] = i;
        low[2 * i + 1] = i + n;
        high[2 * i] = i + n / 2;
        high[2 * i + 1] = i + n / 2 + n;
    }
    for (unsigned round = n; round > 1; round /= 2) {
        for (unsigned i = 0; i < n / 2; i++) {
            next[2 * i] = lp_shuffle(b, v[i], v[i + n / 2], low, n);
            next[2 * i + 1] = lp_shuffle(b, v[i], v[i + n / 2], high, n);
        }
        memcpy(v, next, n * sizeof *v);
    }
}

/* `rows` rows of the panel from `row` on for k .. k+kcount: loads along k, transposed, stored along the panel. */
static void transposed_square(dot_kernel *q, const panel *p, lp_val k, lp_val kmask, lp_val row,
                              unsigned rows, int64_t kcount) {
    lower *l = q->l;
    lp_builder *b = l->b;
    lp_val v[64];
    for (unsigned i = 0; i < q->lanes; i++) {
        unsigned mark = emit_mark(&l->m);
        if (i >= rows) {
            v[i] = v[0];
            continue;
        }
        emit_sym(&l->m, p->sym, lp_iadd(b, lp_iadd(b, p->first, row), lp_index(b, i)));
        emit_vector(&l->m, q->k_sym, k, q->lanes, 1, kmask);
        emit_value x = widened(q, p->r, p->idx);
        v[i] = emit_lane_value(&l->m, &x, 0);
        emit_forget(&l->m, mark);
    }
    transpose(b, v, q->lanes);
    uint32_t pick[64];
    for (unsigned i = 0; i < 64; i++) pick[i] = i;
    for (int64_t j = 0; j < kcount; j++) {
        lp_val at = lp_iadd(
            b, p->base,
            lp_iadd(b, lp_imul(b, lp_iadd(b, k, lp_index(b, j)), lp_index(b, p->panel)), row));
        unsigned done = 0;
        for (unsigned part = q->lanes; part > 0; part /= 2) /* exactly `rows` elements */
            if (rows - done >= part) {
                for (unsigned i = 0; i < part; i++) pick[i] = done + i;
                lp_val x = part == q->lanes ? v[j]
                           : part == 1      ? lp_extract(b, v[j], done)
                                            : lp_shuffle(b, v[j], v[j], pick, part);
                lp_store(b, p->to, lp_iadd(b, at, lp_index(b, done)), x, 0, 0);
                done += part;
            }
    }
}

/* All k of `rows` rows. */
static void transposed_rows(dot_kernel *q, const panel *p, lp_val row, unsigned rows) {
    lp_builder *b = q->l->b;
    int64_t whole = q->k / q->lanes * q->lanes, left = q->k - whole;
    if (whole) {
        lp_val k =
            lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, whole), q->lanes, NULL, 0, NULL);
        transposed_square(q, p, k, 0, row, rows, q->lanes);
        lp_end(b, NULL, 0, NULL);
    }
    if (left)
        transposed_square(q, p, lp_index(b, whole),
                          lower_tail_mask(q->l, lp_index(b, left), q->lanes), row, rows, left);
}

static void pack_transposed(dot_kernel *q, const panel *p) {
    lp_builder *b = q->l->b;
    int64_t squares = p->panel / q->lanes * q->lanes;
    unsigned rest = (unsigned)(p->panel - squares);
    if (squares) {
        lp_val row =
            lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, squares), q->lanes, NULL, 0, NULL);
        transposed_rows(q, p, row, q->lanes);
        lp_end(b, NULL, 0, NULL);
    }
    if (rest) transposed_rows(q, p, lp_index(b, squares), rest);
    emit_scalar(&q->l->m);
}

/* The panel, whichever way is best: whole panels may be transposed, the last one is guarded row by row. */
static void pack(dot_kernel *q, const panel *p) {
    lp_builder *b = q->l->b;
    bool ragged = p->size % p->panel != 0;
    bool turn = q->l->t->masks && q->lanes > 1 && q->k >= 4 &&
                !dense_along(q, p->r, p->idx, p->sym) && dense_along(q, p->r, p->idx, q->k_sym);
    if (!turn && !ragged) {
        pack_rows(q, p, false);
        return;
    }
    if (!ragged) {
        pack_transposed(q, p);
        return;
    }
    lp_val end = lp_iadd(b, p->first, lp_index(b, p->panel));
    lp_if(b, lp_base(b, IR_LE, BZ_BOOL, (lp_val[]){end, lp_index(b, p->size)}, 2));
    if (turn)
        pack_transposed(q, p);
    else
        pack_rows(q, p, false);
    lp_else(b, NULL, 0);
    pack_rows(q, p, true);
    lp_end(b, NULL, 0, NULL);
}

static lp_val divide(lp_builder *b, lp_val x, int64_t d) {
    return lp_base(b, IR_IDIV, BZ_I64, (lp_val[]){x, lp_index(b, d)}, 2);
}

static lp_val modulo(lp_builder *b, lp_val x, int64_t d) {
    return lp_base(b, IR_IMOD, BZ_I64, (lp_val[]){x, lp_index(b, d)}, 2);
}

static void phase_pack(dot_kernel *q) {
    lower *l = q->l;
    lp_builder *b = l->b;
    q->bp = lower_work(l, q->a.acc, q->batch * q->npanels * q->k * q->nr);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, q->batch * q->npanels), 1, NULL,
                       0, NULL);
    unsigned mark = emit_mark(&l->m);
    emit_sym(&l->m, q->b_sym, divide(b, t, q->npanels));
    lp_val first = lp_imul(b, modulo(b, t, q->npanels), lp_index(b, q->nr));
    panel p = {
        q->y, q->y_idx, q->n_sym, q->n, q->nr, q->bp, lp_imul(b, t, lp_index(b, q->k * q->nr)),
        first};
    pack(q, &p);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

/* ---- the products */

/* Stores what the group makes of the product x, one value or a vector along n. */
static void epilogue(dot_kernel *q, lp_val x) {
    lower *l = q->l;
    emit_bind *bind = &l->m.bind[l->group->head];
    *bind = (emit_bind){.kind = BIND_VALUE, .value.uniform = !l->m.vec};
    bind->value.v[0] = emit_cast(l->b, ir_dtype(l->g, l->group->head), q->a.acc, x);
    lower_store_outputs(l, FUSE_FULL, 0);
    *bind = (emit_bind){0};
}

/* One row of the tile, a vector at a time (a loop: epilogues are long). m and n0 are the row and its first column. A result of one
 * column (and one row) is no vector. */
static void epilogue_row(dot_kernel *q, lp_val tile, lp_val i, lp_val m, lp_val n0) {
    lower *l = q->l;
    lp_builder *b = l->b;
    lp_val row = lp_imul(b, i, lp_index(b, q->nr)), width = lp_index(b, q->nr), mask = 0;
    unsigned mark = emit_mark(&l->m);
    emit_sym(&l->m, q->m_sym, m);
    if (q->n == 1) {
        emit_sym(&l->m, q->n_sym, n0);
        epilogue(q, lp_load(b, tile, row, 1, 0, 0));
        emit_forget(&l->m, mark);
        return;
    }
    bool ragged = q->n % q->nr != 0;
    if (ragged)
        width = lp_base(
            b, IR_MIN, BZ_I64,
            (lp_val[]){width, lp_base(b, IR_SUB, BZ_I64, (lp_val[]){lp_index(b, q->n), n0}, 2)}, 2);
    lp_val col = lp_loop(b, LP_SERIAL, lp_index(b, 0), width, q->lanes, NULL, 0, NULL),
           n = lp_iadd(b, n0, col);
    if (ragged)
        mask = lower_tail_mask(l, lp_base(b, IR_SUB, BZ_I64, (lp_val[]){lp_index(b, q->n), n}, 2),
                               q->lanes);
    emit_vector(&l->m, q->n_sym, n, q->lanes, 1, mask);
    epilogue(q, lp_load(b, tile, lp_iadd(b, row, col), q->lanes, 0, LP_ALIGNED));
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
    emit_scalar(&l->m);
}

/* Tiles of column panel j for the row panels p0 .. p1 of this task. */
static void tiles(dot_kernel *q, lp_val ap, lp_val tile, lp_val batch, lp_val p0, lp_val p1) {
    lp_builder *b = q->l->b;
    lp_val j = lp_loop(b, LP_SERIAL, lp_index(b, 0), lp_index(b, q->npanels), 1, NULL, 0, NULL);
    lp_val which = lp_iadd(b, lp_imul(b, batch, lp_index(b, q->npanels)), j);
    lp_val bp = lp_offset(b, q->bp, lp_imul(b, which, lp_index(b, q->k * q->nr)));
    lp_val p = lp_loop(b, LP_SERIAL, p0, p1, 1, NULL, 0, NULL);
    lp_val local = lp_base(b, IR_SUB, BZ_I64, (lp_val[]){p, p0}, 2);
    lp_val a = lp_offset(b, ap, lp_imul(b, local, lp_index(b, q->k * q->mr)));
    lp_call(b, q->ukernel, (lp_val[]){a, bp, tile, lp_index(b, q->k)}, 4);
    lp_val m0 = lp_imul(b, p, lp_index(b, q->mr)), rows = lp_index(b, q->mr);
    if (q->m % q->mr)
        rows = lp_base(
            b, IR_MIN, BZ_I64,
            (lp_val[]){rows, lp_base(b, IR_SUB, BZ_I64, (lp_val[]){lp_index(b, q->m), m0}, 2)}, 2);
    lp_val i = lp_loop(b, LP_SERIAL, lp_index(b, 0), rows, 1, NULL, 0, NULL);
    epilogue_row(q, tile, i, lp_iadd(b, m0, i), lp_imul(b, j, lp_index(b, q->nr)));
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

static void phase_multiply(dot_kernel *q) {
    lower *l = q->l;
    lp_builder *b = l->b;
    int64_t groups = (q->mpanels + q->group - 1) / q->group;
    lp_val ap = lp_local(b, q->a.acc, q->group * q->k * q->mr, LP_SCRATCH);
    lp_val tile = lp_local(b, q->a.acc, q->mr * q->nr, LP_STACK);
    lp_val t =
        lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, q->batch * groups), 1, NULL, 0, NULL);
    unsigned mark = emit_mark(&l->m);
    lp_val batch = divide(b, t, groups);
    emit_sym(&l->m, q->b_sym, batch);
    lp_val p0 = lp_imul(b, modulo(b, t, groups), lp_index(b, q->group));
    lp_val p1 =
        lp_base(b, IR_MIN, BZ_I64,
                (lp_val[]){lp_iadd(b, p0, lp_index(b, q->group)), lp_index(b, q->mpanels)}, 2);
    lp_val p = lp_loop(b, LP_SERIAL, p0, p1, 1, NULL, 0, NULL);
    lp_val local = lp_base(b, IR_SUB, BZ_I64, (lp_val[]){p, p0}, 2);
    panel a = {q->x,
               q->x_idx,
               q->m_sym,
               q->m,
               q->mr,
               ap,
               lp_imul(b, local, lp_index(b, q->k * q->mr)),
               lp_imul(b, p, lp_index(b, q->mr))};
    pack(q, &a);
    lp_end(b, NULL, 0, NULL);
    tiles(q, ap, tile, batch, p0, p1);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
}

bool lower_dot(lower *l) {
    dot_kernel q = {.l = l, .a = ir_dot_get(l->g, ir_at(l->g, l->group->head))};
    q.x = ir_operand(l->g, l->group->head, 0);
    q.y = ir_operand(l->g, l->group->head, 1);
    set_space(&q);
    if (q.n == 1) swap_sides(&q);
    choose_tile(&q);
    if (!make_ukernel(&q)) return false;
    phase_pack(&q);
    phase_multiply(&q);
    return !l->m.failed;
}
