/* parse.c - the text form read: graphs, their inputs, lines and outputs. docs/ir.md has the
 * grammar.
 *
 * Tokens are made first, so that graphs may name one another in any order: a graph is parsed when a
 * line needs it, or when its turn comes. All that can be wrong in a text is an error with its
 * place; the first one wins. */
#include "src/ir/external.h"
#include "src/ir/text_parse.h"

#include <stdio.h>
#include <string.h>

/* ---- lines */

static bool end_of_line(const tx_parser *p) {
    return tp_peek(p)->newline || tp_peek(p)->kind == TX_END || tp_at(p, '}');
}

/* Something else stands where an operand should: what may have been meant. */
static bool no_operand(tx_parser *p, uint32_t tok) {
    const tx_token *t = &p->tok.p[tok];
    const char *word = p->text + t->at;
    ir_op op = t->kind == TX_WORD ? ir_op_from_name(word, t->n) : IR_NIL;
    char name[64];
    bz_snprintf(name, sizeof name, "%.*s", (int)t->n, word);
    if (t->kind == TX_VALUE)
        return tx_fail(p, tok, BZ_EPARSE, "operands stand without parentheses: add %%x, %%y");
    if (t->kind != TX_WORD)
        return tx_fail(p, tok, BZ_EPARSE, "an operand is a %%value or a number");
    if (ir_op_is_elementwise(op) || ir_builder_find(name))
        return tx_fail(p, tok, BZ_EPARSE,
                       "calls do not nest: give '%s' a line of its own, and its %%result here",
                       name);
    const tx_token *next = t + 1; /* a word is not the last token: the end is one */
    if (next->kind != TX_END && p->text[next->at] == '=')
        return tx_fail(p, tok, BZ_EPARSE,
                       "attributes stand in braces behind the operands: {%s=...}", name);
    return tx_fail(p, tok, BZ_EPARSE, "an operand is a %%value or a number; is it %%%s?", name);
}

/* A value, or a number, which waits among the line's until its dtype is known. */
static bool operand(tx_parser *p, tp_scope *s, tx_line *l) {
    tx_operand_number n = {.operand = l->operands.n};
    uint32_t tok = p->at;
    ir_ref r = 0;
    if (tp_peek(p)->kind == TX_VALUE) {
        p->at++;
        if (!(r = tp_look_up(p, s, tok))) return false;
    } else {
        if (tp_at(p, '(') && p->tok.p[tok + 1].kind != TX_END) return no_operand(p, tok + 1);
        if (!tp_primary(p, &n.v)) return false;
        if (n.v.kind < TX_V_INT || n.v.kind > TX_V_BOOL) return no_operand(p, tok);
        if (!bz_vec_push(&l->numbers, n)) return tp_no_memory(p);
    }
    return bz_vec_push(&l->operands, r) || tp_no_memory(p);
}

static bool operands(tx_parser *p, tp_scope *s, tx_line *l) {
    while (!end_of_line(p) && !tp_at(p, '{') && !tp_at(p, ':') && !tp_at(p, '@')) {
        if (l->operands.n == UINT16_MAX)
            return tx_fail(p, p->at, BZ_EARG, "more than %d operands", UINT16_MAX);
        if (!operand(p, s, l)) return false;
        tp_accept(p, ',');
    }
    return true;
}

static bool attribute(tx_parser *p, tx_line *l) {
    tx_attr a = {.tok = p->at, .v = {.kind = TX_V_FLAG, .tok = p->at}};
    if (!(a.name = tp_name(p, "the name of an attribute"))) return false;
    for (uint32_t i = 0; i < l->attrs.n; i++) {
        if (!strcmp(l->attrs.p[i].name, a.name))
            return tx_fail(p, a.tok, BZ_EPARSE, "attribute '%s' is given twice", a.name);
    }
    if (l->attrs.n == 64) return tx_fail(p, a.tok, BZ_EPARSE, "more than 64 attributes");
    return (!tp_accept(p, '=') || tp_value(p, &a.v)) &&
           (bz_vec_push(&l->attrs, a) || tp_no_memory(p));
}

static bool attributes(tx_parser *p, tx_line *l) {
    if (end_of_line(p) || !tp_accept(p, '{')) return true;
    while (!tp_at(p, '}')) {
        if (!attribute(p, l)) return false;
        if (!tp_accept(p, ',') && !tp_at(p, '}')) return tp_expected(p, "',' or '}'");
    }
    return tp_want(p, '}');
}

static bool line_type(tx_parser *p, tx_line *l) {
    if (end_of_line(p) || !tp_accept(p, ':')) return true;
    l->typed = true;
    l->type_tok = p->at;
    l->tuple = tp_accept(p, '(');
    return tp_type(p, &l->dtype, l->dims, &l->rank) && (!l->tuple || tp_want(p, ')'));
}

/* The line on which a token stands; counts on from the last one asked for. */
static int line_of(tx_parser *p, uint32_t tok) {
    uint32_t at = p->tok.p[tok].at;
    if (at < p->seen || !p->seen_line) {
        p->seen = 0;
        p->seen_line = 1;
    }
    for (; p->seen < at; p->seen++) p->seen_line += p->text[p->seen] == '\n';
    return p->seen_line;
}

/* The source line that nodes get: as written behind @, or that of the text for a call. */
static bool site(tx_parser *p, ir_graph *g, const tx_line *l) {
    char made[300];
    const char *given = NULL;
    if (!end_of_line(p) && tp_accept(p, '@')) {
        if (tp_peek(p)->kind != TX_STRING) return tp_expected(p, "the source line as a string");
        if (!(given = tp_text(p, p->at++))) return false;
    } else if (!l->typed && p->file) {
        snprintf(made, sizeof made, "%s:%d", p->file, line_of(p, l->op_tok));
        given = made;
    }
    g->site = given ? bz_arena_str(&g->arena, given) : NULL;
    return !given || g->site || tp_no_memory(p);
}

static bool bind_results(tx_parser *p, tp_scope *s, const tx_line *l, const ir_ref *out, unsigned n,
                         bool tuple) {
    if (tuple) n = ir_result_count(s->g, out[0]);
    if (l->results.n > n)
        return tx_fail(p, l->results.p[n].tok, BZ_EPARSE, "%s gives %u result%s", l->op, n,
                       n == 1 ? "" : "s");
    for (uint32_t i = 0; i < l->results.n; i++) {
        ir_ref r = tuple ? ir_result(s->g, out[0], i) : out[i];
        if (!r) return tp_graph_error(p, s->g, l->op_tok);
        if (!tp_bind(p, s, l->results.p[i].tok, l->results.p[i].name, r)) return false;
    }
    return true;
}

/* A call with a type must give that type. */
static bool check_type(tx_parser *p, ir_graph *g, const tx_line *l, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    bool same = n->dtype == l->dtype && n->rank == l->rank && !l->tuple;
    for (unsigned a = 0; same && a < l->rank; a++) same = ir_dims(g, n)[a] == l->dims[a];
    return same || tx_fail(p, l->type_tok, BZ_ESHAPE, "%s gives %s", l->op, ir_shape_text(g, r));
}

static bool build_line(tx_parser *p, tp_scope *s, tx_line *l) {
    bool tuple = false;
    unsigned n = 1;
    ir_ref node = 0;
    const ir_ref *out = &node;
    ir_op op = ir_op_from_name(l->op, strlen(l->op));
    if (l->typed && op != IR_NIL) {
        node = tx_numbers(p, s->g, l, op) ? tx_node(p, s->g, op, l) : 0;
        n = node != 0;
    } else {
        n = ir_autocast(s->g, p->as.autocast, op, l->op, l->operands.p, l->operands.n)
                ? tx_call(p, s->g, l, &out, &tuple)
                : 0;
    }
    if (tx_failed(p)) return false;
    if (!n) return tp_graph_error(p, s->g, l->op_tok);
    if (l->typed && op == IR_NIL && !check_type(p, s->g, l, out[0])) return false;
    return bind_results(p, s, l, out, n, tuple);
}

static bool result_names(tx_parser *p, tx_line *l) {
    do {
        if (tp_peek(p)->kind != TX_VALUE)
            return tp_expected(p, "a %value, as in '%y = exp %x', or 'return'");
        tx_name name = {tp_key(p, p->at), p->at};
        if (!name.name || !(bz_vec_push(&l->results, name) || tp_no_memory(p))) return false;
        p->at++;
    } while (tp_accept(p, ','));
    return tp_want(p, '=');
}

/* %7 = input y : f32[3] */
static bool input_line(tx_parser *p, tp_scope *s, const tx_line *l) {
    ir_ref r = 0;
    uint32_t tok = p->at;
    if (!tp_input(p, s, &r)) return false;
    if (!r) return tx_fail(p, tok, BZ_EPARSE, "symbols are declared among the inputs at the top");
    const char *name = s->names.p[s->names.n - 1].name;
    return !strcmp(name, l->results.p[0].name) || bind_results(p, s, l, &r, 1, false);
}

static bool line_body(tx_parser *p, tp_scope *s, tx_line *l) {
    l->op_tok = p->at;
    if (tp_peek(p)->kind != TX_WORD)
        return tp_expected(p, "the name of an op, as in '%y = add %x, 1'");
    if (!(l->op = tp_text(p, p->at++))) return false;
    if (!strcmp(l->op, "input"))
        return input_line(p, s, l) && site(p, s->g, &(tx_line){.typed = true}) &&
               (s->g->sites.p[s->g->n.n - 1] = s->g->site, true);
    return operands(p, s, l) && attributes(p, l) && line_type(p, l) && site(p, s->g, l) &&
           build_line(p, s, l);
}

static bool line(tx_parser *p, tp_scope *s) {
    tx_line l = {0};
    bool ok = result_names(p, &l) && line_body(p, s, &l);
    ok = ok && (end_of_line(p) || tp_expected(p, "the end of the line"));
    bz_vec_free(&l.results);
    bz_vec_free(&l.operands);
    bz_vec_free(&l.numbers);
    bz_vec_free(&l.attrs);
    bz_arena_reset(&p->line);
    s->g->site = NULL;
    return ok;
}

/* ---- outputs */

static bool donated_input(tx_parser *p, const ir_graph *g, int *number) {
    uint32_t tok = p->at;
    if (tp_peek(p)->kind != TX_WORD && tp_peek(p)->kind != TX_STRING &&
        tp_peek(p)->kind != TX_VALUE)
        return tp_expected(p, "the name of an input");
    const char *name = tp_text(p, p->at++);
    *number = name ? ir_input_named(g, name) : -1;
    if (*number >= 0) return true;
    return name && tx_fail(p, tok, BZ_EARG, "no input is named '%s'", name);
}

/* A value, or a number beside nothing. */
static ir_ref returned(tx_parser *p, tp_scope *s) {
    tx_line l = {0};
    ir_ref r = operand(p, s, &l) && tx_numbers(p, s->g, &l, IR_NIL) ? l.operands.p[0] : 0;
    bz_vec_free(&l.operands);
    bz_vec_free(&l.numbers);
    return r;
}

/* %7 as loss, %8 as w donate w */
static bool outputs(tx_parser *p, tp_scope *s) {
    while (!tp_at(p, '}')) {
        uint32_t tok = p->at;
        int donated = -1;
        const char *name = NULL;
        ir_ref r = returned(p, s);
        if (!r || (tp_accept_word(p, "as") && !(name = tp_name(p, "a name")))) return false;
        if (tp_accept_word(p, "donate") && !donated_input(p, s->g, &donated)) return false;
        if (ir_at(s->g, r)->flags & IR_IS_TUPLE)
            return tx_fail(p, tok, BZ_EARG,
                           "several results cannot be one output; take them with 'result'");
        for (uint32_t i = 0; name && i < s->g->outputs.n; i++)
            if (!strcmp(s->g->outputs.p[i].name, name))
                return tx_fail(p, tok, BZ_EARG, "two outputs are named '%s'", name);
        if (ir_output_add(s->g, name, r, donated)) return tp_graph_error(p, s->g, tok);
        if (!tp_accept(p, ',') && !tp_at(p, '}')) return tp_expected(p, "',' or '}'");
    }
    return true;
}

/* ---- graphs */

int64_t tx_external(tx_parser *p, const char *name) {
    return ir_external_find(p->m, name);
}

static bool graph_inside(tx_parser *p, tp_scope *s) {
    if (!tp_inputs(p, s) || !tp_want(p, '{')) return false;
    while (!tp_accept_word(p, "return")) {
        if (tp_at(p, '}'))
            return tx_fail(p, p->at, BZ_EPARSE, "graph %s has no 'return'", s->g->name);
        if (!line(p, s)) return false;
    }
    if (!outputs(p, s) || !tp_want(p, '}')) return false;
    bz_error wrong = {0};
    if (ir_verify(s->g, IR_ANY_GRAPH, &wrong))
        return tx_fail(p, p->at - 1, wrong.status, "%s", wrong.text);
    return true;
}

/* Parses graph number k unless it is read; `tok` asks for it. */
static bool read_graph(tx_parser *p, uint32_t k, uint32_t tok) {
    tp_body *b = &p->bodies.p[k];
    if (b->state == READ) return true;
    if (b->state == READING || p->depth >= TX_MAX_DEPTH)
        return tx_fail(p, tok, BZ_EPARSE,
                       "graph %s applies itself, or graphs nest more than %d deep", b->name,
                       TX_MAX_DEPTH);
    uint32_t back = p->at;
    tp_scope s = {.g = p->m->graphs.p[k]};
    bz_arena line_of_caller = p->line;
    p->line = (bz_arena){0};
    b->state = READING;
    p->at = b->tok + 1;
    p->depth++;
    bool ok = graph_inside(p, &s);
    p->depth--;
    p->bodies.p[k].state = READ;
    bz_vec_free(&s.names);
    bz_mem_free(s.slots);
    bz_arena_free(&p->line);
    p->line = line_of_caller;
    p->at = ok ? back : p->at;
    return ok;
}

bool tx_graph(tx_parser *p, const tx_val *v, int64_t *number) {
    for (uint32_t k = 0; v->kind <= TX_V_STRING && v->kind >= TX_V_WORD && k < p->bodies.n; k++) {
        if (!strcmp(p->bodies.p[k].name, v->u.s)) {
            *number = k;
            return read_graph(p, k, v->tok);
        }
    }
    return tx_fail(p, v->tok, BZ_EPARSE, "the name of a graph is expected here");
}

/* Adds an empty graph for each `graph NAME`, so that lines may name them. */
static bool announce(tx_parser *p) {
    if (!tp_accept_word(p, "graph")) return tp_expected(p, "'graph'");
    tp_body b = {.tok = p->at};
    if (!(b.name = tp_name(p, "the name of the graph"))) return false;
    for (uint32_t k = 0; k < p->bodies.n; k++) {
        if (!strcmp(p->bodies.p[k].name, b.name))
            return tx_fail(p, b.tok, BZ_EPARSE, "two graphs are named '%s'", b.name);
    }
    if (p->bodies.n == TX_MAX_GRAPHS)
        return tx_fail(p, b.tok, BZ_EPARSE, "more than %d graphs", TX_MAX_GRAPHS);
    ir_graph *g = ir_graph_new(p->m, b.name);
    if (!g || ir_module_add(p->m, g)) {
        ir_graph_free(g);
        return tp_no_memory(p);
    }
    return bz_vec_push(&p->bodies, b) || tp_no_memory(p);
}

/* Behind the braces of the graph that starts here, or at the end of the text. */
static void skip_graph(tx_parser *p) {
    unsigned open = 0;
    for (; tp_peek(p)->kind != TX_END; p->at++) {
        open += tp_at(p, '{');
        if (tp_at(p, '}') && open && --open == 0) {
            p->at++;
            return;
        }
    }
}

static bool module(tx_parser *p) {
    do {
        if (!announce(p)) return false;
        skip_graph(p);
    } while (tp_peek(p)->kind != TX_END);
    for (uint32_t k = 0; k < p->bodies.n; k++) {
        if (!read_graph(p, k, p->bodies.p[k].tok)) return false;
    }
    return true;
}

ir_module *ir_parse(const char *text, size_t n, const char *file, bz_error *e) {
    return ir_parse_as(text, n, file, &(ir_reading){0}, e);
}

ir_module *ir_parse_as(const char *text, size_t n, const char *file, const ir_reading *as,
                       bz_error *e) {
    bz_error own = {0};
    tx_parser p = {.text = text, .file = file, .e = &own, .m = ir_module_new(), .as = *as};
    if (!p.m) bz_fail(&own, BZ_ENOMEM, "out of memory");
    bool ok = p.m && tx_lex(text, n, &p.tok, &own) &&
              !(as->externals && as->externals(p.m, as->externals_user, &own)) && module(&p);
    bz_vec_free(&p.tok);
    bz_vec_free(&p.bodies);
    bz_arena_free(&p.names);
    bz_arena_free(&p.line);
    if (ok) return p.m;
    ir_module_free(p.m);
    if (e && !e->status) *e = own;
    return NULL;
}
