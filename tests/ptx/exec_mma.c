/* exec_mma.c - matrix fragments: mma, ldmatrix, stmatrix, movmatrix.
 *
 * With g = lane / 4 and t = lane % 4, and e elements in a register, register r of a fragment holds
 *     A[g + 8 (r mod M/8)][4 e (r div M/8) + e t + 0 .. e-1]      (M rows)
 *     B[4 e r + e t + 0 .. e-1][g]
 *     C[g + 8 (r div 2)][2 t + r mod 2]
 * for every shape and type. Products are exact in double and summed there, then rounded once. */
#include "exec.h"

#define PTX_ISA base
#include "lanes.h"
#include "run.h"

enum { MAX_M = 16, MAX_N = 8, MAX_K = 64 };

/* Element `k` of a 32-bit register, or the whole 64-bit one, as a number. */
double matrix_element(ptx_type t, const uint8_t *reg, unsigned k) {
    uint32_t u;
    double d;
    memcpy(&u, reg, 4);
    switch (t) {
    case T_F16: return h2d(u >> 16 * k & 0xffff);
    case T_BF16: return b2d(u >> 16 * k & 0xffff);
    case T_TF32: return u2f(u & 0xffffe000); /* the low bits don't count */
    case T_S8: return (int8_t)(u >> 8 * k);
    case T_U8: return (uint8_t)(u >> 8 * k);
    case T_S4: return (int8_t)(u >> 4 * k << 4) >> 4;
    case T_U4: return u >> 4 * k & 15;
    case T_E4M3: return h2d(e4m3_to_h(u >> 8 * k & 0xff));
    case T_E5M2: return h2d((u >> 8 * k & 0xff) << 8);
    default: memcpy(&d, reg, 8); return d;
    }
}

unsigned matrix_elements(ptx_type t) {
    return t == T_F16 || t == T_BF16 ? 2
           : t == T_S4 || t == T_U4  ? 8
           : vm_type_bytes[t] == 1   ? 4
                                     : 1;
}

static void read_a(const warp *w, const ins *i, const int32_t *regs, double a[MAX_M][MAX_K]) {
    unsigned e = matrix_elements(i->type), rows = i->n / 8u, lane = i->type == T_F64 ? 8 : 4;
    for (unsigned r = 0; r < rows * (i->bytes / (4 * e)); r++)
        for (unsigned l = 0; l < LANES; l++)
            for (unsigned k = 0; k < e; k++)
                a[l / 4 + 8 * (r % rows)][4 * e * (r / rows) + e * (l % 4) + k] =
                    matrix_element(i->type, (uint8_t *)reg_at(w, regs[r]) + l * lane, k);
}

static void read_b(const warp *w, const ins *i, const int32_t *regs, double b[MAX_K][MAX_N]) {
    unsigned e = matrix_elements(i->type), lane = i->type == T_F64 ? 8 : 4;
    for (unsigned r = 0; r < i->bytes / (4 * e); r++)
        for (unsigned l = 0; l < LANES; l++)
            for (unsigned k = 0; k < e; k++)
                b[4 * e * r + e * (l % 4) + k][l / 4] =
                    matrix_element(i->sub, (uint8_t *)reg_at(w, regs[r]) + l * lane, k);
}

static double *cell(double c[MAX_M][MAX_N], unsigned l, unsigned r) {
    return &c[l / 4 + 8 * (r / 2)][2 * (l % 4) + r % 2];
}

static uint32_t matrix_int(double x, bool saturate) {
    if (saturate)
        return (uint32_t)(int32_t)(x > INT32_MAX ? INT32_MAX : x < INT32_MIN ? INT32_MIN : x);
    return (uint32_t)(int64_t)x;
}

double matrix_sum(ptx_type t, const uint8_t *reg, unsigned r) {
    uint32_t u;
    if (t == T_F64) return matrix_element(t, reg, 0);
    memcpy(&u, reg, 4);
    return t == T_F16   ? h2d(u >> 16 * (r % 2) & 0xffff)
           : t == T_F32 ? (double)u2f(u)
                        : (double)(int32_t)u;
}

void matrix_put(ptx_type t, uint8_t *reg, unsigned r, double x, bool saturate) {
    uint16_t h = (uint16_t)(t == T_F16 ? d2h(x) : 0);
    uint32_t u = t == T_F32 ? f2u((float)x) : t == T_S32 ? matrix_int(x, saturate) : 0;
    if (t == T_F64)
        memcpy(reg, &x, 8);
    else if (t == T_F16)
        memcpy(reg + 2 * (r % 2), &h, 2);
    else
        memcpy(reg, &u, 4);
}

/* Of element r of lane l of C or D, the bytes in its register. */
static uint8_t *sum_at(const warp *w, const int32_t *regs, ptx_type t, unsigned l, unsigned r) {
    return (uint8_t *)reg_at(w, regs[t == T_F16 ? r / 2 : r]) + l * (t == T_F64 ? 8 : 4);
}

static void read_c(const warp *w, const ins *i, const int32_t *regs, double c[MAX_M][MAX_N]) {
    for (unsigned r = 0; r < i->n / 4u; r++)
        for (unsigned l = 0; l < LANES; l++)
            *cell(c, l, r) = matrix_sum(i->space, sum_at(w, regs, i->space, l, r), r);
}

static void write_d(const warp *w, const ins *i, const int32_t *regs, double c[MAX_M][MAX_N]) {
    for (unsigned r = 0; r < i->n / 4u; r++)
        for (unsigned l = 0; l < LANES; l++)
            matrix_put(i->rnd, sum_at(w, regs, i->rnd, l, r), r, *cell(c, l, r),
                       i->flags & INS_SATFIN);
}

static void multiply(const ins *i, double a[MAX_M][MAX_K], double b[MAX_K][MAX_N],
                     double c[MAX_M][MAX_N]) {
    for (unsigned m = 0; m < i->n; m++)
        for (unsigned k = 0; k < i->bytes; k++) {
            double x = a[m][k];
            if (i->type == T_F64)
                for (unsigned n = 0; n < MAX_N; n++) c[m][n] = fma(x, b[k][n], c[m][n]);
            else
                for (unsigned n = 0; n < MAX_N; n++) c[m][n] += x * b[k][n];
        }
}

bool matrix_warp(warp *w, const ins *i, uint32_t mask) {
    if (mask == ALL_LANES) return true;
    uint32_t group[LANES], there = split_gather(w, i, mask, group);
    if (!there) return false;
    if (there == ALL_LANES) return true;
    find_misuse(w, i, mask, "this instruction needs all threads of the warp");
    return true;
}

void x_mma(warp *w, const ins *i, uint32_t mask) {
    if (!matrix_warp(w, i, mask)) return;
    const int32_t *regs = &w->b->ln->module->list.at[i->e];
    unsigned e = matrix_elements(i->type), na = i->n / 8u * (i->bytes / (4 * e)),
             nb = i->bytes / (4 * e), nc = i->n / 4u;
    double a[MAX_M][MAX_K], b[MAX_K][MAX_N], c[MAX_M][MAX_N];
    read_a(w, i, regs, a);
    read_b(w, i, regs + na, b);
    read_c(w, i, regs + na + nb, c);
    multiply(i, a, b, c);
    write_d(w, i, regs + na + nb + (i->space == T_F16 ? nc / 2 : nc), c);
}

/* ---- 8x8 matrices of 16-bit elements: lanes 8j .. 8j+7 give the rows' addresses of matrix j ----
 */

static bool rows(warp *w, const ins *i, uint32_t mask, uint64_t ad[LANES], uint32_t *lanes) {
    if (!matrix_warp(w, i, mask)) return false;
    memcpy(ad, reg_at(w, i->a), sizeof(uint64_t) * LANES);
    *lanes = i->n == 4 ? ALL_LANES : (1u << 8 * i->n) - 1;
    return mem_shared_ok(w, i, *lanes, w->b, ad, 16);
}

/* Lane l holds row l/4, elements 2(l%4) and the next one; transposed: column l/4. */
static unsigned element_at(const ins *i, unsigned l, unsigned k, unsigned *row) {
    unsigned r = l / 4, c = 2 * (l % 4) + k;
    *row = i->flags & INS_TRANS ? c : r;
    return i->flags & INS_TRANS ? r : c;
}

void x_ldmatrix(warp *w, const ins *i, uint32_t mask) {
    const int32_t *regs = &w->b->ln->module->list.at[i->e];
    uint64_t ad[LANES];
    uint32_t lanes;
    if (!rows(w, i, mask, ad, &lanes)) return;
    race_read(w, i, lanes, w->b, ad, 16, 0xffff, ACC_READ);
    for (unsigned j = 0; j < i->n; j++)
        for (unsigned l = 0; l < LANES; l++)
            for (unsigned k = 0; k < 2; k++) {
                unsigned row, col = element_at(i, l, k, &row);
                memcpy((uint8_t *)reg_at(w, regs[j]) + 4 * l + 2 * k,
                       w->b->shared + ad[8 * j + row] + 2 * col, 2);
            }
}

void x_stmatrix(warp *w, const ins *i, uint32_t mask) {
    const int32_t *regs = &w->b->ln->module->list.at[i->e];
    uint64_t ad[LANES];
    uint32_t lanes;
    if (!rows(w, i, mask, ad, &lanes)) return;
    race_write(w, i, lanes, w->b, ad, 16, false);
    for (unsigned j = 0; j < i->n; j++)
        for (unsigned l = 0; l < LANES; l++)
            for (unsigned k = 0; k < 2; k++) {
                unsigned row, col = element_at(i, l, k, &row);
                memcpy(w->b->shared + ad[8 * j + row] + 2 * col,
                       (uint8_t *)reg_at(w, regs[j]) + 4 * l + 2 * k, 2);
            }
}

void x_movmatrix(warp *w, const ins *i, uint32_t mask) {
    if (!matrix_warp(w, i, mask)) return;
    uint16_t in[8][8];
    uint32_t from[LANES];
    memcpy(from, reg_at(w, i->a), sizeof from);
    for (unsigned l = 0; l < LANES; l++)
        for (unsigned k = 0; k < 2; k++) in[l / 4][2 * (l % 4) + k] = (uint16_t)(from[l] >> 16 * k);
    uint32_t *d = reg_at(w, i->d);
    for (unsigned l = 0; l < LANES; l++)
        d[l] = in[2 * (l % 4)][l / 4] | (uint32_t)in[2 * (l % 4) + 1][l / 4] << 16;
}
