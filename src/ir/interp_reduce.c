/* interp_reduce.c - folds and sums of products in the orders of docs/numerics.md, literally.
 *
 *     LAST   blocks of 4096: L lanes over k mod L, halving tree      blocks: pairwise
 *     LEAD   chains of 128                                           chains: pairwise
 *     DOT    fma chains of 512                                       chains: in order
 *
 * Accumulators: float for f16, bf16 and f32, double for f64, uint64_t for u64, int64_t for other
 * integers and bool (wrapping). */
#include "src/ir/interp.h"

#include <math.h>
#include <string.h>

it_acc it_acc_of(bz_dtype t) {
    return t == BZ_F64 ? IT_F64 : ir_is_float(t) ? IT_F32 : t == BZ_U64 ? IT_U64 : IT_I64;
}

/* ---- one element into an accumulator's type and back */

static void load(bz_dtype t, const void *p, it_acc k, void *out) {
    ir_bits b = ir_load_bits(t, p);
    if (k == IT_F64)
        *(double *)out = ir_bits_to_f64(t, b);
    else if (k == IT_F32)
        *(float *)out = (float)ir_bits_to_f64(t, b); /* exact */
    else
        *(int64_t *)out = ir_bits_to_i64(t, b);
}

void it_acc_store(bz_dtype t, void *p, it_acc k, const void *acc) {
    /* u64 is what i64 is, bit by bit: into either goes the one or the other */
    ir_bits b = k == IT_I64 || k == IT_U64 ? ir_bits_from_i64(t, *(const int64_t *)acc)
                : k == IT_F64 ? ir_bits_from_f64(t, *(const double *)acc)
                              : ir_bits_from_f64(t, (double)*(const float *)acc); /* rounds once */
    ir_store_bits(t, p, b);
}

size_t it_acc_bytes(it_acc k) {
    return k == IT_F32 ? sizeof(float) : sizeof(double);
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

#define PLAIN_ADD(a, b) ((a) + (b))
#define PLAIN_MUL(a, b) ((a) * (b))

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

FOLDS(float, f32, PLAIN_ADD, PLAIN_MUL, fmaf, -HUGE_VALF, HUGE_VALF)
FOLDS(double, f64, PLAIN_ADD, PLAIN_MUL, fma, -HUGE_VAL, HUGE_VAL)
FOLDS(int64_t, i64, wrap_add, wrap_mul, wrap_fma, INT64_MIN, INT64_MAX)
#define U64_FMA(a, b, c) ((a) * (b) + (c))
FOLDS(uint64_t, u64, PLAIN_ADD, PLAIN_MUL, U64_FMA, 0, UINT64_MAX)

static void (*const folds[IT_NACC])(ir_reduce_kind, ir_order, void *, int64_t,
                                    void *) = {fold_f32, fold_f64, fold_i64, fold_u64};
static void (*const dots[IT_NACC])(const void *, const void *, int64_t, void *) = {dot_f32, dot_f64,
                                                                                   dot_i64, dot_u64};

void it_fold(it_acc k, ir_reduce_kind kind, ir_order order, void *x, int64_t n, void *out) {
    folds[k](kind, order, x, n, out);
}

void it_dot_row(it_acc k, const void *x, const void *y, int64_t n, void *out) {
    dots[k](x, y, n, out);
}

/* ---- elements of some axes as a list */

void it_add_axis(it_axes *v, const it_array *x, const int64_t *strides, unsigned axis) {
    v->shape[v->rank] = x->shape[axis];
    v->strides[v->rank++] = strides[axis];
}

it_walk it_walk_axes(const it_axes *v, int64_t offset) {
    return it_begin(v->rank, v->shape, v->strides, offset);
}

void it_load_axes(const it_array *x, const it_axes *v, int64_t offset, it_acc k, char *out) {
    size_t bytes = ir_dtype_bytes(x->dtype), step = it_acc_bytes(k);
    for (it_walk w = it_walk_axes(v, offset); w.left; it_next(&w), out += step)
        load(x->dtype, (const char *)x->data + (size_t)w.at * bytes, k, out);
}

/* An operand of dot as [batch][rest][k] in accumulators. */
typedef struct packed {
    it_axes batch, rest, contract;
    int64_t nbatch, nrest, n;
    char *data;
} packed;
