/* control.c - programs with cond and while, on devices whose programs are plans of kernels: the graph is cut at these nodes, and on
 * those whose kernels cannot call functions of C at these, too: the host calls them, on copies.
 *
 *     nodes before ---part---> values ---cond: one bool is read, then `then` or `else` runs---> values ---part---> outputs
 *
 * Each part, each branch, each body is a program of the device; what one makes and another needs lies in a buffer in between. A value that
 * a part has computed is not computed again by a later one. The host reads the conditions, but for those that are constants.
 *
 * A value that only receives updates (x with something written into it) is donated from piece to piece: a loop that writes a row of x
 * in each turn writes where x lies. What others still hold is copied once, before. */
#include "runtime/exec/control.h"
#include "runtime/base/watch.h"
#include "src/ir/external.h"

#include <stdio.h>
#include <string.h>

/* ---- what runs */

typedef BZ_VEC(ir_ref) refs;

/* A graph of the module, or a part of the program's own. */
typedef struct piece {
    rt_program *program; /* NULL: of while, a test that is always true */
    int *scalar;  /* per input: the dtype of one that is handed over as bits; -1: it is not */
    int *donated; /* per output: the input that is its memory; -1: none */
} piece;

/* A function of C. */
typedef struct called {
    ir_external x; /* lists are the module's, which stays as long */
    int64_t sizes[IR_EXTERNAL_MOST];
    rt_spec *results;
    char site[160]; /* "": not known */
} called;

typedef struct step {
    ir_op op;         /* COND, WHILE, EXTERNAL; else a part */
    piece of, other;  /* a part; then and else; test and body */
    refs in, out;     /* nodes of the recorded graph; out: 0 where nobody wants a result */
    uint32_t carried; /* of while: operands that go round */
    int64_t most;     /* its turns; 0: any number */
    called call;      /* of external */
} step;

typedef struct control_program {
    rt_program base;
    BZ_VEC(step) steps;
    uint32_t nnodes;
    uint32_t *last;    /* per node, the last step that needs it */
    int32_t *input;    /* per node, which input it is; -1: none */
    bz_dtype *dtype;   /* of each input */
    ir_ref *argument;  /* the node of each */
    ir_ref *result;    /* the node of each output */
    rt_buffer **value; /* per node, during a run */
    uint32_t *
        offered; /* per input, references when a run began to one that may be overwritten; 0: it may not */
    uint32_t most;         /* operands or results of a step */
    rt_buffer **in, **out; /* of a step at hand */
    ir_bits *bits;
} control_program;

static const rt_device control;

bool rt_has_control(const ir_graph *g) {
    for (ir_ref r = 1; r < g->n.n; r++)
        if (ir_at(g, r)->op == IR_COND || ir_at(g, r)->op == IR_WHILE) return true;
    return false;
}

bool rt_is_cut(const rt_device *d, const ir_graph *g) {
    if (d->controls || rt_has_control(g)) return !d->controls;
    for (ir_ref r = 1; !d->calls && r < g->n.n; r++)
        if (ir_at(g, r)->op == IR_EXTERNAL) return true;
    return false;
}

/* ---- cutting */

typedef struct cutter {
    bz_context *c;
    const ir_graph *g;
    control_program *p;
    unsigned how;
    bz_error *e;
    bool *live, *known, *inside; /* nodes; known: some step makes it, or it is an input */
} cutter;

static bool lacks_memory(const cutter *k) {
    bz_fail(k->e, BZ_ENOMEM, "out of memory");
    return false;
}

static bool makes_nothing(const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    return n->nin == 0 && n->op != IR_INPUT; /* constants and indices: each part has its own */
}

/* Marks what the wanted nodes are made of, up to what is known, with all results of what has several. */
static void mark_inside(cutter *k, const refs *want) {
    const ir_graph *g = k->g;
    memset(k->inside, 0, g->n.n * sizeof *k->inside);
    for (uint32_t i = 0; i < want->n; i++) k->inside[want->p[i]] = !k->known[want->p[i]];
    for (ir_ref r = g->n.n; r-- > 1;)
        for (unsigned i = 0; k->inside[r] && i < ir_at(g, r)->nin; i++)
            k->inside[ir_in(g, ir_at(g, r))[i]] |= !k->known[ir_in(g, ir_at(g, r))[i]];
    for (ir_ref r = 1; r < g->n.n; r++)
        if (ir_at(g, r)->op == IR_RESULT && k->live[r] && k->inside[ir_operand(g, r, 0)])
            k->inside[r] = true;
}

/* What others than the part want of it: the wanted nodes, and what live nodes elsewhere read. */
static bool find_outputs(cutter *k, const refs *want, refs *out) {
    const ir_graph *g = k->g;
    bool *read = bz_mem_zero(g->n.n, sizeof *read), *must = bz_mem_zero(g->n.n, sizeof *must);
    bool ok = read && must;
    for (uint32_t i = 0; ok && i < want->n; i++) read[want->p[i]] = must[want->p[i]] = true;
    for (uint32_t i = 0; ok && i < g->outputs.n; i++) read[g->outputs.p[i].node] = true;
    for (ir_ref r = 1; ok && r < g->n.n; r++)
        for (unsigned i = 0; k->live[r] && !k->inside[r] && i < ir_at(g, r)->nin; i++)
            read[ir_in(g, ir_at(g, r))[i]] = true;
    for (ir_ref r = 1; ok && r < g->n.n; r++)
        if (read[r] && k->inside[r] && !(ir_at(g, r)->flags & IR_IS_TUPLE) &&
            (must[r] || !makes_nothing(g, r)))
            ok = bz_vec_push(out, r);
    bz_mem_free(read);
    bz_mem_free(must);
    return ok || lacks_memory(k);
}

static ir_ref stand_for(const cutter *k, ir_graph *part, ir_ref r) {
    const ir_node *n = ir_at(k->g, r);
    const int32_t input = k->p->input[r];
    char name[24];
    snprintf(name, sizeof name, "v%u", r);
    part->site = k->g->sites.p[r];
    const char *own = input >= 0 ? k->g->inputs.p[input].name : name;
    return input >= 0 && k->g->inputs.p[input].scalar
               ? ir_scalar_input(part, own, (bz_dtype)n->dtype)
               : ir_input_new(part, own, (bz_dtype)n->dtype, ir_dims(k->g, n), n->rank);
}

/* The part as a graph; in: the nodes that its inputs are. */
static ir_graph *make_part(cutter *k, const refs *out, refs *in) {
    const ir_graph *g = k->g;
    ir_graph *part = ir_graph_new(g->m, g->name);
    ir_map map = {bz_mem_zero(g->n.n, sizeof *map.to), g->n.n};
    bool ok = part && map.to;
    for (ir_ref r = 1; ok && r < g->n.n; r++) {
        for (unsigned i = 0; k->inside[r] && ok && i < ir_at(g, r)->nin; i++) {
            const ir_ref x = ir_in(g, ir_at(g, r))[i];
            if (map.to[x]) continue;
            map.to[x] = stand_for(k, part, x);
            ok = map.to[x] && bz_vec_push(in, x);
        }
        if (ok && k->inside[r]) ok = (map.to[r] = ir_rebuild_node(part, g, &map, r)) != 0;
    }
    for (uint32_t i = 0; ok && i < out->n; i++) {
        char name[24];
        snprintf(name, sizeof name, "o%u", i);
        ok = !ir_output_add(part, name, map.to[out->p[i]], -1);
    }
    bz_mem_free(map.to);
    if (ok) return part;
    if (part && part->err.status)
        bz_fail(k->e, part->err.status, "%s", part->err.text);
    else
        lacks_memory(k);
    ir_graph_free(part);
    return NULL;
}

/* ---- pieces */

/* Is r its first operand, with something written into it, or as it is? */
static bool passes_on(const ir_graph *g, ir_ref r) {
    const ir_op op = (ir_op)ir_at(g, r)->op;
    return op == IR_UPDATE || op == IR_SCATTER ||
           (op == IR_RESHAPE && ir_same_shape(g, r, ir_operand(g, r, 0)));
}

/* The input of g that r is, with updates alone; -1: none. */
static int updated_input(const ir_graph *g, ir_ref r) {
    bool updated = false;
    for (; passes_on(g, r); r = ir_operand(g, r, 0))
        updated |= ir_at(g, r)->op == IR_UPDATE || ir_at(g, r)->op == IR_SCATTER;
    return updated && ir_at(g, r)->op == IR_INPUT ? (int)ir_attrs(g, ir_at(g, r))[0] : -1;
}

/* Output j's memory is that of the input which it updates: of a body (`carried` > 0), of input j. No input has two outputs. */
static void donate(ir_graph *g, uint32_t carried) {
    for (uint32_t j = 0; j < g->outputs.n; j++) {
        const int input = updated_input(g, g->outputs.p[j].node);
        bool free = input >= 0 && (!carried || (uint32_t)input == j) && !g->inputs.p[input].scalar;
        for (uint32_t i = 0; i < j; i++) free &= g->outputs.p[i].donated != input;
        for (uint32_t i = 0; i < g->outputs.n; i++)
            free &= i == j || g->outputs.p[i].node != g->outputs.p[j].node;
        if (free) g->outputs.p[j].donated = input;
    }
}

static bool compile_piece(cutter *k, const ir_graph *g, piece *out) {
    out->scalar = bz_mem_zero(g->inputs.n + 1, sizeof *out->scalar);
    out->donated = bz_mem_zero(g->outputs.n + 1, sizeof *out->donated);
    if (!out->scalar || !out->donated) return lacks_memory(k);
    for (uint32_t i = 0; i < g->inputs.n; i++)
        out->scalar[i] = g->inputs.p[i].scalar ? (int)ir_dtype(g, g->inputs.p[i].node) : -1;
    for (uint32_t i = 0; i < g->outputs.n; i++) out->donated[i] = g->outputs.p[i].donated;
    out->program = rt_program_make(k->c, g, k->how, k->e);
    return out->program != NULL;
}

/* g's live nodes but for copies: nothing changes what a body reads but its own updates, which are told. */
static ir_graph *without_copies(const ir_graph *g, bz_error *e) {
    ir_map map;
    bool *live = ir_live(g);
    ir_graph *own = live ? ir_rebuild_begin(g, &map) : NULL;
    for (ir_ref r = 1; own && r < g->n.n && !own->err.status; r++) {
        if (!live[r] || map.to[r]) continue;
        map.to[r] = ir_at(g, r)->op == IR_COPY ? map.to[ir_operand(g, r, 0)]
                                               : ir_rebuild_node(own, g, &map, r);
    }
    bz_mem_free(live);
    if (own) return ir_rebuild_end(own, g, &map, e);
    bz_fail(e, BZ_ENOMEM, "out of memory");
    return NULL;
}

/* A branch or, with what goes round, a body. */
static bool compile_body(cutter *k, const ir_graph *g, uint32_t carried, piece *out) {
    ir_graph *own = without_copies(g, k->e);
    if (own) donate(own, carried);
    const bool ok = own && compile_piece(k, own, out);
    ir_graph_free(own);
    return ok;
}

static bool always_true(const ir_graph *test) {
    ir_bits v;
    return ir_const_value(test, test->outputs.p[0].node, &v) && v;
}

static void free_piece(bz_context *c, piece *x) {
    rt_program_free(c, x->program);
    bz_mem_free(x->scalar);
    bz_mem_free(x->donated);
}

static bool add_step(cutter *k, step s) {
    if (bz_vec_push(&k->p->steps, s)) return true;
    free_piece(k->c, &s.of);
    free_piece(k->c, &s.other);
    bz_mem_free(s.call.results);
    bz_vec_free(&s.in);
    bz_vec_free(&s.out);
    return lacks_memory(k);
}

/* The step that makes the wanted nodes, if they are not known. */
static bool add_part(cutter *k, const refs *want) {
    step s = {.op = IR_RESULT};
    bool any = false;
    mark_inside(k, want);
    for (ir_ref r = 1; r < k->g->n.n; r++) any |= k->inside[r];
    if (!any) return true;
    if (!find_outputs(k, want, &s.out)) return bz_vec_free(&s.out), false;
    ir_graph *part = make_part(k, &s.out, &s.in);
    if (part) donate(part, 0);
    bool ok = part && compile_piece(k, part, &s.of);
    ir_graph_free(part);
    for (uint32_t i = 0; i < s.out.n; i++) k->known[s.out.p[i]] = true;
    return add_step(k, s) && ok;
}

/* The nodes that are the results of control node r; 0: nobody wants that one. */
static bool find_results(cutter *k, ir_ref r, uint32_t n, refs *out) {
    for (uint32_t i = 0; i < n; i++)
        if (!bz_vec_push(out, 0)) return lacks_memory(k);
    for (ir_ref x = r + 1; x < k->g->n.n; x++) {
        const ir_node *at = ir_at(k->g, x);
        if (at->op != IR_RESULT || ir_in(k->g, at)[0] != r) continue;
        k->known[x] = true;
        if (k->live[x]) out->p[ir_attrs(k->g, at)[0]] = x;
    }
    return true;
}

static bool add_control(cutter *k, ir_ref r) {
    const ir_node *n = ir_at(k->g, r);
    const int64_t *attr = ir_attrs(k->g, n);
    const ir_graph *first = k->g->m->graphs.p[attr[0]], *second = k->g->m->graphs.p[attr[1]];
    const bool loops = n->op == IR_WHILE;
    step s = {.op = (ir_op)n->op};
    if (loops) s.carried = second->outputs.n, s.most = attr[3];
    bool ok = true;
    for (unsigned i = 0; i < n->nin && ok; i++) ok = bz_vec_push(&s.in, ir_in(k->g, n)[i]);
    if (!ok) lacks_memory(k);
    ok = ok && add_part(k, &s.in) && find_results(k, r, second->outputs.n, &s.out) &&
         (!loops               ? compile_body(k, first, 0, &s.of)
          : always_true(first) ? true
                               : compile_piece(k, first, &s.of)) &&
         compile_body(k, second, s.carried, &s.other);
    return add_step(k, s) && ok;
}

/* What a run must know of the call. */
static bool describe_call(cutter *k, ir_ref r, called *c) {
    const ir_graph *g = k->g;
    int64_t shape[IR_EXTERNAL_MOST][IR_MAX_RANK], size[IR_MAX_RANK];
    const int64_t *shapes[IR_EXTERNAL_MOST];
    ir_type t;
    c->x = *ir_external_of(g, r);
    for (unsigned i = 0; i < c->x.nin; i++) {
        ir_static_shape(g, ir_operand(g, r, i), shape[i]);
        shapes[i] = shape[i];
    }
    ir_external_sizes(&c->x, shapes, c->sizes);
    bz_snprintf(c->site, sizeof c->site, "%s", g->sites.p[r] ? g->sites.p[r] : "");
    if (!(c->results = bz_mem_zero(c->x.nout, sizeof *c->results))) return lacks_memory(k);
    for (unsigned i = 0; ir_result_type(g, r, i, &t); i++) {
        for (unsigned a = 0; a < t.rank; a++) ir_dim_value(g, t.dims[a], &size[a]);
        c->results[i] = (rt_spec){t.dtype, rt_layout_of(k->c, size, NULL, t.rank), -1, i, false};
        if (!c->results[i].layout) return lacks_memory(k);
    }
    return true;
}

static bool add_call(cutter *k, ir_ref r) {
    const ir_node *n = ir_at(k->g, r);
    step s = {.op = IR_EXTERNAL};
    bool ok = true;
    for (unsigned i = 0; i < n->nin && ok; i++) ok = bz_vec_push(&s.in, ir_in(k->g, n)[i]);
    if (!ok) lacks_memory(k);
    ok = ok && add_part(k, &s.in) && find_results(k, r, ir_result_count(k->g, r), &s.out) &&
         describe_call(k, r, &s.call);
    return add_step(k, s) && ok;
}

static bool cut(cutter *k) {
    const ir_graph *g = k->g;
    refs outputs = {0};
    bool ok = true;
    for (uint32_t i = 0; i < g->inputs.n; i++) {
        k->known[g->inputs.p[i].node] = true;
        k->p->input[g->inputs.p[i].node] = (int32_t)i;
    }
    for (ir_ref r = 1; r < g->n.n && ok; r++) {
        const unsigned op = ir_at(g, r)->op;
        if (k->live[r] && (op == IR_COND || op == IR_WHILE)) ok = add_control(k, r);
        if (k->live[r] && op == IR_EXTERNAL && !k->c->device->calls) ok = add_call(k, r);
    }
    for (uint32_t i = 0; i < g->outputs.n && ok; i++)
        ok = bz_vec_push(&outputs, g->outputs.p[i].node) || lacks_memory(k);
    ok = ok && add_part(k, &outputs);
    bz_vec_free(&outputs);
    return ok;
}

/* ---- a program */

/* How long each value is needed; the last step gives the outputs. */
static bool plan_values(control_program *p, const ir_graph *g) {
    for (uint32_t s = 0; s < p->steps.n; s++) {
        const step *at = &p->steps.p[s];
        for (uint32_t i = 0; i < at->in.n; i++) p->last[at->in.p[i]] = s;
        for (uint32_t i = 0; i < at->out.n; i++)
            if (p->last[at->out.p[i]] < s) p->last[at->out.p[i]] = s;
        p->most = at->in.n > p->most ? at->in.n : p->most;
        p->most = at->out.n > p->most ? at->out.n : p->most;
        p->base.held += at->of.program ? at->of.program->held : 0;
        p->base.held += at->other.program ? at->other.program->held : 0;
    }
    p->dtype = bz_mem_zero(g->inputs.n + 1, sizeof *p->dtype);
    p->argument = bz_mem_zero(g->inputs.n + 1, sizeof *p->argument);
    p->offered = bz_mem_zero(g->inputs.n + 1, sizeof *p->offered);
    p->result = bz_mem_zero(g->outputs.n + 1, sizeof *p->result);
    if (!p->dtype || !p->argument || !p->offered || !p->result) return false;
    for (uint32_t i = 0; i < g->inputs.n; i++)
        p->dtype[i] = ir_dtype(g, p->argument[i] = g->inputs.p[i].node);
    for (uint32_t i = 0; i < g->outputs.n; i++)
        p->last[p->result[i] = g->outputs.p[i].node] = p->steps.n;
    p->value = bz_mem_zero(p->nnodes, sizeof *p->value);
    p->in = bz_mem_zero(p->most + 1, sizeof *p->in);
    p->out = bz_mem_zero(p->most + 1, sizeof *p->out);
    p->bits = bz_mem_zero(p->most + 1, sizeof *p->bits);
    return p->value && p->in && p->out && p->bits;
}

/* ---- a run */

typedef struct control_run {
    bz_context *c;
    control_program *p;
    const rt_call *call;
    bz_error *e;
    uint32_t at; /* the step at hand */
} control_run;

static bz_status no_memory(const control_run *k) {
    return k->e->status ? k->e->status : bz_fail(k->e, BZ_ENOMEM, "out of memory");
}

/* A number that was handed over, as a tensor. */
static rt_buffer *buffer_of_bits(const control_run *k, bz_dtype t, ir_bits bits) {
    const rt_layout *l = rt_layout_of(k->c, NULL, NULL, 0);
    rt_buffer *b = l ? rt_buffer_new(k->c, t, l) : NULL;
    char bytes[sizeof bits];
    ir_store_bits(t, bytes, bits);
    if (!b || !rt_move_bytes(rt_start(b), rt_host_spot(bytes), ir_dtype_bytes(t), k->e)) return b;
    rt_buffer_unref(k->c, b);
    return NULL;
}

/* One reference to the value of node r; NULL: no memory. */
static rt_buffer *take(const control_run *k, ir_ref r) {
    const int32_t input = k->p->input[r];
    if (input < 0) return rt_buffer_ref(k->p->value[r]);
    if (k->call->in[input]) return rt_buffer_ref(k->call->in[input]);
    return buffer_of_bits(k, k->p->dtype[input], k->call->bits[input]);
}

static bz_status number_in(const control_run *k, const rt_buffer *b, bz_dtype t, ir_bits *bits) {
    rt_bytes at;
    bz_status s = rt_look(rt_start(b), ir_dtype_bytes(t), &at, k->e);
    if (!s) *bits = ir_load_bits(t, at.p);
    rt_look_away(&at);
    return s;
}

static void drop(const control_run *k, rt_buffer **b, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        rt_buffer_unref(k->c, b[i]);
        b[i] = NULL;
    }
}

/* Does nobody but the step at hand look at b, to which it has one reference? An input that was offered: and no later step. */
static bool is_mine(const control_run *k, const rt_buffer *b) {
    const control_program *p = k->p;
    for (uint32_t i = 0; i < p->base.ninputs; i++)
        if (p->offered[i] && k->call->in[i] == b)
            return p->last[p->argument[i]] <= k->at && b->refs == p->offered[i] + 1;
    return b->refs == 1 && !b->owner && !b->foreign;
}

/* The memory of x is offered for the output that is donated it: x's own, or that of a copy, which takes x's place. */
static bz_status offer(const control_run *k, rt_program *program, uint32_t output, rt_buffer **x) {
    rt_buffer *b = *x;
    if (!is_mine(k, b)) {
        b = rt_buffer_new(k->c, program->outputs[output].dtype, program->outputs[output].layout);
        if (!b) return no_memory(k);
        const bz_status s = rt_move_bytes(rt_start(b), rt_start(*x), b->bytes, k->e);
        if (s) return rt_buffer_unref(k->c, b), s;
        rt_buffer_unref(k->c, *x);
        *x = b;
    }
    k->p->out[output] = rt_buffer_ref(b);
    return BZ_OK;
}

/* The piece on the buffers x; its results are in p->out. */
static bz_status run_piece(const control_run *k, const piece *of, rt_buffer **x) {
    control_program *p = k->p;
    bz_status s = BZ_OK;
    rt_buffer **in = p->in;
    for (uint32_t i = 0; i < of->program->noutputs && !s; i++)
        if (of->donated[i] >= 0) s = offer(k, of->program, i, &x[of->donated[i]]);
    for (uint32_t i = 0; i < of->program->ninputs && !s; i++) {
        in[i] = of->scalar[i] >= 0 ? NULL : x[i];
        if (of->scalar[i] >= 0) s = number_in(k, x[i], (bz_dtype)of->scalar[i], &p->bits[i]);
    }
    return s ? s
             : rt_program_run_piece(k->c, of->program, &(rt_call){in, p->bits, p->out, NULL}, k->e);
}

static bz_status is_true(const control_run *k, const rt_buffer *b, bool *yes) {
    ir_bits bits = 0;
    const bz_status s = number_in(k, b, BZ_BOOL, &bits);
    *yes = bits != 0;
    return s;
}

static bz_status run_cond(const control_run *k, const step *at, rt_buffer **x) {
    bool yes;
    const bz_status s = is_true(k, x[0], &yes);
    return s ? s : run_piece(k, yes ? &at->of : &at->other, x + 1);
}

/* Does the loop go on? */
static bz_status test(const control_run *k, const step *at, rt_buffer **x, bool *go) {
    *go = true;
    if (!at->of.program) return BZ_OK;
    bz_status s = run_piece(k, &at->of, x);
    if (!s) s = is_true(k, k->p->out[0], go);
    drop(k, k->p->out, 1);
    return s;
}

/* x: the operands, of which those that go round are replaced each time; in the end they are the results. */
static bz_status run_while(const control_run *k, const step *at, rt_buffer **x) {
    rt_buffer **out = k->p->out;
    for (int64_t turn = 0; !at->most || turn < at->most; turn++) {
        bool go;
        bz_status s = rt_take_interrupt(k->c, "ran", k->e);
        if (!s) s = test(k, at, x, &go);
        if (!s && !go) break;
        if (!s) s = run_piece(k, &at->other, x);
        if (s) return s;
        for (uint32_t i = 0; i < at->carried; i++) {
            rt_buffer_unref(k->c, x[i]);
            x[i] = out[i];
            out[i] = NULL;
        }
    }
    for (uint32_t i = 0; i < at->carried; i++) out[i] = rt_buffer_ref(x[i]);
    return BZ_OK;
}

/* Inputs of the step that no later one needs: the step alone has them. */
static void let_go(const control_run *k, const step *at) {
    for (uint32_t i = 0; i < at->in.n; i++)
        if (k->p->last[at->in.p[i]] == k->at) drop(k, &k->p->value[at->in.p[i]], 1);
}

/* Result i of a call, from the host. */
static bz_status take_result(const control_run *k, const called *c, unsigned i, const void *data) {
    rt_buffer *b = rt_buffer_new(k->c, c->results[i].dtype, c->results[i].layout);
    if (!b) return no_memory(k);
    k->p->out[i] = b;
    return b->bytes ? rt_move_bytes(rt_start(b), rt_host_spot(data), b->bytes, k->e) : BZ_OK;
}

/* x: the operands. What they lie in, the host sees. */
static bz_status run_call(const control_run *k, const called *c, rt_buffer **x) {
    const unsigned nin = c->x.nin, nout = c->x.nout;
    rt_bytes look[IR_EXTERNAL_MOST];
    const void *in[IR_EXTERNAL_MOST];
    void *out[IR_EXTERNAL_MOST] = {0};
    unsigned seen = 0;
    int status = 0;
    bool some = false;
    bz_error own = {0};
    bz_status s = BZ_OK;
    for (; seen < nin && !s; seen += !s) {
        s = rt_look(rt_start(x[seen]), x[seen]->bytes, &look[seen], k->e);
        in[seen] = s ? NULL : look[seen].p;
    }
    for (unsigned i = 0; i < nout && !s; i++) {
        const size_t bytes = (size_t)rt_layout_bytes(c->results[i].layout, c->results[i].dtype);
        some |= bytes > 0;
        if (!(out[i] = bz_mem_zero(bytes + 1, 1))) s = no_memory(k);
    }
    if (!s && some && ir_external_run(&c->x, in, out, c->sizes, &status, &own))
        s = bz_fail(k->e, own.status, "[%s] %s%s%s", c->x.name, own.text, *c->site ? " at " : "",
                    c->site);
    if (!s && status)
        s = ir_external_failed(c->x.name, *c->site ? c->site : NULL, status, k->e);
    for (unsigned i = 0; i < nout && !s; i++) s = take_result(k, c, i, out[i]);
    while (seen > 0) rt_look_away(&look[--seen]);
    for (unsigned i = 0; i < nout; i++) bz_mem_free(out[i]);
    return s;
}

static bz_status run_step(const control_run *k, const step *at, rt_buffer **x) {
    control_program *p = k->p;
    bz_status s = BZ_OK;
    for (uint32_t i = 0; i < at->in.n && !s; i++)
        s = (x[i] = take(k, at->in.p[i])) ? BZ_OK : no_memory(k);
    let_go(k, at);
    if (!s)
        s = at->op == IR_COND       ? run_cond(k, at, x)
            : at->op == IR_WHILE    ? run_while(k, at, x)
            : at->op == IR_EXTERNAL ? run_call(k, &at->call, x)
                                    : run_piece(k, &at->of, x);
    for (uint32_t i = 0; i < at->out.n && !s; i++)
        if (at->out.p[i]) {
            p->value[at->out.p[i]] = p->out[i];
            p->out[i] = NULL;
        }
    drop(k, p->out, p->most);
    drop(k, x, at->in.n);
    return s;
}

/* Output i: the value, which becomes the caller's; of an input, and of what was given before, another variable. */
static rt_buffer *give(const control_run *k, uint32_t i) {
    const ir_ref r = k->p->result[i];
    rt_buffer *b = take(k, r), *own = b;
    bool again = k->p->input[r] >= 0;
    for (uint32_t j = 0; j < i; j++) again |= k->p->result[j] == r;
    if (!b || !again) return b;
    if (!b->foreign) {
        own = rt_buffer_alias(k->c, b);
    } else {
        own = rt_buffer_new(k->c, b->dtype, k->p->base.outputs[i].layout);
        if (own && rt_move_bytes(rt_start(own), rt_start(b), own->bytes, k->e)) {
            rt_buffer_unref(k->c, own);
            own = NULL;
        }
    }
    rt_buffer_unref(k->c, b);
    return own;
}

/* Results of step i that no later one needs. */
static void drop_dead(const control_run *k, uint32_t i) {
    const refs *out = &k->p->steps.p[i].out;
    for (uint32_t j = 0; j < out->n; j++)
        if (k->p->last[out->p[j]] == i) drop(k, &k->p->value[out->p[j]], 1);
}

/* Which inputs' memory the caller offers. */
static void note_offers(control_program *p, const rt_call *call) {
    for (uint32_t i = 0; i < p->base.ninputs; i++) {
        p->offered[i] = 0;
        for (uint32_t j = 0; j < p->base.noutputs && call->in[i]; j++)
            if (call->out[j] == call->in[i]) p->offered[i] = call->in[i]->refs;
    }
}

static bz_status control_run_all(bz_context *c, rt_program *base, const rt_call *call,
                                 bz_error *e) {
    control_program *p = (control_program *)base;
    control_run k = {c, p, call, e, 0};
    rt_buffer **x = bz_mem_zero(p->most + 1, sizeof *x);
    bz_status s = x ? BZ_OK : no_memory(&k);
    note_offers(p, call);
    for (; k.at < p->steps.n && !s; k.at++) {
        s = run_step(&k, &p->steps.p[k.at], x);
        if (!s) drop_dead(&k, k.at);
    }
    for (uint32_t i = 0; i < base->noutputs && !s; i++) {
        rt_buffer *b = give(&k, i);
        if (!b) s = no_memory(&k);
        rt_buffer_unref(c, call->out[i]);
        call->out[i] = b;
    }
    drop(&k, p->value, p->nnodes);
    bz_mem_free(x);
    return s;
}

/* ---- the device's functions */

static void control_free(bz_context *c, rt_program *base) {
    control_program *p = (control_program *)base;
    for (uint32_t s = 0; s < p->steps.n; s++) {
        free_piece(c, &p->steps.p[s].of);
        free_piece(c, &p->steps.p[s].other);
        bz_mem_free(p->steps.p[s].call.results);
        bz_vec_free(&p->steps.p[s].in);
        bz_vec_free(&p->steps.p[s].out);
    }
    bz_vec_free(&p->steps);
    bz_mem_free(p->last);
    bz_mem_free(p->input);
    bz_mem_free(p->dtype);
    bz_mem_free(p->argument);
    bz_mem_free(p->offered);
    bz_mem_free(p->result);
    bz_mem_free(p->value);
    bz_mem_free(p->in);
    bz_mem_free(p->out);
    bz_mem_free(p->bits);
    bz_mem_free(p);
}

static const rt_device control = {.computes = true, .run = control_run_all, .free = control_free};

static rt_program *compile(bz_context *c, const ir_graph *g, unsigned how, bz_error *e) {
    control_program *p = bz_mem_zero(1, sizeof *p);
    if (!p) return bz_fail(e, BZ_ENOMEM, "out of memory"), NULL;
    cutter k = {c, g, p, how, e, ir_live(g), bz_mem_zero(g->n.n, 1), bz_mem_zero(g->n.n, 1)};
    p->nnodes = g->n.n;
    p->base.gives = true;
    p->last = bz_mem_zero(g->n.n, sizeof *p->last);
    p->input = bz_mem_alloc(g->n.n * sizeof *p->input);
    bool ok = (k.live && k.known && k.inside && p->last && p->input) || lacks_memory(&k);
    for (ir_ref r = 0; ok && r < g->n.n; r++) p->input[r] = -1;
    ok = ok && rt_program_init(c, &p->base, &control, g, e) && cut(&k);
    if (ok && !plan_values(p, g)) ok = lacks_memory(&k);
    bz_mem_free(k.live);
    bz_mem_free(k.known);
    bz_mem_free(k.inside);
    if (ok) return &p->base;
    p->base.device = &control;
    rt_program_free(c, &p->base);
    return NULL;
}

/* What a context recorded of functions of C is made canonical first: what belongs to gradients that nobody took has no values and goes, and
 * what several tensors stand for, as a result of a call, becomes one node. */
static ir_graph *prepare(bz_context *c, const ir_graph *g, bz_error *e) {
    ir_graph *own = pass_join_loops(g, e), *canonical = NULL;
    bool calls = false;
    for (ir_ref r = 1; own && r < own->n.n; r++) calls |= ir_at(own, r)->op == IR_EXTERNAL;
    if (!calls) return own;
    canonical = pass_canon(own, &c->target, e);
    ir_graph_free(own);
    return canonical;
}

rt_program *rt_control_compile(bz_context *c, const ir_graph *g, unsigned how, bz_error *e) {
    ir_graph *own = prepare(c, g, e);
    rt_program *p = own ? compile(c, own, how, e) : NULL;
    ir_graph_free(own);
    return p;
}
