/* operand.c - C numbers among the operands of a builder call: tensors for as long as the call lasts. */
#include "runtime/api/host.h"

/* The context that the operands lead to, NULL: none. */
static bz_context *context_of(const bz_operand *x, int n) {
    bz_context *c = NULL;
    for (int i = 0; i < n && !c; i++)
        if (x[i].kind == BZ_TENSOR_OPERAND) rt_find_quietly(x[i].v.tensor, &c);
    return c;
}

static bz_tensor *number(bz_context *c, const bz_operand *x, const char *site) {
    switch (x->kind) {
    case BZ_FLOAT_OPERAND: return bz_scalar_at(c, x->v.f, site);
    case BZ_BOOL_OPERAND: return rt_scalar_bool(c, x->v.i != 0);
    case BZ_UINT_OPERAND:
        return x->v.u > INT64_MAX ? rt_scalar_u64(c, x->v.u)
                                  : bz_scalar_int_at(c, (int64_t)x->v.u, site);
    default: return bz_scalar_int_at(c, x->v.i, site);
    }
}

void bz_numbers_begin(bz_operand *x, int n, const char *site) {
    bz_context *c = context_of(x, n);
    for (int i = 0; i < n; i++)
        if (x[i].kind != BZ_TENSOR_OPERAND) x[i].v.tensor = c ? number(c, &x[i], site) : NULL;
}

void bz_numbers_end(bz_operand *x, int n) {
    for (int i = 0; i < n; i++)
        if (x[i].kind != BZ_TENSOR_OPERAND) bz_release(x[i].v.tensor);
}
