/* rt.h - the runtime: handles, recording, evaluation, programs, devices.
 *
 *     bz_add(x, y)                          bz_eval(z)                                     bz_call(p, in, out)
 *         | record.c                            | eval.c                                        | compile.c
 *         v                                     v                                               v
 *     epoch: ir_graph + arguments  --key--> plancache.c --miss--> pass_compile, program.c --> rt_program --run.c--> pool
 *
 *  handle (tensor.c) --> storage --> value: a node of an epoch's graph, or a buffer (buffer.c), or both
 *                    \-> layout, offset: where the handle's elements lie in the storage (layout.c) */
#ifndef BRAZE_RT_H
#define BRAZE_RT_H

#include <stdatomic.h>

#include "braze/braze.h"
#include "runtime/aot/image.h"
#include "runtime/border.h"
#include "runtime/memory.h"
#include "src/codegen/codegen.h"
#include "src/ir/ir.h"
#include "src/passes/pass.h"

/* ---- layout.c: shapes with strides, interned per context: equal layouts are one pointer */
typedef struct rt_layout {
    uint32_t rank;
    bool contiguous; /* row-major without gaps */
    bool used;       /* layout_sweep.c */
    int64_t count;   /* elements */
    uint64_t hash;
    const int64_t *shape, *strides; /* rank each; in elements */
    const ir_dim *dims;             /* the shape in the context's module */
    struct rt_layout *next;         /* of the same slot */
} rt_layout;
typedef struct rt_layouts {
    rt_layout **slots;
    uint32_t nslots, n, sweep_at;
} rt_layouts;

const rt_layout *rt_layout_of(bz_context *c, const int64_t *shape, const int64_t *strides,
                              unsigned rank); /* strides NULL: row-major. NULL: no memory */
static inline int64_t rt_layout_bytes(const rt_layout *l, bz_dtype t) { /* BZ_TOO_MANY */
    return bz_times(l->count, (int64_t)ir_dtype_bytes(t));
}
const rt_layout *rt_layout_of_node(bz_context *c, const ir_graph *g, ir_ref r); /* row-major */
void rt_layouts_free(rt_layouts *l);
/* layout_sweep.c: forgets layouts that nothing has, when they have become many. The caller holds none. */
void rt_layouts_sweep(bz_context *c);
/* Lowest and highest element that it reaches, from its first one. false: too far. */
bool rt_layout_reach(const rt_layout *l, int64_t *lo, int64_t *hi);
/* Strides for a reshape of x without a copy; false when there are none. */
bool rt_reshape_strides(const rt_layout *x, const int64_t *shape, unsigned rank, int64_t *strides);
/* Strides for a window on x's row-major elements, which lies in x, without a copy; *offset: number of its first element, then its
 * place from x's first. false when there are none. */
bool rt_window_strides(const rt_layout *x, const int64_t *shape, const int64_t *given,
                       unsigned rank, int64_t *offset, int64_t *strides);

/* ---- buffer.c: memory of values, reference counted, recycled by size */
typedef struct rt_buffer {
    rt_memory *memory;
    rt_address at;
    size_t bytes, room; /* asked for; what the recycler counts */
    uint32_t refs;
    bool foreign;            /* the caller's memory, and the host's */
    struct rt_buffer *owner; /* whose memory it is (one reference); NULL: its own */
    const rt_layout
        *dense; /* foreign: its elements that count, from number `first` on; NULL: all */
    int64_t first;
    uint8_t element; /* foreign: bytes of one */
    /* the input that stands for it in the epoch with this number */
    uint64_t epoch;
    ir_ref input;
    const rt_layout *layout;
    bz_dtype dtype;
    uint64_t call;          /* the last call of a compiled program that got it */
    struct rt_buffer *next; /* in the recycler */
} rt_buffer;
enum { RT_POOL_CLASSES = 256 };
typedef struct rt_pool {
    rt_buffer *idle[RT_POOL_CLASSES], *aliases;
    size_t idle_bytes;
    uint64_t made;
    size_t bytes, peak; /* in use */
} rt_pool;

/* For a tensor. One reference, content undefined; NULL and BZ_ENOMEM or BZ_ELIMIT in the context, with shape and size. */
rt_buffer *rt_buffer_new(bz_context *c, bz_dtype t, const rt_layout *l);
/* The caller's elements at l from number `first` on. NULL: no memory. */
rt_buffer *rt_buffer_foreign(void *p, size_t bytes, bz_dtype t, const rt_layout *l, int64_t first);
/* The caller's elements get those of b, which lie in the same way; what is between them stays. */
bz_status rt_buffer_write_home(rt_buffer *home, const rt_buffer *b, bz_error *e);
/* A copy of the caller's elements in the context's memory. One reference; NULL and the error in e. */
rt_buffer *rt_buffer_fetch(bz_context *c, const rt_buffer *home, bz_error *e);
/* Another buffer in the memory of b: equal values of two tensors, which stay two variables. Only buffers without one are donated. */
rt_buffer *rt_buffer_alias(bz_context *c, rt_buffer *b);
static inline rt_buffer *rt_buffer_ref(rt_buffer *b) {
    return b->refs++, b;
}
/* Where element `i` of it lies. */
static inline rt_spot rt_element(const rt_buffer *b, bz_dtype t, int64_t i) {
    return (rt_spot){b->memory, b->at + (rt_address)i * ir_dtype_bytes(t)};
}
static inline rt_spot rt_start(const rt_buffer *b) {
    return (rt_spot){b->memory, b->at};
}
void rt_buffer_unref(bz_context *c, rt_buffer *b); /* NULL is fine */
void rt_pool_free(rt_pool *p);
void rt_pool_count(rt_pool *p, int64_t bytes); /* arenas, too, count as memory in use */

/* ---- lineage.c: what a value was computed from, once its history was forgotten */
typedef struct rt_var { /* a variable: the value that a storage had from `birth` on */
    struct rt_storage *s;
    uint64_t birth;
} rt_var;
/* Of the values that outlived one recording: for each row the root of a set of variables. One block of memory. */
typedef struct rt_past {
    uint32_t refs, n;
    unsigned height;  /* of the sets */
    uint64_t written; /* births until then */
    const char *why;  /* the recording ended */
    uint64_t *nodes;
    uint32_t *roots, *image; /* image: lineage.c, of each node in the sets that are being made */
} rt_past;
enum { RT_SET_LEAF = 32 };    /* variables of a leaf */
#define RT_SET_ALL UINT32_MAX /* any variable */
typedef struct rt_sets {      /* varset.c: a workspace for sets */
    BZ_VEC(uint64_t) nodes;
    BZ_VEC(uint32_t) map;
    uint32_t *table, room; /* node -> its number */
    unsigned height;
    uint64_t work, most; /* steps */
} rt_sets;
typedef struct rt_recipe { /* callgrad.c: the graph of a compiled function */
    uint32_t refs, nargs, nout;
    int key, base; /* inputs that are the random stream's, -1 = none */
    bool useful;   /* an output can be computed again after a call */
    ir_graph *g;
    uint64_t *deps; /* per output: bits of the inputs that its gradient reaches */
} rt_recipe;
typedef struct rt_made_input {
    rt_var of; /* s NULL: a number */
    const rt_layout *layout;
    int64_t offset;
    ir_bits bits;
} rt_made_input;
typedef struct rt_made { /* a call of a compiled function that gave a value */
    uint32_t refs;
    uint64_t number, flushes; /* calls and flushes before it */
    rt_recipe *recipe;
    uint64_t seed, stream;
    rt_made_input *in;
} rt_made;
typedef struct
    rt_source { /* a node that stands for a value from before its epoch, or changed since */
    ir_ref node;
    rt_var of;
    rt_past *past; /* one reference; NULL: computed from no variable */
    uint32_t row;
    bool former; /* the value that the storage had at that node before it was changed */
    rt_made
        *made; /* the call that gave the value, and its output: one reference; NULL: not known */
    uint32_t output;
    ir_ref twin; /* the same value with the call's history; 0: not made */
} rt_source;
typedef struct rt_lineage { /* workspace of a context */
    rt_sets sets;
    BZ_VEC(uint32_t) values, rows; /* sets of the nodes, of what lives on */
    BZ_VEC(uint32_t *) touched;    /* images */
    uint64_t births, pass;
} rt_lineage;

/* ---- record.c: epochs */
typedef struct rt_arg { /* value of an input of an epoch's graph */
    rt_buffer *buf;     /* one reference; NULL: a scalar, or a hidden input of a trace */
    struct rt_storage
        *storage; /* hidden input of a trace: one reference; its value is read at each call */
    ir_bits bits; /* a scalar's value */
} rt_arg;

typedef struct rt_epoch {
    uint64_t id;
    ir_graph *g;
    bool open;    /* the one that records */
    bool tracing; /* of a function that is being compiled */
    uint32_t
        inside; /* functions of the host's that record into it right now, of values that are not there */
    uint32_t
        depth; /* number of open scopes when it began; tracing: those outside the innermost function */
    uint64_t outside; /* tracing: storages up to this birth come from outside that function */
    BZ_VEC(rt_arg) args;
    BZ_VEC(rt_buffer *) kept; /* node -> its value, computed before; shorter than the graph: none */
    uint32_t nkept;
    bool writes;          /* it has writes whose places are numbers */
    BZ_VEC(ir_ref) fixed; /* overwrite.c: kept nodes that cannot be computed again, ascending */
    size_t kept_bytes, sweep_at, fixed_bytes; /* fixed: of parts of what was overwritten */
    uint32_t cut_at;                          /* ops at which its start is given up */
    uint64_t joins;
    struct rt_storage *pending,
        *settled; /* lists of the storages with a node here: without a value, with one */
    BZ_VEC(rt_source) sources;
    ir_ref key, base;  /* inputs of the random stream, 0 = not used; base: of a trace */
    uint64_t words;    /* of the stream that a trace has handed out */
    uint64_t moved_to; /* epoch that `moved` leads to */
    ir_ref *moved;
    uint32_t nmoved;
    struct rt_epoch *next; /* recycled ones; open traces: the epoch below */
} rt_epoch;

/* ---- tensor.c: storages and handles */
typedef enum rt_kind { RT_VALUE, RT_SCALAR, RT_SCALAR_INT, RT_SCALAR_BOOL, RT_FOREIGN } rt_kind;

typedef struct rt_storage {
    uint32_t refs; /* handles, and holders like traces */
    uint8_t dtype, kind;
    bool input;     /* of a function that is traced, and not donated */
    bool dirty;     /* FOREIGN: the owner's memory is behind */
    uint8_t failed; /* status: what it is made of failed, and has changed since */
    uint32_t version;
    uint32_t depth;        /* scope of the outermost handle */
    const rt_layout *base; /* row-major */
    rt_epoch *epoch;       /* and node: how the value comes about; NULL: not known (any more) */
    ir_ref node;
    rt_buffer *buf;                 /* the value, NULL: not computed */
    struct rt_storage *prev, *next; /* in epoch->pending or ->settled, or free */
    uint64_t joined;                /* which one of the epoch's; pending: the last one is first */
    char *lost;                     /* with `failed`: the error's text; bz_mem_free */
    char *name;                     /* bz_name's; bz_mem_free; NULL: none */
    const char *write_op, *write_site; /* the last in-place change */
    uint64_t donation;                 /* number of the last call to which it was donated */
    uint64_t first,
        birth; /* of its first value and of this one: numbers that are never used again; free: UINT64_MAX, 0 */
    rt_past *
        past; /* what the value was computed from before its recording ended; NULL: no variable, or not over yet */
    uint32_t row;
    rt_made *made; /* the call that it is an output of, NULL: none */
    uint32_t output;
    uint64_t source; /* the last epoch that has it as a source */
    uint32_t number; /* among the context's storages, free ones too: never changes */
    uint32_t asked;  /* in the question with the number `pass`: which wrt it is, + 1 */
    uint64_t pass;
    union {
        double number;   /* SCALAR */
        int64_t integer; /* SCALAR_INT, SCALAR_BOOL */
        rt_buffer *home; /* FOREIGN: the owner's memory */
    } u;
} rt_storage;

typedef struct rt_tensor {
    uint32_t gen, scope; /* scope: 1 + depth; 0 = free */
    uint32_t prev, next; /* slots in the scope's list; next: in the free list */
    uint32_t version;    /* of the storage, that `node` belongs to */
    ir_ref node;
    uint64_t epoch; /* in which `node` stands */
    rt_storage *st;
    const rt_layout *layout;
    int64_t offset;
} rt_tensor;

enum {
    RT_CHUNK = 256,
    RT_SLOT_BITS = 28,
    RT_CONTEXT_BITS = 12,
    RT_GEN_BITS = 24,
    RT_STORAGES = 128 /* of a chunk */
};

typedef struct rt_slab {
    BZ_VEC(rt_tensor *) chunks;
    uint32_t free, used;  /* first free slot (0 = none); slots ever used */
    rt_storage *storages; /* free list */
    BZ_VEC(rt_storage *) storage_chunks;
} rt_slab;

bz_context *rt_context_at(uint32_t number);
#define RT_STALE "the handle is stale: its tensor was freed, or it was never one"
/* The handle's tensor and its context; NULL (and an error in the context if that is known) when it is stale, foreign or poisoned:
 * the error that poisoned it, or, if that was cleared, one that says so; bz_`op` was called with it. */
rt_tensor *rt_find(const bz_tensor *h, bz_context **c, const char *op);
/* The handle's context, whether its tensor is alive or not; NULL: none that is open. */
static inline bz_context *rt_context_of(const bz_tensor *h) {
    return h ? rt_context_at((uint32_t)((uintptr_t)h >> RT_SLOT_BITS) &
                             ((1u << RT_CONTEXT_BITS) - 1))
             : NULL;
}
rt_tensor *rt_find_quietly(
    const bz_tensor *h,
    bz_context **c); /* poisoned handles give NULL with *c set, as others do, without an error */
bool rt_is_poison(const bz_tensor *h);
bz_tensor *rt_poison(bz_context *c);
/* A handle on st (takes one reference on success); NULL and BZ_ENOMEM. */
bz_tensor *rt_tensor_new(bz_context *c, rt_storage *st, const rt_layout *l, int64_t offset);
void rt_tensor_free(bz_context *c, rt_tensor *t); /* computes nothing */
void rt_drop(bz_tensor *h);                       /* the same by a handle, which may be poison */
rt_tensor *rt_scope_first(bz_context *c, uint32_t depth); /* of that scope's list; NULL: none */
rt_storage *rt_storage_new(bz_context *c, bz_dtype t,
                           const rt_layout *base);   /* no reference, no value */
void rt_storage_unref(bz_context *c, rt_storage *s); /* NULL is fine */
void rt_storage_join(rt_storage *s, rt_epoch *e,
                     ir_ref node);                   /* the value is that node from now on */
void rt_storage_settle(rt_storage *s);               /* it has its value now */
void rt_storage_leave(bz_context *c, rt_storage *s); /* forgets how its value came about */
void rt_storage_set(bz_context *c, rt_storage *s, rt_buffer *b); /* takes the reference */
static inline bool rt_is_number(const rt_storage *s) {
    return s->kind == RT_SCALAR || s->kind == RT_SCALAR_INT || s->kind == RT_SCALAR_BOOL;
}
ir_bits rt_number_bits(const rt_storage *s); /* of a number's own dtype */
/* Whole storage, row-major: the handle sees all of it. */
static inline bool rt_is_whole(const rt_tensor *t) {
    return t->layout == t->st->base && t->offset == 0;
}
void rt_slab_free(bz_context *c);

/* ---- scope.c */
void rt_scope_link(bz_context *c, rt_tensor *t, uint32_t depth);
void rt_scope_unlink(bz_context *c, rt_tensor *t);
void rt_scope_end(bz_context *c);                   /* the innermost one, which is there */
void rt_scope_clear(bz_context *c, uint32_t depth); /* frees its handles */

/* ---- record.c */
typedef struct rt_visit {
    bz_context *c; /* to depart from; NULL: an outer call will */
} rt_visit;
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
void rt_count_op(bz_context *c, const char *site); /* one more was recorded */
/* The same, with these storages as its results: in eager mode they get their values. false: they could not. */
bool rt_recorded(const rt_rec *r, const char *op, rt_storage *const *st, unsigned n);
/* ---- api_ops.c, for api_made.c: made[0] as a handle, made[k] as *more[k - 1] where the caller wants it. */
bz_tensor *rt_end_results(rt_rec *r, const ir_ref *made, unsigned n, bz_tensor **const *more);
/* Arguments of a call; false, with an error: there is no such list of axes or numbers, no such dtype. */
bool rt_list(rt_rec *r, const void *list, int n);
bool rt_dtype(rt_rec *r, bz_dtype t);
static inline unsigned rt_natural(int n) { /* a negative one is more than anything has */
    return n < 0 ? IR_MAX_RANK + 1u : (unsigned)n;
}
/* ---- record.c: a handle on the memory of x with another layout; node: the same as a value. */
bz_tensor *rt_end_view(rt_rec *r, bz_tensor *x, const int64_t *shape, const int64_t *strides,
                       unsigned rank, int64_t offset, ir_ref node);

/* A function of the host's runs on tensors without values: nothing is computed, and it changes what is its own. */
static inline bool rt_in_function(const bz_context *c);
rt_epoch *rt_epoch_open(bz_context *c, bool tracing); /* becomes c->epoch; NULL: no memory */
/* Storages with a value forget how it came about; the others keep e alive. `why`: for gradients that would lead back there. */
void rt_epoch_close(bz_context *c, rt_epoch *e, const char *why);
void rt_epoch_end(bz_context *c,
                  const char *why);             /* closes the one that records, if there is one */
void rt_epoch_drop(bz_context *c, rt_epoch *e); /* if nothing needs it any more */
void rt_epoch_free(rt_epoch *e);
rt_epoch *
rt_recording(bz_context *c); /* the epoch that records, opened if there is none; NULL: no memory */
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

/* ---- varset.c: sets of variables. A set is its root in a workspace, good until the next begin */
bool rt_set_is_leaf(uint64_t node);
uint32_t rt_set_left(uint64_t node);  /* of one that is no leaf; its right one: the low half */
uint32_t rt_set_first(uint64_t leaf); /* its first variable; the low half: a bit for each */
/* For variables below that number, with so many steps of work; without memory false. */
bool rt_sets_begin(rt_sets *w, uint64_t variables, uint64_t most);
void rt_sets_end(rt_sets *w); /* gives much memory back */
void rt_sets_free(rt_sets *w);
uint32_t rt_set_leaf(rt_sets *w, uint32_t first, uint32_t bits);
uint32_t rt_set_node(rt_sets *w, uint32_t left, uint32_t right);
uint32_t rt_set_one(rt_sets *w, uint32_t i);
uint32_t rt_set_join(rt_sets *w, uint32_t a, uint32_t b);
uint32_t rt_set_without(rt_sets *w, uint32_t a, uint32_t i);
/* A past with these n roots and the nodes that they lead to; NULL: no memory. */
rt_past *rt_sets_keep(rt_sets *w, const uint32_t *roots, uint32_t n);

/* ---- lineage.c */
/* The value of s stands as `node` in the open epoch and comes from before it. false: no memory. */
bool rt_lineage_source(bz_context *c, rt_storage *s, ir_ref node);
/* s gets another value now: `node` of the open epoch was the old one, 0 = it is not there. */
void rt_lineage_change(bz_context *c, rt_storage *s, ir_ref node);
/* e ends: what its storages were computed from is written down. Never fails: without memory they may come from anything. */
void rt_lineage_end(bz_context *c, rt_epoch *e, const char *why);
/* How a loss depends on its variables through what is not recorded. c->marks has for each node: the loss depends on it, on a way
 * that leads through no wrt; it is a wrt. */
enum { RT_REACHED = 1, RT_AROUND = 2, RT_WRT = 4 };
typedef enum rt_loss { RT_KNOWN, RT_FORGOTTEN, RT_CHANGED } rt_loss;
typedef struct rt_asked { /* a variable of a gradient */
    rt_storage *s;
    ir_ref node;           /* what to differentiate with respect to */
    const rt_tensor *view; /* the gradient is to be seen through it; NULL: as it is */
    bool seen;             /* the loss was computed from it */
} rt_asked;
/* The first variable of n whose gradient would not be complete, *which; RT_FORGOTTEN: because of that source of the epoch. */
rt_loss rt_lineage_ask(bz_context *c, const rt_asked *wrt, unsigned n, unsigned *which,
                       uint32_t *source);
/* Pasts of the nout outputs of a call, a row each: in: its n inputs, of.s NULL where one is no variable; deps: per output, bits of
 * the inputs that it depends on. NULL: no variables. */
rt_past *rt_lineage_call(bz_context *c, const rt_source *in, uint32_t n, const uint64_t *deps,
                         uint32_t nout, const char *why);
/* s is output k of a call that has these pasts; m: NULL or how to compute it again. */
void rt_lineage_made(rt_storage *s, rt_past *p, rt_made *m, uint32_t k);
void rt_past_unref(rt_past *p); /* NULL is fine */
void rt_recipe_unref(rt_recipe *f);
void rt_made_unref(rt_made *m);

/* ---- callgrad.c */
/* Output k of the call, computed again from its inputs in the open epoch; 0 when they have not the values any more. */
ir_ref rt_made_node(bz_context *c, const rt_made *m, uint32_t k);

/* ---- host.c */
/* Can a tensor have this dtype and shape? false: BZ_EDTYPE or BZ_ESHAPE in the context, which names `op`. */
bool rt_check_shape(bz_context *c, const char *op, const char *site, bz_dtype t,
                    const int64_t *shape, int rank);

/* A truth value as bz_scalar: bool where no other dtype is beside it. */
bz_tensor *rt_scalar_bool(bz_context *c, bool v);

/* ---- window.c: elements of a storage as movement ops */
ir_ref rt_window(ir_graph *g, ir_ref base, const rt_layout *l, int64_t offset);
/* The same at an offset that is known at run time, an i64 node. */
ir_ref rt_window_at(ir_graph *g, ir_ref base, const rt_layout *l, ir_ref at);
/* base with v in the window, which begins at node `at`, or, if that is 0, at offset; 0 with an error where elements of it overlap. */
ir_ref rt_window_write(ir_graph *g, ir_ref base, ir_ref v, const rt_layout *l, int64_t offset,
                       ir_ref at);

/* ---- inplace.c */
/* false: BZ_EMODE in the context, which names `op`. */
bool rt_may_change(bz_context *c, const rt_storage *s, const char *op, const char *site);
/* Makes v, of its shape and dtype, the value of t's window, which begins at node `at`, or if that is 0, where t has it. */
bool rt_change(rt_rec *r, rt_tensor *t, ir_ref v, ir_ref at, const char *op);

/* ---- overwrite.c: which values of the open epoch's nodes give their memory to an update of them */
typedef struct rt_gift {
    ir_ref from, to; /* `to` is an output of the evaluation */
    rt_buffer *b;    /* borrowed */
} rt_gift;
/* c->gifts, once it is known what an evaluation computes. `last`: the recording ends with it. false: no memory. */
bool rt_choose_gifts(bz_context *c, rt_epoch *e, bool last);
const rt_gift *rt_gift_to(const bz_context *c, ir_ref r); /* NULL: none */
/* The program has run, or failed while it did. */
bool rt_gifts_are_taken(bz_context *c, rt_epoch *e, bool done);
bool rt_is_fixed(const rt_epoch *e, ir_ref r);

/* ---- eval.c */
bz_status rt_eval(bz_context *c, rt_storage *const *s, unsigned n);
/* What recording wants of the evaluation, which is built on it: the values of an eager op and of a captured tensor; after an op, `site` its
 * line, the start of a recording that has become long, and was not evaluated, is given up. */
typedef struct rt_evaluator {
    bz_status (*eval)(bz_context *c, rt_storage *const *s, unsigned n);
    void (*cut)(bz_context *c, const char *site);
} rt_evaluator;
extern const rt_evaluator rt_lazy_evaluator;
/* For the reader bz_`op`: value in t->st->buf. */
bz_status rt_eval_handle(rt_tensor *t, bz_context *c, const char *op);
/* Everything recorded gets its value, foreign memory its changes, and the recording ends; below the traces, if the context traces.
 * Where something fails that s has no part in, s alone and what reads its memory; status: of s. */
bz_status rt_flush(bz_context *c, rt_storage *s);
/* s never has a value: it failed, and what it reads is about to change, or it is nothing by itself. */
bz_status rt_lose(bz_context *c, rt_storage *s, const bz_error *why);

/* ---- trace.c */
/* BZ_EMODE in a function that is recorded: bz_`op`, "WHAT while bz_compile traces a function: REMEDY". */
bz_status rt_ready(bz_context *c, const char *op, const char *what, const char *remedy);
bz_status rt_ready_to_read(bz_context *c, const char *op);
bool rt_traces(const bz_context *c);       /* the innermost such function is one of bz_compile */
const char *rt_doing(const bz_context *c); /* "bz_compile traces" */

/* ---- device.c, devices.c, program.c, run.c */
typedef struct rt_program rt_program;
typedef struct rt_spec { /* of an output */
    bz_dtype dtype;
    const rt_layout *layout;
    int input;      /* whose memory it is or is computed in, -1: none's */
    uint32_t first; /* the first output of the same value */
    bool late; /* written when no input is read any more: memory that is offered does, whose ever */
} rt_spec;
typedef struct rt_call {
    rt_buffer *const *in; /* per input of the graph; NULL for scalars */
    const ir_bits *bits;  /* per input; scalars */
    /* per output, one reference each: a donated input's buffer is offered, NULL for the others; rt_program_run puts there what
     * the results are in, before its device runs */
    rt_buffer **out;
} rt_call;
typedef struct rt_device {
    bool computes; /* BRAZE_CHECK and BRAZE_NAN have the interpreter run beside its programs */
    rt_memory *(*open)(bz_error *e); /* a context's, until its close; NULL and the error */
    /* g is read, not kept. NULL and the error. */
    rt_program *(*compile)(bz_context *c, const ir_graph *g, bool eager, bz_error *e);
    /* Inputs and outputs are in the context's memory: what is elsewhere was fetched. In the memory's order; a program that can fail
     * by its values is waited for. */
    bz_status (*run)(bz_context *c, rt_program *p, const rt_call *call, bz_error *e);
    void (*free)(bz_context *c, rt_program *p);
    /* For reports; NULL: it has no plans. */
    const pass_plan *(*plan)(const rt_program *p);
    bz_rt_time (*time)(const rt_program *p, uint32_t launch);
} rt_device;
#define DEVICE(id, name) extern const rt_device rt_##name;
#include "runtime/devices.def"
#undef DEVICE
extern const rt_device *const rt_devices[]; /* by bz_device; BZ_DEVICE_DEFAULT is none */
extern const char *const rt_device_names[]; /* device_names.c: as a switch has them */
extern const unsigned rt_device_count;

/* Start of every device's program. */
struct rt_program {
    const rt_device *device;
    ir_graph *graph; /* what was recorded: a copy; NULL where nothing needs it */
    rt_spec *outputs;
    uint32_t noutputs, ninputs;
    size_t held; /* bytes of memory that it has between runs */
    uint64_t runs, run_ns;
};
rt_program *rt_program_new(bz_context *c, const ir_graph *g, bool eager,
                           bz_error *e); /* on the context's device */
bz_status rt_program_run(bz_context *c, rt_program *p,
                         const rt_call *call); /* error in the context */
void rt_program_free(bz_context *c, rt_program *p);
ir_graph *rt_graph_copy(const ir_graph *g, bz_error *e); /* inputs, live nodes, outputs */
/* The interpreter on a program's graph. c NULL: nobody interrupts it, nor looks for NaN. */
bz_status rt_interpret(bz_context *c, rt_program *p, const rt_call *call, ir_value_array *outputs,
                       bz_error *e);
/* The program's graph interpreted for what it makes on the way alone. */
bz_status rt_find_nan(bz_context *c, rt_program *p, const rt_call *call, bz_error *e);
bool rt_program_init(bz_context *c, rt_program *p, const rt_device *d, const ir_graph *g,
                     bz_error *e);

/* What ref does, on any device's memory: for devices that run the interpreter. */
rt_program *rt_ref_compile(bz_context *c, const ir_graph *g, bool eager, bz_error *e);
bz_status rt_ref_run(bz_context *c, rt_program *p, const rt_call *call, bz_error *e);
void rt_ref_free(bz_context *c, rt_program *p);

/* ---- check.c: BRAZE_CHECK */
typedef struct rt_expected rt_expected;
/* What the interpreter makes of the call; NULL: no memory, no check. Before the program runs. */
rt_expected *rt_expect(bz_context *c, rt_program *p, const rt_call *call);
/* Says on stderr where the results (s: the run's status) differ from that, which it frees. */
void rt_compare(const rt_program *p, const rt_call *call, rt_expected *want, bz_status s);

/* ---- badindex.c: node r of the plan's graph g met an index outside. BZ_EINDEX with "[gather] index 7 is outside axis 0 of 5". */
bz_status rt_bad_index(const rt_program *p, const ir_graph *g, ir_ref r, const rt_call *call,
                       bz_error *e);
typedef struct rt_index {
    ir_ref node; /* what node r takes its indices from, i64 */
    int64_t axis, size, count;
} rt_index;
bool rt_index_of(const ir_graph *g, ir_ref r, rt_index *a); /* false: r takes none */
/* These words; a NULL: not known. which: "index 7". */
void rt_index_text(bz_text *t, const ir_graph *g, ir_ref r, const rt_index *a, const char *which);
/* The part of the graph that gives the indices; NULL: it cannot be computed after the call, which has overwritten (`gone`) an input, or
 * not cheaply. */
typedef bool rt_index_gone(const void *user, const ir_graph *g, uint32_t input);
ir_graph *rt_index_part(const ir_graph *g, const rt_index *a, rt_index_gone *gone,
                        const void *user);

const pass_plan *rt_program_plan(const rt_program *p); /* NULL: its device has none */
/* What a launch of a program with a plan took, while profiling. */
bz_rt_time rt_program_time(const rt_program *p, uint32_t launch);

/* ---- kernels.c: machine code of kernels, shared by all contexts */
typedef int32_t rt_phase(const lp_frame *, int64_t begin, int64_t end);
typedef struct rt_kernel {
    uint64_t hash;
    char *key;
    size_t key_bytes;
    unsigned nphases;
    rt_phase **phases;
    struct rt_loaded *of; /* the module that it was compiled in, and the next kernel of that */
    struct rt_kernel *sibling, *next;
} rt_kernel;
/* out[i] = code of m->k.p[i] (NULL for functions), which stays until rt_kernels_release. *built, *shared: how many were compiled, and
 * found. */
bz_status rt_kernels_get(const lp_module *m, cg_isa isa, const rt_kernel **out, unsigned *built,
                         unsigned *shared, const bz_watch *w, bz_error *e);
void rt_kernels_release(const rt_kernel *const *k, uint32_t n); /* entries may be NULL */
/* Of the process: at most so many bytes of code that no program uses are kept; and how many bytes there are in all. */
void rt_kernels_limit(size_t bytes);
size_t rt_kernels_bytes(void);

/* ---- watch.c */
typedef struct rt_watch {
    bz_watch base;
    bz_context *c;
    uint64_t until; /* when the compilation must be over; 0: never */
} rt_watch;
rt_watch rt_watch_new(bz_context *c); /* for one compilation */
_Atomic(bool) *rt_interrupt_word(const bz_context *c);
/* BZ_OK: there is none. `doing`: "compiled", "ran" */
bz_status rt_take_interrupt(bz_context *c, const char *doing, bz_error *e);
void rt_forget_interrupt(bz_context *c);
/* May the context use so many more, for `what`? false: BZ_ELIMIT in e. */
bool rt_within_bytes(bz_context *c, uint64_t bytes, const char *what, bz_error *e);

/* ---- nan.c: for the interpreter, after node r: BZ_ENAN if it makes the first NaN or infinity */
bz_status rt_look_for_nan(const ir_graph *g, ir_ref r, const ir_value_array *result,
                          const ir_value_array *const *x, bz_error *e);

/* ---- plancache.c */
typedef struct rt_plan {
    uint64_t hash, used;
    void *form;
    size_t bytes;
    rt_program *program;
    struct rt_plan *next;
} rt_plan;
enum { RT_PLAN_SLOTS = 256, RT_PLANS_MAX = 512 };
typedef struct rt_plans {
    rt_plan *slots[RT_PLAN_SLOTS];
    uint32_t n;
    size_t held; /* by their programs */
    uint64_t tick;
    BZ_VEC(uint8_t) form; /* of the graph at hand */
} rt_plans;
/* The program for g, good until the next one is asked for; NULL and the error in the context. */
rt_program *rt_plan_get(bz_context *c, const ir_graph *g, bool eager);
/* Forgets the plan with memory that was not used for the longest time, but the one that was asked for last; false: there is none. */
bool rt_plans_give_way(bz_context *c);
void rt_plans_free(bz_context *c);

/* ---- compile.c: a compiled function's graph for the signature of `in`, for an export */
typedef struct rt_traced { /* all zeros: nothing */
    bz_context *context;
    ir_graph *graph;
    rt_storage *const *hidden; /* per input: the captured tensor that it stands for, or NULL */
    int key, base;             /* inputs that are the random stream's, -1 = none */
    uint64_t words;            /* of the stream that a call draws */
    struct rt_signature *own;
} rt_traced;
bz_status rt_trace(bz_program *p, bz_tensor *const *in, rt_traced *out);
void rt_traced_free(rt_traced *t); /* in either case */

/* ---- env.c: every switch */
typedef struct rt_env {
    int debug;        /* BRAZE_DEBUG */
    bool check;       /* BRAZE_CHECK */
    bool nan, quiet;  /* BRAZE_NAN; BRAZE_WARN=0 */
    bz_device device; /* BRAZE_DEVICE; BZ_DEVICE_DEFAULT when it says nothing */
    bz_error mistake; /* the first switch whose value makes no sense: no context opens then */
} rt_env;
const rt_env *rt_env_get(void); /* read once */

/* ---- context.c */
struct bz_context {
    _Atomic(uintptr_t) owner; /* the thread that is in a call, 0 = none */
    bool asking;              /* it is in a callback of the user's */
    bool find_nan;
    uint64_t limits[BZ_NLIMITS];
    bz_progress *progress; /* NULL: none */
    void *progress_user;
    uint64_t unread; /* ops since the last evaluation or call */
    const char *op,
        *site; /* the public function at work, without "bz_", and its line or that of what it computes; for limits, interrupts */
    uint32_t number; /* in the table of contexts */
    bz_error err;
    bool heard; /* the program asked for err: bz_close need not say it */
    bz_options options;
    bz_mode mode;
    bool profile;
    const rt_device *device;
    rt_memory *memory; /* the device's: where buffers are made */
    pass_target target;
    cg_isa isa;
    int threads;
    ir_module *m;
    rt_layouts layouts;
    const rt_layout *scalar_layout; /* rank 0 */
    rt_pool pool;
    rt_slab slab;
    BZ_VEC(uint32_t) scopes;            /* first slot of each */
    rt_epoch *epoch;                    /* records; may be a trace */
    const struct rt_function *function; /* of the host's, that runs right now; NULL: none */
    rt_epoch *idle;                     /* recycled */
    BZ_VEC(rt_epoch *) closed;          /* alive because of storages without a value */
    uint64_t epochs, calls, donation;   /* donation: calls whose inputs were looked at */
    uint64_t flushes;
    BZ_VEC(const char *) in_names, out_names;
    bz_arena names;
    rt_plans plans;
    bool (*give_way)(bz_context *c); /* rt_give_way */
    const rt_evaluator *evaluator;
    ir_graph *scratch; /* what an evaluation runs when the epoch's graph has values already */
    rt_lineage lineage;
    BZ_VEC(uint8_t) marks;
    BZ_VEC(uint32_t) stamps; /* eval.c: marks of nodes, with the number of the evaluation */
    uint32_t evaluation;
    BZ_VEC(ir_ref) need, later;
    BZ_VEC(rt_gift) gifts;
    BZ_VEC(ir_ref) stay; /* overwrite.c: values that gradients may want */
    BZ_VEC(ir_ref) refs;
    BZ_VEC(ir_ref) outs;
    BZ_VEC(ir_ref) operands; /* of a builder call with many */
    BZ_VEC(rt_buffer *) in_bufs, out_bufs, fetched;
    BZ_VEC(ir_bits) in_bits;
    struct bz_program *programs;
    uint64_t seed, stream; /* of random numbers: key and next word */
    bz_counters counters;
};
static inline bool rt_in_function(const bz_context *c) {
    return c->epoch && (c->epoch->tracing || c->epoch->inside);
}
static inline void rt_does(bz_context *c, const char *op, const char *site) {
    c->op = op;
    c->site = site;
}
bool rt_context_alive(const bz_context *c); /* any pointer */
/* Memory is short: something that holds some and does not run goes. false: nothing does. */
static inline bool rt_give_way(bz_context *c) {
    return c->give_way(c);
}

/* ---- alive.c: what can be checked before it is touched */
typedef struct rt_room {
    void *base;
    unsigned shift; /* a slot takes 2^shift bytes: nothing is divided where calls begin */
    uint32_t n, last;
    _Atomic(uint8_t) *state; /* n, zero */
} rt_room;
void *rt_room_take(rt_room *r); /* a slot, content undefined; NULL: all are taken */
void rt_room_open(rt_room *r, void *p, bool open);
void rt_room_give(rt_room *r, void *p);
enum { RT_SLOT_FREE, RT_SLOT_TAKEN, RT_SLOT_OPEN };
static inline bool rt_room_is_open(const rt_room *r, uint32_t slot) {
    return atomic_load_explicit(&r->state[slot], memory_order_acquire) == RT_SLOT_OPEN;
}
bool rt_room_has(const rt_room *r, const void *p);        /* open; any pointer */
uint32_t rt_room_number(const rt_room *r, const void *p); /* of a slot */
extern rt_room rt_contexts;
/* This thread is told so, without a context, or (`of`) of one that it may not touch; gives the status. */
bz_status rt_stray(const bz_context *of, bz_status s, const char *fmt, ...) BZ_PRINTF(3, 4);
const bz_error *rt_stray_get(const bz_context *c); /* NULL: c has its own */
void rt_stray_clear(const bz_context *c);
/* For a handle that rt_find did not know: the status, with a text in c or, when c is NULL, in the thread. */
bz_status rt_no_tensor(bz_context *c, const char *op);
/* A call on c begins, inside another or not. false, with a stray error: c is none, or busy. */
bool rt_arrive(rt_visit *v, bz_context *c);
bool rt_step_in(rt_visit *v, bz_context *c); /* c is known to be alive */
bool rt_arrive_at(rt_visit *v, const bz_tensor *x, const char *op);
void rt_depart(rt_visit *v);
bool rt_is_inside(const bz_context *c); /* this thread is in a call on it */
/* In a public function: it departs at every return; `otherwise` is returned when c is none, or busy. */
#define RT_VISIT(c, otherwise)                                                                     \
    __attribute__((cleanup(rt_depart))) rt_visit visit = {0};                                      \
    if (!rt_arrive(&visit, (c))) return otherwise
/* The same by a handle, whose tensor may be gone, in bz_`op`. */
#define RT_VISIT_OF(x, op, otherwise)                                                              \
    __attribute__((cleanup(rt_depart))) rt_visit visit = {0};                                      \
    if (!rt_arrive_at(&visit, (x), op)) return otherwise
#define RT_STRAY_STATUS (rt_stray_get(NULL)->status)
bz_status rt_fail(bz_context *c, bz_status s, const char *site, const char *op, const char *fmt,
                  ...) BZ_PRINTF(5, 6);
bz_status rt_no_memory(bz_context *c);
/* Something could not be got: BZ_ENOMEM, or what the context knows of the reason. */
static inline bz_status rt_what_lacks(const bz_context *c) {
    bz_status s = c->err.status;
    return s == BZ_ELIMIT || s == BZ_EDEVICE ? s : BZ_ENOMEM;
}
const char *rt_name(bz_context *c, bool input, uint32_t number); /* "in3", "out0" */
void rt_graph_reset(ir_graph *g);
void rt_programs_free(bz_context *c); /* compile.c */
bz_context *
rt_context_of_program(const bz_program *p); /* NULL, and a stray error, for what is none */
/* The program of the signature that was compiled last, NULL before the first call; *c: its context. */
const rt_program *rt_compiled(const bz_program *p, bz_context **c);

#endif
