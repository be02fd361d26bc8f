/* jit_check.c - compiled kernels against the interpreter. */
#include "tests/support/jit_check.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 64 }; /* elements behind each buffer that nobody may write */

/* ---- data */

static ir_bits value_for(bz_dtype t, unsigned i, bool specials) {
    uint64_t r = bz_mix(bz_mix(0x1234 + t, i), 0x9E3779B97F4A7C15u);
    if (specials && ir_is_float(t) && i % 11 == 3)
        return ir_bits_from_f64(t, i % 2 ? __builtin_nan("") : __builtin_inf());
    if (ir_is_float(t))
        return ir_bits_from_f64(t, (double)((int64_t)(r >> 40) - (1 << 23)) * 0x1p-22);
    return ir_bits_from_i64(t, t == BZ_BOOL ? (int64_t)(r >> 60 & 1) : (int64_t)(r >> 58) - 8);
}

/* One set of buffers. */
typedef struct data_set {
    lp_arg args[MAX_BUFFERS];
    void *pointers[MAX_BUFFERS];
    int64_t error[2];
} data_set;

static data_set make_data(const lp_kernel *k, const jit_case *c) {
    data_set d = {.error = {INT64_MAX, 0}};
    for (uint32_t n = 0; n < k->buffers.n; n++) {
        bz_dtype t = k->buffers.p[n].dtype;
        size_t size = ir_dtype_bytes(t), bytes = ((size_t)c->sizes[n] + GUARD) * size;
        d.args[n].count = c->sizes[n];
        d.args[n].p = d.pointers[n] = aligned_alloc(64, (bytes + 63) / 64 * 64);
        for (unsigned i = 0; i < c->sizes[n] + GUARD; i++)
            ir_store_bits(t, (char *)d.args[n].p + i * size,
                          value_for(t, i + 1000 * n, c->specials));
    }
    return d;
}

static void free_data(data_set *d) {
    for (unsigned n = 0; n < MAX_BUFFERS; n++) free(d->args[n].p);
}

static void compare(const lp_kernel *k, const jit_case *c, cg_isa isa, const data_set *got,
                    const data_set *want) {
    for (uint32_t n = 0; n < k->buffers.n; n++) {
        bz_dtype t = k->buffers.p[n].dtype;
        size_t size = ir_dtype_bytes(t);
        if (k->buffers.p[n].access == LP_WORK) continue;
        for (unsigned i = 0; i < c->sizes[n] + GUARD; i++) {
            ir_bits g = ir_load_bits(t, (char *)got->args[n].p + i * size),
                    w = ir_load_bits(t, (char *)want->args[n].p + i * size);
            double gv = ir_is_float(t) ? ir_bits_to_f64(t, g) : 0,
                   wv = ir_is_float(t) ? ir_bits_to_f64(t, w) : 0;
            if (g != w && !(gv != gv && wv != wv))
                cr_assert_fail("%s, %s: %s[%u] is %llx, want %llx\n%s", k->name, cg_isa_name(isa),
                               k->buffers.p[n].name, i, (unsigned long long)g,
                               (unsigned long long)w, c->text);
        }
    }
    cr_assert_eq(got->error[0], want->error[0], "%s, %s: error element", k->name, cg_isa_name(isa));
    cr_assert_eq(got->error[1], want->error[1], "%s, %s: error code", k->name, cg_isa_name(isa));
}

/* ---- running */

lp_module *jit_parse(const char *text) {
    bz_error e = {0};
    lp_module *m = lp_parse(text, strlen(text), &e);
    cr_assert(m, "line %d: %s\n%s", e.line, e.text, text);
    return m;
}

static void run_compiled(const lp_module *m, const lp_kernel *k, const jit_case *c, cg_isa isa,
                         data_set *d) {
    const void *scalars[8];
    for (unsigned n = 0; n < 8; n++) scalars[n] = &c->scalars[n];
    int64_t scratch_bytes = lp_scratch_bytes(k, m);
    void *scratch = aligned_alloc(64, (size_t)scratch_bytes + 64);
    jit j = jit_open(m, isa);
    lp_frame f = {d->pointers, c->extents, scalars, scratch, d->error, 0};
    for (unsigned phase = 0; phase < lp_phase_count(k); phase++) {
        int64_t tasks = lp_phase_tasks(k, phase, c->extents, c->scalars), half = tasks / 2;
        jit_phase *run = jit_find(&j, k->name, phase);
        cr_assert_eq(run(&f, half, tasks), 0); /* in two parts, the second one first */
        cr_assert_eq(run(&f, 0, half), 0);
    }
    jit_close(&j);
    free(scratch);
}

static void run_interpreter(const lp_module *m, const lp_kernel *k, const jit_case *c,
                            data_set *d) {
    int code = 0;
    bz_error e = {0};
    lp_run_args a = {.buffers = d->args,
                     .extents = c->extents,
                     .scalars = c->scalars,
                     .error_element = &d->error[0],
                     .error_code = &code};
    cr_assert_eq(lp_run(k, m, &a, &e), BZ_OK, "%s\n%s", e.text, c->text);
    d->error[1] = code;
}

void jit_check(const jit_case *c) {
    lp_module *m = jit_parse(c->text);
    const lp_kernel *k = m->k.p[m->k.n - 1];
    data_set want = make_data(k, c);
    run_interpreter(m, k, c, &want);
    for (cg_isa isa = CG_BASE; isa <= jit_host(); isa++) {
        data_set got = make_data(k, c);
        run_compiled(m, k, c, isa, &got);
        compare(k, c, isa, &got, &want);
        free_data(&got);
    }
    free_data(&want);
    lp_module_free(m);
}
