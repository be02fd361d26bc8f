/* convert.c - cvt in every pair of types, rounding and flag that the ISA allows. */
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "fp.h"

enum { FTZ = 1, SAT = 2, RELU = 4, FINITE = 8, INTEGRAL = 16, EXACT = 32 };

/* Integer types follow the floats of fp.h in one numbering. */
enum { S8 = 16, U8, S16, U16, S32, U32, S64, U64 };

static const char *const int_name[] = {"s8", "u8", "s16", "u16", "s32", "u32", "s64", "u64"};
static const char *const integral_name[] = {"rni", "rzi", "rmi", "rpi"};

static int bits_of(int type) {
    return type >= S8 ? 8 << (type - S8) / 2 : (int)fp_bits((fp_format)type);
}
static bool is_signed(int type) {
    return type >= S8 && !(type & 1);
}
static const char *name_of(int type) {
    return type >= S8 ? int_name[type - S8] : fp_name[type];
}

/* Sources of 8 bits come in 16-bit registers with any upper half; results of 8 bits go to 32-bit
 * ones, extended by their sign. */
static char source_letter(int type) {
    static const char of_float[] = "HBFD", of_int[] = "hhhhwwdd";
    return type >= S8 ? of_int[type - S8] : of_float[type];
}

static char result_letter(int type) {
    static const char of_float[] = "HBFDF", of_int[] = "wwhhwwdd";
    return type >= S8 ? of_int[type - S8] : of_float[type];
}

static void integer_range(int type, mpfr_t lo, mpfr_t hi) {
    int bits = bits_of(type);
    mpfr_set_ui_2exp(hi, 1, bits - is_signed(type), MPFR_RNDN);
    mpfr_neg(lo, hi, MPFR_RNDN);
    if (!is_signed(type)) mpfr_set_zero(lo, 1);
    mpfr_sub_ui(hi, hi, 1, MPFR_RNDN);
}

static uint64_t from_register(int type, uint64_t v) {
    int unused = 64 - bits_of(type);
    return is_signed(type) ? (uint64_t)((int64_t)(v << unused) >> unused) : v << unused >> unused;
}

/* The integer nearest in the wanted direction, clamped to the type; NaN as the ISA's table says. */
static uint64_t to_integer(mpfr_t x, const conf_case *c) {
    static const mpfr_rnd_t direction[] = {MPFR_RNDN, MPFR_RNDZ, MPFR_RNDD, MPFR_RNDU};
    int to = c->spec.to;
    if (mpfr_nan_p(x))
        return c->spec.from != FP_F64 && bits_of(to) < 64
                   ? 0
                   : from_register(to, 1ull << (bits_of(to) - 1));
    mpfr_t lo, hi;
    mpfr_inits2(128, lo, hi, (mpfr_ptr)NULL);
    integer_range(to, lo, hi);
    if (!mpfr_inf_p(x)) mpfr_rint(x, x, direction[c->spec.round]);
    mpfr_max(x, x, lo, MPFR_RNDN);
    mpfr_min(x, x, hi, MPFR_RNDN);
    uint64_t y = is_signed(to) ? (uint64_t)mpfr_get_sj(x, MPFR_RNDN) : mpfr_get_uj(x, MPFR_RNDN);
    mpfr_clears(lo, hi, (mpfr_ptr)NULL);
    return y;
}

static void row_int_int(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t x = from_register(c->spec.from, v[0]);
    mpfr_t y;
    if (!(c->spec.flags & SAT)) { /* the low bits, extended by the new type's sign */
        r[0] = from_register(c->spec.to, x);
        return;
    }
    mpfr_init2(y, 128);
    if (is_signed(c->spec.from))
        mpfr_set_sj(y, (int64_t)x, MPFR_RNDN);
    else
        mpfr_set_uj(y, x, MPFR_RNDN);
    r[0] = to_integer(y, c);
    mpfr_clear(y);
}

static void row_float_int(const conf_case *c, const uint64_t *v, uint64_t *r) {
    mpfr_t x;
    fp_format from = (fp_format)c->spec.from;
    mpfr_init2(x, 128);
    fp_get(x, from, c->spec.flags & FTZ ? fp_flush(from, v[0]) : v[0]);
    r[0] = to_integer(x, c);
    mpfr_clear(x);
}

static uint64_t saturated(const conf_case *c, uint64_t y) {
    fp_format to = (fp_format)c->spec.to;
    if (c->spec.flags & FTZ && to == FP_F32) y = fp_flush(to, y);
    if (c->spec.flags & SAT) y = fp_saturate(to, y);
    if (c->spec.flags & RELU && !fp_is_nan(to, to == FP_TF32 ? y >> 13 : y) &&
        y >> (fp_bits(to) - 1))
        y = 0;
    return y;
}

static void row_int_float(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t x = from_register(c->spec.from, v[0]);
    mpfr_t y;
    mpfr_init2(y, 128);
    if (is_signed(c->spec.from))
        mpfr_set_sj(y, (int64_t)x, MPFR_RNDN);
    else
        mpfr_set_uj(y, x, MPFR_RNDN);
    r[0] = saturated(c, fp_put(y, (fp_format)c->spec.to, (fp_round)c->spec.round));
    mpfr_clear(y);
}

/* .satfinite: what does not fit becomes the largest finite number of its sign. */
static uint64_t finite(mpfr_t x, fp_format f, fp_round round) {
    static const uint64_t most[] = {
        [FP_F16] = 0x7bff, [FP_BF16] = 0x7f7f, [FP_E4M3] = 0x7e, [FP_E5M2] = 0x7b};
    mpfr_t top;
    if (mpfr_nan_p(x)) return f == FP_E4M3 || f == FP_E5M2 ? 0x7f : fp_nan(f);
    mpfr_init2(top, 64);
    fp_get(top, f, most[f]);
    uint64_t sign = mpfr_signbit(x) ? (uint64_t)1 << (fp_bits(f) - 1) : 0, y = most[f] | sign;
    if (mpfr_cmpabs(x, top) < 0) y = fp_put(x, f, round);
    mpfr_clear(top);
    return (y & ~sign) > most[f] ? most[f] | sign : y;
}

static uint64_t one_float(const conf_case *c, uint64_t bits) {
    static const mpfr_rnd_t direction[] = {MPFR_RNDN, MPFR_RNDZ, MPFR_RNDD, MPFR_RNDU};
    fp_format from = (fp_format)c->spec.from, to = (fp_format)c->spec.to;
    mpfr_t x;
    if (c->spec.flags & FTZ && from == FP_F32) bits = fp_flush(from, bits);
    mpfr_init2(x, 64);
    fp_get(x, from, bits);
    if (c->spec.flags & INTEGRAL && mpfr_regular_p(x)) {
        int negative = mpfr_signbit(x);
        mpfr_rint(x, x, direction[c->spec.round]);
        mpfr_setsign(x, x, negative, MPFR_RNDN); /* -0.25 becomes -0 */
    }
    uint64_t y = c->spec.flags & FINITE ? finite(x, to, (fp_round)c->spec.round)
                                        : fp_put(x, to, (fp_round)c->spec.round);
    mpfr_clear(x);
    return saturated(c, y);
}

static void row_float_float(const conf_case *c, const uint64_t *v, uint64_t *r) {
    r[0] = one_float(c, v[0]);
}

/* Two sources into one word; the first operand goes to the upper half. */
static void row_float_pair(const conf_case *c, const uint64_t *v, uint64_t *r) {
    r[0] = one_float(c, v[0]) << fp_bits((fp_format)c->spec.to) | one_float(c, v[1]);
}

/* Both halves of one word. */
static void row_pair_pair(const conf_case *c, const uint64_t *v, uint64_t *r) {
    unsigned from = fp_bits((fp_format)c->spec.from), to = fp_bits((fp_format)c->spec.to);
    uint64_t mask = ((uint64_t)1 << from) - 1;
    r[0] = one_float(c, v[0] >> from & mask) << to | one_float(c, v[0] & mask);
}

/* ---- names ----------------------------------------------------------------------------------- */

static void add(conf_list *list, unsigned sm, const char *round, int from, int to, conf_row row,
                conf_spec spec) {
    char sig[] = {result_letter(to), ':', source_letter(from), '\0'};
    conf_case *c = conf_add(list, sm, sig, "cvt%s%s%s%s%s%s.%s.%s $0, $1;", *round ? "." : "",
                            round, spec.flags & FTZ ? ".ftz" : "",
                            spec.flags & FINITE ? ".satfinite" : "", spec.flags & SAT ? ".sat" : "",
                            spec.flags & RELU ? ".relu" : "", name_of(to), name_of(from));
    c->row = row;
    c->spec = spec;
    c->spec.from = from;
    c->spec.to = to;
}

/* Saturation is only legal where a value may not fit. */
static bool always_fits(int from, int to) {
    return is_signed(from) == is_signed(to) ? bits_of(from) <= bits_of(to)
                                            : is_signed(to) && bits_of(from) < bits_of(to);
}

static void add_integers(conf_list *list) {
    for (int from = S8; from <= U64; from++)
        for (int to = S8; to <= U64; to++)
            for (int flags = 0; flags <= SAT; flags += SAT)
                if (!(flags && always_fits(from, to)) && (from != to || bits_of(from) > 8))
                    add(list, 75, "", from, to, row_int_int, (conf_spec){.flags = flags});
}

static void add_float_and_integer(conf_list *list) {
    for (int f = FP_F16; f <= FP_F64; f++)
        for (int i = S8; i <= U64; i++)
            for (int round = 0; round < (f == FP_BF16 && i <= U8 ? 0 : 4);
                 round++) { /* no such pair */
                unsigned sm = f == FP_BF16 ? 90 : 75;
                for (int flags = 0; flags <= (f == FP_F32 ? SAT | FTZ : 0); flags++)
                    add(list, sm, integral_name[round], f, i, row_float_int,
                        (conf_spec){.round = round, .flags = flags});
                add(list, sm, fp_round_name[round], i, f, row_int_float,
                    (conf_spec){.round = round});
            }
}

static void add_floats(conf_list *list) {
    static const struct {
        int from, to, flags; /* flags that are tried, each alone and all together */
        unsigned sm;
    } pairs[] = {
        {FP_F16, FP_F32, EXACT | SAT | FTZ, 75}, {FP_F16, FP_F64, EXACT, 75},
        {FP_F32, FP_F64, EXACT | FTZ, 75},       {FP_BF16, FP_F32, EXACT, 90},
        {FP_F32, FP_F16, SAT | FTZ, 75},         {FP_F64, FP_F16, SAT, 75},
        {FP_F64, FP_F32, SAT | FTZ, 75},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        for (int flags = 0; flags <= (SAT | FTZ); flags++)
            for (int round = 0; round < (pairs[i].flags & EXACT ? 1 : 4); round++)
                if ((flags & ~pairs[i].flags) == 0)
                    add(list, pairs[i].sm, pairs[i].flags & EXACT ? "" : fp_round_name[round],
                        pairs[i].from, pairs[i].to, row_float_float,
                        (conf_spec){.round = round, .flags = flags});
    for (int f = FP_F16; f <= FP_F64;
         f++) { /* to integral values of the same type; saturation alone */
        if (f == FP_BF16) continue;
        for (int flags = 0; flags <= (f == FP_F32 ? SAT | FTZ : 0); flags++)
            for (int round = 0; round < 4; round++)
                add(list, 75, integral_name[round], f, f, row_float_float,
                    (conf_spec){.round = round, .flags = flags | INTEGRAL});
        add(list, 75, "", f, f, row_float_float, (conf_spec){.flags = SAT});
    }
    add(list, 75, "", FP_F32, FP_F32, row_float_float, (conf_spec){.flags = FTZ});
    add(list, 75, "", FP_F32, FP_F32, row_float_float, (conf_spec){.flags = FTZ | SAT});
}

static void add_narrow(conf_list *list) {
    for (int round = FP_RN; round <= FP_RZ; round++)
        for (int flags = 0; flags <= RELU; flags += RELU) {
            add(list, 80, fp_round_name[round], FP_F32, FP_BF16, row_float_float,
                (conf_spec){.round = round, .flags = flags});
            add(list, 80, fp_round_name[round], FP_F32, FP_F16, row_float_float,
                (conf_spec){.round = round, .flags = flags | RELU});
            add(list, 90, fp_round_name[round], FP_F32, FP_TF32, row_float_float,
                (conf_spec){.round = round, .flags = flags});
            for (int f = FP_F16; f <= FP_BF16; f++) {
                conf_case *c = conf_add(list, 80, f == FP_F16 ? "X:FF" : "Y:FF",
                                        "cvt.%s%s.%sx2.f32 $0, $1, $2;", fp_round_name[round],
                                        flags ? ".relu" : "", fp_name[f]);
                c->row = row_float_pair;
                c->spec = (conf_spec){.from = FP_F32, .to = f, .round = round, .flags = flags};
            }
        }
    add(list, 80, "rna", FP_F32, FP_TF32, row_float_float, (conf_spec){.round = FP_RNA});
}

static void add_eight_bits(conf_list *list) {
    for (int f = FP_E4M3; f <= FP_E5M2; f++)
        for (int flags = 0; flags <= RELU; flags += RELU) {
            const char *relu = flags ? ".relu" : "";
            conf_case *c = conf_add(list, 89, "h:FF", "cvt.rn.satfinite%s.%sx2.f32 $0, $1, $2;",
                                    relu, fp_name[f]);
            c->row = row_float_pair;
            c->spec = (conf_spec){.from = FP_F32, .to = f, .flags = FINITE | flags};
            c = conf_add(list, 89, "h:X", "cvt.rn.satfinite%s.%sx2.f16x2 $0, $1;", relu,
                         fp_name[f]);
            c->row = row_pair_pair;
            c->spec = (conf_spec){.from = FP_F16, .to = f, .flags = FINITE | flags};
            c = conf_add(list, 89, "X:h", "cvt.rn%s.f16x2.%sx2 $0, $1;", relu, fp_name[f]);
            c->row = row_pair_pair;
            c->spec = (conf_spec){.from = f, .to = FP_F16, .flags = flags};
        }
}

/* cvt.pack: two saturated integers into one word, the first in the upper half; with 8 bits the
 * third operand's low half moves up. */
static void row_pack(const conf_case *c, const uint64_t *v, uint64_t *r) {
    int bits = bits_of(c->spec.to);
    uint64_t mask = ((uint64_t)1 << bits) - 1, part[2];
    for (int i = 0; i < 2; i++) {
        mpfr_t x;
        mpfr_init2(x, 64);
        mpfr_set_sj(x, (int32_t)v[i], MPFR_RNDN);
        part[i] = to_integer(x, c) & mask;
        mpfr_clear(x);
    }
    r[0] = part[0] << bits | part[1];
    if (bits == 8) r[0] |= v[2] << 16;
}

static void add_packs(conf_list *list) {
    for (int to = S8; to <= U16; to++) {
        conf_case *c =
            to <= U8 ? conf_add(list, 75, "w:www", "cvt.pack.sat.%s.s32.b32 $0, $1, $2, $3;",
                                name_of(to))
                     : conf_add(list, 75, "w:ww", "cvt.pack.sat.%s.s32 $0, $1, $2;", name_of(to));
        c->row = row_pack;
        c->spec = (conf_spec){.from = S32, .to = to};
    }
}

void conf_converts(conf_list *list) {
    add_integers(list);
    add_float_and_integer(list);
    add_floats(list);
    add_narrow(list);
    add_eight_bits(list);
    add_packs(list);
}
