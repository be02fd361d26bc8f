/* compositions.h - constructors that builders.def calls by their builder's name. Made by tools/api.py from src/ir/builders.def: do not edit.
 *
 * Operands that may be left out are 0. Axes count from the end when negative. */
#ifndef BRAZE_IR_COMPOSITIONS_H
#define BRAZE_IR_COMPOSITIONS_H

#include "src/ir/ir.h"

/* start, start + step ... below stop (above, for a negative step): ceil((stop - start) / step) elements. */
ir_ref ir_arange(ir_graph *g, ir_number start, ir_number stop, ir_number step, bz_dtype dtype);
/* n values from start to stop, both included. */
ir_ref ir_linspace(ir_graph *g, double start, double stop, int64_t n, bz_dtype dtype);
/* [n, m] with 1 on the diagonal. */
ir_ref ir_eye(ir_graph *g, int64_t n, int64_t m, bz_dtype dtype);
/* Uniform in [0, 1), from the stream (key, offset). */
ir_ref ir_rand(ir_graph *g, bz_dtype dtype, const ir_dim *shape, unsigned nshape, ir_ref key,
               ir_ref offset);
/* Standard normal, from the stream (key, offset). */
ir_ref ir_randn(ir_graph *g, bz_dtype dtype, const ir_dim *shape, unsigned nshape, ir_ref key,
                ir_ref offset);
/* Integers lo .. hi-1, from the stream (key, offset). */
ir_ref ir_randint(ir_graph *g, int64_t lo, int64_t hi, const ir_dim *shape, unsigned nshape,
                  ir_ref key, ir_ref offset);
/* Axes a and b swapped. */
ir_ref ir_transpose(ir_graph *g, ir_ref x, int a, int b);
/* x[index] along an axis, which vanishes. */
ir_ref ir_select(ir_graph *g, ir_ref x, int axis, int64_t index);
/* length elements of an axis from start on, which may count from the end. */
ir_ref ir_narrow(ir_graph *g, ir_ref x, int axis, int64_t start, int64_t length);
/* An axis of size 1 left out. */
ir_ref ir_squeeze(ir_graph *g, ir_ref x, int axis);
/* An axis of size 1 put in. */
ir_ref ir_unsqueeze(ir_graph *g, ir_ref x, int axis);
/* Axes from .. to as one. */
ir_ref ir_flatten(ir_graph *g, ir_ref x, int from, int to);
/* Diagonal of axes a and b, as a last axis. */
ir_ref ir_diagonal(ir_graph *g, ir_ref x, int64_t offset, int a, int b);
/* Tensors along a new axis. */
ir_ref ir_stack(ir_graph *g, const ir_ref *x, unsigned n, int axis);
/* Elements in reverse order along the axes. */
ir_ref ir_flip(ir_graph *g, ir_ref x, const int *axes, unsigned naxes);
/* 1 at each element's class, else 0, along a new last axis. */
ir_ref ir_one_hot(ir_graph *g, ir_ref x, int64_t classes, bz_dtype dtype);
/* Arithmetic mean. */
ir_ref ir_mean(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim);
/* Variance: sum of (x - mean)^2 over (count - correction). */
ir_ref ir_var(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, int correction, bool keepdim);
/* Log of the sum of e^x. */
ir_ref ir_logsumexp(ir_graph *g, ir_ref x, const int *axes, unsigned naxes, bool keepdim);
/* Sum of all up to and with each element, along an axis. */
ir_ref ir_cumsum(ir_graph *g, ir_ref x, int axis, bool reverse, bool exclusive);
/* Product of all up to and with each element, along an axis. */
ir_ref ir_cumprod(ir_graph *g, ir_ref x, int axis, bool reverse, bool exclusive);
/* Log of the sum of e^x of all up to and with each element, along an axis. */
ir_ref ir_logcumsumexp(ir_graph *g, ir_ref x, int axis, bool reverse, bool exclusive);
/* Matrix product, NumPy's: 1-d operands, batch axes broadcast. */
ir_ref ir_matmul(ir_graph *g, ir_ref x, ir_ref y);
/* x weight^T + bias. */
ir_ref ir_linear(ir_graph *g, ir_ref x, ir_ref weight, ir_ref bias);
/* e^x over its sum along an axis. */
ir_ref ir_softmax(ir_graph *g, ir_ref x, int axis);
/* Log of softmax. */
ir_ref ir_log_softmax(ir_graph *g, ir_ref x, int axis);
/* x/2 (1 + erf(x / sqrt 2)), or the form with tanh. */
ir_ref ir_gelu(ir_graph *g, ir_ref x, bool tanh);
/* x sigmoid(x). */
ir_ref ir_silu(ir_graph *g, ir_ref x);
/* Mean 0 and variance 1 over the last axes, times weight, plus bias. */
ir_ref ir_layer_norm(ir_graph *g, ir_ref x, ir_ref weight, ir_ref bias, int ndims, double eps);
/* Mean square 1 over the last axis, times weight. */
ir_ref ir_rms_norm(ir_graph *g, ir_ref x, ir_ref weight, double eps);
/* Mean 0 and variance 1 of each channel (axis 1), times weight, plus bias; by running statistics, or while training by x's own. */
ir_ref ir_batch_norm(ir_graph *g, ir_ref x, ir_ref running_mean, ir_ref running_var, ir_ref weight,
                     ir_ref bias, bool training, double momentum, double eps, ir_ref *new_mean,
                     ir_ref *new_var);
/* Mean 0 and variance 1 of each sample's groups of channels (axis 1), times weight, plus bias. */
ir_ref ir_group_norm(ir_graph *g, ir_ref x, ir_ref weight, ir_ref bias, int num_groups, double eps);
/* x / (k + alpha * the mean of the squares of size channels around each)^beta. */
ir_ref ir_local_response_norm(ir_graph *g, ir_ref x, int64_t size, double alpha, double beta,
                              double k);
/* Mean of -log softmax(logits) at integer classes, or against probabilities; classes: axis 1. */
ir_ref ir_cross_entropy(ir_graph *g, ir_ref logits, ir_ref target);
/* Mean of (x - y)^2. */
ir_ref ir_mse_loss(ir_graph *g, ir_ref x, ir_ref y);
/* Gradient of a scaled loss over scale; with the norm of all, clipped as PyTorch's clip_grad_norm_ does. */
ir_ref ir_unscale(ir_graph *g, ir_ref grad, ir_ref scale, ir_ref norm, double max_norm);

#endif
