/* sizes.c - the variant of a program for the size that a call names: a copy of its template with that size's numbers in it.
 *
 *     words:  [ bz_rt_variant | phases, segments, extents, places, copies, sites ... ]      some words are pointers to others of them
 *                 \____________/ bytes of the arena, of scratch
 *
 * An export has planned every size and found out which words differ, and how (runtime/export/export_sizes.c). */
#include "runtime/aot/artefact.h"

#include <string.h>

enum { WORD = sizeof(uint64_t) };

_Static_assert(sizeof(bz_rt_variant) % WORD == 0 && sizeof(void *) == WORD, "words");

BZ_RT_WEAK const bz_rt_template *bz_rt_template_of_v5(const bz_rt_sizes *s, int64_t n) {
    if (n < s->lo || n > s->hi) return NULL;
    return &s->templates[s->which ? s->which[n - s->lo] : 0];
}

static uint64_t value(const bz_rt_template *t, const bz_rt_number *k, uint64_t n) {
    return t->bases[k->base + n % k->period] + k->step * (n / k->period);
}

/* The numbers among the first `most` words. */
static void put_numbers(const bz_rt_template *t, int64_t n, uint64_t *to, uint32_t most) {
    for (uint32_t i = 0; i < t->nnumbers && t->numbers[i].word < most; i++)
        to[t->numbers[i].word] = value(t, &t->numbers[i], (uint64_t)n);
}

BZ_RT_WEAK void bz_rt_cut_head_v5(const bz_rt_template *t, int64_t n, bz_rt_variant *head) {
    uint64_t words[sizeof *head / WORD];
    memcpy(words, t->words, sizeof *head);
    put_numbers(t, n, words, sizeof *head / WORD);
    memcpy(head, words, sizeof *head);
}

BZ_RT_WEAK const bz_rt_variant *bz_rt_cut_v5(const bz_rt_template *t, int64_t n, uint64_t *room) {
    const uint64_t by = (uint64_t)(uintptr_t)room - (uint64_t)(uintptr_t)t->words;
    memcpy(room, t->words, (size_t)t->nwords * WORD);
    for (uint32_t i = 0; i < t->ninner; i++) room[t->inner[i]] += by;
    put_numbers(t, n, room, t->nwords);
    return (const bz_rt_variant *)(const void *)room;
}
