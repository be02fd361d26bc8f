/* test_codegen.c - what the interface of code generation promises: texts, errors, several threads,
 * exported units. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "src/codegen/plugin.h"
#include "src/ir/loops/value_emit.h"
#include "tests/support/jit_check.h"

static const char small[] = "kernel scale(x: f32 in, y: f32 out; n; a: f32) {\n"
                            "  %x = buffer x\n"
                            "  %y = buffer y\n"
                            "  %n = extent n\n"
                            "  %a = scalar a\n"
                            "  %va: f32x16 = splat %a\n"
                            "  %p = loop parallel 0, %n {\n"
                            "    %at = mul %p, 16\n"
                            "    %v: f32x16 = load %x[%at]\n"
                            "    %w = mul %v, %va\n"
                            "    store %y[%at], %w\n"
                            "  }\n"
                            "}\n";

Test(codegen, what_has_no_cpu_form_is_refused_by_name) {
    static const struct {
        const char *text, *says;
    } cases[] = {
        {"kernel k(y: f32 out; n) {\n"
         "  %y = buffer y\n"
         "  %p = loop parallel 0, 1 {\n"
         "    %b = loop block 0, 32 {\n"
         "      store %y[%b], 1.0\n"
         "    }\n"
         "  }\n"
         "}\n",
         "a block loop has no form on a CPU"},
        {"kernel k(y: f32 out; n) {\n"
         "  %y = buffer y\n"
         "  %p = loop parallel 0, 1 {\n"
         "    %s: *f32 = local [4] shared\n"
         "    store %s[0], 1.0\n"
         "  }\n"
         "}\n",
         "shared memory has no form on a CPU"},
    };
    for (unsigned n = 0; n < BZ_LEN(cases); n++) {
        lp_module *m = jit_parse(cases[n].text);
        bz_error e = {0};
        cg_object o;
        cr_expect_eq(cg_compile(m, &(cg_target){.isa = CG_V3}, &o, &e), BZ_EUNSUPPORTED, "%s",
                     e.text);
        cr_expect(strstr(e.text, cases[n].says), "%s", e.text);
        cr_expect(o.bytes == NULL && o.n == 0);
        lp_module_free(m);
    }
}

Test(codegen, a_broken_kernel_is_refused) {
    lp_module *m = jit_parse(small);
    m->k.p[0]->inst.p[m->k.p[0]->inst.n - 1].op = LP_NOP;
    bz_error e = {0};
    cg_object o;
    cr_expect_neq(cg_compile(m, &(cg_target){.isa = CG_BASE}, &o, &e), BZ_OK);
    cr_expect(o.bytes == NULL && e.text[0]);
    lp_module_free(m);
}

Test(codegen, a_missing_plugin_is_an_error_with_its_place) {
    char *kept = strdup(getenv("BRAZE_LLVM") ? getenv("BRAZE_LLVM") : "");
    setenv("BRAZE_LLVM", "/nowhere/libbraze-llvm.so", 1);
    lp_module *m = jit_parse(small);
    bz_error e = {0};
    cg_object o;
    cr_expect_eq(cg_compile(m, &(cg_target){.isa = CG_BASE}, &o, &e), BZ_ECOMPILE);
    cr_expect(strstr(e.text, "/nowhere/libbraze-llvm.so"), "%s", e.text);
    cr_expect(cg_version() == NULL);
    e = (bz_error){0};
    setenv("BRAZE_LLVM", "/lib/x86_64-linux-gnu/libc.so.6", 1);
    cr_expect_eq(cg_open(&e), BZ_ECOMPILE);
    cr_expect(strstr(e.text, "no entry"), "%s", e.text);
    e = (bz_error){0};
    if (*kept)
        setenv("BRAZE_LLVM", kept, 1);
    else
        unsetenv("BRAZE_LLVM");
    cr_expect_eq(cg_compile(m, &(cg_target){.isa = CG_BASE}, &o, &e), BZ_OK, "%s", e.text);
    cr_expect(strncmp(cg_version(), "llvm 19.", 8) == 0, "%s", cg_version());
    cg_object_free(&o);
    cr_expect(o.bytes == NULL);
    lp_module_free(m);
    free(kept);
}

static void *compile_many(void *out) {
    for (unsigned n = 0; n < 20; n++) {
        lp_module *m = jit_parse(small);
        cg_object o, *first = out;
        bz_error e = {0};
        cr_assert_eq(cg_compile(m, &(cg_target){.isa = n % 2 ? CG_V4 : CG_V3}, &o, &e), BZ_OK, "%s",
                     e.text);
        if (n == 0)
            *first = o;
        else {
            cr_assert(n % 2 == 1 || (o.n == first->n && memcmp(o.bytes, first->bytes, o.n) == 0),
                      "code is not the same each time");
            cg_object_free(&o);
        }
        lp_module_free(m);
    }
    return NULL;
}

Test(codegen, threads_compile_side_by_side_and_alike) {
    pthread_t t[3];
    cg_object o[3];
    for (unsigned n = 0; n < 3; n++)
        cr_assert_eq(pthread_create(&t[n], NULL, compile_many, &o[n]), 0);
    for (unsigned n = 0; n < 3; n++) pthread_join(t[n], NULL);
    for (unsigned n = 1; n < 3; n++)
        cr_assert(o[n].n == o[0].n && memcmp(o[n].bytes, o[0].bytes, o[0].n) == 0);
    for (unsigned n = 0; n < 3; n++) cg_object_free(&o[n]);
}

/* Calls of functions made of rare regions in the code for a chain of n sines, and how many there are. */
static void parts(unsigned n, unsigned *functions, unsigned *calls) {
    lp_module m = {0};
    lp_kernel *k = lp_kernel_new("chain");
    lp_builder *b = lp_builder_new(k);
    lp_val x = lp_add_buffer(b, "x", BZ_F32, LP_INOUT), zero = lp_index(b, 0);
    lp_val i = lp_loop(b, LP_PARALLEL, zero, lp_index(b, 64), 1, NULL, 0, NULL);
    lp_val at = lp_imul(b, i, lp_index(b, 16)), v = lp_load(b, x, at, 16, 0, 0);
    for (unsigned s = 0; s < n; s++) {
        lp_val y;
        lp_value(b, IR_SIN, BZ_F32, (const lp_val *[3]){&v}, 1, 1, &y);
        v = y;
    }
    lp_store(b, x, at, v, 0, 0);
    lp_end(b, NULL, 0, NULL);
    lp_builder_free(b);
    bz_vec_push(&m.k, k);
    bz_text ir = {0};
    bz_error e = {0};
    cr_assert_eq(cg_text(&m, &(cg_target){.isa = CG_V4}, &ir, NULL, &e), BZ_OK, "%s", e.text);
    *functions = *calls = 0;
    for (const char *p = bz_text_c(&ir); (p = strstr(p, "@apart")); p++) ++*calls;
    for (const char *p = bz_text_c(&ir); (p = strstr(p, "define internal")); p++) ++*functions;
    *calls -= *functions;
    bz_text_free(&ir);
    while (m.k.n) lp_kernel_free(m.k.p[--m.k.n]);
    bz_vec_free(&m.k);
}

Test(codegen, many_equal_rare_regions_are_one_function) {
    unsigned functions, calls;
    parts(2, &functions, &calls);
    cr_expect(functions == 0 && calls == 0, "%u functions, %u calls", functions, calls);
    parts(40, &functions, &calls);
    cr_expect(functions == 1 && calls == 40, "%u functions, %u calls", functions, calls);
}

Test(codegen, names_and_assembly) {
    lp_module *m = jit_parse(small);
    cg_object o;
    bz_error e = {0};
    bz_text ir = {0}, assembly = {0};
    cg_target t = {.isa = CG_BASE, .prefix = "p_", .suffix = ".s"};
    cr_assert_eq(cg_compile(m, &t, &o, &e), BZ_OK, "%s", e.text);
    cr_expect(memmem(o.bytes, o.n, "p_scale.0.s", 12));
    cr_assert_eq(cg_text(m, &t, &ir, &assembly, &e), BZ_OK, "%s", e.text);
    cr_expect(strstr(bz_text_c(&ir), "define i32 @p_scale.0.s(") &&
              strstr(bz_text_c(&assembly), "mulps"));
    bz_text_free(&ir);
    bz_text_free(&assembly);
    cg_object_free(&o);
    lp_module_free(m);
}

/* ---- export */

/* What the runtime of an exported program would be: it gets the plan and the caller's arguments. */
static int64_t run_plan(const void *const *plan, float *x, float *y) {
    jit_phase *f;
    *(const void **)&f = plan[jit_host() == CG_V4 ? 2 : 1];
    const float a = 3;
    const int64_t n = 2;
    f(&(lp_frame){.buffers = (void *[]){x, y}, .extents = &n, .scalars = (const void *[]){&a}}, 0,
      2);
    return *(const int64_t *)plan[3];
}

static const uint64_t plan_words[5] = {0x1122334455667788, 0, 0, 0, 99};
static const int64_t numbers[3] = {5, 6, -7};
static const cg_reloc plan_relocs[] = {
    {8, "scale.0_v3", 0}, {16, "scale.0_v4", 0}, {24, "numbers", 16}};
static const cg_data plan_data[] = {
    {.name = "plan",
     .bytes = plan_words,
     .size = sizeof plan_words,
     .align = 64,
     .relocs = plan_relocs,
     .nrelocs = 3},
    {.name = "numbers", .bytes = numbers, .size = sizeof numbers, .flags = CG_GLOBAL | CG_WRITABLE},
    {.name = "room", .size = 1000, .align = 32, .flags = CG_ZERO | CG_WRITABLE | CG_GLOBAL},
};
static const cg_entry plan_entry = {"prog_run", "run_plan", "plan", 2, CG_GLOBAL};

static cg_export_unit plan_unit(const cg_variant *v) {
    return (cg_export_unit){.name = "prog",
                            .variants = v,
                            .nvariants = 2,
                            .data = plan_data,
                            .ndata = BZ_LEN(plan_data),
                            .entries = &plan_entry,
                            .nentries = 1};
}

Test(codegen_export, a_unit_holds_variants_data_and_entries) {
    if (jit_host() == CG_BASE) return;
    lp_module *m = jit_parse(small);
    const cg_variant v[2] = {{{.isa = CG_V3, .suffix = "_v3"}, m},
                             {{.isa = CG_V4, .suffix = "_v4"}, m}};
    cg_export_unit u = plan_unit(v);
    cg_object o;
    bz_error e = {0};
    cr_assert_eq(cg_export(&u, &o, &e), BZ_OK, "%s", e.text);
    const rt_import imports[] = {{"run_plan", (rt_function *)run_plan}, {NULL, NULL}};
    rt_code *code = rt_code_new();
    rt_object *object;
    char message[RT_LOAD_MESSAGE] = "";
    cr_assert_eq(rt_object_load(code, o.bytes, o.n, imports, &object, message), RT_LOAD_OK, "%s",
                 message);
    int64_t (*run)(float *, float *) =
        (int64_t(*)(float *, float *))rt_object_find(object, "prog_run");
    cr_assert(run);
    float x[32], y[32];
    for (unsigned i = 0; i < 32; i++) x[i] = (float)i;
    cr_expect_eq(run(x, y), -7);
    for (unsigned i = 0; i < 32; i++) cr_expect_eq(y[i], 3.0f * (float)i);
    rt_object_free(object);
    rt_code_free(code);
    cg_object_free(&o);
    lp_module_free(m);
}

Test(codegen_export, wrong_units_are_refused) {
    lp_module *m = jit_parse(small);
    const cg_variant v[2] = {{{.isa = CG_V3, .suffix = "_v3"}, m},
                             {{.isa = CG_V4, .suffix = "_v4"}, m}};
    const cg_reloc outside = {33, "numbers", 0}, over[2] = {{0, "numbers", 0}, {4, "numbers", 0}};
    const cg_data bad[] = {
        {.name = "d", .bytes = plan_words, .size = 40, .relocs = &outside, .nrelocs = 1},
        {.name = "d", .bytes = plan_words, .size = 40, .relocs = over, .nrelocs = 2},
        {.name = "d", .bytes = plan_words, .size = 4, .relocs = over, .nrelocs = 1},
        {.name = "d", .bytes = plan_words, .size = 40, .align = 24},
        {.name = "d", .bytes = NULL, .size = 40},
        {.name = "d", .size = 40, .flags = CG_ZERO, .relocs = &outside, .nrelocs = 1},
        {.name = "scale.0_v4", .bytes = plan_words, .size = 40},
    };
    for (unsigned n = 0; n < BZ_LEN(bad); n++) {
        cg_export_unit u = plan_unit(v);
        u.data = &bad[n];
        u.ndata = 1;
        cg_object o;
        bz_error e = {0};
        cr_expect_eq(cg_export(&u, &o, &e), BZ_EARG, "%u: %s", n, e.text);
        cr_expect(o.bytes == NULL && strstr(e.text, n == 6 ? "scale.0_v4" : "d"), "%s", e.text);
    }
    const cg_entry entries[] = {{"room", "run_plan", "plan", 2, 0},
                                {"f", "run_plan", "plan", 6, 0},
                                {"g", "run_plan", "nothing", 1, 0}};
    for (unsigned n = 0; n < BZ_LEN(entries); n++) {
        cg_export_unit u = plan_unit(v);
        u.entries = &entries[n];
        cg_object o;
        bz_error e = {0};
        cr_expect_eq(cg_export(&u, &o, &e), BZ_EARG, "entry %u: %s", n, e.text);
        cr_expect(o.bytes == NULL);
    }
    const cg_variant same[2] = {v[0], v[0]};
    cg_export_unit u = plan_unit(same);
    cg_object o;
    bz_error e = {0};
    cr_expect_eq(cg_export(&u, &o, &e), BZ_EARG, "%s", e.text);
    lp_module_free(m);
}
