/* layout.h - shapes with strides, interned per context: equal layouts are one pointer */
#ifndef RT_LAYOUT_H
#define RT_LAYOUT_H

#include "runtime/base/context.h"

typedef struct rt_layout {
    uint32_t rank;
    bool contiguous; /* row-major without gaps */
    bool used;       /* layout_sweep.c */
    int64_t count;   /* elements */
    uint64_t hash;
    const int64_t *shape, *strides; /* rank each; in elements */
    const ir_dim *dims;             /* the shape in the context's module */
    struct rt_layout *next;         /* of the same slot */
} rt_layout;
typedef struct rt_layouts {
    rt_layout **slots;
    uint32_t nslots, n, sweep_at;
} rt_layouts;

const rt_layout *rt_layout_of(bz_context *c, const int64_t *shape, const int64_t *strides,
                              unsigned rank); /* strides NULL: row-major. NULL: no memory */
static inline int64_t rt_layout_bytes(const rt_layout *l, bz_dtype t) { /* BZ_TOO_MANY */
    return bz_times(l->count, (int64_t)ir_dtype_bytes(t));
}
const rt_layout *rt_layout_of_node(bz_context *c, const ir_graph *g, ir_ref r); /* row-major */
void rt_layouts_free(rt_layouts *l);
/* Lowest and highest element that it reaches, from its first one. false: too far. */
bool rt_layout_reach(const rt_layout *l, int64_t *lo, int64_t *hi);
/* Strides for a reshape of x without a copy; false when there are none. */
bool rt_reshape_strides(const rt_layout *x, const int64_t *shape, unsigned rank, int64_t *strides);
/* Strides for a window on x's row-major elements, which lies in x, without a copy; *offset: number of its first element, then its
 * place from x's first. false when there are none. */
bool rt_window_strides(const rt_layout *x, const int64_t *shape, const int64_t *given,
                       unsigned rank, int64_t *offset, int64_t *strides);

#endif
