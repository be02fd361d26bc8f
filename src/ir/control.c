/* control.c - cond and while: nodes that apply other graphs of the module, and the types of tuple
 * results. */
#include "src/ir/ir.h"

#include <string.h>

/* The graph a control node names, or NULL and an error. */
static const ir_graph *body_of(ir_graph *g, ir_op op, int64_t number) {
    if (number >= 0 && number < (int64_t)g->m->graphs.n && g->m->graphs.p[number] != g)
        return g->m->graphs.p[number];
    ir_error(g, BZ_EARG, op, "the module has no graph %lld that it could apply", (long long)number);
    return NULL;
}

static bool same_type(const ir_graph *a, ir_ref x, const ir_graph *b, ir_ref y) {
    const ir_node *nx = ir_at(a, x), *ny = ir_at(b, y);
    return nx->dtype == ny->dtype && nx->rank == ny->rank &&
           (nx->rank == 0 || !memcmp(ir_dims(a, nx), ir_dims(b, ny), nx->rank * sizeof(ir_dim)));
}

/* Does `body` take the operands? */
static bool check_inputs(ir_graph *g, ir_op op, const ir_graph *body, const ir_ref *x, unsigned n) {
    if (body->inputs.n != n) {
        ir_error(g, BZ_EARG, op, "graph %s takes %u operands, not %u", body->name, body->inputs.n,
                 n);
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        if (x[i] && !same_type(g, x[i], body, body->inputs.p[i].node)) {
            ir_error(g, BZ_ESHAPE, op, "operand %s does not fit input %s of graph %s",
                     ir_shape_text(g, x[i]), body->inputs.p[i].name, body->name);
            return false;
        }
    }
    return true;
}

/* A tuple node; its own type is that of its first result. */
static ir_ref tuple(ir_graph *g, ir_op op, const ir_ref *x, unsigned n, const int64_t *attr,
                    unsigned nattr) {
    const ir_graph *body = g->m->graphs.p[attr[1]];
    const ir_node *first = ir_at(body, body->outputs.p[0].node);
    ir_ref r = ir_append(g, op, (bz_dtype)first->dtype, ir_dims(body, first), first->rank, x, n,
                         attr, nattr);
    if (r) g->n.p[r].flags |= IR_IS_TUPLE;
    return r;
}

static bool same_outputs(ir_graph *g, const ir_graph *a, const ir_graph *b) {
    bool same = a->outputs.n == b->outputs.n && a->outputs.n > 0;
    for (uint32_t i = 0; same && i < a->outputs.n; i++)
        same = same_type(a, a->outputs.p[i].node, b, b->outputs.p[i].node);
    if (!same)
        ir_error(g, BZ_ESHAPE, IR_COND, "graphs %s and %s do not give the same results", a->name,
                 b->name);
    return same;
}

ir_ref ir_cond(ir_graph *g, int64_t then, int64_t otherwise, ir_ref pred, const ir_ref *x,
               unsigned n) {
    const ir_graph *a = body_of(g, IR_COND, then), *b = body_of(g, IR_COND, otherwise);
    if (!a || !b || !pred) return 0;
    if (ir_dtype(g, pred) != BZ_BOOL || ir_at(g, pred)->rank)
        return ir_error(g, BZ_EDTYPE, IR_COND, "the condition must be bool[], not %s",
                        ir_shape_text(g, pred));
    if (!check_inputs(g, IR_COND, a, x, n) || !check_inputs(g, IR_COND, b, x, n) ||
        !same_outputs(g, a, b))
        return 0;
    ir_ref *in = bz_arena_alloc(&g->arena, (n + 1) * sizeof *in);
    if (!in) return ir_error(g, BZ_ENOMEM, IR_COND, "out of memory");
    in[0] = pred;
    for (unsigned i = 0; i < n; i++) in[i + 1] = x[i];
    return tuple(g, IR_COND, in, n + 1, (int64_t[]){then, otherwise}, 2);
}

/* The outputs of the body are what goes round. */
static bool check_state(ir_graph *g, const ir_graph *body, const ir_ref *x, unsigned n) {
    bool same = body->outputs.n == n && n > 0;
    for (unsigned i = 0; same && i < n; i++)
        same = same_type(body, body->outputs.p[i].node, g, x[i]);
    if (!same)
        ir_error(g, BZ_ESHAPE, IR_WHILE,
                 "graph %s must give its first %u operands back, in the same shapes and dtypes",
                 body->name, n);
    return same;
}

ir_ref ir_while(ir_graph *g, int64_t cond, int64_t body, const ir_ref *x, unsigned n,
                unsigned captured) {
    const ir_graph *c = body_of(g, IR_WHILE, cond), *b = body_of(g, IR_WHILE, body);
    if (!c || !b) return 0;
    if (captured > n)
        return ir_error(g, BZ_EARG, IR_WHILE, "%u captured of %u operands", captured, n);
    if (!check_inputs(g, IR_WHILE, c, x, n) || !check_inputs(g, IR_WHILE, b, x, n) ||
        !check_state(g, b, x, n - captured))
        return 0;
    const ir_node *test = c->outputs.n == 1 ? ir_at(c, c->outputs.p[0].node) : NULL;
    if (!test || test->dtype != BZ_BOOL || test->rank)
        return ir_error(g, BZ_EDTYPE, IR_WHILE, "graph %s must give one bool[]", c->name);
    return tuple(g, IR_WHILE, x, n, (int64_t[]){cond, body, captured}, 3);
}

unsigned ir_result_count(const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    if (n->op == IR_COND || n->op == IR_WHILE) return g->m->graphs.p[ir_attrs(g, n)[1]]->outputs.n;
    if (n->op == IR_CUSTOM_GRAD) return (unsigned)ir_attrs(g, n)[0];
    return n->op == IR_SORT ? 2 : 0;
}

bool ir_result_type(const ir_graph *g, ir_ref r, unsigned k, bz_dtype *t, const ir_dim **dims,
                    unsigned *rank) {
    const ir_graph *from = g;
    const ir_node *n = ir_at(g, r);
    if (k >= ir_result_count(g, r)) return false;
    if (n->op == IR_CUSTOM_GRAD) {
        n = ir_at(g, ir_in(g, n)[k]);
    } else if (n->op != IR_SORT) {
        from = g->m->graphs.p[ir_attrs(g, n)[1]];
        n = ir_at(from, from->outputs.p[k].node);
    }
    *t = ir_at(g, r)->op == IR_SORT && k == 1 ? BZ_I64 : (bz_dtype)n->dtype;
    *dims = ir_dims(from, n);
    *rank = n->rank;
    return true;
}

/* ---- a gradient of its own */

ir_ref ir_stand_in(ir_graph *g, ir_ref x) {
    if (!x) return 0;
    const ir_node *n = ir_at(g, x);
    return ir_append(g, IR_STAND_IN, (bz_dtype)n->dtype, ir_dims(g, n), n->rank, &x, 1, NULL, 0);
}

ir_ref ir_custom_grad(ir_graph *g, const ir_ref *x, unsigned nout, unsigned nin) {
    for (unsigned k = 0; k < 3 * nout + 2 * nin; k++)
        if (!x[k]) return 0;
    const ir_node *n = ir_at(g, x[0]);
    ir_ref r = ir_append(g, IR_CUSTOM_GRAD, (bz_dtype)n->dtype, ir_dims(g, n), n->rank, x,
                         3 * nout + 2 * nin, (int64_t[]){nout, nin}, 2);
    if (r) g->n.p[r].flags |= IR_IS_TUPLE;
    return r;
}

ir_custom ir_custom_get(const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    unsigned nout = (unsigned)ir_attrs(g, n)[0], nin = (unsigned)ir_attrs(g, n)[1];
    const ir_ref *x = ir_in(g, n);
    return (ir_custom){nout, nin, x, x + nout, x + 3 * nout, x + 3 * nout + nin};
}
