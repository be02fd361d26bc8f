/* api_index.c - indexing by a short text: bz_at(x, "3, :, ::2") is Python's x[3, :, ::2].
 *
 *      text --items--> slices of all axes --bz_slice--> integers' axes go --bz_select--> new axes come --bz_unsqueeze--> a view
 *
 * All that can be wrong is found in the text before the first view is made. */
#include "runtime/value/tensor.h"

#include <ctype.h>
#include <string.h>

typedef enum item_kind { INDEX, SLICE, ELLIPSIS, NEW_AXIS } item_kind;

typedef struct item {
    item_kind kind;
    int at; /* in the text */
    int64_t start, stop, step;
} item;

enum { MAX_ITEMS = 2 * IR_MAX_RANK + 1 };

typedef struct reader {
    bz_context *c;
    const char *text, *p, *site;
    const rt_layout *l;
    item items[MAX_ITEMS];
    int n, axes; /* items; those that take an axis */
} reader;

static bool fail(reader *r, bz_status s, const char *at, const char *what) {
    rt_fail(r->c, s, r->site, "at", "\"%.80s\": %s at character %d", r->text, what,
            (int)(at - r->text) + 1);
    return false;
}

/* ---- the text */

static void skip_blanks(reader *r) {
    while (*r->p == ' ' || *r->p == '\t') r->p++;
}

static bool take(reader *r, const char *word) {
    skip_blanks(r);
    size_t n = strlen(word);
    if (strncmp(r->p, word, n) != 0) return false;
    r->p += n;
    return true;
}

/* A whole number; beyond 2^61, where no tensor has elements, as good as that. false: there is none. */
static bool take_int(reader *r, int64_t *v) {
    const int64_t most = INT64_C(1) << 61;
    skip_blanks(r);
    const char *p = r->p;
    bool minus = *p == '-';
    if (*p == '-' || *p == '+') p++;
    if (!isdigit((unsigned char)*p)) return false;
    for (*v = 0; isdigit((unsigned char)*p); p++) *v = *v < most / 10 ? *v * 10 + (*p - '0') : most;
    if (minus) *v = -*v;
    r->p = p;
    return true;
}

static bool take_slice(reader *r, item *it) {
    it->kind = SLICE;
    if (!take_int(r, &it->stop)) it->stop = BZ_OPEN;
    if (!take(r, ":")) return true;
    skip_blanks(r);
    const char *at = r->p;
    if (!take_int(r, &it->step)) it->step = 1;
    return it->step != 0 || fail(r, BZ_EARG, at, "a step of 0");
}

static bool take_item(reader *r, item *it) {
    skip_blanks(r);
    *it = (item){.kind = INDEX, .at = (int)(r->p - r->text), .start = BZ_OPEN, .step = 1};
    if (take(r, "...")) return it->kind = ELLIPSIS, true;
    if (take(r, "None") || take(r, "newaxis")) return it->kind = NEW_AXIS, true;
    bool number = take_int(r, &it->start);
    if (take(r, ":")) return take_slice(r, it);
    return number || fail(r, BZ_EARG, r->p, "an integer, a slice, ... or None should stand");
}

/* No item at all is NumPy's x[()]. */
static bool read_items(reader *r) {
    const char *dots = NULL;
    if (skip_blanks(r), !*r->p) return true;
    do {
        item it;
        if (r->n && (skip_blanks(r), !*r->p)) break; /* a comma may end the text */
        if (!take_item(r, &it)) return false;
        if (it.kind == ELLIPSIS && dots) return fail(r, BZ_EARG, r->text + it.at, "a second ...");
        if (it.kind == ELLIPSIS) dots = r->text + it.at;
        if (r->n == MAX_ITEMS) return fail(r, BZ_ESHAPE, r->text + it.at, "too many items");
        r->axes += it.kind == INDEX || it.kind == SLICE;
        r->items[r->n++] = it;
    } while (take(r, ","));
    skip_blanks(r);
    return !*r->p || fail(r, BZ_EARG, r->p, "a comma or the end should stand");
}

/* ---- what it means for this shape */

typedef struct plan {
    int64_t start[IR_MAX_RANK], stop[IR_MAX_RANK], step[IR_MAX_RANK];
    bool drop[IR_MAX_RANK]; /* one element: the axis goes */
    int new_axis[MAX_ITEMS], nnew;
} plan;

static bool plan_index(reader *r, const item *it, plan *p, int axis) {
    int64_t n = r->l->shape[axis], i = it->start < 0 ? it->start + n : it->start;
    char what[80];
    const char *written = r->text + it->at; /* the value may be cut off */
    size_t length = 1 + strspn(written + 1, "0123456789");
    bz_snprintf(what, sizeof what, "index %.*s%s of axis %d, which has %lld elements,",
                (int)(length < 24 ? length : 24), written, length > 24 ? "..." : "", axis,
                (long long)n);
    if (i < 0 || i >= n) return fail(r, BZ_EINDEX, r->text + it->at, what);
    p->start[axis] = i;
    p->stop[axis] = i + 1;
    return p->drop[axis] = true;
}

static void plan_slice(const reader *r, const item *it, plan *p, int axis) {
    int64_t most = r->l->shape[axis] > 1 ? r->l->shape[axis] : 1; /* longer steps reach as far */
    p->start[axis] = it->start;
    p->stop[axis] = it->stop;
    p->step[axis] = it->step > most ? most : it->step < -most ? -most : it->step;
}

static bool make_plan(reader *r, plan *p) {
    int rank = (int)r->l->rank, axis = 0, out = 0;
    if (r->axes > rank)
        return rt_fail(r->c, BZ_EAXIS, r->site, "at", "\"%.80s\": %d indices for %d axes", r->text,
                       r->axes, rank),
               false;
    for (int i = 0; i < rank; i++) p->start[i] = p->stop[i] = BZ_OPEN, p->step[i] = 1;
    for (int i = 0; i < r->n; i++) {
        const item *it = &r->items[i];
        if (it->kind == INDEX && !plan_index(r, it, p, axis++)) return false;
        if (it->kind == SLICE) plan_slice(r, it, p, axis++), out++;
        if (it->kind == ELLIPSIS) axis += rank - r->axes, out += rank - r->axes;
        if (it->kind == NEW_AXIS) p->new_axis[p->nnew++] = out++;
    }
    out += rank - axis;
    return out <= IR_MAX_RANK || fail(r, BZ_ESHAPE, r->text, "more than 32 axes");
}

/* ---- views */

static bz_tensor *next(bz_tensor *x, bz_tensor *made) {
    bz_release(x);
    return made;
}

bz_tensor *bz_at_at(bz_tensor *x, const char *text, const char *site) {
    bz_context *c = NULL;
    const rt_tensor *t = rt_find_quietly(x, &c);
    if (!t) return bz_slice_at(x, NULL, NULL, NULL, 0, site); /* which knows what to say */
    if (!text) return rt_fail(c, BZ_EARG, site, "at", "the text is NULL"), rt_poison(c);
    reader r = {.c = c, .text = text, .p = text, .site = site, .l = t->layout};
    plan p = {0};
    if (!read_items(&r) || !make_plan(&r, &p)) return rt_poison(c);
    int rank = (int)r.l->rank;
    bz_tensor *v = bz_slice_at(x, p.start, p.stop, p.step, rank, site);
    for (int i = rank - 1; i >= 0; i--)
        if (p.drop[i]) v = next(v, bz_select_at(v, i, 0, site));
    for (int i = 0; i < p.nnew; i++) v = next(v, bz_unsqueeze_at(v, p.new_axis[i], site));
    return v;
}
