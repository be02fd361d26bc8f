/* dot.h - products: what their schedules share. */
#ifndef BRAZE_DOT_H
#define BRAZE_DOT_H

#include "src/passes/forms/forms.h"

/* Where the micro-kernel finds the panels of a side. */
typedef enum dot_place {
    DOT_IN_PLACE, /* in the operand's own buffer: nothing is copied */
    DOT_SHARED,   /* all were packed by the phase before */
    DOT_OWN,      /* the task packs those that it needs */
    DOT_BAND      /* in place, in a band of rows of which nothing else is there */
} dot_place;

/* One side of x . y, cut into panels along `sym`: rows of x, columns of y. */
typedef struct dot_side {
    ir_ref r;
    ir_ex sym;
    ir_ex idx[IR_MAX_RANK];    /* over the batch symbol, sym and the contracted one */
    int64_t size;              /* elements along sym */
    int64_t axes[IR_MAX_RANK]; /* of which sym is the row-major number: their sizes */
    unsigned naxes;
    unsigned panel; /* elements of a panel */
    int64_t panels;
    bool ragged;          /* the last panel may go beyond the side */
    lp_val count, pieces; /* size and panels in the code */
    dot_place place;
    bool by_block;       /* OWN: a block of k is packed at a time (dot_blocks.c) */
    lp_val p;            /* IN_PLACE: the operand's buffer; SHARED, OWN: the packed panels */
    ir_ex offset;        /* IN_PLACE: of an element */
    int64_t along, down; /* from element to element of a panel at one k; from k to k + 1 */
} dot_side;

/* A product of which only the elements with `at` >= 0 are seen (causal attention). */
typedef struct dot_mask {
    bool known;
    ir_ex at;      /* linear in the symbols of rows and columns */
    ir_ref value;  /* the choice, */
    ir_bits other; /* and what it gives elsewhere */
} dot_mask;

typedef struct dot_kernel {
    lower *l;
    ir_dot_attr a;
    dot_side x, y;
    int64_t batch, k;
    lp_val batches, all, depth; /* in the code; depth: of k's, at hand: all of them, or a block's */
    bool any_depth, swapped;    /* the code serves every k; x is the second operand */
    ir_ex b_sym, k_sym;
    int64_t contracted[IR_MAX_RANK]; /* sizes of the axes that k_sym numbers */
    unsigned lanes;                  /* of the accumulator's dtype */
    unsigned nv;                     /* vectors of a tile row: y.panel / lanes */
    bool
        by_columns; /* a task is some column panels and all rows; else some row panels and all columns */
    bool streams;       /* the tile is wide and in memory, y is read row by row */
    bool blocks;        /* tiles are made block by block of k (dot_blocks.c) */
    lp_val first;       /* of a block of k that is at hand; 0: all are */
    int64_t group;      /* panels of a task */
    int64_t chunk;      /* blocks: column panels of which the tiles are kept */
    unsigned ukernel;   /* number of the function */
    lp_val tile, tiles; /* tiles: of a chunk */
    dot_mask mask;
    bool sparse; /* rows of x may hold zeros by the block: they are looked for */
} dot_kernel;

/* ---- dot.c */
/* The sides, their symbols and sizes. */
void dot_find_sides(dot_kernel *q, lower *l);
/* Stores what the group makes of the product x, one value or, where a vector symbol is set, a vector. */
void dot_epilogue(dot_kernel *q, lp_val x);
/* An element of a side, or a vector, as the accumulator's dtype. */
emit_value dot_widened(dot_kernel *q, ir_ref r, const ir_ex *idx);
/* Do the elements of an operand lie along a symbol with step 1? */
bool dot_dense_along(dot_kernel *q, const dot_side *s, ir_ex sym);
/* Is the side read through movement alone from a buffer of dtype t? Then s->p and offset are set. */
bool dot_find_buffer(dot_kernel *q, dot_side *s, bz_dtype t);
/* A step of a chain: x y + acc, rounded once for floats. */
lp_val dot_multiply_add(lp_builder *b, bz_dtype t, lp_val x, lp_val y, lp_val acc);

/* ---- dot_mask.c */
/* Does the group choose, by comparing indices, between what it makes of the product and something else? Sets q->mask. `out`: the one
 * value that it stores. */
void dot_find_mask(dot_kernel *q, ir_ref out);
/* May x hold zeros by the block? So says a choice by places on the way to it; then it is worth to look for them. */
bool dot_may_have_zeros(const lower *l, ir_ref x);
/* Is the tile whose first row and column are m0 and n0 one of which nothing is chosen? 0: nobody knows. */
lp_val dot_is_masked(dot_kernel *q, lp_val m0, lp_val n0);
/* What is seen of a row of a batch, if there is a mask. */
row_sight dot_row_sight(dot_kernel *q, lp_val batch, lp_val row);

#endif
