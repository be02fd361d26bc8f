/* result.c - the results of nodes that have several. */
#include "src/ir/structs.h"

#include <string.h>

ir_type ir_type_of(const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    return (ir_type){(bz_dtype)n->dtype, n->rank, ir_dims(g, n)};
}

bool ir_same_type(const ir_graph *g, ir_ref x, const ir_graph *h, ir_ref y) {
    ir_type a = ir_type_of(g, x), b = ir_type_of(h, y);
    return a.dtype == b.dtype && a.rank == b.rank &&
           (a.rank == 0 || !memcmp(a.dims, b.dims, a.rank * sizeof *a.dims));
}

unsigned ir_result_count(const ir_graph *g, ir_ref tuple) {
    ir_type first;
    const ir_struct *s = &ir_structs[ir_at(g, tuple)->op];
    return s->results ? s->results(g, tuple, 0, &first) : 0;
}

bool ir_result_type(const ir_graph *g, ir_ref tuple, unsigned k, ir_type *t) {
    const ir_struct *s = &ir_structs[ir_at(g, tuple)->op];
    return s->results && k < s->results(g, tuple, k, t);
}

ir_ref ir_result(ir_graph *g, ir_ref tuple, unsigned k) {
    if (!tuple) return 0;
    ir_type t;
    int64_t attr = k;
    if (!ir_result_type(g, tuple, k, &t))
        return ir_error(g, BZ_EINDEX, IR_RESULT, "%s has no result %u",
                        ir_ops[ir_at(g, tuple)->op].name, k);
    return ir_append(g, IR_RESULT, t.dtype, t.dims, t.rank, &tuple, 1, &attr, 1);
}

bool ck_result(const ck *c) {
    ir_type t;
    if (!ck_attrs(c, 1)) return false;
    if (c->attr[0] < 0 || c->attr[0] > UINT16_MAX ||
        !ir_result_type(c->g, ir_in(c->g, c->n)[0], (unsigned)c->attr[0], &t))
        return ck_wrong(c, BZ_EINDEX, "the operand has no result %lld", (long long)c->attr[0]);
    bool ok = ck_dtype(c, t.dtype) && ck_rank(c, t.rank);
    for (unsigned a = 0; ok && a < t.rank; a++) ok = ck_size(c, a, t.dims[a]);
    return ok;
}

bool it_result(it_state *s, ir_ref r) {
    const ir_node *n = ir_at(s->g, r);
    unsigned one;
    const it_slot *from = &s->slot[*ir_value_operands(s->g, r, &one)];
    const it_array *a = from->many ? &from->many[ir_attrs(s->g, n)[0]] : &from->a;
    memcpy(s->slot[r].a.data, a->data, (size_t)it_numel(a) * ir_dtype_bytes(a->dtype));
    return true;
}
