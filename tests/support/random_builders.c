/* random_builders.c - calls of the builders that are compositions or take operands of a certain
 * form: norms, losses, optimizer steps, products with broadcasting, windows, random numbers.
 *
 * Each takes a node of the pool and makes the operands that go with it; a node that does not fit
 * (an integer for a norm) is given back as it is. */
#include "tests/support/random_maker.h"

#include <string.h>

typedef ir_ref random_call(maker *m, ir_ref x);

static unsigned rank_of(const maker *m, ir_ref x) {
    return ir_at(m->g, x)->rank;
}

static bool floating(const maker *m, ir_ref x) {
    return ir_is_float(ir_dtype(m->g, x));
}

static int any_axis(maker *m, unsigned rank) {
    int axis = (int)draw(m, rank);
    return chance(m, 50) ? axis : axis - (int)rank;
}

/* Ascending axes of x; none: all of them. */
static unsigned some_axes(maker *m, ir_ref x, int *axes) {
    unsigned n = 0;
    for (unsigned i = 0; i < rank_of(m, x); i++)
        if (chance(m, 50)) axes[n++] = (int)i;
    return n;
}

static ir_ref like(maker *m, ir_ref x, bz_dtype t) {
    int64_t shape[IR_MAX_RANK];
    ir_static_shape(m->g, x, shape);
    return random_input(m, t, shape, rank_of(m, x));
}

/* A node of the pool with the shape and dtype of x, or an input. */
static ir_ref twin(maker *m, ir_ref x) {
    for (unsigned i = 0; i < 8; i++) {
        ir_ref y = random_node(m);
        if (ir_same_shape(m->g, x, y) && ir_dtype(m->g, x) == ir_dtype(m->g, y)) return y;
    }
    return like(m, x, ir_dtype(m->g, x));
}

/* ---- folds */

static ir_ref variance(maker *m, ir_ref x) {
    int axes[IR_MAX_RANK];
    unsigned n = some_axes(m, x, axes);
    return floating(m, x) ? ir_var(m->g, x, axes, n, (int)draw(m, 2), chance(m, 50)) : x;
}

static ir_ref log_sum_exp(maker *m, ir_ref x) {
    int axes[IR_MAX_RANK];
    unsigned n = some_axes(m, x, axes);
    return floating(m, x) ? ir_logsumexp(m->g, x, axes, n, chance(m, 50)) : x;
}

static ir_ref mean_of_all(maker *m, ir_ref x) {
    int axes[IR_MAX_RANK];
    unsigned n = some_axes(m, x, axes);
    return ir_mean(m->g, x, axes, n, chance(m, 50));
}

/* The index of the largest of the flattened tensor. */
static ir_ref place_of_extreme(maker *m, ir_ref x) {
    return ir_reduce(m->g, chance(m, 50) ? IR_ARGMAX : IR_ARGMIN, x, NULL, 0, chance(m, 50));
}

/* ---- movement */

static ir_ref flipped(maker *m, ir_ref x) {
    int axes[IR_MAX_RANK];
    unsigned n = some_axes(m, x, axes);
    return ir_flip(m->g, x, axes, n);
}

static ir_ref transposed(maker *m, ir_ref x) {
    unsigned n = rank_of(m, x);
    return ir_transpose(m->g, x, any_axis(m, n), any_axis(m, n));
}

static ir_ref diagonal(maker *m, ir_ref x) {
    unsigned n = rank_of(m, x), a = draw(m, n);
    int64_t shape[IR_MAX_RANK];
    if (n < 2 || !ir_static_shape(m->g, x, shape)) return x;
    unsigned b = (a + 1 + draw(m, n - 1)) % n;
    int64_t off = chance(m, 50) ? 0 : (int64_t)draw(m, 4) - 1;
    bool inside = off >= 0 ? off < shape[b] : -off < shape[a];
    return inside ? ir_diagonal(m->g, x, off, (int)a, (int)b) : x;
}

/* Overlapping windows: element [i, j] is x's element i * hop + j. */
static ir_ref windows(maker *m, ir_ref x) {
    int64_t n = numel(m->g, x), width = 1 + draw(m, (uint32_t)(n < 40 ? n : 40)), hop = draw(m, 4),
            count = hop ? (n - width) / hop + 1 : 3;
    count = count < 60 ? count : 60;
    int64_t used = (count - 1) * hop + width, offset = draw(m, (uint32_t)(n - used) + 1);
    bool back = hop && chance(m, 30);
    return ir_as_strided(m->g, x, (int64_t[]){count, width}, (int64_t[]){back ? -hop : hop, 1}, 2,
                         back ? offset + (count - 1) * hop : offset);
}

/* The places of w overwritten by x's own elements there, or beside there, by a number, or by something else. */
static ir_ref overwritten(maker *m, ir_ref x, const ir_strided *w, int64_t most, ir_ref at) {
    ir_ref y = like(m, x, ir_dtype(m->g, x));
    ir_strided from = *w;
    from.offset += at || chance(m, 60) ? 0 : (int64_t)draw(m, (uint32_t)(most - w->offset) + 1);
    ir_ref own = ir_as_strided_at(m->g, x, &from, at && chance(m, 70) ? at : 0);
    ir_ref far = ir_as_strided(m->g, y, w->shape, w->strides, w->rank, w->offset);
    switch (draw(m, 4)) {
    case 0: return ir_update(m->g, x, ir_build2(m->g, IR_MAX, own, far), w, at);
    case 1: return ir_update(m->g, x, own, w, at);
    case 2: return ir_update(m->g, x, ir_build1(m->g, IR_NEG, own), w, at);
    default: return ir_update(m->g, x, far, w, at);
    }
}

/* x updated in a slice, or on a diagonal, once or twice; the place may come with the call. */
static ir_ref updated(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK], stride = 1, first = 0, span = 0;
    unsigned rank = rank_of(m, x);
    ir_static_shape(m->g, x, shape);
    for (unsigned i = rank; i-- > 0;) {
        int64_t n = shape[i], by = chance(m, 50) ? 1 : 1 + draw(m, 3);
        shape[i] = 1 + draw(m, (uint32_t)((n - 1) / by + 1));
        int64_t start = draw(m, (uint32_t)(n - (shape[i] - 1) * by));
        bool back = chance(m, 20);
        first += (start + (back ? (shape[i] - 1) * by : 0)) * stride;
        span += back ? 0 : (shape[i] - 1) * by * stride;
        strides[i] = (back ? -by : by) * stride;
        stride *= n;
    }
    ir_strided w = {rank, shape, strides, first};
    if (rank == 2 && chance(m, 15)) { /* a diagonal */
        int64_t *side = shape, line = strides[0] < 0 ? -strides[0] : strides[0];
        strides[0] = line + (strides[1] < 0 ? -strides[1] : strides[1]);
        w = (ir_strided){1, side, strides, 0};
        side[0] = 1 + (stride - 1) / strides[0];
        span = (side[0] - 1) * strides[0];
    }
    ir_ref at = chance(m, 30) ? random_input(m, BZ_I64, NULL, 0) : 0;
    for (unsigned n = 1 + draw(m, 2); n-- && x;)
        x = overwritten(m, x, &w, numel(m->g, x) - 1 - span, chance(m, 80) ? at : 0);
    return x;
}

static ir_ref flattened(maker *m, ir_ref x) {
    unsigned n = rank_of(m, x), from = draw(m, n), to = from + draw(m, n - from);
    return ir_flatten(m->g, ir_unsqueeze(m->g, x, any_axis(m, n + 1)), (int)from, (int)to);
}

/* x beside other nodes cut or padded to its shape, of other dtypes too. */
static ir_ref joined(maker *m, ir_ref x) {
    unsigned rank = rank_of(m, x), n = chance(m, 20) ? 5 + draw(m, 8) : 2 + draw(m, 2);
    int axis = any_axis(m, rank);
    ir_ref parts[12] = {x};
    int64_t want[IR_MAX_RANK], have[IR_MAX_RANK], zero[IR_MAX_RANK] = {0}, one[IR_MAX_RANK];
    ir_static_shape(m->g, x, want);
    for (unsigned i = 0; i < rank; i++) one[i] = 1;
    for (unsigned k = 1; k < n; k++) {
        ir_ref y = random_node(m);
        int64_t more[IR_MAX_RANK];
        if (rank_of(m, y) != rank) y = twin(m, x);
        ir_static_shape(m->g, y, have);
        for (unsigned i = 0; i < rank; i++) {
            bool kept = (int)i == (axis < 0 ? axis + (int)rank : axis);
            more[i] = kept || have[i] >= want[i] ? 0 : want[i] - have[i];
            have[i] = kept || have[i] < want[i] ? have[i] : want[i];
        }
        parts[k] = ir_pad(m->g, ir_slice_exact(m->g, y, zero, have, one), zero, more,
                          ir_bits_from_f64(ir_dtype(m->g, y), 0.5));
    }
    return ir_concat(m->g, parts, n, axis);
}

/* Rows at indices of any rank, some of them negative. */
static ir_ref rows_at(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK], at[2] = {1 + draw(m, 6), 1 + draw(m, 4)};
    int axis = any_axis(m, rank_of(m, x));
    ir_static_shape(m->g, x, shape);
    int64_t n = shape[axis < 0 ? axis + (int)rank_of(m, x) : axis];
    bz_dtype t = chance(m, 50) ? BZ_I64 : BZ_I32;
    ir_ref i = ir_build2(m->g, IR_IMOD, random_input(m, t, at, draw(m, 3)), ir_const_i(m->g, t, n));
    return ir_gather(m->g, x, i, axis);
}

/* Rows added up at indices of rank 1 or 2, some of them negative. */
static ir_ref added_up(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK];
    unsigned rank = rank_of(m, x), n = rank > 1 ? 1 + draw(m, 2) : 1, axis = draw(m, rank - n + 1);
    if (ir_dtype(m->g, x) == BZ_BOOL || !ir_static_shape(m->g, x, shape)) return x;
    bz_dtype t = chance(m, 50) ? BZ_I64 : BZ_I32;
    int64_t size = 1 + draw(m, 9);
    ir_ref i = random_input(m, t, shape + axis, n);
    i = ir_build2(m->g, IR_IMOD, i, ir_const_i(m->g, t, size));
    if (chance(m, 30)) i = ir_build2(m->g, IR_SUB, i, ir_const_i(m->g, t, size));
    return ir_scatter_add(m->g, x, i, (int)axis, ir_dim_const(m->g, size));
}

/* Elements taken along an axis, or put there, of what x is made to. */
static ir_ref put_along(maker *m, ir_ref x) {
    static const ir_way ways[] = {IR_BY_LAST, IR_BY_SUM, IR_BY_PROD, IR_BY_MAX, IR_BY_MIN};
    int64_t shape[IR_MAX_RANK];
    const unsigned rank = rank_of(m, x), axis = draw(m, rank);
    if (!ir_static_shape(m->g, x, shape) || numel(m->g, x) == 0) return x;
    const int64_t size = shape[axis];
    for (unsigned a = 0; a < rank; a++)
        shape[a] = a == axis ? 1 + (int64_t)draw(m, 9) : 1 + (int64_t)draw(m, (uint32_t)shape[a]);
    ir_ref i = random_input(m, BZ_I64, shape, rank);
    i = ir_build2(m->g, IR_IMOD, i, ir_const_i(m->g, BZ_I64, size));
    if (chance(m, 30)) i = ir_build2(m->g, IR_SUB, i, ir_const_i(m->g, BZ_I64, size));
    ir_ref taken = ir_gather_along(m->g, x, i, (int)axis);
    if (chance(m, 40)) return taken;
    const ir_way way = ways[draw(m, BZ_LEN(ways))];
    ir_ref y = chance(m, 50) ? ir_build1(m->g, IR_NEG, taken) : like(m, taken, ir_dtype(m->g, x));
    if (ir_dtype(m->g, x) == BZ_BOOL) y = taken;
    return ir_scatter_along(m->g, way, x, i, y, (int)axis);
}

static ir_ref sorted(maker *m, ir_ref x) {
    ir_ref at;
    if (chance(m, 20)) {
        ir_ref row = ir_sort(m->g, random_node(m), any_axis(m, 1), false, NULL);
        int64_t all = -1;
        return m->c->floats ? x : ir_isin(m->g, x, ir_reshape(m->g, row, &all, 1), chance(m, 50));
    }
    ir_ref values = ir_sort(m->g, x, any_axis(m, rank_of(m, x)), chance(m, 50), &at);
    return m->c->floats || chance(m, 60) ? values : at;
}

static ir_ref summed_up(maker *m, ir_ref x) {
    const int axis = any_axis(m, rank_of(m, x));
    const bool reverse = chance(m, 40);
    ir_ref at, r;
    switch (draw(m, 6)) {
    case 0: return ir_cumprod(m->g, x, axis, reverse, chance(m, 30));
    case 1:
        r = ir_cummax(m->g, x, axis, reverse, &at);
        return m->c->floats || chance(m, 60) ? r : at;
    case 2:
        r = ir_cummin(m->g, x, axis, reverse, &at);
        return m->c->floats || chance(m, 60) ? r : at;
    case 3: return ir_logcumsumexp(m->g, x, axis, reverse, chance(m, 30));
    default: return ir_cumsum(m->g, x, axis, reverse, chance(m, 30));
    }
}

static ir_ref classes(maker *m, ir_ref x) {
    static const bz_dtype to[] = {BZ_I64, BZ_F32, BZ_BOOL, BZ_F16};
    return floating(m, x) ? x : ir_one_hot(m->g, x, 1 + draw(m, 9), to[draw(m, BZ_LEN(to))]);
}

/* Integers only: the bits of a NaN are anybody's. */
static ir_ref bits(maker *m, ir_ref x) {
    static const bz_dtype same_size[BZ_NDTYPES] = {
        [BZ_U8] = BZ_I8,   [BZ_I8] = BZ_U8,   [BZ_I16] = BZ_F16, [BZ_I32] = BZ_F32,
        [BZ_I64] = BZ_F64, [BZ_U16] = BZ_I16, [BZ_U32] = BZ_F32, [BZ_U64] = BZ_I64};
    bz_dtype t = same_size[ir_dtype(m->g, x)];
    if (ir_dtype(m->g, x) == BZ_I16 && chance(m, 50)) t = chance(m, 50) ? BZ_U16 : BZ_BF16;
    return t == BZ_BOOL ? x : ir_bitcast(m->g, x, t);
}

/* ---- made from nothing */

static ir_ref generated(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK];
    ir_dim dims[IR_MAX_RANK];
    static const bz_dtype floats[] = {BZ_F32, BZ_F64, BZ_F16, BZ_BF16};
    unsigned rank = rank_of(m, x);
    ir_graph *g = m->g;
    ir_static_shape(g, x, shape);
    for (unsigned i = 0; i < rank; i++) dims[i] = ir_dim_const(g, shape[i]);
    bz_dtype t = floats[draw(m, BZ_LEN(floats))];
    ir_ref key = chance(m, 50) ? ir_scalar_input(g, NULL, BZ_I64) : ir_const_i(g, BZ_I64, 7);
    ir_ref at = ir_const_i(g, BZ_I64, chance(m, 50) ? 0 : 4 * (int64_t)draw(m, 100));
    ir_ref r;
    switch (draw(m, 5)) {
    case 0: r = ir_rand(g, t, dims, rank, key, at); break;
    case 1: r = ir_randn(g, t, dims, rank, key, at); break;
    case 2: r = ir_randint(g, -3, 100, dims, rank, key, at); break;
    case 3: r = ir_iota(g, random_dtype(m), dims, rank, any_axis(m, rank)); break;
    default: r = ir_const_like(g, x, (double)draw(m, 5) - 2); break;
    }
    return chance(m, 50) && ir_dtype(g, r) == ir_dtype(g, x) ? ir_build2(g, IR_ADD, r, x) : r;
}

static ir_ref converted(maker *m, ir_ref x) {
    ir_ref y = ir_cast(m->g, x, random_dtype(m));
    return chance(m, 30) ? ir_cast(m->g, y, random_dtype(m)) : y;
}

/* ---- products */

/* x times a matrix, a vector, or a batch of matrices that broadcasts; from either side. */
static ir_ref matrix_product(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK], other[IR_MAX_RANK];
    unsigned rank = rank_of(m, x);
    ir_static_shape(m->g, x, shape);
    if (ir_dtype(m->g, x) == BZ_BOOL) return x;
    bool left = chance(m, 60);
    int64_t k = left || rank == 1 ? shape[rank - 1] : shape[rank - 2];
    if (chance(m, 20)) {
        ir_ref v = random_input(m, ir_dtype(m->g, x), &k, 1);
        return left ? ir_matmul(m->g, x, v) : ir_matmul(m->g, v, x);
    }
    unsigned lead = rank > 2 ? draw(m, rank - 1) : draw(m, 2), n = 0;
    for (unsigned i = 0; i < lead; i++) {
        bool there = rank > 2 && rank - 2 >= lead - i;
        int64_t d = there ? shape[rank - 2 - (lead - i)] : 2;
        other[n++] = chance(m, 50) ? d : there ? 1 : d;
    }
    int64_t free = 1 + draw(m, 40);
    other[n++] = left ? k : free;
    other[n++] = left ? free : k;
    ir_ref y = random_input(m, ir_dtype(m->g, x), other, n);
    if (chance(m, 30)) y = ir_build1(m->g, IR_NEG, y);
    return left ? ir_matmul(m->g, x, y) : ir_matmul(m->g, y, x);
}

static ir_ref dense(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK], out = 1 + draw(m, 40);
    ir_static_shape(m->g, x, shape);
    if (!floating(m, x)) return x;
    bz_dtype t = ir_dtype(m->g, x);
    ir_ref w = random_input(m, t, (int64_t[]){out, shape[rank_of(m, x) - 1]}, 2);
    ir_ref b = chance(m, 70) ? random_input(m, t, &out, 1) : 0, r = ir_linear(m->g, x, w, b);
    return chance(m, 50) ? ir_build1(m->g, IR_RELU, r) : r;
}

/* x attends to other rows: softmax of x . k^T, scaled, some of it hidden, times v; k and v are inputs or x. */
static ir_ref attended(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK], rows = 1 + draw(m, 20), hidden[2];
    unsigned rank = rank_of(m, x);
    bz_dtype t = ir_dtype(m->g, x);
    if (rank < 2 || !floating(m, x) || !ir_static_shape(m->g, x, shape)) return x;
    bool self = chance(m, 30);
    hidden[0] = shape[rank - 2];
    hidden[1] = shape[rank - 2] = self ? shape[rank - 2] : rows;
    ir_ref k = self ? x : random_input(m, t, shape, rank);
    if (!self && chance(m, 50)) shape[rank - 1] = 1 + draw(m, 9);
    ir_ref v = self && chance(m, 50) ? x : random_input(m, t, shape, rank);
    ir_ref s = ir_matmul(m->g, x, ir_transpose(m->g, k, -1, -2));
    if (chance(m, 70)) s = ir_build2(m->g, IR_MUL, s, ir_const_f(m->g, t, 0.25));
    if (chance(m, 40)) s = ir_build2(m->g, IR_ADD, s, random_input(m, t, hidden, 2));
    ir_ref p = ir_softmax(m->g, s, -1);
    if (chance(m, 20)) p = ir_build2(m->g, IR_MUL, p, like(m, p, t));
    return ir_matmul(m->g, p, v);
}

/* x times itself, over one axis or turned. */
static ir_ref gram(maker *m, ir_ref x) {
    unsigned n = rank_of(m, x);
    if (ir_dtype(m->g, x) == BZ_BOOL) return x;
    return n < 2 ? ir_matmul(m->g, x, x) : ir_matmul(m->g, x, ir_transpose(m->g, x, -1, -2));
}

/* ---- layers, losses, optimizer steps */

static ir_ref norm(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK];
    unsigned rank = rank_of(m, x), n = 1 + draw(m, rank < 2 ? rank : 2);
    bz_dtype t = ir_dtype(m->g, x);
    if (!floating(m, x)) return x;
    ir_static_shape(m->g, x, shape);
    if (chance(m, 30)) {
        ir_ref w = chance(m, 50) ? random_input(m, t, shape + rank - 1, 1) : 0;
        return ir_rms_norm(m->g, x, w, 1e-6);
    }
    ir_ref w = chance(m, 60) ? random_input(m, t, shape + rank - n, n) : 0;
    ir_ref b = chance(m, 60) ? random_input(m, t, shape + rank - n, n) : 0;
    return ir_layer_norm(m->g, x, w, b, (int)n, 1e-5);
}

static ir_ref activation(maker *m, ir_ref x) {
    if (!floating(m, x)) return ir_build1(m->g, IR_RELU, x);
    return chance(m, 50) ? ir_silu(m->g, x) : ir_gelu(m->g, x, chance(m, 50));
}

static ir_ref loss(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK];
    unsigned rank = rank_of(m, x), axis = rank > 1;
    if (!floating(m, x)) return x;
    ir_static_shape(m->g, x, shape);
    switch (draw(m, 3)) {
    case 0: return ir_mse_loss(m->g, x, twin(m, x), 1);
    case 1: return ir_cross_entropy(m->g, x, ir_softmax(m->g, twin(m, x), (int)axis), 0, INT64_MIN, 1, 0);
    default: break;
    }
    ir_ref c = ir_const_i(m->g, BZ_I64, shape[axis]);
    for (unsigned a = axis; a + 1 < rank; a++) shape[a] = shape[a + 1];
    ir_ref t = random_input(m, BZ_I64, shape, rank - 1);
    return ir_cross_entropy(m->g, x, ir_build2(m->g, IR_IMOD, t, c), 0, INT64_MIN, 1, 0);
}

/* Whether a step is skipped: 0, never, or a value. */
static ir_ref skipped(maker *m) {
    return chance(m, 70) ? 0 : random_input(m, BZ_BOOL, NULL, 0);
}

static ir_ref optimizer_step(maker *m, ir_ref x) {
    ir_graph *g = m->g;
    if (!floating(m, x)) return x;
    bz_dtype t = ir_dtype(g, x);
    ir_ref lr = chance(m, 50) ? ir_scalar_input(g, NULL, BZ_F32) : ir_const_f(g, BZ_F32, 0.25);
    ir_ref grad = twin(m, x), mean = like(m, x, t), square = ir_build1(g, IR_ABS, like(m, x, t));
    if (chance(m, 40)) {
        double momentum = chance(m, 50) ? 0.9 : 0;
        ir_ref p = ir_sgd(g, x, grad, lr, momentum, chance(m, 50) ? 0.1 : 0,
                          momentum > 0 && chance(m, 50), &mean, skipped(m));
        return chance(m, 80) ? p : mean;
    }
    ir_ref step = ir_const_f(g, BZ_F32, 1 + draw(m, 5));
    double decay = chance(m, 50) ? 0.01 : 0;
    ir_ref p = ir_adam(g, x, grad, &mean, &square, step, lr, 0.9, 0.999, 1e-8, decay, chance(m, 50),
                       skipped(m));
    unsigned k = draw(m, 4);
    return k < 2 ? p : k == 2 ? mean : square;
}

/* Those with a gradient come first. */
static random_call *const calls[] = {
    variance,  log_sum_exp,    mean_of_all, flipped,   transposed,
    diagonal,  flattened,      joined,      rows_at,   matrix_product,
    dense,     attended,       gram,        norm,      activation,
    put_along, loss,      optimizer_step, updated,     added_up,  sorted,
    summed_up, converted,      windows,     generated, place_of_extreme,
    classes,   bits,
};
enum { SMOOTH = 21 };

ir_ref random_builder(maker *m, ir_ref x) {
    random_call *f = calls[draw(m, m->c->floats ? SMOOTH : BZ_LEN(calls))];
    if (numel(m->g, x) == 0) return x;
    return f(m, rank_of(m, x) ? x : ir_unsqueeze(m->g, x, 0));
}
