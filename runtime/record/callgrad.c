/* callgrad.c - gradients through calls of compiled functions.
 *
 *      y = call(f, x, w)      y remembers f's graph and which values of which storages came in: no reference, nothing is kept alive
 *      grad(sum(y), w)        while these storages have their values still, f's graph is recorded behind y: y's twin
 *
 * Where one of them was released, changed or donated since, y is a value that forgot how it came about, like others (lineage.c). */
#include "runtime/record/compiled.h"

#include <string.h>

/* ---- what a function's outputs depend on */

static uint32_t words_of(uint32_t nargs) {
    return (nargs + 63) / 64;
}

/* deps[k]: bits of the inputs that the gradient of output k reaches. bits: a word per node. */
static void find_deps(rt_recipe *f, uint64_t *bits) {
    const ir_graph *g = f->g;
    uint32_t words = words_of(f->nargs);
    for (uint32_t w = 0; w < words; w++) {
        memset(bits, 0, g->n.n * sizeof *bits);
        for (uint32_t i = w * 64; i < f->nargs && i < w * 64 + 64; i++)
            bits[g->inputs.p[i].node] |= UINT64_C(1) << (i % 64);
        for (ir_ref r = 1; r < g->n.n; r++)
            for (unsigned k = 0; k < ir_at(g, r)->nin; k++)
                if (pass_grad_flows(g, r, k)) bits[r] |= bits[ir_operand(g, r, k)];
        for (uint32_t k = 0; k < f->nout; k++) {
            ir_ref r = g->outputs.p[k].node;
            f->deps[(size_t)k * words + w] = ir_is_smooth(ir_dtype(g, r)) ? bits[r] : 0;
        }
    }
}

/* Marks, in need, the nodes that give node r its value; does a donated input belong to them? */
static bool mark_cone(const rt_recipe *f, ir_ref r, uint8_t *need) {
    bool donated = false;
    memset(need, 0, f->g->n.n);
    need[r] = 1;
    for (; r > 0; r--) {
        const ir_node *n = ir_at(f->g, r);
        for (unsigned k = 0; need[r] && k < n->nin; k++) need[ir_in(f->g, n)[k]] = 1;
        if (!need[r] || n->op != IR_INPUT) continue;
        for (uint32_t k = 0; k < f->nout; k++)
            donated |= f->g->outputs.p[k].donated == (int)ir_attrs(f->g, n)[0];
    }
    return donated;
}

rt_recipe *rt_recipe_new(const ir_graph *g, int key, int base, bz_error *e) {
    uint32_t nargs = g->inputs.n, nout = g->outputs.n;
    rt_recipe *f = bz_mem_zero(1, sizeof *f + (size_t)nout * words_of(nargs) * sizeof *f->deps);
    if (!f) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    *f = (rt_recipe){.refs = 1, .nargs = nargs, .nout = nout, .key = key, .base = base};
    f->deps = (uint64_t *)(f + 1);
    f->g = ir_copy_live(g, e);
    uint64_t *work = f->g ? bz_mem_alloc(f->g->n.n * sizeof *work) : NULL;
    if (!work) {
        bz_fail(e, BZ_ENOMEM, "out of memory");
        return rt_recipe_unref(f), NULL;
    }
    find_deps(f, work);
    for (uint32_t k = 0; k < nout && !f->useful; k++)
        f->useful = ir_is_smooth(ir_dtype(f->g, f->g->outputs.p[k].node)) &&
                    !mark_cone(f, f->g->outputs.p[k].node, (uint8_t *)work);
    bz_mem_free(work);
    return f;
}

/* ---- a call */

static rt_made *new_made(bz_program *p, const rt_signature *t, bz_tensor *const *in) {
    bz_context *c = p->c, *of;
    rt_recipe *f = t->recipe;
    if (!f->useful) return NULL;
    rt_made *m = bz_mem_alloc(sizeof *m + f->nargs * sizeof *m->in);
    if (!m) return NULL; /* then there is no gradient */
    *m = (rt_made){.refs = 1, .number = c->calls, .flushes = c->flushes, .recipe = f};
    m->in = (rt_made_input *)(m + 1);
    m->seed = c->seed;
    m->stream = c->stream;
    f->refs++;
    for (uint32_t i = 0; i < f->nargs; i++) {
        rt_storage *s = t->hidden[i];
        m->in[i] = (rt_made_input){.bits = t->bits[i]};
        if (s) m->in[i] = (rt_made_input){{s, s->birth}, s->base, 0, 0};
        if (i >= (uint32_t)p->nin) continue;
        const rt_tensor *x = rt_find_quietly(in[i], &of);
        if (rt_is_number(x->st))
            m->in[i].bits = rt_number_bits(x->st);
        else
            m->in[i] = (rt_made_input){{x->st, x->st->birth}, x->layout, x->offset, 0};
    }
    return m;
}

void rt_call_before(bz_program *p, rt_signature *t, bz_tensor *const *in) {
    bz_context *c = p->c, *of;
    for (uint32_t i = 0; i < t->nargs; i++) {
        rt_storage *s = i < (uint32_t)p->nin ? rt_find_quietly(in[i], &of)->st : t->hidden[i];
        bool variable = s && !rt_is_number(s) && ir_is_smooth((bz_dtype)s->dtype);
        t->sources[i] = (rt_source){.of = {variable ? s : NULL, variable ? s->birth : 0}};
    }
    for (uint32_t i = 0; i < t->nargs; i++) {
        const rt_storage *s = t->sources[i].of.s;
        if (s) t->sources[i].past = s->past, t->sources[i].row = s->row;
    }
    t->past = rt_lineage_call(c, t->sources, t->nargs, t->recipe->deps, (uint32_t)p->nout,
                              "bz_call with an input that was since released, changed or donated");
    t->made = t->past ? new_made(p, t, in) : NULL;
}

void rt_call_after(bz_program *p, rt_signature *t, bz_tensor *const *out) {
    bz_context *of;
    uint32_t words = words_of(t->nargs);
    for (int k = 0; k < p->nout && t->past; k++) {
        const uint64_t *deps = t->recipe->deps + (size_t)k * words;
        uint64_t any = 0;
        for (uint32_t w = 0; w < words; w++) any |= deps[w];
        rt_tensor *x = any && out[k] ? rt_find_quietly(out[k], &of) : NULL;
        if (x) rt_lineage_made(p->c, x->st, t->past, t->made, (uint32_t)k);
    }
    rt_past_unref(p->c, t->past);
    rt_made_unref(t->made);
    t->past = NULL;
    t->made = NULL;
}

/* ---- the twin */

/* Input i of the call as a node of the open epoch; 0 when the storage has not the value any more. */
static ir_ref input_node(bz_context *c, const rt_made *m, uint32_t i, const ir_graph *old,
                         ir_ref r) {
    rt_epoch *e = c->epoch;
    const rt_made_input *in = &m->in[i];
    rt_storage *s = in->of.s;
    bz_dtype t = ir_dtype(old, r);
    if ((int)i == m->recipe->key || (int)i == m->recipe->base) {
        ir_bits bits = (int)i == m->recipe->key ? m->seed : m->stream;
        return rt_input_of(c, e, BZ_I64, c->scalar_layout, true, &(rt_arg){.bits = bits});
    }
    if (!s) return rt_scalar_node(c, t, in->bits);
    if (in->of.birth != s->birth || (s->kind == RT_FOREIGN && m->flushes != c->flushes)) return 0;
    ir_ref base = rt_storage_node(c, s);
    ir_ref x = base ? rt_window(e->g, base, in->layout, in->offset) : 0;
    return x ? ir_reshape_dims(e->g, x, ir_dims(old, ir_at(old, r)), ir_at(old, r)->rank) : 0;
}

ir_ref rt_made_node(bz_context *c, const rt_made *m, uint32_t k) {
    const rt_recipe *f = m->recipe;
    ir_graph *g = c->epoch->g;
    ir_ref out = f->g->outputs.p[k].node;
    if (c->epoch->tracing) return 0; /* it holds for this call's values only */
    ir_map map = {bz_mem_zero(f->g->n.n, sizeof *map.to), f->g->n.n};
    uint8_t *need = bz_mem_alloc(f->g->n.n);
    const char *site = g->site;
    bool done = map.to && need && !mark_cone(f, out, need);
    for (ir_ref r = 1; r <= out && done; r++) {
        const ir_node *n = ir_at(f->g, r);
        if (!need[r]) continue;
        map.to[r] = n->op == IR_INPUT ? input_node(c, m, (uint32_t)ir_attrs(f->g, n)[0], f->g, r)
                                      : ir_rebuild_node(g, f->g, &map, r);
        done = map.to[r] != 0;
    }
    ir_ref twin = done ? map.to[out] : 0;
    g->site = site;
    bz_mem_free(map.to);
    bz_mem_free(need);
    return twin;
}
