/* customgrad.c - bz_custom_grad: a composed function whose gradient another function says.
 *
 *      in --stop_gradient--> forward --> f ---\
 *      in, stand-ins ------> backward --> b ---> custom_grad --> out        one node of the recording (src/ir/ir.h)
 *
 * Both functions run here and record; nobody calls them later. The canonical form makes out = f, so that b costs nothing unless a
 * gradient is taken: then pass_grad records it once more, with values for the stand-ins. */
#include "runtime/compile/trace.h"

#include <string.h>

enum { MOST = 4096 }; /* inputs, results */

typedef struct custom {
    rt_rec rec;
    bz_context *c;
    bz_function *forward, *backward;
    void *user;
    unsigned nin, nout;
    bz_tensor **x;               /* operands of a function, then its results */
    ir_ref *f, *stands, *in, *b; /* operands of the node: nout, 2 nout, nin, nin */
} custom;

static bz_tensor *operand(const custom *q, ir_ref r) {
    return rt_operand_new(q->c, r, r ? rt_layout_of_node(q->c, q->rec.g, r) : NULL, false);
}

static bz_status failed(bz_context *c) {
    return c->err.status ? c->err.status : rt_no_memory(c);
}

/* ---- forward */

static bz_status run_forward(const custom *q) {
    ir_graph *g = q->rec.g;
    rt_host_function f = {q->forward,    q->user,    (int)q->nin, (int)q->nout,
                          "custom_grad", "forward ", q->rec.site};
    bz_tensor **out = q->x + q->nin;
    for (unsigned j = 0; j < q->nin; j++) {
        ir_ref still = ir_build1(g, IR_STOP_GRADIENT, q->in[j]);
        q->x[j] = operand(q, ir_own(g, still, g->n.n));
        if (!q->x[j]) return failed(q->c);
    }
    bz_status s = rt_run_function(q->c, &f, q->x, out);
    for (unsigned k = 0; k < q->nout && !s; k++)
        s = rt_output_node(q->c, &f, (int)k, out[k], &q->f[k]);
    return s;
}

/* ---- backward */

static bz_status backward_operands(const custom *q) {
    ir_graph *g = q->rec.g;
    for (unsigned k = 0; k < q->nin + 2 * q->nout; k++) {
        bool input = k < q->nin;
        ir_ref of = input ? q->in[k] : q->f[(k - q->nin) % q->nout], r;
        if (input)
            r = ir_own(g, of, g->n.n);
        else
            r = q->stands[k - q->nin] = ir_stand_in(g, of);
        if (!r) return failed(q->c);
        if (k >= q->nin + q->nout && !ir_is_smooth(ir_dtype(g, of))) continue;
        q->x[k] = operand(q, r);
        if (!q->x[k]) return failed(q->c);
    }
    return BZ_OK;
}

static bz_status take_gradient(const custom *q, const rt_host_function *f, unsigned j,
                               bz_tensor *b) {
    ir_graph *g = q->rec.g;
    const char *site = q->rec.site;
    if (!b) {
        q->b[j] = ir_const_like(g, q->in[j], 0);
        return q->b[j] ? BZ_OK : failed(q->c);
    }
    bz_status s = rt_output_node(q->c, f, (int)j, b, &q->b[j]);
    if (s) return s;
    bool fits = ir_dtype(g, q->b[j]) == ir_dtype(g, q->in[j]);
    if (!ir_is_smooth(ir_dtype(g, q->in[j])))
        return rt_fail(q->c, BZ_EDTYPE, site, "custom_grad",
                       "input %u is %s and has no gradient: leave output %u of the backward "
                       "function NULL",
                       j, ir_shape_text(g, q->in[j]), j);
    if (!fits || !ir_same_shape(g, q->b[j], q->in[j]))
        return rt_fail(q->c, fits ? BZ_ESHAPE : BZ_EDTYPE, site, "custom_grad",
                       "the gradient of input %u is %s, the input is %s", j,
                       ir_shape_text(g, q->b[j]), ir_shape_text(g, q->in[j]));
    return BZ_OK;
}

static bz_status run_backward(const custom *q) {
    rt_host_function f = {q->backward, q->user,       (int)(q->nin + 2 * q->nout),
                          (int)q->nin, "custom_grad", "backward ",
                          q->rec.site};
    bz_tensor **out = q->x + f.nin;
    memset(q->x, 0, (2 * (size_t)q->nin + 2 * (size_t)q->nout) * sizeof *q->x);
    bz_status s = backward_operands(q);
    if (!s) s = rt_run_function(q->c, &f, q->x, out);
    for (unsigned j = 0; j < q->nin && !s; j++) s = take_gradient(q, &f, j, out[j]);
    return s;
}

/* ---- the call */

static bz_status inside(const custom *q, bz_status (*run)(const custom *)) {
    rt_inside i;
    bz_status s = rt_inside_begin(q->c, &i);
    if (s) return s;
    s = run(q);
    bool records = rt_inside_end(q->c, &i);
    return s || records ? s : failed(q->c);
}

static bz_status record(custom *q, ir_ref *results) {
    ir_graph *g = q->rec.g;
    memcpy(q->in, q->rec.x,
           q->nin * sizeof *q->in); /* where other calls have their operands, too */
    if (q->rec.c != q->c)
        return rt_fail(q->c, BZ_EARG, q->rec.site, "custom_grad",
                       "the inputs belong to another context");
    bz_status s = inside(q, run_forward);
    uint64_t births = q->c->lineage->births, joins = q->c->epoch->joins;
    if (!s) s = inside(q, run_backward);
    if (!s) s = rt_lose_kept(q->c, births, joins, "custom_grad", q->rec.site);
    ir_ref tuple = s ? 0 : ir_custom_grad(g, q->f, q->nout, q->nin);
    for (unsigned k = 0; k < q->nout && tuple; k++) results[k] = ir_result(g, tuple, k);
    return s;
}

static bz_status call(custom *q, bz_tensor *const *in, bz_tensor **out, const char *site) {
    size_t operands = 3 * (size_t)q->nout + 2 * q->nin;
    ir_ref *nodes = bz_mem_zero(operands + q->nout, sizeof *nodes);
    bool done = false;
    q->x = bz_mem_zero(operands, sizeof *q->x);
    if (!nodes || !q->x) {
        rt_no_memory(q->c);
    } else if (rt_begin(&q->rec, "custom_grad", site, in, q->nin, 0, BZ_NDTYPES)) {
        q->f = nodes;
        q->stands = q->f + q->nout;
        q->in = q->stands + 2 * q->nout;
        q->b = q->in + q->nin;
        ir_ref *results = q->b + q->nin;
        if (record(q, results)) memset(results, 0, q->nout * sizeof *results);
        done = rt_end_many(&q->rec, results, q->nout, out);
    } else {
        rt_end(&q->rec, 0);
    }
    for (unsigned k = 0; k < q->nout && !done; k++) out[k] = rt_poison(q->c);
    bz_mem_free(nodes);
    bz_mem_free(q->x);
    return done ? BZ_OK : q->c->err.status;
}

static bz_status check(bz_context *c, const custom *q, bz_tensor *const *in, bz_tensor **out,
                       const char *site) {
    const char *what = !q->forward           ? "there is no forward function"
                       : !q->backward        ? "there is no backward function"
                       : !in || !out         ? "a list is NULL"
                       : q->nin - 1 >= MOST  ? "1 to 4096 inputs are needed"
                       : q->nout - 1 >= MOST ? "1 to 4096 results are needed"
                                             : NULL;
    return what ? rt_fail(c, BZ_EARG, site, "custom_grad", "%s", what) : BZ_OK;
}

bz_status bz_custom_grad_at(bz_context *c, bz_function *forward, bz_function *backward, void *user,
                            bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                            const char *site) {
    RT_VISIT(c, RT_STRAY_STATUS);
    custom q = {.c = c,
                .forward = forward,
                .backward = backward,
                .user = user,
                .nin = (unsigned)nin,
                .nout = (unsigned)nout};
    bz_status s = check(c, &q, in, out, site);
    if (!s) return call(&q, in, out, site);
    for (int k = 0; out && k < nout && k < MOST; k++) out[k] = rt_poison(c);
    return s;
}
