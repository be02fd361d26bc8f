/* pad.c - a border of one value. */
#include "src/ir/structs.h"

ir_ref ir_pad(ir_graph *g, ir_ref x, const int64_t *lo, const int64_t *hi, ir_bits value) {
    if (!x) return 0;
    const ir_node n = *ir_at(g, x);
    int64_t attr[1 + 2 * IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    bool any = false;
    attr[0] = (int64_t)value;
    for (unsigned i = 0; i < n.rank; i++) {
        if (lo[i] < 0 || hi[i] < 0)
            return ir_error(g, BZ_EARG, IR_PAD, "padding of axis %u is negative; use slice", i);
        attr[1 + 2 * i] = lo[i];
        attr[2 + 2 * i] = hi[i];
        any |= lo[i] || hi[i];
        dims[i] = ir_ex_addc(&g->m->ex, ir_ex_addc(&g->m->ex, dims_of(g, x)[i], lo[i]), hi[i]);
    }
    if (!any) return x;
    if (!ir_check_size(g, IR_PAD, dims, n.rank)) return 0;
    ir_bits v;
    if (ir_const_value(g, x, &v) && v == value)
        return ir_const_bits(g, (bz_dtype)n.dtype, v, dims, n.rank);
    return ir_append(g, IR_PAD, (bz_dtype)n.dtype, dims, n.rank, &x, 1, attr, 1 + 2u * n.rank);
}

bool ck_pad(const ck *c) {
    const ir_node *x = ck_in(c, 0);
    ir_exprs *ex = &c->g->m->ex;
    if (!ck_dtype(c, (bz_dtype)x->dtype) || !ck_rank(c, x->rank) || !ck_attrs(c, 1 + 2u * x->rank))
        return false;
    for (unsigned a = 0; a < x->rank; a++) {
        int64_t lo = c->attr[1 + 2 * a], hi = c->attr[2 + 2 * a];
        if (lo < 0 || hi < 0 || lo > IR_EX_MAX || hi > IR_EX_MAX)
            return ck_wrong(c, BZ_EARG, "the padding of axis %u is out of range", a);
        if (!ck_size(c, a, ir_ex_addc(ex, ir_ex_addc(ex, ck_dim(c, x, a), lo), hi))) return false;
    }
    unsigned bits = ir_dtypes[x->dtype].bits;
    return bits == 64 || !((uint64_t)c->attr[0] >> bits) ||
           ck_wrong(c, BZ_EARG, "the value has more than %u bits", bits);
}

bool it_pad(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *out = &s->slot[r].a;
    const int64_t *a = it_attrs(s, r);
    int64_t strides[IR_MAX_RANK], offset = 0, n = it_numel(out);
    for (int64_t i = 0; i < n; i++) ir_store_bits(out->dtype, it_element(out, i), (ir_bits)a[0]);
    it_strides(out, strides);
    for (unsigned i = 0; i < x->rank; i++) offset += a[1 + 2 * i] * strides[i];
    it_place(x, out, strides, offset);
    return true;
}
