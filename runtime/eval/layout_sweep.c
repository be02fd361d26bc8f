/* layout_sweep.c - layouts that nothing has any more go, so that a loop that never sees a shape twice does not grow.
 *
 *     handles, storages, calls that gave a value, inputs of recordings, programs, signatures --mark--> layouts; the others are freed */
#include "runtime/record/compiled.h"
#include "runtime/eval/eval.h"

enum { FEW = 4096 };

static void use(const rt_layout *l) {
    if (l) ((rt_layout *)(uintptr_t)l)->used = true; /* ours: only its users may not change it */
}

static void use_made(const rt_made *m) {
    for (uint32_t i = 0; m && i < m->recipe->nargs; i++) use(m->in[i].layout);
}

static void use_storage(const rt_storage *s) {
    use(s->base);
    if (s->kind == RT_FOREIGN) use(s->u.home->dense);
    use_made(s->made);
}

static void use_slab(const rt_slab *s) {
    for (uint32_t i = 0; i < s->chunks.n; i++)
        for (unsigned k = 0; k < RT_CHUNK; k++)
            if (s->chunks.p[i][k].scope) use(s->chunks.p[i][k].layout);
    for (uint32_t i = 0; i < s->storage_chunks.n; i++)
        for (unsigned k = 0; k < RT_STORAGES; k++)
            if (s->storage_chunks.p[i][k].refs) use_storage(&s->storage_chunks.p[i][k]);
}

/* An input stands for a buffer in the layout of its first use there. */
static void use_epoch(const rt_epoch *e) {
    for (uint32_t i = 0; e && i < e->args.n; i++)
        if (e->args.p[i].buf) use(e->args.p[i].buf->layout);
    for (uint32_t i = 0; e && i < e->sources.n; i++) use_made(e->sources.p[i].made);
}

static void use_program(const rt_program *p) {
    for (uint32_t i = 0; p && i < p->noutputs; i++) use(p->outputs[i].layout);
}

static void use_programs(const bz_context *c) {
    for (unsigned i = 0; i < RT_PLAN_SLOTS; i++)
        for (const rt_plan *p = c->plans->slots[i]; p; p = p->next) use_program(p->program);
    for (const bz_program *p = c->programs; p; p = p->next)
        for (const rt_signature *t = p->signatures; t; t = t->next) {
            use_program(t->program);
            for (int i = 0; i < p->nin; i++) use(t->layouts[i]), use(t->views[i]);
        }
}

static void drop_unused(rt_layouts *t) {
    for (uint32_t i = 0; i < t->nslots; i++)
        for (rt_layout **at = &t->slots[i]; *at;) {
            rt_layout *l = *at;
            if (l->used) {
                l->used = false;
                at = &l->next;
                continue;
            }
            *at = l->next;
            t->n--;
            bz_mem_free(l);
        }
}

void rt_layouts_sweep(bz_context *c) {
    rt_layouts *t = c->layouts;
    if (t->n < FEW || t->n < t->sweep_at || rt_in_function(c)) return;
    use(c->scalar_layout);
    use_slab(c->slab);
    use_epoch(c->epoch);
    for (uint32_t i = 0; i < c->epochs->closed.n; i++) use_epoch(c->epochs->closed.p[i]);
    use_programs(c);
    drop_unused(t);
    t->sweep_at = 2 * t->n;
}
