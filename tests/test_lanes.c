/* test_lanes.c - how the lanes of a vector reach memory where the offset is not linear along it (src/passes/emit_pattern.c): the
 * interpreter's bits in every target's plan, and no gather where lanes lie as in every other vector. */
#include "src/passes/pass.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_check.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>

enum { ANY = -1 };

/* x: f32[4,6,@h,@w]; the gathers and scatters of the kernels at 56 x 64, of the targets' first. */
static const struct {
    const char *body;
    int apart;
} programs[] = {
    {"%y = repeat_interleave %x {repeats=2, axis=3}", 0},
    {"%r = repeat_interleave %x {repeats=4, axis=3}\n %y = repeat_interleave %r {repeats=3, "
     "axis=2}",
     0},
    {"%r = repeat_interleave %x {repeats=2, axis=3}\n %y = pad %r {value=7.0, lo=[0,0,1,1], "
     "hi=[0,0,1,1]}",
     0},
    {"%p = pad %x {value=7.0, lo=[0,0,2,3], hi=[0,0,1,1]}\n %r = repeat_interleave %p {repeats=2, "
     "axis=3}\n"
     " %y = repeat_interleave %r {repeats=2, axis=2}",
     ANY},
    {"%y = repeat_interleave %x {repeats=3, axis=3}", ANY},
    {"%y = repeat_interleave %x {repeats=32, axis=3}", 0},
    {"%s = slice %x {start=[0,0,0,0], stop=[_,_,_,4], step=[1,1,1,1]}\n %y = tile %s "
     "{sizes=[1,1,1,12]}",
     0},
    {"%s = slice %x {start=[0,0,0,1], stop=[_,_,_,4], step=[1,1,1,1]}\n %y = tile %s "
     "{sizes=[1,1,1,7]}",
     ANY},
    {"%y = batch_norm %x {training}", 0},
    {"%s = sum %x {axes=[0,3], keepdim}\n %y = div %x %s", 0},
    {"%p = permute %x {perm=[1,0,2,3]}\n %f = reshape %p {shape=[6,-1]}\n %c = cumsum %f "
     "{axis=1}\n %y = neg %c",
     ANY},
};

static const int sizes[][2] = {{56, 64}, {3, 5}, {7, 33}, {2, 16}};

static ir_module *program(const char *body, const int *size) {
    bz_text t = {0};
    irt_fill(&t, "graph main(x: f32[4,6,@h,@w]) {\n ", "hw", size);
    bz_textf(&t, "%s\n return %%y }", body);
    ir_module *m = irt_parse(bz_text_c(&t));
    bz_text_free(&t);
    return m;
}

Test(lanes, bits) {
    char what[600];
    for (unsigned i = 0; i < BZ_LEN(programs); i++)
        for (unsigned k = 0; k < BZ_LEN(sizes); k++) {
            ir_module *m = program(programs[i].body, sizes[k]);
            plan_check c = {.seed = i + 31 * k,
                            .machine = true,
                            .specials = k == 2,
                            .threads = 2,
                            .one = k == 0};
            cr_expect(!plan_fault(m->graphs.p[0], &c, what), "%s, %dx%d: %s", programs[i].body,
                      sizes[k][0], sizes[k][1], what);
            ir_module_free(m);
        }
}

/* As CUDA C on the emulated driver, where NVRTC is. */
Test(lanes, as_cuda) {
    char what[600];
    if (!plan_cuda_ready()) return;
    for (unsigned i = 0; i < BZ_LEN(programs); i++) {
        ir_module *m = program(programs[i].body, sizes[2]);
        plan_check c = {.seed = i, .cuda = true, .threads = 2};
        cr_expect(!plan_fault(m->graphs.p[0], &c, what), "%s: %s", programs[i].body, what);
        ir_module_free(m);
    }
}

static int gathers(const ir_graph *g) {
    bz_error e = {0};
    int n = 0;
    pass_plan *p = pass_compile(g, &targets[0].t, &e);
    cr_assert(p, "%s", e.text);
    for (uint32_t i = 0; i < p->code->k.n; i++) {
        const lp_kernel *k = p->code->k.p[i];
        for (uint32_t v = 1; v < k->inst.n; v++)
            n += k->inst.p[v].op == LP_GATHER || k->inst.p[v].op == LP_SCATTER;
    }
    pass_plan_free(p);
    return n;
}

Test(lanes, no_gathers) {
    for (unsigned i = 0; i < BZ_LEN(programs); i++) {
        if (programs[i].apart == ANY) continue;
        ir_module *m = program(programs[i].body, sizes[0]);
        cr_expect_eq(gathers(m->graphs.p[0]), programs[i].apart, "%s: %d", programs[i].body,
                     gathers(m->graphs.p[0]));
        ir_module_free(m);
    }
}
