/* grad.c - gradients, graph to graph, so that they fuse, export and differentiate again.
 *
 * One backward loop: nodes from the result down to the operands; each gives every operand its share by a rule, shares add up. The
 * rules of elementwise ops are the expressions of ops.def, those of structural ops the functions that structs.def names (grad_move.c,
 * grad_fold.c, grad_index.c); what applies other graphs has its own step (grad_custom.c, grad_cond.c, grad_while.c). "Zero" (a comparison) is not
 * "no rule" (a bit operation): the first is silence, the second an error that names the op. */
#include "src/ir/complex.h"
#include "src/passes/grad.h"
#include "src/passes/rule_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef pass_backward backward;

ir_ref grad_no_rule(ir_graph *g, ir_ref r) {
    g->site = g->sites.p[r];
    return ir_error(g, BZ_EGRAD, (ir_op)ir_at(g, r)->op, "has no gradient");
}

/* ---- the rules of structural ops */

#define RULE_RULE(name) grad_##name
#define RULE_NONE(name) NULL
#define RULE_OWN(name)  NULL
static grad_rule *const rules[IR_NOPS] = {
#define IR_STRUCT(E, name, arity, results, flags, reads, gradient, doc, ...)                       \
    [IR_##E] = RULE_##gradient(name),
#include "src/ir/structs.def"
};

grad_rule *grad_rule_of(ir_op op) {
    return rules[op];
}

/* ---- elementwise rules */

ir_ref grad_elementwise(ir_graph *g, ir_ref r, unsigned k, ir_ref d) {
    unsigned op = ir_at(g, r)->op;
    const char *rule = ir_ops[op].grad[k];
    if (!strcmp(rule, "-")) return grad_no_rule(g, r);
    rule_scope s = {.names = "gxyzr", .value = {d, 0, 0, 0, r}, .like = d};
    for (unsigned i = 0; i < ir_at(g, r)->nin; i++) s.value[1 + i] = ir_operand(g, r, i);
    ir_ref share = rule_build(g, rule, &s);
    return share ? grad_expand_like(g, share, r) : 0;
}

static ir_ref elementwise_share(backward *b, ir_ref r, unsigned k, ir_ref d) {
    ir_ref share = grad_elementwise(b->g, r, k, d);
    return share ? ir_cast(b->g, share, ir_dtype(b->g, ir_operand(b->g, r, k))) : 0;
}

/* ---- the loop */

static bool floats(const ir_graph *g, ir_ref r) {
    return ir_is_smooth(ir_dtype(g, r)) && !(ir_at(g, r)->flags & IR_IS_TUPLE);
}

bool grad_is_zero(const ir_graph *g, ir_ref r) {
    ir_bits v;
    return ir_const_value(g, r, &v) && v == 0;
}

/* Stand-ins, gradients, and inputs whose gradient is zero. */
static bool custom_zero(const ir_graph *g, ir_ref r, unsigned k) {
    ir_custom c = ir_custom_get(g, r);
    return k >= c.nout &&
           (k < 3 * c.nout || k >= 3 * c.nout + c.nin || grad_is_zero(g, c.b[k - 3 * c.nout]));
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

void grad_find_dependents(backward *b, const ir_ref *wrt, unsigned n) {
    for (unsigned i = 0; i < n; i++) b->depends[wrt[i]] = true;
    for (uint32_t i = 0; i < b->cone.n; i++) {
        ir_ref r = b->cone.p[i];
        for (unsigned k = 0; k < ir_at(b->g, r)->nin; k++)
            if (b->depends[ir_operand(b->g, r, k)] && pass_grad_flows(b->g, r, k))
                b->depends[r] = true;
    }
}

static ir_ref sum(ir_graph *g, ir_ref x, ir_ref y) {
    return grad_is_zero(g, y) ? x : grad_is_zero(g, x) ? y : ir_build2(g, IR_ADD, x, y);
}

/* x + y; of complex shares one is often that of a part alone, whose other part is nothing to be added. */
ir_ref grad_add(ir_graph *g, ir_ref x, ir_ref y) {
    if (!ir_is_complex(ir_dtype(g, x))) return ir_build2(g, IR_ADD, x, y);
    const ir_pair p = ir_parts_of(g, x), q = ir_parts_of(g, y);
    const ir_ref re = sum(g, p.re, q.re);
    return ir_complex(g, re, sum(g, p.im, q.im));
}

static bool accumulate(backward *b, ir_ref x, ir_ref share) {
    if (!share) return false;
    b->grad[x] = b->grad[x] ? grad_add(b->g, b->grad[x], share) : share;
    return b->grad[x] != 0;
}

/* A tuple waits until all its results have their gradients. */
static bool result_step(backward *b, ir_ref r, ir_ref tuple) {
    b->results[r] = b->results[tuple];
    b->results[tuple] = r;
    b->grad[tuple] = b->grad[r];
    return true;
}

/* Of tuple r: nodes of its results, 0 = any, and their gradients, 0 = none. */
static bool collect(backward *b, ir_ref r, ir_ref *out, ir_ref *d) {
    for (ir_ref at = b->results[r]; at; at = b->results[at]) {
        int64_t k = ir_attrs(b->g, ir_at(b->g, at))[0];
        out[k] = at;
        d[k] = d[k] ? ir_build2(b->g, IR_ADD, d[k], b->grad[at]) : b->grad[at];
        if (!d[k]) return false;
    }
    return true;
}

bool grad_custom_is_closed(const backward *b, ir_ref r) {
    ir_custom c = ir_custom_get(b->g, r);
    for (unsigned k = 0; k < c.nout; k++)
        if (b->depends[c.f[k]] && floats(b->g, c.f[k]))
            return ir_error(b->g, BZ_EGRAD, IR_CUSTOM_GRAD,
                            "the gradient leads to a tensor that the forward function took from "
                            "outside: make it an input, or stop its gradient"),
                   false;
    return true;
}

static bool custom_step(backward *b, ir_ref r, const ir_ref *out, const ir_ref *d, ir_ref *share) {
    ir_graph *g = b->g;
    ir_custom c = ir_custom_get(g, r);
    if (!grad_custom_is_closed(b, r) || !grad_custom(g, r, out, d, share)) return false;
    for (unsigned j = 0; j < c.nin; j++) {
        ir_ref x = ir_custom_get(g, r).x[j];
        if (b->depends[x] && floats(g, x) && !grad_is_zero(g, share[j]) &&
            !accumulate(b, x, share[j]))
            return false;
    }
    return true;
}

/* Every operand of r gets its share, in which r's op is to blame; d: the gradient of r, of a tuple those of its results. */
static bool give_shares(backward *b, ir_ref r, const ir_ref *d) {
    ir_graph *g = b->g;
    const unsigned op = ir_at(g, r)->op;
    const ir_op blamed = ir_blamed(g, r);
    const ir_ref first = g->n.n;
    for (unsigned k = 0; k < ir_at(g, r)->nin; k++) {
        ir_ref x = ir_operand(g, r, k), share;
        if (!b->depends[x] || !floats(g, x) || zero_rule(g, r, k)) continue;
        if (ir_op_is_elementwise(op))
            share = elementwise_share(b, r, k, *d);
        else
            share = rules[op] ? rules[op](g, r, k, d) : grad_no_rule(g, r);
        if (!accumulate(b, x, share)) return false;
    }
    for (ir_ref made = first; made < g->n.n; made++) g->n.p[made].blamed = (uint8_t)blamed;
    return true;
}

/* Of cond or while: the operands from number `first` on get their shares. */
static bool control_step(backward *b, ir_ref r, unsigned first, const ir_ref *d, ir_ref *share) {
    ir_graph *g = b->g;
    const unsigned n = ir_at(g, r)->nin - first;
    bool *wants = bz_mem_zero(n + 1, sizeof *wants), ok = wants != NULL;
    for (unsigned j = 0; ok && j < n; j++) {
        const ir_ref x = ir_operand(g, r, first + j);
        wants[j] = b->depends[x] && floats(g, x);
    }
    ok = ok && (first ? grad_cond : grad_while)(g, r, d, wants, share);
    bz_mem_free(wants);
    for (unsigned j = 0; ok && j < n; j++)
        if (share[j]) ok = accumulate(b, ir_operand(g, r, first + j), share[j]);
    return ok;
}

static bool tuple_step(backward *b, ir_ref r) {
    const unsigned n = ir_result_count(b->g, r), nin = ir_at(b->g, r)->nin;
    ir_ref *work = bz_mem_zero(2 * n + nin, sizeof *work), *d = work ? work + n : NULL;
    bool ok = work && collect(b, r, work, d);
    const unsigned op = ir_at(b->g, r)->op;
    if (ok)
        ok = op == IR_CUSTOM_GRAD ? custom_step(b, r, work, d, d + n)
             : op == IR_COND      ? control_step(b, r, 1, d, d + n)
             : op == IR_WHILE     ? control_step(b, r, 0, d, d + n)
                                  : give_shares(b, r, d);
    bz_mem_free(work);
    return ok;
}

static bool step(backward *b, ir_ref r) {
    ir_graph *g = b->g;
    g->site = g->sites.p[r];
    if (ir_at(g, r)->flags & IR_IS_TUPLE) return tuple_step(b, r);
    if (ir_at(g, r)->op == IR_RESULT) return result_step(b, r, ir_operand(g, r, 0));
    return give_shares(b, r, &b->grad[r]);
}

/* An error with the user's line. */
bz_status grad_refuse(ir_graph *g, bz_status s, const char *fmt, ...) {
    char text[400];
    va_list ap;
    va_start(ap, fmt);
    bz_vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return bz_fail(&g->err, s, "[%s] %s%s%s", g->op ? g->op : "grad", text, g->site ? " at " : "",
                   g->site ? g->site : "");
}

static bz_status check(ir_graph *g, ir_ref loss, ir_ref seed) {
    if (g->err.status || !loss)
        return grad_refuse(g, BZ_EARG, "the loss has no value"), g->err.status;
    if (!floats(g, loss) || (!seed && ir_is_complex(ir_dtype(g, loss))))
        return grad_refuse(g, BZ_EDTYPE, "the loss must be a float, got %s",
                           ir_shape_text(g, loss));
    if (!seed && ir_at(g, loss)->rank != 0)
        return grad_refuse(g, BZ_ESHAPE, "the loss must be 0-d, got %s: take its sum or mean",
                           ir_shape_text(g, loss));
    if (seed && (!ir_same_shape(g, seed, loss) || ir_dtype(g, seed) != ir_dtype(g, loss)))
        return grad_refuse(g, BZ_ESHAPE, "the gradient %s does not fit the result %s",
                           ir_shape_text(g, seed), ir_shape_text(g, loss));
    return BZ_OK;
}

static bz_status check_all(ir_graph *g, const ir_ref *y, const ir_ref *seed, unsigned ny,
                           const ir_ref *wrt, unsigned n) {
    for (unsigned k = 0; k < ny; k++)
        if (check(g, y[k], seed ? seed[k] : 0)) return g->err.status;
    for (unsigned i = 0; i < n; i++)
        if (!wrt[i] || !floats(g, wrt[i]))
            return grad_refuse(g, BZ_EDTYPE, "only floats have a gradient, number %u of wrt is %s",
                               i, wrt[i] ? ir_shape_text(g, wrt[i]) : "missing");
    return BZ_OK;
}

/* The loop: from the last of the results down. */
static bool walk_back(backward *b, const ir_ref *y, const ir_ref *seed, unsigned ny) {
    for (unsigned k = 0; k < ny; k++)
        if (!accumulate(b, y[k], seed && seed[k] ? seed[k] : ir_const_like(b->g, y[k], 1)))
            return false;
    for (uint32_t i = b->cone.n; i-- > 0;) {
        ir_ref r = b->cone.p[i];
        if (b->grad[r] && b->depends[r] && !step(b, r)) return false;
    }
    return true;
}

static bool differentiate(backward *b, const ir_ref *y, const ir_ref *seed, unsigned ny,
                          const ir_ref *wrt, unsigned n, ir_ref *out) {
    grad_find_dependents(b, wrt, n);
    bool ok = walk_back(b, y, seed, ny);
    for (unsigned i = 0; ok && i < n; i++) {
        out[i] = b->grad[wrt[i]] ? b->grad[wrt[i]] : ir_const_like(b->g, wrt[i], 0);
        ok = out[i] != 0;
    }
    return ok;
}

void grad_forget(backward *b, const ir_ref *wrt, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        b->depends[wrt[i]] = false;
        b->grad[wrt[i]] = 0;
    }
    for (uint32_t i = 0; i < b->cone.n; i++) {
        ir_ref r = b->cone.p[i];
        b->grad[r] = b->results[r] = 0;
        b->depends[r] = false;
    }
}

bz_status pass_vjp(pass_backward *b, ir_graph *g, const ir_ref *y, const ir_ref *seed, unsigned ny,
                   const ir_ref *wrt, unsigned n, ir_ref *out) {
    if (check_all(g, y, seed, ny, wrt, n)) return g->err.status;
    const char *site = g->site;
    b->g = g;
    bool ok = pass_cone(b, g, y, ny);
    if (ok) {
        ok = differentiate(b, y, seed, ny, wrt, n, out);
        grad_forget(b, wrt, n);
    }
    g->site = site;
    return ok              ? BZ_OK
           : g->err.status ? g->err.status
                           : bz_fail(&g->err, BZ_ENOMEM, "out of memory while differentiating");
}

bz_status pass_grad(ir_graph *g, ir_ref loss, ir_ref seed, const ir_ref *wrt, unsigned n,
                    ir_ref *out) {
    pass_backward b = {0};
    bz_status s = pass_vjp(&b, g, &loss, seed ? &seed : NULL, 1, wrt, n, out);
    pass_backward_free(&b);
    return s;
}
