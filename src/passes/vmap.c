/* vmap.c - nodes over samples: each gets one more axis, the first, where one of its operands has it; all others stay as they are.
 *
 *     what has no axes of its own to name   the same op: elementwise, reshape, expand ... of operands that all have the axis
 *     what names axes                       the same op, with its axes one further
 *     products, indices, windows            vmap_parts.c
 *     cond                                  both branches, and of each element the one of its sample
 *     custom_grad                           values and gradient each by themselves; of an operand that all samples share the gradients' sum
 *
 * An element is made as it was without the axis: the order of a fold hangs on which axes it folds, that of a product on what it sums over. */
#include "src/passes/vmap.h"

#include "src/ir/external.h"

#include <string.h>

bool vmap_is_over(const pass_batch *q, ir_ref r, unsigned k) {
    return q->over[ir_operand(q->of, r, k)];
}

ir_ref vmap_cannot(const pass_batch *q, ir_ref r, const char *why) {
    q->g->site = q->of->sites.p[r];
    q->g->op = NULL; /* the op is to blame, not who asks */
    return ir_error(q->g, BZ_EUNSUPPORTED, (ir_op)ir_at(q->of, r)->op,
                    "cannot run over samples: %s", why);
}

static ir_ref over_samples(const pass_batch *q, ir_ref x, bool over) {
    ir_dim dims[IR_MAX_RANK];
    if (over || !x) return x;
    const unsigned rank = ir_at(q->g, x)->rank;
    if (rank >= IR_MAX_RANK)
        return ir_error(q->g, BZ_ESHAPE, IR_EXPAND, "too many axes for one more");
    dims[0] = q->size;
    memcpy(dims + 1, ir_dims(q->g, ir_at(q->g, x)), rank * sizeof *dims);
    return ir_expand_dims_like(q->g, x, dims, rank + 1);
}

ir_ref vmap_operand(const pass_batch *q, ir_ref r, unsigned k) {
    const ir_ref x = ir_operand(q->of, r, k);
    return over_samples(q, q->to[x], q->over[x]);
}

ir_ref vmap_to_front(ir_graph *g, ir_ref x, unsigned from) {
    int perm[IR_MAX_RANK];
    if (!x || from == 0) return x;
    const unsigned rank = ir_at(g, x)->rank;
    perm[0] = (int)from;
    for (unsigned i = 0; i < rank; i++)
        if (i != from) perm[i < from ? i + 1 : i] = (int)i;
    return ir_permute(g, x, perm, rank);
}

/* ---- nodes whose attributes shift */

/* The node as it will be appended; in, attr: room. */
typedef struct over_node {
    ir_node n;
    ir_dim dims[IR_MAX_RANK];
    ir_ref *in;
    int64_t *attr;
} over_node;

/* n numbers at place `at` of the attributes. */
static void insert(over_node *n, unsigned at, const int64_t *what, unsigned count) {
    memmove(n->attr + at + count, n->attr + at, (n->n.nattr - at) * sizeof *n->attr);
    memcpy(n->attr + at, what, count * sizeof *what);
    n->n.nattr += count;
}

static void shift_from(over_node *n, unsigned at) {
    for (unsigned i = at; i < n->n.nattr; i++) n->attr[i]++;
}

/* The attributes as they are with an axis more in front. false: no rule. */
static bool shift(const pass_batch *q, ir_ref r, over_node *n) {
    int64_t numel;
    switch (n->n.op) {
    case IR_PERMUTE:
        shift_from(n, 0);
        insert(n, 0, (int64_t[]){0}, 1);
        return true;
    case IR_PAD: insert(n, 1, (int64_t[]){0, 0}, 2); return true;
    case IR_SLICE: insert(n, 0, (int64_t[]){0, 1}, 2); return true;
    case IR_REDUCE: shift_from(n, 3); return true;
    case IR_CONCAT:
    case IR_SORT: n->attr[0]++; return true;
    case IR_SCAN:
    case IR_TOPK:
    case IR_KTHVALUE: n->attr[1]++; return true;
    case IR_AS_STRIDED:
    case IR_UPDATE:
        if (!ir_numel(q->of, ir_operand(q->of, r, 0), &numel)) return false;
        insert(n, 1, &numel, 1);
        return true;
    default:
        return ir_op_is_elementwise((ir_op)n->n.op) || n->n.op == IR_RESHAPE ||
               n->n.op == IR_EXPAND || n->n.op == IR_COPY || n->n.op == IR_COMPLEX ||
               n->n.op == IR_REAL || n->n.op == IR_IMAG || n->n.op == IR_STAND_IN;
    }
}

static ir_ref append(const pass_batch *q, ir_ref r, over_node *n) {
    const ir_ref at = n->n.op == IR_AS_STRIDED || n->n.op == IR_UPDATE ? ir_window_at(q->of, r) : 0;
    memcpy(n->attr, ir_attrs(q->of, ir_at(q->of, r)), n->n.nattr * sizeof *n->attr);
    n->dims[0] = q->size;
    memcpy(n->dims + 1, ir_dims(q->of, ir_at(q->of, r)), n->n.rank * sizeof *n->dims);
    for (unsigned k = 0; k < n->n.nin; k++) { /* where a window begins is one number */
        const ir_ref x = ir_operand(q->of, r, k);
        n->in[k] = at && x == at && k + 1u == n->n.nin ? q->to[x] : vmap_operand(q, r, k);
        if (!n->in[k]) return 0;
    }
    if (!shift(q, r, n)) return vmap_cannot(q, r, "there is no rule for it");
    return ir_append(q->g, (ir_op)n->n.op, (bz_dtype)n->n.dtype, n->dims, n->n.rank + 1u, n->in,
                     n->n.nin, n->attr, n->n.nattr);
}

static ir_ref shifted(const pass_batch *q, ir_ref r) {
    over_node n = {.n = *ir_at(q->of, r)};
    if (n.n.rank >= IR_MAX_RANK) return vmap_cannot(q, r, "it has all the axes that are possible");
    n.in = bz_mem_alloc((n.n.nin + 1u) * sizeof *n.in);
    n.attr = bz_mem_alloc((n.n.nattr + 2u) * sizeof *n.attr);
    ir_ref made = 0;
    if (n.in && n.attr)
        made = append(q, r, &n);
    else
        bz_fail(&q->g->err, BZ_ENOMEM, "out of memory while batching");
    bz_mem_free(n.in);
    bz_mem_free(n.attr);
    return made;
}

static bool window_moves(const pass_batch *q, ir_ref r) {
    const ir_ref at = ir_window_at(q->of, r);
    return at && q->over[at];
}

static ir_ref over_node_of(const pass_batch *q, ir_ref r) {
    switch (ir_at(q->of, r)->op) {
    case IR_DOT: return vmap_dot(q, r);
    case IR_CONV: return vmap_conv(q, r);
    case IR_GATHER: return vmap_gather(q, r);
    case IR_SCATTER: return vmap_scatter(q, r);
    case IR_EXTERNAL: return vmap_external(q, r);
    case IR_WHILE: return vmap_cannot(q, r, "samples may need turns of different number");
    case IR_AS_STRIDED:
    case IR_UPDATE: return window_moves(q, r) ? vmap_moving_window(q, r) : shifted(q, r);
    default: return shifted(q, r);
    }
}

/* ---- custom_grad */

/* The gradient of x[j], of x[j]'s type: what is asked of one x by all samples adds up. */
static ir_ref gradient_of(const pass_batch *q, ir_ref x, ir_ref b) {
    if (q->over[x]) return over_samples(q, q->to[b], q->over[b]);
    return q->over[b] ? ir_reduce(q->g, IR_SUM, q->to[b], (int[]){0}, 1, false) : q->to[b];
}

static ir_ref custom(const pass_batch *q, ir_ref r) {
    const ir_custom c = ir_custom_get(q->of, r);
    const unsigned n = 3 * c.nout + c.nin, nin = c.nin, nout = c.nout;
    ir_ref *in = bz_mem_alloc((size_t)(n + nin) * sizeof *in), made = 0;
    if (!in) return bz_fail(&q->g->err, BZ_ENOMEM, "out of memory while batching"), 0;
    for (unsigned i = 0; i < n; i++) in[i] = q->to[ir_operand(q->of, r, i)];
    for (unsigned j = 0; j < nin; j++)
        in[n + j] = gradient_of(q, ir_operand(q->of, r, 3 * nout + j), ir_operand(q->of, r, n + j));
    made = ir_custom_grad(q->g, in, nout, nin);
    bz_mem_free(in);
    return made;
}

/* ---- cond: both branches */

/* The outputs of branch number `of` for r's operands, with the axis. */
static bool branch(const pass_batch *q, ir_ref r, int64_t of, ir_ref *out) {
    const ir_graph *b = q->g->m->graphs.p[of];
    pass_batch in = {.g = q->g, .of = b, .size = q->size};
    bool *live = ir_live(b), ok = live && pass_batch_begin(&in);
    if (!ok) bz_fail(&q->g->err, BZ_ENOMEM, "out of memory while batching");
    for (uint32_t j = 0; j < b->inputs.n && ok; j++) {
        const ir_ref x = ir_operand(q->of, r, 1 + j);
        in.to[b->inputs.p[j].node] = q->to[x];
        in.over[b->inputs.p[j].node] = q->over[x];
    }
    for (ir_ref x = 1; x < b->n.n && ok; x++)
        if (live[x] && !in.to[x]) ok = pass_batch_node(&in, x);
    for (uint32_t k = 0; k < b->outputs.n && ok; k++) {
        const ir_ref y = b->outputs.p[k].node;
        ok = (out[k] = over_samples(&in, in.to[y], in.over[y])) != 0;
    }
    bz_mem_free(live);
    pass_batch_end(&in);
    return ok;
}

/* The condition with axes of size 1 for those of y. */
static ir_ref condition_for(const pass_batch *q, ir_ref r, ir_ref y) {
    ir_dim dims[IR_MAX_RANK];
    const unsigned rank = ir_at(q->g, y)->rank;
    const ir_ref p = vmap_operand(q, r, 0);
    dims[0] = q->size;
    for (unsigned i = 1; i < rank; i++) dims[i] = ir_dim_const(q->g, 1);
    return ir_reshape_dims(q->g, p, dims, rank);
}

/* Its results lie in q->results, from the place on that to[r] - 1 is. */
static bool both_branches(pass_batch *q, ir_ref r) {
    const int64_t *a = ir_attrs(q->of, ir_at(q->of, r)), of[2] = {a[0], a[1]};
    const unsigned nout = ir_result_count(q->of, r);
    ir_ref *y = bz_mem_zero(2 * (size_t)nout, sizeof *y);
    bool ok = y && bz_vec_reserve(&q->results, nout);
    if (!ok) bz_fail(&q->g->err, BZ_ENOMEM, "out of memory while batching");
    ok = ok && branch(q, r, of[0], y) && branch(q, r, of[1], y + nout);
    q->to[r] = q->results.n + 1;
    q->over[r] = true;
    for (unsigned k = 0; k < nout && ok; k++) {
        const ir_ref p = condition_for(q, r, y[k]),
                     z = p ? ir_build3(q->g, IR_SELECT, p, y[k], y[nout + k]) : 0;
        ok = z != 0;
        q->results.p[q->results.n++] = z;
    }
    bz_mem_free(y);
    return ok;
}

/* ---- the step */

static bool any_over(const pass_batch *q, ir_ref r) {
    for (unsigned k = 0; k < ir_at(q->of, r)->nin; k++)
        if (vmap_is_over(q, r, k)) return true;
    return false;
}

/* As it stands; itself, where nothing that it reads has moved. */
static ir_ref unchanged(const pass_batch *q, ir_ref r) {
    const unsigned n = ir_at(q->of, r)->nin;
    ir_ref small[8] = {0}, *in = n <= BZ_LEN(small) ? small : bz_mem_alloc(n * sizeof *in);
    bool same = q->g == q->of && ir_at(q->of, r)->op != IR_STAND_IN;
    if (!in) return bz_fail(&q->g->err, BZ_ENOMEM, "out of memory while batching"), 0;
    for (unsigned k = 0; k < n; k++) {
        in[k] = q->to[ir_operand(q->of, r, k)];
        same &= in[k] == ir_operand(q->of, r, k);
    }
    const ir_ref made = same ? r : ir_rebuild_of(q->g, q->of, in, r);
    if (in != small) bz_mem_free(in);
    return made;
}

static bool result(const pass_batch *q, ir_ref r) {
    const ir_ref tuple = ir_operand(q->of, r, 0);
    const unsigned k = (unsigned)ir_attrs(q->of, ir_at(q->of, r))[0], op = ir_at(q->of, tuple)->op;
    if (!q->over[tuple]) return (q->to[r] = unchanged(q, r)) != 0;
    q->over[r] = op != IR_CUSTOM_GRAD || q->over[ir_custom_get(q->of, tuple).f[k]];
    if (op == IR_COND) return (q->to[r] = q->results.p[q->to[tuple] - 1 + k]) != 0;
    q->to[r] = ir_result(q->g, q->to[tuple], k);
    if (op == IR_EXTERNAL) q->to[r] = vmap_apart(q, r, q->to[r]);
    return q->to[r] != 0;
}

bool pass_batch_node(pass_batch *q, ir_ref r) {
    const ir_node *n = ir_at(q->of, r);
    const ir_op op = (ir_op)n->op, blamed = ir_blamed(q->of, r);
    for (unsigned k = 0; k < n->nin && q->g == q->of; k++)
        if (!q->to[ir_operand(q->of, r, k)])
            q->to[ir_operand(q->of, r, k)] = ir_operand(q->of, r, k);
    q->g->site = q->of->sites.p[r];
    if (op == IR_RESULT) return result(q, r);
    q->over[r] = any_over(q, r);
    if (!q->over[r]) return (q->to[r] = unchanged(q, r)) != 0;
    if (op == IR_COND) return both_branches(q, r);
    const ir_ref first = q->g->n.n;
    q->to[r] = op == IR_CUSTOM_GRAD ? custom(q, r) : over_node_of(q, r);
    for (ir_ref made = first; made < q->g->n.n; made++) q->g->n.p[made].blamed = (uint8_t)blamed;
    return q->to[r] != 0;
}

bool pass_batch_begin(pass_batch *q) {
    q->to = bz_mem_zero(q->of->n.n, sizeof *q->to);
    q->over = bz_mem_zero(q->of->n.n, sizeof *q->over);
    return q->to && q->over;
}

void pass_batch_end(pass_batch *q) {
    bz_mem_free(q->to);
    bz_mem_free(q->over);
    bz_vec_free(&q->results);
}

ir_ref pass_batch_moved(pass_batch *q, ir_ref r, unsigned axis) {
    int perm[IR_MAX_RANK];
    const ir_ref x = over_samples(q, q->to[r], q->over[r]);
    if (!x || axis == 0) return x;
    const unsigned rank = ir_at(q->g, x)->rank;
    for (unsigned i = 0; i < rank; i++) perm[i] = (int)(i < axis ? i + 1 : i == axis ? 0 : i);
    return ir_permute(q->g, x, perm, rank);
}

void pass_batch_input(pass_batch *q, ir_ref r, ir_ref x, unsigned axis) {
    q->over[r] = true;
    q->to[r] = vmap_to_front(q->g, x, axis);
}
