/* jit.c - compiled kernels for tests. */
#include "tests/support/jit.h"

#include <criterion/criterion.h>
#include <math.h>

#include "runtime/aot/aot.h"

cg_isa jit_host(void) {
    switch (bz_rt_isa_selected()) {
    case BZ_RT_V4: return CG_V4;
    case BZ_RT_V3: return CG_V3;
    default: return CG_BASE;
    }
}

jit jit_open(const lp_module *m, cg_isa isa) {
    static const rt_import imports[] = {{"fma", (rt_function *)fma}, {"fmaf", (rt_function *)fmaf}, {NULL, NULL}};
    cg_target t = {.isa = isa};
    cg_object o;
    bz_error e = {0};
    char message[RT_LOAD_MESSAGE] = "";
    jit j = {.code = rt_code_new()};
    cr_assert_eq(cg_compile(m, &t, &o, &e), BZ_OK, "%s", e.text);
    cr_assert_eq(rt_object_load(j.code, o.bytes, o.n, imports, &j.object, message), RT_LOAD_OK, "%s", message);
    cg_object_free(&o);
    return j;
}

void jit_close(jit *j) {
    rt_object_free(j->object);
    rt_code_free(j->code);
}

jit_phase *jit_find(const jit *j, const char *name, unsigned phase) {
    bz_text symbol = {0};
    bz_textf(&symbol, "%s.%u", name, phase);
    jit_phase *f = (jit_phase *)rt_object_find(j->object, symbol.p);
    cr_assert(f, "no symbol %s", symbol.p);
    bz_text_free(&symbol);
    return f;
}

lp_module *jit_module(lp_kernel *k) {
    lp_module *m = bz_mem_zero(1, sizeof *m);
    cr_assert(m && bz_vec_push(&m->k, k));
    return m;
}
