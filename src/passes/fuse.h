/* fuse.h - what the files of fusion share while groups are made. Internal to src/passes/fuse*.c.
 *
 *     fuse_space.c     the loops of a group, and the index at which each member stands in them
 *     fuse_reads.c     who computes, who reads whom; movement that is too long to be an index map gets a buffer
 *     fuse_cost.c      how many values a kernel would compute
 *     fuse.c           which groups join
 *     fuse_order.c     an order in which they could run, for those that join later
 *     fuse_band.c      of the finished groups: which hand rows to one another within one kernel
 *     fuse_in_place.c  of the finished groups: which result may lie where an operand lay */
#ifndef BRAZE_FUSE_H
#define BRAZE_FUSE_H

#include "src/passes/lower.h"

typedef struct fuse_edge {
    ir_ref from, to; /* computing nodes; movement between them is skipped */
} fuse_edge;

typedef struct fuser {
    const ir_graph *g;
    const pass_target *t;
    fuse_result *r;
    ir_exprs x;
    bool *live;
    BZ_VEC(fuse_edge) edges; /* ascending in `to`, each pair once */
    uint32_t *first_out;     /* CSR of outgoing edges: edges by `from` */
    BZ_VEC(ir_ref) out_to;
    uint32_t *mark, epoch; /* of groups, for searches */
    BZ_VEC(uint32_t) stack;
    uint32_t *order, *place, norder; /* of groups: fuse_order.c */
    access_seen seen;
    bool *moves; /* of each node: a window is moved by it */
    bool any_moves, failed;
} fuser;

/* ---- fuse_space.c */
/* The group's space over fresh symbols. */
void fuse_group_space(const ir_graph *g, ir_exprs *x, const fuse_group *group, fuse_space *s);

/* ---- fuse_reads.c */
/* Gives every computing node a group of its own; lists who reads what. False: out of memory. */
bool fuse_make_groups(fuser *f);
enum { FUSE_MANY_TURNS = 3 }; /* with fewer on the way an index is never long */
/* Takes the index of this place so many operations that a load costs less? */
bool fuse_long_index(const fuser *f, const access_place *p);

/* ---- fuse.c */
/* All reads of group p's members by group c's, as members of one group with this space, are canonical. */
bool fuse_reads_canonically(fuser *f, uint32_t p, uint32_t c, const fuse_space *s);

/* ---- fuse_order.c */
/* The places of groups of a node each, while edges are judged from first to last. False: out of memory. */
bool fuse_places(fuser *f);
/* Meanwhile: does a path lead from group p to group c through another group? Yes if it is not found out soon: two kernels are always
 * right. */
bool fuse_joined_by_third(fuser *f, uint32_t p, uint32_t c);
/* From now on: an order of the groups as they are. False: out of memory. */
bool fuse_order_begin(fuser *f);
/* Does a path lead from one of the groups to c, or back, through a group that is not among them? Yes if it is not found out soon.
 * No path leads through others from one of the groups to another. */
bool fuse_kept_apart(fuser *f, const uint32_t *groups, unsigned n, uint32_t c);
/* The groups have become group `into`, one of them. False: out of memory. */
bool fuse_order_join(fuser *f, const uint32_t *groups, unsigned n, uint32_t into);

/* ---- fuse_band.c */
/* Joins products and the reductions of their rows where that pays for the target. False: out of memory. */
bool fuse_bands(fuser *f);

/* ---- fuse_in_place.c */
/* Would update u of group c, if the members of p were computed in its loops, overwrite what they have still to read? */
bool fuse_overwrites_early(fuser *f, uint32_t p, uint32_t c);

/* ---- fuse_cost.c */
/* How many values would a kernel of groups p and c compute, counted once for each index at which one is read? NULL, or why it should not:
 * more than `limit`, or an index would be too long. */
const char *fuse_values(fuser *f, uint32_t p, uint32_t c, const fuse_space *s, uint32_t limit,
                        uint32_t *values);

#endif
