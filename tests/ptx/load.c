/* load.c - the module as its users see it: loading, looking up, placing its globals. */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

static parser *parser_new(ptx_module *m, ptx_log *log) {
    parser *p = ptx_zeroed(sizeof *p);
    p->m = m;
    p->log = log;
    *VEC_PUSH(m->locs) = (src_loc){0, 0};
    return p;
}

ptx_module *ptx_load(const char *text, size_t len, const ptx_target *target, ptx_log *log) {
    ptx_module *m = ptx_zeroed(sizeof *m);
    m->target = *target;
    if (log && log->cap) log->text[log->len < log->cap ? log->len : log->cap - 1] = 0;
    const char *copy = arena_text(&m->mem, text, len);
    parser *p = parser_new(m, log);
    lex_open(p, copy, len);
    parse_module(p);
    if (!p->failed) link_module(p);
    bool failed = p->failed;
    lex_close(p);
    free(p);
    if (!failed) return m;
    ptx_unload(m);
    return NULL;
}

void ptx_unload(ptx_module *m) {
    if (!m) return;
    for (size_t k = 0; k < m->functions.n; k++) free(m->functions.at[k]->calls.at);
    free(m->code.at);
    free(m->list.at);
    free(m->watches.at);
    free(m->asides.at);
    free(m->locs.at);
    free(m->files.at);
    free(m->functions.at);
    free(m->kernels.at);
    free(m->globals.at);
    free(m->fixups.at);
    free(m->address_uses.at);
    arena_drop(&m->mem);
    free(m);
}

size_t ptx_kernel_count(const ptx_module *m) {
    return m->kernels.n;
}

const ptx_kernel *ptx_kernel_at(const ptx_module *m, size_t i) {
    return i < m->kernels.n ? &m->kernels.at[i]->pub : NULL;
}

const ptx_kernel *ptx_kernel_find(const ptx_module *m, const char *name) {
    for (size_t i = 0; i < m->kernels.n; i++)
        if (!strcmp(m->kernels.at[i]->name, name)) return &m->kernels.at[i]->pub;
    return NULL;
}

size_t ptx_global_count(const ptx_module *m) {
    return m->globals.n;
}

const ptx_global *ptx_global_at(const ptx_module *m, size_t i) {
    return i < m->globals.n ? &m->globals.at[i]->pub : NULL;
}

const ptx_global *ptx_global_find(const ptx_module *m, const char *name) {
    for (size_t i = 0; i < m->globals.n; i++)
        if (!strcmp(m->globals.at[i]->pub.name, name)) return &m->globals.at[i]->pub;
    return NULL;
}

unsigned ptx_version(const ptx_module *m) {
    return m->version;
}

unsigned ptx_sm(const ptx_module *m) {
    return m->sm;
}

static void apply_fixups(ptx_module *m) {
    for (size_t k = 0; k < m->fixups.n; k++) {
        fixup f = m->fixups.at[k];
        uint64_t base = f.target >= 0 ? m->globals.at[f.target]->pub.address
                                      : WIN_CODE + 16 * (uint64_t)~f.target;
        uint64_t v = base + (uint64_t)f.addend;
        memcpy(m->globals.at[f.owner]->init + f.at, &v, f.bytes);
    }
    for (size_t k = 0; k < m->address_uses.n; k++) {
        ins *i = &m->code.at[m->address_uses.at[k]];
        i->imm += (int64_t)m->globals.at[i->target]->pub.address;
    }
}

bool ptx_place(ptx_module *m, const ptx_placer *placer) {
    if (m->placed) return false;
    m->placed = true;
    for (size_t k = 0; k < m->globals.n; k++)
        if (!placer->place(placer->ctx, &m->globals.at[k]->pub, &m->globals.at[k]->pub.address))
            return false;
    apply_fixups(m);
    for (size_t k = 0; k < m->globals.n; k++) {
        global_var *g = m->globals.at[k];
        if (g->pub.external) continue;
        if (!g->init) g->init = arena_get(&m->mem, g->pub.size + 1);
        if (!placer->fill(placer->ctx, &g->pub, g->init)) return false;
    }
    return true;
}
