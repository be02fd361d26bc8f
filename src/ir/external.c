/* external.c - ops whose values a C function computes: signatures, the module's list of them, their nodes. */
#include "src/ir/external.h"
#include "src/ir/linalg.h"
#include "src/ir/structs.h"
#include "src/ir/text.h"

#include <ctype.h>
#include <pthread.h>
#include <string.h>

/* ---- signatures */

typedef struct sig {
    const char *at, *whole;
    bz_arena *memory;
    ir_external *x;
    bool results; /* sizes are sums; symbols are known */
    bz_error *e;
    ir_size_step steps[64];
    unsigned n, depth;
} sig;

BZ_PRINTF(2, 3)
static bool wrong(sig *s, const char *fmt, ...) {
    char text[200];
    va_list ap;
    va_start(ap, fmt);
    bz_vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    bz_fail(s->e, BZ_EPARSE, "[%s] the signature '%s' %s, at '%.20s'", s->x->name, s->whole, text,
            *s->at ? s->at : "its end");
    return false;
}

static bool no_room(sig *s) {
    bz_fail(s->e, BZ_ENOMEM, "out of memory");
    return false;
}

static void blanks(sig *s) {
    while (*s->at == ' ' || *s->at == '\t' || *s->at == '\n') s->at++;
}

static bool accept(sig *s, const char *word) {
    blanks(s);
    const size_t n = strlen(word);
    if (strncmp(s->at, word, n) != 0) return false;
    s->at += n;
    return true;
}

static size_t word_length(const char *at) {
    size_t n = 0;
    if (isalpha((unsigned char)*at) || *at == '_')
        while (isalnum((unsigned char)at[n]) || at[n] == '_') n++;
    return n;
}

static bool step(sig *s, char op, int64_t value) {
    if (s->n == BZ_LEN(s->steps)) return wrong(s, "has a size that is too long");
    s->steps[s->n++] = (ir_size_step){op, value};
    return true;
}

static int find_symbol(const ir_external *x, const char *name, size_t n) {
    for (unsigned i = 0; i < x->nsyms; i++)
        if (strlen(x->sym[i]) == n && !strncmp(x->sym[i], name, n)) return (int)i;
    return -1;
}

/* A symbol; among the operands one that is new gets its number from slot and axis. */
static bool symbol(sig *s, unsigned slot, unsigned axis) {
    const size_t n = word_length(s->at);
    int at = find_symbol(s->x, s->at, n);
    if (at < 0 && s->results) return wrong(s, "has a size that no operand gives");
    if (at < 0) {
        if (s->x->nsyms == IR_EXTERNAL_MOST) return wrong(s, "has too many symbols");
        at = (int)s->x->nsyms++;
        char *own = bz_arena_alloc(s->memory, n + 1);
        if (!own) return no_room(s);
        memcpy(own, s->at, n);
        own[n] = '\0';
        s->x->sym[at] = own;
        s->x->sym_slot[at] = slot;
        s->x->sym_axis[at] = axis;
    }
    s->at += n;
    return step(s, 's', at);
}

static bool number(sig *s, int64_t *v) {
    *v = 0;
    for (; isdigit((unsigned char)*s->at); s->at++)
        if (*v < INT32_MAX) *v = *v * 10 + (*s->at - '0');
    return *v <= INT32_MAX || wrong(s, "has a size that is too large");
}

static bool sum(sig *s);

static bool factor(sig *s) {
    int64_t v;
    blanks(s);
    const bool least = !strncmp(s->at, "min(", 4), most = !strncmp(s->at, "max(", 4);
    if (isdigit((unsigned char)*s->at)) return number(s, &v) && step(s, 'c', v);
    if (s->depth > 8) return wrong(s, "has a size that nests too deep");
    if (s->results && (least || most)) {
        s->at += 4;
        s->depth++;
        bool ok = sum(s) && (accept(s, ",") || wrong(s, "lacks a comma")) && sum(s);
        s->depth--;
        return ok && (accept(s, ")") || wrong(s, "lacks a ')'")) && step(s, least ? 'm' : 'M', 0);
    }
    if (s->results && accept(s, "(")) {
        s->depth++;
        const bool ok = sum(s) && (accept(s, ")") || wrong(s, "lacks a ')'"));
        s->depth--;
        return ok;
    }
    if (word_length(s->at)) return symbol(s, 0, 0);
    return wrong(s, "lacks a size");
}

static bool term(sig *s) {
    if (!factor(s)) return false;
    for (;;) {
        int64_t v;
        if (accept(s, "*")) {
            if (!factor(s) || !step(s, '*', 0)) return false;
        } else if (accept(s, "/")) {
            blanks(s);
            if (!number(s, &v)) return false;
            if (v < 1) return wrong(s, "divides a size by what is no number from 1 on");
            if (!step(s, 'c', v) || !step(s, '/', 0)) return false;
        } else {
            return true;
        }
    }
}

static bool sum(sig *s) {
    if (!term(s)) return false;
    for (;;) {
        const bool minus = !strncmp(s->at, "->", 2) ? false : accept(s, "-");
        if (!minus && !accept(s, "+")) return true;
        if (!term(s) || !step(s, minus ? '-' : '+', 0)) return false;
    }
}

/* A size of axis `axis` of slot number `slot`. */
static bool size(sig *s, unsigned slot, unsigned axis, ir_size_of *out) {
    int64_t v;
    s->n = 0;
    blanks(s);
    if (s->results) {
        if (!sum(s)) return false;
    } else if (isdigit((unsigned char)*s->at)) {
        if (!number(s, &v) || !step(s, 'c', v)) return false;
    } else if (!word_length(s->at)) {
        return wrong(s, "lacks a size: a symbol or a number");
    } else if (!symbol(s, slot, axis)) {
        return false;
    }
    out->n = s->n;
    out->steps = bz_arena_copy(s->memory, s->steps, s->n * sizeof *s->steps);
    return out->steps || no_room(s);
}

static bool slot(sig *s, unsigned number_of) {
    ir_slot *o = &s->x->slot[number_of];
    ir_size_of sizes[IR_MAX_RANK];
    blanks(s);
    const size_t n = word_length(s->at);
    if (!n || !ir_dtype_from_name(s->at, n, &o->dtype)) return wrong(s, "lacks a dtype");
    s->at += n;
    o->rank = 0;
    if (accept(s, "[") && !accept(s, "]")) {
        do {
            if (o->rank == IR_MAX_RANK) return wrong(s, "has too many axes");
            if (!size(s, number_of, o->rank, &sizes[o->rank])) return false;
            o->rank++;
        } while (accept(s, ","));
        if (!accept(s, "]")) return wrong(s, "lacks a ']'");
    }
    o->size = bz_arena_copy(s->memory, sizes, o->rank * sizeof *sizes);
    o->now = bz_arena_alloc(s->memory, (o->rank + 1) * sizeof *o->now);
    return (o->size && o->now) || no_room(s);
}

static bool slots(sig *s, unsigned *count) {
    ir_external *x = s->x;
    do {
        if (x->nin + x->nout == IR_EXTERNAL_MOST) return wrong(s, "has too many operands and results");
        if (!slot(s, x->nin + x->nout)) return false;
        ++*count;
    } while (accept(s, ","));
    return true;
}

static bool signature(sig *s) {
    ir_external *x = s->x;
    x->slot = bz_arena_alloc(s->memory, IR_EXTERNAL_MOST * sizeof *x->slot);
    x->sym = bz_arena_alloc(s->memory, IR_EXTERNAL_MOST * sizeof *x->sym);
    x->sym_slot = bz_arena_alloc(s->memory, IR_EXTERNAL_MOST * sizeof *x->sym_slot);
    x->sym_axis = bz_arena_alloc(s->memory, IR_EXTERNAL_MOST * sizeof *x->sym_axis);
    if (!x->slot || !x->sym || !x->sym_slot || !x->sym_axis) return no_room(s);
    if (!slots(s, &x->nin)) return false;
    if (!accept(s, "->")) return wrong(s, "lacks a '->'");
    s->results = true;
    if (!slots(s, &x->nout)) return false;
    blanks(s);
    return !*s->at || wrong(s, "goes on");
}

/* ---- the module's list */

void ir_externals_free(ir_externals *x) {
    if (!x) return;
    bz_vec_free(&x->op);
    bz_arena_free(&x->memory);
    bz_mem_free(x);
}

const ir_external *ir_external_at(const ir_module *m, int64_t k) {
    return m->externals && k >= 0 && k < (int64_t)m->externals->op.n ? &m->externals->op.p[k] : NULL;
}

const ir_external *ir_external_of(const ir_graph *g, ir_ref r) {
    return ir_external_at(g->m, ir_attrs(g, ir_at(g, r))[0]);
}

const char *ir_name_of(const ir_graph *g, ir_ref r) {
    const ir_op op = ir_blamed(g, r);
    const ir_external *x =
        op == IR_EXTERNAL && ir_at(g, r)->op == IR_EXTERNAL ? ir_external_of(g, r) : NULL;
    return x ? x->name : ir_ops[op].name;
}

static int64_t find(const ir_module *m, const char *name) {
    for (uint32_t i = 0; m->externals && i < m->externals->op.n; i++)
        if (!strcmp(m->externals->op.p[i].name, name)) return i;
    return -1;
}

static bool keep_text(bz_arena *a, const char **s) {
    if (*s) *s = bz_arena_str(a, *s);
    return true;
}

int64_t ir_external_add(ir_module *m, const ir_external *what, bz_error *e) {
    if (!m->externals && !(m->externals = bz_mem_zero(1, sizeof *m->externals)))
        return bz_fail(e, BZ_ENOMEM, "out of memory"), -1;
    bz_arena *a = &m->externals->memory;
    const size_t n = strlen(what->name);
    if (!n || word_length(what->name) != strcspn(what->name, ".") || n > 64)
        return bz_fail(e, BZ_EARG, "'%.64s' is no name of an op: letters, digits and _", what->name), -1;
    if (find(m, what->name) >= 0 || ir_builder_find(what->name) || ir_op_from_name(what->name, n) != IR_NIL)
        return bz_fail(e, BZ_EARG, "[%s] there is an op of this name already", what->name), -1;
    ir_external x = *what;
    keep_text(a, &x.name);
    keep_text(a, &x.signature);
    keep_text(a, &x.symbol);
    keep_text(a, &x.user_symbol);
    if (!x.name || !x.signature) return bz_fail(e, BZ_ENOMEM, "out of memory"), -1;
    x.nin = x.nout = x.nsyms = 0;
    sig s = {.at = x.signature, .whole = x.signature, .memory = a, .x = &x, .e = e};
    if (!signature(&s)) return -1;
    if (bz_vec_push(&m->externals->op, x)) return (int64_t)m->externals->op.n - 1;
    return bz_fail(e, BZ_ENOMEM, "out of memory"), -1;
}

int64_t ir_external_find(ir_module *m, const char *name) {
    const int64_t k = find(m, name);
    return k >= 0 ? k : linalg_find(m, name);
}

void ir_external_drop_last(ir_module *m) {
    m->externals->op.n--;
}

/* ---- inference */

/* A size of the signature with what the symbols are; 0: there is none. */
static ir_dim size_now(ir_exprs *x, const ir_size_of *of, const ir_dim *sym) {
    ir_dim stack[64];
    unsigned n = 0;
    for (unsigned i = 0; i < of->n; i++) {
        const ir_size_step *s = &of->steps[i];
        if (s->op == 'c' || s->op == 's') {
            stack[n++] = s->op == 'c' ? ir_ex_const(x, s->value) : sym[s->value];
            continue;
        }
        const ir_dim b = stack[--n], a = stack[n - 1];
        stack[n - 1] = s->op == '+'   ? ir_ex_add(x, a, b)
                       : s->op == '-' ? ir_ex_sub(x, a, b)
                       : s->op == '*' ? ir_ex_mul(x, a, b)
                       : s->op == '/' ? ir_ex_div(x, a, b)
                       : s->op == 'm' ? ir_ex_min(x, a, b)
                                      : ir_ex_max(x, a, b);
    }
    return stack[0];
}

static void bind_symbols(const ir_graph *g, const ir_external *x, const ir_ref *in, ir_dim *sym) {
    for (unsigned i = 0; i < x->nsyms; i++)
        sym[i] = ir_dims(g, ir_at(g, in[x->sym_slot[i]]))[x->sym_axis[i]];
}

/* The result slot k of a node on these operands, its sizes in slot.now. */
static const ir_slot *result_now(const ir_graph *g, const ir_external *x, const ir_ref *in,
                                 unsigned k) {
    ir_dim sym[IR_EXTERNAL_MOST];
    const ir_slot *o = &x->slot[x->nin + k];
    bind_symbols(g, x, in, sym);
    for (unsigned a = 0; a < o->rank; a++) o->now[a] = size_now(&g->m->ex, &o->size[a], sym);
    return o;
}

unsigned ir_external_results(const ir_graph *g, ir_ref r, unsigned k, ir_type *t) {
    const ir_external *x = ir_external_of(g, r);
    if (!x) return 0;
    if (k < x->nout) {
        const ir_slot *o = result_now(g, x, ir_in(g, ir_at(g, r)), k);
        *t = (ir_type){o->dtype, o->rank, o->now};
    }
    return x->nout;
}

/* What is wrong with operand k, as text; false: nothing. */
static bool misfit(const ir_graph *g, const ir_external *x, const ir_ref *in, unsigned k,
                   bz_text *t) {
    const ir_slot *o = &x->slot[k];
    const ir_node *n = ir_at(g, in[k]);
    if (n->dtype != o->dtype) {
        bz_textf(t, "operand %u is %s, not %s", k, ir_shape_text((ir_graph *)g, in[k]), ir_dtypes[o->dtype].name);
        return true;
    }
    if (n->rank != o->rank) {
        bz_textf(t, "operand %u is %s, which has %u axes, not %u", k, ir_shape_text((ir_graph *)g, in[k]), n->rank,
                 o->rank);
        return true;
    }
    for (unsigned a = 0; a < o->rank; a++) {
        const ir_size_step *s = &o->size[a].steps[0];
        const ir_dim have = ir_dims(g, n)[a];
        const unsigned at = s->op == 's' ? x->sym_slot[s->value] : 0;
        if (s->op == 'c') {
            if (have == ir_ex_const(&g->m->ex, s->value)) continue;
            bz_textf(t, "operand %u is %s, whose axis %u must have %lld elements", k,
                     ir_shape_text((ir_graph *)g, in[k]), a, (long long)s->value);
            return true;
        }
        if (have == ir_dims(g, ir_at(g, in[at]))[x->sym_axis[s->value]]) continue;
        bz_textf(t, "operand %u is %s, whose axis %u is another %s than axis %u of operand %u, %s", k,
                 ir_shape_text((ir_graph *)g, in[k]), a, x->sym[s->value], x->sym_axis[s->value], at,
                 ir_shape_text((ir_graph *)g, in[at]));
        return true;
    }
    return false;
}

bool ir_external_fits(const ir_graph *g, const ir_external *x, const ir_ref *in, bz_error *e) {
    bz_text t = {0};
    for (unsigned k = 0; k < x->nin; k++) {
        if (!misfit(g, x, in, k, &t)) continue;
        bz_fail(e, ir_dtype(g, in[k]) == x->slot[k].dtype ? BZ_ESHAPE : BZ_EDTYPE, "%s (%s)",
                bz_text_c(&t), x->signature);
        bz_text_free(&t);
        return false;
    }
    return true;
}

static bool is_number(const ir_graph *g, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    return n->rank == 0 && (n->op == IR_CONST || (n->op == IR_INPUT &&
                                                  g->inputs.p[ir_attrs(g, n)[0]].scalar));
}

ir_ref ir_external_call(ir_graph *g, int64_t number_of, const ir_ref *in, unsigned n) {
    const ir_external *x = ir_external_at(g->m, number_of);
    ir_ref own[IR_EXTERNAL_MOST];
    if (!x) return ir_error(g, BZ_EARG, IR_EXTERNAL, "there is no such op");
    if (n != x->nin)
        return ir_error_as(g, BZ_EARG, x->name, "takes %u operand%s, not %u (%s)", x->nin,
                           x->nin == 1 ? "" : "s", n, x->signature);
    for (unsigned k = 0; k < n; k++) {
        if (!in[k]) return 0;
        own[k] = x->slot[k].rank == 0 && is_number(g, in[k]) ? ir_cast(g, in[k], x->slot[k].dtype)
                                                             : in[k];
        if (!own[k]) return 0;
    }
    bz_error e = {0};
    if (!ir_external_fits(g, x, own, &e)) return ir_error_as(g, e.status, x->name, "%s", e.text);
    for (unsigned k = 0; k < x->nout; k++) {
        const ir_slot *o = result_now(g, x, own, k);
        for (unsigned a = 0; a < o->rank; a++)
            if (!o->now[a] || g->m->ex.failed)
                return ir_error_as(g, BZ_ESHAPE, x->name, "result %u is too large (%s)", k,
                                   x->signature);
        const char *op = g->op;
        g->op = op ? op : x->name;
        const bool right = ir_check_size(g, IR_EXTERNAL, o->now, o->rank);
        g->op = op;
        if (!right) return 0;
    }
    const ir_slot *first = result_now(g, x, own, 0);
    return ir_append(g, IR_EXTERNAL, first->dtype, first->now, first->rank, own, n, &number_of, 1);
}

void ir_external_sizes(const ir_external *x, const int64_t *const *shape, int64_t *sizes) {
    for (unsigned i = 0; i < x->nsyms; i++) sizes[i] = shape[x->sym_slot[i]][x->sym_axis[i]];
}

/* ---- C */

void ir_external_prototype(bz_text *t, const ir_external *x, const char *name) {
    bz_textf(t, "int %s(void *user", name);
    for (unsigned k = 0; k < x->nin + x->nout; k++) {
        const ir_slot *o = &x->slot[k];
        const bool result = k >= x->nin;
        bz_textf(t, ", %s%s %s%c%u", result || !o->rank ? "" : "const ", ir_dtypes[o->dtype].c,
                 result || o->rank ? "*" : "", result ? 'r' : 'x', result ? k - x->nin : k);
    }
    for (unsigned i = 0; i < x->nsyms; i++) bz_textf(t, ", int64_t %s", x->sym[i]);
    bz_text_str(t, ")");
}

/* ---- what functions say */

enum { SAID = 64, SAID_LENGTH = 240, SAID_MARK = 1 << 29 /* no status of somebody else's */ };
static struct {
    pthread_mutex_t lock;
    unsigned next;
    char text[SAID][SAID_LENGTH];
} said = {.lock = PTHREAD_MUTEX_INITIALIZER};

int ir_external_said(bz_status s, const char *text) {
    pthread_mutex_lock(&said.lock);
    const unsigned at = said.next++ % SAID;
    bz_snprintf(said.text[at], SAID_LENGTH, "%s", text);
    pthread_mutex_unlock(&said.lock);
    return (int)s | (int)(at + 1) << 8 | SAID_MARK;
}

bz_status ir_external_failed(const char *name, const char *site, int64_t status, bz_error *e) {
    const bool marked = status >= SAID_MARK && status - SAID_MARK < 1 << 16;
    const int64_t at = marked ? status >> 8 & 0xff : 0, low = marked ? status & 0xff : status;
    const bz_status s = low > 0 && low <= (int64_t)BZ_ENAN ? (bz_status)low : BZ_EARG;
    char text[SAID_LENGTH];
    if (at > 0 && at <= SAID) {
        pthread_mutex_lock(&said.lock);
        bz_snprintf(text, sizeof text, "%s", said.text[at - 1]);
        pthread_mutex_unlock(&said.lock);
    } else {
        bz_snprintf(text, sizeof text, "its function gave status %lld (%s)", (long long)status,
                    s == (bz_status)low ? bz_status_doc(s) : "no status of braze's");
    }
    return bz_fail(e, s, "[%s] %s%s%s", name, text, site ? " at " : "", site ? site : "");
}
