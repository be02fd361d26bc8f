/* run.h - the interpreter's state, shared by run.c (control), run_value.c and run_mem.c. Private to
 * this room.
 *
 * Every instruction is run for all threads of a block before the next one. `width` of an
 * instruction is how many threads there are where it stands; thread t of T reads from one of width
 * w the copy of thread t * w / T:
 *
 *     parallel %r          width 1     a a a a | b b b b      seen by the lanes
 *       warp %w  2 warps   width 2     a       | b
 *         lane %l          width 64 */
#ifndef BRAZE_LOOP_RUN_H
#define BRAZE_LOOP_RUN_H

#include "src/ir/loops/facts.h"
#include "src/ir/value.h"

enum { LP_MAX_THREADS = 1024 };

/* Who touched an element of shared memory last, for finding races between two barriers. */
typedef struct lp_touch {
    uint64_t wrote, read; /* epochs */
    uint32_t writer, reader;
} lp_touch;

typedef struct lp_mem {
    char *p;
    int64_t count;
    bz_dtype dtype;
    const char *name; /* NULL: local */
    uint8_t *written; /* NULL: all elements have a value from the start */
    lp_touch *touch;  /* shared memory */
    void *owned;      /* to be freed */
} lp_mem;

typedef struct lp_ptr {
    lp_mem *mem;
    int64_t at;
} lp_ptr;

typedef struct lp_copy {
    unsigned thread;
    lp_ptr to, from;
    int64_t count;
    lp_val v;
    bool zeros;    /* come instead */
    int64_t group; /* groups of its thread that are newer; -1: its own is not closed */
} lp_copy;

/* One lp_run. */
typedef struct lp_running {
    const lp_module *m;
    const lp_run_args *a;
    bz_error *e;
    bz_status status;
    uint64_t epoch; /* counts barriers */
    BZ_VEC(lp_copy) copies;
    int64_t bad_element;
    int bad_code;
} lp_running;

/* One kernel or function that is being run. */
typedef struct lp_exec {
    lp_running *r;
    const lp_kernel *k;
    uint32_t *width, *home; /* home: first cell (or pointer) of an instruction */
    lp_val *end, *other;    /* of an opener: its END, its ELSE or 0 */
    ir_bits *cell;
    lp_ptr *ptr;
    lp_mem *locals;
    uint32_t *local_of; /* first of a LOCAL's memories */
    uint32_t nlocals;
    unsigned base; /* threads it was called with; parameters: [number * base + thread] */
    lp_ptr *buffers;
    ir_bits *extents, *scalars;
} lp_exec;

static inline const lp_inst *lp_exec_at(const lp_exec *x, lp_val v) {
    return &x->k->inst.p[v];
}
static inline lp_val lp_exec_arg(const lp_exec *x, const lp_inst *i, unsigned j) {
    return lp_args(x->k, i)[j];
}

/* The copy of value v that thread t of T sees: its lanes. */
static inline ir_bits *lp_exec_get(const lp_exec *x, lp_val v, unsigned t, unsigned T) {
    return x->cell + x->home[v] + (size_t)t * x->width[v] / T * x->k->inst.p[v].lanes;
}
static inline lp_ptr *lp_exec_ptr(const lp_exec *x, lp_val v, unsigned t, unsigned T) {
    return &x->ptr[x->home[v] + (size_t)t * x->width[v] / T];
}

void lp_exec_fail(lp_exec *x, lp_val v, bz_status s, const char *fmt, ...) BZ_PRINTF(4, 5);
/* Runs a pure value, for the threads in the mask. */
void lp_exec_value(lp_exec *x, lp_val v, unsigned T, const bool *on);
/* Runs an instruction that makes a pointer or touches memory. */
void lp_exec_memory(lp_exec *x, lp_val v, unsigned T, const bool *on);
void lp_exec_exchange(lp_exec *x, lp_val v, unsigned T, const bool *on); /* warp_shuffle, mma */
typedef void lp_exec_warp(lp_exec *x, lp_val v, unsigned first, unsigned T);
/* Calls `of_warp` for each warp of the T threads; an error where some of its threads are there and others not. */
void lp_exec_warps(lp_exec *x, lp_val v, unsigned T, const bool *on, lp_exec_warp *of_warp);
bool lp_mem_local(lp_mem *mem, const lp_inst *i);
void lp_mem_poison(lp_mem *mem);
void lp_mem_free(lp_mem *mem);

#endif
