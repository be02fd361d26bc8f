/* link.c - from parsed functions to a module that can run: who calls whom, stacks, shared memory,
 * globals.
 *
 * Shared variables that several functions use lie first, at the same offset in every kernel; those
 * of one kernel follow, so that kernels of one module don't pay for each other's. */
#include "parse.h"

#include "exec.h"

#include <stdlib.h>
#include <string.h>

/* ---- calls ---- */

static void link_calls(parser *p) {
    for (size_t k = 0; k < p->m->code.n; k++) {
        ins *i = &p->m->code.at[k];
        if (i->exec != x_call) continue;
        const function *f = p->m->functions.at[i->target];
        int sys = system_call(f->name);
        if (f->defined) continue;
        if (sys < 0) {
            parse_fail_at(p, i->line, 1, "function '%s' is called but not defined", f->name);
            return;
        }
        i->exec = x_system;
        i->sub = (uint8_t)sys;
    }
}

/* The k-th possible callee: by name, then, for calls by pointer, all whose address is taken. */
static const function *callee(const parser *p, const function *f, size_t k) {
    if (k < f->calls.n) return f->calls.at[k];
    k -= f->calls.n;
    return f->calls_pointer && k < p->m->functions.n ? p->m->functions.at[k] : NULL;
}

static bool is_callee(const function *f, size_t k, const function *g) {
    return k < f->calls.n || (g->taken && !g->is_kernel);
}

enum { MARK_NONE, MARK_OPEN, MARK_DONE };

/* Stack bytes of f with what it calls; a function on a cycle is marked recursive. */
static void measure(parser *p, function *f, unsigned depth) {
    if (f->mark == MARK_DONE) return;
    f->mark = MARK_OPEN;
    uint32_t deepest = 0;
    for (size_t k = 0;; k++) {
        function *g = (function *)callee(p, f, k);
        if (!g) break;
        if (!is_callee(f, k, g)) continue;
        if (g->mark == MARK_OPEN || depth > 200) {
            f->recursive = g->recursive = true;
            continue;
        }
        measure(p, g, depth + 1);
        f->recursive |= g->recursive;
        f->uses_common |= g->uses_common;
        if (g->dynamic_align > f->dynamic_align) f->dynamic_align = g->dynamic_align;
        deepest = g->pub.local_bytes > deepest ? g->pub.local_bytes : deepest;
    }
    f->pub.local_bytes = f->frame_local + deepest;
    f->mark = MARK_DONE;
}

/* ---- shared memory ---- */

static uint32_t align_up(uint32_t v, uint32_t align) {
    return (v + align - 1) & ~(align - 1);
}

static void find_users(parser *p) {
    for (size_t k = 0; k < p->shared_uses.n; k++) {
        shared_use *u = &p->shared_uses.at[k];
        if (u->var->dynamic) {
            uint32_t align = u->var->align > 16 ? u->var->align : 16;
            u->fn->dynamic_align = align > u->fn->dynamic_align ? align : u->fn->dynamic_align;
            continue;
        }
        u->var->common |= !u->fn->is_kernel || (u->var->user && u->var->user != u->fn);
        u->var->user = u->fn;
    }
    for (size_t k = 0; k < p->shared_uses.n; k++)
        p->shared_uses.at[k].fn->uses_common |= p->shared_uses.at[k].var->common;
}

static uint32_t place_shared(parser *p, bool common, uint32_t start) {
    for (size_t k = 0; k < p->shared_uses.n; k++) {
        shared_use *u = &p->shared_uses.at[k];
        shared_var *v = u->var;
        if (v->dynamic || v->common != common || v->placed) continue;
        uint32_t *end = common ? &start : &u->fn->pub.shared_static;
        v->offset = align_up(*end, v->align);
        uint64_t after = (uint64_t)v->offset + v->size;
        if (after > 1 << 22) {
            parse_fail_at(p, u->at == NO_INSTRUCTION ? 1 : p->m->code.at[u->at].line, 1,
                          "too much shared memory");
            return 0;
        }
        *end = (uint32_t)after;
        v->placed = true;
    }
    return start;
}

static void link_shared(parser *p) {
    uint32_t common = place_shared(p, true, 0);
    for (size_t k = 0; k < p->m->functions.n; k++)
        p->m->functions.at[k]->pub.shared_static = p->m->functions.at[k]->uses_common ? common : 0;
    place_shared(p, false, 0);
    for (size_t k = 0; k < p->shared_uses.n && !p->failed; k++) {
        const shared_use *u = &p->shared_uses.at[k];
        if (u->at != NO_INSTRUCTION) p->m->code.at[u->at].imm += u->var->offset;
    }
}

/* ---- the module ---- */

static uint32_t estimate_registers(const function *f) {
    uint32_t declared = f->reg_bytes / (4 * LANES) / 4 + 10;
    uint32_t threads = f->pub.reqntid[0] ? f->pub.reqntid[0] * f->pub.reqntid[1] * f->pub.reqntid[2]
                       : f->pub.maxntid[0]
                           ? f->pub.maxntid[0] * f->pub.maxntid[1] * f->pub.maxntid[2]
                           : 1024;
    uint32_t most = threads ? 65536 / (threads < 257 ? 257 : threads) : 255;
    if (f->pub.maxnreg && f->pub.maxnreg < most) most = f->pub.maxnreg;
    declared = declared < 16 ? 16 : declared;
    return declared < most ? declared : most;
}

static void finish(parser *p, function *f) {
    if (!f->is_kernel) {
        f->frame_base = p->m->function_bytes + f->const_bytes;
        p->m->function_bytes += f->const_bytes + f->reg_bytes;
        return;
    }
    if (!f->defined) return;
    f->pub.registers = estimate_registers(f);
    *VEC_PUSH(p->m->kernels) = f;
}

static bool orders_blocks(const ins *i) {
    return i->flags & INS_FENCE_GPU || (i->flags & INS_WIDE && i->flags & INS_RELEASE);
}

void link_module(parser *p) {
    for (size_t k = 0; k < p->m->code.n; k++) p->m->orders |= orders_blocks(&p->m->code.at[k]);
    link_calls(p);
    find_users(p);
    for (size_t k = 0; k < p->m->functions.n && !p->failed; k++)
        measure(p, p->m->functions.at[k], 0);
    link_shared(p);
    for (size_t k = 0; k < p->m->functions.n && !p->failed; k++) finish(p, p->m->functions.at[k]);
}
