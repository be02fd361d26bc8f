/* plancache.c - programs by what was recorded: the arrays of the graph, its outputs, and the mode, compared in full.
 *
 * Dimensions are numbers in the context's tables, which only grow, attributes are their own: equal bytes are equal graphs. The graphs
 * that cond and while apply come and go: in place of their numbers stand their own arrays. */
#include "runtime/exec/plans.h"

#include <string.h>

static bool add(rt_plans *p, const void *bytes, size_t n) {
    if (!bz_vec_reserve(&p->form, n)) return false;
    if (n) memcpy(p->form.p + p->form.n, bytes, n);
    p->form.n += (uint32_t)n;
    return true;
}

static bool add_graph(rt_plans *p, const ir_graph *g);

/* The graphs that nodes of g apply; their numbers are at p->form.p + attrs. */
static bool add_bodies(rt_plans *p, const ir_graph *g, uint32_t attrs) {
    bool done = true;
    for (ir_ref r = 1; r < g->n.n && g->applies && done; r++) {
        const ir_node *n = ir_at(g, r);
        for (unsigned k = 0; (n->op == IR_COND || n->op == IR_WHILE) && k < 2 && done; k++) {
            memset(p->form.p + attrs + (n->attr + k) * sizeof(int64_t), 0, sizeof(int64_t));
            done = add_graph(p, g->m->graphs.p[ir_attrs(g, n)[k]]);
        }
    }
    return done;
}

static bool add_graph(rt_plans *p, const ir_graph *g) {
    const uint32_t head[] = {g->n.n,     g->dims.n,   g->operands.n,
                             g->attrs.n, g->inputs.n, g->outputs.n};
    bool done = add(p, head, sizeof head) && add(p, g->n.p + 1, (g->n.n - 1) * sizeof *g->n.p) &&
                add(p, g->dims.p, g->dims.n * sizeof *g->dims.p) &&
                add(p, g->operands.p, g->operands.n * sizeof *g->operands.p);
    const uint32_t attrs = p->form.n;
    done = done && add(p, g->attrs.p, g->attrs.n * sizeof *g->attrs.p);
    for (uint32_t i = 0; i < g->inputs.n && done; i++) done = add(p, &g->inputs.p[i].scalar, 1);
    for (uint32_t i = 0; i < g->outputs.n && done; i++) {
        const int32_t out[] = {(int32_t)g->outputs.p[i].node, g->outputs.p[i].donated};
        done = add(p, out, sizeof out);
    }
    return done && add_bodies(p, g, attrs);
}

static bool write_form(rt_plans *p, const ir_graph *g, bool eager) {
    p->form.n = 0;
    return add(p, &eager, sizeof eager) && add_graph(p, g);
}

static void free_plan(bz_context *c, rt_plan *p) {
    rt_program_free(c, p->program);
    bz_mem_free(p->form);
    bz_mem_free(p);
}

/* Forgets the plan that was not used for the longest time, of those not used at `now`; that hold memory, if `only` says so. */
static bool forget_oldest(bz_context *c, uint64_t now, bool only) {
    rt_plans *t = c->plans;
    rt_plan **oldest = NULL;
    for (unsigned i = 0; i < RT_PLAN_SLOTS; i++)
        for (rt_plan **p = &t->slots[i]; *p; p = &(*p)->next)
            if ((*p)->used != now && (!only || (*p)->program->held) &&
                (!oldest || (*p)->used < (*oldest)->used))
                oldest = p;
    if (!oldest) return false;
    rt_plan *gone = *oldest;
    *oldest = gone->next;
    t->n--;
    t->held -= gone->program->held;
    free_plan(c, gone);
    return true;
}

bool rt_plans_give_way(bz_context *c) {
    return forget_oldest(c, c->plans->tick, true);
}

/* A quarter of the device's memory: programs keep what lies between their kernels. */
bool rt_plans_room(const bz_context *c, uint32_t n, size_t held) {
    const uint64_t most = c->limits[BZ_LIMIT_PLANS] ? c->limits[BZ_LIMIT_PLANS] : RT_PLANS_MAX;
    return n <= most && held <= (size_t)rt_memory_size(c->memory) / 4;
}

/* What is left of a graph without its sizes and attributes, and its sizes. */
static void note_sizes(rt_plan *p, const ir_graph *g, bool eager) {
    p->ops = bz_hash(eager, g->operands.p, g->operands.n * sizeof *g->operands.p);
    for (ir_ref r = 1; r < g->n.n; r++) {
        const ir_node *n = &g->n.p[r];
        const uint16_t of[] = {n->op, n->dtype, n->rank, n->nin};
        p->ops = bz_hash(p->ops, of, sizeof of);
    }
    p->sizes = bz_hash(0, g->dims.p, g->dims.n * sizeof *g->dims.p);
}

/* Whether it is one of many that differ in sizes: as its equal in ops and sizes was; else so it is if it has an equal in ops. */
static bool any_size(const rt_plans *t, const rt_plan *p) {
    bool found = false;
    for (unsigned i = 0; i < RT_PLAN_SLOTS; i++)
        for (const rt_plan *q = t->slots[i]; q; q = q->next) {
            if (q->ops != p->ops) continue;
            if (q->sizes == p->sizes) return q->any_size;
            found = true;
        }
    return found;
}

static rt_plan *new_plan(bz_context *c, const ir_graph *g, bool eager) {
    rt_plans *t = c->plans;
    bz_error e = {0};
    rt_plan *p = bz_mem_zero(1, sizeof *p);
    void *form = bz_mem_alloc(t->form.n);
    if (!p || !form) {
        rt_no_memory(c);
        goto fail;
    }
    memcpy(form, t->form.p, t->form.n);
    *p = (rt_plan){.form = form, .bytes = t->form.n};
    note_sizes(p, g, eager);
    p->any_size = any_size(t, p);
    p->program =
        rt_program_new(c, g, (eager ? RT_EAGER : 0u) | (p->any_size ? RT_ANY_SIZE : 0u), &e);
    if (p->program) return p;
    bz_fail(&c->err, e.status, "%s", e.text);
fail:
    bz_mem_free(form);
    bz_mem_free(p);
    return NULL;
}

rt_program *rt_plan_get(bz_context *c, const ir_graph *g, bool eager) {
    rt_plans *t = c->plans;
    if (!write_form(t, g, eager)) return rt_no_memory(c), NULL;
    uint64_t h = bz_hash(0, t->form.p, t->form.n);
    rt_plan **slot = &t->slots[h % RT_PLAN_SLOTS];
    for (rt_plan *p = *slot; p; p = p->next) {
        if (p->hash != h || p->bytes != t->form.n || memcmp(p->form, t->form.p, p->bytes)) continue;
        p->used = ++t->tick;
        c->counters.plan_hits++;
        return p->program;
    }
    c->counters.plan_misses++;
    uint64_t now = ++t->tick; /* from here on nobody uses one */
    while (!rt_plans_room(c, t->n + 1, 0) && forget_oldest(c, now, false)) continue;
    rt_plan *p = new_plan(c, g, eager);
    if (!p) return NULL;
    p->hash = h;
    p->used = now;
    p->next = *slot;
    *slot = p;
    t->n++;
    t->held += p->program->held;
    while (!rt_plans_room(c, t->n, t->held) && rt_plans_give_way(c)) continue;
    return p->program;
}

void rt_plans_free(bz_context *c) {
    rt_plans *t = c->plans;
    for (unsigned i = 0; i < RT_PLAN_SLOTS; i++) {
        while (t->slots[i]) {
            rt_plan *p = t->slots[i];
            t->slots[i] = p->next;
            free_plan(c, p);
        }
    }
    t->n = 0;
    t->held = 0;
    bz_vec_free(&t->form);
}
