/* jvp_transposed.c - the tangent of an op of which only the gradient is known.
 *
 *      u: a stand-in for the gradient of y      dx = rule(u), linear in u      ty = the gradient by u of dx under tx
 *
 * What the rule makes of u alone is looked at, so a step costs what the rule costs. A rule that is not linear in the gradient, as a function
 * of the user's may be, leaves u in ty: that is an error. */
#include "src/passes/jvp.h"

#include <string.h>

/* Does a node from u on depend on it? seen: of nodes from u on. */
static bool leads_to(const ir_graph *g, ir_ref r, ir_ref u, bool *seen) {
    seen[0] = true;
    for (ir_ref at = u + 1; at <= r; at++)
        for (unsigned k = 0; k < ir_at(g, at)->nin; k++) {
            const ir_ref x = ir_operand(g, at, k);
            seen[at - u] |= x >= u && seen[x - u];
        }
    return r >= u && seen[r - u];
}

static bool check_linear(ir_graph *g, ir_ref r, ir_ref made, ir_ref u) {
    if (made < u) return true;
    bool *seen = bz_mem_zero(made - u + 1, sizeof *seen);
    if (!seen) return grad_fails(g, NULL);
    const bool leads = leads_to(g, made, u, seen);
    bz_mem_free(seen);
    if (!leads) return true;
    g->site = g->sites.p[r];
    g->op = NULL; /* the op is to blame, not who asks */
    return ir_error(g, BZ_EGRAD, (ir_op)ir_at(g, r)->op,
                    "has no tangent: what its gradient makes of the gradient that arrives is not "
                    "linear"),
           false;
}

/* What the rule of r gives operands with tangents, under gradients d of its results: their number, -1: an error. */
static int shares(const forward *f, ir_ref r, const ir_ref *d, ir_ref *share, ir_ref *t) {
    ir_graph *g = f->g;
    grad_rule *rule = grad_rule_of((ir_op)ir_at(g, r)->op);
    int n = 0;
    for (unsigned k = 0; k < ir_at(g, r)->nin; k++) {
        const ir_ref of = jvp_of_operand(f, r, k);
        if (!of) continue;
        share[n] = rule ? rule(g, r, k, d) : grad_no_rule(g, r);
        t[n] = of;
        if (!share[n++]) return -1;
    }
    return n;
}

static int custom_shares(const forward *f, ir_ref r, const ir_ref *d, ir_ref *share, ir_ref *t) {
    ir_graph *g = f->g;
    const ir_custom c = ir_custom_get(g, r);
    const unsigned nin = c.nin, behind = 3 * c.nout; /* where the inputs stand */
    int n = 0;
    ir_ref *work = bz_mem_zero((size_t)nin + c.nout, sizeof *work), *none = work + nin;
    bool ok = work && grad_custom_is_closed(f->b, r) && grad_custom(g, r, none, d, work);
    for (unsigned j = 0; j < nin && ok; j++) {
        const ir_ref of = jvp_of_operand(f, r, behind + j);
        if (!of || grad_is_zero(g, work[j])) continue;
        share[n] = work[j];
        t[n++] = of;
    }
    bz_mem_free(work);
    return ok ? n : -1;
}

static ir_ref differentiate(forward *f, ir_ref r, ir_ref u, const ir_ref *d, ir_ref *work) {
    ir_graph *g = f->g;
    ir_ref *t = work + ir_at(g, r)->nin, made;
    const int n = ir_at(g, r)->op == IR_CUSTOM_GRAD ? custom_shares(f, r, d, work, t)
                                                    : shares(f, r, d, work, t);
    if (n < 0) return grad_fails(g, NULL), 0;
    if (n == 0) return 0;
    f->inner.from = u;
    if (pass_vjp(&f->inner, g, work, t, (unsigned)n, &u, 1, &made)) return 0;
    return !grad_is_zero(g, made) && check_linear(g, r, made, u) ? made : 0;
}

ir_ref jvp_transposed(forward *f, ir_ref r, ir_ref y, unsigned k) {
    ir_graph *g = f->g;
    const bool is_tuple = ir_at(g, r)->flags & IR_IS_TUPLE;
    const unsigned nout = is_tuple ? ir_result_count(g, r) : 1;
    const size_t n = nout + 2 * (size_t)ir_at(g, r)->nin;
    ir_ref *d = bz_mem_zero(n, sizeof *d), made = 0;
    const ir_ref u = ir_stand_in(g, ir_const_like(g, y, 0));
    if (d && u) {
        d[k] = u;
        made = differentiate(f, r, u, d, d + nout);
    } else {
        grad_fails(g, NULL);
    }
    bz_mem_free(d);
    return made;
}
