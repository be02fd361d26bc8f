/* api_made.c - the public builders that are one constructor each. Made by tools/api.py from src/ir/builders.def: do not edit. */
#include "runtime/record/record.h"

/* clang-format off */

bz_tensor *bz_flip_at(bz_tensor *x, const int *axes, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "flip", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_flip(r.g, r.x[0], axes, (unsigned)n) : 0);
}

bz_tensor *bz_gather_at(bz_tensor *x, bz_tensor *index, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "gather", site, (bz_tensor *[]){x, index}, 2, 0, BZ_I64);
    return rt_end(&r, ready ? ir_gather(r.g, r.x[0], r.x[1], axis) : 0);
}

bz_tensor *bz_sort_at(bz_tensor *x, int axis, bool descending, bz_tensor **indices,
                      const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "sort", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_sort(r.g, r.x[0], axis, descending, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_one_hot_at(bz_tensor *x, int64_t classes, bz_dtype dtype, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "one_hot", site, &x, 1, 0, BZ_NDTYPES) && rt_dtype(&r, dtype);
    return rt_end(&r, ready ? ir_one_hot(r.g, r.x[0], classes, dtype) : 0);
}

bz_tensor *bz_copy_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "copy", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_copy(r.g, r.x[0]) : 0);
}

bz_tensor *bz_cast_at(bz_tensor *x, bz_dtype dtype, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cast", site, &x, 1, 0, BZ_NDTYPES) && rt_dtype(&r, dtype);
    return rt_end(&r, ready ? ir_cast(r.g, r.x[0], dtype) : 0);
}

bz_tensor *bz_bitcast_at(bz_tensor *x, bz_dtype dtype, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "bitcast", site, &x, 1, 0, BZ_NDTYPES) && rt_dtype(&r, dtype);
    return rt_end(&r, ready ? ir_bitcast(r.g, r.x[0], dtype) : 0);
}

bz_tensor *bz_sum_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "sum", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_reduce(r.g, IR_SUM, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_prod_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "prod", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_reduce(r.g, IR_PROD, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_max_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "max", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_reduce(r.g, IR_RMAX, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_min_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "min", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_reduce(r.g, IR_RMIN, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_any_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "any", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_reduce(r.g, IR_ANY, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_all_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "all", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_reduce(r.g, IR_ALL, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_argmax_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "argmax", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_reduce(r.g, IR_ARGMAX, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_argmin_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "argmin", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_reduce(r.g, IR_ARGMIN, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_mean_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "mean", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_mean(r.g, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_var_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                     const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "var", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_var(r.g, r.x[0], axes, (unsigned)n, correction, keepdim) : 0);
}

bz_tensor *bz_logsumexp_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "logsumexp", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_logsumexp(r.g, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_cumsum_at(bz_tensor *x, int axis, bool reverse, bool exclusive, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cumsum", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_cumsum(r.g, r.x[0], axis, reverse, exclusive) : 0);
}

bz_tensor *bz_cumprod_at(bz_tensor *x, int axis, bool reverse, bool exclusive, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cumprod", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_cumprod(r.g, r.x[0], axis, reverse, exclusive) : 0);
}

bz_tensor *bz_cummax_at(bz_tensor *x, int axis, bool reverse, bz_tensor **indices,
                        const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "cummax", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_cummax(r.g, r.x[0], axis, reverse, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_cummin_at(bz_tensor *x, int axis, bool reverse, bz_tensor **indices,
                        const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "cummin", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_cummin(r.g, r.x[0], axis, reverse, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_logcumsumexp_at(bz_tensor *x, int axis, bool reverse, bool exclusive,
                              const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "logcumsumexp", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_logcumsumexp(r.g, r.x[0], axis, reverse, exclusive) : 0);
}

bz_tensor *bz_matmul_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "matmul", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_matmul(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_linear_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "linear", site, (bz_tensor *[]){x, weight, bias}, 3, 1 << 2, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_linear(r.g, r.x[0], r.x[1], r.x[2]) : 0);
}

bz_tensor *bz_conv1d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const int *stride,
                        const int *padding, const int *dilation, int n, int groups, bool same,
                        const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "conv1d", site, (bz_tensor *[]){x, weight, bias}, 3, 1 << 2, BZ_NDTYPES)
              && rt_list_or_none(&r, stride, n) && rt_list_or_none(&r, padding, n)
              && rt_list_or_none(&r, dilation, n);
    return rt_end(&r, ready ? ir_convolve(r.g, "conv1d", 1, r.x[0], r.x[1], r.x[2], stride, (unsigned)n, padding, (unsigned)n, dilation, (unsigned)n, groups, same) : 0);
}

bz_tensor *bz_conv2d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const int *stride,
                        const int *padding, const int *dilation, int n, int groups, bool same,
                        const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "conv2d", site, (bz_tensor *[]){x, weight, bias}, 3, 1 << 2, BZ_NDTYPES)
              && rt_list_or_none(&r, stride, n) && rt_list_or_none(&r, padding, n)
              && rt_list_or_none(&r, dilation, n);
    return rt_end(&r, ready ? ir_convolve(r.g, "conv2d", 2, r.x[0], r.x[1], r.x[2], stride, (unsigned)n, padding, (unsigned)n, dilation, (unsigned)n, groups, same) : 0);
}

bz_tensor *bz_conv3d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, const int *stride,
                        const int *padding, const int *dilation, int n, int groups, bool same,
                        const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "conv3d", site, (bz_tensor *[]){x, weight, bias}, 3, 1 << 2, BZ_NDTYPES)
              && rt_list_or_none(&r, stride, n) && rt_list_or_none(&r, padding, n)
              && rt_list_or_none(&r, dilation, n);
    return rt_end(&r, ready ? ir_convolve(r.g, "conv3d", 3, r.x[0], r.x[1], r.x[2], stride, (unsigned)n, padding, (unsigned)n, dilation, (unsigned)n, groups, same) : 0);
}

bz_tensor *bz_conv_transpose1d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias,
                                  const int *stride, const int *padding, const int *output_padding,
                                  const int *dilation, int n, int groups, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "conv_transpose1d", site, (bz_tensor *[]){x, weight, bias}, 3, 1 << 2, BZ_NDTYPES)
              && rt_list_or_none(&r, stride, n) && rt_list_or_none(&r, padding, n)
              && rt_list_or_none(&r, output_padding, n) && rt_list_or_none(&r, dilation, n);
    return rt_end(&r, ready ? ir_convolve_back(r.g, "conv_transpose1d", 1, r.x[0], r.x[1], r.x[2], stride, (unsigned)n, padding, (unsigned)n, output_padding, (unsigned)n, dilation, (unsigned)n, groups) : 0);
}

bz_tensor *bz_conv_transpose2d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias,
                                  const int *stride, const int *padding, const int *output_padding,
                                  const int *dilation, int n, int groups, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "conv_transpose2d", site, (bz_tensor *[]){x, weight, bias}, 3, 1 << 2, BZ_NDTYPES)
              && rt_list_or_none(&r, stride, n) && rt_list_or_none(&r, padding, n)
              && rt_list_or_none(&r, output_padding, n) && rt_list_or_none(&r, dilation, n);
    return rt_end(&r, ready ? ir_convolve_back(r.g, "conv_transpose2d", 2, r.x[0], r.x[1], r.x[2], stride, (unsigned)n, padding, (unsigned)n, output_padding, (unsigned)n, dilation, (unsigned)n, groups) : 0);
}

bz_tensor *bz_conv_transpose3d_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias,
                                  const int *stride, const int *padding, const int *output_padding,
                                  const int *dilation, int n, int groups, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "conv_transpose3d", site, (bz_tensor *[]){x, weight, bias}, 3, 1 << 2, BZ_NDTYPES)
              && rt_list_or_none(&r, stride, n) && rt_list_or_none(&r, padding, n)
              && rt_list_or_none(&r, output_padding, n) && rt_list_or_none(&r, dilation, n);
    return rt_end(&r, ready ? ir_convolve_back(r.g, "conv_transpose3d", 3, r.x[0], r.x[1], r.x[2], stride, (unsigned)n, padding, (unsigned)n, output_padding, (unsigned)n, dilation, (unsigned)n, groups) : 0);
}

bz_tensor *bz_softmax_at(bz_tensor *x, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "softmax", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_softmax(r.g, r.x[0], axis) : 0);
}

bz_tensor *bz_log_softmax_at(bz_tensor *x, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "log_softmax", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_log_softmax(r.g, r.x[0], axis) : 0);
}

bz_tensor *bz_silu_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "silu", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_silu(r.g, r.x[0]) : 0);
}

bz_tensor *bz_layer_norm_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, int ndims, double eps,
                            const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "layer_norm", site, (bz_tensor *[]){x, weight, bias}, 3, 1 << 1 | 1 << 2, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_layer_norm(r.g, r.x[0], r.x[1], r.x[2], ndims, eps) : 0);
}

bz_tensor *bz_rms_norm_at(bz_tensor *x, bz_tensor *weight, double eps, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "rms_norm", site, (bz_tensor *[]){x, weight}, 2, 1 << 1, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_rms_norm(r.g, r.x[0], r.x[1], eps) : 0);
}

bz_tensor *bz_batch_norm_at(bz_tensor *x, bz_tensor *running_mean, bz_tensor *running_var,
                            bz_tensor *weight, bz_tensor *bias, bool training, double momentum,
                            double eps, bz_tensor **new_mean, bz_tensor **new_var,
                            const char *site) {
    rt_rec r;
    ir_ref made[3] = {0};
    bool ready = rt_begin(&r, "batch_norm", site, (bz_tensor *[]){x, running_mean, running_var, weight, bias}, 5, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4, BZ_NDTYPES);
    if (ready) made[0] = ir_batch_norm(r.g, r.x[0], r.x[1], r.x[2], r.x[3], r.x[4], training, momentum, eps, &made[1], &made[2]);
    return rt_end_results(&r, made, 3, (bz_tensor **[]){new_mean, new_var});
}

bz_tensor *bz_group_norm_at(bz_tensor *x, bz_tensor *weight, bz_tensor *bias, int num_groups,
                            double eps, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "group_norm", site, (bz_tensor *[]){x, weight, bias}, 3, 1 << 1 | 1 << 2, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_group_norm(r.g, r.x[0], r.x[1], r.x[2], num_groups, eps) : 0);
}

bz_tensor *bz_local_response_norm_at(bz_tensor *x, int64_t size, double alpha, double beta,
                                     double k, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "local_response_norm", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_local_response_norm(r.g, r.x[0], size, alpha, beta, k) : 0);
}

bz_tensor *bz_cross_entropy_at(bz_tensor *logits, bz_tensor *target, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cross_entropy", site, (bz_tensor *[]){logits, target}, 2, 0, BZ_I64);
    return rt_end(&r, ready ? ir_cross_entropy(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_mse_loss_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "mse_loss", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_mse_loss(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_unscale_at(bz_tensor *grad, bz_tensor *scale, bz_tensor *norm, double max_norm,
                         const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "unscale", site, (bz_tensor *[]){grad, scale, norm}, 3, 1 << 1 | 1 << 2, BZ_F32);
    return rt_end(&r, ready ? ir_unscale(r.g, r.x[0], r.x[1], r.x[2], max_norm) : 0);
}
