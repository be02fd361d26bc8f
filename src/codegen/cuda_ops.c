/* cuda_ops.c - the base ops of ops.def as expressions of CUDA C, equal to their C columns bit for
 * bit. The compiler contracts nothing (--fmad=false) and divides as IEEE 754 says. */
#include "src/codegen/cuda_emit.h"

#include <stdio.h>
#include <string.h>

static const char *const names[IR_BASE_END] = {
    [IR_FLOOR] = "floor", [IR_CEIL] = "ceil", [IR_TRUNC] = "trunc", [IR_RINT] = "rint"};
static const char *const signs[IR_BASE_END] = {
    [IR_ADD] = "+", [IR_SUB] = "-", [IR_MUL] = "*", [IR_AND] = "&", [IR_OR] = "|",
    [IR_XOR] = "^", [IR_EQ] = "==", [IR_NE] = "!=", [IR_LT] = "<",  [IR_LE] = "<="};

/* ---- conversions */

/* x of dtype `from` as a float (f16, bf16, f32) or double (f64), exactly. */
static void as_float(bz_text *o, bz_dtype from, const char *x) {
    if (ir_is_half(from))
        bz_textf(o, "bz_from_%s(%s)", ir_dtypes[from].name, x);
    else
        bz_text_str(o, x);
}

static void to_half(bz_text *o, bool matrix, bz_dtype to, bz_dtype from, const char *x) {
    bz_textf(o, "bz_%s_%s(", matrix && to == BZ_BF16 ? "cvt" : "to", ir_dtypes[to].name);
    if (from == BZ_F64)
        bz_textf(o, "bz_odd(%s)", x);
    else if (from == BZ_F32 || ir_is_half(from))
        as_float(o, from, x);
    else if (from == BZ_U64)
        bz_textf(o, "bz_odd_u64(%s)", x);
    else
        bz_textf(o, "bz_odd_int((i64)%s)", x);
    bz_text_str(o, ")");
}

static void to_int(bz_text *o, bz_dtype to, bz_dtype from, const char *x) {
    const unsigned bits = ir_dtypes[to].bits;
    const bool is_signed = ir_is_signed(to);
    if (to == BZ_U64) {
        bz_text_str(o, "bz_to_u64(");
        as_float(o, from, x);
        bz_text_str(o, ")");
        return;
    }
    const long long hi = (long long)ir_highest(to);
    const bool small = from != BZ_F64 && bits < 32; /* the limits are floats */
    bz_textf(o, "(%s)%s(", cuda_types[to], small ? "bz_to_int32" : "bz_to_int");
    as_float(o, from, x);
    const char *end = small ? "" : "ll";
    if (is_signed)
        bz_textf(o, ", -%lld%s - 1, %lld%s)", hi, end, hi, end);
    else
        bz_textf(o, ", 0, %lld%s)", hi, end);
}

static void cast(bz_text *o, bool matrix, bz_dtype to, bz_dtype from, const char *x) {
    if (to == from) {
        bz_text_str(o, x);
    } else if (to == BZ_BOOL) {
        as_float(o, from, x);
        bz_text_str(o, " != 0");
    } else if (ir_is_half(to)) {
        to_half(o, matrix, to, from, x);
    } else if (ir_is_float(from) && !ir_is_float(to)) {
        to_int(o, to, from, x);
    } else {
        bz_textf(o, "(%s)", cuda_types[to]);
        as_float(o, from, x);
    }
}

static void bitcast(bz_text *o, bz_dtype to, bz_dtype from, const char *x) {
    static const char *const ways[4] = {"__int_as_float", "__float_as_int", "__longlong_as_double",
                                        "__double_as_longlong"};
    const int way = to == BZ_F32     ? 0
                    : from == BZ_F32 ? 1
                    : to == BZ_F64   ? 2
                    : from == BZ_F64 ? 3
                                     : -1;
    if (to == from || way < 0)
        bz_textf(o, "(%s)%s", cuda_types[to], x);
    else
        bz_textf(o, "%s(%s)", ways[way], x);
}

/* ---- arithmetic */

static void of_floats(bz_text *o, ir_op op, bz_dtype t, const cuda_name *x) {
    const bool is_double = t == BZ_F64;
    const char *a = x[0].text, *b = x[1].text, *c = x[2].text;
    switch (op) {
    case IR_DIV: bz_textf(o, "%s(%s, %s)", is_double ? "__ddiv_rn" : "__fdiv_rn", a, b); break;
    case IR_FMA:
        bz_textf(o, "%s(%s, %s, %s)", is_double ? "__fma_rn" : "__fmaf_rn", a, b, c);
        break;
    case IR_NEG: bz_textf(o, "-%s", a); break;
    case IR_ABS: bz_textf(o, "%s(%s)", is_double ? "fabs" : "fabsf", a); break;
    case IR_SQRT: bz_textf(o, "%s(%s)", is_double ? "__dsqrt_rn" : "__fsqrt_rn", a); break;
    case IR_MAX: bz_textf(o, "%s > %s || %s != %s ? %s : %s", a, b, a, a, a, b); break;
    case IR_MIN: bz_textf(o, "%s < %s || %s != %s ? %s : %s", a, b, a, a, a, b); break;
    default: bz_textf(o, "%s%s(%s)", names[op], is_double ? "" : "f", a); break;
    }
}

/* A division by a constant, or of what is known not to be negative: what the compiler and the processor know well. */
static void divided(cuda_text *t, ir_op op, bz_dtype d, const lp_inst *i, const cuda_name *x) {
    const lp_val over = cuda_arg(t, i, 0), by = cuda_arg(t, i, 1);
    const lp_inst *y = cuda_inst(t, by);
    const bool power = y->op == LP_CONST && y->imm > 0 && (y->imm & (y->imm - 1)) == 0;
    const bool narrow = cuda_narrow(t, over) && cuda_narrow(t, by);
    const bool plain = d == BZ_I64 && t->range[over].lo >= 0 && t->range[by].lo > 0;
    const bool wide = ir_dtypes[d].bits == 64 && !narrow;
    const char *word = op == IR_IDIV ? "idiv" : "imod", *bits = narrow ? "u32" : "u64";
    if (plain)
        bz_textf(t->out, "(%s)((%s)%s %s (%s)%s)", narrow ? "i32" : "i64", bits, x[0].text,
                 op == IR_IDIV ? "/" : "%", bits, x[1].text);
    else if (power && op == IR_IDIV)
        bz_textf(t->out, "(%s)(%s >> %d)", cuda_types[d], x[0].text,
                 __builtin_ctzll((uint64_t)y->imm));
    else if (power)
        bz_textf(t->out, "(%s)(%s & (%s)%lldll)", cuda_types[d], x[0].text, cuda_types[d],
                 (long long)y->imm - 1);
    else
        bz_textf(t->out, "(%s)bz_%s%s%s(%s, %s)", cuda_types[d], ir_is_signed(d) ? "" : "u", word,
                 wide ? "" : "32", x[0].text, x[1].text);
}

static void shifted(bz_text *o, ir_op op, bz_dtype t, const cuda_name *x) {
    static const char *const unsigned_of[9] = {[1] = "u8", [2] = "u16", [4] = "u32", [8] = "u64"};
    const unsigned bits = ir_dtypes[t].bits;
    const bool zeros = op == IR_LSHR || (op == IR_SHR && !ir_is_signed(t));
    const char *word = op == IR_SHL ? "shl" : zeros ? "lshr" : "shr";
    const char *as = zeros ? unsigned_of[ir_dtypes[t].bytes] : "i64";
    bz_textf(o, "(%s)bz_%s((%s)%s, (u64)(i64)%s, %u)", cuda_types[t], word, as, x[0].text,
             x[1].text, bits);
}

/* Is v, with its operands, an i64 that is computed in 32 bits? Then it does not overflow. */
static bool index_in_32(const cuda_text *t, lp_val v) {
    const lp_inst *i = cuda_inst(t, v);
    return cuda_narrow(t, v) && cuda_narrow(t, cuda_arg(t, i, 0)) &&
           cuda_narrow(t, cuda_arg(t, i, 1));
}

static void of_integers(cuda_text *t, lp_val v, bz_dtype d, const cuda_name *x) {
    const lp_inst *i = cuda_inst(t, v);
    const ir_op op = (ir_op)i->op;
    bz_text *o = t->out;
    static const char *const words[9] = {[1] = "u8", [2] = "u16", [4] = "u32", [8] = "u64"};
    const char *type = cuda_types[d], *a = x[0].text, *b = x[1].text,
               *bits = words[ir_dtypes[d].bytes], *wide = ir_dtypes[d].bits == 64 ? "u64" : "u32";
    if ((op == IR_ADD || op == IR_SUB || op == IR_MUL) && index_in_32(t, v)) {
        bz_textf(o, "%s %s %s", a, signs[op], b);
        return;
    }
    switch (op) {
    case IR_ADD:
    case IR_SUB:
    case IR_MUL: bz_textf(o, "(%s)((%s)%s %s (%s)%s)", type, wide, a, signs[op], wide, b); break;
    case IR_NEG: bz_textf(o, "(%s)(0 - (%s)%s)", type, wide, a); break;
    case IR_ABS:
        if (!ir_is_signed(d)) {
            bz_text_str(o, a);
            break;
        }
        bz_textf(o, "(%s)(%s < 0 ? 0 - (%s)%s : (%s)%s)", type, a, wide, a, wide, a);
        break;
    case IR_MAX: bz_textf(o, "%s > %s ? %s : %s", a, b, a, b); break;
    case IR_MIN: bz_textf(o, "%s < %s ? %s : %s", a, b, a, b); break;
    case IR_IDIV:
    case IR_IMOD: divided(t, op, d, i, x); break;
    case IR_SHL:
    case IR_SHR:
    case IR_LSHR: shifted(o, op, d, x); break;
    case IR_NOT:
        if (d == BZ_BOOL)
            bz_textf(o, "!%s", a);
        else
            bz_textf(o, "(%s)~%s", type, a);
        break;
    case IR_POPCOUNT: bz_textf(o, "(%s)__popcll((u64)(%s)%s)", type, bits, a); break;
    case IR_CLZ:
        bz_textf(o, "(%s)bz_clz((u64)(%s)%s, %u)", type, bits, a, ir_dtypes[d].bits);
        break;
    case IR_AND:
    case IR_OR:
    case IR_XOR: bz_textf(o, "(%s)(%s %s %s)", type, a, signs[op], b); break;
    default: bz_textf(o, "%s", a); break; /* floor and its kin */
    }
}

void cuda_base(cuda_text *t, lp_val v, unsigned lane) {
    const lp_inst *i = cuda_inst(t, v);
    const ir_op op = (ir_op)i->op;
    const bz_dtype d = (bz_dtype)cuda_inst(t, cuda_arg(t, i, op == IR_SELECT))->dtype;
    cuda_name x[3] = {{""}, {""}, {""}};
    for (unsigned n = 0; n < i->nargs; n++) x[n] = cuda_lane(t, cuda_arg(t, i, n), lane);
    if (op == IR_SELECT)
        bz_textf(t->out, "%s ? %s : %s", x[0].text, x[1].text, x[2].text);
    else if (op == IR_CAST)
        cast(t->out, t->matrix, (bz_dtype)i->dtype, d, x[0].text);
    else if (op == IR_BITCAST)
        bitcast(t->out, (bz_dtype)i->dtype, d, x[0].text);
    else if (op == IR_EQ || op == IR_NE || op == IR_LT || op == IR_LE ||
             (ir_is_float(d) && (op == IR_ADD || op == IR_SUB || op == IR_MUL)))
        bz_textf(t->out, "%s %s %s", x[0].text, signs[op], x[1].text);
    else if (ir_is_float(d))
        of_floats(t->out, op, d, x);
    else
        of_integers(t, v, d, x);
}
