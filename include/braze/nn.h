/* nn.h - folds over axes, products, layers, losses, optimizer steps.
 * Made by tools/api.py from tools/api/nn.h and src/ir/builders.def: do not edit.
 *
 * axes: n of them, negative counts from the end, no repeats; n = 0: all axes; 0-d tensors have the axes 0 and -1. keepdim
 * leaves them with size 1. Halves are computed in f32 and rounded once. Errors: BZ_EAXIS, BZ_ESHAPE, BZ_EDTYPE. */
#ifndef BRAZE_NN_H
#define BRAZE_NN_H

#include "braze/operand.h"

/* ---- folds. sum, prod: floats keep their dtype, integers and bool give i64; any, all: bool; argmax, argmin: i64, one axis or all */

/* Sum; 0 of nothing. */
BZ_API bz_tensor *bz_sum_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Product; 1 of nothing. */
BZ_API bz_tensor *bz_prod_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Largest element, NaN if any is; of nothing: BZ_ESHAPE. */
BZ_API bz_tensor *bz_max_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Smallest element, NaN if any is; of nothing: BZ_ESHAPE. */
BZ_API bz_tensor *bz_min_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Is any element not 0? */
BZ_API bz_tensor *bz_any_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Is no element 0? */
BZ_API bz_tensor *bz_all_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Index of the first largest element, of the first NaN if there is one. */
BZ_API bz_tensor *bz_argmax_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                               const char *site);
/* Index of the first smallest element, of the first NaN if there is one. */
BZ_API bz_tensor *bz_argmin_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                               const char *site);
/* Arithmetic mean. */
BZ_API bz_tensor *bz_mean_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site);
/* Sum of (x - mean)^2 over (count - correction): bz_var(x, BZ_ALL, 1). PyTorch's default is 1. */
BZ_API bz_tensor *bz_var_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                            const char *site);
/* Log of the sum of e^x. */
BZ_API bz_tensor *bz_logsumexp_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                                  const char *site);
/* Sum of all up to and with each element, along an axis. Floats keep their dtype, integers and bool give i64. reverse: from the end;
 * exclusive: without the element itself. */
BZ_API bz_tensor *bz_cumsum_at(bz_tensor *x, int axis, bool reverse, bool exclusive,
                               const char *site);
/* Product of all up to and with each element, along an axis. As bz_cumsum. */
BZ_API bz_tensor *bz_cumprod_at(bz_tensor *x, int axis, bool reverse, bool exclusive,
                                const char *site);
/* Largest of all up to and with each element, along an axis. indices (may be NULL) takes its i64 place: of equal ones the last. From
 * a NaN on all are NaN. */
BZ_API bz_tensor *bz_cummax_at(bz_tensor *x, int axis, bool reverse, bz_tensor **indices,
                               const char *site);
/* Smallest of all up to and with each element, along an axis. As bz_cummax. */
BZ_API bz_tensor *bz_cummin_at(bz_tensor *x, int axis, bool reverse, bz_tensor **indices,
                               const char *site);
/* Log of the sum of e^x of all up to and with each element, along an axis. Integers and bool give f32. reverse, exclusive: as of
 * bz_cumsum. */
BZ_API bz_tensor *bz_logcumsumexp_at(bz_tensor *x, int axis, bool reverse, bool exclusive,
                                     const char *site);
#define bz_sum(...)          bz_sum_at(__VA_ARGS__, BZ_SITE)
#define bz_prod(...)         bz_prod_at(__VA_ARGS__, BZ_SITE)
#define bz_max(...)          bz_max_at(__VA_ARGS__, BZ_SITE)
#define bz_min(...)          bz_min_at(__VA_ARGS__, BZ_SITE)
#define bz_any(...)          bz_any_at(__VA_ARGS__, BZ_SITE)
#define bz_all(...)          bz_all_at(__VA_ARGS__, BZ_SITE)
#define bz_argmax(...)       bz_argmax_at(__VA_ARGS__, BZ_SITE)
#define bz_argmin(...)       bz_argmin_at(__VA_ARGS__, BZ_SITE)
#define bz_mean(...)         bz_mean_at(__VA_ARGS__, BZ_SITE)
#define bz_var(...)          bz_var_at(__VA_ARGS__, BZ_SITE)
#define bz_logsumexp(...)    bz_logsumexp_at(__VA_ARGS__, BZ_SITE)
#define bz_cumsum(...)       bz_cumsum_at(__VA_ARGS__, BZ_SITE)
#define bz_cumprod(...)      bz_cumprod_at(__VA_ARGS__, BZ_SITE)
#define bz_cummax(...)       bz_cummax_at(__VA_ARGS__, BZ_SITE)
#define bz_cummin(...)       bz_cummin_at(__VA_ARGS__, BZ_SITE)
#define bz_logcumsumexp(...) bz_logcumsumexp_at(__VA_ARGS__, BZ_SITE)

/* ---- products */

/* NumPy's: [.., n, k] [.., k, m] -> [.., n, m]; 1-d operands are a row on the left, a column on the right; the rest broadcasts. */
BZ_API bz_tensor *bz_matmul_at(bz_tensor *x, bz_tensor *y, const char *site);
/* x [.., in] times weight [out, in] transposed, plus bias [out] (NULL: none) -> [.., out] */
BZ_API bz_tensor *bz_linear_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const char *site);
#define bz_matmul(...) bz_matmul_at(__VA_ARGS__, BZ_SITE)
#define bz_linear(...) bz_linear_at(__VA_ARGS__, BZ_SITE)

/* ---- windows */

/* Convolution of x [N, C, L], or one sample [C, L], with weight [O, C / groups, K], plus bias [O] (NULL: none) -> [N, O, ...].
 * stride, padding (zeros at either end), dilation: a number for each axis, or n = 1 for all, or NULL: 1, 0, 1. same: padding so that
 * there are as many windows as elements (stride 1). */
BZ_API bz_tensor *bz_conv1d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const int *stride,
                               const int *padding, const int *dilation, int n, int groups,
                               bool same, const char *site);
/* Convolution of x [N, C, H, W], or one sample [C, H, W], with weight [O, C / groups, KH, KW], plus bias [O] (NULL: none) -> [N, O,
 * ...]. stride, padding (zeros at either end), dilation: a number for each axis, or n = 1 for all, or NULL: 1, 0, 1. same: padding
 * so that there are as many windows as elements (stride 1). */
BZ_API bz_tensor *bz_conv2d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const int *stride,
                               const int *padding, const int *dilation, int n, int groups,
                               bool same, const char *site);
/* Convolution of x [N, C, D, H, W], or one sample [C, D, H, W], with weight [O, C / groups, KD, KH, KW], plus bias [O] (NULL: none)
 * -> [N, O, ...]. stride, padding (zeros at either end), dilation: a number for each axis, or n = 1 for all, or NULL: 1, 0, 1. same:
 * padding so that there are as many windows as elements (stride 1). */
BZ_API bz_tensor *bz_conv3d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const int *stride,
                               const int *padding, const int *dilation, int n, int groups,
                               bool same, const char *site);
/* Transposed convolution, the gradient of conv1d by its x: x [N, C, L], or [C, L], weight [C, O / groups, K], bias [O] (NULL: none).
 * Lists as for conv1d. An axis of S gives (S - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1. */
BZ_API bz_tensor *bz_conv_transpose1d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias,
                                         const int *stride, const int *padding,
                                         const int *output_padding, const int *dilation, int n,
                                         int groups, const char *site);
/* Transposed convolution, the gradient of conv2d by its x: x [N, C, H, W], or [C, H, W], weight [C, O / groups, KH, KW], bias [O]
 * (NULL: none). Lists as for conv2d. An axis of S gives (S - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1. */
BZ_API bz_tensor *bz_conv_transpose2d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias,
                                         const int *stride, const int *padding,
                                         const int *output_padding, const int *dilation, int n,
                                         int groups, const char *site);
/* Transposed convolution, the gradient of conv3d by its x: x [N, C, D, H, W], or [C, D, H, W], weight [C, O / groups, KD, KH, KW],
 * bias [O] (NULL: none). Lists as for conv3d. An axis of S gives (S - 1) stride - 2 padding + dilation (K - 1) + output_padding + 1. */
BZ_API bz_tensor *bz_conv_transpose3d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias,
                                         const int *stride, const int *padding,
                                         const int *output_padding, const int *dilation, int n,
                                         int groups, const char *site);
#define bz_conv1d(...)           bz_conv1d_at(__VA_ARGS__, BZ_SITE)
#define bz_conv2d(...)           bz_conv2d_at(__VA_ARGS__, BZ_SITE)
#define bz_conv3d(...)           bz_conv3d_at(__VA_ARGS__, BZ_SITE)
#define bz_conv_transpose1d(...) bz_conv_transpose1d_at(__VA_ARGS__, BZ_SITE)
#define bz_conv_transpose2d(...) bz_conv_transpose2d_at(__VA_ARGS__, BZ_SITE)
#define bz_conv_transpose3d(...) bz_conv_transpose3d_at(__VA_ARGS__, BZ_SITE)

/* ---- activations and normalisations; results have x's shape */

/* e^x over its sum along an axis. */
BZ_API bz_tensor *bz_softmax_at(bz_tensor *x, int axis, const char *site);
/* Log of softmax. */
BZ_API bz_tensor *bz_log_softmax_at(bz_tensor *x, int axis, const char *site);
/* x sigmoid(x). */
BZ_API bz_tensor *bz_silu_at(bz_tensor *x, const char *site);
/* Mean 0 and variance 1 over the last ndims axes, times weight, plus bias (both of the shape of these axes, or NULL). */
BZ_API bz_tensor *bz_layer_norm_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, int ndims,
                                   double eps, const char *site);
/* Mean square 1 over the last axis, times weight (or NULL). */
BZ_API bz_tensor *bz_rms_norm_at(bz_tensor *x, bz_tensor *weight, double eps, const char *site);
/* Mean 0 and variance 1 of each channel (axis 1 of x [N, C, ...]), times weight, plus bias (all [C], or NULL). training: by the
 * statistics of x; *new_mean and *new_var take (1 - momentum) running + momentum x's (the variance over count - 1), if there are
 * running ones. Else by running_mean and running_var, which stay. */
BZ_API bz_tensor *bz_batch_norm_at(bz_tensor *x, bz_tensor *running_mean, bz_tensor *running_var,
                                   bz_tensor *weight, bz_tensor *bias, bool training,
                                   double momentum, double eps, bz_tensor **new_mean,
                                   bz_tensor **new_var, const char *site);
/* Mean 0 and variance 1 of each of num_groups groups of channels (axis 1 of x [N, C, ...]) of each sample, times weight, plus bias
 * ([C], or NULL). */
BZ_API bz_tensor *bz_group_norm_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, int num_groups,
                                   double eps, const char *site);
/* x / (k + alpha * the mean of the squares of size channels around each)^beta. */
BZ_API bz_tensor *bz_local_response_norm_at(bz_tensor *x, int64_t size, double alpha, double beta,
                                            double k, const char *site);
#define bz_softmax(...)             bz_softmax_at(__VA_ARGS__, BZ_SITE)
#define bz_log_softmax(...)         bz_log_softmax_at(__VA_ARGS__, BZ_SITE)
#define bz_silu(...)                bz_silu_at(__VA_ARGS__, BZ_SITE)
#define bz_layer_norm(...)          bz_layer_norm_at(__VA_ARGS__, BZ_SITE)
#define bz_rms_norm(...)            bz_rms_norm_at(__VA_ARGS__, BZ_SITE)
#define bz_batch_norm(...)          bz_batch_norm_at(__VA_ARGS__, BZ_SITE)
#define bz_group_norm(...)          bz_group_norm_at(__VA_ARGS__, BZ_SITE)
#define bz_local_response_norm(...) bz_local_response_norm_at(__VA_ARGS__, BZ_SITE)

BZ_API bz_tensor *bz_gelu_at(bz_tensor *x, const char *site);      /* x/2 (1 + erf(x / sqrt 2)) */
BZ_API bz_tensor *bz_gelu_tanh_at(bz_tensor *x, const char *site); /* the form with tanh */
#define bz_gelu(...)      bz_gelu_at(__VA_ARGS__, BZ_SITE)
#define bz_gelu_tanh(...) bz_gelu_tanh_at(__VA_ARGS__, BZ_SITE)

/* ---- losses, 0-d */

/* Mean of -log softmax(logits) at the targets. Classes are axis 1 of the logits, or axis 0 of 1-d ones, as in PyTorch: integer
 * classes [N, ..] for logits [N, C, ..], or probabilities [N, C, ..]. NaN if a class is outside 0 .. C-1. */
BZ_API bz_tensor *bz_cross_entropy_at(bz_tensor *logits, bz_tensor *target, const char *site);
/* Mean of (x - y)^2. x or y may be a number. */
BZ_API bz_tensor *bz_mse_loss_at(bz_tensor *x, bz_tensor *y, const char *site);
#define bz_cross_entropy(...) bz_cross_entropy_at(__VA_ARGS__, BZ_SITE)
#define bz_mse_loss(x, y)     BZ_WITH_2_(bz_mse_loss_at, x, y)

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

/* The norm of n gradients together, as if they were one vector, over scale (NULL: 1): f32. *found_inf (NULL: it is not wanted):
 * bool, is an infinity or a NaN among them? Each is read once, for both; squares add up in f64. BZ_EDTYPE unless all are floats,
 * BZ_ESHAPE unless scale is 0-d. */
BZ_API bz_tensor *bz_grad_norm_at(bz_tensor *scale, bz_tensor *const *x, int n,
                                  bz_tensor **found_inf, const char *site);
/* grad over scale (NULL: 1). norm (NULL: none), of all gradients as bz_grad_norm has it: clipped to max_norm, which is times
 * max_norm / (norm + 1e-6) where that is below 1. grad's shape and dtype; BZ_EDTYPE for f16, where what is small would vanish. */
BZ_API bz_tensor *bz_unscale_at(bz_tensor *grad, bz_tensor *scale, bz_tensor *norm, double max_norm,
                                const char *site);
#define bz_grad_norm(...) bz_grad_norm_at(__VA_ARGS__, BZ_SITE)
#define bz_unscale(...)   bz_unscale_at(__VA_ARGS__, BZ_SITE)

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
