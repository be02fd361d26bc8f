/* play_values.c - arithmetic, in-place ops on views, folds, products, joins. */
#include "tests/support/play.h"

#include <stdlib.h>
#include <string.h>

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

double play_apply(unsigned op, double x, double y) {
    switch (op) {
    case 0: return x + y;
    case 1: return x - y;
    case 2: return x * y + 0.0; /* no -0 */
    case 3: return y;
    case 4: return x > y ? x : y;
    default: return x < y ? x : y;
    }
}

/* Entry of play_apply(op, x, y) for the element that api_compute began. */
static void slopes_of(unsigned op, double x, double y, api_entry ex, api_entry ey) {
    api_tape_from(ex, op == 2 ? y : op == 3 ? 0 : op >= 4 ? play_apply(op, x, y) == x : 1);
    api_tape_from(ey, op == 2 ? x : op == 1 ? -1 : op >= 4 ? play_apply(op, x, y) != x : 1);
    if (op >= 4 && x == y) api_tape_kink();
}

void play_compute(player *p) {
    api_view *x = play_any(p), *y = play_partner(p, x, true);
    unsigned op = play_draw(p, BZ_LEN(binaries));
    if (!y || !binaries[op].call) return;
    api_view r = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < r.n; i++) {
        int64_t k = api_broadcast(y, x->rank, x->shape, i);
        r.store->v[i] = play_apply(op, api_get(x, i), api_get(y, k));
        if (api_compute(&r, i))
            slopes_of(op, api_get(x, i), api_get(y, k), api_entry_of(x, i), api_entry_of(y, k));
    }
    if (!play_holds(&r)) return;
    play_note(p, "%s v%u v%u", binaries[op].name, play_number(p, x), play_number(p, y));
    r.h = binaries[op].call(x->h, y->h, BZ_SITE);
    play_keep(p, r);
}

void play_write_in_place(api_view *x, const api_view *y, unsigned op, const double *v) {
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

void play_change(player *p) {
    api_view *x = play_any(p), *y = play_partner(p, x, play_chance(p, 80));
    unsigned op = play_draw(p, 4);
    if (!y || (!binaries[op].in_place)) return;
    double *v = malloc((size_t)x->n * sizeof *v + 8);
    bool good = true;
    for (int64_t i = 0; i < x->n; i++) {
        v[i] = play_apply(op, api_get(x, i), api_get(y, api_broadcast(y, x->rank, x->shape, i)));
        good = good && v[i] <= PLAY_LIMIT && v[i] >= -PLAY_LIMIT;
    }
    bool twice = api_overlaps(x);
    if (good) {
        play_note(p, "%s_ v%u v%u", binaries[op].name, play_number(p, x), play_number(p, y));
        bz_tensor *h = binaries[op].in_place(x->h, y->h, BZ_SITE);
        bz_status s = bz_context_status(p->c);
        if (s != (twice ? BZ_EARG : BZ_OK))
            play_fault(p, "step %u: in place gives %d '%s'", p->step, (int)s, bz_message(p->c));
        else if (!twice && h != x->h)
            play_fault(p, "step %u: in place gives another handle", p->step);
        bz_clear(p->c);
        if (!twice) play_write_in_place(x, y, op, v);
    }
    free(v);
}

void play_fill(player *p) {
    api_view *x = play_any(p);
    double v = (double)play_draw(p, 9) - 4;
    if (api_overlaps(x)) return;
    play_note(p, "fill_ v%u %g", play_number(p, x), v);
    if (bz_fill_(x->h, v) != x->h) play_fault(p, "step %u: fill_: %s", p->step, bz_message(p->c));
    if (x->n) api_renew(x);
    for (int64_t i = 0; i < x->n; i++) {
        x->store->v[x->at[i]] = v;
        api_compute(x, i);
    }
}

void play_convert(player *p) {
    static const bz_dtype types[] = {BZ_F32, BZ_I32, BZ_F64, BZ_I64, BZ_F16};
    api_view *x = play_any(p);
    api_view r = api_new(types[play_draw(p, BZ_LEN(types))], x->rank, x->shape);
    for (int64_t i = 0; i < r.n; i++) play_set_to(&r, i, x, i);
    play_note(p, "cast v%u %s", play_number(p, x), bz_dtype_name(r.t));
    r.h = bz_cast(x->h, r.t);
    play_keep(p, r);
}

void play_reduce(player *p) {
    api_view *x = play_any(p);
    int64_t shape[API_RANK], index[API_RANK], own[API_RANK];
    if (!x->rank || !x->n) return;
    int axis = (int)play_draw(p, (uint32_t)x->rank);
    bool sum = play_chance(p, 50);
    for (int a = 0; a < x->rank; a++) shape[a] = a == axis ? 1 : x->shape[a];
    api_view r = api_new(sum && !api_is_float(x->t) ? BZ_I64 : x->t, x->rank, shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, r.rank, shape, index);
        memcpy(own, index, sizeof own);
        r.store->v[i] = sum ? 0 : -2 * PLAY_LIMIT;
        for (own[axis] = 0; own[axis] < x->shape[axis]; own[axis]++)
            r.store->v[i] = play_apply(sum ? 0 : 4, r.store->v[i],
                                       api_get(x, api_ravel(x->rank, x->shape, own)));
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
    if (!play_holds(&r)) return;
    play_note(p, "%s v%u axis %d", sum ? "sum" : "max", play_number(p, x), axis);
    r.h = sum ? bz_sum(x->h, &axis, 1, true) : bz_max(x->h, &axis, 1, true);
    play_keep(p, r);
}

void play_product(player *p) {
    api_view *x = play_any(p), *y = play_any(p);
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
    if (!play_holds(&r)) return;
    play_note(p, "matmul v%u v%u", play_number(p, x), play_number(p, y));
    r.h = bz_matmul(x->h, y->h);
    play_keep(p, r);
}

void play_join(player *p) {
    api_view *x = play_any(p), *y = play_any(p);
    if (!x->rank || x->rank != y->rank || x->t != y->t || x->n + y->n > API_NUMEL) return;
    int64_t shape[API_RANK];
    for (int a = 0; a < x->rank; a++) {
        shape[a] = x->shape[a] + (a == 0 ? y->shape[0] : 0);
        if (a && x->shape[a] != y->shape[a]) return;
    }
    api_view r = api_new(x->t, x->rank, shape);
    for (int64_t i = 0; i < r.n; i++) play_set_to(&r, i, i < x->n ? x : y, i < x->n ? i : i - x->n);
    play_note(p, "concat v%u v%u", play_number(p, x), play_number(p, y));
    r.h = bz_concat(((bz_tensor *[]){x->h, y->h}), 2, 0);
    play_keep(p, r);
}
