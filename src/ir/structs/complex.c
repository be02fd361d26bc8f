/* complex.c - complex numbers of two real ones, and back: the only ops that know how a complex number lies in memory. */
#include "src/ir/complex.h"
#include "src/ir/structs.h"

#include <string.h>

static bz_dtype complex_of(bz_dtype part) {
    return part == BZ_F64 ? BZ_C128 : BZ_C64;
}

ir_ref ir_complex(ir_graph *g, ir_ref re, ir_ref im) {
    ir_dim dims[IR_MAX_RANK];
    ir_ref x[2] = {re, im};
    if (!re || !im) return 0;
    const bz_dtype t = ir_dtype(g, re);
    if ((t != BZ_F32 && t != BZ_F64) || ir_dtype(g, im) != t)
        return ir_error(g, BZ_EDTYPE, IR_COMPLEX, "the parts are two f32 or two f64, not %s and %s",
                        ir_shape_text(g, re), ir_shape_text(g, im));
    const int rank = ir_common_shape(g, IR_COMPLEX, x, 2, dims);
    if (rank < 0) return 0;
    if (rank >= IR_MAX_RANK)
        return ir_error(g, BZ_ESHAPE, IR_COMPLEX, "%d dimensions; at most %d are possible", rank, IR_MAX_RANK - 1);
    for (unsigned k = 0; k < 2; k++) x[k] = ir_expand_dims_like(g, x[k], dims, (unsigned)rank);
    return ir_append(g, IR_COMPLEX, complex_of(t), dims, (unsigned)rank, x, 2, NULL, 0);
}

static ir_ref part(ir_graph *g, ir_op op, ir_ref x) {
    ir_dim dims[IR_MAX_RANK];
    if (ir_skips(g, x, IR_COMPLEX)) return ir_operand(g, x, op == IR_IMAG);
    const unsigned rank = ir_at(g, x)->rank;
    if (rank >= IR_MAX_RANK)
        return ir_error(g, BZ_ESHAPE, op, "%u dimensions; at most %d are possible", rank, IR_MAX_RANK - 1);
    memcpy(dims, dims_of(g, x), rank * sizeof *dims);
    return ir_append(g, op, ir_part_dtype(ir_dtype(g, x)), dims, rank, &x, 1, NULL, 0);
}

ir_ref ir_real(ir_graph *g, ir_ref x) {
    return x && ir_is_complex(ir_dtype(g, x)) ? part(g, IR_REAL, x) : x;
}

ir_ref ir_imag(ir_graph *g, ir_ref x) {
    if (!x) return 0;
    if (ir_is_complex(ir_dtype(g, x))) return part(g, IR_IMAG, x);
    return ir_error(g, BZ_EDTYPE, IR_IMAG, "%s has no imaginary part", ir_shape_text(g, x));
}

/* ---- are the nodes right? */

static bool check_part(const ck *c, bz_dtype complex, bz_dtype real, const ir_node *x) {
    if (!ir_is_complex(complex) || ir_part_dtype(complex) != real)
        return ck_wrong(c, BZ_EDTYPE, "%s is no part of %s", ir_dtypes[real].name, ir_dtypes[complex].name);
    bool ok = ck_rank(c, x->rank);
    for (unsigned a = 0; ok && a < x->rank; a++) ok = ck_size(c, a, ck_dim(c, x, a));
    return ok;
}

bool ck_complex(const ck *c) {
    bool ok = ck_attrs(c, 0);
    for (unsigned k = 0; ok && k < 2; k++)
        ok = check_part(c, (bz_dtype)c->n->dtype, (bz_dtype)ck_in(c, k)->dtype, ck_in(c, k));
    return ok;
}

bool ck_real(const ck *c) {
    return ck_attrs(c, 0) &&
           check_part(c, (bz_dtype)ck_in(c, 0)->dtype, (bz_dtype)c->n->dtype, ck_in(c, 0));
}

bool ck_imag(const ck *c) {
    return ck_real(c);
}

/* ---- values: n elements of `bytes`, `to` and `from` so many bytes apart */

static void copy_apart(char *to, size_t to_step, const char *from, size_t from_step, size_t bytes, int64_t n) {
    for (int64_t i = 0; i < n; i++, to += to_step, from += from_step) memcpy(to, from, bytes);
}

bool it_complex(it_state *s, ir_ref r) {
    const it_array *out = &s->slot[r].a;
    const size_t bytes = ir_dtype_bytes(out->dtype) / 2;
    for (unsigned k = 0; k < 2; k++)
        copy_apart((char *)out->data + k * bytes, 2 * bytes, it_operand(s, r, k)->data, bytes, bytes, it_numel(out));
    return true;
}

static bool take_part(it_state *s, ir_ref r, unsigned k) {
    const it_array *out = &s->slot[r].a;
    const size_t bytes = ir_dtype_bytes(out->dtype);
    copy_apart(out->data, bytes, (const char *)it_operand(s, r, 0)->data + k * bytes, 2 * bytes, bytes, it_numel(out));
    return true;
}

bool it_real(it_state *s, ir_ref r) {
    return take_part(s, r, 0);
}

bool it_imag(it_state *s, ir_ref r) {
    return take_part(s, r, 1);
}
