/* fuse.c - decides which nodes become one kernel.
 *
 *     every computing node begins as a group of its own; then, in topological order, each edge producer -> consumer tries to join the
 *     two groups. Movement nodes belong to nobody: they are index maps inside whoever reads them.
 *
 *     MAP + MAP   same elements                     one loop, several results possible
 *     MAP -> ROW  what is reduced along the last axis, or what is made of the row's results: softmax, layernorm, losses
 *     MAP -> COL  what is reduced along leading axes; afterwards what is made of the result
 *     DOT -> MAP  epilogue on the tile; MAP -> DOT prologue in the packing
 *
 * Two groups join only if no path leads from one to the other through a third (the kernel would wait for itself), if all values that
 * cross are read at the very index at which they are made, or if the producer is needed nowhere else and cheap enough to be computed where
 * it is read. Every refusal is recorded with its reason. */
#include "src/passes/lower.h"

#include <string.h>

enum { MAX_NODES = 256, CHEAP_OPS = 4 };

typedef struct edge {
    ir_ref from, to; /* computing nodes; movement between them is skipped */
} edge;

typedef struct fuser {
    const ir_graph *g;
    fuse_result *r;
    ir_exprs x;
    bool *live, *output, *fixed; /* fixed: must lie in a buffer (random access reads it) */
    BZ_VEC(edge) edges;          /* ascending in `to` */
    uint32_t *first_out;         /* CSR of outgoing edges: edges by `from` */
    BZ_VEC(ir_ref) out_to;
    uint32_t *mark, epoch; /* of groups, for searches */
    BZ_VEC(uint32_t) stack;
    bool failed;
} fuser;

/* ---- the iteration space */

static void add_dim(int64_t *sizes, ir_ex *idx, unsigned *n, int64_t size, ir_ex e)
{
    if (size == 1)
        return;
    sizes[*n] = size;
    idx[(*n)++] = e;
}

void fuse_space_of(const ir_graph *g, ir_exprs *x, fuse_kind kind, ir_ref head, const ir_ex *sym, fuse_space *s)
{
    int64_t shape[IR_MAX_RANK];
    bool reduces = kind == FUSE_ROW || kind == FUSE_COL;
    const ir_node *n = ir_at(g, head);
    ir_ref full = reduces ? ir_in(g, n)[0] : head;
    (void)x;
    *s = (fuse_space){0};
    ir_static_shape(g, full, shape);
    ir_reduce_attr a = reduces ? ir_reduce_get(g, n) : (ir_reduce_attr){0};
    for (unsigned d = 0, k = 0; d < ir_at(g, full)->rank; d++) {
        bool gone = k < a.naxes && a.axes[k] == (int64_t)d;
        k += gone;
        add_dim(s->full, s->full_idx, &s->nfull, shape[d], sym[d]);
        if (reduces && !gone)
            add_dim(s->kept, s->kept_idx, &s->nkept, shape[d], sym[d]);
    }
}

static bool same_sizes(const ir_graph *g, ir_ref r, const int64_t *sizes, unsigned n)
{
    int64_t shape[IR_MAX_RANK];
    unsigned at = 0;
    ir_static_shape(g, r, shape);
    for (unsigned d = 0; d < ir_at(g, r)->rank; d++) {
        if (shape[d] == 1)
            continue;
        if (at == n || sizes[at] != shape[d])
            return false;
        at++;
    }
    return at == n;
}

fuse_level fuse_level_of(const ir_graph *g, const fuse_space *s, ir_ref r)
{
    if (same_sizes(g, r, s->full, s->nfull))
        return FUSE_FULL;
    return same_sizes(g, r, s->kept, s->nkept) ? FUSE_KEPT : FUSE_NONE;
}

void fuse_index(const ir_graph *g, ir_exprs *x, const fuse_space *s, fuse_level level, ir_ref r, ir_ex *idx)
{
    int64_t shape[IR_MAX_RANK];
    const ir_ex *from = level == FUSE_FULL ? s->full_idx : s->kept_idx;
    unsigned at = 0;
    ir_static_shape(g, r, shape);
    for (unsigned d = 0; d < ir_at(g, r)->rank; d++)
        idx[d] = shape[d] == 1 ? ir_ex_const(x, 0) : from[at++];
}

/* ---- setting up: who computes, who reads whom */

static bool computes(const ir_graph *g, ir_ref r)
{
    unsigned op = ir_at(g, r)->op;
    return ir_op_is_elementwise(op) || op == IR_REDUCE || op == IR_DOT || op == IR_GATHER || op == IR_COPY;
}

/* Buffers behind a chain of reshapes: the same row-major elements. */
static ir_ref same_buffer(const ir_graph *g, ir_ref r)
{
    while (ir_at(g, r)->op == IR_RESHAPE)
        r = ir_operand(g, r, 0);
    return r;
}

static bool add_group(fuser *f, ir_ref r)
{
    const ir_node *n = ir_at(f->g, r);
    fuse_group group = {.kind = FUSE_MAP, .head = r};
    if (n->op == IR_DOT)
        group.kind = FUSE_DOT;
    if (n->op == IR_REDUCE)
        group.kind = ir_reduce_get(f->g, n).order == IR_ORDER_LEAD ? FUSE_COL : FUSE_ROW;
    f->r->group_of[r] = f->r->groups.n;
    if (bz_vec_push(&group.nodes, r) && bz_vec_push(&f->r->groups, group))
        return true;
    bz_vec_free(&group.nodes);
    return false;
}

static bool add_edges(fuser *f, ir_ref reader, ir_ref x)
{
    if (f->r->group_of[x] != FUSE_NO_GROUP)
        return bz_vec_push(&f->edges, ((edge){x, reader}));
    const ir_node *n = ir_at(f->g, x);
    for (unsigned i = 0; i < n->nin; i++)
        if (!add_edges(f, reader, ir_in(f->g, n)[i]))
            return false;
    return true;
}

/* A node that must have a buffer though it only moves or makes elements: an output, or the operand of a gather. */
static bool force_stored(fuser *f, ir_ref r)
{
    r = same_buffer(f->g, r);
    const ir_node *n = ir_at(f->g, r);
    if (n->op == IR_INPUT)
        return true;
    f->fixed[r] = f->r->stored[r] = true;
    return f->r->group_of[r] != FUSE_NO_GROUP || add_group(f, r);
}

static bool make_groups(fuser *f)
{
    const ir_graph *g = f->g;
    for (ir_ref r = 1; r < g->n.n; r++)
        f->r->group_of[r] = FUSE_NO_GROUP;
    for (uint32_t i = 0; i < g->outputs.n; i++)
        f->output[same_buffer(g, g->outputs.p[i].node)] = true;
    for (ir_ref r = 1; r < g->n.n; r++) {
        const ir_node *n = ir_at(g, r);
        if (!f->live[r])
            continue;
        bool made = n->op != IR_INPUT && f->output[r];
        if ((computes(g, r) || made) && f->r->group_of[r] == FUSE_NO_GROUP && !add_group(f, r))
            return false;
        f->r->stored[r] |= made || n->op == IR_COPY;
    }
    for (ir_ref r = 1; r < g->n.n; r++) /* the gathered must be known before edges are drawn */
        if (f->live[r] && ir_at(g, r)->op == IR_GATHER) {
            ir_ref x = ir_operand(g, r, 0);
            /* a reshape of a buffer cannot be bound by itself: it gets a copy unless it is the buffer */
            if (x != same_buffer(g, x) || !force_stored(f, x)) {
                f->fixed[x] = f->r->stored[x] = true;
                if (f->r->group_of[x] == FUSE_NO_GROUP && !add_group(f, x))
                    return false;
            }
        }
    for (ir_ref r = 1; r < g->n.n; r++) {
        const ir_node *n = ir_at(g, r);
        for (unsigned i = 0; f->r->group_of[r] != FUSE_NO_GROUP && i < n->nin; i++)
            if (!add_edges(f, r, ir_in(g, n)[i]))
                return false;
    }
    return true;
}

static bool index_edges(fuser *f)
{
    f->first_out = bz_mem_zero(f->g->n.n + 1, sizeof *f->first_out);
    if (!f->first_out || !bz_vec_reserve(&f->out_to, f->edges.n))
        return false;
    for (uint32_t i = 0; i < f->edges.n; i++)
        f->first_out[f->edges.p[i].from + 1]++;
    for (uint32_t i = 0; i < f->g->n.n; i++)
        f->first_out[i + 1] += f->first_out[i];
    uint32_t *at = bz_mem_alloc((f->g->n.n + 1) * sizeof *at);
    if (!at)
        return false;
    memcpy(at, f->first_out, (f->g->n.n + 1) * sizeof *at);
    for (uint32_t i = 0; i < f->edges.n; i++)
        f->out_to.p[at[f->edges.p[i].from]++] = f->edges.p[i].to;
    f->out_to.n = f->edges.n;
    bz_mem_free(at);
    return true;
}

/* ---- may two groups join? */

/* Does a path lead from group p to group c through another group? */
static bool joined_by_third(fuser *f, uint32_t p, uint32_t c)
{
    f->epoch++;
    f->stack.n = 0;
    f->mark[p] = f->epoch;
    uint32_t at = p;
    const fuse_group *target = &f->r->groups.p[c];
    ir_ref last = target->nodes.p[target->nodes.n - 1];
    for (;;) {
        const fuse_group *q = &f->r->groups.p[at];
        for (uint32_t i = 0; i < q->nodes.n; i++) {
            ir_ref r = q->nodes.p[i];
            for (uint32_t e = f->first_out[r]; e < f->first_out[r + 1]; e++) {
                uint32_t next = f->r->group_of[f->out_to.p[e]];
                if (next == c && at != p)
                    return true;
                if (next == c || f->mark[next] == f->epoch || f->r->groups.p[next].nodes.p[0] > last)
                    continue;
                f->mark[next] = f->epoch;
                if (!bz_vec_push(&f->stack, next))
                    return f->failed = true;
            }
        }
        if (f->stack.n == 0)
            return false;
        at = f->stack.p[--f->stack.n];
    }
}

/* Is some value of group p needed outside p and c? */
static bool needed_elsewhere(const fuser *f, uint32_t p, uint32_t c)
{
    const fuse_group *q = &f->r->groups.p[p];
    for (uint32_t i = 0; i < q->nodes.n; i++) {
        ir_ref r = q->nodes.p[i];
        if (f->r->stored[r])
            return true;
        for (uint32_t e = f->first_out[r]; e < f->first_out[r + 1]; e++) {
            uint32_t to = f->r->group_of[f->out_to.p[e]];
            if (to != p && to != c)
                return true;
        }
    }
    return false;
}

static void count_ops(const fuser *f, uint32_t p, unsigned *ops, bool *expensive)
{
    const fuse_group *q = &f->r->groups.p[p];
    *ops = 0;
    *expensive = false;
    for (uint32_t i = 0; i < q->nodes.n; i++) {
        const ir_node *n = ir_at(f->g, q->nodes.p[i]);
        *ops += ir_op_is_elementwise(n->op);
        *expensive |= (ir_ops[n->op].flags & IR_EXPENSIVE) || n->op == IR_GATHER;
    }
}

static unsigned folds(const fuser *f, uint32_t group)
{
    const fuse_group *q = &f->r->groups.p[group];
    unsigned n = 0;
    for (uint32_t i = 0; i < q->nodes.n; i++)
        n += ir_at(f->g, q->nodes.p[i])->op == IR_REDUCE;
    return n;
}

/* Would one kernel gather from what it makes itself? Random access needs the value in memory before. */
static bool gathers_from(const fuser *f, uint32_t p, uint32_t c)
{
    const fuse_group *q = &f->r->groups.p[c];
    for (uint32_t i = 0; i < q->nodes.n; i++) {
        ir_ref r = q->nodes.p[i];
        if (ir_at(f->g, r)->op == IR_GATHER && f->r->group_of[ir_operand(f->g, r, 0)] == p)
            return true;
    }
    return false;
}

/* Every read of a member of group p from x at idx is at that member's canonical index in the space. */
static bool reads_canonically(fuser *f, uint32_t p, const fuse_space *s, ir_ref x, const ir_ex *idx)
{
    ir_ex at[IR_MAX_RANK];
    if (f->r->group_of[x] == p) {
        fuse_level level = ir_at(f->g, x)->op == IR_REDUCE ? FUSE_KEPT : fuse_level_of(f->g, s, x);
        if (level == FUSE_NONE)
            return false;
        fuse_index(f->g, &f->x, s, level, x, at);
        return memcmp(at, idx, ir_at(f->g, x)->rank * sizeof *at) == 0;
    }
    if (f->r->group_of[x] != FUSE_NO_GROUP || !fuse_is_move(f->g, x))
        return true;
    const ir_node n = *ir_at(f->g, x);
    if (emit_move_index(f->g, &f->x, x, idx, at))
        return reads_canonically(f, p, s, ir_in(f->g, &n)[0], at);
    for (unsigned i = 0; i < n.nin; i++) { /* pad, concat: fine only if the group is not behind them */
        memset(at, 0, sizeof at);
        if (!reads_canonically(f, p, s, ir_in(f->g, &n)[i], at))
            return false;
    }
    return true;
}

static bool member_reads_canonically(fuser *f, uint32_t p, const fuse_space *s, ir_ref r)
{
    ir_ex idx[IR_MAX_RANK], at[IR_MAX_RANK];
    const ir_node n = *ir_at(f->g, r);
    bool fold = n.op == IR_REDUCE;
    fuse_level level = fold ? FUSE_FULL : fuse_level_of(f->g, s, r);
    for (unsigned k = 0; k < n.nin && n.op != IR_DOT && n.op != IR_GATHER; k++) {
        ir_ref x = ir_in(f->g, &n)[k];
        memset(idx, 0, sizeof idx);
        if (level != FUSE_NONE) /* else an inlined member: it must not read p */
            fuse_index(f->g, &f->x, s, level, fold ? x : r, idx);
        if (level != FUSE_NONE && fuse_is_move(f->g, r)) { /* an output that is moved */
            if (emit_move_index(f->g, &f->x, r, idx, at))
                memcpy(idx, at, sizeof idx);
            else
                memset(idx, 0, sizeof idx);
        }
        if (!reads_canonically(f, p, s, x, idx))
            return false;
    }
    return true;
}

/* All reads of group p's members by group c's, as members of one group with this space, are canonical. */
static bool edges_canonical(fuser *f, uint32_t p, uint32_t c, const fuse_space *s)
{
    const fuse_group *q = &f->r->groups.p[c];
    for (uint32_t i = 0; i < q->nodes.n; i++)
        if (!member_reads_canonically(f, p, s, q->nodes.p[i]))
            return false;
    return true;
}

static void space_of(fuser *f, uint32_t group, fuse_space *s)
{
    ir_ex sym[IR_MAX_RANK];
    const fuse_group *q = &f->r->groups.p[group];
    for (unsigned d = 0; d < IR_MAX_RANK; d++)
        sym[d] = ir_ex_sym(&f->x, NULL, 0, IR_EX_MAX);
    int64_t shape[IR_MAX_RANK];
    bool reduces = q->kind == FUSE_ROW || q->kind == FUSE_COL;
    ir_ref full = reduces ? ir_operand(f->g, q->head, 0) : q->head;
    ir_static_shape(f->g, full, shape);
    for (unsigned d = 0; d < ir_at(f->g, full)->rank; d++)
        sym[d] = ir_ex_sym(&f->x, NULL, 0, shape[d] > 0 ? shape[d] - 1 : 0);
    fuse_space_of(f->g, &f->x, q->kind, q->head, sym, s);
}

/* The members of a MAP group, put into a space, all lie on one of its levels (the head says which). */
static fuse_level map_level(const fuser *f, uint32_t map, const fuse_space *s, fuse_kind kind)
{
    fuse_level level = fuse_level_of(f->g, s, f->r->groups.p[map].head);
    return kind == FUSE_COL && level == FUSE_FULL ? FUSE_NONE : level;
}

static double elements(const fuser *f, ir_ref r)
{
    int64_t n = 1;
    ir_numel(f->g, r, &n);
    return (double)n;
}

/* Can producer p be computed wherever c reads it, instead of being stored? NULL, or why not. */
static const char *inline_refusal(fuser *f, uint32_t p, uint32_t c)
{
    unsigned ops;
    bool expensive;
    const fuse_group *q = &f->r->groups.p[p], *to = &f->r->groups.p[c];
    if (needed_elsewhere(f, p, c))
        return "the value is needed in memory too, and is read at another index here";
    count_ops(f, p, &ops, &expensive);
    ir_ref full = to->kind == FUSE_ROW || to->kind == FUSE_COL ? ir_operand(f->g, to->head, 0) : to->head;
    bool repeats = to->kind != FUSE_DOT && elements(f, full) > elements(f, q->head);
    if (repeats && expensive)
        return "an expensive value would be computed again for every element that reads it";
    if (repeats && ops > CHEAP_OPS)
        return "too many operations would be computed again for every element that reads it";
    return NULL;
}

static bool same_axes(const fuser *f, ir_ref a, ir_ref b)
{
    ir_reduce_attr p = ir_reduce_get(f->g, ir_at(f->g, a)), q = ir_reduce_get(f->g, ir_at(f->g, b));
    int64_t s[IR_MAX_RANK], t[IR_MAX_RANK];
    ir_ref x = ir_operand(f->g, a, 0), y = ir_operand(f->g, b, 0);
    ir_static_shape(f->g, x, s);
    ir_static_shape(f->g, y, t);
    unsigned rank = ir_at(f->g, x)->rank;
    return rank == ir_at(f->g, y)->rank && p.naxes == q.naxes && !memcmp(p.axes, q.axes, p.naxes * sizeof *p.axes) &&
           !memcmp(s, t, rank * sizeof *s);
}

/* Why groups p (producer) and c (consumer) cannot be one kernel; NULL if they can. *into: whose kind and head the union has. */
static const char *refusal(fuser *f, uint32_t p, uint32_t c, uint32_t *into)
{
    const fuse_group *q = &f->r->groups.p[p], *to = &f->r->groups.p[c];
    fuse_space s;
    if (q->nodes.n + to->nodes.n > MAX_NODES)
        return "the kernel would have too many operations";
    if (q->kind == FUSE_ROW && to->kind == FUSE_ROW && folds(f, p) + folds(f, c) > FUSE_MAX_FOLDS)
        return "the kernel would have too many reductions";
    if (gathers_from(f, p, c))
        return "random access needs the value in memory";
    if (joined_by_third(f, p, c))
        return "a third kernel has to run between them";
    if (q->kind == FUSE_MAP) {
        *into = c;
        space_of(f, c, &s);
        fuse_level level = map_level(f, p, &s, to->kind);
        bool fits = to->kind != FUSE_DOT && level != FUSE_NONE;
        if (to->kind == FUSE_MAP && level == FUSE_KEPT) /* one number: a loop over elements has no place to store it */
            fits = !needed_elsewhere(f, p, c);
        if (fits && edges_canonical(f, p, c, &s))
            return NULL;
        return inline_refusal(f, p, c);
    }
    *into = p;
    space_of(f, p, &s);
    if (to->kind == FUSE_MAP) {
        if (map_level(f, c, &s, q->kind) == FUSE_NONE)
            return q->kind == FUSE_DOT ? "the consumer has another shape than the product"
                                       : "the consumer is neither on the rows nor on the elements of the reduction";
        return edges_canonical(f, p, c, &s) ? NULL : "the consumer reads the result at another index";
    }
    if (q->kind == FUSE_ROW && to->kind == FUSE_ROW && same_axes(f, q->head, to->head))
        return edges_canonical(f, p, c, &s) ? NULL : "the second reduction reads the first at another index";
    if (q->kind == FUSE_DOT)
        return to->kind == FUSE_DOT ? "a product needs the whole of the other product" : "a reduction needs whole rows of the product";
    return to->kind == FUSE_DOT ? "a product reads each element of the reduction many times" : "the reductions run over different axes";
}

/* ---- joining */

static bool merge(fuser *f, uint32_t p, uint32_t c, uint32_t into)
{
    fuse_group *a = &f->r->groups.p[p], *b = &f->r->groups.p[c];
    fuse_group both = {.kind = f->r->groups.p[into].kind, .head = f->r->groups.p[into].head};
    if (!bz_vec_reserve(&both.nodes, a->nodes.n + b->nodes.n))
        return false;
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

static bool refuse(fuser *f, edge e, const char *why)
{
    return bz_vec_push(&f->r->refusals, ((pass_refusal){e.from, e.to, why}));
}

static bool join_groups(fuser *f, const pass_target *t)
{
    for (uint32_t i = 0; i < f->edges.n; i++) {
        edge e = f->edges.p[i];
        uint32_t p = f->r->group_of[e.from], c = f->r->group_of[e.to], into = c;
        if (p == c)
            continue;
        const char *why = NULL;
        if (t->eager)
            why = "eager mode: every op is a kernel of its own";
        else
            why = refusal(f, p, c, &into);
        if (f->failed || f->x.failed || (why ? !refuse(f, e, why) : !merge(f, p, c, into)))
            return false;
    }
    return true;
}

/* A value lies in a buffer if it is an output or another kernel reads it. */
static void decide_stored(fuser *f)
{
    for (uint32_t i = 0; i < f->edges.n; i++) {
        edge e = f->edges.p[i];
        if (f->r->group_of[e.from] != f->r->group_of[e.to])
            f->r->stored[e.from] = true;
    }
}

/* ---- the pass */

static bool begin(fuser *f, const ir_graph *g, fuse_result *out)
{
    *f = (fuser){.g = g, .r = out};
    *out = (fuse_result){.g = g};
    out->group_of = bz_mem_zero(g->n.n, sizeof *out->group_of);
    out->stored = bz_mem_zero(g->n.n, sizeof *out->stored);
    f->live = ir_live(g);
    f->output = bz_mem_zero(g->n.n, sizeof *f->output);
    f->fixed = bz_mem_zero(g->n.n, sizeof *f->fixed);
    f->mark = bz_mem_zero(g->n.n, sizeof *f->mark);
    return ir_exprs_init(&f->x) && out->group_of && out->stored && f->live && f->output && f->fixed && f->mark;
}

static void end(fuser *f)
{
    ir_exprs_free(&f->x);
    bz_mem_free(f->live);
    bz_mem_free(f->output);
    bz_mem_free(f->fixed);
    bz_mem_free(f->mark);
    bz_mem_free(f->first_out);
    bz_vec_free(&f->edges);
    bz_vec_free(&f->out_to);
    bz_vec_free(&f->stack);
}

bz_status fuse_graph(const ir_graph *g, const pass_target *t, fuse_result *out, bz_error *e)
{
    fuser f;
    bool ok = begin(&f, g, out) && make_groups(&f) && index_edges(&f) && join_groups(&f, t);
    if (ok)
        decide_stored(&f);
    end(&f);
    if (ok)
        return BZ_OK;
    fuse_free(out);
    return bz_fail(e, BZ_ENOMEM, "out of memory while fusing");
}

void fuse_free(fuse_result *f)
{
    for (uint32_t i = 0; i < f->groups.n; i++)
        bz_vec_free(&f->groups.p[i].nodes);
    bz_vec_free(&f->groups);
    bz_vec_free(&f->refusals);
    bz_mem_free(f->group_of);
    bz_mem_free(f->stored);
    *f = (fuse_result){0};
}

/* ---- in place */

typedef struct in_place {
    const fuse_result *f;
    uint32_t group;
    ir_ref q;
    ir_exprs x;
    fuse_space space;
    fuse_level level;
    bool *reads; /* the node is q, or made of q inside the group */
} in_place;

static bool find_readers(in_place *p)
{
    const ir_graph *g = p->f->g;
    const fuse_group *group = &p->f->groups.p[p->group];
    ir_ref last = group->nodes.p[group->nodes.n - 1];
    p->reads = bz_mem_zero(g->n.n, sizeof *p->reads);
    if (!p->reads)
        return false;
    p->reads[p->q] = true;
    for (ir_ref r = p->q + 1; r <= last; r++) {
        const ir_node *n = ir_at(g, r);
        bool here = p->f->group_of[r] == p->group || (p->f->group_of[r] == FUSE_NO_GROUP && ir_op_is_movement(n->op));
        for (unsigned k = 0; here && k < n->nin; k++)
            p->reads[r] |= p->reads[ir_in(g, n)[k]];
    }
    return true;
}

static bool is_canonical(in_place *p, ir_ref r, const ir_ex *idx)
{
    ir_ex at[IR_MAX_RANK];
    if (fuse_level_of(p->f->g, &p->space, r) != p->level)
        return false;
    fuse_index(p->f->g, &p->x, &p->space, p->level, r, at);
    return memcmp(at, idx, ir_at(p->f->g, r)->rank * sizeof *at) == 0;
}

/* Every way from r at idx to q arrives at q's canonical index. Members at theirs are looked at by themselves; one that is computed
 * again at another index must not be made of q, and a way that cannot be followed is a no. */
static bool arrives(in_place *p, ir_ref r, const ir_ex *idx)
{
    ir_ex at[IR_MAX_RANK];
    const ir_node n = *ir_at(p->f->g, r);
    if (!p->reads[r])
        return true;
    if (r == p->q || p->f->group_of[r] != FUSE_NO_GROUP || !ir_op_is_movement(n.op))
        return is_canonical(p, r, idx);
    if (!emit_move_index(p->f->g, &p->x, r, idx, at))
        memset(at, 0, sizeof at);
    for (unsigned i = 0; i < n.nin; i++)
        if (!arrives(p, ir_in(p->f->g, &n)[i], at))
            return false;
    return true;
}

/* The operands of member r, which is at its canonical index. */
static bool operands_arrive(in_place *p, ir_ref r)
{
    const ir_node n = *ir_at(p->f->g, r);
    ir_ex idx[IR_MAX_RANK];
    bool plain = ir_op_is_elementwise(n.op) && fuse_level_of(p->f->g, &p->space, r) == p->level;
    memset(idx, 0, sizeof idx);
    if (plain)
        fuse_index(p->f->g, &p->x, &p->space, p->level, r, idx);
    for (unsigned k = 0; k < n.nin; k++) {
        ir_ref x = ir_in(p->f->g, &n)[k];
        if ((!plain && x == p->q) || !arrives(p, x, idx))
            return false;
    }
    return true;
}

bool fuse_only_in_place(const fuse_result *f, uint32_t group, ir_ref q, ir_ref out)
{
    const fuse_group *g = &f->groups.p[group];
    in_place p = {.f = f, .group = group, .q = q, .level = g->kind == FUSE_COL ? FUSE_KEPT : FUSE_FULL};
    ir_ex sym[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK];
    if (g->kind == FUSE_ROW) /* passes over a row read again what an earlier one has stored */
        return false;
    bool ok = ir_exprs_init(&p.x) && find_readers(&p);
    if (ok) {
        ir_ref full = g->kind == FUSE_COL ? ir_operand(f->g, g->head, 0) : g->head;
        ir_static_shape(f->g, full, shape);
        for (unsigned d = 0; d < ir_at(f->g, full)->rank; d++)
            sym[d] = ir_ex_sym(&p.x, NULL, 0, shape[d] > 0 ? shape[d] - 1 : 0);
        fuse_space_of(f->g, &p.x, g->kind, g->head, sym, &p.space);
        ok = fuse_level_of(f->g, &p.space, q) == p.level && fuse_level_of(f->g, &p.space, out) == p.level;
    }
    for (uint32_t i = 0; ok && i < g->nodes.n; i++)
        ok = operands_arrive(&p, g->nodes.p[i]);
    ok = ok && !p.x.failed;
    ir_exprs_free(&p.x);
    bz_mem_free(p.reads);
    return ok;
}
