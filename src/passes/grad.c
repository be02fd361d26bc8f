/* grad.c - gradients, graph to graph, so that they fuse, export and differentiate again.
 *
 * One backward loop: nodes from the result down to the operands; each gives every operand its share by a rule, shares add up. The
 * rules of elementwise ops are the expressions of ops.def, those of structural ops stand here. "Zero" (a comparison) is not
 * "no rule" (a bit operation): the first is silence, the second an error that names the op. */
#include "src/passes/grad.h"
#include "src/passes/rule_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct backward {
    ir_graph *g;
    ir_ref *grad;    /* of each node that existed at the start; 0 = none yet */
    bool *depends;   /* the node depends on a wrt node, through floats */
    ir_ref *results; /* of a tuple the last result that has a gradient, of that the one before */
    ir_ref count;    /* nodes at the start */
} backward;

ir_ref grad_no_rule(ir_graph *g, ir_ref r) {
    g->site = g->sites.p[r];
    return ir_error(g, BZ_EGRAD, (ir_op)ir_at(g, r)->op, "has no gradient");
}

/* ---- structural rules: share of operand k of node r under gradient d */

static void int_axes(const int64_t *a, unsigned n, int *out) {
    for (unsigned i = 0; i < n; i++) out[i] = (int)a[i];
}

static ir_ref like_shape(ir_graph *g, ir_ref d, ir_ref x) {
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    return ir_reshape_dims(g, d, dims, rank);
}

static ir_ref expand_like(ir_graph *g, ir_ref d, ir_ref x) {
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = ir_at(g, x)->rank;
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    return ir_expand_dims_like(g, d, dims, rank);
}

static ir_ref grad_expand(ir_graph *g, ir_ref r, ir_ref x, ir_ref d) {
    int axes[IR_MAX_RANK];
    unsigned n = 0;
    const ir_dim *to = ir_dims(g, ir_at(g, r)), *from = ir_dims(g, ir_at(g, x));
    for (unsigned i = 0; i < ir_at(g, x)->rank; i++)
        if (to[i] != from[i]) axes[n++] = (int)i;
    return n ? ir_reduce(g, IR_SUM, d, axes, n, true) : d;
}

static ir_ref grad_permute(ir_graph *g, ir_ref r, ir_ref d) {
    int inverse[IR_MAX_RANK];
    const ir_node *n = ir_at(g, r);
    for (unsigned i = 0; i < n->rank; i++) inverse[ir_attrs(g, n)[i]] = (int)i;
    return ir_permute(g, d, inverse, n->rank);
}

static ir_ref grad_pad(ir_graph *g, ir_ref r, ir_ref x, ir_ref d) {
    int64_t start[IR_MAX_RANK], step[IR_MAX_RANK], shape[IR_MAX_RANK];
    const ir_node *n = ir_at(g, r);
    for (unsigned i = 0; i < n->rank; i++) {
        start[i] = ir_attrs(g, n)[1 + 2 * i];
        step[i] = 1;
    }
    return ir_static_shape(g, x, shape) ? ir_slice_exact(g, d, start, shape, step)
                                        : grad_no_rule(g, r);
}

/* Zeros between the elements along one axis: n elements become n * by - (by - 1). */
static ir_ref spread(ir_graph *g, ir_ref d, unsigned axis, int64_t by) {
    int64_t shape[IR_MAX_RANK + 1], lo[IR_MAX_RANK + 1] = {0}, hi[IR_MAX_RANK + 1] = {0},
                                                     flat[IR_MAX_RANK], from[IR_MAX_RANK] = {0},
                                                     one[IR_MAX_RANK];
    unsigned rank = ir_at(g, d)->rank;
    ir_static_shape(g, d, flat);
    if (flat[axis] == 0) return d;
    for (unsigned i = 0, k = 0; i < rank; i++) {
        one[i] = 1;
        shape[k++] = flat[i];
        if (i == axis) shape[k++] = 1;
    }
    hi[axis + 1] = by - 1;
    d = ir_pad(g, ir_reshape(g, d, shape, rank + 1), lo, hi, 0);
    flat[axis] *= by;
    d = ir_reshape(g, d, flat, rank);
    flat[axis] -= by - 1;
    return ir_slice_exact(g, d, from, flat, one);
}

static ir_ref grad_slice(ir_graph *g, ir_ref r, ir_ref x, ir_ref d) {
    int64_t shape[IR_MAX_RANK], count[IR_MAX_RANK], lo[IR_MAX_RANK], hi[IR_MAX_RANK],
        attr[2 * IR_MAX_RANK];
    unsigned rank = ir_at(g, r)->rank;
    memcpy(attr, ir_attrs(g, ir_at(g, r)), 2 * rank * sizeof *attr);
    if (!ir_static_shape(g, x, shape) || !ir_static_shape(g, r, count) || rank == IR_MAX_RANK)
        return grad_no_rule(g, r);
    for (unsigned i = 0; i < rank; i++) {
        int64_t start = attr[2 * i],
                step = count[i] > 1 ? attr[2 * i + 1] : 1; /* else any number */
        int64_t size = step < 0 ? -step : step;
        int axis = (int)i;
        if (step < 0) {
            d = ir_flip(g, d, &axis, 1);
            start += (count[i] - 1) * step;
        }
        if (d && size > 1) d = spread(g, d, i, size);
        int64_t span = count[i] ? (count[i] - 1) * size + 1 : 0;
        lo[i] = count[i] ? start : 0;
        hi[i] = shape[i] - lo[i] - span;
    }
    return ir_pad(g, d, lo, hi, 0);
}

static ir_ref grad_as_strided(ir_graph *g, ir_ref r, ir_ref x, ir_ref d) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK], numel, count;
    const ir_node *n = ir_at(g, r);
    if (ir_window_at(g, r)) {
        ir_strided w = ir_window_of(g, r, shape, strides);
        if (ir_window_overlaps(&w)) return grad_no_rule(g, r);
        return ir_update(g, ir_const_like(g, x, 0), d, &w, ir_window_at(g, r));
    }
    if (!ir_static_shape(g, r, shape) || !ir_numel(g, x, &numel) || !ir_numel(g, r, &count))
        return grad_no_rule(g, r);
    if (count == 0) return ir_const_like(g, x, 0);
    memcpy(strides, ir_attrs(g, n) + 1, n->rank * sizeof *strides);
    for (unsigned i = 0; i < n->rank; i++) strides[i] = shape[i] > 1 ? strides[i] : 0; /* or any */
    ir_strided w = {n->rank, shape, strides, ir_attrs(g, n)[0]};
    return like_shape(g, ir_put_strided(g, d, &w, numel), x);
}

/* What was overwritten has no part in the result; what was put there has that of the window. */
static ir_ref grad_update(ir_graph *g, ir_ref r, unsigned k, ir_ref d) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
    ir_strided w = ir_window_of(g, r, shape, strides);
    ir_ref at = ir_window_at(g, r);
    if (k == 1) return ir_as_strided_at(g, d, &w, at);
    return ir_update(g, d, ir_const_like(g, ir_operand(g, r, 1), 0), &w, at);
}

static ir_ref grad_concat(ir_graph *g, ir_ref r, unsigned k, ir_ref d) {
    int64_t start[IR_MAX_RANK] = {0}, step[IR_MAX_RANK], shape[IR_MAX_RANK], size;
    unsigned rank = ir_at(g, r)->rank, axis = (unsigned)ir_attrs(g, ir_at(g, r))[0];
    for (unsigned i = 0; i < rank; i++) step[i] = 1;
    for (unsigned i = 0; i < k; i++) {
        if (!ir_dim_value(g, ir_dims(g, ir_at(g, ir_operand(g, r, i)))[axis], &size))
            return grad_no_rule(g, r);
        start[axis] += size;
    }
    return ir_static_shape(g, ir_operand(g, r, k), shape) ? ir_slice_exact(g, d, start, shape, step)
                                                          : grad_no_rule(g, r);
}

static ir_ref grad_reduce(ir_graph *g, ir_ref r, ir_ref x, ir_ref d) {
    ir_reduce_attr a = ir_reduce_get(g, ir_at(g, r));
    ir_reduce_kind kind = a.kind;
    int axes[IR_MAX_RANK];
    unsigned n = a.naxes, rank = ir_at(g, x)->rank;
    ir_dim dims[IR_MAX_RANK];
    int_axes(a.axes, n, axes);
    if (kind == IR_PROD) return grad_prod(g, r, x, d, axes, n);
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    for (unsigned i = 0; i < n; i++) dims[axes[i]] = ir_dim_const(g, 1);
    ir_ref wide = expand_like(g, ir_reshape_dims(g, d, dims, rank), x);
    if (kind == IR_SUM || !wide) return wide;
    ir_ref best = expand_like(g, ir_reshape_dims(g, r, dims, rank), x); /* max, min: ties share */
    bz_dtype t = ir_compute_dtype(ir_dtype(g, x)); /* a half cannot hold their number */
    ir_ref hit = ir_build2(g, IR_EQ, x, best);
    ir_ref ties = ir_reduce(g, IR_SUM, ir_cast(g, hit, t), axes, n, true);
    ir_ref share = ir_build3(g, IR_SELECT, hit, ir_cast(g, wide, t), ir_const_f(g, t, 0));
    return ir_cast(g, ir_build2(g, IR_DIV, share, ties), ir_dtype(g, x));
}

/* ---- products: d x = d . y over y's free axes, put back in x's order */

static unsigned free_axes(unsigned rank, const int64_t *a, unsigned na, const int64_t *b,
                          unsigned nb, int *out) {
    unsigned n = 0;
    for (unsigned d = 0; d < rank; d++) {
        bool used = false;
        for (unsigned i = 0; i < na + nb; i++) used |= (i < na ? a[i] : b[i - na]) == (int64_t)d;
        if (!used) out[n++] = (int)d;
    }
    return n;
}

static ir_ref grad_dot(ir_graph *g, ir_ref r, unsigned k, ir_ref d) {
    ir_dot_attr a = ir_dot_get(g, ir_at(g, r));
    unsigned nb = a.nbatch, nc = a.ncontract;
    int64_t copy[4 * IR_MAX_RANK]; /* the attributes move when the graph grows */
    memcpy(copy, a.lbatch, (2 * nb + 2 * nc) * sizeof *copy);
    const int64_t *lb = copy, *rb = copy + nb, *lc = copy + 2 * nb, *rc = lc + nc;
    ir_ref self = ir_operand(g, r, k), other = ir_operand(g, r, 1 - k);
    const int64_t *sb = k ? rb : lb, *ob = k ? lb : rb, *sc = k ? rc : lc, *oc = k ? lc : rc;
    unsigned srank = ir_at(g, self)->rank, orank = ir_at(g, other)->rank;
    int sfree[IR_MAX_RANK], ofree[IR_MAX_RANK], dbatch[IR_MAX_RANK], obatch[IR_MAX_RANK],
        dcontract[IR_MAX_RANK];
    unsigned ns = free_axes(srank, sb, nb, sc, nc, sfree),
             no = free_axes(orank, ob, nb, oc, nc, ofree);
    for (unsigned i = 0; i < nb; i++) {
        dbatch[i] = (int)i;
        obatch[i] = (int)ob[i];
    }
    for (unsigned i = 0; i < no; i++) /* where the other's free axes lie in the result */
        dcontract[i] = (int)(nb + (k ? 0 : ns) + i);
    int perm[IR_MAX_RANK];
    ir_ref share;
    /* the product with the other operand has its contracted axes left over, in ascending order */
    int oleft[IR_MAX_RANK];
    unsigned nleft = 0;
    for (unsigned ax = 0; ax < orank; ax++)
        for (unsigned i = 0; i < nc; i++)
            if (oc[i] == (int64_t)ax) oleft[nleft++] = (int)i; /* number of the contracted pair */
    if (k == 0) { /* d . other: batch, own free axes, contracted */
        share = ir_dot(g, d, other, dbatch, obatch, nb, dcontract, ofree, no);
        for (unsigned i = 0; i < nb; i++) perm[sb[i]] = (int)i;
        for (unsigned i = 0; i < ns; i++) perm[sfree[i]] = (int)(nb + i);
        for (unsigned i = 0; i < nc; i++) perm[sc[oleft[i]]] = (int)(nb + ns + i);
    } else { /* other . d: batch, contracted, own free axes */
        share = ir_dot(g, other, d, obatch, dbatch, nb, ofree, dcontract, no);
        for (unsigned i = 0; i < nb; i++) perm[sb[i]] = (int)i;
        for (unsigned i = 0; i < nc; i++) perm[sc[oleft[i]]] = (int)(nb + i);
        for (unsigned i = 0; i < ns; i++) perm[sfree[i]] = (int)(nb + nc + i);
    }
    return ir_permute(g, share, perm, srank);
}

/* Where each element of a sorted tensor stood, as its row-major number. */
static ir_ref sorted_from(ir_graph *g, ir_ref sort, const int64_t *shape) {
    unsigned rank = ir_at(g, sort)->rank, axis = (unsigned)ir_attrs(g, ir_at(g, sort))[0];
    ir_dim dims[IR_MAX_RANK];
    int64_t stride = 1;
    ir_ref at = 0;
    memcpy(dims, ir_dims(g, ir_at(g, sort)), rank * sizeof *dims);
    for (unsigned a = rank; a-- > 0; stride *= shape[a]) {
        ir_ref k = a == axis ? ir_result(g, sort, 1) : ir_iota(g, BZ_I64, dims, rank, (int)a);
        k = ir_build2(g, IR_MUL, k, ir_const_i(g, BZ_I64, stride));
        at = at ? ir_build2(g, IR_ADD, at, k) : k;
    }
    return at;
}

/* d of the sorted values, put back to where they came from. */
static ir_ref grad_sort(ir_graph *g, ir_ref sort, ir_ref d) {
    int64_t shape[IR_MAX_RANK], all = -1, count;
    ir_ref x = ir_operand(g, sort, 0);
    if (!ir_static_shape(g, x, shape) || !ir_numel(g, x, &count)) return grad_no_rule(g, sort);
    if (count == 0) return d;
    ir_ref at = ir_reshape(g, sorted_from(g, sort, shape), &all, 1);
    d = ir_scatter_add(g, ir_reshape(g, d, &all, 1), at, 0, ir_dim_const(g, count));
    return like_shape(g, d, x);
}

/* Rows add up where they were taken from: a row that is NaN reaches its own place alone. */
static ir_ref grad_gather(ir_graph *g, ir_ref r, ir_ref x, ir_ref d) {
    int axis = (int)ir_attrs(g, ir_at(g, r))[0];
    int64_t elements = 1;
    if (ir_numel(g, x, &elements) && elements == 0) return ir_const_like(g, x, 0);
    return ir_scatter_add(g, d, ir_operand(g, r, 1), axis, ir_dims(g, ir_at(g, x))[axis]);
}

static ir_ref share_of(backward *b, ir_ref r, unsigned k, ir_ref d) {
    ir_graph *g = b->g;
    ir_ref x = ir_operand(g, r, k);
    switch (ir_at(g, r)->op) {
    case IR_RESHAPE: return like_shape(g, d, x);
    case IR_COPY: return d;
    case IR_EXPAND: return grad_expand(g, r, x, d);
    case IR_PERMUTE: return grad_permute(g, r, d);
    case IR_PAD: return grad_pad(g, r, x, d);
    case IR_SLICE: return grad_slice(g, r, x, d);
    case IR_AS_STRIDED: return grad_as_strided(g, r, x, d);
    case IR_UPDATE: return grad_update(g, r, k, d);
    case IR_CONCAT: return grad_concat(g, r, k, d);
    case IR_REDUCE: return grad_reduce(g, r, x, d);
    case IR_DOT: return grad_dot(g, r, k, d);
    case IR_GATHER: return grad_gather(g, r, x, d);
    case IR_SCATTER_ADD:
        return ir_gather(g, d, ir_operand(g, r, 1), (int)ir_attrs(g, ir_at(g, r))[0]);
    default: return grad_no_rule(g, r);
    }
}

/* ---- elementwise rules */

static ir_ref elementwise_share(backward *b, ir_ref r, unsigned k, ir_ref d) {
    ir_graph *g = b->g;
    unsigned op = ir_at(g, r)->op;
    const char *rule = ir_ops[op].grad[k];
    if (!strcmp(rule, "-")) return grad_no_rule(g, r);
    rule_scope s = {.names = "gxyzr", .value = {d, 0, 0, 0, r}, .like = d};
    for (unsigned i = 0; i < ir_at(g, r)->nin; i++) s.value[1 + i] = ir_operand(g, r, i);
    ir_ref share = rule_build(g, rule, &s);
    return share ? ir_cast(g, expand_like(g, share, r), ir_dtype(g, ir_operand(g, r, k))) : 0;
}

/* ---- the loop */

static bool floats(const ir_graph *g, ir_ref r) {
    return ir_is_float(ir_dtype(g, r)) && !(ir_at(g, r)->flags & IR_IS_TUPLE);
}

static bool is_zero(const ir_graph *g, ir_ref r) {
    ir_bits v;
    return ir_const_value(g, r, &v) && v == 0;
}

/* Stand-ins, gradients, and inputs whose gradient is zero. */
static bool custom_zero(const ir_graph *g, ir_ref r, unsigned k) {
    ir_custom c = ir_custom_get(g, r);
    return k >= c.nout &&
           (k < 3 * c.nout || k >= 3 * c.nout + c.nin || is_zero(g, c.b[k - 3 * c.nout]));
}

static bool zero_rule(const ir_graph *g, ir_ref r, unsigned k) {
    unsigned op = ir_at(g, r)->op;
    if (op == IR_CUSTOM_GRAD) return custom_zero(g, r, k);
    return ir_op_is_elementwise(op) && !strcmp(ir_ops[op].grad[k], "0");
}

bool pass_grad_flows(const ir_graph *g, ir_ref r, unsigned k) {
    ir_ref x = ir_operand(g, r, k);
    return (floats(g, x) || ir_at(g, x)->flags & IR_IS_TUPLE) && !zero_rule(g, r, k);
}

static void find_dependents(backward *b, const ir_ref *wrt, unsigned n) {
    for (unsigned i = 0; i < n; i++) b->depends[wrt[i]] = true;
    for (ir_ref r = 1; r < b->count; r++)
        for (unsigned k = 0; k < ir_at(b->g, r)->nin; k++)
            if (b->depends[ir_operand(b->g, r, k)] && pass_grad_flows(b->g, r, k))
                b->depends[r] = true;
}

static bool accumulate(backward *b, ir_ref x, ir_ref share) {
    if (!share) return false;
    b->grad[x] = b->grad[x] ? ir_build2(b->g, IR_ADD, b->grad[x], share) : share;
    return b->grad[x] != 0;
}

/* The first result of a sort is made of its operand's elements; those of a custom_grad wait until all have their gradients. */
static bool result_step(backward *b, ir_ref r, ir_ref tuple) {
    ir_graph *g = b->g;
    if (ir_at(g, tuple)->op == IR_SORT)
        return accumulate(b, ir_operand(g, tuple, 0), grad_sort(g, tuple, b->grad[r]));
    if (ir_at(g, tuple)->op != IR_CUSTOM_GRAD) return grad_no_rule(g, tuple), false;
    b->results[r] = b->results[tuple];
    b->results[tuple] = r;
    b->grad[tuple] = b->grad[r];
    return true;
}

static bool custom_shares(backward *b, ir_ref r, ir_ref *out, ir_ref *d, ir_ref *share) {
    ir_graph *g = b->g;
    unsigned nin = ir_custom_get(g, r).nin;
    for (ir_ref at = b->results[r]; at; at = b->results[at]) {
        int64_t k = ir_attrs(g, ir_at(g, at))[0];
        out[k] = at;
        d[k] = d[k] ? ir_build2(g, IR_ADD, d[k], b->grad[at]) : b->grad[at];
        if (!d[k]) return false;
    }
    if (!grad_custom(g, r, out, d, share)) return false;
    for (unsigned j = 0; j < nin; j++) {
        ir_ref x = ir_custom_get(g, r).x[j];
        if (b->depends[x] && floats(g, x) && !is_zero(g, share[j]) && !accumulate(b, x, share[j]))
            return false;
    }
    return true;
}

static bool custom_step(backward *b, ir_ref r) {
    ir_graph *g = b->g;
    ir_custom c = ir_custom_get(g, r);
    for (unsigned k = 0; k < c.nout; k++)
        if (b->depends[c.f[k]] && floats(g, c.f[k]))
            return ir_error(g, BZ_EGRAD, IR_CUSTOM_GRAD,
                            "the gradient leads to a tensor that the forward function took from "
                            "outside: make it an input, or stop its gradient"),
                   false;
    ir_ref *work = bz_mem_zero(2 * c.nout + c.nin, sizeof *work);
    bool done = work && custom_shares(b, r, work, work + c.nout, work + 2 * c.nout);
    bz_mem_free(work);
    return done;
}

static bool step(backward *b, ir_ref r) {
    ir_graph *g = b->g;
    g->site = g->sites.p[r];
    if (ir_at(g, r)->op == IR_CUSTOM_GRAD) return custom_step(b, r);
    for (unsigned k = 0; k < ir_at(g, r)->nin; k++) {
        ir_ref x = ir_operand(g, r, k), d = b->grad[r];
        if (b->depends[x] && (ir_at(g, x)->flags & IR_IS_TUPLE)) return result_step(b, r, x);
        if (!b->depends[x] || !floats(g, x) || zero_rule(g, r, k)) continue;
        ir_ref share = ir_op_is_elementwise(ir_at(g, r)->op) ? elementwise_share(b, r, k, d)
                                                             : share_of(b, r, k, d);
        if (!accumulate(b, x, share)) return false;
    }
    return true;
}

/* An error with the user's line. */
BZ_PRINTF(3, 4)
static bz_status refuse(ir_graph *g, bz_status s, const char *fmt, ...) {
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    bz_vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return bz_fail(&g->err, s, "[%s] %s%s%s", g->op ? g->op : "grad", text, g->site ? " at " : "",
                   g->site ? g->site : "");
}

static bz_status check(ir_graph *g, ir_ref loss, ir_ref seed) {
    if (g->err.status || !loss) return refuse(g, BZ_EARG, "the loss has no value"), g->err.status;
    if (!floats(g, loss))
        return refuse(g, BZ_EDTYPE, "the loss must be a float, got %s", ir_shape_text(g, loss));
    if (!seed && ir_at(g, loss)->rank != 0)
        return refuse(g, BZ_ESHAPE, "the loss must be 0-d, got %s: take its sum or mean",
                      ir_shape_text(g, loss));
    if (seed && (!ir_same_shape(g, seed, loss) || ir_dtype(g, seed) != ir_dtype(g, loss)))
        return refuse(g, BZ_ESHAPE, "the gradient %s does not fit the result %s",
                      ir_shape_text(g, seed), ir_shape_text(g, loss));
    return BZ_OK;
}

static bz_status check_all(ir_graph *g, const ir_ref *y, const ir_ref *seed, unsigned ny,
                           const ir_ref *wrt, unsigned n) {
    for (unsigned k = 0; k < ny; k++)
        if (check(g, y[k], seed ? seed[k] : 0)) return g->err.status;
    for (unsigned i = 0; i < n; i++)
        if (!wrt[i] || !floats(g, wrt[i]))
            return refuse(g, BZ_EDTYPE, "only floats have a gradient, number %u of wrt is %s", i,
                          wrt[i] ? ir_shape_text(g, wrt[i]) : "missing");
    return BZ_OK;
}

/* The loop: from the last of the results down. */
static bool walk_back(backward *b, const ir_ref *y, const ir_ref *seed, unsigned ny) {
    ir_ref last = 0;
    for (unsigned k = 0; k < ny; k++) {
        last = y[k] > last ? y[k] : last;
        if (!accumulate(b, y[k], seed && seed[k] ? seed[k] : ir_const_like(b->g, y[k], 1)))
            return false;
    }
    for (ir_ref r = last; r > 0; r--)
        if (b->grad[r] && b->depends[r] && !step(b, r)) return false;
    return true;
}

bz_status pass_vjp(ir_graph *g, const ir_ref *y, const ir_ref *seed, unsigned ny, const ir_ref *wrt,
                   unsigned n, ir_ref *out) {
    if (check_all(g, y, seed, ny, wrt, n)) return g->err.status;
    const char *site = g->site;
    backward b = {.g = g, .count = g->n.n};
    b.grad = bz_mem_zero(b.count, sizeof *b.grad);
    b.depends = bz_mem_zero(b.count, sizeof *b.depends);
    b.results = bz_mem_zero(b.count, sizeof *b.results);
    bool ok = b.grad && b.depends && b.results;
    if (ok) {
        find_dependents(&b, wrt, n);
        ok = walk_back(&b, y, seed, ny);
    }
    for (unsigned i = 0; ok && i < n; i++) {
        out[i] = wrt[i] < b.count && b.grad[wrt[i]] ? b.grad[wrt[i]] : ir_const_like(g, wrt[i], 0);
        ok = out[i] != 0;
    }
    bz_mem_free(b.grad);
    bz_mem_free(b.depends);
    bz_mem_free(b.results);
    g->site = site;
    return ok              ? BZ_OK
           : g->err.status ? g->err.status
                           : bz_fail(&g->err, BZ_ENOMEM, "out of memory while differentiating");
}

bz_status pass_grad(ir_graph *g, ir_ref loss, ir_ref seed, const ir_ref *wrt, unsigned n,
                    ir_ref *out) {
    return pass_vjp(g, &loss, seed ? &seed : NULL, 1, wrt, n, out);
}
