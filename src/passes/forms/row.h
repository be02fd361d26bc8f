/* row.h - what those who go through rows share.
 *
 *     row.c           passes over a row, whoever goes through it; tasks: whole rows, or blocks of few long ones
 *     row_thread.c    a thread alone, in vectors; bands ask it for one row at a time
 *     row_hidden.c    what a pass leaves out of a row of which the rest is one constant */
#ifndef BRAZE_ROW_H
#define BRAZE_ROW_H

#include "src/passes/forms/forms.h"

enum { MAX_FOLDS = FUSE_MAX_FOLDS, MAX_ACC = 64 };

typedef struct fold_node {
    ir_ref r;
    ir_reduce_attr a;
    unsigned pass;       /* that folds it */
    lp_val work, result; /* wide: block results [rows][blocks] and row results [rows] */
    lp_val blocks;       /* narrow: block results of one row */
    lp_val lanes;        /* the L lanes, when they are kept in memory */
} fold_node;

typedef struct row_kernel row_kernel;
typedef struct row_stretch row_stretch;

/* Who goes through a row together: a thread alone, or a warp or a block of threads (gpu/row_warp.c). */
typedef struct row_team {
    size_t size; /* of its row_kernel and what else it knows, behind that */
    /* May stages keep rows? */
    bool (*keeps)(const row_kernel *q);
    /* Sets lanes and nvec. */
    void (*choose_vectors)(row_kernel *q);
    /* Elements lo .. lo+count of the row; afterwards out[f] is the folded scalar (of the accumulator's dtype) of each fold of the pass. */
    void (*fold)(row_stretch *s, lp_val lo, lp_val count, lp_val *out);
    /* The same of the whole row: row_fold_whole, if nobody else has some of its blocks. */
    void (*fold_row)(row_stretch *s, lp_val *out);
    /* Stores what the pass does of the elements at hand; NULL: where they belong. */
    void (*store_elements)(row_stretch *s);
    /* What comes now is of the rows at hand; NULL: it is one. */
    void (*enter_results)(row_kernel *q);
    /* The tasks, and row_passes for each row. False: out of memory. */
    bool (*whole_rows)(row_kernel *q, lp_val rows);
    /* What comes until the end is done by one of those that have the row; `stretch`: that have the stretch at hand. NULL: they are one. */
    void (*begin_alone)(row_kernel *q, bool stretch);

    /* ---- few long rows: */
    bool (*takes_long)(row_kernel *q); /* whole_rows is better still. NULL: never */
    void (*begin_blocks)(row_kernel *q);
    lp_val (*open_blocks)(row_kernel *q, lp_val count); /* tasks, a block each; which one */
    void (*close_blocks)(row_kernel *q);
    /* Around a row's results: more of them fold their blocks, and one has the rest. NULL: a task is one thread. */
    void (*open_results)(const row_stretch *s, lp_val base);
    void (*close_results)(row_kernel *q);
    lp_val (*result)(row_kernel *q, const fold_node *n, lp_val base);
} row_team;

/* The team for rows and k (and blocks) as the kernel says, in which nothing else is known yet. */
typedef const row_team *row_teams(const row_kernel *q);

struct row_kernel {
    lower *l;
    const row_team *team;
    work w; /* a pass for each stage */
    int64_t rows, k, blocks;
    bool any_k;             /* the code serves every k (of one block, or of several) */
    lp_val length, nblocks; /* k and blocks in the code */
    lp_val all_rows;        /* wide: their number */
    ir_ex i_sym, k_sym;
    unsigned lanes, nvec; /* lanes of a vector; vectors that make L lanes */
    bool beside;          /* the lanes are rows: results are vectors */
    unsigned stream;      /* flags of the stores of elements */
    fold_node fold[MAX_FOLDS];
    unsigned nfolds;
    BZ_VEC(lp_val)
    kept_rows;      /* for what stages keep: rows in scratch memory, or a thread's part of them */
    ir_ex kept_at;  /* where in them element k_sym lies */
    bool keeps_all; /* there is room for lanes behind the row's end, too */
    lp_val lane;    /* of the threads that have the row together the one at hand; 0: there is one */
    lp_val
        aligned; /* the condition under which accesses of vectors, and what is held, are right; 0: always */
    bool vectors;   /* a thread's elements of a turn begin at multiples of their number in memory */
    lp_val nothing; /* 0, which code generation doesn't know; 0: there is none */
    ir_ref hidden;  /* a value of which rows may be seen in part (row_sight); 0: there is none */
    uint32_t plain; /* bit p: pass p makes one value of what is hidden */
};

/* Some elements of a row in one pass. */
struct row_stretch {
    row_kernel *q;
    unsigned pass;
    unsigned folds[MAX_FOLDS], nfolds; /* of this pass */
    unsigned width;                    /* vectors that are computed side by side */
    /* the L lanes are an array, and the code is one loop over it: for long bodies, where that costs nothing */
    bool in_memory;
    const row_sight *sight; /* NULL: everything is seen */
    lp_val from, to; /* columns that are seen, multiples of L but for the row's end; 0, 0: all */
    lp_val acc[MAX_FOLDS][MAX_ACC];
};

/* ---- row.c */
bool lower_rows(lower *l, row_teams *choose); /* the group at hand */
/* The space and the plan of a group that is part of a band; NULL: out of memory. */
row_kernel *row_begin(lower *l, row_teams *choose);
void row_end(row_kernel *q);
/* All passes over the row that i_sym says; sight: read if there is a hidden value. */
void row_passes(row_kernel *q, const row_sight *sight);
void row_fold_whole(row_stretch *s, lp_val *out);
/* The results of a row's blocks, at p[base], into one, which is left there. */
lp_val row_fold_results(row_kernel *q, const fold_node *n, lp_val p, lp_val base);
/* Memory for the results of a row's blocks, of each thread that stands here. */
void row_make_blocks(row_kernel *q);
/* Base operations per element that the pass computes. */
unsigned row_steps(const row_kernel *q, unsigned pass);
/* The pass that computes kept node i. */
unsigned row_kept_by(const row_kernel *q, uint32_t i);
/* From now on the kept row stands for node i, where it is read at its own index. */
void row_bind_kept(row_kernel *q, uint32_t i);
/* Does this pass store elements of output i? */
bool row_stores(const row_stretch *s, uint32_t i);
/* Vectors at.. of the L lanes: values, kept rows, outputs, then the folds' steps. The vector symbol is set. */
void row_step(row_stretch *s, unsigned at);

/* ---- row_thread.c */
row_teams row_thread;
/* For a band, before its loops: the group's folds and elements at one row at a time, a value of all rows counted as one axis. hidden: the value
 * that row_sights are about, 0 = there is none. */
row_kernel *row_begin_thread(lower *l, ir_ref hidden);
void row_one(row_kernel *q, lp_val i, const row_sight *sight);

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
