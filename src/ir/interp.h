/* interp.h - the reference interpreter from inside: arrays, places in them, orders of addition. */
#ifndef BRAZE_IR_INTERP_H
#define BRAZE_IR_INTERP_H

#include "src/ir/ir.h"

typedef ir_value_array it_array;

/* What a node is worth: one array, or the results of a tuple. */
typedef struct it_slot {
    it_array a;
    it_array *many;
    unsigned nmany;
    bool borrowed; /* a.data belongs to the caller */
} it_slot;

typedef struct it_state {
    const ir_graph *g;
    bz_error *e;
    it_slot *slot;               /* by node */
    int64_t *symbol;             /* by expression: value of a SYM, -1 = none */
    const ir_onlooker *onlooker; /* NULL: none */
} it_state;

/* An error at node r: "[op] text at site"; false. */
bool it_fail(it_state *s, ir_ref r, bz_status status, const char *fmt, ...) BZ_PRINTF(4, 5);
const it_array *it_operand(const it_state *s, ir_ref r, unsigned k);
int64_t it_numel(const it_array *a);
/* Row-major strides in elements. */
void it_strides(const it_array *a, int64_t *strides);
/* *out with the dtype and shape (data allocated, uninitialised); false and an error when it is too
 * large. */
bool it_new(it_state *s, ir_ref r, bz_dtype t, const ir_dim *dims, unsigned rank, it_array *out);
bool it_duplicate(it_state *s, ir_ref r, const it_array *a, it_array *out);
/* Of a node with several results: s->slot[r].many, its arrays not yet there, or new ones of the results' types. */
it_array *it_results(it_state *s, ir_ref r);
bool it_new_results(it_state *s, ir_ref r);
void it_free_many(it_array *a, unsigned n);
/* Outputs of graph `number` of the module on the arrays x; false and no output when it fails. */
bool it_apply(it_state *s, int64_t number, const it_array *x, it_array *out);

/* All places of a shape in row-major order, with the place of each under other strides:
 *     for (it_walk w = it_begin(rank, shape, strides, offset); w.left; it_next(&w)) ... w.at ... */
typedef struct it_walk {
    unsigned rank;
    const int64_t *shape, *strides;
    int64_t index[IR_MAX_RANK], at, left;
} it_walk;
it_walk it_begin(unsigned rank, const int64_t *shape, const int64_t *strides, int64_t offset);
void it_next(it_walk *w);

/* ---- interp_move.c */
static inline char *it_element(const it_array *a, int64_t i) {
    return (char *)a->data + (size_t)i * ir_dtype_bytes(a->dtype);
}
static inline const int64_t *it_attrs(const it_state *s, ir_ref r) {
    return ir_attrs(s->g, ir_at(s->g, r));
}
/* The result of r [index] = its first operand at offset + index . strides; the stride of an axis of one element is any number. */
bool it_pick(it_state *s, ir_ref r, const int64_t *strides, int64_t offset);
/* out at offset + index . strides = x[index], for every index of x. */
void it_place(const it_array *x, const it_array *out, const int64_t *strides, int64_t offset);

/* ---- interp_reduce.c: accumulators are float for f16, bf16 and f32, double for f64, uint64_t for u64, int64_t for other
 * integers and bool */
typedef enum it_acc { IT_F32, IT_F64, IT_I64, IT_U64, IT_NACC } it_acc;
typedef union it_number {
    float f;
    double d;
    int64_t i;
} it_number;
it_acc it_acc_of(bz_dtype t);
size_t it_acc_bytes(it_acc k);
void it_acc_store(bz_dtype t, void *p, it_acc k, const void *acc); /* rounds once */
/* *out = x[0 .. n) folded, in accumulators; overwrites x. */
void it_fold(it_acc k, ir_reduce_kind kind, ir_order order, void *x, int64_t n, void *out);
void it_dot_row(it_acc k, const void *x, const void *y, int64_t n, void *out);
/* Elements of some axes as a list. */
typedef struct it_axes {
    unsigned rank;
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
} it_axes;
void it_add_axis(it_axes *v, const it_array *x, const int64_t *strides, unsigned axis);
it_walk it_walk_axes(const it_axes *v, int64_t offset);
/* Those from `offset` on, row-major, as accumulators. */
void it_load_axes(const it_array *x, const it_axes *v, int64_t offset, it_acc k, char *out);

#endif
