/* random_graph.c - see random_graph.h.
 *
 * A pool of nodes; each step takes some of it, builds one thing and puts it back. Whatever a builder would refuse is avoided by choice of
 * operands, so every graph is valid. */
#include "tests/support/fuzz.h"
#include "tests/support/random_maker.h"

#include <stdlib.h>
#include <string.h>

ir_ref random_node(maker *m) {
    unsigned back = chance(m, 50) ? draw(m, m->n < 4 ? m->n : 4)
                                  : draw(m, m->n); /* chains grow from what is new */
    return m->pool[m->n - 1 - back];
}

static void keep(maker *m, ir_ref r) {
    if (r && m->n < POOL && numel(m->g, r) <= m->c->max_numel && ir_at(m->g, r)->rank <= RANK)
        m->pool[m->n++] = r;
}

bz_dtype random_dtype(maker *m) {
    static const bz_dtype common[] = {BZ_F32, BZ_F32, BZ_F32,  BZ_F64, BZ_F16, BZ_BF16, BZ_I32, BZ_I64,
                                      BZ_U64, BZ_U32, BZ_BOOL, BZ_U8,  BZ_I8,  BZ_I16,  BZ_U16};
    return m->c->floats ? BZ_F64 : common[draw(m, BZ_LEN(common))];
}

static int64_t any_dim(maker *m) {
    static const int64_t dims[] = {1,  1,  2,  3,  4,  5,  7,  8,   10,  15, 16,
                                   17, 31, 32, 33, 50, 64, 65, 100, 129, 300};
    static const int64_t borders[] = {
        127,  128,  255,  257,  511,  512, 513,
        1000, 1025, 4095, 4096, 4097, 8200}; /* of lanes, blocks, chains, tiles */
    if (chance(m, 10)) return borders[draw(m, BZ_LEN(borders))];
    return chance(m, 2) ? 0 : dims[draw(m, BZ_LEN(dims))];
}

unsigned random_shape(maker *m, int64_t *shape) {
    unsigned rank = draw(m, 10) == 0 ? 0 : 1 + draw(m, 3);
    int64_t n = 1;
    for (unsigned i = 0; i < rank; i++) {
        shape[i] = any_dim(m);
        while (n * shape[i] > m->c->max_numel) shape[i] = (shape[i] + 1) / 2;
        n *= shape[i] ? shape[i] : 1;
    }
    return rank;
}

ir_ref random_input(maker *m, bz_dtype t, const int64_t *shape, unsigned rank) {
    ir_dim dims[IR_MAX_RANK];
    for (unsigned i = 0; i < rank; i++) dims[i] = ir_dim_const(m->g, shape[i]);
    return rank == 0 && chance(m, 50) ? ir_scalar_input(m->g, NULL, t)
                                      : ir_input_new(m->g, NULL, t, dims, rank);
}

/* ---- elementwise */

static bool fits(ir_op op, bz_dtype t) {
    if (op == IR_SIGNBIT || op == IR_COPYSIGN) /* the sign of a NaN is anybody's */
        return false;
    return ir_ops[op].rule != IR_RULE_CONV && (ir_ops[op].rule != IR_RULE_INT || !ir_is_float(t));
}

/* Something that broadcasts with x: x itself, a node that fits, a slice of x, a constant, a new input. */
ir_ref random_partner(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK], from[IR_MAX_RANK] = {0}, one[IR_MAX_RANK];
    unsigned rank = ir_at(m->g, x)->rank;
    ir_static_shape(m->g, x, shape);
    for (unsigned i = 0; i < m->n && chance(m, 80); i++) {
        ir_ref y = m->pool[draw(m, m->n)];
        if (ir_same_shape(m->g, x, y) || (ir_at(m->g, y)->rank == 0 && chance(m, 20))) return y;
    }
    for (unsigned i = 0; i < rank; i++) {
        one[i] = 1;
        if (shape[i] && chance(m, 40)) shape[i] = 1;
    }
    unsigned lead = rank ? draw(m, rank + 1) : 0;
    switch (draw(m, 4)) {
    case 0: return ir_slice_exact(m->g, x, from, shape, one);
    case 1: return ir_const_f(m->g, ir_dtype(m->g, x), (double)draw(m, 9) / 2 - 2);
    case 2: return x;
    default:
        return random_input(m, chance(m, 80) ? ir_dtype(m->g, x) : random_dtype(m), shape + lead,
                            rank - lead);
    }
}

/* Do x and y come together in an integer? u64 and a signed integer do not. */
static bool integers(const ir_graph *g, ir_ref x, ir_ref y) {
    ir_meeting m = ir_meeting_none();
    ir_meet(&m, ir_dtype(g, x));
    ir_meet(&m, ir_dtype(g, y));
    return !ir_is_float(ir_met(&m));
}

static ir_ref elementwise(maker *m) {
    ir_ref x[3] = {random_node(m), 0, 0};
    ir_op op;
    if (m->c->floats) return random_smooth(m, x[0]);
    do op = (ir_op)(1 + draw(m, IR_ELEM_END - 1));
    while (!ir_op_is_elementwise(op) || !fits(op, ir_dtype(m->g, x[0])));
    unsigned n = ir_ops[op].arity;
    for (unsigned i = 1; i < n; i++) x[i] = random_partner(m, x[0]);
    for (unsigned i = 0; i < n; i++) {
        if (ir_ops[op].rule == IR_RULE_INT && !integers(m->g, x[0], x[i])) x[i] = x[0];
    }
    if (n == 3 && !ir_same_shape(m->g, x[1], x[2])) x[2] = x[1];
    if (op == IR_SELECT)
        x[0] = ir_build2(m->g, IR_LT, x[0], ir_const_f(m->g, ir_dtype(m->g, x[0]), 0.5));
    return ir_build(m->g, op, x, n);
}

/* ---- movement */

static ir_ref reshaped(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK], n = numel(m->g, x);
    unsigned rank = 1 + draw(m, 3);
    for (unsigned i = 0; i + 1 < rank; i++) {
        int64_t f = 1 + draw(m, 12);
        while (n && n % f) f--;
        shape[i] = n ? f : chance(m, 50);
        n = n ? n / f : 0;
    }
    shape[rank - 1] = n;
    if (numel(m->g, x) == 0) shape[rank - 1] = 0;
    return ir_reshape(m->g, x, shape, rank);
}

static ir_ref permuted(maker *m, ir_ref x) {
    int perm[IR_MAX_RANK];
    unsigned n = ir_at(m->g, x)->rank;
    for (unsigned i = 0; i < n; i++) {
        unsigned k = draw(m, i + 1);
        perm[i] = perm[k];
        perm[k] = (int)i;
    }
    return ir_permute(m->g, x, perm, n);
}

static ir_ref sliced(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK], start[IR_MAX_RANK], count[IR_MAX_RANK], step[IR_MAX_RANK];
    ir_static_shape(m->g, x, shape);
    for (unsigned i = 0; i < ir_at(m->g, x)->rank; i++) {
        int64_t n = shape[i];
        step[i] = chance(m, 40) ? 1 : 1 + draw(m, 3);
        count[i] = n ? 1 + draw(m, (uint32_t)((n - 1) / step[i] + 1)) : 0;
        start[i] = n ? draw(m, (uint32_t)(n - (count[i] - 1) * step[i])) : 0;
        if (count[i] && chance(m, 30)) {
            start[i] += (count[i] - 1) * step[i];
            step[i] = -step[i];
        }
    }
    return ir_slice_exact(m->g, x, start, count, step);
}

/* A window whose elements may overlap, repeat, leave gaps and run backwards. */
static ir_ref window(maker *m, ir_ref x) {
    int64_t shape[RANK], strides[RANK], n = numel(m->g, x), first = n ? draw(m, (uint32_t)n) : 0,
                                        offset = first;
    unsigned rank = draw(m, RANK + 1);
    for (unsigned i = 0; i < rank; i++) {
        bool back = chance(m, 25);
        int64_t by = draw(m, 8), left = back ? first : n - 1 - offset;
        shape[i] = n ? 1 + draw(m, by ? (uint32_t)(left / by) + 1 : 3) : 0;
        strides[i] = back ? -by : by;
        first -= back ? (shape[i] - 1) * by : 0;
        offset += back ? 0 : (shape[i] - 1) * by;
    }
    /* what runs backwards starts at the offset, what runs on ends there */
    for (unsigned i = 0; i < rank; i++)
        if (strides[i] > 0 && n) offset -= (shape[i] - 1) * strides[i];
    return n ? ir_as_strided(m->g, x, shape, strides, rank, offset) : x;
}

static ir_ref padded(maker *m, ir_ref x) {
    int64_t lo[IR_MAX_RANK], hi[IR_MAX_RANK];
    for (unsigned i = 0; i < ir_at(m->g, x)->rank; i++) {
        lo[i] = chance(m, 50) ? 0 : draw(m, 5);
        hi[i] = chance(m, 50) ? 0 : draw(m, 5);
    }
    return ir_pad(m->g, x, lo, hi, ir_bits_from_f64(ir_dtype(m->g, x), chance(m, 50) ? 0 : 1.5));
}

static ir_ref expanded(maker *m, ir_ref x) {
    int64_t shape[IR_MAX_RANK + 1];
    unsigned rank = ir_at(m->g, x)->rank, axis = draw(m, rank + 1);
    if (rank >= RANK) return x;
    ir_ref y = ir_unsqueeze(m->g, x, (int)axis);
    if (!ir_static_shape(m->g, y, shape)) return x;
    shape[axis] = 1 + draw(m, 6);
    return ir_expand(m->g, y, shape, rank + 1);
}

static ir_ref joined(maker *m, ir_ref x) {
    unsigned rank = ir_at(m->g, x)->rank, n = 1 + draw(m, 3);
    ir_ref parts[4] = {x};
    int axis = rank ? (int)draw(m, rank) : 0;
    if (!rank) return ir_unsqueeze(m->g, x, 0);
    for (unsigned i = 1; i < n; i++) parts[i] = chance(m, 50) ? x : ir_build1(m->g, IR_NEG, x);
    for (unsigned i = 1; i < n; i++) {
        int64_t lo[IR_MAX_RANK] = {0}, hi[IR_MAX_RANK] = {0};
        hi[axis] = draw(m, 4);
        parts[i] = ir_pad(m->g, parts[i], lo, hi, ir_bits_from_i64(ir_dtype(m->g, parts[i]), 2));
    }
    return ir_concat(m->g, parts, n, axis);
}

static ir_ref movement(maker *m) {
    ir_ref x = random_node(m);
    for (unsigned n = 1 + draw(m, 3); n && x; n--) {
        ir_ref (*const moves[])(maker *, ir_ref) = {reshaped, permuted, sliced, padded,
                                                    expanded, joined,   window};
        ir_ref y = moves[draw(m, BZ_LEN(moves))](m, x);
        if (!y || numel(m->g, y) > m->c->max_numel || ir_at(m->g, y)->rank > RANK) break;
        x = y;
    }
    return x;
}

/* ---- folds, products, look-ups */

static unsigned some_axes(maker *m, unsigned rank, int *axes) {
    unsigned n = 0;
    for (unsigned i = 0; i < rank; i++)
        if (chance(m, 50)) axes[n++] = (int)i;
    return n;
}

static ir_ref folded(maker *m) {
    static const ir_reduce_kind smooth[] = {IR_SUM, IR_SUM, IR_SUM, IR_PROD, IR_RMAX, IR_RMIN};
    ir_ref x = random_node(m);
    int axes[IR_MAX_RANK];
    unsigned rank = ir_at(m->g, x)->rank, n = some_axes(m, rank, axes);
    ir_reduce_kind kind =
        m->c->floats ? smooth[draw(m, BZ_LEN(smooth))] : (ir_reduce_kind)draw(m, IR_NREDUCE);
    if (n == 0 && rank) axes[n++] = (int)rank - 1;
    if ((kind == IR_ARGMAX || kind == IR_ARGMIN) && n > 1) n = 1;
    bool empty = kind != IR_SUM && kind != IR_PROD && kind != IR_ANY && kind != IR_ALL &&
                 numel(m->g, x) == 0;
    return ir_reduce(m->g, empty ? IR_SUM : kind, x, axes, n, chance(m, 40));
}

/* x times a new input (or a node that happens to fit) over random batch and contracting axes in random order. */
static ir_ref product(maker *m) {
    ir_ref x = random_node(m);
    int64_t shape[IR_MAX_RANK], other[IR_MAX_RANK];
    int order[IR_MAX_RANK], lb[IR_MAX_RANK], rb[IR_MAX_RANK], lc[IR_MAX_RANK], rc[IR_MAX_RANK],
        place[IR_MAX_RANK];
    unsigned rank = ir_at(m->g, x)->rank, nb = 0, nc = 0, nfree = draw(m, 2), total;
    if (!ir_static_shape(m->g, x, shape) || (!m->c->floats && ir_dtype(m->g, x) == BZ_BOOL))
        return x;
    for (unsigned i = 0; i < rank; i++) {
        unsigned k = draw(m, i + 1);
        order[i] = order[k];
        order[k] = (int)i;
    }
    for (unsigned i = 0; i < rank; i++) {
        if (chance(m, 25))
            lb[nb++] = order[i];
        else if (chance(m, 55))
            lc[nc++] = order[i];
    }
    total = nb + nc + nfree;
    for (unsigned i = 0; i < total; i++) {
        unsigned k = draw(m, i + 1);
        place[i] = place[k];
        place[k] = (int)i;
    }
    for (unsigned i = 0; i < total; i++) {
        if (i < nb)
            rb[i] = place[i], other[place[i]] = shape[lb[i]];
        else if (i < nb + nc)
            rc[i - nb] = place[i], other[place[i]] = shape[lc[i - nb]];
        else
            other[place[i]] = 1 + draw(m, 20);
    }
    ir_ref y = random_input(m, ir_dtype(m->g, x), other, total);
    if (chance(m, 30)) y = ir_build1(m->g, IR_NEG, y);
    return chance(m, 70) ? ir_dot(m->g, x, y, lb, rb, nb, lc, rc, nc)
                         : ir_dot(m->g, y, x, rb, lb, nb, rc, lc, nc);
}

static ir_ref looked_up(maker *m) {
    ir_ref x = random_node(m);
    int64_t shape[IR_MAX_RANK], count = 1 + draw(m, 20);
    unsigned rank = ir_at(m->g, x)->rank;
    if (!rank || !ir_static_shape(m->g, x, shape)) return x;
    unsigned axis = draw(m, rank);
    if (!shape[axis] || numel(m->g, x) == 0) return x;
    bz_dtype t = chance(m, 70) ? BZ_I64 : BZ_I32;
    ir_ref i = random_input(m, t, &count, chance(m, 90));
    i = ir_build2(m->g, IR_IMOD, i, ir_const_i(m->g, t, shape[axis]));
    if (chance(m, 40)) i = ir_build2(m->g, IR_SUB, i, ir_const_i(m->g, t, shape[axis]));
    return ir_gather(m->g, x, i, (int)axis);
}

static ir_ref composed(maker *m) {
    ir_ref x = random_node(m);
    unsigned rank = ir_at(m->g, x)->rank;
    if (!rank || numel(m->g, x) == 0) return x;
    int axis = chance(m, 70) ? -1 : (int)draw(m, rank);
    switch (draw(m, m->c->floats ? 5 : 7)) {
    case 0: return ir_softmax(m->g, x, axis);
    case 1: return ir_log_softmax(m->g, x, axis);
    case 2: return ir_is_float(ir_dtype(m->g, x)) ? ir_layer_norm(m->g, x, 0, 0, 1, 1e-5) : x;
    case 3: return ir_is_float(ir_dtype(m->g, x)) ? ir_gelu(m->g, x, chance(m, 50)) : x;
    case 4: return ir_mean(m->g, x, &axis, 1, chance(m, 50));
    case 5: return ir_cast(m->g, x, random_dtype(m));
    default: return ir_copy(m->g, x);
    }
}

static void step(maker *m) {
    unsigned k = draw(m, 100);
    int64_t shape[IR_MAX_RANK];
    ir_ref r = k < 38   ? elementwise(m)
               : k < 53 ? movement(m)
               : k < 65 ? folded(m)
               : k < 70 ? product(m)
               : k < 73 ? looked_up(m)
               : k < 80 ? composed(m)
               : k < 96 ? random_builder(m, random_node(m))
                        : random_input(m, random_dtype(m), shape, random_shape(m, shape));
    keep(m, r);
}

/* Outputs: the last node and some others; an output of an input's shape and dtype may be written in its place. */
static void choose_outputs(maker *m) {
    bool taken[POOL * 2] = {false};
    for (unsigned n = m->c->floats ? 1 : 1 + draw(m, 4), i = 0; i < n; i++) {
        ir_ref r = i == 0 ? m->pool[m->n - 1] : random_node(m);
        if (i && chance(m, 8)) r = m->g->inputs.p[draw(m, m->g->inputs.n)].node;
        int donated = -1;
        for (uint32_t k = 0;
             k < m->g->inputs.n && k < BZ_LEN(taken) && !m->c->floats && donated < 0; k++) {
            const ir_input *in = &m->g->inputs.p[k];
            if (!in->scalar && !taken[k] && in->node != r && ir_same_shape(m->g, in->node, r) &&
                ir_dtype(m->g, in->node) == ir_dtype(m->g, r) && chance(m, 50))
                donated = (int)k;
        }
        if (donated >= 0) taken[donated] = true;
        ir_output_add(m->g, NULL, r, donated);
    }
}

ir_module *random_graph(uint64_t seed, const random_choice *c) {
    ir_module *module = ir_module_new();
    maker m = {.g = ir_graph_new(module, "main"), .c = c, .state = bz_mix(seed, 1)};
    int64_t shape[IR_MAX_RANK];
    ir_module_add(module, m.g);
    for (unsigned i = 1 + draw(&m, 3); i; i--) {
        unsigned rank = random_shape(&m, shape);
        keep(&m, random_input(&m, random_dtype(&m), shape, rank));
    }
    for (unsigned i = 0; i < c->nodes && !m.g->err.status; i++) {
        if (c->bytes) m.state = fuzz_piece(c->bytes, c->nbytes, i);
        step(&m);
    }
    if (m.g->err.status)
        bz_bug("the random graph %llu is wrong: %s", (unsigned long long)seed, m.g->err.text);
    choose_outputs(&m);
    return module;
}

/* ---- shrinking */

/* A copy of the live part of g in a module of its own: node `cut` is a new input, node `from` is node `to`, output `without` left out. */
typedef struct edit {
    ir_ref cut, from, to;
    int without;
    bool kept; /* donations */
} edit;

static ir_ref fresh_input(ir_graph *g, const ir_graph *old, ir_ref r) {
    ir_dim dims[IR_MAX_RANK];
    int64_t v;
    for (unsigned i = 0; i < ir_at(old, r)->rank; i++) {
        ir_dim_value(old, ir_dims(old, ir_at(old, r))[i], &v);
        dims[i] = ir_dim_const(g, v);
    }
    return ir_input_new(g, NULL, ir_dtype(old, r), dims, ir_at(old, r)->rank);
}

static void mark(const ir_graph *g, const edit *e, bool *live) {
    for (uint32_t i = 0; i < g->outputs.n; i++)
        if ((int)i != e->without) live[g->outputs.p[i].node] = true;
    for (ir_ref r = g->n.n; r-- > 1;) {
        if (!live[r] || r == e->cut) continue;
        if (r == e->from) live[e->to] = true;
        for (unsigned k = 0; r != e->from && k < ir_at(g, r)->nin; k++)
            live[ir_operand(g, r, k)] = true;
    }
}

static ir_ref same_node(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref r) {
    ir_dim dims[IR_MAX_RANK];
    ir_ref in[IR_MAX_RANK];
    int64_t v;
    const ir_node *n = ir_at(old, r);
    for (unsigned i = 0; i < n->rank; i++) {
        ir_dim_value(old, ir_dims(old, n)[i], &v);
        dims[i] = ir_dim_const(g, v);
    }
    for (unsigned i = 0; i < n->nin; i++) in[i] = map->to[ir_in(old, n)[i]];
    return ir_append(g, (ir_op)n->op, (bz_dtype)n->dtype, dims, n->rank, in, n->nin,
                     ir_attrs(old, n), n->nattr);
}

static ir_module *edited(const ir_module *m, const edit *e) {
    const ir_graph *old = m->graphs.p[0];
    ir_module *made = ir_module_new();
    ir_graph *g = ir_graph_new(made, "main");
    ir_map map = {calloc(old->n.n, sizeof(ir_ref)), old->n.n};
    bool *live = calloc(old->n.n, sizeof *live);
    int *number = calloc(old->inputs.n + 1, sizeof *number);
    ir_module_add(made, g);
    mark(old, e, live);
    for (ir_ref r = 1; r < old->n.n; r++) {
        if (!live[r]) continue;
        if (ir_at(old, r)->op == IR_INPUT || r == e->cut) {
            bool scalar = r != e->cut && old->inputs.p[ir_attrs(old, ir_at(old, r))[0]].scalar;
            map.to[r] =
                scalar ? ir_scalar_input(g, NULL, ir_dtype(old, r)) : fresh_input(g, old, r);
            if (r != e->cut) number[ir_attrs(old, ir_at(old, r))[0]] = (int)g->inputs.n;
        } else
            map.to[r] = r == e->from ? map.to[e->to] : same_node(g, old, &map, r);
    }
    for (uint32_t i = 0; i < old->outputs.n; i++) {
        int d = old->outputs.p[i].donated;
        if ((int)i != e->without)
            ir_output_add(g, NULL, map.to[old->outputs.p[i].node],
                          d >= 0 && e->kept ? number[d] - 1 : -1);
    }
    free(map.to);
    free(live);
    free(number);
    return made;
}

static bool better(ir_module **m, const edit *e, fault_shown *shown, void *context) {
    ir_module *next = edited(*m, e);
    bz_error err = {0};
    const ir_graph *g = next->graphs.p[0];
    bool smaller = g->n.n < (*m)->graphs.p[0]->n.n || g->outputs.n < (*m)->graphs.p[0]->outputs.n;
    if (g->outputs.n && !g->err.status && smaller && !ir_verify(g, IR_ANY_GRAPH, &err) &&
        shown(g, context)) {
        ir_module_free(*m);
        *m = next;
        return true;
    }
    ir_module_free(next);
    return false;
}

static bool replaced_by_operand(ir_module **m, ir_ref r, fault_shown *shown, void *context) {
    const ir_graph *g = (*m)->graphs.p[0];
    for (unsigned k = 0; k < ir_at(g, r)->nin; k++) {
        ir_ref x = ir_operand(g, r, k);
        edit e = {.from = r, .to = x, .without = -1, .kept = true};
        if (ir_same_shape(g, r, x) && ir_dtype(g, r) == ir_dtype(g, x) &&
            better(m, &e, shown, context))
            return true;
    }
    return false;
}

void shrink_graph(ir_module **m, fault_shown *shown, void *context) {
    for (bool again = true; again;) {
        again = false;
        for (int i = 0; i < (int)(*m)->graphs.p[0]->outputs.n; i++)
            again |= better(m, &(edit){.without = i, .kept = true}, shown, context);
        for (ir_ref r = 1; r < (*m)->graphs.p[0]->n.n; r++) {
            bool leaf = ir_at((*m)->graphs.p[0], r)->op == IR_INPUT;
            bool tuple = ir_at((*m)->graphs.p[0], r)->flags & IR_IS_TUPLE;
            again |= !leaf && !tuple &&
                     better(m, &(edit){.cut = r, .without = -1, .kept = true}, shown, context);
            again |=
                r < (*m)->graphs.p[0]->n.n && !tuple && replaced_by_operand(m, r, shown, context);
        }
    }
}
