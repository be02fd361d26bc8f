/* build.h - what the constructors of structural ops check and fold alike. */
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

/* Folds of movement are those that never cost anything: one that moves nothing, one of one of the same kind, one of a constant that is
 * one value everywhere. The rest belongs to passes. */
bool ir_skips(const ir_graph *g, ir_ref x,
              ir_op op); /* may a node on x, which is of this op, take x's operand instead? */
ir_ref ir_moved_const(ir_graph *g, ir_ref x, const ir_dim *dims,
                      unsigned rank); /* the same constant in this shape; 0: x is none */
bool ir_same_dims(const ir_graph *g, ir_ref x, const ir_dim *dims, unsigned rank);
ir_dim ir_numel_expr(ir_graph *g, const ir_dim *dims, unsigned rank);

#endif
