/* play.c - see play.h. */
#include "tests/support/play.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

uint32_t play_draw(player *p, uint32_t below) {
    p->state = bz_mix(p->state, 0xa91);
    return (uint32_t)(p->state >> 24) % below;
}

bool play_chance(player *p, unsigned percent) {
    return play_draw(p, 100) < percent;
}

void play_note(const player *p, const char *fmt, ...) {
    if (!p->trace) return;
    va_list a;
    va_start(a, fmt);
    printf("    step %2u: ", p->step);
    vprintf(fmt, a);
    va_end(a);
    printf("\n");
    fflush(stdout);
}

void play_fault(player *p, const char *fmt, ...) {
    if (p->fault[0]) return;
    va_list a;
    va_start(a, fmt);
    vsnprintf(p->fault, sizeof p->fault, fmt, a);
    va_end(a);
}

/* ---- what the library says, beside what the model says */

void play_check(player *p, const api_view *x) {
    char *data = malloc((size_t)x->n * 8 + 8);
    bz_status s = bz_to_host(x->h, data, (size_t)x->n * bz_dtype_size(x->t));
    if (s) play_fault(p, "step %u: to_host: %s", p->step, bz_message(p->c));
    for (int64_t i = 0; i < x->n && !s; i++)
        if (api_load(x->t, data, i) != api_get(x, i)) {
            play_fault(p, "step %u: element %lld is %g, not %g", p->step, (long long)i,
                       api_load(x->t, data, i), api_get(x, i));
            break;
        }
    free(data);
}

void play_drop(player *p, unsigned k) {
    api_free_view(&p->pool[k]);
    p->pool[k] = p->pool[--p->n];
}

void play_keep(player *p, api_view x) {
    bool same = x.h && bz_ndim(x.h) == x.rank && bz_dtype_of(x.h) == x.t;
    for (int i = 0; same && i < x.rank; i++) same = bz_shape(x.h)[i] == x.shape[i];
    if (!same) play_fault(p, "step %u: wrong shape or dtype: %s", p->step, bz_message(p->c));
    x.scope = p->depth;
    if (p->n == API_VIEWS) {
        unsigned k = play_draw(p, API_VIEWS);
        if (bz_release(p->pool[k].h))
            play_fault(p, "step %u: release: %s", p->step, bz_message(p->c));
        play_drop(p, k);
    }
    p->pool[p->n++] = x;
    play_note(p, "  gives v%u", p->n - 1);
}

api_view *play_any(player *p) {
    return &p->pool[play_chance(p, 50) && p->n > 4 ? p->n - 1 - play_draw(p, 4)
                                                   : play_draw(p, p->n)];
}

unsigned play_number(const player *p, const api_view *x) {
    return (unsigned)(x - p->pool);
}

static bool small(const api_view *x) {
    for (int64_t i = 0; i < x->n; i++)
        if (api_get(x, i) > PLAY_LIMIT || api_get(x, i) < -PLAY_LIMIT) return false;
    return true;
}

void play_set_to(api_view *r, int64_t i, const api_view *x, int64_t k) {
    r->store->v[r->at[i]] = api_get(x, k);
    if (api_compute(r, i)) api_tape_from(api_entry_of(x, k), 1);
}

bool play_holds(api_view *r) {
    if (small(r)) return true;
    api_free_view(r);
    return false;
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

api_view *play_partner(player *p, const api_view *x, bool same_dtype) {
    for (unsigned i = 0; i < 12; i++) {
        api_view *y = &p->pool[play_draw(p, p->n)];
        if (fits(y, x) && (!same_dtype || y->t == x->t)) return y;
    }
    return NULL;
}

api_view *play_twin(player *p, const api_view *x) {
    api_view *y = play_partner(p, x, true);
    bool same = y && api_is_float(x->t) && x->n && y->rank == x->rank;
    for (int a = 0; same && a < x->rank; a++) same = y->shape[a] == x->shape[a];
    return same ? y : NULL;
}
