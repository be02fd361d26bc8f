/* fuse_band.c - groups that hand rows to one another become one kernel, band by band.
 *
 *     S = q . k^T, scaled, masked   DOT       a band of rows of S lies in scratch memory
 *     P = softmax of S's rows       ROW       its rows of P too
 *     y = P . v                     DOT       its rows of y are stored
 *
 * Each part keeps its loops and its order of additions; but S and P, which may be far larger than all else (attention), are never
 * written to memory. It pays when they would not stay in the caches, and when what every band reads again, the right sides of the
 * products, does. */
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
    if (to->form != &form_row) return false;
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

/* Is P, with the axes of product `of`, row by row the left side of group c's product, and nothing else in it? */
static bool multiplies_rows(const fuser *f, ir_ref of, ir_ref p, uint32_t c) {
    const fuse_group *to = &f->r->groups.p[c];
    if (to->form != &form_dot || ir_operand(f->g, to->head, 0) != p) return false;
    const cut k = cut_of(f, of), own = cut_of(f, to->head);
    ir_dot_attr a = ir_dot_get(f->g, ir_at(f->g, to->head));
    if (!same_shape(f, p, of) || own.batch != k.batch || own.rows != k.rows) return false;
    if (ir_operand(f->g, to->head, 1) == p || f->first_out[p + 1] - f->first_out[p] != 1)
        return false;
    for (unsigned i = 0; i < a.nbatch; i++)
        if (a.lbatch[i] != i) return false;
    for (unsigned i = 0; i < a.ncontract; i++)
        if (a.lcontract[i] != (int64_t)(k.batch + k.rows + i)) return false;
    return right_fits(f, to->head);
}

/* ---- joining */

static bool list_nodes(fuser *f, fuse_group *all, uint32_t into) {
    uint32_t at[3] = {0}, n = 0;
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
static bool join(fuser *f, const uint32_t *groups, const ir_ref *handed, unsigned n) {
    fuse_group *last = &f->r->groups.p[groups[n - 1]], all = *last;
    all.parts = bz_mem_zero(n, sizeof *all.parts);
    if (!all.parts) return false;
    all.form = &form_band;
    all.nparts = n;
    all.nodes.p = NULL;
    all.nodes.n = all.nodes.cap = all.steps = all.values = 0;
    for (unsigned k = 0; k < n; k++) {
        fuse_group *from = &f->r->groups.p[groups[k]];
        all.parts[k] = *from;
        all.parts[k].hands_on = k + 1 < n ? handed[k] : 0;
        all.steps += from->steps;
        all.values += from->values;
        from->dead = true;
        from->nodes.p = NULL;
        from->nodes.n = from->nodes.cap = 0;
    }
    *last = all;
    return list_nodes(f, last, groups[n - 1]);
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
    const pass_target *t = f->t;
    bool any = false;
    for (uint32_t p = 0; p < f->r->groups.n; p++) {
        const fuse_group *q = &f->r->groups.p[p];
        uint32_t chain[3] = {p};
        ir_ref handed[2];
        if (q->dead || q->form != &form_dot || !right_fits(f, q->head)) continue;
        const cut k = cut_of(f, q->head);
        if (bytes_of(f, q->head, 0) <= t->cached ||
            bytes_of(f, q->head, k.batch + k.rows) > 2 * t->machine->first)
            continue;
        chain[1] = only_reader(f, p, &handed[0]);
        if (chain[1] == FUSE_NO_GROUP || !reduces_rows(f, p, handed[0], chain[1])) continue;
        chain[2] = only_reader(f, chain[1], &handed[1]);
        bool both = chain[2] != FUSE_NO_GROUP && multiplies_rows(f, q->head, handed[1], chain[2]);
        if (!join(f, chain, handed, both ? 3 : 2)) return false;
        any = true;
    }
    if (any) forgive(f);
    return !f->failed && !f->x.failed;
}
