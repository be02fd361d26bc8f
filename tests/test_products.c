/* test_products.c - products of every form have the interpreter's bits, whichever side is packed, and what needs no packing gets none. */
#include "src/passes/pass.h"
#include "tests/support/irtest.h"
#include "tests/support/plan_check.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>
#include <string.h>

/* x: [m, k] times w: [k, n]. How w lies, what is made of x, w and the product. */
typedef struct form {
    const char *name, *inputs, *body;
    bool packs; /* even one row times a large w */
} form;

#define XW "x: f32[@m,@k], w: f32[@k,@n]"
static const form forms[] = {
    {"plain", XW, "%y = matmul %x %w\n return %y", false},
    {"turned", "x: f32[@m,@k], w: f32[@n,@k]",
     "%t = permute %w {perm=[1,0]}\n %y = matmul %x %t\n return %y", true},
    {"both turned", "x: f32[@k,@m], w: f32[@n,@k]",
     "%s = permute %x {perm=[1,0]}\n %t = permute %w {perm=[1,0]}\n %y = matmul %s %t\n return "
     "%y",
     true},
    {"window", "x: f32[@m,@k], w: f32[2,@k,@n]",
     "%s = slice %w {start=[1,0,0], stop=[2,@k,@n]}\n %t = reshape %s {shape=[@k,@n]}\n "
     "%r = slice %t {start=[@k,0], stop=[-@k-1,@n], step=[-1,1]}\n"
     "%y = matmul %x %t\n return %y",
     false},
    {"made", XW, "%s = neg %x\n %t = exp %w\n %y = matmul %s %t\n return %y", true},
    {"epilogue in place", XW ", b: f32[@m,@n]",
     "%y = matmul %x %w\n %z = add %y %b\n %r = relu %z\n return %r donate b", false},
    {"f64", "x: f64[@m,@k], w: f64[@k,@n]", "%y = matmul %x %w\n return %y", false},
    {"bf16", "x: bf16[@m,@k], w: bf16[@k,@n]", "%y = matmul %x %w\n return %y", true},
    {"i32", "x: i32[@m,@k], w: i32[@k,@n]", "%y = matmul %x %w\n return %y", false},
    {"batch", "x: f32[3,@m,@k], w: f32[3,@k,@n]", "%y = matmul %x %w\n return %y", false},
    {"one w for all", "x: f32[3,@m,@k], w: f32[@k,@n]", "%y = matmul %x %w\n return %y", false},
};

/* m, k, n: few rows and many, tails of every kind, blocks of k, sides that fit the first cache and others. */
static const int sizes[][3] = {{1, 1, 1},    {1, 70, 33},   {1, 520, 300}, {2, 1030, 40},
                               {3, 17, 200}, {4, 13, 64},   {5, 40, 96},   {7, 520, 50},
                               {14, 9, 61},  {15, 30, 100}, {33, 70, 90},  {64, 64, 64},
                               {64, 5, 16},  {100, 30, 17}, {130, 20, 1},  {1, 0, 40}};

static ir_module *parse(const form *f, const int *s) {
    bz_text t = {0};
    bz_text_str(&t, "graph main(");
    irt_fill(&t, f->inputs, "mkn", s);
    bz_text_str(&t, ") {\n");
    irt_fill(&t, f->body, "mkn", s);
    bz_text_str(&t, "\n}");
    ir_module *m = irt_parse(bz_text_c(&t));
    bz_text_free(&t);
    return m;
}

/* The same for processors whose caches hold little: blocks of k one after the other, for all rows of some columns and all columns of some
 * rows, several chunks of columns, the last of each shorter; and what has many more products than elements. */
static const int blocks[][3] = {{17, 530, 35}, {30, 270, 50}, {5, 4100, 16}, {7, 600, 90}};

static pass_machine small_caches(void) {
    pass_machine m = pass_cpu;
    m.first = 4 << 10;
    m.second = 32 << 10;
    m.alone = 0;
    return m;
}

static void check_sizes(const form *f, const int (*s)[3], unsigned n, const pass_machine *caches) {
    static const unsigned threads[] = {1, 2, 8};
    char what[600];
    for (unsigned i = 0; i < n; i++) {
        ir_module *m = parse(f, s[i]);
        plan_check c = {.seed = i,
                        .machine = i % 2,
                        .specials = i % 4 == 3,
                        .threads = threads[i % 3],
                        .sizes = caches};
        cr_expect(!plan_fault(m->graphs.p[0], &c, what), "%s %dx%dx%d, %u threads%s: %s", f->name,
                  s[i][0], s[i][1], s[i][2], c.threads, caches ? ", small caches" : "", what);
        ir_module_free(m);
    }
}

static void check(const form *f) {
    const pass_machine small = small_caches();
    check_sizes(f, sizes, BZ_LEN(sizes), NULL);
    check_sizes(f, blocks, BZ_LEN(blocks), &small);
}

#define FORM(i)                                                                                    \
    Test(products, form_##i) {                                                                     \
        check(&forms[i]);                                                                          \
    }
FORM(0)
FORM(1)
FORM(2)
FORM(3)
FORM(4)
FORM(5)
FORM(6)
FORM(7)
FORM(8)
FORM(9)
FORM(10)

/* Does the product's kernel have memory of its own beside the results? */
static bool packs(const form *f, const int *s) {
    ir_module *m = parse(f, s);
    bz_error e = {0};
    bool work = false;
    pass_plan *p = pass_compile(m->graphs.p[0], &targets[0].t, &e);
    cr_assert(p, "%s", e.text);
    for (uint32_t i = 0; i < p->code->k.n; i++) {
        const lp_kernel *k = p->code->k.p[i];
        for (uint32_t b = 0; b < k->buffers.n && !k->function; b++)
            work |= k->buffers.p[b].access == LP_WORK;
        for (uint32_t v = 0; v < k->inst.n && !k->function; v++)
            work |= k->inst.p[v].op == LP_LOCAL && (k->inst.p[v].flags & 15) == LP_SCRATCH &&
                    k->inst.p[v].imm > 4096;
    }
    pass_plan_free(p);
    ir_module_free(m);
    return work;
}

Test(products, what_is_read_once_stays_where_it_lies) {
    static const int row[] = {1, 300, 4096}, few[] = {6, 3000, 640}, small[] = {64, 64, 64},
                     large[] = {400, 300, 500};
    cr_expect_eq(BZ_LEN(forms), 11, "FORM lists them");
    for (unsigned i = 0; i < BZ_LEN(forms); i++)
        cr_expect_eq(packs(&forms[i], row), forms[i].packs, "%s", forms[i].name);
    cr_expect(packs(&forms[0], large), "many rows share a packed w");
    cr_expect(!packs(&forms[0], small));
    cr_expect(packs(&forms[0], few), "x alone");
}

/* Are tiles of several column panels kept from block to block? */
static bool by_blocks(const int *s, const pass_machine *caches) {
    ir_module *m = parse(&forms[0], s);
    bz_error e = {0};
    bool stack = false;
    pass_target t = targets[0].t;
    t.machine = caches;
    pass_plan *p = pass_compile(m->graphs.p[0], &t, &e);
    cr_assert(p, "%s", e.text);
    for (uint32_t i = 0; i < p->code->k.n; i++) {
        const lp_kernel *k = p->code->k.p[i];
        for (uint32_t v = 0; v < k->inst.n; v++)
            stack |= k->inst.p[v].op == LP_LOCAL && (k->inst.p[v].flags & 15) == LP_STACK;
    }
    pass_plan_free(p);
    ir_module_free(m);
    return !stack;
}

/* Does each task pack both sides, a block at a time? Then no phase before packs one. */
static bool is_deep(const int *s) {
    ir_module *m = parse(&forms[0], s);
    bz_error e = {0};
    bool shares = false;
    pass_plan *p = pass_compile(m->graphs.p[0], &targets[0].t, &e);
    cr_assert(p, "%s", e.text);
    for (uint32_t i = 0; i < p->code->k.n; i++)
        for (uint32_t b = 0; b < p->code->k.p[i]->buffers.n; b++)
            shares |= p->code->k.p[i]->buffers.p[b].access == LP_WORK;
    pass_plan_free(p);
    ir_module_free(m);
    return !shares;
}

Test(products, of_few_elements_are_packed_block_by_block) {
    static const int weights[] = {64, 40000, 64}, square[] = {2048, 2048, 2048};
    cr_expect(is_deep(weights));
    cr_expect(!is_deep(square));
}

Test(products, long_panels_are_cut) {
    const pass_machine small = small_caches();
    static const int square[] = {64, 64, 64}, large[] = {256, 1024, 2048};
    for (unsigned i = 0; i < BZ_LEN(blocks); i++)
        cr_expect(by_blocks(blocks[i], &small), "number %u", i);
    cr_expect(by_blocks(large, &pass_cpu));
    cr_expect(!by_blocks(square, &pass_cpu));
}
