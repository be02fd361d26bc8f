/* work.c - what the loops of a group have to do: see work.h. */
#include "src/passes/work.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_STAGES = 31 };

/* ---- nodes */

static int by_number(const void *a, const void *b) {
    const ir_ref p = ((const work_node *)a)->r, q = ((const work_node *)b)->r;
    return (p > q) - (p < q);
}

static work_node *find(const work *w, ir_ref r) {
    const work_node key = {.r = r};
    return w->nodes.n ? bsearch(&key, w->nodes.p, w->nodes.n, sizeof key, by_number) : NULL;
}

const work_node *work_find(const work *w, ir_ref r) {
    return find(w, r);
}

typedef struct listing {
    work *w;
    const fuse_result *f;
} listing;

static access_answer list(void *ctx, const access_place *p) {
    listing *d = ctx;
    if (d->f->group_of[p->node] != FUSE_NO_GROUP || ir_at(d->w->g, p->node)->op == IR_INPUT)
        return ACCESS_STOP;
    return bz_vec_push(&d->w->nodes, ((work_node){.r = p->node})) ? ACCESS_ON : ACCESS_NO;
}

/* Ways through movement are short and few (fuse_reads.c); what lies on several stands there several times at first. */
static bool list_nodes(work *w, const fuse_result *f) {
    listing d = {w, f};
    const access_walker a = {.g = w->g, .visit = list, .ctx = &d};
    uint32_t n = 0;
    for (uint32_t i = 0; i < w->group->nodes.n; i++) {
        const ir_ref r = w->group->nodes.p[i];
        if (!bz_vec_push(&w->nodes, ((work_node){.r = r, .member = true}))) return false;
        for (unsigned k = 0; k < ir_at(w->g, r)->nin; k++)
            if (!access_walk(&a, ir_operand(w->g, r, k), NULL)) return false;
    }
    qsort(w->nodes.p, w->nodes.n, sizeof *w->nodes.p, by_number);
    for (uint32_t i = 0; i < w->nodes.n; i++)
        if (n == 0 || w->nodes.p[n - 1].r != w->nodes.p[i].r) w->nodes.p[n++] = w->nodes.p[i];
    w->nodes.n = n;
    return true;
}

/* ---- stages */

static bool is_fold(const work *w, const work_node *n) {
    return n->member && ir_at(w->g, n->r)->op == IR_REDUCE;
}

static bool find_stages(work *w) {
    w->nstages = 1;
    for (uint32_t i = 0; i < w->nodes.n; i++) {
        work_node *n = &w->nodes.p[i];
        for (unsigned k = 0; k < ir_at(w->g, n->r)->nin; k++) {
            const work_node *x = find(w, ir_operand(w->g, n->r, k));
            n->stage = x && x->stage > n->stage ? x->stage : n->stage;
        }
        if (!is_fold(w, n)) continue;
        if (w->nfolds == FUSE_MAX_FOLDS) return false;
        w->fold[w->nfolds++] =
            (work_fold){n->r, ir_reduce_get(w->g, ir_at(w->g, n->r)), n->stage++};
        w->nstages = n->stage + 1 > w->nstages ? n->stage + 1 : w->nstages;
    }
    return w->nstages <= MAX_STAGES;
}

bool work_stores_elements(const work *w, ir_ref r) {
    if (w->group->form->window && r == w->group->head) return true;
    return ir_at(w->g, r)->op != IR_REDUCE && fuse_level_of(w->g, &w->space, r) == FUSE_FULL;
}

bool work_stored_by(const work *w, ir_ref r, unsigned stage) {
    return work_stores_elements(w, r) && find(w, r)->stage == stage;
}

static void want(work *w, ir_ref r, uint32_t stages) {
    work_node *n = find(w, r);
    if (n) n->stages |= stages;
}

/* Which stages compute which nodes. */
static bool find_wants(work *w, const ir_ref *outputs, uint32_t noutputs, bool keep) {
    for (unsigned i = 0; i < w->nfolds; i++)
        want(w, ir_operand(w->g, w->fold[i].r, 0), 1u << w->fold[i].stage);
    for (uint32_t i = 0; i < noutputs; i++)
        if (work_stores_elements(w, outputs[i]))
            want(w, outputs[i], 1u << find(w, outputs[i])->stage);
    for (uint32_t i = w->nodes.n; i-- > 0;) {
        const work_node *n = &w->nodes.p[i];
        const ir_node *node = ir_at(w->g, n->r);
        uint32_t stages = n->stages;
        if (!stages || is_fold(w, n)) continue;
        bool again = (stages & (stages - 1)) != 0;
        if (keep && again && n->member && (ir_ops[node->op].flags & IR_EXPENSIVE) &&
            fuse_level_of(w->g, &w->space, n->r) == FUSE_FULL) {
            stages &= -stages; /* the first one only */
            if (!bz_vec_push(&w->kept, n->r)) return false;
        }
        for (unsigned k = 0; k < node->nin; k++) want(w, ir_in(w->g, node)[k], stages);
    }
    return true;
}

unsigned work_kept_by(const work *w, ir_ref r) {
    return (unsigned)__builtin_ctz(find(w, r)->stages);
}

/* ---- axes */

static void add_axis(work *w, work_role role, int64_t size) {
    w->axes[w->naxes++] = (work_axis){role, size};
}

/* Is axis d of what scatter n puts somewhere one of its indices? */
static bool is_scattered(const ir_graph *g, const ir_node *n, unsigned d) {
    const int64_t *a = ir_attrs(g, n);
    const unsigned axes = a[2] ? 1 : ir_at(g, ir_in(g, n)[1])->rank;
    return d >= a[1] && d < a[1] + axes;
}

static void find_axes(work *w) {
    const ir_graph *g = w->g;
    const ir_ref head = w->group->head;
    const ir_node *n = ir_at(g, head);
    int64_t shape[IR_MAX_RANK];
    const ir_ref full = form_full_node(g, w->group->form, head);
    const ir_reduce_attr a =
        w->group->form->folds ? ir_reduce_get(g, n) : (ir_reduce_attr){.naxes = 0};
    ir_static_shape(g, full, shape);
    for (unsigned d = 0, k = 0; d < ir_at(g, full)->rank; d++) {
        bool gone = k < a.naxes && a.axes[k] == (int64_t)d;
        const bool added = w->group->form->scatters && is_scattered(g, n, d);
        const bool scanned =
            ir_ops[n->op].reads == IR_READS_SCAN && ir_attrs(g, n)[1] == (int64_t)d;
        k += gone;
        add_axis(w,
                 gone                     ? WORK_REDUCED
                 : added                  ? WORK_ADDED
                 : scanned                ? WORK_SCANNED
                 : w->group->form->window ? WORK_WINDOWED
                                          : WORK_GRID,
                 shape[d]);
    }
    if (n->op != IR_DOT) return;
    const ir_dot_attr dot = ir_dot_get(g, n);
    ir_static_shape(g, ir_in(g, n)[0], shape);
    for (unsigned i = 0; i < dot.ncontract; i++)
        add_axis(w, WORK_CONTRACTED, shape[dot.lcontract[i]]);
}

/* ---- the whole */

bool work_describe(work *w, const fuse_result *f, const fuse_group *group, const ir_ref *outputs,
                   uint32_t noutputs, bool keep) {
    *w = (work){.g = f->g, .group = group};
    fuse_space_of(f->g, group->form, group->head, NULL, &w->space);
    find_axes(w);
    return list_nodes(w, f) && find_stages(w) && find_wants(w, outputs, noutputs, keep);
}

void work_free(work *w) {
    bz_vec_free(&w->nodes);
    bz_vec_free(&w->kept);
}

/* ---- as text */

/* What is listed goes behind `lead` and `what`, if there is anything; the next lead is a comma then. */
static void print_refs(bz_text *t, const char **lead, const char *what, const ir_ref *r,
                       uint32_t n) {
    for (uint32_t i = 0; i < n; i++) bz_textf(t, "%s%s%%%u", i ? "," : *lead, i ? " " : what, r[i]);
    if (n) *lead = ",";
}

static void print_stage(bz_text *t, const work *w, unsigned stage, const ir_ref *outputs,
                        uint32_t noutputs) {
    ir_ref fold[FUSE_MAX_FOLDS], one;
    unsigned n = 0;
    char lead[24];
    const char *now = lead;
    bz_snprintf(lead, sizeof lead, "; stage %u", stage);
    for (uint32_t i = w->kept.n; i-- > 0;)
        if (work_kept_by(w, one = w->kept.p[i]) == stage) print_refs(t, &now, " keeps ", &one, 1);
    for (unsigned i = 0; i < w->nfolds; i++)
        if (w->fold[i].stage == stage) fold[n++] = w->fold[i].r;
    print_refs(t, &now, " folds ", fold, n);
    for (uint32_t i = 0; i < noutputs; i++)
        if (work_stored_by(w, one = outputs[i], stage))
            print_refs(t, &now, " stores ", &one, 1);
}

void work_print(bz_text *t, const work *w, const ir_ref *outputs, uint32_t noutputs) {
    static const char *const roles[] = {[WORK_GRID] = "grid",
                                        [WORK_REDUCED] = "reduced",
                                        [WORK_CONTRACTED] = "contracted",
                                        [WORK_SCANNED] = "scanned",
                                        [WORK_WINDOWED] = "windowed",
                                        [WORK_ADDED] = "added"};
    const char *lead = "; then";
    for (unsigned i = 0; i < w->naxes; i++) {
        bool same = i && w->axes[i].role == w->axes[i - 1].role;
        bz_textf(t, "%s%s %lld",
                 !i     ? ""
                 : same ? " x"
                        : ", ",
                 same ? "" : roles[w->axes[i].role], (long long)w->axes[i].size);
    }
    for (unsigned s = 0; s < w->nstages; s++) print_stage(t, w, s, outputs, noutputs);
    for (uint32_t i = 0; i < noutputs; i++)
        if (!work_stores_elements(w, outputs[i])) print_refs(t, &lead, " stores ", &outputs[i], 1);
}
