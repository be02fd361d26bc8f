/* interp.c - the reference interpreter: the definition of every op, slow and obvious.
 *
 *     inputs --bind symbols--> one array a node, in order --> outputs
 *
 * Knows nothing of kernels: elementwise ops evaluate their value program, the others (structs/) are loops over places (interp_move.c)
 * and the documented orders of addition (interp_reduce.c). Arrays are freed after their last use. */
#include "src/ir/external.h"
#include "src/ir/structs.h"
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
    bz_fail(s->e, status, "[%s] %s%s%s", ir_name_of(s->g, r), text, site ? " at " : "",
            site ? site : "");
    return false;
}

/* ---- arrays */

const it_array *it_operand(const it_state *s, ir_ref r, unsigned k) {
    return &s->slot[ir_operand(s->g, r, k)].a;
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

bool it_duplicate(it_state *s, ir_ref r, const it_array *a, it_array *out) {
    size_t bytes = (size_t)it_numel(a) * ir_dtype_bytes(a->dtype);
    *out = *a;
    out->data = bz_mem_alloc(bytes);
    if (!out->data) return it_fail(s, r, BZ_ENOMEM, "no memory for %zu bytes", bytes);
    memcpy(out->data, a->data, bytes);
    return true;
}

void it_free_many(it_array *a, unsigned n) {
    for (unsigned i = 0; a && i < n; i++) bz_mem_free(a[i].data);
    bz_mem_free(a);
}

static void free_slot(it_slot *slot) {
    if (!slot->borrowed) bz_mem_free(slot->a.data);
    it_free_many(slot->many, slot->nmany);
    *slot = (it_slot){0};
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

/* ---- nodes of several results */

it_array *it_results(it_state *s, ir_ref r) {
    it_slot *slot = &s->slot[r];
    slot->nmany = ir_result_count(s->g, r);
    slot->many = bz_mem_zero(slot->nmany, sizeof *slot->many);
    if (!slot->many) it_fail(s, r, BZ_ENOMEM, "out of memory");
    return slot->many;
}

bool it_new_results(it_state *s, ir_ref r) {
    ir_type t;
    bool ok = it_results(s, r) != NULL;
    for (unsigned k = 0; ok && ir_result_type(s->g, r, k, &t); k++)
        ok = it_new(s, r, t.dtype, t.dims, t.rank, &s->slot[r].many[k]);
    return ok;
}

static bz_status interpret(const ir_graph *g, const it_array *inputs, it_array *outputs,
                           const int64_t *symbol, const ir_onlooker *o, bz_error *e);

bool it_apply(it_state *s, int64_t number, const it_array *x, it_array *out) {
    return interpret(s->g->m->graphs.p[number], x, out, s->symbol, s->onlooker, s->e) == BZ_OK;
}

/* ---- graphs */

static bool run_node(it_state *s, ir_ref r) {
    const ir_node *n = ir_at(s->g, r);
    bool (*value)(it_state *, ir_ref) = ir_structs[n->op].value;
    if (n->op != IR_INPUT && !(n->flags & IR_IS_TUPLE) &&
        !it_new(s, r, (bz_dtype)n->dtype, ir_dims(s->g, n), n->rank, &s->slot[r].a))
        return false;
    return value ? value(s, r) : it_elementwise(s, r);
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

/* What graph `number` needs beside its inputs. */
static int64_t body_bytes(const ir_graph *g, int64_t number) {
    return ir_interpret_bytes(g->m->graphs.p[number]);
}

/* What a node keeps, and in *more what it takes beside that while it runs: the most that one of its graphs does. */
static int64_t node_bytes(const ir_graph *g, ir_ref r, int64_t *more) {
    const ir_node *n = ir_at(g, r);
    const ir_field *f = ir_structs[n->op].fields;
    int64_t kept = 0, count;
    ir_type t;
    *more = 0;
    if (n->op == IR_INPUT) return 0;
    if (!(n->flags & IR_IS_TUPLE)) return bytes_of(g, r);
    for (unsigned k = 0; f[k].kind == IR_F_GRAPH; k++) {
        int64_t own = body_bytes(g, ir_attrs(g, n)[k]);
        *more = own > *more ? own : *more;
    }
    for (unsigned k = 0; ir_result_type(g, r, k, &t); k++)
        if (ir_dims_numel(g, t.dims, t.rank, &count))
            kept = bz_plus(kept, bz_times(count, (int64_t)ir_dtype_bytes(t.dtype)));
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
        if (!it_duplicate(s, r, &s->slot[r].a, &outputs[i])) break;
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
