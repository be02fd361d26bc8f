/* tasks.c - how work is cut into tasks and vectors. */
#include "src/passes/forms/forms.h"

/* ---- tasks of rows */

lp_val lower_cover(lp_builder *b, lp_val n, lp_val each) {
    return lp_idiv(b, lp_iadd(b, n, lp_isub(b, each, lp_index(b, 1))), each);
}

lp_val lower_open_rows(lower *l, lp_val rows, int64_t length) {
    lp_builder *b = l->b;
    const int64_t most = l->t->machine->task / (length > 0 ? length : 1), per = most > 1 ? most : 1;
    lp_val some = lp_index(b, per), tasks = lower_cover(b, rows, some);
    lp_val t = lp_loop(b, LP_PARALLEL, lp_index(b, 0), tasks, 1, NULL, 0, NULL);
    lp_val lo = lp_imul(b, t, some), end = lp_iadd(b, lo, some);
    return lp_loop(b, LP_SERIAL, lo, per > 1 ? lp_imin(b, end, rows) : end, 1, NULL, 0, NULL);
}

void lower_close_rows(lower *l) {
    lp_end(l->b, NULL, 0, NULL);
    lp_end(l->b, NULL, 0, NULL);
}

/* ---- three axes */

axis_space lower_axis_space(lower *l, ir_ref x, unsigned axis, unsigned naxes, bool vector) {
    int64_t shape[IR_MAX_RANK], axes[IR_MAX_RANK];
    const unsigned rank = ir_at(l->g, x)->rank, behind = axis + naxes;
    ir_static_shape(l->g, x, shape);
    for (unsigned d = 0; d < rank; d++) axes[d] = d;
    axis_space s = {.before = lower_count(shape, axis),
                    .n = lower_count(shape + axis, naxes),
                    .after = lower_count(shape + behind, rank - behind)};
    s.o = lower_sym(l, "o", s.before);
    s.i = lower_sym(l, "i", s.n);
    s.c = vector ? lower_vector_sym(l, "c", s.after) : lower_sym(l, "c", s.after);
    access_delinearize(&l->x, s.o, shape, axes, axis, s.idx);
    access_delinearize(&l->x, s.i, shape, axes + axis, naxes, s.idx);
    access_delinearize(&l->x, s.c, shape, axes + behind, rank - behind, s.idx);
    return s;
}

/* ---- vectors */

lp_val lower_tail_mask(lower *l, lp_val left, unsigned lanes) {
    lp_val v[2] = {lp_laneid(l->b, BZ_I64, lanes), lp_splat(l->b, left, lanes)};
    return lp_base(l->b, IR_LT, BZ_BOOL, v, 2);
}

unsigned lower_lanes(const lower *l) {
    size_t widest = 4;
    for (uint32_t i = 0; i < l->group->nodes.n; i++) {
        const ir_node *n = ir_at(l->g, l->group->nodes.p[i]);
        size_t own = ir_dtype_bytes((bz_dtype)n->dtype);
        if (l->group->form == &form_row && n->op != IR_REDUCE &&
            fuse_level_of(l->g, &l->space, l->group->nodes.p[i]) == FUSE_KEPT)
            continue; /* a scalar for each row */
        for (unsigned k = 0; k < n->nin; k++) {
            size_t in = ir_dtype_bytes(ir_dtype(l->g, ir_in(l->g, n)[k]));
            own = in > own ? in : own;
        }
        if (n->op == IR_REDUCE && ir_dtype_bytes(ir_reduce_get(l->g, n).acc) > own)
            own = ir_dtype_bytes(ir_reduce_get(l->g, n).acc);
        widest = own > widest ? own : widest;
    }
    return l->t->vector_bytes / (unsigned)widest;
}

unsigned lower_stream_flags(const lower *l, int64_t row) {
    int64_t bytes = 0;
    if (l->group->form->window && !l->filling) return 0; /* a window may begin anywhere */
    for (uint32_t i = 0; i < l->outputs.n; i++) {
        const pass_buffer *b = &l->plan->buffers.p[l->homes.buffer_of[l->outputs.p[i]]];
        int64_t size = (int64_t)ir_dtype_bytes(b->dtype);
        /* in place the line is in the cache already, and a donated buffer may lie anywhere */
        if (b->place == PASS_INPUT || row * size % l->t->machine->line) return 0;
        bytes += b->count * size;
    }
    return bytes >= l->t->machine->last ? LP_STREAM | LP_ALIGNED : 0;
}

lp_val lower_read_ahead(const lower *l, int64_t most) {
    lp_val found = 0;
    if (l->t->machine->ahead == 0) return 0;
    for (uint32_t i = 0; i < l->buffers.n; i++) {
        const pass_buffer *b = &l->plan->buffers.p[l->buffers.p[i]];
        if (l->k->buffers.p[i].access != LP_IN ||
            b->count * (int64_t)ir_dtype_bytes(b->dtype) <= most)
            continue;
        if (found) return 0;
        found = l->pointers.p[i];
    }
    return found;
}
