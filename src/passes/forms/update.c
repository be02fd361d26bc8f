/* update.c - a window of a tensor written.
 *
 *     in place:  the loops run over the window, and each element is stored where it belongs: nothing else is touched
 *     else:      phase 0 copies the tensor, phase 1 writes the window
 *
 * What is written is computed in the same loops. Where it reads the tensor itself, fusion has seen to it that it does so only at the
 * very place that is written then (fuse_in_place.c). */
#include "src/passes/forms/forms.h"

/* The pointer that the kernel gets leads to the window. */
static void point_there(lower *l, ir_ref r) {
    uint32_t b = l->homes.buffer_of[r];
    for (uint32_t i = 0; i < l->outputs.n; i++)
        if (l->outputs.p[i] == r)
            emit_may_move(&l->m, l->out_pointers.p[i], l->plan->buffers.p[b].count);
}

bool lower_fill(lower *l, bool (*elements)(lower *l)) {
    const unsigned mark = emit_mark(&l->m);
    l->filling = true;
    lower_space_of(l, ir_operand(l->g, l->group->head, 0));
    const bool ok = elements(l);
    l->filling = false;
    emit_forget(&l->m, mark);
    l->m.nsyms = 0; /* nothing of phase 0 is asked for again */
    l->m.ahead = 0;
    return ok;
}

/* Phase 0; then where the window begins is a number of the launch, as the pointer leads to the start. */
static bool fill(lower *l, ir_ref r, bool (*elements)(lower *l)) {
    int64_t count = 0;
    ir_numel(l->g, r, &count);
    const bool ok = lower_fill(l, elements);
    l->first = ir_ex_sym(&l->x, "first", 0, count);
    emit_sym(&l->m, l->first, emit_extent(&l->m, "first", ir_attrs(l->g, ir_at(l->g, r))[0]));
    return ok;
}

bool lower_window(lower *l, bool (*elements)(lower *l)) {
    ir_ref r = l->group->head;
    bool ok = true;
    l->first = 0;
    if (buffers_in_place(l, r))
        point_there(l, r);
    else
        ok = fill(l, r, elements);
    lower_space_of(l, ir_operand(l->g, r, 1));
    return elements(l) && ok;
}
