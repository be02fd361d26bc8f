/* api_ops.c - the public builders that are one constructor each: elementwise ops, folds, products, layers, optimizers. */
#include "runtime/rt.h"

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

#define UNARY(op, r, x, node)                                                                      \
    rt_rec r;                                                                                      \
    bool ready = rt_begin(&r, op, site, &x, 1, 0, BZ_NDTYPES);                                     \
    return rt_end(&r, ready ? (node) : 0)

bz_tensor *bz_cast_at(bz_tensor *x, bz_dtype t, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cast", site, &x, 1, 0, BZ_NDTYPES);
    if (ready && (unsigned)t >= BZ_NDTYPES)
        return rt_end(&r, ir_error(r.g, BZ_EDTYPE, IR_CAST, "there is no dtype %d", (int)t));
    return rt_end(&r, ready ? ir_cast(r.g, r.x[0], t) : 0);
}

bz_tensor *bz_bitcast_at(bz_tensor *x, bz_dtype t, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "bitcast", site, &x, 1, 0, BZ_NDTYPES);
    if (ready && (unsigned)t >= BZ_NDTYPES)
        return rt_end(&r, ir_error(r.g, BZ_EDTYPE, IR_BITCAST, "there is no dtype %d", (int)t));
    return rt_end(&r, ready ? ir_bitcast(r.g, r.x[0], t) : 0);
}

/* ---- folds */

static bool check_axes(rt_rec *r, const int *axes, int n) {
    bool possible = n >= 0 && n <= IR_MAX_RANK;
    if (possible && (axes || !n)) return true;
    if (possible)
        ir_error(r->g, BZ_EARG, IR_REDUCE, "no list of %d axes: it is NULL", n);
    else
        ir_error(r->g, BZ_EAXIS, IR_REDUCE, "%d axes; 0 to %d are possible", n, IR_MAX_RANK);
    return false;
}

static bz_tensor *reduce(const char *op, ir_reduce_kind kind, bz_tensor *x, const int *axes, int n,
                         bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, op, site, &x, 1, 0, BZ_NDTYPES) && check_axes(&r, axes, n);
    return rt_end(&r, ready ? ir_reduce(r.g, kind, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

#define REDUCTION(name, kind, doc)                                                                 \
    bz_tensor *bz_##name##_at(bz_tensor *x, const int *axes, int n, bool keepdim,                  \
                              const char *site) {                                                  \
        return reduce(#name, kind, x, axes, n, keepdim, site);                                     \
    }
BZ_REDUCTIONS(REDUCTION)

bz_tensor *bz_mean_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    UNARY("mean", r, x,
          check_axes(&r, axes, n) ? ir_mean(r.g, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_var_at(bz_tensor *x, const int *axes, int n, int correction, bool keepdim,
                     const char *site) {
    UNARY("var", r, x,
          check_axes(&r, axes, n) ? ir_var(r.g, r.x[0], axes, (unsigned)n, correction, keepdim)
                                  : 0);
}

bz_tensor *bz_logsumexp_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    UNARY("logsumexp", r, x,
          check_axes(&r, axes, n) ? ir_logsumexp(r.g, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

/* ---- activations, normalisations */

bz_tensor *bz_softmax_at(bz_tensor *x, int axis, const char *site) {
    UNARY("softmax", r, x, ir_softmax(r.g, r.x[0], axis));
}

bz_tensor *bz_log_softmax_at(bz_tensor *x, int axis, const char *site) {
    UNARY("log_softmax", r, x, ir_log_softmax(r.g, r.x[0], axis));
}

bz_tensor *bz_gelu_at(bz_tensor *x, const char *site) {
    UNARY("gelu", r, x, ir_gelu(r.g, r.x[0], false));
}

bz_tensor *bz_gelu_tanh_at(bz_tensor *x, const char *site) {
    UNARY("gelu_tanh", r, x, ir_gelu(r.g, r.x[0], true));
}

bz_tensor *bz_silu_at(bz_tensor *x, const char *site) {
    UNARY("silu", r, x, ir_silu(r.g, r.x[0]));
}

enum { SECOND_OPTIONAL = 1 << 1, THIRD_OPTIONAL = 1 << 2 };

bz_tensor *bz_layer_norm_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, int ndims, double eps,
                            const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "layer_norm", site, (bz_tensor *[]){x, weight, bias}, 3,
                          SECOND_OPTIONAL | THIRD_OPTIONAL, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_layer_norm(r.g, r.x[0], r.x[1], r.x[2],
                                            ndims < 0 ? IR_MAX_RANK + 1 : (unsigned)ndims, eps)
                            : 0);
}

bz_tensor *bz_rms_norm_at(bz_tensor *x, bz_tensor *weight, double eps, const char *site) {
    rt_rec r;
    bool ready =
        rt_begin(&r, "rms_norm", site, (bz_tensor *[]){x, weight}, 2, SECOND_OPTIONAL, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_rms_norm(r.g, r.x[0], r.x[1], eps) : 0);
}

/* ---- products, losses */

#define BINARY(op, r, x, y, beside, node)                                                          \
    rt_rec r;                                                                                      \
    bool ready = rt_begin(&r, op, site, (bz_tensor *[]){x, y}, 2, 0, beside);                      \
    return rt_end(&r, ready ? (node) : 0)

bz_tensor *bz_matmul_at(bz_tensor *x, bz_tensor *y, const char *site) {
    BINARY("matmul", r, x, y, BZ_NDTYPES, ir_matmul(r.g, r.x[0], r.x[1]));
}

bz_tensor *bz_linear_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "linear", site, (bz_tensor *[]){x, weight, bias}, 3, THIRD_OPTIONAL,
                          BZ_NDTYPES);
    return rt_end(&r, ready ? ir_linear(r.g, r.x[0], r.x[1], r.x[2]) : 0);
}

bz_tensor *bz_cross_entropy_at(bz_tensor *logits, bz_tensor *target, const char *site) {
    BINARY("cross_entropy", r, logits, target, BZ_I64, ir_cross_entropy(r.g, r.x[0], r.x[1]));
}

bz_tensor *bz_mse_loss_at(bz_tensor *x, bz_tensor *y, const char *site) {
    BINARY("mse_loss", r, x, y, BZ_NDTYPES, ir_mse_loss(r.g, r.x[0], r.x[1]));
}

bz_tensor *bz_gather_at(bz_tensor *x, bz_tensor *index, int axis, const char *site) {
    BINARY("gather", r, x, index, BZ_I64, ir_gather(r.g, r.x[0], r.x[1], axis));
}

/* ---- optimizers: rates and step numbers that are plain numbers keep the precision of a double */

bz_tensor *bz_sgd_step_at(bz_tensor *p, bz_tensor *grad, bz_tensor *lr, bz_tensor **velocity,
                          const bz_sgd_options *o, const char *site) {
    static const bz_sgd_options none;
    rt_rec r;
    bz_tensor *out[2] = {NULL, NULL};
    o = o ? o : &none;
    bool ready =
        rt_begin(&r, "sgd_step", site, (bz_tensor *[]){p, grad, lr, velocity ? *velocity : NULL}, 4,
                 1 << 3, BZ_F64);
    ir_ref v = ready ? r.x[3] : 0;
    ir_ref next =
        ready ? ir_sgd(r.g, r.x[0], r.x[1], r.x[2], o->momentum, o->weight_decay, o->nesterov, &v)
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
    bool ready =
        rt_begin(&r, "adam_step", site, (bz_tensor *[]){p, grad, *m, *v, t, lr}, 6, 0, BZ_F64);
    ir_ref new_m = ready ? r.x[2] : 0, new_v = ready ? r.x[3] : 0, next = 0;
    if (ready)
        next = ir_adam(r.g, r.x[0], r.x[1], &new_m, &new_v, r.x[4], r.x[5], o->beta1, o->beta2,
                       o->eps, o->weight_decay, o->decoupled);
    rt_end_many(&r, (ir_ref[]){next, new_m, new_v}, 3, out);
    *m = out[1];
    *v = out[2];
    return out[0];
}
