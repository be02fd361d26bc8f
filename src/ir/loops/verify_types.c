/* verify_types.c - does one instruction have the operands that its op wants? Says what is wrong, or
 * NULL.
 *
 * The caller has made sure that operands are numbers of earlier instructions. */
#include "src/ir/loops/verify.h"

#include "src/ir/value.h"

#include <string.h>

static const lp_inst *arg(const lp_kernel *k, const lp_inst *i, unsigned j) {
    return &k->inst.p[lp_args(k, i)[j]];
}

static bool is_value(const lp_inst *x, bz_dtype t, unsigned lanes) {
    return x->lanes == lanes && x->dtype == t;
}

static bool is_pointer(const lp_inst *x) {
    return lp_fact_of(x->op).result == 'P';
}

static bool is_index(const lp_inst *x) {
    return x->lanes >= 1 && (x->dtype == BZ_I64 || x->dtype == BZ_I32);
}

static bool same_type(const lp_inst *x, const lp_inst *y) {
    return x->dtype == y->dtype && x->lanes == y->lanes;
}

/* ---- values */

static const char *const_problem(const lp_inst *i) {
    unsigned bits = ir_dtypes[i->dtype].bits;
    return bits < 64 && (ir_bits)i->imm >> bits ? "constant has more bits than its dtype" : NULL;
}

static const char *shuffle_problem(const lp_kernel *k, const lp_inst *i) {
    const lp_inst *x = arg(k, i, 0);
    if (x->lanes == 0 || !same_type(x, arg(k, i, 1)) || x->dtype != i->dtype)
        return "operands are not vectors of the result's dtype and equal lanes";
    const uint32_t *pick = lp_args(k, i) + i->nargs;
    for (unsigned l = 0; l < i->lanes; l++)
        if (pick[l] >= 2u * x->lanes) return "lane number beyond both operands";
    return NULL;
}

static const char *mma_problem(const lp_kernel *k, const lp_inst *i) {
    const uint32_t *mnk = lp_args(k, i) + i->nargs;
    const lp_inst *a = arg(k, i, 0);
    if (!ir_is_half((bz_dtype)a->dtype) && a->dtype != BZ_F32)
        return "fragments are not f16, bf16 or f32";
    const unsigned each = 4 / (unsigned)ir_dtype_bytes((bz_dtype)a->dtype); /* of a register */
    if (mnk[0] != 16 || mnk[1] != 8 || mnk[2] != 8 * each)
        return each == 2 ? "mma shape is not [16, 8, 16]" : "mma shape is not [16, 8, 8]";
    bool ok = a->lanes == 4 * each && is_value(arg(k, i, 1), a->dtype, 2 * each) &&
              is_value(arg(k, i, 2), BZ_F32, 4) && is_value(i, BZ_F32, 4);
    return ok ? NULL : "fragments are not 16 bytes, 8 bytes, f32x4 -> f32x4";
}

static const char *table_problem(const lp_kernel *k, const lp_inst *i) {
    if (i->imm < 0 || i->imm >= ir_vtable_count) return "no such constant table";
    if (ir_vtables[i->imm].dtype != i->dtype) return "table is of another dtype";
    return is_index(arg(k, i, 0)) && arg(k, i, 0)->lanes == i->lanes
               ? NULL
               : "index does not fit the result";
}

static const char *lane_problem(const lp_kernel *k, const lp_inst *i) {
    const lp_inst *x = arg(k, i, 0);
    if (i->imm < 0 || i->imm >= x->lanes) return "lane number beyond the vector";
    if (i->op == LP_EXTRACT)
        return is_value(i, x->dtype, 1) ? NULL : "result is not a scalar of the vector's dtype";
    bool ok = same_type(i, x) && is_value(arg(k, i, 1), x->dtype, 1);
    return ok ? NULL : "insert needs a vector and a scalar of its dtype";
}

static const char *value_problem(const lp_kernel *k, const lp_inst *i) {
    const lp_inst *x = i->nargs ? arg(k, i, 0) : NULL;
    switch (i->op) {
    case LP_CONST: return const_problem(i);
    case LP_EXTENT:
        if (i->imm < 0 || i->imm >= k->extents.n) return "no such extent";
        return is_value(i, BZ_I64, 1) ? NULL : "an extent is an i64";
    case LP_SCALAR:
        if (i->imm < 0 || i->imm >= k->scalars.n) return "no such scalar argument";
        return is_value(i, k->scalars.p[i->imm].dtype, 1) ? NULL
                                                          : "type differs from the parameter's";
    case LP_TABLE: return table_problem(k, i);
    case LP_SPLAT:
        return is_value(x, i->dtype, 1) ? NULL : "splat needs a scalar of the result's dtype";
    case LP_LANEID: return is_index(i) ? NULL : "laneid is i32 or i64";
    case LP_EXTRACT:
    case LP_INSERT: return lane_problem(k, i);
    case LP_SHUFFLE: return shuffle_problem(k, i);
    case LP_ANY:
    case LP_ALL:
        return x->lanes && x->dtype == BZ_BOOL && is_value(i, BZ_BOOL, 1)
                   ? NULL
                   : "operand is not a mask or result not a bool";
    case LP_WARP_SHUFFLE:
        if (i->imm < 0 || i->imm > 31) return "lane distance is not in 0 .. 31";
        return x->lanes && same_type(i, x) ? NULL : "result type differs from the operand's";
    default: return mma_problem(k, i);
    }
}

/* ---- memory */

static const lp_inst *root(const lp_kernel *k, const lp_inst *p) {
    while (p->op == LP_OFFSET) p = arg(k, p, 0);
    return p;
}

static const char *write_problem(const lp_kernel *k, const lp_inst *p) {
    p = root(k, p);
    return p->op == LP_BUFFER && k->buffers.p[p->imm].access == LP_IN ? "buffer is only read (in)"
                                                                      : NULL;
}

static const char *mask_problem(const lp_kernel *k, const lp_inst *i, unsigned j, unsigned lanes) {
    return i->nargs <= j || is_value(arg(k, i, j), BZ_BOOL, lanes)
               ? NULL
               : "mask is not bool with the value's lanes";
}

static const char *pointer_problem(const lp_kernel *k, const lp_inst *i) {
    if (i->op == LP_OFFSET)
        return arg(k, i, 0)->dtype == i->dtype ? NULL : "pointers of different dtypes";
    if (i->op == LP_LOCAL) {
        if (i->imm < 1 || i->imm > (1 << 30)) return "number of elements is not in 1 .. 2^30";
        return (i->flags & 15) <= LP_SHARED ? NULL : "unknown scope";
    }
    if (i->imm < 0 || i->imm >= k->buffers.n) return "no such buffer";
    return k->buffers.p[i->imm].dtype == i->dtype ? NULL : "dtype differs from the parameter's";
}

static const char *read_problem(const lp_kernel *k, const lp_inst *i) {
    if (arg(k, i, 0)->dtype != i->dtype) return "dtype differs from the pointer's";
    if (i->op == LP_GATHER && arg(k, i, 1)->lanes != i->lanes)
        return "index and result have different lanes";
    return mask_problem(k, i, 2, i->lanes);
}

static const char *store_problem(const lp_kernel *k, const lp_inst *i) {
    const lp_inst *p = arg(k, i, 0), *v = arg(k, i, 2);
    if (v->lanes == 0 || v->dtype != p->dtype || v->dtype != i->dtype)
        return "value differs from the pointer in dtype";
    if (i->op == LP_SCATTER && arg(k, i, 1)->lanes != v->lanes)
        return "index and value have different lanes";
    if (i->op == LP_ATOMIC) {
        bool order = i->imm == IR_MAX || i->imm == IR_MIN;
        bool exact = i->imm == IR_ADD || i->imm == IR_AND || i->imm == IR_OR || i->imm == IR_XOR;
        if (v->lanes != 1) return "atomics are scalar";
        if (!order && !(exact && !ir_is_float(v->dtype))) return "no such atomic for this dtype";
        if (ir_is_half(v->dtype) || v->dtype == BZ_BOOL) return "no such atomic for this dtype";
    }
    const char *problem = mask_problem(k, i, 3, v->lanes);
    return problem ? problem : write_problem(k, p);
}

static const char *copy_problem(const lp_kernel *k, const lp_inst *i) {
    if (arg(k, i, 0)->dtype != arg(k, i, 2)->dtype) return "pointers of different dtypes";
    if (i->imm < 1) return "number of elements is not positive";
    const char *problem = mask_problem(k, i, 4, 1);
    return problem ? problem : write_problem(k, arg(k, i, 0));
}

static const char *matrix_problem(const lp_kernel *k, const lp_inst *i) {
    const size_t each = ir_dtype_bytes((bz_dtype)i->dtype), bytes = i->lanes * each;
    if (arg(k, i, 0)->dtype != i->dtype) return "dtype differs from the pointer's";
    const lp_inst *p = root(k, arg(k, i, 0));
    if (p->op != LP_LOCAL || (p->flags & 15) != LP_SHARED) return "matrices lie in shared memory";
    if (each != 2 && each != 4) return "elements have neither 2 nor 4 bytes";
    if (bytes != 4 && bytes != 8 && bytes != 16) return "matrices are not 1, 2 or 4";
    if (i->imm != 0 && (i->imm != 1 || each != 2)) return "only 16-bit elements are transposed";
    return NULL;
}

static const char *memory_problem(const lp_kernel *k, const lp_inst *i) {
    const char *form = lp_fact_of(i->op).form;
    for (unsigned j = 0; form[0] == 'p' && j < (form[1] == 'p' ? 4 : 2); j += 2) {
        if (!is_pointer(arg(k, i, j))) return "operand is not a pointer";
        bool many = i->op == LP_GATHER || i->op == LP_SCATTER;
        if (many ? !is_index(arg(k, i, j + 1)) : !is_value(arg(k, i, j + 1), BZ_I64, 1))
            return many ? "index is not i32 or i64" : "index is not an i64 scalar";
    }
    switch (i->op) {
    case LP_BUFFER:
    case LP_LOCAL:
    case LP_OFFSET: return pointer_problem(k, i);
    case LP_IS_ALIGNED:
        if (i->imm < 1 || (i->imm & (i->imm - 1))) return "alignment is not a power of two";
        return is_value(i, BZ_BOOL, 1) ? NULL : "result is not a bool";
    case LP_LOAD:
    case LP_GATHER: return read_problem(k, i);
    case LP_ASYNC_COPY: return copy_problem(k, i);
    case LP_LDMATRIX: return matrix_problem(k, i);
    case LP_PREFETCH:
        return i->imm == 0 || i->imm == 1 ? NULL : "prefetch is 0 (read) or 1 (write)";
    case LP_ASYNC_WAIT: return i->imm >= 0 ? NULL : "number of groups is negative";
    default: return store_problem(k, i);
    }
}

/* ---- calls and control */

static const char *call_problem(const lp_kernel *k, const lp_module *m, const lp_inst *i) {
    if (!m || i->imm < 0 || i->imm >= m->k.n) return "no such function";
    const lp_kernel *f = m->k.p[i->imm];
    if (!f->function) return "a kernel is not called";
    for (uint32_t j = 0; j < m->k.n && m->k.p[j] != k; j++)
        if (j == i->imm) goto before;
    return "function does not come before its caller";
before:
    if (i->nargs != f->buffers.n + f->extents.n + f->scalars.n) return "wrong number of arguments";
    for (unsigned j = 0; j < i->nargs; j++) {
        const lp_inst *x = arg(k, i, j);
        if (j < f->buffers.n) {
            if (!is_pointer(x) || x->dtype != f->buffers.p[j].dtype)
                return "argument is not a pointer of the parameter's dtype";
            if (f->buffers.p[j].access != LP_IN && write_problem(k, x))
                return "buffer that is only read (in) given to be written";
        } else if (j < f->buffers.n + f->extents.n) {
            if (!is_value(x, BZ_I64, 1)) return "extent argument is not an i64 scalar";
        } else if (!is_value(x, f->scalars.p[j - f->buffers.n - f->extents.n].dtype, 1)) {
            return "scalar argument differs in type";
        }
    }
    return NULL;
}

/* What a C function takes as an argument. */
static bool is_c_argument(const lp_inst *x) {
    return is_pointer(x) || is_value(x, BZ_I64, 1) || is_value(x, BZ_I32, 1) ||
           is_value(x, BZ_U64, 1) || is_value(x, BZ_U32, 1) || is_value(x, BZ_F32, 1) ||
           is_value(x, BZ_F64, 1);
}

static const char *external_problem(const lp_kernel *k, const lp_inst *i) {
    if (i->nargs < 2 || !is_value(arg(k, i, 0), BZ_I64, 1) || !is_value(arg(k, i, 1), BZ_I64, 1))
        return "external needs an address and an element, i64 scalars";
    for (unsigned j = 2; j < i->nargs; j++)
        if (!is_c_argument(arg(k, i, j)))
            return "argument is no pointer and no scalar of 32 or 64 bits";
    return NULL;
}

static const char *control_problem(const lp_kernel *k, const lp_inst *i) {
    unsigned skip = i->op == LP_LOOP ? 2 : 0;
    if (i->op == LP_IF)
        return is_value(arg(k, i, 0), BZ_BOOL, 1) ? NULL : "condition is not a bool scalar";
    if (i->op == LP_LOOP) {
        if (!is_value(arg(k, i, 0), BZ_I64, 1) || !is_value(arg(k, i, 1), BZ_I64, 1))
            return "bounds are not i64 scalars";
        if (!is_value(i, BZ_I64, 1)) return "the index of a loop is an i64";
        if (i->imm < 1) return "step is not positive";
        if ((i->flags & 15) > LP_LANE) return "unknown kind of loop";
    }
    for (unsigned j = skip; j < i->nargs; j++)
        if (arg(k, i, j)->lanes == 0) return "a carried value is not a value";
    return NULL;
}

static const char *count_problem(const lp_inst *i) {
    const char *form = lp_fact_of(i->op).form;
    int n = lp_form_args(form);
    bool special = i->op == LP_LOOP || i->op == LP_WHILE || i->op == LP_CALL || i->op == LP_CARRY ||
                   i->op == LP_RESULT;
    if (i->op == LP_LOOP && i->nargs < 2) return "wrong number of operands";
    if ((i->op == LP_CARRY || i->op == LP_RESULT) && i->nargs != 1)
        return "wrong number of operands";
    if (n < 0 || special) return NULL;
    const bool masked = strchr(form, 'm') != NULL;
    return i->nargs == n || (masked && i->nargs == n + 1) ? NULL : "wrong number of operands";
}

static const char *result_problem(const lp_inst *i) {
    char result = lp_fact_of(i->op).result;
    if (i->dtype >= BZ_NDTYPES || ir_is_complex((bz_dtype)i->dtype)) return "no such dtype";
    if (i->lanes > LP_MAX_LANES) return "too many lanes";
    if ((result == 'V') != (i->lanes > 0))
        return result == 'V' ? "a value has lanes" : "only a value has lanes";
    return NULL;
}

const char *lp_type_problem(const lp_kernel *k, const lp_module *m, const lp_inst *i) {
    const char *problem = result_problem(i);
    if (!problem) problem = count_problem(i);
    if (problem) return problem;
    if (ir_op_is_base(i->op)) {
        const lp_inst *x[3] = {NULL, NULL, NULL};
        for (unsigned j = 0; j < i->nargs; j++) x[j] = arg(k, i, j);
        return lp_base_problem(i->op, x, i->nargs, (bz_dtype)i->dtype, i->lanes);
    }
    if (i->op == LP_CALL) return call_problem(k, m, i);
    if (i->op == LP_EXTERNAL) return external_problem(k, i);
    if (i->op == LP_ERROR) {
        bool ok = is_value(arg(k, i, 0), BZ_BOOL, 1) && is_value(arg(k, i, 1), BZ_I64, 1);
        return ok ? NULL : "error needs a bool and an i64 scalar";
    }
    if ((i->op >= LP_BUFFER && i->op <= LP_ASYNC_WAIT) || i->op == LP_LDMATRIX)
        return memory_problem(k, i);
    if (lp_opens_region(i->op)) return control_problem(k, i);
    if (i->op < LP_BUFFER || i->op == LP_WARP_SHUFFLE || i->op == LP_MMA)
        return value_problem(k, i);
    return NULL;
}
