/* api_index.c - x[...] by a short text: bz_at(x, "3, :, ::2") is a view, bz_at_get(x, tensors, n, "@, None, ::2") takes rows at indices.
 *
 * A tensor of bool among them is a mask: how many elements it picks is known when it has its values, so they are asked for at once, and
 * the places where it is true stand in its place, an index for each of its axes. */
#include "runtime/api/picks.h"
#include "src/ir/index.h"

#include <string.h>

/* ---- views */

bz_tensor *bz_at_at(bz_tensor *x, const char *text, const char *site) {
    rt_rec r;
    ir_items items;
    ir_index_plan p;
    bz_error e = {0};
    ir_ref node = 0;
    if (!rt_begin(&r, "at", site, &x, 1, 0, BZ_NDTYPES)) return rt_end(&r, 0);
    if (!text)
        ir_error_as(r.g, BZ_EARG, "at", "the text is NULL");
    else if (!ir_items_read(text, &items, &e))
        ir_error_as(r.g, e.status, "at", "%s", e.text);
    else if (items.tensors)
        ir_error_as(r.g, BZ_EARG, "at", "\"%.80s\": tensors of indices are for bz_at_get", text);
    else if (ir_index_begin(r.g, &p, r.x[0], &items, NULL, 0))
        node = ir_index_read(r.g, &p, r.x[0]);
    return rt_end_moved(&r, &x, 1, node);
}

/* ---- tensors of indices, and masks as such */

typedef struct indices {
    ir_items items;                   /* of masks: an @ for each axis */
    bz_tensor *all[IR_MAX_ITEMS + 2]; /* operands in front, then indices */
    unsigned first, n;                /* of the indices: where, how many */
    bool ours[IR_MAX_ITEMS];
    int64_t extent[IR_MAX_ITEMS]; /* of a mask's axis; -1: no mask */
} indices;

static void drop(indices *x) {
    for (unsigned k = 0; k < x->n; k++)
        if (x->ours[k]) bz_release(x->all[x->first + k]);
}

static bool fail(bz_context *c, const char *op, const char *site, bz_status s, const char *words) {
    if (c) rt_fail(c, s, site, op, "%s", words);
    return false;
}

/* The places where a mask is true, in place of it. */
static bool take_mask(indices *x, const ir_item *it, bz_tensor *mask, const char *op,
                      const char *site) {
    rt_picks picks;
    int rank = bz_ndim(mask);
    if (rank == 0) return fail(bz_context_of(mask), op, site, BZ_ESHAPE, "a mask without axes");
    if (x->n + (unsigned)rank > IR_MAX_ITEMS || x->items.n + (unsigned)rank > IR_MAX_ITEMS)
        return fail(bz_context_of(mask), op, site, BZ_ESHAPE, "too many indices");
    if (!rt_picks_of(mask, op, site, &picks)) return false;
    for (int a = 0; a < rank; a++) {
        x->extent[x->n] = picks.shape[a];
        x->ours[x->n] = true;
        x->all[x->first + x->n++] = rt_picks_axis(&picks, (unsigned)a, site);
        x->items.item[x->items.n++] = *it;
        x->items.axes++;
        x->items.tensors++;
    }
    rt_picks_free(&picks);
    return true;
}

/* Reads the text; masks become indices. */
static bool begin(indices *x, bz_tensor *const *front, unsigned nfront, bz_tensor *const *index,
                  int n, const char *text, const char *op, const char *site) {
    ir_items given;
    bz_error e = {0};
    unsigned k = 0;
    bz_context *c = bz_context_of(front[0]);
    *x = (indices){.first = nfront};
    memcpy(x->all, front, nfront * sizeof *front);
    if (!text) return fail(c, op, site, BZ_EARG, "the text is NULL");
    if (!ir_items_read(text, &given, &e)) return fail(c, op, site, e.status, e.text);
    x->items.text = text;
    for (unsigned i = 0; i < given.n; i++) {
        const ir_item *it = &given.item[i];
        bool tensor = it->kind == IR_ITEM_TENSOR;
        if (tensor && (int)k >= n) return fail(c, op, site, BZ_EARG, "more @ than tensors");
        bz_tensor *t = tensor ? index[k++] : NULL;
        if (tensor && bz_dtype_of(t) == BZ_BOOL) {
            if (!take_mask(x, it, t, op, site)) return false;
            continue;
        }
        if (x->items.n == IR_MAX_ITEMS) return fail(c, op, site, BZ_ESHAPE, "too many items");
        if (tensor) {
            x->extent[x->n] = -1;
            x->all[nfront + x->n++] = t;
        }
        x->items.axes += it->kind != IR_ITEM_DOTS && it->kind != IR_ITEM_NEW;
        x->items.tensors += tensor;
        x->items.item[x->items.n++] = *it;
    }
    return (int)k == n || fail(c, op, site, BZ_EARG, "more tensors than @");
}

/* A mask has the sizes of the axes that it stands for. */
static bool masks_fit(rt_rec *r, const indices *x, const ir_index_plan *p) {
    for (unsigned a = 0; a < p->rank; a++) {
        int k = p->tensor_at[a];
        if (k >= 0 && x->extent[k] >= 0 && x->extent[k] != p->shape[a])
            return ir_error_as(r->g, BZ_ESHAPE, r->op,
                               "a mask has %lld elements along axis %u of %s",
                               (long long)x->extent[k], a, ir_shape_text(r->g, r->x[0])),
                   false;
    }
    return true;
}

bz_tensor *bz_at_get_at(bz_tensor *x, bz_tensor *const *index, int n, const char *items,
                        const char *site) {
    rt_rec r;
    indices q;
    ir_index_plan p;
    ir_ref node = 0;
    bool good = begin(&q, &x, 1, index, index ? n : 0, items, "at_get", site);
    bz_context *c = bz_context_of(x);
    if (!good) return drop(&q), c ? rt_poison(c) : NULL;
    bool ready = rt_begin(&r, "at_get", site, q.all, q.n + 1, 0, BZ_I64);
    if (ready && ir_index_begin(r.g, &p, r.x[0], &q.items, r.x + 1, q.n) && masks_fit(&r, &q, &p))
        node = ir_index_read(r.g, &p, r.x[0]);
    bz_tensor *made = rt_end_moved(&r, q.all, q.n + 1, node);
    drop(&q);
    return made;
}

/* ---- written */

/* The new value of x where `mask`, of its first axes, is true: v, which has no axis for them. */
static ir_ref where_masked(ir_graph *g, ir_ref x, ir_ref mask, ir_ref v, bool adds) {
    ir_dim dims[IR_MAX_RANK], one = ir_dim_const(g, 1);
    unsigned rank = ir_at(g, x)->rank, own = ir_at(g, mask)->rank;
    for (unsigned a = 0; a < rank; a++) dims[a] = a < own ? ir_dims(g, ir_at(g, mask))[a] : one;
    for (unsigned a = 0; a < own && a < rank; a++)
        if (dims[a] != ir_dims(g, ir_at(g, x))[a]) own = rank + 1;
    if (own > rank)
        return ir_error(g, BZ_ESHAPE, IR_SELECT, "a mask %s of the first axes of %s",
                        ir_shape_text(g, mask), ir_shape_text(g, x));
    mask = ir_reshape_dims(g, mask, dims, rank);
    ir_ref new = adds ? ir_build2(g, IR_ADD, x, v) : ir_cast(g, v, ir_dtype(g, x));
    return ir_build3(g, IR_SELECT, mask, ir_cast(g, new, ir_dtype(g, x)), x);
}

static bz_tensor *put_masked(bz_tensor *x, bz_tensor *mask, bz_tensor *v, bool adds, const char *op,
                             const char *site) {
    rt_rec r;
    bz_context *c;
    bool ready = rt_begin(&r, op, site, (bz_tensor *[]){x, v, mask}, 3, 0, BZ_NDTYPES);
    const rt_tensor *t = rt_find_quietly(x, &c);
    if (!ready || !rt_may_change(r.c, t->st, op, site)) return rt_end(&r, 0);
    return rt_end_change(&r, x, where_masked(r.g, r.x[0], r.x[2], r.x[1], adds));
}

static bz_tensor *put_rows(bz_tensor *x, bz_tensor *const *index, int n, const char *items,
                           bz_tensor *v, bool adds, const char *op, const char *site) {
    rt_rec r;
    indices q;
    ir_index_plan p;
    ir_ref new = 0;
    bz_context *c = bz_context_of(x);
    if (!begin(&q, (bz_tensor *[]){x, v}, 2, index, index ? n : 0, items, op, site))
        return drop(&q), c ? rt_poison(c) : NULL;
    bool ready = rt_begin(&r, op, site, q.all, q.n + 2, 0, BZ_NDTYPES);
    const rt_tensor *t = rt_find_quietly(x, &c);
    if (ready && rt_may_change(r.c, t->st, op, site) &&
        ir_index_begin(r.g, &p, r.x[0], &q.items, r.x + 2, q.n) && masks_fit(&r, &q, &p))
        new = ir_index_write(r.g, &p, r.x[0], r.x[1], adds);
    bz_tensor *made = ready ? rt_end_change(&r, x, new) : rt_end(&r, 0);
    drop(&q);
    return made;
}

static bz_tensor *put(bz_tensor *x, bz_tensor *const *index, int n, const char *items, bz_tensor *v,
                      bool adds, const char *op, const char *site) {
    bool mask = n == 1 && index && items && !strcmp(items, "@") && bz_dtype_of(index[0]) == BZ_BOOL;
    if (mask && bz_ndim(index[0]) > 0 && bz_ndim(v) >= 0 &&
        bz_ndim(v) <= bz_ndim(x) - bz_ndim(index[0]))
        return put_masked(x, index[0], v, adds, op, site);
    return put_rows(x, index, n, items, v, adds, op, site);
}

bz_tensor *bz_at_set__at(bz_tensor *x, bz_tensor *const *index, int n, const char *items,
                         bz_tensor *v, const char *site) {
    return put(x, index, n, items, v, false, "at_set_", site);
}

bz_tensor *bz_at_add__at(bz_tensor *x, bz_tensor *const *index, int n, const char *items,
                         bz_tensor *v, const char *site) {
    return put(x, index, n, items, v, true, "at_add_", site);
}
