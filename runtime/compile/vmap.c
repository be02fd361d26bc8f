/* vmap.c - bz_vmap: a function of one sample is recorded once, on stand-ins, and its nodes are made again over all samples.
 *
 *      recorded:   x, w | one of x's samples --fn--> y          the line: nodes when the call began
 *      made:       x, w --the same, with an axis more--> all y
 *
 * What does not hang on a sample is the recording's own. */
#include "runtime/compile/body.h"
#include "src/passes/pass.h"

#include <string.h>

enum { MOST = 4096 }; /* operands, results */

typedef struct call {
    bz_context *c;
    const char *site;
    bz_tensor *const *in;
    const int *in_axes, *out_axes;
    unsigned nin, nout;
    int64_t size;
    rt_host_function f;
} call;

static int axis_of(const int *axes, unsigned k) {
    return axes ? axes[k] : 0;
}

/* The axis of the samples from the front in *at; false: an error. */
static bool find_axis(const call *q, int axis, unsigned rank, const char *what, unsigned k,
                      unsigned *at) {
    const int a = axis < 0 ? axis + (int)rank : axis;
    *at = (unsigned)a;
    if (a >= 0 && a < (int)rank) return true;
    rt_fail(q->c, BZ_EAXIS, q->site, "vmap", "%s %u has %u axes, there is no axis %d", what, k,
            rank, axis);
    return false;
}

/* A node of the type of x without axis `at`. */
static ir_ref sample_like(ir_graph *g, ir_ref x, unsigned at) {
    const ir_node *n = ir_at(g, x);
    ir_dim dims[IR_MAX_RANK];
    unsigned rank = 0;
    for (unsigned i = 0; i < n->rank; i++)
        if (i != at) dims[rank++] = ir_dims(g, n)[i];
    return ir_const_bits(g, (bz_dtype)n->dtype, 0, dims, rank);
}

/* What a call of the function gets, node by node, and how many samples there are. */
static bool samples(call *q, const rt_rec *r, ir_ref *like, unsigned *at) {
    bool any = false;
    for (unsigned j = 0; j < q->nin; j++) {
        const int axis = axis_of(q->in_axes, j);
        int64_t size = 0;
        like[j] = r->x[j];
        if (axis == BZ_SHARED) continue;
        if (!find_axis(q, axis, ir_at(r->g, r->x[j])->rank, "operand", j, &at[j])) return false;
        ir_dim_value(r->g, ir_dims(r->g, ir_at(r->g, r->x[j]))[at[j]], &size);
        if (any && size != q->size)
            return rt_fail(q->c, BZ_ESHAPE, q->site, "vmap",
                           "operand %u has %lld samples, those before it %lld", j, (long long)size,
                           (long long)q->size),
                   false;
        q->size = size;
        any = true;
        if (!(like[j] = sample_like(r->g, r->x[j], at[j]))) return false;
    }
    if (!any) rt_fail(q->c, BZ_EARG, q->site, "vmap", "no operand has an axis of samples");
    return any;
}

static bool make_over(const call *q, const rt_bodies *l, const rt_body *b, const unsigned *at,
                      ir_ref *results) {
    ir_graph *g = l->rec->g;
    pass_batch p = {.g = g, .of = g, .size = ir_dim_const(g, q->size)};
    const ir_ref end = g->n.n;
    uint8_t *needed = rt_body_needed(l, b);
    bool ok = pass_batch_begin(&p) && needed;
    if (!ok) rt_no_memory(q->c);
    for (unsigned j = 0; j < q->nin && ok; j++) {
        if (axis_of(q->in_axes, j) == BZ_SHARED)
            p.to[b->operand[j]] = l->rec->x[j];
        else
            pass_batch_input(&p, b->operand[j], l->rec->x[j], at[j]);
        ok = p.to[b->operand[j]] != 0;
    }
    for (ir_ref r = 1; r < end && ok; r++)
        if (needed[r] && !p.to[r]) {
            p.to[r] = r; /* from outside, unless the function made it */
            if (needed[r] == RT_BODY_OWN) p.to[r] = 0, ok = pass_batch_node(&p, r);
        }
    for (unsigned k = 0; k < q->nout && ok; k++) {
        const ir_ref y = b->out[k];
        const int axis = axis_of(q->out_axes, k);
        unsigned to = 0;
        ok = find_axis(q, axis, ir_at(g, y)->rank + 1u, "result", k, &to) &&
             (results[k] = pass_batch_moved(&p, y, to)) != 0;
    }
    bz_mem_free(needed);
    pass_batch_end(&p);
    return ok;
}

/* work: nodes of the operands, stand-ins for them, outputs of the function. */
static bool record(call *q, rt_rec *r, ir_ref *work, unsigned *at, ir_ref *results) {
    ir_ref *like = work, *operand = like + q->nin, *out = operand + q->nin;
    if (!samples(q, r, like, at)) return false;
    rt_bodies l = {.rec = r, .line = r->g->n.n};
    rt_body b = {q->f, operand, out};
    return !rt_body_record(&l, &b, like) && make_over(q, &l, &b, at, results);
}

static bz_status run(call *q, bz_tensor **out) {
    const size_t n = 2 * (size_t)q->nin + 2 * (size_t)q->nout;
    rt_rec r;
    ir_ref *work = bz_mem_zero(n, sizeof *work);
    unsigned *at = bz_mem_zero(q->nin, sizeof *at);
    bz_tensor **made = bz_mem_zero(q->nout, sizeof *made);
    bool done = false;
    if (!work || !at || !made) {
        rt_no_memory(q->c);
    } else if (rt_begin(&r, "vmap", q->site, q->in, q->nin, 0, BZ_NDTYPES)) {
        ir_ref *results = work + 2 * q->nin + q->nout;
        if (!record(q, &r, work, at, results)) memset(results, 0, q->nout * sizeof *results);
        done = rt_end_many(&r, results, q->nout, made);
    } else {
        rt_end(&r, 0);
    }
    for (unsigned k = 0; k < q->nout; k++) out[k] = done ? made[k] : rt_poison(q->c);
    bz_mem_free(work);
    bz_mem_free(at);
    bz_mem_free(made);
    return done ? BZ_OK : q->c->err.status ? q->c->err.status : rt_no_memory(q->c);
}

static const char *mistake(const call *q, bz_tensor *const *out) {
    return !q->f.fn              ? "the function is NULL"
           : !q->in || !out      ? "a list is NULL"
           : q->nin - 1 >= MOST  ? "1 to 4096 operands are needed"
           : q->nout - 1 >= MOST ? "1 to 4096 results are needed"
                                 : NULL;
}

bz_status bz_vmap_at(bz_context *c, bz_function *fn, void *user, bz_tensor *const *in,
                     const int *in_axes, int nin, bz_tensor **out, const int *out_axes, int nout,
                     const char *site) {
    RT_VISIT(c, RT_STRAY_STATUS);
    call q = {.c = c, .site = site, .in = in, .in_axes = in_axes, .out_axes = out_axes};
    q.nin = (unsigned)nin, q.nout = (unsigned)nout;
    q.f = (rt_host_function){fn, user, nin, nout, "vmap", "", site};
    const char *wrong = mistake(&q, out);
    bz_status s = wrong ? rt_fail(c, BZ_EARG, site, "vmap", "%s", wrong) : BZ_OK;
    for (unsigned j = 0; j < q.nin && !s; j++) {
        bz_context *of;
        const rt_tensor *t = rt_find(in[j], &of, "vmap");
        if (!t || of != c)
            s = of == c ? c->err.status
                        : rt_fail(c, t ? BZ_EARG : BZ_ESCOPE, site, "vmap",
                                  "operand %u is no tensor of the context", j);
        else if (rt_is_number(t->st))
            s = rt_fail(c, BZ_EARG, site, "vmap", "operand %u is a bz_scalar: make a tensor of it",
                        j);
    }
    if (!s) return run(&q, out);
    for (unsigned k = 0; out && k < q.nout && q.nout <= MOST; k++) out[k] = rt_poison(c);
    return s;
}
