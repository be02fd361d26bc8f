/* print.c - a graph as text: every node with its type, so that reading it gives the same nodes
 * under the same numbers.
 *
 *     graph main(x: f32[2,3]) {
 *         %2 = exp %x : f32[2,3] @ "train.c:31"
 *         return %2 as out0
 *     } */
#include "src/ir/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- numbers */

/* The shortest decimal that reads back as the same bits; as %g has it, and never as an integer. */
static void print_finite(bz_text *t, bz_dtype type, double v) {
    ir_decimal d = ir_decimal_shortest(type, v);
    bool fixed = d.exponent >= -4 && d.exponent < d.n;
    int point = fixed && d.exponent > 0 ? d.exponent + 1 : 1; /* digits before it */
    bz_text_str(t, d.minus ? "-" : "");
    if (fixed && d.exponent < 0) {
        bz_textf(t, "0.%.*s%.*s", -d.exponent - 1, "000", d.n, d.digits);
        return;
    }
    bz_textf(t, "%.*s", point, d.digits);
    if (d.n > point || fixed)
        bz_textf(t, ".%.*s", d.n > point ? d.n - point : 1, d.n > point ? d.digits + point : "0");
    if (!fixed) bz_textf(t, "e%+03d", d.exponent);
}

void tx_print_bits(bz_text *t, bz_dtype type, ir_bits v) {
    char digits[IR_DIGITS];
    if (!ir_is_float(type)) {
        if (type == BZ_BOOL)
            bz_text_str(t, v ? "true" : "false");
        else
            bz_text_str(t, ir_digits(digits, ir_number_of_bits(type, v)));
        return;
    }
    double d = ir_bits_to_f64(type, v);
    if (isnan(d) && v == ir_bits_from_f64(type, (double)NAN))
        bz_text_str(t, "nan");
    else if (isnan(d))
        bz_textf(t, "bits(0x%llx)", (unsigned long long)v);
    else if (isinf(d))
        bz_text_str(t, d < 0 ? "-inf" : "inf");
    else
        print_finite(t, type, d);
}

void tx_print_double(bz_text *t, double v) {
    tx_print_bits(t, BZ_F64, ir_bits_from_f64(BZ_F64, v));
}

/* ---- names */

static void print_name(bz_text *t, const char *s) {
    if (tx_is_word(s))
        bz_text_str(t, s);
    else
        bz_text_json(t, s);
}

/* Inputs by name, other nodes by number. */
static void print_ref(bz_text *t, const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    bz_text_str(t, "%");
    if (n->op == IR_INPUT)
        print_name(t, g->inputs.p[ir_attrs(g, n)[0]].name);
    else
        bz_textf(t, "%u", r);
}

/* ---- inputs and symbols */

static void print_input(bz_text *t, const ir_graph *g, const ir_input *in, bool line) {
    print_name(t, in->name);
    bz_text_str(t, line ? " : " : ": ");
    bz_text_str(t, in->scalar ? "scalar " : in->lasts ? "lasting " : "");
    ir_print_shape(t, g, in->node);
    if (in->fill) tx_print_fill(t, in);
}

static void mark_symbols(const ir_exprs *x, ir_ex e, bool *used) {
    const ir_ex_node *n = ir_ex_at(x, e);
    if (n->kind == EX_SYM) used[e] = true;
    if (n->kind < EX_ADD) return;
    mark_symbols(x, n->a, used);
    mark_symbols(x, n->b, used);
}

/* The symbols of the graph's dimensions, in the order in which they were made. Returns how many. */
static unsigned print_symbols(bz_text *t, const ir_graph *g) {
    const ir_exprs *x = &g->m->ex;
    unsigned count = 0;
    bool *used = bz_mem_zero(x->n.n, sizeof *used);
    if (!used) {
        t->failed = true;
        return 0;
    }
    for (uint32_t i = 0; i < g->dims.n; i++) mark_symbols(x, g->dims.p[i], used);
    for (ir_ex e = 0; e < x->n.n; e++) {
        const ir_ex_node *n = ir_ex_at(x, e);
        if (!used[e]) continue;
        bz_text_str(t, count++ ? ", " : "");
        ir_ex_print(t, x, e);
        bz_text_str(t, ": sym");
        if (n->lo != 0 || n->hi != IR_EX_MAX)
            bz_textf(t, "(%lld, %lld)", (long long)n->lo, (long long)n->hi);
    }
    bz_mem_free(used);
    return count;
}

/* Inputs that are the first nodes and have no source line stand in the head, the others where their
 * nodes are. */
static uint32_t inputs_in_head(const ir_graph *g) {
    uint32_t n = 0;
    while (n < g->inputs.n && g->inputs.p[n].node == n + 1 && !g->sites.p[n + 1]) n++;
    return n;
}

static void print_head(bz_text *t, const ir_graph *g, uint32_t inputs) {
    bz_text_str(t, "graph ");
    print_name(t, g->name);
    bz_text_str(t, "(");
    unsigned before = print_symbols(t, g);
    for (uint32_t i = 0; i < inputs; i++) {
        bz_text_str(t, before++ ? ", " : "");
        print_input(t, g, &g->inputs.p[i], false);
    }
    bz_text_str(t, ") {\n");
}

/* ---- nodes */

static void print_node(bz_text *t, const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    bz_textf(t, "    %%%u = %s", r, ir_ops[n->op].name);
    if (n->op == IR_INPUT) {
        bz_text_str(t, " ");
        print_input(t, g, &g->inputs.p[ir_attrs(g, n)[0]], true);
    } else {
        for (unsigned k = 0; k < n->nin; k++) {
            bz_text_str(t, k ? ", " : " ");
            print_ref(t, g, ir_in(g, n)[k]);
        }
        tx_print_attrs(t, g, r);
        bool tuple = n->flags & IR_IS_TUPLE;
        bz_text_str(t, tuple ? " : (" : " : ");
        ir_print_shape(t, g, r);
        bz_text_str(t, tuple ? ")" : "");
    }
    if (g->sites.p[r]) {
        bz_text_str(t, " @ ");
        bz_text_json(t, g->sites.p[r]);
    }
    bz_text_str(t, "\n");
}

static void print_outputs(bz_text *t, const ir_graph *g) {
    bz_text_str(t, "    return");
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        const ir_output *o = &g->outputs.p[i];
        bz_text_str(t, i ? ", " : " ");
        print_ref(t, g, o->node);
        bz_text_str(t, " as ");
        print_name(t, o->name);
        if (o->donated >= 0) {
            bz_text_str(t, " donate ");
            print_name(t, g->inputs.p[o->donated].name);
        }
    }
    bz_text_str(t, "\n}\n");
}

void ir_print(bz_text *t, const ir_graph *g) {
    uint32_t head = inputs_in_head(g);
    print_head(t, g, head);
    for (ir_ref r = head + 1; r < g->n.n; r++) print_node(t, g, r);
    print_outputs(t, g);
}

void ir_print_module(bz_text *t, const ir_module *m) {
    for (uint32_t i = 0; i < m->graphs.n; i++) {
        if (!m->graphs.p[i]) continue;
        bz_text_str(t, i ? "\n" : "");
        ir_print(t, m->graphs.p[i]);
    }
}
