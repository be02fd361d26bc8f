/* map.c - the space of elementwise loops, cut in two, or in three where an input is transposed. */
#include "src/passes/forms/map.h"

void map_cut(lower *l, map_space *s, unsigned n) {
    fuse_space *f = &l->space;
    int64_t axes[IR_MAX_RANK], *sizes = f->full;
    unsigned outer = f->nfull - n;
    for (unsigned i = 0; i < f->nfull; i++) axes[i] = i;
    s->outer = lower_count(sizes, outer);
    s->inner = lower_count(sizes + outer, n);
    s->o = lower_sym(l, "o", s->outer);
    s->c = lower_vector_sym(l, "c", s->inner);
    access_delinearize(&l->x, s->o, sizes, axes, outer, f->full_idx);
    access_delinearize(&l->x, s->c, sizes, axes + outer, n, f->full_idx);
}

void map_choose_space(lower *l, map_space *s, unsigned lanes) {
    unsigned n = l->space.nfull;
    for (unsigned inner = n; inner > 0; inner--) {
        bool dense;
        map_cut(l, s, inner);
        lower_collect(l);
        if (collect_linear(l, s->c, &dense)) break;
    }
    if (n == 0) map_cut(l, s, 0), lower_collect(l);
    if (n > 1 && s->inner < lanes &&
        s->outer > 1) /* rows shorter than a vector: gather along all axes instead */
        map_cut(l, s, n);
}

enum { TILE_LEAST = 8 }; /* elements */

/* Makes axis `a` the rows of tiles; false if no input is transposed so. Fills m->staged but for the arrays. */
static bool cut_tiles(lower *l, map_tiles *t, unsigned outer, unsigned a) {
    fuse_space *f = &l->space;
    emitter *m = &l->m;
    int64_t axes[IR_MAX_RANK], coef;
    unsigned n = 0;
    ir_ex rest;
    for (unsigned i = 0; i < outer; i++)
        if (i != a) axes[n++] = i;
    t->rows = f->full[a];
    t->r = f->full_idx[a] = lower_vector_sym(l, "r", t->rows);
    t->s.outer = 1;
    for (unsigned i = 0; i < n; i++) t->s.outer *= f->full[axes[i]];
    t->s.o = lower_sym(l, "q", t->s.outer);
    access_delinearize(&l->x, t->s.o, f->full, axes, n, f->full_idx);
    lower_collect(l);
    m->nstaged = 0;
    for (uint32_t i = 0; i < l->c.reads.n && m->nstaged < EMIT_MAX_STAGED; i++) {
        const collect_read *x = &l->c.reads.p[i];
        bool far = ir_ex_linear(&l->x, x->offset, t->s.c, &coef, &rest) && emit_gathers(m, coef);
        if (far && !x->guarded && ir_ex_linear(&l->x, x->offset, t->r, &coef, &rest) && coef == 1)
            m->staged[m->nstaged++] = (emit_staged){.p = x->p, .offset = x->offset};
    }
    return m->nstaged > 0;
}

bool map_choose_tiles(lower *l, map_space *s, unsigned lanes, map_tiles *t) {
    fuse_space *f = &l->space;
    unsigned outer = f->nfull;
    for (int64_t n = 1; outer > 0 && n < s->inner;) n *= f->full[--outer];
    if (lanes == 1 || s->inner < TILE_LEAST || outer == 0 || l->t->machine->turn == 0) return false;
    *t = (map_tiles){.s = *s};
    for (unsigned a = outer; a-- > 0;)
        if (f->full[a] >= TILE_LEAST && cut_tiles(l, t, outer, a)) {
            t->r0 = lower_vector_sym(l, "r0", t->rows);
            t->c0 = lower_vector_sym(l, "c0", s->inner);
            return true;
        }
    map_cut(l, s, f->nfull - outer);
    return false;
}
