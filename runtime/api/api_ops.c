/* api_ops.c - public builders that the tables of ops make: elementwise ones; what those of api_made.c share; optimizers. */
#include "runtime/record/record.h"

#include <string.h>

/* ---- elementwise: one function per line of ops.def */

static bz_tensor *elementwise(ir_op op, bz_tensor *const *x, unsigned n, const char *site) {
    rt_rec r;
    bool ready = rt_begin_op(&r, op, ir_ops[op].name, site, x, n, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_build(r.g, op, r.x, n) : 0);
}

#define ARITY_1(E, name)                                                                           \
    bz_tensor *bz_##name##_at(bz_tensor *x, const char *site) {                                    \
        return elementwise(IR_##E, &x, 1, site);                                                   \
    }
#define ARITY_2(E, name)                                                                           \
    bz_tensor *bz_##name##_at(bz_tensor *x, bz_tensor *y, const char *site) {                      \
        return elementwise(IR_##E, (bz_tensor *[]){x, y}, 2, site);                                \
    }
#define ARITY_3(E, name)                                                                           \
    bz_tensor *bz_##name##_at(bz_tensor *x, bz_tensor *y, bz_tensor *z, const char *site) {        \
        return elementwise(IR_##E, (bz_tensor *[]){x, y, z}, 3, site);                             \
    }
/* cast and bitcast take a dtype, philox belongs to rand: by hand */
#define BUILD_SAME(E, name, arity)   ARITY_##arity(E, name)
#define BUILD_FLOAT(E, name, arity)  ARITY_##arity(E, name)
#define BUILD_BOOL(E, name, arity)   ARITY_##arity(E, name)
#define BUILD_INT(E, name, arity)    ARITY_##arity(E, name)
#define BUILD_SELECT(E, name, arity) ARITY_##arity(E, name)
#define BUILD_CONV(E, name, arity)
#define IR_BASE(E, name, arity, rule, ...) BUILD_##rule(E, name, arity)
#define IR_OP(E, name, arity, rule, ...)   BUILD_##rule(E, name, arity)
bz_tensor *bz_philox_at(bz_tensor *x, bz_tensor *y,
                        const char *site); /* in the table, not in the public header */
#include "src/ir/ops.def"

/* ---- what the generated builders of api_made.c share */

bool rt_list(rt_rec *r, const void *list, int n) {
    bool possible = n >= 0 && n <= IR_MAX_RANK;
    if (possible && (list || !n)) return true;
    if (possible)
        ir_error(r->g, BZ_EARG, IR_REDUCE, "no list of %d axes: it is NULL", n);
    else
        ir_error(r->g, BZ_EAXIS, IR_REDUCE, "%d axes; 0 to %d are possible", n, IR_MAX_RANK);
    return false;
}

bool rt_list_or_none(rt_rec *r, const void *list, int n) {
    return rt_list(r, list ? list : &n, n);
}

bool rt_counts(rt_rec *r, const int64_t *list, int n) {
    if (n == 0 || (n > 0 && list)) return true;
    ir_error(r->g, BZ_EARG, IR_REDUCE, "no list of %d numbers%s", n, n > 0 ? ": it is NULL" : "");
    return false;
}

bool rt_dtype(rt_rec *r, bz_dtype t) {
    if ((unsigned)t < BZ_NDTYPES) return true;
    ir_error(r->g, BZ_EDTYPE, IR_CAST, "there is no dtype %d", (int)t);
    return false;
}

bz_tensor *rt_end_results(rt_rec *r, const ir_ref *made, unsigned n, bz_tensor **const *more) {
    ir_ref nodes[RT_FEW];
    unsigned place[RT_FEW], wanted = 1;
    bz_tensor *out[RT_FEW + 1] = {NULL}; /* the last one stays NULL */
    const bool good = made[0] && !r->g->err.status;
    bz_assert(n <= RT_FEW);
    nodes[0] = made[0];
    for (unsigned k = 1; k < n; k++) {
        const bool there = more[k - 1] && (made[k] || !good);
        place[k] = there ? wanted : RT_FEW;
        if (there) nodes[wanted++] = made[k];
    }
    rt_end_many(r, nodes, wanted, out);
    for (unsigned k = 1; k < n; k++)
        if (more[k - 1]) *more[k - 1] = out[place[k]];
    return out[0];
}

/* ---- two forms of one builder */

static bz_tensor *gelu(bz_tensor *x, const char *op, bool tanh, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, op, site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_gelu(r.g, r.x[0], tanh) : 0);
}

bz_tensor *bz_gelu_at(bz_tensor *x, const char *site) {
    return gelu(x, "gelu", false, site);
}

bz_tensor *bz_gelu_tanh_at(bz_tensor *x, const char *site) {
    return gelu(x, "gelu_tanh", true, site);
}

/* ---- optimizers: rates and step numbers that are plain numbers keep the precision of a double */

bz_tensor *bz_sgd_step_at(bz_tensor *p, bz_tensor *grad, bz_tensor *lr, bz_tensor **velocity,
                          const bz_sgd_options *o, const char *site) {
    static const bz_sgd_options none;
    rt_rec r;
    bz_tensor *out[2] = {NULL, NULL};
    o = o ? o : &none;
    bool ready = rt_begin(&r, "sgd_step", site,
                          (bz_tensor *[]){p, grad, lr, velocity ? *velocity : NULL, o->found_inf},
                          5, 1 << 3 | 1 << 4, BZ_F64);
    ir_ref v = ready ? r.x[3] : 0;
    ir_ref next = ready ? ir_sgd(r.g, r.x[0], r.x[1], r.x[2], o->momentum, o->weight_decay,
                                 o->nesterov, &v, r.x[4])
                        : 0;
    rt_end_many(&r, (ir_ref[]){next, v}, velocity && *velocity ? 2 : 1, out);
    if (velocity && *velocity) *velocity = out[1];
    return out[0];
}

bz_tensor *bz_adam_step_at(bz_tensor *p, bz_tensor *grad, bz_tensor **m, bz_tensor **v,
                           bz_tensor *t, bz_tensor *lr, const bz_adam_options *o,
                           const char *site) {
    static const bz_adam_options defaults = BZ_ADAM_DEFAULTS;
    rt_rec r;
    bz_tensor *out[3] = {NULL, NULL, NULL};
    o = o ? o : &defaults;
    bz_tensor *none = NULL;
    m = m ? m : &none;
    v = v ? v : &none;
    bool ready = rt_begin(&r, "adam_step", site,
                          (bz_tensor *[]){p, grad, *m, *v, t, lr, o->found_inf}, 7, 1 << 6, BZ_F64);
    ir_ref new_m = ready ? r.x[2] : 0, new_v = ready ? r.x[3] : 0, next = 0;
    if (ready)
        next = ir_adam(r.g, r.x[0], r.x[1], &new_m, &new_v, r.x[4], r.x[5], o->beta1, o->beta2,
                       o->eps, o->weight_decay, o->decoupled, r.x[6]);
    rt_end_many(&r, (ir_ref[]){next, new_m, new_v}, 3, out);
    *m = out[1];
    *v = out[2];
    return out[0];
}

/* ---- loss scaling */

static bz_tensor *no_memory(bz_tensor *x) {
    bz_context *c = bz_context_of(x);
    return c ? (rt_no_memory(c), rt_poison(c)) : NULL;
}

bz_tensor *bz_grad_norm_at(bz_tensor *scale, bz_tensor *const *x, int n, bz_tensor **found_inf,
                           const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    if (found_inf) *found_inf = NULL;
    if (n <= 0 || !x) return NULL;
    bz_tensor **all = bz_mem_alloc(((size_t)n + 1) * sizeof *all);
    if (!all) return no_memory(x[0]);
    all[0] = scale;
    memcpy(all + 1, x, (size_t)n * sizeof *all);
    if (rt_begin(&r, "grad_norm", site, all, (unsigned)n + 1, 1, BZ_F32))
        made[0] = ir_grad_norm(r.g, r.x[0], r.x + 1, (unsigned)n, &made[1]);
    bz_mem_free(all);
    return rt_end_results(&r, made, 2, (bz_tensor * *[]){found_inf});
}

bz_tensor *bz_grad_scaler_update_at(bz_tensor *scale, bz_tensor **growth_tracker,
                                    bz_tensor *found_inf, const bz_grad_scaler_options *o,
                                    const char *site) {
    static const bz_grad_scaler_options defaults = BZ_GRAD_SCALER_DEFAULTS;
    rt_rec r;
    ir_ref made[2] = {0};
    bz_tensor *none = NULL;
    o = o ? o : &defaults;
    growth_tracker = growth_tracker ? growth_tracker : &none;
    if (rt_begin(&r, "grad_scaler_update", site, (bz_tensor *[]){scale, *growth_tracker, found_inf},
                 3, 0, BZ_NDTYPES)) {
        made[1] = r.x[1];
        made[0] = ir_grad_scaler_update(r.g, r.x[0], &made[1], r.x[2], o->growth_factor,
                                        o->backoff_factor, o->growth_interval);
    }
    return rt_end_results(&r, made, 2, (bz_tensor * *[]){growth_tracker});
}
