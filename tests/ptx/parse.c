/* parse.c - a module's directives: targets, variables with their initial values, functions' heads.
 */
#include "parse.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_VARIABLE = 1 << 30, MAX_PARAM_BYTES = 32764 };

static void parse_version(parser *p) {
    lex_next(p);
    unsigned major = 0, minor = 0;
    if (p->tok == TK_DECIMAL || p->tok == TK_INT) {
        char *end;
        major = (unsigned)strtoul(p->start, &end, 10) % 1000;
        minor = *end == '.' ? (unsigned)strtoul(end + 1, NULL, 10) % 1000 : 0;
        lex_next(p);
    } else
        parse_fail(p, "expected a version number");
    if (!p->failed && (major < 1 || major > 9))
        parse_fail(p, "unsupported .version %u.%u (1.0 to 9.x are known)", major, minor);
    p->m->version = major * 10 + minor;
    p->has_version = true;
}

static void parse_one_target(parser *p) {
    const char *name = p->word->name;
    if (p->tok == TK_ID && p->word->len > 3 && !memcmp(name, "sm_", 3)) {
        unsigned sm = (unsigned)strtoul(name + 3, NULL, 10) % 1000;
        bool specific = name[p->word->len - 1] == 'a'; /* runs on no other, newer ones included */
        if (sm > p->m->target.sm || (specific && sm != p->m->target.sm))
            parse_fail(p, "the module is for sm_%u%s, the device is sm_%u", sm, specific ? "a" : "",
                       p->m->target.sm);
        p->m->specific = specific;
        p->m->sm = sm;
        p->has_target = true;
    } else if (p->tok != TK_ID)
        parse_fail(p, "expected a target");
    lex_next(p);
}

static void parse_target(parser *p) {
    if (!p->has_version) parse_fail(p, "missing .version directive at start of file");
    do {
        lex_next(p);
        parse_one_target(p);
    } while (p->tok == ',');
}

static void parse_address_size(parser *p) {
    lex_next(p);
    uint64_t bits = lex_integer(p, "32 or 64");
    if (bits != 64 && !p->failed) parse_fail(p, "only .address_size 64 is supported");
}

static void skip_section(parser *p) {
    while (p->tok != TK_EOF && p->tok != '{') lex_next(p);
    unsigned depth = 0;
    do {
        depth += p->tok == '{';
        depth -= p->tok == '}';
        lex_next(p);
    } while (depth && p->tok != TK_EOF);
    if (depth) parse_fail(p, "section without an end");
}

void parse_file_directive(parser *p) {
    lex_next(p);
    uint64_t index = lex_integer(p, "a file number");
    PARSE_REFUSE(p, p->tok != TK_STRING, "expected a file name");
    if (index > 100000) {
        parse_fail(p, "file number too large");
        return;
    }
    while (p->m->files.n <= index) *VEC_PUSH(p->m->files) = NULL;
    p->m->files.at[index] = arena_text(&p->m->mem, p->word->name, p->word->len);
    lex_next(p);
    while (lex_accept(p, ',')) lex_integer(p, "a number");
}

/* Takes a .pragma, if it is one: they say nothing here. */
bool parse_pragma(parser *p) {
    if (!lex_is(p, "pragma")) return false;
    lex_next(p);
    lex_expect(p, TK_STRING, "a string");
    lex_expect(p, ';', "';'");
    return true;
}

/* ---- variables ---- */

ptx_space parse_space(const parser *p) {
    static const char *const names[] = {NULL,   [PTX_GLOBAL] = "global", "const", "shared", "local",
                                        "param"};
    for (ptx_space s = PTX_GLOBAL; s <= PTX_PARAM; s++)
        if (lex_is(p, names[s])) return s;
    return PTX_SPACE_NONE;
}

/* "[4][8]" or "[]" (open: only the first may be). One element without brackets. */
bool parse_array_size(parser *p, uint64_t *count, bool *open) {
    *count = 1;
    *open = false;
    for (bool first = true; lex_accept(p, '['); first = false) {
        if (lex_accept(p, ']')) {
            *open = true;
            if (!first) parse_fail(p, "only the first dimension may be open");
            continue;
        }
        uint64_t n = lex_integer(p, "an array size");
        if (n > MAX_VARIABLE || *count * (n ? n : 1) > MAX_VARIABLE) {
            parse_fail(p, "array too large");
            return false;
        }
        *count *= n;
        lex_expect(p, ']', "']'");
    }
    return !p->failed;
}

typedef struct {
    ptx_type type;
    unsigned vector;
    uint32_t align;
    bool given; /* .align was */
} var_head;

/* ".align 16 .v4 .b32", and what may stand before a name. */
static bool parse_head(parser *p, var_head *h) {
    *h = (var_head){.vector = 1};
    while (p->tok == TK_DOT && !p->failed) {
        if (lex_is(p, "align")) {
            lex_next(p);
            uint64_t align = lex_integer(p, "an alignment");
            if (!p->failed && (align == 0 || align > 4096 || (align & (align - 1))))
                parse_fail(p, "alignment must be a power of two up to 4096");
            h->align = (uint32_t)align;
            h->given = true;
            continue;
        }
        if (p->word->mod == M_V2 || p->word->mod == M_V4)
            h->vector = p->word->mod == M_V2 ? 2 : 4;
        else if (p->word->type) {
            h->type = p->word->type;
            lex_next(p);
            return true;
        } else if (!lex_is(p, "ptr") && !lex_is(p, "attribute") && p->word->mod != M_GLOBAL &&
                   p->word->mod != M_CONST && p->word->mod != M_SHARED && p->word->mod != M_LOCAL)
            parse_fail(p, "unexpected .%.*s in a declaration", (int)p->word->len, p->word->name);
        lex_next(p);
        if (p->tok == '(')
            for (lex_next(p); p->tok != TK_EOF && !lex_accept(p, ')');) lex_next(p);
    }
    parse_fail(p, "expected a type");
    return false;
}

static void put_bytes(parser *p, global_var *g, uint64_t at, uint64_t v, unsigned bytes) {
    PARSE_REFUSE(p, at + bytes > g->pub.size, "more initial values than elements");
    memcpy(g->init + at, &v, bytes);
}

static uint64_t float_bits(parser *p, ptx_type t, bool negative) {
    double d = 0;
    uint32_t narrow = (uint32_t)p->value;
    float f;
    memcpy(&d, &p->value, 8);
    if (p->tok == TK_F32) {
        memcpy(&f, &narrow, 4);
        d = f;
    }
    if ((p->tok == TK_F32 && t == T_B32) || (p->tok == TK_F64 && t == T_B64))
        t = t == T_B32 ? T_F32 : T_F64;
    if (p->tok == TK_F32 && t == T_F32) return negative ? narrow ^ 0x80000000u : narrow;
    d = negative ? -d : d;
    uint64_t bits = 0;
    if (t == T_F64)
        memcpy(&bits, &d, 8);
    else if (t == T_F32) {
        f = (float)d;
        memcpy(&bits, &f, 4);
    } else
        parse_fail(p, "a float value for an element of type .%s", vm_type_names[t]);
    return bits;
}

/* The address of a variable or function as an initial value: `name`, `name+8`, `generic(name)+8`.
 */
static void parse_address_init(parser *p, uint32_t owner, uint64_t at, unsigned bytes) {
    bool generic = p->word->len == 7 && !memcmp(p->word->name, "generic", 7) && lex_peek(p) == '(';
    if (generic) {
        lex_next(p);
        lex_next(p);
    }
    PARSE_REFUSE(p, p->tok != TK_ID, "expected a name");
    const binding *b = name_lookup(p, p->word);
    PARSE_REFUSE(p, !b || (b->kind != B_GLOBAL && b->kind != B_FUNC),
                 "'%.*s' is not a global variable or function", (int)p->word->len, p->word->name);
    lex_next(p);
    int64_t addend = 0;
    if (p->tok == '+' || p->tok == '-') addend = (int64_t)lex_integer(p, "an offset");
    if (generic) lex_expect(p, ')', "')'");
    if (p->tok == '+' || p->tok == '-') addend += (int64_t)lex_integer(p, "an offset");
    PARSE_REFUSE(p, bytes != 8 || at + 8 > p->m->globals.at[owner]->pub.size,
                 "an address needs a 64-bit element");
    if (b->kind == B_FUNC) b->fn->taken = true;
    int32_t target = b->kind == B_GLOBAL ? b->global : ~(int32_t)b->fn->index;
    *VEC_PUSH(p->m->fixups) = (fixup){owner, (uint32_t)at, bytes, target, addend};
}

static void parse_element(parser *p, uint32_t owner, uint64_t at, ptx_type t) {
    global_var *g = p->m->globals.at[owner];
    unsigned bytes = vm_type_bytes[t];
    if (p->tok == TK_ID) {
        parse_address_init(p, owner, at, bytes);
        return;
    }
    bool negative =
        p->tok == '-' && (lex_peek(p) == '0' || (lex_peek(p) >= '1' && lex_peek(p) <= '9'));
    if (negative) lex_next(p);
    if (p->tok == TK_F32 || p->tok == TK_F64 || p->tok == TK_DECIMAL) {
        put_bytes(p, g, at, float_bits(p, t, negative), bytes);
        lex_next(p);
        return;
    }
    uint64_t v = lex_integer(p, "an initial value");
    put_bytes(p, g, at, negative ? 0 - v : v, bytes > 8 ? 8 : bytes);
}

/* "{1, 2, {3, 4}}": braces nest but only order counts. */
static uint64_t parse_init_list(parser *p, uint32_t owner, uint64_t at, ptx_type t,
                                unsigned depth) {
    if (depth > 10) parse_fail(p, "initial values nest too deep");
    if (!lex_accept(p, '{')) {
        parse_element(p, owner, at, t);
        return at + vm_type_bytes[t];
    }
    while (p->tok != '}' && p->tok != TK_EOF) {
        at = parse_init_list(p, owner, at, t, depth + 1);
        if (!lex_accept(p, ',')) break;
    }
    lex_expect(p, '}', "'}'");
    return at;
}

/* Of several texts that are linked a definition stands for the declarations before and behind it; of weak and common variables the first one
 * stands for the others, at the size of the largest, and what is neither for one without a value. One that stands for nothing has no name. */
static void declare_global(parser *p, sym *name, ptx_global pub, ptx_type t) {
    binding *old = name->bind;
    global_var *seen = old && old->kind == B_GLOBAL ? p->m->globals.at[old->global] : NULL;
    const bool replaces =
        seen && (seen->pub.external || (seen->pub.weak && !pub.weak && !seen->init));
    if (seen && !seen->pub.external && pub.external) return;
    PARSE_REFUSE(p, old && !replaces && !(seen && pub.weak), "'%.*s' is declared twice",
                 (int)name->len, name->name);
    uint32_t index = replaces ? (uint32_t)old->global : (uint32_t)p->m->globals.n;
    if (!replaces) *VEC_PUSH(p->m->globals) = arena_get(&p->m->mem, sizeof(global_var));
    if (!old) scope_bind(p, name, B_GLOBAL)->global = (int32_t)index;
    if (seen && !replaces && !seen->init && pub.size > seen->pub.size) seen->pub.size = pub.size;
    global_var *g = p->m->globals.at[index];
    *g = (global_var){.pub = pub};
    g->pub.name = arena_text(&p->m->mem, name->name, name->len);
    if (lex_accept(p, '=')) {
        g->init = arena_get(&p->m->mem, g->pub.size + 1);
        parse_init_list(p, index, 0, t, 0);
    }
}

static void declare_shared(parser *p, sym *name, uint64_t size, uint32_t align, bool open) {
    if (name->bind && name->bind->kind == B_SHARED && name->bind->shared->dynamic && open) return;
    shared_var *v = arena_get(&p->names, sizeof *v);
    *v = (shared_var){.size = size, .align = align, .dynamic = open, .next = p->shareds};
    p->shareds = v;
    scope_bind(p, name, B_SHARED)->shared = v;
    if (p->fn) /* belongs to the function even if nothing names it */
        *VEC_PUSH(p->shared_uses) = (shared_use){NO_INSTRUCTION, v, p->fn};
}

static void declare_local(parser *p, sym *name, uint64_t size, uint32_t align, ptx_space space) {
    if (!p->fn)
        parse_fail(p, ".%s variables belong into functions",
                   space == PTX_LOCAL ? "local" : "param");
    else {
        binding *b = scope_bind(p, name, B_LOCAL);
        b->offset = local_new(p, size, align);
        b->size = (uint32_t)size;
    }
}

/* After ".global" and the like: "[.align n] [.vN] .type name[...] [= init] {, name...} ;" */
void parse_variable(parser *p, ptx_space space, bool external, bool weak, bool common) {
    var_head h;
    bool managed = false;
    if (lex_is(p, "attribute")) {
        lex_next(p);
        lex_expect(p, '(', "'('");
        managed = lex_is(p, "managed");
        while (p->tok != TK_EOF && !lex_accept(p, ')')) lex_next(p);
    }
    if (!parse_head(p, &h)) return;
    do {
        sym *name = p->word;
        uint64_t count;
        bool open;
        if (!lex_expect(p, TK_ID, "a variable's name") || !parse_array_size(p, &count, &open))
            return;
        uint32_t element = vm_type_bytes[h.type] * h.vector;
        uint64_t size = open ? 0 : count * element;
        uint32_t align = h.given ? h.align : element;
        if (size > MAX_VARIABLE || h.type == T_PRED)
            parse_fail(p, "no variable can be that");
        else if (space == PTX_SHARED)
            declare_shared(p, name, size, align, open || (external && size == 0));
        else if (space == PTX_LOCAL || space == PTX_PARAM)
            declare_local(p, name, size, align, space);
        else
            declare_global(p, name,
                           (ptx_global){.space = space,
                                        .size = size,
                                        .align = align,
                                        .external = external,
                                        .weak = weak || common,
                                        .managed = managed},
                           h.type);
        if (name->bind) name->bind->element = element;
    } while (lex_accept(p, ','));
    lex_expect(p, ';', "';'");
}

/* ---- functions ---- */

static function *function_of(parser *p, sym *name, bool kernel) {
    if (name->bind) {
        function *f = name->bind->kind == B_FUNC ? name->bind->fn : NULL;
        if (!f || f->is_kernel != kernel)
            parse_fail(p, "'%.*s' is declared twice", (int)name->len, name->name);
        return f;
    }
    function *f = arena_get(&p->m->mem, sizeof *f);
    f->name = arena_text(&p->m->mem, name->name, name->len);
    f->is_kernel = kernel;
    f->index = (uint32_t)p->m->functions.n;
    *VEC_PUSH(p->m->functions) = f;
    scope_bind(p, name, B_FUNC)->fn = f;
    return f;
}

typedef struct {
    sym *name;
    uint32_t size, align;
} param_head;

/* ".ptr .global .align 16" behind a type says what a pointer points to; nothing depends on it. */
static void skip_pointee(parser *p) {
    while (p->tok == TK_DOT && !p->failed) {
        bool align = lex_is(p, "align");
        if (!align && !lex_is(p, "ptr") && p->word->mod != M_GLOBAL && p->word->mod != M_CONST &&
            p->word->mod != M_SHARED && p->word->mod != M_LOCAL)
            parse_fail(p, "unexpected .%.*s in a parameter", (int)p->word->len, p->word->name);
        lex_next(p);
        if (align) lex_integer(p, "an alignment");
    }
}

/* "(.param .u64 a, .param .align 8 .b8 b[64])" */
static unsigned parse_params(parser *p, param_head *out, unsigned most) {
    unsigned n = 0;
    if (!lex_expect(p, '(', "'('") || lex_accept(p, ')')) return 0;
    do {
        if (lex_is(p, "reg")) parse_fail(p, ".reg parameters are not supported");
        if (n == most) parse_fail(p, "too many parameters");
        if (!lex_is(p, "param")) {
            parse_fail(p, "expected .param");
            return 0;
        }
        lex_next(p);
        var_head h;
        uint64_t count;
        bool open;
        if (!parse_head(p, &h)) return 0;
        skip_pointee(p);
        sym *name = p->word;
        if (lex_accept(p, '_'))
            name = NULL;
        else if (!lex_expect(p, TK_ID, "a parameter's name"))
            return 0;
        if (!parse_array_size(p, &count, &open)) return 0;
        uint64_t size = (open ? 0 : count) * vm_type_bytes[h.type] * h.vector;
        if (size > MAX_PARAM_BYTES) parse_fail(p, "parameter too large");
        if (!p->failed)
            out[n++] = (param_head){name, (uint32_t)size,
                                    h.given ? h.align : (uint32_t)vm_type_bytes[h.type] * h.vector};
    } while (lex_accept(p, ','));
    lex_expect(p, ')', "')'");
    return p->failed ? 0 : n;
}

static void parse_three(parser *p, uint32_t v[3]) {
    lex_next(p);
    v[0] = v[1] = v[2] = 1;
    for (int i = 0; i < 3; i++) {
        v[i] = (uint32_t)lex_integer(p, "a number");
        if (!lex_accept(p, ',')) break;
    }
}

static void parse_performance(parser *p, ptx_kernel *k) {
    uint32_t ignored[3], v[3];
    const struct {
        const char *word;
        uint32_t *to;
        size_t n;
    } all[] = {{"maxntid", k->maxntid, 3},
               {"reqntid", k->reqntid, 3},
               {"minnctapersm", &k->minctas, 1},
               {"maxnctapersm", &k->minctas, 1},
               {"maxnreg", &k->maxnreg, 1},
               {"reqnctapercluster", k->reqcluster, 3},
               {"abi_preserve", ignored, 1},
               {"abi_preserve_control", ignored, 1},
               {"maxclusterrank", &k->maxclusterrank, 1}};
    enum { KNOWN = sizeof all / sizeof *all };
    while (p->tok == TK_DOT) {
        size_t at = 0;
        while (at < KNOWN && !lex_is(p, all[at].word)) at++;
        if (at < KNOWN) {
            parse_three(p, v);
            memcpy(all[at].to, v, all[at].n * sizeof *v);
        } else if (lex_is(p, "noreturn") || lex_is(p, "explicitcluster")) {
            k->explicit_cluster |= lex_is(p, "explicitcluster");
            lex_next(p);
        } else if (!parse_pragma(p)) {
            parse_fail(p, ".%.*s is not supported", (int)p->word->len, p->word->name);
            return;
        }
    }
}

enum { MAX_FUNCTION_PARAMS = MAX_PARAM_BYTES / 4 }; /* no limit of its own */

static void define_kernel(parser *p, function *f, const param_head *in, unsigned n) {
    ptx_param *params = arena_get(&p->m->mem, (n + 1) * sizeof *params);
    uint32_t at = 0;
    for (unsigned i = 0; i < n; i++) {
        at = (at + in[i].align - 1) & ~(in[i].align - 1);
        const char *name =
            in[i].name ? arena_text(&p->m->mem, in[i].name->name, in[i].name->len) : "";
        params[i] = (ptx_param){name, at, in[i].size, in[i].align};
        at += in[i].size;
    }
    if (at > MAX_PARAM_BYTES)
        parse_fail(p, "parameters take %u bytes, at most %d are allowed", at, MAX_PARAM_BYTES);
    f->pub.name = f->name;
    f->pub.params = params;
    f->pub.n_params = n;
    f->pub.param_bytes = at;
}

/* Parameters and results of a function lie at the start of its stack frame. */
static slot *frame_slots(parser *p, const param_head *in, unsigned n, uint32_t *at) {
    slot *s = arena_get(&p->m->mem, (n + 1) * sizeof *s);
    for (unsigned i = 0; i < n; i++) {
        *at = (*at + in[i].align - 1) & ~(in[i].align - 1);
        s[i] = (slot){*at, in[i].size, in[i].align};
        *at += in[i].size;
    }
    return s;
}

static void bind_params(parser *p, function *f, const param_head *in, unsigned n,
                        const slot *slots) {
    for (unsigned i = 0; i < n && !p->failed; i++) {
        if (!in[i].name) continue;
        binding *b = scope_bind(p, in[i].name, f->is_kernel ? B_KPARAM : B_LOCAL);
        b->offset = f->is_kernel ? f->pub.params[i].offset : slots[i].offset;
        b->size = in[i].size;
        b->element = 1;
    }
}

static void parse_function_body(parser *p, function *f, const param_head *results, unsigned nr,
                                const param_head *in, unsigned n) {
    PARSE_REFUSE(p, f->defined, "'%s' is defined twice", f->name);
    f->defined = true;
    f->external = false;
    p->fn = f;
    scope_open(p);
    bind_params(p, f, results, nr, f->results);
    bind_params(p, f, in, n, f->params);
    parse_body(p);
    scope_close(p);
    if (!p->failed) finish_function(p);
    p->fn = NULL;
}

static void parse_function(parser *p, bool kernel, bool external, bool weak) {
    static const unsigned most = MAX_FUNCTION_PARAMS;
    param_head *results = arena_get(&p->names, 2 * most * sizeof *results), *in = results + most;
    lex_next(p);
    unsigned nr = !kernel && p->tok == '(' ? parse_params(p, results, most) : 0;
    sym *name = p->word;
    if (!lex_expect(p, TK_ID, "a function's name")) return;
    function *f = function_of(p, name, kernel);
    if (!f) return;
    unsigned n = p->tok == '(' ? parse_params(p, in, most) : 0;
    if (p->failed) return;
    if (f->params && !kernel && (f->n_params != n || f->n_results != nr))
        parse_fail(p, "'%s' was declared with other parameters", f->name);
    f->pub.weak = weak;
    f->external = external && !f->defined;
    if (kernel) define_kernel(p, f, in, n);
    uint32_t at = 0;
    if (!kernel) {
        f->results = frame_slots(p, results, nr, &at);
        f->params = frame_slots(p, in, n, &at);
        f->n_params = n;
        f->n_results = nr;
    }
    parse_performance(p, &f->pub);
    if ((f->pub.reqcluster[0] || f->pub.maxclusterrank || f->pub.explicit_cluster) && p->m->sm < 90)
        parse_fail(p, "clusters need .target sm_90 or higher");
    p->local = at;
    if (p->tok == '{')
        parse_function_body(p, f, results, nr, in, n);
    else
        lex_expect(p, ';', "';' or '{'");
}

/* ---- the module ---- */

static void parse_declaration(parser *p) {
    bool external = false, weak = false, common = false;
    for (;; lex_next(p)) {
        if (lex_is(p, "extern"))
            external = true;
        else if (lex_is(p, "weak"))
            weak = true;
        else if (lex_is(p, "common"))
            common = true;
        else if (!lex_is(p, "visible"))
            break;
    }
    if (!p->has_target) parse_fail(p, "missing .target directive");
    if (lex_is(p, "entry") || lex_is(p, "func")) {
        parse_function(p, lex_is(p, "entry"), external, weak);
        return;
    }
    ptx_space space = parse_space(p);
    if (space == PTX_SPACE_NONE) {
        if (p->tok == TK_DOT)
            parse_fail(p, "directive .%.*s is not supported", (int)p->word->len, p->word->name);
        else
            parse_fail(p, "expected a directive");
        return;
    }
    lex_next(p);
    parse_variable(p, space, external, weak, common);
}

void parse_module(parser *p) {
    while (p->tok != TK_EOF && !p->failed) {
        if (lex_is(p, "version"))
            parse_version(p);
        else if (lex_is(p, "target"))
            parse_target(p);
        else if (lex_is(p, "address_size"))
            parse_address_size(p);
        else if (lex_is(p, "file"))
            parse_file_directive(p);
        else if (lex_is(p, "section"))
            skip_section(p);
        else if (!parse_pragma(p))
            parse_declaration(p);
    }
    if (!p->failed && !p->has_target) parse_fail(p, "missing .version and .target directives");
}
