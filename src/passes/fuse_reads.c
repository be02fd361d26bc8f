/* fuse_reads.c - who computes, and who reads whom.
 *
 *     %3 = add          group 0
 *     %4 = reshape      nobody's: an index map inside those who read it
 *     %5 = exp          group 1, which reads %3
 *
 * Every computing node begins as a group of its own, but for what is made from indices. A movement gets one, and a buffer, when it is an
 * output, when a gather picks from it, or when the movement below it is so long, or branches so often (pad, concat), that each element
 * would cost more than a load. */
#include "src/passes/fuse.h"

#include <string.h>

enum {
    LONG_WAY = 64,    /* movements below one element */
    SHORT_WAY = 8,    /* a longer operand of a long way is stored */
    LONG_INDEX = 128, /* operations in the index of one element */
    EASY_OPS = 4,     /* to make a value from nothing costs less than to read it */
    CAST_MOST = 2 /* products that cast an input, each for itself: more want it cast in memory */
};

bool fuse_long_index(const fuser *f, const access_place *p) {
    uint32_t size = 0;
    for (unsigned d = 0; d < ir_at(f->g, p->node)->rank; d++)
        size += ir_ex_at(&f->x, p->idx[d])->size;
    return size > LONG_INDEX;
}

static bool listed(const ir_node *n) {
    return n->op == IR_CONST && n->nattr > 1;
}

static bool has_group(const fuser *f, ir_ref r) {
    return f->r->group_of[r] != FUSE_NO_GROUP;
}

/* The form of a group that may still grow: with stages, where the target has loops for them that take it. */
static const fuse_form *first_form(const fuser *f, ir_ref r) {
    const fuse_form *form = form_of(f->g, r);
    const pass_machine *m = f->t->machine;
    for (unsigned i = 0; form && i < m->nschedules; i++)
        if (m->schedules[i].form->once == form && m->schedules[i].takes(f->t, f->g, r))
            return m->schedules[i].form;
    return form ? form : &form_map;
}

static bool add_group(fuser *f, ir_ref r) {
    fuse_group group = {
        .form = first_form(f, r), .head = r, .values = 1, .steps = fuse_steps(f->g, r)};
    if (has_group(f, r)) return true;
    f->r->group_of[r] = f->r->groups.n;
    if (bz_vec_push(&group.nodes, r) && bz_vec_push(&f->r->groups, group)) return true;
    bz_vec_free(&group.nodes);
    return false;
}

/* A result lies in a buffer of its own, and belongs to the group of its tuple, if that has one. */
static bool add_result(fuser *f, ir_ref r) {
    uint32_t group = f->r->group_of[ir_operand(f->g, r, 0)];
    if (group == FUSE_NO_GROUP || has_group(f, r)) return true;
    f->r->stored[r] = true;
    f->r->group_of[r] = group;
    return bz_vec_push(&f->r->groups.p[group].nodes, r);
}

static bool store(fuser *f, ir_ref r) {
    f->r->stored[r] = true;
    return add_group(f, r);
}

ir_ref fuse_same_buffer(const ir_graph *g, ir_ref r) {
    while (ir_at(g, r)->op == IR_RESHAPE) r = ir_operand(g, r, 0);
    return r;
}

/* ---- what has a group */

static bool group_outputs(fuser *f) {
    for (uint32_t i = 0; i < f->g->outputs.n; i++) {
        ir_ref r = fuse_same_buffer(f->g, f->g->outputs.p[i].node);
        if (ir_at(f->g, r)->op != IR_INPUT && !store(f, r)) return false;
    }
    return true;
}

/* Operations of which an element of r is made from where it lies and numbers alone (`col > row` of a mask): EASY_OPS at most, else more.
 * ops: of the nodes before r. */
static uint8_t ops_from_nothing(const ir_graph *g, const uint8_t *ops, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    unsigned sum = 0;
    switch (n->op) {
    case IR_CONST: return n->nattr > 1 ? EASY_OPS + 1 : 0;
    case IR_IOTA: return 0;
    case IR_ADD:
    case IR_SUB:
    case IR_AND:
    case IR_OR:
    case IR_NOT:
    case IR_EQ:
    case IR_NE:
    case IR_LT:
    case IR_LE:
    case IR_GT:
    case IR_GE: sum = 1; break;
    case IR_RESHAPE:
    case IR_EXPAND:
    case IR_PERMUTE:
    case IR_SLICE: break;
    default: return EASY_OPS + 1;
    }
    if (ir_is_float((bz_dtype)n->dtype)) return EASY_OPS + 1;
    for (unsigned i = 0; i < n->nin; i++) sum += ops[ir_in(g, n)[i]];
    return sum > EASY_OPS ? EASY_OPS + 1 : (uint8_t)sum;
}

static bool casts_float(const ir_graph *g, ir_ref r) {
    return ir_at(g, r)->op == IR_CAST && ir_is_float(ir_dtype(g, r)) &&
           ir_is_float(ir_dtype(g, ir_operand(g, r, 0)));
}

/* An input, or elements of it, each by one index. */
static bool shows_input(const ir_graph *g, ir_ref r) {
    for (unsigned i = 0; i < SHORT_WAY; i++) {
        const ir_node *n = ir_at(g, r);
        if (ir_ops[n->op].reads != IR_READS_MAP || n->nin != 1) break;
        r = ir_operand(g, r, 0);
    }
    return ir_at(g, r)->op == IR_INPUT;
}

/* Is r an input in another floating dtype, by one cast or several (a weight rounded to halves)? Those before it have no group. */
static bool casts_input(const fuser *f, ir_ref r) {
    if (!casts_float(f->g, r)) return false;
    ir_ref x = ir_operand(f->g, r, 0);
    return shows_input(f->g, x) || (casts_float(f->g, x) && !has_group(f, x));
}

/* How many products read each node, through casts of it and themselves: CAST_MOST at most, else more, as where others read it too. */
static void count_products(const fuser *f, uint8_t *products) {
    const ir_graph *g = f->g;
    for (uint32_t i = 0; i < g->outputs.n; i++) products[g->outputs.p[i].node] = CAST_MOST + 1;
    for (ir_ref r = g->n.n; r-- > 1;) {
        unsigned own = ir_at(g, r)->op == IR_DOT ? 1
                       : casts_float(g, r)       ? products[r]
                                                 : CAST_MOST + 1;
        for (unsigned k = 0; f->live[r] && k < ir_at(g, r)->nin; k++) {
            uint8_t *n = &products[ir_operand(g, r, k)];
            *n = own + *n > CAST_MOST ? CAST_MOST + 1 : (uint8_t)(own + *n);
        }
    }
}

/* What is made from nothing belongs, as movement does, to everyone who reads it. */
static bool group_nodes(fuser *f) {
    uint8_t *ops = bz_mem_zero(2 * (size_t)f->g->n.n, sizeof *ops),
            *products = ops ? ops + f->g->n.n : NULL;
    bool ok = ops != NULL;
    if (ok) count_products(f, products);
    for (ir_ref r = 1; ok && r < f->g->n.n; r++) {
        ops[r] = ops_from_nothing(f->g, ops, r);
        if (f->live[r] && ir_at(f->g, r)->op == IR_RESULT) ok = add_result(f, r);
        if (!f->live[r] || !form_of(f->g, r) || ops[r] <= EASY_OPS) continue;
        if (!f->t->eager && products[r] <= CAST_MOST && casts_input(f, r)) continue;
        f->r->stored[r] |= ir_at(f->g, r)->op == IR_COPY || ir_at(f->g, r)->op == IR_UPDATE;
        ok = add_group(f, r);
    }
    bz_mem_free(ops);
    return ok;
}

/* A gather picks anywhere from its operand: it must lie in a buffer. A reshape is not bound to the buffer it views: it gets its own. */
static bool group_gathered(fuser *f) {
    for (ir_ref r = 1; r < f->g->n.n; r++) {
        if (!f->live[r] || ir_at(f->g, r)->op != IR_GATHER) continue;
        ir_ref x = ir_operand(f->g, r, 0);
        if (ir_at(f->g, x)->op != IR_INPUT && !store(f, x)) return false;
    }
    return true;
}

/* What moves a window is known before the loops that use it begin. */
static bool group_movers(fuser *f) {
    for (ir_ref r = 1; r < f->g->n.n; r++) {
        unsigned op = ir_at(f->g, r)->op;
        if (!f->live[r] || (op != IR_AS_STRIDED && op != IR_UPDATE)) continue;
        ir_ref at = ir_window_at(f->g, r);
        if (!at || ir_at(f->g, at)->op == IR_INPUT) continue;
        f->moves[at] = f->any_moves = true;
        if (!store(f, at)) return false;
    }
    return true;
}

/* What is moved from one place of a tensor to another is read before any of it is overwritten. */
static bool group_shifted(fuser *f) {
    for (ir_ref r = 1; r < f->g->n.n; r++) {
        if (!f->live[r] || ir_at(f->g, r)->op != IR_UPDATE) continue;
        ir_ref y = ir_operand(f->g, r, 1);
        if (!has_group(f, y) && access_moves(f->g, y) &&
            !fuse_only_in_place(f->r, f->r->group_of[r], fuse_updated(f->g, r), r) && !store(f, y))
            return false;
    }
    return true;
}

/* ---- ways through movement */

/* For each movement without a group: how many movements one element passes, how many turns (reshapes, windows) one after the other, and
 * of how many parts it comes. */
typedef struct ways {
    uint32_t steps, turns, parts;
} ways;

static bool is_way(const fuser *f, ir_ref r) {
    return !has_group(f, r) && access_moves(f->g, r);
}

static access_answer is_short(void *ctx, const access_place *p) {
    fuser *f = ctx;
    if (fuse_long_index(f, p)) return ACCESS_NO;
    return is_way(f, p->node) ? ACCESS_ON : ACCESS_STOP;
}

static bool ends_in_long_index(fuser *f, ir_ref r) {
    ir_ex idx[IR_MAX_RANK];
    access_any_index(f->g, &f->x, r, idx);
    return !access_walk(&(access_walker){.g = f->g, .x = &f->x, .visit = is_short, .ctx = f}, r,
                        idx);
}

/* The ways below movement r. A long one is made short by storing operands. */
static bool measure(fuser *f, ways *w, ir_ref r) {
    const ir_node *n = ir_at(f->g, r);
    const bool turns = n->op == IR_RESHAPE || n->op == IR_AS_STRIDED;
    for (bool first = true;; first = false) {
        ways own = {1, turns, 0};
        for (unsigned i = 0; i < n->nin; i++) {
            ir_ref x = ir_in(f->g, n)[i];
            own.parts += is_way(f, x) ? w[x].parts : 1;
            if (!is_way(f, x)) continue;
            own.steps += w[x].steps < UINT16_MAX ? w[x].steps : UINT16_MAX;
            own.turns = w[x].turns + turns > own.turns ? w[x].turns + turns : own.turns;
        }
        w[r] = own;
        bool wound = turns && own.turns >= FUSE_MANY_TURNS && ends_in_long_index(f, r);
        bool crowded = own.parts > PASS_CONCAT_MOST;
        if (!first || (own.steps <= LONG_WAY && !wound && !crowded)) return true;
        for (unsigned i = 0; i < n->nin; i++) {
            ir_ref x = ir_in(f->g, n)[i];
            bool apart = wound || w[x].steps > SHORT_WAY || (crowded && w[x].parts > 1);
            if (is_way(f, x) && apart && !store(f, x)) return false;
        }
    }
}

static void count_turns(fuser *f, const ways *w, ir_ref r) {
    const ir_node *n = ir_at(f->g, r);
    fuse_group *group = &f->r->groups.p[f->r->group_of[r]];
    group->turns = access_moves(f->g, r) ? w[r].turns : 0;
    for (unsigned i = 0; i < n->nin; i++) {
        ir_ref x = ir_in(f->g, n)[i];
        if (is_way(f, x) && w[x].turns > group->turns) group->turns = w[x].turns;
    }
}

static bool group_long_ways(fuser *f) {
    ways *w = bz_mem_zero(f->g->n.n, sizeof *w);
    bool ok = w != NULL;
    /* one with a group counts from itself: its readers stop there */
    for (ir_ref r = 1; ok && r < f->g->n.n; r++)
        if (f->live[r] && access_moves(f->g, r)) ok = measure(f, w, r);
    for (ir_ref r = 1; ok && r < f->g->n.n; r++)
        if (has_group(f, r)) count_turns(f, w, r);
    bz_mem_free(w);
    return ok && !f->x.failed;
}

/* ---- reads */

typedef struct reading {
    fuser *f;
    ir_ref reader;
    /* of each base: its number among the reads + 1, of this reader if it is not below the first */
    uint32_t *place;
    uint32_t first;
} reading;

static bool note_base(reading *d, ir_ref base) {
    fuse_result *r = d->f->r;
    uint32_t at = d->place[base];
    if (at > d->first) {
        r->reads.p[at - 1].ways++;
        return true;
    }
    if (!bz_vec_push(&r->reads, ((fuse_read){base, 1}))) return false;
    d->place[base] = r->reads.n;
    return !has_group(d->f, base) || bz_vec_push(&d->f->edges, ((fuse_edge){base, d->reader}));
}

static access_answer note_read(void *ctx, const access_place *p) {
    reading *d = ctx;
    const ir_node *n = ir_at(d->f->g, p->node);
    if (has_group(d->f, p->node) || n->op == IR_INPUT || listed(n))
        return note_base(d, p->node) ? ACCESS_STOP : ACCESS_NO;
    d->f->r->groups.p[d->f->r->group_of[d->reader]].values += access_moves(d->f->g, p->node);
    return ACCESS_ON;
}

static bool list_reads(fuser *f) {
    const ir_graph *g = f->g;
    reading d = {.f = f, .place = bz_mem_zero(g->n.n, sizeof *d.place)};
    const access_walker a = {.g = g, .visit = note_read, .ctx = &d};
    bool ok = d.place != NULL;
    for (ir_ref r = 0; ok && r < g->n.n; r++) {
        const ir_node *n = ir_at(g, r);
        f->r->first_read[r] = d.first = f->r->reads.n;
        d.reader = r;
        if (r == 0 || !has_group(f, r) || n->op == IR_RESULT) continue;
        if (listed(n)) /* an output that lists its elements copies them */
            ok = bz_vec_push(&f->r->reads, ((fuse_read){r, 1}));
        for (unsigned i = 0; ok && i < n->nin; i++) ok = access_walk(&a, ir_in(g, n)[i], NULL);
    }
    f->r->first_read[g->n.n] = f->r->reads.n;
    bz_mem_free(d.place);
    return ok;
}

static bool index_edges(fuser *f) {
    const uint32_t n = f->g->n.n;
    f->first_out = bz_mem_zero(n + 2, sizeof *f->first_out);
    if (!f->first_out || !bz_vec_reserve(&f->out_to, f->edges.n)) return false;
    for (uint32_t i = 0; i < f->edges.n;
         i++) /* counted two places on, so that filling leaves the starts in place */
        f->first_out[f->edges.p[i].from + 2]++;
    for (uint32_t i = 0; i < n; i++) f->first_out[i + 2] += f->first_out[i + 1];
    for (uint32_t i = 0; i < f->edges.n; i++)
        f->out_to.p[f->first_out[f->edges.p[i].from + 1]++] = f->edges.p[i].to;
    f->out_to.n = f->edges.n;
    return true;
}

bool fuse_make_groups(fuser *f) {
    for (ir_ref r = 0; r < f->g->n.n; r++) f->r->group_of[r] = FUSE_NO_GROUP;
    return group_nodes(f) && group_outputs(f) && group_gathered(f) && group_movers(f) &&
           group_shifted(f) && group_long_ways(f) && list_reads(f) && index_edges(f);
}
