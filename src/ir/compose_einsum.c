/* compose_einsum.c - Einstein's sums: "bij,bjk->bik".
 *
 *     equation --parse--> labels of each operand and of the result      a letter is a number, an ellipsis a row of them from the end
 *     operands --diagonals of repeated labels, sums of lonely ones--> --two at a time, the cheapest pair first--> dot ... --permute--> result
 *
 * A pair's labels are batch (in both, and wanted later), contracted (in both, and nowhere else) or the rest. */
#include "src/ir/compose.h"

#include <string.h>

enum { LETTERS = 52, LABELS = LETTERS + IR_MAX_RANK, MOST = 64 };

typedef struct term {
    ir_ref x;
    unsigned n;
    uint8_t label[IR_MAX_RANK];
} term;

typedef struct sum {
    ir_graph *g;
    const char *equation;
    term t[MOST], out;
    unsigned n, dots;    /* operands left; axes that an ellipsis stands for, at most */
    ir_dim size[LABELS]; /* 0: not seen */
} sum;

static bool fails(sum *s, bz_status status, const char *what, const char *at) {
    ir_error_as(s->g, status, "einsum", "\"%s\": %s%s%s%.1s%s", s->equation, what,
                *at ? " at '" : "", "", at, *at ? "'" : "");
    return false;
}

static int letter(char c) {
    return c >= 'a' && c <= 'z' ? c - 'a' + 26 : c >= 'A' && c <= 'Z' ? c - 'A' : -1;
}

/* ---- the equation */

/* Labels up to `,` or `->` or the end; `dots`: axes that the ellipsis has here. false and an error. */
static bool read_term(sum *s, const char **at, term *t, unsigned dots, bool *had_dots) {
    t->n = 0;
    *had_dots = false;
    for (; **at && **at != ',' && **at != '-'; (*at)++) {
        if (**at == ' ') continue;
        if (!strncmp(*at, "...", 3)) {
            if (*had_dots) return fails(s, BZ_EARG, "two ellipses in one operand", *at);
            *had_dots = true;
            *at += 2;
            for (unsigned k = 0; k < dots; k++) {
                if (t->n == IR_MAX_RANK) return fails(s, BZ_EARG, "too many labels", *at);
                t->label[t->n++] = (uint8_t)(LABELS - dots + k);
            }
            continue;
        }
        int l = letter(**at);
        if (l < 0) return fails(s, BZ_EARG, "a letter is expected", *at);
        if (t->n == IR_MAX_RANK) return fails(s, BZ_EARG, "too many labels", *at);
        t->label[t->n++] = (uint8_t)l;
    }
    return true;
}

/* The axes of the ellipsis of an operand of this rank. */
static bool dots_of(sum *s, const char *at, unsigned rank, unsigned *dots) {
    unsigned letters = 0;
    bool there = false;
    for (; *at && *at != ',' && *at != '-'; at++) {
        letters += letter(*at) >= 0;
        there = there || *at == '.';
    }
    if (rank < letters || (rank > letters && !there))
        return fails(s, BZ_ESHAPE, "an operand has another number of axes than labels", "");
    *dots = rank - letters;
    return true;
}

/* The label's size is the axis's; a size of 1 goes with any. */
static bool take_size(sum *s, unsigned label, ir_dim d) {
    ir_dim one = ir_dim_const(s->g, 1), *size = &s->size[label];
    if (!*size || *size == one) *size = d;
    return *size == d || d == one || fails(s, BZ_ESHAPE, "sizes of one label differ", "");
}

/* Without `->`: an ellipsis, then the letters that stand once, in their order. */
static void own_result(sum *s) {
    unsigned count[LABELS] = {0};
    for (unsigned i = 0; i < s->n; i++)
        for (unsigned k = 0; k < s->t[i].n; k++) count[s->t[i].label[k]]++;
    s->out.n = 0;
    for (unsigned k = 0; k < s->dots; k++)
        s->out.label[s->out.n++] = (uint8_t)(LABELS - s->dots + k);
    for (unsigned l = 0; l < LETTERS; l++)
        if (count[l] == 1 && s->out.n < IR_MAX_RANK) s->out.label[s->out.n++] = (uint8_t)l;
}

static bool check_result(sum *s) {
    bool seen[LABELS] = {false};
    for (unsigned k = 0; k < s->out.n; k++) {
        unsigned l = s->out.label[k];
        if (seen[l]) return fails(s, BZ_EARG, "a label stands twice in the result", "");
        if (!s->size[l]) return fails(s, BZ_EARG, "a label of the result is in no operand", "");
        seen[l] = true;
    }
    return true;
}

static bool read_equation(sum *s, const ir_ref *x, unsigned n) {
    const char *at = s->equation;
    bool dots;
    for (unsigned i = 0; i < n; i++) {
        unsigned here;
        if (i && *at++ != ',')
            return fails(s, BZ_EARG, "fewer operands in the equation than are given", "");
        if (!dots_of(s, at, ir_at(s->g, x[i])->rank, &here) ||
            !read_term(s, &at, &s->t[i], here, &dots))
            return false;
        s->dots = here > s->dots ? here : s->dots;
        s->t[i].x = x[i];
        for (unsigned k = 0; k < s->t[i].n; k++)
            if (!take_size(s, s->t[i].label[k], ir_dims(s->g, ir_at(s->g, x[i]))[k])) return false;
    }
    s->n = n;
    if (!*at) return own_result(s), true;
    if (strncmp(at, "->", 2) != 0)
        return fails(s, BZ_EARG, "more operands in the equation than are given", "");
    at += 2;
    if (!read_term(s, &at, &s->out, s->dots, &dots)) return false;
    return (*at ? fails(s, BZ_EARG, "the end is expected", at) : true) && check_result(s);
}

/* ---- one operand */

static int find(const term *t, unsigned label) {
    for (unsigned k = 0; k < t->n; k++)
        if (t->label[k] == label) return (int)k;
    return -1;
}

static void drop(term *t, unsigned k) {
    memmove(t->label + k, t->label + k + 1, t->n - k - 1);
    t->n--;
}

/* Repeated labels as one, by diagonals; sizes of 1 as the label's. */
static void simplify(sum *s, term *t) {
    ir_dim dims[IR_MAX_RANK];
    for (unsigned k = 0; k < t->n; k++) dims[k] = s->size[t->label[k]];
    t->x = ir_expand_dims_like(s->g, t->x, dims, t->n);
    for (unsigned k = 0; k + 1 < t->n; k++)
        for (unsigned j = k + 1; j < t->n; j++)
            if (t->label[j] == t->label[k]) {
                uint8_t label = t->label[k];
                t->x = ir_diagonal(s->g, t->x, 0, (int)k, (int)j);
                drop(t, j);
                drop(t, k);
                t->label[t->n++] = label;
                k = UINT32_MAX; /* from the start */
                break;
            }
}

/* Is the label wanted by the result, or by an operand that is neither a nor b? */
static bool wanted(const sum *s, unsigned label, unsigned a, unsigned b) {
    if (find(&s->out, label) >= 0) return true;
    for (unsigned i = 0; i < s->n; i++)
        if (i != a && i != b && find(&s->t[i], label) >= 0) return true;
    return false;
}

/* Sums over the labels of operand a that nobody else has. */
static void sum_alone(sum *s, unsigned a, unsigned b) {
    term *t = &s->t[a];
    int axes[IR_MAX_RANK];
    unsigned n = 0, left = 0;
    for (unsigned k = 0; k < t->n; k++) {
        if (!wanted(s, t->label[k], a, b) && (a == b || find(&s->t[b], t->label[k]) < 0))
            axes[n++] = (int)k;
        else
            t->label[left++] = t->label[k];
    }
    t->n = left;
    if (n)
        t->x = ir_cast(s->g, ir_reduce(s->g, IR_SUM, t->x, axes, n, false), ir_dtype(s->g, t->x));
}

/* ---- pairs */

/* Multiplications of a pair, as far as sizes are known. */
static double cost(const sum *s, unsigned a, unsigned b) {
    double c = 1;
    for (unsigned l = 0; l < LABELS; l++) {
        int64_t v = 64;
        if (find(&s->t[a], l) < 0 && find(&s->t[b], l) < 0) continue;
        ir_dim_value(s->g, s->size[l], &v);
        c *= (double)v;
    }
    return c;
}

/* Operand a becomes the product of a and b, which goes. */
static void contract(sum *s, unsigned a, unsigned b) {
    int batch[2][IR_MAX_RANK], both[2][IR_MAX_RANK];
    unsigned nbatch = 0, nboth = 0;
    sum_alone(s, a, b);
    sum_alone(s, b, a);
    const term x = s->t[a], y = s->t[b];
    term *r = &s->t[a];
    r->n = 0;
    for (unsigned k = 0; k < x.n; k++) {
        int j = find(&y, x.label[k]);
        bool keep = wanted(s, x.label[k], a, b);
        if (j < 0) continue;
        int *const to[2] = {keep ? &batch[0][nbatch] : &both[0][nboth],
                            keep ? &batch[1][nbatch] : &both[1][nboth]};
        *to[0] = (int)k;
        *to[1] = j;
        if (keep) r->label[r->n++] = x.label[k];
        *(keep ? &nbatch : &nboth) += 1;
    }
    for (unsigned k = 0; k < x.n; k++)
        if (find(&y, x.label[k]) < 0) r->label[r->n++] = x.label[k];
    for (unsigned k = 0; k < y.n && r->n < IR_MAX_RANK; k++)
        if (find(&x, y.label[k]) < 0) r->label[r->n++] = y.label[k];
    r->x = ir_dot(s->g, x.x, y.x, batch[0], batch[1], nbatch, both[0], both[1], nboth);
    s->t[b] = s->t[--s->n];
}

static ir_ref evaluate(sum *s) {
    for (unsigned i = 0; i < s->n; i++) simplify(s, &s->t[i]);
    while (s->n > 1) {
        unsigned a = 0, b = 1;
        for (unsigned i = 0; i < s->n; i++)
            for (unsigned j = i + 1; j < s->n; j++)
                if (cost(s, i, j) < cost(s, a, b)) a = i, b = j;
        contract(s, a, b);
    }
    sum_alone(s, 0, 0);
    int perm[IR_MAX_RANK];
    for (unsigned k = 0; k < s->out.n; k++) perm[k] = find(&s->t[0], s->out.label[k]);
    return ir_permute(s->g, s->t[0].x, perm, s->out.n);
}

ir_ref ir_einsum(ir_graph *g, const char *equation, const ir_ref *x, unsigned n) {
    if (!equation) return ir_error_as(g, BZ_EARG, "einsum", "there is no equation");
    if (n < 1 || n > MOST)
        return ir_error_as(g, BZ_EARG, "einsum", "%u operands; 1 to %d are possible", n, MOST);
    sum *s = bz_arena_alloc(&g->arena, sizeof *s);
    if (!s) return ir_error_as(g, BZ_ENOMEM, "einsum", "out of memory");
    memset(s, 0, sizeof *s);
    s->g = g;
    s->equation = equation;
    ir_meeting all = ir_meeting_none();
    for (unsigned i = 0; i < n; i++) {
        if (!x[i]) return 0;
        ir_meet(&all, ir_dtype(g, x[i]));
    }
    if (!read_equation(s, x, n)) return 0;
    for (unsigned i = 0; i < n; i++) s->t[i].x = ir_cast(g, s->t[i].x, ir_met(&all));
    return evaluate(s);
}
