/* grad.c - bz_grad: gradients as nodes of the epoch that records. */
#include "runtime/rt.h"

#include <string.h>

/* Does `from` depend on node r? marks[] is set up by reached(). */
static bool reached(bz_context *c, const ir_graph *g, ir_ref from) {
    c->marks.n = 0;
    if (!bz_vec_reserve(&c->marks, g->n.n)) return false;
    memset(c->marks.p, 0, g->n.n);
    c->marks.p[from] = 1;
    for (ir_ref r = from; r > 0; r--) {
        const ir_node *n = ir_at(g, r);
        for (unsigned k = 0; c->marks.p[r] && k < n->nin; k++) c->marks.p[ir_in(g, n)[k]] = 1;
    }
    return true;
}

/* A wrt that the loss does not see may have been seen before it was changed in place: then zeros would be a lie. */
static bool check_wrt(rt_rec *r, bz_tensor *const *wrt, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        bz_context *c;
        const rt_storage *s = rt_find_quietly(wrt[i], &c)->st;
        if (c->marks.p[r->x[i + 1]] || s->version == 0 || s->before_epoch != c->epoch->id ||
            !c->marks.p[s->before])
            continue;
        rt_fail(
            c, BZ_EGRAD, r->site, "grad",
            "number %u of wrt was changed in place by %s at %s after the loss was computed from it",
            i, s->write_op, s->write_site ? s->write_site : "?");
        return false;
    }
    return true;
}

/* A wrt that the loss does not see may have been seen before braze itself ended a recording. */
static bool check_recording(rt_rec *r, bz_tensor *const *wrt, unsigned n) {
    (void)wrt;
    bool seen = true, cut = false;
    for (unsigned i = 0; i < n; i++) seen &= r->c->marks.p[r->x[i + 1]] != 0;
    for (uint32_t i = 0; i < r->c->epoch->args.n && !seen; i++) {
        const rt_buffer *b = r->c->epoch->args.p[i].buf;
        cut |= b && b->forgotten && r->c->marks.p[r->g->inputs.p[i].node];
    }
    if (!cut) return true;
    rt_fail(r->c, BZ_EGRAD, r->site, "grad",
            "the recording became so long that its start was let go: use scopes, or bz_eval "
            "between steps");
    return false;
}

/* The loss's history went with bz_eval: its node is an input that nothing leads to. */
static bool check_loss(rt_rec *r, bz_tensor *const *wrt, unsigned n) {
    (void)wrt;
    if (ir_at(r->g, r->x[0])->op != IR_INPUT) return true;
    for (unsigned i = 0; i < n; i++)
        if (r->x[i + 1] == r->x[0]) return true;
    rt_fail(r->c, BZ_EGRAD, r->site, "grad",
            "how the loss came about is not known: it was evaluated (or is data); call bz_grad "
            "before bz_eval");
    return false;
}

/* A number is a new scalar input wherever it is used: no loss depends on it as a variable. */
static bool check_numbers(rt_rec *r, bz_tensor *const *wrt, unsigned n) {
    for (unsigned i = 0; i < n; i++) {
        bz_context *c;
        const rt_storage *s = rt_find_quietly(wrt[i], &c)->st;
        if (s->kind != RT_SCALAR && s->kind != RT_SCALAR_INT) continue;
        rt_fail(r->c, BZ_EGRAD, r->site, "grad",
                "number %u of wrt is a bz_scalar: make a 0-d tensor with bz_full or bz_from_data",
                i);
        return false;
    }
    return true;
}

bz_status bz_grad_at(bz_tensor *loss, bz_tensor *const *wrt, int n, bz_tensor **out,
                     const char *site) {
    rt_rec r = {.site = site};
    if (n > 0 && (!wrt || !out)) {
        r.c = bz_context_of(loss);
        return r.c ? rt_fail(r.c, BZ_EARG, site, "grad", "%s is NULL", wrt ? "out" : "wrt")
                   : BZ_EARG;
    }
    unsigned count = n > 0 ? (unsigned)n : 0;
    bz_tensor **x = bz_mem_alloc((count + 1) * sizeof *x);
    ir_ref *grads = bz_mem_zero(count + 1, sizeof *grads);
    bool ready = x && grads;
    if (ready) {
        x[0] = loss;
        memcpy(x + 1, wrt, count * sizeof *x);
        ready = rt_begin(&r, site, x, count + 1, 0, BZ_NDTYPES);
    }
    ready = ready && reached(r.c, r.g, r.x[0]) && check_loss(&r, wrt, count) &&
            check_wrt(&r, wrt, count) && check_recording(&r, wrt, count) &&
            check_numbers(&r, wrt, count);
    if (ready) {
        bz_status s = pass_grad(r.g, r.x[0], 0, r.x + 1, count, grads);
        if (s && !r.g->err.status) bz_fail(&r.c->err, s, "[grad] failed at %s", site ? site : "?");
        ready = s == BZ_OK;
    }
    if (!ready)
        memset(grads ? grads : (ir_ref[1]){0}, 0,
               grads ? (count + 1) * sizeof *grads : sizeof(ir_ref));
    bz_status status = BZ_OK;
    if (!grads || !rt_end_many(&r, grads, count, out)) {
        for (unsigned i = 0; i < count && !grads; i++) out[i] = r.c ? rt_poison(r.c) : NULL;
        status = r.c && r.c->err.status ? r.c->err.status : r.c || !grads ? BZ_ENOMEM : BZ_ESCOPE;
    }
    bz_mem_free(grads);
    bz_mem_free(x);
    return status;
}
