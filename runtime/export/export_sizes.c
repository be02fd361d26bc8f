/* export_sizes.c - a function that is told a size: a plan for each, and what their images differ in.
 *
 *     size n --graph--> plan --library--> image: words and pointers         images with the same pointers are one group
 *                                              |
 *     group: word 17 is 640, 704, 704, 768 ...  --fit-->  bases[17 + n % 2] + 64 * (n / 2)      (runtime/aot/sizes.c)
 *
 * Nothing is assumed of how plans hang on sizes: every one is made, and a number's formula gives each of them. */
#include "runtime/export/export.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The table of captured tensors, whose place in the object is not known yet. */
static const char baked_symbol[] = "\1baked";

static bz_status no_memory(bz_error *e) {
    return bz_fail(e, BZ_ENOMEM, "out of memory for the export");
}

void ex_sized_free(ex_sized *z) {
    for (uint32_t i = 0; i < z->groups.n; i++) {
        ex_group *g = &z->groups.p[i];
        for (uint32_t k = 0; k < g->words.n; k++) bz_mem_free(g->words.p[k]);
        ex_image_free(&g->first);
        bz_vec_free(&g->sizes);
        bz_vec_free(&g->words);
    }
    bz_vec_free(&z->groups);
    bz_vec_free(&z->which);
    ex_library_free(&z->library);
}

/* ---- images with the same pointers */

static bool same_structure(const ex_image *a, const ex_image *b) {
    bool same = a->bytes.n == b->bytes.n && a->relocs.n == b->relocs.n;
    for (uint32_t i = 0; i < a->relocs.n && same; i++) {
        const cg_reloc *p = &a->relocs.p[i], *q = &b->relocs.p[i];
        same = p->offset == q->offset && p->addend == q->addend && !strcmp(p->symbol, q->symbol);
    }
    return same;
}

static uint32_t words_in(const ex_image *m) {
    return m->bytes.n / 8 + (m->bytes.n % 8 != 0);
}

/* Pointers are no numbers. */
static uint64_t *words_of(const ex_image *m) {
    uint64_t *w = bz_mem_zero(words_in(m) + 1, sizeof *w);
    if (w) memcpy(w, m->bytes.p, m->bytes.n);
    for (uint32_t i = 0; i < m->relocs.n && w; i++) w[m->relocs.p[i].offset / 8] = 0;
    return w;
}

/* Takes m, or has its like. */
static bool file(ex_sized *z, ex_image *m, int64_t n) {
    uint32_t i = 0;
    while (i < z->groups.n && !same_structure(&z->groups.p[i].first, m)) i++;
    if (i == z->groups.n) {
        if (!bz_vec_push(&z->groups, (ex_group){0})) return false;
        z->groups.p[i].first = *m;
        *m = (ex_image){0};
        m = &z->groups.p[i].first;
    }
    ex_group *g = &z->groups.p[i];
    uint64_t *words = words_of(m);
    if (!words || !bz_vec_reserve(&g->words, 1) || !bz_vec_push(&g->sizes, n) ||
        !bz_vec_push(&z->which, (uint16_t)i)) {
        bz_mem_free(words);
        return false;
    }
    g->words.p[g->words.n++] = words;
    return true;
}

/* ---- one size */

static bz_status add_size(ex_sized *z, const ex_function *f, const ir_graph *g, int64_t n,
                          ex_fields *fields, const char *prefix, bz_error *e) {
    pass_target t = z->cuda ? ex_cuda_target(z->machines) : rt_target(z->isa, EX_THREADS);
    t.any_size = true;
    ex_variant v;
    ex_image m = {.name = "words"};
    bz_status s = ex_variant_make(&v, g, &t, z->isa, f->name, fields, e);
    if (!s && !ex_library_take(&z->library, &v, f->name)) s = no_memory(e);
    if (!s) {
        ex_put_room(&m, ex_variant_bytes(z->cuda));
        ex_put_variant(&m, &v, fields, prefix, (ex_spot){baked_symbol, 0}, 0);
        ex_image_sort(&m);
        if (m.failed || !file(z, &m, n)) s = no_memory(e);
    }
    ex_image_free(&m);
    ex_variant_free(&v);
    return s;
}

/* ---- what the graphs have in common */

static bool same_value(const ir_graph *a, ir_ref x, const ir_graph *b, ir_ref y) {
    return ir_dtype(a, x) == ir_dtype(b, y) && ir_at(a, x)->rank == ir_at(b, y)->rank;
}

/* Inputs and outputs of g are those of f->g, but for sizes. */
static bool same_ends(const ex_function *f, const ir_graph *g) {
    const ir_graph *o = f->g;
    bool same = o->inputs.n == g->inputs.n && o->outputs.n == g->outputs.n;
    for (uint32_t i = 0; i < g->inputs.n && same; i++)
        same = same_value(o, o->inputs.p[i].node, g, g->inputs.p[i].node) &&
               o->inputs.p[i].scalar == g->inputs.p[i].scalar &&
               !strcmp(o->inputs.p[i].name, g->inputs.p[i].name);
    for (uint32_t i = 0; i < g->outputs.n && same; i++)
        same = same_value(o, o->outputs.p[i].node, g, g->outputs.p[i].node) &&
               o->outputs.p[i].donated == g->outputs.p[i].donated;
    return same;
}

/* What of the graphs the header tells, for each size: axes of all inputs, then of all outputs; words of the random stream. */
typedef struct seen {
    BZ_VEC(int64_t) sizes;
    BZ_VEC(uint64_t) words;
    BZ_VEC(uint64_t) dims; /* ndims for each size */
    uint32_t ndims;
} seen;

static bool see_value(seen *h, const ir_graph *g, ir_ref r) {
    int64_t shape[IR_MAX_RANK];
    bool known = ir_static_shape(g, r, shape);
    for (unsigned i = 0; i < ir_at(g, r)->rank && known; i++) {
        known = bz_vec_push(&h->dims, (uint64_t)shape[i]);
        if (h->sizes.n == 0) h->ndims++;
    }
    return known;
}

static bool see(seen *h, const ir_graph *g, int64_t n, uint64_t words) {
    bool done = true;
    for (uint32_t i = 0; i < g->inputs.n && done; i++) done = see_value(h, g, g->inputs.p[i].node);
    for (uint32_t i = 0; i < g->outputs.n && done; i++)
        done = see_value(h, g, g->outputs.p[i].node);
    return done && bz_vec_push(&h->sizes, n) && bz_vec_push(&h->words, words);
}

/* ---- numbers: bases[n % period] + step * (n / period) */

enum { MOST_PERIODS = 64 };

typedef struct fit {
    uint32_t period;
    uint64_t step;
    uint64_t *bases; /* period of them, room for all that are tried */
} fit;

/* The step that v[] has over a period; 0 where no two sizes tell. False: there is none. */
static bool find_step(const int64_t *n, const uint64_t *v, uint32_t count, int64_t period,
                      uint64_t *step) {
    *step = 0;
    for (uint32_t i = 0, k = 0; i < count; i++) {
        while (n[k] + period < n[i]) k++;
        if (k == i || (n[i] - n[k]) % period) continue;
        *step = v[i] - v[k];
        return n[k] + period == n[i];
    }
    return true;
}

/* Does the formula of this period give all v? `set` has room for a period. */
static bool fits(const int64_t *n, const uint64_t *v, uint32_t count, fit *f, bool *set) {
    if (!find_step(n, v, count, f->period, &f->step)) return false;
    memset(set, 0, f->period);
    memset(f->bases, 0, f->period * sizeof *f->bases);
    for (uint32_t i = 0; i < count; i++) {
        const uint64_t at = (uint64_t)n[i] % f->period,
                       base = v[i] - f->step * ((uint64_t)n[i] / f->period);
        if (set[at] && f->bases[at] != base) return false;
        set[at] = true;
        f->bases[at] = base;
    }
    return true;
}

/* The shortest of the periods 1, 2, 3, 4, 6, 8, 12 ... that fits; at last one that is longer than all sizes, where every v is a base. */
static void fit_number(const int64_t *n, const uint64_t *v, uint32_t count, fit *f, bool *set) {
    const uint32_t all = (uint32_t)n[count - 1] + 1;
    for (uint32_t p = 1; p < all; p *= 2) {
        f->period = p;
        if (fits(n, v, count, f, set)) return;
        f->period = p + p / 2;
        if (p > 1 && f->period < all && fits(n, v, count, f, set)) return;
    }
    f->period = all;
    fits(n, v, count, f, set);
}

typedef struct fitter {
    fit f;
    bool *set;
    uint64_t *v;
} fitter;

static bool fitter_open(fitter *t, int64_t hi, uint32_t count) {
    const size_t most = 2 * (size_t)hi + 2;
    *t = (fitter){.f.bases = bz_mem_alloc(most * sizeof *t->f.bases),
                  .set = bz_mem_alloc(most),
                  .v = bz_mem_alloc((count + 1) * sizeof *t->v)};
    return t->f.bases && t->set && t->v;
}

static void fitter_close(fitter *t) {
    bz_mem_free(t->f.bases);
    bz_mem_free(t->set);
    bz_mem_free(t->v);
}

/* ---- shapes and amounts with the size's name in them */

/* "2 n + 3"; what is no straight line as the least and the most. */
static void say_number(bz_text *t, fitter *q, const seen *h, const char *name) {
    const uint64_t *v = q->v;
    uint64_t lo = v[0], hi = v[0];
    fit_number(h->sizes.p, v, h->sizes.n, &q->f, q->set);
    for (uint32_t i = 0; i < h->sizes.n; i++) {
        lo = v[i] < lo ? v[i] : lo;
        hi = v[i] > hi ? v[i] : hi;
    }
    const int64_t base = (int64_t)q->f.bases[0], step = (int64_t)q->f.step;
    if (lo == hi)
        bz_textf(t, "%" PRIu64, lo);
    else if (q->f.period != 1 || step < 0)
        bz_textf(t, "%" PRIu64 "..%" PRIu64, lo, hi);
    else {
        if (step != 1) bz_textf(t, "%" PRId64 " ", step);
        bz_textf(t, base ? "%s %c %" PRId64 : "%s", name, base < 0 ? '-' : '+',
                 base < 0 ? -base : base);
    }
}

/* The text in f's memory, NULL: there is none; t is free then. */
static const char *keep(ex_fields *f, bz_text *t) {
    const char *text = t->failed ? NULL : bz_arena_str(&f->memory, bz_text_c(t));
    bz_text_free(t);
    return text;
}

static const char *say_shape(ex_fields *f, fitter *q, const seen *h, const ir_graph *g, ir_ref r,
                             uint32_t first, const char *name) {
    bz_text t = {0};
    bz_textf(&t, "%s[", ir_dtypes[ir_dtype(g, r)].name);
    for (unsigned a = 0; a < ir_at(g, r)->rank; a++) {
        for (uint32_t i = 0; i < h->sizes.n; i++) q->v[i] = h->dims.p[i * h->ndims + first + a];
        if (a) bz_text_str(&t, ", ");
        say_number(&t, q, h, name);
    }
    bz_text_str(&t, "]");
    return keep(f, &t);
}

static const char *say_words(ex_fields *f, fitter *q, const seen *h, const char *name) {
    bz_text t = {0};
    bz_text_str(&t, "place in the random stream: add ");
    memcpy(q->v, h->words.p, h->words.n * sizeof *q->v);
    say_number(&t, q, h, name);
    bz_text_str(&t, " before the next call");
    return keep(f, &t);
}

static bz_status say_fields(ex_fields *f, const ex_function *fn, const seen *h, bz_error *e) {
    const ir_graph *g = fn->g;
    fitter q;
    bool done = fitter_open(&q, fn->size->hi, h->sizes.n);
    uint32_t at = 0;
    for (uint32_t i = 0; i < f->ninputs + f->noutputs && done; i++) {
        ex_field *x = i < f->ninputs ? &f->input[i] : &f->output[i - f->ninputs];
        const unsigned rank = ir_at(g, x->node)->rank;
        if (rank) done = (x->shape = say_shape(f, &q, h, g, x->node, at, fn->size->name)) != NULL;
        at += rank;
    }
    if (done && fn->base >= 0)
        done = (f->input[fn->base].note = say_words(f, &q, h, fn->size->name)) != NULL;
    fitter_close(&q);
    return done ? BZ_OK : no_memory(e);
}

/* ---- all sizes */

static bz_status check_size(const ex_size *q, bz_error *e) {
    if (q->lo < 1 || q->hi < q->lo)
        return bz_fail(e, BZ_EARG,
                       "[export] %s goes from %" PRId64 " to %" PRId64
                       ": sizes are numbers from 1 on, in rising order",
                       q->name, q->lo, q->hi);
    if (q->hi - q->lo >= EX_MOST_SIZES || q->hi > INT32_MAX / 4)
        return bz_fail(e, BZ_EARG,
                       "[export] %s goes from %" PRId64 " to %" PRId64
                       ": each size is planned, %d at most, the largest %d",
                       q->name, q->lo, q->hi, EX_MOST_SIZES, INT32_MAX / 4);
    return BZ_OK;
}

static bz_status size_one(ex_sized *z, unsigned nz, const ex_function *f, int64_t n,
                          ex_fields *fields, const char *prefix, seen *h, bz_error *e) {
    const ir_graph *g = NULL;
    uint64_t words = 0;
    bz_status s = f->size->graph(f->size->user, n, &g, &words, e);
    if (s) return s;
    if (!same_ends(f, g))
        return bz_fail(e, BZ_EARG,
                       "[export] with %s = %" PRId64
                       " the function has other inputs and outputs than with %" PRId64,
                       f->size->name, n, f->size->lo);
    if (!see(h, g, n, words)) return no_memory(e);
    for (unsigned i = 0; i < nz && !s; i++) s = add_size(&z[i], f, g, n, fields, prefix, e);
    return s;
}

bz_status ex_size_all(ex_sized *z, unsigned nz, const ex_function *f, ex_fields *fields,
                      const char *prefix, bz_error *e) {
    seen h = {0};
    bz_status s = check_size(f->size, e);
    for (int64_t n = f->size->lo; n <= f->size->hi && !s; n++)
        s = size_one(z, nz, f, n, fields, prefix, &h, e);
    if (!s) s = say_fields(fields, f, &h, e);
    bz_vec_free(&h.sizes);
    bz_vec_free(&h.words);
    bz_vec_free(&h.dims);
    return s;
}

/* ---- into the object */

/* The words of a group's images that differ, as numbers. */
typedef struct numbers {
    BZ_VEC(bz_rt_number) all;
    BZ_VEC(uint64_t) bases;
} numbers;

/* Where the bases lie; numbers of the same course share them. */
static bool put_bases(numbers *k, const fit *f, uint32_t *at) {
    for (uint32_t i = 0; i < k->all.n; i++) {
        *at = k->all.p[i].base;
        if (k->all.p[i].period == f->period &&
            !memcmp(k->bases.p + *at, f->bases, f->period * sizeof *f->bases))
            return true;
    }
    *at = k->bases.n;
    bool done = true;
    for (uint32_t i = 0; i < f->period && done; i++) done = bz_vec_push(&k->bases, f->bases[i]);
    return done;
}

static bool find_numbers(const ex_group *g, fitter *q, numbers *k) {
    const uint32_t nwords = words_in(&g->first), count = g->sizes.n;
    bool done = true;
    for (uint32_t w = 0; w < nwords && done; w++) {
        bool same = true;
        for (uint32_t i = 0; i < count; i++) {
            q->v[i] = g->words.p[i][w];
            same &= q->v[i] == q->v[0];
        }
        if (same) continue;
        fit_number(g->sizes.p, q->v, count, &q->f, q->set);
        bz_rt_number new = {.word = w, .period = q->f.period, .step = q->f.step};
        done = put_bases(k, &q->f, &new.base) && bz_vec_push(&k->all, new);
    }
    return done;
}

/* The first image's bytes; pointers within it are listed in `inner` too. Where they begin. */
static size_t put_words(ex_image *m, const ex_group *g, size_t baked, size_t *inner,
                        uint32_t *ninner) {
    const ex_image *b = &g->first;
    size_t at = ex_put(m, b->bytes.p, b->bytes.n);
    *inner = ex_put_room(m, (b->relocs.n + 1) * sizeof(uint32_t));
    *ninner = 0;
    for (uint32_t i = 0; i < b->relocs.n; i++) {
        const cg_reloc *r = &b->relocs.p[i];
        const size_t from = at + (size_t)r->offset, to = (size_t)r->addend;
        if (!strcmp(r->symbol, baked_symbol)) {
            ex_link(m, from, NULL, baked + to);
        } else if (strcmp(r->symbol, b->name) != 0) {
            ex_link(m, from, r->symbol, to);
        } else {
            const uint32_t word = (uint32_t)(r->offset / 8);
            ex_link(m, from, NULL, at + to);
            ex_set(m, *inner + (*ninner)++ * sizeof word, &word, sizeof word);
        }
    }
    return at;
}

static void put_template(ex_image *m, const ex_group *g, fitter *q, size_t baked, size_t base) {
    numbers k = {0};
    size_t inner;
    bz_rt_template t = {.nwords = words_in(&g->first)};
    m->failed |= !find_numbers(g, q, &k);
    size_t words = put_words(m, g, baked, &inner, &t.ninner);
    t.nnumbers = k.all.n;
    ex_set(m, base, &t, sizeof t);
    ex_link(m, base + offsetof(bz_rt_template, words), NULL, words);
    ex_link(m, base + offsetof(bz_rt_template, inner), NULL, inner);
    ex_link(m, base + offsetof(bz_rt_template, numbers), NULL,
            ex_put(m, k.all.p, k.all.n * sizeof *k.all.p));
    ex_link(m, base + offsetof(bz_rt_template, bases), NULL,
            ex_put(m, k.bases.p, k.bases.n * sizeof *k.bases.p));
    bz_vec_free(&k.all);
    bz_vec_free(&k.bases);
}

void ex_put_sized(ex_image *m, const ex_sized *z, const ex_size *q, size_t baked, size_t base) {
    bz_rt_variant v = {.isa = (uint32_t)z->isa};
    bz_rt_sizes s = {.lo = q->lo, .hi = q->hi};
    fitter t;
    m->failed |= !fitter_open(&t, q->hi, z->which.n);
    size_t at = ex_put_room(m, sizeof s),
           templates = ex_put_room(m, z->groups.n * sizeof(bz_rt_template));
    for (uint32_t i = 0; i < z->groups.n && !m->failed; i++)
        put_template(m, &z->groups.p[i], &t, baked, templates + i * sizeof(bz_rt_template));
    fitter_close(&t);
    ex_set(m, base, &v, sizeof v);
    ex_set(m, at, &s, sizeof s);
    ex_link(m, base + offsetof(bz_rt_variant, sizes), NULL, at);
    ex_link(m, at + offsetof(bz_rt_sizes, templates), NULL, templates);
    if (z->groups.n > 1)
        ex_link(m, at + offsetof(bz_rt_sizes, which), NULL,
                ex_put(m, z->which.p, z->which.n * sizeof *z->which.p));
    ex_link(m, at + offsetof(bz_rt_sizes, outside), NULL,
            ex_put_text(m, "%s is no size from %" PRId64 " to %" PRId64, q->name, q->lo, q->hi));
}
