/* api_create.c - tensors made from nothing: constants, sequences, random numbers. */
#include "runtime/rt.h"

#include <math.h>
#include <string.h>

/* The shape as dimensions; an error that names the maker. */
static bool dims_of(rt_rec *r, const char *op, bz_dtype t, const int64_t *shape, int rank,
                    ir_dim *dims) {
    if (!rt_check_shape(r->c, op, r->site, t, shape, rank)) return false;
    for (int i = 0; i < rank; i++) dims[i] = ir_dim_const(r->g, shape[i]);
    return true;
}

/* 0 and 1 are constants: what stands beside them folds. Another value is a number of the recording, as a bz_scalar is, and of a trace a
 * constant: a rate that changes with each step is no other program. */
static ir_ref value_node(rt_rec *r, bz_dtype t, ir_bits bits, const ir_dim *dims, unsigned rank) {
    bool plain = bits == ir_bits_from_i64(t, 0) || bits == ir_bits_from_i64(t, 1);
    if (plain || r->c->epoch->tracing) return ir_const_bits(r->g, t, bits, dims, rank);
    ir_ref number = rt_scalar_node(r->c, t, bits);
    return number ? ir_expand_dims_like(r->g, number, dims, rank) : 0;
}

static bz_tensor *filled(bz_context *c, const char *op, const int64_t *shape, int rank, ir_number v,
                         bz_dtype t, const char *site) {
    rt_rec r;
    ir_dim dims[IR_MAX_RANK];
    bool ready = rt_begin_new(&r, op, c, site) && dims_of(&r, op, t, shape, rank, dims);
    return rt_end(&r,
                  ready ? value_node(&r, t, ir_bits_from_number(t, v), dims, (unsigned)rank) : 0);
}

bz_tensor *bz_full_at(bz_context *c, const int64_t *shape, int rank, double v, bz_dtype t,
                      const char *site) {
    RT_BORDER; /* what v is worth is computed before the recording begins */
    return filled(c, "full", shape, rank, ir_number_of_double(v), t, site);
}

bz_tensor *bz_full_int_at(bz_context *c, const int64_t *shape, int rank, int64_t v, bz_dtype t,
                          const char *site) {
    return filled(c, "full", shape, rank, ir_number_i(v), t, site);
}

bz_tensor *bz_zeros_at(bz_context *c, const int64_t *shape, int rank, bz_dtype t,
                       const char *site) {
    return filled(c, "zeros", shape, rank, ir_number_i(0), t, site);
}

bz_tensor *bz_ones_at(bz_context *c, const int64_t *shape, int rank, bz_dtype t, const char *site) {
    return filled(c, "ones", shape, rank, ir_number_i(1), t, site);
}

/* ---- sequences */

/* start + i * step in the dtype `in`, given as t. */
static ir_ref steps(ir_graph *g, bz_dtype t, bz_dtype in, int64_t n, ir_number start,
                    ir_number step) {
    ir_dim dim = ir_dim_const(g, n);
    ir_ref i = ir_cast(g, ir_iota(g, BZ_I64, &dim, 1, 0), in);
    ir_ref by = ir_const_bits(g, in, ir_bits_from_number(in, step), NULL, 0);
    ir_ref from = ir_const_bits(g, in, ir_bits_from_number(in, start), NULL, 0);
    return ir_cast(g, ir_build2(g, IR_ADD, ir_build2(g, IR_MUL, i, by), from), t);
}

/* start + i * step: integers in i64 where start and step are whole, else in f64, rounded once. */
static ir_ref ramp(ir_graph *g, bz_dtype t, int64_t n, double start, double step) {
    bool whole =
        start == floor(start) && step == floor(step) && fabs(start) < 0x1p62 && fabs(step) < 0x1p62;
    bz_dtype in = whole && !ir_is_float(t) ? BZ_I64 : BZ_F64;
    return steps(g, t, in, n, ir_number_of_double(start), ir_number_of_double(step));
}

bz_tensor *bz_arange_at(bz_context *c, double start, double stop, double step, bz_dtype t,
                        const char *site) {
    rt_rec r;
    if (!rt_begin_new(&r, "arange", c, site)) return rt_end(&r, 0);
    double n = ceil((stop - start) / step);
    if (step == 0 || !isfinite(n) || !isfinite(start) || !isfinite(step))
        return rt_fail(c, BZ_EARG, site, "arange", "no sequence from %g to %g by %g", start, stop,
                       step),
               rt_end(&r, 0);
    int64_t count = n > 0 ? (n < 0x1p62 ? (int64_t)n : INT64_MAX) : 0;
    ir_dim dim;
    bool ready = dims_of(&r, "arange", t, &count, 1, &dim);
    return rt_end(&r, ready ? ramp(r.g, t, count, start, step) : 0);
}

/* ceil((stop - start) / step), by integers that cannot overflow. */
static uint64_t whole_steps(int64_t start, int64_t stop, int64_t step) {
    bool up = step > 0;
    if (up ? start >= stop : start <= stop) return 0;
    uint64_t span = up ? (uint64_t)stop - (uint64_t)start : (uint64_t)start - (uint64_t)stop;
    uint64_t by = up ? (uint64_t)step : 0 - (uint64_t)step;
    return (span - 1) / by + 1;
}

bz_tensor *bz_arange_int_at(bz_context *c, int64_t start, int64_t stop, int64_t step, bz_dtype t,
                            const char *site) {
    rt_rec r;
    if (!rt_begin_new(&r, "arange", c, site)) return rt_end(&r, 0);
    if (step == 0)
        return rt_fail(c, BZ_EARG, site, "arange", "no sequence from %lld to %lld by 0",
                       (long long)start, (long long)stop),
               rt_end(&r, 0);
    uint64_t n = whole_steps(start, stop, step);
    int64_t count = n < (uint64_t)INT64_MAX ? (int64_t)n : INT64_MAX;
    ir_dim dim;
    bool ready = dims_of(&r, "arange", t, &count, 1, &dim);
    return rt_end(&r,
                  ready ? steps(r.g, t, BZ_I64, count, ir_number_i(start), ir_number_i(step)) : 0);
}

bz_tensor *bz_linspace_at(bz_context *c, double start, double stop, int64_t n, bz_dtype t,
                          const char *site) {
    rt_rec r;
    ir_dim dim;
    if (!rt_begin_new(&r, "linspace", c, site) || !dims_of(&r, "linspace", t, &n, 1, &dim))
        return rt_end(&r, 0);
    if (!ir_is_float(t))
        return rt_fail(c, BZ_EDTYPE, site, "linspace", "wants a floating dtype, not %s",
                       ir_dtypes[t].name),
               rt_end(&r, 0);
    if (!isfinite(start) || !isfinite(stop))
        return rt_fail(c, BZ_EARG, site, "linspace", "no sequence from %g to %g", start, stop),
               rt_end(&r, 0);
    if (n < 2) return rt_end(&r, ramp(r.g, t, n, start, 0));
    /* the last one is exact */
    ir_ref last =
        ir_build2(r.g, IR_EQ, ir_iota(r.g, BZ_I64, &dim, 1, 0), ir_const_i(r.g, BZ_I64, n - 1));
    ir_ref x = ramp(r.g, BZ_F64, n, start, (stop - start) / (double)(n - 1));
    return rt_end(
        &r, ir_cast(r.g, ir_build3(r.g, IR_SELECT, last, ir_const_f(r.g, BZ_F64, stop), x), t));
}

bz_tensor *bz_eye_at(bz_context *c, int64_t n, int64_t m, bz_dtype t, const char *site) {
    rt_rec r;
    ir_dim dims[2];
    if (!rt_begin_new(&r, "eye", c, site) || !dims_of(&r, "eye", t, (int64_t[]){n, m}, 2, dims))
        return rt_end(&r, 0);
    ir_ref i = ir_iota(r.g, BZ_I64, dims, 2, 0), j = ir_iota(r.g, BZ_I64, dims, 2, 1);
    return rt_end(&r, ir_cast(r.g, ir_build2(r.g, IR_EQ, i, j), t));
}

/* ---- random numbers */

/* The stream's key and offset for a tensor of this shape; false and an error. */
static bool draw(rt_rec *r, bz_context *c, const char *op, bz_dtype t, const int64_t *shape,
                 int rank, const char *site, ir_dim *dims, ir_ref *key, ir_ref *offset) {
    if (!rt_begin_new(r, op, c, site) || !dims_of(r, op, t, shape, rank, dims)) return false;
    int64_t count = 1;
    for (int i = 0; i < rank; i++) count *= shape[i];
    return rt_random(c, count, ir_random_words(t), key, offset);
}

bz_tensor *bz_rand_at(bz_context *c, const int64_t *shape, int rank, bz_dtype t, const char *site) {
    rt_rec r;
    ir_dim dims[IR_MAX_RANK];
    ir_ref key, offset;
    bool ready = draw(&r, c, "rand", t, shape, rank, site, dims, &key, &offset);
    return rt_end(&r, ready ? ir_rand(r.g, t, dims, (unsigned)rank, key, offset) : 0);
}

bz_tensor *bz_randn_at(bz_context *c, const int64_t *shape, int rank, bz_dtype t,
                       const char *site) {
    rt_rec r;
    ir_dim dims[IR_MAX_RANK];
    ir_ref key, offset;
    bool ready = draw(&r, c, "randn", t, shape, rank, site, dims, &key, &offset);
    return rt_end(&r, ready ? ir_randn(r.g, t, dims, (unsigned)rank, key, offset) : 0);
}

bz_tensor *bz_randint_at(bz_context *c, int64_t lo, int64_t hi, const int64_t *shape, int rank,
                         const char *site) {
    rt_rec r;
    ir_dim dims[IR_MAX_RANK];
    ir_ref key, offset;
    bool ready = draw(&r, c, "randint", BZ_I64, shape, rank, site, dims, &key, &offset);
    return rt_end(&r, ready ? ir_randint(r.g, lo, hi, dims, (unsigned)rank, key, offset) : 0);
}
