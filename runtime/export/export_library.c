/* export_library.c - code and constants of many plans, each once: what plans of one program for many sizes have in common.
 *
 *     plan of size 1 --> kernels a, b     \
 *     plan of size 2 --> kernels a, b      >  library: a, b, c        their symbols have the names that the library gives
 *     plan of size 3 --> kernels a, c     /
 */
#include "runtime/export/export.h"

#include <stdio.h>
#include <string.h>

void ex_library_free(ex_library *l) {
    for (uint32_t i = 0; i < l->codes.n; i++) bz_text_free(&l->codes.p[i].key);
    for (uint32_t i = 0; i < l->plans.n; i++) pass_plan_free(l->plans.p[i]);
    for (uint32_t i = 0; i < l->consts.n; i++) bz_mem_free(l->consts.p[i].bytes);
    lp_give_back(&l->code);
    bz_vec_free(&l->codes);
    bz_vec_free(&l->plans);
    bz_vec_free(&l->consts);
    bz_arena_free(&l->names);
}

static uint32_t find(const ex_library *l, const ex_code *c) {
    uint32_t i = 0;
    while (i < l->codes.n && !(l->codes.p[i].hash == c->hash && l->codes.p[i].key.n == c->key.n &&
                               !memcmp(l->codes.p[i].key.p, c->key.p, c->key.n)))
        i++;
    return i;
}

static bool is_taken(const ex_library *l, const char *name) {
    for (uint32_t i = 0; i < l->codes.n; i++)
        if (!strcmp(l->codes.p[i].name, name)) return true;
    return false;
}

/* The kernel's own name, with a number behind it where another one has that. */
static const char *name_for(ex_library *l, const char *own) {
    char name[300];
    snprintf(name, sizeof name, "%.250s", own);
    for (unsigned k = 2; is_taken(l, name); k++) snprintf(name, sizeof name, "%.250s_%u", own, k);
    return bz_arena_str(&l->names, name);
}

/* Kernel k of m, whose functions are in place[] already, becomes one of the library's; *fresh: it was not there. */
static bool take_kernel(ex_library *l, const lp_module *m, lp_kernel *k, uint32_t *place,
                        uint32_t which, bool *fresh) {
    ex_code c = {0};
    lp_identity(&c.key, k, m);
    if (c.key.failed) return bz_text_free(&c.key), false;
    c.hash = bz_hash(0, c.key.p, c.key.n);
    place[which] = find(l, &c);
    if (place[which] < l->codes.n) {
        k->name = l->codes.p[place[which]].name;
        return bz_text_free(&c.key), true;
    }
    k->name = c.name = name_for(l, k->name);
    bool done = c.name && lp_borrow(&l->code, k, place) && bz_vec_push(&l->codes, c);
    if (!done) bz_text_free(&c.key);
    return *fresh = true, done;
}

static bool take_code(ex_library *l, ex_variant *v) {
    const lp_module *m = v->plan->code;
    uint32_t *place = bz_mem_zero(m->k.n + 1, sizeof *place);
    bool fresh = false, done = place && bz_vec_reserve(&l->plans, 1);
    for (uint32_t i = 0; i < m->k.n && done; i++)
        done = take_kernel(l, m, m->k.p[i], place, i, &fresh);
    if (place && fresh) { /* the copies borrow from it */
        v->borrowed = true;
        bz_vec_push(&l->plans, v->plan);
    }
    bz_mem_free(place);
    return done;
}

static bool take_consts(ex_library *l, ex_variant *v, const char *function) {
    uint32_t i = 0;
    while (i < l->consts.n && !(l->consts.p[i].n == v->consts_bytes &&
                                !memcmp(l->consts.p[i].bytes, v->consts, v->consts_bytes)))
        i++;
    if (i == l->consts.n) {
        ex_consts c = {v->consts, v->consts_bytes, {0}};
        snprintf(c.name, sizeof c.name, "%.64s.consts%u%s", function, i, l->suffix);
        if (!bz_vec_push(&l->consts, c)) return false;
        v->consts = NULL;
    }
    memcpy(v->consts_name, l->consts.p[i].name, sizeof v->consts_name);
    return true;
}

bool ex_library_take(ex_library *l, ex_variant *v, const char *function) {
    memcpy(v->suffix, l->suffix, sizeof v->suffix);
    bool done = take_code(l, v) && take_consts(l, v, function);
    for (unsigned i = 0; i < v->nfinders && done; i++)
        done = ex_library_take(l, &v->finders[i].code, function);
    return done;
}
