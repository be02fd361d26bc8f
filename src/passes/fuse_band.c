/* fuse_band.c - groups that hand rows to one another become one kernel, band by band.
 *
 *     S = q . k^T, scaled, masked   DOT       a band of rows of S lies in scratch memory
 *     P = softmax of S's rows       ROW       its rows of P too
 *     y = P . v                     DOT       its rows of y are stored
 *
 * Several products may feed the rows, and several read them: of attention's gradients dP = dy . v^T, dS from the rows of P and dP, and
 * dq = dS . k. Each part keeps its loops and its order of additions; but S, and P unless others want it too, which may be far larger
 * than all else, are never written to memory. It pays when they would not stay in the caches, and when what every band reads again, the
 * right sides of the products, does. */
#include "src/passes/fuse.h"

#include <string.h>

static int64_t bytes_of(const fuser *f, ir_ref r, unsigned from) {
    int64_t shape[IR_MAX_RANK], n = (int64_t)ir_dtype_bytes(ir_dtype(f->g, r));
    ir_static_shape(f->g, r, shape);
    for (unsigned d = from; d < ir_at(f->g, r)->rank; d++) n = bz_times(n, shape[d]);
    return n;
}

/* The group that reads the one value of group p that any other reads; FUSE_NO_GROUP if there is no such thing, or p has an output. */
static uint32_t only_reader(const fuser *f, uint32_t p, ir_ref *value) {
    const fuse_group *q = &f->r->groups.p[p];
    uint32_t reader = FUSE_NO_GROUP;
    *value = 0;
    for (uint32_t i = 0; i < q->nodes.n; i++) {
        ir_ref r = q->nodes.p[i];
        if (f->r->stored[r]) return FUSE_NO_GROUP;
        for (uint32_t e = f->first_out[r]; e < f->first_out[r + 1]; e++) {
            uint32_t to = f->r->group_of[f->out_to.p[e]];
            if (to == p) continue;
            if ((*value && *value != r) || (reader != FUSE_NO_GROUP && reader != to))
                return FUSE_NO_GROUP;
            *value = r;
            reader = to;
        }
    }
    return reader;
}

/* Axes of a product's result: batch, rows, columns. */
typedef struct cut {
    unsigned batch, rows, rank;
} cut;

static cut cut_of(const fuser *f, ir_ref dot) {
    ir_dot_attr a = ir_dot_get(f->g, ir_at(f->g, dot));
    unsigned left = ir_at(f->g, ir_operand(f->g, dot, 0))->rank;
    return (cut){a.nbatch, left - a.nbatch - a.ncontract, ir_at(f->g, dot)->rank};
}

static bool same_shape(const fuser *f, ir_ref a, ir_ref b) {
    int64_t s[IR_MAX_RANK], t[IR_MAX_RANK];
    const unsigned rank = ir_at(f->g, a)->rank;
    ir_static_shape(f->g, a, s);
    ir_static_shape(f->g, b, t);
    return rank == ir_at(f->g, b)->rank && !memcmp(s, t, rank * sizeof *s);
}

/* Is the right side, in one batch, small enough to be read for each band, and has it more than one column? */
static bool right_fits(const fuser *f, ir_ref dot) {
    const ir_ref y = ir_operand(f->g, dot, 1);
    const ir_dot_attr a = ir_dot_get(f->g, ir_at(f->g, dot));
    const cut c = cut_of(f, dot);
    int64_t shape[IR_MAX_RANK], bytes = (int64_t)ir_dtype_bytes(ir_dtype(f->g, y)), columns = 1;
    ir_static_shape(f->g, y, shape);
    for (unsigned i = 0; i < a.nbatch; i++) shape[a.rbatch[i]] = 1;
    for (unsigned d = 0; d < ir_at(f->g, y)->rank; d++) bytes = bz_times(bytes, shape[d]);
    ir_static_shape(f->g, dot, shape);
    for (unsigned d = c.batch + c.rows; d < c.rank; d++) columns = bz_times(columns, shape[d]);
    return columns > 1 && bytes <= 2 * f->t->machine->second;
}

/* Does group c reduce the rows of S, which product p makes: all its columns, element by element where they lie? */
static bool reduces_rows(fuser *f, uint32_t p, ir_ref s, uint32_t c) {
    const fuse_group *q = &f->r->groups.p[p], *to = &f->r->groups.p[c];
    const cut k = cut_of(f, q->head);
    ir_reduce_attr a = ir_reduce_get(f->g, ir_at(f->g, to->head));
    fuse_space space;
    if (!same_shape(f, s, q->head) || !same_shape(f, s, ir_operand(f->g, to->head, 0)))
        return false;
    if (a.naxes != k.rank - k.batch - k.rows) return false;
    for (unsigned i = 0; i < a.naxes; i++)
        if (a.axes[i] != (int64_t)(k.batch + k.rows + i)) return false;
    fuse_group_space(f->g, &f->x, to, &space);
    return fuse_reads_canonically(f, p, c, &space);
}

/* In how many ways is p read by members of group c, through movement too? */
static uint64_t ways_to(const fuser *f, ir_ref p, uint32_t c) {
    const fuse_group *q = &f->r->groups.p[c];
    uint64_t n = 0;
    for (uint32_t i = 0; i < q->nodes.n; i++) {
        const ir_ref r = q->nodes.p[i];
        for (uint32_t k = f->r->first_read[r]; k < f->r->first_read[r + 1]; k++)
            n += f->r->reads.p[k].base == p ? f->r->reads.p[k].ways : 0;
    }
    return n;
}

/* Is P, with the axes of product `of`, row by row the left side of group c's product, and nothing else in it? */
static bool multiplies_rows(const fuser *f, ir_ref of, ir_ref p, uint32_t c) {
    const fuse_group *to = &f->r->groups.p[c];
    if (to->form != &form_dot || ir_operand(f->g, to->head, 0) != p) return false;
    const cut k = cut_of(f, of), own = cut_of(f, to->head);
    ir_dot_attr a = ir_dot_get(f->g, ir_at(f->g, to->head));
    if (!same_shape(f, p, of) || own.batch != k.batch || own.rows != k.rows) return false;
    if (ways_to(f, p, c) != 1)
        return false; /* the right side is whole where the band has some rows */
    for (unsigned i = 0; i < a.nbatch; i++)
        if (a.lbatch[i] != i) return false;
    for (unsigned i = 0; i < a.ncontract; i++)
        if (a.lcontract[i] != (int64_t)(k.batch + k.rows + i)) return false;
    return right_fits(f, to->head);
}

/* ---- a band around the group of reductions `row` */

typedef struct band {
    uint32_t groups[FUSE_MAX_PARTS];
    ir_ref handed[FUSE_MAX_PARTS];
    unsigned nfeeds, n, nhanded; /* products before the reductions; all parts so far */
} band;

/* Does product p make large rows for nobody but the reductions, cut as those of the product before? */
static bool feeds(fuser *f, const band *w, uint32_t p, uint32_t row, ir_ref *value) {
    const fuse_group *q = &f->r->groups.p[p];
    const pass_target *t = f->t;
    if (q->dead || q->form != &form_dot || !right_fits(f, q->head)) return false;
    if (t->matrix && ir_dot_get(f->g, ir_at(f->g, q->head)).acc == BZ_F32)
        return false; /* matrix units, which bands have no use for, are far faster */
    const cut k = cut_of(f, q->head);
    if (only_reader(f, p, value) != row || bytes_of(f, *value, 0) <= t->cached ||
        bytes_of(f, q->head, k.batch + k.rows) > 2 * t->machine->first)
        return false;
    if (w->nfeeds) {
        const cut first = cut_of(f, f->r->groups.p[w->groups[0]].head);
        if (first.batch != k.batch || first.rows != k.rows) return false;
    }
    return reduces_rows(f, p, *value, row);
}

static void find_feeds(fuser *f, band *w, uint32_t row) {
    const fuse_group *q = &f->r->groups.p[row];
    for (uint32_t i = 0; i < q->nodes.n; i++) {
        const ir_ref r = q->nodes.p[i];
        for (uint32_t k = f->r->first_read[r]; k < f->r->first_read[r + 1]; k++) {
            const uint32_t p = f->r->group_of[f->r->reads.p[k].base];
            bool known = p == FUSE_NO_GROUP || w->n == FUSE_MAX_PARTS / 2;
            for (unsigned j = 0; j < w->n && !known; j++) known = w->groups[j] == p;
            if (known || !feeds(f, w, p, row, &w->handed[w->nhanded])) continue;
            w->groups[w->n++] = p;
            w->nhanded++;
            w->nfeeds++;
        }
    }
}

/* Does group c read of group `row` value p alone? */
static bool reads_only(const fuser *f, uint32_t row, ir_ref p, uint32_t c) {
    const fuse_group *q = &f->r->groups.p[row];
    for (uint32_t i = 0; i < q->nodes.n; i++)
        if (q->nodes.p[i] != p && ways_to(f, q->nodes.p[i], c)) return false;
    return true;
}

/* Products of the rows of p, a member of `row`. */
static void find_products(fuser *f, band *w, uint32_t row, ir_ref p) {
    const ir_ref of = f->r->groups.p[w->groups[0]].head;
    bool any = false;
    for (uint32_t e = f->first_out[p]; e < f->first_out[p + 1]; e++) {
        const uint32_t c = f->r->group_of[f->out_to.p[e]];
        if (c == row || w->n == FUSE_MAX_PARTS || !multiplies_rows(f, of, p, c) ||
            !reads_only(f, row, p, c) || fuse_kept_apart(f, w->groups, w->n, c))
            continue;
        w->groups[w->n++] = c;
        any = true;
    }
    if (any) w->handed[w->nhanded++] = p;
}

/* ---- joining */

static bool list_nodes(fuser *f, fuse_group *all, uint32_t into) {
    uint32_t at[FUSE_MAX_PARTS] = {0}, n = 0;
    for (unsigned k = 0; k < all->nparts; k++) n += all->parts[k].nodes.n;
    if (!bz_vec_reserve(&all->nodes, n)) return false;
    while (all->nodes.n < n) {
        unsigned least = all->nparts;
        for (unsigned k = 0; k < all->nparts; k++) {
            const fuse_group *p = &all->parts[k];
            if (at[k] < p->nodes.n &&
                (least == all->nparts || p->nodes.p[at[k]] < all->parts[least].nodes.p[at[least]]))
                least = k;
        }
        ir_ref r = all->parts[least].nodes.p[at[least]++];
        all->nodes.p[all->nodes.n++] = r;
        f->r->group_of[r] = into;
    }
    return true;
}

/* The groups become parts of the last one's place. */
static bool join(fuser *f, const band *w) {
    fuse_group *last = &f->r->groups.p[w->groups[w->n - 1]], all = *last;
    all.parts = bz_mem_zero(w->n, sizeof *all.parts);
    if (!all.parts) return false;
    all.form = &form_band;
    all.nparts = w->n;
    all.row = w->nfeeds;
    all.nodes.p = NULL;
    all.nodes.n = all.nodes.cap = all.steps = all.values = 0;
    for (unsigned k = 0; k < w->n; k++) {
        fuse_group *from = &f->r->groups.p[w->groups[k]];
        all.parts[k] = *from;
        all.steps += from->steps;
        all.values += from->values;
        from->dead = true;
        from->nodes.p = NULL;
        from->nodes.n = from->nodes.cap = 0;
    }
    *last = all;
    for (unsigned i = 0; i < w->nhanded; i++)
        if (!bz_vec_push(&last->handed, w->handed[i])) return false;
    return list_nodes(f, last, w->groups[w->n - 1]) &&
           fuse_order_join(f, w->groups, w->n, w->groups[w->n - 1]);
}

/* What had kept parts of one kernel apart is no news. */
static void forgive(fuser *f) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->r->refusals.n; i++) {
        const pass_refusal r = f->r->refusals.p[i];
        if (f->r->group_of[r.producer] != f->r->group_of[r.consumer]) f->r->refusals.p[n++] = r;
    }
    f->r->refusals.n = n;
}

bool fuse_bands(fuser *f) {
    bool any = false;
    for (uint32_t row = 0; row < f->r->groups.n; row++) {
        const fuse_group *q = &f->r->groups.p[row];
        band w = {0};
        if (q->dead || q->form != &form_row) continue;
        find_feeds(f, &w, row);
        if (!w.nfeeds) continue;
        w.groups[w.n++] = row;
        for (uint32_t i = 0; i < q->nodes.n; i++) find_products(f, &w, row, q->nodes.p[i]);
        if (!join(f, &w)) return false;
        any = true;
    }
    if (any) forgive(f);
    return !f->failed && !f->x.failed;
}
