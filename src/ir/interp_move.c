/* interp_move.c - ops of the reference interpreter that move elements: a walk over places each. */
#include "src/ir/interp.h"

#include <string.h>

static char *element(const it_array *a, int64_t i) {
    return (char *)a->data + (size_t)i * ir_dtype_bytes(a->dtype);
}

/* out[index] = x at offset + index . strides, for every index of the result; the stride of an axis of one element is any number. */
static bool pick(it_state *s, ir_ref r, const int64_t *given, int64_t offset) {
    const it_array *x = it_operand(s, r, 0), *out = &s->slot[r].a;
    int64_t strides[IR_MAX_RANK];
    for (unsigned i = 0; i < out->rank; i++) strides[i] = out->shape[i] > 1 ? given[i] : 0;
    size_t bytes = ir_dtype_bytes(x->dtype);
    char *to = out->data;
    for (it_walk w = it_begin(out->rank, out->shape, strides, offset); w.left;
         it_next(&w), to += bytes)
        memcpy(to, element(x, w.at), bytes);
    return true;
}

/* out at offset + index . (its strides) = x[index], for every index of x. */
static void place(const it_array *x, const it_array *out, int64_t offset) {
    int64_t strides[IR_MAX_RANK];
    size_t bytes = ir_dtype_bytes(x->dtype);
    const char *from = x->data;
    it_strides(out, strides);
    for (it_walk w = it_begin(x->rank, x->shape, strides, offset); w.left;
         it_next(&w), from += bytes)
        memcpy(element(out, w.at), from, bytes);
}

static const int64_t *attrs(const it_state *s, ir_ref r) {
    return ir_attrs(s->g, ir_at(s->g, r));
}

bool it_iota(it_state *s, ir_ref r) {
    const it_array *out = &s->slot[r].a;
    const int64_t none[IR_MAX_RANK] = {0}, axis = attrs(s, r)[0];
    int64_t i = 0;
    for (it_walk w = it_begin(out->rank, out->shape, none, 0); w.left; it_next(&w))
        ir_store_bits(out->dtype, element(out, i++), ir_bits_from_i64(out->dtype, w.index[axis]));
    return true;
}

bool it_reshape(it_state *s, ir_ref r) {
    const it_array *out = &s->slot[r].a;
    memcpy(out->data, it_operand(s, r, 0)->data,
           (size_t)it_numel(out) * ir_dtype_bytes(out->dtype));
    return true;
}

bool it_permute(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0);
    int64_t own[IR_MAX_RANK], strides[IR_MAX_RANK];
    it_strides(x, own);
    for (unsigned i = 0; i < x->rank; i++) strides[i] = own[attrs(s, r)[i]];
    return pick(s, r, strides, 0);
}

bool it_expand(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0);
    int64_t strides[IR_MAX_RANK];
    it_strides(x, strides);
    for (unsigned i = 0; i < x->rank; i++) strides[i] = x->shape[i] == 1 ? 0 : strides[i];
    return pick(s, r, strides, 0);
}

bool it_slice(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0);
    const int64_t *a = attrs(s, r);
    int64_t strides[IR_MAX_RANK], offset = 0;
    it_strides(x, strides);
    for (unsigned i = 0; i < x->rank; i++) {
        offset += a[2 * i] * strides[i];
        if (s->slot[r].a.shape[i] > 1) strides[i] *= a[2 * i + 1];
    }
    return pick(s, r, strides, offset);
}

/* The offset of the window of an as_strided or update: what the last operand adds moves it, but not out of the tensor. */
static int64_t offset_of(const it_state *s, ir_ref r) {
    ir_ref at = ir_window_at(s->g, r);
    int64_t lo, hi, by = 0;
    if (at && ir_window_room(s->g, r, &lo, &hi)) {
        memcpy(&by, s->slot[at].a.data, sizeof by);
        by = by < lo ? lo : by > hi ? hi : by;
    }
    return attrs(s, r)[0] + by;
}

bool it_as_strided(it_state *s, ir_ref r) {
    return pick(s, r, attrs(s, r) + 1, offset_of(s, r));
}

bool it_update(it_state *s, ir_ref r) {
    const it_array *y = it_operand(s, r, 1), *out = &s->slot[r].a;
    int64_t strides[IR_MAX_RANK];
    size_t bytes = ir_dtype_bytes(out->dtype);
    const char *from = y->data;
    for (unsigned i = 0; i < y->rank; i++) strides[i] = y->shape[i] > 1 ? attrs(s, r)[1 + i] : 0;
    it_reshape(s, r);
    for (it_walk w = it_begin(y->rank, y->shape, strides, offset_of(s, r)); w.left;
         it_next(&w), from += bytes)
        memcpy(element(out, w.at), from, bytes);
    return true;
}

bool it_pad(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *out = &s->slot[r].a;
    const int64_t *a = attrs(s, r);
    int64_t strides[IR_MAX_RANK], offset = 0, n = it_numel(out);
    for (int64_t i = 0; i < n; i++) ir_store_bits(out->dtype, element(out, i), (ir_bits)a[0]);
    it_strides(out, strides);
    for (unsigned i = 0; i < x->rank; i++) offset += a[1 + 2 * i] * strides[i];
    place(x, out, offset);
    return true;
}

bool it_concat(it_state *s, ir_ref r) {
    const it_array *out = &s->slot[r].a;
    const int64_t axis = attrs(s, r)[0];
    int64_t strides[IR_MAX_RANK], offset = 0;
    it_strides(out, strides);
    for (unsigned k = 0; k < ir_at(s->g, r)->nin; k++) {
        const it_array *x = it_operand(s, r, k);
        place(x, out, offset);
        offset += x->shape[axis] * strides[axis];
    }
    return true;
}

/* ---- gather: result index = (before, index's own, after) */

/* Index number i of the operand, counted from the end when negative; false and an error when it is
 * outside. */
static bool row_of(it_state *s, ir_ref r, int64_t i, int64_t size, int64_t *row) {
    memcpy(row, element(it_operand(s, r, 1), i), sizeof *row);
    int64_t given = *row;
    *row += *row < 0 ? size : 0;
    return (*row >= 0 && *row < size) ||
           it_fail(s, r, BZ_EINDEX, "index %lld is outside axis %lld of %lld", (long long)given,
                   (long long)attrs(s, r)[0], (long long)size);
}

bool it_gather(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *index = it_operand(s, r, 1), *out = &s->slot[r].a;
    unsigned axis = (unsigned)attrs(s, r)[0];
    int64_t before = 1, after = 1, n = it_numel(index), size = x->shape[axis], row;
    for (unsigned i = 0; i < x->rank; i++) {
        before *= i < axis ? x->shape[i] : 1;
        after *= i > axis ? x->shape[i] : 1;
    }
    size_t bytes = (size_t)after * ir_dtype_bytes(x->dtype);
    for (int64_t i = 0; i < n; i++) {
        if (!row_of(s, r, i, size, &row)) return false;
        for (int64_t b = 0; b < before; b++)
            memcpy(element(out, (b * n + i) * after), element(x, (b * size + row) * after), bytes);
    }
    return true;
}

/* ---- scatter_add: the operand's index = (before, index's own, after) */

/* *to += *from */
static void add_element(bz_dtype t, char *to, const char *from) {
    ir_bits a = ir_load_bits(t, to), b = ir_load_bits(t, from);
    if (ir_is_float(t)) /* f32 sums in f64 round to the same f32 */
        ir_store_bits(t, to, ir_bits_from_f64(t, ir_bits_to_f64(t, a) + ir_bits_to_f64(t, b)));
    else
        ir_store_bits(t, to,
                      ir_bits_from_i64(t, (int64_t)((uint64_t)ir_bits_to_i64(t, a) +
                                                    (uint64_t)ir_bits_to_i64(t, b))));
}

bool it_scatter_add(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *index = it_operand(s, r, 1), *out = &s->slot[r].a;
    unsigned axis = (unsigned)attrs(s, r)[0];
    int64_t before = 1, after = 1, n = it_numel(index), size = out->shape[axis], row;
    for (unsigned i = 0; i < out->rank; i++) {
        before *= i < axis ? out->shape[i] : 1;
        after *= i > axis ? out->shape[i] : 1;
    }
    memset(out->data, 0, (size_t)it_numel(out) * ir_dtype_bytes(out->dtype));
    for (int64_t i = 0; i < n; i++) {
        if (!row_of(s, r, i, size, &row)) return false;
        for (int64_t b = 0; b < before; b++)
            for (int64_t a = 0; a < after; a++)
                add_element(x->dtype, element(out, (b * size + row) * after + a),
                            element(x, (b * n + i) * after + a));
    }
    return true;
}

/* ---- sort: stable merge of indices */

typedef struct row_order {
    const it_array *x;
    int64_t base, stride;
    bool descending;
} row_order;

/* Must element b stand before element a? NaN goes last either way. */
static bool comes_first(const row_order *o, int64_t b, int64_t a) {
    bz_dtype t = o->x->dtype;
    ir_bits va = ir_load_bits(t, element(o->x, o->base + a * o->stride)),
            vb = ir_load_bits(t, element(o->x, o->base + b * o->stride));
    if (!ir_is_float(t)) {
        int64_t ia = ir_bits_to_i64(t, va), ib = ir_bits_to_i64(t, vb);
        return o->descending ? ib > ia : ib < ia;
    }
    double fa = ir_bits_to_f64(t, va), fb = ir_bits_to_f64(t, vb);
    if (fa != fa || fb != fb) return fa != fa && fb == fb;
    return o->descending ? fb > fa : fb < fa;
}

/* p[0 .. n) in order; `spare` is as long. */
static void merge_sort(const row_order *o, int64_t *p, int64_t *spare, int64_t n) {
    if (n < 2) return;
    int64_t half = n / 2, i = 0, k = half;
    merge_sort(o, p, spare, half);
    merge_sort(o, p + half, spare, n - half);
    for (int64_t w = 0; w < n; w++)
        spare[w] = k < n && (i == half || comes_first(o, p[k], p[i])) ? p[k++] : p[i++];
    memcpy(p, spare, (size_t)n * sizeof *p);
}

static void sort_row(const row_order *o, int64_t *p, int64_t n, const it_array *values,
                     const it_array *indices) {
    for (int64_t i = 0; i < n; i++) p[i] = i;
    merge_sort(o, p, p + n, n);
    for (int64_t i = 0; i < n; i++) {
        int64_t to = o->base + i * o->stride;
        memcpy(element(values, to), element(o->x, o->base + p[i] * o->stride),
               ir_dtype_bytes(o->x->dtype));
        memcpy(element(indices, to), &p[i], sizeof p[i]);
    }
}

/* Results of the tuple: values and indices, both in x's shape. */
static bool sort_results(it_state *s, ir_ref r) {
    const ir_node *n = ir_at(s->g, r);
    it_slot *slot = &s->slot[r];
    slot->nmany = 2;
    slot->many = bz_mem_zero(2, sizeof *slot->many);
    if (!slot->many) return it_fail(s, r, BZ_ENOMEM, "out of memory");
    return it_new(s, r, (bz_dtype)n->dtype, ir_dims(s->g, n), n->rank, &slot->many[0]) &&
           it_new(s, r, BZ_I64, ir_dims(s->g, n), n->rank, &slot->many[1]);
}

bool it_sort(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0);
    unsigned axis = (unsigned)attrs(s, r)[0];
    int64_t strides[IR_MAX_RANK], rows[IR_MAX_RANK], n = x->shape[axis];
    if (!sort_results(s, r)) return false;
    int64_t *p = bz_mem_alloc(2 * (size_t)n * sizeof *p);
    if (!p) return it_fail(s, r, BZ_ENOMEM, "out of memory");
    it_strides(x, strides);
    memcpy(rows, x->shape, sizeof rows);
    rows[axis] = 1;
    for (it_walk w = it_begin(x->rank, rows, strides, 0); w.left && n; it_next(&w)) {
        row_order o = {x, w.at, strides[axis], attrs(s, r)[1] != 0};
        sort_row(&o, p, n, &s->slot[r].many[0], &s->slot[r].many[1]);
    }
    bz_mem_free(p);
    return true;
}
