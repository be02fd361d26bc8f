/* run.c - the interpreter: what a kernel means. Slow and obvious.
 *
 *     lp_run -> phases in order -> tasks, in order or as `shuffle` says -> range -> instruction
 *
 * Threads of a block go in lock step, one instruction for all of them, with a mask of those that
 * take part; so BARRIER only has to check that all came. Races that lock step would hide are found
 * by run_mem.c. */
#include "src/ir/loops/run.h"

#include <string.h>

static void range(lp_exec *x, lp_val from, lp_val to, unsigned T, const bool *on);

void lp_exec_fail(lp_exec *x, lp_val v, bz_status s, const char *fmt, ...) {
    if (x->r->status != BZ_OK) return;
    bz_text t = {0};
    va_list ap;
    va_start(ap, fmt);
    bz_textfv(&t, fmt, ap);
    va_end(ap);
    bz_text_str(&t, "\n  > ");
    lp_print_inst(&t, x->k, x->r->m, v);
    bz_fail(x->r->e, s, "[kernel %s] %s", x->k->name, bz_text_c(&t));
    bz_text_free(&t);
    x->r->status = s;
}

/* ---- laying out the state */

static bool is_thread_loop(const lp_inst *i) {
    return i->op == LP_LOOP && (i->flags & 15) >= LP_BLOCK;
}

/* The values that an opener hands on: its initial values, or what an IF's first branch yields. */
static const uint32_t *handed_on(const lp_exec *x, lp_val opener, unsigned *n) {
    const lp_inst *o = lp_exec_at(x, opener);
    unsigned skip = o->op == LP_LOOP ? 2 : 0;
    if (o->op == LP_IF) {
        o = lp_exec_at(x, (x->other[opener] ? x->other[opener] : x->end[opener]) - 1);
        skip = 0;
    }
    *n = o->nargs - skip;
    return lp_args(x->k, o) + skip;
}

/* Fills end, other and width. */
static void find_regions(lp_exec *x) {
    lp_val open[65];
    unsigned threads[65] = {x->base}, depth = 0;
    for (lp_val v = 0; v < x->k->inst.n; v++) {
        const lp_inst *i = lp_exec_at(x, v);
        if (i->op == LP_END) x->end[open[depth--]] = v;
        if (i->op == LP_ELSE) x->other[open[depth]] = v;
        x->width[v] = threads[depth];
        if (!lp_opens_region(i->op)) continue;
        if (is_thread_loop(i)) x->width[v] *= (unsigned)lp_exec_at(x, lp_exec_arg(x, i, 1))->imm;
        open[++depth] = v;
        threads[depth] = x->width[v];
    }
}

/* Cells of an opener: its index, then the values it hands on. */
static uint64_t cells_of(const lp_exec *x, lp_val v) {
    const lp_inst *i = lp_exec_at(x, v);
    uint64_t lanes = i->lanes;
    if (lp_opens_region(i->op)) {
        unsigned n;
        const uint32_t *handed = handed_on(x, v, &n);
        for (unsigned j = 0; j < n; j++) lanes += lp_exec_at(x, handed[j])->lanes;
    }
    return lanes * x->width[v];
}

static bool alloc_locals(lp_exec *x) {
    uint32_t n = 0, at = 0;
    for (lp_val v = 0; v < x->k->inst.n; v++)
        if (lp_exec_at(x, v)->op == LP_LOCAL) n += x->width[v];
    x->locals = bz_mem_zero(n + 1, sizeof *x->locals);
    if (!x->locals) return false;
    for (lp_val v = 0; v < x->k->inst.n; v++) {
        const lp_inst *i = lp_exec_at(x, v);
        if (i->op != LP_LOCAL) continue;
        x->local_of[v] = at;
        unsigned copies = (i->flags & 15) == LP_SHARED ? 1 : x->width[v];
        for (unsigned c = 0; c < copies; c++, at++) {
            x->nlocals = at + 1;
            if (!lp_mem_local(&x->locals[at], i)) return false;
        }
    }
    return true;
}

static bool alloc_cells(lp_exec *x) {
    uint64_t cells = 0, ptrs = 0;
    for (lp_val v = 0; v < x->k->inst.n; v++) {
        bool pointer = lp_fact_of(lp_exec_at(x, v)->op).result == 'P';
        x->home[v] = (uint32_t)(pointer ? ptrs : cells);
        *(pointer ? &ptrs : &cells) += pointer ? x->width[v] : cells_of(x, v);
    }
    if (cells > UINT32_MAX || ptrs > UINT32_MAX) return false;
    x->cell = bz_mem_zero(cells + 1, sizeof *x->cell);
    x->ptr = bz_mem_zero(ptrs + 1, sizeof *x->ptr);
    return x->cell && x->ptr;
}

static void close_exec(lp_exec *x) {
    for (uint32_t j = 0; x->locals && j < x->nlocals; j++) lp_mem_free(&x->locals[j]);
    bz_mem_free(x->locals);
    bz_mem_free(x->width);
    bz_mem_free(x->cell);
    bz_mem_free(x->ptr);
    bz_mem_free(x->buffers);
    bz_mem_free(x->extents);
}

static bool open_exec(lp_exec *x, lp_running *r, const lp_kernel *k, unsigned base) {
    *x = (lp_exec){.r = r, .k = k, .base = base};
    size_t n = k->inst.n;
    x->width = bz_mem_zero(5 * n, sizeof *x->width);
    x->buffers = bz_mem_zero((size_t)k->buffers.n * base + 1, sizeof *x->buffers);
    x->extents = bz_mem_zero(((size_t)k->extents.n + k->scalars.n) * base + 1, sizeof *x->extents);
    bool ok = x->width && x->buffers && x->extents;
    if (ok) {
        x->home = x->width + n;
        x->end = x->width + 2 * n;
        x->other = x->width + 3 * n;
        x->local_of = x->width + 4 * n;
        x->scalars = x->extents + (size_t)k->extents.n * base;
        find_regions(x);
        ok = alloc_locals(x) && alloc_cells(x);
    }
    if (!ok) {
        close_exec(x);
        r->status =
            bz_fail(r->e, BZ_ENOMEM, "[kernel %s] out of memory in the interpreter", k->name);
    }
    return ok;
}

/* ---- values that regions hand on */

/* Value number j of an opener, of thread t. */
static ir_bits *handed(const lp_exec *x, lp_val opener, unsigned j, unsigned t, unsigned T) {
    unsigned n, w = x->width[opener];
    const uint32_t *values = handed_on(x, opener, &n);
    size_t before = lp_exec_at(x, opener)->lanes;
    for (unsigned i = 0; i < j; i++) before += lp_exec_at(x, values[i])->lanes;
    unsigned lanes = lp_exec_at(x, values[j])->lanes;
    return x->cell + x->home[opener] + before * w + (size_t)t * w / T * lanes;
}

static void hand_on(lp_exec *x, lp_val opener, const uint32_t *values, unsigned n, unsigned T,
                    const bool *on) {
    for (unsigned j = 0; j < n; j++)
        for (unsigned t = 0; t < T; t++)
            if (on[t])
                memcpy(handed(x, opener, j, t, T), lp_exec_get(x, values[j], t, T),
                       lp_exec_at(x, values[j])->lanes * sizeof(ir_bits));
}

static void hand_on_yield(lp_exec *x, lp_val opener, lp_val yield, unsigned skip, unsigned T,
                          const bool *on) {
    const lp_inst *y = lp_exec_at(x, yield);
    hand_on(x, opener, lp_args(x->k, y) + skip, y->nargs - skip, T, on);
}

static void take(lp_exec *x, lp_val v, unsigned T, const bool *on) {
    const lp_inst *i = lp_exec_at(x, v);
    for (unsigned t = 0; t < T; t++)
        if (on[t])
            memcpy(lp_exec_get(x, v, t, T), handed(x, lp_exec_arg(x, i, 0), (unsigned)i->imm, t, T),
                   i->lanes * sizeof(ir_bits));
}

/* ---- regions */

static int64_t index_arg(const lp_exec *x, lp_val v, unsigned j, unsigned t, unsigned T) {
    return (int64_t)*lp_exec_get(x, lp_exec_arg(x, lp_exec_at(x, v), j), t, T);
}

static void loop(lp_exec *x, lp_val v, unsigned T, const bool *mask) {
    const lp_inst *i = lp_exec_at(x, v);
    bool on[LP_MAX_THREADS];
    hand_on(x, v, lp_args(x->k, i) + 2, i->nargs - 2u, T, mask);
    for (unsigned t = 0; t < T; t++) *lp_exec_get(x, v, t, T) = (ir_bits)index_arg(x, v, 0, t, T);
    memcpy(on, mask, T * sizeof *on);
    while (x->r->status == BZ_OK) {
        bool any = false;
        for (unsigned t = 0; t < T; t++) {
            on[t] = on[t] && (int64_t)*lp_exec_get(x, v, t, T) < index_arg(x, v, 1, t, T);
            any |= on[t];
        }
        if (!any) break;
        range(x, v + 1, x->end[v], T, on);
        hand_on_yield(x, v, x->end[v] - 1, 0, T, on);
        for (unsigned t = 0; t < T; t++) {
            int64_t next = 0;
            on[t] =
                on[t] && !__builtin_add_overflow((int64_t)*lp_exec_get(x, v, t, T), i->imm, &next);
            if (on[t]) *lp_exec_get(x, v, t, T) = (ir_bits)next;
        }
    }
}

/* Each thread becomes as many as the loop has iterations. They meet before and behind it. */
static void thread_loop(lp_exec *x, lp_val v, unsigned T, const bool *mask) {
    bool on[LP_MAX_THREADS];
    unsigned n = x->width[v] / T;
    for (unsigned t = 0; t < T * n; t++) {
        on[t] = mask[t / n];
        *lp_exec_get(x, v, t, T * n) = t % n;
    }
    x->r->epoch++;
    range(x, v + 1, x->end[v], T * n, on);
    x->r->epoch++;
}

static void while_loop(lp_exec *x, lp_val v, unsigned T, const bool *mask) {
    const lp_inst *i = lp_exec_at(x, v);
    lp_val yield = x->end[v] - 1;
    bool on[LP_MAX_THREADS], any = true;
    hand_on(x, v, lp_args(x->k, i), i->nargs, T, mask);
    memcpy(on, mask, T * sizeof *on);
    while (any && x->r->status == BZ_OK) {
        range(x, v + 1, x->end[v], T, on);
        hand_on_yield(x, v, yield, 1, T, on);
        any = false;
        for (unsigned t = 0; t < T; t++) {
            on[t] = on[t] && *lp_exec_get(x, lp_exec_arg(x, lp_exec_at(x, yield), 0), t, T);
            any |= on[t];
        }
    }
}

static void half(lp_exec *x, lp_val v, lp_val from, lp_val to, unsigned T, const bool *mask,
                 bool want) {
    bool on[LP_MAX_THREADS], any = false;
    for (unsigned t = 0; t < T; t++) {
        on[t] = mask[t] && (index_arg(x, v, 0, t, T) != 0) == want;
        any |= on[t];
    }
    if (!any) return;
    range(x, from, to, T, on);
    hand_on_yield(x, v, to - 1, 0, T, on);
}

static void branch(lp_exec *x, lp_val v, unsigned T, const bool *mask) {
    lp_val other = x->other[v], end = x->end[v];
    half(x, v, v + 1, other ? other : end, T, mask, true);
    if (other) half(x, v, other + 1, end, T, mask, false);
}

/* ---- the rest of control */

static void error(lp_exec *x, lp_val v, unsigned T, const bool *on) {
    for (unsigned t = 0; t < T; t++) {
        int64_t element = index_arg(x, v, 1, t, T);
        if (!on[t] || !index_arg(x, v, 0, t, T) || element >= x->r->bad_element) continue;
        x->r->bad_element = element;
        x->r->bad_code = (int)lp_exec_at(x, v)->imm;
    }
}

static void barrier(lp_exec *x, lp_val v, unsigned T, const bool *on) {
    for (unsigned t = 0; t < T; t++)
        if (!on[t]) lp_exec_fail(x, v, BZ_EARG, "thread %u does not come to the barrier", t);
    x->r->epoch++;
}

static void call(lp_exec *x, lp_val v, unsigned T, const bool *on) {
    const lp_inst *i = lp_exec_at(x, v);
    const lp_kernel *f = x->r->m->k.p[i->imm];
    lp_exec y;
    if (!open_exec(&y, x->r, f, T)) return;
    for (unsigned j = 0; j < i->nargs; j++)
        for (unsigned t = 0; t < T; t++) {
            lp_val a = lp_exec_arg(x, i, j);
            if (j < f->buffers.n)
                y.buffers[j * T + t] = *lp_exec_ptr(x, a, t, T);
            else
                y.extents[(j - f->buffers.n) * T + t] = *lp_exec_get(x, a, t, T);
        }
    range(&y, 1, f->inst.n, T, on);
    close_exec(&y);
}

static void instruction(lp_exec *x, lp_val v, unsigned T, const bool *on) {
    const lp_inst *i = lp_exec_at(x, v);
    switch (i->op) {
    case LP_LOOP:
        if (is_thread_loop(i))
            thread_loop(x, v, T, on);
        else
            loop(x, v, T, on);
        break;
    case LP_WHILE: while_loop(x, v, T, on); break;
    case LP_IF: branch(x, v, T, on); break;
    case LP_CARRY:
    case LP_RESULT: take(x, v, T, on); break;
    case LP_YIELD:
    case LP_END: break;
    case LP_ERROR: error(x, v, T, on); break;
    case LP_CALL: call(x, v, T, on); break;
    case LP_EXTERNAL:
        lp_exec_fail(x, v, BZ_EUNSUPPORTED, "machine code alone calls functions of C");
        break;
    case LP_BARRIER: barrier(x, v, T, on); break;
    case LP_WARP_SHUFFLE:
    case LP_MMA: lp_exec_exchange(x, v, T, on); break;
    default:
        if ((i->op >= LP_BUFFER && i->op <= LP_ASYNC_WAIT) || i->op >= LP_ASYNC_GROUP)
            lp_exec_memory(x, v, T, on);
        else
            lp_exec_value(x, v, T, on);
    }
}

static void range(lp_exec *x, lp_val from, lp_val to, unsigned T, const bool *on) {
    for (lp_val v = from; v < to && x->r->status == BZ_OK; v++) {
        instruction(x, v, T, on);
        if (x->end[v]) v = x->end[v];
    }
}

/* ---- phases */

static uint64_t common_divisor(uint64_t a, uint64_t b) {
    while (b) {
        uint64_t rest = a % b;
        a = b, b = rest;
    }
    return a;
}

/* How far to step, modulo n, to come by each of n tasks: 1, or drawn from a seed and prime to n. */
static uint64_t task_stride(uint64_t n, uint64_t seed) {
    uint64_t stride = seed ? bz_mix(seed, n) % n + 1 : 1;
    while (common_divisor(stride, n) != 1) stride++;
    return stride % n;
}

/* Runs the body of PARALLEL loop v for each task, or for those of `part`; what stands above it at top level is recomputed
 * before. */
static void phase(lp_exec *x, lp_val v, const lp_part *part) {
    const bool on = true;
    for (lp_val u = 1; u < v; u++) {
        if (x->end[u])
            u = x->end[u];
        else
            instruction(x, u, 1, &on);
    }
    int64_t n = index_arg(x, v, 1, 0, 1);
    int64_t first = part ? part->begin : 0, behind = part && part->end < n ? part->end : n;
    uint64_t stride = n > 0 ? task_stride((uint64_t)n, x->r->a->shuffle) : 0,
             task = (uint64_t)first;
    for (int64_t i = first; i < behind && x->r->status == BZ_OK; i++) {
        *lp_exec_get(x, v, 0, 1) = task;
        task = (task + stride) % (uint64_t)n;
        for (uint32_t j = 0; j < x->nlocals; j++) lp_mem_poison(&x->locals[j]);
        range(x, v + 1, x->end[v], 1, &on);
        x->r->copies.n = 0;
    }
}

/* Gives the kernel its parameters; `mems` are its buffers. */
static bool bind(lp_exec *x, lp_mem *mems) {
    const lp_kernel *k = x->k;
    const lp_run_args *a = x->r->a;
    for (uint32_t j = 0; j < k->buffers.n; j++) {
        const lp_param *p = &k->buffers.p[j];
        mems[j] =
            (lp_mem){a->buffers[j].p, a->buffers[j].count, p->dtype, p->name, NULL, NULL, NULL};
        bool undefined = !a->part && (p->access == LP_OUT || p->access == LP_WORK);
        if (undefined && !(mems[j].written = bz_mem_zero((size_t)mems[j].count + 1, 1)))
            return false;
        x->buffers[j] = (lp_ptr){&mems[j], a->at ? a->at[j] : 0};
    }
    for (uint32_t j = 0; j < k->extents.n; j++) x->extents[j] = (ir_bits)a->extents[j];
    for (uint32_t j = 0; j < k->scalars.n; j++) x->scalars[j] = a->scalars[j];
    return true;
}

static void run_kernel(lp_running *r, const lp_kernel *k) {
    lp_exec x;
    if (!open_exec(&x, r, k, 1)) return;
    lp_mem *mems = bz_mem_zero(k->buffers.n + 1u, sizeof *mems);
    if (!mems || !bind(&x, mems))
        r->status =
            bz_fail(r->e, BZ_ENOMEM, "[kernel %s] out of memory in the interpreter", k->name);
    const lp_part *part = r->a->part;
    unsigned number = 0;
    for (lp_val v = 1; v < k->inst.n && r->status == BZ_OK; v++) {
        if (!x.end[v]) continue;
        if (!part || part->phase == number) phase(&x, v, part);
        number++;
        v = x.end[v];
    }
    for (uint32_t j = 0; mems && j < k->buffers.n; j++) lp_mem_free(&mems[j]);
    bz_mem_free(mems);
    close_exec(&x);
}

bz_status lp_run(const lp_kernel *k, const lp_module *m, const lp_run_args *a, bz_error *e) {
    lp_running r = {.m = m, .a = a, .e = e, .epoch = 1, .bad_element = INT64_MAX};
    if (k->function)
        return bz_fail(e, BZ_EARG, "[kernel %s] a function cannot be run by itself", k->name);
    for (uint32_t j = 0; m && j < m->k.n && r.status == BZ_OK && !a->part; j++)
        if (m->k.p[j]->function) r.status = lp_verify(m->k.p[j], m, e);
    if (r.status == BZ_OK && !a->part) r.status = lp_verify(k, m, e);
    if (r.status == BZ_OK) run_kernel(&r, k);
    bz_vec_free(&r.copies);
    if (a->error_element) *a->error_element = r.bad_element;
    if (a->error_code) *a->error_code = r.bad_code;
    return r.status;
}
