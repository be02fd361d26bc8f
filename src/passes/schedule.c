/* schedule.c - the order in which groups run, and which of them start together.
 *
 * Groups run in an order that respects who reads whom; a group that overwrites a donated input, or updates a value, runs after all
 * others that read that, where it is possible. Elementwise groups that nothing else needs (all parameters' optimizer updates) run
 * together at the end as one launch; tiny elementwise groups ride along with the launch before them. Where a launch may hand over rows of
 * arguments, folds of whole values (all gradients' norms) that follow each other are one, too. */
#include "src/passes/lower.h"

#include <stdlib.h>
#include <string.h>

typedef struct wait {
    uint32_t writer, reader; /* writers[writer] waits for that group */
} wait;

typedef struct scheduler {
    const fuse_result *f;
    const pass_target *t;
    BZ_VEC(uint32_t) * pred; /* of each group */
    bool *read;              /* some group reads it */
    bool *placed;
    uint32_t at;              /* the group whose reads are being listed */
    BZ_VEC(uint32_t) writers; /* groups that may overwrite something */
    uint32_t *writer;         /* of each node: which of them, else PASS_NONE */
    BZ_VEC(wait) waits;
    uint32_t *position;    /* of each group in an order by data alone */
    uint32_t first_wait;   /* position of the first group that waits for readers */
    uint32_t *mark, epoch; /* of searches */
    BZ_VEC(uint32_t) stack;
    uint32_t *order, n;
    bool failed;
} scheduler;

bool lower_reads(const fuse_result *f, ir_ref reader, lower_visit *visit, void *ctx) {
    for (uint32_t i = f->first_read[reader]; i < f->first_read[reader + 1]; i++)
        if (!visit(ctx, reader, f->reads.p[i].base)) return false;
    return true;
}

static bool note_read(void *ctx, ir_ref reader, ir_ref base) {
    scheduler *s = ctx;
    uint32_t from = s->f->group_of[base];
    (void)reader;
    if (from == FUSE_NO_GROUP || from == s->at) return true;
    s->read[from] = true;
    return bz_vec_push(&s->pred[s->at], from);
}

/* Must `early` run before `late` anyway? What comes before `early` in an order by data alone has it among its predecessors only by way
 * of a group that waits. */
static bool must_follow(scheduler *s, uint32_t late, uint32_t early) {
    s->epoch++;
    s->stack.n = 0;
    for (uint32_t g = late;; g = s->stack.p[--s->stack.n]) {
        if (g == early) return true;
        for (uint32_t i = 0; i < s->pred[g].n; i++) {
            uint32_t p = s->pred[g].p[i];
            if (s->mark[p] == s->epoch ||
                (s->position[p] < s->position[early] && s->position[p] < s->first_wait))
                continue;
            s->mark[p] = s->epoch;
            if (!bz_vec_push(&s->stack, p)) return s->failed = true;
        }
        if (s->stack.n == 0) return false;
    }
}

static bool push(scheduler *s, uint32_t g) {
    s->placed[g] = true;
    return bz_vec_push(&s->stack, g);
}

/* Depth first: a group's predecessors, then it. `next`: of each group, its first predecessor that is not looked at yet. None waits for
 * itself: fusion sees to that. */
static bool place(scheduler *s, uint32_t *next, uint32_t g) {
    s->stack.n = 0;
    if (!push(s, g)) return false;
    while (s->stack.n > 0) {
        uint32_t top = s->stack.p[s->stack.n - 1];
        if (next[top] == s->pred[top].n) {
            s->order[s->n++] = top;
            s->stack.n--;
            next[top] = PASS_NONE;
            continue;
        }
        uint32_t p = s->pred[top].p[next[top]++];
        bz_assert(!s->placed[p] || next[p] == PASS_NONE);
        if (!s->placed[p] && !push(s, p)) return false;
    }
    return true;
}

static bool place_all(scheduler *s) {
    uint32_t *next = bz_mem_zero(s->f->groups.n, sizeof *next);
    bool ok = next != NULL;
    for (uint32_t g = 0; ok && g < s->f->groups.n; g++)
        if (!s->f->groups.p[g].dead && !s->placed[g]) ok = place(s, next, g);
    bz_mem_free(next);
    return ok;
}

/* The writer of a value waits for its other readers, except for those that read what it writes. Earlier writers come first. */
static bool note_reader(void *ctx, ir_ref reader, ir_ref base) {
    scheduler *s = ctx;
    uint32_t g = s->f->group_of[reader], writer = s->writer[base];
    if (writer == PASS_NONE || g == s->writers.p[writer]) return true;
    return bz_vec_push(&s->waits, ((wait){writer, g}));
}

static int by_writer(const void *a, const void *b) {
    const wait *x = a, *y = b;
    if (x->writer != y->writer) return x->writer < y->writer ? -1 : 1;
    return (x->reader > y->reader) - (x->reader < y->reader);
}

static bool add_waits(scheduler *s) {
    if (s->waits.n) qsort(s->waits.p, s->waits.n, sizeof *s->waits.p, by_writer);
    for (uint32_t i = 0; i < s->waits.n && !s->failed; i++) {
        const wait w = s->waits.p[i];
        uint32_t writer = s->writers.p[w.writer];
        if (must_follow(s, w.reader, writer)) continue;
        s->first_wait = s->position[writer] < s->first_wait ? s->position[writer] : s->first_wait;
        s->failed |= !bz_vec_push(&s->pred[writer], w.reader);
    }
    return !s->failed;
}

/* The order by data alone, which it leaves for another. */
static bool find_positions(scheduler *s) {
    if (!place_all(s)) return false;
    for (uint32_t i = 0; i < s->n; i++) {
        s->position[s->order[i]] = i;
        s->placed[s->order[i]] = false;
    }
    s->n = 0;
    s->first_wait = UINT32_MAX;
    return true;
}

static bool note_writer(scheduler *s, ir_ref overwritten, ir_ref by) {
    if (s->f->group_of[by] == FUSE_NO_GROUP) return true;
    s->writer[overwritten] = s->writers.n;
    return bz_vec_push(&s->writers, s->f->group_of[by]);
}

static bool list_writers(scheduler *s) {
    const ir_graph *g = s->f->g;
    bool ok = true;
    for (uint32_t i = 0; ok && i < g->outputs.n; i++) {
        const ir_output *o = &g->outputs.p[i];
        if (o->donated >= 0) ok = note_writer(s, g->inputs.p[o->donated].node, o->node);
    }
    for (ir_ref r = 1; ok && r < g->n.n; r++)
        if (ir_at(g, r)->op == IR_UPDATE) ok = note_writer(s, fuse_updated(g, r), r);
    return ok;
}

static bool wait_for_readers(scheduler *s) {
    const ir_graph *g = s->f->g;
    bool ok = (s->writer = bz_mem_alloc(g->n.n * sizeof *s->writer)) != NULL && find_positions(s);
    for (ir_ref r = 0; ok && r < g->n.n; r++) s->writer[r] = PASS_NONE;
    ok = ok && list_writers(s);
    for (ir_ref r = 1; ok && s->writers.n && r < g->n.n; r++)
        ok = lower_reads(s->f, r, note_reader, s);
    ok = ok && add_waits(s);
    bz_mem_free(s->writer);
    bz_vec_free(&s->writers);
    bz_vec_free(&s->waits);
    return ok;
}

static bool elementwise_only(const scheduler *s, uint32_t g) {
    return s->f->groups.p[g].form->elementwise;
}

/* Does the group fold a value to one number, and store nothing longer? */
static bool gives_number(const scheduler *s, uint32_t g) {
    const fuse_group *of = &s->f->groups.p[g];
    int64_t n = 0;
    for (uint32_t i = 0; i < of->nodes.n; i++)
        if (s->f->stored[of->nodes.p[i]] && (!ir_numel(s->f->g, of->nodes.p[i], &n) || n != 1))
            return false;
    return of->form == &form_row && ir_numel(s->f->g, of->head, &n) && n == 1;
}

static bool make_launches(scheduler *s, schedule *out) {
    BZ_VEC(uint32_t) last = {0};
    bool ok = true, folds = false; /* the launch at hand begins with one */
    for (uint32_t i = 0; ok && i < s->n; i++) {
        uint32_t g = s->order[i];
        int64_t numel = 0;
        ir_numel(s->f->g, s->f->groups.p[g].head, &numel);
        if (elementwise_only(s, g) && !s->read[g] && !s->t->eager) {
            ok = bz_vec_push(&last, g);
            continue;
        }
        uint32_t after = 0;
        for (uint32_t k = 0; k < s->pred[g].n; k++) {
            uint32_t l = out->launch_of[s->pred[g].p[k]];
            after = l != PASS_NONE && l + 1 > after ? l + 1 : after;
        }
        const bool tiny = elementwise_only(s, g) && numel <= s->t->machine->task / 2,
                   fold = s->t->rows && gives_number(s, g);
        const bool ride = (tiny || (fold && folds)) && after < out->starts.n && !s->t->eager;
        if (!ride) folds = fold;
        ok = ride || bz_vec_push(&out->starts, out->groups.n);
        ok = ok && bz_vec_push(&out->groups, g);
        out->launch_of[g] = out->starts.n - 1;
    }
    if (ok && last.n) ok = bz_vec_push(&out->starts, out->groups.n);
    for (uint32_t i = 0; ok && i < last.n; i++) {
        ok = bz_vec_push(&out->groups, last.p[i]);
        out->launch_of[last.p[i]] = out->starts.n - 1;
    }
    bz_vec_free(&last);
    return ok && bz_vec_push(&out->starts, out->groups.n);
}

bool schedule_groups(const fuse_result *f, const pass_target *t, schedule *out) {
    scheduler s = {.f = f, .t = t};
    uint32_t n = f->groups.n;
    *out = (schedule){0};
    s.pred = bz_mem_zero(n, sizeof *s.pred);
    s.read = bz_mem_zero(n, sizeof *s.read);
    s.placed = bz_mem_zero(n, sizeof *s.placed);
    s.mark = bz_mem_zero(n, sizeof *s.mark);
    s.position = bz_mem_zero(n, sizeof *s.position);
    s.order = bz_mem_zero(n, sizeof *s.order);
    out->launch_of = bz_mem_alloc(n * sizeof *out->launch_of + 1);
    bool ok = s.pred && s.read && s.placed && s.mark && s.position && s.order && out->launch_of;
    for (s.at = 0; ok && s.at < n; s.at++) {
        out->launch_of[s.at] = PASS_NONE;
        for (uint32_t i = 0; ok && i < f->groups.p[s.at].nodes.n; i++)
            ok = lower_reads(f, f->groups.p[s.at].nodes.p[i], note_read, &s);
    }
    ok = ok && wait_for_readers(&s);
    ok = ok && place_all(&s) && make_launches(&s, out);
    for (uint32_t g = 0; s.pred && g < n; g++) bz_vec_free(&s.pred[g]);
    bz_mem_free(s.pred);
    bz_mem_free(s.read);
    bz_mem_free(s.placed);
    bz_mem_free(s.mark);
    bz_mem_free(s.position);
    bz_vec_free(&s.stack);
    bz_mem_free(s.order);
    if (!ok) schedule_free(out);
    return ok;
}

void schedule_free(schedule *s) {
    bz_vec_free(&s->groups);
    bz_vec_free(&s->starts);
    bz_mem_free(s->launch_of);
    *s = (schedule){0};
}
