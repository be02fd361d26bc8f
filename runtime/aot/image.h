/* image.h - a program as data, and its run: what compiling fills in memory (runtime/exec/image.c) and an export prints as constants.
 *
 *     image --> phases --> segments {code, tasks}
 *       |--> places: where each pointer that the code reads comes from
 *       \--> copies: outputs that no kernel wrote in place
 *
 *     a run:   table[i] = address of places[i]  ->  early copies
 *              ->  phases in order, their tasks over the threads
 *              ->  the other copies
 *
 *     workspace:  [ arena, staged outputs | scratch of each thread | an error slot a thread | table ]
 *
 * A run writes to its workspace and to the caller's tensors alone. */
#ifndef BZ_RT_IMAGE_H
#define BZ_RT_IMAGE_H

#include "runtime/aot/aot.h"

#include <stddef.h>

/* A phase of a kernel: the machine-code ABI of src/ir/loops/loop.h, in words of this room. */
typedef struct bz_rt_frame {
    void *const *buffers;
    const int64_t *extents;
    const void *const *scalars;
    void *scratch;
    int64_t *error; /* [0] lowest bad element, INT64_MAX = none; [1] its code */
    int64_t thread;
} bz_rt_frame;
typedef int32_t bz_rt_code(const bz_rt_frame *f, int64_t begin, int64_t end);

enum bz_rt_where {
    BZ_RT_ARG,    /* byte `at` behind the pointer in the caller's struct at byte `field` */
    BZ_RT_VALUE,  /* the struct's byte `field` itself: a scalar */
    BZ_RT_ARENA,  /* byte `at` of the arena */
    BZ_RT_CONSTS, /* byte `at` of the image's constants */
    BZ_RT_BAKED,  /* byte `at` of captured tensor number `field`, whose value the object holds */
};
typedef struct bz_rt_place {
    uint32_t where, field;
    uint64_t at;
} bz_rt_place;

/* A kernel's code for one phase of a launch. */
typedef struct bz_rt_segment {
    bz_rt_code *code;
    const int64_t *extents;
    int64_t tasks;
    uint32_t buffers, scalars; /* its first pointers in the table */
} bz_rt_segment;

enum bz_rt_phase_flags {
    BZ_RT_PARALLEL = 1, /* worth waking the threads */
    BZ_RT_CHANGES = 2,  /* writes inputs: not begun after an error, not interrupted */
};
typedef struct bz_rt_phase {
    const bz_rt_segment *segments;
    int64_t tasks; /* of all segments */
    uint32_t nsegments;
    uint32_t flags;
} bz_rt_phase;

typedef struct bz_rt_copy {
    bz_rt_place to, from; /* one place, as it may turn out: nothing is copied */
    uint64_t bytes;
} bz_rt_copy;

typedef struct bz_rt_image {
    const bz_rt_phase *phases;
    const bz_rt_place *places;
    const bz_rt_copy *copies;
    const char *consts;
    const void *const *baked;
    uint32_t nphases, nplaces;
    uint32_t nearly, ncopies; /* copies before the run, copies in all */
    uint32_t parallel;        /* some phase is */
    uint32_t unused;          /* 0, in place of padding: an export is made of known bytes */
    uint64_t arena_bytes, scratch_bytes; /* multiples of 64; scratch of one thread */
} bz_rt_image;

/* ---- image.c. Symbols end in the version of this layout: programs of several versions link together. */
#define bz_rt_workspace_bytes bz_rt_workspace_bytes_v5
#define bz_rt_lay_out         bz_rt_lay_out_v5
#define bz_rt_fill_table      bz_rt_fill_table_v5
#define bz_rt_resolve         bz_rt_resolve_v5
#define bz_rt_image_run       bz_rt_image_run_v5
#define bz_rt_worst           bz_rt_worst_v5

/* Memory of a run, laid out. */
typedef struct bz_rt_workspace {
    void **table;
    char *arena, *scratch;
    int64_t *errors; /* a line of cache for each thread */
    int threads;
} bz_rt_workspace;

/* Bytes for so many threads, at any address; lays them out, for as many of `threads` as fit. false: not even one does. */
BZ_RT_INNER size_t bz_rt_workspace_bytes(const bz_rt_image *v, int threads);
BZ_RT_INNER bool bz_rt_lay_out(const bz_rt_image *v, void *p, size_t bytes, int threads,
                               bz_rt_workspace *w);

/* ---- table.c */
/* The address of a place, for the caller's struct at `args`. */
BZ_RT_INNER void *bz_rt_resolve(const bz_rt_image *v, const bz_rt_place *p, const char *args,
                                const bz_rt_workspace *w);
/* Fills the table, for the caller's struct at `args`: places up to kind `most`. BZ_RT_ARG alone where the rest is as it was. */
BZ_RT_INNER void bz_rt_fill_table(const bz_rt_image *v, const void *args, const bz_rt_workspace *w,
                                  uint32_t most);

/* ---- image.c */
typedef struct bz_rt_time {
    uint64_t runs, ns;
} bz_rt_time;
/* What a run heeds; NULL: nothing. */
typedef struct bz_rt_control {
    /* tasks that have not begun are left out once it is true, until inputs change; NULL: never */
    _Atomic(bool) *stop;
    bz_rt_time *times; /* of each phase, added to; NULL: not taken */
} bz_rt_control;

/* Runs it, the table being filled. After an index outside (bz_rt_worst) no input that is still whole is changed. false: stopped, while
 * all of them were whole. */
BZ_RT_INNER bool bz_rt_image_run(const bz_rt_image *v, const void *args, const bz_rt_workspace *w,
                                 const bz_rt_control *c);

/* The lowest element that a thread of the last run reported, and its code where `code` is not NULL; INT64_MAX: none did. */
BZ_RT_INNER int64_t bz_rt_worst(const bz_rt_workspace *w, int64_t *code);

#endif
