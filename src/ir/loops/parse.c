/* parse.c - text to kernels (docs/loops.md): modules, parameters, regions, names.
 *
 * Reads what print.c writes, one instruction to one instruction, and by hand with less: types that
 * follow from the operands and literals as operands may be left to the parser. Any bytes give a
 * module or an error with its place; whether the kernel makes sense is for verify.c to say. */
#include "src/ir/loops/parse.h"

#include <string.h>

static uint32_t bucket_of(lp_token t) {
    return (uint32_t)bz_hash(0, t.s, t.n) % LP_NAME_BUCKETS;
}

lp_val lp_parse_find(const lp_parser *p, lp_token t) {
    for (uint32_t e = p->bucket[bucket_of(t)]; e; e = p->names.p[e - 1].next) {
        const lp_name *n = &p->names.p[e - 1];
        if (n->t.n == t.n && memcmp(n->t.s, t.s, t.n) == 0) return n->v;
    }
    return 0;
}

bool lp_parse_define(lp_parser *p, lp_token t, lp_val v) {
    uint32_t *b = &p->bucket[bucket_of(t)];
    if (!bz_vec_push(&p->names, ((lp_name){t, v, *b}))) {
        lp_scan_no_memory(&p->s);
        return false;
    }
    *b = p->names.n;
    return true;
}

lp_val lp_parse_push(lp_parser *p, lp_inst i, const lp_val *args, unsigned n,
                     const uint32_t *extra) {
    if (p->s.status != BZ_OK) return 0;
    lp_val v = lp_push(p->k, i, args, n, extra);
    if (!v) lp_scan_no_memory(&p->s);
    return v;
}

bz_dtype lp_parse_dtype(lp_parser *p) {
    lp_token t = lp_scan_word(&p->s, "dtype");
    bz_dtype d = BZ_F32;
    if (!ir_dtype_from_name(t.s, t.n, &d))
        lp_scan_fail(&p->s, t, "unknown dtype '%.*s'", (int)(t.n < 32 ? t.n : 32), t.s);
    return d;
}

/* ---- parameters */

static bool named(const lp_param *p, uint32_t n, const char *name) {
    for (uint32_t i = 0; i < n; i++)
        if (strcmp(p[i].name, name) == 0) return true;
    return false;
}

/* A name as a C string in out; fails on one that is long or taken. */
static bool fresh_name(lp_parser *p, char out[128]) {
    lp_token t = lp_scan_word(&p->s, "parameter name");
    const lp_kernel *k = p->k;
    if (t.n > 127) lp_scan_fail(&p->s, t, "name longer than 127 bytes");
    if (p->s.status != BZ_OK) return false;
    memcpy(out, t.s, t.n);
    out[t.n] = 0;
    if (named(k->buffers.p, k->buffers.n, out) || named(k->extents.p, k->extents.n, out) ||
        named(k->scalars.p, k->scalars.n, out))
        lp_scan_fail(&p->s, t, "parameter %s stands twice", out);
    return p->s.status == BZ_OK;
}

static lp_access access(lp_parser *p) {
    lp_token t = lp_scan_word(&p->s, "in, out, inout or work");
    for (unsigned a = LP_IN; a <= LP_WORK; a++)
        if (lp_token_eq(t, lp_access_names[a])) return (lp_access)a;
    lp_scan_fail(&p->s, t, "in, out, inout or work expected");
    return LP_IN;
}

static void parameter(lp_parser *p, int section) {
    char name[128];
    if (!fresh_name(p, name)) return;
    bz_dtype d = BZ_I64;
    lp_access a = LP_IN;
    if (section != 1) {
        lp_scan_expect(&p->s, ":");
        d = lp_parse_dtype(p);
    }
    if (section == 0) a = access(p);
    if (p->s.status != BZ_OK) return;
    bool ok = section == 0   ? lp_push_buffer(p->k, name, d, a)
              : section == 1 ? lp_push_extent(p->k, name)
                             : lp_push_scalar(p->k, name, d);
    if (!ok) lp_scan_no_memory(&p->s);
}

/* ( buffers ; extents ; scalars ) */
static void parameters(lp_parser *p) {
    lp_scan_expect(&p->s, "(");
    for (int section = 0; section < 3 && p->s.status == BZ_OK; section++) {
        if (section > 0 && !lp_scan_accept(&p->s, ";")) break;
        if (lp_scan_is(&p->s, ";") || lp_scan_is(&p->s, ")")) continue;
        do parameter(p, section);
        while (lp_scan_accept(&p->s, ","));
    }
    lp_scan_expect(&p->s, ")");
}

/* ---- regions */

/* At a closing brace inside a region. */
static void close_region(lp_parser *p) {
    lp_open *r = &p->open.p[p->open.n - 1];
    const lp_inst *last = &p->k->inst.p[p->k->inst.n - 1];
    if (last->op != LP_YIELD) lp_parse_push(p, (lp_inst){.op = LP_YIELD}, NULL, 0, NULL);
    bool branch = p->k->inst.p[r->opener].op == LP_IF && !r->in_else;
    if (branch && lp_scan_accept(&p->s, "else")) {
        lp_scan_expect(&p->s, "{");
        lp_parse_push(p, (lp_inst){.op = LP_ELSE}, NULL, 0, NULL);
        r->in_else = true;
        return;
    }
    lp_parse_push(p, (lp_inst){.op = LP_END}, NULL, 0, NULL);
    p->open.n--;
}

static void body(lp_parser *p) {
    lp_scan_expect(&p->s, "{");
    while (p->s.status == BZ_OK) {
        if (!lp_scan_is(&p->s, "}")) {
            lp_parse_inst(p);
            continue;
        }
        lp_scan_next(&p->s);
        if (p->open.n == 0) return;
        close_region(p);
    }
}

/* ---- kernels and modules */

static void kernel(lp_parser *p) {
    bool function = lp_scan_accept(&p->s, "function");
    if (!function) lp_scan_expect(&p->s, "kernel");
    lp_token t = lp_scan_word(&p->s, "kernel name");
    char name[128];
    if (t.n > 127) lp_scan_fail(&p->s, t, "name longer than 127 bytes");
    if (p->s.status != BZ_OK) return;
    memcpy(name, t.s, t.n);
    name[t.n] = 0;
    for (uint32_t i = 0; i < p->m->k.n; i++)
        if (strcmp(p->m->k.p[i]->name, name) == 0)
            lp_scan_fail(&p->s, t, "%s is already defined", name);
    if (p->s.status != BZ_OK) return;
    p->k = lp_kernel_new(name);
    if (!p->k || !bz_vec_push(&p->m->k, p->k)) {
        lp_kernel_free(p->k);
        lp_scan_no_memory(&p->s);
        return;
    }
    p->k->function = function;
    p->names.n = p->open.n = 0;
    memset(p->bucket, 0, sizeof p->bucket);
    parameters(p);
    body(p);
}

lp_module *lp_parse(const char *text, size_t n, bz_error *e) {
    lp_parser *p = bz_mem_zero(1, sizeof *p);
    lp_module *m = bz_mem_zero(1, sizeof *m);
    if (!p || !m) {
        bz_mem_free(p);
        bz_mem_free(m);
        bz_fail(e, BZ_ENOMEM, "out of memory while parsing kernel loops");
        return NULL;
    }
    p->m = m;
    lp_scan_start(&p->s, text, n, e);
    while (p->s.status == BZ_OK && p->s.tok.kind != TOK_END) kernel(p);
    if (p->s.status != BZ_OK) {
        lp_module_free(m);
        m = NULL;
    }
    bz_vec_free(&p->names);
    bz_vec_free(&p->args);
    bz_vec_free(&p->vals);
    bz_vec_free(&p->open);
    bz_mem_free(p);
    return m;
}
