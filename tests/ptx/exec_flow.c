/* exec_flow.c - branches, calls and returns, exits, traps. */
#include "exec.h"

#include "run.h"

#include <stdlib.h>
#include <string.h>

void flow_fault(warp *w, const ins *i, uint32_t mask, ptx_status status, const char *text) {
    ptx_report_kind kind =
        status == PTX_TRAP || status == PTX_ASSERT ? PTX_REPORT_TRAP : PTX_REPORT_FAULT;
    find_fault(w, i, (unsigned)__builtin_ctz(mask), kind, status, 0, "%s", text);
}

/* The lanes of the running split outside of `mask` go on at `pc` by themselves. */
static void leave_others(warp *w, uint32_t mask, uint32_t pc) {
    split *s = w->cur;
    uint32_t rest = s->mask & ~mask;
    if (!rest) return;
    s->mask = mask;
    split_new(w, s, rest, pc);
    w->yield = true;
}

/* ---- branches ---- */

static void count_branch(warp *w, bool diverged) {
    w->wk->count.branches++;
    w->wk->count.divergent_branches += diverged;
}

void x_bra(warp *w, const ins *i, uint32_t mask) {
    split *s = w->cur;
    count_branch(w, mask != s->mask);
    leave_others(w, mask, s->pc);
    s->pc = i->target;
}

void x_brx(warp *w, const ins *i, uint32_t mask) {
    const uint32_t *a = reg_at(w, i->a);
    uint32_t index = a[__builtin_ctz(mask)], same = 0;
    if (index >= (uint64_t)i->imm) {
        flow_fault(w, i, mask, PTX_ILLEGAL_INSTRUCTION, "branch index outside of its table");
        return;
    }
    EACH_LANE(l, mask)
    same |= a[l] == index ? 1u << l : 0;
    split *s = w->cur;
    count_branch(w, same != s->mask);
    leave_others(w, mask, s->pc);
    leave_others(w, same, ins_index(w, i));
    s->pc = (uint32_t)w->b->ln->module->list.at[i->target + index];
}

/* ---- calls ---- */

static const function *function_now(const warp *w) {
    return w->cur->frame ? w->cur->frame->fn : w->b->ln->fn;
}

/* Arguments or results between the two stack frames; `list` holds the caller's offsets and sizes.
 */
static void copy_slots(warp *w, uint32_t mask, const int32_t *list, const slot *callee,
                       uint32_t caller_base, uint32_t callee_base, bool in) {
    for (int32_t k = 0; k < list[0]; k++) {
        uint32_t offset = (uint32_t)list[1 + 2 * k], size = callee[k].size;
        if ((uint32_t)list[2 + 2 * k] < size) size = (uint32_t)list[2 + 2 * k];
        local_mark(w, mask, in ? callee_base + (uint64_t)callee[k].offset : caller_base + offset,
                   size, true);
        EACH_LANE(l, mask) {
            uint8_t *outer = local_at(w, l, caller_base + offset);
            uint8_t *inner = local_at(w, l, callee_base + (uint64_t)callee[k].offset);
            memcpy(in ? inner : outer, in ? outer : inner, size);
        }
    }
}

static bool on_stack(const frame *f, const function *fn) {
    for (; f; f = f->up)
        if (f->fn == fn) return true;
    return false;
}

static void enter(warp *w, const ins *i, uint32_t mask, const function *fn) {
    split *s = w->cur;
    uint32_t base = s->local + function_now(w)->frame_local;
    if ((uint64_t)base + fn->frame_local > w->b->ln->stack_bytes) {
        flow_fault(w, i, mask, PTX_STACK_OVERFLOW, "the stack is too small for this call");
        return;
    }
    leave_others(w, mask, s->pc);
    local_mark(w, mask, base, fn->frame_local, false);
    const int32_t *results = &w->b->ln->module->list.at[i->e], *args = results + 1 + 2 * results[0];
    copy_slots(w, mask, args, fn->params, s->local, base, true);
    frame *f = ptx_grow(NULL, sizeof *f);
    *f = (frame){.up = s->frame,
                 .refs = 1,
                 .ret_pc = s->pc,
                 .regs = s->regs,
                 .local = s->local,
                 .call = i,
                 .fn = fn};
    if (on_stack(s->frame, fn)) {
        f->saved = ptx_grow(NULL, fn->reg_bytes);
        memcpy(f->saved, w->file + fn->frame_base, fn->reg_bytes);
    }
    s->frame = f;
    s->regs = w->r = w->file + fn->frame_base;
    for (uint32_t at = fn->marks; fn->marks && at < fn->reg_bytes; at += 4 * LANES)
        EACH_LANE(l, mask)
    ((uint32_t *)(void *)(s->regs + at))[l] = 0;
    s->local = base;
    s->pc = fn->begin;
}

void x_call(warp *w, const ins *i, uint32_t mask) {
    enter(w, i, mask, w->b->ln->module->functions.at[i->target]);
}

void x_call_pointer(warp *w, const ins *i, uint32_t mask) {
    const ptx_module *m = w->b->ln->module;
    const uint64_t *a = reg_at(w, i->a);
    uint64_t to = a[__builtin_ctz(mask)], index = (to - WIN_CODE) / 16;
    uint32_t same = 0;
    EACH_LANE(l, mask)
    same |= a[l] == to ? 1u << l : 0;
    const function *fn =
        to >= WIN_CODE && to % 16 == 0 && index < m->functions.n ? m->functions.at[index] : NULL;
    const int32_t *results = &m->list.at[i->e];
    if (!fn || !fn->defined || fn->is_kernel || (unsigned)results[0] != fn->n_results ||
        (unsigned)results[1 + 2 * results[0]] != fn->n_params) {
        flow_fault(w, i, mask, PTX_INVALID_PC,
                   "call through a pointer that is no function of this kind");
        return;
    }
    leave_others(w, mask, w->cur->pc);
    leave_others(w, same, ins_index(w, i));
    enter(w, i, same, fn);
}

/* The registers of an outer activation come back, for the returning lanes only. */
static void restore(warp *w, const frame *f, uint32_t mask) {
    uint8_t *regs = w->file + f->fn->frame_base;
    for (uint32_t u = 0; u < f->fn->reg_bytes / 128; u++) {
        unsigned lane = f->fn->units[u] & 31, part = f->fn->units[u] >> 5, lanes = 128 / lane;
        for (unsigned l = 0; l < lanes; l++)
            if (mask >> (part * lanes + l) & 1)
                memcpy(regs + u * 128 + l * lane, f->saved + u * 128 + l * lane, lane);
    }
}

void x_ret(warp *w, const ins *i, uint32_t mask) {
    (void)i;
    split *s = w->cur;
    frame *f = s->frame;
    leave_others(w, mask, s->pc);
    const int32_t *results = &w->b->ln->module->list.at[f->call->e];
    copy_slots(w, mask, results, f->fn->results, f->local, s->local, false);
    if (f->saved) restore(w, f, mask);
    s->pc = f->ret_pc;
    s->regs = w->r = f->regs;
    s->local = f->local;
    s->frame = f->up;
    frame_keep(f->up);
    frame_drop(f);
    w->yield = true;
}

void x_exit(warp *w, const ins *i, uint32_t mask) {
    (void)i;
    split_exit(w, mask);
}

void x_trap(warp *w, const ins *i, uint32_t mask) {
    flow_fault(w, i, mask, PTX_TRAP, "trap instruction");
}

void x_nanosleep(warp *w, const ins *i, uint32_t mask) {
    (void)i, (void)mask;
    w->b->instructions += 16;
}
