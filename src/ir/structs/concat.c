/* concat.c - tensors one after the other along an axis. */
#include "src/ir/structs.h"

#include <string.h>

ir_ref ir_concat(ir_graph *g, const ir_ref *given, unsigned n, int axis) {
    if (n == 0) return ir_error(g, BZ_EARG, IR_CONCAT, "nothing to concatenate");
    if (given[0] && ir_at(g, given[0])->rank == 0)
        return ir_error(g, BZ_ESHAPE, IR_CONCAT,
                        "0-d tensors have no axis to follow one another along"
                        "; reshape them to [1], or stack them");
    ir_ref *x = bz_arena_copy(&g->arena, given, n * sizeof *x);
    if (!x) return ir_error(g, BZ_ENOMEM, IR_CONCAT, "out of memory");
    ir_meeting all = ir_meeting_none();
    for (unsigned i = 0; i < n; i++) {
        if (!x[i]) return 0;
        ir_meet(&all, ir_dtype(g, x[i]));
    }
    const bz_dtype t = ir_met(&all);
    unsigned rank = ir_at(g, x[0])->rank;
    int a = ir_front_axis(g, IR_CONCAT, x[0], axis, rank);
    if (a < 0) return 0;
    ir_dim dims[IR_MAX_RANK];
    memcpy(dims, dims_of(g, x[0]), rank * sizeof *dims);
    dims[a] = ir_dim_const(g, 0);
    for (unsigned i = 0; i < n; i++) {
        bool fits = ir_at(g, x[i])->rank == rank;
        for (unsigned d = 0; fits && d < rank; d++)
            fits = (int)d == a || dims_of(g, x[i])[d] == dims[d];
        if (!fits)
            return ir_error(g, BZ_ESHAPE, IR_CONCAT, "%s does not fit %s along axis %d",
                            ir_shape_text(g, x[i]), ir_shape_text(g, x[0]), a);
        dims[a] = ir_ex_add(&g->m->ex, dims[a], dims_of(g, x[i])[a]);
        x[i] = ir_cast(g, x[i], t);
    }
    int64_t attr = a;
    if (!ir_check_size(g, IR_CONCAT, dims, rank)) return 0;
    return n == 1 ? x[0] : ir_append(g, IR_CONCAT, t, dims, rank, x, n, &attr, 1);
}

bool ck_concat(const ck *c) {
    if (c->n->nin == 0 || !ck_attrs(c, 1) || !ck_axis(c, c->attr[0], c->n->rank))
        return c->n->nin > 0 ? false : ck_wrong(c, BZ_EARG, "nothing to concatenate");
    ir_exprs *ex = &c->g->m->ex;
    unsigned axis = (unsigned)c->attr[0];
    ir_ex all = ir_ex_const(ex, 0);
    for (unsigned k = 0; k < c->n->nin; k++) {
        const ir_node *x = ck_in(c, k);
        if (!ck_dtype(c, (bz_dtype)x->dtype) || !ck_rank(c, x->rank)) return false;
        for (unsigned a = 0; a < x->rank; a++) {
            if (a != axis && !ck_size(c, a, ck_dim(c, x, a))) return false;
        }
        all = ir_ex_add(ex, all, ck_dim(c, x, axis));
    }
    return ck_size(c, axis, all);
}

bool it_concat(it_state *s, ir_ref r) {
    const it_array *out = &s->slot[r].a;
    const int64_t axis = it_attrs(s, r)[0];
    int64_t strides[IR_MAX_RANK], offset = 0;
    it_strides(out, strides);
    for (unsigned k = 0; k < ir_at(s->g, r)->nin; k++) {
        const it_array *x = it_operand(s, r, k);
        it_place(x, out, strides, offset);
        offset += x->shape[axis] * strides[axis];
    }
    return true;
}
