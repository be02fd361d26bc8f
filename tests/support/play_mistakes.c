/* play_mistakes.c - calls that are refused: the same status and words in every way to run, and nothing else changes. */
#include "tests/support/play.h"

#include <stdio.h>
#include <string.h>

/* The tensor that a wrong call gives, or NULL when x is right for it. */
typedef bz_tensor *mistake(player *p, const api_view *x);

static bz_tensor *no_broadcast(player *p, const api_view *x) {
    int64_t shape[API_RANK];
    if (!x->rank || x->shape[x->rank - 1] < 2) return NULL;
    for (int a = 0; a < x->rank; a++) shape[a] = x->shape[a];
    shape[x->rank - 1]++;
    play_note(p, "wrong: add v%u and something larger", play_number(p, x));
    return bz_add(x->h, bz_full(p->c, shape, x->rank, 1, x->t));
}

static bz_tensor *other_count(player *p, const api_view *x) {
    play_note(p, "wrong: reshape v%u to one element more", play_number(p, x));
    return bz_reshape(x->h, (const int64_t[]){x->n + 1}, 1);
}

static bz_tensor *no_row(player *p, const api_view *x) {
    if (!x->rank) return NULL;
    int axis = (int)play_draw(p, (uint32_t)x->rank);
    int64_t n = x->shape[axis];
    play_note(p, "wrong: a row of v%u that is not there", play_number(p, x));
    return bz_select(x->h, axis, play_chance(p, 50) ? n : -n - 1);
}

static bz_tensor *no_axis(player *p, const api_view *x) {
    play_note(p, "wrong: sum of v%u over an axis that is not there", play_number(p, x));
    return bz_sum(x->h, &(const int){x->rank + 1}, 1, false);
}

static bz_tensor *no_product(player *p, const api_view *x) {
    if (x->rank != 2 || x->shape[0] == x->shape[1]) return NULL;
    play_note(p, "wrong: v%u times itself", play_number(p, x));
    return bz_matmul(x->h, x->h);
}

/* What only the elements say: op by op at once, else when the value is computed, beside what else is. */
static bz_tensor *no_such_index(player *p, const api_view *x) {
    if (!x->rank || !x->n) return NULL;
    int axis = (int)play_draw(p, (uint32_t)x->rank);
    int64_t n = x->shape[axis], index[3] = {0, n - 1, play_chance(p, 50) ? n + 2 : -n - 1};
    play_note(p, "wrong: an index of v%u outside axis %d", play_number(p, x), axis);
    bz_tensor *i = bz_from_data(p->c, BZ_I64, index, (const int64_t[]){3}, 1);
    return bz_add(bz_gather(x->h, i, axis), bz_gather(x->h, bz_add(i, 0), axis));
}

void play_mistake(player *p) {
    static mistake *const mistakes[] = {no_broadcast, other_count, no_row,
                                        no_axis,      no_product,  no_such_index};
    unsigned k = play_draw(p, BZ_LEN(mistakes));
    bz_tensor *h = mistakes[k](p, play_any(p));
    if (!h) return;
    bz_tensor *both[] = {play_any(p)->h, h};
    bz_status s = bz_eval(both, 2);
    play_answer *a = &p->answers[p->nanswers++];
    a->status = s;
    snprintf(a->words, sizeof a->words, "%s", bz_message(p->c));
    char *site = strstr(a->words, " at tests/");
    if (s == BZ_EINDEX && site) *site = 0; /* a plan that is found again has the lines of its first recording */
    if (!s || !a->words[0])
        play_fault(p, "step %u: mistake %u gives %d '%s'", p->step, k, (int)s, a->words);
    bz_clear(p->c);
    bz_release(h);
}
