/* build.c - building kernels: check, simplify, look for an equal instruction, append.
 *
 *     lp_base(ADD, x, y) -> splat to equal lanes -> fold i64 -> equal one seen? -> append
 *
 * Invariant: `seen` holds just the pure instructions of the regions that are open, newest last;
 * closing a region takes its own from the end. So whatever is found there is visible where the
 * builder stands. A misuse is our own bug and ends in bz_bug. */
#include "src/ir/loops/builder.h"

#include <string.h>

lp_builder *lp_builder_new(lp_kernel *k) {
    lp_builder *b = k ? bz_mem_zero(1, sizeof *b) : NULL;
    if (b) b->k = k;
    return b;
}

void lp_builder_free(lp_builder *b) {
    if (!b) return;
    bz_vec_free(&b->open);
    bz_vec_free(&b->seen);
    bz_mem_free(b->bucket);
    bz_mem_free(b);
}

void lp_set_site(lp_builder *b, uint32_t site) {
    b->site = site;
}

const lp_inst *lp_at(const lp_builder *b, lp_val v) {
    bz_assert(v < b->k->inst.n);
    return &b->k->inst.p[v];
}

/* No deeper than an index goes: sums of sums of one value would take forever. */
static bool multiple(const lp_builder *b, lp_val v, int64_t n, unsigned depth) {
    const lp_inst *i = lp_at(b, v);
    const uint32_t *x = lp_args(b->k, i);
    if (!depth--) return false;
    switch (i->op) {
    case LP_CONST: return i->imm % n == 0;
    case LP_LOOP: return i->imm % n == 0 && multiple(b, x[0], n, depth);
    case IR_MUL: return multiple(b, x[0], n, depth) || multiple(b, x[1], n, depth);
    case IR_ADD:
    case IR_SUB: return multiple(b, x[0], n, depth) && multiple(b, x[1], n, depth);
    default: return false;
    }
}

bool lp_is_multiple(const lp_builder *b, lp_val v, int64_t n) {
    return multiple(b, v, n, 10);
}

/* ---- value numbering */

static uint32_t hash_of(lp_inst i, const lp_val *args, unsigned n, const uint32_t *extra) {
    uint64_t h = bz_mix(i.op | (uint64_t)i.dtype << 16 | (uint64_t)i.lanes << 32, (uint64_t)i.imm);
    for (unsigned j = 0; j < n; j++) h = bz_mix(h, args[j]);
    for (unsigned j = 0; j < lp_extra_count(&i); j++) h = bz_mix(h, extra[j]);
    return (uint32_t)(h >> 32);
}

/* Entry e, the newest of all, goes to the head of its bucket. */
static void link_entry(lp_builder *b, uint32_t e) {
    seen_inst *s = &b->seen.p[e];
    uint32_t *bucket = &b->bucket[s->hash & (b->nbuckets - 1)];
    s->next = *bucket;
    *bucket = e + 1;
}

static bool add_entry(lp_builder *b, lp_val v, uint32_t hash) {
    if (b->seen.n >= b->nbuckets) {
        uint32_t n = b->nbuckets ? 4 * b->nbuckets : 256, *p = bz_mem_zero(n, sizeof *p);
        if (!p) return false;
        bz_mem_free(b->bucket);
        b->bucket = p;
        b->nbuckets = n;
        for (uint32_t e = 0; e < b->seen.n; e++) link_entry(b, e);
    }
    if (!bz_vec_push(&b->seen, ((seen_inst){v, 0, hash}))) return false;
    link_entry(b, b->seen.n - 1);
    return true;
}

static bool same_inst(const lp_kernel *k, lp_val v, lp_inst i, const lp_val *args, unsigned n,
                      const uint32_t *extra) {
    const lp_inst *o = &k->inst.p[v];
    if (o->op != i.op || o->dtype != i.dtype || o->lanes != i.lanes || o->imm != i.imm ||
        o->nargs != n || o->flags != i.flags)
        return false;
    const uint32_t *oa = lp_args(k, o);
    unsigned nextra = lp_extra_count(&i);
    return (n == 0 || memcmp(oa, args, n * sizeof *args) == 0) &&
           (nextra == 0 || memcmp(oa + n, extra, nextra * sizeof *extra) == 0);
}

/* The instruction itself: an equal pure one that is visible, or a new one. */
lp_val lp_put_extra(lp_builder *b, lp_inst i, const lp_val *args, unsigned n,
                    const uint32_t *extra) {
    lp_kernel *k = b->k;
    if (k->failed) return 0;
    for (unsigned j = 0; j < n; j++) bz_assert(args[j] != 0 && args[j] < k->inst.n);
    i.site = b->site;
    if (!lp_fact_of(i.op).pure) return lp_push(k, i, args, n, extra);
    uint32_t hash = hash_of(i, args, n, extra);
    for (uint32_t e = b->nbuckets ? b->bucket[hash & (b->nbuckets - 1)] : 0; e;
         e = b->seen.p[e - 1].next)
        if (same_inst(k, b->seen.p[e - 1].v, i, args, n, extra)) return b->seen.p[e - 1].v;
    lp_val v = lp_push(k, i, args, n, extra);
    if (!v || !add_entry(b, v, hash)) k->failed = true;
    return k->failed ? 0 : v;
}

lp_val lp_put(lp_builder *b, lp_inst i, const lp_val *args, unsigned n) {
    return lp_put_extra(b, i, args, n, NULL);
}

void lp_forget(lp_builder *b, uint32_t down_to) {
    while (b->seen.n > down_to) {
        seen_inst s = b->seen.p[--b->seen.n];
        b->bucket[s.hash & (b->nbuckets - 1)] = s.next;
    }
}

/* ---- parameters and constants */

lp_val lp_add_buffer(lp_builder *b, const char *name, bz_dtype t, lp_access access) {
    lp_inst i = {.op = LP_BUFFER, .dtype = (uint8_t)t, .imm = b->k->buffers.n};
    return lp_push_buffer(b->k, name, t, access) ? lp_put(b, i, NULL, 0) : 0;
}

lp_inst lp_value_inst(unsigned op, unsigned dtype, unsigned lanes, int64_t imm) {
    bz_assert(lanes >= 1 && lanes <= LP_MAX_LANES);
    return (lp_inst){
        .op = (uint16_t)op, .dtype = (uint8_t)dtype, .lanes = (uint16_t)lanes, .imm = imm};
}

lp_val lp_extent(lp_builder *b, uint32_t number) {
    return lp_put(b, lp_value_inst(LP_EXTENT, BZ_I64, 1, number), NULL, 0);
}

lp_val lp_add_extent(lp_builder *b, const char *name) {
    return lp_push_extent(b->k, name) ? lp_extent(b, b->k->extents.n - 1) : 0;
}

lp_val lp_add_scalar(lp_builder *b, const char *name, bz_dtype t) {
    lp_inst i = {.op = LP_SCALAR, .dtype = (uint8_t)t, .lanes = 1, .imm = b->k->scalars.n};
    return lp_push_scalar(b->k, name, t) ? lp_put(b, i, NULL, 0) : 0;
}

lp_val lp_const(lp_builder *b, bz_dtype t, ir_bits bits, unsigned lanes) {
    if (b->k->failed) return 0; /* lanes may be those of a value that was not made */
    return lp_put(b, lp_value_inst(LP_CONST, t, lanes, (int64_t)bits), NULL, 0);
}

lp_val lp_index(lp_builder *b, int64_t v) {
    return lp_const(b, BZ_I64, (ir_bits)v, 1);
}

/* ---- simplification of i64 */

bool lp_const_i64(const lp_builder *b, lp_val v, int64_t *out) {
    const lp_inst *i = lp_at(b, v);
    if (i->op != LP_CONST || i->dtype != BZ_I64) return false;
    *out = i->imm;
    return true;
}

static bool fold_i64(ir_op op, int64_t x, int64_t y, int64_t *r) {
    switch (op) {
    case IR_ADD: *r = (int64_t)((uint64_t)x + (uint64_t)y); return true;
    case IR_SUB: *r = (int64_t)((uint64_t)x - (uint64_t)y); return true;
    case IR_MUL: *r = (int64_t)((uint64_t)x * (uint64_t)y); return true;
    case IR_IDIV: *r = bz_div_down(x, y); return true;
    case IR_IMOD: *r = bz_mod_down(x, y); return true;
    case IR_MIN: *r = x < y ? x : y; return true;
    case IR_MAX: *r = x > y ? x : y; return true;
    default: return false;
    }
}

/* x0 + c over n, or its rest: where a power of two m divides x0 and n, what c is above a multiple of m decides no quotient, and rests
 * have it behind them. So neighbouring vectors of a split axis share a division. Holds where x0 + c wraps, too. 0: no such m. */
static lp_val within_block(lp_builder *b, ir_op op, lp_val x, int64_t n) {
    const lp_inst *i = lp_at(b, x);
    int64_t c;
    if (i->op != IR_ADD || n <= 0) return 0;
    const lp_val x0 = lp_args(b->k, i)[0];
    if (!lp_const_i64(b, lp_args(b->k, i)[1], &c)) return 0;
    int64_t m = n & -n;
    while (m > 1 && !lp_is_multiple(b, x0, m)) m /= 2;
    const int64_t above = c & (m - 1);
    if (!above) return 0;
    const lp_val from = lp_iadd(b, x0, lp_index(b, c - above)), by = lp_index(b, n);
    return op == IR_IDIV ? lp_idiv(b, from, by) : lp_iadd(b, lp_imod(b, from, by), lp_index(b, above));
}

/* x op y where y is a known number: the operand that the result equals, a zero, or 0 for
 * neither. */
static lp_val neutral(lp_builder *b, ir_op op, lp_val x, int64_t y) {
    if (y == 0 && (op == IR_ADD || op == IR_SUB)) return x;
    if (y == 1 && (op == IR_MUL || op == IR_IDIV)) return x;
    if ((y == 0 && op == IR_MUL) || (y == 1 && op == IR_IMOD))
        return lp_const(b, BZ_I64, 0, lp_at(b, x)->lanes);
    return 0;
}

static lp_val simplify_i64(lp_builder *b, ir_op op, lp_val *x) {
    int64_t c[2] = {0, 0}, r;
    bool known[2] = {lp_const_i64(b, x[0], &c[0]), lp_const_i64(b, x[1], &c[1])};
    if (known[0] && known[1] && fold_i64(op, c[0], c[1], &r))
        return lp_const(b, BZ_I64, (ir_bits)r, lp_at(b, x[0])->lanes);
    if (known[0] && !known[1] && (ir_ops[op].flags & IR_COMMUTES)) {
        lp_val t = x[0]; /* constants stand second */
        x[0] = x[1], x[1] = t;
        c[1] = c[0], known[1] = true;
    }
    if (x[0] == x[1] && (op == IR_MIN || op == IR_MAX)) return x[0];
    if (known[1] && lp_at(b, x[0])->lanes == 1 && (op == IR_IDIV || op == IR_IMOD) && (r = within_block(b, op, x[0], c[1])))
        return (lp_val)r;
    return known[1] ? neutral(b, op, x[0], c[1]) : 0;
}

/* ---- values */

lp_val lp_base(lp_builder *b, ir_op op, bz_dtype result, const lp_val *x, unsigned n) {
    if (b->k->failed) return 0;
    bz_assert(n >= 1 && n <= 3);
    unsigned lanes = 1;
    for (unsigned j = 0; j < n; j++)
        if (lp_at(b, x[j])->lanes > lanes) lanes = lp_at(b, x[j])->lanes;
    lp_val a[3];
    for (unsigned j = 0; j < n; j++)
        if (!(a[j] = lp_splat(b, x[j], lanes))) return 0;
    const lp_inst *in[3];
    for (unsigned j = 0; j < n; j++) in[j] = lp_at(b, a[j]);
    const char *problem = lp_base_problem(op, in, n, result, lanes);
    if (problem) bz_bug("%s in kernel %s: %s", lp_fact_of(op).name, b->k->name, problem);
    lp_val s = n == 2 && result == BZ_I64 ? simplify_i64(b, op, a) : 0;
    return s ? s : lp_put(b, lp_value_inst(op, result, lanes, 0), a, n);
}

bool lp_failed(const lp_builder *b) {
    return b->k->failed;
}

void lp_give_up(lp_builder *b) {
    b->k->failed = true;
}

lp_val lp_iadd(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_ADD, BZ_I64, (lp_val[]){x, y}, 2);
}

lp_val lp_isub(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_SUB, BZ_I64, (lp_val[]){x, y}, 2);
}

lp_val lp_imul(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_MUL, BZ_I64, (lp_val[]){x, y}, 2);
}

lp_val lp_idiv(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_IDIV, BZ_I64, (lp_val[]){x, y}, 2);
}

lp_val lp_imod(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_IMOD, BZ_I64, (lp_val[]){x, y}, 2);
}

lp_val lp_imin(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_MIN, BZ_I64, (lp_val[]){x, y}, 2);
}

lp_val lp_imax(lp_builder *b, lp_val x, lp_val y) {
    return lp_base(b, IR_MAX, BZ_I64, (lp_val[]){x, y}, 2);
}

lp_val lp_splat(lp_builder *b, lp_val x, unsigned lanes) {
    if (b->k->failed) return 0;
    const lp_inst *i = lp_at(b, x);
    if (i->lanes == lanes) return x;
    bz_assert(i->lanes == 1);
    if (i->op == LP_CONST) return lp_const(b, i->dtype, (ir_bits)i->imm, lanes);
    return lp_put(b, lp_value_inst(LP_SPLAT, i->dtype, lanes, 0), &x, 1);
}

lp_val lp_laneid(lp_builder *b, bz_dtype t, unsigned lanes) {
    bz_assert(t == BZ_I32 || t == BZ_I64);
    return lp_put(b, lp_value_inst(LP_LANEID, t, lanes, 0), NULL, 0);
}

lp_val lp_shuffle(lp_builder *b, lp_val x, lp_val y, const uint32_t *pick, unsigned lanes) {
    if (b->k->failed) return 0;
    const lp_inst *i = lp_at(b, x), *j = lp_at(b, y);
    bz_assert(i->lanes >= 1 && i->lanes == j->lanes && i->dtype == j->dtype);
    for (unsigned l = 0; l < lanes; l++) bz_assert(pick[l] < 2u * i->lanes);
    return lp_put_extra(b, lp_value_inst(LP_SHUFFLE, i->dtype, lanes, 0), (lp_val[]){x, y}, 2,
                        pick);
}

lp_val lp_extract(lp_builder *b, lp_val x, unsigned lane) {
    if (b->k->failed) return 0;
    const lp_inst *i = lp_at(b, x);
    bz_assert(lane < i->lanes);
    return i->lanes == 1 ? x : lp_put(b, lp_value_inst(LP_EXTRACT, i->dtype, 1, lane), &x, 1);
}

lp_val lp_insert(lp_builder *b, lp_val x, lp_val y, unsigned lane) {
    if (b->k->failed) return 0;
    const lp_inst *i = lp_at(b, x), *j = lp_at(b, y);
    bz_assert(lane < i->lanes && j->lanes == 1 && i->dtype == j->dtype);
    return lp_put(b, lp_value_inst(LP_INSERT, i->dtype, i->lanes, lane), (lp_val[]){x, y}, 2);
}

static lp_val fold_mask(lp_builder *b, lp_op op, lp_val mask) {
    if (b->k->failed) return 0;
    const lp_inst *i = lp_at(b, mask);
    bz_assert(i->dtype == BZ_BOOL && i->lanes >= 1);
    return i->lanes == 1 ? mask : lp_put(b, lp_value_inst(op, BZ_BOOL, 1, 0), &mask, 1);
}

lp_val lp_any(lp_builder *b, lp_val mask) {
    return fold_mask(b, LP_ANY, mask);
}

lp_val lp_all(lp_builder *b, lp_val mask) {
    return fold_mask(b, LP_ALL, mask);
}

lp_val lp_table(lp_builder *b, unsigned number, bz_dtype t, lp_val index) {
    if (b->k->failed) return 0;
    const lp_inst *i = lp_at(b, index);
    bz_assert(i->dtype == BZ_I32 || i->dtype == BZ_I64);
    return lp_put(b, lp_value_inst(LP_TABLE, t, i->lanes, number), &index, 1);
}
