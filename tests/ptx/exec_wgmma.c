/* exec_wgmma.c - matrix products of a warpgroup, and how its registers are shared out.
 *
 *   issue: operands are checked, what lies in shared memory is kept
 *   wait:  sums are made, for all four warps by the one that waits first, from what lies there then
 *
 * Warp q of the group has rows 16 q to 16 q + 15 of A and D, in registers by the patterns of mma. An operand
 * in shared memory is made of chunks of 16 bytes; with S the span of its swizzle in bytes they lie, before it,
 *
 *     K-major    row r, half u of 32 bytes   (r / 8) stride + (r % 8) S + 16 u          S = 0: 16 (r % 8) + u lead
 *     MN-major   rows 8 m .., column k       16 (m % S/16) + (m / (S/16)) lead + (k % 8) S + (k / 8) stride
 *                                            S = 0: m stride + 16 (k % 8) + (k / 8) lead
 *
 * from the descriptor's start address on. Products are exact in double and summed there, then rounded once. */
#include "exec.h"

#include "run.h"

#include <stdlib.h>
#include <string.h>

enum { CHUNK = 16, ROWS = 16, MOST_N = 256, MOST_K = 32, A_CHUNKS = 2 * ROWS, A_REGS = 4 };

static void report(warp *w, const ins *i, ptx_report_kind kind, const char *text) {
    find_note(w, i, 0, kind, 0, "%s", text);
}

/* ---- the four warps ---- */

void group_clear(block *b) {
    b->reading = b->pool = 0;
    for (unsigned k = 0; k < MAX_WARPS / GROUP_WARPS; k++)
        b->groups[k].steps.n = b->groups[k].gone = 0;
}

static unsigned first_of(const warp *w) {
    return w->index / GROUP_WARPS * GROUP_WARPS;
}

#define EACH_MATE(x, w)                                                                            \
    for (warp *x = &(w)->b->warps[first_of(w)], *end_ = x + GROUP_WARPS;                           \
         x < end_ && x < (w)->b->warps + (w)->b->n_warps; x++)

/* What nobody will ask for any more. */
static void trim(warp *w, warpgroup *g) {
    enum { LONG = 1024 };
    uint32_t least = UINT32_MAX;
    if (g->steps.n < LONG) return;
    EACH_MATE(x, w)
    least = x->group_step < least ? x->group_step : least;
    size_t n = least - g->gone;
    if (!n) return;
    memmove(g->steps.at, g->steps.at + n, (g->steps.n - n) * sizeof *g->steps.at);
    g->steps.n -= n;
    g->gone = least;
}

/* The warp executes the next instruction of its warpgroup: all four the same ones, all lanes. */
static void step(warp *w, const ins *i) {
    warpgroup *g = &w->b->groups[w->index / GROUP_WARPS];
    uint32_t at = w->group_step++ - g->gone, here = ins_index(w, i);
    if ((first_of(w) + GROUP_WARPS) * LANES > w->b->ln->n_threads)
        report(w, i, PTX_REPORT_BARRIER, "the block ends within this warpgroup");
    if (at < g->steps.n) {
        if (g->steps.at[at] != here)
            report(w, i, PTX_REPORT_BARRIER,
                   "another warp of the warpgroup has executed another instruction here");
        return;
    }
    trim(w, g);
    *VEC_PUSH(g->steps) = here;
}

static void wake(block *b, const warp *w, uint8_t bar) {
    for (unsigned k = 0; k < b->n_warps; k++)
        for (unsigned n = 0; n < b->warps[k].n_splits; n++) {
            split *s = &b->warps[k].splits[n];
            bool mate = bar != BAR_GROUP || first_of(&b->warps[k]) == first_of(w);
            if (s->state == SPLIT_BARRIER && s->bar == bar && mate) s->state = SPLIT_RUN;
        }
}

void group_leave(warp *w) {
    wake(w->b, w, BAR_GROUP);
}

/* Until somebody wakes them, to try again. */
static void stay(warp *w, const ins *i, uint32_t mask, uint8_t bar) {
    split_block(w, i, mask, SPLIT_BARRIER);
    w->cur->bar = bar;
}

/* ---- operands ---- */

typedef struct {
    uint32_t start, lead, stride, span, base;
} layout;

static layout layout_of(uint64_t d) {
    static const uint8_t spans[4] = {0, 128, 64, 32};
    enum { FIELD = 0x3fff };
    return (layout){(uint32_t)(d & FIELD) << 4, (uint32_t)(d >> 16 & FIELD) << 4,
                    (uint32_t)(d >> 32 & FIELD) << 4, spans[d >> 62], (uint32_t)(d >> 49 & 7) << 7};
}

/* K-major: a row and a half of its 32 bytes; MN-major: eight rows and a column. */
static uint32_t chunk_at(const layout *x, bool mn, unsigned row, unsigned k) {
    uint32_t at = x->start, wide = x->span / CHUNK;
    if (!mn)
        at += row / 8 * x->stride +
              (x->span ? row % 8 * x->span + k * CHUNK : row % 8 * CHUNK + k * x->lead);
    else if (x->span)
        at += row % wide * CHUNK + row / wide * x->lead + k % 8 * x->span + k / 8 * x->stride;
    else
        at += row * x->stride + k % 8 * CHUNK + k / 8 * x->lead;
    return bulk_swizzled(at - x->base, x->span) + x->base;
}

/* `rows` from `first` on. */
static void list_chunks(uint32_t *to, uint64_t descriptor, bool mn, unsigned first, unsigned rows) {
    const layout x = layout_of(descriptor);
    for (unsigned k = 0; k < 2 * rows; k++)
        to[k] = mn ? chunk_at(&x, true, first / 8 + k / 16, k % 16)
                   : chunk_at(&x, false, first + k / 2, k % 2);
}

static unsigned columns(const ins *i) {
    return i->n * 8u;
}

static unsigned result_regs(const ins *i) {
    return columns(i) / (i->rnd == T_F16 ? 4 : 2);
}

/* Is the register at `reg` one of an operation on its way: of D, or of A? */
static bool is_result(const warp *w, const matrix_op *x, const uint8_t *reg) {
    const int32_t *list = &w->b->ln->module->list.at[x->by->e];
    for (unsigned k = 0; k < result_regs(x->by); k++)
        if (x->regs + list[k] == reg) return true;
    return false;
}

static bool is_input(const warp *w, const matrix_op *x, const uint8_t *reg) {
    const int32_t *list = &w->b->ln->module->list.at[x->by->e + (int32_t)result_regs(x->by)];
    for (unsigned k = 0; x->by->imm & WG_REGISTERS && k < A_REGS; k++)
        if (x->regs + list[k] == reg) return true;
    return false;
}

static size_t bit_of(const warp *w, const uint8_t *reg) {
    return (size_t)(reg - w->file) / (4 * LANES);
}

/* Another instruction reads or writes a register that matrix operations use: watch.c. */
void matrix_beside(warp *w, const ins *i, int32_t reg) {
    const uint8_t *at = reg_at(w, reg);
    for (size_t k = 0; k < w->matrix.n; k++)
        if (is_result(w, &w->matrix.at[k], at) || is_input(w, &w->matrix.at[k], at)) {
            report(w, i, PTX_REPORT_ASYNC,
                   "a register of a wgmma that was not waited for is touched");
            return;
        }
    if (w->fresh && !w->arranged) w->fresh[bit_of(w, at) / 64] |= (uint64_t)1 << bit_of(w, at) % 64;
}

static bool same_shape(const ins *a, const ins *b) {
    return a->n == b->n && a->rnd == b->rnd && a->type == b->type;
}

static void check_registers(warp *w, const ins *i) {
    const int32_t *list = &w->b->ln->module->list.at[i->e];
    unsigned n = result_regs(i), all = n + (i->imm & WG_REGISTERS ? A_REGS : 0);
    bool late = false, mixed = false;
    for (unsigned k = 0; k < all && w->fresh; k++) {
        const uint8_t *at = reg_at(w, list[k]);
        late |= w->fresh[bit_of(w, at) / 64] >> bit_of(w, at) % 64 & 1;
        for (size_t m = 0; m < w->matrix.n; m++) {
            const matrix_op *x = &w->matrix.at[m];
            mixed |= k < n ? is_input(w, x, at) || (!same_shape(i, x->by) && is_result(w, x, at))
                           : is_result(w, x, at);
        }
    }
    if (!w->fresh || late)
        report(w, i, PTX_REPORT_ASYNC, "no wgmma.fence between accesses to its registers and this");
    if (mixed)
        report(w, i, PTX_REPORT_ASYNC,
               "a register of another wgmma that was not waited for is used");
    w->arranged = false;
}

/* ---- issue ---- */

static bool uniform(const uint64_t *v) {
    for (unsigned l = 1; l < LANES; l++)
        if (v[l] != v[0]) return false;
    return true;
}

/* The operation reads its chunks, in 32 at a time; `how`: now, or from now on. */
static bool read_chunks(warp *w, const ins *i, const matrix_op *x, unsigned how) {
    for (uint32_t k = 0; k < x->n; k += LANES) {
        uint64_t ad[LANES] = {0};
        uint32_t n = x->n - k < LANES ? x->n - k : LANES,
                 mask = n == LANES ? ALL_LANES : (1u << n) - 1;
        for (uint32_t l = 0; l < n; l++) ad[l] = x->chunk[k + l];
        if (how & ACC_PEEK && !mem_shared_ok(w, i, mask, w->b, ad, CHUNK)) return false;
        race_read(w, i, mask, w->b, ad, CHUNK, 0xffff, how);
    }
    return true;
}

static void drop(matrix_op *x) {
    free(x->chunk);
    free(x->was);
}

static uint32_t kept_registers(const ins *i) {
    return i->imm & WG_REGISTERS ? A_REGS * LANES * 4 : 0;
}

static void keep(const warp *w, matrix_op *x) {
    const int32_t *a = &w->b->ln->module->list.at[x->by->e + (int32_t)result_regs(x->by)];
    uint32_t regs = kept_registers(x->by);
    x->was = ptx_grow(NULL, regs + (size_t)x->n * CHUNK);
    for (unsigned k = 0; k < A_REGS && regs; k++)
        memcpy(x->was + (size_t)k * LANES * 4, reg_at(w, a[k]), LANES * 4);
    for (uint32_t k = 0; k < x->n; k++)
        memcpy(x->was + regs + (size_t)k * CHUNK, w->b->shared + x->chunk[k], CHUNK);
}

void x_wgmma(warp *w, const ins *i, uint32_t mask) {
    if (!matrix_warp(w, i, mask)) return;
    const uint64_t *a = reg_at(w, i->a), *b = reg_at(w, i->b);
    const uint32_t *scale = reg_at(w, i->c);
    bool in_registers = i->imm & WG_REGISTERS;
    step(w, i);
    check_registers(w, i);
    if ((!in_registers && !uniform(a)) || !uniform(b))
        report(w, i, PTX_REPORT_BARRIER, "the threads give different descriptors");
    matrix_op x = {.by = i, .regs = w->r, .group = w->matrix_groups};
    uint32_t na = in_registers ? 0 : A_CHUNKS;
    x.accumulates = (scale[0] != 0) != ((i->flags & INS_NOT_C) != 0);
    x.n = na + 2 * columns(i);
    x.chunk = ptx_grow(NULL, x.n * sizeof *x.chunk);
    if (na) list_chunks(x.chunk, a[0], i->imm & WG_TRANS_A, w->index % GROUP_WARPS * ROWS, ROWS);
    list_chunks(x.chunk + na, b[0], i->imm & WG_TRANS_B, 0, columns(i));
    x.low = UINT32_MAX;
    for (uint32_t k = 0; k < x.n; k++) {
        x.low = x.chunk[k] < x.low ? x.chunk[k] : x.low;
        x.high = x.chunk[k] + CHUNK > x.high ? x.chunk[k] + CHUNK : x.high;
    }
    if (!read_chunks(w, i, &x, ACC_READ | ACC_PEEK)) {
        drop(&x);
        return;
    }
    for (uint32_t k = 0; k < x.n; k++) race_proxy_read(w, i, 0, x.chunk[k], CHUNK);
    keep(w, &x);
    *VEC_PUSH(w->matrix) = x;
    w->b->reading++;
}

void matrix_touched(warp *w, const ins *i, unsigned lane, const block *b, uint32_t at) {
    for (unsigned n = 0; n < b->n_warps; n++)
        for (size_t k = 0; k < b->warps[n].matrix.n; k++) {
            const matrix_op *x = &b->warps[n].matrix.at[k];
            if (x->done || at < x->low || at >= x->high) continue;
            uint32_t c = 0;
            while (c < x->n && at - x->chunk[c] >= CHUNK) c++;
            if (c == x->n) continue;
            find_note(w, i, lane, PTX_REPORT_ASYNC, WIN_SHARED + at,
                      "shared memory is written that a wgmma, not waited for, still reads");
            return;
        }
}

/* ---- the sums ---- */

typedef double a_tile[ROWS][MOST_K];
typedef double b_tile[MOST_K][MOST_N];
typedef double d_tile[ROWS][MOST_N];

/* Elements of one chunk, e of them: in a row of A from column k on, or in a column from row m on. */
static void fill_a(const warp *w, const matrix_op *x, a_tile a) {
    const ins *i = x->by;
    ptx_type t = i->type;
    unsigned per = matrix_elements(t), e = per * 4;
    double sign = i->imm & WG_NEGATE_A ? -1 : 1;
    for (unsigned k = 0; k < A_REGS && i->imm & WG_REGISTERS; k++)
        for (unsigned l = 0; l < LANES; l++)
            for (unsigned n = 0; n < per; n++)
                a[l / 4 + 8 * (k % 2)][k / 2 * 4 * per + l % 4 * per + n] =
                    sign * matrix_element(t, x->was + (k * LANES + l) * 4, n);
    for (unsigned c = 0; c < A_CHUNKS && !(i->imm & WG_REGISTERS); c++)
        for (unsigned n = 0; n < e; n++) {
            double v = sign * matrix_element(t, w->b->shared + x->chunk[c] + n / per * 4, n % per);
            if (i->imm & WG_TRANS_A)
                a[c / 16 * 8 + n][c % 16] = v;
            else
                a[c / 2][c % 2 * e + n] = v;
        }
}

static void fill_b(const warp *w, const matrix_op *x, b_tile b) {
    const ins *i = x->by;
    ptx_type t = i->sub;
    unsigned per = matrix_elements(t), e = per * 4, first = i->imm & WG_REGISTERS ? 0 : A_CHUNKS;
    double sign = i->imm & WG_NEGATE_B ? -1 : 1;
    for (unsigned c = 0; c < 2 * columns(i); c++)
        for (unsigned n = 0; n < e; n++) {
            const uint8_t *at = w->b->shared + x->chunk[first + c] + n / per * 4;
            double v = sign * matrix_element(t, at, n % per);
            if (i->imm & WG_TRANS_B)
                b[c % 16][c / 16 * 8 + n] = v;
            else
                b[c % 2 * e + n][c / 2] = v;
        }
}

/* Column and row of element r of lane l. */
static double *cell(d_tile d, unsigned l, unsigned r) {
    return &d[l / 4 + 8 * (r / 2 % 2)][r / 4 * 8 + l % 4 * 2 + r % 2];
}

static uint8_t *sum_at(const matrix_op *x, const int32_t *list, unsigned l, unsigned r) {
    return x->regs + list[x->by->rnd == T_F16 ? r / 2 : r] + 4 * l;
}

static void fill_d(const matrix_op *x, const int32_t *list, d_tile d) {
    for (unsigned r = 0; r < columns(x->by) / 2; r++)
        for (unsigned l = 0; l < LANES; l++)
            *cell(d, l, r) = x->accumulates ? matrix_sum(x->by->rnd, sum_at(x, list, l, r), r) : 0;
}

static void put_d(const matrix_op *x, const int32_t *list, d_tile d) {
    for (unsigned r = 0; r < columns(x->by) / 2; r++)
        for (unsigned l = 0; l < LANES; l++)
            matrix_put(x->by->rnd, sum_at(x, list, l, r), r, *cell(d, l, r),
                       x->by->flags & INS_SATFIN);
}

static void multiply(const warp *w, const matrix_op *x) {
    const int32_t *list = &w->b->ln->module->list.at[x->by->e];
    unsigned n = columns(x->by), k_end = 8 * matrix_elements(x->by->type);
    a_tile a;
    b_tile b;
    d_tile d;
    fill_a(w, x, a);
    fill_b(w, x, b);
    fill_d(x, list, d);
    for (unsigned m = 0; m < ROWS; m++)
        for (unsigned k = 0; k < k_end; k++) {
            double v = a[m][k];
            for (unsigned c = 0; c < n; c++) d[m][c] += v * b[k][c];
        }
    put_d(x, list, d);
}

/* ---- the end ---- */

/* `by` has waited: the operation of `w` is done. */
static void finish(warp *by, warp *w, matrix_op *x) {
    const uint8_t *was = x->was + kept_registers(x->by);
    for (uint32_t k = 0; k < x->n; k++)
        if (memcmp(was + (size_t)k * CHUNK, w->b->shared + x->chunk[k], CHUNK) != 0) {
            report(w, x->by, PTX_REPORT_ASYNC, "an operand was overwritten before the wait");
            break;
        }
    multiply(w, x);
    read_chunks(by, x->by, x, ACC_READ);
    x->done = true;
    x->by_warp = by->number;
    x->gen = w->b->cl->gen + 1;
    w->b->reading--;
}

/* The warp's operations up to a group are over, and their registers its own again. */
static void collect(warp *w, uint32_t limit) {
    size_t kept = 0;
    for (size_t k = 0; k < w->matrix.n; k++) {
        matrix_op *x = &w->matrix.at[k];
        if (x->group >= limit || !x->done) {
            w->matrix.at[kept++] = *x;
            continue;
        }
        if (w->known[x->by_warp] < x->gen) w->known[x->by_warp] = x->gen;
        drop(x);
    }
    w->matrix.n = kept;
    race_know(w);
}

/* One warp's wait is enough for all that the four have in common: they multiply together. */
void x_wgmma_wait(warp *w, const ins *i, uint32_t mask) {
    uint32_t keep_groups = (uint32_t)i->imm,
             limit = w->matrix_groups > keep_groups ? w->matrix_groups - keep_groups : 0;
    EACH_MATE(x, w)
    if (x->live && x->matrix_groups < limit) {
        stay(w, i, mask, BAR_GROUP);
        return;
    }
    if (!matrix_warp(w, i, mask)) return;
    step(w, i);
    EACH_MATE(x, w)
    for (size_t k = 0; k < x->matrix.n; k++)
        if (x->matrix.at[k].group < limit && !x->matrix.at[k].done) finish(w, x, &x->matrix.at[k]);
    w->b->cl->gen++;
    collect(w, limit);
    race_sync_warp(w, w->live);
}

void x_wgmma_commit(warp *w, const ins *i, uint32_t mask) {
    if (!matrix_warp(w, i, mask)) return;
    step(w, i);
    w->matrix_groups++;
    wake(w->b, w, BAR_GROUP);
}

/* Compilers move what sets registers up behind the fence before the product: until that one it counts. */
void x_wgmma_fence(warp *w, const ins *i, uint32_t mask) {
    if (!matrix_warp(w, i, mask)) return;
    size_t words = w->b->ln->file_bytes / (4 * LANES) / 64 + 1;
    step(w, i);
    if (!w->fresh) w->fresh = ptx_grow(NULL, words * sizeof *w->fresh);
    memset(w->fresh, 0, words * sizeof *w->fresh);
    w->arranged = true;
}

void matrix_forget(warp *w) {
    const warpgroup *g = &w->b->groups[w->index / GROUP_WARPS];
    const ins *code = w->b->ln->module->code.at;
    bool failed = cluster_failed(w->b->cl);
    if (w->matrix.n && !failed)
        report(w, w->matrix.at[0].by, PTX_REPORT_ASYNC,
               "the block ended before anybody waited for this wgmma");
    if (w->group_step - g->gone < g->steps.n && !failed)
        report(w, &code[g->steps.at[w->group_step - g->gone]], PTX_REPORT_BARRIER,
               "not all warps of the warpgroup have executed this");
    for (size_t k = 0; k < w->matrix.n; k++) drop(&w->matrix.at[k]);
    w->matrix.n = 0;
}

/* ---- registers ---- */

/* What a thread has at the launch, where the text says it; else 0, and there is nothing to count. */
static uint32_t registers_of(const launch *ln) {
    const ptx_kernel *k = &ln->fn->pub;
    const uint32_t *most = k->reqntid[0] ? k->reqntid : k->maxntid;
    enum { FILE_REGISTERS = 65536, MOST = 255, UNIT = 8 };
    if (k->maxnreg) return k->maxnreg;
    if (!most[0] || !k->minctas) return 0;
    uint32_t each = FILE_REGISTERS / (k->minctas * most[0] * most[1] * most[2]);
    return (each < MOST ? each : MOST) / UNIT * UNIT;
}

/* What some give back others may have; who wants more than there is waits. */
void x_setmaxnreg(warp *w, const ins *i, uint32_t mask) {
    uint32_t at_first = registers_of(w->b->ln), have = w->registers ? w->registers : at_first,
             want = (uint32_t)i->imm;
    bool odd = have && (i->n ? want < have : want > have);
    if (!odd && at_first && i->n && (want - have) * LANES > w->b->pool) {
        stay(w, i, mask, BAR_REGISTERS);
        return;
    }
    if (!matrix_warp(w, i, mask)) return;
    if (odd)
        report(w, i, PTX_REPORT_BARRIER,
               i->n ? "the threads have more registers than they ask for"
                    : "the threads have fewer registers than they are to keep");
    else if (at_first)
        w->b->pool += (have - want) * LANES; /* modulo 2^32 */
    step(w, i);
    w->registers = want;
    if (!i->n) wake(w->b, w, BAR_REGISTERS);
}
