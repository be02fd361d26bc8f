/* reach.c - what the results of a gradient depend on, node by node, and which sources are among it.
 *
 *      wrt ---> a ---> loss        a: on a way around wrt, or not
 *      source ---> b ---^          a source with a twin leads on through it, to what the call read
 *
 * Marks are found by a list of nodes whose marks grew, never by a look at the whole recording, and grow with each twin. Between two
 * gradients all are zero. */
#include "runtime/value/tensor.h"

#include <stdlib.h>
#include <string.h>

static bool room_for(rt_reached *w, uint32_t n) {
    if (n <= w->room) return true;
    uint32_t room = n > 2 * w->room ? n : 2 * w->room;
    uint8_t *more = bz_mem_grow(w->marks, room);
    if (!more) return false;
    memset(more + w->room, 0, room - w->room);
    w->marks = more;
    w->room = room;
    return true;
}

unsigned rt_reach_marks(const rt_reached *w, ir_ref r) {
    return r < w->room ? w->marks[r] : 0;
}

/* What a node with these marks hands on: all, or, through a wrt, not RT_AROUND. */
static unsigned hands_on(unsigned marks) {
    return marks & (marks & RT_WRT ? RT_REACHED : RT_REACHED | RT_AROUND);
}

static bool mark(rt_reached *w, const rt_epoch *e, ir_ref r, unsigned on) {
    unsigned before = w->marks[r];
    if ((before & on) == on) return true;
    if (!before && !bz_vec_push(&w->touched, r)) return false;
    w->marks[r] |= (uint8_t)on;
    for (uint32_t i = before & RT_REACHED ? 0 : rt_source_at(e, r); i--; i = e->sources.p[i].before)
        if (on & RT_REACHED && !bz_vec_push(&w->sources, i)) return false;
    return bz_vec_push(&w->todo, r);
}

static bool follow(rt_reached *w, const rt_epoch *e) {
    const ir_graph *g = e->g;
    bool done = true;
    while (w->todo.n && done) {
        ir_ref r = w->todo.p[--w->todo.n];
        w->work++;
        unsigned on = hands_on(w->marks[r]);
        for (unsigned k = 0; on && k < ir_at(g, r)->nin && done; k++)
            if (pass_grad_flows(g, r, k)) done = mark(w, e, ir_operand(g, r, k), on);
        for (uint32_t i = on ? rt_source_at(e, r) : 0; i-- && done; i = e->sources.p[i].before)
            if (e->sources.p[i].twin) done = mark(w, e, e->sources.p[i].twin, on);
    }
    return done;
}

static int ascending(const void *p, const void *q) {
    const uint32_t *a = p, *b = q;
    return (*a > *b) - (*a < *b);
}

/* The sources that were reached, from the one at `first` on, as they were recorded. */
static void order(rt_reached *w, uint32_t first) {
    if (w->sources.n > first)
        qsort(w->sources.p + first, w->sources.n - first, sizeof *w->sources.p, ascending);
}

void rt_reach_sort(bz_context *c) {
    order(&c->lineage->reach, 0);
}

bool rt_reach(bz_context *c, const ir_ref *y, unsigned ny, const ir_ref *wrt, unsigned n) {
    rt_reached *w = &c->lineage->reach;
    bool done = room_for(w, c->epoch->g->n.n);
    w->known = c->epoch->sources.n;
    for (unsigned i = 0; i < n && done; i++) done = mark(w, c->epoch, wrt[i], RT_WRT);
    for (unsigned k = 0; k < ny && done; k++)
        done = mark(w, c->epoch, y[k], RT_REACHED | RT_AROUND);
    done = done && follow(w, c->epoch);
    rt_reach_sort(c);
    return done;
}

bool rt_reach_news(bz_context *c) {
    rt_reached *w = &c->lineage->reach;
    const rt_epoch *e = c->epoch;
    uint32_t first = w->sources.n;
    bool done = room_for(w, e->g->n.n);
    for (; w->known < e->sources.n && done; w->known++)
        if (w->marks[e->sources.p[w->known].node] & RT_REACHED)
            done = bz_vec_push(&w->sources, w->known);
    order(w, first);
    return done;
}

bool rt_reach_twin(bz_context *c, uint32_t source) {
    rt_reached *w = &c->lineage->reach;
    const rt_source *o = &c->epoch->sources.p[source];
    uint32_t first = w->sources.n;
    bool done = rt_reach_news(c) && mark(w, c->epoch, o->twin, hands_on(w->marks[o->node])) &&
                follow(w, c->epoch);
    order(w, first);
    return done;
}

/* x is below a node: does it lead to a variable? If that was not looked at yet, it comes on the list. */
static bool look_at(rt_reached *w, ir_ref x, bool *leads) {
    *leads |= (w->marks[x] & RT_LEADS) != 0;
    return w->marks[x] & RT_LOOKED || bz_vec_push(&w->todo, x);
}

/* Looks at what the gradient of r goes to. */
static bool look_below(rt_reached *w, const rt_epoch *e, ir_ref r, bool *leads) {
    bool done = true;
    for (unsigned k = 0; k < ir_at(e->g, r)->nin && done; k++)
        if (pass_grad_flows(e->g, r, k)) done = look_at(w, ir_operand(e->g, r, k), leads);
    for (uint32_t i = rt_source_at(e, r); i-- && done; i = e->sources.p[i].before)
        if (e->sources.p[i].twin) done = look_at(w, e->sources.p[i].twin, leads);
    return done;
}

/* A node stays on the list until all below it was looked at. */
static bool look_from(rt_reached *w, const rt_epoch *e, ir_ref from) {
    bool done = bz_vec_push(&w->todo, from);
    while (w->todo.n && done) {
        ir_ref r = w->todo.p[w->todo.n - 1];
        bool leads = false, again = w->marks[r] & RT_LOOKED;
        w->marks[r] |= RT_LOOKED;
        w->work += !again;
        done = look_below(w, e, r, &leads);
        if (leads) w->marks[r] |= RT_LEADS;
        if (again) w->todo.n--;
    }
    return done;
}

bool rt_reach_leads(bz_context *c, const rt_asked *asked, unsigned n) {
    rt_reached *w = &c->lineage->reach;
    bool done = true;
    for (unsigned i = 0; i < n; i++)
        if (w->marks[asked[i].node]) w->marks[asked[i].node] |= RT_LEADS;
    for (uint32_t i = 0; i < w->sources.n && done; i++) {
        const rt_source *o = &c->epoch->sources.p[w->sources.p[i]];
        if (o->twin && !(w->marks[o->twin] & RT_LOOKED)) done = look_from(w, c->epoch, o->twin);
    }
    return done;
}

void rt_reach_end(bz_context *c) {
    rt_reached *w = &c->lineage->reach;
    for (uint32_t i = 0; i < w->touched.n; i++) w->marks[w->touched.p[i]] = 0;
    w->touched.n = w->todo.n = w->sources.n = 0;
}

void rt_reach_free(rt_reached *w) {
    bz_mem_free(w->marks);
    bz_vec_free(&w->touched);
    bz_vec_free(&w->todo);
    bz_vec_free(&w->sources);
    *w = (rt_reached){0};
}
