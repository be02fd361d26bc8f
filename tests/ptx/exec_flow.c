/* exec_flow.c - branches, calls and returns, exits, traps, printf and assert. */
#include "exec.h"

#include "run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void fault(warp *w, const ins *i, uint32_t mask, ptx_status status, const char *text) {
    ptx_report_kind kind =
        status == PTX_TRAP || status == PTX_ASSERT ? PTX_REPORT_TRAP : PTX_REPORT_FAULT;
    finding_at at = {kind, status, (unsigned)__builtin_ctz(mask), 0, PTX_SPACE_NONE, NULL};
    find_report(w, i, &at, "%s", text);
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
        fault(w, i, mask, PTX_ILLEGAL_INSTRUCTION, "branch index outside of its table");
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

static uint8_t *stack_at(const warp *w, unsigned lane, uint64_t at) {
    return w->stack + (size_t)lane * w->b->ln->stack_bytes + at;
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
            uint8_t *outer = stack_at(w, l, caller_base + offset);
            uint8_t *inner = stack_at(w, l, callee_base + (uint64_t)callee[k].offset);
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
        fault(w, i, mask, PTX_STACK_OVERFLOW, "the stack is too small for this call");
        return;
    }
    leave_others(w, mask, s->pc);
    local_mark(w, mask, base, fn->frame_local, false);
    const int32_t *results = &w->b->ln->module->list.at[i->e], *args = results + 1 + 2 * results[0];
    copy_slots(w, mask, args, fn->params, s->local, base, true);
    frame *f = vm_grow(NULL, sizeof *f);
    *f = (frame){.up = s->frame,
                 .refs = 1,
                 .ret_pc = s->pc,
                 .regs = s->regs,
                 .local = s->local,
                 .call = i,
                 .fn = fn};
    if (on_stack(s->frame, fn)) {
        f->saved = vm_grow(NULL, fn->reg_bytes);
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
        fault(w, i, mask, PTX_INVALID_PC,
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
    fault(w, i, mask, PTX_TRAP, "trap instruction");
}

void x_nanosleep(warp *w, const ins *i, uint32_t mask) {
    (void)i, (void)mask;
    w->b->instructions += 16;
}

/* ---- printf and assert ---- */

/* n bytes at a generic address as a lane sees them, or NULL. */
static const uint8_t *bytes_at(warp *w, unsigned lane, uint64_t address, uint64_t n) {
    const launch *ln = w->b->ln;
    uint64_t at;
    switch (generic_space(address)) {
    case PTX_GLOBAL: {
        const ptx_extent *e =
            ln->p->memory ? ln->p->memory->find(ln->p->memory->ctx, address) : NULL;
        bool inside = e && !(e->flags & PTX_EXTENT_FREED) && address >= e->base &&
                      address - e->base < e->size && e->size - (address - e->base) >= n;
        return inside ? e->host + (address - e->base) : NULL;
    }
    case PTX_LOCAL:
        at = address - WIN_LOCAL;
        return at < ln->stack_bytes && ln->stack_bytes - at >= n ? stack_at(w, lane, at) : NULL;
    case PTX_SHARED:
        at = address - WIN_SHARED;
        return at < w->b->shared_bytes && w->b->shared_bytes - at >= n ? w->b->shared + at : NULL;
    default: return NULL;
    }
}

static size_t text_at(warp *w, unsigned lane, uint64_t address, char *out, size_t cap) {
    size_t n = 0;
    for (const uint8_t *c; n + 1 < cap && (c = bytes_at(w, lane, address + n, 1)) && *c; n++)
        out[n] = (char)*c;
    out[n] = 0;
    return n;
}

typedef struct {
    warp *w;
    unsigned lane;
    uint64_t args, used; /* where the argument buffer is, and how far it is read */
    char out[2048];
    size_t n;
} printer;

static uint64_t next_argument(printer *p, unsigned bytes) {
    p->used = (p->used + bytes - 1) & ~(uint64_t)(bytes - 1);
    const uint8_t *at = bytes_at(p->w, p->lane, p->args + p->used, bytes);
    uint64_t v = 0;
    if (at) memcpy(&v, at, bytes);
    p->used += bytes;
    return v;
}

static void put_text(printer *p, const char *text, size_t n) {
    for (size_t k = 0; k < n && p->n + 1 < sizeof p->out; k++) p->out[p->n++] = text[k];
}

/* One conversion, its flags, width and precision already in `spec`; `wide`: 64-bit integers. */
static void put_conversion(printer *p, char *spec, size_t n, char c, bool wide) {
    char text[512];
    int got = 0;
    double d;
    uint64_t v;
    if (strchr("eEfFgGaA", c)) {
        v = next_argument(p, 8);
        memcpy(&d, &v, 8);
        spec[n] = c, spec[n + 1] = 0;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        got = snprintf(text, sizeof text, spec, d);
    } else if (c == 's') {
        char s[400];
        text_at(p->w, p->lane, next_argument(p, 8), s, sizeof s);
        spec[n] = 's', spec[n + 1] = 0;
        got = snprintf(text, sizeof text, spec, s);
    } else if (c == 'p')
        got = snprintf(text, sizeof text, "0x%llx", (unsigned long long)next_argument(p, 8));
    else if (c == 'c') {
        spec[n] = 'c', spec[n + 1] = 0;
        got = snprintf(text, sizeof text, spec, (int)next_argument(p, 4));
    } else {
        v = next_argument(p, wide ? 8 : 4);
        bool is_signed = c == 'd' || c == 'i';
        memcpy(spec + n, (char[]){'l', 'l', c, 0}, 4);
        long long s = wide ? (long long)v : (int32_t)v;
        got = is_signed ? snprintf(text, sizeof text, spec, s)
                        : snprintf(text, sizeof text, spec, (unsigned long long)v);
#pragma GCC diagnostic pop
    }
    if (got > 0) put_text(p, text, (size_t)got < sizeof text ? (size_t)got : sizeof text - 1);
}

/* Formats as the device's printf: arguments lie in a buffer, each aligned to its size. */
static void print_lane(printer *p, const char *format) {
    for (const char *c = format; *c; c++) {
        char spec[64] = "%";
        size_t n = 1;
        bool wide = false;
        if (*c != '%' || c[1] == '%') {
            put_text(p, c, 1);
            c += *c == '%';
            continue;
        }
        for (c++; *c && strchr("-+ #0123456789.*lhzjt", *c); c++) {
            if (strchr("lzjt", *c))
                wide = true;
            else if (*c == '*')
                n += (size_t)snprintf(spec + n, sizeof spec - n, "%d", (int)next_argument(p, 4));
            else if (*c != 'h')
                spec[n++] = *c;
            if (n > 40) n = 40;
        }
        if (!*c || !strchr("diouxXeEfFgGaAcsp", *c)) break;
        put_conversion(p, spec, n, *c, wide);
    }
}

static void print(warp *w, const int32_t *args, const int32_t *results, uint32_t mask) {
    EACH_LANE(l, mask) {
        char format[1024];
        printer p = {.w = w, .lane = l};
        uint64_t address;
        memcpy(&address, stack_at(w, l, w->cur->local + (uint32_t)args[1]), 8);
        memcpy(&p.args, stack_at(w, l, w->cur->local + (uint32_t)args[3]), 8);
        text_at(w, l, address, format, sizeof format);
        print_lane(&p, format);
        find_print(w, p.out, p.n);
        if (results[0]) local_mark(w, 1u << l, w->cur->local + (uint32_t)results[1], 4, true);
        if (results[0])
            memcpy(stack_at(w, l, w->cur->local + (uint32_t)results[1]), &(int32_t){(int32_t)p.n},
                   4);
    }
}

/* __assertfail(message, file, line, function, char size) */
static void assertion(warp *w, const ins *i, const int32_t *args, uint32_t mask) {
    unsigned l = (unsigned)__builtin_ctz(mask);
    char part[4][100] = {{0}};
    uint64_t v;
    uint32_t line;
    for (int k = 0; k < 4; k++) {
        memcpy(&v, stack_at(w, l, w->cur->local + (uint32_t)args[1 + 2 * k]), k == 2 ? 4 : 8);
        if (k != 2) text_at(w, l, v, part[k], sizeof part[k]);
    }
    memcpy(&line, stack_at(w, l, w->cur->local + (uint32_t)args[5]), 4);
    char text[400];
    snprintf(text, sizeof text, "assertion `%s' failed in %s (%s:%u)", part[0], part[3], part[1],
             line);
    fault(w, i, mask, PTX_ASSERT, text);
}

void x_system(warp *w, const ins *i, uint32_t mask) {
    const int32_t *results = &w->b->ln->module->list.at[i->e], *args = results + 1 + 2 * results[0];
    int32_t want = i->sub == SYS_VPRINTF ? 2 : 5;
    bool fits = args[0] == want;
    for (int32_t k = 0; fits && k < want; k++)
        fits = args[2 + 2 * k] >= (i->sub == SYS_ASSERTFAIL && k == 2 ? 4 : 8);
    if (!fits)
        fault(w, i, mask, PTX_ILLEGAL_INSTRUCTION, "a system call has wrong arguments");
    else if (i->sub == SYS_VPRINTF)
        print(w, args, results, mask);
    else
        assertion(w, i, args, mask);
}
