/* api_custom.c - ops of users: registered, loaded from shared objects, called.
 *
 *     bz_op_call --no gradient, or one by an op--> external --> results
 *                \--a composition----------------> bz_custom_grad(external, vjp) */
#include "runtime/api/custom.h"
#include "runtime/record/record.h"

#include <dlfcn.h>
#include <stdarg.h>
#include <string.h>

/* ---- registering */

/* Takes vjp what `x` has and gives, and gives it what it wants? */
static bool vjp_fits(const ir_external *x, const ir_external *vjp) {
    unsigned n = x->nin + x->nout, given = 0;
    if (vjp->nin < n) return false;
    for (unsigned k = 0; k < n; k++)
        if (vjp->slot[k].dtype != x->slot[k].dtype || vjp->slot[k].rank != x->slot[k].rank)
            return false;
    for (unsigned k = x->nin; k < x->nin + x->nout; k++) {
        if (!ir_is_float(x->slot[k].dtype)) continue;
        if (n >= vjp->nin || vjp->slot[n].dtype != x->slot[k].dtype ||
            vjp->slot[n].rank != x->slot[k].rank)
            return false;
        n++;
    }
    for (unsigned k = 0; k < x->nin; k++) {
        if (!ir_is_float(x->slot[k].dtype)) continue;
        if (given >= vjp->nout || vjp->slot[vjp->nin + given].dtype != x->slot[k].dtype ||
            vjp->slot[vjp->nin + given].rank != x->slot[k].rank)
            return false;
        given++;
    }
    return n == vjp->nin && given == vjp->nout;
}

static bool is_identifier(const char *s) {
    const size_t n = s ? strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")
                       : 0;
    return n && !s[n] && (*s < '0' || *s > '9');
}

int64_t rt_op_add(ir_module *m, const bz_op *op, bz_error *e) {
    if (!op || !is_identifier(op->name) || !op->signature || !op->fn)
        return bz_fail(e, BZ_EARG, "[op_register] an op has a name, of letters, digits and _, a signature and a function"), -1;
    ir_external x = {.name = op->name,
                     .signature = op->signature,
                     .fn = op->fn,
                     .user = op->user,
                     .vjp_function = (ir_external_fn *)op->vjp,
                     .symbol = op->symbol ? op->symbol : op->name,
                     .user_symbol = op->user_symbol};
    if (!is_identifier(x.symbol) || (x.user_symbol && !is_identifier(x.user_symbol)))
        return bz_fail(e, BZ_EARG, "[%s] a symbol is a C identifier", op->name), -1;
    if (op->vjp && op->vjp_op)
        return bz_fail(e, BZ_EARG, "[%s] one gradient is enough: vjp or vjp_op", op->name), -1;
    const int64_t vjp = op->vjp_op ? ir_external_find(m, op->vjp_op) : -1;
    if (op->vjp_op && vjp < 0)
        return bz_fail(e, BZ_EARG, "[%s] vjp_op: there is no op '%s' yet", op->name, op->vjp_op), -1;
    x.vjp = (uint32_t)(vjp + 1);
    const int64_t k = ir_external_add(m, &x, e);
    if (k < 0 || vjp < 0 || vjp_fits(ir_external_at(m, k), ir_external_at(m, vjp))) return k;
    bz_fail(e, BZ_EARG, "[%s] '%s' is no gradient of '%s'", op->name,
            ir_external_at(m, vjp)->signature, op->signature);
    ir_external_drop_last(m);
    return -1;
}

bz_status bz_op_register_at(bz_context *c, const bz_op *op, const char *site) {
    RT_VISIT(c, RT_STRAY_STATUS);
    bz_error e = {0};
    if (rt_op_add(c->m, op, &e) >= 0) return BZ_OK;
    return bz_fail(&c->err, e.status, "%s%s%s", e.text, site ? " at " : "", site ? site : "");
}

/* ---- shared objects */

typedef struct loading {
    ir_module *m;
    bz_error *e;
} loading;

static bz_status add(void *to, const bz_op *op) {
    const loading *l = to;
    return rt_op_add(l->m, op, l->e) >= 0 ? BZ_OK : l->e->status;
}

bz_status rt_op_load(ir_module *m, const char *path, bz_error *e) {
    bz_op_entry *entry = NULL;
    if (!path || !*path) return bz_fail(e, BZ_EARG, "[op_load] no file is named");
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        const char *why = dlerror();
        return bz_fail(e, BZ_EIO, "[op_load] %s", why ? why : path);
    }
    void *at = dlsym(library, "bz_ops");
    if (!at) {
        dlclose(library);
        return bz_fail(e, BZ_EFORMAT,
                       "[op_load] %s defines no bz_ops (bz_status bz_ops(bz_op_add *, void *))", path);
    }
    memcpy(&entry, &at, sizeof entry);
    loading l = {m, e};
    const bz_status s = entry(add, &l);
    if (!s || e->status) return s ? e->status : BZ_OK;
    return bz_fail(e, s, "[op_load] bz_ops of %s gave: %s", path, bz_status_text(s));
}

bz_status bz_op_load_at(bz_context *c, const char *path, const char *site) {
    RT_VISIT(c, RT_STRAY_STATUS);
    bz_error e = {0};
    if (!rt_op_load(c->m, path, &e)) return BZ_OK;
    return bz_fail(&c->err, e.status, "%s%s%s", e.text, site ? " at " : "", site ? site : "");
}

/* ---- calls */

typedef struct op_call {
    int64_t number;
    const char *site;
    bz_function *vjp;
    void *user;
} op_call;

/* What numbers stand beside: operands that are handed over by value keep the digits of an f64 until they are cast. */
static bz_dtype beside(const ir_external *x) {
    for (unsigned k = 0; k < x->nin; k++)
        if (x->slot[k].rank == 0 && ir_is_float(x->slot[k].dtype)) return BZ_F64;
    return BZ_NDTYPES;
}

static bz_status plain(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                       void *call) {
    const op_call *q = call;
    const ir_external *x = ir_external_at(c->m, q->number);
    ir_ref results[IR_EXTERNAL_MOST] = {0};
    rt_rec r;
    const bool ready = rt_begin(&r, x->name, q->site, in, (unsigned)nin, 0, beside(x));
    const ir_ref tuple = ready ? ir_external_call(r.g, q->number, r.x, (unsigned)nin) : 0;
    for (int k = 0; k < nout; k++) results[k] = ir_result(r.g, tuple, (unsigned)k);
    if (rt_end_many(&r, results, (unsigned)nout, out)) return BZ_OK;
    for (int k = 0; k < nout; k++)
        if (!out[k]) out[k] = rt_poison(c);
    return c->err.status ? c->err.status : BZ_EARG;
}

static bz_status backward(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                          void *call) {
    const op_call *q = call;
    return q->vjp(c, in, nin, out, nout, q->user);
}

static const char *mismatch(const ir_external *x, bz_tensor *const *in, int nin, bz_tensor **out,
                            int nout) {
    if (!x) return "there is no op of this name";
    if (!in || !out) return "a list is NULL";
    if (nin != (int)x->nin) return "another number of operands";
    return nout != (int)x->nout ? "another number of results" : NULL;
}

bz_status bz_op_call_at(bz_context *c, const char *name, bz_tensor *const *in, int nin,
                        bz_tensor **out, int nout, const char *site) {
    RT_VISIT(c, RT_STRAY_STATUS);
    const int64_t number = name ? ir_external_find(c->m, name) : -1;
    const ir_external *x = ir_external_at(c->m, number);
    const char *what = mismatch(x, in, nin, out, nout);
    if (what) {
        rt_fail(c, BZ_EARG, site, name ? name : "op_call", "%s%s%s%s", what, x ? " than '" : "",
                x ? x->signature : "", x ? "' has" : "");
        for (int k = 0; out && k < nout && k < IR_EXTERNAL_MOST; k++) out[k] = rt_poison(c);
        return BZ_EARG;
    }
    op_call q = {number, site, (bz_function *)x->vjp_function, x->user};
    if (!q.vjp) return plain(c, in, nin, out, nout, &q);
    return bz_custom_grad_at(c, plain, backward, &q, in, nin, out, nout, site);
}

int bz_op_fail(bz_status s, const char *fmt, ...) {
    char text[240];
    va_list ap;
    va_start(ap, fmt);
    bz_vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return ir_external_said(s, text);
}
