/* float.c - arithmetic on f16, bf16, f32, f64 and pairs: roundings, flushing, saturation,
 * comparisons.
 *
 * Names are built from op x type x rounding x flags as far as the ISA allows the combination; one
 * oracle per kind of instruction then reads the parts from `spec`. */
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "fp.h"

enum { FTZ = 1, SAT = 2, RELU = 4, NAN_WINS = 8, XORSIGN = 16, PAIR = 32 };

static const char letters[] = {[FP_F16] = 'H', [FP_BF16] = 'B', [FP_F32] = 'F', [FP_F64] = 'D'};

/* "F:FF" for a type and a number of operands; pairs have letters of their own. */
static const char *signature(fp_format f, bool pair, int n) {
    static char sig[8];
    char l = !pair ? letters[f] : f == FP_F16 ? 'X' : f == FP_BF16 ? 'Y' : 'P';
    snprintf(sig, sizeof sig, "%c:%c%c%c", l, l, l, l);
    sig[2 + n] = '\0';
    return sig;
}

typedef uint64_t (*scalar)(const conf_case *c, const uint64_t *v);

/* Runs `f` on both halves of the operands of a pair, or once. */
static void per_half(const conf_case *c, const uint64_t *v, uint64_t *r, scalar f) {
    if (!(c->spec.flags & PAIR)) {
        r[0] = f(c, v);
        return;
    }
    unsigned bits = fp_bits((fp_format)c->spec.to);
    r[0] = 0;
    for (unsigned half = 0; half < 2; half++) {
        uint64_t part[3] = {0};
        for (unsigned k = 0; k < conf_operands(c); k++)
            part[k] = v[k] >> (half * bits) & (((uint64_t)1 << bits) - 1);
        r[0] |= f(c, part) << (half * bits);
    }
}

static bool is_negative(fp_format f, uint64_t bits) {
    return bits >> (fp_bits(f) - 1) & 1;
}

static uint64_t compute(const conf_case *c, const uint64_t *v) {
    fp_format f = (fp_format)c->spec.to;
    uint64_t x[3] = {0};
    for (unsigned k = 0; k < conf_operands(c); k++)
        x[k] = c->spec.flags & FTZ ? fp_flush(f, v[k]) : v[k];
    uint64_t y = fp_compute((fp_op)c->spec.op, f, (fp_round)c->spec.round, x[0], x[1], x[2]);
    if (c->spec.flags & FTZ) y = fp_flush(f, y);
    if (c->spec.flags & SAT) y = fp_saturate(f, y);
    if (c->spec.flags & RELU && !fp_is_nan(f, y) && is_negative(f, y)) y = 0;
    return y;
}

static void row_compute(const conf_case *c, const uint64_t *v, uint64_t *r) {
    per_half(c, v, r, compute);
}

static const char *flag_text(int flags) {
    static const char *const texts[] = {"", ".ftz", ".sat", ".ftz.sat", ".relu", ".ftz.relu"};
    return texts[flags & (FTZ | SAT | RELU)];
}

static void add_op(conf_list *list, unsigned sm, const char *op, conf_spec spec, int operands) {
    static const char *const places[] = {"", "$0, $1;", "$0, $1, $2;", "$0, $1, $2, $3;"};
    fp_format f = (fp_format)spec.to;
    bool pair = spec.flags & PAIR;
    conf_case *c = conf_add(list, sm, signature(f, pair, operands), "%s.%s%s.%s%s %s", op,
                            fp_round_name[spec.round], flag_text(spec.flags), fp_name[f],
                            pair ? "x2" : "", places[operands]);
    c->row = row_compute;
    c->spec = spec;
}

/* op in every rounding and flag of f32, every rounding of f64 */
static void add_full(conf_list *list, const char *op, fp_op code, int operands, bool saturates) {
    for (int round = FP_RN; round <= FP_RP; round++) {
        for (int flags = 0; flags < (saturates ? 4 : 2); flags++)
            add_op(list, 75, op,
                   (conf_spec){.op = (int)code, .to = FP_F32, .round = round, .flags = flags},
                   operands);
        add_op(list, 75, op, (conf_spec){.op = (int)code, .to = FP_F64, .round = round}, operands);
    }
}

/* Pairs of f32 in a 64-bit register. */
static void add_pairs(conf_list *list) {
    static const char *const ops[] = {"add", "sub", "mul", "fma"};
    for (int k = 0; k < 4; k++)
        for (int round = FP_RN; round <= FP_RP; round++)
            for (int flags = 0; flags <= FTZ; flags++)
                add_op(list, 100, ops[k],
                       (conf_spec){
                           .op = FP_ADD + k, .to = FP_F32, .round = round, .flags = flags | PAIR},
                       k == 3 ? 3 : 2);
}

static void add_half(conf_list *list, const char *op, fp_op code, int operands) {
    for (int pair = 0; pair <= PAIR; pair += PAIR) {
        for (int flags = 0; flags < 4; flags++)
            add_op(list, 75, op, (conf_spec){.op = (int)code, .to = FP_F16, .flags = flags | pair},
                   operands);
        add_op(list, code == FP_FMA ? 80 : 90, op,
               (conf_spec){.op = (int)code, .to = FP_BF16, .flags = pair}, operands);
        if (code != FP_FMA) continue;
        for (int flags = RELU; flags <= (RELU | FTZ); flags++)
            add_op(list, 80, op, (conf_spec){.op = (int)code, .to = FP_F16, .flags = flags | pair},
                   operands);
        add_op(list, 80, op, (conf_spec){.op = (int)code, .to = FP_BF16, .flags = RELU | pair},
               operands);
    }
}

/* Without a rounding in the name add, sub and mul round to nearest too (and may be contracted,
 * which one instruction alone cannot show). */
static void add_plain(conf_list *list) {
    static const char *const ops[] = {"add", "sub", "mul"};
    static const fp_format formats[] = {FP_F32, FP_F64, FP_F16};
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            for (int flags = 0; flags < (formats[k] == FP_F64 ? 1 : 4); flags++) {
                conf_case *c =
                    conf_add(list, 75, signature(formats[k], false, 2), "%s%s.%s $0, $1, $2;",
                             ops[i], flag_text(flags), fp_name[formats[k]]);
                c->row = row_compute;
                c->spec = (conf_spec){.op = FP_ADD + i, .to = (int)formats[k], .flags = flags};
            }
}

/* ---- approximations: within the error that the ISA promises ---------------------------------- */

static const struct {
    const char *text, *sig;
    fp_op op;
    fp_format f;
    int flags;
    unsigned sm;
    conf_slack slack;
} approximations[] = {
    {"rcp.approx.f32 $0, $1;", "F:F", FP_RCP, FP_F32, 0, 75, {.ulp = 1}},
    {"rcp.approx.ftz.f32 $0, $1;", "F:F", FP_RCP, FP_F32, FTZ, 75, {.ulp = 1}},
    {"sqrt.approx.f32 $0, $1;", "F:F", FP_SQRT, FP_F32, 0, 75, {.rel = 0x1p-23}},
    {"sqrt.approx.ftz.f32 $0, $1;", "F:F", FP_SQRT, FP_F32, FTZ, 75, {.rel = 0x1p-23}},
    {"rsqrt.approx.f32 $0, $1;", "F:F", FP_RSQRT, FP_F32, 0, 75, {.rel = 0x1p-22}},
    {"rsqrt.approx.ftz.f32 $0, $1;", "F:F", FP_RSQRT, FP_F32, FTZ, 75, {.rel = 0x1p-22}},
    {"div.approx.f32 $0, $1, $2;", "F:nn", FP_DIV, FP_F32, 0, 75, {.ulp = 2}},
    {"div.approx.ftz.f32 $0, $1, $2;", "F:nn", FP_DIV, FP_F32, FTZ, 75, {.ulp = 2}},
    {"div.full.f32 $0, $1, $2;", "F:nn", FP_DIV, FP_F32, 0, 75, {.ulp = 2}},
    {"div.full.ftz.f32 $0, $1, $2;", "F:nn", FP_DIV, FP_F32, FTZ, 75, {.ulp = 2}},
    {"sin.approx.f32 $0, $1;", "F:n", FP_SIN, FP_F32, 0, 75, {.abs = 0x1p-20}},
    {"sin.approx.ftz.f32 $0, $1;", "F:n", FP_SIN, FP_F32, FTZ, 75, {.abs = 0x1p-20}},
    {"cos.approx.f32 $0, $1;", "F:n", FP_COS, FP_F32, 0, 75, {.abs = 0x1p-20}},
    {"cos.approx.ftz.f32 $0, $1;", "F:n", FP_COS, FP_F32, FTZ, 75, {.abs = 0x1p-20}},
    {"ex2.approx.f32 $0, $1;", "F:n", FP_EX2, FP_F32, 0, 75, {.ulp = 2}},
    {"ex2.approx.f32 $0, $1;", "F:F", FP_EX2, FP_F32, 0, 75, {.ulp = 2}},
    {"ex2.approx.ftz.f32 $0, $1;", "F:F", FP_EX2, FP_F32, FTZ, 75, {.ulp = 2}},
    {"lg2.approx.f32 $0, $1;", "F:F", FP_LG2, FP_F32, 0, 75, {.rel = 0x1p-22, .abs = 0x1p-22}},
    {"lg2.approx.ftz.f32 $0, $1;",
     "F:F",
     FP_LG2,
     FP_F32,
     FTZ,
     75,
     {.rel = 0x1p-22, .abs = 0x1p-22}},
    {"tanh.approx.f32 $0, $1;", "F:F", FP_TANH, FP_F32, 0, 75, {.rel = 0x1p-10}},
    {"rcp.approx.ftz.f64 $0, $1;", "D:D", FP_RCP, FP_F64, FTZ, 75, {.rel = 0x1p-18}},
    {"rsqrt.approx.f64 $0, $1;", "D:D", FP_RSQRT, FP_F64, 0, 75, {.rel = 0x1p-18}},
    {"rsqrt.approx.ftz.f64 $0, $1;", "D:D", FP_RSQRT, FP_F64, FTZ, 75, {.rel = 0x1p-18}},
    {"ex2.approx.f16 $0, $1;", "H:H", FP_EX2, FP_F16, 0, 75, {.rel = 0x1p-9, .abs = 0x1p-24}},
    {"tanh.approx.f16 $0, $1;", "H:H", FP_TANH, FP_F16, 0, 75, {.abs = 0x1p-10}},
    {"ex2.approx.f16x2 $0, $1;", "X:X", FP_EX2, FP_F16, PAIR, 75, {.rel = 0x1p-9, .abs = 0x1p-24}},
    {"tanh.approx.f16x2 $0, $1;", "X:X", FP_TANH, FP_F16, PAIR, 75, {.abs = 0x1p-10}},
    {"ex2.approx.ftz.bf16 $0, $1;", "B:B", FP_EX2, FP_BF16, FTZ, 90, {.rel = 0x1p-7}},
    {"tanh.approx.bf16 $0, $1;", "B:B", FP_TANH, FP_BF16, 0, 90, {.abs = 0x1p-8, .rel = 0x1p-7}},
};

static void add_approximations(conf_list *list) {
    for (size_t i = 0; i < sizeof approximations / sizeof *approximations; i++) {
        conf_case *c = conf_add(list, approximations[i].sm, approximations[i].sig, "%s",
                                approximations[i].text);
        c->row = row_compute;
        c->slack = approximations[i].slack;
        c->spec = (conf_spec){.op = (int)approximations[i].op,
                              .to = (int)approximations[i].f,
                              .flags = approximations[i].flags};
    }
}

/* ---- min, max -------------------------------------------------------------------------------- */

static uint64_t min_max(const conf_case *c, const uint64_t *v) {
    fp_format f = (fp_format)c->spec.to;
    int flags = c->spec.flags;
    uint64_t a = flags & FTZ ? fp_flush(f, v[0]) : v[0], b = flags & FTZ ? fp_flush(f, v[1]) : v[1];
    uint64_t top = (uint64_t)1 << (fp_bits(f) - 1), sign = (a ^ b) & top;
    bool a_nan = fp_is_nan(f, a), b_nan = fp_is_nan(f, b);
    if ((a_nan && b_nan) || (flags & NAN_WINS && (a_nan || b_nan))) return fp_nan(f);
    if (flags & XORSIGN) {
        a &= ~top;
        b &= ~top;
    }
    int order = fp_order(f, a, b);
    uint64_t y;
    if (order == 2)
        y = a_nan ? b : a;
    else if (order == 0)
        y = c->spec.op ? a & b
                       : a | b; /* -0 is below +0; equal numbers have equal bits otherwise */
    else
        y = (order < 0) == (c->spec.op == 0) ? a : b;
    return flags & XORSIGN ? (y & ~top) | sign : y;
}

static void row_min_max(const conf_case *c, const uint64_t *v, uint64_t *r) {
    per_half(c, v, r, min_max);
}

static void add_min_max_one(conf_list *list, fp_format f, int op, int flags) {
    unsigned sm = flags & XORSIGN ? 86 : f == FP_F16 || f == FP_BF16 || flags & NAN_WINS ? 80 : 75;
    conf_case *c =
        conf_add(list, sm, signature(f, flags & PAIR, 2), "%s%s%s%s.%s%s $0, $1, $2;",
                 op ? "max" : "min", flags & FTZ ? ".ftz" : "", flags & NAN_WINS ? ".NaN" : "",
                 flags & XORSIGN ? ".xorsign.abs" : "", fp_name[f], flags & PAIR ? "x2" : "");
    c->row = row_min_max;
    c->spec = (conf_spec){.op = op, .to = (int)f, .flags = flags};
}

static void add_min_max(conf_list *list) {
    for (int op = 0; op < 2; op++) {
        for (int flags = 0; flags < 64; flags++) {
            if (flags & (SAT | RELU)) continue;
            if (!(flags & PAIR)) add_min_max_one(list, FP_F32, op, flags);
            add_min_max_one(list, FP_F16, op, flags);
            if (!(flags & FTZ)) add_min_max_one(list, FP_BF16, op, flags);
        }
        add_min_max_one(list, FP_F64, op, 0);
    }
}

/* ---- signs, classes, comparisons ------------------------------------------------------------- */

enum { ABS, NEG, COPYSIGN };

static uint64_t signs(const conf_case *c, const uint64_t *v) {
    fp_format f = (fp_format)c->spec.to;
    uint64_t top = (uint64_t)1 << (fp_bits(f) - 1),
             x = c->spec.flags & FTZ ? fp_flush(f, v[0]) : v[0];
    if (c->spec.op == COPYSIGN)
        return (v[0] & top) | (v[1] & ~top); /* the sign of the first, the rest of the second */
    return c->spec.op == ABS ? x & ~top : x ^ top;
}

static void row_signs(const conf_case *c, const uint64_t *v, uint64_t *r) {
    per_half(c, v, r, signs);
}

static void add_signs(conf_list *list) {
    static const char *const ops[] = {"abs", "neg"};
    for (int op = ABS; op <= NEG; op++)
        for (int f = FP_F16; f <= FP_F64; f++)
            for (int flags = 0; flags <= (PAIR | FTZ); flags = flags == FTZ ? PAIR : flags + 1) {
                bool half = f == FP_F16 || f == FP_BF16;
                if ((flags & FTZ && (f == FP_F64 || f == FP_BF16)) || (flags & PAIR && !half))
                    continue;
                conf_case *c =
                    conf_add(list, f == FP_BF16 ? 80 : 75, signature((fp_format)f, flags & PAIR, 1),
                             "%s%s.%s%s $0, $1;", ops[op], flags & FTZ ? ".ftz" : "", fp_name[f],
                             flags & PAIR ? "x2" : "");
                c->row = row_signs;
                c->spec = (conf_spec){.op = op, .to = f, .flags = flags};
            }
    for (int f = FP_F32; f <= FP_F64; f++) {
        conf_case *c = conf_add(list, 75, signature((fp_format)f, false, 2),
                                "copysign.%s $0, $1, $2;", fp_name[f]);
        c->row = row_signs;
        c->spec = (conf_spec){.op = COPYSIGN, .to = f};
    }
}

static const char *const classes[] = {"finite",     "infinite", "number",
                                      "notanumber", "normal",   "subnormal"};

static void row_testp(const conf_case *c, const uint64_t *v, uint64_t *r) {
    fp_format f = (fp_format)c->spec.to;
    uint64_t magnitude = v[0] & (((uint64_t)1 << (fp_bits(f) - 1)) - 1);
    bool is_nan = fp_is_nan(f, v[0]), sub = fp_is_subnormal(f, v[0]);
    bool infinite = magnitude == (f == FP_F32 ? 0x7f800000 : 0x7ff0000000000000);
    const bool answer[] = {!is_nan && !infinite,         infinite, !is_nan, is_nan,
                           !is_nan && !infinite && !sub, sub};
    r[0] = answer[c->spec.op];
}

static const char *const orders[] = {"eq",  "ne",  "lt",  "le",  "gt",  "ge",  "equ",
                                     "neu", "ltu", "leu", "gtu", "geu", "num", "nan"};

static bool ordered(int op, int order) {
    const bool answer[] = {order == 0, order != 0, order<0, order <= 0, order> 0, order >= 0};
    if (op == 12) return order != 2;
    if (op == 13) return order == 2;
    return order == 2 ? op >= 6 : answer[op % 6];
}

static bool less(const conf_case *c, uint64_t a, uint64_t b) {
    fp_format f = (fp_format)c->spec.to;
    if (c->spec.flags & FTZ) {
        a = fp_flush(f, a);
        b = fp_flush(f, b);
    }
    return ordered(c->spec.op, fp_order(f, a, b));
}

static void row_setp(const conf_case *c, const uint64_t *v, uint64_t *r) {
    r[0] = less(c, v[0], v[1]);
}

static void row_setp_pair(const conf_case *c, const uint64_t *v, uint64_t *r) {
    for (int i = 0; i < 2; i++)
        r[i] = less(c, v[0] >> (i * 16) & 0xffff, v[1] >> (i * 16) & 0xffff);
}

/* set gives all ones, or 1.0 where the result is a float (round: 1). */
static void row_set(const conf_case *c, const uint64_t *v, uint64_t *r) {
    r[0] = less(c, v[0], v[1]) ? (c->spec.round ? 0x3f800000 : 0xffffffff) : 0;
}

static void add_compare_one(conf_list *list, fp_format f, int op, int flags) {
    char sig[] = {'p', ':', letters[f], letters[f], '\0'};
    unsigned sm = f == FP_BF16 ? 90 : 75;
    conf_case *c = conf_add(list, sm, sig, "setp.%s%s.%s $0, $1, $2;", orders[op],
                            flags ? ".ftz" : "", fp_name[f]);
    c->row = row_setp;
    c->spec = (conf_spec){.op = op, .to = (int)f, .flags = flags};
}

static void add_compares(conf_list *list) {
    for (int op = 0; op < 14; op++) {
        for (int f = FP_F16; f <= FP_F64; f++)
            for (int flags = 0; flags <= (f == FP_F16 || f == FP_F32); flags++)
                add_compare_one(list, (fp_format)f, op, flags);
        conf_case *c = conf_add(list, 75, "pp:XX", "setp.%s.f16x2 $0|$1, $2, $3;", orders[op]);
        c->row = row_setp_pair;
        c->spec = (conf_spec){.op = op, .to = FP_F16};
        for (int one = 0; one < 2; one++) {
            c = conf_add(list, 75, "w:FF", "set.%s.%s.f32 $0, $1, $2;", orders[op],
                         one ? "f32" : "u32");
            c->row = row_set;
            c->spec = (conf_spec){.op = op, .to = FP_F32, .round = one};
        }
    }
    for (int f = FP_F32; f <= FP_F64; f++)
        for (int op = 0; op < 6; op++) {
            char sig[] = {'p', ':', letters[f], '\0'};
            conf_case *c = conf_add(list, 75, sig, "testp.%s.%s $0, $1;", classes[op], fp_name[f]);
            c->row = row_testp;
            c->spec = (conf_spec){.op = op, .to = f};
        }
}

/* ---- choices --------------------------------------------------------------------------------- */

static void row_selp(const conf_case *c, const uint64_t *v, uint64_t *r) {
    (void)c;
    r[0] = v[2] ? v[0] : v[1];
}

static void row_slct(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t x = c->spec.flags ? fp_flush(FP_F32, v[2]) : v[2];
    r[0] = ordered(5, fp_order(FP_F32, x, 0)) ? v[0] : v[1];
}

void conf_floats(conf_list *list) {
    add_full(list, "add", FP_ADD, 2, true);
    add_full(list, "sub", FP_SUB, 2, true);
    add_full(list, "mul", FP_MUL, 2, true);
    add_full(list, "fma", FP_FMA, 3, true);
    add_full(list, "mad", FP_FMA, 3, true);
    add_full(list, "div", FP_DIV, 2, false);
    add_full(list, "rcp", FP_RCP, 1, false);
    add_full(list, "sqrt", FP_SQRT, 1, false);
    add_half(list, "add", FP_ADD, 2);
    add_half(list, "sub", FP_SUB, 2);
    add_half(list, "mul", FP_MUL, 2);
    add_half(list, "fma", FP_FMA, 3);
    add_pairs(list);
    add_plain(list);
    add_approximations(list);
    add_min_max(list);
    add_signs(list);
    add_compares(list);
    conf_add(list, 75, "w:FFp", "selp.f32 $0, $1, $2, $3;")->row = row_selp;
    conf_add(list, 75, "d:DDp", "selp.f64 $0, $1, $2, $3;")->row = row_selp;
    conf_add(list, 75, "w:FFF", "slct.f32.f32 $0, $1, $2, $3;")->row = row_slct;
    conf_add(list, 75, "w:wwF", "slct.s32.f32 $0, $1, $2, $3;")->row = row_slct;
    conf_add(list, 75, "w:wwF", "slct.ftz.b32.f32 $0, $1, $2, $3;")->row = row_slct;
    list->at[list->n - 1].spec.flags = FTZ;
}
