/* run_value.c - values in the interpreter: base ops lane by lane (value.h), vectors, exchange
 * between threads. */
#include "src/ir/loops/run.h"

#include <math.h>
#include <string.h>

static void base(const lp_exec *x, const lp_inst *i, unsigned t, unsigned T, ir_bits *out) {
    const ir_bits *in[3] = {NULL, NULL, NULL};
    for (unsigned j = 0; j < i->nargs; j++) in[j] = lp_exec_get(x, lp_exec_arg(x, i, j), t, T);
    bz_dtype operand = (bz_dtype)lp_exec_at(x, lp_exec_arg(x, i, i->op == IR_SELECT))->dtype;
    for (unsigned l = 0; l < i->lanes; l++) {
        ir_bits lane[3] = {0, 0, 0};
        for (unsigned j = 0; j < i->nargs; j++) lane[j] = in[j][l];
        out[l] = ir_base_eval_bits((ir_op)i->op, operand, (bz_dtype)i->dtype, lane);
    }
}

static void table(lp_exec *x, lp_val v, const ir_bits *index, ir_bits *out) {
    const lp_inst *i = lp_exec_at(x, v);
    const ir_vtable *table = &ir_vtables[i->imm];
    bz_dtype d = (bz_dtype)lp_exec_at(x, lp_exec_arg(x, i, 0))->dtype;
    for (unsigned l = 0; l < i->lanes; l++) {
        int64_t at = ir_bits_to_i64(d, index[l]);
        if (at < 0 || at >= table->n) {
            lp_exec_fail(x, v, BZ_EINDEX, "index %lld of table %s, which has %u elements",
                         (long long)at, table->name, table->n);
            return;
        }
        out[l] = ir_load_bits(table->dtype, (const char *)table->data +
                                                (size_t)at * ir_dtype_bytes(table->dtype));
    }
}

static ir_bits fold_mask(const ir_bits *mask, unsigned n, bool all) {
    for (unsigned l = 0; l < n; l++)
        if ((mask[l] != 0) != all) return !all;
    return all;
}

static void shuffle(const lp_exec *x, const lp_inst *i, const ir_bits *a, const ir_bits *b,
                    ir_bits *out) {
    unsigned n = lp_exec_at(x, lp_exec_arg(x, i, 0))->lanes;
    const uint32_t *pick = lp_args(x->k, i) + i->nargs;
    for (unsigned l = 0; l < i->lanes; l++) out[l] = pick[l] < n ? a[pick[l]] : b[pick[l] - n];
}

static void one(lp_exec *x, lp_val v, unsigned t, unsigned T) {
    const lp_inst *i = lp_exec_at(x, v);
    ir_bits *out = lp_exec_get(x, v, t, T);
    const ir_bits *a = i->nargs ? lp_exec_get(x, lp_exec_arg(x, i, 0), t, T) : NULL;
    const ir_bits *b = i->nargs > 1 ? lp_exec_get(x, lp_exec_arg(x, i, 1), t, T) : NULL;
    unsigned na = i->nargs ? lp_exec_at(x, lp_exec_arg(x, i, 0))->lanes : 0;
    switch (i->op) {
    case LP_CONST:
        for (unsigned l = 0; l < i->lanes; l++) out[l] = (ir_bits)i->imm;
        break;
    case LP_EXTENT: *out = x->extents[(size_t)i->imm * x->base + t * x->base / T]; break;
    case LP_SCALAR: *out = x->scalars[(size_t)i->imm * x->base + t * x->base / T]; break;
    case LP_TABLE: table(x, v, a, out); break;
    case LP_SPLAT:
        for (unsigned l = 0; l < i->lanes; l++) out[l] = *a;
        break;
    case LP_LANEID:
        for (unsigned l = 0; l < i->lanes; l++) out[l] = l;
        break;
    case LP_EXTRACT: *out = a[i->imm]; break;
    case LP_INSERT:
        memcpy(out, a, i->lanes * sizeof *out);
        out[i->imm] = *b;
        break;
    case LP_SHUFFLE: shuffle(x, i, a, b, out); break;
    case LP_ANY:
    case LP_ALL: *out = fold_mask(a, na, i->op == LP_ALL); break;
    default: base(x, i, t, T, out); break;
    }
}

void lp_exec_value(lp_exec *x, lp_val v, unsigned T, const bool *on) {
    for (unsigned t = 0; t < T && x->r->status == BZ_OK; t++)
        if (on[t]) one(x, v, t, T);
}

/* ---- exchange between the threads of a warp */

static void warp_shuffle(lp_exec *x, lp_val v, unsigned T, const bool *on) {
    const lp_inst *i = lp_exec_at(x, v);
    for (unsigned t = 0; t < T; t++) {
        unsigned from = T == 1 ? 0 : t ^ (unsigned)i->imm;
        if (!on[t]) continue;
        if (from >= T || !on[from]) {
            lp_exec_fail(x, v, BZ_EARG, "thread %u is not there to give its value", from);
            return;
        }
        memcpy(lp_exec_get(x, v, t, T), lp_exec_get(x, lp_exec_arg(x, i, 0), from, T),
               i->lanes * sizeof(ir_bits));
    }
}

void lp_exec_warps(lp_exec *x, lp_val v, unsigned T, const bool *on, lp_exec_warp *of_warp) {
    for (unsigned first = 0; first < T; first += 32) {
        unsigned there = 0;
        for (unsigned lane = 0; lane < 32 && first + lane < T; lane++) there += on[first + lane];
        if (there == 32)
            of_warp(x, v, first, T);
        else if (there)
            lp_exec_fail(x, v, BZ_EARG, "only %u threads of a warp are there", there);
    }
}

/* Fragments of mma: which element of the tile is element e of a lane's fragment, if a register of 4 bytes holds `each` of them (PTX
 * ISA, "Matrix Fragments"). A lane has one column of b: lane / 4. */
static unsigned a_row(unsigned lane, unsigned e, unsigned each) {
    return lane / 4 + 8 * (e / each % 2);
}
static unsigned a_col(unsigned lane, unsigned e, unsigned each) {
    return (lane % 4 + 4 * (e / each / 2)) * each + e % each;
}
static unsigned b_row(unsigned lane, unsigned e, unsigned each) {
    return (lane % 4 + 4 * (e / each)) * each + e % each;
}
static unsigned c_row(unsigned lane, unsigned e) {
    return lane / 4 + 8 * (e / 2);
}
static unsigned c_col(unsigned lane, unsigned e) {
    return lane % 4 * 2 + e % 2;
}

/* What the units take of an f32: 11 bits, to nearest, ties away from zero. */
static double rounded(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    if (!isfinite(x)) return (double)x;
    bits = (bits + 0x1000) & 0xffffe000;
    memcpy(&x, &bits, sizeof x);
    return (double)x;
}

static double factor_at(const lp_exec *x, lp_val v, unsigned t, unsigned T, unsigned e) {
    const bz_dtype d = (bz_dtype)lp_exec_at(x, v)->dtype;
    const double f = ir_bits_to_f64(d, lp_exec_get(x, v, t, T)[e]);
    return d == BZ_F32 ? rounded((float)f) : f;
}

/* Products of halves, and of 11 bits, are exact. */
static void mma_warp(lp_exec *x, lp_val v, unsigned first, unsigned T) {
    const lp_inst *i = lp_exec_at(x, v);
    lp_val va = lp_exec_arg(x, i, 0), vb = lp_exec_arg(x, i, 1), vc = lp_exec_arg(x, i, 2);
    const unsigned depth = lp_args(x->k, i)[5], each = depth / 8;
    double a[16][16], b[16][8];
    for (unsigned lane = 0; lane < 32; lane++) {
        for (unsigned e = 0; e < 4 * each; e++)
            a[a_row(lane, e, each)][a_col(lane, e, each)] = factor_at(x, va, first + lane, T, e);
        for (unsigned e = 0; e < 2 * each; e++)
            b[b_row(lane, e, each)][lane / 4] = factor_at(x, vb, first + lane, T, e);
    }
    for (unsigned lane = 0; lane < 32; lane++) {
        const ir_bits *c = lp_exec_get(x, vc, first + lane, T);
        ir_bits *out = lp_exec_get(x, v, first + lane, T);
        for (unsigned e = 0; e < 4; e++) {
            double sum = ir_bits_to_f64(BZ_F32, c[e]);
            for (unsigned k = 0; k < depth; k++) sum += a[c_row(lane, e)][k] * b[k][c_col(lane, e)];
            out[e] = ir_bits_from_f64(BZ_F32, sum);
        }
    }
}

void lp_exec_exchange(lp_exec *x, lp_val v, unsigned T, const bool *on) {
    if (lp_exec_at(x, v)->op == LP_MMA)
        lp_exec_warps(x, v, T, on, mma_warp);
    else
        warp_shuffle(x, v, T, on);
}
