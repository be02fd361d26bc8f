/* control.c - cond and while: nodes that apply other graphs of the module. */
#include "src/ir/structs.h"

#include <string.h>

/* The graph a control node names, or NULL and an error. */
static const ir_graph *body_of(ir_graph *g, ir_op op, int64_t number) {
    if (number >= 0 && number < (int64_t)g->m->graphs.n && g->m->graphs.p[number] &&
        g->m->graphs.p[number] != g)
        return g->m->graphs.p[number];
    ir_error(g, BZ_EARG, op, "the module has no graph %lld that it could apply", (long long)number);
    return NULL;
}

/* Does `body` take the operands? */
static bool check_inputs(ir_graph *g, ir_op op, const ir_graph *body, const ir_ref *x, unsigned n) {
    if (body->inputs.n != n) {
        ir_error(g, BZ_EARG, op, "graph %s takes %u operands, not %u", body->name, body->inputs.n,
                 n);
        return false;
    }
    for (unsigned i = 0; i < n; i++) {
        if (x[i] && !ir_same_type(g, x[i], body, body->inputs.p[i].node)) {
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
    return ir_append(g, op, (bz_dtype)first->dtype, ir_dims(body, first), first->rank, x, n, attr,
                     nattr);
}

static bool same_outputs(ir_graph *g, const ir_graph *a, const ir_graph *b) {
    bool same = a->outputs.n == b->outputs.n && a->outputs.n > 0;
    for (uint32_t i = 0; same && i < a->outputs.n; i++)
        same = ir_same_type(a, a->outputs.p[i].node, b, b->outputs.p[i].node);
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
        same = ir_same_type(body, body->outputs.p[i].node, g, x[i]);
    if (!same)
        ir_error(g, BZ_ESHAPE, IR_WHILE,
                 "graph %s must give its first %u operands back, in the same shapes and dtypes",
                 body->name, n);
    return same;
}

ir_ref ir_while(ir_graph *g, int64_t cond, int64_t body, const ir_ref *x, unsigned n,
                unsigned captured, int64_t most) {
    const ir_graph *c = body_of(g, IR_WHILE, cond), *b = body_of(g, IR_WHILE, body);
    if (!c || !b) return 0;
    if (captured > n)
        return ir_error(g, BZ_EARG, IR_WHILE, "%u captured of %u operands", captured, n);
    if (most < 0)
        return ir_error(g, BZ_EARG, IR_WHILE, "at most %lld turns are none", (long long)most);
    if (!check_inputs(g, IR_WHILE, c, x, n) || !check_inputs(g, IR_WHILE, b, x, n) ||
        !check_state(g, b, x, n - captured))
        return 0;
    const ir_node *test = c->outputs.n == 1 ? ir_at(c, c->outputs.p[0].node) : NULL;
    if (!test || test->dtype != BZ_BOOL || test->rank)
        return ir_error(g, BZ_EDTYPE, IR_WHILE, "graph %s must give one bool[]", c->name);
    return tuple(g, IR_WHILE, x, n, (int64_t[]){cond, body, captured, most}, 4);
}

/* ---- are the nodes right? */

static bool fits(const ck *c, const ir_graph *g, ir_ref a, const ir_graph *h, ir_ref b) {
    return ir_same_type(g, a, h, b) || ck_wrong(c, BZ_ESHAPE, "its graphs do not fit");
}

static const ir_graph *graph_at(const ck *c, unsigned k) {
    int64_t i = c->attr[k];
    bool ok = i >= 0 && i < (int64_t)c->g->m->graphs.n && c->g->m->graphs.p[i] &&
              c->g->m->graphs.p[i] != c->g;
    if (!ok) ck_wrong(c, BZ_EARG, "graph %lld does not exist", (long long)i);
    return ok ? c->g->m->graphs.p[i] : NULL;
}

/* `body` takes the operands from number `first` on. */
static bool takes(const ck *c, const ir_graph *body, unsigned first) {
    if (!body || body->inputs.n + first != c->n->nin)
        return body &&
               ck_wrong(c, BZ_EARG, "graph %s takes %u operands", body->name, body->inputs.n);
    for (uint32_t i = 0; i < body->inputs.n; i++) {
        if (!fits(c, c->g, ir_in(c->g, c->n)[first + i], body, body->inputs.p[i].node))
            return false;
    }
    return true;
}

/* Of either op: what its second graph gives. */
static unsigned body_results(const ir_graph *g, ir_ref r, unsigned k, ir_type *t) {
    const ir_graph *body = g->m->graphs.p[ir_attrs(g, ir_at(g, r))[1]];
    if (k < body->outputs.n) *t = ir_type_of(body, body->outputs.p[k].node);
    return body->outputs.n;
}

unsigned ir_cond_results(const ir_graph *g, ir_ref r, unsigned k, ir_type *t) {
    return body_results(g, r, k, t);
}

unsigned ir_while_results(const ir_graph *g, ir_ref r, unsigned k, ir_type *t) {
    return body_results(g, r, k, t);
}

bool ck_cond(const ck *c) {
    if (!ck_attrs(c, 2) || c->n->nin == 0 || ck_in(c, 0)->dtype != BZ_BOOL || ck_in(c, 0)->rank)
        return ck_wrong(c, BZ_EDTYPE, "the first operand must be bool[]");
    const ir_graph *a = graph_at(c, 0), *b = graph_at(c, 1);
    if (!takes(c, a, 1) || !takes(c, b, 1)) return false;
    if (a->outputs.n != b->outputs.n || !a->outputs.n)
        return ck_wrong(c, BZ_ESHAPE, "its graphs give different numbers of results");
    for (uint32_t i = 0; i < a->outputs.n; i++) {
        if (!fits(c, a, a->outputs.p[i].node, b, b->outputs.p[i].node)) return false;
    }
    return fits(c, c->g, c->r, b, b->outputs.p[0].node);
}

bool ck_while(const ck *c) {
    if (!ck_attrs(c, 4) || c->attr[2] < 0 || c->attr[2] > c->n->nin || c->attr[3] < 0)
        return ck_wrong(c, BZ_EARG, "the number of captured operands, or of turns, is wrong");
    const ir_graph *test = graph_at(c, 0), *body = graph_at(c, 1);
    if (!takes(c, test, 0) || !takes(c, body, 0)) return false;
    const ir_node *t = test->outputs.n == 1 ? ir_at(test, test->outputs.p[0].node) : NULL;
    if (!t || t->dtype != BZ_BOOL || t->rank)
        return ck_wrong(c, BZ_EDTYPE, "graph %s must give one bool[]", test->name);
    if (body->outputs.n + (uint64_t)c->attr[2] != c->n->nin || !body->outputs.n)
        return ck_wrong(c, BZ_ESHAPE, "graph %s gives %u results", body->name, body->outputs.n);
    for (uint32_t i = 0; i < body->outputs.n; i++) {
        if (!fits(c, c->g, ir_in(c->g, c->n)[i], body, body->outputs.p[i].node)) return false;
    }
    return fits(c, c->g, c->r, body, body->outputs.p[0].node);
}

/* ---- values */

/* Copies of the operands from number `first` on as plain arrays (their data stays where it is). */
static it_array *operand_list(it_state *s, ir_ref r, unsigned first) {
    unsigned n = ir_at(s->g, r)->nin - first;
    it_array *x = bz_mem_alloc((n + 1) * sizeof *x);
    if (!x) it_fail(s, r, BZ_ENOMEM, "out of memory");
    for (unsigned i = 0; x && i < n; i++) x[i] = *it_operand(s, r, first + i);
    return x;
}

bool it_cond(it_state *s, ir_ref r) {
    const int64_t *graphs = ir_attrs(s->g, ir_at(s->g, r));
    it_array *x = operand_list(s, r, 1), *out = x ? it_results(s, r) : NULL;
    bool yes = *(const uint8_t *)it_operand(s, r, 0)->data;
    bool ok = out && it_apply(s, graphs[yes ? 0 : 1], x, out);
    bz_mem_free(x);
    return ok;
}

/* Runs the test on x: *go is its result. */
static bool test_again(it_state *s, int64_t graph, const it_array *x, bool *go) {
    it_array t = {0};
    bool ok = it_apply(s, graph, x, &t);
    *go = ok && *(const uint8_t *)t.data;
    bz_mem_free(t.data);
    return ok;
}

bool it_while(it_state *s, ir_ref r) {
    const int64_t *attr = ir_attrs(s->g, ir_at(s->g, r));
    it_array *x = operand_list(s, r, 0), *state = x ? it_results(s, r) : NULL;
    unsigned n = s->slot[r].nmany;
    bool ok = state != NULL, go = false;
    for (unsigned i = 0; ok && i < n; i++) ok = it_duplicate(s, r, &x[i], &state[i]);
    for (int64_t turn = 0; ok && (turn < attr[3] || !attr[3]); turn++) {
        memcpy(x, state, n * sizeof *x);
        if (!(ok = test_again(s, attr[0], x, &go)) || !go) break;
        it_array *next = bz_mem_zero(n, sizeof *next);
        ok = next && it_apply(s, attr[1], x, next);
        if (!ok) {
            it_fail(s, r, BZ_ENOMEM, "out of memory");
            bz_mem_free(next);
            break;
        }
        it_free_many(state, n);
        s->slot[r].many = state = next;
    }
    bz_mem_free(x);
    return ok;
}
