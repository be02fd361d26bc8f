/* access.h - what is read where: index maps as data. Internal to src/passes.
 *
 *     a step   from a node at an index to one operand: its index, and on which axes that may lie outside of it
 *     a walk   step after step, down to where a visitor stops: through movement for those who ask what is read, through what computes, too,
 *              for those who ask what a kernel does
 *
 * An index is an expression for each axis, over symbols that whoever asks has made. */
#ifndef BRAZE_ACCESS_H
#define BRAZE_ACCESS_H

#include "src/ir/ir.h"

/* The same element of the same value under other indices: reshape ... concat, not computing anything. */
static inline bool access_moves(const ir_graph *g, ir_ref r) {
    return ir_op_is_movement(ir_at(g, r)->op);
}

/* ---- indices */

/* Sizes of all axes; symbols among them are a bug. */
void access_shape(const ir_graph *g, ir_ref r, int64_t *shape);
/* Some index of r: a symbol for each axis. */
void access_any_index(const ir_graph *g, ir_exprs *x, ir_ref r, ir_ex *idx);
/* Row-major offset of an index in the shape of r. */
ir_ex access_offset(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx);
/* Indices of axes `axes` of a shape from one row-major number; idx[axes[i]] is written. */
void access_delinearize(ir_exprs *x, ir_ex number, const int64_t *shape, const int64_t *axes,
                        unsigned n, ir_ex *idx);
/* Where in its operand's row-major elements the window of an as_strided or update has index idx. */
ir_ex access_window_offset(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx);
/* Where in operand 0 of gather r its element idx lies, if what picks it were 0. */
ir_ex access_picked_offset(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx);
/* The symbol in a window's offset that stands for what moves the window at run time, clamped; 0: nothing does. */
ir_ex access_mover(const ir_graph *g, ir_exprs *x, ir_ref r);

/* ---- steps */

typedef struct access_step {
    ir_ref x; /* the operand */
    /* its axes on which `at` may lie outside: it is read where none does (pad, concat) */
    uint32_t outside;
    ir_ex at[IR_MAX_RANK];
} access_step;

/* How node r at idx reads operand k. False: never, or not by an index map (what is picked from, folded, multiplied, updated). */
bool access_take(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx, unsigned k,
                 access_step *s);

/* Is r a movement that shows fewer elements than its operand has? */
bool access_leaves_out(const ir_graph *g, ir_ref r);

/* ---- walks */

typedef enum access_answer {
    ACCESS_ON,   /* and what it reads */
    ACCESS_STOP, /* not below here */
    ACCESS_NO    /* the walk ends: no */
} access_answer;

typedef struct access_place {
    ir_ref node, reader;     /* reader: 0 where the walk begins */
    const ir_ex *idx;        /* NULL in a walk without indices */
    const access_step *step; /* that led here; NULL: none */
    bool part;               /* a movement on the way left elements out */
    uint32_t guard; /* below a condition: not 0, of walks `apart` a number that tells which */
} access_place;
typedef access_answer access_visit(void *ctx, const access_place *p);

/* The places where a walk has been, so that it enters each once. All 0 to begin with. */
typedef struct access_seen {
    BZ_VEC(struct access_mark) marks;
    BZ_VEC(ir_ex) idx;
    uint32_t *slots, nslots;
    bool failed; /* out of memory */
} access_seen;
void access_forget(access_seen *s); /* what was seen; keeps the memory */
void access_seen_free(access_seen *s);

typedef struct access_walker {
    const ir_graph *g;
    ir_exprs *x;
    access_seen *seen; /* NULL: a place is entered as often as ways lead there */
    bool apart;        /* what is below different conditions is at different places */
    access_visit *visit;
    void *ctx;
} access_walker;

/* From r at idx (NULL: the indices do not matter; then all operands are gone to). False if the visitor said no, or memory ran out
 * (x->failed, seen->failed). */
bool access_walk(const access_walker *a, ir_ref r, const ir_ex *idx);

#endif
