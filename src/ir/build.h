/* build.h - what the structural constructors check; build.c, move.c. */
#ifndef BRAZE_BUILD_H
#define BRAZE_BUILD_H

#include "src/ir/ir.h"

static inline const ir_dim *dims_of(const ir_graph *g, ir_ref r) {
    return ir_dims(g, ir_at(g, r));
}

/* Each false, or -1, with an error in g that names the op. */
bool ir_const_dims(ir_graph *g, const int64_t *shape, unsigned rank,
                   ir_dim *out);                                      /* numbers as dimensions */
bool ir_need_static(ir_graph *g, ir_op op, ir_ref x, int64_t *shape); /* x's shape as numbers */
bool ir_check_size(ir_graph *g, ir_op op, const ir_dim *dims,
                   unsigned rank); /* none negative, at most 2^60 elements */
bool ir_check_rank(ir_graph *g, ir_op op, unsigned rank);
int ir_front_axis(ir_graph *g, ir_op op, ir_ref x, int axis, unsigned rank); /* from the front */

#endif
