/* compose_parts.c - a tensor taken apart along an axis: slices of it, as many as sizes, sections or elements say.
 *
 *      split {size=2}     |..|..|.|        each is 2 long, but for the last
 *      chunk {chunks=3}   |..|..|.|        at most 3, of equal size but for the last
 *      tensor_split       |..|..|.|        exactly n, sizes differ by one at most; or cut at indices, as Python's slices
 *      unbind             . . . . .        the axis goes */
#include "src/ir/compose.h"

#include <inttypes.h>

bool ir_parts_new(ir_graph *g, const char *name, unsigned n, ir_parts *parts) {
    *parts = (ir_parts){bz_arena_alloc(&g->arena, (n + 1) * sizeof *parts->p), n};
    if (!parts->p) ir_error_as(g, BZ_ENOMEM, name, "out of memory");
    for (unsigned i = 0; parts->p && i < n; i++) parts->p[i] = 0;
    return parts->p != NULL;
}

typedef struct cut {
    const char *name;
    ir_ref x;
    unsigned at;
    int64_t shape[IR_MAX_RANK];
} cut;

static bool begin(ir_graph *g, cut *c, const char *name, ir_ref x, int axis) {
    c->name = name;
    c->x = x;
    return ir_axis_of_known(g, name, x, axis, c->shape, &c->at);
}

static ir_ref part(ir_graph *g, const cut *c, int64_t start, int64_t n) {
    return ir_part_of(g, c->x, c->shape, c->at, start, n);
}

/* More parts than a graph should have are a mistake. */
enum { MOST = 1 << 16 };

static bool too_many(ir_graph *g, const cut *c, int64_t n) {
    if (n <= MOST) return false;
    ir_error_as(g, BZ_EARG, c->name, "%" PRId64 " parts of axis %u of %s; at most %d are possible",
                n, c->at, ir_shape_text(g, c->x), MOST);
    return true;
}

/* Pieces of `size` elements; the last one takes what is left. */
static ir_ref in_pieces(ir_graph *g, const cut *c, int64_t size, ir_parts *parts) {
    int64_t all = c->shape[c->at], n = all == 0 ? 1 : (all - 1) / size + 1;
    if (too_many(g, c, n) || !ir_parts_new(g, c->name, (unsigned)n, parts)) return 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t rest = all - i * size;
        parts->p[i] = part(g, c, i * size, rest < size ? rest : size);
    }
    return parts->p[0];
}

static ir_ref by_sizes(ir_graph *g, const cut *c, const int64_t *sizes, unsigned n,
                       ir_parts *parts) {
    int64_t at = 0, all = c->shape[c->at];
    bool fits = true;
    for (unsigned i = 0; i < n && fits; i++) {
        fits = sizes[i] >= 0 && sizes[i] <= all - at;
        at += fits ? sizes[i] : 0;
    }
    if (!fits || at != all)
        return ir_error_as(g, BZ_ESHAPE, c->name, "%u sizes do not add up to axis %u of %s", n,
                           c->at, ir_shape_text(g, c->x));
    if (!ir_parts_new(g, c->name, n, parts)) return 0;
    at = 0;
    for (unsigned i = 0; i < n; at += sizes[i++]) parts->p[i] = part(g, c, at, sizes[i]);
    return n ? parts->p[0] : 0;
}

ir_ref ir_split(ir_graph *g, ir_ref x, int64_t size, const int64_t *sizes, unsigned n, int axis,
                ir_parts *parts) {
    cut c;
    if (!begin(g, &c, "split", x, axis)) return 0;
    if (n && size)
        return ir_error_as(g, BZ_EARG, "split", "a size and a list of sizes: one of them is 0");
    if (n) return by_sizes(g, &c, sizes, n, parts);
    if (size < 0 || (size == 0 && c.shape[c.at]))
        return ir_error_as(g, BZ_EARG, "split", "parts of %" PRId64 " elements of axis %d of %s",
                           size, axis, ir_shape_text(g, x));
    return in_pieces(g, &c, size, parts);
}

ir_ref ir_chunk(ir_graph *g, ir_ref x, int64_t chunks, int axis, ir_parts *parts) {
    cut c;
    if (!begin(g, &c, "chunk", x, axis)) return 0;
    if (chunks < 1)
        return ir_error_as(g, BZ_EARG, "chunk", "%" PRId64 " chunks of %s: at least one is needed",
                           chunks, ir_shape_text(g, x));
    int64_t all = c.shape[c.at];
    if (all) return in_pieces(g, &c, (all - 1) / chunks + 1, parts);
    if (too_many(g, &c, chunks) || !ir_parts_new(g, "chunk", (unsigned)chunks, parts)) return 0;
    for (unsigned i = 0; i < parts->n; i++) parts->p[i] = x; /* each of them empty */
    return x;
}

static ir_ref in_sections(ir_graph *g, const cut *c, int64_t n, ir_parts *parts) {
    int64_t all = c->shape[c->at], at = 0;
    if (n < 1)
        return ir_error_as(g, BZ_EARG, c->name,
                           "%" PRId64 " sections of %s: at least one is needed, or indices", n,
                           ir_shape_text(g, c->x));
    if (too_many(g, c, n) || !ir_parts_new(g, c->name, (unsigned)n, parts)) return 0;
    for (int64_t i = 0; i < n; i++) {
        int64_t size = all / n + (i < all % n);
        parts->p[i] = part(g, c, at, size);
        at += size;
    }
    return parts->p[0];
}

/* [: i0], [i0 : i1] ... [in :], each as Python's slice. */
static ir_ref at_indices(ir_graph *g, const cut *c, const int64_t *indices, unsigned n,
                         ir_parts *parts) {
    int64_t all = c->shape[c->at];
    if (!ir_parts_new(g, c->name, n + 1, parts)) return 0;
    for (unsigned i = 0; i <= n; i++) {
        int64_t from = i ? indices[i - 1] : 0, to = i < n ? indices[i] : all;
        int64_t count = ir_clip_slice(all, &from, to, 1);
        parts->p[i] = part(g, c, from, count);
    }
    return parts->p[0];
}

static ir_ref sections_or_indices(ir_graph *g, const cut *c, int64_t sections,
                                  const int64_t *indices, unsigned n, ir_parts *parts) {
    if (n && sections)
        return ir_error_as(g, BZ_EARG, c->name, "sections and indices: one of them is 0");
    return n ? at_indices(g, c, indices, n, parts) : in_sections(g, c, sections, parts);
}

ir_ref ir_tensor_split(ir_graph *g, ir_ref x, int64_t sections, const int64_t *indices, unsigned n,
                       int axis, ir_parts *parts) {
    cut c;
    return begin(g, &c, "tensor_split", x, axis)
               ? sections_or_indices(g, &c, sections, indices, n, parts)
               : 0;
}

/* hsplit and its like: sections of equal size alone. */
static ir_ref even_split(ir_graph *g, const char *name, ir_ref x, unsigned rank, int axis,
                         int64_t sections, const int64_t *indices, unsigned n, ir_parts *parts) {
    cut c;
    if (!x) return 0;
    if (ir_at(g, x)->rank < rank)
        return ir_error_as(g, BZ_ESHAPE, name, "%s has fewer than %u axes", ir_shape_text(g, x),
                           rank);
    if (!begin(g, &c, name, x, axis)) return 0;
    if (!n && sections > 0 && c.shape[c.at] % sections)
        return ir_error_as(g, BZ_ESHAPE, name,
                           "axis %d of %s is not divided by %" PRId64 " sections", axis,
                           ir_shape_text(g, x), sections);
    return sections_or_indices(g, &c, sections, indices, n, parts);
}

ir_ref ir_hsplit(ir_graph *g, ir_ref x, int64_t sections, const int64_t *indices, unsigned n,
                 ir_parts *parts) {
    int axis = x && ir_at(g, x)->rank > 1;
    return even_split(g, "hsplit", x, 1, axis, sections, indices, n, parts);
}

ir_ref ir_vsplit(ir_graph *g, ir_ref x, int64_t sections, const int64_t *indices, unsigned n,
                 ir_parts *parts) {
    return even_split(g, "vsplit", x, 2, 0, sections, indices, n, parts);
}

ir_ref ir_dsplit(ir_graph *g, ir_ref x, int64_t sections, const int64_t *indices, unsigned n,
                 ir_parts *parts) {
    return even_split(g, "dsplit", x, 3, 2, sections, indices, n, parts);
}

ir_ref ir_unbind(ir_graph *g, ir_ref x, int axis, ir_parts *parts) {
    cut c;
    if (!begin(g, &c, "unbind", x, axis) || too_many(g, &c, c.shape[c.at]) ||
        !ir_parts_new(g, "unbind", (unsigned)c.shape[c.at], parts))
        return 0;
    for (unsigned i = 0; i < parts->n; i++)
        parts->p[i] = ir_squeeze(g, part(g, &c, i, 1), (int)c.at);
    return parts->n ? parts->p[0] : 0;
}
