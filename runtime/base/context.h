/* context.h - the context; what went wrong in it, who is in it, what its inputs are called */
#ifndef RT_CONTEXT_H
#define RT_CONTEXT_H

#include "braze/braze.h"
#include "runtime/base/border.h"
#include "src/codegen/codegen.h"
#include "src/passes/pass.h"

#include <stdatomic.h>

/* The regions of bz_autocast_begin that are open. */
enum { RT_AUTOCASTS = 32, RT_NO_AUTOCAST = 0 };
typedef struct rt_autocast {
    bz_dtype to;                        /* that of the innermost, or RT_NO_AUTOCAST */
    uint8_t depth, outer[RT_AUTOCASTS]; /* those around it */
} rt_autocast;

/* The context: what everything knows of it. What belongs to one file lies behind a pointer, and its own header says what it is. */
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
    rt_autocast autocast;
    bool profile;
    bz_counters counters;
    bool (*give_way)(bz_context *c);      /* rt_give_way */
    /* "; of 12 MiB in use the largest: w f32[512,512] 1 MiB, ...", up to five; "" where there is nothing */
    void (*say_largest)(const bz_context *c, char *text, size_t room);
    const struct rt_evaluator *evaluator; /* of what recording wants evaluated */
    const struct rt_device *device;
    struct rt_memory *memory; /* the device's: where buffers are made */
    pass_target target;
    cg_isa isa;
    int threads;
    ir_module *m;
    const struct rt_layout *scalar_layout;   /* rank 0 */
    struct rt_epoch *epoch;                  /* records; may be a trace */
    const struct rt_host_function *function; /* of the host's, that runs right now; NULL: none */
    uint64_t outside; /* storages up to this birth are from outside the function that bz_cond, bz_while or bz_for run; 0: none runs */
    struct bz_program *programs;
    uint64_t calls, donation; /* of programs; donation: calls whose inputs were looked at */
    uint64_t flushes;
    uint64_t seed, stream; /* of random numbers: key and next word */
    uint64_t random[2];    /* seed and stream of a bz_generator, of which the key is made */
    struct rt_names *names;
    struct rt_layouts *layouts;
    struct rt_pool *pool;
    struct rt_fetched *fetched;
    struct rt_plans *plans;
    struct rt_slab *slab;
    struct rt_epochs *epochs;
    struct rt_lineage *lineage;
    struct rt_recorder *recorder;
    struct rt_evaluation *evaluation;
    struct rt_gifts *gifts;
    struct rt_transfers *transfers;
    struct rt_lent *lent; /* memory that others read: api_dlpack.c */
};
static inline void rt_does(bz_context *c, const char *op, const char *site) {
    c->op = op;
    c->site = site;
}
/* Memory is short: something that holds some and does not run goes. false: nothing does. */
static inline bool rt_give_way(bz_context *c) {
    return c->give_way(c);
}

/* ---- names.c */
typedef struct rt_names {
    BZ_VEC(const char *) inputs, outputs;
    bz_arena memory;
} rt_names;
const char *rt_name(bz_context *c, bool input, uint32_t number); /* "in3", "out0" */
void rt_names_free(rt_names *n);

/* ---- errors.c */
bz_status rt_fail(bz_context *c, bz_status s, const char *site, const char *op, const char *fmt,
                  ...) BZ_PRINTF(5, 6);
bz_status rt_no_memory(bz_context *c);
void rt_device_text(const bz_context *c, char text[static 24]); /* "cuda:1"; "cpu" */
/* Something could not be got: BZ_ENOMEM, or what the context knows of the reason. */
static inline bz_status rt_what_lacks(const bz_context *c) {
    bz_status s = c->err.status;
    return s == BZ_ELIMIT || s == BZ_EDEVICE ? s : BZ_ENOMEM;
}
/* This thread is told so, without a context, or (`of`) of one that it may not touch; gives the status. */
bz_status rt_stray(const bz_context *of, bz_status s, const char *fmt, ...) BZ_PRINTF(3, 4);
const bz_error *rt_stray_get(const bz_context *c); /* NULL: c has its own */
void rt_stray_clear(const bz_context *c);
/* For a handle that rt_find did not know: the status, with a text in c or, when c is NULL, in the thread. */
bz_status rt_no_tensor(bz_context *c, const char *op);

/* ---- slots.c: what can be checked before it is touched */
enum {
    RT_CONTEXT_BITS = 12,  /* of how many there may be */
    RT_CONTEXT_SHIFT = 13, /* of a context's bytes */
};
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
bz_context *rt_context_at(uint32_t number);
bool rt_context_alive(const bz_context *c); /* any pointer */
#define RT_STALE "the handle is stale: its tensor was freed, or it was never one"

/* ---- alive.c: who is in a context */
typedef struct rt_visit {
    bz_context *c; /* to depart from; NULL: an outer call will */
} rt_visit;
/* A call on c begins, inside another or not. false, with a stray error: c is none, or busy. */
bool rt_arrive(rt_visit *v, bz_context *c);
bool rt_step_in(rt_visit *v, bz_context *c); /* c is known to be alive */
void rt_depart(rt_visit *v);
bool rt_is_inside(const bz_context *c); /* this thread is in a call on it */
/* In a public function: it departs at every return; `otherwise` is returned when c is none, or busy. */
#define RT_VISIT(c, otherwise)                                                                     \
    __attribute__((cleanup(rt_depart))) rt_visit visit = {0};                                      \
    if (!rt_arrive(&visit, (c))) return otherwise
#define RT_STRAY_STATUS (rt_stray_get(NULL)->status)

#endif
