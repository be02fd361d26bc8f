/* cumsum.c - sums of what stands before along an axis, each element itself included.
 *
 *     k =     0    1   ...  127 | 128          129                  chains of 128, each from its own start
 *     y =    x0  x0+x1 ...  s0  | s0+x128      s0+(x128+x129)       and before it the sum of the chains before, in order */
#include "src/ir/structs.h"

#include <string.h>

ir_ref ir_cumsum(ir_graph *g, ir_ref x, int axis) {
    if (!x) return 0;
    const unsigned rank = ir_at(g, x)->rank;
    const bz_dtype t = ir_dtype(g, x);
    ir_dim dims[IR_MAX_RANK];
    int64_t a = ir_front_axis(g, IR_CUMSUM, x, axis, rank);
    if (a < 0) return 0;
    if (!ir_is_float(t)) x = ir_cast(g, x, BZ_I64);
    if (rank == 0 || !x) return x;
    memcpy(dims, dims_of(g, x), rank * sizeof *dims);
    return ir_append(g, IR_CUMSUM, ir_dtype(g, x), dims, rank, &x, 1, &a, 1);
}

bool ck_cumsum(const ck *c) {
    const ir_node *x = ck_in(c, 0);
    if (!ir_is_float((bz_dtype)x->dtype) && x->dtype != BZ_I64)
        return ck_wrong(c, BZ_EDTYPE, "integers and bool are i64");
    return ck_attrs(c, 1) && ck_axis(c, c->attr[0], x->rank) && ck_like(c, x);
}

/* x + y; from -0, which no sum of what follows can tell from nothing. */
static it_number plus(it_acc k, it_number x, it_number y) {
    if (k == IT_I64) return (it_number){.i = (int64_t)((uint64_t)x.i + (uint64_t)y.i)};
    return k == IT_F64 ? (it_number){.d = x.d + y.d} : (it_number){.f = x.f + y.f};
}

static it_number nothing(it_acc k) {
    return k == IT_I64   ? (it_number){.i = 0}
           : k == IT_F64 ? (it_number){.d = -0.0}
                         : (it_number){.f = -0.0f};
}

static it_number number_at(it_acc k, const char *row, int64_t i) {
    it_number v = {0};
    memcpy(&v, row + (size_t)i * it_acc_bytes(k), it_acc_bytes(k));
    return v;
}

bool it_cumsum(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *out = &s->slot[r].a;
    const unsigned axis = (unsigned)it_attrs(s, r)[0];
    const it_acc k = it_acc_of(x->dtype);
    int64_t strides[IR_MAX_RANK], n = x->shape[axis];
    it_axes rows = {0}, along = {0};
    char *row = bz_mem_alloc((size_t)n * it_acc_bytes(k));
    if (!row) return it_fail(s, r, BZ_ENOMEM, "out of memory");
    it_strides(x, strides);
    for (unsigned i = 0; i < x->rank; i++) it_add_axis(i == axis ? &along : &rows, x, strides, i);
    for (it_walk w = it_walk_axes(&rows, 0); w.left; it_next(&w)) {
        it_number before = nothing(k), chain = nothing(k);
        it_load_axes(x, &along, w.at, k, row);
        for (int64_t i = 0; i < n; i++) {
            if (i && i % IR_CHAIN == 0) before = plus(k, before, chain), chain = nothing(k);
            chain = plus(k, chain, number_at(k, row, i));
            it_number y = plus(k, before, chain);
            it_acc_store(out->dtype, it_element(out, w.at + i * strides[axis]), k, &y);
        }
    }
    bz_mem_free(row);
    return true;
}
