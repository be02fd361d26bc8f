/* compose_index.c - x[...] as NumPy has it, read and written, as slices and rows at indices.
 *
 *      x[2:, i, :, j]     part    x sliced, integers' axes one long                      [a, n, b, m]
 *                         lines   the tensors' axes together, as one                     [a, n m, b]
 *                         rows    at i m + j, each checked against its own axis          [a, B..., b]
 *                         result  B in front, since a slice stands between i and j       [B..., a, b]
 *
 * Where the tensors (and integers beside them) stand together, their axes B stay there. Written, the same way back: v broadcasts
 * to the result, goes to rows of the lines, and the part goes where it was. */
#include "src/ir/compose.h"
#include "src/ir/index.h"

#include <inttypes.h>
#include <string.h>

/* ---- what the items mean for x */

static bool fail_at(ir_graph *g, const ir_items *s, const ir_item *it, bz_status status,
                    const char *what) {
    ir_error_as(g, status, "index", "\"%.80s\": %s at character %d", s->text, what, it->at + 1);
    return false;
}

static bool plan_int(ir_graph *g, ir_index_plan *p, const ir_item *it, unsigned axis) {
    int64_t n = p->shape[axis], i = it->start < 0 ? it->start + n : it->start;
    char what[80];
    const char *written = p->items->text + it->at; /* the value may be cut off */
    size_t length = 1 + strspn(written + 1, "0123456789");
    bz_snprintf(what, sizeof what, "index %.*s%s of axis %u, which has %lld elements,",
                (int)(length < 24 ? length : 24), written, length > 24 ? "..." : "", axis,
                (long long)n);
    if (i < 0 || i >= n) return fail_at(g, p->items, it, BZ_EINDEX, what);
    p->start[axis] = i;
    p->count[axis] = 1;
    return p->gone[axis] = true;
}

static void plan_slice(ir_index_plan *p, const ir_item *it, unsigned axis) {
    int64_t n = p->shape[axis], most = n > 1 ? n : 1; /* longer steps reach as far */
    int64_t step = it->step > most ? most : it->step < -most ? -most : it->step;
    int64_t start = it->start == INT64_MIN ? IR_OPEN_START(step) : it->start;
    int64_t stop = it->stop == INT64_MIN ? IR_OPEN_STOP(step) : it->stop;
    p->count[axis] = ir_clip_slice(n, &start, stop, step);
    p->start[axis] = p->count[axis] ? start : 0;
    p->step[axis] = p->count[axis] > 1 ? step : 1;
}

static bool plan_items(ir_graph *g, ir_index_plan *p) {
    const ir_items *s = p->items;
    unsigned axis = 0;
    int tensor = 0;
    for (unsigned i = 0; i < s->n; i++) {
        const ir_item *it = &s->item[i];
        p->axis_of[i] = it->kind == IR_ITEM_NEW ? -1 : (int)axis;
        switch (it->kind) {
        case IR_ITEM_INT:
            if (!plan_int(g, p, it, axis++)) return false;
            break;
        case IR_ITEM_SLICE: plan_slice(p, it, axis++); break;
        case IR_ITEM_TENSOR: p->tensor_at[axis++] = tensor++; break;
        case IR_ITEM_DOTS: axis += p->dots = p->rank - s->axes; break;
        case IR_ITEM_NEW: break;
        }
    }
    return true;
}

bool ir_index_begin(ir_graph *g, ir_index_plan *p, ir_ref x, const ir_items *items,
                    const ir_ref *tensors, unsigned n) {
    if (!x) return false;
    *p = (ir_index_plan){.items = items, .tensors = tensors, .rank = ir_at(g, x)->rank};
    if (!ir_static_shape(g, x, p->shape))
        return ir_error_as(g, BZ_EUNSUPPORTED, "index", "the sizes of %s must be known",
                           ir_shape_text(g, x)),
               false;
    if (n != items->tensors)
        return ir_error_as(g, BZ_EARG, "index", "\"%.80s\": %u @ for %u tensors", items->text,
                           items->tensors, n),
               false;
    if (items->axes > p->rank)
        return ir_error_as(g, BZ_EAXIS, "index", "\"%.80s\": %u indices for %u axes", items->text,
                           items->axes, p->rank),
               false;
    for (unsigned k = 0; k < n; k++)
        if (!tensors[k] || !ir_is_int(ir_dtype(g, tensors[k])))
            return tensors[k] && ir_error_as(g, BZ_EDTYPE, "index",
                                             "tensor %u of indices is %s: integers are wanted%s", k,
                                             ir_shape_text(g, tensors[k]),
                                             ir_dtype(g, tensors[k]) == BZ_BOOL
                                                 ? "; how many elements a mask picks is not known "
                                                   "before it has its values"
                                                 : "");
    for (unsigned a = 0; a < p->rank; a++) {
        p->count[a] = p->shape[a];
        p->step[a] = 1;
        p->tensor_at[a] = -1;
    }
    return plan_items(g, p);
}

ir_ref ir_index_part(ir_graph *g, const ir_index_plan *p, ir_ref x) {
    return ir_slice_exact(g, x, p->start, p->count, p->step);
}

/* ---- the order of axes */

typedef struct order {
    unsigned first; /* axis of the lines, which begin there */
    unsigned nrest; /* axes of the part that are neither tensors' nor gone */
    int rest[IR_MAX_RANK];
    unsigned before; /* of them in front of the lines */
    int64_t lines;   /* elements of the tensors' axes */
    unsigned nb;     /* axes of the indices, broadcast */
    ir_dim b[IR_MAX_RANK];
    unsigned place; /* of the rest in front of B in the result */
} order;

/* Do the items that count as indices beside tensors, tensors and integers, stand in one row? *place: axes of the result in front of
 * the first, without new ones. */
static bool stand_together(const ir_index_plan *p, unsigned *place) {
    bool seen = false, over = false, together = true;
    *place = 0;
    for (unsigned i = 0; i < p->items->n; i++) {
        ir_item_kind kind = p->items->item[i].kind;
        bool index = kind == IR_ITEM_INT || kind == IR_ITEM_TENSOR;
        together &= !(index && over);
        over |= seen && !index;
        seen |= index;
        if (!seen) *place += kind == IR_ITEM_SLICE ? 1 : kind == IR_ITEM_DOTS ? p->dots : 0;
    }
    return together;
}

static bool broadcast_indices(ir_graph *g, const ir_index_plan *p, order *o) {
    ir_dim one = ir_dim_const(g, 1);
    unsigned n = p->items->tensors;
    for (unsigned k = 0; k < n; k++) {
        unsigned rank = ir_at(g, p->tensors[k])->rank;
        o->nb = rank > o->nb ? rank : o->nb;
    }
    for (unsigned a = 0; a < o->nb; a++) o->b[a] = one;
    for (unsigned k = 0; k < n; k++) {
        unsigned rank = ir_at(g, p->tensors[k])->rank;
        for (unsigned a = 0; a < rank; a++) {
            ir_dim d = ir_dims(g, ir_at(g, p->tensors[k]))[a], *to = &o->b[o->nb - rank + a];
            *to = *to == one ? d : *to;
            if (d != one && d != *to)
                return ir_error_as(g, BZ_ESHAPE, "index",
                                   "indices %u, %s, do not broadcast with those before them", k,
                                   ir_shape_text(g, p->tensors[k])),
                       false;
        }
    }
    return true;
}

static bool order_of(ir_graph *g, const ir_index_plan *p, order *o) {
    *o = (order){.lines = 1, .first = p->rank};
    for (unsigned a = 0; a < p->rank; a++) {
        if (p->tensor_at[a] >= 0) {
            o->first = o->first == p->rank ? a : o->first;
            o->lines *= p->count[a];
        } else if (!p->gone[a]) {
            o->before += o->first == p->rank;
            o->rest[o->nrest++] = (int)a;
        }
    }
    if (!stand_together(p, &o->place)) o->place = 0;
    if (!broadcast_indices(g, p, o)) return false;
    if (o->nb + o->nrest <= IR_MAX_RANK) return true;
    return ir_error_as(g, BZ_ESHAPE, "index", "more than %d axes", IR_MAX_RANK), false;
}

/* The part as [rest before, lines, rest behind], and back. */
static ir_ref to_lines(ir_graph *g, const ir_index_plan *p, const order *o, ir_ref part) {
    int perm[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK];
    unsigned n = 0, m = 0;
    for (unsigned i = 0; i < o->before; i++) perm[n++] = o->rest[i];
    for (unsigned a = 0; a < p->rank; a++)
        if (p->tensor_at[a] >= 0) perm[n++] = (int)a;
    for (unsigned i = o->before; i < o->nrest; i++) perm[n++] = o->rest[i];
    for (unsigned a = 0; a < p->rank; a++)
        if (p->gone[a]) perm[n++] = (int)a;
    for (unsigned i = 0; i <= o->nrest; i++) {
        if (i == o->before) shape[m++] = o->lines;
        if (i < o->nrest) shape[m++] = p->count[o->rest[i]];
    }
    return ir_reshape(g, ir_permute(g, part, perm, n), shape, m);
}

static ir_ref from_lines(ir_graph *g, const ir_index_plan *p, const order *o, ir_ref lines) {
    int perm[IR_MAX_RANK];
    int64_t shape[IR_MAX_RANK];
    unsigned n = 0;
    for (unsigned i = 0; i < o->before; i++, n++) perm[o->rest[i]] = (int)n;
    for (unsigned a = 0; a < p->rank; a++)
        if (p->tensor_at[a] >= 0) perm[a] = (int)n++;
    for (unsigned i = o->before; i < o->nrest; i++, n++) perm[o->rest[i]] = (int)n;
    for (unsigned a = 0; a < p->rank; a++)
        if (p->gone[a]) perm[a] = (int)n++;
    for (unsigned a = 0; a < p->rank; a++) shape[perm[a]] = p->count[a];
    return ir_permute(g, ir_reshape(g, lines, shape, n), perm, n);
}

/* [rest before, B, rest behind] -> the result without its new axes, and back. */
static ir_ref place_rows(ir_graph *g, const order *o, ir_ref rows, bool back) {
    int perm[IR_MAX_RANK], inverse[IR_MAX_RANK];
    unsigned n = 0, rank = o->nrest + o->nb;
    for (unsigned i = 0; i <= o->nrest; i++) {
        for (unsigned k = 0; i == o->place && k < o->nb; k++) perm[n++] = (int)(o->before + k);
        if (i < o->nrest) perm[n++] = (int)(i < o->before ? i : i + o->nb);
    }
    for (unsigned i = 0; i < rank; i++) inverse[perm[i]] = (int)i;
    return ir_permute(g, rows, back ? inverse : perm, rank);
}

/* ---- which row */

/* The indices of an axis that is n long, from 0, each checked: what stands there in 0, 1 ... n-1. That has axis number `axis` of
 * as many as the message is to name. */
static ir_ref checked(ir_graph *g, ir_ref index, int64_t n, unsigned axis) {
    ir_dim dims[IR_MAX_RANK], one = ir_dim_const(g, 1);
    for (unsigned a = 0; a < axis; a++) dims[a] = one;
    dims[axis] = ir_dim_const(g, n);
    if (ir_at(g, index)->rank + axis > IR_MAX_RANK) dims[axis = 0] = ir_dim_const(g, n);
    ir_ref places = ir_gather(g, ir_iota(g, BZ_I64, dims, axis + 1, (int)axis), index, (int)axis);
    if (!places || !axis) return places;
    unsigned rank = ir_at(g, index)->rank;
    memcpy(dims, ir_dims(g, ir_at(g, index)), rank * sizeof *dims);
    return ir_reshape_dims(g, places, dims, rank);
}

/* Numbers of lines, of shape B. One tensor needs none but itself where the lines have its axis's number: the rows check it. */
static ir_ref line_numbers(ir_graph *g, const ir_index_plan *p, const order *o) {
    ir_ref sum = 0;
    int64_t by = o->lines;
    if (p->items->tensors == 1 && o->before == o->first) return p->tensors[0];
    for (unsigned a = 0; a < p->rank; a++) {
        if (p->tensor_at[a] < 0) continue;
        int64_t n = p->count[a];
        by = n ? by / n : 0;
        ir_ref i = checked(g, p->tensors[p->tensor_at[a]], n, a);
        ir_ref part = i && by != 1 ? ir_times(g, i, ir_const_i(g, BZ_I64, by)) : i;
        if (!part) return 0;
        sum = sum ? ir_plus(g, sum, part) : part;
    }
    return ir_expand_dims_like(g, sum, o->b, o->nb);
}

/* ---- new axes */

/* The result's shape, new axes with it. */
static unsigned result_dims(ir_graph *g, const ir_index_plan *p, const order *o, ir_dim *dims) {
    ir_dim one = ir_dim_const(g, 1);
    unsigned n = 0, rest = 0;
    bool placed = o->nb == 0;
    const ir_items *s = p->items;
    bool front = s->tensors && o->place == 0 && !(stand_together(p, &rest) && rest == 0);
    rest = 0;
    for (unsigned k = 0; front && k < o->nb; k++) dims[n++] = o->b[k];
    placed |= front;
    for (unsigned i = 0; i < s->n; i++) {
        ir_item_kind kind = s->item[i].kind;
        unsigned take = kind == IR_ITEM_SLICE ? 1 : kind == IR_ITEM_DOTS ? p->dots : 0;
        if (n > IR_MAX_RANK) break;
        if (kind == IR_ITEM_NEW) dims[n++] = one;
        bool index = s->tensors && (kind == IR_ITEM_INT || kind == IR_ITEM_TENSOR);
        for (unsigned k = 0; index && !placed && k < o->nb; k++) dims[n++] = o->b[k];
        placed |= index;
        for (; take; take--) dims[n++] = ir_dim_const(g, p->count[o->rest[rest++]]);
    }
    while (rest < o->nrest && n <= IR_MAX_RANK)
        dims[n++] = ir_dim_const(g, p->count[o->rest[rest++]]);
    return n;
}

/* ---- read */

ir_ref ir_index_read(ir_graph *g, const ir_index_plan *p, ir_ref x) {
    order o;
    ir_dim dims[2 * IR_MAX_RANK + IR_MAX_ITEMS];
    if (!order_of(g, p, &o)) return 0;
    unsigned n = result_dims(g, p, &o, dims);
    if (n > IR_MAX_RANK)
        return ir_error_as(g, BZ_ESHAPE, "index", "\"%.80s\": more than %d axes", p->items->text,
                           IR_MAX_RANK);
    ir_ref part = ir_index_part(g, p, x);
    if (!p->items->tensors) return ir_reshape_dims(g, part, dims, n);
    ir_ref rows;
    if (p->items->tensors == 1) { /* along its own axis, so that an error names that */
        int perm[IR_MAX_RANK], k = 0, nb = (int)o.nb;
        rows = ir_gather(g, part, p->tensors[0], (int)o.first);
        /* rest and B alone: integers' axes go to the end, and away */
        for (unsigned i = 0; i < o.nrest; i++) {
            if (i == o.before)
                for (int b = 0; b < nb; b++) perm[k++] = (int)o.first + b;
            perm[k++] = o.rest[i] > (int)o.first ? o.rest[i] - 1 + nb : o.rest[i];
        }
        if (o.before == o.nrest)
            for (int b = 0; b < nb; b++) perm[k++] = (int)o.first + b;
        for (unsigned a = 0; a < p->rank; a++)
            if (p->gone[a]) perm[k++] = (int)a > (int)o.first ? (int)a - 1 + nb : (int)a;
        ir_dim all[IR_MAX_RANK];
        rows = ir_permute(g, rows, perm, (unsigned)k);
        if (!rows) return 0;
        unsigned m = o.nrest + o.nb;
        memcpy(all, ir_dims(g, ir_at(g, rows)), m * sizeof *all);
        rows = ir_reshape_dims(g, rows, all, m);
    } else {
        ir_ref lines = to_lines(g, p, &o, part);
        rows = ir_gather(g, lines, line_numbers(g, p, &o), (int)o.before);
    }
    return ir_reshape_dims(g, place_rows(g, &o, rows, false), dims, n);
}

/* ---- written */

/* v, which broadcasts to the result, as rows of the lines: without new axes, B where the lines are. */
static ir_ref rows_of(ir_graph *g, const ir_index_plan *p, const order *o, ir_ref v) {
    ir_dim dims[2 * IR_MAX_RANK + IR_MAX_ITEMS], flat[IR_MAX_RANK];
    unsigned n = result_dims(g, p, o, dims), own = ir_at(g, v)->rank, m = 0;
    if (n > IR_MAX_RANK)
        return ir_error_as(g, BZ_ESHAPE, "index", "more than %d axes", IR_MAX_RANK);
    ir_dim one = ir_dim_const(g, 1);
    while (own > n &&
           ir_dims(g, ir_at(g, v))[0] == one) { /* as NumPy: ones in front are too many */
        ir_dim rest[IR_MAX_RANK];
        memcpy(rest, ir_dims(g, ir_at(g, v)) + 1, (own - 1) * sizeof *rest);
        if (!(v = ir_reshape_dims(g, v, rest, --own))) return 0;
    }
    v = ir_expand_dims_like(g, v, dims, n);
    for (unsigned i = 0; i <= o->nrest; i++) {
        for (unsigned k = 0; i == o->place && k < o->nb; k++) flat[m++] = o->b[k];
        if (i < o->nrest) flat[m++] = ir_dim_const(g, p->count[o->rest[i]]);
    }
    return place_rows(g, o, ir_reshape_dims(g, v, flat, m), true);
}

ir_ref ir_index_into(ir_graph *g, const ir_index_plan *p, ir_ref part, ir_ref v, bool adds) {
    order o;
    if (!part || !v || !order_of(g, p, &o)) return 0;
    bz_dtype t = ir_dtype(g, part);
    ir_ref rows = ir_cast(g, rows_of(g, p, &o, v), t);
    if (!rows) return 0;
    ir_ref lines = to_lines(g, p, &o, part);
    if (p->items->tensors) {
        ir_ref index = line_numbers(g, p, &o);
        lines =
            ir_scatter(g, adds ? IR_BY_SUM : IR_BY_LAST, lines, index, rows, (int)o.before, false);
    } else { /* no lines: each element of the part once */
        ir_dim dims[IR_MAX_RANK];
        unsigned n = ir_at(g, lines)->rank;
        memcpy(dims, ir_dims(g, ir_at(g, lines)), n * sizeof *dims);
        rows = ir_reshape_dims(g, rows, dims, n);
        lines = adds ? ir_plus(g, lines, rows) : rows;
    }
    return from_lines(g, p, &o, lines);
}

ir_ref ir_index_write(ir_graph *g, const ir_index_plan *p, ir_ref x, ir_ref v, bool adds) {
    ir_ref part = ir_index_into(g, p, ir_index_part(g, p, x), v, adds);
    return part ? ir_update_slice(g, x, part, p->start, p->step, 0) : 0;
}
