/* leaf.c - what has no operands: inputs, constants, element numbers. */
#include "src/ir/structs.h"

#include <string.h>

/* ---- input: its constructors keep the graph's list of inputs (graph.c) */

bool ck_input(const ck *c) {
    if (!ck_attrs(c, 1)) return false;
    int64_t k = c->attr[0];
    bool listed = k >= 0 && k < (int64_t)c->g->inputs.n && c->g->inputs.p[k].node == c->r;
    return listed || ck_wrong(c, BZ_EARG, "the graph's list of inputs does not have it");
}

bool it_input(it_state *s, ir_ref r) {
    (void)s, (void)r;
    return true; /* it is there before the graph runs */
}

/* ---- const */

ir_ref ir_const_bits(ir_graph *g, bz_dtype t, ir_bits v, const ir_dim *dims, unsigned rank) {
    if (!ir_check_rank(g, IR_CONST, rank) || !ir_check_size(g, IR_CONST, dims, rank)) return 0;
    int64_t bits = (int64_t)v;
    if (ir_is_complex(t)) { /* a real one */
        const ir_ref re = ir_const_bits(g, ir_part_dtype(t), v, dims, rank);
        return re ? ir_complex(g, re, ir_const_like(g, re, 0)) : 0;
    }
    return ir_append(g, IR_CONST, t, dims, rank, NULL, 0, &bits, 1);
}

ir_ref ir_const_list(ir_graph *g, bz_dtype t, const int64_t *bits, const ir_dim *dims,
                     unsigned rank) {
    int64_t n = 0;
    if (!ir_check_rank(g, IR_CONST, rank) || !ir_check_size(g, IR_CONST, dims, rank)) return 0;
    if (!ir_dims_numel(g, dims, rank, &n) || n < 1 || n > IR_MAX_CONST)
        return ir_error(g, BZ_ESHAPE, IR_CONST, "%lld elements; 1 to %d can be listed",
                        (long long)n, IR_MAX_CONST);
    if (ir_is_complex(t)) {
        const ir_ref re = ir_const_list(g, ir_part_dtype(t), bits, dims, rank);
        return re ? ir_complex(g, re, ir_const_like(g, re, 0)) : 0;
    }
    return ir_append(g, IR_CONST, t, dims, rank, NULL, 0, bits, (unsigned)n);
}

ir_ref ir_const_f(ir_graph *g, bz_dtype t, double v) {
    return ir_const_bits(g, t, ir_bits_from_f64(t, v), NULL, 0);
}

ir_ref ir_const_i(ir_graph *g, bz_dtype t, int64_t v) {
    return ir_const_bits(g, t, ir_bits_from_i64(t, v), NULL, 0);
}

ir_ref ir_const_like(ir_graph *g, ir_ref x, double v) {
    if (!x) return 0;
    const ir_node *n = ir_at(g, x);
    ir_dim dims[IR_MAX_RANK];
    memcpy(dims, ir_dims(g, n), n->rank * sizeof *dims);
    return ir_const_bits(g, (bz_dtype)n->dtype, ir_bits_from_f64((bz_dtype)n->dtype, v), dims,
                         n->rank);
}

bool ir_const_value(const ir_graph *g, ir_ref r, ir_bits *v) {
    const ir_node *n = ir_at(g, r);
    if (n->op != IR_CONST || n->nattr != 1 || n->flags & IR_IS_OWN) return false;
    *v = (ir_bits)ir_attrs(g, n)[0];
    return true;
}

bool ck_const(const ck *c) {
    int64_t n;
    unsigned bits = ir_dtypes[c->n->dtype].bits;
    for (uint32_t i = 0; bits < 64 && i < c->n->nattr; i++) {
        if ((uint64_t)c->attr[i] >> bits)
            return ck_wrong(c, BZ_EARG, "value %u has more than %u bits", i, bits);
    }
    if (c->n->nattr == 1) return true;
    if (c->n->nattr > IR_MAX_CONST || !ir_numel(c->g, c->r, &n))
        return ck_wrong(c, BZ_ESHAPE, "%u values; at most %d can be listed, for a known shape",
                        c->n->nattr, IR_MAX_CONST);
    return ck_attrs(c, (uint64_t)n);
}

bool it_const(it_state *s, ir_ref r) {
    const ir_node *n = ir_at(s->g, r);
    it_array *a = &s->slot[r].a;
    int64_t count = it_numel(a);
    size_t bytes = ir_dtype_bytes(a->dtype);
    for (int64_t i = 0; i < count; i++)
        ir_store_bits(a->dtype, (char *)a->data + (size_t)i * bytes,
                      (ir_bits)ir_attrs(s->g, n)[n->nattr == 1 ? 0 : i]);
    return true;
}

/* ---- iota */

ir_ref ir_iota(ir_graph *g, bz_dtype t, const ir_dim *dims, unsigned rank, int axis) {
    if (!ir_check_rank(g, IR_IOTA, rank) || !ir_check_size(g, IR_IOTA, dims, rank)) return 0;
    int64_t a = ir_axis_from_front(axis, rank);
    if (a < 0)
        return ir_error(g, BZ_EAXIS, IR_IOTA, "axis %d is out of range for %u dimensions", axis,
                        rank);
    if (rank == 0) return ir_const_i(g, t, 0);
    if (ir_is_complex(t)) return ir_cast(g, ir_iota(g, ir_part_dtype(t), dims, rank, axis), t);
    return ir_append(g, IR_IOTA, t, dims, rank, NULL, 0, &a, 1);
}

bool ck_iota(const ck *c) {
    return ck_attrs(c, 1) && ck_axis(c, c->attr[0], c->n->rank);
}

bool it_iota(it_state *s, ir_ref r) {
    const it_array *out = &s->slot[r].a;
    const int64_t none[IR_MAX_RANK] = {0}, axis = it_attrs(s, r)[0];
    int64_t i = 0;
    for (it_walk w = it_begin(out->rank, out->shape, none, 0); w.left; it_next(&w))
        ir_store_bits(out->dtype, it_element(out, i++),
                      ir_bits_from_i64(out->dtype, w.index[axis]));
    return true;
}
