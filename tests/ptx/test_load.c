/* test_load.c - what loads, what is refused and with which words, and what a module says of itself.
 */
#include "test_kit.h"

#define BODY(text)                                                                                 \
    PTX_HEAD ".entry k() {\n.reg .pred %p<4>;\n.reg .b16 %h<4>;\n.reg .b32 %r<4>;\n.reg .b64 "     \
             "%d<4>;\n.reg .f32 %f<4>;\n" text "\n}\n"

typedef struct {
    const char *text, *message;
} refusal;

/* In BODY the statement is line 10. */
static const refusal refusals[] = {
    {BODY("frobnicate.b32 %r1, %r2;"), "10:1: error: unknown instruction 'frobnicate'"},
    {BODY("add.s32.wobble %r1, %r2, %r3;"), "unknown modifier .wobble"},
    {BODY("add.rn.s32 %r1, %r2, %r3;"), "10:1: error: add: modifier .rn is not supported here"},
    {BODY("add.s32 %r1, %r2;"), "add: wrong number of operands"},
    {BODY("add.s32 %r1, %r2, %r9;"), "10:19: error: register '%r9' is not declared"},
    {BODY("add.s64 %d1, %d2, %r3;"), "a register is narrower than the type"},
    {BODY("add.f32 %f1, %f2, 1;"), "a float constant is needed"},
    {BODY("add.s32 %r1, %r2, 0f3F800000;"), "a float constant is not allowed here"},
    {BODY("add.s32 %p1, %r2, %r3;"), "a predicate register is not allowed here"},
    {BODY("setp.lt.s32 %r1, %r2, %r3;"), "a predicate register is needed"},
    {BODY("bra nowhere;"), "10:5: error: label 'nowhere' is not defined"},
    {BODY("L: L: ret;"), "label 'L' is defined twice"},
    {BODY(".reg .b32 %x;\n.reg .b32 %x;"), "register '%x' is declared twice"},
    {BODY("cvt.f16.f32 %h1, %f1;"), "cvt: a rounding is needed"},
    {BODY("cp.async.bulk.commit_group;"), "this form needs .target sm_90 or higher, not sm_80"},
    {BODY("setmaxnreg.inc.sync.aligned.u32 64;"), "setmaxnreg: needs a target of its own"},
    {BODY("mbarrier.test_wait.shared.b64 %p1, [%d1];"), "mbarrier: wrong number of operands"},
    {".version 8.0\n.target sm_80a\n", "the module is for sm_80a, the device is sm_90"},
    {BODY("wgmma.fence.sync.aligned;"), "wgmma: needs .target sm_90a"},
    {BODY("barrier.cluster.arrive;"), "barrier: this form needs .target sm_90"},
    {BODY("tcgen05.fence::before_thread_sync;"), "tcgen05: not supported yet"},
    {BODY("ld.global.v2.u32 {%r1, %r2, %r3}, [%d1];"), "the operand's parts don't fit the vector"},
    {BODY("ld.global.u32 %r1, %d1;"), "an address in brackets is needed"},
    {BODY("st.const.u32 [%d1], %r1;"), "this space can't be written"},
    {BODY("lop3.b32 %r1, %r1, %r2, %r3, 256;"), "immLut must be a constant"},
    {BODY("atom.global.add.b32 %r1, [%d1], %r2;"), "this atomic operation doesn't exist"},
    {BODY("mma.sync.aligned.m16n8k16.row.col.f32.bf16.f16.f32 {%r1}, {%r1}, {%r1}, {%r1};"),
     "this shape and these types are not supported"},
    {BODY("call missing, ();"), "the operand is neither a register, a variable nor a function"},
    {BODY("mov.b64 %d1, {%r1, %r2, %r3};"), "the parts don't fill the register"},
    {BODY("/* never closed"), "comment without an end"},
    {PTX_HEAD ".entry k() {\nret;", "function without an end"},
    {PTX_HEAD ".func f();\n.entry k() {\ncall f, ();\nret;\n}",
     "function 'f' is called but not defined"},
    {PTX_HEAD ".entry k() { ret; }\n.entry k() { ret; }", "'k' is defined twice"},
    {PTX_HEAD ".global .u32 g;\n.global .u32 g;", "'g' is declared twice"},
    {PTX_HEAD ".weak .global .u32 g = 1;\n.global .u32 g;", "'g' is declared twice"},
    {PTX_HEAD ".global .u32 g[2] = {1, 2, 3};", "more initial values than elements"},
    {PTX_HEAD ".global .u32 g = other;", "'other' is not a global variable or function"},
    {PTX_HEAD ".global .align 3 .u32 g;", "alignment must be a power of two"},
    {PTX_HEAD ".entry k() .reqnctapercluster 2, 1, 1 { ret; }", "clusters need .target sm_90"},
    {PTX_HEAD ".sampler s;", "directive .sampler is not supported"},
    {".version 8.0\n.target sm_100\n", "the module is for sm_100, the device is sm_90"},
    {".target sm_80\n", "missing .version"},
    {".version 8.0\n.entry k() { ret; }", "missing .target directive"},
    {".version 8.0\n.target sm_80\n.address_size 32\n", "only .address_size 64 is supported"},
    {"\177ELF", "unexpected character 0x7f"},
    {"", "missing .version and .target directives"},
};

Test(load, refuses_with_place_and_reason) {
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        char log[1024] = "";
        ptx_module *m = kit_load(refusals[i].text, log, sizeof log);
        cr_expect_null(m, "accepted: %s", refusals[i].text);
        cr_expect(strstr(log, refusals[i].message) && strstr(log, ": error: "),
                  "wanted \"%s\", got \"%s\"", refusals[i].message, log);
        ptx_unload(m);
    }
}

/* Texts that are linked stand behind each other. */
Test(load, one_variable_of_several_texts) {
    static const struct {
        const char *text;
        uint64_t size;
    } good[] = {{".extern .global .u32 g[3];\n.global .u32 g[3];", 12},
                {".global .u32 g[3];\n.extern .global .u32 g[3];", 12},
                {".common .global .u64 g;\n.common .global .u64 g;", 8},
                {".common .global .u32 g[2];\n.common .global .u32 g[5];", 20},
                {".weak .global .u32 g = 7;\n.weak .global .u32 g = 8;", 4},
                {".weak .global .u32 g;\n.global .u32 g[2] = {1, 2};", 8},
                {".global .u32 g = 1;\n.weak .global .u32 g = 2;", 4}};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        char log[256] = "", text[256];
        snprintf(text, sizeof text, "%s%s\n.visible .entry k() { ret; }\n", PTX_HEAD, good[i].text);
        ptx_module *m = kit_load(text, log, sizeof log);
        cr_assert(m, "%s: %s", good[i].text, log);
        const ptx_global *g = ptx_global_find(m, "g");
        cr_expect(g && g->size == good[i].size && !g->external, "%s", good[i].text);
        ptx_unload(m);
    }
}

Test(load, cuts_the_log_at_its_end) {
    char log[12];
    memset(log, 'x', sizeof log);
    cr_assert_null(kit_load(BODY("frobnicate;"), log, sizeof log));
    cr_expect_str_eq(log, "10:1: error");
    ptx_target target = {.sm = 90};
    cr_expect_null(ptx_load("?", 1, &target, NULL));
}

/* Their bytes are limited, not their number. */
static unsigned load_many(unsigned n) {
    char log[256] = "", *text = malloc(sizeof PTX_HEAD + 64 + n * 24), *at = text;
    cr_assert(text);
    at += sprintf(at, "%s.visible .entry many(", PTX_HEAD);
    for (unsigned i = 0; i < n; i++) at += sprintf(at, "%s.param .u64 p%u", i ? ", " : "", i);
    strcpy(at, ")\n{\nret;\n}\n");
    ptx_module *m = kit_load(text, log, sizeof log);
    free(text);
    cr_expect(m || strstr(log, "parameters take"), "%s", log);
    const unsigned got = m ? (unsigned)ptx_kernel_find(m, "many")->n_params : 0;
    if (m) ptx_unload(m);
    return got;
}

Test(load, kernels_take_what_parameters_fit) {
    cr_expect_eq(load_many(4095), 4095);
    cr_expect_eq(load_many(4096), 0);
}

Test(load, tells_kernels_and_parameters) {
    char log[512] = "";
    ptx_module *m = kit_load(
        PTX_HEAD
        ".weak .entry one(.param .u8 a, .param .align 8 .b8 b[12], .param .f64 c)\n"
        ".maxntid 256, 1, 1\n.minnctapersm 2\n{\n.shared .align 8 .b8 s[100];\n.local .align 4 .b8 "
        "l[20];\n"
        ".reg .b32 %r;\nmov.u32 %r, s;\nret;\n}\n"
        ".visible .entry two()\n.reqntid 32, 2, 1\n.maxnreg 40\n{\n.shared .u32 t;\n.reg .b32 %r;\n"
        "mov.u32 %r, t;\nret;\n}\n",
        log, sizeof log);
    cr_assert(m, "%s", log);
    cr_expect_eq(ptx_version(m), 80);
    cr_expect_eq(ptx_sm(m), 80);
    cr_assert_eq(ptx_kernel_count(m), 2);
    const ptx_kernel *a = ptx_kernel_find(m, "one"), *b = ptx_kernel_find(m, "two");
    cr_expect(a->weak && !b->weak);
    cr_assert_eq(a->n_params, 3);
    cr_expect_eq(a->params[1].offset, 8);
    cr_expect_eq(a->params[1].size, 12);
    cr_expect_eq(a->params[2].offset, 24);
    cr_expect_eq(a->param_bytes, 32);
    cr_expect_eq(a->maxntid[0], 256);
    cr_expect_eq(a->minctas, 2);
    cr_expect_eq(a->shared_static, 100, "the other kernel's shared memory is not this one's");
    cr_expect_eq(a->local_bytes, 32);
    cr_expect_eq(b->reqntid[1], 2);
    cr_expect_eq(b->maxnreg, 40);
    cr_expect_eq(b->shared_static, 4);
    cr_expect_null(ptx_kernel_find(m, "three"));
    ptx_unload(m);
}

Test(load, places_globals_with_addresses_in_each_other) {
    kit *k = kit_new(
        PTX_HEAD
        ".global .align 4 .u32 numbers[3] = {1, 0x20, 3};\n.const .f32 half = 0f3F000000;\n"
        ".global .u64 where[2] = {numbers, generic(numbers)+8};\n.global .b8 zeros[5];\n"
        ".visible .entry k(.param .u64 a, .param .u32 c) {\n.reg .b64 %d<4>;\n.reg .b32 %r<4>;\n"
        "ld.param.u64 %d1, [a];\nld.global.u64 %d2, [where+8];\nld.u32 %r1, [%d2];\nst.global.u32 "
        "[%d1], %r1;\n"
        "ld.global.u32 %r2, [numbers+4];\nst.global.u32 [%d1+4], %r2;\nld.const.b32 %r3, [half];\n"
        "st.global.u32 [%d1+8], %r3;\nret;\n}\n",
        4, 0, false);
    kit_run(k, 1, 1);
    cr_expect_eq(k->reports, 0, "%s", k->text);
    cr_expect_eq(kit_word(k, 0), 3);
    cr_expect_eq(kit_word(k, 1), 0x20);
    cr_expect_eq(kit_word(k, 2), 0x3f000000);
    cr_expect_eq(ptx_global_find(k->module, "half")->space, PTX_CONST);
    cr_expect_eq(ptx_global_find(k->module, "zeros")->size, 5);
    kit_free(k);
}

Test(load, refuses_bad_launches) {
    kit *k = kit_new(KERNEL(""), 1, 0, false);
    cr_expect_eq(kit_run(k, 1, 1025), PTX_INVALID);
    cr_expect_eq(kit_run(k, 0, 1), PTX_INVALID);
    k->p.shared_dynamic = 1 << 20;
    cr_expect_eq(kit_run(k, 1, 1), PTX_INVALID);
    cr_expect_str_eq(k->message, "too much shared memory");
    k->p.shared_dynamic = 0;
    k->p.param_bytes = 8;
    cr_expect_eq(kit_run(k, 1, 1), PTX_INVALID);
    kit_free(k);
}
