/* form.h - the forms that loops of groups have, without a target. A row of form.c is all that fusion, in-place storing, names and reports
 * know of a form; a target's schedules (lower.h) make loops of it. */
#ifndef BRAZE_FORM_H
#define BRAZE_FORM_H

#include "src/ir/ir.h"

/* The iteration space of a group has up to two levels. FULL: the shape of the head, or of one operand of it; KEPT: what a reduction leaves.
 * A node is on a level when its shape is the level's but for axes of size 1; its canonical index there is the level's symbols. */
typedef enum fuse_level { FUSE_NONE, FUSE_FULL, FUSE_KEPT } fuse_level;

typedef struct fuse_form {
    const char *word; /* in the names of kernels; NULL: the head's op is all of the name */
    int full;         /* the operand of the head whose shape the full level has; -1: the head */
    bool folds;       /* over what the head does; there is a kept level */
    bool elementwise; /* every element by itself: joins any loops over the same elements */
    /* whole rows pass by again and again: several reductions, one made of another, and what is kept between them */
    bool stages;
    unsigned most_folds; /* reductions of the same axes that its loops take */
    bool stores_full;    /* members on the full level may be stored */
    bool product; /* operands are read once, into panels, and as often as they like from there */
    bool scans;   /* the head carries values from element to element along an axis */
    bool scatters; /* the head puts what it reads where indices say: nobody knows a result before all is done */
    bool window;  /* the head writes a part of a value: the loops run over that */
    /* where a result may lie where an operand lay; NONE: passes, bands and sums in any order read again */
    fuse_level in_place;
    const char *apart; /* why it joins nobody; NULL: it may */
    /* the form of groups whose loops go over all elements once, where this one's stages are of no use; NULL: this one */
    const struct fuse_form *once;
} fuse_form;

extern const fuse_form form_map, form_row, form_col, form_strip, form_dot, form_scan, form_scatter, form_whole,
    form_update, form_band;

/* The form of a group whose head is r; NULL: r computes nothing. */
const fuse_form *form_of(const ir_graph *g, ir_ref r);
/* The node whose shape the full level has. */
ir_ref form_full_node(const ir_graph *g, const fuse_form *form, ir_ref head);

#endif
