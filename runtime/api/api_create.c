/* api_create.c - tensors made from nothing: constants, sequences, random numbers. */
#include "runtime/api/host.h"

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

bz_tensor *bz_empty_at(bz_context *c, const int64_t *shape, int rank, bz_dtype t,
                       const char *site) {
    return filled(c, "empty", shape, rank, ir_number_i(0), t, site);
}

/* ---- sequences */

static bz_tensor *arange(bz_context *c, ir_number start, ir_number stop, ir_number step, bz_dtype t,
                         const char *site) {
    rt_rec r;
    int64_t n;
    bool ready = rt_begin_new(&r, "arange", c, site) &&
                 ir_arange_count(r.g, start, stop, step, &n) &&
                 rt_check_shape(c, "arange", site, t, &n, 1);
    return rt_end(&r, ready ? ir_arange(r.g, start, stop, step, t) : 0);
}

bz_tensor *bz_arange_at(bz_context *c, double start, double stop, double step, bz_dtype t,
                        const char *site) {
    return arange(c, ir_number_f(start), ir_number_f(stop), ir_number_f(step), t, site);
}

bz_tensor *bz_arange_int_at(bz_context *c, int64_t start, int64_t stop, int64_t step, bz_dtype t,
                            const char *site) {
    return arange(c, ir_number_i(start), ir_number_i(stop), ir_number_i(step), t, site);
}

bz_tensor *bz_linspace_at(bz_context *c, double start, double stop, int64_t n, bz_dtype t,
                          const char *site) {
    rt_rec r;
    bool ready =
        rt_begin_new(&r, "linspace", c, site) && rt_check_shape(c, "linspace", site, t, &n, 1);
    return rt_end(&r, ready ? ir_linspace(r.g, start, stop, n, t) : 0);
}

bz_tensor *bz_eye_at(bz_context *c, int64_t n, int64_t m, bz_dtype t, const char *site) {
    rt_rec r;
    if (m == INT64_MIN) m = n;
    bool ready =
        rt_begin_new(&r, "eye", c, site) && rt_check_shape(c, "eye", site, t, (int64_t[]){n, m}, 2);
    return rt_end(&r, ready ? ir_eye(r.g, n, m, t) : 0);
}

bz_tensor *bz_logspace_at(bz_context *c, double start, double stop, int64_t n, double base,
                          bz_dtype t, const char *site) {
    rt_rec r;
    bool ready =
        rt_begin_new(&r, "logspace", c, site) && rt_check_shape(c, "logspace", site, t, &n, 1);
    return rt_end(&r, ready ? ir_logspace(r.g, start, stop, n, base, t) : 0);
}

static bool begin_window(rt_rec *r, const char *name, bz_context *c, int64_t n, bz_dtype t,
                         const char *site) {
    return rt_begin_new(r, name, c, site) && rt_check_shape(c, name, site, t, &n, 1);
}

bz_tensor *bz_bartlett_window_at(bz_context *c, int64_t n, bool periodic, bz_dtype t,
                                 const char *site) {
    rt_rec r;
    bool ready = begin_window(&r, "bartlett_window", c, n, t, site);
    return rt_end(&r, ready ? ir_bartlett_window(r.g, n, periodic, t) : 0);
}

bz_tensor *bz_blackman_window_at(bz_context *c, int64_t n, bool periodic, bz_dtype t,
                                 const char *site) {
    rt_rec r;
    bool ready = begin_window(&r, "blackman_window", c, n, t, site);
    return rt_end(&r, ready ? ir_blackman_window(r.g, n, periodic, t) : 0);
}

bz_tensor *bz_hamming_window_at(bz_context *c, int64_t n, bool periodic, double alpha, double beta,
                                bz_dtype t, const char *site) {
    rt_rec r;
    bool ready = begin_window(&r, "hamming_window", c, n, t, site);
    return rt_end(&r, ready ? ir_hamming_window(r.g, n, periodic, alpha, beta, t) : 0);
}

bz_tensor *bz_hann_window_at(bz_context *c, int64_t n, bool periodic, bz_dtype t,
                             const char *site) {
    rt_rec r;
    bool ready = begin_window(&r, "hann_window", c, n, t, site);
    return rt_end(&r, ready ? ir_hann_window(r.g, n, periodic, t) : 0);
}

bz_tensor *bz_kaiser_window_at(bz_context *c, int64_t n, bool periodic, double beta, bz_dtype t,
                               const char *site) {
    rt_rec r;
    bool ready = begin_window(&r, "kaiser_window", c, n, t, site);
    return rt_end(&r, ready ? ir_kaiser_window(r.g, n, periodic, beta, t) : 0);
}

bz_tensor *bz_tri_at(bz_context *c, int64_t n, int64_t m, int64_t k, bz_dtype t, const char *site) {
    rt_rec r;
    bool ready =
        rt_begin_new(&r, "tri", c, site) && rt_check_shape(c, "tri", site, t, (int64_t[]){n, m}, 2);
    return rt_end(&r, ready ? ir_tri(r.g, n, m, k, t) : 0);
}

bz_tensor *bz_tril_indices_at(bz_context *c, int64_t row, int64_t col, int64_t offset,
                              const char *site) {
    rt_rec r;
    bool ready = rt_begin_new(&r, "tril_indices", c, site);
    return rt_end(&r, ready ? ir_tril_indices(r.g, row, col, offset) : 0);
}

bz_tensor *bz_triu_indices_at(bz_context *c, int64_t row, int64_t col, int64_t offset,
                              const char *site) {
    rt_rec r;
    bool ready = rt_begin_new(&r, "triu_indices", c, site);
    return rt_end(&r, ready ? ir_triu_indices(r.g, row, col, offset) : 0);
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

bz_tensor *bz_uniform_at(bz_context *c, double low, double high, const int64_t *shape, int rank,
                         bz_dtype t, const char *site) {
    rt_rec r;
    ir_dim dims[IR_MAX_RANK];
    ir_ref key, offset;
    bool ready = draw(&r, c, "uniform", t, shape, rank, site, dims, &key, &offset);
    return rt_end(&r, ready ? ir_uniform(r.g, low, high, dims, (unsigned)rank, t, key, offset) : 0);
}

bz_tensor *bz_normal_at(bz_context *c, double mean, double std, const int64_t *shape, int rank,
                        bz_dtype t, const char *site) {
    rt_rec r;
    ir_dim dims[IR_MAX_RANK];
    ir_ref key, offset;
    bool ready = draw(&r, c, "normal", t, shape, rank, site, dims, &key, &offset);
    return rt_end(&r, ready ? ir_normal(r.g, mean, std, dims, (unsigned)rank, t, key, offset) : 0);
}

bz_tensor *bz_exponential_at(bz_context *c, double lambd, const int64_t *shape, int rank,
                             bz_dtype t, const char *site) {
    rt_rec r;
    ir_dim dims[IR_MAX_RANK];
    ir_ref key, offset;
    bool ready = draw(&r, c, "exponential", t, shape, rank, site, dims, &key, &offset);
    return rt_end(&r, ready ? ir_exponential(r.g, lambd, dims, (unsigned)rank, t, key, offset) : 0);
}

bz_tensor *bz_geometric_at(bz_context *c, double p, const int64_t *shape, int rank, bz_dtype t,
                           const char *site) {
    rt_rec r;
    ir_dim dims[IR_MAX_RANK];
    ir_ref key, offset;
    bool ready =
        draw(&r, c, "geometric", BZ_F64, shape, rank, site, dims, &key, &offset) && rt_dtype(&r, t);
    return rt_end(&r, ready ? ir_geometric(r.g, p, dims, (unsigned)rank, t, key, offset) : 0);
}

bz_tensor *bz_randperm_at(bz_context *c, int64_t n, const char *site) {
    rt_rec r;
    ir_dim dims[IR_MAX_RANK];
    ir_ref key, offset;
    bool ready = draw(&r, c, "randperm", BZ_I64, &n, 1, site, dims, &key, &offset);
    return rt_end(&r, ready ? ir_randperm(r.g, n, key, offset) : 0);
}

/* Elements that the operands broadcast to, -1: their sizes are not known, or there are too many. */
static int64_t count_of(const rt_rec *r, unsigned n) {
    int64_t count = 1, shape[IR_MAX_RANK], wide[IR_MAX_RANK];
    for (unsigned a = 0; a < IR_MAX_RANK; a++) wide[a] = 1; /* from the last axis */
    for (unsigned k = 0; k < n; k++) {
        const unsigned rank = ir_at(r->g, r->x[k])->rank;
        if (!ir_static_shape(r->g, r->x[k], shape)) return -1;
        for (unsigned a = 0; a < rank; a++)
            if (shape[a] != 1) wide[rank - 1 - a] = shape[a];
    }
    for (unsigned a = 0; a < IR_MAX_RANK; a++)
        if (__builtin_mul_overflow(count, wide[a], &count)) return -1;
    return count;
}

bool rt_draw(rt_rec *r, unsigned n, int64_t times, ir_ref *key, ir_ref *offset) {
    int64_t count = count_of(r, n);
    if (count < 0 || times < 0 || __builtin_mul_overflow(count, times, &count) ||
        count > INT64_C(1) << 60)
        return ir_error(r->g, BZ_ESHAPE, IR_PHILOX, "there are not so many numbers"), false;
    return rt_random(r->c, count, 2, key, offset);
}
