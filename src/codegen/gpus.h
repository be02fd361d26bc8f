/* gpus.h - kinds of GPUs: what fits on one of their processors, and what a card of the kind does in a second. */
#ifndef BRAZE_GPUS_H
#define BRAZE_GPUS_H

#include "src/ir/base/base.h"

typedef struct gpu_kind {
    unsigned cc;             /* compute capability: 80 */
    const char *name;        /* "sm_80" */
    unsigned warps, blocks;  /* at once on a processor */
    unsigned shared;         /* bytes of shared memory of a processor */
    unsigned reserved, unit; /* of it: a block takes so much beside its own, in multiples of unit */
    /* Estimates, from data sheets: a card of the kind with its boost clock */
    const char *card;
    unsigned processors;
    double hz, bytes_per_s;
    unsigned f32, f64, special; /* operations that a processor begins in a clock */
    unsigned halves, tf32;      /* multiply-adds of its matrix units, of dense matrices */
} gpu_kind;

enum { GPU_KINDS = 7 };
extern const gpu_kind gpu_kinds[GPU_KINDS];

typedef struct gpu_occupancy {
    unsigned blocks;   /* of a processor at once; 0: not even one fits */
    double share;      /* of the warps that it can hold */
    const char *limit; /* what keeps more away: warps, registers, shared, blocks */
} gpu_occupancy;

/* Bytes of shared memory that a block may ask for. */
static inline unsigned gpu_shared_most(const gpu_kind *g) {
    return g->shared - g->reserved;
}
/* Of blocks of `threads` threads with so many registers each and so many bytes of shared memory. */
gpu_occupancy gpu_occupy(const gpu_kind *g, unsigned registers, unsigned shared, unsigned threads);

/* What a launch cannot do without. */
typedef struct gpu_work {
    double bytes, flops, specials; /* an FMA: two flops */
    bool f64;
    unsigned matrix; /* bits of the factors, 16 or 32, if matrix units multiply them; else 0 */
    unsigned blocks; /* of the grid: fewer than processors leave some without work */
} gpu_work;

typedef struct gpu_roof {
    double memory, math, special, launch; /* ns for each alone, at the least */
    double ns;                            /* the largest */
    const char *bound;                    /* its name */
} gpu_roof;
gpu_roof gpu_roofline(const gpu_kind *g, const gpu_work *w);

#endif
