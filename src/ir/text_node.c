/* text_node.c - primitives in the text form: their attribute numbers under names, both ways.
 *
 *     slice  [start0, step0, start1, step1]   <-->   {start=[start0, start1], step=[step0, step1]}
 *
 * The fields of an op's row (structs.def) say what its numbers mean; printing and reading walk them. */
#include "src/ir/external.h"
#include "src/ir/structs.h"
#include "src/ir/text.h"

#include <string.h>

static const char *const orders[] = {"any", "last", "lead", "dot"};

enum { WOVEN_MOST = 4 };

/* How many names there are. */
static unsigned count_names(const char *names) {
    unsigned n = 1;
    for (; *names; names++) n += *names == ' ';
    return n;
}

/* Word number k of a list of names. */
static const char *name_at(const char *names, unsigned k, char buf[16]) {
    for (; k; k--) names += strcspn(names, " ") + 1;
    size_t n = strcspn(names, " ");
    memcpy(buf, names, n);
    buf[n] = '\0';
    return buf;
}

/* ---- printing */

static void print_list(bz_text *t, const char *name, const int64_t *v, size_t n, size_t stride) {
    bz_textf(t, "%s=[", name);
    for (size_t i = 0; i < n; i++) bz_textf(t, "%s%lld", i ? ", " : "", (long long)v[i * stride]);
    bz_text_str(t, "]");
}

static void print_values(bz_text *t, bz_dtype type, const int64_t *v, size_t n) {
    if (n == 1) {
        tx_print_bits(t, type, (ir_bits)v[0]);
        return;
    }
    bz_text_str(t, "[");
    for (size_t i = 0; i < n; i++) {
        bz_text_str(t, i ? ", " : "");
        tx_print_bits(t, type, (ir_bits)v[i]);
    }
    bz_text_str(t, "]");
}

static void print_dot_lists(bz_text *t, const ir_graph *g, const ir_node *n) {
    ir_dot_attr d = ir_dot_get(g, n);
    const char *sep = "";
    if (d.nbatch) {
        print_list(t, "lbatch", d.lbatch, d.nbatch, 1);
        bz_text_str(t, ", ");
        print_list(t, "rbatch", d.rbatch, d.nbatch, 1);
        sep = ", ";
    }
    bz_text_str(t, sep);
    print_list(t, "lcontract", d.lcontract, d.ncontract, 1);
    bz_text_str(t, ", ");
    print_list(t, "rcontract", d.rcontract, d.ncontract, 1);
}

static void print_name(bz_text *t, const char *s) {
    if (tx_is_word(s))
        bz_text_str(t, s);
    else
        bz_text_json(t, s);
}

/* Prints a field whose first number is a[0]; how many numbers it took. */
static unsigned print_field(bz_text *t, const ir_graph *g, const ir_node *n, const ir_field *f,
                            const int64_t *a, unsigned left) {
    char buf[16];
    if (f->kind == IR_F_WOVEN) {
        const unsigned lists = count_names(f->name);
        for (unsigned k = 0; k < lists; k++) {
            bz_text_str(t, k ? ", " : "");
            print_list(t, name_at(f->name, k, buf), a + k, left / lists, lists);
        }
        return left;
    }
    if (f->kind == IR_F_DOT) return print_dot_lists(t, g, n), left;
    if (f->kind == IR_F_FLAG) return bz_text_str(t, f->name), 1;
    if (f->kind == IR_F_REST) return print_list(t, f->name, a, left, 1), left;
    bz_textf(t, "%s=", f->name);
    switch (f->kind) {
    case IR_F_VALUES: print_values(t, (bz_dtype)n->dtype, a, left); return left;
    case IR_F_VALUE: tx_print_bits(t, (bz_dtype)n->dtype, (ir_bits)a[0]); return 1;
    case IR_F_FOLD: bz_text_str(t, ir_reduce_name((ir_reduce_kind)a[0])); return 1;
    case IR_F_WAY: bz_text_str(t, ir_way_name((ir_way)a[0])); return 1;
    case IR_F_DTYPE: bz_text_str(t, ir_dtypes[a[0]].name); return 1;
    case IR_F_ORDER: bz_text_str(t, orders[a[0]]); return 1;
    case IR_F_GRAPH: print_name(t, g->m->graphs.p[a[0]]->name); return 1;
    case IR_F_OP: print_name(t, ir_external_at(g->m, a[0])->name); return 1;
    default: bz_textf(t, "%lld", (long long)a[0]); return 1;
    }
}

void tx_print_attrs(bz_text *t, const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    const ir_field *f = ir_structs[n->op].fields;
    unsigned at = 0;
    const char *sep = " {";
    for (; f->kind != IR_F_END; f++) {
        if (f->kind == IR_F_FLAG && !ir_attrs(g, n)[at]) {
            at++;
            continue;
        }
        bz_text_str(t, sep);
        at += print_field(t, g, n, f, ir_attrs(g, n) + at, n->nattr - at);
        sep = ", ";
    }
    bz_text_str(t, *sep == ' ' ? "" : "}");
}

/* ---- reading */

typedef struct reader {
    tx_parser *p;
    tx_line *l;
    BZ_VEC(int64_t) attr;
} reader;

static bool push(reader *r, int64_t v) {
    return bz_vec_push(&r->attr, v) || tx_fail(r->p, r->l->op_tok, BZ_ENOMEM, "out of memory");
}

static const tx_val *wanted(reader *r, const char *name) {
    tx_attr *t = tx_find(r->l, name);
    if (!t) tx_fail(r->p, r->l->op_tok, BZ_EARG, "%s with a type needs {%s=...}", r->l->op, name);
    return t ? &t->v : NULL;
}

/* The elements of a list attribute; NULL and an error when it is missing or too long. An empty list
 * when it is optional. */
static const tx_val *wanted_list(reader *r, const char *name, bool optional, uint32_t *n) {
    static const tx_val none;
    *n = 0;
    if (optional && !tx_find(r->l, name)) return &none;
    const tx_val *v = wanted(r, name);
    if (!v) return NULL;
    v = tx_list(v, n);
    if (*n > IR_MAX_RANK) {
        tx_fail(r->p, r->l->op_tok, BZ_EAXIS, "%s: %u numbers in %s; at most %d axes are possible",
                r->l->op, *n, name, IR_MAX_RANK);
        return NULL;
    }
    return *n ? v : &none;
}

static bool push_list(reader *r, const tx_val *v, uint32_t n) {
    for (uint32_t i = 0; i < n; i++) {
        int64_t x;
        if (!tx_int(r->p, &v[i], &x) || !push(r, x)) return false;
    }
    return true;
}

static bool read_woven(reader *r, const char *names) {
    char buf[WOVEN_MOST][16];
    uint32_t n[WOVEN_MOST];
    const tx_val *v[WOVEN_MOST];
    const unsigned lists = count_names(names);
    for (unsigned k = 0; k < lists; k++) {
        if (!(v[k] = wanted_list(r, name_at(names, k, buf[k]), false, &n[k]))) return false;
        if (n[k] != n[0])
            return tx_fail(r->p, r->l->op_tok, BZ_EAXIS, "%s: %s and %s have different lengths",
                           r->l->op, buf[0], buf[k]);
    }
    for (uint32_t i = 0; i < n[0] * lists; i++)
        if (!push_list(r, &v[i % lists][i / lists], 1)) return false;
    return true;
}

static bool read_dot(reader *r, const char *names) {
    char buf[16];
    uint32_t n[4];
    const tx_val *v[4];
    for (unsigned k = 0; k < 4; k++) {
        if (!(v[k] = wanted_list(r, name_at(names, k, buf), true, &n[k]))) return false;
    }
    if (n[0] != n[1] || n[2] != n[3])
        return tx_fail(r->p, r->l->op_tok, BZ_EAXIS,
                       "dot: the lists of x and y have different lengths");
    bool ok = push(r, n[0]) && push(r, n[2]);
    for (unsigned k = 0; k < 4; k++) ok = ok && push_list(r, v[k], n[k]);
    return ok;
}

static bool read_values(reader *r, const char *name) {
    uint32_t n = 0;
    const tx_val *v = wanted(r, name);
    if (!v) return false;
    v = tx_list(v, &n);
    for (uint32_t i = 0; i < n; i++) {
        ir_bits b;
        if (!tx_bits(r->p, &v[i], r->l->dtype, &b) || !push(r, (int64_t)b)) return false;
    }
    return true;
}

/* The number of a word in a list of names; an error names the attribute. */
static bool read_word(reader *r, const tx_val *v, const char *what, const char *(*name)(unsigned),
                      unsigned count) {
    for (unsigned k = 0; v->kind == TX_V_WORD && k < count; k++) {
        if (!strcmp(name(k), v->u.s)) return push(r, k);
    }
    return tx_fail(r->p, v->tok, BZ_EARG, "this is no %s", what);
}

static const char *order_name(unsigned k) {
    return orders[k];
}

static const char *fold_name(unsigned k) {
    return ir_reduce_name((ir_reduce_kind)k);
}

static const char *way_name(unsigned k) {
    return ir_way_name((ir_way)k);
}

static bool read_op(reader *r, const tx_val *v) {
    const bool named = v->kind == TX_V_WORD || v->kind == TX_V_STRING;
    const int64_t k = named ? tx_external(r->p, v->u.s) : -1;
    return k >= 0 ? push(r, k)
                  : tx_fail(r->p, v->tok, BZ_EPARSE, "the name of an op of a C function is expected");
}

static bool read_flag(reader *r, const char *name) {
    int64_t v = 1;
    tx_attr *t = tx_find(r->l, name);
    return (!t || t->v.kind == TX_V_FLAG || tx_int(r->p, &t->v, &v)) && push(r, t && v);
}

static bool read_single(reader *r, const ir_field *f) {
    int64_t number;
    ir_bits bits;
    bz_dtype t;
    const tx_val *v = wanted(r, f->name);
    if (!v) return false;
    switch (f->kind) {
    case IR_F_VALUE: return tx_bits(r->p, v, r->l->dtype, &bits) && push(r, (int64_t)bits);
    case IR_F_FOLD: return read_word(r, v, "kind of reduction", fold_name, IR_NREDUCE);
    case IR_F_WAY: return read_word(r, v, "way to combine elements", way_name, IR_NWAYS);
    case IR_F_ORDER: return read_word(r, v, "order of additions", order_name, BZ_LEN(orders));
    case IR_F_DTYPE: return tx_dtype(r->p, v, &t) && push(r, t);
    case IR_F_GRAPH: return tx_graph(r->p, v, &number) && push(r, number);
    case IR_F_OP: return read_op(r, v);
    default: return tx_int(r->p, v, &number) && push(r, number);
    }
}

static bool read_field(reader *r, const ir_field *f) {
    uint32_t n;
    const tx_val *v;
    switch (f->kind) {
    case IR_F_WOVEN: return read_woven(r, f->name);
    case IR_F_DOT: return read_dot(r, f->name);
    case IR_F_VALUES: return read_values(r, f->name);
    case IR_F_FLAG: return read_flag(r, f->name);
    case IR_F_REST: v = wanted_list(r, f->name, true, &n); return v && push_list(r, v, n);
    default: return read_single(r, f);
    }
}

static bool read_fields(reader *r, ir_op op) {
    for (const ir_field *f = ir_structs[op].fields; f->kind != IR_F_END; f++) {
        if (!read_field(r, f)) return false;
    }
    for (uint32_t i = 0; i < r->l->attrs.n; i++) {
        if (!r->l->attrs.p[i].used)
            return tx_fail(r->p, r->l->attrs.p[i].tok, BZ_EARG,
                           "%s with a type has no attribute '%s'", r->l->op, r->l->attrs.p[i].name);
    }
    return true;
}

static ir_ref append_verified(reader *r, ir_graph *g, ir_op op) {
    const tx_line *l = r->l;
    bz_error wrong = {0};
    bool many = ir_op_is_tuple(op);
    if (many != l->tuple) {
        tx_fail(r->p, l->type_tok, BZ_EPARSE,
                many ? "%s gives a tuple: its type stands in ()" : "%s gives one result", l->op);
        return 0;
    }
    ir_ref n = ir_append(g, op, l->dtype, l->dims, l->rank, l->operands.p, l->operands.n, r->attr.p,
                         r->attr.n);
    if (!n) return 0;
    if (ir_verify_node(g, n, &wrong)) {
        tx_fail(r->p, l->op_tok, wrong.status, "%s", wrong.text);
        return 0;
    }
    return n;
}

ir_ref tx_node(tx_parser *p, ir_graph *g, ir_op op, tx_line *l) {
    reader r = {.p = p, .l = l};
    ir_ref made = 0;
    if (op == IR_INPUT)
        tx_fail(p, l->op_tok, BZ_EPARSE, "an input is written '%%1 = input name : type'");
    else if (read_fields(&r, op))
        made = append_verified(&r, g, op);
    bz_vec_free(&r.attr);
    return made;
}
