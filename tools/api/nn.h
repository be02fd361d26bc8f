/* nn.h - folds over axes, products, layers, losses, optimizer steps.
 * Made by tools/api.py from tools/api/nn.h and src/ir/builders.def: do not edit.
 *
 * axes: n of them, negative counts from the end, no repeats; n = 0: all axes; 0-d tensors have the axes 0 and -1. keepdim
 * leaves them with size 1. Halves are computed in f32 and rounded once. Arguments at the end for which docs/ops.md has a default may
 * be left out where no list is among them: bz_elu(x), bz_elu(x, 0.5), bz_mse_loss(x, y). Errors: BZ_EAXIS, BZ_ESHAPE, BZ_EDTYPE. */
#ifndef BRAZE_NN_H
#define BRAZE_NN_H

#include "braze/operand.h"

/* ---- folds. sum, prod: floats keep their dtype, integers and bool give i64; any, all: bool; argmax, argmin: i64, one axis or all */

@section folds

/* ---- statistics, orders, distances */
@words interpolation

@section statistics

/* ---- products */

@section products

/* ---- products by their names: of two of these the inner sizes are one */

@section named_products

/* ---- linear algebra by LAPACK, of f32 or f64 [..., n, m], which is found at run time ($BRAZE_LAPACK, docs/custom.md): BZ_EUNSUPPORTED with
 * what was looked for where it is not there. In exports: none */
@section linalg

/* ---- windows, and images of other sizes */
@words resize
@words sample
@words border

@section windows

/* ---- activations and normalisations; results have x's shape */

@section activations

BZ_API bz_tensor *bz_gelu_at(bz_tensor *x, const char *site);      /* x/2 (1 + erf(x / sqrt 2)) */
BZ_API bz_tensor *bz_gelu_tanh_at(bz_tensor *x, const char *site); /* the form with tanh */
#define bz_gelu(...)      bz_gelu_at(__VA_ARGS__, BZ_SITE)
#define bz_gelu_tanh(...) bz_gelu_tanh_at(__VA_ARGS__, BZ_SITE)

/* ---- losses: of each element, then reduced: as they are, their mean (the default), their sum, their sum over the size of axis 0 */
@words reduction

@section losses

/* ---- optimizer steps of one parameter, PyTorch's rules: give the new parameter; new moments replace *velocity, *m, *v.
 * lr and t (number of this step, from 1): 0-d tensors or numbers. */
typedef struct bz_sgd_options {
    double momentum, weight_decay;
    bool nesterov;
    bz_tensor *found_inf; /* NULL, or bz_grad_norm's: where it is true all stays as it is */
} bz_sgd_options;
/* velocity: NULL when momentum is 0. o: NULL = all 0. */
BZ_API bz_tensor *bz_sgd_step_at(bz_tensor *p, bz_tensor *grad, bz_tensor *lr, bz_tensor **velocity,
                                 const bz_sgd_options *o, const char *site);
typedef struct bz_adam_options {
    double beta1, beta2, eps, weight_decay;
    bool decoupled; /* AdamW: decay apart from the gradient */
    bz_tensor *found_inf; /* as above */
} bz_adam_options;
#define BZ_ADAM_DEFAULTS                                                                           \
    { 0.9, 0.999, 1e-8, 0, false, NULL }
#define BZ_ADAMW_DEFAULTS                                                                          \
    { 0.9, 0.999, 1e-8, 1e-2, true, NULL }
/* o: NULL = BZ_ADAM_DEFAULTS. */
BZ_API bz_tensor *bz_adam_step_at(bz_tensor *p, bz_tensor *grad, bz_tensor **m, bz_tensor **v,
                                  bz_tensor *t, bz_tensor *lr, const bz_adam_options *o,
                                  const char *site);

static inline bz_tensor *bz_sgd_step_with_(bz_tensor *p, bz_tensor *grad, bz_operand lr,
                                           bz_tensor **velocity, const bz_sgd_options *o,
                                           const char *site) {
    bz_operand x[] = {bz_of_tensor_(p), lr};
    bz_numbers_begin(x, 2, site);
    bz_tensor *next = bz_sgd_step_at(p, grad, x[1].v.tensor, velocity, o, site);
    bz_numbers_end(x, 2);
    return next;
}

static inline bz_tensor *bz_adam_step_with_(bz_tensor *p, bz_tensor *grad, bz_tensor **m,
                                            bz_tensor **v, bz_operand t, bz_operand lr,
                                            const bz_adam_options *o, const char *site) {
    bz_operand x[] = {bz_of_tensor_(p), t, lr};
    bz_numbers_begin(x, 3, site);
    bz_tensor *next = bz_adam_step_at(p, grad, m, v, x[1].v.tensor, x[2].v.tensor, o, site);
    bz_numbers_end(x, 3);
    return next;
}
#define bz_sgd_step(p, grad, lr, ...)                                                              \
    bz_sgd_step_with_((p), (grad), BZ_OPERAND(lr), __VA_ARGS__, BZ_SITE)
#define bz_adam_step(p, grad, m, v, t, lr, ...)                                                    \
    bz_adam_step_with_((p), (grad), (m), (v), BZ_OPERAND(t), BZ_OPERAND(lr), __VA_ARGS__, BZ_SITE)

/* ---- dynamic loss scaling (docs/mixed.md): torch.amp.GradScaler's rules as values, which no step waits for.
 *
 *     bz_grad(bz_mul(loss, scale), p, n, grad);
 *     norm = bz_grad_norm(scale, grad, n, &found_inf);
 *     p[k] = bz_adam_step(p[k], bz_unscale(grad[k], scale, norm, 1), &m[k], &v[k], t, lr, &(bz_adam_options){.found_inf = found_inf ...});
 *     scale = bz_grad_scaler_update(scale, &growth_tracker, found_inf, NULL); */

@section scaling

typedef struct bz_grad_scaler_options {
    double growth_factor, backoff_factor;
    int64_t growth_interval;
} bz_grad_scaler_options;
#define BZ_GRAD_SCALER_DEFAULTS                                                                    \
    { 2, 0.5, 2000 }
/* The next scale: scale (0-d, floating; PyTorch begins with 65536) times backoff_factor where found_inf, times growth_factor after
 * growth_interval steps without, unless it would not be finite. *growth_tracker, 0-d integer, at first 0, counts these steps, and is
 * replaced. o: NULL = BZ_GRAD_SCALER_DEFAULTS. Errors: BZ_EARG (factors), BZ_ESHAPE, BZ_EDTYPE. */
BZ_API bz_tensor *bz_grad_scaler_update_at(bz_tensor *scale, bz_tensor **growth_tracker,
                                           bz_tensor *found_inf, const bz_grad_scaler_options *o,
                                           const char *site);
#define bz_grad_scaler_update(...) bz_grad_scaler_update_at(__VA_ARGS__, BZ_SITE)

#endif
