/* grad_cumsum.c - each element is in all sums from its place on. */
#include "src/passes/grad.h"

ir_ref grad_cumsum(ir_graph *g, ir_ref r, unsigned k, const ir_ref *d) {
    const int axis = (int)ir_attrs(g, ir_at(g, r))[0];
    (void)k;
    return ir_flip(g, ir_cumsum(g, ir_flip(g, *d, &axis, 1), axis), &axis, 1);
}
