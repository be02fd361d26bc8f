/* fuzz_api.c - random programs of the public interface: views of views, in-place ops on them, scopes, evaluation at any time, both
 * modes, foreign memory, compiled functions that donate; against a model that knows no strides (api_model.h). A gradient is what a tape of
 * elements (api_tape.h) says or BZ_EGRAD, with the same status in every way to run. Each step is
 * drawn from the seed and its own number, so a fault is made small by leaving steps out.
 * usage: fuzz_api SECONDS [SEED [COUNT]] */
#include "src/ir/base/base.h"
#include "tests/support/api_model.h"
#include "tests/support/fuzz.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { STEPS = 60, LIMIT = 1000, FOREIGN = 4 };

typedef struct player {
    bz_context *c;
    uint64_t seed, state;
    const uint8_t *bytes; /* decide instead of the seed, a piece for each step; NULL: none */
    size_t nbytes;
    bool skip[STEPS], trace;
    unsigned step;
    int depth;
    api_view pool[API_VIEWS];
    unsigned n;
    api_view foreign[FOREIGN]; /* the whole of each buffer, 1-d */
    unsigned nforeign;
    bz_program *swap, *update, *captured;
    bz_tensor *bias; /* what `captured` reads: i32[], its value 3 */
    char fault[600];
    bz_status answers
        [STEPS]; /* of bz_grad, until there is foreign memory: a change of it ends the recording when it is read */
    unsigned nanswers;
} player;

static long complete[2]; /* gradients: BZ_EGRAD, BZ_OK */

static uint32_t draw(player *p, uint32_t below) {
    p->state = bz_mix(p->state, 0xa91);
    return (uint32_t)(p->state >> 24) % below;
}

static bool chance(player *p, unsigned percent) {
    return draw(p, 100) < percent;
}

BZ_PRINTF(2, 3) static void note(const player *p, const char *fmt, ...) {
    if (!p->trace) return;
    va_list a;
    va_start(a, fmt);
    printf("    step %2u: ", p->step);
    vprintf(fmt, a);
    va_end(a);
    printf("\n");
    fflush(stdout);
}

BZ_PRINTF(2, 3) static void fault(player *p, const char *fmt, ...) {
    if (p->fault[0]) return;
    va_list a;
    va_start(a, fmt);
    vsnprintf(p->fault, sizeof p->fault, fmt, a);
    va_end(a);
}

/* ---- what the library says, beside what the model says */

static void check(player *p, const api_view *x) {
    char *data = malloc((size_t)x->n * 8 + 8);
    bz_status s = bz_to_host(x->h, data, (size_t)x->n * bz_dtype_size(x->t));
    if (s) fault(p, "step %u: to_host: %s", p->step, bz_message(p->c));
    for (int64_t i = 0; i < x->n && !s; i++)
        if (api_load(x->t, data, i) != api_get(x, i)) {
            fault(p, "step %u: element %lld is %g, not %g", p->step, (long long)i,
                  api_load(x->t, data, i), api_get(x, i));
            break;
        }
    free(data);
}

static void drop(player *p, unsigned k) {
    api_free_view(&p->pool[k]);
    p->pool[k] = p->pool[--p->n];
}

/* Takes a new view into the pool; its handle's facts must be the model's. */
static void keep(player *p, api_view x) {
    bool same = x.h && bz_ndim(x.h) == x.rank && bz_dtype_of(x.h) == x.t;
    for (int i = 0; same && i < x.rank; i++) same = bz_shape(x.h)[i] == x.shape[i];
    if (!same) fault(p, "step %u: wrong shape or dtype: %s", p->step, bz_message(p->c));
    x.scope = p->depth;
    if (p->n == API_VIEWS) {
        unsigned k = draw(p, API_VIEWS);
        if (bz_release(p->pool[k].h)) fault(p, "step %u: release: %s", p->step, bz_message(p->c));
        drop(p, k);
    }
    p->pool[p->n++] = x;
    note(p, "  gives v%u", p->n - 1);
}

static api_view *any(player *p) {
    return &p->pool[chance(p, 50) && p->n > 4 ? p->n - 1 - draw(p, 4) : draw(p, p->n)];
}

static unsigned number(const player *p, const api_view *x) {
    return (unsigned)(x - p->pool);
}

static bool small(const api_view *x) {
    for (int64_t i = 0; i < x->n; i++)
        if (api_get(x, i) > LIMIT || api_get(x, i) < -LIMIT) return false;
    return true;
}

/* Element i of r is element k of x. */
static void set_to(api_view *r, int64_t i, const api_view *x, int64_t k) {
    r->store->v[r->at[i]] = api_get(x, k);
    if (api_compute(r, i)) api_tape_from(api_entry_of(x, k), 1);
}

/* ---- making */

static int some_shape(player *p, int64_t *shape) {
    static const int64_t dims[] = {1, 1, 2, 3, 4, 5, 8, 17};
    int rank = (int)draw(p, API_RANK);
    for (int i = 0; i < rank; i++) {
        shape[i] = chance(p, 3) ? 0 : dims[draw(p, BZ_LEN(dims))];
        if (api_numel(shape, i + 1) > API_NUMEL) shape[i] = 1;
    }
    return rank;
}

static void make(player *p) {
    static const bz_dtype types[] = {BZ_F32, BZ_F32, BZ_I32, BZ_F64, BZ_I64, BZ_F16};
    int64_t shape[API_RANK];
    int rank = some_shape(p, shape);
    api_view x = api_new(types[draw(p, BZ_LEN(types))], rank, shape);
    char *data = malloc((size_t)x.n * 8 + 8);
    for (int64_t i = 0; i < x.n; i++) {
        x.store->v[i] = (double)draw(p, 21) - 10;
        api_save(x.t, data, i, x.store->v[i]);
    }
    note(p, "from_data %s, %lld elements, rank %d", bz_dtype_name(x.t), (long long)x.n, rank);
    x.h = bz_from_data(p->c, x.t, data, shape, rank);
    free(data);
    keep(p, x);
}

/* Rows with gaps between them in memory of ours. */
static void borrow(player *p) {
    if (p->depth || p->nforeign == FOREIGN) return;
    int64_t rows = 1 + draw(p, 5), columns = 1 + draw(p, 9), pitch = columns + draw(p, 3);
    int64_t total = rows * pitch;
    bool turned = chance(p, 40);
    api_view all = api_new(chance(p, 50) ? BZ_F32 : BZ_I32, 1, &total);
    all.store->raw = malloc((size_t)total * 8);
    for (int64_t i = 0; i < total; i++) {
        all.store->v[i] = (double)draw(p, 9);
        api_save(all.t, all.store->raw, i, all.store->v[i]);
    }
    int64_t shape[2] = {turned ? columns : rows, turned ? rows : columns};
    int64_t strides[2] = {turned ? 1 : pitch, turned ? pitch : 1};
    api_view x = api_window(&all, 2, shape);
    for (int64_t i = 0; i < x.n; i++)
        x.at[i] = i / shape[1] * strides[0] + i % shape[1] * strides[1];
    note(p, "from_buffer [%lld,%lld] strides [%lld,%lld]", (long long)shape[0], (long long)shape[1],
         (long long)strides[0], (long long)strides[1]);
    all.h = bz_from_buffer(p->c, all.t, all.store->raw, shape, strides, 2);
    x.h = bz_reshape(all.h, shape, 2); /* the first handle stays ours, to flush */
    p->foreign[p->nforeign++] = all;
    keep(p, x);
}

/* ---- views */

static void slice(player *p) {
    api_view *x = any(p);
    int64_t start[API_RANK], stop[API_RANK], step[API_RANK], shape[API_RANK], index[API_RANK];
    for (int a = 0; a < x->rank; a++) {
        int64_t n = x->shape[a];
        step[a] = 1 + draw(p, 3);
        start[a] = n ? draw(p, (uint32_t)n) : 0;
        stop[a] = start[a] + (n ? draw(p, (uint32_t)(n - start[a]) + 1) : 0);
        if (chance(p, 30)) start[a] = 0, stop[a] = n;
        shape[a] = (stop[a] - start[a] + step[a] - 1) / step[a];
        if (shape[a] && chance(p, 30)) { /* the same elements from behind */
            start[a] += (shape[a] - 1) * step[a];
            step[a] = -step[a];
            stop[a] = start[a] + shape[a] * step[a];
        }
    }
    api_view r = api_window(x, x->rank, shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, r.rank, shape, index);
        for (int a = 0; a < r.rank; a++) index[a] = start[a] + index[a] * step[a];
        r.at[i] = x->at[api_ravel(x->rank, x->shape, index)];
    }
    for (int a = 0; a < x->rank; a++)
        if (stop[a] < 0) stop[a] = BZ_OPEN;
    note(p, "slice v%u", number(p, x));
    r.h = bz_slice(x->h, start, stop, step, x->rank);
    keep(p, r);
}

static void permute(player *p) {
    api_view *x = any(p);
    int perm[API_RANK];
    int64_t shape[API_RANK], index[API_RANK], own[API_RANK];
    for (int i = 0; i < x->rank; i++) {
        int k = (int)draw(p, (uint32_t)i + 1);
        perm[i] = perm[k];
        perm[k] = i;
    }
    for (int i = 0; i < x->rank; i++) shape[i] = x->shape[perm[i]];
    api_view r = api_window(x, x->rank, shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, r.rank, shape, index);
        for (int a = 0; a < r.rank; a++) own[perm[a]] = index[a];
        r.at[i] = x->at[api_ravel(x->rank, x->shape, own)];
    }
    note(p, "permute v%u", number(p, x));
    r.h = bz_permute(x->h, perm, x->rank);
    keep(p, r);
}

static void expand(player *p) {
    api_view *x = any(p);
    int64_t shape[API_RANK] = {1 + draw(p, 3)};
    bool more = x->rank + 1 < API_RANK && chance(p, 50);
    int rank = x->rank + more;
    for (int a = 0; a < x->rank; a++)
        shape[a + more] = x->shape[a] == 1 ? 1 + draw(p, 3) : x->shape[a];
    if (api_numel(shape, rank) > API_NUMEL) return;
    api_view r = api_window(x, rank, shape);
    for (int64_t i = 0; i < r.n; i++) r.at[i] = x->at[api_broadcast(x, rank, shape, i)];
    note(p, "expand v%u", number(p, x));
    r.h = bz_expand(x->h, shape, rank);
    keep(p, r);
}

static void pick_row(player *p) {
    api_view *x = any(p);
    int64_t shape[API_RANK], index[API_RANK], own[API_RANK];
    if (!x->rank) return;
    int axis = (int)draw(p, (uint32_t)x->rank), n = 0;
    if (!x->shape[axis]) return;
    int64_t at = draw(p, (uint32_t)x->shape[axis]);
    for (int a = 0; a < x->rank; a++)
        if (a != axis) shape[n++] = x->shape[a];
    api_view r = api_window(x, n, shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, n, shape, index);
        for (int a = 0, k = 0; a < x->rank; a++) own[a] = a == axis ? at : index[k++];
        r.at[i] = x->at[api_ravel(x->rank, x->shape, own)];
    }
    note(p, "select v%u axis %d index %lld", number(p, x), axis, (long long)at);
    r.h = bz_select(x->h, chance(p, 50) ? axis : axis - x->rank,
                    chance(p, 50) ? at : at - x->shape[axis]);
    keep(p, r);
}

static bool contiguous(const api_view *x) {
    for (int64_t i = 1; i < x->n; i++)
        if (x->at[i] != x->at[0] + i) return false;
    return true;
}

/* A view where the elements lie in order; whether it is one elsewhere is the library's to say, so there only its value counts. */
static void reshape(player *p) {
    api_view *x = any(p);
    int64_t shape[API_RANK], n = x->n;
    int rank = 1 + (int)draw(p, 3);
    for (int a = 0; a + 1 < rank; a++) {
        int64_t f = 1 + draw(p, 6);
        while (n % f) f--;
        shape[a] = f;
        n /= f;
    }
    shape[rank - 1] = n;
    bool view = contiguous(x);
    api_view r = view ? api_window(x, rank, shape) : api_new(x->t, rank, shape);
    for (int64_t i = 0; i < r.n; i++) {
        if (view)
            r.at[i] = x->at[i];
        else
            set_to(&r, i, x, i);
    }
    note(p, "reshape v%u%s", number(p, x), view ? "" : ", copied");
    bz_tensor *h = bz_reshape(x->h, shape, rank);
    r.h = view ? h : bz_copy(h);
    keep(p, r);
}

static void diagonal(player *p) {
    api_view *x = any(p);
    if (x->rank != 2) return;
    int64_t rows = x->shape[0], columns = x->shape[1], off = chance(p, 60) ? 0 : 1;
    if (columns <= off || rows == 0) return;
    int64_t n = rows < columns - off ? rows : columns - off;
    api_view r = api_window(x, 1, &n);
    for (int64_t i = 0; i < n; i++) r.at[i] = x->at[i * columns + i + off];
    note(p, "diagonal v%u offset %lld", number(p, x), (long long)off);
    r.h = bz_diagonal(x->h, off, 0, 1);
    keep(p, r);
}

/* ---- values */

typedef bz_tensor *binary_call(bz_tensor *x, bz_tensor *y, const char *site);
typedef struct binary {
    const char *name;
    binary_call *call, *in_place;
} binary;
static const binary binaries[] = {
    {"add", bz_add_at, bz_add__at},   {"sub", bz_sub_at, bz_sub__at},
    {"mul", bz_mul_at, bz_mul__at},   {"copy", NULL, bz_copy__at},
    {"maximum", bz_maximum_at, NULL}, {"minimum", bz_minimum_at, NULL},
};

static double apply(unsigned op, double x, double y) {
    switch (op) {
    case 0: return x + y;
    case 1: return x - y;
    case 2: return x * y + 0.0; /* no -0 */
    case 3: return y;
    case 4: return x > y ? x : y;
    default: return x < y ? x : y;
    }
}

/* Entry of apply(op, x, y) for the element that api_compute began. */
static void slopes_of(unsigned op, double x, double y, api_entry ex, api_entry ey) {
    api_tape_from(ex, op == 2 ? y : op == 3 ? 0 : op >= 4 ? apply(op, x, y) == x : 1);
    api_tape_from(ey, op == 2 ? x : op == 1 ? -1 : op >= 4 ? apply(op, x, y) != x : 1);
    if (op >= 4 && x == y) api_tape_kink();
}

/* May y be broadcast to x's shape? */
static bool fits(const api_view *y, const api_view *x) {
    if (y->rank > x->rank) return false;
    for (int a = 0; a < y->rank; a++) {
        int64_t d = x->shape[a + x->rank - y->rank];
        if (y->shape[a] != d && y->shape[a] != 1) return false;
    }
    return true;
}

static api_view *partner(player *p, const api_view *x, bool same_dtype) {
    for (unsigned i = 0; i < 12; i++) {
        api_view *y = &p->pool[draw(p, p->n)];
        if (fits(y, x) && (!same_dtype || y->t == x->t)) return y;
    }
    return NULL;
}

static void compute(player *p) {
    api_view *x = any(p), *y = partner(p, x, true);
    unsigned op = draw(p, BZ_LEN(binaries));
    if (!y || !binaries[op].call) return;
    api_view r = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < r.n; i++) {
        int64_t k = api_broadcast(y, x->rank, x->shape, i);
        r.store->v[i] = apply(op, api_get(x, i), api_get(y, k));
        if (api_compute(&r, i))
            slopes_of(op, api_get(x, i), api_get(y, k), api_entry_of(x, i), api_entry_of(y, k));
    }
    if (!small(&r)) {
        api_free_view(&r);
        return;
    }
    note(p, "%s v%u v%u", binaries[op].name, number(p, x), number(p, y));
    r.h = binaries[op].call(x->h, y->h, BZ_SITE);
    keep(p, r);
}

/* x = v, which is apply(op, x, y). */
static void write_in_place(api_view *x, const api_view *y, unsigned op, const double *v) {
    if (!x->n) return; /* no view: a tensor of its own */
    api_entry *ex = malloc((size_t)x->n * 2 * sizeof *ex + 8), *ey = ex + x->n;
    double *was = malloc((size_t)x->n * 2 * sizeof *was + 8), *by = was + x->n;
    for (int64_t i = 0; i < x->n; i++) {
        int64_t k = api_broadcast(y, x->rank, x->shape, i);
        ex[i] = api_entry_of(x, i);
        ey[i] = api_entry_of(y, k);
        was[i] = api_get(x, i);
        by[i] = api_get(y, k);
    }
    api_renew(x);
    for (int64_t i = 0; i < x->n; i++) {
        x->store->v[x->at[i]] = v[i];
        if (api_compute(x, i)) slopes_of(op, was[i], by[i], ex[i], ey[i]);
    }
    free(ex);
    free(was);
}

static void change(player *p) {
    api_view *x = any(p), *y = partner(p, x, chance(p, 80));
    unsigned op = draw(p, 4);
    if (!y || (!binaries[op].in_place)) return;
    double *v = malloc((size_t)x->n * sizeof *v + 8);
    bool good = true;
    for (int64_t i = 0; i < x->n; i++) {
        v[i] = apply(op, api_get(x, i), api_get(y, api_broadcast(y, x->rank, x->shape, i)));
        good = good && v[i] <= LIMIT && v[i] >= -LIMIT;
    }
    bool twice = api_overlaps(x);
    if (good) {
        note(p, "%s_ v%u v%u", binaries[op].name, number(p, x), number(p, y));
        bz_tensor *h = binaries[op].in_place(x->h, y->h, BZ_SITE);
        bz_status s = bz_context_status(p->c);
        if (s != (twice ? BZ_EARG : BZ_OK))
            fault(p, "step %u: in place gives %d '%s'", p->step, (int)s, bz_message(p->c));
        else if (!twice && h != x->h)
            fault(p, "step %u: in place gives another handle", p->step);
        bz_clear(p->c);
        if (!twice) write_in_place(x, y, op, v);
    }
    free(v);
}

static void fill(player *p) {
    api_view *x = any(p);
    double v = (double)draw(p, 9) - 4;
    if (api_overlaps(x)) return;
    note(p, "fill_ v%u %g", number(p, x), v);
    if (bz_fill_(x->h, v) != x->h) fault(p, "step %u: fill_: %s", p->step, bz_message(p->c));
    if (x->n) api_renew(x);
    for (int64_t i = 0; i < x->n; i++) {
        x->store->v[x->at[i]] = v;
        api_compute(x, i);
    }
}

static void convert(player *p) {
    static const bz_dtype types[] = {BZ_F32, BZ_I32, BZ_F64, BZ_I64, BZ_F16};
    api_view *x = any(p);
    api_view r = api_new(types[draw(p, BZ_LEN(types))], x->rank, x->shape);
    for (int64_t i = 0; i < r.n; i++) set_to(&r, i, x, i);
    note(p, "cast v%u %s", number(p, x), bz_dtype_name(r.t));
    r.h = bz_cast(x->h, r.t);
    keep(p, r);
}

static void reduce(player *p) {
    api_view *x = any(p);
    int64_t shape[API_RANK], index[API_RANK], own[API_RANK];
    if (!x->rank || !x->n) return;
    int axis = (int)draw(p, (uint32_t)x->rank);
    bool sum = chance(p, 50);
    for (int a = 0; a < x->rank; a++) shape[a] = a == axis ? 1 : x->shape[a];
    api_view r = api_new(sum && !api_is_float(x->t) ? BZ_I64 : x->t, x->rank, shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, r.rank, shape, index);
        memcpy(own, index, sizeof own);
        r.store->v[i] = sum ? 0 : -2 * LIMIT;
        for (own[axis] = 0; own[axis] < x->shape[axis]; own[axis]++)
            r.store->v[i] =
                apply(sum ? 0 : 4, r.store->v[i], api_get(x, api_ravel(x->rank, x->shape, own)));
        unsigned best = 0;
        bool entry = api_compute(&r, i);
        for (own[axis] = 0; own[axis] < x->shape[axis] && entry; own[axis]++) {
            int64_t k = api_ravel(x->rank, x->shape, own);
            bool counts = sum || api_get(x, k) == r.store->v[i];
            best += counts;
            if (counts) api_tape_from(api_entry_of(x, k), 1);
        }
        if (entry && !sum && best > 1) api_tape_kink();
    }
    if (!small(&r)) {
        api_free_view(&r);
        return;
    }
    note(p, "%s v%u axis %d", sum ? "sum" : "max", number(p, x), axis);
    r.h = sum ? bz_sum(x->h, &axis, 1, true) : bz_max(x->h, &axis, 1, true);
    keep(p, r);
}

static void product(player *p) {
    api_view *x = any(p), *y = any(p);
    if (x->rank != 2 || y->rank != 2 || x->t != y->t || x->shape[1] != y->shape[0]) return;
    int64_t shape[2] = {x->shape[0], y->shape[1]};
    if (shape[0] * shape[1] > API_NUMEL) return;
    api_view r = api_new(x->t, 2, shape);
    for (int64_t i = 0; i < r.n; i++) {
        r.store->v[i] = 0;
        for (int64_t k = 0; k < x->shape[1]; k++)
            r.store->v[i] += api_get(x, i / shape[1] * x->shape[1] + k) *
                             api_get(y, k * shape[1] + i % shape[1]);
        r.store->v[i] += 0.0;
        bool entry = api_compute(&r, i);
        for (int64_t k = 0; k < x->shape[1] && entry; k++) {
            int64_t a = i / shape[1] * x->shape[1] + k, b = k * shape[1] + i % shape[1];
            api_tape_from(api_entry_of(x, a), api_get(y, b));
            api_tape_from(api_entry_of(y, b), api_get(x, a));
        }
    }
    if (!small(&r)) {
        api_free_view(&r);
        return;
    }
    note(p, "matmul v%u v%u", number(p, x), number(p, y));
    r.h = bz_matmul(x->h, y->h);
    keep(p, r);
}

static void join(player *p) {
    api_view *x = any(p), *y = any(p);
    if (!x->rank || x->rank != y->rank || x->t != y->t || x->n + y->n > API_NUMEL) return;
    int64_t shape[API_RANK];
    for (int a = 0; a < x->rank; a++) {
        shape[a] = x->shape[a] + (a == 0 ? y->shape[0] : 0);
        if (a && x->shape[a] != y->shape[a]) return;
    }
    api_view r = api_new(x->t, x->rank, shape);
    for (int64_t i = 0; i < r.n; i++) set_to(&r, i, i < x->n ? x : y, i < x->n ? i : i - x->n);
    note(p, "concat v%u v%u", number(p, x), number(p, y));
    r.h = bz_concat(((bz_tensor *[]){x->h, y->h}), 2, 0);
    keep(p, r);
}

/* d sum(x * y) / dx = y, and the other way round. Copies that are evaluated do not depend on each other. */
static void gradient(player *p) {
    api_view *x = any(p), *y = partner(p, x, true);
    if (!y || !api_is_float(x->t) || y->rank != x->rank || y->n != x->n || !x->n) return;
    bz_tensor *g[2], *in[2] = {bz_copy(x->h), bz_copy(y->h)};
    note(p, "grad v%u v%u", number(p, x), number(p, y));
    bz_eval(in, 2);
    bz_tensor *f = bz_mul(bz_cast(in[0], BZ_F64), bz_cast(in[1], BZ_F64));
    if (bz_grad(bz_sum(f, NULL, 0, false), in, 2, g)) {
        fault(p, "step %u: grad: %s", p->step, bz_message(p->c));
        return;
    }
    api_view rx = api_new(x->t, x->rank, x->shape), ry = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < x->n; i++) {
        set_to(&rx, i, y, i);
        set_to(&ry, i, x, i);
    }
    rx.h = g[0];
    ry.h = g[1];
    keep(p, rx);
    keep(p, ry);
}

static bool depends(const api_view *x, const double *slopes) {
    bool some = false;
    for (int64_t i = 0; i < x->n; i++) some |= slopes[api_entry_of(x, i)] != 0;
    return some;
}

/* Whole: one that the slopes lead to, if there is one. */
static api_view *some_float(player *p, const double *slopes) {
    for (int i = 0; i < 60; i++) {
        api_view *x = any(p);
        bool whole = !slopes || (x->whole && (i >= 40 || depends(x, slopes)));
        if (api_is_float(x->t) && x->n && whole) return x;
    }
    return NULL;
}

/* The gradient of a weighted sum of x with respect to two tensors: what the tape says, or BZ_EGRAD. */
static void slope(player *p) {
    api_view *x = some_float(p, NULL), *wrt[2] = {NULL, NULL};
    if (!x) return;
    double *w = malloc((size_t)x->n * sizeof *w);
    api_entry *of = malloc((size_t)x->n * sizeof *of);
    for (int64_t i = 0; i < x->n; i++) w[i] = 1 + draw(p, 3), of[i] = api_entry_of(x, i);
    const double *slopes;
    bool smooth = api_tape_slopes(of, w, x->n, &slopes);
    for (int i = 0; i < 2; i++) wrt[i] = some_float(p, slopes);
    free(of);
    if (!wrt[0] || !wrt[1]) {
        free(w);
        return;
    }
    note(p, "slope of v%u for v%u and v%u", number(p, x), number(p, wrt[0]), number(p, wrt[1]));
    bz_tensor *k = bz_from_data(p->c, BZ_F64, w, x->shape, x->rank), *g[2];
    bz_tensor *loss = bz_sum(bz_mul(bz_cast(x->h, BZ_F64), k), NULL, 0, false);
    bz_status s = bz_grad(loss, (bz_tensor *[]){wrt[0]->h, wrt[1]->h}, 2, g);
    for (int i = 0; i < 2; i++)
        if (depends(wrt[i], slopes)) complete[s == BZ_OK]++;
    if (!p->nforeign) p->answers[p->nanswers++] = s;
    if (s && s != BZ_EGRAD) fault(p, "step %u: slope: %s", p->step, bz_message(p->c));
    if (s == BZ_EGRAD) bz_clear(p->c);
    for (int i = 0; i < 2 && !s; i++) {
        api_view r = *wrt[i];
        char *data = malloc((size_t)r.n * 8 + 8);
        if (bz_to_host(g[i], data, (size_t)r.n * bz_dtype_size(r.t)))
            fault(p, "step %u: slope: %s", p->step, bz_message(p->c));
        for (int64_t j = 0; j < r.n && smooth; j++)
            if (api_load(r.t, data, j) != slopes[api_entry_of(&r, j)])
                fault(p, "step %u: d v%u / d v%u [%lld] is %g, not %g", p->step, number(p, x),
                      number(p, wrt[i]), (long long)j, api_load(r.t, data, j),
                      slopes[api_entry_of(&r, j)]);
        free(data);
        bz_release(g[i]);
    }
    free(w);
}

/* ---- compiled functions */

static bz_status swap_body(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                           void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_neg(in[0]);
    out[1] = in[1];
    return BZ_OK;
}

static bz_status update_body(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                             int nout, void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    out[0] = bz_sub(in[0], in[1]);
    out[1] = bz_sum(bz_relu(in[0]), NULL, 0, false);
    return BZ_OK;
}

static bz_status captured_body(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                               int nout, void *user) {
    (void)c, (void)nin, (void)nout;
    out[0] = bz_add(in[0], bz_cast(*(bz_tensor **)user, bz_dtype_of(in[0])));
    return BZ_OK;
}

static void call_update(player *p) {
    api_view *x = any(p), *y = partner(p, x, true);
    if (!y || !x->n || !x->whole || x->t == BZ_F16) return;
    double sum = 0, *v = malloc((size_t)x->n * sizeof *v);
    bool good = true;
    for (int64_t i = 0; i < x->n; i++) {
        v[i] = api_get(x, i) - api_get(y, api_broadcast(y, x->rank, x->shape, i));
        sum += api_get(x, i) > 0 ? api_get(x, i) : 0;
        good = good && v[i] <= LIMIT && v[i] >= -LIMIT;
    }
    if (good && sum < LIMIT) {
        bz_tensor *out[2];
        note(p, "call update v%u v%u", number(p, x), number(p, y));
        if (bz_call(p->update, ((bz_tensor *[]){x->h, y->h}), out))
            fault(p, "step %u: update: %s", p->step, bz_message(p->c));
        api_view s = api_new(api_is_float(x->t) ? x->t : BZ_I64, 0, NULL);
        bool entry = api_compute(&s, 0), kink = false;
        for (int64_t i = 0; i < x->n && entry; i++) {
            api_tape_from(api_entry_of(x, i), api_get(x, i) > 0);
            kink |= api_get(x, i) == 0;
        }
        if (entry && kink) api_tape_kink();
        write_in_place(x, y, 1, v);
        api_view r = api_window(x, x->rank, x->shape);
        memcpy(r.at, x->at, (size_t)r.n * sizeof *r.at);
        r.h = out[0];
        s.store->v[0] = sum;
        s.h = out[1];
        keep(p, r);
        keep(p, s);
    }
    free(v);
}

/* Each input gets what was made of the other one. */
static void call_swap(player *p) {
    api_view *x = any(p), *y = partner(p, x, true);
    if (!y || api_shares(x, y) || y->rank != x->rank || y->n != x->n || !x->n) return;
    if (!x->whole || !y->whole) return;
    for (int a = 0; a < x->rank; a++)
        if (x->shape[a] != y->shape[a]) return;
    bz_tensor *out[2];
    note(p, "call swap v%u v%u", number(p, x), number(p, y));
    if (bz_call(p->swap, ((bz_tensor *[]){x->h, y->h}), out))
        fault(p, "step %u: swap: %s", p->step, bz_message(p->c));
    api_view was = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < x->n; i++) set_to(&was, i, x, i);
    for (int64_t i = 0; i < x->n; i++) {
        set_to(x, i, y, i);
        y->store->v[y->at[i]] = 0 - api_get(&was, i);
        if (api_compute(y, i)) api_tape_from(api_entry_of(&was, i), -1);
    }
    api_free_view(&was);
    api_view r = api_window(y, y->rank, y->shape);
    memcpy(r.at, y->at, (size_t)r.n * sizeof *r.at);
    r.h = out[0];
    bz_release(out[1]);
    keep(p, r);
}

static void call_captured(player *p) {
    api_view *x = any(p);
    bz_tensor *out;
    api_view r = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < r.n; i++) {
        set_to(&r, i, x, i);
        r.store->v[i] += 3;
    }
    if (!small(&r)) {
        api_free_view(&r);
        return;
    }
    note(p, "call captured v%u", number(p, x));
    if (bz_call(p->captured, &x->h, &out)) fault(p, "step %u: %s", p->step, bz_message(p->c));
    r.h = out;
    keep(p, r);
}

/* ---- time and life */

static void evaluate(player *p) {
    bz_tensor *h[3];
    int n = 1 + (int)draw(p, 3);
    for (int i = 0; i < n; i++) h[i] = any(p)->h;
    note(p, "eval of %d", n);
    if (bz_eval(h, n)) fault(p, "step %u: eval: %s", p->step, bz_message(p->c));
}

static void look(player *p) {
    api_view *x = any(p);
    note(p, "to_host v%u", number(p, x));
    check(p, x);
}

static void switch_mode(player *p) {
    bz_mode m = bz_get_mode(p->c) == BZ_LAZY ? BZ_EAGER : BZ_LAZY;
    note(p, "mode %d", (int)m);
    if (bz_set_mode(p->c, m)) fault(p, "step %u: mode: %s", p->step, bz_message(p->c));
}

static void open_scope(player *p) {
    if (p->depth > 2) return;
    note(p, "scope_begin");
    if (bz_scope_begin(p->c)) fault(p, "step %u: %s", p->step, bz_message(p->c));
    p->depth++;
}

static void close_scope(player *p) {
    if (!p->depth) return;
    api_view *x = any(p);
    if (x->scope == p->depth) {
        note(p, "keep v%u", number(p, x));
        bz_keep(x->h);
        x->scope--;
    }
    note(p, "scope_end");
    if (bz_scope_end(p->c)) fault(p, "step %u: %s", p->step, bz_message(p->c));
    for (unsigned k = p->n; k-- > 0;)
        if (p->pool[k].scope == p->depth) drop(p, k);
    p->depth--;
}

static void release(player *p) {
    api_view *x = any(p);
    note(p, "release v%u", number(p, x));
    if (bz_release(x->h)) fault(p, "step %u: release: %s", p->step, bz_message(p->c));
    drop(p, number(p, x));
}

/* What foreign memory holds after a flush is the whole storage, gaps included. */
static void look_at_foreign(player *p) {
    for (unsigned k = 0; k < p->nforeign; k++) {
        const api_store *s = p->foreign[k].store;
        if (bz_flush(p->foreign[k].h)) fault(p, "step %u: flush: %s", p->step, bz_message(p->c));
        for (int64_t i = 0; i < s->n; i++)
            if (api_load(p->foreign[k].t, s->raw, i) != s->v[i])
                fault(p, "step %u: foreign memory %u holds %g at %lld, not %g", p->step, k,
                      api_load(p->foreign[k].t, s->raw, i), (long long)i, s->v[i]);
    }
}

/* ---- a program */

typedef void action(player *p);
static const struct {
    action *run;
    unsigned weight;
} actions[] = {
    {make, 10},       {borrow, 3},        {slice, 10},
    {permute, 6},     {expand, 5},        {pick_row, 6},
    {reshape, 6},     {diagonal, 3},      {compute, 14},
    {change, 16},     {fill, 4},          {convert, 4},
    {reduce, 6},      {product, 5},       {join, 5},
    {gradient, 3},    {slope, 14},        {call_update, 5},
    {call_swap, 4},   {call_captured, 3}, {evaluate, 5},
    {look, 5},        {switch_mode, 1},   {open_scope, 3},
    {close_scope, 3}, {release, 4},       {look_at_foreign, 2},
};

static void one_step(player *p) {
    unsigned total = 0, k;
    p->state = p->bytes ? fuzz_piece(p->bytes, p->nbytes, p->step)
                        : bz_mix(p->seed, p->step * 2654435761u + 1);
    for (unsigned i = 0; i < BZ_LEN(actions); i++) total += actions[i].weight;
    k = draw(p, total);
    unsigned i = 0;
    for (; k >= actions[i].weight; i++) k -= actions[i].weight;
    if (p->n == 0) make(p);
    actions[i].run(p);
    if (bz_context_status(p->c)) fault(p, "step %u: %s", p->step, bz_message(p->c));
}

static void begin(player *p, const bz_options *o) {
    if (bz_open(o, &p->c)) bz_bug("bz_open fails");
    p->bias = bz_full(p->c, NULL, 0, 3, BZ_I32);
    p->swap = bz_compile(p->c, swap_body, NULL,
                         &(bz_compile_options){.nin = 2, .nout = 2, .donate = (int[]){1, 0}});
    p->update = bz_compile(p->c, update_body, NULL,
                           &(bz_compile_options){.nin = 2, .nout = 2, .donate = (int[]){0, -1}});
    p->captured =
        bz_compile(p->c, captured_body, &p->bias, &(bz_compile_options){.nin = 1, .nout = 1});
}

/* Plays what `script` says (seed, left out steps) in a new context; true when a fault was found. */
static bool play(player *script, const bz_options *o) {
    player p = {.seed = script->seed,
                .trace = script->trace,
                .bytes = script->bytes,
                .nbytes = script->nbytes};
    unsigned steps =
        p.bytes && fuzz_pieces(p.nbytes) < STEPS ? (unsigned)fuzz_pieces(p.nbytes) : STEPS;
    memcpy(p.skip, script->skip, sizeof p.skip);
    begin(&p, o);
    for (p.step = 0; p.step < steps && !p.fault[0]; p.step++)
        if (!p.skip[p.step]) one_step(&p);
    for (unsigned k = 0; k < p.n && !p.fault[0]; k++) {
        note(&p, "to_host v%u", k);
        check(&p, &p.pool[k]);
    }
    if (!p.fault[0]) look_at_foreign(&p);
    while (p.n) drop(&p, 0);
    for (unsigned k = 0; k < p.nforeign; k++) api_free_view(&p.foreign[k]);
    bz_close(p.c);
    api_free_stores();
    memcpy(script->fault, p.fault, sizeof p.fault);
    memcpy(script->answers, p.answers, sizeof p.answers);
    script->nanswers = p.nanswers;
    return p.fault[0];
}

static const struct {
    const char *name;
    bz_options o;
} ways[] = {
    {"reference", {.device = BZ_REF}},
    {"lazy", {.device = BZ_CPU, .threads = 2}},
    {"eager", {.device = BZ_CPU, .mode = BZ_EAGER, .threads = 1}},
};

/* Plays it in all ways; true: a fault, with its text, in one of them, or gradients that only some have. */
static bool play_all(player *script) {
    player first = {0};
    for (unsigned w = 0; w < BZ_LEN(ways); w++) {
        player one = *script;
        bool bad = play(&one, &ways[w].o);
        if (!w) first = one;
        for (unsigned i = 0; i < one.nanswers && !bad; i++)
            if (one.answers[i] != first.answers[i])
                bad = true, snprintf(one.fault, sizeof one.fault,
                                     "slope %u gives status %d, in the first way %d", i,
                                     (int)one.answers[i], (int)first.answers[i]);
        if (!bad) continue;
        snprintf(script->fault, sizeof script->fault, "%s: %.500s", ways[w].name, one.fault);
        return true;
    }
    return false;
}

static void report(player *script) {
    printf("fuzz_api: seed %llu, %s\n", (unsigned long long)script->seed, script->fault);
    for (bool again = true; again;) {
        again = false;
        for (unsigned i = 0; i < STEPS; i++) {
            if (script->skip[i]) continue;
            script->skip[i] = true;
            if (play_all(script))
                again = true;
            else
                script->skip[i] = false;
        }
    }
    script->trace = true;
    play_all(script);
    printf("    %s\n", script->fault);
    fflush(stdout);
}

void fuzz_bytes(const uint8_t *p, size_t n) {
    player script = {.bytes = p, .nbytes = n};
    if (!n || !play_all(&script)) return;
    report(&script);
    abort();
}

int fuzz_main(int argc, char **argv) {
    long seconds = argc > 1 ? atol(argv[1]) : 10, count = argc > 3 ? atol(argv[3]) : 1L << 60;
    uint64_t seed = argc > 2 ? strtoull(argv[2], NULL, 0) : (uint64_t)time(NULL) * 1000;
    long runs = 0, faults = 0;
    printf("fuzz_api: seed %llu\n", (unsigned long long)seed);
    for (time_t end = time(NULL) + seconds; time(NULL) < end && runs < count && faults < 5;
         seed++) {
        runs++;
        player script = {.seed = seed, .trace = getenv("FUZZ_TRACE")};
        if (!play_all(&script)) continue;
        report(&script);
        faults++;
    }
    printf("fuzz_api: %ld programs, %ld faults; %ld gradients other than zero, %ld BZ_EGRAD\n",
           runs, faults, complete[1], complete[0]);
    return faults > 0;
}
