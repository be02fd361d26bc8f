/* fuse.c - decides which nodes become one kernel.
 *
 *     every computing node begins as a group of its own; then, in topological order, each edge producer -> consumer tries to join the
 *     two groups. Movement nodes belong to nobody: they are index maps inside whoever reads them.
 *
 *     MAP + MAP   same elements                     one loop, several results possible
 *     MAP -> ROW  what is reduced along the last axis, or what is made of the row's results: softmax, layernorm, losses
 *     MAP -> COL  what is reduced along leading axes; afterwards what is made of the result
 *     MAP -> STRIP  the same, few enough that a cache holds it: then in stages, as a ROW is. Who needs no stages ends as a COL
 *     DOT -> MAP  epilogue on the tile; MAP -> DOT prologue in the packing
 *     MAP -> SCAN -> MAP  on the way in and out, at the same elements
 *     MAP -> SCATTER  what is computed where it is read
 *     WHOLE       an op with a kernel of its own joins nobody
 *     DOTs -> ROW -> DOTs   one kernel if the rows between them are many: fuse_band.c
 *     ROW + ROW   of the same rows, one made of the other or both of one tensor; COL + COL of one tensor
 *     DOT, ROW, COL -> MAP -> ROW   what is only folded to a number joins the fold, where its operand lies in memory anyway
 *     MAP -> UPDATE  what is written is computed at the place where it is stored; nobody joins behind it
 *
 * Two groups join only if no path leads from one to the other through a third (the kernel would wait for itself), if all values that
 * cross are read at the very index at which they are made, or if the producer is needed nowhere else and cheap enough to be computed where
 * it is read. Every refusal is recorded with its reason. The work for one edge is bounded, so the pass takes time in proportion to them. */
#include "src/passes/fuse.h"

#include <string.h>

/* What is longer than MAX_NODES or MAX_STEPS is compiled in pieces, of which equal ones are compiled once. */
enum {
    MAX_NODES = 256,   /* of a kernel */
    MAX_STEPS = 2048,  /* base operations for each of its elements */
    CHEAP_OPS = 4,     /* may be computed again for each element that reads them */
    FOLDED_BEHIND = 8, /* edges between a value and its folds that are looked at */
    MANY_INDICES = 1 << 16 /* expressions of earlier edges are forgotten above that */
};

/* ---- may two groups join? */

/* Is some value of group p needed outside p and c? */
static bool needed_elsewhere(const fuser *f, uint32_t p, uint32_t c) {
    const fuse_group *q = &f->r->groups.p[p];
    for (uint32_t i = 0; i < q->nodes.n; i++) {
        ir_ref r = q->nodes.p[i];
        if (f->r->stored[r]) return true;
        for (uint32_t e = f->first_out[r]; e < f->first_out[r + 1]; e++) {
            uint32_t to = f->r->group_of[f->out_to.p[e]];
            if (to != p && to != c) return true;
        }
    }
    return false;
}

static void count_ops(const fuser *f, uint32_t p, unsigned *ops, bool *expensive) {
    const fuse_group *q = &f->r->groups.p[p];
    *ops = 0;
    *expensive = false;
    for (uint32_t i = 0; i < q->nodes.n; i++) {
        const ir_node *n = ir_at(f->g, q->nodes.p[i]);
        *ops += ir_op_is_elementwise(n->op);
        *expensive |= (ir_ops[n->op].flags & IR_EXPENSIVE) || n->op == IR_GATHER;
    }
}

static unsigned folds(const fuser *f, uint32_t group) {
    const fuse_group *q = &f->r->groups.p[group];
    unsigned n = 0;
    for (uint32_t i = 0; i < q->nodes.n; i++) n += ir_at(f->g, q->nodes.p[i])->op == IR_REDUCE;
    return n;
}

/* Would one kernel gather from what it makes itself? Random access needs the value in memory before. */
static bool gathers_from(const fuser *f, uint32_t p, uint32_t c) {
    const fuse_group *q = &f->r->groups.p[c];
    for (uint32_t i = 0; i < q->nodes.n; i++) {
        ir_ref r = q->nodes.p[i];
        if (ir_at(f->g, r)->op == IR_GATHER && f->r->group_of[ir_operand(f->g, r, 0)] == p)
            return true;
    }
    return false;
}

typedef struct way_to {
    const fuser *f;
    uint32_t p;
    bool part; /* ways on which no element is left out do not count */
} way_to;

static access_answer ends_in_group(void *ctx, const access_place *p) {
    const way_to *w = ctx;
    const uint32_t group = w->f->r->group_of[p->node];
    if (group == w->p) return w->part && !p->part ? ACCESS_STOP : ACCESS_NO;
    return group == FUSE_NO_GROUP && access_moves(w->f->g, p->node) ? ACCESS_ON : ACCESS_STOP;
}

/* Does movement lead from x to a member of group p? `part`: leaving elements out on its way. */
static bool leads_to(const fuser *f, uint32_t p, ir_ref x, bool part) {
    way_to w = {f, p, part};
    return !access_walk(&(access_walker){.g = f->g, .visit = ends_in_group, .ctx = &w}, x, NULL);
}

/* Is a window of group c moved by what group p computes? */
static bool moved_by(const fuser *f, uint32_t p, uint32_t c) {
    const fuse_group *q = &f->r->groups.p[c];
    for (uint32_t i = 0; i < q->nodes.n && f->any_moves; i++)
        for (uint32_t k = f->r->first_read[q->nodes.p[i]]; k < f->r->first_read[q->nodes.p[i] + 1];
             k++)
            if (f->moves[f->r->reads.p[k].base] && f->r->group_of[f->r->reads.p[k].base] == p)
                return true;
    return false;
}

typedef struct canonical {
    fuser *f;
    uint32_t p;
    const fuse_space *s;
} canonical;

/* The members of p that a walk comes to are read at their canonical indices. */
static access_answer at_its_own(void *ctx, const access_place *p) {
    const canonical *c = ctx;
    fuser *f = c->f;
    ir_ex at[IR_MAX_RANK];
    const ir_node *n = ir_at(f->g, p->node);
    if (f->r->group_of[p->node] != c->p)
        return f->r->group_of[p->node] == FUSE_NO_GROUP && access_moves(f->g, p->node)
                   ? ACCESS_ON
                   : ACCESS_STOP;
    fuse_level level = n->op == IR_REDUCE ? FUSE_KEPT : fuse_level_of(f->g, c->s, p->node);
    if (level == FUSE_NONE) return ACCESS_NO;
    fuse_index(f->g, &f->x, c->s, level, p->node, at);
    return memcmp(at, p->idx, n->rank * sizeof *at) == 0 ? ACCESS_STOP : ACCESS_NO;
}

static bool member_reads_canonically(fuser *f, uint32_t p, const fuse_space *s, ir_ref r) {
    ir_ex idx[IR_MAX_RANK];
    access_step step;
    canonical c = {f, p, s};
    const access_walker a = {.g = f->g, .x = &f->x, .visit = at_its_own, .ctx = &c};
    const ir_node n = *ir_at(f->g, r);
    if (n.op == IR_REDUCE || ir_ops[n.op].reads == IR_READS_SCAN ||
        n.op == IR_UPDATE) { /* what is updated lies in memory */
        ir_ref y = ir_in(f->g, &n)[n.op == IR_UPDATE];
        fuse_index(f->g, &f->x, s, FUSE_FULL, y, idx);
        return access_walk(&a, y, idx);
    }
    fuse_level level = fuse_level_of(f->g, s, r);
    if (level == FUSE_NONE) /* it is computed where it is read */
        access_any_index(f->g, &f->x, r, idx);
    else
        fuse_index(f->g, &f->x, s, level, r, idx);
    for (unsigned k = 0; k < n.nin; k++)
        if (access_take(f->g, &f->x, r, idx, k, &step) && !access_walk(&a, step.x, step.at))
            return false;
    return true;
}

bool fuse_reads_canonically(fuser *f, uint32_t p, uint32_t c, const fuse_space *s) {
    const fuse_group *q = &f->r->groups.p[c];
    for (uint32_t i = 0; i < q->nodes.n; i++)
        if (!member_reads_canonically(f, p, s, q->nodes.p[i])) return false;
    return true;
}

/* The members of a MAP group, put into a space, all lie on one of its levels (the head says which). */
static fuse_level map_level(const fuser *f, uint32_t map, const fuse_space *s,
                            const fuse_form *form) {
    fuse_level level = fuse_level_of(f->g, s, f->r->groups.p[map].head);
    return level == FUSE_FULL && !form->stores_full ? FUSE_NONE : level;
}

static double elements(const fuser *f, ir_ref r) {
    int64_t n = 1;
    ir_numel(f->g, r, &n);
    return (double)n;
}

static bool holds_gather(const fuser *f, uint32_t p) {
    const fuse_group *q = &f->r->groups.p[p];
    for (uint32_t i = 0; i < q->nodes.n; i++)
        if (ir_at(f->g, q->nodes.p[i])->op == IR_GATHER) return true;
    return false;
}

/* A gather is an error wherever one of its indices is outside: also where nobody reads that element, in every mode. */
static bool skips_checks(const fuser *f, uint32_t p, uint32_t c) {
    const fuse_group *to = &f->r->groups.p[c];
    if (!holds_gather(f, p)) return false;
    for (uint32_t i = 0; i < to->nodes.n; i++) {
        const ir_ref r = to->nodes.p[i];
        for (unsigned k = 0; k < ir_at(f->g, r)->nin; k++)
            if (leads_to(f, p, ir_operand(f->g, r, k), !access_leaves_out(f->g, r))) return true;
    }
    return false;
}

/* Can producer p be computed wherever c reads it, instead of being stored? NULL, or why not. */
static const char *inline_refusal(fuser *f, uint32_t p, uint32_t c) {
    unsigned ops;
    bool expensive;
    const fuse_group *q = &f->r->groups.p[p], *to = &f->r->groups.p[c];
    if (needed_elsewhere(f, p, c))
        return "the value is needed in memory too, and is read at another index here";
    if (skips_checks(f, p, c)) return "an index that is not read would not be checked";
    count_ops(f, p, &ops, &expensive);
    ir_ref full = form_full_node(f->g, to->form, to->head);
    bool repeats = !to->form->product && elements(f, full) > elements(f, q->head);
    if (repeats && expensive)
        return "an expensive value would be computed again for every element that reads it";
    if (repeats && ops > CHEAP_OPS)
        return "too many operations would be computed again for every element that reads it";
    return NULL;
}

static bool same_axes(const fuser *f, ir_ref a, ir_ref b) {
    ir_reduce_attr p = ir_reduce_get(f->g, ir_at(f->g, a)), q = ir_reduce_get(f->g, ir_at(f->g, b));
    int64_t s[IR_MAX_RANK], t[IR_MAX_RANK];
    ir_ref x = ir_operand(f->g, a, 0), y = ir_operand(f->g, b, 0);
    ir_static_shape(f->g, x, s);
    ir_static_shape(f->g, y, t);
    unsigned rank = ir_at(f->g, x)->rank;
    return rank == ir_at(f->g, y)->rank && p.naxes == q.naxes &&
           !memcmp(p.axes, q.axes, p.naxes * sizeof *p.axes) && !memcmp(s, t, rank * sizeof *s);
}

/* What is to become of an edge: why its groups stay apart (NULL: they join), and how they would join. */
typedef struct verdict {
    const char *why;
    uint32_t into; /* whose form and head the union has */
    bool again;    /* members of the producer are computed where they are read */
} verdict;

/* A MAP joins whoever reads it. */
static verdict judge_map(fuser *f, uint32_t p, uint32_t c, const fuse_space *s) {
    const fuse_form *form = f->r->groups.p[c].form;
    if (form->scatters) return (verdict){inline_refusal(f, p, c), c, true};
    fuse_level level = map_level(f, p, s, form);
    bool fits = !form->product && level != FUSE_NONE;
    /* one number: a loop over elements has no place to store it */
    if (level == FUSE_KEPT && !form->folds) fits = !needed_elsewhere(f, p, c);
    if (fits && fuse_reads_canonically(f, p, c, s)) return (verdict){NULL, c, false};
    return (verdict){inline_refusal(f, p, c), c, true};
}

/* Is all that group c makes, element by element, folded to single numbers, as far as `left` edges show? */
static bool only_folded(const fuser *f, uint32_t c, unsigned *left) {
    const fuse_group *q = &f->r->groups.p[c];
    bool any = false;
    for (uint32_t i = 0; i < q->nodes.n; i++) {
        const ir_ref r = q->nodes.p[i];
        if (f->r->stored[r]) return false;
        for (uint32_t e = f->first_out[r]; e < f->first_out[r + 1]; e++) {
            const uint32_t next = f->r->group_of[f->out_to.p[e]];
            const fuse_group *to = &f->r->groups.p[next];
            if (next == c) continue;
            if ((*left)-- == 0) return *left = 0, false;
            if (to->form == &form_row ? elements(f, to->head) != 1
                                      : !to->form->elementwise || !only_folded(f, next, left))
                return false;
            any = true;
        }
    }
    return any;
}

/* Does group c read what another group than p folds to one number? Made apart, all such folds are one launch. */
static bool gathers_numbers(const fuser *f, uint32_t p, uint32_t c) {
    const fuse_group *q = &f->r->groups.p[c];
    for (uint32_t i = 0; i < q->nodes.n; i++)
        for (uint32_t k = f->r->first_read[q->nodes.p[i]]; k < f->r->first_read[q->nodes.p[i] + 1];
             k++) {
            const ir_ref base = f->r->reads.p[k].base;
            const uint32_t from = f->r->group_of[base];
            if (from != FUSE_NO_GROUP && from != p && from != c &&
                f->r->groups.p[from].form == &form_row && elements(f, base) == 1)
                return true;
        }
    return false;
}

/* A ROW, COL or DOT and a reader. */
static const char *judge_reader(fuser *f, uint32_t p, uint32_t c, const fuse_space *s) {
    const fuse_group *q = &f->r->groups.p[p], *to = &f->r->groups.p[c];
    bool rows = q->form->stages && q->form == to->form;
    if (f->t->rows && to->form->elementwise && q->form == &form_row && elements(f, q->head) == 1 &&
        elements(f, to->head) == 1 && gathers_numbers(f, p, c))
        return "numbers that several kernels fold are folded in one launch";
    unsigned left = FOLDED_BEHIND;
    if (to->form->elementwise) {
        const fuse_level level = map_level(f, c, s, q->form);
        /* of what a row gives it costs nothing more; of what columns do neither, but folds made apart may be one launch */
        const bool apart = level != FUSE_KEPT || (f->t->rows && q->form != &form_row);
        if (apart && needed_elsewhere(f, p, c) && only_folded(f, c, &left))
            return "it is computed where it is folded, from what lies in memory anyway";
        if (level == FUSE_NONE || (level == FUSE_KEPT && !q->form->folds))
            return q->form->product
                       ? "the consumer has another shape than the product"
                       : "the consumer is neither on the rows nor on the elements of the reduction";
        return fuse_reads_canonically(f, p, c, s)
                   ? NULL
                   : "the consumer reads the result at another index";
    }
    if (rows && folds(f, p) + folds(f, c) > q->form->most_folds)
        return "the kernel would have too many reductions";
    if (rows && same_axes(f, q->head, to->head))
        return fuse_reads_canonically(f, p, c, s)
                   ? NULL
                   : "the second reduction reads the first at another index";
    if (q->form->scans || to->form->scans)
        return "a scan goes along its axis in steps of its own: what others fold, scan or multiply "
               "lies in memory";
    if (q->form->product)
        return to->form->product ? "a product needs the whole of the other product"
                                 : "a reduction needs whole rows of the product";
    return to->form->product ? "a product reads each element of the reduction many times"
                             : "the reductions run over different axes";
}

/* In how many ways do members of group c read members of group p? */
static uint32_t ways_between(const fuser *f, uint32_t p, uint32_t c) {
    const fuse_group *q = &f->r->groups.p[c];
    uint32_t ways = 0;
    for (uint32_t i = 0; i < q->nodes.n; i++)
        for (uint32_t k = f->r->first_read[q->nodes.p[i]]; k < f->r->first_read[q->nodes.p[i] + 1];
             k++)
            ways += f->r->group_of[f->r->reads.p[k].base] == p ? f->r->reads.p[k].ways : 0;
    return ways;
}

static uint32_t most_values(uint32_t nodes) {
    return 2 * nodes + 256;
}

/* Counts what the union of p and c computes; the sum of both if p is computed at one index. NULL, or why that is too much. */
static const char *count_values(fuser *f, uint32_t p, uint32_t c, const verdict *v,
                                const fuse_space *s) {
    fuse_group *q = &f->r->groups.p[p], *to = &f->r->groups.p[c];
    uint32_t ways = v->again ? ways_between(f, p, c) : 1,
             most = most_values(q->nodes.n + to->nodes.n);
    uint32_t sum = to->values + ways * q->values, turns = to->turns + q->turns;
    bool repeats = v->again && (ways > 1 || to->repeats);
    if (!v->again) turns = to->turns > q->turns ? to->turns : q->turns;
    if ((repeats && (to->repeats || sum > most)) || (v->again && turns >= FUSE_MANY_TURNS)) {
        const char *why = fuse_values(f, p, c, s, most, &sum);
        if (why) return why;
    }
    to->values = sum;
    to->turns = turns;
    to->repeats |= repeats || q->repeats;
    return NULL;
}

/* Forgets the expressions of earlier edges when they are many. */
static bool room_for_indices(fuser *f) {
    if (f->x.n.n < MANY_INDICES) return true;
    ir_exprs_free(&f->x);
    return ir_exprs_init(&f->x);
}

static bool too_long(const fuse_group *p, const fuse_group *c) {
    return p->nodes.n + c->nodes.n > MAX_NODES || p->steps + c->steps > MAX_STEPS;
}

/* May groups p (producer) and c (consumer) be one kernel? */
static verdict judge(fuser *f, uint32_t p, uint32_t c) {
    const fuse_group *q = &f->r->groups.p[p], *to = &f->r->groups.p[c];
    verdict v = {.into = q->form->elementwise ? c : p};
    fuse_space s;
    if (too_long(q, to))
        v.why = "the kernel would have too many operations";
    else if (q->form->apart || to->form->apart)
        v.why = q->form->apart ? q->form->apart : to->form->apart;
    else if (gathers_from(f, p, c))
        v.why = "random access needs the value in memory";
    else if (moved_by(f, p, c))
        v.why = "where a window lies is known before its loops begin";
    else if (q->form->scatters)
        v.why = "an element is known when all that is scattered is";
    else if (to->form->scatters && !q->form->elementwise)
        v.why = "only what is computed element by element is computed where it is scattered";
    else if (q->form->window)
        v.why = "what was not overwritten lies in memory";
    else if (to->form->window && leads_to(f, p, ir_operand(f->g, to->head, 0), false))
        v.why = "only a window of the value is overwritten: the rest lies in memory";
    else if (to->form->window && holds_gather(f, p))
        v.why = "an index may be outside: nothing is overwritten before that is known";
    else if (to->form->window && !q->form->elementwise)
        v.why = "only what is computed element by element is written where it is computed";
    if (v.why || !room_for_indices(f)) return v;
    fuse_group_space(f->g, &f->x, &f->r->groups.p[v.into], &s);
    if (q->form->elementwise)
        v = judge_map(f, p, c, &s);
    else
        v.why = judge_reader(f, p, c, &s);
    if (!v.why && to->form->window && fuse_overwrites_early(f, p, c))
        v.why = "the elements are read elsewhere too, before any is overwritten";
    if (!v.why && fuse_joined_by_third(f, p, c)) v.why = "a third kernel has to run between them";
    if (!v.why) v.why = count_values(f, p, c, &v, &s);
    return v;
}

/* ---- joining */

static bool merge(fuser *f, uint32_t p, uint32_t c, uint32_t into) {
    fuse_group *a = &f->r->groups.p[p], *b = &f->r->groups.p[c], both = *b;
    both.form = f->r->groups.p[into].form;
    both.head = f->r->groups.p[into].head;
    both.steps += a->steps;
    both.nodes.p = NULL;
    both.nodes.n = both.nodes.cap = 0;
    if (!bz_vec_reserve(&both.nodes, a->nodes.n + b->nodes.n)) return false;
    uint32_t i = 0, j = 0;
    while (i < a->nodes.n || j < b->nodes.n) {
        bool left = j == b->nodes.n || (i < a->nodes.n && a->nodes.p[i] < b->nodes.p[j]);
        ir_ref r = left ? a->nodes.p[i++] : b->nodes.p[j++];
        both.nodes.p[both.nodes.n++] = r;
        f->r->group_of[r] = c;
    }
    bz_vec_free(&a->nodes);
    bz_vec_free(&b->nodes);
    a->dead = true;
    *b = both;
    return true;
}

static bool refuse(fuser *f, fuse_edge e, const char *why) {
    return bz_vec_push(&f->r->refusals, ((pass_refusal){e.from, e.to, why}));
}

static bool join_groups(fuser *f) {
    for (uint32_t i = 0; i < f->edges.n; i++) {
        fuse_edge e = f->edges.p[i];
        uint32_t p = f->r->group_of[e.from], c = f->r->group_of[e.to];
        if (p == c) continue;
        verdict v = {.why = "eager mode: every op is a kernel of its own"};
        if (!f->t->eager) v = judge(f, p, c);
        if (f->failed || f->x.failed || (v.why ? !refuse(f, e, v.why) : !merge(f, p, c, v.into)))
            return false;
        if (!v.why && f->place[p] < f->place[c]) f->place[c] = f->place[p];
    }
    return true;
}

/* ---- siblings: reductions of the same axes, none made of another: mean, deviation and maximum of one tensor read it once */

/* Could one kernel do the work of p and c, of which neither reads the other? */
static bool are_siblings(fuser *f, uint32_t p, uint32_t c) {
    const fuse_group *a = &f->r->groups.p[p], *b = &f->r->groups.p[c];
    return p != c && a->form == b->form && !too_long(a, b) &&
           folds(f, p) + folds(f, c) <= a->form->most_folds && same_axes(f, a->head, b->head) &&
           !ways_between(f, p, c) && !ways_between(f, c, p) && !fuse_kept_apart(f, &p, 1, c);
}

/* Is base worth being read once: all that group c folds and no more, of which others may fold other parts? Not what a product makes, which
 * may be handed on row by row (fuse_band.c). */
static bool worth_sharing(const fuser *f, uint32_t c, ir_ref base) {
    const fuse_group *to = &f->r->groups.p[c];
    const uint32_t from = f->r->group_of[base];
    return to->form->most_folds > 1 &&
           (from == FUSE_NO_GROUP || !f->r->groups.p[from].form->product) && from != c &&
           elements(f, base) == elements(f, form_full_node(f->g, to->form, to->head));
}

/* reader: of each base, the last node of a reduction's group that reads it. */
static bool join_reader(fuser *f, ir_ref *reader, ir_ref r) {
    for (uint32_t k = f->r->first_read[r]; k < f->r->first_read[r + 1]; k++) {
        const ir_ref base = f->r->reads.p[k].base;
        if (!worth_sharing(f, f->r->group_of[r], base)) continue;
        const uint32_t p = reader[base] ? f->r->group_of[reader[base]] : FUSE_NO_GROUP,
                       c = f->r->group_of[r];
        if (p != FUSE_NO_GROUP && are_siblings(f, p, c) &&
            (!merge(f, p, c, c) || !fuse_order_join(f, (uint32_t[]){p, c}, 2, c)))
            return false;
        reader[base] = r;
    }
    return !f->failed;
}

static bool join_siblings(fuser *f) {
    ir_ref *reader = bz_mem_zero(f->g->n.n, sizeof *reader);
    bool ok = reader != NULL;
    for (ir_ref r = 1; ok && r < f->g->n.n; r++)
        if (f->r->group_of[r] != FUSE_NO_GROUP) ok = join_reader(f, reader, r);
    bz_mem_free(reader);
    return ok;
}

/* A value lies in a buffer if it is an output or another kernel reads it. */
static void decide_stored(fuser *f) {
    for (uint32_t i = 0; i < f->edges.n; i++) {
        fuse_edge e = f->edges.p[i];
        if (f->r->group_of[e.from] != f->r->group_of[e.to]) f->r->stored[e.from] = true;
    }
}

/* ---- stages that nobody needs */

/* Does member r read what a fold of its group gave, or what was made of that? Such members are marked. */
static bool is_behind_fold(const fuser *f, ir_ref r) {
    for (uint32_t k = f->r->first_read[r]; k < f->r->first_read[r + 1]; k++) {
        const ir_ref base = f->r->reads.p[k].base;
        if (f->r->group_of[base] == f->r->group_of[r] &&
            (ir_at(f->g, base)->op == IR_REDUCE || f->mark[base] == f->epoch))
            return true;
    }
    return false;
}

/* Does one pass over the elements do for the group: is none stored, and none made of what was folded? */
static bool is_done_once(fuser *f, const fuse_group *q) {
    unsigned nfolds = 0;
    fuse_space s;
    fuse_space_of(f->g, q->form, q->head, NULL, &s);
    f->epoch++;
    for (uint32_t i = 0; i < q->nodes.n; i++) {
        const ir_ref r = q->nodes.p[i];
        const bool folds = ir_at(f->g, r)->op == IR_REDUCE, behind = is_behind_fold(f, r);
        if (behind) f->mark[r] = f->epoch;
        nfolds += folds;
        if (!folds && fuse_level_of(f->g, &s, r) == FUSE_FULL && (behind || f->r->stored[r]))
            return false;
    }
    return nfolds <= q->form->once->most_folds;
}

static void drop_stages(fuser *f) {
    for (uint32_t i = 0; i < f->r->groups.n; i++) {
        fuse_group *q = &f->r->groups.p[i];
        if (!q->dead && q->form->once && is_done_once(f, q)) q->form = q->form->once;
    }
}

/* ---- the pass */

static bool begin(fuser *f, const ir_graph *g, const pass_target *t, fuse_result *out) {
    *f = (fuser){.g = g, .t = t, .r = out};
    *out = (fuse_result){.g = g};
    out->group_of = bz_mem_zero(g->n.n, sizeof *out->group_of);
    out->stored = bz_mem_zero(g->n.n, sizeof *out->stored);
    out->first_read = bz_mem_zero(g->n.n + 1, sizeof *out->first_read);
    f->live = ir_live(g);
    f->mark = bz_mem_zero(g->n.n, sizeof *f->mark);
    f->moves = bz_mem_zero(g->n.n, sizeof *f->moves);
    return ir_exprs_init(&f->x) && out->group_of && out->stored && out->first_read && f->live &&
           f->mark && f->moves;
}

static void end(fuser *f) {
    ir_exprs_free(&f->x);
    access_seen_free(&f->seen);
    bz_mem_free(f->live);
    bz_mem_free(f->mark);
    bz_mem_free(f->moves);
    bz_mem_free(f->first_out);
    bz_mem_free(f->order);
    bz_mem_free(f->place);
    bz_vec_free(&f->edges);
    bz_vec_free(&f->out_to);
    bz_vec_free(&f->stack);
}

bz_status fuse_graph(const ir_graph *g, const pass_target *t, fuse_result *out, bz_error *e) {
    fuser f;
    bool ok =
        begin(&f, g, t, out) && fuse_make_groups(&f) && fuse_places(&f) && join_groups(&f) &&
        (t->eager || (fuse_order_begin(&f) && join_siblings(&f) &&
                      (!lower_schedule(t, &form_band) || fuse_bands(&f))));
    if (ok) decide_stored(&f);
    if (ok) drop_stages(&f);
    end(&f);
    if (ok) return BZ_OK;
    fuse_free(out);
    return bz_fail(e, BZ_ENOMEM, "out of memory while fusing");
}

void fuse_free(fuse_result *f) {
    for (uint32_t i = 0; i < f->groups.n; i++) {
        fuse_group *g = &f->groups.p[i];
        for (unsigned k = 0; k < g->nparts; k++) bz_vec_free(&g->parts[k].nodes);
        bz_mem_free(g->parts);
        bz_vec_free(&g->handed);
        bz_vec_free(&g->nodes);
    }
    bz_vec_free(&f->groups);
    bz_vec_free(&f->refusals);
    bz_vec_free(&f->reads);
    bz_mem_free(f->first_read);
    bz_mem_free(f->group_of);
    bz_mem_free(f->stored);
    *f = (fuse_result){0};
}
