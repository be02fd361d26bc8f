/* record.h - recording: operands become nodes, nodes handles */
#ifndef RT_RECORD_H
#define RT_RECORD_H

#include "runtime/value/tensor.h"

/* ---- record.c: builder calls */
enum { RT_FEW = 8 };
/* One builder call: its operands as nodes of the epoch that records. */
typedef struct rt_rec {
    bz_context *c; /* NULL: no operand led to a context */
    ir_graph *g;   /* NULL: give up, the error is known */
    ir_ref *x;     /* operands; 0 where NULL was given */
    ir_ref few[RT_FEW];
    ir_ref before; /* nodes of g when the call began */
    const char *op, *site;
    rt_visit visit;
    rt_border border; /* from rt_begin to rt_end */
} rt_rec;
/* op: the public name, for messages (static; NULL: that of the node at fault). Operands of an elementwise op, or of something else
 * (IR_NIL); they may be NULL only where bit k of `optional` is set. `beside`: what bz_scalar operands stand beside (ir_number_dtype);
 * BZ_NDTYPES: the other operands. */
bool rt_begin_op(rt_rec *r, ir_op kind, const char *op, const char *site, bz_tensor *const *x,
                 unsigned n, unsigned optional, bz_dtype beside);
bool rt_begin(rt_rec *r, const char *op, const char *site, bz_tensor *const *x, unsigned n,
              unsigned optional, bz_dtype beside);
bool rt_begin_new(rt_rec *r, const char *op, bz_context *c, const char *site); /* no operands */
/* New handles for results; poison when a node is 0. */
bz_tensor *rt_end(rt_rec *r, ir_ref node);
bool rt_end_many(rt_rec *r, const ir_ref *nodes, unsigned n, bz_tensor **out);
/* A new storage with this node as its value, and its handle; false, with an error in the context or in the graph: there is none. */
bool rt_new_result(rt_rec *r, ir_ref node, bz_tensor **out, rt_storage **st);
void rt_take_errors(rt_rec *r); /* the constructors' complaints become the context's error */
/* The visit is over. */
void rt_end_visit(rt_rec *r);
void rt_count_op(bz_context *c, const char *site); /* one more was recorded */
/* The same, with these storages as its results: in eager mode they get their values. false: they could not. */
bool rt_recorded(const rt_rec *r, const char *op, rt_storage *const *st, unsigned n);
/* A handle on the memory of x, which is no number, with another layout; node: the same as a value. NULL: no memory. */
bz_tensor *rt_view_new(rt_rec *r, bz_tensor *x, const int64_t *shape, const int64_t *strides,
                       unsigned rank, int64_t offset, ir_ref node);
/* The end of a call with such a handle. */
bz_tensor *rt_end_view(rt_rec *r, bz_tensor *x, const int64_t *shape, const int64_t *strides,
                       unsigned rank, int64_t offset, ir_ref node);

/* ---- moved.c: results that are movement of an operand, as views of it where strides allow, else as new tensors. x: the operands of
 * rt_begin, n of them. */
bz_tensor *rt_end_moved(rt_rec *r, bz_tensor *const *x, unsigned n, ir_ref node);
/* The same of many, with room for `room` in out, whose rest becomes NULL; their number, or -1, with poison in out. */
int rt_end_parts(rt_rec *r, bz_tensor *const *x, unsigned n, const ir_parts *parts, bz_tensor **out,
                 int room);

/* ---- recording.c: values as nodes */
/* Within traces: what was recorded before the outermost one began records, until rt_rise. Gives what that has to be given. */
rt_epoch *rt_sink(bz_context *c);
void rt_rise(bz_context *c, rt_epoch *top);
/* The node of a handle's value, of a storage's value, in the epoch that records; 0 on an error (in the context). */
ir_ref rt_node(bz_context *c, rt_tensor *t, bz_dtype beside);
ir_ref rt_storage_node(bz_context *c, rt_storage *s);
ir_ref rt_scalar_node(bz_context *c, bz_dtype t, ir_bits bits); /* a new scalar input */
ir_number rt_number_of(const rt_storage *s);                    /* of a bz_scalar */
ir_ref rt_input_of(bz_context *c, rt_epoch *e, bz_dtype t, const rt_layout *l, bool scalar,
                   const rt_arg *a);
/* Next numbers of the stream for `count` elements of `words` words: key and offset as nodes. */
bool rt_random(bz_context *c, int64_t count, unsigned words, ir_ref *key, ir_ref *offset);

/* What recording wants of the evaluation, which is built on it: the values of an eager op and of a captured tensor; after an op, `site` its
 * line, the start of a recording that has become long, and was not evaluated, is given up. */
typedef struct rt_evaluator {
    bz_status (*eval)(bz_context *c, rt_storage *const *s, unsigned n);
    void (*cut)(bz_context *c, const char *site);
} rt_evaluator;
typedef struct rt_recorder {
    BZ_VEC(ir_ref) operands; /* of a builder call with many */
    BZ_VEC(uint8_t) need;    /* of nodes that move */
} rt_recorder;
void rt_recorder_free(rt_recorder *r);

/* ---- window.c: elements of a storage as movement ops */
ir_ref rt_window(ir_graph *g, ir_ref base, const rt_layout *l, int64_t offset);
/* The same as a node of its own, which begins at node `at`, an i64, or, if that is 0, at offset. */
ir_ref rt_window_at(ir_graph *g, ir_ref base, const rt_layout *l, int64_t offset, ir_ref at);
/* base with v in such a window; 0 with an error where elements of it overlap. */
ir_ref rt_window_write(ir_graph *g, ir_ref base, ir_ref v, const rt_layout *l, int64_t offset,
                       ir_ref at);

/* ---- inplace.c */
/* false: BZ_EMODE in the context, which names `op`. */
bool rt_may_change(bz_context *c, const rt_storage *s, const char *op, const char *site);
/* The end of a call that makes v, of x's shape and any dtype, x's value; gives x, or poison. */
bz_tensor *rt_end_change(rt_rec *r, bz_tensor *x, ir_ref v);
/* Makes v, of its shape and dtype, the value of t's window, which begins at node `at`, or if that is 0, where t has it. */
bool rt_change(rt_rec *r, rt_tensor *t, ir_ref v, ir_ref at, const char *op);

/* ---- callgrad.c */
/* Output k of the call, computed again from its inputs in the open epoch; 0 when they have not the values any more. */
ir_ref rt_made_node(bz_context *c, const rt_made *m, uint32_t k);

/* ---- ready.c: while a function of the host's is recorded */
/* BZ_EMODE in a function that is recorded: bz_`op`, "WHAT while bz_compile traces a function: REMEDY". */
bz_status rt_ready(bz_context *c, const char *op, const char *what, const char *remedy);
bz_status rt_ready_to_read(bz_context *c, const char *op);
bool rt_traces(const bz_context *c);       /* the innermost such function is one of bz_compile */
const char *rt_doing(const bz_context *c); /* "bz_compile traces", "bz_while runs" */

/* ---- api_create.c, for api_made.c: key and offset of the next numbers of the stream, two words for each element that the call's n operands
 * broadcast to, `times` times. */
bool rt_draw(rt_rec *r, unsigned n, int64_t times, ir_ref *key, ir_ref *offset);

/* ---- api_ops.c, for api_made.c: made[0] as a handle, made[k] as *more[k - 1] where the caller wants it: NULL where it is
 * 0 without an error. */
bz_tensor *rt_end_results(rt_rec *r, const ir_ref *made, unsigned n, bz_tensor **const *more);
/* Arguments of a call; false, with an error: there is no such list of axes or numbers, no such dtype. */
bool rt_list(rt_rec *r, const void *list, int n);
bool rt_list_or_none(rt_rec *r, const void *list, int n); /* NULL: the op's defaults */
bool rt_counts(rt_rec *r, const int64_t *list, int n); /* of any length */
bool rt_dtype(rt_rec *r, bz_dtype t);
/* Of a caller's list of operands. */
static inline unsigned rt_count(bz_tensor *const *x, int n) {
    return x && n > 0 ? (unsigned)n : 0;
}

#endif
