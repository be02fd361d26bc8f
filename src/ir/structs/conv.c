/* conv.c - sums of products of a kernel with windows on x: convolution, transposed convolution, and the gradients of both.
 *
 *     x: [N, G, C, S...]   w: [G, O, C, K...]   -->   [N, G, O, M...]
 *
 *     element m of an axis:  sum over k of  w[k] X[m stride + k dilation - lo],    X: x with `spread` - 1 zeros between its elements,
 *                                                                                    and zeros on either side
 *
 *     x, spread 2     . . a . b . c . .        '.' is 0; lo 2
 *     k = 0 1 2       0 1 2                    m = 0
 *                         0 1 2                m = 1, stride 2
 *
 * How many m there are is in the shape of the result. The order of the additions is that of dot over (c, k...), row-major; what lies between
 * and beside x is multiplied as the zero that it is. */
#include "src/ir/complex.h"
#include "src/ir/structs.h"

#include <string.h>

enum { HEAD = 2, FRONT = 3 }; /* attributes, axes before those of the windows */

ir_conv_attr ir_conv_get(const ir_graph *g, ir_ref r) {
    const int64_t *a = ir_attrs(g, ir_at(g, r));
    ir_conv_attr c = {.n = ir_at(g, r)->rank - FRONT};
    for (unsigned i = 0; i < c.n; i++) {
        const int64_t *v = a + HEAD + 4 * i;
        c.axis[i] = (ir_conv_axis){v[0], v[1], v[2], v[3]};
    }
    return c;
}

/* Small enough that no place is beyond 64 bits. */
static bool is_step(int64_t v) {
    return v >= 1 && v <= IR_CONV_MOST;
}

static bool fits(const ir_conv_axis *a) {
    return is_step(a->stride) && is_step(a->dilation) && is_step(a->spread) &&
           a->lo >= -IR_CONV_MOST * IR_CONV_MOST && a->lo <= IR_CONV_MOST * IR_CONV_MOST;
}

static bool is_size(const ir_graph *g, ir_dim d) {
    int64_t v;
    return ir_dim_value(g, d, &v) && v <= IR_CONV_MOST;
}

/* What is wrong with operands and attributes; NULL: nothing. */
static const char *fault(const ir_graph *g, ir_ref x, ir_ref w, const ir_conv_attr *a) {
    const ir_dim *xd = dims_of(g, x), *wd = dims_of(g, w);
    if (ir_at(g, x)->rank != FRONT + a->n || ir_at(g, w)->rank != FRONT + a->n)
        return "x is [N, G, C, S...], the kernel [G, O, C, K...]";
    if (ir_dtype(g, x) != ir_dtype(g, w) || ir_dtype(g, x) == BZ_BOOL)
        return "the operands must have one dtype, not bool";
    if (xd[1] != wd[0] || xd[2] != wd[2]) return "groups or channels differ";
    for (unsigned i = 0; i < a->n; i++) {
        if (!fits(&a->axis[i])) return "a step is out of range";
        if (!is_size(g, xd[FRONT + i]) || !is_size(g, wd[FRONT + i]))
            return "the sizes of windows must be known, and at most 2^30";
    }
    return NULL;
}

typedef struct conv_form {
    const ir_conv_attr *a;
    const int64_t *size;
} conv_form;

static ir_ref conv_of_parts(ir_graph *g, ir_ref x, ir_ref w, const void *with) {
    const conv_form *f = with;
    return ir_conv(g, x, w, f->a, f->size);
}

ir_ref ir_conv(ir_graph *g, ir_ref x, ir_ref w, const ir_conv_attr *a, const int64_t *size) {
    ir_dim dims[IR_MAX_RANK];
    int64_t attr[HEAD + 4 * IR_MAX_RANK];
    if (!x || !w) return 0;
    const char *wrong = fault(g, x, w, a);
    if (wrong)
        return ir_error(g, BZ_ESHAPE, IR_CONV, "%s: %s and %s", wrong, ir_shape_text(g, x),
                        ir_shape_text(g, w));
    const bz_dtype t = ir_dtype(g, x);
    if (ir_is_complex(t)) return ir_of_parts(g, conv_of_parts, x, w, &(conv_form){a, size});
    dims[0] = dims_of(g, x)[0];
    dims[1] = dims_of(g, w)[0];
    dims[2] = dims_of(g, w)[1];
    attr[0] = ir_compute_dtype(t);
    attr[1] = IR_ORDER_DOT;
    for (unsigned i = 0; i < a->n; i++) {
        dims[FRONT + i] = ir_dim_const(g, size[i]);
        const ir_conv_axis *v = &a->axis[i];
        memcpy(attr + HEAD + 4 * i, (int64_t[]){v->stride, v->dilation, v->spread, v->lo},
               4 * sizeof *attr);
    }
    if (!ir_check_size(g, IR_CONV, dims, FRONT + a->n)) return 0;
    return ir_append(g, IR_CONV, t, dims, FRONT + a->n, (ir_ref[]){x, w}, 2, attr, HEAD + 4 * a->n);
}

bool ck_conv(const ck *c) {
    const ir_node *x = ck_in(c, 0), *w = ck_in(c, 1);
    const unsigned rank = x->rank;
    if (rank < FRONT || !ck_rank(c, rank) || !ck_attrs(c, HEAD + 4 * (uint64_t)(rank - FRONT)))
        return rank < FRONT ? ck_wrong(c, BZ_ESHAPE, "x is [N, G, C, S...]") : false;
    const ir_conv_attr a = ir_conv_get(c->g, c->r);
    const char *wrong = fault(c->g, ir_in(c->g, c->n)[0], ir_in(c->g, c->n)[1], &a);
    if (wrong) return ck_wrong(c, BZ_ESHAPE, "%s", wrong);
    if (c->attr[0] != (int64_t)ir_compute_dtype((bz_dtype)x->dtype) || c->attr[1] != IR_ORDER_DOT)
        return ck_wrong(c, BZ_EARG, "accumulator or order are not those of dot");
    for (unsigned i = 0; i < a.n; i++)
        if (!is_size(c->g, ck_dim(c, c->n, FRONT + i)))
            return ck_wrong(c, BZ_ESHAPE, "the sizes of windows must be known, and at most 2^30");
    return ck_dtype(c, (bz_dtype)x->dtype) && ck_size(c, 0, ck_dim(c, x, 0)) &&
           ck_size(c, 1, ck_dim(c, w, 0)) && ck_size(c, 2, ck_dim(c, w, 1));
}

/* ---- its value */

typedef struct conv {
    ir_conv_attr a;
    const it_array *x, *w, *out;
    int64_t xs[IR_MAX_RANK], ws[IR_MAX_RANK];
    it_acc k;
    int64_t products; /* of one element */
    char *row;        /* a window of x, in accumulators */
} conv;

/* Where element k[] of the window m[] is in x, from the first one of the channel; -1: it is a zero. */
static int64_t place(const conv *q, const int64_t *m, const int64_t *k) {
    int64_t at = 0;
    for (unsigned i = 0; i < q->a.n; i++) {
        const ir_conv_axis *a = &q->a.axis[i];
        int64_t p = m[i] * a->stride + k[i] * a->dilation - a->lo;
        if (p < 0 || p % a->spread || p / a->spread >= q->x->shape[FRONT + i]) return -1;
        at += p / a->spread * q->xs[FRONT + i];
    }
    return at;
}

/* The window m[] of the group that begins at `from`. */
static void load_window(const conv *q, int64_t from, const int64_t *m) {
    const it_axes one = {0};
    const int64_t zeros[IR_MAX_RANK] = {0};
    const size_t bytes = it_acc_bytes(q->k);
    char *to = q->row;
    for (int64_t c = 0; c < q->x->shape[2]; c++) {
        it_walk k = it_begin(q->a.n, q->w->shape + FRONT, zeros, 0);
        for (; k.left; it_next(&k), to += bytes) {
            const int64_t at = place(q, m, k.index);
            memset(to, 0, bytes);
            if (at >= 0) it_load_axes(q->x, &one, from + c * q->xs[2] + at, q->k, to);
        }
    }
}

/* All windows of one group of one sample, all kernels: elements from `out` on. */
static void multiply(const conv *q, int64_t n, int64_t group, const char *kernels) {
    const int64_t outs = q->w->shape[1], zeros[IR_MAX_RANK] = {0};
    const size_t row = (size_t)q->products * it_acc_bytes(q->k);
    it_number acc;
    it_walk m = it_begin(q->a.n, q->out->shape + FRONT, zeros, 0);
    const int64_t windows = m.left, first = (n * q->out->shape[1] + group) * outs * windows;
    for (int64_t i = 0; m.left; it_next(&m), i++) {
        load_window(q, n * q->xs[0] + group * q->xs[1], m.index);
        for (int64_t o = 0; o < outs; o++) {
            it_dot_row(q->k, q->row, kernels + (size_t)(group * outs + o) * row, q->products, &acc);
            it_acc_store(q->out->dtype, it_element(q->out, first + o * windows + i), q->k, &acc);
        }
    }
}

/* The kernels as rows of accumulators: they lie row-major. NULL: out of memory. */
static char *load_kernels(const conv *q) {
    it_axes all = {0};
    char *rows = bz_mem_alloc((size_t)it_numel(q->w) * it_acc_bytes(q->k));
    for (unsigned i = 0; i < q->w->rank; i++) it_add_axis(&all, q->w, q->ws, i);
    if (rows) it_load_axes(q->w, &all, 0, q->k, rows);
    return rows;
}

bool it_conv(it_state *s, ir_ref r) {
    conv q = {.a = ir_conv_get(s->g, r),
              .x = it_operand(s, r, 0),
              .w = it_operand(s, r, 1),
              .out = &s->slot[r].a,
              .products = 1};
    q.k = it_acc_of(q.x->dtype);
    it_strides(q.x, q.xs);
    it_strides(q.w, q.ws);
    for (unsigned i = 2; i < q.w->rank; i++) q.products *= q.w->shape[i];
    char *kernels = load_kernels(&q);
    q.row = bz_mem_alloc((size_t)q.products * it_acc_bytes(q.k));
    const bool ok = kernels && q.row;
    for (int64_t n = 0; ok && n < q.out->shape[0]; n++)
        for (int64_t group = 0; group < q.out->shape[1]; group++) multiply(&q, n, group, kernels);
    bz_mem_free(kernels);
    bz_mem_free(q.row);
    return ok || it_fail(s, r, BZ_ENOMEM, "out of memory");
}
