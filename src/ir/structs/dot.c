/* dot.c - sums of products over contracted axes. The order of the additions: interp_reduce.c, docs/numerics.md. */
#include "src/ir/complex.h"
#include "src/ir/structs.h"

#include <string.h>

ir_dot_attr ir_dot_get(const ir_graph *g, const ir_node *n) {
    const int64_t *a = ir_attrs(g, n);
    unsigned nb = (unsigned)a[2], nc = (unsigned)a[3];
    return (ir_dot_attr){(bz_dtype)a[0], (ir_order)a[1],     nb, nc, a + 4, a + 4 + nb,
                         a + 4 + 2 * nb, a + 4 + 2 * nb + nc};
}

/* Axes named in two lists, as a set; false and an error if one is out of range or repeated. */
static bool axis_set(ir_graph *g, ir_ref x, const int *a, unsigned na, const int *b, unsigned nb,
                     int64_t *out, uint64_t *set) {
    unsigned rank = ir_at(g, x)->rank;
    *set = 0;
    for (unsigned i = 0; i < na + nb; i++) {
        int ax = ir_front_axis(g, IR_DOT, x, i < na ? a[i] : b[i - na], rank);
        if (ax < 0) return false;
        if (*set >> ax & 1)
            return ir_error(g, BZ_EAXIS, IR_DOT, "axis %d of %s is given twice", ax,
                            ir_shape_text(g, x)),
                   false;
        *set |= UINT64_C(1) << ax;
        out[i] = ax;
    }
    return true;
}

typedef struct dot_axes {
    const int *lbatch, *rbatch, *lcontract, *rcontract;
    unsigned nbatch, ncontract;
} dot_axes;

static ir_ref dot_of_parts(ir_graph *g, ir_ref x, ir_ref y, const void *with) {
    const dot_axes *a = with;
    return ir_dot(g, x, y, a->lbatch, a->rbatch, a->nbatch, a->lcontract, a->rcontract, a->ncontract);
}

ir_ref ir_dot(ir_graph *g, ir_ref x, ir_ref y, const int *lbatch, const int *rbatch,
              unsigned nbatch, const int *lcontract, const int *rcontract, unsigned ncontract) {
    if (!x || !y) return 0;
    int64_t l[2 * IR_MAX_RANK], r[2 * IR_MAX_RANK], attr[4 + 4 * IR_MAX_RANK];
    uint64_t lset, rset;
    if (nbatch + ncontract > IR_MAX_RANK ||
        !axis_set(g, x, lbatch, nbatch, lcontract, ncontract, l, &lset) ||
        !axis_set(g, y, rbatch, nbatch, rcontract, ncontract, r, &rset))
        return g->err.status ? 0 : ir_error(g, BZ_EAXIS, IR_DOT, "too many axes");
    if (ir_dtype(g, x) != ir_dtype(g, y))
        return ir_error(g, BZ_EDTYPE, IR_DOT, "dtypes differ: %s and %s", ir_shape_text(g, x),
                        ir_shape_text(g, y));
    if (ir_dtype(g, x) == BZ_BOOL)
        return ir_error(g, BZ_EDTYPE, IR_DOT, "bool operands; cast them first");
    for (unsigned i = 0; i < nbatch + ncontract; i++)
        if (dims_of(g, x)[l[i]] != dims_of(g, y)[r[i]])
            return ir_error(g, BZ_ESHAPE, IR_DOT, "%s dims differ: %s axis %d and %s axis %d",
                            i < nbatch ? "batch" : "contracting", ir_shape_text(g, x), (int)l[i],
                            ir_shape_text(g, y), (int)r[i]);
    ir_dim dims[3 * IR_MAX_RANK];
    unsigned rank = 0;
    for (unsigned i = 0; i < nbatch; i++) dims[rank++] = dims_of(g, x)[l[i]];
    for (unsigned a = 0; a < ir_at(g, x)->rank; a++)
        if (!(lset >> a & 1)) dims[rank++] = dims_of(g, x)[a];
    for (unsigned a = 0; a < ir_at(g, y)->rank; a++)
        if (!(rset >> a & 1)) dims[rank++] = dims_of(g, y)[a];
    if (!ir_check_rank(g, IR_DOT, rank) || !ir_check_size(g, IR_DOT, dims, rank)) return 0;
    bz_dtype t = ir_dtype(g, x);
    if (ir_is_complex(t))
        return ir_of_parts(g, dot_of_parts, x, y, &(dot_axes){lbatch, rbatch, lcontract, rcontract, nbatch, ncontract});
    attr[0] = ir_compute_dtype(t);
    attr[1] = IR_ORDER_DOT;
    attr[2] = nbatch;
    attr[3] = ncontract;
    memcpy(attr + 4, l, nbatch * sizeof *l);
    memcpy(attr + 4 + nbatch, r, nbatch * sizeof *l);
    memcpy(attr + 4 + 2 * nbatch, l + nbatch, ncontract * sizeof *l);
    memcpy(attr + 4 + 2 * nbatch + ncontract, r + nbatch, ncontract * sizeof *l);
    return ir_append(g, IR_DOT, t, dims, rank, (ir_ref[]){x, y}, 2, attr,
                     4 + 2 * nbatch + 2 * ncontract);
}

ir_ref ir_dot_narrowed(ir_graph *g, const ir_graph *from, ir_ref dot, ir_ref x, ir_ref y) {
    const ir_node n = *ir_at(from, dot);
    if (!x || !y) return 0;
    bz_assert(ir_is_half(ir_dtype(g, x)) && ir_dtype(g, x) == ir_dtype(g, y) && n.dtype == BZ_F32);
    return ir_append(g, IR_DOT, BZ_F32, ir_dims(from, &n), n.rank, (ir_ref[]){x, y}, 2,
                     ir_attrs(from, &n), n.nattr);
}

/* ---- is the node right? */

/* The rest of an operand of dot: axes outside the set, from result axis *at on. */
static bool check_rest(const ck *c, const ir_node *x, uint64_t set, unsigned *at) {
    for (unsigned a = 0; a < x->rank; a++) {
        if (!(set >> a & 1) && !ck_size(c, (*at)++, ck_dim(c, x, a))) return false;
    }
    return true;
}

bool ck_dot(const ck *c) {
    const ir_node *x = ck_in(c, 0), *y = ck_in(c, 1);
    uint64_t lset = 0, rset = 0;
    unsigned at = 0;
    bool sane = c->n->nattr >= 4 && c->attr[2] >= 0 && c->attr[3] >= 0 &&
                c->attr[2] <= IR_MAX_RANK && c->attr[3] <= IR_MAX_RANK;
    if (!sane || !ck_attrs(c, 4 + 2 * (uint64_t)(c->attr[2] + c->attr[3])))
        return ck_wrong(c, BZ_EARG, "the attributes are no dot");
    ir_dot_attr d = ir_dot_get(c->g, c->n);
    if (x->dtype != y->dtype || x->dtype == BZ_BOOL)
        return ck_wrong(c, BZ_EDTYPE, "the operands must have one dtype, not bool");
    if (c->n->dtype != d.acc && !ck_dtype(c, (bz_dtype)x->dtype)) return false;
    if (d.acc != ir_compute_dtype((bz_dtype)x->dtype) || d.order != IR_ORDER_DOT)
        return ck_wrong(c, BZ_EARG, "accumulator or order are not those of dot");
    if (!ck_axes(c, d.lbatch, d.nbatch, x->rank, &lset) ||
        !ck_axes(c, d.lcontract, d.ncontract, x->rank, &lset) ||
        !ck_axes(c, d.rbatch, d.nbatch, y->rank, &rset) ||
        !ck_axes(c, d.rcontract, d.ncontract, y->rank, &rset) ||
        !ck_rank(c, x->rank + y->rank - d.nbatch - 2 * d.ncontract))
        return false;
    for (unsigned i = 0; i < d.ncontract; i++) {
        if (ck_dim(c, x, (unsigned)d.lcontract[i]) != ck_dim(c, y, (unsigned)d.rcontract[i]))
            return ck_wrong(c, BZ_ESHAPE, "contracting sizes differ");
    }
    for (unsigned i = 0; i < d.nbatch; i++) {
        if (!ck_size(c, at, ck_dim(c, x, (unsigned)d.lbatch[i])) ||
            !ck_size(c, at++, ck_dim(c, y, (unsigned)d.rbatch[i])))
            return false;
    }
    return check_rest(c, x, lset, &at) && check_rest(c, y, rset, &at);
}

/* ---- its value */

/* An operand of dot as [batch][rest][k] in accumulators. */
typedef struct packed {
    it_axes batch, rest, contract;
    int64_t nbatch, nrest, n;
    char *data;
} packed;

static int64_t count(const it_axes *v) {
    return it_walk_axes(v, 0).left;
}

static bool in_list(const int64_t *list, unsigned n, int64_t v) {
    for (unsigned i = 0; i < n; i++) {
        if (list[i] == v) return true;
    }
    return false;
}

static bool pack(const it_array *x, const int64_t *batch, unsigned nbatch, const int64_t *contract,
                 unsigned ncontract, it_acc k, packed *p) {
    int64_t strides[IR_MAX_RANK];
    *p = (packed){0};
    it_strides(x, strides);
    for (unsigned i = 0; i < nbatch; i++) it_add_axis(&p->batch, x, strides, (unsigned)batch[i]);
    for (unsigned i = 0; i < ncontract; i++)
        it_add_axis(&p->contract, x, strides, (unsigned)contract[i]);
    for (unsigned i = 0; i < x->rank; i++) {
        if (!in_list(batch, nbatch, i) && !in_list(contract, ncontract, i))
            it_add_axis(&p->rest, x, strides, i);
    }
    p->nbatch = count(&p->batch);
    p->nrest = count(&p->rest);
    p->n = count(&p->contract);
    size_t row = (size_t)p->n * it_acc_bytes(k);
    char *to = p->data = bz_mem_alloc((size_t)(p->nbatch * p->nrest) * row);
    if (!to) return false;
    for (it_walk b = it_walk_axes(&p->batch, 0); b.left; it_next(&b)) {
        for (it_walk w = it_walk_axes(&p->rest, b.at); w.left; it_next(&w), to += row)
            it_load_axes(x, &p->contract, w.at, k, to);
    }
    return true;
}

static void multiply(const packed *x, const packed *y, it_acc k, const it_array *out) {
    size_t row = (size_t)x->n * it_acc_bytes(k), bytes = ir_dtype_bytes(out->dtype);
    char *to = out->data;
    it_number acc;
    for (int64_t b = 0; b < x->nbatch; b++) {
        for (int64_t i = 0; i < x->nrest; i++) {
            for (int64_t j = 0; j < y->nrest; j++, to += bytes) {
                it_dot_row(k, x->data + (size_t)(b * x->nrest + i) * row,
                           y->data + (size_t)(b * y->nrest + j) * row, x->n, &acc);
                it_acc_store(out->dtype, to, k, &acc);
            }
        }
    }
}

bool it_dot(it_state *s, ir_ref r) {
    const it_array *x = it_operand(s, r, 0), *y = it_operand(s, r, 1);
    ir_dot_attr d = ir_dot_get(s->g, ir_at(s->g, r));
    it_acc k = it_acc_of(x->dtype);
    packed px = {0}, py = {0};
    bool ok = pack(x, d.lbatch, d.nbatch, d.lcontract, d.ncontract, k, &px) &&
              pack(y, d.rbatch, d.nbatch, d.rcontract, d.ncontract, k, &py);
    if (ok) multiply(&px, &py, k, &s->slot[r].a);
    bz_mem_free(px.data);
    bz_mem_free(py.data);
    return ok || it_fail(s, r, BZ_ENOMEM, "out of memory");
}
