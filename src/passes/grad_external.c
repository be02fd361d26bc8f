/* grad_external.c - the gradient of an external op: what another op makes of operands, results and the gradients that arrive, or a
 * composition that comes with the op. */
#include "src/ir/external.h"
#include "src/passes/grad.h"

/* Operands, results, gradients of the results that are floats -> the gradient of each operand that is a float. */
static ir_ref by_op(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    const ir_external *x = ir_external_of(g, r);
    const int64_t vjp = (int64_t)x->vjp - 1;
    const unsigned nin = x->nin, nout = x->nout;
    ir_ref in[3 * IR_EXTERNAL_MOST];
    unsigned n = 0, which = 0;
    for (unsigned i = 0; i < nin; i++) in[n++] = ir_operand(g, r, i);
    for (unsigned i = 0; i < nout; i++) in[n++] = ir_result(g, r, i);
    for (unsigned i = 0; i < nout; i++)
        if (ir_is_float(ir_dtype(g, in[nin + i])))
            in[n++] = d[i] ? d[i] : ir_const_like(g, in[nin + i], 0);
    for (unsigned i = 0; i < k; i++) which += ir_is_float(ir_dtype(g, in[i]));
    return ir_result(g, ir_external_call(g, vjp, in, n), which);
}

ir_ref grad_external(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    const ir_external *x = ir_external_of(g, r);
    if (x->grad) return x->grad(g, r, k, d);
    if (x->vjp) return by_op(g, r, k, d);
    g->site = g->sites.p[r];
    g->op = NULL; /* the op is to blame, not who asks */
    return ir_error_as(g, BZ_EGRAD, x->name, x->vjp_function
                           ? "has no gradient here: its own is a function on tensors, which texts "
                             "don't have (vjp_op names an op)"
                           : "has no gradient: it was registered without");
}
