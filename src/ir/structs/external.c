/* external.c - the node of an op whose values a C function computes (src/ir/external.h). */
#include "src/ir/external.h"
#include "src/ir/structs.h"

#include <string.h>

bool ck_external(const ck *c) {
    bz_error e = {0};
    if (!ck_attrs(c, 1)) return false;
    const ir_external *x = ir_external_at(c->g->m, c->attr[0]);
    if (!x) return ck_wrong(c, BZ_EARG, "there is no op %lld", (long long)c->attr[0]);
    if (c->n->nin != x->nin) return ck_wrong(c, BZ_EARG, "%s takes %u operands", x->name, x->nin);
    if (!ir_external_fits(c->g, x, ir_in(c->g, c->n), &e)) return ck_wrong(c, e.status, "%s", e.text);
    ir_type t;
    ir_external_results(c->g, c->r, 0, &t);
    bool ok = ck_dtype(c, t.dtype) && ck_rank(c, t.rank);
    for (unsigned a = 0; ok && a < t.rank; a++) ok = ck_size(c, a, t.dims[a]);
    return ok;
}

bool it_external(it_state *s, ir_ref r) {
    const ir_external *x = ir_external_of(s->g, r);
    const void *in[IR_EXTERNAL_MOST];
    void *out[IR_EXTERNAL_MOST];
    const int64_t *shape[IR_EXTERNAL_MOST];
    int64_t sizes[IR_EXTERNAL_MOST];
    int status = 0;
    bz_error e = {0};
    if (!it_new_results(s, r)) return false;
    for (unsigned k = 0; k < x->nin; k++) {
        in[k] = it_operand(s, r, k)->data;
        shape[k] = it_operand(s, r, k)->shape;
    }
    bool some = false;
    for (unsigned k = 0; k < x->nout; k++) {
        out[k] = s->slot[r].many[k].data;
        some |= it_numel(&s->slot[r].many[k]) > 0;
    }
    if (!some) return true;
    ir_external_sizes(x, shape, sizes);
    if (ir_external_run(x, in, out, sizes, &status, &e))
        return it_fail(s, r, e.status, "%s", e.text);
    return !status || (ir_external_failed(x->name, s->g->sites.p[r], status, s->e), false);
}
