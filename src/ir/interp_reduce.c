/* interp_reduce.c - folds and sums of products in the orders of docs/numerics.md, literally.
 *
 *     LAST   blocks of 4096: L lanes over k mod L, halving tree      blocks: pairwise
 *     LEAD   chains of 128                                           chains: pairwise
 *     DOT    fma chains of 512                                       chains: in order
 *
 * Accumulators: float for f16, bf16 and f32, double for f64, int64_t for integers and bool
 * (wrapping). */
#include "src/ir/interp.h"

#include <math.h>
#include <string.h>

typedef enum acc_kind { ACC_F32, ACC_F64, ACC_I64, NACC } acc_kind;

typedef union accumulator {
    float f;
    double d;
    int64_t i;
} accumulator;

static acc_kind acc_of(bz_dtype t) {
    return t == BZ_F64 ? ACC_F64 : ir_is_float(t) ? ACC_F32 : ACC_I64;
}

/* ---- one element into an accumulator's type and back */

static void load(bz_dtype t, const void *p, acc_kind k, void *out) {
    ir_bits b = ir_load_bits(t, p);
    if (k == ACC_F64)
        *(double *)out = ir_bits_to_f64(t, b);
    else if (k == ACC_F32)
        *(float *)out = (float)ir_bits_to_f64(t, b); /* exact */
    else
        *(int64_t *)out = ir_bits_to_i64(t, b);
}

static void store(bz_dtype t, void *p, acc_kind k, const void *acc) {
    ir_bits b = k == ACC_I64   ? ir_bits_from_i64(t, *(const int64_t *)acc)
                : k == ACC_F64 ? ir_bits_from_f64(t, *(const double *)acc)
                               : ir_bits_from_f64(t, (double)*(const float *)acc); /* rounds once */
    ir_store_bits(t, p, b);
}

static size_t acc_bytes(acc_kind k) {
    return k == ACC_F32 ? sizeof(float) : sizeof(double);
}

static int64_t wrap_add(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a + (uint64_t)b);
}

static int64_t wrap_mul(int64_t a, int64_t b) {
    return (int64_t)((uint64_t)a * (uint64_t)b);
}

static int64_t wrap_fma(int64_t a, int64_t b, int64_t c) {
    return wrap_add(wrap_mul(a, b), c);
}

#define FLOAT_ADD(a, b) ((a) + (b))
#define FLOAT_MUL(a, b) ((a) * (b))

/* The folds for accumulator type T: op(acc, x) with the accumulator first, as the base ops of
 * ops.def define it. */
#define FOLDS(T, NAME, ADD, MUL, FMA, LOWEST, HIGHEST)                                             \
    static T op_##NAME(ir_reduce_kind kind, T a, T x) {                                            \
        switch (kind) {                                                                            \
        case IR_SUM: return ADD(a, x);                                                             \
        case IR_PROD: return MUL(a, x);                                                            \
        case IR_RMAX: return a > x || a != a ? a : x;                                              \
        case IR_RMIN: return a < x || a != a ? a : x;                                              \
        case IR_ANY: return a != 0 || x != 0;                                                      \
        default: return a != 0 && x != 0;                                                          \
        }                                                                                          \
    }                                                                                              \
    static T start_##NAME(ir_reduce_kind kind) {                                                   \
        return kind == IR_RMAX                     ? LOWEST                                        \
               : kind == IR_RMIN                   ? HIGHEST                                       \
               : kind == IR_PROD || kind == IR_ALL ? (T)1                                          \
                                                   : (T)0;                                         \
    }                                                                                              \
    /* v[0 .. n) becomes one value: neighbours in pairs, an odd last one goes up as it is. */      \
    static T pairwise_##NAME(ir_reduce_kind kind, T *v, int64_t n) {                               \
        for (; n > 1; n = (n + 1) / 2) {                                                           \
            for (int64_t i = 0; i < n / 2; i++) v[i] = op_##NAME(kind, v[2 * i], v[2 * i + 1]);    \
            if (n % 2) v[n / 2] = v[n - 1];                                                        \
        }                                                                                          \
        return n ? v[0] : start_##NAME(kind);                                                      \
    }                                                                                              \
    static T block_##NAME(ir_reduce_kind kind, const T *x, int64_t n, int64_t lanes) {             \
        T lane[IR_LANES];                                                                          \
        for (int64_t l = 0; l < lanes; l++) lane[l] = start_##NAME(kind);                          \
        for (int64_t k = 0; k < n; k++) lane[k % lanes] = op_##NAME(kind, lane[k % lanes], x[k]);  \
        for (int64_t h = lanes / 2; h >= 1; h /= 2) {                                              \
            for (int64_t l = 0; l < h; l++) lane[l] = op_##NAME(kind, lane[l], lane[l + h]);       \
        }                                                                                          \
        return lane[0];                                                                            \
    }                                                                                              \
    static T chain_##NAME(ir_reduce_kind kind, const T *x, int64_t n) {                            \
        T acc = start_##NAME(kind);                                                                \
        for (int64_t k = 0; k < n; k++) acc = op_##NAME(kind, acc, x[k]);                          \
        return acc;                                                                                \
    }                                                                                              \
    /* x[0 .. n) folded; overwrites x. */                                                          \
    static void fold_##NAME(ir_reduce_kind kind, ir_order order, void *data, int64_t n,            \
                            void *out) {                                                           \
        T *x = data;                                                                               \
        int64_t size = order == IR_ORDER_LEAD ? IR_CHAIN : IR_BLOCK, lanes = 1, blocks = 0;        \
        while (lanes < n && lanes < IR_LANES) lanes *= 2;                                          \
        for (int64_t at = 0; at < n; at += size) {                                                 \
            int64_t m = n - at < size ? n - at : size;                                             \
            x[blocks++] = order == IR_ORDER_LEAD ? chain_##NAME(kind, x + at, m)                   \
                                                 : block_##NAME(kind, x + at, m, lanes);           \
        }                                                                                          \
        *(T *)out = pairwise_##NAME(kind, x, blocks);                                              \
    }                                                                                              \
    static void dot_##NAME(const void *left, const void *right, int64_t n, void *out) {            \
        const T *a = left, *b = right;                                                             \
        T total = 0;                                                                               \
        for (int64_t at = 0; at < n; at += IR_DOT_BLOCK) {                                         \
            T acc = 0;                                                                             \
            for (int64_t k = at; k < n && k < at + IR_DOT_BLOCK; k++) acc = FMA(a[k], b[k], acc);  \
            total = at == 0 ? acc : ADD(total, acc);                                               \
        }                                                                                          \
        *(T *)out = total;                                                                         \
    }

FOLDS(float, f32, FLOAT_ADD, FLOAT_MUL, fmaf, -HUGE_VALF, HUGE_VALF)
FOLDS(double, f64, FLOAT_ADD, FLOAT_MUL, fma, -HUGE_VAL, HUGE_VAL)
FOLDS(int64_t, i64, wrap_add, wrap_mul, wrap_fma, INT64_MIN, INT64_MAX)

static void (*const folds[NACC])(ir_reduce_kind, ir_order, void *, int64_t,
                                 void *) = {fold_f32, fold_f64, fold_i64};
static void (*const dots[NACC])(const void *, const void *, int64_t, void *) = {dot_f32, dot_f64,
                                                                                dot_i64};

/* ---- elements of some axes as a list */

typedef struct axes_view {
    unsigned rank;
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
} axes_view;

static void add_axis(axes_view *v, const it_array *x, const int64_t *strides, unsigned axis) {
    v->shape[v->rank] = x->shape[axis];
    v->strides[v->rank++] = strides[axis];
}

static it_walk walk_view(const axes_view *v, int64_t offset) {
    return it_begin(v->rank, v->shape, v->strides, offset);
}

/* The elements of the view from `offset` on, row-major, as accumulators. */
static void load_view(const it_array *x, const axes_view *v, int64_t offset, acc_kind k,
                      char *out) {
    size_t bytes = ir_dtype_bytes(x->dtype), step = acc_bytes(k);
    for (it_walk w = walk_view(v, offset); w.left; it_next(&w), out += step)
        load(x->dtype, (const char *)x->data + (size_t)w.at * bytes, k, out);
}

/* ---- reduce */

/* Index of the first largest (smallest) element; of the first NaN if there is one. */
static int64_t first_best_f64(const double *x, int64_t n, bool max) {
    int64_t best = 0;
    for (int64_t k = 0; k < n; k++) {
        if (x[k] != x[k]) return k;
        if (max ? x[k] > x[best] : x[k] < x[best]) best = k;
    }
    return best;
}

static int64_t first_best_i64(const int64_t *x, int64_t n, bool max) {
    int64_t best = 0;
    for (int64_t k = 1; k < n; k++) best = (max ? x[k] > x[best] : x[k] < x[best]) ? k : best;
    return best;
}

static void fold_row(const ir_reduce_attr *a, bz_dtype from, char *row, int64_t n,
                     const it_array *out, int64_t at) {
    acc_kind k = acc_of(from);
    char *to = (char *)out->data + (size_t)at * ir_dtype_bytes(out->dtype);
    accumulator acc;
    if (a->kind == IR_ARGMAX || a->kind == IR_ARGMIN) {
        bool max = a->kind == IR_ARGMAX;
        acc.i = k == ACC_I64 ? first_best_i64((int64_t *)(void *)row, n, max)
                             : first_best_f64((double *)(void *)row, n, max);
        store(BZ_I64, to, ACC_I64, &acc);
        return;
    }
    folds[k](a->kind, a->order, row, n, &acc);
    store(out->dtype, to, k, &acc);
}

bool it_reduce(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *out = &s->slot[r].a;
    ir_reduce_attr a = ir_reduce_get(s->g, ir_at(s->g, r));
    axes_view kept = {0}, gone = {0};
    int64_t strides[IR_MAX_RANK], n = 1, at = 0;
    it_strides(x, strides);
    for (unsigned i = 0, k = 0; i < x->rank; i++) {
        bool folded = k < a.naxes && a.axes[k] == (int64_t)i;
        add_axis(folded ? &gone : &kept, x, strides, i);
        k += folded;
        n *= folded ? x->shape[i] : 1;
    }
    bool total = a.kind == IR_SUM || a.kind == IR_PROD || a.kind == IR_ANY || a.kind == IR_ALL;
    if (n == 0 && !total && it_numel(out))
        return it_fail(s, r, BZ_ESHAPE, "%s over an empty axis has no value",
                       ir_reduce_name(a.kind));
    bool index = a.kind == IR_ARGMAX || a.kind == IR_ARGMIN;
    acc_kind k = index && ir_is_float(x->dtype) ? ACC_F64 : acc_of(x->dtype);
    char *row = bz_mem_alloc((size_t)n * acc_bytes(k));
    if (!row) return it_fail(s, r, BZ_ENOMEM, "out of memory");
    for (it_walk w = walk_view(&kept, 0); w.left; it_next(&w)) {
        load_view(x, &gone, w.at, k, row);
        fold_row(&a, x->dtype, row, n, out, at++);
    }
    bz_mem_free(row);
    return true;
}

/* ---- dot */

/* An operand of dot as [batch][rest][k] in accumulators. */
typedef struct packed {
    axes_view batch, rest, contract;
    int64_t nbatch, nrest, n;
    char *data;
} packed;

static int64_t count(const axes_view *v) {
    return walk_view(v, 0).left;
}

static bool in_list(const int64_t *list, unsigned n, int64_t v) {
    for (unsigned i = 0; i < n; i++) {
        if (list[i] == v) return true;
    }
    return false;
}

static bool pack(const it_array *x, const int64_t *batch, unsigned nbatch, const int64_t *contract,
                 unsigned ncontract, acc_kind k, packed *p) {
    int64_t strides[IR_MAX_RANK];
    *p = (packed){0};
    it_strides(x, strides);
    for (unsigned i = 0; i < nbatch; i++) add_axis(&p->batch, x, strides, (unsigned)batch[i]);
    for (unsigned i = 0; i < ncontract; i++)
        add_axis(&p->contract, x, strides, (unsigned)contract[i]);
    for (unsigned i = 0; i < x->rank; i++) {
        if (!in_list(batch, nbatch, i) && !in_list(contract, ncontract, i))
            add_axis(&p->rest, x, strides, i);
    }
    p->nbatch = count(&p->batch);
    p->nrest = count(&p->rest);
    p->n = count(&p->contract);
    size_t row = (size_t)p->n * acc_bytes(k);
    char *to = p->data = bz_mem_alloc((size_t)(p->nbatch * p->nrest) * row);
    if (!to) return false;
    for (it_walk b = walk_view(&p->batch, 0); b.left; it_next(&b)) {
        for (it_walk w = walk_view(&p->rest, b.at); w.left; it_next(&w), to += row)
            load_view(x, &p->contract, w.at, k, to);
    }
    return true;
}

static void multiply(const packed *x, const packed *y, acc_kind k, const it_array *out) {
    size_t row = (size_t)x->n * acc_bytes(k), bytes = ir_dtype_bytes(out->dtype);
    char *to = out->data;
    accumulator acc;
    for (int64_t b = 0; b < x->nbatch; b++) {
        for (int64_t i = 0; i < x->nrest; i++) {
            for (int64_t j = 0; j < y->nrest; j++, to += bytes) {
                dots[k](x->data + (size_t)(b * x->nrest + i) * row,
                        y->data + (size_t)(b * y->nrest + j) * row, x->n, &acc);
                store(out->dtype, to, k, &acc);
            }
        }
    }
}

bool it_dot(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *y = it_operand(s, r, 1);
    ir_dot_attr d = ir_dot_get(s->g, ir_at(s->g, r));
    acc_kind k = acc_of(x->dtype);
    packed px = {0}, py = {0};
    bool ok = pack(x, d.lbatch, d.nbatch, d.lcontract, d.ncontract, k, &px) &&
              pack(y, d.rbatch, d.nbatch, d.rcontract, d.ncontract, k, &py);
    if (ok) multiply(&px, &py, k, &s->slot[r].a);
    bz_mem_free(px.data);
    bz_mem_free(py.data);
    return ok || it_fail(s, r, BZ_ENOMEM, "out of memory");
}
