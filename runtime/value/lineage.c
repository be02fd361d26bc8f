/* lineage.c - what a value was computed from, once its history was forgotten: so that no gradient is silently a part of one.
 *
 *     recording 1:  x ---> square ---> h       ends: h keeps its value and its past, {x}
 *     recording 2:  h ---> sum ---> loss       h is a source of it; d loss / d x: x is in the past of a source that loss depends on
 *
 * A variable is a storage with the birth of its value: an in-place change gives the storage another birth. When a recording ends,
 * one pass over its nodes finds for each storage that lives on the variables that its value depends on by way of the gradient
 * (pass_grad_flows), whether the value was computed or not: so every mode has the same pasts. A past names no storage that was
 * freed, and of the former values of one only that there was one: a training loop's pasts do not grow.
 *
 * An epoch's flows are found in pieces: a call asks for its inputs' alone, and goes on where the call before ended.
 *
 * Storage k is two variables of a set (varset.c): 2k, the value that it had when the past was written, and 2k + 1, values before.
 * Which of the two a bit means now, or that the storage is another since, the births since the past was written say. */
#include "runtime/value/tensor.h"

#include <string.h>

/* Without memory for a past: from anything. */
static rt_past anything = {.refs = 1, .written = UINT64_MAX, .why = "a lack of memory"};

void rt_past_unref(bz_context *c, rt_past *p) {
    if (!p || p == &anything || --p->refs) return;
    if (p->next) p->next->prev = p->prev;
    if (p->prev)
        p->prev->next = p->next;
    else
        c->lineage->sets.pasts = p->next;
    bz_mem_free(p);
}

void rt_recipe_unref(rt_recipe *f) {
    if (!f || --f->refs) return;
    ir_graph_free(f->g);
    bz_mem_free(f);
}

void rt_made_unref(rt_made *m) {
    if (!m || --m->refs) return;
    rt_recipe_unref(m->recipe);
    bz_mem_free(m);
}

static rt_past *past_ref(rt_past *p) {
    if (p && p != &anything) p->refs++;
    return p;
}

static uint32_t root_of(const rt_past *p, uint32_t row) {
    return p == &anything ? RT_SET_ALL : p->roots[row];
}

static bool alive(rt_var v) {
    return v.birth >= v.s->first;
}

static bool is_past(rt_var v) {
    return v.birth != v.s->birth;
}

static bool has(const uint64_t *bits, uint32_t i) {
    return bits[i / 64] >> (i % 64) & 1;
}

static rt_storage *storage_at(const bz_context *c, uint32_t number) {
    return &c->slab->storage_chunks.p[number / RT_STORAGES][number % RT_STORAGES];
}

/* ---- sources */

static bool add_source(bz_context *c, rt_source o) {
    rt_epoch *e = c->epoch;
    if (o.node >= e->source_at.n) {
        uint32_t from = e->source_at.n, more = o.node + 1 - from;
        if (!bz_vec_reserve(&e->source_at, more)) return rt_no_memory(c), false;
        memset(e->source_at.p + from, 0, more * sizeof *e->source_at.p);
        e->source_at.n += more;
    }
    o.before = e->source_at.p[o.node];
    if (!bz_vec_push(&e->sources, o)) return rt_no_memory(c), false;
    e->source_at.p[o.node] = e->sources.n;
    past_ref(o.past);
    if (o.made) o.made->refs++;
    return true;
}

uint32_t rt_source_at(const rt_epoch *e, ir_ref node) {
    return node < e->source_at.n ? e->source_at.p[node] : 0;
}

bool rt_lineage_source(bz_context *c, rt_storage *s, ir_ref node) {
    if (s->source == c->epoch->id || !ir_is_smooth((bz_dtype)s->dtype)) return true;
    s->source = c->epoch->id;
    return add_source(c, (rt_source){.node = node,
                                     .of = {s, s->birth},
                                     .past = s->past,
                                     .row = s->row,
                                     .made = s->made,
                                     .output = s->output});
}

void rt_lineage_change(bz_context *c, rt_storage *s, ir_ref node) {
    const rt_source former = {.node = node, .of = {s, s->birth}, .former = true};
    s->birth = ++c->lineage->births; /* it is another value, whatever fails */
    if (node && !add_source(c, former)) return;
    rt_past_unref(c, s->past);
    rt_made_unref(s->made);
    s->past = NULL;
    s->made = NULL;
    s->source = 0;
    rt_lineage_gone(c, s);
}

void rt_lineage_gone(bz_context *c, const rt_storage *s) {
    rt_set_changes(&c->lineage->sets, 2 * s->number, c->lineage->ended);
}

/* ---- pasts are written: sets of variables flow along the nodes */

/* Work that is always there, and more for each use of a value. */
enum { WORK = 1 << 20, WORK_PER_USE = 32, NOWS = 1 << 12 };

/* That node, found then, is `now` in the set that is made now. One of NOWS places, by both. */
typedef struct rt_now {
    uint64_t begun, written;
    uint32_t node, now;
} rt_now;

static bool begin(bz_context *c, uint64_t uses, uint32_t nsets) {
    rt_lineage *l = c->lineage;
    uint64_t variables = (uint64_t)c->slab->storage_chunks.n * RT_STORAGES * 2;
    l->rows.n = l->values.n = 0;
    l->ended = l->births;
    if (!l->now && !(l->now = bz_mem_zero(NOWS, sizeof *l->now))) return false;
    if (!rt_sets_begin(&l->sets, variables, WORK + WORK_PER_USE * uses, l->flows.p, l->flows.n) ||
        !bz_vec_reserve(&l->values, nsets))
        return false;
    l->begun++;
    if (nsets) memset(l->values.p, 0, nsets * sizeof *l->values.p);
    return true;
}

/* The storages were told apart by their births until `written`: bits of a leaf as they are now. */
static uint32_t leaf_now(bz_context *c, uint64_t leaf, uint64_t written) {
    uint32_t first = rt_set_first(leaf), now = 0;
    for (uint32_t bits = (uint32_t)leaf; bits; bits &= bits - 1) {
        unsigned i = (unsigned)__builtin_ctz(bits);
        const rt_storage *s = storage_at(c, (first + i) / 2);
        if (s->first > written) continue;
        now |= UINT32_C(1) << (s->birth > written ? i | 1 : i);
    }
    return rt_set_leaf(&c->lineage->sets, first, now);
}

/* Node i, the one at place `at` of height h, as it is now; it was found at `written`. Where nothing changed it is the same. */
static uint32_t node_now(bz_context *c, uint32_t i, unsigned h, uint32_t at, uint64_t written) {
    rt_lineage *l = c->lineage;
    if (!i || i == RT_SET_ALL || !rt_set_changed(&l->sets, h, at, written)) return i;
    uint64_t x = l->sets.nodes.p[i];
    if (rt_set_is_leaf(x)) return leaf_now(c, x, written);
    rt_now *known = &l->now[(i * UINT64_C(0x9e3779b97f4a7c15) + written) % NOWS];
    if (known->begun == l->begun && known->node == i && known->written == written)
        return known->now;
    if (++l->sets.work > l->sets.most) return RT_SET_ALL;
    uint32_t left = node_now(c, rt_set_left(x), h - 1, 2 * at, written);
    uint32_t now =
        rt_set_node(&l->sets, left, node_now(c, (uint32_t)x, h - 1, 2 * at + 1, written));
    *known = (rt_now){l->begun, written, i, now};
    return now;
}

static uint32_t set_now(bz_context *c, uint32_t root, uint64_t written) {
    return node_now(c, root, c->lineage->sets.height, 0, written);
}

/* The value that the storage had is a variable, as long as there is the storage. */
static uint32_t set_of_variable(bz_context *c, rt_var v) {
    return alive(v) ? rt_set_one(&c->lineage->sets, 2 * v.s->number + is_past(v)) : 0;
}

/* A source's variables: its own and those of its past. */
static uint32_t set_of_source(bz_context *c, const rt_source *o) {
    uint32_t set = o->past ? set_now(c, root_of(o->past, o->row), o->past->written) : 0;
    return rt_set_join(&c->lineage->sets, set, set_of_variable(c, o->of));
}

/* The rows as a past, NULL: nothing in them, or no memory and then false. */
static bool end_pasts(bz_context *c, const char *why, rt_past **p) {
    rt_lineage *l = c->lineage;
    bool some = false;
    for (uint32_t i = 0; i < l->rows.n; i++) some |= l->rows.p[i] != 0;
    *p = some ? rt_sets_keep(&l->sets, l->rows.p, l->rows.n) : NULL;
    if (*p) {
        (*p)->why = why;
        (*p)->written = l->births;
    }
    return !some || *p;
}

/* ---- flows: sets of the epoch's nodes, found as far as `flowed` of it says */

static bool room_for_flows(rt_lineage *l, uint32_t nodes) {
    uint32_t from = l->flows.n;
    if (nodes <= from) return true;
    if (!bz_vec_reserve(&l->flows, nodes - from) || !bz_vec_reserve(&l->flowed_at, nodes - from))
        return false;
    memset(l->flows.p + from, 0, (nodes - from) * sizeof *l->flows.p);
    l->flows.n = l->flowed_at.n = nodes;
    return true;
}

/* Joined since the epoch was opened: what joined before has its past. */
static bool is_fresh(const rt_epoch *e, const rt_storage *s) {
    return s->epoch == e && s->joined > e->joined_before;
}

/* The next fresh one from s on, of those that wait (in the order in which they joined, the last one first) or have a value. */
static rt_storage *fresh_from(const rt_epoch *e, bool waits, rt_storage *s) {
    while (!waits && s && !is_fresh(e, s)) s = s->next;
    return s && is_fresh(e, s) ? s : NULL;
}

static rt_storage *first_fresh(const rt_epoch *e, bool waits) {
    return fresh_from(e, waits, waits ? e->pending : e->settled);
}

/* The set of node r as it is now. */
static uint32_t flow_now(bz_context *c, ir_ref r) {
    rt_lineage *l = c->lineage;
    uint32_t *v = &l->flows.p[r];
    if (*v && l->flowed_at.p[r] != l->births) {
        *v = set_now(c, *v, l->flowed_at.p[r]);
        l->flowed_at.p[r] = l->births;
    }
    return *v;
}

static void flow_into(bz_context *c, ir_ref r, uint32_t set) {
    rt_lineage *l = c->lineage;
    if (!set) return;
    l->flows.p[r] = rt_set_join(&l->sets, flow_now(c, r), set);
    l->flowed_at.p[r] = l->births;
}

static uint64_t uses_of(const ir_graph *g, ir_ref from) {
    uint64_t nodes = g->n.n - from;
    return nodes ? nodes + g->operands.n - ir_at(g, from)->in : 0;
}

static ir_ref flows_from(const rt_epoch *e) {
    return e->flowed.nodes > e->g->fresh ? e->flowed.nodes : e->g->fresh;
}

/* A value stands at node r; where that was known already, and this variable is new there, all behind it is found again. */
static void stands_at(bz_context *c, ir_ref r, uint32_t set, ir_ref *from) {
    uint32_t before = flow_now(c, r);
    flow_into(c, r, set);
    if (r < *from && c->lineage->flows.p[r] != before) *from = r;
}

static void flow_from(bz_context *c, const ir_graph *g, ir_ref from) {
    for (ir_ref r = from; r < g->n.n; r++) {
        const ir_node *n = ir_at(g, r);
        c->lineage->sets.work++;
        for (unsigned k = 0; k < n->nin; k++) {
            uint32_t of = flow_now(c, ir_in(g, n)[k]);
            if (of && of != c->lineage->flows.p[r] && pass_grad_flows(g, r, k)) flow_into(c, r, of);
        }
    }
}

/* Sets of the nodes that came since. A source can come late, to nodes that are there: for a value that reads it and moved here, or of another
 * storage with the same memory. */
static void flow(bz_context *c, rt_epoch *e) {
    const ir_graph *g = e->g;
    ir_ref known = flows_from(e), from = known;
    for (uint32_t i = e->flowed.sources; i < e->sources.n; i++)
        stands_at(c, e->sources.p[i].node, set_of_source(c, &e->sources.p[i]), &from);
    for (uint32_t i = e->flowed.own; i < e->own.n; i++)
        stands_at(c, e->own.p[i].node, set_of_variable(c, e->own.p[i].of), &from);
    if (from < g->fresh) from = g->fresh; /* what stands before has its sources alone */
    if (from < known) c->lineage->sets.most += WORK_PER_USE * uses_of(g, from);
    flow_from(c, g, from);
    e->flowed.nodes = g->n.n;
    e->flowed.sources = e->sources.n;
    e->flowed.own = e->own.n;
}

static bool find_flows(bz_context *c, rt_epoch *e) {
    if (!room_for_flows(c->lineage, e->g->n.n) || e->own_lost) return false;
    flow(c, e);
    return true;
}

static void clear_flows(bz_context *c, rt_epoch *e) {
    rt_lineage *l = c->lineage;
    for (uint32_t i = 0; i < e->flowed.sources; i++) l->flows.p[e->sources.p[i].node] = 0;
    for (ir_ref r = e->g->fresh; r < e->flowed.nodes; r++) l->flows.p[r] = 0;
    for (uint32_t i = 0; i < e->flowed.own; i++) l->flows.p[e->own.p[i].node] = 0;
    e->flowed.nodes = e->flowed.sources = e->flowed.own = 0;
}

/* What s's value depends on but for itself. */
static uint32_t set_of_fresh(bz_context *c, const rt_storage *s) {
    uint32_t set = ir_is_smooth((bz_dtype)s->dtype) ? flow_now(c, s->node) : 0;
    return rt_set_without(&c->lineage->sets, set, 2 * s->number);
}

/* A row for each fresh storage of the epoch. */
static bool find_rows(bz_context *c, rt_epoch *e) {
    rt_lineage *l = c->lineage;
    if (!begin(c, uses_of(e->g, flows_from(e)), 0) || !find_flows(c, e)) return false;
    bool done = true;
    for (int list = 0; list < 2; list++)
        for (rt_storage *s = first_fresh(e, !list); s; s = fresh_from(e, !list, s->next))
            done = done && bz_vec_push(&l->rows, set_of_fresh(c, s));
    return done;
}

void rt_lineage_end(bz_context *c, rt_epoch *e, const char *why) {
    rt_past *p = NULL;
    bool some = e->pending || e->settled, found = some && find_rows(c, e);
    bool done = !some || (end_pasts(c, why, &p) && found);
    uint32_t row = 0;
    for (int list = 0; list < 2; list++)
        for (rt_storage *s = first_fresh(e, !list); s; s = fresh_from(e, !list, s->next)) {
            rt_past_unref(c, s->past);
            s->past = !done ? &anything : p && p->roots[row] ? past_ref(p) : NULL;
            s->row = row++;
        }
    rt_past_unref(c, p);
    clear_flows(c, e);
}

/* ---- calls */

/* Its past is not written yet. */
static bool is_recorded(const rt_epoch *e, const rt_storage *s) {
    return e && !e->tracing && is_fresh(e, s);
}

static uint32_t set_of_input(bz_context *c, const rt_source *o) {
    if (!is_recorded(c->epoch, o->of.s)) return set_of_source(c, o);
    return rt_set_join(&c->lineage->sets, flow_now(c, o->of.s->node), set_of_variable(c, o->of));
}

/* Sets of the inputs of each output. Outputs have most of their inputs in common: 64 of them are joined once. */
static bool find_call_rows(bz_context *c, const rt_source *in, uint32_t n, const uint64_t *deps,
                           uint32_t nout) {
    rt_lineage *l = c->lineage;
    uint32_t words = (n + 63) / 64;
    rt_epoch *e = c->epoch;
    bool recorded = false;
    for (uint32_t i = 0; i < n; i++) recorded |= in[i].of.s && is_recorded(e, in[i].of.s);
    uint64_t uses = recorded ? uses_of(e->g, flows_from(e)) : 0;
    if (!begin(c, (uint64_t)words * nout + n + uses, n + words)) return false;
    if (recorded && !find_flows(c, e)) return false;
    uint32_t *of = l->values.p, *joined = of + n; /* of 64 inputs, as `last` asked for them */
    const uint64_t *last = NULL;
    for (uint32_t i = 0; i < n; i++)
        if (in[i].of.s) of[i] = set_of_input(c, &in[i]);
    for (uint32_t k = 0; k < nout; last = deps, deps += words, k++) {
        uint32_t all = 0;
        for (uint32_t w = 0; w < words; w++) {
            if (!last || last[w] != deps[w]) joined[w] = 0;
            for (uint32_t i = w * 64; i < n && i < w * 64 + 64 && (!last || last[w] != deps[w]);
                 i++)
                if (has(deps, i)) joined[w] = rt_set_join(&l->sets, joined[w], of[i]);
            all = rt_set_join(&l->sets, all, joined[w]);
        }
        if (!bz_vec_push(&l->rows, all)) return false;
    }
    return true;
}

rt_past *rt_lineage_call(bz_context *c, const rt_source *in, uint32_t n, const uint64_t *deps,
                         uint32_t nout, const char *why) {
    rt_past *p;
    bool found = find_call_rows(c, in, n, deps, nout), done = end_pasts(c, why, &p) && found;
    if (done) return p;
    rt_past_unref(c, p);
    return &anything;
}

void rt_lineage_made(bz_context *c, rt_storage *s, rt_past *p, rt_made *m, uint32_t k) {
    rt_past_unref(c, s->past);
    rt_made_unref(s->made);
    s->past = past_ref(p);
    s->row = k;
    s->made = m;
    s->output = k;
    if (m) m->refs++;
}

/* ---- questions */

/* What is asked of a source: which of the variables that its past leads to make a gradient incomplete. */
typedef struct question {
    bz_context *c;
    const rt_asked *wrt;
    unsigned n;
    const rt_past *past;
    bool to_former; /* former values count, where the loss does not see the present one */
    rt_loss found;
    unsigned which;
} question;

/* The workspace has the set of the wrt: their values, and where the loss does not see them, their former values too. */
static bool set_of_wrt(bz_context *c, const rt_asked *wrt, unsigned n, uint32_t *set) {
    rt_sets *w = &c->lineage->sets;
    *set = 0;
    if (!begin(c, UINT32_MAX, 0)) return false;
    for (unsigned i = 0; i < n; i++) {
        uint32_t v = 2 * wrt[i].s->number;
        *set = rt_set_join(w, *set, rt_set_one(w, v));
        if (!wrt[i].seen) *set = rt_set_join(w, *set, rt_set_one(w, v + 1));
    }
    return *set != RT_SET_ALL;
}

/* A variable that the past and the wrt share, `bit` of the past's. One that is younger than the past is in none. */
static void meet(question *q, uint32_t bit) {
    const rt_storage *s = storage_at(q->c, bit / 2);
    bool former = bit % 2 || s->birth > q->past->written;
    if (s->first > q->past->written || s->pass != q->c->lineage->pass) return;
    unsigned i = s->asked - 1;
    if (former && (!q->to_former || q->wrt[i].seen)) return;
    rt_loss found = former ? RT_CHANGED : RT_FORGOTTEN;
    bool better = q->found == RT_KNOWN || (q->found == RT_CHANGED && found == RT_FORGOTTEN);
    if (better || (q->found == found && i < q->which)) {
        q->found = found;
        q->which = i;
    }
}

/* What set `a` of the past and set `b`, of the wrt, share. */
static void meet_all(question *q, uint32_t a, uint32_t b) {
    if (!a || !b) return;
    const uint64_t *nodes = q->c->lineage->sets.nodes.p;
    uint64_t x = nodes[a], y = nodes[b];
    if (rt_set_is_leaf(x)) {
        for (uint32_t bits = (uint32_t)(x & y); bits; bits &= bits - 1)
            meet(q, rt_set_first(x) + (uint32_t)__builtin_ctz(bits));
        return;
    }
    meet_all(q, rt_set_left(x), rt_set_left(y));
    meet_all(q, (uint32_t)x, (uint32_t)y);
}

/* What leads through a wrt is no way to former values of another: an update by the last step. */
static rt_loss ask_source(question *q, const rt_source *o, uint32_t wrt) {
    unsigned marks = rt_reach_marks(&q->c->lineage->reach, o->node);
    uint32_t root = root_of(o->past, o->row);
    q->past = o->past;
    q->to_former = marks & RT_AROUND && !(marks & RT_WRT);
    q->which = 0;
    for (unsigned i = 0; i < q->n && root == RT_SET_ALL; i++) meet(q, 2 * q->wrt[i].s->number);
    if (root == RT_SET_ALL) return q->found;
    meet_all(q, root, wrt);
    return q->found;
}

static void number_wrt(rt_lineage *l, const rt_asked *wrt, unsigned n) {
    l->pass++;
    for (unsigned i = 0; i < n; i++) {
        rt_storage *s = wrt[i].s;
        if (s->pass == l->pass && !wrt[s->asked - 1].seen)
            continue; /* two views: the unseen one counts */
        s->pass = l->pass;
        s->asked = i + 1;
    }
}

/* A former value of a wrt that the loss sees, while it does not see the present one. */
static bool sees_former(const bz_context *c, const rt_source *o, const rt_asked *wrt,
                        unsigned *which) {
    rt_var v = o->of;
    if (!alive(v) || !is_past(v) || v.s->pass != c->lineage->pass ||
        !(rt_reach_marks(&c->lineage->reach, o->node) & RT_AROUND))
        return false;
    *which = v.s->asked - 1;
    return !wrt[*which].seen;
}

rt_loss rt_lineage_ask(bz_context *c, const rt_asked *wrt, unsigned n, uint32_t *from,
                       unsigned *which, uint32_t *source) {
    const rt_reached *w = &c->lineage->reach;
    uint32_t set = 0;
    number_wrt(c->lineage, wrt, n);
    bool asked = set_of_wrt(c, wrt, n, &set);
    question q = {.c = c, .wrt = wrt, .n = n};
    rt_loss found = RT_KNOWN;
    for (uint32_t i = *from; i < w->sources.n && !found; i++) {
        const rt_source *o = &c->epoch->sources.p[w->sources.p[i]];
        if (sees_former(c, o, wrt, which)) {
            found = RT_CHANGED;
        } else if (n && o->past && !o->twin) {
            found = asked ? ask_source(&q, o, set) : RT_FORGOTTEN;
            *which = q.which;
            *source = w->sources.p[i];
        }
        if (found) *from = i;
    }
    return found;
}

void rt_lineage_free(rt_lineage *w) {
    rt_sets_free(&w->sets);
    bz_vec_free(&w->values);
    bz_vec_free(&w->flows);
    bz_vec_free(&w->rows);
    bz_vec_free(&w->flowed_at);
    bz_mem_free(w->now);
    rt_reach_free(&w->reach);
    pass_backward_free(&w->backward);
}
