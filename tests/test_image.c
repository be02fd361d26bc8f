/* test_image.c - the program image of a plan, which compiled and exported programs share: where its pointers come from, which launches
 * are worth the threads and which change inputs, what is copied and when. */
#include "runtime/exec/image.h"
#include "tests/support/irtest.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>

enum { MOST_ENDS = 8 };

/* Words for inputs and outputs, as compiled programs have them; or donated outputs in their inputs' places, as exports do. */
static rt_image image_of(const pass_plan *p, bool over) {
    const ir_graph *g = p->graph;
    bz_rt_place in[MOST_ENDS], out[MOST_ENDS];
    rt_image m;
    cr_assert(g->inputs.n <= MOST_ENDS && g->outputs.n <= MOST_ENDS);
    for (uint32_t i = 0; i < g->inputs.n; i++)
        in[i] = (bz_rt_place){g->inputs.p[i].scalar ? BZ_RT_VALUE : BZ_RT_ARG, 8 * i, 0};
    for (uint32_t i = 0; i < g->outputs.n; i++) {
        int donated = g->outputs.p[i].donated;
        out[i] = over && donated >= 0 ? in[donated] : (bz_rt_place){BZ_RT_ARG, 800 + 8 * i, 0};
    }
    cr_assert(rt_image_make(&m, p, &(rt_ends){in, out}));
    return m;
}

static pass_plan *plan_of(const ir_module *m) {
    bz_error e = {0};
    pass_plan *p = pass_compile(m->graphs.p[0], &targets[0].t, &e);
    cr_assert(p, "%s", e.text);
    return p;
}

/* ---- which launches are worth the threads */

/* Two tasks of a map take about five microseconds on one thread: both kinds of program share them among two. */
Test(image, launches_are_parallel_in_both_kinds) {
    static const struct {
        const char *text;
        unsigned flags;
    } cases[] = {
        {"graph main(x: f32[64]) { %1 = neg %x\n return %1 }", 0},
        {"graph main(x: f32[8192]) { %1 = neg %x\n return %1 }", 0}, /* one task */
        {"graph main(x: f32[8193]) { %1 = neg %x\n return %1 }", BZ_RT_PARALLEL},
        {"graph main(x: f32[1000,3]) { %1 = sum %x {axes=[1]}\n return %1 }", 0},
        {"graph main(x: f32[512,512]) { %1 = sum %x {axes=[1]}\n return %1 }", BZ_RT_PARALLEL},
        {"graph main(x: f32[64]) { %1 = neg %x\n return %1 donate x }", BZ_RT_CHANGES},
        {"graph main(x: f32[9000]) { %1 = neg %x\n return %1 donate x }",
         BZ_RT_PARALLEL | BZ_RT_CHANGES},
    };
    for (unsigned k = 0; k < BZ_LEN(cases); k++) {
        ir_module *m = irt_parse(cases[k].text);
        pass_plan *p = plan_of(m);
        for (int over = 0; over < 2; over++) {
            rt_image i = image_of(p, over);
            cr_assert_gt(i.base.nphases, 0u);
            for (uint32_t q = 0; q < i.base.nphases; q++)
                cr_expect_eq(i.base.phases[q].flags, cases[k].flags, "case %u: %u", k,
                             i.base.phases[q].flags);
            cr_expect_eq(i.base.parallel, cases[k].flags & BZ_RT_PARALLEL);
            rt_image_free(&i);
        }
        pass_plan_free(p);
        ir_module_free(m);
    }
}

/* ---- copies */

static const char *where(const bz_rt_place *p) {
    static const char *const words[] = {"arg", "value", "arena", "consts", "baked"};
    return words[p->where];
}

/* What is read as it was at the call is copied before the run, results after it, what is written over an input at last. */
Test(image, copies) {
    static const struct {
        const char *text, *words, *over; /* of compiled programs, of exports */
    } cases[] = {
        {"graph main(a: f32[40]) { return %a }", "early arg arg", "early arg arg"},
        {"graph main(a: f32[40]) { %1 = exp %a\n return %a as old, %1 as new donate a }",
         "early arg arg", "early arg arg; arg arena"},
        {"graph main(a: f32[40]) { %1 = flip %a {axes=[0]}\n return %1 donate a }", "",
         "arg arena"},
        {"graph main(a: f32[40]) { %1 = exp %a\n return %1 donate a }", "arg arg", ""},
        {"graph main(a: f32[40], b: f32[40]) { return %b as x donate a, %a as y donate b }",
         "early arg arg; early arg arg", "early arena arg; early arena arg; arg arena; arg arena"},
        {"graph main(a: f32[40]) { %1 = exp %a\n return %1 as x, %1 as y }", "arg arg", "arg arg"},
        {"graph main(a: f32[]) { return %a }", "early arg arg", "early arg arg"},
        {"graph main(a: f32[0,4]) { return %a }", "", ""},
    };
    for (unsigned k = 0; k < BZ_LEN(cases); k++) {
        ir_module *m = irt_parse(cases[k].text);
        pass_plan *p = plan_of(m);
        for (int over = 0; over < 2; over++) {
            rt_image i = image_of(p, over);
            bz_text t = {0};
            for (uint32_t c = 0; c < i.base.ncopies; c++)
                bz_textf(&t, "%s%s%s %s", c ? "; " : "", c < i.base.nearly ? "early " : "",
                         where(&i.base.copies[c].to), where(&i.base.copies[c].from));
            cr_expect_str_eq(bz_text_c(&t), over ? cases[k].over : cases[k].words,
                             "case %u: %s: %s", k, over ? "export" : "compiled", bz_text_c(&t));
            bz_text_free(&t);
            rt_image_free(&i);
        }
        pass_plan_free(p);
        ir_module_free(m);
    }
}

/* ---- workspaces */

/* As many threads as fit, each with scratch pages of its own; nothing lies outside. */
Test(image, workspaces_are_laid_out) {
    static const bz_rt_place places[3] = {{0}};
    const bz_rt_image v = {
        .places = places, .nplaces = 3, .arena_bytes = 128, .scratch_bytes = 4096};
    static char memory[64 + 128 + 64 + 4 * (4096 + 64)];
    for (int wanted = 1; wanted <= 4; wanted++) {
        bz_rt_workspace w;
        size_t bytes = bz_rt_workspace_bytes(&v, wanted);
        cr_assert_leq(bytes, sizeof memory);
        cr_expect(!bz_rt_lay_out(&v, memory + 1, bz_rt_workspace_bytes(&v, 1) - 1, 4, &w));
        cr_assert(bz_rt_lay_out(&v, memory + 1, bytes, 4, &w));
        cr_expect_eq(w.threads, wanted);
        cr_expect_eq((uintptr_t)w.arena % 64, 0);
        cr_expect_eq(w.scratch - w.arena, 128);
        cr_expect_eq((char *)w.errors - w.scratch, 4096 * wanted);
        cr_expect_leq((char *)(w.table + 3), memory + 1 + bytes);
    }
}
