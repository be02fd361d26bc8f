/* custom.c - a value with a gradient of its own. */
#include "src/ir/structs.h"

ir_ref ir_stand_in(ir_graph *g, ir_ref x) {
    if (!x) return 0;
    const ir_node *n = ir_at(g, x);
    return ir_append(g, IR_STAND_IN, (bz_dtype)n->dtype, ir_dims(g, n), n->rank, &x, 1, NULL, 0);
}

ir_ref ir_custom_grad(ir_graph *g, const ir_ref *x, unsigned nout, unsigned nin) {
    for (unsigned k = 0; k < 3 * nout + 2 * nin; k++)
        if (!x[k]) return 0;
    const ir_node *n = ir_at(g, x[0]);
    return ir_append(g, IR_CUSTOM_GRAD, (bz_dtype)n->dtype, ir_dims(g, n), n->rank, x,
                     3 * nout + 2 * nin, (int64_t[]){nout, nin}, 2);
}

ir_custom ir_custom_get(const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    unsigned nout = (unsigned)ir_attrs(g, n)[0], nin = (unsigned)ir_attrs(g, n)[1];
    const ir_ref *x = ir_in(g, n);
    return (ir_custom){nout, nin, x, x + nout, x + 3 * nout, x + 3 * nout + nin};
}

unsigned ir_custom_grad_results(const ir_graph *g, ir_ref r, unsigned k, ir_type *t) {
    ir_custom c = ir_custom_get(g, r);
    if (k < c.nout) *t = ir_type_of(g, c.f[k]);
    return c.nout;
}

/* f, stand-ins of the results and of their gradients, inputs, gradients of the inputs. */
bool ck_custom_grad(const ck *c) {
    if (!ck_attrs(c, 2)) return false;
    int64_t nout = c->attr[0], nin = c->attr[1];
    if (nout < 1 || nin < 1 || nout > UINT16_MAX || nin > UINT16_MAX ||
        3 * nout + 2 * nin != c->n->nin)
        return ck_wrong(c, BZ_EARG, "3 operands a result and 2 an input are needed");
    for (int64_t k = 0; k < 2 * nout + nin; k++) {
        bool input = k >= 2 * nout;
        unsigned of = (unsigned)(input ? k + nout : k % nout),
                 at = (unsigned)(k + nout + (input ? nin : 0));
        if (!input && ck_in(c, at)->op != IR_STAND_IN)
            return ck_wrong(c, BZ_EARG, "operand %u is no stand-in", at);
        if (!ir_same_type(c->g, ir_in(c->g, c->n)[of], c->g, ir_in(c->g, c->n)[at]))
            return ck_wrong(c, BZ_ESHAPE, "operand %u is not of the type of operand %u", at, of);
    }
    return ck_like(c, ck_in(c, 0));
}

/* Its results take the values of f. */
bool it_custom_grad(it_state *s, ir_ref r) {
    (void)s, (void)r;
    return true;
}

/* ---- a stand-in */

bool ck_stand_in(const ck *c) {
    return ck_copy(c);
}

bool it_stand_in(it_state *s, ir_ref r) {
    return it_fail(s, r, BZ_EMODE, IR_STAND_IN_USED);
}
