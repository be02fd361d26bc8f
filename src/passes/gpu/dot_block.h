/* dot_block.h - what the files of products by blocks of threads share. Internal to dot_*.c of this folder.
 *
 *     dot_block.c   tiles, chains, what is stored; bands ask for some rows at a time
 *     dot_stage.c   both sides' way into shared memory
 *     dot_mma.c     sums by matrix units
 *     dot_ring.c    both sides' way to those
 *     dot_parts.c   sums in several parts, each a task's
 *     dot_zeros.c   rows that end with zeros */
#ifndef BRAZE_DOT_BLOCK_H
#define BRAZE_DOT_BLOCK_H

#include "src/passes/gpu/gpu.h"
#include "src/passes/forms/dot.h"
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

/* One side in shared memory: two turns of [deep][pitch]; for matrix units more, [size][pitch] if it lies along k. */
typedef struct dot_staged {
    dot_side *side;
    lp_val p;
    int64_t size, pitch;
    bool along_k;   /* neighbours in memory are neighbours along k */
    unsigned lanes; /* of a load */
    bz_dtype t;     /* for matrix units: of its elements */
    bool straight;  /* ... and nothing is computed on its way */
} dot_staged;

typedef struct dot_block {
    dot_kernel q;
    dot_tile t;
    dot_staged x, y;
    lp_val thread, row,
        column;    /* of the block; the first row and column of the thread in its tile */
    lp_val m0, n0; /* of the tile */
    unsigned nv;   /* vectors of a thread's row */
    int64_t row_step, column_step; /* between its rows, and between vectors of one */
    unsigned mark;                 /* emitter's, before the tile */
    /* Of a sum in several parts how many, where they lie, and the task's number among them and batch; 1: there is one */
    int64_t parts;
    lp_val work, part, batch;
    lp_val from, to; /* steps of k that the task adds up */
    bool by_matrix;  /* units add up */
    bool
        sparse; /* rows of x may end with zeros: `used` is behind the last step that has something */
    lp_val used, slots;
    bool vectors; /* some accesses are: then `aligned` says whether they may be; 0: they may */
    lp_val aligned;
} dot_block;

static inline unsigned dot_threads(const dot_block *k) {
    return k->t.down * k->t.across;
}
static inline lp_val dot_less(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_LT, BZ_BOOL, (lp_val[]){x, y}, 2);
}

/* ---- dot_block.c: a tile's frame */
void dot_make_counts(dot_block *k); /* once the tile is chosen */
/* Opens the loops over tiles, once the sides are planned; gives the tile's number, which dot_open_threads takes. */
lp_val dot_open_tiles(dot_block *k);
void dot_open_threads(dot_block *k, lp_val tile);
/* Makes the thread's sums: vectors of DOT_LANES, nv for each of t.rows rows. */
typedef void dot_summed(dot_block *k, lp_val *sum);
/* The tile: summed and stored, or, where pointers forbid vectors, its elements one by one. Closes the loops. */
bool dot_close(dot_block *k, dot_summed *summed);

/* The vector at column `column` of the row that is i rows below the thread's first, stored as what the group makes of it. */
void dot_store_vector(dot_block *k, lp_val i, lp_val column, lp_val x);

/* ---- dot_parts.c: k->parts > 1 */
void dot_parts_make(dot_block *k); /* memory for them, before the loops over tiles */
/* A part of DOT_LANES sums, or one, of that row and column of the result. */
void dot_parts_keep(dot_block *k, lp_val m, lp_val n, lp_val sum);
void dot_parts_add(dot_block *k); /* the phase that adds and stores them */

/* ---- dot_zeros.c: of a product in a band, where x lies in the band's memory */
void dot_plan_zeros(dot_block *k, bool is_handed); /* once the sides are planned: sets k->sparse */
void dot_make_zeros(dot_block *k);                 /* memory, before the loop over threads */
void dot_find_zeros(dot_block *k);                 /* for the rows from k->m0 on */
/* The turns from .. to, but those that add nothing. */
typedef void dot_turns_of(dot_block *k, lp_val from, lp_val to, lp_val *sum);
void dot_sparse_turns(dot_block *k, lp_val from, lp_val to, dot_turns_of *turns, lp_val *sum);

/* ---- dot_mma.c */
/* Does the target ask for sums by matrix units, and are they for this product? Its sides are known; they may get others, of the same
 * factors, that suit better. */
bool dot_suits_mma(dot_block *k);
bool dot_by_mma(dot_block *k);

/* ---- dot_ring.c: turns of both sides under way */
enum {
    DOT_CHUNK = 16,      /* bytes that are copied at once, and a row of a matrix */
    DOT_TURN_CHUNKS = 4, /* of a turn along k: two steps of the units */
    DOT_TURNS = 3        /* in shared memory */
};
static inline unsigned dot_chunk(const dot_staged *s) { /* elements */
    return DOT_CHUNK / (unsigned)ir_dtype_bytes(s->t);
}
void dot_ring_plan(dot_block *k, dot_staged *s, dot_side *side, unsigned size);
void dot_ring_make(dot_block *k, dot_staged *s); /* memory for it, in the loop over tiles */
/* A thread's part of a turn: copies that begin, or elements that are computed, which dot_ring_store puts there. How many values. */
unsigned dot_ring_load(dot_block *k, dot_staged *s, lp_val first, lp_val turn, lp_val *v);
unsigned dot_ring_store(dot_block *k, dot_staged *s, lp_val turn, const lp_val *v);
/* Where in s->p a turn lies, and of it a chunk of a row. */
lp_val dot_ring_turn(const dot_block *k, const dot_staged *s, lp_val turn);
lp_val dot_ring_chunk(const dot_block *k, const dot_staged *s, lp_val row, lp_val chunk);
/* ---- dot_block.c, for a band: some rows of a batch, all columns, by a block of threads that is open */
/* What is known before the loops over tasks; the sides are found, the tile is chosen, and what the product reads can be read. */
void dot_block_plan(dot_block *k, bool is_handed); /* x: by another part of the band */
/* The rows of a tile from m0 on of batch number `batch`; both sides' memory is there. */
void dot_block_rows(dot_block *k, lp_val thread, lp_val batch, lp_val m0);

/* ---- dot_stage.c */
/* What is known of a side before the loops; memory for it, inside the loop over tiles. */
void dot_plan_side(dot_block *k, dot_staged *s, dot_side *side, unsigned size);
void dot_make_side(dot_block *k, dot_staged *s);
int64_t dot_staged_size(const dot_block *k, const dot_staged *s); /* elements */
/* Where in shared memory the turn that begins at step k0 lies. */
lp_val dot_turn_at(const dot_block *k, const dot_staged *s, lp_val k0);
/* A thread's part of a whole turn from memory, and into shared memory; how many values that is. first: the element of the side where the tile begins. */
unsigned dot_load(dot_block *k, const dot_staged *s, lp_val first, lp_val k0, lp_val *out);
unsigned dot_store(dot_block *k, const dot_staged *s, lp_val k0, const lp_val *v);
/* The same for a turn of which some steps may lie beyond k, to where the first turn lies. */
void dot_stage(dot_block *k, const dot_staged *s, lp_val first, lp_val k0);

#endif
