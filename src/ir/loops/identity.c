/* identity.c - what makes two kernels one piece of code.
 *
 *     kernel -> parameters | instructions | the functions it calls, in the order of their first calls
 *
 * Names and sites say where a kernel came from, not what it does: they are left out, so equal layers
 * of a network, and equal ones of other programs, are compiled once. */
#include "src/ir/loops/facts.h"

#include <string.h>

static void put(bz_text *t, const void *p, size_t n) {
    bz_text_add(t, p, n);
}

static void put_params(bz_text *t, const lp_param *p, uint32_t n) {
    put(t, &n, sizeof n);
    for (uint32_t j = 0; j < n; j++) {
        uint8_t both[] = {(uint8_t)p[j].dtype, (uint8_t)p[j].access};
        put(t, both, sizeof both);
    }
}

typedef BZ_VEC(int64_t) callees;

/* The number of a function of the module among those called. */
static int64_t callee(bz_text *t, callees *c, int64_t function) {
    uint32_t at = 0;
    while (at < c->n && c->p[at] != function) at++;
    if (at == c->n && !bz_vec_push(c, function)) t->failed = true;
    return at;
}

/* Most instructions are short: one piece of text. */
static void put_inst(bz_text *t, const lp_kernel *k, const lp_inst *i, callees *c) {
    const uint16_t head[] = {i->op, (uint16_t)(i->dtype | i->flags << 8), i->lanes, i->nargs};
    const int64_t imm = i->op == LP_CALL ? callee(t, c, i->imm) : i->imm;
    const size_t args = (i->nargs + lp_extra_count(i)) * sizeof(uint32_t);
    const size_t before = sizeof head + sizeof imm;
    char piece[128];
    memcpy(piece, head, sizeof head);
    memcpy(piece + sizeof head, &imm, sizeof imm);
    if (args <= sizeof piece - before) {
        memcpy(piece + before, lp_args(k, i), args);
        put(t, piece, before + args);
    } else {
        put(t, piece, before);
        put(t, lp_args(k, i), args);
    }
}

/* What is computed otherwise where numbers are known to be small, or not negative. */
static void put_ranges(bz_text *t, const lp_kernel *k) {
    bool known = false;
    for (uint32_t j = 0; j < k->extents.n; j++) known |= k->extents.p[j].most != INT64_MAX;
    lp_range *r = known ? lp_ranges(k) : NULL;
    t->failed |= known && !r;
    for (lp_val v = 1; r && v < k->inst.n; v++) {
        const uint8_t is = (uint8_t)(lp_fits_32(r[v]) | (r[v].lo >= 0) << 1 | (r[v].lo > 0) << 2);
        if (k->inst.p[v].dtype == BZ_I64 && k->inst.p[v].lanes) put(t, &is, sizeof is);
    }
    bz_mem_free(r);
}

void lp_identity(bz_text *t, const lp_kernel *k, const lp_module *m) {
    callees c = {0};
    put(t, &(const uint8_t){(uint8_t)(k->function | k->rows << 1)}, 1);
    put_params(t, k->buffers.p, k->buffers.n);
    put_params(t, k->extents.p, k->extents.n);
    put_params(t, k->scalars.p, k->scalars.n);
    put(t, &k->inst.n, sizeof k->inst.n);
    for (lp_val v = 1; v < k->inst.n; v++) put_inst(t, k, &k->inst.p[v], &c);
    put_ranges(t, k);
    for (uint32_t j = 0; j < c.n; j++) lp_identity(t, m->k.p[c.p[j]], m);
    bz_vec_free(&c);
}
