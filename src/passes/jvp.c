/* jvp.c - forward mode, graph to graph: a tangent for each node between wrt and the results.
 *
 * No second table of rules says what a tangent is:
 *     elementwise   an element depends on one element of each operand: tangent times derivative, which is the rule of its gradient
 *     linear        the op itself, of the tangents: what moves elements, sums, gathers, scatters; of a product with each operand in turn
 *     cond, while   the same of graphs that have tangents beside values (grad_cond.c, jvp_while.c)
 *     others        their gradient's rule is linear in the gradient that arrives, d -> J' d: the gradient of that, by d, of the tangent t is
 *                   J t (jvp_transposed.c) */
#include "src/passes/jvp.h"

#include <string.h>

static bool floats(const ir_graph *g, ir_ref r) {
    return ir_is_smooth(ir_dtype(g, r)) && !(ir_at(g, r)->flags & IR_IS_TUPLE);
}

ir_ref jvp_of_operand(const forward *f, ir_ref r, unsigned k) {
    const ir_ref x = ir_operand(f->g, r, k);
    return floats(f->g, x) && pass_grad_flows(f->g, r, k) ? f->b->grad[x] : 0;
}

static bool accumulate(const forward *f, ir_ref r, ir_ref t) {
    ir_ref *sum = &f->b->grad[r];
    if (t) *sum = *sum ? grad_add(f->g, *sum, t) : t;
    return !f->g->err.status;
}

/* ---- elementwise */

static ir_ref elementwise(const forward *f, ir_ref r) {
    ir_graph *g = f->g;
    const bz_dtype t = ir_dtype(g, r);
    ir_ref sum = 0;
    for (unsigned k = 0; k < ir_at(g, r)->nin; k++) {
        ir_ref part = jvp_of_operand(f, r, k);
        if (!part) continue;
        if (!(part = grad_elementwise(g, r, k, part))) return 0;
        part = ir_cast(g, part, t);
        sum = sum ? ir_build2(g, IR_ADD, sum, part) : part;
    }
    return sum;
}

/* ---- linear */

static bool is_linear(const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    switch (n->op) {
    case IR_NEG:
    case IR_SELECT:
    case IR_RESHAPE:
    case IR_PERMUTE:
    case IR_EXPAND:
    case IR_SLICE:
    case IR_AS_STRIDED:
    case IR_CONCAT:
    case IR_GATHER:
    case IR_UPDATE:
    case IR_COPY:
    case IR_COMPLEX:
    case IR_REAL:
    case IR_IMAG: return true;
    case IR_REDUCE: return ir_reduce_get(g, n).kind == IR_SUM;
    case IR_SCAN: return ir_attrs(g, n)[0] == IR_BY_SUM;
    case IR_SCATTER: return ir_attrs(g, n)[0] == IR_BY_SUM || ir_attrs(g, n)[0] == IR_BY_LAST;
    default: return false;
    }
}

/* The op itself of the tangents, zeros where there is none; conditions and indices as they are. */
static ir_ref of_tangents(const forward *f, ir_ref r) {
    ir_graph *g = f->g;
    const unsigned n = ir_at(g, r)->nin;
    ir_ref small[4] = {0}, *in = n <= BZ_LEN(small) ? small : bz_mem_alloc(n * sizeof *in), made;
    if (!in) return grad_fails(g, NULL), 0;
    for (unsigned k = 0; k < n; k++) {
        const ir_ref x = ir_operand(g, r, k), t = jvp_of_operand(f, r, k);
        in[k] = t ? t : floats(g, x) ? ir_const_like(g, x, 0) : x;
    }
    made = ir_rebuild_of(g, g, in, r);
    if (in != small) bz_mem_free(in);
    return made;
}

/* Linear in each operand: the op with one's tangent in its place, and with the other's. */
static ir_ref of_product(const forward *f, ir_ref r) {
    ir_ref sum = 0;
    for (unsigned k = 0; k < 2; k++) {
        const ir_ref t = jvp_of_operand(f, r, k);
        ir_ref in[2] = {ir_operand(f->g, r, 0), ir_operand(f->g, r, 1)};
        if (!t) continue;
        in[k] = t;
        const ir_ref part = ir_rebuild_of(f->g, f->g, in, r);
        sum = sum ? ir_build2(f->g, IR_ADD, sum, part) : part;
    }
    return sum;
}

/* The border does not move. */
static ir_ref of_pad(const forward *f, ir_ref r) {
    ir_graph *g = f->g;
    const ir_ref t = jvp_of_operand(f, r, 0);
    const ir_node *n = ir_at(g, r);
    const unsigned rank = n->rank;
    int64_t lo[IR_MAX_RANK], hi[IR_MAX_RANK];
    for (unsigned i = 0; i < rank; i++) {
        lo[i] = ir_attrs(g, n)[1 + 2 * i];
        hi[i] = ir_attrs(g, n)[2 + 2 * i];
    }
    return ir_pad(g, t, lo, hi, 0);
}

/* ---- the walk */

/* Of a node that is no tuple and no result of one. 0: none, or an error. */
static ir_ref tangent(forward *f, ir_ref r) {
    ir_graph *g = f->g;
    const ir_op op = (ir_op)ir_at(g, r)->op;
    bool any = false;
    for (unsigned k = 0; k < ir_at(g, r)->nin; k++) any |= jvp_of_operand(f, r, k) != 0;
    if (!any) return 0;
    if (is_linear(g, r)) return of_tangents(f, r);
    if (ir_op_is_elementwise(op)) return elementwise(f, r);
    if (op == IR_DOT || op == IR_CONV) return of_product(f, r);
    if (op == IR_PAD) return of_pad(f, r);
    if (op == IR_SCAN && ir_attrs(g, ir_at(g, r))[0] == IR_BY_LOG)
        return jvp_logaddexp_scan(g, r, jvp_of_operand(f, r, 0));
    return jvp_transposed(f, r, r, 0);
}

/* Of cond or while: tangents of all its results, kept until these are met. */
static bool control(forward *f, ir_ref r) {
    ir_graph *g = f->g;
    const unsigned nin = ir_at(g, r)->nin, nout = ir_result_count(g, r);
    const bool is_cond = ir_at(g, r)->op == IR_COND;
    ir_ref *t = bz_mem_zero((size_t)nin + nout + 1, sizeof *t), *out = t + nin;
    bool ok = t && bz_vec_reserve(&f->results, nout);
    for (unsigned k = is_cond; ok && k < nin; k++) t[k - is_cond] = jvp_of_operand(f, r, k);
    ok = ok && (is_cond ? jvp_cond : jvp_while)(g, r, t, out);
    f->b->results[r] = f->results.n;
    for (unsigned k = 0; ok && k < nout; k++) f->results.p[f->results.n++] = out[k];
    bz_mem_free(t);
    return ok || grad_fails(g, NULL);
}

static ir_ref of_result(forward *f, ir_ref r) {
    const ir_ref tuple = ir_operand(f->g, r, 0);
    const unsigned op = ir_at(f->g, tuple)->op, k = (unsigned)ir_attrs(f->g, ir_at(f->g, r))[0];
    if (op == IR_COND || op == IR_WHILE) return f->results.p[f->b->results[tuple] + k];
    return jvp_transposed(f, tuple, r, k);
}

/* The nodes that are made are the fault of the op that is differentiated. */
static bool step(forward *f, ir_ref r) {
    ir_graph *g = f->g;
    const ir_node *n = ir_at(g, r);
    const ir_op blamed = ir_blamed(g, r);
    const ir_ref first = g->n.n;
    g->site = g->sites.p[r];
    if (n->op == IR_COND || n->op == IR_WHILE) return control(f, r);
    if (!floats(g, r)) return true;
    const ir_ref t = n->op == IR_RESULT ? of_result(f, r) : tangent(f, r);
    for (ir_ref made = first; made < g->n.n; made++) g->n.p[made].blamed = (uint8_t)blamed;
    return accumulate(f, r, t);
}

static bz_status check(ir_graph *g, const ir_ref *y, unsigned ny, const ir_ref *wrt,
                       const ir_ref *t, unsigned n) {
    if (g->err.status) return g->err.status;
    for (unsigned k = 0; k < ny; k++)
        if (!y[k] || !floats(g, y[k]))
            return grad_refuse(g, BZ_EDTYPE, "only floats have a tangent, result %u is %s", k,
                               y[k] ? ir_shape_text(g, y[k]) : "missing");
    for (unsigned i = 0; i < n; i++) {
        if (!wrt[i] || !floats(g, wrt[i]))
            return grad_refuse(g, BZ_EDTYPE, "only floats have a tangent, number %u of wrt is %s",
                               i, wrt[i] ? ir_shape_text(g, wrt[i]) : "missing");
        if ((!t || !t[i]) && ir_at(g, wrt[i])->rank)
            return grad_refuse(g, BZ_ESHAPE, "number %u of wrt, %s, needs a tangent: it is not 0-d",
                               i, ir_shape_text(g, wrt[i]));
        if (t && t[i] &&
            (!ir_same_shape(g, t[i], wrt[i]) || ir_dtype(g, t[i]) != ir_dtype(g, wrt[i])))
            return grad_refuse(g, BZ_ESHAPE, "the tangent %s does not fit number %u of wrt, %s",
                               ir_shape_text(g, t[i]), i, ir_shape_text(g, wrt[i]));
    }
    return BZ_OK;
}

static bool walk(forward *f, const ir_ref *y, unsigned ny, const ir_ref *wrt, const ir_ref *t,
                 unsigned n, ir_ref *out) {
    pass_backward *b = f->b;
    grad_find_dependents(b, wrt, n);
    for (unsigned i = 0; i < n; i++) {
        const ir_ref of = t && t[i] ? t[i] : ir_const_like(f->g, wrt[i], 1);
        if (!accumulate(f, wrt[i], grad_is_zero(f->g, of) ? 0 : of)) return false;
    }
    for (uint32_t i = 0; i < b->cone.n; i++)
        if (b->depends[b->cone.p[i]] && !step(f, b->cone.p[i])) return false;
    for (unsigned k = 0; k < ny; k++)
        if (!(out[k] = b->grad[y[k]] ? b->grad[y[k]] : ir_const_like(f->g, y[k], 0))) return false;
    return true;
}

bz_status pass_jvp(pass_backward *b, ir_graph *g, const ir_ref *y, unsigned ny, const ir_ref *wrt,
                   const ir_ref *tangent, unsigned n, ir_ref *out) {
    forward f = {.g = g, .b = b};
    if (check(g, y, ny, wrt, tangent, n)) return g->err.status;
    const char *site = g->site;
    b->g = g;
    bool ok = pass_cone(b, g, y, ny);
    if (ok) {
        ok = walk(&f, y, ny, wrt, tangent, n, out);
        grad_forget(b, wrt, n);
    }
    pass_backward_free(&f.inner);
    bz_vec_free(&f.results);
    g->site = site;
    if (!ok) grad_fails(g, NULL);
    return ok ? BZ_OK : g->err.status;
}
