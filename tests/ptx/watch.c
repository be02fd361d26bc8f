/* watch.c - statements whose registers may never have been written (flow.c found them).
 *
 * Each watched register has a mark beside it: a lane has the value or not. Computing passes the lack on;
 * using it, as an address, in memory that others see, or to decide what runs, is the finding. */
#include "exec.h"

#include "run.h"

static const watch *watch_of(const warp *w, const ins *i, const watch *all, size_t n) {
    uint32_t at = ins_index(w, i);
    size_t low = 0, high = n;
    while (low + 1 < high) {
        size_t mid = (low + high) / 2;
        *(all[mid].at <= at ? &low : &high) = mid;
    }
    return &all[low];
}

static void found(warp *w, const ins *i, uint32_t lanes) {
    find_note(w, i, (unsigned)__builtin_ctz(lanes), PTX_REPORT_UNINIT, 0,
              "use of a register that nothing has written");
}

void x_watched(warp *w, const ins *i, uint32_t mask) {
    const launch *ln = w->b->ln;
    const watch *x = watch_of(w, i, ln->module->watches.at, ln->module->watches.n);
    const int32_t *marks = &ln->module->list.at[x->first];
    if (x->guard_mark) {
        uint32_t lack = mask & ~ln->mask_fn(reg_at(w, x->guard_mark));
        if (lack) found(w, i, lack);
        uint32_t p = ln->mask_fn(reg_at(w, x->guard));
        mask &= i->flags & INS_NOT ? ~p : p;
        if (!mask) return;
    }
    uint32_t lack = x->any && x->reads ? mask : 0;
    for (unsigned k = 0; k < x->reads; k++) {
        uint32_t without = mask & ~ln->mask_fn(reg_at(w, marks[k]));
        lack = x->any ? lack & without : lack | without;
    }
    if (lack && x->uses) found(w, i, lack);
    if (x->uses) lack = 0;
    for (unsigned k = 0; k < x->writes; k++) {
        uint32_t *mark = reg_at(w, marks[x->reads + k]);
        EACH_LANE(l, mask)
        mark[l] = !(lack >> l & 1);
    }
    x->exec(w, i, mask);
}

/* A statement that touches registers of matrix operations, which may be on their way: exec_wgmma.c. */
void x_aside(warp *w, const ins *i, uint32_t mask) {
    const ptx_module *m = w->b->ln->module;
    const watch *x = watch_of(w, i, m->asides.at, m->asides.n);
    for (unsigned k = 0; k < x->reads; k++) matrix_beside(w, i, m->list.at[x->first + k]);
    x->exec(w, i, mask);
}
