/* loops.c - a while and the loop that does the same and saves what its gradient reads (grad_while.c) become the second.
 *
 *      y = while x, c {body=f}                        n, y, s = while 0, x, zeros, c {body=f_saving}
 *      n, z, s = while 0, x, zeros, c {body=f_saving}
 *
 * needs: nothing. gives: the same values. A graph without such loops is copied. */
#include "src/passes/pass.h"

/* 0: the test, 1: the body. */
static const ir_graph *graph_of(const ir_graph *g, ir_ref r, unsigned k) {
    return g->m->graphs.p[ir_attrs(g, ir_at(g, r))[k]];
}

static bool saves(const ir_graph *g, ir_ref r) {
    return ir_at(g, r)->op == IR_WHILE && graph_of(g, r, 1)->saves;
}

/* Are the operands of loop s those of r, but for the number of turns before them and what is saved, constants, behind those that go
 * round? */
static bool is_twin(const ir_graph *g, ir_ref r, ir_ref s) {
    const ir_node *a = ir_at(g, r), *b = ir_at(g, s);
    const int64_t *x = ir_attrs(g, a), *y = ir_attrs(g, b);
    for (unsigned i = 0; i < 2; i++)
        if (graph_of(g, s, i)->saves != graph_of(g, r, i)->id) return false;
    if (x[2] != y[2] || x[3] != y[3]) return false;
    const unsigned k = (unsigned)x[2], m = a->nin - k;
    if (b->nin < 1 + m + k) return false;
    for (unsigned i = 0; i < b->nin; i++) {
        const ir_ref at = ir_in(g, b)[i];
        if (i == 0 || (i > m && i < b->nin - k)) {
            if (ir_at(g, at)->op != IR_CONST) return false;
        } else if (at != ir_in(g, a)[i <= m ? i - 1 : m + i - (b->nin - k)]) {
            return false;
        }
    }
    return true;
}

/* The loop that saves of while r, or of that one, and so on: *by, how many results come before r's. 0: there is none. */
static ir_ref twin_of(const ir_graph *g, const bool *live, ir_ref r, unsigned *by) {
    ir_ref last = 0;
    for (ir_ref s = 1; s < g->n.n; s++) {
        if (!live[s] || s == r || !saves(g, s) || !is_twin(g, r, s)) continue;
        last = r = s;
        ++*by;
        s = 0;
    }
    return last;
}

static ir_ref rebuild(ir_graph *n, const ir_graph *g, ir_map *map, ir_ref r) {
    if (!map->to[r]) map->to[r] = ir_rebuild_node(n, g, map, r);
    return map->to[r];
}

/* Loop s where the while stands, whose operands are there. */
static void rebuild_early(ir_graph *n, const ir_graph *g, ir_map *map, ir_ref s) {
    for (unsigned i = 0; i < ir_at(g, s)->nin; i++) rebuild(n, g, map, ir_operand(g, s, i));
    rebuild(n, g, map, s);
}

static void join(ir_graph *n, const ir_graph *g, const bool *live, ir_map *map) {
    for (ir_ref r = 1; r < g->n.n && !n->err.status; r++) {
        if (!live[r] || map->to[r]) continue;
        const ir_node *at = ir_at(g, r);
        ir_ref loop = at->op == IR_WHILE ? r : at->op == IR_RESULT ? ir_in(g, at)[0] : 0;
        if (loop && ir_at(g, loop)->op != IR_WHILE) loop = 0;
        unsigned by = 0;
        const ir_ref twin = loop ? twin_of(g, live, loop, &by) : 0;
        if (twin && !map->to[twin]) rebuild_early(n, g, map, twin);
        if (twin && loop != r)
            map->to[r] = ir_result(n, map->to[twin], (unsigned)ir_attrs(g, at)[0] + by);
        else if (!twin)
            rebuild(n, g, map, r);
    }
}

ir_graph *pass_join_loops(const ir_graph *g, bz_error *e) {
    bool *live = ir_live(g), any = false;
    ir_map map;
    for (ir_ref r = 1; r < g->n.n && live; r++) any |= live[r] && saves(g, r);
    if (live && !any) {
        bz_mem_free(live);
        return ir_copy_live(g, e);
    }
    ir_graph *n = live ? ir_rebuild_begin(g, &map) : NULL;
    if (n) join(n, g, live, &map);
    bz_mem_free(live);
    if (n) return ir_rebuild_end(n, g, &map, e);
    bz_fail(e, BZ_ENOMEM, "out of memory while joining loops");
    return NULL;
}
