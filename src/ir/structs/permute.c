/* permute.c - axes in another order. */
#include "src/ir/structs.h"

ir_ref ir_permute(ir_graph *g, ir_ref x, const int *perm, unsigned n) {
    if (!x) return 0;
    unsigned rank = ir_at(g, x)->rank;
    if (n != rank)
        return ir_error(g, BZ_EAXIS, IR_PERMUTE, "%u axes given for %s", n, ir_shape_text(g, x));
    int64_t p[IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    uint64_t seen = 0;
    bool identity = true;
    ir_ref inner = ir_skips(g, x, IR_PERMUTE) ? x : 0;
    for (unsigned i = 0; i < rank; i++) {
        int a = ir_front_axis(g, IR_PERMUTE, x, perm[i], rank);
        if (a < 0) return 0;
        if (seen >> a & 1)
            return ir_error(g, BZ_EAXIS, IR_PERMUTE, "axis %d is given twice", perm[i]);
        seen |= UINT64_C(1) << a;
        dims[i] = dims_of(g, x)[a];
        p[i] = inner ? ir_attrs(g, ir_at(g, inner))[a] : a;
        identity &= p[i] == (int64_t)i;
    }
    if (inner) x = ir_operand(g, inner, 0);
    if (identity) return x;
    ir_ref c = ir_moved_const(g, x, dims, rank);
    return c ? c : ir_append(g, IR_PERMUTE, ir_dtype(g, x), dims, rank, &x, 1, p, rank);
}

bool ck_permute(const ck *c) {
    const ir_node *x = ck_in(c, 0);
    uint64_t set = 0;
    bool ok = ck_rank(c, x->rank) && ck_attrs(c, x->rank) && ck_dtype(c, (bz_dtype)x->dtype) &&
              ck_axes(c, c->attr, x->rank, x->rank, &set);
    for (unsigned a = 0; ok && a < x->rank; a++)
        ok = ck_size(c, a, ck_dim(c, x, (unsigned)c->attr[a]));
    return ok;
}

bool it_permute(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0);
    int64_t own[IR_MAX_RANK], strides[IR_MAX_RANK];
    it_strides(x, own);
    for (unsigned i = 0; i < x->rank; i++) strides[i] = own[it_attrs(s, r)[i]];
    return it_pick(s, r, strides, 0);
}
