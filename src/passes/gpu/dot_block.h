/* dot_block.h - what the files of products by blocks of threads share. Internal to dot_*.c of this folder.
 *
 *     dot_block.c   tiles, chains, what is stored
 *     dot_stage.c   both sides' way into shared memory */
#ifndef BRAZE_DOT_BLOCK_H
#define BRAZE_DOT_BLOCK_H

#include "src/passes/gpu/gpu.h"
#include "src/passes/cpu/dot.h"
#include "src/ir/loops/builder.h"

enum {
    DOT_LANES = 4,  /* of the vectors that a thread computes with: 16 bytes of f32 */
    DOT_SUMS = 64,  /* of a thread, at most */
    DOT_LOADS = 32, /* loads of a thread for a turn of one side, at most */
    DOT_PAD = 4     /* elements behind a row of shared memory: another bank */
};

typedef struct dot_tile {
    unsigned rows, columns; /* of a thread */
    unsigned down, across;  /* threads */
    unsigned deep; /* steps of a turn, a power of two; two turns go into a block of additions */
} dot_tile;

/* One side in shared memory: two turns of [deep][pitch]. */
typedef struct dot_staged {
    const dot_side *side;
    lp_val p;
    int64_t size, pitch;
    bool along_k;   /* neighbours in memory are neighbours along k */
    unsigned lanes; /* of a load */
} dot_staged;

typedef struct dot_block {
    dot_kernel q;
    dot_tile t;
    dot_staged x, y;
    lp_val thread, row,
        column;    /* of the block; the first row and column of the thread in its tile */
    lp_val m0, n0; /* of the tile */
    unsigned nv;   /* vectors of a thread's row */
    bool vectors;  /* some accesses are: then `aligned` says whether they may be; 0: they may */
    lp_val aligned;
} dot_block;

static inline unsigned dot_threads(const dot_block *k) {
    return k->t.down * k->t.across;
}
static inline lp_val dot_less(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){x, y}, 2);
}

/* ---- dot_stage.c */
/* What is known of a side before the loops; memory for it, inside the loop over tiles. */
void dot_plan_side(dot_block *k, dot_staged *s, const dot_side *side, unsigned size);
void dot_make_side(dot_block *k, dot_staged *s);
/* Where in shared memory the turn that begins at step k0 lies. */
lp_val dot_turn_at(const dot_block *k, const dot_staged *s, lp_val k0);
/* A thread's part of a whole turn from memory, and into shared memory; how many values that is. first: the element of the side where the tile begins. */
unsigned dot_load(dot_block *k, const dot_staged *s, lp_val first, lp_val k0, lp_val *out);
unsigned dot_store(dot_block *k, const dot_staged *s, lp_val k0, const lp_val *v);
/* The same for a turn of which some steps may lie beyond k, to where the first turn lies. */
void dot_stage(dot_block *k, const dot_staged *s, lp_val first, lp_val k0);

#endif
