/* clean.c - loop-invariant values move out, what nothing uses goes.
 *
 *     walk: move before the loop -> mark: what acts and what that needs -> write: the marked, once
 *
 * A pure value moves out of every loop that it does not depend on, and only then out of an `if` too
 * (computing it is always safe, but costs time where the branch is rare). A load moves when it
 * reads an `in` buffer, which nothing writes while the kernel runs, and out of loops that surely
 * run. Nothing else moves, so effects keep their order. */
#include "src/ir/loops/builder.h"

#include <string.h>

enum { MAX_DEPTH = 64 }; /* as the verifier allows */

typedef struct cleaner {
    const lp_kernel *k;
    lp_val *next, *prev; /* the instructions in their new order; next[0] is the first */
    uint32_t *depth;     /* regions around an instruction, after the move */
    lp_val *home;        /* opener of the region around, 0: none */
    lp_val *end, *other; /* of an opener: END and ELSE */
    uint32_t *handed;    /* of an opener: where its values' marks begin in `used` */
    lp_val *new_number;
    bool *live, *used;
    lp_val *todo;
    uint32_t ntodo;
} cleaner;

static const lp_inst *at(const cleaner *c, lp_val v) {
    return &c->k->inst.p[v];
}

/* ---- moving out of loops */

static bool surely_runs(const cleaner *c, lp_val opener) {
    const lp_inst *i = at(c, opener);
    if (i->op == LP_WHILE) return true;
    if (i->op != LP_LOOP) return false;
    const lp_inst *lo = at(c, lp_args(c->k, i)[0]), *hi = at(c, lp_args(c->k, i)[1]);
    return lo->op == LP_CONST && hi->op == LP_CONST && lo->imm < hi->imm;
}

static bool reads_constant_memory(const cleaner *c, const lp_inst *i) {
    if (i->op != LP_LOAD && i->op != LP_GATHER) return false;
    const lp_inst *p = at(c, lp_args(c->k, i)[0]);
    while (p->op == LP_OFFSET) p = at(c, lp_args(c->k, p)[0]);
    return p->op == LP_BUFFER && c->k->buffers.p[p->imm].access == LP_IN;
}

/* The least depth where all operands of i are visible. */
static uint32_t operand_depth(const cleaner *c, const lp_inst *i) {
    uint32_t least = 0;
    for (unsigned j = 0; j < i->nargs; j++) {
        lp_val x = lp_args(c->k, i)[j];
        /* a loop's value is its index, seen inside */
        uint32_t d = c->depth[x] + (at(c, x)->op == LP_LOOP);
        least = d > least ? d : least;
    }
    return least;
}

/* The depth that instruction v, now inside open[0 .. depth), goes to. */
static uint32_t target_depth(const cleaner *c, const lp_inst *i, const lp_val *open,
                             uint32_t depth) {
    uint32_t least = operand_depth(c, i), best = depth;
    if (lp_fact_of(i->op).pure) {
        for (uint32_t d = depth; d-- > least;)
            if (at(c, open[d])->op != LP_IF) best = d;
    } else if (reads_constant_memory(c, i)) {
        if (!c->k->function && least == 0) least = 1; /* no loads at the top level */
        while (best > least && surely_runs(c, open[best - 1])) best--;
    }
    return best;
}

static void put_before(cleaner *c, lp_val v, lp_val at_v) {
    c->next[c->prev[v]] = c->next[v];
    c->prev[c->next[v]] = c->prev[v];
    c->prev[v] = c->prev[at_v];
    c->next[v] = at_v;
    c->next[c->prev[v]] = v;
    c->prev[at_v] = v;
}

static void walk(cleaner *c) {
    lp_val open[MAX_DEPTH];
    uint32_t depth = 0, n = c->k->inst.n;
    for (lp_val v = 0; v <= n; v++) {
        c->next[v] = v + 1;
        c->prev[v] = v - 1;
    }
    for (lp_val v = 1; v < n; v++) {
        const lp_inst *i = at(c, v);
        if (i->op == LP_END) c->end[open[depth - 1]] = v;
        if (i->op == LP_ELSE) c->other[open[depth - 1]] = v;
        uint32_t d = target_depth(c, i, open, depth);
        if (d < depth) put_before(c, v, open[d]);
        c->depth[v] = d;
        c->home[v] = d ? open[d - 1] : 0;
        depth -= i->op == LP_END;
        if (lp_opens_region(i->op)) open[depth++] = v;
    }
}

/* ---- marking */

static void mark(cleaner *c, lp_val v) {
    if (v == 0 || c->live[v]) return;
    c->live[v] = true;
    c->todo[c->ntodo++] = v;
}

static unsigned skipped(const lp_inst *opener) {
    return opener->op == LP_LOOP ? 2 : opener->op == LP_IF ? 1 : 0;
}

/* Value number j of an opener is needed: what goes in, and what each YIELD gives. */
static void mark_handed(cleaner *c, lp_val opener, uint32_t j) {
    if (c->used[c->handed[opener] + j]) return;
    c->used[c->handed[opener] + j] = true;
    const lp_inst *o = at(c, opener);
    unsigned first = o->op == LP_WHILE;
    if (o->op != LP_IF) mark(c, lp_args(c->k, o)[skipped(o) + j]);
    mark(c, lp_args(c->k, at(c, c->end[opener] - 1))[first + j]);
    if (c->other[opener]) mark(c, lp_args(c->k, at(c, c->other[opener] - 1))[first + j]);
}

static void mark_needs(cleaner *c, lp_val v) {
    const lp_inst *i = at(c, v);
    const uint32_t *args = lp_args(c->k, i);
    mark(c, c->home[v]);
    if (i->op == LP_CARRY || i->op == LP_RESULT) {
        mark(c, args[0]);
        mark_handed(c, args[0], (uint32_t)i->imm);
        return;
    }
    unsigned n = lp_opens_region(i->op) ? skipped(i) : i->nargs;
    for (unsigned j = 0; j < n; j++) mark(c, args[j]);
    if (i->op == LP_WHILE) mark(c, lp_args(c->k, at(c, c->end[v] - 1))[0]);
}

static bool acts(const lp_inst *i) {
    switch (i->op) {
    case LP_STORE:
    case LP_SCATTER:
    case LP_COMPRESS:
    case LP_ATOMIC:
    case LP_PREFETCH:
    case LP_ASYNC_COPY:
    case LP_ASYNC_WAIT:
    case LP_ASYNC_GROUP:
    case LP_BARRIER:
    case LP_CALL:
    case LP_EXTERNAL:
    case LP_ERROR: return true;
    case LP_LOOP: return (i->flags & 15) == LP_PARALLEL; /* phases keep their numbers */
    default: return false;
    }
}

static void mark_all(cleaner *c) {
    for (lp_val v = 1; v < c->k->inst.n; v++)
        if (acts(at(c, v))) mark(c, v);
    while (c->ntodo) mark_needs(c, c->todo[--c->ntodo]);
}

/* ---- writing */

/* Number of the opener's value j among those that stay. */
static uint32_t kept_before(const cleaner *c, lp_val opener, uint32_t j) {
    uint32_t n = 0;
    for (uint32_t i = 0; i < j; i++) n += c->used[c->handed[opener] + i];
    return n;
}

/* Operands of v in the new kernel, without the values of `opener` that nothing uses; the first
 * `skip` stay. */
static unsigned new_args(const cleaner *c, lp_val v, lp_val opener, unsigned skip, lp_val *out) {
    const lp_inst *i = at(c, v);
    unsigned n = 0;
    for (unsigned j = 0; j < i->nargs; j++)
        if (!opener || j < skip || c->used[c->handed[opener] + j - skip])
            out[n++] = c->new_number[lp_args(c->k, i)[j]];
    return n;
}

static lp_val write_one(cleaner *c, lp_builder *b, lp_val v, lp_val opener, lp_val *args) {
    lp_inst i = *at(c, v);
    const uint32_t *extra = lp_args(c->k, &i) + i.nargs;
    lp_val handing = 0;
    unsigned skip = 0;
    if (i.op == LP_LOOP || i.op == LP_WHILE) {
        handing = v;
        skip = skipped(&i);
    } else if (i.op == LP_YIELD) {
        handing = opener;
        skip = at(c, opener)->op == LP_WHILE;
    } else if (i.op == LP_CARRY || i.op == LP_RESULT) {
        lp_val from = lp_args(c->k, &i)[0];
        i.imm = kept_before(c, from, (uint32_t)i.imm);
    }
    unsigned n = new_args(c, v, handing, skip, args);
    lp_set_site(b, i.site);
    return lp_put_extra(b, i, args, n, extra);
}

static void write_all(cleaner *c, lp_builder *b, lp_val *args) {
    lp_val open[MAX_DEPTH];
    uint32_t seen[MAX_DEPTH], depth = 0;
    for (lp_val v = c->next[0]; v < c->k->inst.n; v = c->next[v]) {
        unsigned op = at(c, v)->op;
        bool frame = op == LP_YIELD || op == LP_ELSE || op == LP_END;
        if (!(frame ? c->live[c->home[v]] : c->live[v])) continue;
        c->new_number[v] = write_one(c, b, v, depth ? open[depth - 1] : 0, args);
        if (op == LP_END || op == LP_ELSE) lp_forget(b, seen[depth - 1]);
        depth -= op == LP_END;
        if (!lp_opens_region(op)) continue;
        seen[depth] = b->seen.n;
        open[depth++] = v;
    }
}

static void copy_head(const lp_kernel *from, lp_kernel *to) {
    to->function = from->function;
    to->rows = from->rows;
    for (uint32_t j = 0; j < from->buffers.n; j++)
        lp_push_buffer(to, from->buffers.p[j].name, from->buffers.p[j].dtype,
                       from->buffers.p[j].access);
    for (uint32_t j = 0; j < from->extents.n; j++) lp_push_extent(to, from->extents.p[j].name);
    for (uint32_t j = 0; j < from->scalars.n; j++)
        lp_push_scalar(to, from->scalars.p[j].name, from->scalars.p[j].dtype);
}

/* Lays the arrays of a cleaner into one block; NULL when out of memory. Values that openers hand
 * on: at most all operands. */
static void *allocate(cleaner *c) {
    size_t n = c->k->inst.n + 1, args = c->k->args.n + 1;
    uint32_t *p = bz_mem_zero(9 * n + args, sizeof *p);
    bool *flags = bz_mem_zero(n + args, sizeof *flags);
    if (!p || !flags) {
        bz_mem_free(p);
        bz_mem_free(flags);
        return NULL;
    }
    uint32_t **arrays[] = {&c->next,  &c->prev,   &c->depth,      &c->home, &c->end,
                           &c->other, &c->handed, &c->new_number, &c->todo};
    for (size_t j = 0; j < BZ_LEN(arrays); j++) *arrays[j] = p + j * n;
    c->live = flags;
    c->used = flags + n;
    return p;
}

lp_kernel *lp_clean(const lp_kernel *k) {
    cleaner c = {.k = k};
    uint32_t *block = k->failed ? NULL : allocate(&c);
    lp_kernel *out = block ? lp_kernel_new(k->name) : NULL;
    lp_builder *b = lp_builder_new(out);
    if (b) {
        copy_head(k, out);
        walk(&c);
        uint32_t marks = 0;
        for (lp_val v = 1; v < k->inst.n; v++)
            if (lp_opens_region(at(&c, v)->op)) {
                c.handed[v] = marks;
                marks += at(&c, c.end[v] - 1)->nargs;
            }
        mark_all(&c);
        write_all(&c, b, block + 9 * (k->inst.n + 1));
    }
    if (out && (!b || out->failed)) {
        lp_kernel_free(out);
        out = NULL;
    }
    lp_builder_free(b);
    if (block) bz_mem_free(c.live);
    bz_mem_free(block);
    return out;
}
