/* flow.c - where values come from and go to, once a function is decoded.
 *
 *   a strong load whose value steers no branch and is handed to no other thread reads data, not a flag
 *   a register that some path reads before it is written is watched, with all that is made of it
 *
 * Both are cautious: what can't be told counts as a flag, and what is watched is only reported when a
 * lane really uses a value that was never there (watch.c). */
#include "parse.h"

#include "exec.h"

#include <stdlib.h>
#include <string.h>

/* ---- sets of registers, by their first unit ---- */

typedef struct {
    uint64_t *bit;
    size_t words;
} reg_set;

static reg_set set_new(const parser *p) {
    reg_set s = {.words = p->units.n / 64 + 1};
    s.bit = ptx_zeroed(s.words * 8);
    return s;
}

static bool has(const reg_set *s, int32_t reg) {
    return s->bit[reg / 128 / 64] >> (reg / 128 % 64) & 1;
}

/* Was it not there yet? */
static bool add(reg_set *s, int32_t reg) {
    bool fresh = !has(s, reg);
    s->bit[reg / 128 / 64] |= (uint64_t)1 << (reg / 128 % 64);
    return fresh;
}

/* The uses of the statement that begins at `k`; the index behind them. */
static size_t statement_end(const parser *p, size_t k) {
    size_t end = k;
    while (end < p->flow.n && p->flow.at[end].at == p->flow.at[k].at) end++;
    return end;
}

static bool touches(const parser *p, size_t k, size_t end, const reg_set *s, bool written) {
    for (; k < end; k++)
        if (p->flow.at[k].written == written && has(s, p->flow.at[k].reg)) return true;
    return false;
}

/* Adds what is computed from registers of the set. */
static void close_over(const parser *p, reg_set *s) {
    for (bool more = true; more;) {
        more = false;
        for (size_t k = 0, end; k < p->flow.n; k = end) {
            end = statement_end(p, k);
            if (!touches(p, k, end, s, false)) continue;
            for (size_t n = k; n < end; n++)
                if (p->flow.at[n].written) more |= add(s, p->flow.at[n].reg);
        }
    }
}

/* ---- flags and data ---- */

static bool is_load(const ins *i) {
    return i->exec == x_ld_global || i->exec == x_ld_shared || i->exec == x_ld_generic;
}

/* Its value decides what runs next, or others may learn of it. */
static bool steers(const ins *i) {
    return i->cls == PTX_CLASS_CONTROL || i->cls == PTX_CLASS_SHUFFLE ||
           i->cls == PTX_CLASS_BARRIER || i->exec == x_st_shared || i->exec == x_st_local ||
           i->exec == x_st_generic;
}

static bool is_data(const parser *p, size_t load) {
    reg_set s = set_new(p);
    bool data = true;
    for (size_t k = load; k < statement_end(p, load); k++)
        if (p->flow.at[k].written) add(&s, p->flow.at[k].reg);
    close_over(p, &s);
    for (size_t k = 0, end; k < p->flow.n && data; k = end) {
        end = statement_end(p, k);
        data = !touches(p, k, end, &s, false) || !steers(&p->m->code.at[p->flow.at[k].at]);
    }
    free(s.bit);
    return data;
}

/* Of the statement whose last instruction is at `at`: its load, behind which results are widened. */
static ins *load_in(const parser *p, uint32_t at) {
    for (ins *i = &p->m->code.at[at];; i--, at--) {
        if (is_load(i)) return i;
        if (at == p->fn->begin || !((i - 1)->flags & INS_MICRO)) return NULL;
    }
}

static void find_data(parser *p) {
    for (size_t k = 0; k < p->flow.n; k = statement_end(p, k)) {
        ins *i = load_in(p, p->flow.at[k].at);
        if (i && i->flags & INS_STRONG && is_data(p, k)) i->sub = LOAD_DATA;
    }
}

/* ---- read before written ---- */

typedef struct {
    uint32_t begin, end;
    uint32_t next[2]; /* blocks, NO_INSTRUCTION: none */
    const ins *brx;
    uint64_t *in, *def;
} part;

typedef struct {
    parser *p;
    part *parts;
    uint32_t n;
    uint32_t
        *part_at; /* of an instruction that begins one, relative to the function; else 0 (plus 1) */
    size_t words;
} graph;

enum { MAX_WORDS = 1 << 24 };

static bool jumps(const ins *i) {
    return i->exec == x_bra || i->exec == x_brx || i->exec == x_exit || i->exec == x_ret ||
           i->exec == x_trap;
}

static uint32_t part_of(const graph *g, uint32_t at) {
    return g->part_at[at - g->p->fn->begin] - 1;
}

static void find_parts(graph *g) {
    const function *f = g->p->fn;
    const ins *code = g->p->m->code.at;
    uint32_t size = f->end - f->begin;
    g->part_at[0] = 1;
    for (uint32_t at = f->begin; at < f->end; at++) {
        const ins *i = &code[at];
        if (!jumps(i)) continue;
        if (at + 1 < f->end) g->part_at[at + 1 - f->begin] = 1;
        if (i->exec == x_bra) g->part_at[i->target - f->begin] = 1;
        for (int64_t k = 0; i->exec == x_brx && k < i->imm; k++)
            g->part_at[(uint32_t)g->p->m->list.at[i->target + k] - f->begin] = 1;
    }
    for (uint32_t k = 0; k < size; k++)
        if (g->part_at[k]) g->part_at[k] = ++g->n;
}

static void link_parts(graph *g) {
    const function *f = g->p->fn;
    const ins *code = g->p->m->code.at;
    for (uint32_t at = f->begin, k = NO_INSTRUCTION; at < f->end; at++) {
        if (g->part_at[at - f->begin]) {
            k = part_of(g, at);
            g->parts[k].begin = at;
            g->parts[k].next[0] = g->parts[k].next[1] = NO_INSTRUCTION;
        }
        part *x = &g->parts[k];
        x->end = at + 1;
        bool last = at + 1 == f->end || g->part_at[at + 1 - f->begin];
        if (!last) continue;
        const ins *i = &code[at];
        if (at + 1 < f->end && (!jumps(i) || i->guard != NO_GUARD)) x->next[0] = part_of(g, at + 1);
        if (i->exec == x_bra) x->next[1] = part_of(g, i->target);
        if (i->exec == x_brx) x->brx = i;
    }
}

/* What each part reads before writing it, and what it writes for certain. */
static void fill_parts(graph *g) {
    const parser *p = g->p;
    size_t k = 0;
    for (uint32_t n = 0; n < g->n; n++) {
        part *x = &g->parts[n];
        reg_set in = {x->in, g->words}, def = {x->def, g->words};
        for (size_t end; k < p->flow.n && p->flow.at[k].at < x->end; k = end) {
            end = statement_end(p, k);
            for (size_t r = k; r < end; r++)
                if (!p->flow.at[r].written && !has(&def, p->flow.at[r].reg))
                    add(&in, p->flow.at[r].reg);
            bool certain = p->m->code.at[p->flow.at[k].at].guard == NO_GUARD;
            for (size_t r = k; r < end && certain; r++)
                if (p->flow.at[r].written) add(&def, p->flow.at[r].reg);
        }
    }
}

static bool flow_back(const graph *g, part *x, const part *from) {
    bool more = false;
    for (size_t k = 0; k < g->words; k++) {
        uint64_t fresh = from->in[k] & ~x->def[k] & ~x->in[k];
        x->in[k] |= fresh;
        more |= fresh != 0;
    }
    return more;
}

static void spread(const graph *g) {
    for (bool more = true; more;) {
        more = false;
        for (uint32_t n = g->n; n-- > 0;) {
            part *x = &g->parts[n];
            for (int k = 0; k < 2; k++)
                if (x->next[k] != NO_INSTRUCTION) more |= flow_back(g, x, &g->parts[x->next[k]]);
            for (int64_t k = 0; x->brx && k < x->brx->imm; k++)
                more |= flow_back(
                    g, x, &g->parts[part_of(g, (uint32_t)g->p->m->list.at[x->brx->target + k])]);
        }
    }
}

/* The registers that a path from the start reads before it writes them. */
static reg_set unwritten(parser *p) {
    reg_set s = set_new(p);
    graph g = {.p = p, .words = s.words};
    g.part_at = ptx_zeroed((p->fn->end - p->fn->begin) * sizeof *g.part_at);
    find_parts(&g);
    if (g.n * g.words > MAX_WORDS) g.n = 0; /* nobody writes such a function */
    g.parts = ptx_zeroed(g.n * sizeof *g.parts + 1);
    uint64_t *bits = ptx_zeroed(2 * g.n * g.words * 8 + 1);
    for (uint32_t n = 0; n < g.n; n++) {
        g.parts[n].in = bits + 2 * n * g.words;
        g.parts[n].def = g.parts[n].in + g.words;
    }
    if (g.n) {
        link_parts(&g);
        fill_parts(&g);
        spread(&g);
        memcpy(s.bit, g.parts[0].in, g.words * 8);
    }
    free(bits);
    free(g.parts);
    free(g.part_at);
    return s;
}

/* Barriers are known by their functions: they can't be watched, nor what they write. */
static bool is_barrier(const ins *i) {
    return i->exec == x_bar || i->exec == x_bar_warp;
}

static void leave_barriers(const parser *p, reg_set *s) {
    for (size_t k = 0; k < p->flow.n; k++) {
        const reg_use *u = &p->flow.at[k];
        if (u->written && is_barrier(&p->m->code.at[u->at]))
            s->bit[u->reg / 128 / 64] &= ~((uint64_t)1 << (u->reg / 128 % 64));
    }
}

static bool is_empty(const reg_set *s) {
    for (size_t k = 0; k < s->words; k++)
        if (s->bit[k]) return false;
    return true;
}

/* The watched register's own: 1 in the lanes that have it. */
static int32_t mark_of(parser *p, int32_t *marks, int32_t reg) {
    if (!marks[reg / 128]) marks[reg / 128] = reg_new(p, 4);
    return marks[reg / 128];
}

static void watch_statement(parser *p, size_t k, size_t end, const reg_set *s, int32_t *marks) {
    uint32_t at = p->flow.at[k].at;
    ins *i = &p->m->code.at[at];
    watch *x = VEC_PUSH(p->m->watches);
    *x = (watch){.at = at, .exec = i->exec, .guard = i->guard, .first = (uint32_t)p->m->list.n};
    x->any = i->op == OP_selp || i->op == OP_and || i->op == OP_or || i->op == OP_lop3;
    x->uses = i->exec == x_ld_global || i->exec == x_ld_shared || i->exec == x_ld_generic ||
              i->exec == x_ld_local || i->exec == x_st_global || i->exec == x_st_shared ||
              i->exec == x_st_generic || i->cls == PTX_CLASS_ATOMIC || i->cls == PTX_CLASS_ASYNC ||
              i->cls == PTX_CLASS_CONTROL || i->cls == PTX_CLASS_BARRIER;
    bool enough = false; /* one of them is there in any case */
    for (size_t n = k; n < end && x->any; n++)
        enough |=
            !p->flow.at[n].written && p->flow.at[n].reg != x->guard && !has(s, p->flow.at[n].reg);
    for (int written = enough; written < 2; written++)
        for (size_t n = k; n < end; n++) {
            const reg_use *u = &p->flow.at[n];
            if (u->written != written || !has(s, u->reg) || u->reg == x->guard) continue;
            *VEC_PUSH(p->m->list) = mark_of(p, marks, u->reg);
            written ? x->writes++ : x->reads++;
        }
    if (x->guard != NO_GUARD && has(s, x->guard)) x->guard_mark = mark_of(p, marks, x->guard);
    i->exec = x_watched;
    if (x->guard_mark) i->guard = NO_GUARD;
}

static void find_unwritten(parser *p) {
    reg_set s = unwritten(p);
    if (!is_empty(&s)) {
        size_t units = p->units.n;
        int32_t *marks = ptx_zeroed(units * sizeof *marks);
        close_over(p, &s);
        leave_barriers(p, &s);
        p->fn->marks = p->regs;
        for (size_t k = 0, end; k < p->flow.n; k = end) {
            end = statement_end(p, k);
            bool watched = touches(p, k, end, &s, false) || touches(p, k, end, &s, true);
            if (watched && !is_barrier(&p->m->code.at[p->flow.at[k].at]))
                watch_statement(p, k, end, &s, marks);
        }
        free(marks);
    }
    free(s.bit);
}

/* ---- registers of matrix operations ---- */

static bool is_matrix(const ins *i) {
    return i->op == OP_wgmma && i->n;
}

static void aside(parser *p, size_t k, size_t end, const reg_set *s) {
    uint32_t at = p->flow.at[k].at;
    watch *x = VEC_PUSH(p->m->asides);
    *x = (watch){.at = at, .exec = p->m->code.at[at].exec, .first = (uint32_t)p->m->list.n};
    for (size_t n = k; n < end; n++)
        if (has(s, p->flow.at[n].reg)) *VEC_PUSH(p->m->list) = p->flow.at[n].reg, x->reads++;
    p->m->code.at[at].exec = x_aside;
}

/* Other statements that touch what a wgmma has in registers: it may be on its way. */
static void find_asides(parser *p) {
    reg_set s = set_new(p);
    for (uint32_t at = p->fn->begin; at < p->fn->end; at++) {
        const ins *i = &p->m->code.at[at];
        unsigned n = is_matrix(i)
                         ? i->n * 8u / (i->rnd == T_F16 ? 4 : 2) + (i->imm & WG_REGISTERS ? 4 : 0)
                         : 0;
        for (unsigned k = 0; k < n; k++) add(&s, p->m->list.at[i->e + (int32_t)k]);
    }
    for (size_t k = 0, end; k < p->flow.n && !is_empty(&s); k = end) {
        end = statement_end(p, k);
        const ins *i = &p->m->code.at[p->flow.at[k].at];
        if (!is_matrix(i) && !is_barrier(i) &&
            (touches(p, k, end, &s, false) || touches(p, k, end, &s, true)))
            aside(p, k, end, &s);
    }
    free(s.bit);
}

void flow_function(parser *p) {
    if (!p->flow.n) return;
    find_data(p);
    find_unwritten(p);
    find_asides(p);
}
