/* work.h - what the loops of a group have to do, without a target: axes, and stages that each go over all elements.
 *
 *     softmax of x: f32[64, 100]      grid 64, reduced 100     stage 0 folds the maximum
 *                                                              stage 1 keeps exp, folds the sum
 *                                                              stage 2 stores the quotient
 *
 * A fold belongs to the first stage by which its operands are known, and everything made of it to a later one. How a stage goes over
 * its elements, and where it keeps them, is the schedule's business. */
#ifndef BRAZE_WORK_H
#define BRAZE_WORK_H

#include "src/passes/lower.h"

typedef enum work_role {
    WORK_GRID,       /* results have it: in any order, side by side */
    WORK_REDUCED,    /* folded, in the order that the node says */
    WORK_CONTRACTED, /* of a product */
    WORK_SCANNED,    /* results have it, each made of those before it */
    WORK_WINDOWED,   /* results have it, in a part of the axis */
    WORK_ADDED       /* indices say where along it a result gets its rows */
} work_role;

typedef struct work_axis {
    work_role role;
    int64_t size;
} work_axis;

typedef struct work_fold {
    ir_ref r;
    ir_reduce_attr a;
    unsigned stage;
} work_fold;

/* A member, or what has no group of its own between them: movement, constants. */
typedef struct work_node {
    ir_ref r;
    bool member;
    unsigned stage;  /* by which it is known */
    uint32_t stages; /* bit s: stage s computes it */
} work_node;

typedef struct work {
    const ir_graph *g;
    const fuse_group *group;
    fuse_space space; /* sizes alone */
    work_axis axes[2 * IR_MAX_RANK];
    unsigned naxes;
    work_fold fold[FUSE_MAX_FOLDS];
    unsigned nfolds, nstages;
    BZ_VEC(work_node) nodes; /* ascending */
    BZ_VEC(ir_ref) kept;     /* computed by one stage, and wanted by later ones */
} work;

/* `outputs`: members that are stored. keep: expensive elements that several stages want are kept; else each computes them. False: out of
 * memory, or there are more folds or stages than one group has. work_free it either way. */
bool work_describe(work *w, const fuse_result *f, const fuse_group *group, const ir_ref *outputs,
                   uint32_t noutputs, bool keep);
void work_free(work *w);
/* NULL: r is neither a member nor between them. */
const work_node *work_find(const work *w, ir_ref r);
/* Is member r stored element by element, by the stage by which it is known? Else when all stages are done. */
bool work_stores_elements(const work *w, ir_ref r);
/* ... by this stage? */
bool work_stored_by(const work *w, ir_ref r, unsigned stage);
/* The stage that keeps r. */
unsigned work_kept_by(const work *w, ir_ref r);
void work_print(bz_text *t, const work *w, const ir_ref *outputs, uint32_t noutputs);

#endif
