/* play_moves.c - views that are made by going down nodes: parts of an axis, axes moved and taken apart; and what is turned round
 * into memory of its own; rows at indices, read and written. */
#include "tests/support/play.h"

#include <stdlib.h>
#include <string.h>

enum { PARTS = 20 };

/* One part of x: n elements of an axis from `first` on; gone: the axis vanishes. */
static api_view part_of(const api_view *x, int axis, int64_t first, int64_t n, bool gone) {
    int64_t shape[API_RANK], index[API_RANK], own[API_RANK];
    int rank = 0;
    for (int a = 0; a < x->rank; a++)
        if (a != axis || !gone) shape[rank++] = a == axis ? n : x->shape[a];
    api_view r = api_window(x, rank, shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, rank, shape, index);
        for (int a = 0, k = 0; a < x->rank; a++) {
            int64_t here = a == axis && gone ? 0 : index[k++];
            own[a] = here + (a == axis ? first : 0);
        }
        r.at[i] = x->at[api_ravel(x->rank, x->shape, own)];
    }
    return r;
}

/* Keeps up to two of the parts, which begin at start[0 .. n]. */
static void keep_parts(player *p, api_view x, int axis, const int64_t *start, int n, bool gone,
                       bz_tensor **made, int got) {
    if (got != n) play_fault(p, "step %u: %d parts, not %d", p->step, got, n);
    int first = n ? (int)play_draw(p, (uint32_t)n) : 0, kept = 0;
    api_view r[2]; /* what is kept may take x's place */
    for (int k = 0; k < n && got == n; k++) {
        if (k != first && k != first + 1) {
            bz_release(made[k]);
            continue;
        }
        r[kept] = part_of(&x, axis, start[k], start[k + 1] - start[k], gone);
        r[kept++].h = made[k];
    }
    for (int k = 0; k < kept; k++) play_keep(p, r[k]);
}

/* split, tensor_split, unbind */
void play_split(player *p) {
    api_view x = *play_any(p);
    bz_tensor *made[PARTS];
    int64_t start[PARTS + 1] = {0}, cuts[2];
    if (!x.rank) return;
    int axis = (int)play_draw(p, (uint32_t)x.rank), n = 0, got;
    int64_t all = x.shape[axis], size = 1 + play_draw(p, 5);
    if (all == 0 || all > PARTS) return;
    switch (play_draw(p, 3)) {
    case 0:
        for (; start[n] < all; n++) start[n + 1] = start[n] + size < all ? start[n] + size : all;
        play_note(p, "split axis %d by %d", axis, (int)size);
        got = bz_split(x.h, size, NULL, 0, axis, made, PARTS);
        keep_parts(p, x, axis, start, n, false, made, got);
        return;
    case 1:
        cuts[0] = play_draw(p, (uint32_t)all + 1);
        cuts[1] = cuts[0] + play_draw(p, (uint32_t)(all - cuts[0]) + 1);
        start[1] = cuts[0], start[2] = cuts[1], start[3] = all;
        play_note(p, "tensor_split axis %d at %d %d", axis, (int)cuts[0], (int)cuts[1]);
        got = bz_tensor_split(x.h, 0, cuts, 2, axis - x.rank, made, PARTS);
        keep_parts(p, x, axis, start, 3, false, made, got);
        return;
    default:
        for (; n < all; n++) start[n + 1] = n + 1;
        play_note(p, "unbind axis %d", axis);
        got = bz_unbind(x.h, axis, made, PARTS);
        keep_parts(p, x, axis, start, n, true, made, got);
    }
}

/* movedim of one axis */
void play_movedim(player *p) {
    api_view *x = play_any(p);
    int64_t shape[API_RANK], index[API_RANK], own[API_RANK];
    int perm[API_RANK], n = 0;
    if (!x->rank) return;
    int from = (int)play_draw(p, (uint32_t)x->rank), to = (int)play_draw(p, (uint32_t)x->rank);
    for (int a = 0; a < x->rank; a++) {
        if (n == to) perm[n++] = from;
        if (a != from) perm[n++] = a;
    }
    if (n == to) perm[n++] = from;
    for (int a = 0; a < x->rank; a++) shape[a] = x->shape[perm[a]];
    api_view r = api_window(x, x->rank, shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, r.rank, shape, index);
        for (int a = 0; a < r.rank; a++) own[perm[a]] = index[a];
        r.at[i] = x->at[api_ravel(x->rank, x->shape, own)];
    }
    play_note(p, "movedim v%u %d to %d", play_number(p, x), from, to);
    r.h = bz_movedim(x->h, &from, &to, 1);
    play_keep(p, r);
}

/* One axis into two: always a view. */
void play_unflatten(player *p) {
    api_view *x = play_any(p);
    int64_t shape[API_RANK], sizes[2];
    if (!x->rank || x->rank == API_RANK) return;
    int axis = (int)play_draw(p, (uint32_t)x->rank), rank = 0;
    int64_t all = x->shape[axis], f = 1 + play_draw(p, 4);
    while (all % f) f--;
    sizes[0] = all / f, sizes[1] = f;
    for (int a = 0; a < x->rank; a++) {
        shape[rank++] = a == axis ? sizes[0] : x->shape[a];
        if (a == axis) shape[rank++] = sizes[1];
    }
    api_view r = api_window(x, rank, shape);
    for (int64_t i = 0; i < r.n; i++) r.at[i] = x->at[i];
    play_note(p, "unflatten v%u axis %d by %d", play_number(p, x), axis, (int)f);
    if (play_chance(p, 50)) sizes[0] = -1;
    r.h = bz_unflatten(x->h, axis, sizes, 2);
    play_keep(p, r);
}

/* New memory: rolled along an axis. */
void play_roll(player *p) {
    api_view *x = play_any(p);
    int64_t index[API_RANK];
    if (!x->rank) return;
    int axis = (int)play_draw(p, (uint32_t)x->rank);
    int64_t n = x->shape[axis], by = (int64_t)play_draw(p, 9) - 4;
    api_view r = api_new(x->t, x->rank, x->shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, r.rank, r.shape, index);
        index[axis] = ((index[axis] - by) % n + n) % n;
        play_set_to(&r, i, x, api_ravel(x->rank, x->shape, index));
    }
    play_note(p, "roll v%u axis %d by %d", play_number(p, x), axis, (int)by);
    r.h = bz_roll(x->h, &by, &axis, 1);
    play_keep(p, r);
}

/* ---- rows at indices */

typedef struct pick {
    int axis, n;
    int64_t at[5], given[5]; /* from 0; as they are written */
    char text[4 * API_RANK + 4];
    bz_tensor *index;
} pick;

/* Some indices of an axis of x, counted from either end, some twice; false: x has none. */
static bool draw_pick(player *p, const api_view *x, pick *k) {
    if (!x->rank) return false;
    *k = (pick){.axis = (int)play_draw(p, (uint32_t)x->rank), .n = 1 + (int)play_draw(p, 4)};
    int64_t all = x->shape[k->axis];
    if (!all) return false;
    for (int i = 0; i < k->n; i++) {
        k->at[i] = play_draw(p, (uint32_t)all);
        k->given[i] = play_chance(p, 50) ? k->at[i] : k->at[i] - all;
    }
    for (int a = 0; a < k->axis; a++) strcat(k->text, ":, ");
    strcat(k->text, play_chance(p, 50) ? "@" : "@, ...");
    k->index = bz_from_data(p->c, BZ_I64, k->given, BZ_SHAPE(k->n));
    return true;
}

void play_get_rows(player *p) {
    api_view *x = play_any(p);
    int64_t shape[API_RANK], index[API_RANK];
    pick k;
    if (!draw_pick(p, x, &k)) return;
    for (int a = 0; a < x->rank; a++) shape[a] = a == k.axis ? k.n : x->shape[a];
    api_view r = api_new(x->t, x->rank, shape);
    for (int64_t i = 0; i < r.n; i++) {
        api_unravel(i, r.rank, shape, index);
        index[k.axis] = k.at[index[k.axis]];
        play_set_to(&r, i, x, api_ravel(x->rank, x->shape, index));
    }
    play_note(p, "at_get v%u \"%s\", %d rows", play_number(p, x), k.text, k.n);
    r.h = bz_at_get(x->h, &k.index, 1, k.text);
    bz_release(k.index);
    play_keep(p, r);
}

/* A number put into rows, or added to them as often as they are named. */
void play_put_rows(player *p) {
    api_view *x = play_any(p);
    int64_t index[API_RANK];
    double v = (double)play_draw(p, 7) - 3, *was = malloc((size_t)x->n * sizeof *was + 8);
    api_entry *entry = malloc((size_t)x->n * sizeof *entry + 8);
    bool adds = play_chance(p, 50), good = x->n > 0 && !api_overlaps(x);
    pick k;
    for (int64_t i = 0; i < x->n && good; i++) {
        was[i] = api_get(x, i);
        entry[i] = api_entry_of(x, i);
        good = was[i] <= PLAY_LIMIT - 20 && was[i] >= 20 - PLAY_LIMIT;
    }
    if (!good || !draw_pick(p, x, &k)) {
        free(was);
        free(entry);
        return;
    }
    play_note(p, "%s v%u \"%s\", %d rows, %g", adds ? "at_add_" : "at_set_", play_number(p, x),
              k.text, k.n, v);
    bz_tensor *h =
        adds ? bz_at_add_(x->h, &k.index, 1, k.text, v) : bz_at_set_(x->h, &k.index, 1, k.text, v);
    bz_release(k.index);
    if (h != x->h) play_fault(p, "step %u: rows: %s", p->step, bz_message(p->c));
    api_renew(x);
    for (int64_t i = 0; i < x->n; i++) {
        api_unravel(i, x->rank, x->shape, index);
        int named = 0;
        for (int j = 0; j < k.n; j++) named += k.at[j] == index[k.axis];
        x->store->v[x->at[i]] = adds ? was[i] + named * v : named ? v : was[i];
        if (api_compute(x, i) && (adds || !named)) api_tape_from(entry[i], 1);
    }
    free(was);
    free(entry);
}
