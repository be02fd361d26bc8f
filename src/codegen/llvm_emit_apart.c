/* llvm_emit_apart.c - long regions that few elements need, as functions that equal regions share.
 *
 *     if any(far) {  120 steps of x, mask  }     -->     if any(far) {  call @apart.0(x, mask)  }
 *
 * The rare half of sin, pow or fmod is ten times as long as the usual one and stands at every use of
 * the op, for every loop that a kernel has for it. A region is taken apart when it is long and made
 * of values alone. Equal ones have equal keys: steps with their operands as distances, what comes
 * from outside by the order of its first use; constants stay in the body.
 *
 * The steps are those of the region, so are the bits. */
#include "src/codegen/llvm_emit.h"

#include <string.h>

/* Instructions; values from outside at most. */
enum { LONG_REGION = 48, MANY = 2000, OUTSIDE = 256 };

/* The region that stands between instructions `from` and `to`, and what it takes and gives. */
typedef struct region {
    uint32_t from, to;
    bz_text key;
    uint32_t in[OUTSIDE], out[OUTSIDE]; /* instructions */
    unsigned nin, nout;
} region;

static bool is_value(unsigned op) {
    if (ir_op_is_base(op)) return true;
    switch (op) {
    case LP_CONST:
    case LP_TABLE:
    case LP_SPLAT:
    case LP_LANEID:
    case LP_EXTRACT:
    case LP_INSERT:
    case LP_SHUFFLE:
    case LP_ANY:
    case LP_ALL:
    case LP_IF:
    case LP_ELSE:
    case LP_END:
    case LP_YIELD:
    case LP_RESULT: return true;
    default: return false;
    }
}

static bool is_long(const em *f, uint32_t from, uint32_t to) {
    if (to - from < LONG_REGION) return false;
    for (uint32_t i = from; i < to; i++)
        if (!is_value(em_inst(f, i)->op)) return false;
    return true;
}

void em_apart_begin(em *f) {
    uint32_t total = 0;
    for (uint32_t i = 1; i < f->k->inst.n; i++) {
        if (em_inst(f, i)->op != LP_IF || !is_long(f, i + 1, f->close[i])) continue;
        total += f->close[i] - i;
        i = f->close[i];
    }
    f->parts = total > MANY;
}

bool em_is_apart(const em *f, uint32_t from, uint32_t to) {
    return f->parts && is_long(f, from, to);
}

/* ---- keys */

static void put(region *r, const void *p, size_t n) {
    bz_text_add(&r->key, p, n);
}

/* A value from outside: a constant itself, else a parameter by number and type. False: too many. */
static bool put_outside(const em *f, region *r, uint32_t v) {
    unsigned at = 0;
    if (LLVMIsConstant(f->v[v])) return put(r, &f->v[v], sizeof f->v[v]), true;
    while (at < r->nin && r->in[at] != v) at++;
    if (at == OUTSIDE) return false;
    if (at == r->nin) r->in[r->nin++] = v;
    const uint32_t name[] = {at, em_inst(f, v)->dtype, em_inst(f, v)->lanes};
    put(r, name, sizeof name);
    return true;
}

static bool put_inst(const em *f, region *r, uint32_t i) {
    const lp_inst *x = em_inst(f, i);
    const uint32_t *args = lp_args(f->k, x), head[] = {x->op, x->dtype, x->lanes, x->nargs};
    put(r, head, sizeof head);
    put(r, &x->imm, sizeof x->imm);
    if (x->op == LP_SHUFFLE) put(r, args + x->nargs, x->lanes * sizeof *args);
    for (unsigned a = 0; a < x->nargs; a++) {
        uint32_t back = i - args[a];
        if (args[a] >= r->from)
            put(r, &back, sizeof back);
        else if (!put_outside(f, r, args[a]))
            return false;
    }
    return true;
}

/* Values of the region that are handed on. */
static bool find_results(const em *f, region *r) {
    const lp_inst *y = em_inst(f, r->to - 1);
    for (unsigned a = 0; y->op == LP_YIELD && a < y->nargs; a++) {
        uint32_t v = lp_args(f->k, y)[a];
        if (v < r->from) continue;
        if (r->nout == OUTSIDE) return false;
        r->out[r->nout++] = v;
    }
    return r->nout > 0;
}

static bool describe(const em *f, region *r) {
    bool ok = find_results(f, r);
    for (uint32_t i = r->from; i < r->to && ok; i++) ok = put_inst(f, r, i);
    return ok && !r->key.failed;
}

/* ---- the function */

static LLVMTypeRef type_of(const em *f, uint32_t v) {
    return em_type(f, (bz_dtype)em_inst(f, v)->dtype, em_inst(f, v)->lanes);
}

static LLVMTypeRef signature(const em *f, const region *r) {
    LLVMTypeRef in[OUTSIDE], out[OUTSIDE];
    for (unsigned i = 0; i < r->nin; i++) in[i] = type_of(f, r->in[i]);
    for (unsigned i = 0; i < r->nout; i++) out[i] = type_of(f, r->out[i]);
    LLVMTypeRef result = LLVMStructTypeInContext(f->u->ctx, out, r->nout, false);
    return LLVMFunctionType(result, in, r->nin, false);
}

/* Writes the region where f stands, as the body of f->fn. */
static void write_body(em *f, const region *r) {
    LLVMValueRef out[OUTSIDE];
    LLVMBasicBlockRef entry = em_block(f), body = em_block(f);
    LLVMPositionBuilderAtEnd(f->entry, entry);
    LLVMPositionBuilderAtEnd(f->b, body);
    em_region(f, r->from);
    for (unsigned i = 0; i < r->nout; i++) out[i] = f->v[r->out[i]];
    LLVMBuildAggregateRet(f->b, out, r->nout);
    LLVMBuildBr(f->entry, body);
}

static LLVMValueRef make_function(em *f, const region *r) {
    em caller = *f;
    LLVMValueRef outside[OUTSIDE];
    f->fn = LLVMAddFunction(f->u->mod, "apart", signature(f, r));
    LLVMSetLinkage(f->fn, LLVMInternalLinkage);
    em_function_attributes(f);
    f->b = LLVMCreateBuilderInContext(f->u->ctx);
    f->entry = LLVMCreateBuilderInContext(f->u->ctx);
    for (unsigned i = 0; i < r->nin; i++) {
        outside[i] = f->v[r->in[i]];
        f->v[r->in[i]] = LLVMGetParam(f->fn, i);
    }
    f->parts = false; /* a call in a call costs more than it saves */
    write_body(f, r);
    f->parts = true;
    for (unsigned i = 0; i < r->nin; i++) f->v[r->in[i]] = outside[i];
    LLVMDisposeBuilder(f->b);
    LLVMDisposeBuilder(f->entry);
    LLVMValueRef fn = f->fn;
    f->b = caller.b;
    f->entry = caller.entry;
    f->fn = caller.fn;
    return fn;
}

/* The function of an equal region, or a new one, which takes the key. NULL: no memory. */
static LLVMValueRef function_of(em *f, region *r) {
    for (uint32_t i = 0; i < f->apart.n; i++)
        if (f->apart.p[i].key.n == r->key.n && !memcmp(f->apart.p[i].key.p, r->key.p, r->key.n))
            return f->apart.p[i].fn;
    LLVMValueRef fn = make_function(f, r);
    if (!bz_vec_push(&f->apart, ((em_shared){r->key, fn}))) return NULL;
    r->key = (bz_text){0};
    return fn;
}

bool em_apart(em *f, uint32_t from, uint32_t to) {
    region r = {.from = from, .to = to};
    LLVMValueRef args[OUTSIDE], fn = describe(f, &r) ? function_of(f, &r) : NULL;
    bz_text_free(&r.key);
    if (!fn) return false;
    for (unsigned i = 0; i < r.nin; i++) args[i] = f->v[r.in[i]];
    LLVMValueRef all = LLVMBuildCall2(f->b, LLVMGlobalGetValueType(fn), fn, args, r.nin, "");
    for (unsigned i = 0; i < r.nout; i++) f->v[r.out[i]] = LLVMBuildExtractValue(f->b, all, i, "");
    return true;
}

void em_apart_free(em *f) {
    for (uint32_t i = 0; i < f->apart.n; i++) bz_text_free(&f->apart.p[i].key);
    bz_vec_free(&f->apart);
}
