/* build_act.c - building what acts: memory, loops and branches, threads of a block, calls.
 *
 * Every region ends with a YIELD (perhaps of nothing) and END; an IF may have an ELSE, after a
 * YIELD of its own. */
#include "src/ir/loops/builder.h"

#include <string.h>

static bool is_pointer(const lp_builder *b, lp_val v) {
    unsigned op = lp_at(b, v)->op;
    return op == LP_BUFFER || op == LP_LOCAL || op == LP_OFFSET;
}

static bool is_scalar(const lp_builder *b, lp_val v, bz_dtype t) {
    return lp_at(b, v)->lanes == 1 && lp_at(b, v)->dtype == t;
}

static bool mask_fits(const lp_builder *b, lp_val mask, unsigned lanes) {
    return mask == 0 || (lp_at(b, mask)->dtype == BZ_BOOL && lp_at(b, mask)->lanes == lanes);
}

static bool is_vindex(const lp_builder *b, lp_val v) {
    return lp_at(b, v)->lanes >= 1 &&
           (lp_at(b, v)->dtype == BZ_I64 || lp_at(b, v)->dtype == BZ_I32);
}

lp_val lp_local(lp_builder *b, bz_dtype t, int64_t count, lp_scope scope) {
    bz_assert(count > 0);
    return lp_put(
        b, (lp_inst){.op = LP_LOCAL, .dtype = (uint8_t)t, .flags = (uint8_t)scope, .imm = count},
        NULL, 0);
}

lp_val lp_offset(lp_builder *b, lp_val p, lp_val i) {
    if (b->k->failed) return 0;
    bz_assert(is_pointer(b, p) && is_scalar(b, i, BZ_I64));
    int64_t c;
    if (lp_const_i64(b, i, &c) && c == 0) return p;
    return lp_put(b, (lp_inst){.op = LP_OFFSET, .dtype = lp_at(b, p)->dtype}, (lp_val[]){p, i}, 2);
}

lp_val lp_is_aligned(lp_builder *b, lp_val p, lp_val i, int64_t bytes) {
    if (b->k->failed) return 0;
    bz_assert(is_pointer(b, p) && is_scalar(b, i, BZ_I64) && bytes > 0 && !(bytes & (bytes - 1)));
    return lp_put(b, lp_value_inst(LP_IS_ALIGNED, BZ_BOOL, 1, bytes), (lp_val[]){p, i}, 2);
}

lp_val lp_load(lp_builder *b, lp_val p, lp_val i, unsigned lanes, lp_val mask, unsigned flags) {
    if (b->k->failed) return 0;
    bz_assert(is_pointer(b, p) && is_scalar(b, i, BZ_I64) && mask_fits(b, mask, lanes));
    lp_inst inst = lp_value_inst(LP_LOAD, lp_at(b, p)->dtype, lanes, 0);
    inst.flags = (uint8_t)flags;
    return lp_put(b, inst, (lp_val[]){p, i, mask}, mask ? 3 : 2);
}

/* STORE and its kin: p, i, v and perhaps a mask. */
static void put_store(lp_builder *b, lp_inst inst, lp_val p, lp_val i, lp_val v, lp_val mask) {
    const lp_inst *x = lp_at(b, v);
    bz_assert(is_pointer(b, p) && x->lanes >= 1 && x->dtype == lp_at(b, p)->dtype &&
              mask_fits(b, mask, x->lanes));
    inst.dtype = x->dtype;
    lp_put(b, inst, (lp_val[]){p, i, v, mask}, mask ? 4 : 3);
}

void lp_store(lp_builder *b, lp_val p, lp_val i, lp_val v, lp_val mask, unsigned flags) {
    if (b->k->failed) return;
    bz_assert(is_scalar(b, i, BZ_I64));
    put_store(b, (lp_inst){.op = LP_STORE, .flags = (uint8_t)flags}, p, i, v, mask);
}

lp_val lp_gather(lp_builder *b, lp_val p, lp_val vindex, lp_val mask) {
    if (b->k->failed) return 0;
    const lp_inst *x = lp_at(b, vindex);
    bz_assert(is_pointer(b, p) && is_vindex(b, vindex) && mask_fits(b, mask, x->lanes));
    return lp_put(b, lp_value_inst(LP_GATHER, lp_at(b, p)->dtype, x->lanes, 0),
                  (lp_val[]){p, vindex, mask}, mask ? 3 : 2);
}

void lp_scatter(lp_builder *b, lp_val p, lp_val vindex, lp_val v, lp_val mask) {
    if (b->k->failed) return;
    bz_assert(is_vindex(b, vindex) && lp_at(b, vindex)->lanes == lp_at(b, v)->lanes);
    put_store(b, (lp_inst){.op = LP_SCATTER}, p, vindex, v, mask);
}

void lp_compress(lp_builder *b, lp_val p, lp_val i, lp_val v, lp_val mask) {
    if (b->k->failed) return;
    bz_assert(mask != 0 && is_scalar(b, i, BZ_I64));
    put_store(b, (lp_inst){.op = LP_COMPRESS}, p, i, v, mask);
}

void lp_atomic(lp_builder *b, ir_op op, lp_val p, lp_val i, lp_val v) {
    if (b->k->failed) return;
    bz_assert(is_scalar(b, i, BZ_I64) && lp_at(b, v)->lanes == 1);
    put_store(b, (lp_inst){.op = LP_ATOMIC, .imm = op}, p, i, v, 0);
}

void lp_prefetch(lp_builder *b, lp_val p, lp_val i, bool write) {
    if (b->k->failed) return;
    bz_assert(is_pointer(b, p) && is_scalar(b, i, BZ_I64));
    lp_put(b, (lp_inst){.op = LP_PREFETCH, .imm = write}, (lp_val[]){p, i}, 2);
}

void lp_async_copy(lp_builder *b, lp_val q, lp_val j, lp_val p, lp_val i, int64_t count,
                   lp_val cond) {
    if (b->k->failed) return;
    bz_assert(is_pointer(b, p) && is_pointer(b, q) && lp_at(b, p)->dtype == lp_at(b, q)->dtype &&
              count > 0 && mask_fits(b, cond, 1));
    bz_assert(is_scalar(b, i, BZ_I64) && is_scalar(b, j, BZ_I64));
    lp_put(b, (lp_inst){.op = LP_ASYNC_COPY, .imm = count}, (lp_val[]){q, j, p, i, cond},
           cond ? 5 : 4);
}

void lp_async_group(lp_builder *b) {
    lp_put(b, (lp_inst){.op = LP_ASYNC_GROUP}, NULL, 0);
}

void lp_async_wait(lp_builder *b, int64_t newest) {
    lp_put(b, (lp_inst){.op = LP_ASYNC_WAIT, .imm = newest}, NULL, 0);
}

/* ---- control */

static bool same_type(const lp_builder *b, lp_val x, lp_val y) {
    return lp_at(b, x)->lanes == lp_at(b, y)->lanes && lp_at(b, x)->dtype == lp_at(b, y)->dtype;
}

static void open_region_at(lp_builder *b, lp_val opener) {
    if (opener && !bz_vec_push(&b->open, ((open_region){opener, 0, b->seen.n})))
        b->k->failed = true;
}

/* CARRY or RESULT `op` number j of the opener, with the type of v. */
static lp_val handed(lp_builder *b, unsigned op, lp_val opener, unsigned j, lp_val v) {
    const lp_inst *x = lp_at(b, v);
    bz_assert(x->lanes >= 1 || b->k->failed);
    return b->k->failed ? 0 : lp_put(b, lp_value_inst(op, x->dtype, x->lanes, j), &opener, 1);
}

static void put_carries(lp_builder *b, lp_val opener, const lp_val *init, unsigned n,
                        lp_val *carries) {
    for (unsigned j = 0; j < n; j++)
        carries[j] = b->k->failed ? 0 : handed(b, LP_CARRY, opener, j, init[j]);
}

lp_val lp_loop(lp_builder *b, lp_loop_kind kind, lp_val lo, lp_val hi, int64_t step,
               const lp_val *init, unsigned n, lp_val *carries) {
    lp_val fixed[16], *args = n + 2 <= BZ_LEN(fixed) ? fixed : bz_mem_alloc((n + 2) * sizeof *args);
    if (!args) b->k->failed = true;
    lp_val opener = 0;
    if (!b->k->failed) {
        bz_assert(is_scalar(b, lo, BZ_I64) && is_scalar(b, hi, BZ_I64) && step > 0);
        bz_assert(kind <= LP_UNROLLED || n == 0);
        bz_assert(kind != LP_PARALLEL || (b->open.n == 0 && step == 1));
        args[0] = lo, args[1] = hi;
        for (unsigned j = 0; j < n; j++) args[j + 2] = init[j];
        lp_inst i = lp_value_inst(LP_LOOP, BZ_I64, 1, step);
        i.flags = (uint8_t)kind;
        opener = lp_put(b, i, args, n + 2);
        open_region_at(b, opener);
    }
    put_carries(b, opener, init, n, carries);
    if (args != fixed) bz_mem_free(args);
    return b->k->failed ? 0 : opener;
}

void lp_while(lp_builder *b, const lp_val *init, unsigned n, lp_val *carries) {
    lp_val opener = lp_put(b, (lp_inst){.op = LP_WHILE}, init, n);
    open_region_at(b, opener);
    put_carries(b, opener, init, n, carries);
}

void lp_if(lp_builder *b, lp_val cond) {
    if (b->k->failed) return;
    bz_assert(is_scalar(b, cond, BZ_BOOL));
    open_region_at(b, lp_put(b, (lp_inst){.op = LP_IF}, &cond, 1));
}

void lp_else(lp_builder *b, const lp_val *yield, unsigned n) {
    lp_val y = lp_put(b, (lp_inst){.op = LP_YIELD}, yield, n);
    lp_put(b, (lp_inst){.op = LP_ELSE}, NULL, 0);
    if (b->k->failed) return;
    open_region *r = &b->open.p[b->open.n - 1];
    bz_assert(b->open.n && lp_at(b, r->opener)->op == LP_IF && !r->first_yield);
    r->first_yield = y;
    lp_forget(b, r->seen);
}

/* What the region's results must look like: n values that stand before, and their number. */
static const lp_val *expected(const lp_builder *b, const open_region *r, unsigned *n) {
    const lp_inst *o = lp_at(b, r->opener);
    if (o->op == LP_IF) {
        *n = r->first_yield ? lp_at(b, r->first_yield)->nargs : 0;
        return r->first_yield ? lp_args(b->k, lp_at(b, r->first_yield)) : NULL;
    }
    unsigned skip = o->op == LP_LOOP ? 2 : 0;
    *n = o->nargs - skip;
    return lp_args(b->k, o) + skip;
}

void lp_end(lp_builder *b, const lp_val *yield, unsigned n, lp_val *results) {
    lp_val y = lp_put(b, (lp_inst){.op = LP_YIELD}, yield, n);
    lp_put(b, (lp_inst){.op = LP_END}, NULL, 0);
    bz_assert(b->open.n || b->k->failed);
    if (b->k->failed) {
        if (results && n) memset(results, 0, n * sizeof *results);
        return;
    }
    open_region r = b->open.p[--b->open.n];
    lp_forget(b, r.seen);
    unsigned count, skip = lp_at(b, r.opener)->op == LP_WHILE;
    const lp_val *want = expected(b, &r, &count);
    bz_assert(n == count + skip && (!skip || is_scalar(b, yield[0], BZ_BOOL)));
    for (unsigned j = 0; j < count; j++) bz_assert(same_type(b, want[j], yield[j + skip]));
    for (unsigned j = 0; j < count; j++)
        results[j] = handed(b, LP_RESULT, r.opener, j, lp_args(b->k, lp_at(b, y))[j + skip]);
}

void lp_call(lp_builder *b, unsigned function, const lp_val *args, unsigned n) {
    lp_put(b, (lp_inst){.op = LP_CALL, .imm = function}, args, n);
}

void lp_error_if(lp_builder *b, lp_val cond, int code, lp_val element) {
    if (b->k->failed) return;
    bz_assert(is_scalar(b, cond, BZ_BOOL) && is_scalar(b, element, BZ_I64));
    lp_put(b, (lp_inst){.op = LP_ERROR, .imm = code}, (lp_val[]){cond, element}, 2);
}

/* ---- threads of a block */

void lp_barrier(lp_builder *b) {
    lp_put(b, (lp_inst){.op = LP_BARRIER}, NULL, 0);
}

lp_val lp_warp_shuffle(lp_builder *b, lp_val x, unsigned mask) {
    if (b->k->failed) return 0;
    const lp_inst *i = lp_at(b, x);
    bz_assert(mask < 32);
    return lp_put(b, lp_value_inst(LP_WARP_SHUFFLE, i->dtype, i->lanes, mask), &x, 1);
}

lp_val lp_mma(lp_builder *b, const uint32_t mnk[3], lp_val x, lp_val y, lp_val z) {
    if (b->k->failed) return 0;
    const lp_inst *c = lp_at(b, z);
    lp_val args[] = {x, y, z};
    return lp_put_extra(b, lp_value_inst(LP_MMA, c->dtype, c->lanes, 0), args, 3, mnk);
}

lp_val lp_ldmatrix(lp_builder *b, lp_val p, lp_val i, unsigned matrices, bool transposed) {
    if (b->k->failed) return 0;
    const bz_dtype t = (bz_dtype)lp_at(b, p)->dtype;
    const unsigned lanes = matrices * 4 / (unsigned)ir_dtype_bytes(t);
    bz_assert(is_pointer(b, p) && is_scalar(b, i, BZ_I64));
    return lp_put(b, lp_value_inst(LP_LDMATRIX, t, lanes, transposed), (lp_val[]){p, i}, 2);
}

void lp_external(lp_builder *b, const lp_val *args, unsigned n) {
    if (b->k->failed) return;
    bz_assert(n >= 2 && is_scalar(b, args[0], BZ_I64) && is_scalar(b, args[1], BZ_I64));
    lp_put(b, (lp_inst){.op = LP_EXTERNAL}, args, n);
}
