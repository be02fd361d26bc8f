/* tensor.h - handles, storages, and the epochs whose nodes are their values.
 *
 *  handle (tensor.c) --> storage (storage.c) --> value: a node of an epoch's graph, or a buffer (buffer.c), or both
 *                    \-> layout, offset: where the handle's elements lie in the storage (layout.c) */
#ifndef RT_TENSOR_H
#define RT_TENSOR_H

#include "runtime/memory/buffer.h"
#include "runtime/value/lineage.h"

/* ---- storage.c: epochs */
typedef struct rt_arg { /* value of an input of an epoch's graph */
    rt_buffer *buf;     /* one reference; NULL: a scalar, or a hidden input of a trace */
    /* hidden input of a trace: one reference; its value is read at each call */
    struct rt_storage *storage;
    ir_bits bits; /* a scalar's value */
} rt_arg;

typedef struct rt_epoch {
    uint64_t id;   /* another each time that it is opened */
    uint64_t life; /* the first of them */
    ir_graph *g;
    bool open;    /* the one that records */
    bool tracing; /* of a function that is being compiled */
    /* functions of the host's that record into it right now, of values that are not there */
    uint32_t inside;
    /* number of open scopes when it began, which is with its first op: not with values from before that are still to be computed;
     * tracing: those outside the innermost function */
    uint32_t depth;
    bool begun;
    uint64_t outside; /* tracing: storages up to this birth come from outside that function */
    BZ_VEC(rt_arg) args;
    BZ_VEC(rt_buffer *) kept; /* node -> its value, computed before; shorter than the graph: none */
    uint32_t nkept;
    bool behind; /* some storage has joined at a node that was kept, and waits for that value */
    bool writes; /* it has writes whose places are numbers */
    BZ_VEC(ir_ref) fixed; /* overwrite.c: kept nodes that cannot be computed again, ascending */
    size_t kept_bytes, sweep_at, fixed_bytes; /* fixed: of parts of what was overwritten */
    uint32_t cut_at;                          /* ops at which its start is given up */
    uint64_t joins, joined_before;            /* storages that joined: ever, before it was opened */
    struct rt_storage *pending,
        *settled; /* lists of the storages with a node here: without a value, with one */
    BZ_VEC(rt_source) sources;
    BZ_VEC(rt_own) own; /* that joined since it was opened, as they were then */
    bool own_lost;      /* one of them is not there, for lack of memory */
    struct {
        ir_ref nodes;
        uint32_t sources, own;
    } flowed;                   /* lineage.c: how far sets are found */
    BZ_VEC(uint32_t) source_at; /* node -> number + 1 of its last source; 0, or shorter: none */
    ir_ref key, base;           /* inputs of the random stream, 0 = not used; base: of a trace */
    uint64_t words;             /* of the stream that a trace has handed out */
    uint64_t moved_to;          /* epoch that `moved` leads to */
    ir_ref *moved;
    uint32_t nmoved;
    struct rt_epoch *next; /* recycled ones; open traces: the epoch below */
} rt_epoch;

typedef struct rt_epochs {
    rt_epoch *idle;            /* recycled */
    BZ_VEC(rt_epoch *) closed; /* alive because of storages without a value */
    uint64_t made;
} rt_epochs;

/* A function of the host's runs on tensors without values: nothing is computed, and it changes what is its own. */
static inline bool rt_in_function(const bz_context *c) {
    return c->epoch && (c->epoch->tracing || c->epoch->inside);
}

rt_epoch *rt_epoch_open(bz_context *c, bool tracing); /* becomes c->epoch; NULL: no memory */
/* Storages with a value forget how it came about; the others keep e alive. `why`: for gradients that would lead back there. */
void rt_epoch_close(bz_context *c, rt_epoch *e, const char *why);
void rt_epoch_end(bz_context *c,
                  const char *why);             /* closes the one that records, if there is one */
void rt_epoch_drop(bz_context *c, rt_epoch *e); /* if nothing needs it any more */
/* the epoch that records, opened if there is none; NULL: no memory */
rt_epoch *rt_recording(bz_context *c);
rt_epoch *rt_recording_op(bz_context *c); /* the same for an op, with which it has begun */
void rt_epochs_free(bz_context *c);
void rt_graph_reset(ir_graph *g);

/* ---- storage.c, tensor.c: storages and handles */
typedef enum rt_kind { RT_VALUE, RT_SCALAR, RT_SCALAR_INT, RT_SCALAR_UINT, RT_SCALAR_BOOL, RT_FOREIGN } rt_kind;

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
    ir_ref highest; /* pending: no node of it and of those behind it in the list is higher */
    char *lost;     /* with `failed`: the error's text; bz_mem_free */
    char *name;     /* bz_name's; bz_mem_free; NULL: none */
    const char *write_op, *write_site; /* the last in-place change */
    uint64_t donation;                 /* number of the last call to which it was donated */
    uint64_t first,
        birth; /* of its first value and of this one: numbers that are never used again; free: UINT64_MAX, 0 */
    /* what the value was computed from before its recording ended; NULL: no variable, or not over yet */
    rt_past *past;
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
    RT_GEN_BITS = 24,
    RT_STORAGES = 128 /* of a chunk */
};

typedef struct rt_slab {
    BZ_VEC(rt_tensor *) chunks;
    uint32_t free, used;  /* first free slot (0 = none); slots ever used */
    rt_storage *storages; /* free list */
    BZ_VEC(rt_storage *) storage_chunks;
    BZ_VEC(uint32_t) scopes; /* first slot of each */
} rt_slab;

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
void rt_scope_link(bz_context *c, rt_tensor *t, uint32_t depth);
void rt_scope_unlink(bz_context *c, rt_tensor *t);
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
    return s->kind >= RT_SCALAR && s->kind <= RT_SCALAR_BOOL;
}
/* Is its value in memory of somebody else's that is not to be written? */
static inline bool rt_is_read_only(const rt_storage *s) {
    const rt_buffer *b = s->kind == RT_FOREIGN ? s->u.home : s->buf;
    return !rt_is_number(s) && b && b->read_only;
}
ir_bits rt_number_bits(const rt_storage *s); /* of a number's own dtype */
/* ---- largest.c: what context.h says of say_largest */
void rt_say_largest(const bz_context *c, char *text, size_t room);

/* Whole storage, row-major: the handle sees all of it. */
static inline bool rt_is_whole(const rt_tensor *t) {
    return t->layout == t->st->base && t->offset == 0;
}
void rt_slab_free(bz_context *c);

/* A call on the handle's context begins; its tensor may be gone; in bz_`op`. */
bool rt_arrive_at(rt_visit *v, const bz_tensor *x, const char *op);
/* The same by a handle, whose tensor may be gone, in bz_`op`. */
#define RT_VISIT_OF(x, op, otherwise)                                                              \
    __attribute__((cleanup(rt_depart))) rt_visit visit = {0};                                      \
    if (!rt_arrive_at(&visit, (x), op)) return otherwise

#endif
