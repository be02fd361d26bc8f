/* matrix.c - mma.sync and ldmatrix: which lane holds which element, by the ISA's figures.
 *
 * A register of A has 32 / bits elements of one row; lane = 4 * group + t. Register j of A holds
 * row group + 8 (j & 1) and columns from t * per + (j >> 1) * 4 per; of B column group and rows
 * from t * per + j * 4 per; of C row group + 8 i and columns 2 t, 2 t + 1. One formula covers
 * every shape. */
#include <stdio.h>
#include <string.h>

#include "conf.h"
#include "fp.h"

enum { LANES = 32, MAX_M = 16, N = 8, MAX_K = 64 };

/* Element types: letters of the signature's registers, bits, exactness of sums is by choice of
 * values. */
typedef enum { E_F16, E_BF16, E_TF32, E_S8, E_U8, E_F64, E_S4, E_U4, E_E4M3, E_E5M2 } element;

static const struct {
    const char *name;
    int bits;
    char letter;
} elements[] = {
    [E_F16] = {"f16", 16, 'q'}, [E_BF16] = {"bf16", 16, 't'}, [E_TF32] = {"tf32", 32, 'e'},
    [E_S8] = {"s8", 8, 'i'},    [E_U8] = {"u8", 8, 'i'},      [E_F64] = {"f64", 64, 'E'},
    [E_S4] = {"s4", 4, 'i'},    [E_U4] = {"u4", 4, 'i'},      [E_E4M3] = {"e4m3", 8, '8'},
    [E_E5M2] = {"e5m2", 8, '5'}};

static double number(fp_format f, uint64_t bits) {
    mpfr_t x;
    mpfr_init2(x, 64);
    fp_get(x, f, bits);
    double y = mpfr_get_d(x, MPFR_RNDN);
    mpfr_clear(x);
    return y;
}

static double part(element e, uint64_t reg, int i) {
    uint64_t bits = elements[e].bits == 64
                        ? reg
                        : reg >> (i * elements[e].bits) & ((1ull << elements[e].bits) - 1);
    switch (e) {
    case E_F16: return number(FP_F16, bits);
    case E_BF16: return number(FP_BF16, bits);
    case E_TF32: return number(FP_F32, bits);
    case E_S8: return (int8_t)bits;
    case E_U8: return (double)bits;
    case E_F64: return number(FP_F64, bits);
    case E_S4: return (double)(bits & 7) - (double)(bits & 8);
    case E_U4: return (double)bits;
    case E_E4M3: return number(FP_E4M3, bits);
    case E_E5M2: return number(FP_E5M2, bits);
    }
    return 0;
}

/* The parts of `spec`: op = K, to = M, from = element of A, round = element of B, flags =
 * accumulator. */
enum { ACC_F32, ACC_F16, ACC_S32, ACC_F64, ACC_S32_FINITE };

typedef struct {
    int k, m, per, a_regs, b_regs, c_regs;
} shape;

static shape shape_of(const conf_spec *s) {
    int bits = elements[s->from].bits;
    int per = bits == 64 ? 1 : 32 / bits;
    int acc = s->flags == ACC_F16 ? 2 : 1;
    return (shape){s->op,
                   s->to,
                   per,
                   s->to * s->op / LANES / per,
                   N * s->op / LANES / per,
                   s->to * N / LANES / acc};
}

static void gather(const conf_case *c, const shape *z, const uint64_t *v, double a[MAX_M][MAX_K],
                   double b[MAX_K][N]) {
    int stride = z->a_regs + z->b_regs + z->c_regs, halves = z->m / 8;
    for (int lane = 0; lane < LANES; lane++) {
        const uint64_t *reg = v + lane * stride;
        int group = lane / 4, t = lane % 4;
        for (int j = 0; j < z->a_regs; j++)
            for (int i = 0; i < z->per; i++)
                a[group + 8 * (j % halves)][t * z->per + i + j / halves * 4 * z->per] =
                    part((element)c->spec.from, reg[j], i);
        for (int j = 0; j < z->b_regs; j++)
            for (int i = 0; i < z->per; i++)
                b[t * z->per + i + j * 4 * z->per][group] =
                    part((element)c->spec.round, reg[z->a_regs + j], i);
    }
}

static uint64_t packed(int acc, double x) {
    mpfr_t y;
    uint64_t bits;
    if (acc == ACC_S32) return (uint64_t)(int64_t)x & 0xffffffff; /* wraps */
    if (acc == ACC_S32_FINITE)
        return (uint64_t)(int64_t)(x > 2147483647.0    ? 2147483647.0
                                   : x < -2147483648.0 ? -2147483648.0
                                                       : x);
    mpfr_init2(y, 64);
    mpfr_set_d(y, x, MPFR_RNDN);
    bits = fp_put(y, acc == ACC_F32 ? FP_F32 : acc == ACC_F16 ? FP_F16 : FP_F64, FP_RN);
    mpfr_clear(y);
    return bits;
}

static double unpacked(int acc, uint64_t reg, int i) {
    switch (acc) {
    case ACC_F32: return number(FP_F32, reg);
    case ACC_F16: return number(FP_F16, reg >> (i * 16) & 0xffff);
    case ACC_F64: return number(FP_F64, reg);
    default: return (int32_t)reg;
    }
}

static void warp_mma(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r) {
    shape z = shape_of(&c->spec);
    double a[MAX_M][MAX_K], b[MAX_K][N];
    int stride = z.a_regs + z.b_regs + z.c_regs, per = c->spec.flags == ACC_F16 ? 2 : 1;
    (void)first;
    gather(c, &z, v, a, b);
    for (int lane = 0; lane < LANES; lane++)
        for (int j = 0; j < z.c_regs; j++) {
            uint64_t out = 0;
            for (int i = 0; i < per; i++) {
                int e = j * per + i, row = lane / 4 + 8 * (e / 2), col = lane % 4 * 2 + e % 2;
                double sum = unpacked(c->spec.flags, v[lane * stride + z.a_regs + z.b_regs + j], i);
                for (int k = 0; k < z.k; k++) sum += a[row][k] * b[k][col];
                out |= packed(c->spec.flags, sum) << (i * 16);
            }
            r[lane * z.c_regs + j] = out;
        }
}

static size_t braces(char *to, size_t cap, int from, int n) {
    size_t len = (size_t)snprintf(to, cap, "{");
    for (int i = 0; i < n; i++)
        len += (size_t)snprintf(to + len, cap - len, "%s$%d", i ? ", " : "", from + i);
    return len + (size_t)snprintf(to + len, cap - len, "}");
}

static void add_mma(conf_list *list, unsigned sm, conf_spec spec) {
    static const char *const acc_name[] = {"f32", "f16", "s32", "f64", "s32"};
    static const char acc_letter[] = {'e', 'q', 'w', 'E', 'w'};
    shape z = shape_of(&spec);
    char sig[CONF_MAX_REGS + 2] = "", part_text[4][120];
    int n = 0, from[4] = {0, z.c_regs, z.c_regs + z.a_regs, z.c_regs + z.a_regs + z.b_regs};
    const int count[4] = {z.c_regs, z.a_regs, z.b_regs, z.c_regs};
    const char letter[4] = {acc_letter[spec.flags], elements[spec.from].letter,
                            elements[spec.round].letter, acc_letter[spec.flags]};
    for (int p = 0; p < 4; p++) {
        braces(part_text[p], sizeof part_text[p], from[p], count[p]);
        for (int i = 0; i < count[p]; i++) sig[n++] = letter[p];
        if (p == 0) sig[n++] = ':';
    }
    if (spec.flags == ACC_F16) /* the result is compared by bits, as a word */
        memset(sig, 'X', (size_t)z.c_regs);
    const char *acc = acc_name[spec.flags];
    conf_case *c = conf_add(
        list, sm, sig, "mma.sync.aligned.m%dn8k%d.row.col%s.%s.%s.%s.%s %s, %s, %s, %s;", spec.to,
        spec.op, spec.flags == ACC_S32_FINITE ? ".satfinite" : "", acc, elements[spec.from].name,
        elements[spec.round].name, acc, part_text[0], part_text[1], part_text[2], part_text[3]);
    c->warp = warp_mma;
    c->spec = spec;
}

/* ---- ldmatrix, movmatrix --------------------------------------------------------------------- */

static uint64_t half_at(const uint64_t *v, int matrix, int row, int col) {
    return v[(matrix * 8 + row) * 4 + col / 2] >> (col % 2 * 16) & 0xffff;
}

/* Each lane offers a row of 8 halves; matrix m is the rows of lanes 8 m to 8 m + 7. */
static void warp_ldmatrix(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r) {
    int n = c->spec.op;
    (void)first;
    for (int lane = 0; lane < LANES; lane++)
        for (int m = 0; m < n; m++) {
            uint64_t word = 0;
            for (int i = 0; i < 2; i++) {
                int row = lane / 4, col = lane % 4 * 2 + i;
                word |= (c->spec.flags ? half_at(v, m, col, row) : half_at(v, m, row, col))
                        << (i * 16);
            }
            r[lane * n + m] = word;
        }
}

static void warp_movmatrix(const conf_case *c, unsigned first, const uint64_t *v, uint64_t *r) {
    (void)c;
    (void)first;
    for (int lane = 0; lane < LANES; lane++) {
        r[lane] = 0;
        for (int i = 0; i < 2;
             i++) { /* element (row, col) of the result is (col, row) of the source */
            int row = lane % 4 * 2 + i, col = lane / 4;
            r[lane] |= (v[row * 4 + col / 2] >> (col % 2 * 16) & 0xffff) << (i * 16);
        }
    }
}

static void add_ldmatrix(conf_list *list) {
    for (int n = 1; n <= 4; n *= 2)
        for (int trans = 0; trans < 2; trans++) {
            char to[80], sig[16];
            braces(to, sizeof to, 0, n);
            snprintf(sig, sizeof sig, "%.*s:iiii", n, "wwww");
            conf_case *c =
                conf_add(list, 75, sig,
                         "st.shared.v4.b32 [%%sa], {$%d, $%d, $%d, $%d};\nbar.warp.sync -1;\n"
                         "ldmatrix.sync.aligned.m8n8.x%d%s.shared.b16 %s, [%%sa];",
                         n, n + 1, n + 2, n + 3, n, trans ? ".trans" : "", to);
            c->warp = warp_ldmatrix;
            c->spec = (conf_spec){.op = n, .flags = trans};
        }
    conf_add(list, 75, "w:i", "movmatrix.sync.aligned.m8n8.trans.b16 $0, $1;")->warp =
        warp_movmatrix;
}

void conf_matrices(conf_list *list) {
    static const struct {
        unsigned sm;
        conf_spec spec;
    } table[] = {
        {75, {.op = 8, .to = 16, .from = E_F16, .round = E_F16, .flags = ACC_F32}},
        {75, {.op = 8, .to = 16, .from = E_F16, .round = E_F16, .flags = ACC_F16}},
        {80, {.op = 16, .to = 16, .from = E_F16, .round = E_F16, .flags = ACC_F32}},
        {80, {.op = 16, .to = 16, .from = E_F16, .round = E_F16, .flags = ACC_F16}},
        {80, {.op = 8, .to = 16, .from = E_BF16, .round = E_BF16, .flags = ACC_F32}},
        {80, {.op = 16, .to = 16, .from = E_BF16, .round = E_BF16, .flags = ACC_F32}},
        {80, {.op = 4, .to = 16, .from = E_TF32, .round = E_TF32, .flags = ACC_F32}},
        {80, {.op = 8, .to = 16, .from = E_TF32, .round = E_TF32, .flags = ACC_F32}},
        {80, {.op = 4, .to = 8, .from = E_F64, .round = E_F64, .flags = ACC_F64}},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        add_mma(list, table[i].sm, table[i].spec);
    for (int a = E_S8; a <= E_U8; a++)
        for (int b = E_S8; b <= E_U8; b++)
            for (int finite = ACC_S32; finite <= ACC_S32_FINITE;
                 finite += ACC_S32_FINITE - ACC_S32) {
                add_mma(list, 75,
                        (conf_spec){.op = 16, .to = 8, .from = a, .round = b, .flags = finite});
                add_mma(list, 80,
                        (conf_spec){.op = 16, .to = 16, .from = a, .round = b, .flags = finite});
                add_mma(list, 80,
                        (conf_spec){.op = 32, .to = 16, .from = a, .round = b, .flags = finite});
            }
    for (int a = E_S4; a <= E_U4; a++)
        for (int b = E_S4; b <= E_U4; b++) {
            add_mma(list, 75,
                    (conf_spec){.op = 32, .to = 8, .from = a, .round = b, .flags = ACC_S32});
            add_mma(list, 80,
                    (conf_spec){.op = 32, .to = 16, .from = a, .round = b, .flags = ACC_S32});
            add_mma(
                list, 80,
                (conf_spec){.op = 64, .to = 16, .from = a, .round = b, .flags = ACC_S32_FINITE});
        }
    for (int a = E_E4M3; a <= E_E5M2; a++)
        for (int b = E_E4M3; b <= E_E5M2; b++)
            for (int acc = ACC_F32; acc <= ACC_F16; acc++)
                for (int k = 16; k <= 32; k *= 2)
                    add_mma(list, 89,
                            (conf_spec){.op = k, .to = 16, .from = a, .round = b, .flags = acc});
    add_ldmatrix(list);
}
