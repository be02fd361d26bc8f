/* api_made.c - the public builders that are one constructor each. Made by tools/api.py from src/ir/builders.def: do not edit. */
#include "runtime/record/record.h"
#include "src/ir/complex.h"

enum { BLOCK_DRAWS = 64 /* of two words */ };

/* clang-format off */

bz_tensor *bz_positive_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "positive", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_positive(r.g, r.x[0]) : 0);
}

bz_tensor *bz_sgn_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "sgn", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_sgn(r.g, r.x[0]) : 0);
}

bz_tensor *bz_rad2deg_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "rad2deg", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_rad2deg(r.g, r.x[0]) : 0);
}

bz_tensor *bz_deg2rad_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "deg2rad", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_deg2rad(r.g, r.x[0]) : 0);
}

bz_tensor *bz_rsub_at(bz_tensor *x, bz_tensor *y, double alpha, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "rsub", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_rsub(r.g, r.x[0], r.x[1], alpha) : 0);
}

bz_tensor *bz_addcmul_at(bz_tensor *x, bz_tensor *y, bz_tensor *z, double value, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "addcmul", site, (bz_tensor *[]){x, y, z}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_addcmul(r.g, r.x[0], r.x[1], r.x[2], value) : 0);
}

bz_tensor *bz_addcdiv_at(bz_tensor *x, bz_tensor *y, bz_tensor *z, double value, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "addcdiv", site, (bz_tensor *[]){x, y, z}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_addcdiv(r.g, r.x[0], r.x[1], r.x[2], value) : 0);
}

bz_tensor *bz_true_divide_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "true_divide", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_build2(r.g, IR_DIV, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_divide_at(bz_tensor *x, bz_tensor *y, bz_rounding rounding_mode, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "divide", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_divide(r.g, r.x[0], r.x[1], (int)rounding_mode) : 0);
}

bz_tensor *bz_float_power_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "float_power", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_float_power(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_ldexp_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "ldexp", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_ldexp(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_frexp_at(bz_tensor *x, bz_tensor **exponent, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "frexp", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_frexp(r.g, r.x[0], &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){exponent});
}

bz_tensor *bz_gcd_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "gcd", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_gcd(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_lcm_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "lcm", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_lcm(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_nextafter_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "nextafter", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_nextafter(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_fmax_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "fmax", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_fmax(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_fmin_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "fmin", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_fmin(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_logaddexp2_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "logaddexp2", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_logaddexp2(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_xlogy_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "xlogy", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_xlogy(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_xlog1py_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "xlog1py", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_xlog1py(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_entr_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "entr", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_entr(r.g, r.x[0]) : 0);
}

bz_tensor *bz_logit_at(bz_tensor *x, double eps, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "logit", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_logit(r.g, r.x[0], eps) : 0);
}

bz_tensor *bz_sinc_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "sinc", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_sinc(r.g, r.x[0]) : 0);
}

bz_tensor *bz_ndtr_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "ndtr", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_ndtr(r.g, r.x[0]) : 0);
}

bz_tensor *bz_log_ndtr_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "log_ndtr", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_log_ndtr(r.g, r.x[0]) : 0);
}

bz_tensor *bz_multigammaln_at(bz_tensor *x, int p, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "multigammaln", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_multigammaln(r.g, r.x[0], p) : 0);
}

bz_tensor *bz_nan_to_num_at(bz_tensor *x, double nan, double posinf, double neginf,
                            const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "nan_to_num", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_nan_to_num(r.g, r.x[0], nan, posinf, neginf) : 0);
}

bz_tensor *bz_isclose_at(bz_tensor *x, bz_tensor *y, double rtol, double atol, bool equal_nan,
                         const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "isclose", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_isclose(r.g, r.x[0], r.x[1], rtol, atol, equal_nan) : 0);
}

bz_tensor *bz_allclose_at(bz_tensor *x, bz_tensor *y, double rtol, double atol, bool equal_nan,
                          const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "allclose", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_allclose(r.g, r.x[0], r.x[1], rtol, atol, equal_nan) : 0);
}

bz_tensor *bz_isposinf_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "isposinf", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_isposinf(r.g, r.x[0]) : 0);
}

bz_tensor *bz_isneginf_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "isneginf", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_isneginf(r.g, r.x[0]) : 0);
}

bz_tensor *bz_isreal_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "isreal", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_isreal(r.g, r.x[0]) : 0);
}

bz_tensor *bz_complex_at(bz_tensor *re, bz_tensor *im, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "complex", site, (bz_tensor *[]){re, im}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_complex(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_real_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "real", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_real(r.g, r.x[0]) : 0);
}

bz_tensor *bz_imag_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "imag", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_imag(r.g, r.x[0]) : 0);
}

bz_tensor *bz_conj_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "conj", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_conj(r.g, r.x[0]) : 0);
}

bz_tensor *bz_angle_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "angle", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_angle(r.g, r.x[0]) : 0);
}

bz_tensor *bz_polar_at(bz_tensor *abs, bz_tensor *angle, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "polar", site, (bz_tensor *[]){abs, angle}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_polar(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_view_as_real_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "view_as_real", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_view_as_real(r.g, r.x[0]) : 0);
}

bz_tensor *bz_view_as_complex_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "view_as_complex", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_view_as_complex(r.g, r.x[0]) : 0);
}

bz_tensor *bz_std_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                     const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "std", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_std(r.g, r.x[0], axes, (unsigned)n, correction, keepdim) : 0);
}

bz_tensor *bz_var_mean_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                          bz_tensor **mean, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "var_mean", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    if (ready) made[0] = ir_var_mean(r.g, r.x[0], axes, (unsigned)n, correction, keepdim, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){mean});
}

bz_tensor *bz_std_mean_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                          bz_tensor **mean, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "std_mean", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    if (ready) made[0] = ir_std_mean(r.g, r.x[0], axes, (unsigned)n, correction, keepdim, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){mean});
}

bz_tensor *bz_amax_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "amax", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_reduce(r.g, IR_RMAX, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_amin_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "amin", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_reduce(r.g, IR_RMIN, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_aminmax_at(bz_tensor *x, const int *axes, int n, bool keepdim, bz_tensor **max,
                         const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "aminmax", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    if (ready) made[0] = ir_aminmax(r.g, r.x[0], axes, (unsigned)n, keepdim, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){max});
}

bz_tensor *bz_count_nonzero_at(bz_tensor *x, const int *axes, int n, bool keepdim,
                               const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "count_nonzero", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_count_nonzero(r.g, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_nansum_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "nansum", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_nansum(r.g, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_nanmean_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "nanmean", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_nanmean(r.g, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_nanvar_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                        const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "nanvar", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_nanvar(r.g, r.x[0], axes, (unsigned)n, correction, keepdim) : 0);
}

bz_tensor *bz_nanstd_at(bz_tensor *x, const int *axes, int n, bool keepdim, int correction,
                        const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "nanstd", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_nanstd(r.g, r.x[0], axes, (unsigned)n, correction, keepdim) : 0);
}

bz_tensor *bz_nanmax_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "nanmax", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_nanmax(r.g, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_nanmin_at(bz_tensor *x, const int *axes, int n, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "nanmin", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_nanmin(r.g, r.x[0], axes, (unsigned)n, keepdim) : 0);
}

bz_tensor *bz_median_at(bz_tensor *x, const int *axes, int n, bool keepdim, bz_tensor **indices,
                        const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "median", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    if (ready) made[0] = ir_median(r.g, r.x[0], axes, (unsigned)n, keepdim, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_nanmedian_at(bz_tensor *x, const int *axes, int n, bool keepdim, bz_tensor **indices,
                           const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "nanmedian", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    if (ready) made[0] = ir_nanmedian(r.g, r.x[0], axes, (unsigned)n, keepdim, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_mode_at(bz_tensor *x, const int *axes, int n, bool keepdim, bz_tensor **indices,
                      const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "mode", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    if (ready) made[0] = ir_mode(r.g, r.x[0], axes, (unsigned)n, keepdim, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_quantile_at(bz_tensor *x, bz_tensor *q, const int *axes, int n, bool keepdim,
                          bz_interpolation interpolation, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "quantile", site, (bz_tensor *[]){x, q}, 2, 0, BZ_NDTYPES)
              && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_quantile(r.g, r.x[0], r.x[1], axes, (unsigned)n, keepdim, (int)interpolation) : 0);
}

bz_tensor *bz_nanquantile_at(bz_tensor *x, bz_tensor *q, const int *axes, int n, bool keepdim,
                             bz_interpolation interpolation, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "nanquantile", site, (bz_tensor *[]){x, q}, 2, 0, BZ_NDTYPES)
              && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_nanquantile(r.g, r.x[0], r.x[1], axes, (unsigned)n, keepdim, (int)interpolation) : 0);
}

bz_tensor *bz_bincount_at(bz_tensor *x, bz_tensor *weights, int64_t minlength, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "bincount", site, (bz_tensor *[]){x, weights}, 2, 1 << 1, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_bincount(r.g, r.x[0], r.x[1], minlength) : 0);
}

bz_tensor *bz_histc_at(bz_tensor *x, int64_t bins, double min, double max, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "histc", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_histc(r.g, r.x[0], bins, min, max) : 0);
}

bz_tensor *bz_diff_at(bz_tensor *x, int64_t n, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "diff", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_diff(r.g, r.x[0], n, axis) : 0);
}

bz_tensor *bz_trapezoid_at(bz_tensor *y, bz_tensor *x, double dx, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "trapezoid", site, (bz_tensor *[]){y, x}, 2, 1 << 1, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_trapezoid(r.g, r.x[0], r.x[1], dx, axis) : 0);
}

bz_tensor *bz_cumulative_trapezoid_at(bz_tensor *y, bz_tensor *x, double dx, int axis,
                                      const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cumulative_trapezoid", site, (bz_tensor *[]){y, x}, 2, 1 << 1, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_cumulative_trapezoid(r.g, r.x[0], r.x[1], dx, axis) : 0);
}

bz_tensor *bz_cdist_at(bz_tensor *x, bz_tensor *y, double p, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cdist", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_cdist(r.g, r.x[0], r.x[1], p) : 0);
}

bz_tensor *bz_cov_at(bz_tensor *x, bz_tensor *fweights, bz_tensor *aweights, int correction,
                     const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cov", site, (bz_tensor *[]){x, fweights, aweights}, 3, 1 << 1 | 1 << 2, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_cov(r.g, r.x[0], r.x[1], r.x[2], correction) : 0);
}

bz_tensor *bz_corrcoef_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "corrcoef", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_corrcoef(r.g, r.x[0]) : 0);
}

bz_tensor *bz_vdot_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "vdot", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_vdot(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_inner_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "inner", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_inner(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_outer_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "outer", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_outer(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_mv_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "mv", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_mv(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_mm_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "mm", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_mm(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_bmm_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "bmm", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_bmm(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_addmm_at(bz_tensor *input, bz_tensor *x, bz_tensor *y, double beta, double alpha,
                       const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "addmm", site, (bz_tensor *[]){input, x, y}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_addmm(r.g, r.x[0], r.x[1], r.x[2], beta, alpha) : 0);
}

bz_tensor *bz_addmv_at(bz_tensor *input, bz_tensor *x, bz_tensor *y, double beta, double alpha,
                       const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "addmv", site, (bz_tensor *[]){input, x, y}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_addmv(r.g, r.x[0], r.x[1], r.x[2], beta, alpha) : 0);
}

bz_tensor *bz_addr_at(bz_tensor *input, bz_tensor *x, bz_tensor *y, double beta, double alpha,
                      const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "addr", site, (bz_tensor *[]){input, x, y}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_addr(r.g, r.x[0], r.x[1], r.x[2], beta, alpha) : 0);
}

bz_tensor *bz_baddbmm_at(bz_tensor *input, bz_tensor *x, bz_tensor *y, double beta, double alpha,
                         const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "baddbmm", site, (bz_tensor *[]){input, x, y}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_baddbmm(r.g, r.x[0], r.x[1], r.x[2], beta, alpha) : 0);
}

bz_tensor *bz_addbmm_at(bz_tensor *input, bz_tensor *x, bz_tensor *y, double beta, double alpha,
                        const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "addbmm", site, (bz_tensor *[]){input, x, y}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_addbmm(r.g, r.x[0], r.x[1], r.x[2], beta, alpha) : 0);
}

bz_tensor *bz_tensordot_at(bz_tensor *x, bz_tensor *y, const int *xaxes, const int *yaxes, int n,
                           const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "tensordot", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES)
              && rt_list(&r, xaxes, n) && rt_list(&r, yaxes, n);
    return rt_end(&r, ready ? ir_tensordot(r.g, r.x[0], r.x[1], xaxes, yaxes, (unsigned)n) : 0);
}

bz_tensor *bz_kron_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "kron", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_kron(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_cross_at(bz_tensor *x, bz_tensor *y, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cross", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_cross(r.g, r.x[0], r.x[1], axis) : 0);
}

bz_tensor *bz_einsum_at(bz_tensor *const *x, int n, const char *equation, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "einsum", site, x, rt_count(x, n), 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_einsum(r.g, equation, r.x, (unsigned)n) : 0);
}

bz_tensor *bz_trace_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "trace", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_trace(r.g, r.x[0]) : 0);
}

bz_tensor *bz_matrix_power_at(bz_tensor *x, int64_t n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "matrix_power", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_matrix_power(r.g, r.x[0], n) : 0);
}

bz_tensor *bz_cholesky_at(bz_tensor *x, bool upper, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cholesky", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_cholesky(r.g, r.x[0], upper) : 0);
}

bz_tensor *bz_solve_at(bz_tensor *x, bz_tensor *y, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "solve", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_solve(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_solve_triangular_at(bz_tensor *x, bz_tensor *y, bool upper, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "solve_triangular", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_solve_triangular(r.g, r.x[0], r.x[1], upper) : 0);
}

bz_tensor *bz_inv_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "inv", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_inv(r.g, r.x[0]) : 0);
}

bz_tensor *bz_det_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "det", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_det(r.g, r.x[0]) : 0);
}

bz_tensor *bz_slogdet_at(bz_tensor *x, bz_tensor **log_abs, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "slogdet", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_slogdet(r.g, r.x[0], &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){log_abs});
}

bz_tensor *bz_eigh_at(bz_tensor *x, bz_tensor **vectors, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "eigh", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_eigh(r.g, r.x[0], &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){vectors});
}

bz_tensor *bz_svd_at(bz_tensor *x, bz_tensor **s, bz_tensor **vh, const char *site) {
    rt_rec r;
    ir_ref made[3] = {0};
    bool ready = rt_begin(&r, "svd", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_svd(r.g, r.x[0], &made[1], &made[2]);
    return rt_end_results(&r, made, 3, (bz_tensor **[]){s, vh});
}

bz_tensor *bz_qr_at(bz_tensor *x, bz_tensor **triangle, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "qr", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_qr(r.g, r.x[0], &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){triangle});
}

bz_tensor *bz_svdvals_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "svdvals", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_svdvals(r.g, r.x[0]) : 0);
}

bz_tensor *bz_eigvalsh_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "eigvalsh", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_eigvalsh(r.g, r.x[0]) : 0);
}

bz_tensor *bz_matrix_rank_at(bz_tensor *x, double atol, double rtol, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "matrix_rank", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_matrix_rank(r.g, r.x[0], atol, rtol) : 0);
}

bz_tensor *bz_pinv_at(bz_tensor *x, double atol, double rtol, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "pinv", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_pinv(r.g, r.x[0], atol, rtol) : 0);
}

bz_tensor *bz_lstsq_at(bz_tensor *x, bz_tensor *y, double rcond, bz_tensor **residuals,
                       bz_tensor **rank, bz_tensor **singular_values, const char *site) {
    rt_rec r;
    ir_ref made[4] = {0};
    bool ready = rt_begin(&r, "lstsq", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_lstsq(r.g, r.x[0], r.x[1], rcond, &made[1], &made[2], &made[3]);
    return rt_end_results(&r, made, 4, (bz_tensor **[]){residuals, rank, singular_values});
}

bz_tensor *bz_matrix_norm_at(bz_tensor *x, const char *ord, bool keepdim, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "matrix_norm", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_matrix_norm(r.g, r.x[0], ord, keepdim) : 0);
}

bz_tensor *bz_matrix_cond_at(bz_tensor *x, const char *p, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "matrix_cond", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_matrix_cond(r.g, r.x[0], p) : 0);
}

bz_tensor *bz_matrix_exp_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "matrix_exp", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_matrix_exp(r.g, r.x[0]) : 0);
}

bz_tensor *bz_zeros_like_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "zeros_like", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_zeros_like(r.g, r.x[0]) : 0);
}

bz_tensor *bz_ones_like_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "ones_like", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_ones_like(r.g, r.x[0]) : 0);
}

bz_tensor *bz_empty_like_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "empty_like", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_zeros_like(r.g, r.x[0]) : 0);
}

bz_tensor *bz_full_like_at(bz_tensor *x, double value, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "full_like", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_full_like(r.g, r.x[0], value) : 0);
}

bz_tensor *bz_tril_at(bz_tensor *x, int64_t diagonal, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "tril", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_tril(r.g, r.x[0], diagonal) : 0);
}

bz_tensor *bz_triu_at(bz_tensor *x, int64_t diagonal, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "triu", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_triu(r.g, r.x[0], diagonal) : 0);
}

bz_tensor *bz_diag_at(bz_tensor *x, int64_t diagonal, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "diag", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_diag(r.g, r.x[0], diagonal) : 0);
}

int bz_meshgrid_at(bz_tensor *const *x, int n, bool xy, bz_tensor **parts, int room,
                   const char *site) {
    rt_rec r;
    ir_parts made = {0};
    bool ready = rt_begin(&r, "meshgrid", site, x, rt_count(x, n), 0, BZ_NDTYPES);
    if (ready) ir_meshgrid(r.g, r.x, (unsigned)n, xy, &made);
    return rt_end_parts(&r, x, rt_count(x, n), &made, parts, room);
}

bz_tensor *bz_vander_at(bz_tensor *x, int64_t n, bool increasing, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "vander", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_vander(r.g, r.x[0], n, increasing) : 0);
}

bz_tensor *bz_rand_like_at(bz_tensor *x, const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "rand_like", site, &x, 1, 0, BZ_NDTYPES)
              && rt_draw(&r, 1, 1, &key, &offset);
    return rt_end(&r, ready ? ir_rand_like(r.g, r.x[0], key, offset) : 0);
}

bz_tensor *bz_randn_like_at(bz_tensor *x, const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "randn_like", site, &x, 1, 0, BZ_NDTYPES)
              && rt_draw(&r, 1, 1, &key, &offset);
    return rt_end(&r, ready ? ir_randn_like(r.g, r.x[0], key, offset) : 0);
}

bz_tensor *bz_bernoulli_at(bz_tensor *x, const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "bernoulli", site, &x, 1, 0, BZ_NDTYPES)
              && rt_draw(&r, 1, 1, &key, &offset);
    return rt_end(&r, ready ? ir_bernoulli(r.g, r.x[0], key, offset) : 0);
}

bz_tensor *bz_standard_gamma_at(bz_tensor *x, const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "standard_gamma", site, &x, 1, 0, BZ_NDTYPES)
              && rt_draw(&r, 1, BLOCK_DRAWS, &key, &offset);
    return rt_end(&r, ready ? ir_standard_gamma(r.g, r.x[0], key, offset) : 0);
}

bz_tensor *bz_gamma_at(bz_tensor *concentration, bz_tensor *rate, const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "gamma", site, (bz_tensor *[]){concentration, rate}, 2, 0, BZ_NDTYPES)
              && rt_draw(&r, 2, BLOCK_DRAWS, &key, &offset);
    return rt_end(&r, ready ? ir_gamma(r.g, r.x[0], r.x[1], key, offset) : 0);
}

bz_tensor *bz_beta_at(bz_tensor *concentration1, bz_tensor *concentration0, const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "beta", site, (bz_tensor *[]){concentration1, concentration0}, 2, 0, BZ_NDTYPES)
              && rt_draw(&r, 2, BLOCK_DRAWS, &key, &offset);
    return rt_end(&r, ready ? ir_beta(r.g, r.x[0], r.x[1], key, offset) : 0);
}

bz_tensor *bz_dirichlet_at(bz_tensor *x, const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "dirichlet", site, &x, 1, 0, BZ_NDTYPES)
              && rt_draw(&r, 1, BLOCK_DRAWS, &key, &offset);
    return rt_end(&r, ready ? ir_dirichlet(r.g, r.x[0], key, offset) : 0);
}

bz_tensor *bz_poisson_at(bz_tensor *x, const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "poisson", site, &x, 1, 0, BZ_NDTYPES)
              && rt_draw(&r, 1, BLOCK_DRAWS, &key, &offset);
    return rt_end(&r, ready ? ir_poisson(r.g, r.x[0], key, offset) : 0);
}

bz_tensor *bz_binomial_at(bz_tensor *count, bz_tensor *prob, const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "binomial", site, (bz_tensor *[]){count, prob}, 2, 0, BZ_NDTYPES)
              && rt_draw(&r, 2, BLOCK_DRAWS, &key, &offset);
    return rt_end(&r, ready ? ir_binomial(r.g, r.x[0], r.x[1], key, offset) : 0);
}

bz_tensor *bz_dropout_at(bz_tensor *x, double p, bool training, const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "dropout", site, &x, 1, 0, BZ_NDTYPES)
              && rt_draw(&r, 1, 1, &key, &offset);
    return rt_end(&r, ready ? ir_dropout(r.g, r.x[0], p, training, key, offset) : 0);
}

bz_tensor *bz_multinomial_at(bz_tensor *x, int64_t num_samples, bool replacement,
                             const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "multinomial", site, &x, 1, 0, BZ_NDTYPES)
              && rt_draw(&r, 1, num_samples, &key, &offset);
    return rt_end(&r, ready ? ir_multinomial(r.g, r.x[0], num_samples, replacement, key, offset) : 0);
}

bz_tensor *bz_gumbel_softmax_at(bz_tensor *x, double tau, bool hard, int axis, const char *site) {
    rt_rec r;
    ir_ref key, offset;
    bool ready = rt_begin(&r, "gumbel_softmax", site, &x, 1, 0, BZ_NDTYPES)
              && rt_draw(&r, 1, 1, &key, &offset);
    return rt_end(&r, ready ? ir_gumbel_softmax(r.g, r.x[0], tau, hard, axis, key, offset) : 0);
}

bz_tensor *bz_reshape_as_at(bz_tensor *x, bz_tensor *other, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "reshape_as", site, (bz_tensor *[]){x, other}, 2, 0, BZ_NDTYPES);
    return rt_end_moved(&r, (bz_tensor *[]){x, other}, 2, ready ? ir_reshape_as(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_ravel_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "ravel", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end_moved(&r, &x, 1, ready ? ir_ravel(r.g, r.x[0]) : 0);
}

bz_tensor *bz_unflatten_at(bz_tensor *x, int axis, const int64_t *sizes, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "unflatten", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, sizes, n);
    return rt_end_moved(&r, &x, 1, ready ? ir_unflatten(r.g, r.x[0], axis, sizes, (unsigned)n) : 0);
}

bz_tensor *bz_sliding_window_view_at(bz_tensor *x, int64_t size, int axis, int64_t step,
                                     const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "sliding_window_view", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end_moved(&r, &x, 1, ready ? ir_sliding_window_view(r.g, r.x[0], size, axis, step) : 0);
}

bz_tensor *bz_movedim_at(bz_tensor *x, const int *from, const int *to, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "movedim", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, from, n)
              && rt_list(&r, to, n);
    return rt_end_moved(&r, &x, 1, ready ? ir_movedim(r.g, r.x[0], from, (unsigned)n, to, (unsigned)n) : 0);
}

bz_tensor *bz_moveaxis_at(bz_tensor *x, const int *from, const int *to, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "moveaxis", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, from, n)
              && rt_list(&r, to, n);
    return rt_end_moved(&r, &x, 1, ready ? ir_movedim(r.g, r.x[0], from, (unsigned)n, to, (unsigned)n) : 0);
}

bz_tensor *bz_swapaxes_at(bz_tensor *x, int a, int b, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "swapaxes", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end_moved(&r, &x, 1, ready ? ir_transpose(r.g, r.x[0], a, b) : 0);
}

bz_tensor *bz_swapdims_at(bz_tensor *x, int a, int b, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "swapdims", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end_moved(&r, &x, 1, ready ? ir_transpose(r.g, r.x[0], a, b) : 0);
}

bz_tensor *bz_t_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "t", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end_moved(&r, &x, 1, ready ? ir_t(r.g, r.x[0]) : 0);
}

bz_tensor *bz_mT_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "mT", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end_moved(&r, &x, 1, ready ? ir_mT(r.g, r.x[0]) : 0);
}

bz_tensor *bz_adjoint_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "adjoint", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end_moved(&r, &x, 1, ready ? ir_conj(r.g, ir_mT(r.g, r.x[0])) : 0);
}

bz_tensor *bz_expand_as_at(bz_tensor *x, bz_tensor *other, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "expand_as", site, (bz_tensor *[]){x, other}, 2, 0, BZ_NDTYPES);
    return rt_end_moved(&r, (bz_tensor *[]){x, other}, 2, ready ? ir_expand_as(r.g, r.x[0], r.x[1]) : 0);
}

int bz_broadcast_tensors_at(bz_tensor *const *x, int n, bz_tensor **parts, int room,
                            const char *site) {
    rt_rec r;
    ir_parts made = {0};
    bool ready = rt_begin(&r, "broadcast_tensors", site, x, rt_count(x, n), 0, BZ_NDTYPES);
    if (ready) ir_broadcast_tensors(r.g, r.x, (unsigned)n, &made);
    return rt_end_parts(&r, x, rt_count(x, n), &made, parts, room);
}

bz_tensor *bz_atleast_1d_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "atleast_1d", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end_moved(&r, &x, 1, ready ? ir_atleast_1d(r.g, r.x[0]) : 0);
}

bz_tensor *bz_atleast_2d_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "atleast_2d", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end_moved(&r, &x, 1, ready ? ir_atleast_2d(r.g, r.x[0]) : 0);
}

bz_tensor *bz_atleast_3d_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "atleast_3d", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end_moved(&r, &x, 1, ready ? ir_atleast_3d(r.g, r.x[0]) : 0);
}

int bz_split_at(bz_tensor *x, int64_t size, const int64_t *sizes, int n, int axis,
                bz_tensor **parts, int room, const char *site) {
    rt_rec r;
    ir_parts made = {0};
    bool ready = rt_begin(&r, "split", site, &x, 1, 0, BZ_NDTYPES) && rt_counts(&r, sizes, n);
    if (ready) ir_split(r.g, r.x[0], size, sizes, (unsigned)n, axis, &made);
    return rt_end_parts(&r, &x, 1, &made, parts, room);
}

int bz_chunk_at(bz_tensor *x, int64_t chunks, int axis, bz_tensor **parts, int room,
                const char *site) {
    rt_rec r;
    ir_parts made = {0};
    bool ready = rt_begin(&r, "chunk", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) ir_chunk(r.g, r.x[0], chunks, axis, &made);
    return rt_end_parts(&r, &x, 1, &made, parts, room);
}

int bz_tensor_split_at(bz_tensor *x, int64_t sections, const int64_t *indices, int n, int axis,
                       bz_tensor **parts, int room, const char *site) {
    rt_rec r;
    ir_parts made = {0};
    bool ready = rt_begin(&r, "tensor_split", site, &x, 1, 0, BZ_NDTYPES)
              && rt_counts(&r, indices, n);
    if (ready) ir_tensor_split(r.g, r.x[0], sections, indices, (unsigned)n, axis, &made);
    return rt_end_parts(&r, &x, 1, &made, parts, room);
}

int bz_hsplit_at(bz_tensor *x, int64_t sections, const int64_t *indices, int n, bz_tensor **parts,
                 int room, const char *site) {
    rt_rec r;
    ir_parts made = {0};
    bool ready = rt_begin(&r, "hsplit", site, &x, 1, 0, BZ_NDTYPES) && rt_counts(&r, indices, n);
    if (ready) ir_hsplit(r.g, r.x[0], sections, indices, (unsigned)n, &made);
    return rt_end_parts(&r, &x, 1, &made, parts, room);
}

int bz_vsplit_at(bz_tensor *x, int64_t sections, const int64_t *indices, int n, bz_tensor **parts,
                 int room, const char *site) {
    rt_rec r;
    ir_parts made = {0};
    bool ready = rt_begin(&r, "vsplit", site, &x, 1, 0, BZ_NDTYPES) && rt_counts(&r, indices, n);
    if (ready) ir_vsplit(r.g, r.x[0], sections, indices, (unsigned)n, &made);
    return rt_end_parts(&r, &x, 1, &made, parts, room);
}

int bz_dsplit_at(bz_tensor *x, int64_t sections, const int64_t *indices, int n, bz_tensor **parts,
                 int room, const char *site) {
    rt_rec r;
    ir_parts made = {0};
    bool ready = rt_begin(&r, "dsplit", site, &x, 1, 0, BZ_NDTYPES) && rt_counts(&r, indices, n);
    if (ready) ir_dsplit(r.g, r.x[0], sections, indices, (unsigned)n, &made);
    return rt_end_parts(&r, &x, 1, &made, parts, room);
}

int bz_unbind_at(bz_tensor *x, int axis, bz_tensor **parts, int room, const char *site) {
    rt_rec r;
    ir_parts made = {0};
    bool ready = rt_begin(&r, "unbind", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) ir_unbind(r.g, r.x[0], axis, &made);
    return rt_end_parts(&r, &x, 1, &made, parts, room);
}

bz_tensor *bz_flip_at(bz_tensor *x, const int *axes, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "flip", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_flip(r.g, r.x[0], axes, (unsigned)n) : 0);
}

bz_tensor *bz_fliplr_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "fliplr", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_fliplr(r.g, r.x[0]) : 0);
}

bz_tensor *bz_flipud_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "flipud", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_flipud(r.g, r.x[0]) : 0);
}

bz_tensor *bz_roll_at(bz_tensor *x, const int64_t *shifts, const int *axes, int n,
                      const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "roll", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, shifts, n)
              && rt_list_or_none(&r, axes, n);
    return rt_end(&r, ready ? ir_roll(r.g, r.x[0], shifts, (unsigned)n, axes, (axes ? (unsigned)n : 0)) : 0);
}

bz_tensor *bz_rot90_at(bz_tensor *x, int k, int a, int b, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "rot90", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_rot90(r.g, r.x[0], k, a, b) : 0);
}

bz_tensor *bz_pad_reflect_at(bz_tensor *x, const int64_t *lo, const int64_t *hi, int n,
                             const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "pad_reflect", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, lo, n)
              && rt_list(&r, hi, n);
    return rt_end(&r, ready ? ir_pad_reflect(r.g, r.x[0], lo, (unsigned)n, hi, (unsigned)n) : 0);
}

bz_tensor *bz_pad_symmetric_at(bz_tensor *x, const int64_t *lo, const int64_t *hi, int n,
                               const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "pad_symmetric", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, lo, n)
              && rt_list(&r, hi, n);
    return rt_end(&r, ready ? ir_pad_symmetric(r.g, r.x[0], lo, (unsigned)n, hi, (unsigned)n) : 0);
}

bz_tensor *bz_pad_replicate_at(bz_tensor *x, const int64_t *lo, const int64_t *hi, int n,
                               const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "pad_replicate", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, lo, n)
              && rt_list(&r, hi, n);
    return rt_end(&r, ready ? ir_pad_replicate(r.g, r.x[0], lo, (unsigned)n, hi, (unsigned)n) : 0);
}

bz_tensor *bz_pad_circular_at(bz_tensor *x, const int64_t *lo, const int64_t *hi, int n,
                              const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "pad_circular", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, lo, n)
              && rt_list(&r, hi, n);
    return rt_end(&r, ready ? ir_pad_circular(r.g, r.x[0], lo, (unsigned)n, hi, (unsigned)n) : 0);
}

bz_tensor *bz_repeat_at(bz_tensor *x, const int64_t *sizes, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "repeat", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, sizes, n);
    return rt_end(&r, ready ? ir_repeat(r.g, r.x[0], sizes, (unsigned)n) : 0);
}

bz_tensor *bz_tile_at(bz_tensor *x, const int64_t *sizes, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "tile", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, sizes, n);
    return rt_end(&r, ready ? ir_tile(r.g, r.x[0], sizes, (unsigned)n) : 0);
}

bz_tensor *bz_repeat_interleave_at(bz_tensor *x, const int64_t *repeats, int n, int axis,
                                   const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "repeat_interleave", site, &x, 1, 0, BZ_NDTYPES)
              && rt_counts(&r, repeats, n);
    return rt_end(&r, ready ? ir_repeat_interleave(r.g, r.x[0], repeats, (unsigned)n, axis) : 0);
}

bz_tensor *bz_cat_at(bz_tensor *const *x, int n, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cat", site, x, rt_count(x, n), 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_concat(r.g, r.x, (unsigned)n, axis) : 0);
}

bz_tensor *bz_hstack_at(bz_tensor *const *x, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "hstack", site, x, rt_count(x, n), 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_hstack(r.g, r.x, (unsigned)n) : 0);
}

bz_tensor *bz_vstack_at(bz_tensor *const *x, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "vstack", site, x, rt_count(x, n), 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_vstack(r.g, r.x, (unsigned)n) : 0);
}

bz_tensor *bz_dstack_at(bz_tensor *const *x, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "dstack", site, x, rt_count(x, n), 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_dstack(r.g, r.x, (unsigned)n) : 0);
}

bz_tensor *bz_column_stack_at(bz_tensor *const *x, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "column_stack", site, x, rt_count(x, n), 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_column_stack(r.g, r.x, (unsigned)n) : 0);
}

bz_tensor *bz_block_diag_at(bz_tensor *const *x, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "block_diag", site, x, rt_count(x, n), 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_block_diag(r.g, r.x, (unsigned)n) : 0);
}

bz_tensor *bz_cartesian_prod_at(bz_tensor *const *x, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cartesian_prod", site, x, rt_count(x, n), 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_cartesian_prod(r.g, r.x, (unsigned)n) : 0);
}

bz_tensor *bz_combinations_at(bz_tensor *x, int k, bool with_replacement, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "combinations", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_combinations(r.g, r.x[0], k, with_replacement) : 0);
}

bz_tensor *bz_diag_embed_at(bz_tensor *x, int64_t offset, int a, int b, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "diag_embed", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_diag_embed(r.g, r.x[0], offset, a, b) : 0);
}

bz_tensor *bz_diagonal_scatter_at(bz_tensor *x, bz_tensor *y, int64_t offset, int a, int b,
                                  const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "diagonal_scatter", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_diagonal_scatter(r.g, r.x[0], r.x[1], offset, a, b) : 0);
}

bz_tensor *bz_select_scatter_at(bz_tensor *x, bz_tensor *y, int axis, int64_t index,
                                const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "select_scatter", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_select_scatter(r.g, r.x[0], r.x[1], axis, index) : 0);
}

bz_tensor *bz_slice_scatter_at(bz_tensor *x, bz_tensor *y, int axis, int64_t start, int64_t stop,
                               int64_t step, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "slice_scatter", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_slice_scatter(r.g, r.x[0], r.x[1], axis, start, stop, step) : 0);
}

bz_tensor *bz_as_strided_scatter_at(bz_tensor *x, bz_tensor *y, const int64_t *strides, int n,
                                    int64_t offset, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "as_strided_scatter", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES)
              && rt_list(&r, strides, n);
    return rt_end(&r, ready ? ir_as_strided_scatter(r.g, r.x[0], r.x[1], strides, (unsigned)n, offset) : 0);
}

bz_tensor *bz_gather_at(bz_tensor *x, bz_tensor *index, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "gather", site, (bz_tensor *[]){x, index}, 2, 0, BZ_I64);
    return rt_end(&r, ready ? ir_gather(r.g, r.x[0], r.x[1], axis) : 0);
}

bz_tensor *bz_take_at(bz_tensor *x, bz_tensor *index, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "take", site, (bz_tensor *[]){x, index}, 2, 0, BZ_I64);
    return rt_end(&r, ready ? ir_take(r.g, r.x[0], r.x[1], axis) : 0);
}

bz_tensor *bz_masked_fill_at(bz_tensor *x, bz_tensor *mask, bz_tensor *value, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "masked_fill", site, (bz_tensor *[]){x, mask, value}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_masked_fill(r.g, r.x[0], r.x[1], r.x[2]) : 0);
}

bz_tensor *bz_masked_scatter_at(bz_tensor *x, bz_tensor *mask, bz_tensor *source,
                                const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "masked_scatter", site, (bz_tensor *[]){x, mask, source}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_masked_scatter(r.g, r.x[0], r.x[1], r.x[2]) : 0);
}

bz_tensor *bz_sort_at(bz_tensor *x, int axis, bool descending, bz_tensor **indices,
                      const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "sort", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_sort(r.g, r.x[0], axis, descending, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_argsort_at(bz_tensor *x, int axis, bool descending, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "argsort", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_argsort(r.g, r.x[0], axis, descending) : 0);
}

bz_tensor *bz_msort_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "msort", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_msort(r.g, r.x[0]) : 0);
}

bz_tensor *bz_topk_at(bz_tensor *x, int64_t k, int axis, bool smallest, bz_tensor **indices,
                      const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "topk", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_topk(r.g, r.x[0], k, axis, smallest, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_kthvalue_at(bz_tensor *x, int64_t k, int axis, bool keepdim, bz_tensor **indices,
                          const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "kthvalue", site, &x, 1, 0, BZ_NDTYPES);
    if (ready) made[0] = ir_kthvalue(r.g, r.x[0], k, axis, keepdim, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_searchsorted_at(bz_tensor *sequence, bz_tensor *x, bool right, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "searchsorted", site, (bz_tensor *[]){sequence, x}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_searchsorted(r.g, r.x[0], r.x[1], right) : 0);
}

bz_tensor *bz_bucketize_at(bz_tensor *x, bz_tensor *boundaries, bool right, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "bucketize", site, (bz_tensor *[]){x, boundaries}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_bucketize(r.g, r.x[0], r.x[1], right) : 0);
}

bz_tensor *bz_isin_at(bz_tensor *x, bz_tensor *test, bool invert, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "isin", site, (bz_tensor *[]){x, test}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_isin(r.g, r.x[0], r.x[1], invert) : 0);
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
    return rt_end(&r, ready ? ir_cast_real(r.g, r.x[0], dtype) : 0);
}

bz_tensor *bz_bitcast_at(bz_tensor *x, bz_dtype dtype, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "bitcast", site, &x, 1, 0, BZ_NDTYPES) && rt_dtype(&r, dtype);
    return rt_end(&r, ready ? ir_bitcast(r.g, r.x[0], dtype) : 0);
}

bz_tensor *bz_take_along_dim_at(bz_tensor *x, bz_tensor *index, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "take_along_dim", site, (bz_tensor *[]){x, index}, 2, 0, BZ_I64);
    return rt_end(&r, ready ? ir_take_along_dim(r.g, r.x[0], r.x[1], axis) : 0);
}

bz_tensor *bz_scatter_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                         const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "scatter", site, (bz_tensor *[]){x, index, src}, 3, 0, BZ_I64);
    return rt_end(&r, ready ? ir_put_along_dim(r.g, r.x[0], r.x[1], r.x[2], axis) : 0);
}

bz_tensor *bz_scatter_add_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                             bool exclude_self, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "scatter_add", site, (bz_tensor *[]){x, index, src}, 3, 0, BZ_I64);
    return rt_end(&r, ready ? ir_scatter_sum(r.g, r.x[0], r.x[1], r.x[2], axis, exclude_self) : 0);
}

bz_tensor *bz_scatter_prod_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                              bool exclude_self, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "scatter_prod", site, (bz_tensor *[]){x, index, src}, 3, 0, BZ_I64);
    return rt_end(&r, ready ? ir_scatter_prod(r.g, r.x[0], r.x[1], r.x[2], axis, exclude_self) : 0);
}

bz_tensor *bz_scatter_mean_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                              bool exclude_self, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "scatter_mean", site, (bz_tensor *[]){x, index, src}, 3, 0, BZ_I64);
    return rt_end(&r, ready ? ir_scatter_mean(r.g, r.x[0], r.x[1], r.x[2], axis, exclude_self) : 0);
}

bz_tensor *bz_scatter_amax_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                              bool exclude_self, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "scatter_amax", site, (bz_tensor *[]){x, index, src}, 3, 0, BZ_I64);
    return rt_end(&r, ready ? ir_scatter_amax(r.g, r.x[0], r.x[1], r.x[2], axis, exclude_self) : 0);
}

bz_tensor *bz_scatter_amin_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                              bool exclude_self, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "scatter_amin", site, (bz_tensor *[]){x, index, src}, 3, 0, BZ_I64);
    return rt_end(&r, ready ? ir_scatter_amin(r.g, r.x[0], r.x[1], r.x[2], axis, exclude_self) : 0);
}

bz_tensor *bz_scatter_reduce_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                                bz_combine reduce, bool exclude_self, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "scatter_reduce", site, (bz_tensor *[]){x, index, src}, 3, 0, BZ_I64);
    return rt_end(&r, ready ? ir_scatter_reduce(r.g, r.x[0], r.x[1], r.x[2], axis, (int)reduce, exclude_self) : 0);
}

bz_tensor *bz_index_select_at(bz_tensor *x, bz_tensor *index, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "index_select", site, (bz_tensor *[]){x, index}, 2, 0, BZ_I64);
    return rt_end(&r, ready ? ir_index_select(r.g, r.x[0], r.x[1], axis) : 0);
}

bz_tensor *bz_index_add_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis, double alpha,
                           const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "index_add", site, (bz_tensor *[]){x, index, src}, 3, 0, BZ_I64);
    return rt_end(&r, ready ? ir_index_add(r.g, r.x[0], r.x[1], r.x[2], axis, alpha) : 0);
}

bz_tensor *bz_index_copy_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                            const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "index_copy", site, (bz_tensor *[]){x, index, src}, 3, 0, BZ_I64);
    return rt_end(&r, ready ? ir_index_copy(r.g, r.x[0], r.x[1], r.x[2], axis) : 0);
}

bz_tensor *bz_index_reduce_at(bz_tensor *x, bz_tensor *index, bz_tensor *src, int axis,
                              bz_combine reduce, bool exclude_self, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "index_reduce", site, (bz_tensor *[]){x, index, src}, 3, 0, BZ_I64);
    return rt_end(&r, ready ? ir_index_reduce(r.g, r.x[0], r.x[1], r.x[2], axis, (int)reduce, exclude_self) : 0);
}

bz_tensor *bz_index_fill_at(bz_tensor *x, bz_tensor *index, bz_tensor *value, int axis,
                            const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "index_fill", site, (bz_tensor *[]){x, index, value}, 3, 0, BZ_I64);
    return rt_end(&r, ready ? ir_index_fill(r.g, r.x[0], r.x[1], r.x[2], axis) : 0);
}

bz_tensor *bz_embedding_at(bz_tensor *index, bz_tensor *weight, int64_t padding_idx,
                           const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "embedding", site, (bz_tensor *[]){index, weight}, 2, 0, BZ_I64);
    return rt_end(&r, ready ? ir_embedding(r.g, r.x[0], r.x[1], padding_idx) : 0);
}

bz_tensor *bz_embedding_bag_at(bz_tensor *index, bz_tensor *weight, bz_tensor *offsets, bz_bag mode,
                               const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "embedding_bag", site, (bz_tensor *[]){index, weight, offsets}, 3, 1 << 2, BZ_I64);
    return rt_end(&r, ready ? ir_embedding_bag(r.g, r.x[0], r.x[1], r.x[2], (int)mode) : 0);
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

bz_tensor *bz_vector_norm_at(bz_tensor *x, double ord, const int *axes, int n, bool keepdim,
                             const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "vector_norm", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, axes, n);
    return rt_end(&r, ready ? ir_vector_norm(r.g, r.x[0], ord, axes, (unsigned)n, keepdim) : 0);
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

bz_tensor *bz_max_pool1d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                            const int *padding, const int *dilation, int n, bool ceil_mode,
                            bz_tensor **indices, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "max_pool1d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n)
              && rt_list_or_none(&r, padding, n) && rt_list_or_none(&r, dilation, n);
    if (ready) made[0] = ir_max_pool(r.g, "max_pool1d", 1, r.x[0], kernel_size, (unsigned)n, stride, (unsigned)n, padding, (unsigned)n, dilation, (unsigned)n, ceil_mode, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_max_pool2d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                            const int *padding, const int *dilation, int n, bool ceil_mode,
                            bz_tensor **indices, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "max_pool2d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n)
              && rt_list_or_none(&r, padding, n) && rt_list_or_none(&r, dilation, n);
    if (ready) made[0] = ir_max_pool(r.g, "max_pool2d", 2, r.x[0], kernel_size, (unsigned)n, stride, (unsigned)n, padding, (unsigned)n, dilation, (unsigned)n, ceil_mode, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_max_pool3d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                            const int *padding, const int *dilation, int n, bool ceil_mode,
                            bz_tensor **indices, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "max_pool3d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n)
              && rt_list_or_none(&r, padding, n) && rt_list_or_none(&r, dilation, n);
    if (ready) made[0] = ir_max_pool(r.g, "max_pool3d", 3, r.x[0], kernel_size, (unsigned)n, stride, (unsigned)n, padding, (unsigned)n, dilation, (unsigned)n, ceil_mode, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_max_unpool1d_at(bz_tensor *x, bz_tensor *indices, const int *kernel_size,
                              const int *stride, const int *padding, const int *output_size, int n,
                              const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "max_unpool1d", site, (bz_tensor *[]){x, indices}, 2, 0, BZ_I64)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n)
              && rt_list_or_none(&r, padding, n) && rt_list_or_none(&r, output_size, n);
    return rt_end(&r, ready ? ir_max_unpool(r.g, "max_unpool1d", 1, r.x[0], r.x[1], kernel_size, (unsigned)n, stride, (unsigned)n, padding, (unsigned)n, output_size, (unsigned)n) : 0);
}

bz_tensor *bz_max_unpool2d_at(bz_tensor *x, bz_tensor *indices, const int *kernel_size,
                              const int *stride, const int *padding, const int *output_size, int n,
                              const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "max_unpool2d", site, (bz_tensor *[]){x, indices}, 2, 0, BZ_I64)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n)
              && rt_list_or_none(&r, padding, n) && rt_list_or_none(&r, output_size, n);
    return rt_end(&r, ready ? ir_max_unpool(r.g, "max_unpool2d", 2, r.x[0], r.x[1], kernel_size, (unsigned)n, stride, (unsigned)n, padding, (unsigned)n, output_size, (unsigned)n) : 0);
}

bz_tensor *bz_max_unpool3d_at(bz_tensor *x, bz_tensor *indices, const int *kernel_size,
                              const int *stride, const int *padding, const int *output_size, int n,
                              const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "max_unpool3d", site, (bz_tensor *[]){x, indices}, 2, 0, BZ_I64)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n)
              && rt_list_or_none(&r, padding, n) && rt_list_or_none(&r, output_size, n);
    return rt_end(&r, ready ? ir_max_unpool(r.g, "max_unpool3d", 3, r.x[0], r.x[1], kernel_size, (unsigned)n, stride, (unsigned)n, padding, (unsigned)n, output_size, (unsigned)n) : 0);
}

bz_tensor *bz_avg_pool1d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                            const int *padding, int n, bool ceil_mode, bool count_include_pad,
                            const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "avg_pool1d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n)
              && rt_list_or_none(&r, padding, n);
    return rt_end(&r, ready ? ir_avg_pool(r.g, "avg_pool1d", 1, r.x[0], kernel_size, (unsigned)n, stride, (unsigned)n, padding, (unsigned)n, ceil_mode, count_include_pad, 0) : 0);
}

bz_tensor *bz_avg_pool2d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                            const int *padding, int n, bool ceil_mode, bool count_include_pad,
                            int64_t divisor_override, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "avg_pool2d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n)
              && rt_list_or_none(&r, padding, n);
    return rt_end(&r, ready ? ir_avg_pool(r.g, "avg_pool2d", 2, r.x[0], kernel_size, (unsigned)n, stride, (unsigned)n, padding, (unsigned)n, ceil_mode, count_include_pad, divisor_override) : 0);
}

bz_tensor *bz_avg_pool3d_at(bz_tensor *x, const int *kernel_size, const int *stride,
                            const int *padding, int n, bool ceil_mode, bool count_include_pad,
                            int64_t divisor_override, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "avg_pool3d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n)
              && rt_list_or_none(&r, padding, n);
    return rt_end(&r, ready ? ir_avg_pool(r.g, "avg_pool3d", 3, r.x[0], kernel_size, (unsigned)n, stride, (unsigned)n, padding, (unsigned)n, ceil_mode, count_include_pad, divisor_override) : 0);
}

bz_tensor *bz_lp_pool1d_at(bz_tensor *x, double norm_type, const int *kernel_size,
                           const int *stride, int n, bool ceil_mode, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "lp_pool1d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n);
    return rt_end(&r, ready ? ir_lp_pool(r.g, "lp_pool1d", 1, r.x[0], norm_type, kernel_size, (unsigned)n, stride, (unsigned)n, ceil_mode) : 0);
}

bz_tensor *bz_lp_pool2d_at(bz_tensor *x, double norm_type, const int *kernel_size,
                           const int *stride, int n, bool ceil_mode, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "lp_pool2d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n);
    return rt_end(&r, ready ? ir_lp_pool(r.g, "lp_pool2d", 2, r.x[0], norm_type, kernel_size, (unsigned)n, stride, (unsigned)n, ceil_mode) : 0);
}

bz_tensor *bz_lp_pool3d_at(bz_tensor *x, double norm_type, const int *kernel_size,
                           const int *stride, int n, bool ceil_mode, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "lp_pool3d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, stride, n);
    return rt_end(&r, ready ? ir_lp_pool(r.g, "lp_pool3d", 3, r.x[0], norm_type, kernel_size, (unsigned)n, stride, (unsigned)n, ceil_mode) : 0);
}

bz_tensor *bz_adaptive_max_pool1d_at(bz_tensor *x, const int *output_size, int n,
                                     bz_tensor **indices, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "adaptive_max_pool1d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, output_size, n);
    if (ready) made[0] = ir_adaptive_max_pool(r.g, "adaptive_max_pool1d", 1, r.x[0], output_size, (unsigned)n, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_adaptive_avg_pool1d_at(bz_tensor *x, const int *output_size, int n,
                                     const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "adaptive_avg_pool1d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, output_size, n);
    return rt_end(&r, ready ? ir_adaptive_avg_pool(r.g, "adaptive_avg_pool1d", 1, r.x[0], output_size, (unsigned)n) : 0);
}

bz_tensor *bz_adaptive_max_pool2d_at(bz_tensor *x, const int *output_size, int n,
                                     bz_tensor **indices, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "adaptive_max_pool2d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, output_size, n);
    if (ready) made[0] = ir_adaptive_max_pool(r.g, "adaptive_max_pool2d", 2, r.x[0], output_size, (unsigned)n, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_adaptive_avg_pool2d_at(bz_tensor *x, const int *output_size, int n,
                                     const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "adaptive_avg_pool2d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, output_size, n);
    return rt_end(&r, ready ? ir_adaptive_avg_pool(r.g, "adaptive_avg_pool2d", 2, r.x[0], output_size, (unsigned)n) : 0);
}

bz_tensor *bz_adaptive_max_pool3d_at(bz_tensor *x, const int *output_size, int n,
                                     bz_tensor **indices, const char *site) {
    rt_rec r;
    ir_ref made[2] = {0};
    bool ready = rt_begin(&r, "adaptive_max_pool3d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, output_size, n);
    if (ready) made[0] = ir_adaptive_max_pool(r.g, "adaptive_max_pool3d", 3, r.x[0], output_size, (unsigned)n, &made[1]);
    return rt_end_results(&r, made, 2, (bz_tensor **[]){indices});
}

bz_tensor *bz_adaptive_avg_pool3d_at(bz_tensor *x, const int *output_size, int n,
                                     const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "adaptive_avg_pool3d", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list(&r, output_size, n);
    return rt_end(&r, ready ? ir_adaptive_avg_pool(r.g, "adaptive_avg_pool3d", 3, r.x[0], output_size, (unsigned)n) : 0);
}

bz_tensor *bz_unfold_at(bz_tensor *x, const int *kernel_size, const int *dilation,
                        const int *padding, const int *stride, int n, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "unfold", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, kernel_size, n)
              && rt_list_or_none(&r, dilation, n) && rt_list_or_none(&r, padding, n)
              && rt_list_or_none(&r, stride, n);
    return rt_end(&r, ready ? ir_unfold(r.g, r.x[0], kernel_size, (unsigned)n, dilation, (unsigned)n, padding, (unsigned)n, stride, (unsigned)n) : 0);
}

bz_tensor *bz_fold_at(bz_tensor *x, const int *output_size, const int *kernel_size,
                      const int *dilation, const int *padding, const int *stride, int n,
                      const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "fold", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, output_size, n)
              && rt_list(&r, kernel_size, n) && rt_list_or_none(&r, dilation, n)
              && rt_list_or_none(&r, padding, n) && rt_list_or_none(&r, stride, n);
    return rt_end(&r, ready ? ir_fold(r.g, r.x[0], output_size, (unsigned)n, kernel_size, (unsigned)n, dilation, (unsigned)n, padding, (unsigned)n, stride, (unsigned)n) : 0);
}

bz_tensor *bz_interpolate_at(bz_tensor *x, const int *size, int n, double scale_factor,
                             bz_resize mode, bool align_corners, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "interpolate", site, &x, 1, 0, BZ_NDTYPES)
              && rt_list_or_none(&r, size, n);
    return rt_end(&r, ready ? ir_interpolate(r.g, r.x[0], size, (unsigned)n, scale_factor, (int)mode, align_corners) : 0);
}

bz_tensor *bz_grid_sample_at(bz_tensor *x, bz_tensor *grid, bz_sample mode, bz_border padding_mode,
                             bool align_corners, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "grid_sample", site, (bz_tensor *[]){x, grid}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_grid_sample(r.g, r.x[0], r.x[1], (int)mode, (int)padding_mode, align_corners) : 0);
}

bz_tensor *bz_affine_grid_at(bz_tensor *x, const int64_t *size, int n, bool align_corners,
                             const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "affine_grid", site, &x, 1, 0, BZ_NDTYPES) && rt_list(&r, size, n);
    return rt_end(&r, ready ? ir_affine_grid(r.g, r.x[0], size, (unsigned)n, align_corners) : 0);
}

bz_tensor *bz_pixel_shuffle_at(bz_tensor *x, int64_t upscale_factor, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "pixel_shuffle", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_pixel_shuffle(r.g, r.x[0], upscale_factor) : 0);
}

bz_tensor *bz_pixel_unshuffle_at(bz_tensor *x, int64_t downscale_factor, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "pixel_unshuffle", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_pixel_unshuffle(r.g, r.x[0], downscale_factor) : 0);
}

bz_tensor *bz_channel_shuffle_at(bz_tensor *x, int64_t groups, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "channel_shuffle", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_channel_shuffle(r.g, r.x[0], groups) : 0);
}

bz_tensor *bz_scaled_dot_product_attention_at(bz_tensor *query, bz_tensor *key, bz_tensor *value,
                                              bz_tensor *attn_mask, bz_tensor *noise,
                                              double dropout_p, bool is_causal, double scale,
                                              bool enable_gqa, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "scaled_dot_product_attention", site, (bz_tensor *[]){query, key, value, attn_mask, noise}, 5, 1 << 3 | 1 << 4, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_scaled_dot_product_attention(r.g, r.x[0], r.x[1], r.x[2], r.x[3], r.x[4], dropout_p, is_causal, scale, enable_gqa) : 0);
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

bz_tensor *bz_instance_norm_at(bz_tensor *x, bz_tensor *running_mean, bz_tensor *running_var,
                               bz_tensor *weight, bz_tensor *bias, bool use_input_stats,
                               double momentum, double eps, bz_tensor **new_mean,
                               bz_tensor **new_var, const char *site) {
    rt_rec r;
    ir_ref made[3] = {0};
    bool ready = rt_begin(&r, "instance_norm", site, (bz_tensor *[]){x, running_mean, running_var, weight, bias}, 5, 1 << 1 | 1 << 2 | 1 << 3 | 1 << 4, BZ_NDTYPES);
    if (ready) made[0] = ir_instance_norm(r.g, r.x[0], r.x[1], r.x[2], r.x[3], r.x[4], use_input_stats, momentum, eps, &made[1], &made[2]);
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

bz_tensor *bz_elu_at(bz_tensor *x, double alpha, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "elu", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_elu(r.g, r.x[0], alpha) : 0);
}

bz_tensor *bz_selu_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "selu", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_selu(r.g, r.x[0]) : 0);
}

bz_tensor *bz_celu_at(bz_tensor *x, double alpha, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "celu", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_celu(r.g, r.x[0], alpha) : 0);
}

bz_tensor *bz_leaky_relu_at(bz_tensor *x, double negative_slope, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "leaky_relu", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_leaky_relu(r.g, r.x[0], negative_slope) : 0);
}

bz_tensor *bz_prelu_at(bz_tensor *x, bz_tensor *weight, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "prelu", site, (bz_tensor *[]){x, weight}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_prelu(r.g, r.x[0], r.x[1]) : 0);
}

bz_tensor *bz_rrelu_at(bz_tensor *x, double lower, double upper, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "rrelu", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_rrelu(r.g, r.x[0], lower, upper) : 0);
}

bz_tensor *bz_relu6_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "relu6", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_relu6(r.g, r.x[0]) : 0);
}

bz_tensor *bz_hardtanh_at(bz_tensor *x, double min_val, double max_val, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "hardtanh", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_hardtanh(r.g, r.x[0], min_val, max_val) : 0);
}

bz_tensor *bz_hardsigmoid_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "hardsigmoid", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_hardsigmoid(r.g, r.x[0]) : 0);
}

bz_tensor *bz_hardswish_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "hardswish", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_hardswish(r.g, r.x[0]) : 0);
}

bz_tensor *bz_hardshrink_at(bz_tensor *x, double lambd, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "hardshrink", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_hardshrink(r.g, r.x[0], lambd) : 0);
}

bz_tensor *bz_softshrink_at(bz_tensor *x, double lambd, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "softshrink", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_softshrink(r.g, r.x[0], lambd) : 0);
}

bz_tensor *bz_tanhshrink_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "tanhshrink", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_tanhshrink(r.g, r.x[0]) : 0);
}

bz_tensor *bz_threshold_at(bz_tensor *x, double threshold, double value, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "threshold", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_threshold(r.g, r.x[0], threshold, value) : 0);
}

bz_tensor *bz_mish_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "mish", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_mish(r.g, r.x[0]) : 0);
}

bz_tensor *bz_softsign_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "softsign", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_softsign(r.g, r.x[0]) : 0);
}

bz_tensor *bz_logsigmoid_at(bz_tensor *x, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "logsigmoid", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_logsigmoid(r.g, r.x[0]) : 0);
}

bz_tensor *bz_glu_at(bz_tensor *x, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "glu", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_glu(r.g, r.x[0], axis) : 0);
}

bz_tensor *bz_softmin_at(bz_tensor *x, int axis, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "softmin", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_softmin(r.g, r.x[0], axis) : 0);
}

bz_tensor *bz_normalize_at(bz_tensor *x, double p, int axis, double eps, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "normalize", site, &x, 1, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_normalize(r.g, r.x[0], p, axis, eps) : 0);
}

bz_tensor *bz_cosine_similarity_at(bz_tensor *x, bz_tensor *y, int axis, double eps,
                                   const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cosine_similarity", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_cosine_similarity(r.g, r.x[0], r.x[1], axis, eps) : 0);
}

bz_tensor *bz_pairwise_distance_at(bz_tensor *x, bz_tensor *y, double p, double eps, bool keepdim,
                                   const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "pairwise_distance", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_pairwise_distance(r.g, r.x[0], r.x[1], p, eps, keepdim) : 0);
}

bz_tensor *bz_cross_entropy_at(bz_tensor *logits, bz_tensor *target, bz_tensor *weight,
                               int64_t ignore_index, bz_reduction reduction, double label_smoothing,
                               const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cross_entropy", site, (bz_tensor *[]){logits, target, weight}, 3, 1 << 2, BZ_I64);
    return rt_end(&r, ready ? ir_cross_entropy(r.g, r.x[0], r.x[1], r.x[2], ignore_index, (int)reduction, label_smoothing) : 0);
}

bz_tensor *bz_nll_loss_at(bz_tensor *x, bz_tensor *target, bz_tensor *weight, int64_t ignore_index,
                          bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "nll_loss", site, (bz_tensor *[]){x, target, weight}, 3, 1 << 2, BZ_I64);
    return rt_end(&r, ready ? ir_nll_loss(r.g, r.x[0], r.x[1], r.x[2], ignore_index, (int)reduction) : 0);
}

bz_tensor *bz_binary_cross_entropy_at(bz_tensor *x, bz_tensor *target, bz_tensor *weight,
                                      bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "binary_cross_entropy", site, (bz_tensor *[]){x, target, weight}, 3, 1 << 2, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_binary_cross_entropy(r.g, r.x[0], r.x[1], r.x[2], (int)reduction) : 0);
}

bz_tensor *bz_binary_cross_entropy_with_logits_at(bz_tensor *x, bz_tensor *target,
                                                  bz_tensor *weight, bz_tensor *pos_weight,
                                                  bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "binary_cross_entropy_with_logits", site, (bz_tensor *[]){x, target, weight, pos_weight}, 4, 1 << 2 | 1 << 3, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_binary_cross_entropy_with_logits(r.g, r.x[0], r.x[1], r.x[2], r.x[3], (int)reduction) : 0);
}

bz_tensor *bz_kl_div_at(bz_tensor *x, bz_tensor *target, bz_reduction reduction, bool log_target,
                        const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "kl_div", site, (bz_tensor *[]){x, target}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_kl_div(r.g, r.x[0], r.x[1], (int)reduction, log_target) : 0);
}

bz_tensor *bz_poisson_nll_loss_at(bz_tensor *x, bz_tensor *target, bool log_input, bool full,
                                  double eps, bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "poisson_nll_loss", site, (bz_tensor *[]){x, target}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_poisson_nll_loss(r.g, r.x[0], r.x[1], log_input, full, eps, (int)reduction) : 0);
}

bz_tensor *bz_gaussian_nll_loss_at(bz_tensor *x, bz_tensor *target, bz_tensor *var, bool full,
                                   double eps, bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "gaussian_nll_loss", site, (bz_tensor *[]){x, target, var}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_gaussian_nll_loss(r.g, r.x[0], r.x[1], r.x[2], full, eps, (int)reduction) : 0);
}

bz_tensor *bz_mse_loss_at(bz_tensor *x, bz_tensor *y, bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "mse_loss", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_mse_loss(r.g, r.x[0], r.x[1], (int)reduction) : 0);
}

bz_tensor *bz_l1_loss_at(bz_tensor *x, bz_tensor *y, bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "l1_loss", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_l1_loss(r.g, r.x[0], r.x[1], (int)reduction) : 0);
}

bz_tensor *bz_smooth_l1_loss_at(bz_tensor *x, bz_tensor *y, bz_reduction reduction, double beta,
                                const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "smooth_l1_loss", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_smooth_l1_loss(r.g, r.x[0], r.x[1], (int)reduction, beta) : 0);
}

bz_tensor *bz_huber_loss_at(bz_tensor *x, bz_tensor *y, bz_reduction reduction, double delta,
                            const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "huber_loss", site, (bz_tensor *[]){x, y}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_huber_loss(r.g, r.x[0], r.x[1], (int)reduction, delta) : 0);
}

bz_tensor *bz_soft_margin_loss_at(bz_tensor *x, bz_tensor *target, bz_reduction reduction,
                                  const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "soft_margin_loss", site, (bz_tensor *[]){x, target}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_soft_margin_loss(r.g, r.x[0], r.x[1], (int)reduction) : 0);
}

bz_tensor *bz_hinge_embedding_loss_at(bz_tensor *x, bz_tensor *target, double margin,
                                      bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "hinge_embedding_loss", site, (bz_tensor *[]){x, target}, 2, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_hinge_embedding_loss(r.g, r.x[0], r.x[1], margin, (int)reduction) : 0);
}

bz_tensor *bz_margin_ranking_loss_at(bz_tensor *x, bz_tensor *y, bz_tensor *target, double margin,
                                     bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "margin_ranking_loss", site, (bz_tensor *[]){x, y, target}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_margin_ranking_loss(r.g, r.x[0], r.x[1], r.x[2], margin, (int)reduction) : 0);
}

bz_tensor *bz_cosine_embedding_loss_at(bz_tensor *x, bz_tensor *y, bz_tensor *target, double margin,
                                       bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "cosine_embedding_loss", site, (bz_tensor *[]){x, y, target}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_cosine_embedding_loss(r.g, r.x[0], r.x[1], r.x[2], margin, (int)reduction) : 0);
}

bz_tensor *bz_triplet_margin_loss_at(bz_tensor *anchor, bz_tensor *positive, bz_tensor *negative,
                                     double margin, double p, double eps, bool swap,
                                     bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "triplet_margin_loss", site, (bz_tensor *[]){anchor, positive, negative}, 3, 0, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_triplet_margin_loss(r.g, r.x[0], r.x[1], r.x[2], margin, p, eps, swap, (int)reduction) : 0);
}

bz_tensor *bz_multi_margin_loss_at(bz_tensor *x, bz_tensor *target, bz_tensor *weight, double p,
                                   double margin, bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "multi_margin_loss", site, (bz_tensor *[]){x, target, weight}, 3, 1 << 2, BZ_I64);
    return rt_end(&r, ready ? ir_multi_margin_loss(r.g, r.x[0], r.x[1], r.x[2], p, margin, (int)reduction) : 0);
}

bz_tensor *bz_multilabel_soft_margin_loss_at(bz_tensor *x, bz_tensor *target, bz_tensor *weight,
                                             bz_reduction reduction, const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "multilabel_soft_margin_loss", site, (bz_tensor *[]){x, target, weight}, 3, 1 << 2, BZ_NDTYPES);
    return rt_end(&r, ready ? ir_multilabel_soft_margin_loss(r.g, r.x[0], r.x[1], r.x[2], (int)reduction) : 0);
}

bz_tensor *bz_unscale_at(bz_tensor *grad, bz_tensor *scale, bz_tensor *norm, double max_norm,
                         const char *site) {
    rt_rec r;
    bool ready = rt_begin(&r, "unscale", site, (bz_tensor *[]){grad, scale, norm}, 3, 1 << 1 | 1 << 2, BZ_F32);
    return rt_end(&r, ready ? ir_unscale(r.g, r.x[0], r.x[1], r.x[2], max_norm) : 0);
}
