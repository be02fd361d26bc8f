/* names.c - what kernels are called: in reports, pictures, dumps, symbols.
 *
 *     gemm_bias_relu    softmax_row    norm_row_add    col_sum    map_mul_sub_tanh
 *
 * The form of the loops and what they compute, each word once, in the order of the graph; what does not fit is left out. A name is a C
 * identifier of at most NAME_LENGTH characters; its user adds a number (a launch's) or a hash (a kernel's text). */
#include "src/ir/external.h"
#include "src/passes/lower.h"

#include <string.h>

enum { NAME_LENGTH = 32, MAX_WORDS = 64 };

typedef struct words {
    const char *w[MAX_WORDS];
    unsigned n;
} words;

static int find(const words *s, const char *w) {
    for (unsigned i = 0; i < s->n; i++)
        if (!strcmp(s->w[i], w)) return (int)i;
    return -1;
}

static void add(words *s, const char *w) {
    if (s->n < MAX_WORDS && find(s, w) < 0) s->w[s->n++] = w;
}

static void drop(words *s, const char *w) {
    int at = find(s, w);
    if (at < 0) return;
    memmove(s->w + at, s->w + at + 1, (s->n - (unsigned)at - 1) * sizeof *s->w);
    s->n--;
}

/* An add of what is repeated along an axis, in the epilogue of a product. */
static bool is_bias(const ir_graph *g, const fuse_form *form, const ir_node *n) {
    if (!form->product || n->op != IR_ADD) return false;
    return ir_at(g, ir_in(g, n)[0])->op == IR_EXPAND || ir_at(g, ir_in(g, n)[1])->op == IR_EXPAND;
}

static const char *word_of(const ir_graph *g, const fuse_form *form, ir_ref r) {
    const ir_node *n = ir_at(g, r);
    if (n->op == IR_REDUCE) return ir_reduce_name(ir_reduce_get(g, n).kind);
    if (ir_ops[n->op].reads == IR_READS_SCAN || n->op == IR_SCATTER) return ir_way_name((ir_way)ir_attrs(g, n)[0]);
    return is_bias(g, form, n) ? "bias" : ir_ops[n->op].name;
}

/* What several words together are known as; in loops with stages the form's word comes behind. */
static const struct idiom {
    const fuse_form *form; /* NULL: any with stages */
    const char *name;
    const char *needs[5], *means[8]; /* means: these need not be said any more */
} idioms[] = {
    {NULL,
     "log_softmax",
     {"max", "sub", "exp", "sum", "log"},
     {"max", "sub", "exp", "sum", "log"}},
    {NULL,
     "softmax",
     {"max", "sub", "exp", "sum", "div"},
     {"max", "sub", "exp", "sum", "div"}},
    {NULL,
     "norm",
     {"sum", "rsqrt"},
     {"sum", "sub", "square", "div", "add", "rsqrt", "mul"}},
    {&form_band,
     "attention",
     {"dot", "max", "exp", "sum", "div"},
     {"dot", "max", "sub", "exp", "sum", "div"}},
    {&form_band, "gemm_rows", {"dot"}, {"dot"}},
    {&form_dot, "gemm", {"dot"}, {"dot"}},
    {&form_update, "update", {"update"}, {"update"}},
};

/* The idiom, whose words are dropped; NULL: there is none. */
static const struct idiom *idiom_of(const fuse_form *form, words *s) {
    for (unsigned i = 0; i < BZ_LEN(idioms); i++) {
        const struct idiom *d = &idioms[i];
        bool all = d->form ? d->form == form : form->stages;
        for (unsigned k = 0; all && k < BZ_LEN(d->needs) && d->needs[k]; k++)
            all = find(s, d->needs[k]) >= 0;
        for (unsigned k = 0; all && k < BZ_LEN(d->means) && d->means[k]; k++) drop(s, d->means[k]);
        if (all) return d;
    }
    return NULL;
}

void name_group(bz_text *t, const ir_graph *g, const fuse_group *group) {
    words s = {.n = 0};
    for (uint32_t i = 0; i < group->nodes.n; i++)
        if (ir_at(g, group->nodes.p[i])->op != IR_CAST || group->nodes.n == 1)
            add(&s, word_of(g, group->form, group->nodes.p[i]));
    size_t start = t->n;
    if (!group->form->word) {
        for (const char *c = ir_name_of(g, group->head); *c && t->n - start < NAME_LENGTH; c++)
            bz_textf(t, "%c", *c == '.' ? '_' : *c);
        return;
    }
    const struct idiom *d = idiom_of(group->form, &s);
    if (d) bz_text_str(t, d->name);
    if (d && !d->form) bz_text_str(t, "_");
    if (!d || !d->form) bz_text_str(t, group->form->word);
    for (unsigned i = 0; i < s.n && t->n - start + 1 + strlen(s.w[i]) <= NAME_LENGTH; i++)
        bz_textf(t, "_%s", s.w[i]);
}
