/* lower_dot.h - what the files of the products' lowering share. Internal to lower_dot*.c. */
#ifndef BRAZE_LOWER_DOT_H
#define BRAZE_LOWER_DOT_H

#include "src/passes/lower.h"

/* Where the micro-kernel finds the panels of a side. */
typedef enum dot_place {
    DOT_IN_PLACE, /* in the operand's own buffer: nothing is copied */
    DOT_SHARED,   /* all were packed by the phase before */
    DOT_OWN       /* the task packs those that it needs */
} dot_place;

/* One side of x . y, cut into panels along `sym`: rows of x, columns of y. */
typedef struct dot_side {
    ir_ref r;
    ir_ex sym;
    ir_ex idx[IR_MAX_RANK]; /* over the batch symbol, sym and the contracted one */
    int64_t size;           /* elements along sym */
    unsigned panel;         /* elements of a panel */
    int64_t panels;
    dot_place place;
    lp_val p;            /* IN_PLACE: the operand's buffer; SHARED, OWN: the packed panels */
    ir_ex offset;        /* IN_PLACE: of an element */
    int64_t along, down; /* from element to element of a panel at one k; from k to k + 1 */
} dot_side;

typedef struct dot_kernel {
    lower *l;
    ir_dot_attr a;
    dot_side x, y;
    int64_t batch, k;
    ir_ex b_sym, k_sym;
    unsigned lanes; /* of the accumulator's dtype */
    unsigned nv;    /* vectors of a tile row: y.panel / lanes */
    bool
        by_columns; /* a task is some column panels and all rows; else some row panels and all columns */
    bool streams;     /* the tile is wide and in memory, y is read row by row */
    int64_t group;    /* panels of a task */
    unsigned ukernel; /* number of the function */
} dot_kernel;

/* ---- lower_dot_pack.c */
/* Is the side in a buffer, as the accumulator's dtype, with constant steps along sym and k? Then s->p, offset, along and down are set. */
bool dot_lies_straight(dot_kernel *q, dot_side *s);
/* Copies panel `number` to s->p[base + k * s->panel + i] for all k, zero where it goes beyond the side. */
void dot_pack(dot_kernel *q, const dot_side *s, lp_val number, lp_val base);

#endif
