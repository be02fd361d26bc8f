/* int.c - integer arithmetic, logic, shifts, bit fields, comparisons.
 *
 * Oracles compute in 128 bits and cut the result to the type, so nothing can wrap on the way. */
#include <stdio.h>
#include <string.h>

#include "conf.h"

__extension__ typedef __int128 wide;
__extension__ typedef unsigned __int128 uwide;

enum { S16 = 1, U16 = 2, S32 = 4, U32 = 8, S64 = 16, U64 = 32, B16 = 64, B32 = 128, B64 = 256 };
enum { ALL = S16 | U16 | S32 | U32 | S64 | U64, UNTYPED = B16 | B32 | B64 };
enum { HALFWIDE = S16 | U16 | S32 | U32, WORDS = S32 | U32, LONGS = S32 | U32 | S64 | U64 };

static const struct {
    int mask, bits;
    bool is_signed;
    const char *name;
} types[] = {{S16, 16, true, "s16"},  {U16, 16, false, "u16"}, {S32, 32, true, "s32"},
             {U32, 32, false, "u32"}, {S64, 64, true, "s64"},  {U64, 64, false, "u64"},
             {B16, 16, false, "b16"}, {B32, 32, false, "b32"}, {B64, 64, false, "b64"}};

/* clang-format off */
enum op {
    ADD, SUB, MUL_LO, MUL_HI, MUL_WIDE, MAD_LO, MAD_HI, MAD_WIDE, DIV, REM, MIN, MAX, ABS, NEG,
    SAD, ADD_SAT, SUB_SAT, MAD_HI_SAT, MUL24_LO, MUL24_HI, MAD24_LO, MAD24_HI, AND, OR, XOR, NOT,
    CNOT, SHL, SHR, POPC, CLZ, BREV, BFIND, BFIND_SHIFT, BFE, BFI, EQ, NE, LT, LE, GT, GE, SET_LT,
    SELP, SLCT, ADDC, SUBC, MADC, MIN_RELU, MAX_RELU
};
/* clang-format on */

static wide extend(const conf_case *c, uint64_t x) {
    int unused = 64 - c->spec.to;
    return c->spec.from ? (wide)((int64_t)(x << unused) >> unused) : (wide)(x << unused >> unused);
}

static wide low(uint64_t x, int bits) {
    return (wide)(x & (((uint64_t)1 << bits) - 1));
}

static wide clamp(wide x, int bits) {
    wide top = ((wide)1 << (bits - 1)) - 1;
    return x > top ? top : x < -top - 1 ? -top - 1 : x;
}

static wide mul24(const conf_case *c, const uint64_t *v) {
    int64_t a = (int64_t)(v[0] << 40), b = (int64_t)(v[1] << 40);
    return c->spec.from ? (wide)(a >> 40) * (b >> 40) : low(v[0], 24) * low(v[1], 24);
}

/* Amounts above the width count as the width. */
static uint64_t shift(const conf_case *c, wide x, uint64_t by, bool left) {
    int n = by > (uint64_t)c->spec.to ? c->spec.to : (int)by;
    return left ? (uint64_t)((uwide)x << n) : (uint64_t)(x >> n);
}

static int top_bit(uint64_t x) {
    int at = -1;
    for (int i = 0; i < 64; i++)
        if (x >> i & 1) at = i;
    return at;
}

static uint64_t bfind(const conf_case *c, uint64_t x, bool shift_amount) {
    wide s = extend(c, x);
    int at = top_bit((uint64_t)(s < 0 ? ~s : s)); /* the highest bit that is not a sign bit */
    return (uint64_t)(shift_amount && at >= 0 ? c->spec.to - 1 - at : at);
}

static uint64_t reverse(uint64_t x, int bits) {
    uint64_t r = 0;
    for (int i = 0; i < bits; i++) r |= (x >> i & 1) << (bits - 1 - i);
    return r;
}

static uint64_t bfe(const conf_case *c, uint64_t a, uint64_t b, uint64_t d) {
    int msb = c->spec.to - 1, pos = (int)(b & 255), len = (int)(d & 255);
    int last = pos + len - 1 < msb ? pos + len - 1 : msb;
    uint64_t r = 0, sign = c->spec.from && len > 0 ? a >> last & 1 : 0;
    for (int i = 0; i <= msb; i++)
        r |= (i < len && pos + i <= msb ? a >> (pos + i) & 1 : sign) << i;
    return r;
}

static uint64_t bfi(const conf_case *c, uint64_t a, uint64_t b, uint64_t d, uint64_t e) {
    int msb = c->spec.to - 1, pos = (int)(d & 255), len = (int)(e & 255);
    for (int i = 0; i < len && pos + i <= msb; i++)
        b = (b & ~((uint64_t)1 << (pos + i))) | (a >> i & 1) << (pos + i);
    return b;
}

static int count(uint64_t x) {
    int n = 0;
    for (; x; x &= x - 1) n++;
    return n;
}

/* Two digits with a carry between them: the low pair of operands, then the high pair. */
static void carries(const conf_case *c, const uint64_t *v, uint64_t *r) {
    int w = c->spec.to;
    uwide lo[3], hi[3], sum = 0;
    for (int i = 0; i < 3; i++) {
        lo[i] = (uwide)v[i * 2];
        hi[i] = (uwide)v[i * 2 + 1];
    }
    if (c->spec.op == ADDC) {
        sum = (lo[0] | hi[0] << w) + (lo[1] | hi[1] << w);
        uwide carry = (lo[0] + lo[1]) >> w;
        r[2] = (uint64_t)((hi[0] + hi[1] + carry) >> w);
    } else if (c->spec.op == SUBC) {
        sum = (lo[0] | hi[0] << w) - (lo[1] | hi[1] << w);
        uwide borrow = lo[0] < lo[1];
        r[2] = hi[0] < hi[1] + borrow ? ~0ull : 0; /* subc of 0 - 0 with the borrow left */
    } else { /* mad.lo.cc, then madc.hi: a * b + c over two digits of c */
        sum = lo[0] * lo[1] + (lo[2] | hi[2] << w);
    }
    r[0] = (uint64_t)sum;
    r[1] = (uint64_t)(sum >> w);
}

static bool holds(int op, wide a, wide b) {
    switch (op) {
    case EQ: return a == b;
    case NE: return a != b;
    case LT: return a < b;
    case LE: return a <= b;
    case GT: return a > b;
    default: return a >= b;
    }
}

static wide arithmetic(const conf_case *c, const uint64_t *v, wide a, wide b, wide d) {
    int w = c->spec.to;
    switch ((enum op)c->spec.op) {
    case ADD: return a + b;
    case SUB: return a - b;
    case MUL_LO:
    case MUL_WIDE: return (wide)((uwide)a * (uwide)b);
    case MUL_HI: return (wide)((uwide)a * (uwide)b) >> w;
    case MAD_LO:
    case MAD_WIDE: return (wide)((uwide)a * (uwide)b + (uwide)d);
    case MAD_HI: return ((wide)((uwide)a * (uwide)b) >> w) + d;
    case MAD_HI_SAT: return clamp((a * b >> w) + d, w);
    case DIV: return a / b;
    case REM: return a % b;
    case MIN: return a < b ? a : b;
    case MAX: return a > b ? a : b;
    case MIN_RELU: return a < 0 || b < 0 ? 0 : a < b ? a : b;
    case MAX_RELU: return a < 0 && b < 0 ? 0 : a > b ? a : b;
    case ABS: return a < 0 ? -a : a;
    case NEG: return -a;
    case SAD: return d + (a > b ? a - b : b - a);
    case ADD_SAT: return clamp(a + b, w);
    case SUB_SAT: return clamp(a - b, w);
    case MUL24_LO: return mul24(c, v);
    case MUL24_HI: return mul24(c, v) >> 16;
    case MAD24_LO: return mul24(c, v) + d;
    case MAD24_HI: return (mul24(c, v) >> 16) + d;
    default: return 0;
    }
}

static void row(const conf_case *c, const uint64_t *v, uint64_t *r) {
    wide a = extend(c, v[0]), b = extend(c, v[1]);
    int w = c->spec.to;
    switch ((enum op)c->spec.op) {
    case AND: r[0] = v[0] & v[1]; break;
    case OR: r[0] = v[0] | v[1]; break;
    case XOR: r[0] = v[0] ^ v[1]; break;
    case NOT: r[0] = ~v[0]; break;
    case CNOT: r[0] = v[0] == 0; break;
    case SHL: r[0] = shift(c, a, v[1], true); break;
    case SHR: r[0] = shift(c, a, v[1], false); break;
    case POPC: r[0] = (uint64_t)count(v[0]); break;
    case CLZ: r[0] = (uint64_t)(w - 1 - top_bit(v[0])); break;
    case BREV: r[0] = reverse(v[0], w); break;
    case BFIND: r[0] = bfind(c, v[0], false); break;
    case BFIND_SHIFT: r[0] = bfind(c, v[0], true); break;
    case BFE: r[0] = bfe(c, v[0], v[1], v[2]); break;
    case BFI: r[0] = bfi(c, v[0], v[1], v[2], v[3]); break;
    case EQ:
    case NE:
    case LT:
    case LE:
    case GT:
    case GE: r[0] = holds(c->spec.op, a, b); break;
    case SET_LT: r[0] = a < b ? 0xffffffffu : 0; break;
    case SELP: r[0] = v[2] ? v[0] : v[1]; break;
    case SLCT: r[0] = (int32_t)v[2] >= 0 ? v[0] : v[1]; break;
    case ADDC:
    case SUBC:
    case MADC: carries(c, v, r); break;
    case DIV:
    case REM: /* the kernel divides by 7 instead of by 0 and -1 */
        r[0] = (uint64_t)arithmetic(c, v, a, b == 0 || b == extend(c, ~0ull) ? 7 : b, 0);
        break;
    default: r[0] = (uint64_t)arithmetic(c, v, a, b, extend(c, v[2]));
    }
}

/* mad.wide adds a third operand of twice the width. */
static void row_mad_wide(const conf_case *c, const uint64_t *v, uint64_t *r) {
    wide d = c->spec.to == 32 ? (wide)v[2] : (wide)(v[2] & 0xffffffffu);
    r[0] = (uint64_t)arithmetic(c, v, extend(c, v[0]), extend(c, v[1]), d);
}

/* In text @ is the type, in the signature t is a register of its width, T one of twice the width.
 * */
static const struct {
    const char *text, *sig;
    int op, mask;
    unsigned sm;
} table[] = {
    {"add.@ $0, $1, $2;", "t:tt", ADD, ALL, 75},
    {"sub.@ $0, $1, $2;", "t:tt", SUB, ALL, 75},
    {"mul.lo.@ $0, $1, $2;", "t:tt", MUL_LO, ALL, 75},
    {"mul.hi.@ $0, $1, $2;", "t:tt", MUL_HI, ALL, 75},
    {"mul.wide.@ $0, $1, $2;", "T:tt", MUL_WIDE, HALFWIDE, 75},
    {"mad.lo.@ $0, $1, $2, $3;", "t:ttt", MAD_LO, ALL, 75},
    {"mad.hi.@ $0, $1, $2, $3;", "t:ttt", MAD_HI, ALL, 75},
    {"mad.wide.@ $0, $1, $2, $3;", "T:ttT", MAD_WIDE, HALFWIDE, 75},
    {"setp.eq.@ %p, $2, 0;\nsetp.eq.or.@ %p, $2, -1, %p;\nselp.@ $0, 7, $2, %p;\ndiv.@ $0, $1, $0;",
     "t:tt", DIV, S16 | S32 | S64, 75},
    {"setp.eq.@ %p, $2, 0;\nsetp.eq.or.@ %p, $2, -1, %p;\nselp.@ $0, 7, $2, %p;\nrem.@ $0, $1, $0;",
     "t:tt", REM, S16 | S32 | S64, 75},
    {"setp.eq.@ %p, $2, 0;\nnot.b! $0, $2;\nsetp.eq.or.@ %p, $0, 0, %p;\nselp.@ $0, 7, $2, %p;\n"
     "div.@ $0, $1, $0;",
     "t:tt", DIV, U16 | U32 | U64, 75},
    {"setp.eq.@ %p, $2, 0;\nnot.b! $0, $2;\nsetp.eq.or.@ %p, $0, 0, %p;\nselp.@ $0, 7, $2, %p;\n"
     "rem.@ $0, $1, $0;",
     "t:tt", REM, U16 | U32 | U64, 75},
    {"min.@ $0, $1, $2;", "t:tt", MIN, ALL, 75},
    {"max.@ $0, $1, $2;", "t:tt", MAX, ALL, 75},
    {"min.relu.@ $0, $1, $2;", "t:tt", MIN_RELU, S32, 90},
    {"max.relu.@ $0, $1, $2;", "t:tt", MAX_RELU, S32, 90},
    {"abs.@ $0, $1;", "t:t", ABS, S16 | S32 | S64, 75},
    {"neg.@ $0, $1;", "t:t", NEG, S16 | S32 | S64, 75},
    {"sad.@ $0, $1, $2, $3;", "t:ttt", SAD, ALL, 75},
    {"add.sat.@ $0, $1, $2;", "t:tt", ADD_SAT, S32, 75},
    {"sub.sat.@ $0, $1, $2;", "t:tt", SUB_SAT, S32, 75},
    {"mad.hi.sat.@ $0, $1, $2, $3;", "t:ttt", MAD_HI_SAT, S32, 75},
    {"mul24.lo.@ $0, $1, $2;", "t:tt", MUL24_LO, WORDS, 75},
    {"mul24.hi.@ $0, $1, $2;", "t:tt", MUL24_HI, WORDS, 75},
    {"mad24.lo.@ $0, $1, $2, $3;", "t:ttt", MAD24_LO, WORDS, 75},
    {"mad24.hi.@ $0, $1, $2, $3;", "t:ttt", MAD24_HI, WORDS, 75},
    {"and.@ $0, $1, $2;", "t:tt", AND, UNTYPED, 75},
    {"or.@ $0, $1, $2;", "t:tt", OR, UNTYPED, 75},
    {"xor.@ $0, $1, $2;", "t:tt", XOR, UNTYPED, 75},
    {"not.@ $0, $1;", "t:t", NOT, UNTYPED, 75},
    {"cnot.@ $0, $1;", "t:t", CNOT, UNTYPED, 75},
    {"shl.@ $0, $1, $2;", "t:ts", SHL, UNTYPED, 75},
    {"shr.@ $0, $1, $2;", "t:ts", SHR, ALL | UNTYPED, 75},
    {"shr.@ $0, $1, $2;", "t:tw", SHR, S32 | U64, 75}, /* amounts of all sizes */
    {"popc.@ $0, $1;", "w:t", POPC, B32 | B64, 75},
    {"clz.@ $0, $1;", "w:t", CLZ, B32 | B64, 75},
    {"brev.@ $0, $1;", "t:t", BREV, B32 | B64, 75},
    {"bfind.@ $0, $1;", "w:t", BFIND, LONGS, 75},
    {"bfind.shiftamt.@ $0, $1;", "w:t", BFIND_SHIFT, LONGS, 75},
    {"bfe.@ $0, $1, $2, $3;", "t:tss", BFE, LONGS, 75},
    {"bfe.@ $0, $1, $2, $3;", "t:tww", BFE, LONGS, 75},
    {"bfi.@ $0, $1, $2, $3, $4;", "t:ttss", BFI, B32 | B64, 75},
    {"setp.eq.@ $0, $1, $2;", "p:tt", EQ, ALL | UNTYPED, 75},
    {"setp.ne.@ $0, $1, $2;", "p:tt", NE, ALL | UNTYPED, 75},
    {"setp.lt.@ $0, $1, $2;", "p:tt", LT, ALL, 75},
    {"setp.le.@ $0, $1, $2;", "p:tt", LE, ALL, 75},
    {"setp.gt.@ $0, $1, $2;", "p:tt", GT, ALL, 75},
    {"setp.ge.@ $0, $1, $2;", "p:tt", GE, ALL, 75},
    {"setp.lo.@ $0, $1, $2;", "p:tt", LT, U16 | U32 | U64, 75},
    {"setp.ls.@ $0, $1, $2;", "p:tt", LE, U16 | U32 | U64, 75},
    {"setp.hi.@ $0, $1, $2;", "p:tt", GT, U16 | U32 | U64, 75},
    {"setp.hs.@ $0, $1, $2;", "p:tt", GE, U16 | U32 | U64, 75},
    {"set.lt.u32.@ $0, $1, $2;", "w:tt", SET_LT, ALL, 75},
    {"set.lt.s32.@ $0, $1, $2;", "w:tt", SET_LT, WORDS, 75},
    {"selp.@ $0, $1, $2, $3;", "t:ttp", SELP, ALL | UNTYPED, 75},
    {"slct.@.s32 $0, $1, $2, $3;", "t:ttw", SLCT, LONGS | UNTYPED, 75},
    {"add.cc.@ $0, $3, $5;\naddc.cc.@ $1, $4, $6;\naddc.@ $2, 0, 0;", "ttt:tttttt", ADDC, LONGS,
     75},
    {"sub.cc.@ $0, $3, $5;\nsubc.cc.@ $1, $4, $6;\nsubc.@ $2, 0, 0;", "ttt:tttttt", SUBC, LONGS,
     75},
    {"mad.lo.cc.@ $0, $2, $4, $6;\nmadc.hi.@ $1, $2, $4, $7;", "tt:tttttt", MADC, U32 | U64, 75},
};

static void substitute(char *to, size_t cap, const char *text, const char *name, int bits) {
    size_t n = 0;
    for (; *text && n + 4 < cap; text++) {
        if (*text == '@')
            n += (size_t)snprintf(to + n, cap - n, "%s", name);
        else if (*text == '!')
            n += (size_t)snprintf(to + n, cap - n, "%d", bits);
        else
            to[n++] = *text;
    }
    to[n] = '\0';
}

static char letter_of(int bits) {
    return bits == 16 ? 'h' : bits == 32 ? 'w' : 'd';
}

static void add_typed(conf_list *list) {
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        for (size_t k = 0; k < sizeof types / sizeof *types; k++) {
            char text[CONF_MAX_TEXT], sig[CONF_MAX_REGS];
            if (!(table[i].mask & types[k].mask)) continue;
            substitute(text, sizeof text, table[i].text, types[k].name, types[k].bits);
            snprintf(sig, sizeof sig, "%s", table[i].sig);
            for (char *s = sig; *s; s++)
                *s = *s == 't'   ? letter_of(types[k].bits)
                     : *s == 'T' ? letter_of(types[k].bits * 2)
                                 : *s;
            conf_case *c = conf_add(list, table[i].sm, sig, "%s", text);
            c->spec =
                (conf_spec){.op = table[i].op, .to = types[k].bits, .from = types[k].is_signed};
            c->row = table[i].op == MAD_WIDE ? row_mad_wide : row;
        }
    }
}

/* ---- one by one ------------------------------------------------------------------------------ */

static void row_shf(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t both = v[1] << 32 | v[0];
    int by = c->spec.flags ? (int)(v[2] & 31) : v[2] > 32 ? 32 : (int)v[2];
    r[0] = c->spec.op ? both >> by : (uint64_t)((uwide)both << by >> 32);
}

static void row_lop3(const conf_case *c, const uint64_t *v, uint64_t *r) {
    r[0] = 0;
    for (int i = 0; i < 32; i++) {
        uint64_t at = (v[0] >> i & 1) << 2 | (v[1] >> i & 1) << 1 | (v[2] >> i & 1);
        r[0] |= ((uint64_t)c->spec.flags >> at & 1) << i;
    }
}

/* Which byte of {b, a} goes to bytes 3 2 1 0 of the result, by mode and the selector's low two
 * bits. */
static const char *const prmt_modes[][4] = {
    {"3210", "4321", "5432", "6543"}, /* f4e */
    {"5670", "6701", "7012", "0123"}, /* b4e */
    {"0000", "1111", "2222", "3333"}, /* rc8 */
    {"3210", "3211", "3222", "3333"}, /* ecl */
    {"0000", "1110", "2210", "3210"}, /* ecr */
    {"1010", "3232", "1010", "3232"}, /* rc16 */
};

static void row_prmt(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t both = v[1] << 32 | v[0];
    r[0] = 0;
    for (int i = 0; i < 4; i++) {
        int pick = c->spec.op < 0 ? (int)(v[2] >> (i * 4) & 15)
                                  : prmt_modes[c->spec.op][v[2] & 3][3 - i] - '0';
        uint64_t byte = both >> ((pick & 7) * 8) & 0xff;
        if (pick & 8) byte = byte & 0x80 ? 0xff : 0;
        r[0] |= byte << (i * 8);
    }
}

static int64_t part(uint64_t x, int i, int bits, bool is_signed) {
    uint64_t p = x >> (i * bits) & ((1u << bits) - 1);
    return is_signed && p >> (bits - 1) ? (int64_t)p - (1 << bits) : (int64_t)p;
}

/* op: 0 dp4a, 1 dp2a.lo, 2 dp2a.hi; from: a is signed; round: b is signed */
static void row_dp(const conf_case *c, const uint64_t *v, uint64_t *r) {
    int64_t sum = (int64_t)v[2];
    int n = c->spec.op == 0 ? 4 : 2, shift = c->spec.op == 2 ? 2 : 0;
    for (int i = 0; i < n; i++)
        sum += part(v[0], i, 32 / n, c->spec.from) * part(v[1], i + shift, 8, c->spec.round);
    r[0] = (uint64_t)sum;
}

static void row_bmsk(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t from = c->spec.op ? v[0] & 31 : v[0], n = c->spec.op ? v[1] & 31 : v[1];
    r[0] = 0;
    for (uint64_t i = from; i < 32 && i - from < n; i++) r[0] |= 1ull << i;
}

static void row_szext(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t n = c->spec.op ? v[1] & 31 : v[1];
    if (n >= 32) {
        r[0] = v[0];
        return;
    }
    uint64_t cut = v[0] & ((1ull << n) - 1);
    r[0] = c->spec.from && n > 0 && cut >> (n - 1) ? cut | ~0ull << n : cut;
}

static void row_fns(const conf_case *c, const uint64_t *v, uint64_t *r) {
    int base = (int)(v[1] & 31), offset = (int)(v[2] % 9) - 4;
    (void)c;
    r[0] = 0xffffffff;
    if (offset == 0) {
        if (v[0] >> base & 1) r[0] = (uint64_t)base;
        return;
    }
    int left = (offset > 0 ? offset : -offset) - 1, step = offset > 0 ? 1 : -1;
    for (int at = base; at >= 0 && at < 32; at += step)
        if ((v[0] >> at & 1) && left-- == 0) {
            r[0] = (uint64_t)at;
            return;
        }
}

/* Two 16-bit lanes; op: 0 add, 1 min, 2 max, 3 min.relu, 4 max.relu */
static void row_pair(const conf_case *c, const uint64_t *v, uint64_t *r) {
    r[0] = 0;
    for (int i = 0; i < 2; i++) {
        int64_t a = part(v[0], i, 16, c->spec.from), b = part(v[1], i, 16, c->spec.from);
        int64_t x = c->spec.op == 0 ? a + b : (c->spec.op & 1) ? (a < b ? a : b) : (a > b ? a : b);
        if (c->spec.op >= 3 && x < 0) x = 0;
        r[0] |= ((uint64_t)x & 0xffff) << (i * 16);
    }
}

/* setp with a second predicate and a third operand: p = cmp op c, q = !cmp op c. op: 0 and, 1 or,
 * 2 xor */
static void row_setp_bool(const conf_case *c, const uint64_t *v, uint64_t *r) {
    bool less = (int32_t)v[0] < (int32_t)v[1], third = v[2] != 0;
    if (c->spec.flags) third = !third;
    for (int i = 0; i < 2; i++) {
        bool x = i == 0 ? less : !less;
        r[i] = c->spec.op == 0 ? x && third : c->spec.op == 1 ? x || third : x != third;
    }
}

/* op: 0 and, 1 or, 2 xor, 3 not */
static void row_pred(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t a = v[0], b = v[1];
    r[0] = c->spec.op == 0 ? (a & b) : c->spec.op == 1 ? (a | b) : c->spec.op == 2 ? (a ^ b) : !a;
}

/* Packing: parts of `to` bits, the first operand lowest; op 1: unpacking. */
static void row_pack(const conf_case *c, const uint64_t *v, uint64_t *r) {
    int w = c->spec.to, n = c->spec.from;
    uint64_t mask = ((uint64_t)1 << w) - 1;
    if (!c->spec.op) r[0] = 0;
    for (int i = 0; i < n; i++) {
        if (c->spec.op)
            r[i] = v[0] >> (i * w) & mask;
        else
            r[0] |= (v[i] & mask) << (i * w);
    }
}

/* Three digits: a * b (two words) + c (three words), the carry going all the way. */
static void row_long_mad(const conf_case *c, const uint64_t *v, uint64_t *r) {
    uint64_t product = v[0] * v[1];
    uint64_t lo = (product & 0xffffffff) + v[2], mid = (product >> 32) + v[3] + (lo >> 32);
    (void)c;
    r[0] = lo;
    r[1] = mid;
    r[2] = v[0] * v[1] + v[4] + (mid >> 32); /* madc.lo.cc with the same factors */
    r[3] = ((v[0] * v[1] & 0xffffffff) + v[4] + (mid >> 32)) >> 32;
}

static void row_vabsdiff4(const conf_case *c, const uint64_t *v, uint64_t *r) {
    (void)c;
    r[0] = 0;
    for (int i = 0; i < 4; i++) {
        int64_t d = part(v[0], i, 8, false) - part(v[1], i, 8, false);
        r[0] |= (uint64_t)(d < 0 ? -d : d) << (i * 8);
    }
}

static void add_one(conf_list *list, unsigned sm, const char *sig, const char *text, conf_row f,
                    conf_spec spec) {
    conf_case *c = conf_add(list, sm, sig, "%s", text);
    c->row = f;
    c->spec = spec;
}

static void add_shifts(conf_list *list) {
    for (int right = 0; right < 2; right++)
        for (int wrap = 0; wrap < 2; wrap++) {
            conf_case *c = conf_add(list, 75, "w:wws", "shf.%c.%s.b32 $0, $1, $2, $3;", "lr"[right],
                                    wrap ? "wrap" : "clamp");
            c->row = row_shf;
            c->spec = (conf_spec){.op = right, .flags = wrap};
        }
    for (int wrap = 0; wrap < 2; wrap++) {
        const char *mode = wrap ? "wrap" : "clamp";
        conf_add(list, 75, "w:ss", "bmsk.%s.b32 $0, $1, $2;", mode)->row = row_bmsk;
        list->at[list->n - 1].spec.op = wrap;
        for (int is_signed = 0; is_signed < 2; is_signed++) {
            conf_case *c =
                conf_add(list, 75, "w:ws", "szext.%s.%c32 $0, $1, $2;", mode, "us"[is_signed]);
            c->row = row_szext;
            c->spec = (conf_spec){.op = wrap, .from = is_signed};
        }
    }
}

static void add_bytes(conf_list *list) {
    static const char *const modes[] = {"f4e", "b4e", "rc8", "ecl", "ecr", "rc16"};
    static const int luts[] = {0x96, 0xe8, 0x1b, 0xf8, 0x80, 0xfe, 0xc0};
    add_one(list, 75, "w:iiw", "prmt.b32 $0, $1, $2, $3;", row_prmt, (conf_spec){.op = -1});
    for (int i = 0; i < 6; i++) {
        conf_case *c = conf_add(list, 75, "w:iiw", "prmt.b32.%s $0, $1, $2, $3;", modes[i]);
        c->row = row_prmt;
        c->spec.op = i;
    }
    for (size_t i = 0; i < sizeof luts / sizeof *luts; i++) {
        conf_case *c = conf_add(list, 75, "w:www", "lop3.b32 $0, $1, $2, $3, %d;", luts[i]);
        c->row = row_lop3;
        c->spec.flags = luts[i];
    }
    for (int i = 0; i < 12; i++) {
        static const char *const ops[] = {"dp4a", "dp2a.lo", "dp2a.hi"};
        conf_case *c = conf_add(list, 75, "w:iiw", "%s.%c32.%c32 $0, $1, $2, $3;", ops[i / 4],
                                "us"[i & 1], "us"[i >> 1 & 1]);
        c->row = row_dp;
        c->spec = (conf_spec){.op = i / 4, .from = i & 1, .round = i >> 1 & 1};
    }
}

static void add_pairs(conf_list *list) {
    static const char *const ops[] = {"add", "min", "max", "min.relu", "max.relu"};
    for (int i = 0; i < 5; i++)
        for (int is_signed = i >= 3; is_signed < 2; is_signed++) {
            conf_case *c =
                conf_add(list, 90, "w:ww", "%s.%c16x2 $0, $1, $2;", ops[i], "us"[is_signed]);
            c->row = row_pair;
            c->spec = (conf_spec){.op = i, .from = is_signed};
        }
}

static void add_predicates(conf_list *list) {
    static const char *const bools[] = {"and", "or", "xor"};
    for (int i = 0; i < 6; i++) {
        conf_case *c = conf_add(list, 75, "pp:wwp", "setp.lt.%s.s32 $0|$1, $2, $3, %s$4;",
                                bools[i % 3], i < 3 ? "" : "!");
        c->row = row_setp_bool;
        c->spec = (conf_spec){.op = i % 3, .flags = i >= 3};
    }
    for (int i = 0; i < 3; i++) {
        conf_case *c = conf_add(list, 75, "p:pp", "%s.pred $0, $1, $2;", bools[i]);
        c->row = row_pred;
        c->spec.op = i;
    }
    add_one(list, 75, "p:p", "not.pred $0, $1;", row_pred, (conf_spec){.op = 3});
}

void conf_integers(conf_list *list) {
    add_typed(list);
    add_shifts(list);
    add_bytes(list);
    add_pairs(list);
    add_predicates(list);
    add_one(list, 75, "w:www",
            "and.b32 %x, $2, 31;\nrem.u32 %y, $3, 9;\nsub.s32 %y, %y, 4;\nfns.b32 $0, $1, %x, %y;",
            row_fns, (conf_spec){0});
    add_one(list, 75, "wwww:wwwww",
            "mad.lo.cc.u32 $0, $4, $5, $6;\nmadc.hi.cc.u32 $1, $4, $5, $7;\nmadc.lo.cc.u32 $2, $4, "
            "$5, $8;\n"
            "addc.u32 $3, 0, 0;",
            row_long_mad, (conf_spec){0});
    add_one(list, 75, "w:iiw", "mov.b32 %x, 0;\nvabsdiff4.u32.u32.u32 $0, $1, $2, %x;",
            row_vabsdiff4, (conf_spec){0});
    add_one(list, 75, "w:hh", "mov.b32 $0, {$1, $2};", row_pack, (conf_spec){.to = 16, .from = 2});
    add_one(list, 75, "d:ww", "mov.b64 $0, {$1, $2};", row_pack, (conf_spec){.to = 32, .from = 2});
    add_one(list, 75, "d:hhhh", "mov.b64 $0, {$1, $2, $3, $4};", row_pack,
            (conf_spec){.to = 16, .from = 4});
    add_one(list, 75, "hh:w", "mov.b32 {$0, $1}, $2;", row_pack,
            (conf_spec){.op = 1, .to = 16, .from = 2});
    add_one(list, 75, "ww:d", "mov.b64 {$0, $1}, $2;", row_pack,
            (conf_spec){.op = 1, .to = 32, .from = 2});
    add_one(list, 75, "hhhh:d", "mov.b64 {$0, $1, $2, $3}, $4;", row_pack,
            (conf_spec){.op = 1, .to = 16, .from = 4});
}
