/* canon.c - one form for equal values: the rules of rules.def at every node, dead nodes dropped.
 * needs: any graph. gives: no node that a rule matches.
 *
 * Nodes are rebuilt in order, so the operands of a node are already in canonical form when its rules are tried; a rule's right side is
 * built by the same function, so a chain of rules runs to its end there. */
#include "src/passes/canon.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct rule {
    const char *name, *dtypes, *pattern, *replacement;
} rule;

static const rule rules[] = {
#define RULE(name, dtypes, pattern, replacement) {#name, dtypes, pattern, replacement},
#include "src/passes/rules.def"
#undef RULE
};

typedef struct matcher {
    ir_graph *g;
    const char *at;
    ir_ref name[6]; /* what x y z w b c stand for */
    bz_dtype dtype; /* of the node that is rewritten */
    ir_ref like;    /* that node's first operand: its shape */
} matcher;

/* The pass at work. */
typedef struct canon {
    const ir_graph *old;
    ir_graph *g;
    ir_map map;
    uint32_t *uses; /* how many nodes and outputs of the old graph read each */
} canon;

static const char names[] = "xyzwbc";

static void skip(matcher *m, const char *set) {
    while (*m->at && strchr(set, *m->at)) m->at++;
}

static size_t word(const matcher *m) {
    size_t n = 0;
    while (isalnum((unsigned char)m->at[n]) || m->at[n] == '_') n++;
    return n;
}

static bool is_number(const matcher *m) {
    return isdigit((unsigned char)*m->at) || *m->at == '-';
}

static ir_bits number(matcher *m, bz_dtype t) {
    char *end;
    double v = bz_read_number(m->at, &end);
    m->at = end;
    return ir_bits_from_f64(t, v);
}

static bool match(matcher *m, ir_ref r) {
    skip(m, " ");
    if (is_number(m)) {
        ir_bits v, want = number(m, ir_dtype(m->g, r));
        return ir_const_value(m->g, r, &v) && v == want;
    }
    size_t n = word(m);
    const char *name = n == 1 ? strchr(names, *m->at) : NULL;
    if (name) {
        ir_ref *bound = &m->name[name - names];
        m->at++;
        if (*bound == 0 && ((*name != 'b' && *name != 'c') || ir_dtype(m->g, r) == BZ_BOOL))
            *bound = r;
        return *bound == r;
    }
    const ir_node node = *ir_at(m->g, r);
    if (node.op != ir_op_from_name(m->at, n)) return false;
    m->at += n + 1;
    for (unsigned i = 0; i < node.nin; i++) {
        if (!match(m, ir_in(m->g, &node)[i])) return false;
        skip(m, ", ");
    }
    skip(m, ")");
    return true;
}

static ir_ref canonical(ir_graph *g, ir_op op, bz_dtype t, const ir_ref *x, unsigned n);

static ir_ref build(matcher *m) {
    skip(m, " ");
    if (is_number(m)) {
        ir_dim dims[IR_MAX_RANK];
        const ir_node n = *ir_at(m->g, m->like);
        memcpy(dims, ir_dims(m->g, &n), n.rank * sizeof *dims);
        return ir_const_bits(m->g, m->dtype, number(m, m->dtype), dims, n.rank);
    }
    size_t n = word(m);
    const char *name = n == 1 ? strchr(names, *m->at) : NULL;
    if (name) {
        m->at++;
        return m->name[name - names];
    }
    ir_op op = ir_op_from_name(m->at, n);
    ir_ref x[3];
    unsigned count = ir_ops[op].arity;
    m->at += n + 1;
    for (unsigned i = 0; i < count; i++) {
        x[i] = build(m);
        skip(m, ", ");
    }
    skip(m, ")");
    return canonical(m->g, op, m->dtype, x, count);
}

static bool fits(const char *dtypes, bz_dtype t) {
    if (ir_is_float(t) && !ir_is_half(t) && strchr(dtypes, 'W')) return true;
    return strchr(dtypes, ir_is_float(t)                      ? 'F'
                          : t == BZ_BOOL                      ? 'B'
                          : ir_is_signed(t)                   ? 'S'
                                                              : 'U') != NULL;
}

/* The op at the top of a rule's pattern: looked up once, since every node asks every rule. */
static ir_op head_of(size_t k) {
    static _Atomic(uint16_t) heads[BZ_LEN(rules)];
    ir_op op = (ir_op)atomic_load_explicit(&heads[k], memory_order_relaxed);
    if (op) return op;
    op = ir_op_from_name(rules[k].pattern, strcspn(rules[k].pattern, "("));
    atomic_store_explicit(&heads[k], (uint16_t)op, memory_order_relaxed);
    return op;
}

/* Does the rule's pattern match op(x ...)? Its op does. The node itself need not exist yet. */
static bool match_operands(matcher *m, const rule *r, const ir_ref *x, unsigned n) {
    *m = (matcher){.g = m->g, .at = r->pattern, .dtype = m->dtype, .like = m->like};
    m->at += word(m) + 1;
    for (unsigned i = 0; i < n; i++) {
        if (!match(m, x[i])) return false;
        skip(m, ", ");
    }
    return true;
}

enum { ORDER_DEPTH = 3 };

/* Compares what x and y are, as far as `depth` operations: <, = or > 0. Constants stand last. */
static int order(const ir_graph *g, ir_ref x, ir_ref y, unsigned depth) {
    const ir_node *p = ir_at(g, x), *q = ir_at(g, y);
    if (x == y) return 0;
    if ((p->op == IR_CONST) != (q->op == IR_CONST)) return p->op == IR_CONST ? 1 : -1;
    if (p->op != q->op) return p->op - q->op;
    if (p->dtype != q->dtype) return p->dtype - q->dtype;
    if (p->nin != q->nin) return p->nin - q->nin;
    for (unsigned i = 0; depth && i < p->nin; i++) {
        const int d = order(g, ir_in(g, p)[i], ir_in(g, q)[i], depth - 1);
        if (d) return d;
    }
    return 0;
}

/* x + y and y + x are one node. Which it is hangs on what they are, and on their numbers in graphs only where that is the same: equal layers
 * have equal kernels. */
static bool stands_behind(const ir_graph *g, ir_ref x, ir_ref y) {
    const int d = order(g, x, y, ORDER_DEPTH);
    return d ? d > 0 : x > y;
}

static ir_ref canonical(ir_graph *g, ir_op op, bz_dtype t, const ir_ref *x, unsigned n) {
    matcher m = {.g = g, .dtype = t, .like = x[0]};
    for (unsigned i = 0; i < n; i++)
        if (!x[i]) return 0;
    bz_dtype operand = ir_dtype(g, x[op == IR_SELECT]);
    for (unsigned i = 0; i < BZ_LEN(rules); i++) {
        if (head_of(i) != op || !fits(rules[i].dtypes, operand) ||
            !match_operands(&m, &rules[i], x, n))
            continue;
        m.at = rules[i].replacement;
        return build(&m);
    }
    ir_ref y[3] = {x[0], n > 1 ? x[1] : 0, n > 2 ? x[2] : 0};
    if ((ir_ops[op].flags & IR_COMMUTES) && n == 2 && stands_behind(g, y[0], y[1])) {
        y[0] = x[1];
        y[1] = x[0];
    }
    return ir_elem(g, op, y, n);
}

/* Does dtype `to` hold every value of `from`? Bool counts as 0 and 1; a NaN stays a NaN. */
static bool holds(bz_dtype to, bz_dtype from) {
    const unsigned digits[] = {[BZ_F16] = 11, [BZ_BF16] = 8, [BZ_F32] = 24, [BZ_F64] = 53};
    bool wider = ir_dtypes[to].bits > ir_dtypes[from].bits;
    if (to == from || from == BZ_BOOL) return true;
    if (ir_is_float(from)) return ir_is_float(to) && wider;
    /* a lowest integer is a power of two */
    unsigned bits = ir_dtypes[from].bits - (ir_is_signed(from) ? 1u : 0u);
    if (ir_is_float(to)) return bits <= digits[to];
    return to != BZ_BOOL && wider && (ir_is_signed(to) || !ir_is_signed(from));
}

/* Casts by way of another dtype that loses nothing, or, among integers, nothing that the last one keeps. */
static ir_ref canonical_cast(ir_graph *g, ir_ref x, bz_dtype to) {
    while (x && ir_at(g, x)->op == IR_CAST) {
        ir_ref inner = ir_operand(g, x, 0);
        bz_dtype by = ir_dtype(g, x), from = ir_dtype(g, inner);
        /* integers wrap, floats do not */
        bool clips = ir_is_float(by) && ir_is_int(from) && !holds(to, from);
        bool wraps = ir_is_int(from) && ir_is_int(by) && ir_is_int(to) &&
                     ir_dtypes[to].bits <= ir_dtypes[by].bits;
        if (clips || (!holds(by, from) && !wraps)) break;
        x = inner;
    }
    return x ? ir_cast(g, x, to) : 0;
}

/* The product with its sides exchanged, whose result is [batch, right, left] and else has the same elements: sums go over the same
 * products in the same order. Its source line stays. */
static ir_ref exchanged(ir_graph *g, ir_ref dot) {
    int axes[4][IR_MAX_RANK];
    const ir_dot_attr a = ir_dot_get(g, ir_at(g, dot));
    g->site = g->sites.p[dot];
    for (unsigned i = 0; i < a.nbatch; i++) {
        axes[0][i] = (int)a.lbatch[i];
        axes[1][i] = (int)a.rbatch[i];
    }
    for (unsigned i = 0; i < a.ncontract; i++) {
        axes[2][i] = (int)a.lcontract[i];
        axes[3][i] = (int)a.rcontract[i];
    }
    return ir_dot(g, ir_operand(g, dot, 1), ir_operand(g, dot, 0), axes[1], axes[0], a.nbatch,
                  axes[3], axes[2], a.ncontract);
}

/* Does this order of axes put those of a product's right side first? */
static bool exchanges(const ir_graph *g, ir_ref dot, const int *perm) {
    const ir_dot_attr a = ir_dot_get(g, ir_at(g, dot));
    const unsigned rank = ir_at(g, dot)->rank,
                   left = ir_at(g, ir_operand(g, dot, 0))->rank - a.ncontract, right = rank - left;
    for (unsigned i = 0; i < rank; i++) {
        unsigned from = i < a.nbatch ? i : i < a.nbatch + right ? i - a.nbatch + left : i - right;
        if (perm[i] != (int)from) return false;
    }
    return right > 0 && left > a.nbatch;
}

enum { BELOW_MOST = 4 }; /* casts and turns on the way to a product */

/* Is x of the old graph made of a product by casts and turns alone, none of which anybody else needs? */
static bool is_of_product(const canon *c, ir_ref x) {
    for (unsigned i = 0; i <= BELOW_MOST && c->uses[x] == 1; i++) {
        const unsigned op = ir_at(c->old, x)->op;
        if (op != IR_CAST && op != IR_PERMUTE) return op == IR_DOT;
        x = ir_operand(c->old, x, 0);
    }
    return false;
}

/* x turned, where it is a product, perhaps rounded by casts: the product exchanged, with the same casts. Else 0. */
static ir_ref turned_product(ir_graph *g, ir_ref x, const int *perm) {
    bz_dtype t[BELOW_MOST];
    unsigned n = 0;
    for (; ir_at(g, x)->op == IR_CAST && n < BELOW_MOST; x = ir_operand(g, x, 0))
        t[n++] = ir_dtype(g, x);
    if (ir_at(g, x)->op != IR_DOT || !exchanges(g, x, perm)) return 0;
    for (x = exchanged(g, x); n > 0;) x = ir_cast(g, x, t[--n]);
    return x;
}

/* Permute r of the old graph, of x. */
static ir_ref canonical_permute(const canon *c, ir_ref r, ir_ref x) {
    const ir_node *n = ir_at(c->old, r);
    int perm[IR_MAX_RANK];
    for (unsigned i = 0; i < n->rank; i++) perm[i] = (int)ir_attrs(c->old, n)[i];
    bool product = x && is_of_product(c, ir_in(c->old, n)[0]);
    ir_ref y = product ? turned_product(c->g, x, perm) : 0;
    return y || c->g->err.status ? y : ir_permute(c->g, x, perm, n->rank);
}

/* The constructors join movements that follow each other; recorded and parsed nodes stand as they were written. */
static ir_ref canonical_move(const canon *c, ir_ref r) {
    ir_graph *g = c->g;
    const ir_graph *old = c->old;
    const ir_map *map = &c->map;
    const ir_node *n = ir_at(old, r);
    const int64_t *attr = ir_attrs(old, n);
    ir_ref x = map->to[ir_in(old, n)[0]];
    int64_t start[IR_MAX_RANK], step[IR_MAX_RANK], count[IR_MAX_RANK];
    switch (n->op) {
    case IR_RESHAPE: return ir_reshape_dims(g, x, ir_dims(old, n), n->rank);
    case IR_EXPAND: return ir_expand_dims_like(g, x, ir_dims(old, n), n->rank);
    case IR_PERMUTE: return canonical_permute(c, r, x);
    case IR_SLICE:
        if (!x || !ir_static_shape(g, x, count) || !ir_static_shape(old, r, count)) break;
        for (unsigned i = 0; i < n->rank; i++) {
            start[i] = attr[2 * i];
            step[i] = attr[2 * i + 1];
        }
        {
            ir_ref seen = canon_seen_through(g, x, start, count, step);
            return seen ? seen : ir_slice_exact(g, x, start, count, step);
        }
    default: break;
    }
    return ir_rebuild_node(g, old, map, r);
}

static ir_ref canon_node(const canon *c, ir_ref r) {
    ir_graph *g = c->g;
    const ir_graph *old = c->old;
    const ir_map *map = &c->map;
    const ir_node *n = ir_at(old, r);
    ir_ref x[3];
    if (n->op == IR_REAL) return ir_real(g, map->to[ir_in(old, n)[0]]);
    if (n->op == IR_IMAG) return ir_imag(g, map->to[ir_in(old, n)[0]]);
    if (n->op == IR_STAND_IN) return ir_error(g, BZ_EMODE, IR_STAND_IN, IR_STAND_IN_USED);
    if (n->op == IR_RESULT && ir_at(old, ir_in(old, n)[0])->op == IR_CUSTOM_GRAD) {
        unsigned one;
        return map->to[*ir_value_operands(old, r, &one)];
    }
    if (n->op == IR_AS_STRIDED || n->op == IR_UPDATE) return canon_window(g, old, map, r);
    if (ir_op_is_movement(n->op) && n->nin == 1) return canonical_move(c, r);
    if (n->op == IR_CAST) return canonical_cast(g, map->to[ir_in(old, n)[0]], (bz_dtype)n->dtype);
    if (!ir_op_is_elementwise(n->op) || ir_ops[n->op].rule == IR_RULE_CONV)
        return ir_rebuild_node(g, old, map, r);
    for (unsigned i = 0; i < n->nin; i++) x[i] = map->to[ir_in(old, n)[i]];
    return canonical(g, (ir_op)n->op, (bz_dtype)n->dtype, x, n->nin);
}

/* How many live nodes and outputs read each node. */
static uint32_t *count_uses(const ir_graph *g, const bool *live) {
    uint32_t *uses = bz_mem_zero(g->n.n, sizeof *uses);
    for (ir_ref r = 1; uses && r < g->n.n; r++)
        for (unsigned i = 0; live[r] && i < ir_at(g, r)->nin; i++) uses[ir_operand(g, r, i)]++;
    for (uint32_t i = 0; uses && i < g->outputs.n; i++) uses[g->outputs.p[i].node]++;
    return uses;
}

ir_graph *pass_canon(const ir_graph *old, const pass_target *t, bz_error *e) {
    canon c = {.old = old};
    (void)t;
    bool *live = ir_live_values(old); /* gradients are there, or nobody asked for them */
    c.uses = live ? count_uses(old, live) : NULL;
    c.g = c.uses ? ir_rebuild_begin(old, &c.map) : NULL;
    if (!c.g) {
        bz_mem_free(live);
        bz_mem_free(c.uses);
        bz_fail(e, BZ_ENOMEM, "out of memory in pass canon");
        return NULL;
    }
    for (ir_ref r = 1; r < old->n.n && !c.g->err.status; r++) {
        c.g->site = old->sites.p[r];
        if (live[r] && !c.map.to[r]) c.map.to[r] = canon_node(&c, r);
    }
    bz_mem_free(live);
    bz_mem_free(c.uses);
    ir_graph *g = ir_rebuild_end(c.g, old, &c.map, e), *live_part = g ? ir_copy_live(g, e) : NULL;
    ir_graph_free(g);
    return live_part;
}
