/* body.c - a function whose calls depend on values becomes a graph of its own: what cond and while apply.
 *
 *      recorded:   n1 n2 ... | stand-ins --fn--> n7 n8 n9        the line: nodes when the call began
 *      graph:      inputs, for the stand-ins and for what is read from left of the line (captured) --> n7 n8 n9
 *
 * What the function recorded stays in the recording, where nothing reads it. Constants are nobody's: each graph has its own. */
#include "runtime/compile/body.h"

#include <stdio.h>
#include <string.h>

static bz_status failed(bz_context *c) {
    return c->err.status ? c->err.status : rt_no_memory(c);
}

/* ---- a function recorded */

bz_status rt_check_result(bz_context *c, const rt_host_function *f, int k, bz_tensor *out) {
    const rt_tensor *t;
    const bz_status s = rt_output_tensor(c, f, k, out, &t);
    if (s || !rt_is_number(t->st)) return s;
    return rt_fail(c, BZ_EARG, f->site, f->op,
                   "output %d of the %sfunction is a bz_scalar: make a tensor of it", k, f->which);
}

static bz_status record_inside(const rt_bodies *q, rt_body *b, const ir_ref *like, bz_tensor **x) {
    bz_context *c = q->rec->c;
    ir_graph *g = q->rec->g;
    for (int j = 0; j < b->f.nin; j++) {
        b->operand[j] = ir_stand_in(g, like[j]);
        const rt_layout *l = b->operand[j] ? rt_layout_of_node(c, g, b->operand[j]) : NULL;
        x[j] = rt_operand_new(c, b->operand[j], l, false);
        if (!x[j]) return failed(c);
    }
    bz_status s = rt_run_function(c, &b->f, x, x + b->f.nin);
    for (int k = 0; k < b->f.nout && !s; k++) {
        s = rt_check_result(c, &b->f, k, x[b->f.nin + k]);
        if (!s) s = rt_output_node(c, &b->f, k, x[b->f.nin + k], &b->out[k]);
    }
    return s;
}

bz_status rt_body_record(rt_bodies *q, rt_body *b, const ir_ref *like) {
    bz_context *c = q->rec->c;
    const uint64_t births = c->lineage->births, joins = c->epoch->joins;
    bz_tensor **x = bz_mem_zero((size_t)(b->f.nin + b->f.nout), sizeof *x);
    rt_inside i;
    bz_status s = x ? rt_inside_begin(c, &i) : rt_no_memory(c);
    if (!s) {
        s = record_inside(q, b, like, x);
        if (!rt_inside_end(c, &i) && !s) s = c->err.status;
    }
    bz_mem_free(x);
    return s ? s : rt_lose_kept(c, births, joins, b->f.op, q->rec->site);
}

/* ---- what belongs to it */

/* Is node r where a value stands that comes from before the recording? Gradients ask for it (lineage.c): it stays where they look. */
static bool is_source(const rt_epoch *e, ir_ref r) {
    for (uint32_t i = rt_source_at(e, r); i--; i = e->sources.p[i].before)
        if (!e->sources.p[i].former) return true;
    return false;
}

/* Does the recording have node r, rather than the function? */
static bool is_outside(const rt_bodies *q, ir_ref r) {
    const ir_graph *g = q->rec->g;
    const ir_node *n = ir_at(g, r);
    return r < q->line || n->op == IR_INPUT || is_source(q->rec->c->epoch, r) ||
           (n->op == IR_RESULT && ir_in(g, n)[0] < q->line);
}

static bool is_nobodys(const ir_graph *g, ir_ref r) {
    return ir_at(g, r)->nin == 0 && ir_at(g, r)->op != IR_INPUT;
}

enum { NEEDED = 1, GIVEN = 2 };

/* NEEDED: nodes that b's results are made of, up to those from outside; GIVEN: its operands. NULL: no memory. */
static uint8_t *mark(const rt_bodies *q, const rt_body *b) {
    const ir_graph *g = q->rec->g;
    uint8_t *marks = bz_mem_zero(g->n.n, 1);
    if (!marks) return NULL;
    for (int j = 0; j < b->f.nin; j++) marks[b->operand[j]] = GIVEN;
    for (int k = 0; k < b->f.nout; k++) marks[b->out[k]] |= NEEDED;
    for (ir_ref r = g->n.n; r-- > q->line;) {
        if (marks[r] != NEEDED || is_outside(q, r)) continue;
        for (unsigned k = 0; k < ir_at(g, r)->nin; k++) marks[ir_operand(g, r, k)] |= NEEDED;
    }
    return marks;
}

uint8_t *rt_body_needed(const rt_bodies *q, const rt_body *b) {
    uint8_t *marks = mark(q, b);
    for (ir_ref r = 1; marks && r < q->rec->g->n.n; r++)
        marks[r] = !(marks[r] & NEEDED)                   ? 0
                   : marks[r] & GIVEN || is_outside(q, r) ? RT_BODY_READ
                                                          : RT_BODY_OWN;
    return marks;
}

bool rt_bodies_capture(rt_bodies *q, const rt_body *b, unsigned n) {
    const ir_graph *g = q->rec->g;
    uint8_t *all = bz_mem_zero(g->n.n, 1);
    bool done = all != NULL;
    for (unsigned i = 0; i < n && done; i++) {
        uint8_t *own = mark(q, &b[i]);
        done = own != NULL;
        for (ir_ref r = 1; r < g->n.n && done; r++)
            all[r] |= own[r] == NEEDED && is_outside(q, r) && !is_nobodys(g, r);
        bz_mem_free(own);
    }
    for (ir_ref r = 1; r < g->n.n && done; r++)
        if (all[r]) done = bz_vec_push(&q->captured, r);
    bz_mem_free(all);
    return done;
}

/* ---- its graph */

/* An input for each operand and each captured node. */
static ir_graph *graph_new(const rt_bodies *q, const rt_body *b, const char *which, ir_ref *to) {
    const ir_graph *of = q->rec->g;
    char name[48];
    snprintf(name, sizeof name, "%s_%llu", which, (unsigned long long)of->m->made + 1);
    ir_graph *g = ir_graph_new(of->m, name);
    const uint32_t nin = (uint32_t)b->f.nin;
    for (uint32_t i = 0; g && i < nin + q->captured.n; i++) {
        const ir_ref r = i < nin ? b->operand[i] : q->captured.p[i - nin];
        const ir_node *n = ir_at(of, r);
        to[r] = ir_input_new(g, NULL, (bz_dtype)n->dtype, ir_dims(of, n), n->rank);
    }
    return g;
}

static void finish(const rt_bodies *q, ir_graph *g, bool done, int64_t *number) {
    *number = g && done && !g->err.status ? ir_module_lend(g->m, g) : -1;
    if (*number >= 0) return;
    bz_fail(&q->rec->g->err, g && g->err.status ? g->err.status : BZ_ENOMEM, "%s",
            g && g->err.status ? g->err.text : "out of memory");
    ir_graph_free(g);
}

/* The place in the random stream at which the turn at hand begins. */
static ir_ref place_of_turn(const rt_bodies *q, ir_graph *g, ir_ref turn, ir_ref place) {
    const ir_ref number = ir_build2(g, IR_SUB, turn, ir_const_i(g, BZ_I64, q->lo));
    return ir_build2(g, IR_ADD, place,
                     ir_build2(g, IR_MUL, number, ir_const_i(g, BZ_I64, (int64_t)q->words)));
}

static bool fill(const rt_bodies *q, const rt_body *b, ir_graph *g, ir_map *map, bool counts) {
    const ir_graph *of = q->rec->g;
    uint8_t *marks = mark(q, b);
    bool done = marks != NULL;
    const ir_ref turn = counts ? map->to[b->operand[0]] : 0;
    if (q->random && map->to[q->random])
        map->to[q->random] = place_of_turn(q, g, turn, map->to[q->random]);
    for (ir_ref r = 1; r < of->n.n && done; r++)
        if (marks[r] & NEEDED && !map->to[r])
            done = (map->to[r] = ir_rebuild_node(g, of, map, r)) != 0;
    bz_mem_free(marks);
    if (counts) ir_output_add(g, NULL, ir_build2(g, IR_ADD, turn, ir_const_i(g, BZ_I64, 1)), -1);
    for (int k = 0; k < b->f.nout && done; k++) ir_output_add(g, NULL, map->to[b->out[k]], -1);
    return done;
}

int64_t rt_body_graph(const rt_bodies *q, const rt_body *b, bool counts) {
    ir_map map = {bz_mem_zero(q->rec->g->n.n, sizeof *map.to), q->rec->g->n.n};
    char which[16];
    snprintf(which, sizeof which, "%.*s", (int)strcspn(b->f.which, " "), b->f.which);
    ir_graph *g = map.to ? graph_new(q, b, which, map.to) : NULL;
    int64_t number;
    finish(q, g, g && fill(q, b, g, &map, counts), &number);
    bz_mem_free(map.to);
    return number;
}

int64_t rt_true_graph(const rt_bodies *q, const rt_body *b) {
    ir_ref *to = bz_mem_zero(q->rec->g->n.n, sizeof *to);
    ir_graph *g = to ? graph_new(q, b, "always", to) : NULL;
    int64_t number;
    finish(q, g, g && !ir_output_add(g, NULL, ir_const_i(g, BZ_BOOL, 1), -1), &number);
    bz_mem_free(to);
    return number;
}
