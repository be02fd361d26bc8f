/* verify.c - is every node what its op's rules infer from its operands?
 *
 * The rules are stated here a second time, apart from the constructors, as checks: a pass that
 * builds a wrong node is found at that node. needs: nothing. gives: BZ_OK, or the first wrong node
 * in words. */
#include "src/ir/ir.h"

#include <stdio.h>

typedef struct check {
    const ir_graph *g;
    ir_ref r;
    const ir_node *n;
    const int64_t *attr;
    bz_error *e;
} check;

static bool BZ_PRINTF(3, 4) wrong(const check *c, bz_status s, const char *fmt, ...) {
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

static const ir_node *in_node(const check *c, unsigned k) {
    return ir_at(c->g, ir_in(c->g, c->n)[k]);
}

static ir_dim dim(const check *c, const ir_node *n, unsigned a) {
    return ir_dims(c->g, n)[a];
}

static bool dim_known(const check *c, const ir_node *n, unsigned a, int64_t *v) {
    return ir_dim_value(c->g, dim(c, n, a), v);
}

/* ---- what holds for every node */

static bool check_operands(const check *c) {
    for (unsigned k = 0; k < c->n->nin; k++) {
        ir_ref x = ir_in(c->g, c->n)[k];
        if (x == 0 || x >= c->r) return wrong(c, BZ_EARG, "operand %u is no earlier node", k);
        if ((ir_at(c->g, x)->flags & IR_IS_TUPLE) && c->n->op != IR_RESULT)
            return wrong(c, BZ_EARG, "operand %u is several results; only result may take one", k);
    }
    unsigned arity = ir_ops[c->n->op].arity;
    return arity == 255 || arity == c->n->nin ||
           wrong(c, BZ_EARG, "takes %u operands, not %u", arity, c->n->nin);
}

static bool check_dims(const check *c) {
    int64_t n = 1, v;
    bool empty = false, huge = false;
    for (unsigned a = 0; a < c->n->rank; a++) {
        if (dim(c, c->n, a) == 0 || dim(c, c->n, a) >= c->g->m->ex.n.n)
            return wrong(c, BZ_ESHAPE, "axis %u has no size", a);
        if (!dim_known(c, c->n, a, &v)) continue;
        if (v < 0) return wrong(c, BZ_ESHAPE, "axis %u has the size %lld", a, (long long)v);
        empty = empty || v == 0;
        huge = huge || (v && (__builtin_mul_overflow(n, v, &n) || n > INT64_C(1) << 60));
    }
    return !huge || empty || wrong(c, BZ_ESHAPE, "more than 2^60 elements");
}

static bool check_general(const check *c) {
    bool tuple = ir_op_is_tuple(c->n->op);
    if (c->n->op == IR_NIL || c->n->op >= IR_NOPS || !ir_ops[c->n->op].name)
        return wrong(c, BZ_EARG, "op %u does not exist", c->n->op);
    if (c->n->dtype >= BZ_NDTYPES || c->n->rank > IR_MAX_RANK)
        return wrong(c, BZ_EARG, "dtype %u or rank %u does not exist", c->n->dtype, c->n->rank);
    if (tuple != ((c->n->flags & IR_IS_TUPLE) != 0))
        return wrong(c, BZ_EARG, "the mark for several results is wrong");
    return check_operands(c) && check_dims(c);
}

/* ---- parts of rules */

static bool want_attrs(const check *c, uint64_t n) {
    return c->n->nattr == n ||
           wrong(c, BZ_EARG, "%u attributes instead of %llu", c->n->nattr, (unsigned long long)n);
}

static bool want_dtype(const check *c, bz_dtype t) {
    return c->n->dtype == t || wrong(c, BZ_EDTYPE, "the dtype is %s instead of %s",
                                     ir_dtypes[c->n->dtype].name, ir_dtypes[t].name);
}

static bool want_rank(const check *c, unsigned rank) {
    return c->n->rank == rank || wrong(c, BZ_ESHAPE, "%u axes instead of %u", c->n->rank, rank);
}

static bool want_dim(const check *c, unsigned a, ir_dim d) {
    return dim(c, c->n, a) == d ||
           wrong(c, BZ_ESHAPE, "axis %u has another size than the operands give", a);
}

/* The result has x's shape and dtype. */
static bool want_like(const check *c, const ir_node *x) {
    bool ok = want_dtype(c, (bz_dtype)x->dtype) && want_rank(c, x->rank);
    for (unsigned a = 0; ok && a < x->rank; a++) ok = want_dim(c, a, dim(c, x, a));
    return ok;
}

static bool want_axis(const check *c, int64_t axis, unsigned rank) {
    return (axis >= 0 && axis < (int64_t)rank) ||
           wrong(c, BZ_EAXIS, "axis %lld is out of range", (long long)axis);
}

/* n axes of a tensor, each once; adds them to *set. */
static bool want_axes(const check *c, const int64_t *axes, unsigned n, unsigned rank,
                      uint64_t *set) {
    for (unsigned i = 0; i < n; i++) {
        if (!want_axis(c, axes[i], rank)) return false;
        if (*set >> axes[i] & 1)
            return wrong(c, BZ_EAXIS, "axis %lld is given twice", (long long)axes[i]);
        *set |= UINT64_C(1) << axes[i];
    }
    return true;
}

/* ---- leaves and elementwise ops */

static bool check_input(const check *c) {
    if (!want_attrs(c, 1)) return false;
    int64_t k = c->attr[0];
    bool listed = k >= 0 && k < (int64_t)c->g->inputs.n && c->g->inputs.p[k].node == c->r;
    return listed || wrong(c, BZ_EARG, "the graph's list of inputs does not have it");
}

static bool check_const(const check *c) {
    int64_t n;
    unsigned bits = ir_dtypes[c->n->dtype].bits;
    for (uint32_t i = 0; bits < 64 && i < c->n->nattr; i++) {
        if ((uint64_t)c->attr[i] >> bits)
            return wrong(c, BZ_EARG, "value %u has more than %u bits", i, bits);
    }
    if (c->n->nattr == 1) return true;
    if (c->n->nattr > IR_MAX_CONST || !ir_numel(c->g, c->r, &n))
        return wrong(c, BZ_ESHAPE, "%u values; at most %d can be listed, for a known shape",
                     c->n->nattr, IR_MAX_CONST);
    return want_attrs(c, (uint64_t)n);
}

static bool check_elementwise(const check *c) {
    bz_dtype in[3] = {BZ_BOOL, BZ_BOOL, BZ_BOOL}, t = (bz_dtype)c->n->dtype;
    if (!want_attrs(c, 0)) return false;
    for (unsigned k = 0; k < c->n->nin; k++) {
        const ir_node *x = in_node(c, k);
        in[k] = (bz_dtype)x->dtype;
        if (x->rank != c->n->rank || !ir_same_shape(c->g, c->r, ir_in(c->g, c->n)[k]))
            return wrong(c, BZ_ESHAPE, "operand %u has another shape than the result", k);
    }
    if (c->n->op == IR_CAST) return true;
    if (c->n->op == IR_BITCAST)
        return (ir_dtype_bytes(in[0]) == ir_dtype_bytes(t) && in[0] != BZ_BOOL && t != BZ_BOOL) ||
               wrong(c, BZ_EDTYPE, "%s cannot be seen as %s", ir_dtypes[in[0]].name,
                     ir_dtypes[t].name);
    return ir_op_result_dtype((ir_op)c->n->op, in, &t)
               ? want_dtype(c, t)
               : wrong(c, BZ_EDTYPE, "not defined for these dtypes");
}

/* ---- movement */

static bool check_reshape(const check *c) {
    const ir_node *x = in_node(c, 0);
    ir_exprs *ex = &c->g->m->ex;
    ir_ex before = ir_ex_const(ex, 1), after = before;
    for (unsigned a = 0; a < x->rank; a++) before = ir_ex_mul(ex, before, dim(c, x, a));
    for (unsigned a = 0; a < c->n->rank; a++) after = ir_ex_mul(ex, after, dim(c, c->n, a));
    return want_attrs(c, 0) && want_dtype(c, (bz_dtype)x->dtype) &&
           (before == after || wrong(c, BZ_ESHAPE, "the number of elements changes"));
}

static bool check_permute(const check *c) {
    const ir_node *x = in_node(c, 0);
    uint64_t set = 0;
    bool ok = want_rank(c, x->rank) && want_attrs(c, x->rank) &&
              want_dtype(c, (bz_dtype)x->dtype) && want_axes(c, c->attr, x->rank, x->rank, &set);
    for (unsigned a = 0; ok && a < x->rank; a++)
        ok = want_dim(c, a, dim(c, x, (unsigned)c->attr[a]));
    return ok;
}

static bool check_expand(const check *c) {
    const ir_node *x = in_node(c, 0);
    if (!want_attrs(c, 0) || !want_dtype(c, (bz_dtype)x->dtype) || !want_rank(c, x->rank))
        return false;
    for (unsigned a = 0; a < x->rank; a++) {
        int64_t v;
        if ((!dim_known(c, x, a, &v) || v != 1) && !want_dim(c, a, dim(c, x, a))) return false;
    }
    return true;
}

static bool check_pad(const check *c) {
    const ir_node *x = in_node(c, 0);
    ir_exprs *ex = &c->g->m->ex;
    if (!want_dtype(c, (bz_dtype)x->dtype) || !want_rank(c, x->rank) ||
        !want_attrs(c, 1 + 2u * x->rank))
        return false;
    for (unsigned a = 0; a < x->rank; a++) {
        int64_t lo = c->attr[1 + 2 * a], hi = c->attr[2 + 2 * a];
        if (lo < 0 || hi < 0 || lo > IR_EX_MAX || hi > IR_EX_MAX)
            return wrong(c, BZ_EARG, "the padding of axis %u is out of range", a);
        if (!want_dim(c, a, ir_ex_addc(ex, ir_ex_addc(ex, dim(c, x, a), lo), hi))) return false;
    }
    unsigned bits = ir_dtypes[x->dtype].bits;
    return bits == 64 || !((uint64_t)c->attr[0] >> bits) ||
           wrong(c, BZ_EARG, "the value has more than %u bits", bits);
}

static bool check_slice(const check *c) {
    const ir_node *x = in_node(c, 0);
    if (!want_dtype(c, (bz_dtype)x->dtype) || !want_rank(c, x->rank) ||
        !want_attrs(c, 2u * x->rank))
        return false;
    for (unsigned a = 0; a < x->rank; a++) {
        int64_t size, count, start = c->attr[2 * a], step = c->attr[2 * a + 1], last;
        if (!dim_known(c, x, a, &size) || !dim_known(c, c->n, a, &count))
            return wrong(c, BZ_ESHAPE, "the size of axis %u must be known", a);
        bool over = step == 0 || __builtin_mul_overflow(count - 1, step, &last) ||
                    __builtin_add_overflow(last, start, &last);
        if (step == 0 ||
            (count > 0 && (over || start < 0 || start >= size || last < 0 || last >= size)))
            return wrong(c, BZ_EINDEX, "axis %u reaches outside", a);
    }
    return true;
}

/* A window of shape `seen` on the first operand, which operand number `at`, if there is one, moves. */
static bool check_window(const check *c, const ir_node *seen, unsigned at, int64_t *shape) {
    if (c->n->nin < at || c->n->nin > at + 1)
        return wrong(c, BZ_EARG, "takes %u or %u operands, not %u", at, at + 1, c->n->nin);
    if (!want_attrs(c, 1u + seen->rank)) return false;
    if (c->n->nin > at && (in_node(c, at)->dtype != BZ_I64 || in_node(c, at)->rank))
        return wrong(c, BZ_EDTYPE, "what is added to the offset must be one i64");
    int64_t numel;
    if (!ir_numel(c->g, ir_in(c->g, c->n)[0], &numel))
        return wrong(c, BZ_ESHAPE, "the shape of the operand must be known");
    for (unsigned a = 0; a < seen->rank; a++)
        if (!dim_known(c, seen, a, &shape[a]))
            return wrong(c, BZ_ESHAPE, "the size of axis %u must be known", a);
    const ir_strided w = {seen->rank, shape, c->attr + 1, c->attr[0]};
    return ir_window_inside(&w, numel, c->n->nin > at) ||
           wrong(c, BZ_EINDEX, "it reaches outside the operand");
}

static bool check_as_strided(const check *c) {
    int64_t shape[IR_MAX_RANK];
    return c->n->nin > 0 && want_dtype(c, (bz_dtype)in_node(c, 0)->dtype) &&
           check_window(c, c->n, 1, shape);
}

static bool check_update(const check *c) {
    int64_t shape[IR_MAX_RANK];
    if (c->n->nin < 2) return wrong(c, BZ_EARG, "takes 2 or 3 operands, not %u", c->n->nin);
    const ir_node *y = in_node(c, 1);
    if (!want_like(c, in_node(c, 0)) || !want_dtype(c, (bz_dtype)y->dtype) ||
        !check_window(c, y, 2, shape))
        return false;
    const ir_strided w = {y->rank, shape, c->attr + 1, c->attr[0]};
    return !ir_window_overlaps(&w) || wrong(c, BZ_EARG, IR_WINDOW_OVERLAPS);
}

static bool check_concat(const check *c) {
    if (c->n->nin == 0 || !want_attrs(c, 1) || !want_axis(c, c->attr[0], c->n->rank))
        return c->n->nin > 0 ? false : wrong(c, BZ_EARG, "nothing to concatenate");
    ir_exprs *ex = &c->g->m->ex;
    unsigned axis = (unsigned)c->attr[0];
    ir_ex all = ir_ex_const(ex, 0);
    for (unsigned k = 0; k < c->n->nin; k++) {
        const ir_node *x = in_node(c, k);
        if (!want_dtype(c, (bz_dtype)x->dtype) || !want_rank(c, x->rank)) return false;
        for (unsigned a = 0; a < x->rank; a++) {
            if (a != axis && !want_dim(c, a, dim(c, x, a))) return false;
        }
        all = ir_ex_add(ex, all, dim(c, x, axis));
    }
    return want_dim(c, axis, all);
}

/* ---- folds, products, indices */

static bool check_kind(const check *c, const ir_reduce_attr *r, bz_dtype t) {
    bz_dtype result = t, acc = t;
    if (r->kind == IR_SUM || r->kind == IR_PROD) {
        acc = ir_accum_dtype(t);
        result = ir_is_float(t) ? t : BZ_I64;
    } else if (r->kind == IR_ANY || r->kind == IR_ALL) {
        acc = result = BZ_BOOL;
        if (t != BZ_BOOL) return wrong(c, BZ_EDTYPE, "the operand must be bool");
    } else if (r->kind == IR_ARGMAX || r->kind == IR_ARGMIN) {
        result = BZ_I64;
        if (r->naxes > 1) return wrong(c, BZ_EAXIS, "more than one axis");
    }
    return want_dtype(c, result) &&
           (r->acc == acc ||
            wrong(c, BZ_EDTYPE, "the accumulator must be %s", ir_dtypes[acc].name));
}

static bool check_reduce(const check *c) {
    const ir_node *x = in_node(c, 0);
    uint64_t set = 0;
    unsigned kept = 0;
    if (c->n->nattr < 3 || c->attr[0] < 0 || c->attr[0] >= IR_NREDUCE || c->attr[1] < 0 ||
        c->attr[1] >= BZ_NDTYPES)
        return wrong(c, BZ_EARG, "the attributes are no reduction");
    ir_reduce_attr r = ir_reduce_get(c->g, c->n);
    if (r.naxes > IR_MAX_RANK || !want_axes(c, r.axes, r.naxes, x->rank, &set) ||
        !check_kind(c, &r, (bz_dtype)x->dtype))
        return r.naxes > IR_MAX_RANK ? wrong(c, BZ_EAXIS, "too many axes") : false;
    bool last = r.naxes == 0 || set >> (x->rank - 1) & 1;
    if (r.order != (last ? IR_ORDER_LAST : IR_ORDER_LEAD))
        return wrong(c, BZ_EARG, "the order of additions must be %s", last ? "last" : "lead");
    for (unsigned i = 1; i < r.naxes; i++) {
        if (r.axes[i] < r.axes[i - 1]) return wrong(c, BZ_EAXIS, "the axes are not ascending");
    }
    if (!want_rank(c, x->rank - r.naxes)) return false;
    bool total = r.kind == IR_SUM || r.kind == IR_PROD || r.kind == IR_ANY || r.kind == IR_ALL;
    for (unsigned a = 0; a < x->rank; a++) {
        int64_t v;
        if (!(set >> a & 1) && !want_dim(c, kept++, dim(c, x, a))) return false;
        if ((set >> a & 1) && !total && dim_known(c, x, a, &v) && v == 0)
            return wrong(c, BZ_ESHAPE, "no value over an empty axis");
    }
    return true;
}

/* The rest of an operand of dot: axes outside the set, from result axis *at on. */
static bool check_rest(const check *c, const ir_node *x, uint64_t set, unsigned *at) {
    for (unsigned a = 0; a < x->rank; a++) {
        if (!(set >> a & 1) && !want_dim(c, (*at)++, dim(c, x, a))) return false;
    }
    return true;
}

static bool check_dot(const check *c) {
    const ir_node *x = in_node(c, 0), *y = in_node(c, 1);
    uint64_t lset = 0, rset = 0;
    unsigned at = 0;
    bool sane = c->n->nattr >= 4 && c->attr[2] >= 0 && c->attr[3] >= 0 &&
                c->attr[2] <= IR_MAX_RANK && c->attr[3] <= IR_MAX_RANK;
    if (!sane || !want_attrs(c, 4 + 2 * (uint64_t)(c->attr[2] + c->attr[3])))
        return wrong(c, BZ_EARG, "the attributes are no dot");
    ir_dot_attr d = ir_dot_get(c->g, c->n);
    if (x->dtype != y->dtype || x->dtype == BZ_BOOL || !want_dtype(c, (bz_dtype)x->dtype))
        return wrong(c, BZ_EDTYPE, "the operands must have one dtype, not bool");
    if (d.acc != ir_compute_dtype((bz_dtype)x->dtype) || d.order != IR_ORDER_DOT)
        return wrong(c, BZ_EARG, "accumulator or order are not those of dot");
    if (!want_axes(c, d.lbatch, d.nbatch, x->rank, &lset) ||
        !want_axes(c, d.lcontract, d.ncontract, x->rank, &lset) ||
        !want_axes(c, d.rbatch, d.nbatch, y->rank, &rset) ||
        !want_axes(c, d.rcontract, d.ncontract, y->rank, &rset) ||
        !want_rank(c, x->rank + y->rank - d.nbatch - 2 * d.ncontract))
        return false;
    for (unsigned i = 0; i < d.ncontract; i++) {
        if (dim(c, x, (unsigned)d.lcontract[i]) != dim(c, y, (unsigned)d.rcontract[i]))
            return wrong(c, BZ_ESHAPE, "contracting sizes differ");
    }
    for (unsigned i = 0; i < d.nbatch; i++) {
        if (!want_dim(c, at, dim(c, x, (unsigned)d.lbatch[i])) ||
            !want_dim(c, at++, dim(c, y, (unsigned)d.rbatch[i])))
            return false;
    }
    return check_rest(c, x, lset, &at) && check_rest(c, y, rset, &at);
}

static bool check_gather(const check *c) {
    const ir_node *x = in_node(c, 0), *index = in_node(c, 1);
    if (!want_attrs(c, 1) || !want_axis(c, c->attr[0], x->rank) ||
        !want_dtype(c, (bz_dtype)x->dtype) || !want_rank(c, x->rank + index->rank - 1u))
        return false;
    if (index->dtype != BZ_I64) return wrong(c, BZ_EDTYPE, "the indices must be i64");
    unsigned axis = (unsigned)c->attr[0], at = 0;
    for (unsigned a = 0; a < x->rank; a++) {
        if (a != axis && !want_dim(c, at++, dim(c, x, a))) return false;
        for (unsigned b = 0; a == axis && b < index->rank; b++) {
            if (!want_dim(c, at++, dim(c, index, b))) return false;
        }
    }
    return true;
}

/* As check_gather with x and the result exchanged, but for the size of the axis. */
static bool check_scatter_add(const check *c) {
    const ir_node *x = in_node(c, 0), *index = in_node(c, 1);
    if (!want_attrs(c, 1) || !want_axis(c, c->attr[0], c->n->rank) ||
        !want_dtype(c, (bz_dtype)x->dtype) || !want_rank(c, x->rank + 1u - index->rank))
        return false;
    if (index->dtype != BZ_I64) return wrong(c, BZ_EDTYPE, "the indices must be i64");
    if (ir_is_half((bz_dtype)x->dtype) || x->dtype == BZ_BOOL)
        return wrong(c, BZ_EDTYPE, "%s cannot be added up", ir_dtypes[x->dtype].name);
    unsigned axis = (unsigned)c->attr[0], at = 0;
    for (unsigned a = 0; a < c->n->rank; a++) {
        if (a != axis && !want_dim(c, a, dim(c, x, at++))) return false;
        for (unsigned b = 0; a == axis && b < index->rank; b++)
            if (dim(c, x, at++) != dim(c, index, b))
                return wrong(c, BZ_ESHAPE, "the operand does not have the indices' axes");
    }
    return true;
}

static bool check_sort(const check *c) {
    return want_attrs(c, 2) && want_axis(c, c->attr[0], in_node(c, 0)->rank) &&
           want_like(c, in_node(c, 0)) &&
           (c->attr[1] == 0 || c->attr[1] == 1 ||
            wrong(c, BZ_EARG, "descending is neither 0 nor 1"));
}

/* ---- several results */

static bool same_type(const ir_graph *g, const ir_node *a, const ir_graph *h, const ir_node *b) {
    bool same = a->dtype == b->dtype && a->rank == b->rank;
    for (unsigned i = 0; same && i < a->rank; i++) same = ir_dims(g, a)[i] == ir_dims(h, b)[i];
    return same;
}

static bool fits(const check *c, const ir_graph *g, const ir_node *a, const ir_graph *h,
                 const ir_node *b) {
    return same_type(g, a, h, b) || wrong(c, BZ_ESHAPE, "its graphs do not fit");
}

static const ir_graph *graph_at(const check *c, unsigned k) {
    int64_t i = c->attr[k];
    bool ok = i >= 0 && i < (int64_t)c->g->m->graphs.n && c->g->m->graphs.p[i] != c->g;
    if (!ok) wrong(c, BZ_EARG, "graph %lld does not exist", (long long)i);
    return ok ? c->g->m->graphs.p[i] : NULL;
}

/* `body` takes the operands from number `first` on. */
static bool takes(const check *c, const ir_graph *body, unsigned first) {
    if (!body || body->inputs.n + first != c->n->nin)
        return body && wrong(c, BZ_EARG, "graph %s takes %u operands", body->name, body->inputs.n);
    for (uint32_t i = 0; i < body->inputs.n; i++) {
        if (!fits(c, c->g, in_node(c, first + i), body, ir_at(body, body->inputs.p[i].node)))
            return false;
    }
    return true;
}

static bool check_cond(const check *c) {
    if (!want_attrs(c, 2) || c->n->nin == 0 || in_node(c, 0)->dtype != BZ_BOOL ||
        in_node(c, 0)->rank)
        return wrong(c, BZ_EDTYPE, "the first operand must be bool[]");
    const ir_graph *a = graph_at(c, 0), *b = graph_at(c, 1);
    if (!takes(c, a, 1) || !takes(c, b, 1)) return false;
    if (a->outputs.n != b->outputs.n || !a->outputs.n)
        return wrong(c, BZ_ESHAPE, "its graphs give different numbers of results");
    for (uint32_t i = 0; i < a->outputs.n; i++) {
        if (!fits(c, a, ir_at(a, a->outputs.p[i].node), b, ir_at(b, b->outputs.p[i].node)))
            return false;
    }
    return fits(c, c->g, c->n, b, ir_at(b, b->outputs.p[0].node));
}

static bool check_while(const check *c) {
    if (!want_attrs(c, 3) || c->attr[2] < 0 || c->attr[2] > c->n->nin)
        return wrong(c, BZ_EARG, "the number of captured operands is wrong");
    const ir_graph *test = graph_at(c, 0), *body = graph_at(c, 1);
    if (!takes(c, test, 0) || !takes(c, body, 0)) return false;
    const ir_node *t = test->outputs.n == 1 ? ir_at(test, test->outputs.p[0].node) : NULL;
    if (!t || t->dtype != BZ_BOOL || t->rank)
        return wrong(c, BZ_EDTYPE, "graph %s must give one bool[]", test->name);
    if (body->outputs.n + (uint64_t)c->attr[2] != c->n->nin || !body->outputs.n)
        return wrong(c, BZ_ESHAPE, "graph %s gives %u results", body->name, body->outputs.n);
    for (uint32_t i = 0; i < body->outputs.n; i++) {
        if (!fits(c, c->g, in_node(c, i), body, ir_at(body, body->outputs.p[i].node))) return false;
    }
    return fits(c, c->g, c->n, body, ir_at(body, body->outputs.p[0].node));
}

/* f, stand-ins of the results and of their gradients, inputs, gradients of the inputs. */
static bool check_custom_grad(const check *c) {
    if (!want_attrs(c, 2)) return false;
    int64_t nout = c->attr[0], nin = c->attr[1];
    if (nout < 1 || nin < 1 || nout > UINT16_MAX || nin > UINT16_MAX ||
        3 * nout + 2 * nin != c->n->nin)
        return wrong(c, BZ_EARG, "3 operands a result and 2 an input are needed");
    for (int64_t k = 0; k < 2 * nout + nin; k++) {
        bool input = k >= 2 * nout;
        unsigned of = (unsigned)(input ? k + nout : k % nout),
                 at = (unsigned)(k + nout + (input ? nin : 0));
        if (!input && in_node(c, at)->op != IR_STAND_IN)
            return wrong(c, BZ_EARG, "operand %u is no stand-in", at);
        if (!same_type(c->g, in_node(c, of), c->g, in_node(c, at)))
            return wrong(c, BZ_ESHAPE, "operand %u is not of the type of operand %u", at, of);
    }
    return want_like(c, in_node(c, 0));
}

static bool check_result(const check *c) {
    bz_dtype t;
    const ir_dim *dims;
    unsigned rank;
    if (!want_attrs(c, 1)) return false;
    if (c->attr[0] < 0 || c->attr[0] > UINT16_MAX ||
        !ir_result_type(c->g, ir_in(c->g, c->n)[0], (unsigned)c->attr[0], &t, &dims, &rank))
        return wrong(c, BZ_EINDEX, "the operand has no result %lld", (long long)c->attr[0]);
    bool ok = want_dtype(c, t) && want_rank(c, rank);
    for (unsigned a = 0; ok && a < rank; a++) ok = want_dim(c, a, dims[a]);
    return ok;
}

/* ---- all ops */

static bool check_iota(const check *c) {
    return want_attrs(c, 1) && want_axis(c, c->attr[0], c->n->rank);
}

static bool check_copy(const check *c) {
    return want_attrs(c, 0) && want_like(c, in_node(c, 0));
}

static bool (*const checks[IR_NOPS])(const check *) = {
    [IR_INPUT] = check_input,
    [IR_CONST] = check_const,
    [IR_IOTA] = check_iota,
    [IR_RESHAPE] = check_reshape,
    [IR_PERMUTE] = check_permute,
    [IR_EXPAND] = check_expand,
    [IR_PAD] = check_pad,
    [IR_SLICE] = check_slice,
    [IR_AS_STRIDED] = check_as_strided,
    [IR_UPDATE] = check_update,
    [IR_CONCAT] = check_concat,
    [IR_REDUCE] = check_reduce,
    [IR_DOT] = check_dot,
    [IR_GATHER] = check_gather,
    [IR_SCATTER_ADD] = check_scatter_add,
    [IR_SORT] = check_sort,
    [IR_COPY] = check_copy,
    [IR_RESULT] = check_result,
    [IR_COND] = check_cond,
    [IR_WHILE] = check_while,
    [IR_CUSTOM_GRAD] = check_custom_grad,
    [IR_STAND_IN] = check_copy,
};

bz_status ir_verify_node(const ir_graph *g, ir_ref r, bz_error *e) {
    bz_error own = {0};
    check c = {g, r, ir_at(g, r), ir_attrs(g, ir_at(g, r)), e ? e : &own};
    bool ok = check_general(&c) && (checks[c.n->op] ? checks[c.n->op](&c) : check_elementwise(&c));
    return ok ? BZ_OK : c.e->status;
}

/* What lowering takes: reductions that stand for several steps are expanded. */
static bool check_dialect(const check *c, ir_dialect d) {
    bool compound = c->n->op == IR_REDUCE && (c->attr[0] == IR_ARGMAX || c->attr[0] == IR_ARGMIN);
    return d == IR_ANY_GRAPH || !compound ||
           wrong(c, BZ_EUNSUPPORTED, "%s is not expanded",
                 ir_reduce_name((ir_reduce_kind)c->attr[0]));
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
        check c = {g, r, ir_at(g, r), ir_attrs(g, ir_at(g, r)), e};
        if (ir_verify_node(g, r, e) || !check_dialect(&c, d)) return e->status;
    }
    return verify_outputs(g, e);
}
