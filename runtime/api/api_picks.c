/* api_picks.c - what is chosen by its value: places that are not 0, and elements at them. How many there are is known only when the
 * values are, so these functions ask for the values: a realisation point, as bz_item is one. */
#include "runtime/api/picks.h"

#include <string.h>

void rt_picks_free(rt_picks *p) {
    bz_mem_free(p->at);
    p->at = NULL;
}

/* x as bool, with its values in truth[0 .. n-1]. */
static bool read_truth(bz_tensor *x, uint8_t *truth, int64_t n, const char *site) {
    bool made = bz_dtype_of(x) != BZ_BOOL;
    bz_context *c = bz_context_of(x);
    bz_tensor *zero = made ? bz_scalar_int_at(c, 0, site) : NULL;
    bz_tensor *b = made ? bz_ne_at(x, zero, site) : x;
    bool good = bz_to_host(b, truth, (size_t)n) == BZ_OK;
    if (made) bz_release(b), bz_release(zero);
    return good;
}

bool rt_picks_of(bz_tensor *x, const char *op, const char *site, rt_picks *p) {
    bz_context *c = bz_context_of(x);
    *p = (rt_picks){.c = c};
    int rank = bz_ndim(x);
    if (rank < 0 || !c) { /* an op says what is wrong with it */
        bz_release(bz_copy_at(x, site));
        return false;
    }
    if (rt_ready(c, op, "the number of elements that are not 0 is not known",
                 "use where, or masked_fill"))
        return false;
    int64_t n = bz_numel(x);
    p->rank = (unsigned)rank;
    memcpy(p->shape, bz_shape(x), (size_t)rank * sizeof *p->shape);
    uint8_t *truth = bz_mem_alloc((size_t)n + 1);
    bool good = truth && (n == 0 || read_truth(x, truth, n, site));
    for (int64_t i = 0; good && i < n; i++) p->n += truth[i] != 0;
    p->at = good ? bz_mem_alloc(((size_t)p->n + 1) * sizeof *p->at) : NULL;
    int64_t k = 0;
    for (int64_t i = 0; p->at && i < n; i++)
        if (truth[i]) p->at[k++] = i;
    if (!truth || (good && !p->at)) rt_no_memory(c);
    bz_mem_free(truth);
    return p->at != NULL;
}

/* `columns` numbers for each place: its index along axes first, first + 1 ... */
static bz_tensor *columns(const rt_picks *p, unsigned first, unsigned n, const int64_t *shape,
                          int rank, const char *site) {
    int64_t by[IR_MAX_RANK + 1] = {0}, step = 1;
    for (unsigned a = p->rank; a-- > 0; step *= p->shape[a]) by[a] = step;
    int64_t *v = bz_mem_alloc(((size_t)p->n * n + 1) * sizeof *v);
    if (!v) return rt_no_memory(p->c), rt_poison(p->c);
    for (int64_t i = 0; i < p->n; i++)
        for (unsigned k = 0; k < n; k++)
            v[i * (int64_t)n + k] = p->at[i] / by[first + k] % p->shape[first + k];
    bz_tensor *made = bz_from_data_at(p->c, BZ_I64, v, shape, rank, site);
    bz_mem_free(v);
    return made;
}

bz_tensor *rt_picks_axis(const rt_picks *p, unsigned axis, const char *site) {
    return columns(p, axis, 1, &p->n, 1, site);
}

bz_tensor *rt_picks_rows(const rt_picks *p, const char *site) {
    return columns(p, 0, p->rank, (int64_t[]){p->n, p->rank}, 2, site);
}

bz_tensor *rt_picks_flat(const rt_picks *p, const char *site) {
    return bz_from_data_at(p->c, BZ_I64, p->at, &p->n, 1, site);
}

/* ---- the public functions */

static bz_tensor *no_result(bz_tensor *x) {
    bz_context *c = bz_context_of(x);
    return c ? rt_poison(c) : NULL;
}

static bz_tensor *places(bz_tensor *x, const char *op, const char *site) {
    rt_picks p;
    if (!rt_picks_of(x, op, site, &p)) return no_result(x);
    bz_tensor *made = rt_picks_rows(&p, site);
    rt_picks_free(&p);
    return made;
}

bz_tensor *bz_nonzero_at(bz_tensor *x, const char *site) {
    return places(x, "nonzero", site);
}

bz_tensor *bz_argwhere_at(bz_tensor *x, const char *site) {
    return places(x, "argwhere", site);
}

int bz_nonzero_axes_at(bz_tensor *x, bz_tensor **parts, int room, const char *site) {
    rt_picks p;
    bool good = rt_picks_of(x, "nonzero_axes", site, &p);
    int n = good ? (p.rank ? (int)p.rank : 1) : -1;
    if (good && n > (parts ? room : 0)) {
        rt_fail(p.c, BZ_EARG, site, "nonzero_axes", "%d results, and room for %d", n, room);
        n = -1;
    }
    if (good && !p.rank) p.shape[0] = p.rank = 1; /* as of [1] */
    for (int i = 0; parts && i < room; i++)
        parts[i] = n < 0 ? no_result(x) : i < n ? rt_picks_axis(&p, (unsigned)i, site) : NULL;
    if (good) rt_picks_free(&p);
    return n;
}

bz_tensor *bz_masked_select_at(bz_tensor *x, bz_tensor *mask, const char *site) {
    bz_tensor *wide[2], *made = NULL;
    rt_picks p;
    if (bz_broadcast_tensors_at((bz_tensor *[]){x, mask}, 2, wide, 2, site) < 0) return wide[0];
    bz_context *c = bz_context_of(x);
    if (bz_dtype_of(mask) != BZ_BOOL)
        rt_fail(c, BZ_EDTYPE, site, "masked_select", "the mask is %s, not bool",
                bz_dtype_name(bz_dtype_of(mask)));
    else if (rt_picks_of(wide[1], "masked_select", site, &p)) {
        bz_tensor *at = rt_picks_flat(&p, site);
        made = bz_take_at(wide[0], at, BZ_FLAT, site);
        bz_release(at);
        rt_picks_free(&p);
    }
    bz_release(wide[0]);
    bz_release(wide[1]);
    return made ? made : rt_poison(c);
}
