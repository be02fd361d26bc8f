/* jvp_while.c - the tangent of a while is a while that carries tangents beside the values:
 *
 *      y = while x, c {body=f}                   y, ty = while x, tx, c, tc {body=f_jvp}
 *      f_jvp(x, tx, c, tc):  f(x, c), and what pass_jvp makes of it
 *
 * Only what depends on an operand with a tangent has one. Nothing is saved, so that the number of turns need not be bounded. */
#include "src/passes/grad.h"

typedef struct loop {
    ir_graph *g;
    ir_ref r;
    const ir_graph *test, *body;
    int64_t most;
    unsigned m, k; /* operands that go round, captured ones */
    const ir_ref *t;
    bool *wants;  /* m + k: it has a tangent */
    bool *varied; /* m: its tangent goes round */
} loop;

static bool has_tangent(const loop *l, unsigned j) {
    return j < l->m ? l->varied[j] : l->wants[j];
}

/* Inputs of b: those that go round, their tangents, captured ones, theirs. */
static bool inputs(const loop *l, ir_graph *b, const ir_graph *of, ir_map *map, ir_ref *t) {
    bool ok = true;
    for (unsigned part = 0; part < 2; part++) {
        const unsigned from = part ? l->m : 0, to = part ? l->m + l->k : l->m;
        for (unsigned j = from; j < to && ok; j++)
            ok = (map->to[grad_in(of, j)] = grad_input_like(b, of, grad_in(of, j))) != 0;
        for (unsigned j = from; j < to && ok; j++)
            if (has_tangent(l, j)) ok = (t[j] = grad_input_like(b, of, grad_in(of, j))) != 0;
    }
    return ok && grad_copy_live(b, of, map);
}

/* work: room for 3 m + k more than the tangents. */
static bool fill_body(const loop *l, ir_graph *b, ir_map *map, ir_ref *t) {
    ir_ref *y = t + l->m + l->k, *wrt = y + l->m, *tangent = wrt + l->m + l->k,
           *out = tangent + l->m + l->k;
    unsigned ny = 0, n = 0;
    pass_backward work = {0};
    if (!inputs(l, b, l->body, map, t)) return false;
    for (unsigned j = 0; j < l->m + l->k; j++) {
        if (!has_tangent(l, j)) continue;
        wrt[n] = map->to[grad_in(l->body, j)];
        tangent[n++] = t[j];
        if (j < l->m) y[ny++] = map->to[grad_out(l->body, j)];
    }
    bool ok = !pass_jvp(&work, b, y, ny, wrt, tangent, n, out);
    pass_backward_free(&work);
    for (unsigned j = 0; j < l->m && ok; j++)
        ok = !ir_output_add(b, NULL, map->to[grad_out(l->body, j)], -1);
    for (unsigned i = 0; i < ny && ok; i++) ok = !ir_output_add(b, NULL, out[i], -1);
    return ok;
}

static bool fill_test(const loop *l, ir_graph *b, ir_map *map, ir_ref *t) {
    return inputs(l, b, l->test, map, t) &&
           !ir_output_add(b, NULL, map->to[grad_out(l->test, 0)], -1);
}

/* A graph that `fill` makes of `of`, lent to the module: its number, -1: an error in l->g. */
static int64_t lend(const loop *l, const ir_graph *of,
                    bool (*fill)(const loop *, ir_graph *, ir_map *, ir_ref *)) {
    ir_map map = {NULL, 0};
    ir_graph *b = ir_graph_new(l->g->m, of->name);
    ir_ref *work = bz_mem_zero(5 * (size_t)l->m + 3 * (size_t)l->k + 1, sizeof *work);
    int64_t number = -1;
    if (b && work && grad_map_new(&map, of) && fill(l, b, &map, work))
        number = grad_lend(b, of->name, "jvp");
    bz_mem_free(map.to);
    bz_mem_free(work);
    if (number >= 0) return number;
    grad_fails(l->g, b);
    ir_graph_free(b);
    return -1;
}

/* Operands of the loop, in the order of the inputs: *n of them, *captured the last. */
static void operands(const loop *l, ir_ref *x, unsigned *n, unsigned *captured) {
    ir_graph *g = l->g;
    for (unsigned j = 0; j < l->m; j++) x[(*n)++] = ir_operand(g, l->r, j);
    for (unsigned j = 0; j < l->m; j++)
        if (l->varied[j])
            x[(*n)++] = l->t[j] ? l->t[j] : ir_const_like(g, ir_operand(g, l->r, j), 0);
    *captured = *n;
    for (unsigned j = l->m; j < l->m + l->k; j++) x[(*n)++] = ir_operand(g, l->r, j);
    for (unsigned j = l->m; j < l->m + l->k; j++)
        if (l->wants[j]) x[(*n)++] = l->t[j];
    *captured = *n - *captured;
}

static bool make_loop(const loop *l, ir_ref *x, ir_ref *out) {
    ir_graph *g = l->g;
    unsigned n = 0, captured;
    operands(l, x, &n, &captured);
    const int64_t test = lend(l, l->test, fill_test),
                  body = test < 0 ? -1 : lend(l, l->body, fill_body);
    const ir_ref made = body < 0 ? 0 : ir_while(g, test, body, x, n, captured, l->most);
    ir_module_drop(g->m, test);
    ir_module_drop(g->m, body);
    unsigned at = l->m;
    for (unsigned j = 0; j < l->m && made; j++)
        if (l->varied[j]) out[j] = ir_result(g, made, at++);
    return made && !g->err.status;
}

bool jvp_while(ir_graph *g, ir_ref r, const ir_ref *t, ir_ref *out) {
    const ir_node *n = ir_at(g, r);
    const int64_t *attr = ir_attrs(g, n);
    loop l = {.g = g, .r = r, .most = attr[3], .t = t, .k = (unsigned)attr[2]};
    const unsigned nin = n->nin;
    l.test = g->m->graphs.p[attr[0]];
    l.body = g->m->graphs.p[attr[1]];
    l.m = nin - l.k;
    bool *flags = bz_mem_zero((size_t)nin + l.m + l.body->n.n, sizeof *flags), any = false;
    ir_ref *x = bz_mem_zero(2 * (size_t)nin + 1, sizeof *x);
    bool ok = flags && x;
    if (ok) {
        l.wants = flags;
        l.varied = flags + nin;
        for (unsigned j = 0; j < nin; j++) l.wants[j] = t[j] != 0;
        for (unsigned j = 0; j < l.m; j++) l.varied[j] = l.wants[j];
        while (grad_spread(l.body, l.m, l.k, l.wants, l.varied, l.varied + l.m)) continue;
        for (unsigned j = 0; j < l.m; j++) any |= l.varied[j];
        ok = !any || make_loop(&l, x, out);
    }
    bz_mem_free(flags);
    bz_mem_free(x);
    return ok || grad_fails(g, NULL);
}
