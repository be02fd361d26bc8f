/* lineage.c - what a value was computed from, once its history was forgotten: so that no gradient is silently a part of one.
 *
 *     recording 1:  x ---> square ---> h       ends: h keeps its value and its past, {x}
 *     recording 2:  h ---> sum ---> loss       h is a source of it; d loss / d x: x is in the past of a source that loss depends on
 *
 * A variable is a storage with the birth of its value: an in-place change gives the storage another birth. When a recording ends,
 * one pass over its nodes finds for each storage that lives on the variables that its value depends on by way of the gradient
 * (pass_grad_flows), whether the value was computed or not: so every mode has the same pasts. A past names no storage that was
 * freed, and of the former values of one only that there was one: a training loop's pasts do not grow. */
#include "runtime/rt.h"

#include <string.h>

/* Without memory for a past: from anything. */
static rt_past anything = {.refs = 1, .why = "a lack of memory"};

void rt_past_unref(rt_past *p) {
    if (p && p != &anything && --p->refs == 0) bz_mem_free(p);
}

static rt_past *past_ref(rt_past *p) {
    if (p && p != &anything) p->refs++;
    return p;
}

static bool alive(rt_var v) {
    return v.birth >= v.s->first;
}

static bool is_past(rt_var v) {
    return v.birth != v.s->birth;
}

static const uint64_t *row_of(const rt_past *p, uint32_t row) {
    return p->bits + (size_t)row * p->words;
}

static bool has(const uint64_t *bits, uint32_t i) {
    return bits[i / 64] >> (i % 64) & 1;
}

/* ---- sources */

static bool add_source(bz_context *c, rt_source o) {
    if (!bz_vec_push(&c->epoch->sources, o)) return rt_no_memory(c), false;
    past_ref(o.past);
    if (o.made) o.made->refs++;
    return true;
}

bool rt_lineage_source(bz_context *c, rt_storage *s, ir_ref node) {
    if (s->source == c->epoch->id || !ir_is_float((bz_dtype)s->dtype)) return true;
    s->source = c->epoch->id;
    return add_source(c, (rt_source){.node = node,
                                     .of = {s, s->birth},
                                     .past = s->past,
                                     .row = s->row,
                                     .made = s->made,
                                     .output = s->output});
}

void rt_lineage_change(bz_context *c, rt_storage *s, ir_ref node) {
    if (node && !add_source(c, (rt_source){.node = node, .of = {s, s->birth}, .former = true}))
        return;
    rt_past_unref(s->past);
    rt_made_unref(s->made);
    s->past = NULL;
    s->made = NULL;
    s->source = 0;
    s->birth = ++c->lineage.births;
}

/* ---- the end of a recording: bits of variables flow along the nodes, 64 at a time */

typedef struct ending {
    bz_context *c;
    rt_epoch *e;
    rt_lineage *l;
    uint32_t words, row; /* row: of `rows`, one per source, then one per storage */
} ending;

/* Numbers the variable; a dead one has none. false: no memory. */
static bool number(rt_lineage *l, rt_var v) {
    if (!alive(v)) return true;
    rt_storage *s = v.s;
    if (s->pass != l->pass) s->var[0] = s->var[1] = 0;
    s->pass = l->pass;
    unsigned past = is_past(v);
    if (s->var[past]) return true;
    s->var[past] = l->vars.n + 1;
    return bz_vec_push(&l->vars, v);
}

static void set(ending *x, uint32_t row, rt_var v) {
    if (!alive(v)) return;
    uint32_t i = v.s->var[is_past(v)] - 1;
    x->l->rows.p[(size_t)row * x->words + i / 64] |= UINT64_C(1) << (i % 64);
}

typedef bool each_var(ending *x, rt_var v);
static bool to_number(ending *x, rt_var v) {
    return number(x->l, v);
}
static bool to_set(ending *x, rt_var v) {
    return set(x, x->row, v), true;
}

static bool in_past(ending *x, const rt_past *p, uint32_t row, each_var *f) {
    for (uint32_t w = 0; p && w < p->words; w++)
        for (uint64_t bits = row_of(p, row)[w]; bits; bits &= bits - 1)
            if (!f(x, p->vars[w * 64 + (unsigned)__builtin_ctzll(bits)])) return false;
    return true;
}

/* All variables of the sources and of the storages, each its own row. */
static bool in_all(ending *x, each_var *f) {
    rt_epoch *e = x->e;
    x->row = 0;
    for (uint32_t i = 0; i < e->sources.n; i++, x->row++) {
        const rt_source *o = &e->sources.p[i];
        if (!f(x, o->of) || !in_past(x, o->past, o->row, f)) return false;
    }
    for (int list = 0; list < 2; list++)
        for (rt_storage *s = list ? e->settled : e->pending; s; s = s->next, x->row++)
            if (ir_is_float((bz_dtype)s->dtype) && !f(x, (rt_var){s, s->birth})) return false;
    return true;
}

/* Word w of every row, along the nodes; the storages' rows become what their values depend on. */
static void flow(ending *x, uint32_t w) {
    const ir_graph *g = x->e->g;
    uint64_t *bits = x->l->bits.p, *rows = x->l->rows.p + w;
    uint32_t row = 0;
    memset(bits, 0, g->n.n * sizeof *bits);
    for (; row < x->e->sources.n; row++)
        bits[x->e->sources.p[row].node] |= rows[(size_t)row * x->words];
    for (int list = 0; list < 2; list++)
        for (rt_storage *s = list ? x->e->settled : x->e->pending; s; s = s->next, row++)
            bits[s->node] |= rows[(size_t)row * x->words];
    for (ir_ref r = 1; r < g->n.n; r++) {
        const ir_node *n = ir_at(g, r);
        for (unsigned k = 0; k < n->nin; k++) {
            uint64_t of = bits[ir_in(g, n)[k]];
            if (of & ~bits[r] && pass_grad_flows(g, r, k)) bits[r] |= of;
        }
    }
    row = x->e->sources.n;
    for (int list = 0; list < 2; list++)
        for (rt_storage *s = list ? x->e->settled : x->e->pending; s; s = s->next, row++) {
            uint64_t *own = &rows[(size_t)row * x->words];
            *own = ir_is_float((bz_dtype)s->dtype) ? bits[s->node] & ~*own : 0;
        }
}

static bool any(const uint64_t *row, uint32_t words) {
    uint64_t all = 0;
    for (uint32_t w = 0; w < words; w++) all |= row[w];
    return all != 0;
}

static rt_past *new_past(const ending *x, uint32_t nrows, const char *why) {
    size_t nbits = (size_t)nrows * x->words, nvars = x->l->vars.n;
    rt_past *p = bz_mem_alloc(sizeof *p + nbits * sizeof *p->bits + nvars * sizeof *p->vars);
    if (!p) return NULL;
    *p = (rt_past){.refs = 1, .n = (uint32_t)nvars, .words = x->words, .why = why};
    p->vars = (rt_var *)(p + 1);
    p->bits = (uint64_t *)(p->vars + nvars);
    memcpy(p->vars, x->l->vars.p, nvars * sizeof *p->vars);
    return p;
}

/* To each storage its row, or none; `all`: from anything. */
static void hand_out(ending *x, rt_past *p, bool all) {
    uint32_t row = x->e->sources.n, n = 0;
    for (int list = 0; list < 2; list++)
        for (rt_storage *s = list ? x->e->settled : x->e->pending; s; s = s->next, row++) {
            const uint64_t *bits = p ? x->l->rows.p + (size_t)row * x->words : NULL;
            bool some = bits && any(bits, x->words);
            rt_past_unref(s->past);
            s->past = all ? &anything : some ? past_ref(p) : NULL;
            s->row = n;
            if (some) memcpy(p->bits + (size_t)n++ * x->words, bits, x->words * sizeof *bits);
        }
}

static bool write_pasts(ending *x, const char *why) {
    rt_lineage *l = x->l;
    l->vars.n = 0;
    l->pass++;
    if (!in_all(x, to_number)) return false;
    uint32_t rows = x->row, nodes = x->e->g->n.n, some = 0;
    x->words = (l->vars.n + 63) / 64;
    l->rows.n = l->bits.n = 0;
    if (!bz_vec_reserve(&l->rows, rows * x->words) || !bz_vec_reserve(&l->bits, nodes))
        return false;
    if (x->words) memset(l->rows.p, 0, (size_t)rows * x->words * sizeof *l->rows.p);
    in_all(x, to_set);
    for (uint32_t w = 0; w < x->words; w++) flow(x, w);
    for (uint32_t row = x->e->sources.n; row < rows; row++)
        some += any(l->rows.p + (size_t)row * x->words, x->words);
    rt_past *p = some ? new_past(x, some, why) : NULL;
    if (some && !p) return false;
    hand_out(x, p, false);
    rt_past_unref(p);
    return true;
}

void rt_lineage_end(bz_context *c, rt_epoch *e, const char *why) {
    ending x = {.c = c, .e = e, .l = &c->lineage};
    if ((e->pending || e->settled) && !write_pasts(&x, why)) hand_out(&x, NULL, true);
}

/* ---- calls */

static bool call_rows(ending *x, const rt_source *in, uint32_t n, each_var *f) {
    for (x->row = 0; x->row < n; x->row++) {
        const rt_source *o = &in[x->row];
        if (o->of.s && (!f(x, o->of) || !in_past(x, o->past, o->row, f))) return false;
    }
    return true;
}

rt_past *rt_lineage_call(bz_context *c, const rt_source *in, uint32_t n, const uint64_t *deps,
                         uint32_t nout, const char *why) {
    rt_lineage *l = &c->lineage;
    ending x = {.c = c, .l = l};
    for (uint32_t i = 0; i < n; i++)
        if (in[i].past == &anything) return &anything;
    l->vars.n = l->rows.n = 0;
    l->pass++;
    if (!call_rows(&x, in, n, to_number)) return &anything;
    if (!l->vars.n) return NULL;
    x.words = (l->vars.n + 63) / 64;
    rt_past *p = new_past(&x, nout, why);
    if (!p || !bz_vec_reserve(&l->rows, n * x.words)) return bz_mem_free(p), &anything;
    memset(l->rows.p, 0, (size_t)n * x.words * sizeof *l->rows.p);
    memset(p->bits, 0, (size_t)nout * x.words * sizeof *p->bits);
    call_rows(&x, in, n, to_set);
    for (uint32_t k = 0; k < nout; k++, deps += (n + 63) / 64)
        for (uint32_t i = 0; i < n; i++)
            for (uint32_t w = 0; has(deps, i) && w < x.words; w++)
                p->bits[(size_t)k * x.words + w] |= l->rows.p[(size_t)i * x.words + w];
    return p;
}

void rt_lineage_made(rt_storage *s, rt_past *p, rt_made *m, uint32_t k) {
    rt_past_unref(s->past);
    rt_made_unref(s->made);
    s->past = past_ref(p);
    s->row = k;
    s->made = m;
    s->output = k;
    if (m) m->refs++;
}

/* ---- questions */

/* Of p's variables those that make a gradient with respect to wrt incomplete: wrt itself; where the loss does not see wrt, its
 * former values too. wrt's storages have their number. */
static bool mask_of(rt_lineage *l, const rt_past *p, const rt_asked *wrt) {
    l->mask.n = 0;
    if (!bz_vec_reserve(&l->mask, p->words)) return false;
    if (p->words) memset(l->mask.p, 0, p->words * sizeof *l->mask.p);
    for (uint32_t i = 0; i < p->n; i++) {
        rt_var v = p->vars[i];
        if (!alive(v) || v.s->pass != l->pass || (is_past(v) && wrt[v.s->var[0] - 1].seen))
            continue;
        l->mask.p[i / 64] |= UINT64_C(1) << (i % 64);
    }
    return true;
}

/* The first of wrt that the source's row leads to. What leads through a wrt is no way to former values of another: an update by the
 * last step. */
static rt_loss ask_source(const rt_lineage *l, const rt_source *o, unsigned marks,
                          unsigned *which) {
    bool to_former = marks & RT_AROUND && !(marks & RT_WRT);
    const uint64_t *row = row_of(o->past, o->row);
    rt_loss found = RT_KNOWN;
    for (uint32_t i = 0; i < o->past->n && found != RT_FORGOTTEN; i++) {
        rt_var v = o->past->vars[i];
        if (!has(row, i) || !has(l->mask.p, i) || (is_past(v) && !to_former)) continue;
        found = is_past(v) ? RT_CHANGED : RT_FORGOTTEN;
        *which = v.s->var[0] - 1;
    }
    return found;
}

static bool meets(const rt_lineage *l, const rt_source *o) {
    uint64_t all = 0;
    for (uint32_t w = 0; w < o->past->words; w++) all |= row_of(o->past, o->row)[w] & l->mask.p[w];
    return all != 0;
}

static void number_wrt(rt_lineage *l, const rt_asked *wrt, unsigned n) {
    l->pass++;
    for (unsigned i = 0; i < n; i++) {
        rt_storage *s = wrt[i].s;
        if (s->pass == l->pass && !wrt[s->var[0] - 1].seen)
            continue; /* two views: the unseen one counts */
        s->pass = l->pass;
        s->var[0] = i + 1;
    }
}

/* A former value of a wrt that the loss sees, while it does not see the present one. */
static bool sees_former(const bz_context *c, const rt_source *o, const rt_asked *wrt,
                        unsigned *which) {
    rt_var v = o->of;
    if (!alive(v) || !is_past(v) || v.s->pass != c->lineage.pass ||
        !(c->marks.p[o->node] & RT_AROUND))
        return false;
    *which = v.s->var[0] - 1;
    return !wrt[*which].seen;
}

rt_loss rt_lineage_ask(bz_context *c, const rt_asked *wrt, unsigned n, unsigned *which,
                       uint32_t *source) {
    rt_lineage *l = &c->lineage;
    const rt_past *masked = NULL;
    const rt_epoch *e = c->epoch;
    number_wrt(l, wrt, n);
    for (uint32_t i = 0; i < e->sources.n; i++) {
        const rt_source *o = &e->sources.p[i];
        if (sees_former(c, o, wrt, which)) return RT_CHANGED;
        if (!o->past || o->twin || !(c->marks.p[o->node] & RT_REACHED) || !n) continue;
        *which = 0;
        *source = i;
        if (o->past == &anything || (o->past != masked && !mask_of(l, o->past, wrt)))
            return RT_FORGOTTEN;
        masked = o->past;
        rt_loss found = meets(l, o) ? ask_source(l, o, c->marks.p[o->node], which) : RT_KNOWN;
        if (found) return found;
    }
    return RT_KNOWN;
}
