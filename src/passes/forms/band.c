/* band.c - the parts of a band, each as if it were alone. */
#include "src/passes/forms/band.h"

bool band_makes(const band_parts *w, unsigned k, ir_ref r) {
    return fuse_is_member(&w->all->parts[k], r);
}

lp_val band_whole(const band_parts *w, uint32_t i, lp_val first) {
    lp_builder *b = w->l->b;
    lp_val before = lp_imul(b, first, lp_index(b, w->columns));
    return lp_offset(b, w->held[i], lp_isub(b, lp_index(b, 0), before));
}

void band_enter(band_parts *w, unsigned k, lp_val first) {
    lower *l = w->l;
    const fuse_group *all = w->all;
    bool ok = true;
    l->group = &all->parts[k];
    l->in_part = true;
    l->space = w->space[k];
    l->m.nsyms = 0;
    l->outputs.n = l->out_pointers.n = 0;
    for (uint32_t i = 0; ok && i < all->handed.n; i++)
        if (band_makes(w, k, all->handed.p[i]))
            ok = bz_vec_push(&l->outputs, all->handed.p[i]) &&
                 bz_vec_push(&l->out_pointers, first ? band_whole(w, i, first) : 0);
    for (uint32_t i = 0; ok && i < w->outputs.n; i++)
        if (band_makes(w, k, w->outputs.p[i]))
            ok = bz_vec_push(&l->outputs, w->outputs.p[i]) &&
                 bz_vec_push(&l->out_pointers, w->pointers.p[i]);
    if (!ok) emit_fail(&l->m);
}

void band_bind(band_parts *w, unsigned k, lp_val first) {
    for (uint32_t i = 0; i < w->all->handed.n; i++)
        if (band_makes(w, k, w->all->handed.p[i]))
            w->l->m.bind[w->all->handed.p[i]] =
                (emit_bind){.kind = BIND_BUFFER, .p = band_whole(w, i, first)};
}

bool band_open(band_parts *w, lower *l) {
    *w = (band_parts){.l = l, .all = l->group};
    for (uint32_t i = 0; i < w->l->outputs.n; i++)
        if (!bz_vec_push(&w->outputs, w->l->outputs.p[i]) ||
            !bz_vec_push(&w->pointers, w->l->out_pointers.p[i]))
            return false;
    return true;
}

void band_close(band_parts *w) {
    bz_vec_free(&w->outputs);
    bz_vec_free(&w->pointers);
    w->l->group = w->all;
    w->l->in_part = false;
}
