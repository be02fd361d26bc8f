/* verify.c - is a kernel well formed?
 *
 * One walk over the instructions with the stack of open regions: places (what may stand where),
 * visibility (operands come from regions that are still open), then the types (verify_types.c). A
 * message names the kernel and shows the instruction with its neighbours:
 *
 *     [kernel softmax] operands of different lanes
 *         %11: f32x16 = carry %10 [0]
 *       > %12: f32x16 = add %11, %4 */
#include "src/ir/loops/verify.h"

#include <string.h>

enum { MAX_DEPTH = 64, MAX_THREADS = 1024, MAX_UNROLLED = 64 };

typedef struct region {
    lp_val opener, half; /* half: the ELSE where we are behind it, else the opener */
    lp_val yield;        /* IF behind its ELSE: the first YIELD */
    int64_t threads;     /* of the block around */
    bool has_thread_loop;
} region;

typedef struct verifier {
    const lp_kernel *k;
    const lp_module *m;
    lp_val *home;  /* of each instruction: the opener or ELSE of the region it stands in; 0: top */
    lp_val *ended; /* of each opener: its last YIELD, once it has ended */
    bool *simple;  /* a scalar that constants, extents and scalar arguments give by base ops */
    region open[MAX_DEPTH];
    unsigned depth;
} verifier;

static const lp_inst *at(const verifier *r, lp_val v) {
    return &r->k->inst.p[v];
}

static region *top(verifier *r) {
    return &r->open[r->depth - 1];
}

static lp_val here(const verifier *r) {
    return r->depth ? r->open[r->depth - 1].half : 0;
}

/* ---- visibility */

static bool is_open(const verifier *r, lp_val half) {
    if (half == 0) return true;
    for (unsigned d = 0; d < r->depth; d++)
        if (r->open[d].half == half) return true;
    return false;
}

/* Threads in a block where the region `half` stands open. */
static int64_t threads_in(const verifier *r, lp_val half) {
    for (unsigned d = 0; d < r->depth; d++)
        if (r->open[d].half == half) return r->open[d].threads;
    return 1;
}

/* An array belongs to the threads that are there where it stands; more would share it. */
static bool shares_local(const verifier *r, lp_val p) {
    while (at(r, p)->op == LP_OFFSET) p = lp_args(r->k, at(r, p))[0];
    const lp_inst *i = at(r, p);
    bool own = i->op == LP_LOCAL && (i->flags & 15) != LP_SHARED;
    return own && threads_in(r, r->home[p]) != threads_in(r, here(r));
}

static const char *operand_problem(const verifier *r, lp_val v, const lp_inst *i) {
    const lp_kernel *k = r->k;
    if ((uint64_t)i->args + i->nargs + lp_extra_count(i) > k->args.n)
        return "operands lie outside the kernel";
    bool handed = i->op == LP_CARRY || i->op == LP_RESULT;
    for (unsigned j = 0; j < i->nargs; j++) {
        lp_val x = lp_args(k, i)[j];
        if (x == 0 || x >= v) return "operand is not an earlier instruction";
        if (!is_open(r, r->home[x])) return "operand is not visible here";
        if (handed) continue;
        if (lp_fact_of(at(r, x)->op).result == 'N') return "operand has no value";
        if (shares_local(r, x))
            return "a local array is used by the threads of a loop inside its place";
        if (at(r, x)->op == LP_LOOP && !is_open(r, x))
            return "the index of a loop is not visible behind it";
    }
    return NULL;
}

/* ---- loops */

static bool is_const(const verifier *r, const lp_inst *i, unsigned j, int64_t *v) {
    const lp_inst *x = at(r, lp_args(r->k, i)[j]);
    *v = x->imm;
    return x->op == LP_CONST;
}

static bool is_thread_loop(const lp_inst *i) {
    return i->op == LP_LOOP && (i->flags & 15) >= LP_BLOCK;
}

static const char *thread_loop_problem(verifier *r, const lp_inst *i, int64_t lo, int64_t hi) {
    unsigned kind = i->flags & 15;
    const lp_inst *outer = r->depth ? at(r, top(r)->opener) : NULL;
    unsigned outer_kind = outer && outer->op == LP_LOOP ? outer->flags & 15u : LP_SERIAL;
    bool repeats = kind == LP_GRID || kind == LP_BLOCK;
    if (outer_kind < LP_PARALLEL || outer_kind > kind || (outer_kind == kind && !repeats))
        return "the order of loops is parallel, grid, block, warp, lane, each directly in the one "
               "before";
    if (kind == LP_GRID) return NULL;
    if (hi < 1 || lo != 0 || i->imm != 1)
        return "threads are counted from 0 by 1 to a positive constant";
    if (kind == LP_LANE && hi != 32) return "a warp has 32 lanes";
    if (top(r)->has_thread_loop) return "second loop over threads in a region";
    if (top(r)->threads * hi > MAX_THREADS || hi > MAX_THREADS)
        return "more than 1024 threads in a block";
    top(r)->has_thread_loop = true;
    return NULL;
}

static const char *loop_problem(verifier *r, const lp_inst *i) {
    unsigned kind = i->flags & 15;
    int64_t lo, hi;
    bool known_lo = is_const(r, i, 0, &lo), known = is_const(r, i, 1, &hi) && known_lo;
    if (kind > LP_UNROLLED && i->nargs > 2) return "only serial and unrolled loops carry values";
    switch (kind) {
    case LP_SERIAL: return NULL;
    case LP_UNROLLED:
        if (!known || (hi > lo && (uint64_t)hi - (uint64_t)lo > (uint64_t)i->imm * MAX_UNROLLED))
            return "an unrolled loop runs a constant number of times, at most 64";
        return NULL;
    case LP_PARALLEL:
        if (r->depth || r->k->function)
            return "a parallel loop stands at the top level of a kernel";
        if (!r->simple[lp_args(r->k, i)[1]])
            return "the number of tasks does not follow from extents and scalars by base ops";
        return known_lo && lo == 0 && i->imm == 1 ? NULL : "a parallel loop counts from 0 by 1";
    default: return thread_loop_problem(r, i, known_lo ? lo : 1, known ? hi : 0);
    }
}

/* ---- regions */

static const char *open_problem(verifier *r, lp_val v, const lp_inst *i) {
    if (r->depth == MAX_DEPTH) return "regions nested deeper than 64";
    const char *problem = i->op == LP_LOOP ? loop_problem(r, i) : NULL;
    if (problem) return problem;
    region in = {.opener = v, .half = v, .threads = r->depth ? top(r)->threads : 1};
    if (is_thread_loop(i)) in.threads *= at(r, lp_args(r->k, i)[1])->imm;
    r->open[r->depth++] = in;
    return NULL;
}

static bool same_types(const verifier *r, const uint32_t *x, const uint32_t *y, unsigned n) {
    for (unsigned j = 0; j < n; j++)
        if (at(r, x[j])->dtype != at(r, y[j])->dtype || at(r, x[j])->lanes != at(r, y[j])->lanes)
            return false;
    return true;
}

/* The YIELD `y` of the innermost region against what the region takes or its other branch
 * yields. */
static const char *yield_problem(verifier *r, const lp_inst *y) {
    const lp_kernel *k = r->k;
    const region *in = top(r);
    const lp_inst *o = at(r, in->opener);
    const uint32_t *got = lp_args(k, y);
    if (o->op == LP_IF) {
        if (!in->yield) return NULL;
        const lp_inst *other = at(r, in->yield);
        bool same = y->nargs == other->nargs && same_types(r, got, lp_args(k, other), y->nargs);
        return same ? NULL : "the branches yield different types";
    }
    unsigned first = o->op == LP_WHILE, skip = o->op == LP_LOOP ? 2 : 0;
    if (first && (y->nargs == 0 || at(r, got[0])->dtype != BZ_BOOL || at(r, got[0])->lanes != 1))
        return "a while yields its condition first, a bool scalar";
    bool same = y->nargs - first == o->nargs - skip &&
                same_types(r, got + first, lp_args(k, o) + skip, y->nargs - first);
    return same ? NULL : "the loop yields other types than it carries";
}

static const char *else_problem(verifier *r, lp_val v) {
    region *in = r->depth ? top(r) : NULL;
    if (!in || at(r, in->opener)->op != LP_IF || in->yield) return "else without an if";
    in->yield = v - 1;
    in->half = v;
    return NULL;
}

static const char *end_problem(verifier *r, lp_val v) {
    if (!r->depth) return "end without a region";
    const region *in = top(r);
    if (at(r, in->opener)->op == LP_IF && !in->yield && at(r, v - 1)->nargs)
        return "an if without else yields nothing";
    r->ended[in->opener] = v - 1;
    r->depth--;
    return NULL;
}

static const char *carry_problem(verifier *r, lp_val v, const lp_inst *i) {
    lp_val opener = lp_args(r->k, i)[0];
    const lp_inst *o = at(r, opener), *before = at(r, v - 1);
    if (o->op != LP_LOOP && o->op != LP_WHILE) return "operand is not a loop or while";
    unsigned skip = o->op == LP_LOOP ? 2 : 0;
    if (i->imm < 0 || i->imm >= o->nargs - (int64_t)skip)
        return "the loop does not carry so many values";
    bool first = v - 1 == opener;
    bool next =
        before->op == LP_CARRY && lp_args(r->k, before)[0] == opener && before->imm < i->imm;
    if (!first && !next) return "carries stand directly after their loop, in order";
    return same_types(r, &v, lp_args(r->k, o) + skip + i->imm, 1)
               ? NULL
               : "type differs from the carried value's";
}

static const char *result_problem(verifier *r, lp_val v, const lp_inst *i) {
    lp_val opener = lp_args(r->k, i)[0];
    const lp_inst *o = at(r, opener);
    if (!lp_opens_region(o->op)) return "operand is not a loop, while or if";
    if (!r->ended[opener]) return "the region has not ended";
    const lp_inst *y = at(r, r->ended[opener]);
    unsigned first = o->op == LP_WHILE;
    if (i->imm < 0 || i->imm >= y->nargs - (int64_t)first)
        return "the region does not yield so many values";
    return same_types(r, &v, lp_args(r->k, y) + first + i->imm, 1)
               ? NULL
               : "type differs from the yielded value's";
}

/* ---- one instruction */

/* What may stand at this place at all. */
static const char *place_problem(verifier *r, lp_val v, const lp_inst *i) {
    const lp_inst *before = at(r, v - 1);
    bool closes = i->op == LP_ELSE || i->op == LP_END;
    if (closes && before->op != LP_YIELD) return "yield must stand before else and end";
    if (!closes && before->op == LP_YIELD) return "nothing but else or end follows a yield";
    if (i->op == LP_YIELD && r->depth == 0) return "yield outside of a region";
    bool parallel = i->op == LP_LOOP && (i->flags & 15) == LP_PARALLEL;
    bool quiet = lp_fact_of(i->op).pure || i->op == LP_LOCAL || parallel || closes;
    if (r->depth == 0 && !r->k->function && !quiet)
        return "only pure values, locals and parallel loops stand at the top level";
    if (i->op == LP_LOCAL && (i->flags & 15) == LP_SHARED && r->k->function)
        return "a function has no shared memory";
    if ((i->op == LP_MMA || i->op == LP_LDMATRIX) && (r->depth == 0 || top(r)->threads < 32) &&
        !r->k->function)
        return "matrices outside of a warp";
    return NULL;
}

static bool is_simple(const verifier *r, const lp_inst *i) {
    bool leaf = i->op == LP_CONST || i->op == LP_EXTENT || i->op == LP_SCALAR;
    bool simple = i->lanes == 1 && (leaf || ir_op_is_base(i->op));
    for (unsigned j = 0; j < i->nargs; j++) simple &= r->simple[lp_args(r->k, i)[j]];
    return simple;
}

static const char *inst_problem(verifier *r, lp_val v) {
    const lp_inst *i = at(r, v);
    if (!(ir_op_is_base(i->op) || (i->op > LP_NOP && i->op < LP_NOPS)))
        return "unknown instruction";
    const char *problem = place_problem(r, v, i);
    if (!problem) problem = operand_problem(r, v, i);
    if (!problem) problem = lp_type_problem(r->k, r->m, i);
    if (problem) return problem;
    r->home[v] = here(r);
    r->simple[v] = is_simple(r, i);
    switch (i->op) {
    case LP_LOOP:
    case LP_WHILE:
    case LP_IF: return open_problem(r, v, i);
    case LP_YIELD: return yield_problem(r, i);
    case LP_ELSE: return else_problem(r, v);
    case LP_END: return end_problem(r, v);
    case LP_CARRY: return carry_problem(r, v, i);
    case LP_RESULT: return result_problem(r, v, i);
    default: return NULL;
    }
}

static bz_status report(const verifier *r, lp_val v, const char *problem, bz_error *e) {
    const lp_kernel *k = r->k;
    bz_text t = {0};
    lp_val from = v > 3 ? v - 2 : 1, to = v + 2 < k->inst.n ? v + 2 : k->inst.n - 1;
    for (lp_val x = from; x <= to; x++) {
        bz_text_str(&t, x == v ? "\n  > " : "\n    ");
        lp_print_inst(&t, k, r->m, x);
    }
    bz_status s = bz_fail(e, BZ_EARG, "[kernel %s] %s%s", k->name, problem, bz_text_c(&t));
    bz_text_free(&t);
    return s;
}

bz_status lp_verify(const lp_kernel *k, const lp_module *m, bz_error *e) {
    if (k->failed)
        return bz_fail(e, BZ_ENOMEM, "[kernel %s] memory ran out while it was built", k->name);
    verifier r = {.k = k, .m = m};
    r.home = bz_mem_zero(k->inst.n, 2 * sizeof *r.home + sizeof *r.simple);
    if (!r.home) return bz_fail(e, BZ_ENOMEM, "[kernel %s] out of memory while verifying", k->name);
    r.ended = r.home + k->inst.n;
    r.simple = (bool *)(r.ended + k->inst.n);
    const char *problem = NULL;
    lp_val v = 1;
    while (v < k->inst.n && !(problem = inst_problem(&r, v))) v++;
    bz_status s = BZ_OK;
    if (problem)
        s = report(&r, v, problem, e);
    else if (r.depth)
        s = report(&r, top(&r)->opener, "the region does not end", e);
    bz_mem_free(r.home);
    return s;
}
