/* buffers.c - in which buffer each stored value lies.
 *
 *     an output            the buffer of the input that is donated to it, if it may overwrite that; else its own
 *     a temporary          the buffer of an operand that nobody reads later, if it may overwrite that; else a new one of the arena
 *     an update            the buffer of what it updates, if nobody reads that later: of a temporary (whose buffer becomes the output's,
 *                          if the update is one), of an input that is donated to it or to an update of it
 *
 *     a scatter            the same, but never an input's: an index may be outside, and what was given must not have changed then
 *
 * A result may overwrite an operand if its own kernel reads that only at the index that it stores (fuse_in_place.c) and no other group
 * reads it in this launch or after it. */
#include "src/passes/lower.h"

/* `r`: whose value it holds; 0: a kernel's own memory. */
static void refuse(lower *l, ir_ref r, bz_dtype t, int64_t count) {
    bz_text shape = {0};
    char size[32];
    const char *site = r ? l->g->sites.p[r] : NULL;
    bz_size_text(size, (double)count * (double)ir_dtype_bytes(t));
    if (r) ir_print_shape(&shape, l->g, r);
    bz_fail(l->e, BZ_ENOMEM, "[%s] %.200s takes %s: more than can be addressed%s%s",
            r ? ir_ops[ir_blamed(l->g, r)].name : "compile", r ? bz_text_c(&shape) : "a workspace",
            size, site ? " at " : "", site ? site : "");
    bz_text_free(&shape);
}

static uint32_t add(lower *l, ir_ref r, bz_dtype t, int64_t count, pass_place place,
                    uint32_t number) {
    uint32_t now = l->launch;
    pass_buffer b = {
        .dtype = t, .count = count, .place = place, .number = number, .first = now, .last = now};
    if (bz_times(count, (int64_t)ir_dtype_bytes(t)) > BZ_BYTES_MOST) {
        refuse(l, r, t, count);
        return PASS_NONE;
    }
    return bz_vec_push(&l->plan->buffers, b) ? l->plan->buffers.n - 1 : PASS_NONE;
}

static uint32_t new_buffer(lower *l, ir_ref r, pass_place place, uint32_t number) {
    int64_t count = 0;
    ir_numel(l->g, r, &count);
    return add(l, r, ir_dtype(l->g, r), count, place, number);
}

uint32_t buffers_work(lower *l, bz_dtype t, int64_t count, pass_place place) {
    return add(l, 0, t, count, place, 0);
}

/* The node whose buffer output i names: reshapes of a buffer are the buffer. */
static ir_ref output_base(const lower *l, uint32_t i) {
    ir_ref r = l->g->outputs.p[i].node;
    while (ir_at(l->g, r)->op == IR_RESHAPE && l->f->group_of[r] == FUSE_NO_GROUP)
        r = ir_operand(l->g, r, 0);
    return r;
}

/* ---- who reads what, and when */

static bool note_last(void *ctx, ir_ref reader, ir_ref base) {
    lower *l = ctx;
    uint32_t group = l->f->group_of[reader], launch = l->order.launch_of[group] + 1;
    if (launch == l->homes.last_launch[base] && group != l->homes.last_reader[base])
        l->homes.last_reader[base] = PASS_NONE;
    if (launch <= l->homes.last_launch[base]) return true;
    l->homes.last_launch[base] = launch;
    l->homes.last_reader[base] = group;
    return true;
}

static void list_outputs(lower *l) {
    for (uint32_t i = l->plan->noutputs; i-- > 0;) {
        ir_ref r = output_base(l, i);
        l->plan->output[i] = PASS_NONE;
        l->homes.next_output[i] = l->homes.first_output[r];
        l->homes.first_output[r] = i;
    }
}

/* Donated inputs of which outputs are updates of updates ...: which input each of these lies in. */
static void list_chains(lower *l) {
    for (uint32_t i = 0; i < l->g->outputs.n; i++) {
        const ir_output *o = &l->g->outputs.p[i];
        ir_ref r = o->node;
        if (o->donated < 0) continue;
        while (ir_at(l->g, r)->op == IR_UPDATE) r = fuse_updated(l->g, r);
        if (r != l->g->inputs.p[o->donated].node) continue;
        for (r = o->node; ir_at(l->g, r)->op == IR_UPDATE; r = fuse_updated(l->g, r))
            l->homes.donor[r] = (uint32_t)o->donated;
    }
}

static bool begin(lower *l) {
    homes *h = &l->homes;
    const uint32_t n = l->g->n.n;
    l->plan->noutputs = l->g->outputs.n;
    l->plan->output =
        bz_arena_alloc(&l->plan->memory, (l->plan->noutputs + 1) * sizeof *l->plan->output);
    h->buffer_of = bz_mem_alloc(n * sizeof *h->buffer_of);
    h->listed = bz_mem_alloc(n * sizeof *h->listed);
    h->first_output = bz_mem_alloc(n * sizeof *h->first_output);
    h->next_output = bz_mem_alloc((l->plan->noutputs + 1) * sizeof *h->next_output);
    h->last_launch = bz_mem_zero(n, sizeof *h->last_launch);
    h->last_reader = bz_mem_zero(n, sizeof *h->last_reader);
    h->donor = bz_mem_alloc(n * sizeof *h->donor);
    if (!l->plan->output || !h->buffer_of || !h->listed || !h->first_output || !h->next_output ||
        !h->last_launch || !h->last_reader || !h->donor)
        return false;
    for (ir_ref r = 0; r < n; r++)
        h->buffer_of[r] = h->listed[r] = h->first_output[r] = h->donor[r] = PASS_NONE;
    list_outputs(l);
    list_chains(l);
    for (ir_ref r = 1; r < n; r++) lower_reads(l->f, r, note_last, l);
    return true;
}

void buffers_free(homes *h) {
    bz_mem_free(h->buffer_of);
    bz_mem_free(h->listed);
    bz_mem_free(h->first_output);
    bz_mem_free(h->next_output);
    bz_mem_free(h->last_launch);
    bz_mem_free(h->last_reader);
    bz_mem_free(h->donor);
}

/* ---- one value */

/* May `out`, stored by this group, overwrite the buffer of `q`? */
static bool may_overwrite(const lower *l, uint32_t group, ir_ref q, ir_ref out) {
    const uint32_t last = l->homes.last_launch[q], launch = l->launch;
    int64_t a = 0, b = 1;
    ir_numel(l->g, q, &a);
    ir_numel(l->g, out, &b);
    if (a != b || ir_dtype(l->g, q) != ir_dtype(l->g, out) || last > launch + 1 ||
        (last == launch + 1 && l->homes.last_reader[q] != group))
        return false;
    return fuse_only_in_place(l->f, group, q, out);
}

/* The buffer of the input that is donated to `out`. An input that is an output too, unchanged, keeps its value. */
static uint32_t donated_buffer(lower *l, uint32_t group, ir_ref out) {
    /* an index may be outside: what was given must not have changed then */
    if (l->f->groups.p[group].form->scatters) return PASS_NONE;
    for (uint32_t i = l->homes.first_output[out]; i != PASS_NONE; i = l->homes.next_output[i]) {
        const ir_output *o = &l->g->outputs.p[i];
        if (o->node != out || o->donated < 0) continue;
        ir_ref q = l->g->inputs.p[o->donated].node;
        uint32_t *b = &l->homes.buffer_of[q];
        if (l->homes.first_output[q] != PASS_NONE || !may_overwrite(l, group, q, out)) continue;
        if (*b == PASS_NONE) *b = new_buffer(l, q, PASS_INPUT, (uint32_t)o->donated);
        if (*b == PASS_NONE || l->plan->buffers.p[*b].taken) /* another output lies there */
            return PASS_NONE;
        l->plan->buffers.p[*b].taken = true;
        return *b;
    }
    return PASS_NONE;
}

typedef struct dying {
    lower *l;
    ir_ref out;
    uint32_t group, found;
} dying;

/* A temporary that is read for the last time by this group gives its buffer to the result. */
static bool note_dying(void *ctx, ir_ref reader, ir_ref base) {
    dying *d = ctx;
    lower *l = d->l;
    uint32_t b = l->homes.buffer_of[base];
    (void)reader;
    if (b == PASS_NONE || l->plan->buffers.p[b].place != PASS_ARENA ||
        l->homes.last_launch[base] != l->launch + 1)
        return true;
    const fuse_group *g = &l->f->groups.p[d->group];
    for (uint32_t i = 0; i < g->nodes.n; i++) /* not taken by another result of the group */
        if (l->f->stored[g->nodes.p[i]] && l->homes.buffer_of[g->nodes.p[i]] == b) return true;
    d->found = may_overwrite(l, d->group, base, d->out) ? b : PASS_NONE;
    return d->found == PASS_NONE;
}

/* ---- updates */

bool buffers_in_place(const lower *l, ir_ref r) {
    uint32_t b = l->homes.buffer_of[fuse_updated(l->g, r)];
    return b != PASS_NONE && b == l->homes.buffer_of[r];
}

/* The buffer of what update r updates, if r may lie there. */
static uint32_t updated_buffer(lower *l, uint32_t group, ir_ref r) {
    const uint32_t donor = l->homes.donor[r], output = l->homes.first_output[r];
    ir_ref q = fuse_updated(l->g, r);
    uint32_t *b = &l->homes.buffer_of[q];
    bool donated = donor != PASS_NONE && q == l->g->inputs.p[donor].node;
    if (l->homes.first_output[q] != PASS_NONE || !may_overwrite(l, group, q, r)) return PASS_NONE;
    if (donated && *b == PASS_NONE) *b = new_buffer(l, q, PASS_INPUT, donor);
    if (*b == PASS_NONE) return PASS_NONE;
    pass_buffer *p = &l->plan->buffers.p[*b];
    if (p->place == PASS_ARENA && output != PASS_NONE) p->place = PASS_OUTPUT, p->number = output;
    if (p->place == PASS_ARENA || (p->place == PASS_OUTPUT && p->number == output)) return *b;
    /* an input that is written already, by what r updates, is written on */
    if (p->place != PASS_INPUT || p->number != donor || (donated && p->taken)) return PASS_NONE;
    p->taken = true;
    return *b;
}

static uint32_t dying_buffer(lower *l, uint32_t group, ir_ref out) {
    const fuse_group *g = &l->f->groups.p[group];
    dying d = {l, out, group, PASS_NONE};
    for (uint32_t i = 0; i < g->nodes.n && d.found == PASS_NONE; i++)
        lower_reads(l->f, g->nodes.p[i], note_dying, &d);
    return d.found;
}

static bool choose(lower *l, uint32_t group, ir_ref r) {
    const uint32_t output = l->homes.first_output[r];
    const unsigned op = ir_at(l->g, r)->op;
    uint32_t b =
        op == IR_UPDATE || op == IR_SCATTER ? updated_buffer(l, group, r) : PASS_NONE;
    if (b == PASS_NONE)
        b = output != PASS_NONE ? donated_buffer(l, group, r) : dying_buffer(l, group, r);
    if (b == PASS_NONE)
        b = new_buffer(l, r, output != PASS_NONE ? PASS_OUTPUT : PASS_ARENA,
                       output != PASS_NONE ? output : 0);
    l->homes.buffer_of[r] = b;
    if (b == PASS_NONE) return false;
    l->plan->buffers.p[b].last = l->launch;
    for (uint32_t i = output; i != PASS_NONE; i = l->homes.next_output[i]) l->plan->output[i] = b;
    return true;
}

/* ---- what a group reads: inputs, listed constants */

bool buffers_own(const lower *l, const fuse_group *g, ir_ref r) {
    uint32_t of = l->f->group_of[r];
    return of != FUSE_NO_GROUP && &l->f->groups.p[of] == g;
}

typedef struct leaves {
    lower *l;
    const fuse_group *group;
} leaves;

static bool note_leaf(void *ctx, ir_ref reader, ir_ref base) {
    const leaves *v = ctx;
    lower *l = v->l;
    const ir_node *n = ir_at(l->g, base);
    bool listed = n->op == IR_CONST && n->nattr > 1, own = buffers_own(l, v->group, base);
    uint32_t *b = own ? &l->homes.listed[base] : &l->homes.buffer_of[base];
    (void)reader;
    /* no memory */
    if ((own && !listed) || (n->op == IR_INPUT && l->g->inputs.p[ir_attrs(l->g, n)[0]].scalar))
        return true;
    if (*b == PASS_NONE)
        *b = new_buffer(l, base, listed ? PASS_CONST : PASS_INPUT,
                        listed ? base : (uint32_t)ir_attrs(l->g, n)[0]);
    if (*b == PASS_NONE) return false;
    l->plan->buffers.p[*b].last = l->launch;
    return true;
}

static bool choose_all(lower *l, uint32_t group) {
    const fuse_group *g = &l->f->groups.p[group];
    leaves v = {l, g};
    bool ok = true;
    for (uint32_t i = 0; i < g->nodes.n && ok; i++)
        ok = !l->f->stored[g->nodes.p[i]] || choose(l, group, g->nodes.p[i]);
    for (uint32_t i = 0; i < g->nodes.n && ok && lower_has_work(l, g); i++)
        ok = lower_reads(l->f, g->nodes.p[i], note_leaf, &v);
    return ok;
}

/* Outputs that are inputs, unchanged. */
static bool name_inputs(lower *l) {
    for (uint32_t i = 0; i < l->g->outputs.n; i++) {
        ir_ref r = output_base(l, i);
        uint32_t *b = &l->homes.buffer_of[r];
        if (ir_at(l->g, r)->op != IR_INPUT) continue;
        if (*b == PASS_NONE)
            *b = new_buffer(l, r, PASS_INPUT, (uint32_t)ir_attrs(l->g, ir_at(l->g, r))[0]);
        if (*b == PASS_NONE) return false;
        l->plan->output[i] = *b;
    }
    return true;
}

bool stage_buffers(lower *l) {
    const schedule *s = &l->order;
    bool ok = begin(l);
    for (l->launch = 0; ok && l->launch + 1 < s->starts.n; l->launch++)
        for (uint32_t i = s->starts.p[l->launch]; ok && i < s->starts.p[l->launch + 1]; i++)
            ok = choose_all(l, s->groups.p[i]);
    return ok && name_inputs(l);
}
