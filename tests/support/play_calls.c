/* play_calls.c - compiled functions that donate, capture, and differentiate inside. */
#include "tests/support/play.h"

#include <stdlib.h>
#include <string.h>

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

static bz_status own_slope_body(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out,
                                int nout, void *user) {
    (void)user;
    return play_own_slope(c, in, nin, out, nout, NULL);
}

/* 2 x w, by a product with w as seed. */
static bz_status pull_body(bz_context *c, bz_tensor *const *in, int nin, bz_tensor **out, int nout,
                           void *user) {
    (void)c, (void)nin, (void)nout, (void)user;
    bz_tensor *y = bz_square(in[0]);
    return bz_vjp(&y, &in[1], 1, in, 1, out);
}

void play_compile(player *p) {
    const struct {
        bz_function *body;
        bz_compile_options o;
    } bodies[PLAY_PROGRAMS] = {
        [PLAY_SWAP] = {swap_body, {.nin = 2, .nout = 2, .donate = (const int[]){1, 0}}},
        [PLAY_UPDATE] = {update_body, {.nin = 2, .nout = 2, .donate = (const int[]){0, -1}}},
        [PLAY_CAPTURED] = {captured_body, {.nin = 1, .nout = 1}},
        [PLAY_OWN_SLOPE] = {own_slope_body, {.nin = 2, .nout = 1}},
        [PLAY_PULL] = {pull_body, {.nin = 2, .nout = 1}},
    };
    for (unsigned k = 0; k < PLAY_PROGRAMS; k++)
        p->program[k] = bz_compile(p->c, bodies[k].body, &p->bias, &bodies[k].o);
}

void play_call_update(player *p) {
    api_view *x = play_any(p), *y = play_partner(p, x, true);
    if (!y || !x->n || !x->whole || x->t == BZ_F16) return;
    double sum = 0, *v = malloc((size_t)x->n * sizeof *v);
    bool good = true;
    for (int64_t i = 0; i < x->n; i++) {
        v[i] = api_get(x, i) - api_get(y, api_broadcast(y, x->rank, x->shape, i));
        sum += api_get(x, i) > 0 ? api_get(x, i) : 0;
        good = good && v[i] <= PLAY_LIMIT && v[i] >= -PLAY_LIMIT;
    }
    if (good && sum < PLAY_LIMIT) {
        bz_tensor *out[2];
        play_note(p, "call update v%u v%u", play_number(p, x), play_number(p, y));
        if (bz_call(p->program[PLAY_UPDATE], ((bz_tensor *[]){x->h, y->h}), out))
            play_fault(p, "step %u: update: %s", p->step, bz_message(p->c));
        api_view s = api_new(api_is_float(x->t) ? x->t : BZ_I64, 0, NULL);
        bool entry = api_compute(&s, 0), kink = false;
        for (int64_t i = 0; i < x->n && entry; i++) {
            api_tape_from(api_entry_of(x, i), api_get(x, i) > 0);
            kink |= api_get(x, i) == 0;
        }
        if (entry && kink) api_tape_kink();
        play_write_in_place(x, y, 1, v);
        api_view r = api_window(x, x->rank, x->shape);
        memcpy(r.at, x->at, (size_t)r.n * sizeof *r.at);
        r.h = out[0];
        s.store->v[0] = sum;
        s.h = out[1];
        play_keep(p, r);
        play_keep(p, s);
    }
    free(v);
}

/* Each input gets what was made of the other one. */
void play_call_swap(player *p) {
    api_view *x = play_any(p), *y = play_partner(p, x, true);
    if (!y || api_shares(x, y) || y->rank != x->rank || y->n != x->n || !x->n) return;
    if (!x->whole || !y->whole) return;
    for (int a = 0; a < x->rank; a++)
        if (x->shape[a] != y->shape[a]) return;
    bz_tensor *out[2];
    play_note(p, "call swap v%u v%u", play_number(p, x), play_number(p, y));
    if (bz_call(p->program[PLAY_SWAP], ((bz_tensor *[]){x->h, y->h}), out))
        play_fault(p, "step %u: swap: %s", p->step, bz_message(p->c));
    api_view was = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < x->n; i++) play_set_to(&was, i, x, i);
    for (int64_t i = 0; i < x->n; i++) {
        play_set_to(x, i, y, i);
        y->store->v[y->at[i]] = 0 - api_get(&was, i);
        if (api_compute(y, i)) api_tape_from(api_entry_of(&was, i), -1);
    }
    api_free_view(&was);
    api_view r = api_window(y, y->rank, y->shape);
    memcpy(r.at, y->at, (size_t)r.n * sizeof *r.at);
    r.h = out[0];
    bz_release(out[1]);
    play_keep(p, r);
}

void play_call_captured(player *p) {
    api_view *x = play_any(p);
    bz_tensor *out;
    api_view r = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < r.n; i++) {
        play_set_to(&r, i, x, i);
        r.store->v[i] += 3;
    }
    if (!play_holds(&r)) return;
    play_note(p, "call captured v%u", play_number(p, x));
    if (bz_call(p->program[PLAY_CAPTURED], &x->h, &out))
        play_fault(p, "step %u: %s", p->step, bz_message(p->c));
    r.h = out;
    play_keep(p, r);
}

void play_call_own_slope(player *p) {
    api_view *x = play_any(p), *y = play_twin(p, x);
    if (!y) return;
    api_view r = play_own_slope_model(x, y, false, NULL);
    if (!play_holds(&r)) return;
    play_note(p, "call own slope v%u v%u", play_number(p, x), play_number(p, y));
    if (bz_call(p->program[PLAY_OWN_SLOPE], ((bz_tensor *[]){x->h, y->h}), &r.h))
        play_fault(p, "step %u: own slope: %s", p->step, bz_message(p->c));
    play_keep(p, r);
}

void play_call_pull(player *p) {
    api_view *x = play_any(p), *w = play_twin(p, x);
    if (!w) return;
    api_view r = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < r.n; i++) {
        r.store->v[i] = 2 * api_get(x, i) * api_get(w, i) + 0.0; /* no -0 */
        api_compute(&r, i);
        api_tape_from(api_entry_of(x, i), 2 * api_get(w, i));
        api_tape_from(api_entry_of(w, i), 2 * api_get(x, i));
    }
    if (!play_holds(&r)) return;
    play_note(p, "call pull v%u v%u", play_number(p, x), play_number(p, w));
    if (bz_call(p->program[PLAY_PULL], ((bz_tensor *[]){x->h, w->h}), &r.h))
        play_fault(p, "step %u: pull: %s", p->step, bz_message(p->c));
    play_keep(p, r);
}
