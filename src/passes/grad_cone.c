/* grad_cone.c - the nodes that a gradient has to do with, and the workspace that knows nothing of the others.
 *
 * A recording holds many losses. What one gradient takes is in proportion to what its results depend on: the workspace has an entry
 * for every node of the graph, but all are zero between two gradients, and each cleans what it touched. */
#include "src/passes/pass.h"

#include <stdlib.h>
#include <string.h>

static bool grow_one(void **p, size_t size, uint32_t from, uint32_t to) {
    char *more = bz_mem_grow(*p, to * size);
    if (!more) return false;
    memset(more + from * size, 0, (to - from) * size);
    *p = more;
    return true;
}

/* An entry of each table for each of n nodes. */
static bool room_for(pass_backward *b, uint32_t n) {
    if (n <= b->room) return true;
    uint32_t room = n > 2 * b->room ? n : 2 * b->room;
    void *grad = b->grad, *results = b->results, *depends = b->depends;
    bool done = grow_one(&grad, sizeof *b->grad, b->room, room) &&
                grow_one(&results, sizeof *b->results, b->room, room) &&
                grow_one(&depends, sizeof *b->depends, b->room, room);
    b->grad = grad;
    b->results = results;
    b->depends = depends;
    if (done) b->room = room;
    return done;
}

static bool add(pass_backward *b, ir_ref r) {
    if (b->depends[r]) return true;
    return b->depends[r] = bz_vec_push(&b->cone, r);
}

static int ascending(const void *p, const void *q) {
    const ir_ref *a = p, *b = q;
    return (*a > *b) - (*a < *b);
}

/* The cone in order: nodes that lie close together are picked from the table, others sorted. */
static void sort_cone(pass_backward *b) {
    ir_ref lo = b->room, hi = 0;
    for (uint32_t i = 0; i < b->cone.n; i++) {
        lo = b->cone.p[i] < lo ? b->cone.p[i] : lo;
        hi = b->cone.p[i] > hi ? b->cone.p[i] : hi;
    }
    if (b->cone.n && (hi - lo) / 16 > b->cone.n) {
        qsort(b->cone.p, b->cone.n, sizeof *b->cone.p, ascending);
        return;
    }
    b->cone.n = 0;
    for (ir_ref r = lo; r <= hi; r++)
        if (b->depends[r]) b->cone.p[b->cone.n++] = r;
}

bool pass_cone(pass_backward *b, const ir_graph *g, const ir_ref *y, unsigned ny) {
    b->cone.n = 0;
    bool done = room_for(b, g->n.n);
    for (unsigned k = 0; k < ny && done; k++) done = add(b, y[k]);
    for (uint32_t i = 0; i < b->cone.n && done; i++) {
        ir_ref r = b->cone.p[i];
        for (unsigned k = 0; k < ir_at(g, r)->nin && done; k++)
            if (ir_operand(g, r, k) >= b->from && !b->depends[ir_operand(g, r, k)] &&
                pass_grad_flows(g, r, k))
                done = add(b, ir_operand(g, r, k));
    }
    if (done) sort_cone(b);
    b->work += b->cone.n;
    for (uint32_t i = 0; i < b->cone.n; i++) b->depends[b->cone.p[i]] = false;
    return done;
}

void pass_backward_free(pass_backward *b) {
    bz_mem_free(b->grad);
    bz_mem_free(b->results);
    bz_mem_free(b->depends);
    bz_vec_free(&b->cone);
    *b = (pass_backward){0};
}
