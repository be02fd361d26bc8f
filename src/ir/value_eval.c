/* value_eval.c - evaluates base ops and value programs on bits and on arrays: the definition of
 * what they give.
 *
 * The loops come from the C columns of ops.def, compiled once per dtype (value_loops.h). A
 * program runs over blocks of elements, one instruction after the other, each value in its slot:
 *
 *     operands[at .. at+63] --ARG--> slot 0 --mul--> slot 2 --fma--> ... --> out[at .. at+63]
 *
 * This file needs -ffp-contract=off: an fma is one only where the program says so. */
#include "src/ir/value.h"

#include <math.h>
#include <string.h>

typedef void base_loop_fn(void *r, const void *a, const void *b, const void *c, size_t n);
typedef void cast_loop_fn(void *r, const void *a, size_t n);
typedef base_loop_fn *base_loop;
typedef cast_loop_fn *cast_loop;

/* X(dtype, C type, name of its loops): f16 and bf16 have none. */
#define C_TYPES(X)                                                                                 \
    X(BZ_BOOL, bool, b1)                                                                           \
    X(BZ_U8, uint8_t, u8)                                                                          \
    X(BZ_U16, uint16_t, u16)                                                                       \
    X(BZ_U32, uint32_t, u32)                                                                       \
    X(BZ_U64, uint64_t, u64)                                                                       \
    X(BZ_I8, int8_t, i8)                                                                           \
    X(BZ_I16, int16_t, i16)                                                                        \
    X(BZ_I32, int32_t, i32)                                                                        \
    X(BZ_I64, int64_t, i64)                                                                        \
    X(BZ_F32, float, f32)                                                                          \
    X(BZ_F64, double, f64)

/* ---- what the C columns of ops.def call; integers come in sign-extended */

#define FMA(x, y, z) _Generic((x), float : fmaf, default : fma)(x, y, z)
#define FABS(x)      _Generic((x), float : fabsf, default : fabs)(x)
#define SQRT(x)      _Generic((x), float : sqrtf, default : sqrt)(x)
#define FLOOR(x)     _Generic((x), float : floorf, default : floor)(x)
#define CEIL(x)      _Generic((x), float : ceilf, default : ceil)(x)
#define TRUNC(x)     _Generic((x), float : truncf, default : trunc)(x)
#define RINT(x)      _Generic((x), float : rintf, default : rint)(x)
#define OF_WIDTH(x, u64, other) _Generic((x), uint64_t : u64, default : other)
#define IDIV(x, y)   OF_WIDTH(x, quotient, floor_quotient)(x, y)
#define IMOD(x, y)   OF_WIDTH(x, rest, floor_rest)(x, y)
#define SHL(x, y)    ((uint64_t)(y) < BITS ? (uint64_t)(x) << (y) : 0)
#define SHR(x, y)    OF_WIDTH(x, shift_zeros, shift_right)(x, (uint64_t)(y), BITS)
#define LSHR(x, y)   ((uint64_t)(y) < BITS ? (uint64_t)(W)(x) >> (y) : 0)
#define POPCOUNT(x)  __builtin_popcountll((uint64_t)(W)(x))
#define CLZ(x)       ((W)(x) ? __builtin_clzll((uint64_t)(W)(x)) - (64 - BITS) : BITS)

static int64_t floor_quotient(int64_t x, int64_t y) {
    if (y == 0) return 0;
    if (y == -1) return (int64_t)(0 - (uint64_t)x); /* INT64_MIN wraps */
    return x / y - (x % y != 0 && (x < 0) != (y < 0));
}

static int64_t floor_rest(int64_t x, int64_t y) {
    if (y == 0 || y == -1) return 0;
    int64_t r = x % y;
    return r != 0 && (r < 0) != (y < 0) ? r + y : r;
}

static uint64_t quotient(uint64_t x, uint64_t y) {
    return y ? x / y : 0;
}

static uint64_t rest(uint64_t x, uint64_t y) {
    return y ? x % y : 0;
}

static uint64_t shift_zeros(uint64_t x, uint64_t n, unsigned bits) {
    return n < bits ? x >> n : 0;
}

static int64_t shift_right(int64_t x, uint64_t n, unsigned bits) {
    if (n < bits) return x >> n;
    return x < 0 ? -1 : 0;
}

/* A float of either size as an integer between lo and hi (powers of two but for one): truncated,
 * saturated, NaN is 0. */
#define SATURATE(x, lo, hi)                                                                        \
    _Generic((x), float                                                                            \
             : saturate, double                                                                    \
             : saturate, default                                                                   \
             : keep)((_Generic((x), float                                                          \
                               : (double)(x), double                                               \
                               : (double)(x), default                                              \
                               : (x))),                                                            \
                     lo, hi)
static int64_t saturate(double x, int64_t lo, int64_t hi) {
    if (x != x) return 0;
    return x >= (double)hi ? hi : x <= (double)lo ? lo : (int64_t)x;
}
static int64_t keep(int64_t x, int64_t lo, int64_t hi) {
    (void)lo, (void)hi;
    return x;
}

/* The same for u64, whose ends no int64_t holds. */
#define SATURATE_U64(x)                                                                            \
    _Generic((x), float : saturate_u64, double : saturate_u64, default : keep_u64)(x)
static uint64_t saturate_u64(double x) {
    if (x != x) return 0;
    return x >= 0x1p64 ? UINT64_MAX : x <= 0 ? 0 : (uint64_t)x;
}
static uint64_t keep_u64(uint64_t x) {
    return x;
}

/* ---- the loops */

#define PICK_INT(i, f)   i
#define PICK_FLOAT(i, f) f

/* abs of an unsigned dtype asks whether it is negative, bool arithmetic is int arithmetic: the
 * columns are written for all. */
#pragma GCC diagnostic ignored "-Wtype-limits"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wsign-compare"

#define T        uint8_t
#define U        uint32_t
#define W        uint8_t
#define BITS     1
#define NAME     b1
#define COLUMN   PICK_INT
#define CAST(x)  ((x) != 0)
#define STORE(v) ((v) != 0)
#include "src/ir/value_loops.h"

#define T       uint8_t
#define U       uint32_t
#define W       uint8_t
#define BITS    8
#define NAME    u8
#define COLUMN  PICK_INT
#define CAST(x) SATURATE(x, 0, UINT8_MAX)
#define STORE   (T)
#include "src/ir/value_loops.h"

#define T       uint16_t
#define U       uint32_t
#define W       uint16_t
#define BITS    16
#define NAME    u16
#define COLUMN  PICK_INT
#define CAST(x) SATURATE(x, 0, UINT16_MAX)
#define STORE   (T)
#include "src/ir/value_loops.h"

#define T       uint32_t
#define U       uint32_t
#define W       uint32_t
#define BITS    32
#define NAME    u32
#define COLUMN  PICK_INT
#define CAST(x) SATURATE(x, 0, UINT32_MAX)
#define STORE   (T)
#include "src/ir/value_loops.h"

#define T       uint64_t
#define U       uint64_t
#define W       uint64_t
#define BITS    64
#define NAME    u64
#define COLUMN  PICK_INT
#define CAST(x) SATURATE_U64(x)
#define STORE   (T)
#include "src/ir/value_loops.h"

#define T       int8_t
#define U       uint32_t
#define W       uint8_t
#define BITS    8
#define NAME    i8
#define COLUMN  PICK_INT
#define CAST(x) SATURATE(x, INT8_MIN, INT8_MAX)
#define STORE   (T)
#include "src/ir/value_loops.h"

#define T       int16_t
#define U       uint32_t
#define W       uint16_t
#define BITS    16
#define NAME    i16
#define COLUMN  PICK_INT
#define CAST(x) SATURATE(x, INT16_MIN, INT16_MAX)
#define STORE   (T)
#include "src/ir/value_loops.h"

#define T       int32_t
#define U       uint32_t
#define W       uint32_t
#define BITS    32
#define NAME    i32
#define COLUMN  PICK_INT
#define CAST(x) SATURATE(x, INT32_MIN, INT32_MAX)
#define STORE   (T)
#include "src/ir/value_loops.h"

#define T       int64_t
#define U       uint64_t
#define W       uint64_t
#define BITS    64
#define NAME    i64
#define COLUMN  PICK_INT
#define CAST(x) SATURATE(x, INT64_MIN, INT64_MAX)
#define STORE   (T)
#include "src/ir/value_loops.h"

#define T       float
#define U       float
#define W       float
#define BITS    32
#define NAME    f32
#define COLUMN  PICK_FLOAT
#define CAST(x) (x)
#define STORE   (T)
#include "src/ir/value_loops.h"

#define T       double
#define U       double
#define W       double
#define BITS    64
#define NAME    f64
#define COLUMN  PICK_FLOAT
#define CAST(x) (x)
#define STORE   (T)
#include "src/ir/value_loops.h"

#define LOOPS(t, type, name) [t] = loops_##name,
#define CASTS(t, type, name) [t] = casts_##name,
static const base_loop *const loops[BZ_NDTYPES] = {C_TYPES(LOOPS)};
static const cast_loop *const casts[BZ_NDTYPES] = {C_TYPES(CASTS)};

/* ---- one base op */

/* To or from f16 and bf16, one element at a time. */
static void cast_half(bz_dtype from, bz_dtype to, void *out, const void *x, size_t n) {
    size_t fs = ir_dtype_bytes(from), ts = ir_dtype_bytes(to);
    for (size_t i = 0; i < n; i++) {
        ir_bits b = ir_load_bits(from, (const char *)x + i * fs);
        ir_store_bits(to, (char *)out + i * ts, ir_bits_cast(to, from, b));
    }
}

/* The one op whose column says something else of bool: ~1 is not 0. */
static void not_bool(bool *out, const bool *x, size_t n) {
    for (size_t i = 0; i < n; i++) out[i] = !x[i];
}

void ir_base_eval(ir_op op, bz_dtype operand, bz_dtype result, void *out, const void *const x[3],
                  size_t n) {
    unsigned arity = ir_ops[op].arity;
    bool half = ir_is_half(operand);
    if (op == IR_BITCAST || (op == IR_CAST && operand == result))
        memmove(out, x[0], n * ir_dtype_bytes(result));
    else if (op == IR_CAST && (half || ir_is_half(result)))
        cast_half(operand, result, out, x[0], n);
    else if (op == IR_CAST)
        casts[result][operand](out, x[0], n);
    else if (op == IR_NOT && operand == BZ_BOOL)
        not_bool(out, x[0], n);
    else if (half && op != IR_SELECT)
        bz_bug("%s of %s is computed in f32", ir_ops[op].name, ir_dtypes[operand].name);
    else
        loops[half ? BZ_I16 : operand][op](out, x[0], x[arity > 1 ? 1 : 0], x[arity > 2 ? 2 : 0],
                                           n);
}

ir_bits ir_base_eval_bits(ir_op op, bz_dtype operand, bz_dtype result, const ir_bits x[3]) {
    uint64_t in[3], out;
    const void *p[3] = {in, in + 1, in + 2};
    for (unsigned k = 0; k < ir_ops[op].arity; k++)
        ir_store_bits(op == IR_SELECT && k == 0 ? BZ_BOOL : operand, in + k, x[k]);
    ir_base_eval(op, operand, result, &out, p, 1);
    return ir_load_bits(result, &out);
}

/* ---- programs */

enum { BLOCK = 64 };

typedef union block {
    uint8_t bytes[BLOCK * 8];
    bool mask[BLOCK];
    uint64_t align[BLOCK];
} block;

static void fill(block *out, bz_dtype t, ir_bits bits, size_t n) {
    for (size_t i = 0; i < n; i++) ir_store_bits(t, out->bytes + i * ir_dtype_bytes(t), bits);
}

static void look_up(block *out, const ir_vtable *table, bz_dtype index, const block *x, size_t n) {
    size_t size = ir_dtype_bytes(table->dtype), step = ir_dtype_bytes(index);
    for (size_t i = 0; i < n; i++) {
        int64_t at = ir_bits_to_i64(index, ir_load_bits(index, x->bytes + i * step));
        bz_assert(at >= 0 && at < (int64_t)table->n);
        memcpy(out->bytes + i * size, (const char *)table->data + (size_t)at * size, size);
    }
}

static bool any(const block *mask, size_t n) {
    return memchr(mask->bytes, 1, n) != NULL;
}

/* One block of n <= BLOCK elements; its result is in the slot of instruction `out`. */
static void eval_block(const ir_vprog *p, block *slots, const void *const x[3], size_t n) {
    uint16_t skipped = 0; /* END of a region that was skipped */
    for (uint16_t i = 0; i < p->n; i++) {
        const ir_vinst *v = &p->inst[i];
        const ir_vinst *a[3] = {&p->inst[v->x[0]], &p->inst[v->x[1]], &p->inst[v->x[2]]};
        block *out = &slots[v->slot];
        const void *in[3] = {&slots[a[0]->slot], &slots[a[1]->slot], &slots[a[2]->slot]};
        bz_dtype t = (bz_dtype)v->dtype, operand = (bz_dtype)a[v->op == IR_SELECT]->dtype;
        size_t bytes = n * ir_dtype_bytes(t);
        if (v->op == IR_V_ARG)
            memcpy(out, x[v->imm], bytes);
        else if (v->op == IR_V_CONST)
            fill(out, t, v->imm, n);
        else if (v->op == IR_V_TABLE)
            look_up(out, &ir_vtables[v->imm], operand, in[0], n);
        else if (v->op == IR_V_RARE && !any(in[0], n))
            i = (uint16_t)(v->imm - 1), skipped = (uint16_t)v->imm;
        else if (v->op == IR_V_END && i == skipped)
            memmove(out, in[2], bytes);
        else if (v->op == IR_V_END)
            ir_base_eval(IR_SELECT, t, t, out, in, n);
        else if (v->op != IR_V_RARE)
            ir_base_eval((ir_op)v->op, operand, t, out, in, n);
    }
}

void ir_value_eval(const ir_vprog *p, void *out, const void *const x[3], size_t n) {
    block slots[IR_V_MAX_SLOTS];
    size_t size = ir_dtype_bytes(p->result);
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        const void *in[3];
        for (unsigned k = 0; k < p->nargs; k++)
            in[k] = (const char *)x[k] + at * ir_dtype_bytes(p->arg[k]);
        eval_block(p, slots, in, m);
        memcpy((char *)out + at * size, &slots[p->inst[p->out].slot], m * size);
    }
}

ir_bits ir_value_eval_bits(const ir_vprog *p, const ir_bits x[3]) {
    uint64_t in[3], out;
    for (unsigned k = 0; k < p->nargs; k++) ir_store_bits(p->arg[k], in + k, x[k]);
    ir_value_eval(p, &out, (const void *const[3]){in, in + 1, in + 2}, 1);
    return ir_load_bits(p->result, &out);
}
