/* verify.c - is every node what its op's rules infer from its operands?
 *
 * The rules are stated a second time, apart from the constructors, as checks (those of structural ops beside the constructors, in
 * structs/): a pass that builds a wrong node is found at that node. needs: nothing. gives: BZ_OK, or the first wrong node in words. */
#include "src/ir/structs.h"

#include <stdio.h>

bool ck_wrong(const ck *c, bz_status s, const char *fmt, ...) {
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    bz_vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *site = c->g->sites.p[c->r];
    bz_fail(c->e, s, "[%s] node %u: %s%s%s",
            c->n->op < IR_NOPS && ir_ops[c->n->op].name ? ir_ops[c->n->op].name : "?", c->r, text,
            site ? " at " : "", site ? site : "");
    return false;
}

/* ---- what holds for every node */

static bool check_operands(const ck *c) {
    for (unsigned k = 0; k < c->n->nin; k++) {
        ir_ref x = ir_in(c->g, c->n)[k];
        if (x == 0 || x >= c->r) return ck_wrong(c, BZ_EARG, "operand %u is no earlier node", k);
        if ((ir_at(c->g, x)->flags & IR_IS_TUPLE) && c->n->op != IR_RESULT)
            return ck_wrong(c, BZ_EARG, "operand %u is several results; only result may take one",
                            k);
    }
    unsigned arity = ir_ops[c->n->op].arity;
    return arity == 255 || arity == c->n->nin ||
           ck_wrong(c, BZ_EARG, "takes %u operands, not %u", arity, c->n->nin);
}

static bool check_dims(const ck *c) {
    int64_t n = 1, v;
    bool empty = false, huge = false;
    for (unsigned a = 0; a < c->n->rank; a++) {
        if (ck_dim(c, c->n, a) == 0 || ck_dim(c, c->n, a) >= c->g->m->ex.n.n)
            return ck_wrong(c, BZ_ESHAPE, "axis %u has no size", a);
        if (!ck_known(c, c->n, a, &v)) continue;
        if (v < 0) return ck_wrong(c, BZ_ESHAPE, "axis %u has the size %lld", a, (long long)v);
        empty = empty || v == 0;
        huge = huge || (v && (__builtin_mul_overflow(n, v, &n) || n > INT64_C(1) << 60));
    }
    return !huge || empty || ck_wrong(c, BZ_ESHAPE, "more than 2^60 elements");
}

static bool check_general(const ck *c) {
    bool tuple = ir_op_is_tuple(c->n->op);
    if (c->n->op == IR_NIL || c->n->op >= IR_NOPS || !ir_ops[c->n->op].name)
        return ck_wrong(c, BZ_EARG, "op %u does not exist", c->n->op);
    if (c->n->dtype >= BZ_NDTYPES || c->n->rank > IR_MAX_RANK)
        return ck_wrong(c, BZ_EARG, "dtype %u or rank %u does not exist", c->n->dtype, c->n->rank);
    if (tuple != ((c->n->flags & IR_IS_TUPLE) != 0))
        return ck_wrong(c, BZ_EARG, "the mark for several results is wrong");
    return check_operands(c) && check_dims(c);
}

/* ---- parts of rules */

bool ck_attrs(const ck *c, uint64_t n) {
    return c->n->nattr == n || ck_wrong(c, BZ_EARG, "%u attributes instead of %llu", c->n->nattr,
                                        (unsigned long long)n);
}

bool ck_dtype(const ck *c, bz_dtype t) {
    return c->n->dtype == t || ck_wrong(c, BZ_EDTYPE, "the dtype is %s instead of %s",
                                        ir_dtypes[c->n->dtype].name, ir_dtypes[t].name);
}

bool ck_rank(const ck *c, unsigned rank) {
    return c->n->rank == rank || ck_wrong(c, BZ_ESHAPE, "%u axes instead of %u", c->n->rank, rank);
}

bool ck_size(const ck *c, unsigned a, ir_dim d) {
    return ck_dim(c, c->n, a) == d ||
           ck_wrong(c, BZ_ESHAPE, "axis %u has another size than the operands give", a);
}

bool ck_like(const ck *c, const ir_node *x) {
    bool ok = ck_dtype(c, (bz_dtype)x->dtype) && ck_rank(c, x->rank);
    for (unsigned a = 0; ok && a < x->rank; a++) ok = ck_size(c, a, ck_dim(c, x, a));
    return ok;
}

bool ck_axis(const ck *c, int64_t axis, unsigned rank) {
    return (axis >= 0 && axis < (int64_t)rank) ||
           ck_wrong(c, BZ_EAXIS, "axis %lld is out of range", (long long)axis);
}

bool ck_axes(const ck *c, const int64_t *axes, unsigned n, unsigned rank, uint64_t *set) {
    for (unsigned i = 0; i < n; i++) {
        if (!ck_axis(c, axes[i], rank)) return false;
        if (*set >> axes[i] & 1)
            return ck_wrong(c, BZ_EAXIS, "axis %lld is given twice", (long long)axes[i]);
        *set |= UINT64_C(1) << axes[i];
    }
    return true;
}

/* ---- elementwise ops */

static bool check_elementwise(const ck *c) {
    bz_dtype in[3] = {BZ_BOOL, BZ_BOOL, BZ_BOOL}, t = (bz_dtype)c->n->dtype;
    if (!ck_attrs(c, 0)) return false;
    for (unsigned k = 0; k < c->n->nin; k++) {
        const ir_node *x = ck_in(c, k);
        in[k] = (bz_dtype)x->dtype;
        if (x->rank != c->n->rank || !ir_same_shape(c->g, c->r, ir_in(c->g, c->n)[k]))
            return ck_wrong(c, BZ_ESHAPE, "operand %u has another shape than the result", k);
    }
    for (unsigned k = 0; k <= c->n->nin; k++)
        if (ir_is_complex(k ? in[k - 1] : t)) return ck_wrong(c, BZ_EDTYPE, "not for complex numbers: they are recorded as their parts");
    if (c->n->op == IR_CAST) return true;
    if (c->n->op == IR_BITCAST)
        return (ir_dtype_bytes(in[0]) == ir_dtype_bytes(t) && in[0] != BZ_BOOL && t != BZ_BOOL) ||
               ck_wrong(c, BZ_EDTYPE, "%s cannot be seen as %s", ir_dtypes[in[0]].name,
                        ir_dtypes[t].name);
    return ir_op_result_dtype((ir_op)c->n->op, in, &t)
               ? ck_dtype(c, t)
               : ck_wrong(c, BZ_EDTYPE, "not defined for these dtypes");
}

/* ---- all ops */

bz_status ir_verify_node(const ir_graph *g, ir_ref r, bz_error *e) {
    bz_error own = {0};
    ck c = {g, r, ir_at(g, r), ir_attrs(g, ir_at(g, r)), e ? e : &own};
    bool ok = check_general(&c) &&
              (ir_structs[c.n->op].check ? ir_structs[c.n->op].check(&c) : check_elementwise(&c));
    return ok ? BZ_OK : c.e->status;
}

/* What lowering takes: reductions that stand for several steps and convolutions are expanded. */
static bool check_dialect(const ck *c, ir_dialect d) {
    bool arg = c->n->op == IR_REDUCE && (c->attr[0] == IR_ARGMAX || c->attr[0] == IR_ARGMIN);
    return d == IR_ANY_GRAPH || !(arg || c->n->op == IR_CONV) ||
           ck_wrong(c, BZ_EUNSUPPORTED, "%s is not expanded",
                    arg ? ir_reduce_name((ir_reduce_kind)c->attr[0]) : ir_ops[c->n->op].name);
}

static bz_status verify_outputs(const ir_graph *g, bz_error *e) {
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        const ir_output *o = &g->outputs.p[i];
        if (!o->node || o->node >= g->n.n || (ir_at(g, o->node)->flags & IR_IS_TUPLE))
            return bz_fail(e, BZ_EARG, "output %s of graph %s has no value", o->name, g->name);
        if (o->donated < -1 || o->donated >= (int)g->inputs.n)
            return bz_fail(e, BZ_EARG, "output %s of graph %s donates no input", o->name, g->name);
        for (uint32_t k = 0; k < i; k++) {
            if (o->donated >= 0 && g->outputs.p[k].donated == o->donated)
                return bz_fail(e, BZ_EARG, "input %s of graph %s is donated twice",
                               g->inputs.p[o->donated].name, g->name);
        }
        if (o->donated < 0) continue;
        ir_ref in = g->inputs.p[o->donated].node;
        if (!ir_same_shape(g, in, o->node) || ir_dtype(g, in) != ir_dtype(g, o->node))
            return bz_fail(e, BZ_ESHAPE,
                           "output %s of graph %s does not fit the input %s that is donated for it",
                           o->name, g->name, g->inputs.p[o->donated].name);
    }
    return BZ_OK;
}

bz_status ir_verify(const ir_graph *g, ir_dialect d, bz_error *e) {
    bz_error own = {0};
    e = e ? e : &own;
    if (g->err.status) return bz_fail(e, g->err.status, "%s", g->err.text);
    for (ir_ref r = 1; r < g->n.n; r++) {
        ck c = {g, r, ir_at(g, r), ir_attrs(g, ir_at(g, r)), e};
        if (ir_verify_node(g, r, e) || !check_dialect(&c, d)) return e->status;
    }
    return verify_outputs(g, e);
}
