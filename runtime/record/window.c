/* window.c - a window on the elements of a storage, read and written as movement ops. A window that is written, and read for it, may
 * have its offset in a node: a loop over windows then records the same form in every turn. */
#include "runtime/record/record.h"

static ir_strided strided(const rt_layout *l, int64_t offset, ir_ref at) {
    return (ir_strided){l->rank, l->shape, l->strides, at ? 0 : offset};
}

ir_ref rt_window(ir_graph *g, ir_ref base, const rt_layout *l, int64_t offset) {
    int64_t numel;
    if (!ir_numel(g, base, &numel)) return 0;
    if (l->contiguous && l->count == numel) return ir_reshape_dims(g, base, l->dims, l->rank);
    const ir_strided w = strided(l, offset, 0);
    return ir_read_strided(g, base, &w);
}

ir_ref rt_window_at(ir_graph *g, ir_ref base, const rt_layout *l, int64_t offset, ir_ref at) {
    const ir_strided w = strided(l, offset, at);
    return base ? ir_as_strided_at(g, base, &w, at) : 0;
}

ir_ref rt_window_write(ir_graph *g, ir_ref base, ir_ref v, const rt_layout *l, int64_t offset,
                       ir_ref at) {
    if (!base || !v) return 0;
    const ir_strided w = strided(l, offset, at);
    return ir_update(g, base, v, &w, at);
}
