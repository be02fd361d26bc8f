/* row.h - what the files of the rows' lowering share. Internal to row*.c.
 *
 *     row.c           tasks: whole rows, or blocks of few long ones; bands ask for one row at a time (cpu.h)
 *     row_stretch.c   one pass over a stretch of a row: values, kept rows, stores, folds
 *     row_hidden.c    what a pass leaves out of a row of which the rest is one constant */
#ifndef BRAZE_ROW_H
#define BRAZE_ROW_H

#include "src/passes/cpu/cpu.h"
#include "src/passes/work.h"

enum { MAX_FOLDS = FUSE_MAX_FOLDS, MAX_ACC = 64 };

typedef struct fold_node {
    ir_ref r;
    ir_reduce_attr a;
    unsigned pass;       /* that folds it */
    lp_val work, result; /* wide: block results [rows][blocks] and row results [rows] */
    lp_val blocks;       /* narrow: block results of one row */
    lp_val lanes;        /* the L lanes, when they are kept in memory */
} fold_node;

struct row_kernel {
    lower *l;
    work w; /* a pass for each stage */
    int64_t rows, k, blocks;
    bool any_k;             /* the code serves every k (of one block, or of several) */
    lp_val length, nblocks; /* k and blocks in the code */
    lp_val all_rows;        /* wide: their number */
    ir_ex i_sym, k_sym;
    unsigned lanes, nvec; /* lanes of a vector; vectors that make L lanes */
    unsigned stream;      /* flags of the stores of elements */
    fold_node fold[MAX_FOLDS];
    unsigned nfolds;
    BZ_VEC(lp_val)
    kept_rows;      /* for what stages keep: rows in scratch memory, or a thread's part of them */
    bool kept_lies; /* warp: these rows are there before the passes begin, whole */
    ir_ex kept_at;  /* where in them element k_sym lies */
    lp_val lane;    /* of the warp that folds rows together; 0: a thread does alone */
    bool warp;      /* such rows: row_warp.c */
    ir_ex skipped;  /* warp: elements of the row before this one that are not the thread's */
    unsigned warps; /* of a block */
    lp_val block_warp; /* of a block that has a row, whose warps take its blocks in turn: the warp's number; 0: a warp has a row */
    unsigned team;  /* threads of a row */
    lp_val there;   /* is the thread's row? */
    lp_val aligned; /* warp: the condition under which accesses of vectors, and what is held, are right; 0: always */
    bool vectors;   /* a thread's elements of a turn begin at multiples of their number in memory */
    emit_staged staged[EMIT_MAX_STAGED]; /* what several stages read */
    unsigned nstaged;
    bool in_shared; /* ... waits in shared memory */
    lp_val nothing; /* narrow: 0, which code generation doesn't know */
    ir_ref hidden;  /* a value of which rows may be seen in part (row_sight); 0: there is none */
    uint32_t plain; /* bit p: pass p makes one value of what is hidden */
};

/* Some elements of a row in one pass. */
typedef struct row_stretch {
    row_kernel *q;
    unsigned pass;
    unsigned folds[MAX_FOLDS], nfolds; /* of this pass */
    unsigned width;                    /* vectors that are computed side by side */
    /* the L lanes are an array, and the code is one loop over it: for long bodies, where that costs nothing */
    bool in_memory;
    const row_sight *sight; /* NULL: everything is seen */
    lp_val from, to; /* columns that are seen, multiples of L but for the row's end; 0, 0: all */
    lp_val acc[MAX_FOLDS][MAX_ACC];
} row_stretch;

/* ---- row.c */
/* Memory for the results of a row's blocks, of each thread that stands here. */
bool row_make_scratch(row_kernel *q);
/* The row that i_sym says, by the warp at hand (lane, there). Where pointers may be any multiples of elements there is other code for these. */
bool row_by_warp(row_kernel *q, const row_sight *sight);

/* ---- row_stretch.c */
/* The pass that computes kept node i. */
unsigned row_kept_by(const row_kernel *q, uint32_t i);
/* From now on the kept row stands for node i, where it is read at its own index. */
void row_bind_kept(row_kernel *q, uint32_t i);
/* Does this pass store elements of output i? */
bool row_stores(const row_stretch *s, uint32_t i);
/* Elements lo .. lo+count of the row; afterwards out[f] is the folded scalar (of the accumulator's dtype) of each fold of the pass. */
void row_fold_stretch(row_stretch *s, lp_val lo, lp_val count, lp_val *out);

/* Vectors at.. of the L lanes: values, kept rows, outputs, then the folds' steps. The vector symbol is set. */
void row_step(row_stretch *s, unsigned at);

/* ---- gpu/row_warp.c: rows that a warp folds together; each thread has four elements of 128, of short rows fewer */
/* Short rows: several a warp. Then threads come along whose row is not there. */
bool row_in_teams(const row_kernel *q);
void row_choose_team(row_kernel *q);
/* For each i below `count` a warp: what comes until the close is done by each of its threads, q->lane. */
lp_val row_open_warps(row_kernel *q, lp_val count);
void row_close_warps(row_kernel *q, bool block);
/* The rows first .. end of a band, by the threads of a block of `warps` warps, of which `thread` is one. */
typedef struct row_band_at {
    lp_val thread, first, end;
    unsigned warps;
    /* a band's memory for each value that stages keep, all rows of it; NULL: they are few enough for registers, or nothing is kept */
    const lp_val *kept;
    row_sight (*sees)(void *ctx, lp_val i); /* of row first + i, if passes are plain */
    void *ctx;
} row_band_at;
bool row_band(row_kernel *q, const row_band_at *at);
/* The same as row_fold_stretch; every thread has the results. */
void row_fold_warp(row_stretch *s, lp_val lo, lp_val count, lp_val *out);
/* For each of the pass's folds the row's results, which begin at `base`, become one, by many threads; what comes until the close is done by
 * one of them. */
void row_open_trees(row_kernel *q, const row_stretch *s, lp_val base);
void row_close_trees(row_kernel *q);
/* Before the loops: how a row is read, and, where a warp goes through all of it (whole_rows), what will be held. */
void row_plan_warps(row_kernel *q, bool whole_rows);
/* Before the loops, instead: may a block of threads have a row, which then waits in shared memory? It is worth it where stages read a row
 * of several blocks again, and it fits. */
bool row_plan_block(row_kernel *q);
/* For each of `rows` a block: what comes until row_close_warps is done by each of its threads, q->lane of warp q->block_warp. */
lp_val row_open_block(row_kernel *q, lp_val rows);
/* Opens the loop over the blocks of additions that are the warp's; gives the number of one, and how many elements it has. */
lp_val row_open_own(row_kernel *q, lp_val *count);
/* Memory for what stages keep and read again, in registers as a rule, of each thread that stands here; reads it. */
bool row_hold_in_warp(row_kernel *q);
/* From here on nothing is held but what lies elsewhere. */
bool row_hold_nothing(row_kernel *q);
/* May stages keep anything? */
bool row_fits_warp(const row_kernel *q);

/* ---- row_hidden.c */
typedef struct row_span {
    lp_val from, to;
} row_span;
/* The passes that make one value of everything hidden, bit by bit. */
uint32_t row_plain_passes(const row_kernel *q, ir_ref hidden);
/* Chooses what of the row such a pass goes through, by what it would make of the rest: *other[f] for fold f, once. Sums must find zeros
 * there, or the pass goes through all. */
void row_look(row_stretch *s, const row_sight *sight, lp_val *other);
/* What is seen of elements lo .. lo + count, counted from lo. */
row_span row_seen_of(const row_stretch *s, lp_val lo, lp_val count);
/* What the pass keeps and stores of hidden elements, of those of lo .. lo + count that its loop leaves out. */
void row_fill_hidden(row_stretch *s, lp_val lo, lp_val count);

#endif
