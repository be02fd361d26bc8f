/* grad_fold.c - gradients of reductions and products. */
#include "src/passes/grad.h"

#include <string.h>

static void int_axes(const int64_t *a, unsigned n, int *out) {
    for (unsigned i = 0; i < n; i++) out[i] = (int)a[i];
}

ir_ref grad_reduce(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    ir_ref x = ir_operand(g, r, k), d = *ds;
    ir_reduce_attr a = ir_reduce_get(g, ir_at(g, r));
    ir_reduce_kind kind = a.kind;
    int axes[IR_MAX_RANK];
    unsigned n = a.naxes, rank = ir_at(g, x)->rank;
    ir_dim dims[IR_MAX_RANK];
    int_axes(a.axes, n, axes);
    if (kind == IR_PROD) return grad_prod(g, r, x, d, axes, n);
    memcpy(dims, ir_dims(g, ir_at(g, x)), rank * sizeof *dims);
    for (unsigned i = 0; i < n; i++) dims[axes[i]] = ir_dim_const(g, 1);
    ir_ref wide = grad_expand_like(g, ir_reshape_dims(g, d, dims, rank), x);
    if (kind == IR_SUM || !wide) return wide;
    /* max, min: ties share */
    ir_ref best = grad_expand_like(g, ir_reshape_dims(g, r, dims, rank), x);
    bz_dtype t = ir_compute_dtype(ir_dtype(g, x)); /* a half cannot hold their number */
    ir_ref hit = ir_build2(g, IR_EQ, x, best);
    ir_ref ties = ir_reduce(g, IR_SUM, ir_cast(g, hit, t), axes, n, true);
    ir_ref share = ir_build3(g, IR_SELECT, hit, ir_cast(g, wide, t), ir_const_f(g, t, 0));
    return ir_cast(g, ir_build2(g, IR_DIV, share, ties), ir_dtype(g, x));
}

/* ---- products: d x = d . y over y's free axes, put back in x's order */

static unsigned free_axes(unsigned rank, const int64_t *a, unsigned na, const int64_t *b,
                          unsigned nb, int *out) {
    unsigned n = 0;
    for (unsigned d = 0; d < rank; d++) {
        bool used = false;
        for (unsigned i = 0; i < na + nb; i++) used |= (i < na ? a[i] : b[i - na]) == (int64_t)d;
        if (!used) out[n++] = (int)d;
    }
    return n;
}

ir_ref grad_dot(ir_graph *g, ir_ref r, unsigned k, const ir_ref *ds) {
    ir_ref d = *ds;
    ir_dot_attr a = ir_dot_get(g, ir_at(g, r));
    unsigned nb = a.nbatch, nc = a.ncontract;
    int64_t copy[4 * IR_MAX_RANK]; /* the attributes move when the graph grows */
    memcpy(copy, a.lbatch, (2 * nb + 2 * nc) * sizeof *copy);
    const int64_t *lb = copy, *rb = copy + nb, *lc = copy + 2 * nb, *rc = lc + nc;
    ir_ref self = ir_operand(g, r, k), other = ir_operand(g, r, 1 - k);
    const int64_t *sb = k ? rb : lb, *ob = k ? lb : rb, *sc = k ? rc : lc, *oc = k ? lc : rc;
    unsigned srank = ir_at(g, self)->rank, orank = ir_at(g, other)->rank;
    int sfree[IR_MAX_RANK], ofree[IR_MAX_RANK], dbatch[IR_MAX_RANK], obatch[IR_MAX_RANK],
        dcontract[IR_MAX_RANK];
    unsigned ns = free_axes(srank, sb, nb, sc, nc, sfree),
             no = free_axes(orank, ob, nb, oc, nc, ofree);
    for (unsigned i = 0; i < nb; i++) {
        dbatch[i] = (int)i;
        obatch[i] = (int)ob[i];
    }
    for (unsigned i = 0; i < no; i++) /* where the other's free axes lie in the result */
        dcontract[i] = (int)(nb + (k ? 0 : ns) + i);
    int perm[IR_MAX_RANK];
    ir_ref share;
    /* the product with the other operand has its contracted axes left over, in ascending order */
    int oleft[IR_MAX_RANK];
    unsigned nleft = 0;
    for (unsigned ax = 0; ax < orank; ax++)
        for (unsigned i = 0; i < nc; i++)
            if (oc[i] == (int64_t)ax) oleft[nleft++] = (int)i; /* number of the contracted pair */
    if (k == 0) { /* d . other: batch, own free axes, contracted */
        share = ir_dot(g, d, other, dbatch, obatch, nb, dcontract, ofree, no);
        for (unsigned i = 0; i < nb; i++) perm[sb[i]] = (int)i;
        for (unsigned i = 0; i < ns; i++) perm[sfree[i]] = (int)(nb + i);
        for (unsigned i = 0; i < nc; i++) perm[sc[oleft[i]]] = (int)(nb + ns + i);
    } else { /* other . d: batch, contracted, own free axes */
        share = ir_dot(g, other, d, obatch, dbatch, nb, ofree, dcontract, no);
        for (unsigned i = 0; i < nb; i++) perm[sb[i]] = (int)i;
        for (unsigned i = 0; i < nc; i++) perm[sc[oleft[i]]] = (int)(nb + i);
        for (unsigned i = 0; i < ns; i++) perm[sfree[i]] = (int)(nb + nc + i);
    }
    return ir_permute(g, share, perm, srank);
}
