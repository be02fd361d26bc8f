/* run_mem.c - the interpreter's memory: every access is checked.
 *
 * An element is outside its buffer, was never written (locals, out and work buffers), or is shared
 * memory that another thread touched since the last barrier: each is an error that names the
 * instruction and the element. */
#include "src/ir/loops/run.h"

#include <string.h>

enum { POISON = 0xA5 };

#define SEVERAL UINT32_MAX /* threads: stands for no one of them */

bool lp_mem_local(lp_mem *mem, const lp_inst *i) {
    size_t n = (size_t)i->imm;
    *mem = (lp_mem){.count = i->imm, .dtype = (bz_dtype)i->dtype};
    mem->owned = bz_mem_alloc(n * ir_dtype_bytes(mem->dtype) + 63);
    mem->p = (char *)(((uintptr_t)mem->owned + 63) & ~(uintptr_t)63);
    mem->written = bz_mem_zero(n, 1);
    bool shared = (i->flags & 15) == LP_SHARED;
    mem->touch = shared ? bz_mem_zero(n, sizeof *mem->touch) : NULL;
    return mem->owned && mem->written && (!shared || mem->touch);
}

void lp_mem_poison(lp_mem *mem) {
    size_t n = (size_t)mem->count;
    memset(mem->p, POISON, n * ir_dtype_bytes(mem->dtype));
    memset(mem->written, 0, n);
    if (mem->touch) memset(mem->touch, 0, n * sizeof *mem->touch);
}

void lp_mem_free(lp_mem *mem) {
    bz_mem_free(mem->owned);
    bz_mem_free(mem->written);
    bz_mem_free(mem->touch);
}

/* ---- one element */

/* Wraps; an address beyond int64 is found to be outside later. */
static int64_t moved(int64_t at, int64_t by) {
    return (int64_t)((uint64_t)at + (uint64_t)by);
}

static bool races(lp_exec *x, const lp_mem *mem, int64_t at, uint32_t thread, bool write) {
    lp_touch *t = &mem->touch[at];
    uint64_t now = x->r->epoch;
    bool race = t->wrote == now && t->writer != thread;
    if (write) {
        race |= t->read == now && t->reader != thread;
        t->wrote = now, t->writer = thread;
    } else {
        t->reader = t->read == now && t->reader != thread ? SEVERAL : thread;
        t->read = now;
    }
    return race;
}

/* Where element i behind the pointer lies; NULL and an error when thread t must not touch it.
 * `kind`: 'r', 'w' or 'a' (both). */
static char *element(lp_exec *x, lp_val v, lp_ptr p, int64_t i, unsigned t, char kind) {
    const lp_mem *m = p.mem;
    const char *name = m->name ? m->name : "a local array";
    int64_t at;
    if (__builtin_add_overflow(p.at, i, &at) || at < 0 || at >= m->count) {
        lp_exec_fail(x, v, BZ_EINDEX, "index %lld of %s, which has %lld elements",
                     (long long)moved(p.at, i), name, (long long)m->count);
        return NULL;
    }
    if (kind != 'w' && m->written && !m->written[at])
        lp_exec_fail(x, v, BZ_EINDEX, "element %lld of %s is read before it is written",
                     (long long)at, name);
    else if (kind != 'a' && m->touch && races(x, m, at, t, kind == 'w'))
        lp_exec_fail(x, v, BZ_EINDEX, "threads race for element %lld of %s", (long long)at, name);
    if (x->r->status != BZ_OK) return NULL;
    if (kind != 'r' && m->written) m->written[at] = 1;
    return m->p + (size_t)at * ir_dtype_bytes(m->dtype);
}

static ir_bits read(lp_exec *x, lp_val v, lp_ptr p, int64_t i, unsigned t) {
    const char *at = element(x, v, p, i, t, 'r');
    return at ? ir_load_bits(p.mem->dtype, at) : 0;
}

static void write(lp_exec *x, lp_val v, lp_ptr p, int64_t i, unsigned t, ir_bits b) {
    char *at = element(x, v, p, i, t, 'w');
    if (at) ir_store_bits(p.mem->dtype, at, b);
}

/* ---- instructions, one thread */

static int64_t index_of(const lp_exec *x, lp_val v, const ir_bits *cell) {
    return ir_bits_to_i64((bz_dtype)lp_exec_at(x, v)->dtype, *cell);
}

static bool multiple_of(lp_ptr p, int64_t index, size_t bytes) {
    const uintptr_t at =
        (uintptr_t)p.mem->p + (uintptr_t)(p.at + index) * ir_dtype_bytes(p.mem->dtype);
    return at % bytes == 0;
}

static bool aligned(const lp_inst *i, lp_ptr p, int64_t index, unsigned lanes) {
    size_t size = lanes * ir_dtype_bytes((bz_dtype)i->dtype);
    if (!(i->flags & LP_ALIGNED) || (size & (size - 1))) return true;
    return multiple_of(p, index, size < 64 ? size : 64);
}

static void is_aligned(lp_exec *x, lp_val v, unsigned t, unsigned T) {
    const lp_inst *i = lp_exec_at(x, v);
    const lp_val index = lp_exec_arg(x, i, 1);
    *lp_exec_get(x, v, t, T) =
        multiple_of(*lp_exec_ptr(x, lp_exec_arg(x, i, 0), t, T),
                    index_of(x, index, lp_exec_get(x, index, t, T)), (size_t)i->imm);
}

/* LOAD, GATHER, STORE, SCATTER, COMPRESS: lane by lane where the mask is set. */
static void lanes(lp_exec *x, lp_val v, unsigned t, unsigned T) {
    const lp_inst *i = lp_exec_at(x, v);
    bool reads = i->op == LP_LOAD || i->op == LP_GATHER;
    bool many = i->op == LP_GATHER || i->op == LP_SCATTER;
    lp_val index = lp_exec_arg(x, i, 1), value = reads ? v : lp_exec_arg(x, i, 2);
    unsigned n = lp_exec_at(x, value)->lanes, at_mask = reads ? 2 : 3;
    ir_bits *cell = lp_exec_get(x, value, t, T), *idx = lp_exec_get(x, index, t, T);
    const ir_bits *mask =
        i->nargs > at_mask ? lp_exec_get(x, lp_exec_arg(x, i, at_mask), t, T) : NULL;
    lp_ptr p = *lp_exec_ptr(x, lp_exec_arg(x, i, 0), t, T);
    if (!many && !aligned(i, p, index_of(x, index, idx), n))
        lp_exec_fail(x, v, BZ_EINDEX, "address is not aligned");
    int64_t packed = 0;
    for (unsigned l = 0; l < n; l++) {
        bool set = !mask || mask[l];
        int64_t at = index_of(x, index, many ? idx + l : idx);
        int64_t step = many ? 0 : i->op == LP_COMPRESS ? packed : (int64_t)l;
        lp_ptr q = {p.mem, moved(p.at, step)};
        if (reads)
            cell[l] = set ? read(x, v, q, at, t) : 0;
        else if (set)
            write(x, v, q, at, t, cell[l]);
        packed += set;
    }
}

static void atomic(lp_exec *x, lp_val v, unsigned t, unsigned T) {
    const lp_inst *i = lp_exec_at(x, v);
    bz_dtype d = (bz_dtype)i->dtype;
    lp_val index = lp_exec_arg(x, i, 1);
    lp_ptr p = *lp_exec_ptr(x, lp_exec_arg(x, i, 0), t, T);
    char *at = element(x, v, p, index_of(x, index, lp_exec_get(x, index, t, T)), t, 'a');
    if (!at) return;
    ir_bits in[3] = {ir_load_bits(d, at), *lp_exec_get(x, lp_exec_arg(x, i, 2), t, T), 0};
    ir_store_bits(d, at, ir_base_eval_bits((ir_op)i->imm, d, d, in));
}

static void offset(lp_exec *x, lp_val v, unsigned t, unsigned T) {
    const lp_inst *i = lp_exec_at(x, v);
    lp_ptr p = *lp_exec_ptr(x, lp_exec_arg(x, i, 0), t, T);
    if (__builtin_add_overflow(p.at, (int64_t)*lp_exec_get(x, lp_exec_arg(x, i, 1), t, T), &p.at))
        lp_exec_fail(x, v, BZ_EINDEX, "pointer moved out of the address space");
    *lp_exec_ptr(x, v, t, T) = p;
}

/* ---- asynchronous copies happen as late as they may */

static void copy_later(lp_exec *x, lp_val v, unsigned t, unsigned T) {
    const lp_inst *i = lp_exec_at(x, v);
    lp_copy c = {.thread = t, .count = i->imm, .v = v, .group = -1};
    c.zeros = i->nargs > 4 && !*lp_exec_get(x, lp_exec_arg(x, i, 4), t, T);
    c.to = *lp_exec_ptr(x, lp_exec_arg(x, i, 0), t, T);
    c.to.at = moved(c.to.at, (int64_t)*lp_exec_get(x, lp_exec_arg(x, i, 1), t, T));
    c.from = *lp_exec_ptr(x, lp_exec_arg(x, i, 2), t, T);
    c.from.at = moved(c.from.at, (int64_t)*lp_exec_get(x, lp_exec_arg(x, i, 3), t, T));
    if (!bz_vec_push(&x->r->copies, c)) lp_exec_fail(x, v, BZ_ENOMEM, "out of memory");
}

static void close_group(lp_exec *x, unsigned t) {
    for (uint32_t c = 0; c < x->r->copies.n; c++)
        x->r->copies.p[c].group += x->r->copies.p[c].thread == t;
}

static void wait(lp_exec *x, lp_val v, unsigned t) {
    lp_running *r = x->r;
    uint32_t kept = 0;
    for (uint32_t c = 0; c < r->copies.n; c++) {
        lp_copy copy = r->copies.p[c];
        if (copy.thread != t || copy.group < lp_exec_at(x, v)->imm) {
            r->copies.p[kept++] = copy;
            continue;
        }
        for (int64_t j = 0; j < copy.count && r->status == BZ_OK; j++)
            write(x, copy.v, copy.to, j, t, copy.zeros ? 0 : read(x, copy.v, copy.from, j, t));
    }
    r->copies.n = kept;
}

/* ---- matrices: the rows of all lanes, and of each what it gets */

static void ldmatrix(lp_exec *x, lp_val v, unsigned first, unsigned T) {
    const lp_inst *i = lp_exec_at(x, v);
    const lp_val index = lp_exec_arg(x, i, 1);
    const unsigned each = 4 / (unsigned)ir_dtype_bytes((bz_dtype)i->dtype);
    for (unsigned lane = 0; lane < 32 && x->r->status == BZ_OK; lane++)
        for (unsigned e = 0; e < i->lanes; e++) {
            const unsigned part = lane % 4 * each + e % each;
            const unsigned row = i->imm ? part : lane / 4, at = i->imm ? lane / 4 : part;
            const unsigned from = first + e / each * 8 + row;
            const lp_ptr p = *lp_exec_ptr(x, lp_exec_arg(x, i, 0), from, T);
            const int64_t begin = (int64_t)*lp_exec_get(x, index, from, T);
            if (!multiple_of(p, begin, 16)) lp_exec_fail(x, v, BZ_EINDEX, "address is not aligned");
            lp_exec_get(x, v, first + lane, T)[e] = read(x, v, p, moved(begin, at), first + lane);
        }
}

static void one(lp_exec *x, lp_val v, unsigned t, unsigned T) {
    const lp_inst *i = lp_exec_at(x, v);
    switch (i->op) {
    case LP_BUFFER:
        *lp_exec_ptr(x, v, t, T) = x->buffers[(size_t)i->imm * x->base + t * x->base / T];
        break;
    case LP_LOCAL: {
        uint32_t copy = (i->flags & 15) == LP_SHARED ? 0 : t;
        lp_mem *mem = &x->locals[x->local_of[v] + copy];
        if (copy == t) lp_mem_poison(mem);
        *lp_exec_ptr(x, v, t, T) = (lp_ptr){mem, 0};
        break;
    }
    case LP_OFFSET: offset(x, v, t, T); break;
    case LP_IS_ALIGNED: is_aligned(x, v, t, T); break;
    case LP_ATOMIC: atomic(x, v, t, T); break;
    case LP_PREFETCH: break;
    case LP_ASYNC_COPY: copy_later(x, v, t, T); break;
    case LP_ASYNC_GROUP: close_group(x, t); break;
    case LP_ASYNC_WAIT: wait(x, v, t); break;
    default: lanes(x, v, t, T); break;
    }
}

void lp_exec_memory(lp_exec *x, lp_val v, unsigned T, const bool *on) {
    if (lp_exec_at(x, v)->op == LP_LDMATRIX) {
        lp_exec_warps(x, v, T, on, ldmatrix);
        return;
    }
    for (unsigned t = 0; t < T && x->r->status == BZ_OK; t++)
        if (on[t]) one(x, v, t, T);
}
