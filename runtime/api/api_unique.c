/* api_unique.c - what elements there are, each once. How many is known only when the values are: a realisation point, as api_picks.c has them.
 *
 *     x --sorted--> v    first of a run: v[i] != v[i - 1]    values: v there;  counts: from one to the next;  inverse: runs up to an element, put back */
#include "runtime/api/picks.h"

#include <string.h>

enum { TEMPS = 16 };
typedef struct work {
    bz_tensor *temp[TEMPS];
    unsigned n;
    const char *site;
} work;

static bz_tensor *kept(work *w, bz_tensor *x) {
    return w->temp[w->n++] = x;
}

/* Is each element of v, one axis, the first of a run? n > 0 */
static bz_tensor *firsts(work *w, bz_tensor *v, int64_t n) {
    bz_tensor *one = kept(w, bz_ones_at(bz_context_of(v), (int64_t[]){1}, 1, BZ_BOOL, w->site));
    bz_tensor *low = kept(w, bz_narrow_at(v, 0, 0, n - 1, w->site));
    bz_tensor *high = kept(w, bz_narrow_at(v, 0, 1, n - 1, w->site));
    bz_tensor *differ = kept(w, bz_ne_at(high, low, w->site));
    return kept(w, bz_concat_at((bz_tensor *[]){one, differ}, 2, 0, w->site));
}

/* The run of each element, in x's shape; order NULL: they stand where they stood. */
static bz_tensor *runs(work *w, bz_tensor *first, bz_tensor *order, bz_tensor *x) {
    bz_context *c = bz_context_of(x);
    bz_tensor *one = kept(w, bz_ones_at(c, NULL, 0, BZ_I64, w->site));
    bz_tensor *sum = kept(w, bz_cumsum_at(first, 0, false, false, w->site));
    bz_tensor *run = kept(w, bz_sub_at(sum, one, w->site));
    if (order) run = kept(w, bz_scatter_at(run, order, run, 0, w->site));
    return bz_reshape_at(run, bz_shape(x), bz_ndim(x), w->site);
}

static bz_tensor *counted(const rt_picks *p, int64_t n, const char *site) {
    int64_t *v = bz_mem_alloc(((size_t)p->n + 1) * sizeof *v);
    if (!v) return rt_no_memory(p->c), rt_poison(p->c);
    for (int64_t i = 0; i < p->n; i++) v[i] = (i + 1 < p->n ? p->at[i + 1] : n) - p->at[i];
    bz_tensor *made = bz_from_data_at(p->c, BZ_I64, v, &p->n, 1, site);
    bz_mem_free(v);
    return made;
}

static bz_tensor *unique(bz_tensor *x, const char *op, bool sorts, bz_tensor **inverse,
                         bz_tensor **counts, const char *site) {
    work w = {.site = site};
    rt_picks p;
    bz_context *c = bz_context_of(x);
    bz_tensor *v = kept(&w, bz_ravel_at(x, site)), *order = NULL, *made = NULL;
    if (inverse) *inverse = NULL;
    if (counts) *counts = NULL;
    const int64_t n = bz_ndim(v) < 0 ? -1 : bz_numel(v);
    if (n > 0 && sorts) {
        v = kept(&w, bz_sort_at(v, 0, false, &order, site));
        kept(&w, order);
    }
    bz_tensor *first = n > 0    ? firsts(&w, v, n)
                       : n == 0 ? kept(&w, bz_zeros_at(c, (int64_t[]){0}, 1, BZ_BOOL, site))
                                : v;
    if (rt_picks_of(first, op, site, &p)) {
        bz_tensor *at = kept(&w, rt_picks_flat(&p, site));
        made = bz_take_at(v, at, BZ_FLAT, site);
        if (inverse) *inverse = runs(&w, first, order, x);
        if (counts) *counts = counted(&p, n, site);
        rt_picks_free(&p);
    }
    for (unsigned i = 0; i < w.n; i++) bz_release(w.temp[i]);
    if (!made && c) made = rt_poison(c);
    if (c && inverse && !*inverse) *inverse = rt_poison(c);
    if (c && counts && !*counts) *counts = rt_poison(c);
    return made;
}

bz_tensor *bz_unique_at(bz_tensor *x, bz_tensor **inverse, bz_tensor **counts, const char *site) {
    return unique(x, "unique", true, inverse, counts, site);
}

bz_tensor *bz_unique_consecutive_at(bz_tensor *x, bz_tensor **inverse, bz_tensor **counts,
                                    const char *site) {
    return unique(x, "unique_consecutive", false, inverse, counts, site);
}
