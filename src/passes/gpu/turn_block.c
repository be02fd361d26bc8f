/* turn_block.c - transposed inputs of elementwise loops: a block of threads reads a tile as it lies in memory, and computes it as the
 * output lies.
 *
 *      x[c, r]   r: threads -->      shared, c -->          y[r, c]   c: threads -->
 *           c   +------+         r  +------+.                   r   +------+
 *           |   | read |  ---->     |      |.  ---------->      |   |      |        the column behind the rows of the array
 *           v   +------+            +------+.                   v   +------+        sends each of them to another bank */
#include "src/passes/gpu/gpu.h"
#include "src/passes/forms/map.h"

enum { SIDE = GPU_WARP };

typedef struct turn {
    lower *l;
    const map_tiles *t;
    lp_val x, y; /* of the thread: in the warp, and its warp's number */
    lp_val r[2], c[2];
} turn;

static lp_val inside(const turn *k, lp_val r, lp_val c) {
    lp_builder *b = k->l->b;
    lp_val v[2] = {lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){r, k->r[1]}, 2),
                   lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){c, k->c[1]}, 2)};
    return lp_base(b, IR_AND, BZ_BOOL, v, 2);
}

/* Opens a loop over the tile's rows (or columns) from `first` on of which the warp does each GPU_WARPS'th. */
static lp_val open_warp(const turn *k, lp_val first) {
    lp_builder *b = k->l->b;
    lp_val i =
        lp_loop(b, LP_UNROLLED, lp_index(b, 0), lp_index(b, SIDE / GPU_WARPS), 1, NULL, 0, NULL);
    return lp_iadd(b, lp_iadd(b, first, k->y), lp_imul(b, i, lp_index(b, GPU_WARPS)));
}

static void stage(turn *k, const emit_staged *x) {
    lower *l = k->l;
    lp_builder *b = l->b;
    emitter *m = &l->m;
    lp_val c = open_warp(k, k->c[0]), r = lp_iadd(b, k->r[0], k->x);
    const unsigned mark = emit_mark(m);
    lp_if(b, inside(k, r, c));
    emit_sym(m, k->t->r, r);
    emit_sym(m, k->t->s.c, c);
    lp_store(b, x->local, emit_index(m, x->at), emit_load(m, x->p, x->offset).v[0], 0, 0);
    emit_forget(m, mark);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

static void compute(turn *k) {
    lower *l = k->l;
    lp_builder *b = l->b;
    lp_val r = open_warp(k, k->r[0]), c = lp_iadd(b, k->c[0], k->x);
    const unsigned mark = emit_mark(&l->m);
    lp_if(b, inside(k, r, c));
    emit_sym(&l->m, k->t->r, r);
    emit_sym(&l->m, k->t->s.c, c);
    lower_store_outputs(l, FUSE_FULL, 0);
    emit_forget(&l->m, mark);
    lp_end(b, NULL, 0, NULL);
    lp_end(b, NULL, 0, NULL);
}

/* The bounds of tile number i along an axis of `size` elements. */
static void bounds(lp_builder *b, lp_val i, int64_t size, lp_val out[2]) {
    out[0] = lp_imul(b, i, lp_index(b, SIDE));
    out[1] = lp_imin(b, lp_iadd(b, out[0], lp_index(b, SIDE)), lp_index(b, size));
}

static void make_arrays(lower *l, const map_tiles *t) {
    ir_ex row = ir_ex_mulc(&l->x, ir_ex_sub(&l->x, t->r, t->r0), SIDE + 1);
    for (unsigned i = 0; i < l->m.nstaged; i++) {
        emit_staged *x = &l->m.staged[i];
        x->at = ir_ex_add(&l->x, row, ir_ex_sub(&l->x, t->s.c, t->c0));
        x->local = lp_local(l->b, (bz_dtype)lp_at(l->b, x->p)->dtype, SIDE * (SIDE + 1), LP_SHARED);
    }
}

bool lower_tiles_block(lower *l, map_tiles *t) {
    lp_builder *b = l->b;
    emitter *m = &l->m;
    turn k = {.l = l, .t = t};
    const int64_t across = (t->s.inner + SIDE - 1) / SIDE, down = (t->rows + SIDE - 1) / SIDE;
    lp_val all = lp_imul(b, emit_extent(m, "outer", t->s.outer), lp_index(b, down * across));
    lp_val task = lp_loop(b, LP_PARALLEL, lp_index(b, 0), all, 1, NULL, 0, NULL);
    const unsigned n = m->nstaged, mark = emit_mark(m);
    make_arrays(l, t);
    lp_val line = lp_idiv(b, task, lp_index(b, across));
    bounds(b, lp_imod(b, task, lp_index(b, across)), t->s.inner, k.c);
    bounds(b, lp_imod(b, line, lp_index(b, down)), t->rows, k.r);
    emit_sym(m, t->s.o, lp_idiv(b, line, lp_index(b, down)));
    emit_sym(m, t->r0, k.r[0]);
    emit_sym(m, t->c0, k.c[0]);
    k.y = lp_loop(b, LP_BLOCK, lp_index(b, 0), lp_index(b, GPU_WARPS), 1, NULL, 0, NULL);
    k.x = lp_loop(b, LP_LANE, lp_index(b, 0), lp_index(b, GPU_WARP), 1, NULL, 0, NULL);
    emit_scalar(m);
    m->nstaged = 0;
    for (unsigned i = 0; i < n; i++) stage(&k, &m->staged[i]);
    lp_barrier(b);
    m->nstaged = n;
    compute(&k);
    m->nstaged = 0;
    emit_forget(m, mark);
    for (unsigned i = 0; i < 3; i++) lp_end(b, NULL, 0, NULL);
    return !m->failed;
}
