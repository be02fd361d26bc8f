/* play_grads.c - gradients against the tape of elements: of losses, of results with seeds, through stops and through gradients of
 * the program's own. */
#include "tests/support/play.h"

#include <stdlib.h>

/* d sum(x * y) / dx = y, and the other way round. Copies that are evaluated do not depend on each other. */
void play_gradient(player *p) {
    api_view *x = play_any(p), *y = play_partner(p, x, true);
    if (!y || !api_is_float(x->t) || y->rank != x->rank || y->n != x->n || !x->n) return;
    bz_tensor *g[2], *in[2] = {bz_copy(x->h), bz_copy(y->h)};
    play_note(p, "grad v%u v%u", play_number(p, x), play_number(p, y));
    bz_eval(in, 2);
    bz_tensor *f = bz_mul(bz_cast(in[0], BZ_F64), bz_cast(in[1], BZ_F64));
    if (bz_grad(bz_sum(f, NULL, 0, false), in, 2, g)) {
        play_fault(p, "step %u: grad: %s", p->step, bz_message(p->c));
        return;
    }
    api_view rx = api_new(x->t, x->rank, x->shape), ry = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < x->n; i++) {
        play_set_to(&rx, i, y, i);
        play_set_to(&ry, i, x, i);
    }
    rx.h = g[0];
    ry.h = g[1];
    play_keep(p, rx);
    play_keep(p, ry);
}

static bool depends(const api_view *x, const double *slopes) {
    bool some = false;
    for (int64_t i = 0; i < x->n; i++) some |= slopes[api_entry_of(x, i)] != 0;
    return some;
}

/* Whole: one that the slopes lead to, if there is one. */
static api_view *some_float(player *p, const double *slopes) {
    for (int i = 0; i < 60; i++) {
        api_view *x = play_any(p);
        bool whole = !slopes || (x->whole && (i >= 40 || depends(x, slopes)));
        if (api_is_float(x->t) && x->n && whole) return x;
    }
    return NULL;
}

/* What is differentiated: y[0], or y[0] and y[1], each element with its weight. */
typedef struct pulled {
    const api_view *y[2];
    int ny;
    int64_t n; /* elements of all */
    double *w;
    api_entry *of;
} pulled;

static pulled some_results(player *p) {
    pulled q = {.ny = 1 + play_chance(p, 15)};
    for (int k = 0; k < q.ny; k++) {
        q.y[k] = some_float(p, NULL);
        if (!q.y[k]) return (pulled){.ny = 0};
        q.n += q.y[k]->n;
    }
    q.w = malloc((size_t)q.n * sizeof *q.w);
    q.of = malloc((size_t)q.n * sizeof *q.of);
    for (int64_t k = 0, at = 0; k < q.ny; k++)
        for (int64_t i = 0; i < q.y[k]->n; i++, at++) {
            q.w[at] = 1 + play_draw(p, 3);
            q.of[at] = api_entry_of(q.y[k], i);
        }
    return q;
}

static bz_tensor *weights(player *p, const api_view *y, bz_dtype t, const double *w) {
    char *data = malloc((size_t)y->n * 8 + 8);
    for (int64_t i = 0; i < y->n; i++) api_save(t, data, i, w[i]);
    bz_tensor *k = bz_from_data(p->c, t, data, y->shape, y->rank);
    free(data);
    return k;
}

/* Of the weighted sum by bz_grad, or of the results with their weights as seeds by bz_vjp. */
static bz_status differentiate(player *p, const pulled *q, bz_tensor *const *wrt, bz_tensor **g) {
    if (q->ny == 1 && play_chance(p, 60)) {
        bz_tensor *k = weights(p, q->y[0], BZ_F64, q->w);
        bz_tensor *loss = bz_sum(bz_mul(bz_cast(q->y[0]->h, BZ_F64), k), NULL, 0, false);
        return bz_grad(loss, wrt, 2, g);
    }
    bz_tensor *y[2], *seed[2];
    const double *w = q->w;
    for (int k = 0; k < q->ny; w += q->y[k++]->n) {
        y[k] = q->y[k]->h;
        seed[k] = q->y[k]->rank || *w != 1 ? weights(p, q->y[k], q->y[k]->t, w) : NULL;
    }
    return bz_vjp(y, seed, q->ny, wrt, 2, g);
}

static void check_slopes(player *p, const pulled *q, const api_view *x, bz_tensor *g, bool smooth,
                         const double *slopes) {
    char *data = malloc((size_t)x->n * 8 + 8);
    if (bz_to_host(g, data, (size_t)x->n * bz_dtype_size(x->t)))
        play_fault(p, "step %u: slope: %s", p->step, bz_message(p->c));
    for (int64_t j = 0; j < x->n && smooth; j++)
        if (api_load(x->t, data, j) != slopes[api_entry_of(x, j)])
            play_fault(p, "step %u: d v%u / d v%u [%lld] is %g, not %g", p->step,
                       play_number(p, q->y[0]), play_number(p, x), (long long)j,
                       api_load(x->t, data, j), slopes[api_entry_of(x, j)]);
    free(data);
    bz_release(g);
}

static void slopes_for(player *p, const pulled *q) {
    const double *slopes;
    const api_view *wrt[2];
    bz_tensor *g[2];
    bool smooth = api_tape_slopes(q->of, q->w, q->n, &slopes);
    for (int i = 0; i < 2; i++) wrt[i] = some_float(p, slopes);
    if (!wrt[0] || !wrt[1]) return;
    play_note(p, "slope of v%u (of %d) for v%u and v%u", play_number(p, q->y[0]), q->ny,
              play_number(p, wrt[0]), play_number(p, wrt[1]));
    bz_status s = differentiate(p, q, (bz_tensor *[]){wrt[0]->h, wrt[1]->h}, g);
    for (int i = 0; i < 2; i++)
        if (depends(wrt[i], slopes)) p->complete[s == BZ_OK]++;
    if (!p->nforeign) p->answers[p->nanswers++] = (play_answer){.status = s};
    if (s && s != BZ_EGRAD) play_fault(p, "step %u: slope: %s", p->step, bz_message(p->c));
    if (s == BZ_EGRAD) bz_clear(p->c);
    for (int i = 0; i < 2 && !s; i++) check_slopes(p, q, wrt[i], g[i], smooth, slopes);
}

/* The gradient of weighted sums with respect to two tensors: what the tape says, or BZ_EGRAD. */
void play_slope(player *p) {
    pulled q = some_results(p);
    if (q.ny) slopes_for(p, &q);
    free(q.w);
    free(q.of);
}

/* The same value, which depends on nothing. */
void play_stop(player *p) {
    const api_view *x = play_any(p);
    api_view r = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < r.n; i++) r.store->v[i] = api_get(x, i);
    play_note(p, "stop_gradient v%u", play_number(p, x));
    r.h = bz_stop_gradient(x->h);
    play_keep(p, r);
}

/* ---- a gradient of one's own, which is not the slope */

static bz_status own_forward(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                             int nout, void *user) {
    (void)c, (void)nin, (void)nout;
    const play_own *o = user;
    out[0] = bz_sub(bz_mul(in[0], in[1]), in[0]);
    if (o && o->beside) out[0] = bz_add(out[0], o->beside);
    return BZ_OK;
}

static bz_status own_backward(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                              int nout, void *user) {
    (void)c, (void)nin, (void)nout;
    const play_own *o = user;
    out[0] = bz_add(in[3], in[3]);
    out[1] = o && o->none ? NULL : bz_mul(in[3], in[0]);
    return BZ_OK;
}

bz_status play_own_slope(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                         void *user) {
    return bz_custom_grad(c, own_forward, own_backward, user, in, nin, out, nout);
}

api_view play_own_slope_model(const api_view *x, const api_view *y, bool none,
                              const api_view *beside) {
    api_view r = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < r.n; i++) {
        r.store->v[i] = api_get(x, i) * api_get(y, i) + 0.0 - api_get(x, i);
        if (beside) r.store->v[i] += api_get(beside, i);
        api_compute(&r, i);
        api_tape_from(api_entry_of(x, i), 2);
        api_tape_from(api_entry_of(y, i), none ? 0 : api_get(x, i));
        if (beside) api_tape_from(api_entry_of(beside, i), 1);
    }
    return r;
}

/* Through what lies beside there is a way, which is BZ_EGRAD. */
void play_custom(player *p) {
    const api_view *x = play_any(p), *y = play_twin(p, x), *z = NULL;
    if (!y) return;
    if (play_chance(p, 25)) z = play_twin(p, x);
    play_own own = {play_chance(p, 25), z ? z->h : NULL};
    api_view r = play_own_slope_model(x, y, own.none, z);
    if (!play_holds(&r)) return;
    play_note(p, "custom v%u v%u%s%s", play_number(p, x), play_number(p, y),
              own.none ? ", no gradient for the second" : "", z ? ", with another beside" : "");
    if (play_own_slope(p->c, (bz_tensor *[]){x->h, y->h}, 2, &r.h, 1, &own))
        play_fault(p, "step %u: custom: %s", p->step, bz_message(p->c));
    play_keep(p, r);
}
