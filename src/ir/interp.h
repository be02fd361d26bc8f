/* interp.h - the reference interpreter from inside: arrays, places in them, one function an op. */
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
bool it_copy(it_state *s, ir_ref r, const it_array *a, it_array *out);

/* All places of a shape in row-major order, with the place of each under other strides:
 *     for (it_walk w = it_begin(rank, shape, strides, offset); w.left; it_next(&w)) ... w.at ... */
typedef struct it_walk {
    unsigned rank;
    const int64_t *shape, *strides;
    int64_t index[IR_MAX_RANK], at, left;
} it_walk;
it_walk it_begin(unsigned rank, const int64_t *shape, const int64_t *strides, int64_t offset);
void it_next(it_walk *w);

/* One function an op: fills the slot of node r, whose array is allocated. */
bool it_iota(it_state *s, ir_ref r);
bool it_reshape(it_state *s, ir_ref r);
bool it_permute(it_state *s, ir_ref r);
bool it_expand(it_state *s, ir_ref r);
bool it_pad(it_state *s, ir_ref r);
bool it_slice(it_state *s, ir_ref r);
bool it_as_strided(it_state *s, ir_ref r);
bool it_update(it_state *s, ir_ref r);
bool it_concat(it_state *s, ir_ref r);
bool it_gather(it_state *s, ir_ref r);
bool it_scatter_add(it_state *s, ir_ref r);
bool it_sort(it_state *s, ir_ref r); /* makes its own arrays, as cond and while do */
bool it_reduce(it_state *s, ir_ref r);
bool it_dot(it_state *s, ir_ref r);

#endif
