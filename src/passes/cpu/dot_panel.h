/* dot_panel.h - products by panels: what the files of their schedule share. Internal to this folder. */
#ifndef BRAZE_DOT_PANEL_H
#define BRAZE_DOT_PANEL_H

#include "src/passes/cpu/cpu.h"
#include "src/passes/forms/dot.h"

/* ---- dot_kernel.c */
enum {
    DOT_STREAM_ROWS = 4, /* rows up to which y is streamed */
    DOT_TURN = 2         /* steps of k in a turn of the micro-kernel's loop */
};
bool dot_make_ukernel(dot_kernel *q); /* sets q->ukernel; false: out of memory */
/* What it is called with: panels, where the block at hand begins, the tile; `depth` k's of the block, `before` before it (0: the tile is
 * set). `share` elements from `next` on are asked for at each k. */
typedef struct dot_block {
    lp_val x, y, tile, next, depth, share, before;
} dot_block;
void dot_add_block(const dot_kernel *q, const dot_block *k);
/* All blocks of the panels that begin at x and y into q->tile. */
void dot_add_all(const dot_kernel *q, lp_val x, lp_val y);

/* ---- dot.c, for a band: some row panels at a time, all columns. */
/* Before the loops: the space, and how the product is cut. rows: of a panel; 0: as is best. in_band: x will lie in a buffer that holds
 * just the rows of a dot_rows. */
void dot_begin(dot_kernel *q, lower *l, unsigned rows, bool in_band);
/* The phase that packs y, and memory for dot_rows; q->group says for how many panels. */
void dot_share(dot_kernel *q);
/* Row panels p0 .. p1 of batch number `batch`, at most q->group. */
bool dot_rows(dot_kernel *q, lp_val batch, lp_val p0, lp_val p1);

/* ---- dot.c, for dot_blocks.c */
/* What is done at the place of a task. */
typedef struct dot_task {
    dot_kernel *q;
    lp_val batch, from, to; /* panels of the side that is cut */
} dot_task;
/* Memory for `slots` panels, if the task packs them. */
void dot_make_own(dot_kernel *q, dot_side *s, int64_t slots);
/* Where panel `number` of a side lies. */
lp_val dot_panel_of(const dot_task *k, const dot_side *s, lp_val number);
/* A tile of zeros. */
void dot_clear(const dot_kernel *q, lp_val tile);
/* The epilogue of all elements of q->tile, that of row panel p and column panel j, which begins at m0, n0. */
void dot_store_tile(const dot_task *k, lp_val p, lp_val j, lp_val m0, lp_val n0);

/* ---- dot_blocks.c */
/* Column panels of which the tiles of so many row panels stay in the second cache. */
int64_t dot_chunk(const dot_kernel *q, int64_t row_panels);
/* Memory of a task of so many row panels. */
void dot_make_blocks(dot_kernel *q, int64_t row_panels);
void dot_blocks(const dot_task *t);

/* Elements from `first` on along the side's symbol, zero where beyond its size, for all k, to s->p[base + k * s->panel + i]. */
typedef struct dot_piece {
    const dot_side *s;
    lp_val base, first;
} dot_piece;

/* ---- dot_stretch.c: a side whose memory does not run on along an axis (windows, samples), by the stretches along which it does. */
typedef struct dot_stretch {
    int64_t length; /* element i of stretch o is o * length + i of all */
    ir_ex o, i;
    ir_ex k[IR_MAX_RANK];    /* along the panel: the contracted axes, one by one */
    ir_ex idx[IR_MAX_RANK];  /* of the side, over o, i and the number of the contracted element, */
    ir_ex by_k[IR_MAX_RANK]; /* or these one by one */
} dot_stretch;
/* The longest ones along s->sym (dense: of neighbours in memory), or along k; false: memory runs on, or they are shorter than a vector. */
bool dot_find_stretches(dot_kernel *q, const dot_side *s, bool dense, dot_stretch *t);
bool dot_find_k_stretches(dot_kernel *q, const dot_side *s, dot_stretch *t);
/* A panel from stretches along its symbol, and `rows` rows from `row` on of one from stretches along k. */
void dot_pack_stretches(dot_kernel *q, const dot_piece *p, const dot_stretch *t);
void dot_turn_stretches(dot_kernel *q, const dot_piece *p, const dot_stretch *t, lp_val row,
                        unsigned rows);

/* ---- dot_pack.c */
/* Which contracted element is number k of those that are packed. */
lp_val dot_number(const dot_kernel *q, lp_val k);
/* `rows` rows of the panel from `row` on, `n` of their elements k, k + 1 ...: read as vectors along vsym from `at` on, with the
 * indices idx (mask: those that are there), turned in registers, stored along the panel. */
typedef struct dot_square {
    const ir_ex *idx;
    ir_ex vsym;
    lp_val at, mask, k, row;
    lp_val count; /* of the n; 0: all */
    unsigned rows;
    int64_t n;
} dot_square;
void dot_turn_square(dot_kernel *q, const dot_piece *p, const dot_square *t);
/* Is the side in a buffer, as the accumulator's dtype, with constant steps along sym and k? Then s->p, offset, along and down are set. */
bool dot_lies_straight(dot_kernel *q, dot_side *s);
/* Is the side, if it is packed, read along k? */
bool dot_turns(dot_kernel *q, const dot_side *s);
/* Copies panel `number` to s->p[base + k * s->panel + i] for all k, zero where it goes beyond the side. */
void dot_pack(dot_kernel *q, const dot_side *s, lp_val number, lp_val base);
/* Panels from .. to, one behind the other at s->p. */
void dot_pack_all(dot_kernel *q, const dot_side *s, lp_val from, lp_val to);
/* Elements from one packed panel of k rows to the next. If x is sparse, y's are followed by a number for each block of k: 0, it is
 * finite. */
int64_t dot_panel_stride(const dot_kernel *q, const dot_side *s, int64_t k);
/* The same in the code. */
lp_val dot_stride(const dot_kernel *q, const dot_side *s);

#endif
