/* interp.c - the reference interpreter: the definition of every op, slow and obvious.
 *
 *     inputs --bind symbols--> one array a node, in order --> outputs
 *
 * Knows nothing of kernels: elementwise ops evaluate their value program, the others are loops over
 * places (interp_move.c) and the documented orders of addition (interp_reduce.c). Arrays are freed
 * after their last use. */
#include "src/ir/interp.h"
#include "src/ir/value.h"

#include <stdio.h>
#include <string.h>

static const int64_t usual_most = INT64_C(8) << 30; /* bytes of one array */

bool it_fail(it_state *s, ir_ref r, bz_status status, const char *fmt, ...) {
    char text[300];
    va_list ap;
    va_start(ap, fmt);
    bz_vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *site = s->g->sites.p[r];
    bz_fail(s->e, status, "[%s] %s%s%s", ir_ops[ir_at(s->g, r)->op].name, text, site ? " at " : "",
            site ? site : "");
    return false;
}

/* ---- arrays and places */

const it_array *it_operand(const it_state *s, ir_ref r, unsigned k) {
    return &s->slot[ir_operand(s->g, r, k)].a;
}

int64_t it_numel(const it_array *a) {
    int64_t n = 1;
    for (unsigned i = 0; i < a->rank; i++) n *= a->shape[i];
    return n;
}

void it_strides(const it_array *a, int64_t *strides) {
    int64_t n = 1;
    for (unsigned i = a->rank; i-- > 0; n *= a->shape[i]) strides[i] = n;
}

it_walk it_begin(unsigned rank, const int64_t *shape, const int64_t *strides, int64_t offset) {
    it_walk w = {.rank = rank, .shape = shape, .strides = strides, .at = offset, .left = 1};
    for (unsigned i = 0; i < rank; i++) w.left *= shape[i];
    return w;
}

void it_next(it_walk *w) {
    w->left--;
    for (unsigned i = w->rank; i-- > 0;) {
        w->at += w->strides[i];
        if (++w->index[i] < w->shape[i]) return;
        w->at -= w->shape[i] * w->strides[i];
        w->index[i] = 0;
    }
}

/* The value of a dimension under the symbols' values; false when a symbol has none or the value
 * does not fit. */
static bool dim_value(const it_state *s, ir_dim d, int64_t *out) {
    const ir_ex_node *n = ir_ex_at(&s->g->m->ex, d);
    int64_t a, b;
    if (n->kind == EX_CONST) return *out = n->value, true;
    if (n->kind == EX_SYM) return *out = s->symbol[d], *out >= 0;
    if (!dim_value(s, n->a, &a) || !dim_value(s, n->b, &b)) return false;
    switch (n->kind) {
    case EX_ADD: return !__builtin_add_overflow(a, b, out);
    case EX_MUL: return !__builtin_mul_overflow(a, b, out);
    case EX_MIN: return *out = a < b ? a : b, true;
    case EX_MAX: return *out = a > b ? a : b, true;
    default: break;
    }
    if (b <= 0) return false;
    int64_t q = a / b - (a % b < 0);
    *out = n->kind == EX_DIV ? q : a - q * b;
    return true;
}

bool it_new(it_state *s, ir_ref r, bz_dtype t, const ir_dim *dims, unsigned rank, it_array *out) {
    int64_t n = (int64_t)ir_dtype_bytes(t);
    int64_t most = s->onlooker && s->onlooker->most ? s->onlooker->most : usual_most;
    bool empty = false, huge = false;
    *out = (it_array){.dtype = t, .rank = rank};
    for (unsigned i = 0; i < rank; i++) {
        int64_t v;
        if (!dim_value(s, dims[i], &v) || v < 0)
            return it_fail(s, r, BZ_ESHAPE, "axis %u has no valid size", i);
        out->shape[i] = v;
        empty = empty || v == 0;
        huge = huge || (v && (__builtin_mul_overflow(n, v, &n) || n > most));
    }
    n = empty ? 0 : n;
    out->data = huge && !empty ? NULL : bz_mem_alloc((size_t)n);
    return out->data ||
           it_fail(s, r, BZ_ENOMEM, "no memory for %s", ir_shape_text((ir_graph *)s->g, r));
}

bool it_copy(it_state *s, ir_ref r, const it_array *a, it_array *out) {
    size_t bytes = (size_t)it_numel(a) * ir_dtype_bytes(a->dtype);
    *out = *a;
    out->data = bz_mem_alloc(bytes);
    if (!out->data) return it_fail(s, r, BZ_ENOMEM, "no memory for %zu bytes", bytes);
    memcpy(out->data, a->data, bytes);
    return true;
}

static void free_many(it_array *a, unsigned n) {
    for (unsigned i = 0; a && i < n; i++) bz_mem_free(a[i].data);
    bz_mem_free(a);
}

static void free_slot(it_slot *slot) {
    if (!slot->borrowed) bz_mem_free(slot->a.data);
    free_many(slot->many, slot->nmany);
    *slot = (it_slot){0};
}

/* ---- ops that are only values */

static bool it_const(it_state *s, ir_ref r) {
    const ir_node *n = ir_at(s->g, r);
    it_array *a = &s->slot[r].a;
    int64_t count = it_numel(a);
    size_t bytes = ir_dtype_bytes(a->dtype);
    for (int64_t i = 0; i < count; i++)
        ir_store_bits(a->dtype, (char *)a->data + (size_t)i * bytes,
                      (ir_bits)ir_attrs(s->g, n)[n->nattr == 1 ? 0 : i]);
    return true;
}

static bool it_elementwise(it_state *s, ir_ref r) {
    const ir_node *n = ir_at(s->g, r);
    it_array *out = &s->slot[r].a;
    const void *x[3] = {NULL, NULL, NULL};
    for (unsigned k = 0; k < n->nin; k++) x[k] = it_operand(s, r, k)->data;
    bz_dtype operand = it_operand(s, r, n->op == IR_SELECT ? 1 : 0)->dtype;
    const ir_vprog *p = ir_value((ir_op)n->op, operand, out->dtype);
    if (!p) return it_fail(s, r, BZ_ENOMEM, "out of memory");
    ir_value_eval(p, out->data, x, (size_t)it_numel(out));
    return true;
}

static bool it_result(it_state *s, ir_ref r) {
    const ir_node *n = ir_at(s->g, r);
    unsigned one;
    const it_slot *from = &s->slot[*ir_value_operands(s->g, r, &one)];
    const it_array *a = from->many ? &from->many[ir_attrs(s->g, n)[0]] : &from->a;
    memcpy(s->slot[r].a.data, a->data, (size_t)it_numel(a) * ir_dtype_bytes(a->dtype));
    return true;
}

static bool it_stand_in(it_state *s, ir_ref r) {
    return it_fail(s, r, BZ_EMODE, IR_STAND_IN_USED);
}

/* ---- control */

static bz_status interpret(const ir_graph *g, const it_array *inputs, it_array *outputs,
                           const int64_t *symbol, const ir_onlooker *o, bz_error *e);

/* outputs of graph `number` on the arrays x; false and no output when it fails. */
static bool apply(it_state *s, int64_t number, const it_array *x, it_array *out) {
    return interpret(s->g->m->graphs.p[number], x, out, s->symbol, s->onlooker, s->e) == BZ_OK;
}

/* Copies of the operands from number `first` on as plain arrays (their data stays where it is). */
static it_array *operand_list(it_state *s, ir_ref r, unsigned first) {
    unsigned n = ir_at(s->g, r)->nin - first;
    it_array *x = bz_mem_alloc((n + 1) * sizeof *x);
    if (!x) it_fail(s, r, BZ_ENOMEM, "out of memory");
    for (unsigned i = 0; x && i < n; i++) x[i] = *it_operand(s, r, first + i);
    return x;
}

static it_array *result_list(it_state *s, ir_ref r) {
    it_slot *slot = &s->slot[r];
    slot->nmany = ir_result_count(s->g, r);
    slot->many = bz_mem_zero(slot->nmany, sizeof *slot->many);
    if (!slot->many) it_fail(s, r, BZ_ENOMEM, "out of memory");
    return slot->many;
}

static bool it_cond(it_state *s, ir_ref r) {
    const int64_t *graphs = ir_attrs(s->g, ir_at(s->g, r));
    it_array *x = operand_list(s, r, 1), *out = x ? result_list(s, r) : NULL;
    bool yes = *(const uint8_t *)it_operand(s, r, 0)->data;
    bool ok = out && apply(s, graphs[yes ? 0 : 1], x, out);
    bz_mem_free(x);
    return ok;
}

/* Runs the test on x: *go is its result. */
static bool test_again(it_state *s, int64_t graph, const it_array *x, bool *go) {
    it_array t = {0};
    bool ok = apply(s, graph, x, &t);
    *go = ok && *(const uint8_t *)t.data;
    bz_mem_free(t.data);
    return ok;
}

static bool it_while(it_state *s, ir_ref r) {
    const int64_t *attr = ir_attrs(s->g, ir_at(s->g, r));
    it_array *x = operand_list(s, r, 0), *state = x ? result_list(s, r) : NULL;
    unsigned n = s->slot[r].nmany;
    bool ok = state != NULL, go = false;
    for (unsigned i = 0; ok && i < n; i++) ok = it_copy(s, r, &x[i], &state[i]);
    while (ok) {
        memcpy(x, state, n * sizeof *x);
        if (!(ok = test_again(s, attr[0], x, &go)) || !go) break;
        it_array *next = bz_mem_zero(n, sizeof *next);
        ok = next && apply(s, attr[1], x, next);
        if (!ok) {
            it_fail(s, r, BZ_ENOMEM, "out of memory");
            bz_mem_free(next);
            break;
        }
        free_many(state, n);
        s->slot[r].many = state = next;
    }
    bz_mem_free(x);
    return ok;
}

/* ---- graphs */

static bool run_node(it_state *s, ir_ref r) {
    static bool (*const ops[IR_NOPS])(it_state *, ir_ref) = {
        [IR_CONST] = it_const,
        [IR_IOTA] = it_iota,
        [IR_RESHAPE] = it_reshape,
        [IR_PERMUTE] = it_permute,
        [IR_EXPAND] = it_expand,
        [IR_PAD] = it_pad,
        [IR_SLICE] = it_slice,
        [IR_AS_STRIDED] = it_as_strided,
        [IR_CONCAT] = it_concat,
        [IR_REDUCE] = it_reduce,
        [IR_DOT] = it_dot,
        [IR_GATHER] = it_gather,
        [IR_SCATTER_ADD] = it_scatter_add,
        [IR_UPDATE] = it_update,
        [IR_SORT] = it_sort,
        [IR_COPY] = it_reshape,
        [IR_RESULT] = it_result,
        [IR_COND] = it_cond,
        [IR_WHILE] = it_while,
        [IR_STAND_IN] = it_stand_in,
    };
    const ir_node *n = ir_at(s->g, r);
    if (n->op == IR_INPUT) return true;
    if (!(n->flags & IR_IS_TUPLE) &&
        !it_new(s, r, (bz_dtype)n->dtype, ir_dims(s->g, n), n->rank, &s->slot[r].a))
        return false;
    return ops[n->op] ? ops[n->op](s, r) : it_elementwise(s, r);
}

static bool bad_input(it_state *s, const ir_input *in, const it_array *a) {
    bz_text t = {0};
    bz_textf(&t, "%s[", a->dtype < BZ_NDTYPES ? ir_dtypes[a->dtype].name : "?");
    for (unsigned i = 0; i < a->rank && i < IR_MAX_RANK; i++)
        bz_textf(&t, "%s%lld", i ? "," : "", (long long)a->shape[i]);
    bz_text_str(&t, "]");
    bz_text wanted = {0};
    ir_print_shape(&wanted, s->g, in->node);
    bz_fail(s->e, BZ_ESHAPE, "input %s is %s, but the graph takes %s", in->name, bz_text_c(&t),
            bz_text_c(&wanted));
    bz_text_free(&t);
    bz_text_free(&wanted);
    return false;
}

/* Symbols that stand alone as a size take the size that comes in. */
static bool bind_symbols(it_state *s, const it_array *inputs) {
    for (uint32_t i = 0; i < s->g->inputs.n; i++) {
        const ir_input *in = &s->g->inputs.p[i];
        const ir_node *n = ir_at(s->g, in->node);
        if (inputs[i].dtype != n->dtype || inputs[i].rank != n->rank)
            return bad_input(s, in, &inputs[i]);
        for (unsigned a = 0; a < n->rank; a++) {
            ir_dim d = ir_dims(s->g, n)[a];
            const ir_ex_node *x = ir_ex_at(&s->g->m->ex, d);
            if (x->kind == EX_SYM && (inputs[i].shape[a] < x->lo || inputs[i].shape[a] > x->hi))
                return bad_input(s, in, &inputs[i]);
            if (x->kind == EX_SYM) s->symbol[d] = inputs[i].shape[a];
        }
    }
    return true;
}

static bool take_inputs(it_state *s, const it_array *inputs) {
    if (!bind_symbols(s, inputs)) return false;
    for (uint32_t i = 0; i < s->g->inputs.n; i++) {
        const ir_input *in = &s->g->inputs.p[i];
        const ir_node *n = ir_at(s->g, in->node);
        for (unsigned a = 0; a < n->rank; a++) {
            int64_t v;
            if (!dim_value(s, ir_dims(s->g, n)[a], &v) || v != inputs[i].shape[a])
                return bad_input(s, in, &inputs[i]);
        }
        s->slot[in->node] = (it_slot){.a = inputs[i], .borrowed = true};
    }
    return true;
}

/* last[r]: the last node that needs r, g->n.n when an output does. */
static void last_uses(const ir_graph *g, const bool *live, uint32_t *last) {
    for (ir_ref r = 1; r < g->n.n; r++) {
        unsigned n;
        const ir_ref *x = ir_value_operands(g, r, &n);
        for (unsigned k = 0; live[r] && k < n; k++) last[x[k]] = r;
    }
    for (uint32_t i = 0; i < g->outputs.n; i++) last[g->outputs.p[i].node] = g->n.n;
}

/* A node has run: whoever looks on may end it all. */
static bool goes_on(it_state *s, ir_ref r) {
    const ir_node *n = ir_at(s->g, r);
    if (!s->onlooker || !s->onlooker->see || n->flags & IR_IS_TUPLE) return true;
    const it_array *few[8], **x = n->nin <= 8 ? few : bz_mem_alloc(n->nin * sizeof *x);
    if (!x) return bz_fail(s->e, BZ_ENOMEM, "out of memory"), false;
    for (unsigned k = 0; k < n->nin; k++)
        x[k] = ir_at(s->g, ir_in(s->g, n)[k])->flags & IR_IS_TUPLE ? NULL : it_operand(s, r, k);
    bz_status status = s->onlooker->see(s->onlooker, s->g, r, &s->slot[r].a, x, s->e);
    if (x != few) bz_mem_free(x);
    return !status;
}

static bool run(it_state *s, const bool *live, const uint32_t *last) {
    for (ir_ref r = 1; r < s->g->n.n; r++) {
        unsigned n;
        const ir_ref *x = ir_value_operands(s->g, r, &n);
        if (!live[r]) continue;
        if (!run_node(s, r) || !goes_on(s, r)) return false;
        for (unsigned k = 0; k < n; k++)
            if (last[x[k]] == r) free_slot(&s->slot[x[k]]);
    }
    return true;
}

/* ---- how much memory a run takes */

static int64_t bytes_of(const ir_graph *g, ir_ref r) {
    int64_t n;
    return ir_numel(g, r, &n) ? bz_times(n, (int64_t)ir_dtype_bytes(ir_dtype(g, r))) : 0;
}

static int64_t outputs_bytes(const ir_graph *g) {
    int64_t n = 0;
    for (uint32_t i = 0; i < g->outputs.n; i++) n = bz_plus(n, bytes_of(g, g->outputs.p[i].node));
    return n;
}

/* What a node keeps, and in *more what it takes beside that while it runs. */
static int64_t node_bytes(const ir_graph *g, ir_ref r, int64_t *more) {
    const ir_node *n = ir_at(g, r);
    *more = 0;
    if (n->op == IR_INPUT) return 0;
    if (!(n->flags & IR_IS_TUPLE)) return bytes_of(g, r);
    ir_ref x = ir_operand(g, r, 0);
    int64_t count;
    if (n->op == IR_SORT)
        return ir_numel(g, x, &count) ? bz_plus(bytes_of(g, x), bz_times(count, 8)) : 0;
    if (n->op != IR_COND && n->op != IR_WHILE) return 0;
    int64_t kept = 0;
    for (unsigned k = 0; k < 2; k++) {
        const ir_graph *body = g->m->graphs.p[ir_attrs(g, n)[k]];
        int64_t own = ir_interpret_bytes(body), out = outputs_bytes(body);
        *more = own > *more ? own : *more;
        kept = out > kept ? out : kept;
    }
    return kept;
}

int64_t ir_interpret_bytes(const ir_graph *g) {
    uint32_t *last = bz_mem_zero(g->n.n, sizeof *last);
    int64_t *held = bz_mem_zero(g->n.n, sizeof *held), now = 0, most = 0;
    bool *live = ir_live_values(g), ready = last && held && live;
    if (ready) last_uses(g, live, last);
    for (ir_ref r = 1; ready && r < g->n.n && most != BZ_TOO_MANY; r++) {
        unsigned n;
        int64_t more;
        const ir_ref *x = ir_value_operands(g, r, &n);
        if (!live[r]) continue;
        held[r] = node_bytes(g, r, &more);
        now = bz_plus(now, held[r]);
        most = bz_plus(now, more) > most ? bz_plus(now, more) : most;
        for (unsigned k = 0; k < n && now != BZ_TOO_MANY; k++) {
            if (last[x[k]] == r) now -= held[x[k]], held[x[k]] = 0;
        }
    }
    int64_t end = bz_plus(now, outputs_bytes(g));
    bz_mem_free(last);
    bz_mem_free(held);
    bz_mem_free(live);
    return !ready ? -1 : end > most ? end : most;
}

static bool give_outputs(it_state *s, it_array *outputs) {
    uint32_t n = s->g->outputs.n, i = 0;
    for (; i < n; i++) {
        ir_ref r = s->g->outputs.p[i].node;
        if (!it_copy(s, r, &s->slot[r].a, &outputs[i])) break;
    }
    for (uint32_t k = 0; i < n && k < i; k++) {
        bz_mem_free(outputs[k].data);
        outputs[k].data = NULL;
    }
    return i == n;
}

static bz_status interpret(const ir_graph *g, const it_array *inputs, it_array *outputs,
                           const int64_t *symbol, const ir_onlooker *o, bz_error *e) {
    uint32_t symbols = g->m->ex.n.n;
    it_state s = {g, e, bz_mem_zero(g->n.n, sizeof(it_slot)),
                  bz_mem_alloc(symbols * sizeof(int64_t)), o};
    uint32_t *last = bz_mem_zero(g->n.n, sizeof *last);
    bool *live = ir_live_values(g), memory = s.slot && s.symbol && last && live;
    for (uint32_t i = 0; s.symbol && i < symbols; i++) s.symbol[i] = symbol ? symbol[i] : -1;
    if (!memory)
        bz_fail(e, BZ_ENOMEM, "out of memory");
    else if (take_inputs(&s, inputs)) {
        last_uses(g, live, last);
        if (run(&s, live, last)) give_outputs(&s, outputs);
    }
    for (ir_ref r = 0; s.slot && r < g->n.n; r++) free_slot(&s.slot[r]);
    bz_mem_free(s.slot);
    bz_mem_free(s.symbol);
    bz_mem_free(last);
    bz_mem_free(live);
    return e->status;
}

bz_status ir_interpret_seen(const ir_graph *g, const ir_value_array *inputs,
                            ir_value_array *outputs, const ir_onlooker *o, bz_error *e) {
    bz_error own = {0};
    if (g->err.status)
        bz_fail(&own, g->err.status, "%s", g->err.text);
    else
        interpret(g, inputs, outputs, NULL, o, &own);
    if (own.status && e) bz_fail(e, own.status, "%s", own.text);
    return own.status;
}

bz_status ir_interpret(const ir_graph *g, const ir_value_array *inputs, ir_value_array *outputs,
                       bz_error *e) {
    return ir_interpret_seen(g, inputs, outputs, NULL, e);
}
