/* external.c - an op of a C function: one task, which calls it.
 *
 *     external %function, %node, %user, scalars and pointers to operands ..., pointers to results ..., sizes ...
 *
 * Address, user's pointer and sizes are numbers of the launch, so that the code is one for all functions of a prototype, here, from
 * the cache and in an export, whose linker fills the first two in. */
#include "src/ir/external.h"
#include "src/passes/cpu/cpu.h"
#include "src/passes/emit_parts.h"

#include <string.h>

/* A value as C hands it over: what is narrower than an int as one. */
static lp_val argument(lower *l, ir_ref r, bz_dtype t) {
    lp_builder *b = l->b;
    lp_val v = emit_node(&l->m, r, NULL).v[0];
    if (ir_dtype_bytes(t) >= 4) return v;
    if (!ir_is_half(t)) return emit_cast(b, BZ_I32, t, v);
    v = emit_cast(b, BZ_I32, BZ_I16, lp_base(b, IR_BITCAST, BZ_I16, &v, 1));
    return lp_base(b, IR_AND, BZ_I32, (lp_val[]){v, lp_const(b, BZ_I32, 0xffff, 1)}, 2);
}

static lp_val operand(lower *l, const ir_slot *s, ir_ref x) {
    if (!s->rank) return argument(l, x, s->dtype);
    const emit_bind *bind = &l->m.bind[fuse_same_buffer(l->g, x)];
    bz_assert(bind->kind == BIND_BUFFER); /* by expand.c */
    return bind->p;
}

/* Results that nobody reads are written all the same. */
static lp_val result(lower *l, ir_ref r, unsigned k) {
    ir_type t;
    int64_t count;
    const lp_val p = lower_result(l, k);
    if (p) return p;
    if (!ir_result_type(l->g, r, k, &t) || !ir_dims_numel(l->g, t.dims, t.rank, &count))
        return emit_fail(&l->m), 0;
    return lower_work(l, t.dtype, count ? count : 1);
}

bool lower_external(lower *l) {
    const ir_ref r = l->group->head;
    const ir_external *x = ir_external_of(l->g, r);
    lp_val args[4 + 3 * IR_EXTERNAL_MOST];
    int64_t shape[IR_EXTERNAL_MOST][IR_MAX_RANK], sizes[IR_EXTERNAL_MOST];
    const int64_t *shapes[IR_EXTERNAL_MOST];
    unsigned n = 0;
    if (l->t->machine != &pass_cpu) return l->m.unsupported = r, false;
    lp_builder *b = l->b;
    args[n++] = emit_extent(&l->m, "function", (int64_t)(intptr_t)x->fn);
    const lp_val user = emit_extent(&l->m, "user", (int64_t)(intptr_t)x->user);
    args[n++] = emit_site(&l->m, r);
    args[n++] = user;
    for (unsigned k = 0; k < x->nin; k++) {
        ir_static_shape(l->g, ir_operand(l->g, r, k), shape[k]);
        shapes[k] = shape[k];
    }
    ir_external_sizes(x, shapes, sizes);
    for (unsigned k = 0; k < x->nout; k++) args[n + x->nin + k] = result(l, r, k);
    lp_loop(b, LP_PARALLEL, lp_index(b, 0), lp_index(b, 1), 1, NULL, 0, NULL);
    for (unsigned k = 0; k < x->nin; k++)
        args[n + k] = operand(l, &x->slot[k], ir_operand(l->g, r, k));
    n += x->nin + x->nout;
    for (unsigned i = 0; i < x->nsyms; i++) args[n++] = emit_extent(&l->m, "n", sizes[i]);
    if (l->m.failed) return false;
    lp_external(b, args, n);
    lp_end(b, NULL, 0, NULL);
    return !l->m.failed;
}
