/* graph.c - modules and graphs: appending interned nodes, inputs and outputs, shapes as text.
 *
 * Interning: nodes of the same op, dtype, shape, attributes and operands are one node. The source line is not part of the key: the
 * first one stays. A node of its own (ir_own) is found by nobody, until a pass rebuilds the graph and makes equal nodes one. */
#include "src/ir/complex.h"
#include "src/ir/external.h"

#include <stdio.h>
#include <string.h>

ir_module *ir_module_new(void) {
    ir_module *m = bz_mem_zero(1, sizeof *m);
    if (m && ir_exprs_init(&m->ex)) return m;
    bz_mem_free(m);
    return NULL;
}

void ir_module_free(ir_module *m) {
    if (!m) return;
    m->ending = true;
    for (uint32_t i = 0; i < m->graphs.n; i++) ir_graph_free(m->graphs.p[i]);
    bz_vec_free(&m->graphs);
    ir_externals_free(m->externals);
    ir_exprs_free(&m->ex);
    bz_mem_free(m);
}

bz_status ir_module_add(ir_module *m, ir_graph *g) {
    return bz_vec_push(&m->graphs, g) ? BZ_OK : BZ_ENOMEM;
}

ir_graph *ir_graph_new(ir_module *m, const char *name) {
    ir_graph *g = bz_mem_zero(1, sizeof *g);
    if (!g) return NULL;
    g->m = m;
    g->id = ++m->made;
    g->nslots = 256;
    g->slots = bz_mem_zero(g->nslots, sizeof *g->slots);
    g->name = bz_arena_str(&g->arena, name);
    /* lists are never NULL: what is empty is looked at too */
    if (g->slots && g->name && bz_vec_push(&g->n, (ir_node){0}) && bz_vec_push(&g->sites, NULL) &&
        bz_vec_reserve(&g->dims, 16) && bz_vec_reserve(&g->operands, 16) &&
        bz_vec_reserve(&g->attrs, 16))
        return g;
    ir_graph_free(g);
    return NULL;
}

void ir_graph_free(ir_graph *g) {
    if (!g) return;
    ir_graph_let_go(g);
    bz_vec_free(&g->n);
    bz_vec_free(&g->dims);
    bz_vec_free(&g->operands);
    bz_vec_free(&g->attrs);
    bz_vec_free(&g->sites);
    bz_vec_free(&g->inputs);
    bz_vec_free(&g->outputs);
    bz_mem_free(g->slots);
    bz_mem_free(g->names);
    bz_arena_free(&g->arena);
    bz_mem_free(g);
}

/* ---- graphs that others apply */

static bool applies(const ir_node *n) {
    return n->op == IR_COND || n->op == IR_WHILE;
}

int64_t ir_module_lend(ir_module *m, ir_graph *g) {
    uint32_t at = 0;
    while (at < m->graphs.n && m->graphs.p[at]) at++;
    if (at == m->graphs.n && !bz_vec_push(&m->graphs, NULL)) return -1;
    m->graphs.p[at] = g;
    g->passing = true;
    return at;
}

void ir_module_drop(ir_module *m, int64_t number) {
    ir_graph *g = number < 0 ? NULL : m->graphs.p[number];
    if (!g || !g->passing || g->users) return;
    m->graphs.p[number] = NULL;
    ir_graph_free(g);
}

/* Node r, which is new, holds the graphs that it applies. */
static void hold(ir_graph *g, ir_ref r) {
    const int64_t *number = ir_attrs(g, ir_at(g, r));
    g->applies++;
    for (unsigned k = 0; k < 2; k++)
        if (number[k] >= 0 && number[k] < (int64_t)g->m->graphs.n && g->m->graphs.p[number[k]])
            g->m->graphs.p[number[k]]->users++;
}

void ir_graph_let_go(ir_graph *g) {
    ir_module *m = g->m;
    if (!g->applies || m->ending) return;
    for (ir_ref r = 1; r < g->n.n; r++)
        for (unsigned k = 0; applies(ir_at(g, r)) && k < 2; k++) {
            const int64_t number = ir_attrs(g, ir_at(g, r))[k];
            if (number < 0 || number >= (int64_t)m->graphs.n || !m->graphs.p[number]) continue;
            m->graphs.p[number]->users--;
            ir_module_drop(m, number);
        }
    g->applies = 0;
}

/* The error names what the user calls, where that is known. */
static void fail(ir_graph *g, bz_status s, const char *name, const char *fmt, va_list ap) {
    char text[400];
    bz_vsnprintf(text, sizeof text, fmt, ap);
    bz_fail(&g->err, s, "[%s] %s%s%s", g->op ? g->op : name, text, g->site ? " at " : "",
            g->site ? g->site : "");
}

ir_ref ir_error(ir_graph *g, bz_status s, ir_op op, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fail(g, s, ir_ops[op].name, fmt, ap);
    va_end(ap);
    return 0;
}

ir_ref ir_error_as(ir_graph *g, bz_status s, const char *name, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fail(g, s, name, fmt, ap);
    va_end(ap);
    return 0;
}

static ir_ref no_memory(ir_graph *g) {
    bz_fail(&g->err, BZ_ENOMEM, "out of memory while building a graph");
    return 0;
}

/* ---- interning */

typedef struct node_key {
    ir_node n;
    const ir_dim *dims;
    const ir_ref *in;
    const int64_t *attr;
} node_key;

static uint64_t hash_key(const node_key *k) {
    uint64_t h = bz_mix((uint64_t)k->n.op << 32 | (uint64_t)k->n.dtype << 16 | k->n.rank, 0);
    for (unsigned i = 0; i < k->n.rank; i++) h = bz_mix(h, k->dims[i]);
    for (unsigned i = 0; i < k->n.nin; i++) h = bz_mix(h, k->in[i]);
    for (unsigned i = 0; i < k->n.nattr; i++) h = bz_mix(h, (uint64_t)k->attr[i]);
    return h ^ h >> 32;
}

static node_key key_of(const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    return (node_key){*n, ir_dims(g, n), ir_in(g, n), ir_attrs(g, n)};
}

static bool same_bytes(const void *a, const void *b, size_t n) {
    return n == 0 || memcmp(a, b, n) == 0;
}

static bool same_key(const node_key *a, const node_key *b) {
    return a->n.op == b->n.op && a->n.dtype == b->n.dtype && a->n.rank == b->n.rank &&
           a->n.nin == b->n.nin && a->n.nattr == b->n.nattr &&
           same_bytes(a->dims, b->dims, a->n.rank * sizeof *a->dims) &&
           same_bytes(a->in, b->in, a->n.nin * sizeof *a->in) &&
           same_bytes(a->attr, b->attr, a->n.nattr * sizeof *a->attr);
}

static bool interned(unsigned op) {
    return op != IR_INPUT && !(ir_ops[op].flags & IR_EFFECT);
}

static bool grow_slots(ir_graph *g) {
    uint32_t size = g->nslots * 2;
    uint32_t *s = bz_mem_zero(size, sizeof *s);
    if (!s) return false;
    for (ir_ref r = g->fresh ? g->fresh : 1; r < g->n.n; r++) {
        if (!interned(ir_at(g, r)->op) || ir_at(g, r)->flags & IR_IS_OWN) continue;
        node_key k = key_of(g, r);
        uint32_t at = (uint32_t)hash_key(&k) & (size - 1);
        while (s[at]) at = (at + 1) & (size - 1);
        s[at] = r;
    }
    bz_mem_free(g->slots);
    g->slots = s;
    g->nslots = size;
    return true;
}

/* The slot of an equal node, or the free slot where it belongs. All equal nodes share one: it may hold a node that has become a
 * tensor's own since, or is none of the fresh ones, and is the next one's then. */
static uint32_t *find_slot(ir_graph *g, const node_key *k) {
    uint32_t at = (uint32_t)hash_key(k) & (g->nslots - 1);
    for (; g->slots[at]; at = (at + 1) & (g->nslots - 1)) {
        node_key o = key_of(g, g->slots[at]);
        if (same_key(k, &o)) break;
    }
    return &g->slots[at];
}

/* Makes room in a pool from which `src` may itself be taken: src is moved along. */
#define RESERVE_FROM(pool, src, count)                                                             \
    do {                                                                                           \
        bool inside = (pool)->p && (src) >= (pool)->p && (src) < (pool)->p + (pool)->n;            \
        ptrdiff_t at = inside ? (src) - (pool)->p : 0;                                             \
        if (!bz_vec_reserve(pool, count)) return no_memory(g);                                     \
        (src) = inside ? (pool)->p + at : (src);                                                   \
    } while (0)

static ir_ref append(ir_graph *g, node_key *k) {
    ir_node n = k->n;
    RESERVE_FROM(&g->dims, k->dims, n.rank);
    RESERVE_FROM(&g->operands, k->in, n.nin);
    RESERVE_FROM(&g->attrs, k->attr, n.nattr);
    if (!bz_vec_reserve(&g->n, 1) || !bz_vec_reserve(&g->sites, 1)) return no_memory(g);
    n.shape = g->dims.n;
    n.in = g->operands.n;
    n.attr = g->attrs.n;
    for (unsigned i = 0; i < n.rank; i++) g->dims.p[g->dims.n++] = k->dims[i];
    for (unsigned i = 0; i < n.nin; i++) g->operands.p[g->operands.n++] = k->in[i];
    for (unsigned i = 0; i < n.nattr; i++) g->attrs.p[g->attrs.n++] = k->attr[i];
    g->sites.p[g->sites.n++] = g->site;
    g->n.p[g->n.n++] = n;
    return g->n.n - 1;
}

ir_ref ir_append(ir_graph *g, ir_op op, bz_dtype t, const ir_dim *dims, unsigned rank,
                 const ir_ref *in, unsigned nin, const int64_t *attr, unsigned nattr) {
    if (g->err.status) return 0;
    if (g->m->ex.failed)
        return ir_error(g, BZ_ESHAPE, op, "a dimension is too large (or memory ran out)");
    bool complex = ir_is_complex(t);
    for (unsigned i = 0; i < nin; i++) {
        if (!in[i]) return 0;
        complex |= ir_is_complex(ir_dtype(g, in[i]));
    }
    if (complex && !ir_keeps_complex(op))
        return ir_append_parts(g, &(ir_new_node){op, t, dims, rank, in, nin, attr, nattr});
    node_key k = {{.op = (uint16_t)op,
                   .dtype = (uint8_t)t,
                   .rank = (uint8_t)rank,
                   .nin = (uint16_t)nin,
                   .flags = ir_op_is_tuple(op) ? IR_IS_TUPLE : 0,
                   .nattr = nattr},
                  dims,
                  in,
                  attr};
    if (!interned(op)) return append(g, &k);
    if (2 * g->n.n >= g->nslots && !grow_slots(g)) return no_memory(g);
    uint32_t *slot = find_slot(g, &k);
    if (*slot >= g->fresh && *slot && !(ir_at(g, *slot)->flags & IR_IS_OWN)) return *slot;
    ir_ref made = append(g, &k);
    if (made && applies(ir_at(g, made))) hold(g, made);
    return made ? *slot = made : 0;
}

ir_ref ir_own(ir_graph *g, ir_ref r, ir_ref before) {
    if (!r || g->err.status) return 0;
    bool taken = ir_at(g, r)->flags & IR_IS_OWN;
    if (r < before || taken) {
        node_key k = key_of(g, r);
        bool same = taken && r < before;
        if (same || !interned(k.n.op)) /* the value of another tensor: depends on it */
            k = (node_key){{.op = IR_RESHAPE, .dtype = k.n.dtype, .rank = k.n.rank, .nin = 1},
                           k.dims,
                           &r,
                           NULL};
        r = append(g, &k);
    }
    if (r) g->n.p[r].flags |= IR_IS_OWN;
    return r;
}

/* ---- inputs and outputs */

static const char *own_name(ir_graph *g, const char *name, const char *stem, unsigned number) {
    char made[32];
    if (!name) {
        snprintf(made, sizeof made, "%s%u", stem, number);
        name = made;
    }
    return bz_arena_str(&g->arena, name);
}

/* ---- names of inputs: a table of their numbers + 1 */

static uint32_t *name_slot(const ir_graph *g, const char *name) {
    uint32_t at = (uint32_t)bz_hash(0, name, strlen(name)) & (g->nnames - 1);
    while (g->names[at] && strcmp(g->inputs.p[g->names[at] - 1].name, name))
        at = (at + 1) & (g->nnames - 1);
    return &g->names[at];
}

static bool room_for_name(ir_graph *g) {
    if (2 * g->inputs.n < g->nnames) return true;
    uint32_t size = 64;
    while (size <= 2 * g->inputs.n) size *= 2;
    uint32_t *s = bz_mem_zero(size, sizeof *s);
    if (!s) return false;
    bz_mem_free(g->names);
    g->names = s;
    g->nnames = size;
    for (uint32_t i = 0; i < g->inputs.n; i++) *name_slot(g, g->inputs.p[i].name) = i + 1;
    return true;
}

static ir_ref add_input(ir_graph *g, const char *name, bz_dtype t, const ir_dim *dims,
                        unsigned rank, bool scalar) {
    int64_t number = g->inputs.n;
    const char *own = own_name(g, name, "in", g->inputs.n);
    if (!own || !room_for_name(g)) return no_memory(g);
    uint32_t *slot = name_slot(g, own);
    if (*slot) return ir_error(g, BZ_EARG, IR_INPUT, "two inputs are named '%s'", own);
    ir_ref r = ir_append(g, IR_INPUT, t, dims, rank, NULL, 0, &number, 1);
    if (r && !bz_vec_push(&g->inputs, ((ir_input){.name = own, .node = r, .scalar = scalar})))
        return no_memory(g);
    if (r) *slot = g->inputs.n;
    return r;
}

/* The input's name with the first number from *k on that makes one which nobody has: x_2, x_3 ... */
static bool number_name(ir_graph *g, uint32_t input, uint32_t *k) {
    const char *stem = g->inputs.p[input].name;
    bz_text t = {0};
    do {
        t.n = 0;
        bz_textf(&t, "%s_%u", stem, ++*k);
    } while (!t.failed && *name_slot(g, t.p));
    const char *own = t.failed ? NULL : bz_arena_str(&g->arena, t.p);
    bz_text_free(&t);
    if (own) g->inputs.p[input].name = own;
    return own != NULL;
}

bool ir_inputs_tell_apart(ir_graph *g, const uint32_t *order) {
    uint32_t n = g->inputs.n, *last = bz_mem_zero(n + 1, sizeof *last); /* of each name's owner */
    bool done = last && room_for_name(g);
    if (done) memset(g->names, 0, g->nnames * sizeof *g->names);
    for (uint32_t i = 0; i < n && done; i++) {
        uint32_t taken = *name_slot(g, g->inputs.p[order[i]].name);
        if (taken && !last[taken - 1]) last[taken - 1] = 1;
        done = !taken || number_name(g, order[i], &last[taken - 1]);
        *name_slot(g, g->inputs.p[order[i]].name) = order[i] + 1;
    }
    bz_mem_free(last);
    return done;
}

ir_ref ir_input_new(ir_graph *g, const char *name, bz_dtype t, const ir_dim *dims, unsigned rank) {
    if (rank > IR_MAX_RANK)
        return ir_error(g, BZ_ESHAPE, IR_INPUT, "%u dimensions; at most %d are possible", rank,
                        IR_MAX_RANK);
    return add_input(g, name, t, dims, rank, false);
}

ir_ref ir_scalar_input(ir_graph *g, const char *name, bz_dtype t) {
    if (ir_is_complex(t))
        return ir_error(g, BZ_EDTYPE, IR_INPUT, "a scalar is real, not %s", ir_dtypes[t].name);
    return add_input(g, name, t, NULL, 0, true);
}

int ir_input_named(const ir_graph *g, const char *name) {
    return g->nnames ? (int)*name_slot(g, name) - 1 : -1;
}

bz_status ir_output_add(ir_graph *g, const char *name, ir_ref r, int donated) {
    if (!r || g->err.status)
        return bz_fail(&g->err, BZ_EARG, "an output of graph %s has no value", g->name),
               g->err.status;
    const char *own = own_name(g, name, "out", g->outputs.n);
    if (!own || !bz_vec_push(&g->outputs, ((ir_output){own, r, donated}))) no_memory(g);
    return g->err.status;
}

/* ---- dimensions and shapes */

ir_dim ir_dim_const(ir_graph *g, int64_t v) {
    return ir_ex_const(&g->m->ex, v);
}

bool ir_dim_value(const ir_graph *g, ir_dim d, int64_t *v) {
    return ir_ex_is_const(&g->m->ex, d, v);
}

bool ir_static_shape(const ir_graph *g, ir_ref r, int64_t *shape) {
    const ir_node *n = ir_at(g, r);
    for (unsigned i = 0; i < n->rank; i++)
        if (!ir_dim_value(g, ir_dims(g, n)[i], &shape[i])) return false;
    return true;
}

bool ir_numel(const ir_graph *g, ir_ref r, int64_t *count) {
    const ir_node *n = ir_at(g, r);
    return ir_dims_numel(g, ir_dims(g, n), n->rank, count);
}

bool ir_dims_numel(const ir_graph *g, const ir_dim *dims, unsigned rank, int64_t *count) {
    int64_t n = 1, size;
    bool empty = false, huge = false;
    for (unsigned i = 0; i < rank; i++) {
        if (!ir_dim_value(g, dims[i], &size)) return false;
        empty |= size == 0;
        huge |= size != 0 && __builtin_mul_overflow(n, size, &n);
        huge |= n > INT64_C(1) << 60;
    }
    *count = empty ? 0 : n;
    return empty || !huge;
}

bool ir_same_shape(const ir_graph *g, ir_ref a, ir_ref b) {
    const ir_node *x = ir_at(g, a), *y = ir_at(g, b);
    return x->rank == y->rank && same_bytes(ir_dims(g, x), ir_dims(g, y), x->rank * sizeof(ir_dim));
}

void ir_print_shape(bz_text *t, const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    bz_textf(t, "%s[", ir_dtypes[n->dtype].name);
    for (unsigned i = 0; i < n->rank; i++) {
        bz_text_str(t, i ? "," : "");
        ir_ex_print(t, &g->m->ex, ir_dims(g, n)[i]);
    }
    bz_text_str(t, "]");
}

const char *ir_shape_text(ir_graph *g, ir_ref r) {
    bz_text t = {0};
    ir_print_shape(&t, g, r);
    const char *s = bz_arena_str(&g->arena, bz_text_c(&t));
    bz_text_free(&t);
    return s ? s : "?";
}
