/* builders.c - calls by name: the table of builders.def, attributes of a line as C arguments.
 *
 *     %3 = softmax %2 {axis=-1}   --find the row, check names-->  ir_softmax(g, X(0), INT(axis)) */
#include "src/ir/complex.h"
#include "src/ir/external.h"
#include "src/ir/index.h"
#include "src/ir/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tx_args {
    tx_parser *p;
    tx_line *l;
    const ir_builder *b;
    ir_graph *g;
    ir_ref out[TX_MAX_RESULTS];
    ir_parts parts;
};

/* ---- signatures: words of a string */

const char *tx_next_word(const char **s, size_t *n) {
    const char *w = *s + strspn(*s, " ");
    *n = strcspn(w, " ");
    *s = w + *n;
    return *n ? w : NULL;
}

/* The type and default ("int=-1") of an attribute, or NULL. */
static const char *attr_spec(const ir_builder *b, const char *name) {
    size_t n, len = strlen(name);
    for (const char *s = b->attrs, *w; (w = tx_next_word(&s, &n));) {
        if (n > len && w[len] == ':' && !memcmp(w, name, len)) return w + len + 1;
    }
    return NULL;
}

/* The default of an attribute as a NUL-terminated text in buf; NULL when it has none. */
static const char *attr_default(const ir_builder *b, const char *name, char buf[32]) {
    const char *spec = attr_spec(b, name), *eq = spec ? strchr(spec, '=') : NULL;
    size_t n = spec ? strcspn(spec, " ") : 0;
    if (!eq || eq >= spec + n) return NULL;
    snprintf(buf, 32, "%.*s", (int)(spec + n - eq - 1), eq + 1);
    return buf;
}

/* The value given for an attribute; NULL when it is left out, with an error when it must not be. */
static const tx_val *given(tx_args *a, const char *name) {
    char buf[32];
    tx_attr *t = tx_find(a->l, name);
    if (!t && !attr_default(a->b, name, buf))
        tx_fail(a->p, a->l->op_tok, BZ_EARG, "%s needs {%s=...}", a->b->name, name);
    return t ? &t->v : NULL;
}

/* ---- attributes as C values */

/* A default that is a number, or the word for one. */
static int64_t default_int(const char *text) {
    return !strcmp(text, "flat")   ? IR_FLAT
           : !strcmp(text, "open") || !strcmp(text, "none") ? INT64_MIN
                                   : strtoll(text, NULL, 10);
}

static int64_t arg_int64(tx_args *a, const char *name) {
    char buf[32];
    int64_t v = 0;
    const tx_val *t = given(a, name);
    const char *def = attr_default(a->b, name, buf);
    if (t)
        tx_int(a->p, t, &v);
    else if (def)
        v = default_int(def);
    return v;
}

static int to_int(tx_args *a, const char *name, int64_t v) {
    if (v >= INT32_MIN && v <= INT32_MAX) return (int)v;
    tx_fail(a->p, a->l->op_tok, BZ_EARG, "%s: %s is too large (%lld)", a->b->name, name,
            (long long)v);
    return 0;
}

static int arg_int(tx_args *a, const char *name) {
    return to_int(a, name, arg_int64(a, name));
}

static unsigned arg_natural(tx_args *a, const char *name) {
    int v = arg_int(a, name);
    if (v < 0) tx_fail(a->p, a->l->op_tok, BZ_EARG, "%s: %s is negative (%d)", a->b->name, name, v);
    return v < 0 ? 0 : (unsigned)v;
}

static double arg_float(tx_args *a, const char *name) {
    char buf[32];
    double v = 0;
    const tx_val *t = given(a, name);
    const char *def = attr_default(a->b, name, buf);
    if (t)
        tx_float(a->p, t, &v);
    else if (def)
        v = bz_read_number(def, NULL);
    return v;
}

/* A number in the dtype t. */
static ir_bits arg_bits(tx_args *a, const char *name, bz_dtype t) {
    ir_bits v = 0;
    const tx_val *x = given(a, name);
    if (x) tx_number_bits(a->p, x, t, &v);
    return v; /* left out: 0 is 0 in every dtype */
}

static ir_number arg_number(tx_args *a, const char *name) {
    char buf[32];
    ir_number v = ir_number_i(0);
    const tx_val *t = given(a, name);
    const char *def = attr_default(a->b, name, buf);
    if (t)
        tx_number(a->p, t, &v);
    else if (def)
        v = ir_number_of_double(bz_read_number(def, NULL));
    return v;
}

static bool arg_flag(tx_args *a, const char *name) {
    char buf[32];
    int64_t v = 1;
    tx_attr *t = tx_find(a->l, name);
    if (t && t->v.kind != TX_V_FLAG) tx_int(a->p, &t->v, &v);
    return t ? v != 0 : attr_default(a->b, name, buf) != NULL && *buf == '1';
}

/* ---- words that are numbers: words.def */

static const struct {
    const char *type, *word;
    int number;
} attr_words[] = {
#define IR_WORD(type, word, NAME, number) {#type, #word, number},
#include "src/ir/words.def"
};

const char *ir_word(const char *type, size_t n, unsigned k) {
    for (unsigned i = 0; i < BZ_LEN(attr_words); i++)
        if (strlen(attr_words[i].type) == n && !memcmp(attr_words[i].type, type, n) && k-- == 0)
            return attr_words[i].word;
    return NULL;
}

static int arg_word(tx_args *a, const char *name) {
    char buf[32];
    const tx_val *t = given(a, name);
    const char *type = attr_spec(a->b, name), *def = attr_default(a->b, name, buf),
               *word = !t ? def : t->kind == TX_V_WORD || t->kind == TX_V_STRING ? t->u.s : "";
    size_t n = strcspn(type, "= ");
    for (unsigned i = 0; word && i < BZ_LEN(attr_words); i++)
        if (strlen(attr_words[i].type) == n && !memcmp(attr_words[i].type, type, n) &&
            !strcmp(attr_words[i].word, word))
            return attr_words[i].number;
    if (t) {
        bz_text all = {0};
        const char *w;
        for (unsigned k = 0; (w = ir_word(type, n, k)); k++) bz_textf(&all, "%s%s", k ? ", " : "", w);
        tx_fail(a->p, t->tok, BZ_EARG, "%s: %s is one of %s", a->b->name, name, bz_text_c(&all));
        bz_text_free(&all);
    }
    return 0;
}

static bz_dtype arg_dtype(tx_args *a, const char *name) {
    char buf[32];
    bz_dtype t = BZ_F32;
    const tx_val *v = given(a, name);
    const char *def = attr_default(a->b, name, buf);
    if (v)
        tx_dtype(a->p, v, &t);
    else if (def)
        ir_dtype_from_name(def, strlen(def), &t);
    return t;
}

static const char *arg_text(tx_args *a, const char *name) {
    char buf[32];
    const tx_val *v = given(a, name);
    const char *def = attr_default(a->b, name, buf);
    if (!v) return def ? bz_arena_str(&a->g->arena, def) : NULL;
    if (v->kind == TX_V_STRING) return v->u.s;
    tx_fail(a->p, v->tok, BZ_EPARSE, "a text in quotes should stand here");
    return NULL;
}

static int64_t arg_graph(tx_args *a, const char *name) {
    int64_t number = 0;
    const tx_val *v = given(a, name);
    if (v) tx_graph(a->p, v, &number);
    return number;
}

/* Elements of a list attribute; 0 when it is left out. */
static unsigned arg_num(tx_args *a, const char *name) {
    uint32_t n = 0;
    const tx_val *t = given(a, name);
    if (t) tx_list(t, &n);
    return n;
}

static const int *arg_ints(tx_args *a, const char *name) {
    uint32_t n = 0;
    const tx_val *t = given(a, name), *v = t ? tx_list(t, &n) : NULL;
    int *out = tx_alloc(a->p, (n + 1) * sizeof *out);
    for (uint32_t i = 0; out && i < n; i++) {
        int64_t x = 0;
        tx_int(a->p, &v[i], &x);
        out[i] = to_int(a, name, x);
    }
    return out;
}

static const int64_t *arg_int64s(tx_args *a, const char *name) {
    uint32_t n = 0;
    const tx_val *t = given(a, name), *v = t ? tx_list(t, &n) : NULL;
    int64_t *out = tx_alloc(a->p, (n + 1) * sizeof *out);
    for (uint32_t i = 0; out && i < n; i++) {
        out[i] = 0;
        tx_int(a->p, &v[i], &out[i]);
    }
    return out;
}

/* A list of at most IR_MAX_RANK numbers over what is there, which stays where the list ends or has `_`. */
static void arg_over(tx_args *a, const char *name, int64_t out[IR_MAX_RANK]) {
    uint32_t n = 0;
    const tx_val *t = given(a, name), *v = t ? tx_list(t, &n) : NULL;
    if (n > IR_MAX_RANK)
        tx_fail(a->p, t->tok, BZ_EAXIS, "%s: %u numbers in %s; at most %d axes are possible",
                a->b->name, n, name, IR_MAX_RANK);
    for (uint32_t i = 0; i < n && i < IR_MAX_RANK; i++) {
        if (v[i].kind != TX_V_WORD || strcmp(v[i].u.s, "_")) tx_int(a->p, &v[i], &out[i]);
    }
}

static void arg_wide(tx_args *a, const char *name, int64_t fill, int64_t out[IR_MAX_RANK]) {
    for (unsigned i = 0; i < IR_MAX_RANK; i++) out[i] = fill;
    arg_over(a, name, out);
}

static const ir_dim *arg_dims(tx_args *a, const char *name) {
    uint32_t n = 0;
    const tx_val *t = given(a, name), *v = t ? tx_list(t, &n) : NULL;
    ir_dim *out = tx_alloc(a->p, (n + 1) * sizeof *out);
    for (uint32_t i = 0; out && i < n; i++) {
        if (!tx_dim(a->p, &v[i], &out[i])) out[i] = ir_dim_const(a->g, 0);
    }
    return out;
}

static ir_ref operand(const tx_args *a, unsigned k) {
    return k < a->l->operands.n ? a->l->operands.p[k] : 0;
}

#define X(k)       operand(a, k)
#define XS         (a->l->operands.p)
#define NX         ((unsigned)a->l->operands.n)
#define OUT(k)     (&a->out[k])
#define INT(n)     arg_int(a, #n)
#define INT64(n)   arg_int64(a, #n)
#define NATURAL(n) arg_natural(a, #n)
#define FLOAT(n)   arg_float(a, #n)
#define BITS(n, t) arg_bits(a, #n, t)
#define NUMBER(n)  arg_number(a, #n)
#define FLAG(n)    arg_flag(a, #n)
#define WORD(n)    arg_word(a, #n)
#define TEXT(n)    arg_text(a, #n)
#define DTYPE(n)   arg_dtype(a, #n)
#define GRAPH(n)   arg_graph(a, #n)
#define NUM(n)     arg_num(a, #n)
#define INTS(n)    arg_ints(a, #n)
#define INT64S(n)  arg_int64s(a, #n)
#define PARTS      (&a->parts)
#define DIMS(n)    arg_dims(a, #n)

/* ---- builders whose attributes need a line more */

/* Is every element of the list a plain number (so that -1 may be among them)? */
static ir_ref call_reshape_to(ir_graph *g, tx_args *a) {
    int64_t shape[IR_MAX_RANK];
    uint32_t n = 0;
    bool plain = true;
    const tx_val *t = given(a, "shape"), *v = t ? tx_list(t, &n) : NULL;
    for (uint32_t i = 0; i < n; i++) plain = plain && v[i].kind == TX_V_INT;
    if (!plain || n > IR_MAX_RANK) return ir_reshape_dims(g, X(0), DIMS(shape), NUM(shape));
    arg_wide(a, "shape", 0, shape);
    return ir_reshape(g, X(0), shape, n);
}

static ir_ref call_expand_to(ir_graph *g, tx_args *a) {
    uint32_t n = 0, own = ir_at(g, X(0))->rank;
    const tx_val *t = given(a, "shape"), *v = t ? tx_list(t, &n) : NULL;
    ir_dim *dims = tx_alloc(a->p, (n + 1) * sizeof *dims);
    for (uint32_t i = 0; dims && i < n; i++) {
        bool keep = v[i].kind == TX_V_INT && v[i].u.i == -1 && i + own >= n;
        if (keep)
            dims[i] = ir_dims(g, ir_at(g, X(0)))[i + own - n];
        else if (!tx_dim(a->p, &v[i], &dims[i]))
            return 0;
    }
    return dims ? ir_expand_dims_like(g, X(0), dims, n) : 0;
}

/* The attribute has an entry for each axis of operand 0. */
static bool an_entry_each(tx_args *a, const char *name) {
    unsigned rank = ir_at(a->g, X(0))->rank, n = arg_num(a, name);
    return n == rank || tx_fail(a->p, a->l->op_tok, BZ_EAXIS, "%s: %u numbers in %s for %s",
                                a->b->name, n, name, ir_shape_text(a->g, X(0)));
}

static ir_ref call_pad_by(ir_graph *g, tx_args *a) {
    int64_t lo[IR_MAX_RANK], hi[IR_MAX_RANK];
    arg_wide(a, "lo", 0, lo);
    arg_wide(a, "hi", 0, hi);
    return an_entry_each(a, "lo") && an_entry_each(a, "hi")
               ? ir_pad(g, X(0), lo, hi, BITS(value, ir_dtype(g, X(0))))
               : 0;
}

static ir_ref call_slice_by(ir_graph *g, tx_args *a) {
    int64_t start[IR_MAX_RANK], stop[IR_MAX_RANK], step[IR_MAX_RANK];
    static const char *const lists[] = {"start", "stop", "step"};
    arg_wide(a, "step", 1, step);
    for (unsigned i = 0; i < IR_MAX_RANK; i++) {
        start[i] = IR_OPEN_START(step[i]);
        stop[i] = IR_OPEN_STOP(step[i]);
    }
    arg_over(a, "start", start);
    arg_over(a, "stop", stop);
    for (unsigned i = 0; i < BZ_LEN(lists); i++) {
        if (arg_num(a, lists[i]) > ir_at(g, X(0))->rank && !an_entry_each(a, lists[i])) return 0;
    }
    return ir_slice(g, X(0), start, stop, step);
}

static ir_ref call_window(ir_graph *g, tx_args *a) {
    int64_t shape[IR_MAX_RANK], strides[IR_MAX_RANK];
    arg_wide(a, "shape", 0, shape);
    arg_wide(a, "strides", 0, strides);
    if (NUM(shape) != NUM(strides))
        tx_fail(a->p, a->l->op_tok, BZ_ESHAPE, "as_strided: %u strides for %u axes", NUM(strides),
                NUM(shape));
    return tx_failed(a->p) ? 0 : ir_as_strided(g, X(0), shape, strides, NUM(shape), INT64(offset));
}

/* The slice's window, written: a start and a step for each axis, as many elements as y has. */
static ir_ref call_update_slice(ir_graph *g, tx_args *a) {
    int64_t start[IR_MAX_RANK], step[IR_MAX_RANK];
    unsigned rank = X(0) ? ir_at(g, X(0))->rank : 0;
    arg_wide(a, "start", 0, start);
    arg_wide(a, "step", 1, step);
    if ((NUM(start) && NUM(start) != rank) || (NUM(step) && NUM(step) != rank))
        tx_fail(a->p, a->l->op_tok, BZ_EAXIS, "update: a start and a step for each of %u axes",
                rank);
    for (unsigned i = NUM(start); i < rank && i < IR_MAX_RANK; i++) start[i] = 0;
    for (unsigned i = NUM(step); i < rank && i < IR_MAX_RANK; i++) step[i] = 1;
    if (tx_failed(a->p) || !X(0) || !X(1)) return 0;
    return ir_update_slice(g, X(0), X(1), start, step, a->l->operands.n > 2 ? X(2) : 0);
}

/* x[...], whose tensors are operands `first` and those behind. */
static bool index_plan(ir_graph *g, tx_args *a, ir_items *items, ir_index_plan *p, unsigned first) {
    bz_error e = {0};
    const char *text = TEXT(items);
    if (!text || tx_failed(a->p)) return false;
    if (!ir_items_read(text, items, &e)) return ir_error_as(g, e.status, a->b->name, "%s", e.text);
    return ir_index_begin(g, p, X(0), items, XS + first, NX - first);
}

static ir_ref call_rows_get(ir_graph *g, tx_args *a) {
    ir_items items;
    ir_index_plan p;
    return index_plan(g, a, &items, &p, 1) ? ir_index_read(g, &p, X(0)) : 0;
}

static ir_ref call_rows_put(ir_graph *g, tx_args *a, bool adds) {
    ir_items items;
    ir_index_plan p;
    return index_plan(g, a, &items, &p, 2) ? ir_index_write(g, &p, X(0), X(1), adds) : 0;
}

static ir_ref call_dot_over(ir_graph *g, tx_args *a) {
    if (NUM(lbatch) != NUM(rbatch) || NUM(lcontract) != NUM(rcontract)) {
        tx_fail(a->p, a->l->op_tok, BZ_EAXIS, "dot: the lists of x and y have different lengths");
        return 0;
    }
    return ir_dot(g, X(0), X(1), INTS(lbatch), INTS(rbatch), NUM(lbatch), INTS(lcontract),
                  INTS(rcontract), NUM(lcontract));
}

#define IR_BUILDER(name, api, operands, attrs, results, doc, notes, example, value)                \
    static ir_ref call_##name(ir_graph *g, tx_args *a) {                                           \
        (void)a;                                                                                   \
        return value;                                                                              \
    }
#include "src/ir/builders.def"

const ir_builder ir_builders[] = {
#define IR_BUILDER(name, api, operands, attrs, results, doc, notes, example, value)                \
    {#name, IR_API_##api, operands, attrs, results, doc, notes, call_##name},
#include "src/ir/builders.def"
};
const unsigned ir_builder_count = BZ_LEN(ir_builders);

const ir_builder *ir_builder_find(const char *name) {
    for (unsigned i = 0; i < ir_builder_count; i++) {
        if (!strcmp(ir_builders[i].name, name)) return &ir_builders[i];
    }
    return NULL;
}

void tx_print_words(bz_text *t, const char *words) {
    size_t n;
    const char *sep = "";
    for (const char *w; (w = tx_next_word(&words, &n)); sep = ", ")
        bz_textf(t, "%s%.*s", sep, (int)n, w);
}

void tx_print_attributes(bz_text *t, const char *attrs) {
    size_t n;
    const char *sep = "{";
    for (const char *w; (w = tx_next_word(&attrs, &n)); sep = ", ") {
        size_t colon = strcspn(w, ":"), eq = strcspn(w, "=");
        bz_textf(t, "%s%.*s: %.*s", sep, (int)colon, w, (int)((eq < n ? eq : n) - colon - 1),
                 w + colon + 1);
        if (eq < n) bz_textf(t, " = %.*s", (int)(n - eq - 1), w + eq + 1);
    }
    bz_text_str(t, *sep == ',' ? "}" : "");
}

void tx_print_signature(bz_text *t, const char *name, const char *operands, const char *attrs,
                        const char *results) {
    tx_print_words(t, results);
    bz_textf(t, " = %s%s", name, *operands ? " " : "");
    tx_print_words(t, operands);
    bz_text_str(t, *attrs ? " " : "");
    tx_print_attributes(t, attrs);
}

/* ---- the nearest name */

/* Edits between two names, or 99 when they are long. */
static unsigned distance(const char *a, const char *b) {
    enum { MAX = 40 };
    unsigned row[MAX + 1];
    size_t na = strlen(a), nb = strlen(b);
    if (na > MAX || nb > MAX) return 99;
    for (unsigned j = 0; j <= nb; j++) row[j] = j;
    for (unsigned i = 1; i <= na; i++) {
        unsigned diagonal = row[0];
        row[0] = i;
        for (unsigned j = 1; j <= nb; j++) {
            unsigned change = diagonal + (a[i - 1] != b[j - 1]),
                     less = row[j] < row[j - 1] ? row[j] : row[j - 1];
            diagonal = row[j];
            row[j] = change < less + 1 ? change : less + 1;
        }
    }
    return row[nb];
}

const char *ir_nearer(const char *name, const char *word, const char *best, unsigned *least) {
    unsigned most = *least ? *least : (unsigned)strlen(name) / 3 + 2, d = distance(name, word);
    if (d >= most) return best;
    *least = d ? d : 1;
    return word;
}

const char *ir_nearest_name(const char *name) {
    const char *best = NULL;
    unsigned least = 0;
    for (unsigned i = 0; i < IR_NOPS + ir_builder_count; i++) {
        const char *n = i < IR_NOPS ? ir_ops[i].name : ir_builders[i - IR_NOPS].name;
        if (n) best = ir_nearer(name, n, best, &least);
    }
    return best;
}

/* ---- calls */

/* Fewest and most operands of a builder. */
static void arity(const ir_builder *b, unsigned *lo, unsigned *hi) {
    size_t n;
    *lo = *hi = 0;
    for (const char *s = b->operands, *w; (w = tx_next_word(&s, &n));) {
        n = strcspn(w, ": ");
        bool many = w[n - 1] == '*';
        *lo += w[n - 1] != '?' && !many;
        *hi = many ? UINT16_MAX : *hi + 1;
    }
}

static bool check_arity(tx_parser *p, const tx_line *l, unsigned lo, unsigned hi) {
    uint32_t n = l->operands.n;
    if (n >= lo && n <= hi) return true;
    if (lo == hi)
        return tx_fail(p, l->op_tok, BZ_EARG, "%s takes %u operand%s, not %u", l->op, lo,
                       lo == 1 ? "" : "s", n);
    return tx_fail(p, l->op_tok, BZ_EARG, "%s takes %u to %u operands, not %u", l->op, lo, hi, n);
}

static bool check_attrs(tx_parser *p, const tx_line *l, const ir_builder *b) {
    for (uint32_t i = 0; i < l->attrs.n; i++) {
        const tx_attr *t = &l->attrs.p[i];
        if (b && attr_spec(b, t->name)) continue;
        return tx_fail(p, t->tok, BZ_EARG, "%s has no attribute '%s'%s%s", l->op, t->name,
                       b && *b->attrs ? "; it has " : "", b ? b->attrs : "");
    }
    return true;
}

/* What a number as operand k stands beside by the builder's row; false: beside the other operands. */
static bool number_spec(const ir_builder *b, unsigned k, bz_dtype *beside) {
    size_t n;
    for (const char *s = b->operands, *w; (w = tx_next_word(&s, &n)); k -= k > 0) {
        size_t name = strcspn(w, ": ");
        if (k && w[name - 1] != '*') continue;
        *beside = BZ_NDTYPES;
        if (name < n) ir_dtype_from_name(w + name + 1, n - name - 1, beside);
        return name < n;
    }
    return false;
}

static bool builder_numbers(tx_parser *p, ir_graph *g, tx_line *l, const ir_builder *b) {
    bz_dtype others = ir_dtype_beside(g, IR_NIL, l->operands.p, l->operands.n), beside;
    for (uint32_t i = 0; i < l->numbers.n; i++) {
        tx_operand_number *n = &l->numbers.p[i];
        if (!number_spec(b, n->operand, &beside)) beside = others;
        if (!tx_number_beside(p, g, l, IR_NIL, n, beside)) return false;
    }
    return true;
}

static unsigned call_builder(tx_parser *p, ir_graph *g, tx_line *l, const ir_builder *b,
                             const ir_ref **out, bool *tuple) {
    unsigned lo, hi, n = 0;
    size_t len;
    tx_args a = {.p = p, .l = l, .b = b, .g = g};
    arity(b, &lo, &hi);
    if (!check_arity(p, l, lo, hi) || !check_attrs(p, l, b) || !builder_numbers(p, g, l, b))
        return 0;
    g->op = b->name;
    a.out[0] = b->call(g, &a);
    g->op = NULL;
    for (const char *s = b->results, *w; (w = tx_next_word(&s, &len)); n++)
        *tuple = w[len - 1] == '*';
    if (a.parts.p && !a.parts.n && !g->err.status)
        tx_fail(p, l->op_tok, BZ_ESHAPE, "%s gives no results here", b->name);
    if (!a.out[0] || tx_failed(p)) return 0;
    if (a.parts.p) {
        *tuple = false;
        *out = a.parts.p;
        return a.parts.n;
    }
    while (n > 1 && !a.out[n - 1]) /* sgd_step without a velocity */
        n--;
    *out = bz_arena_copy(&g->arena, a.out, sizeof a.out);
    return *out ? n : 0;
}

/* An op of a C function: numbers have the dtypes of its signature. */
static unsigned call_external(tx_parser *p, ir_graph *g, tx_line *l, int64_t number,
                              const ir_ref **out, bool *tuple) {
    const ir_external *x = ir_external_at(g->m, number);
    if (!check_arity(p, l, x->nin, x->nin) || !check_attrs(p, l, NULL)) return 0;
    for (uint32_t i = 0; i < l->numbers.n; i++)
        if (!tx_number_beside(p, g, l, IR_NIL, &l->numbers.p[i],
                              x->slot[l->numbers.p[i].operand].dtype))
            return 0;
    const ir_ref r = ir_external_call(g, number, l->operands.p, l->operands.n);
    *tuple = true;
    *out = bz_arena_copy(&g->arena, &r, sizeof r);
    return r && *out ? 1 : 0;
}

unsigned tx_call(tx_parser *p, ir_graph *g, tx_line *l, const ir_ref **out, bool *tuple) {
    const ir_builder *b = ir_builder_find(l->op);
    *tuple = false;
    if (b) return call_builder(p, g, l, b, out, tuple);
    ir_op op = ir_op_from_name(l->op, strlen(l->op));
    if (op != IR_NIL && !ir_op_is_elementwise(op)) {
        tx_fail(p, l->op_tok, BZ_EPARSE,
                "%s is an op of the printed form: its type stands behind it, as in ': f32[2,3]'",
                l->op);
        return 0;
    }
    const int64_t external = op == IR_NIL ? tx_external(p, l->op) : -1;
    if (external >= 0) return call_external(p, g, l, external, out, tuple);
    if (op == IR_NIL) {
        const char *near = ir_nearest_name(l->op);
        tx_fail(p, l->op_tok, BZ_EPARSE, "no op is named '%s'%s%s%s", l->op,
                near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
        return 0;
    }
    if (!check_arity(p, l, ir_ops[op].arity, ir_ops[op].arity) || !check_attrs(p, l, NULL) ||
        !tx_numbers(p, g, l, op))
        return 0;
    g->op = ir_ops[op].name;
    ir_ref r = ir_build(g, op, l->operands.p, l->operands.n);
    g->op = NULL;
    *out = bz_arena_copy(&g->arena, &r, sizeof r);
    return r && *out ? 1 : 0;
}
