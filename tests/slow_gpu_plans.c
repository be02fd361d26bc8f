/* slow_gpu_plans.c - plans for a graphics processor on the interpreter of the kernel loops, tasks in any order, against the interpreter of
 * graphs, bit for bit: what its own schedules do at their borders (a warp's elements, a block of additions, tiles), for all dtypes. */
#include "tests/support/irtest.h"
#include "tests/support/plan_cuda.h"
#include "tests/support/plan_run.h"

#include <stdlib.h>
#include <criterion/criterion.h>

#include <stdio.h>
#include <string.h>

/* # stands for each dtype in turn. */
static const struct program {
    const char *name, *dtypes, *text;
    const char *kernel; /* what must stand in the loops */
} programs[] = {
    {"softmax", "f32 f64 f16 bf16",
     "graph main(x: #[9,%d]) { %%y = softmax %%x {axis=1}\n return %%y }", "lane"},
    {"sums", "f32 f64 f16 i32 i64 u8",
     "graph main(x: #[5,%d]) { %%y = sum %%x {axes=[1]}\n return %%y }", "lane"},
    {"largest", "f32 bf16 i8 i64",
     "graph main(x: #[11,%d]) { %%y = max %%x {axes=[1]}\n %%i = argmax %%x {axes=[1]}\n return "
     "%%y, "
     "%%i }",
     "lane"},
    {"normed", "f32 f64", "graph main(x: #[3,%d]) { %%y = layer_norm %%x {ndims=1}\n return %%y }",
     "lane"},
    {"any", "bool",
     "graph main(x: #[4,%d]) { %%y = any %%x {axes=[1]}\n %%z = all %%x {axes=[1]}\n return %%y, "
     "%%z }",
     "lane"},
    {"product", "f32 i32", "graph main(x: #[4,%d]) { %%y = prod %%x {axes=[1]}\n return %%y }",
     "lane"},
    {"all", "f32 f64", "graph main(x: #[%d]) { %%y = sum %%x\n return %%y }", "lane"},
    {"between", "f32",
     "graph main(x: #[2,3,%d], b: #[3,1]) { %%s = sum %%x {axes=[2], keepdim=1}\n %%d = div %%x "
     "%%s\n %%y = mul %%d %%b\n return %%y, %%s }",
     "lane"},
};

/* What goes through whole rows in an order of its own. */
static const struct program whole_programs[] = {
    {"sorted", "f32 f64 bf16 i8 i64 bool",
     "graph main(x: #[3,%d]) { %%v, %%i = sort %%x {axis=1}\n return %%v, %%i }", "barrier"},
    {"sorted down", "f32 u8",
     "graph main(x: #[%d,5]) { %%v, %%i = sort %%x {axis=0, descending=1}\n return %%v, %%i }",
     "barrier"},
    {"places", "f32", "graph main(x: #[20,%d]) { %%v, %%i = sort %%x {axis=1}\n return %%i }",
     "barrier"},
    {"sums so far", "f32 f64 bf16 i64",
     "graph main(x: #[3,%d]) { %%y = cumsum %%x {axis=1}\n return %%y }", ""},
    {"sums down", "f32 f16", "graph main(x: #[%d,5]) { %%y = cumsum %%x {axis=0}\n return %%y }",
     ""},
    {"sums between", "f32",
     "graph main(x: #[%d,40]) { %%t = transpose %%x\n %%y = cumsum %%t {axis=1}\n return %%y }",
     ""},
    {"scanned, with what is around it", "f32 f16 i32",
     "graph main(x: #[3,%1$d], y: #[3,%1$d]) { %%a = mul %%x %%y\n %%s = cumsum %%a {axis=1, "
     "reverse}\n %%r = sub %%s "
     "%%x\n return %%s, %%r }",
     ""},
    {"so far", "f32 bf16 i8 bool",
     "graph main(x: #[%d,5]) { %%v, %%i = cummax %%x {axis=0}\n %%t = transpose %%x\n %%w, %%k = "
     "cummin %%t {axis=1, "
     "reverse}\n return %%v, %%i, %%w, %%k }",
     ""},
    {"logs so far", "f32 f64",
     "graph main(x: #[2,%d]) { %%y = logcumsumexp %%x {axis=1}\n %%p = cumprod %%x {axis=1, "
     "exclusive}\n return %%y, %%p "
     "}",
     ""},
    {"added rows", "f32 f64 i32",
     "graph main(x: #[%1$d,5], k: i64[%1$d]) { %%i = remainder %%k 3\n %%y = scatter_rows %%x %%i "
     "{axis=0, size=4}\n return %%y }",
     "barrier"},
    {"put along", "f32 f16 bool",
     "graph main(x: #[4,%1$d], y: #[4,%1$d], k: i64[4,%1$d]) { %%i = remainder %%k %1$d\n %%n = take_along_dim %%y %%i "
     "{axis=1}\n %%p = scatter %%x %%i %%n {axis=1}\n %%q = scatter_amax %%x %%i %%n {axis=1}\n return %%p, %%q }",
     ""},
    {"rows kept", "f32 i8",
     "graph main(x: #[9,6], y: #[%1$d,6], k: i64[%1$d]) { %%i = remainder %%k 9\n %%n = add %%y %%y\n %%p = index_copy "
     "%%x %%i %%n\n %%q = index_add %%p %%i %%y\n return %%p, %%q }",
     "barrier"},
    {"added vectors", "f32 bf16",
     "graph main(x: #[2,%1$d,8], k: i64[%1$d]) { %%i = sub %%k 2\n %%i2 = clamp %%i -3 3\n %%y = "
     "scatter_rows %%x %%i2 {axis=1, size=700}\n return %%y }",
     "barrier"},
};

/* Along many lines, along long ones, wherever these begin. */
static const char *const long_sums[] = {
    "graph main(x: f32[130,4100]) { %y = cumsum %x {axis=0}\n return %y }",
    "graph main(x: f32[2,9000]) { %y = cumsum %x {axis=1}\n return %y }",
    "graph main(x: f32[18001]) { %s = slice %x {start=[1]}\n %r = reshape %s {shape=[2,9000]}\n %y "
    "= cumsum %r {axis=1}\n return %y }",
    "graph main(x: f64[4301]) { %s = slice %x {start=[1]}\n %y = cumsum %s {axis=0}\n return %y }",
    "graph main(x: bf16[401]) { %s = slice %x {start=[1]}\n %y = cumsum %s {axis=0}\n return %y }",
};

static const int lengths[] = {2,   3,   10,  16,  17,   32,   33,   46,   63,   64,
                              100, 127, 128, 129, 1000, 1024, 1025, 4096, 5000, 9001};

static bool as_cuda; /* checks run the emitted code, too */

/* Under BRAZE_QUICK every fourth of a long list is checked. */
static bool is_left_out(void) {
    static unsigned asked;
    return getenv("BRAZE_QUICK") && asked++ % 4;
}

/* text for target t; `word` stands in its loops. */
static void check(const char *text, const pass_target *t, uint64_t seed, const char *word) {
    bz_error e = {0};
    ir_value_array in[8] = {{0}}, want[8] = {{0}}, got[8] = {{0}};
    ir_module *m = irt_parse(text);
    const ir_graph *g = m->graphs.p[0];
    random_inputs(g, in, seed);
    for (uint32_t i = 0; i < g->inputs.n && seed % 2; i++)
        sprinkle_specials(&in[i], &(uint64_t){seed + i});
    cr_assert_eq(ir_interpret(g, in, want, &e), BZ_OK, "%s: %s", text, e.text);
    pass_plan *plan = pass_compile(g, t, &e);
    cr_assert(plan, "%s: %s", text, e.text);
    bz_text loops = {0};
    lp_print_module(&loops, plan->code);
    cr_expect(strstr(bz_text_c(&loops), word), "%s: no %s", text, word);
    bz_text_free(&loops);
    cr_assert_eq(plan_run(plan, in, got, &e), BZ_OK, "%s: %s", text, e.text);
    for (uint32_t i = 0; i < g->outputs.n; i++)
        cr_expect_eq(first_difference(&want[i], &got[i]), -1, "%s: output %u at %lld", text, i,
                     (long long)first_difference(&want[i], &got[i]));
    free_values(got, g->outputs.n);
    for (unsigned shift = 0; as_cuda && shift < 2; shift++) { /* aligned for vectors, and not */
        plan_cuda_shift(shift);
        cr_assert_eq(plan_cuda(plan, in, got, &e), BZ_OK, "%s: as CUDA C: %s", text, e.text);
        for (uint32_t i = 0; i < g->outputs.n; i++)
            cr_expect_eq(first_difference(&want[i], &got[i]), -1,
                         "%s: as CUDA C, shifted by %u: output %u at %lld", text, shift, i,
                         (long long)first_difference(&want[i], &got[i]));
        free_values(got, g->outputs.n);
    }
    free_values(in, g->inputs.n);
    free_values(want, g->outputs.n);
    pass_plan_free(plan);
    ir_module_free(m);
}

/* The program with this dtype and number. */
static void check_program(const struct program *p, const char *dtype, int n) {
    char with[400], text[500];
    size_t at = 0;
    for (const char *s = p->text; *s; s++)
        at += (size_t)(*s == '#' ? sprintf(with + at, "%s", dtype) : sprintf(with + at, "%c", *s));
    snprintf(text, sizeof text, with, n);
    check(text, &pass_gpu_target, (uint64_t)n, p->kernel);
}

Test(gpu_plans, rows_of_any_length) {
    for (size_t i = 0; i < BZ_LEN(programs); i++) {
        char list[64], *save = NULL;
        snprintf(list, sizeof list, "%s", programs[i].dtypes);
        for (char *t = strtok_r(list, " ", &save); t; t = strtok_r(NULL, " ", &save))
            for (size_t k = 0; k < BZ_LEN(lengths); k++) check_program(&programs[i], t, lengths[k]);
    }
}

Test(gpu_plans, whole_rows) {
    static const int few[] = {1, 2, 33, 127, 128, 129, 1025, 2049, 4500};
    for (size_t i = 0; i < BZ_LEN(whole_programs); i++) {
        char list[64], *save = NULL;
        struct program of_one = whole_programs[i]; /* which needs nobody to wait */
        of_one.kernel = "";
        snprintf(list, sizeof list, "%s", whole_programs[i].dtypes);
        for (char *t = strtok_r(list, " ", &save); t; t = strtok_r(NULL, " ", &save))
            for (size_t k = 0; k < BZ_LEN(few); k++)
                if (!is_left_out())
                    check_program(few[k] == 1 ? &of_one : &whole_programs[i], t, few[k]);
    }
    for (size_t i = 0; i < BZ_LEN(long_sums); i++)
        check(long_sums[i], &pass_gpu_target, 2 * i + 1, "");
}

/* What is transposed, alone and among others, at the borders of tiles. */
Test(gpu_plans, transposed_inputs) {
    static const char *const texts[] = {
        "graph main(x: f32[%d,%d]) { %%y = transpose %%x\n return %%y }",
        "graph main(x: f16[3,%d,%d]) { %%t = permute %%x {perm=[2,0,1]}\n %%y = exp %%t\n return "
        "%%y }",
        "graph main(x: f64[%d,%d], b: f64[5]) { %%t = transpose %%x\n %%s = sum %%b\n %%y = mul "
        "%%t %%s\n %%z = neg %%t\n return %%y, %%z }",
    };
    static const int sizes[][2] = {{8, 8}, {31, 33}, {32, 64}, {100, 9}, {65, 70}};
    for (size_t i = 0; i < BZ_LEN(texts); i++)
        for (size_t k = 0; k < BZ_LEN(sizes); k++) {
            char text[300];
            snprintf(text, sizeof text, texts[i], sizes[k][0], sizes[k][1]);
            check(text, &pass_gpu_target, k, "shared");
        }
}

/* Products: every border of the tiles, of a turn and of a block of additions. */
Test(gpu_plans, products_of_any_size) {
    static const struct {
        const char *dtype, *text; /* of m, k, n */
    } forms[] = {
        {"f32",
         "graph main(x: f32[%1$d,%2$d], w: f32[%2$d,%3$d]) { %%y = matmul %%x %%w\n return %%y }"},
        {"f32", "graph main(x: f32[%2$d,%1$d], w: f32[%3$d,%2$d]) { %%a = transpose %%x\n %%b = "
                "transpose %%w\n %%y = matmul %%a %%b\n return %%y }"},
        {"bias", "graph main(x: f32[%1$d,%2$d], w: f32[%2$d,%3$d], b: f32[%3$d]) { %%d = matmul "
                 "%%x %%w\n %%s = add %%d %%b\n %%y = gelu %%s\n return %%y, %%s }"},
        {"f64",
         "graph main(x: f64[%1$d,%2$d], w: f64[%2$d,%3$d]) { %%y = matmul %%x %%w\n return %%y }"},
        {"bf16", "graph main(x: bf16[%1$d,%2$d], w: bf16[%2$d,%3$d]) { %%y = matmul %%x %%w\n "
                 "return %%y }"},
        {"i32", "graph main(x: i32[3,%1$d,%2$d], w: i32[3,%2$d,%3$d]) { %%y = matmul %%x %%w\n "
                "return %%y }"},
        {"vector",
         "graph main(x: f32[%1$d,%2$d], w: f32[%2$d]) { %%y = matmul %%x %%w\n return %%y }"},
        {"some steps",
         "graph main(x: f32[%1$d,%2$d], w: f32[%2$d,%3$d], c: f32[%1$d,%3$d]) { %%d = matmul %%x "
         "%%w\n %%m = mul %%d %%c\n %%n = add %%m %%d\n %%o = mul %%n %%n\n %%p = sub %%o %%c\n "
         "%%y = mul %%p %%d\n return %%y }"},
    };
    static const int sizes[][3] = {{1, 7, 5},     {3, 8, 513},   {4, 16, 512},   {5, 9, 1},
                                   {17, 33, 300}, {24, 16, 64},  {64, 512, 65},  {65, 513, 64},
                                   {96, 24, 65},  {128, 8, 128}, {130, 20, 129}, {33, 1100, 40}};
    for (size_t i = 0; i < BZ_LEN(forms); i++)
        for (size_t k = 0; k < BZ_LEN(sizes); k++) {
            char text[400];
            pass_target any = pass_gpu_target;
            any.any_size = true;
            snprintf(text, sizeof text, forms[i].text, sizes[k][0], sizes[k][1], sizes[k][2]);
            if (i > 0 && k % 3 != i % 3) continue; /* the loops' interpreter is slow */
            check(text, k % 2 ? &pass_gpu_target : &any, k, "barrier");
            if (i == 0) check(text, k % 2 ? &any : &pass_gpu_target, k, "barrier");
        }
}

/* Elements: vectors, what is left of them, rows of vectors and of others, pointers to the middle of a buffer, mixed dtypes. */
static const char *const element_texts[] = {
    "graph main(x: f32[3001], y: f32[3001]) { %a = add %x %y\n %z = relu %a\n return %z }",
    "graph main(x: f32[9001]) { %s = slice %x {start=[1]}\n %z = relu %s\n return %z }",
    "graph main(x: f32[9001]) { %s = slice %x {start=[1]}\n %t = slice %x {stop=[9000]}\n %z = sub "
    "%s "
    "%t\n return %z }",
    "graph main(x: bf16[40,100], b: bf16[100]) { %a = add %x %b\n %z = neg %a\n return %z }",
    "graph main(x: f32[40,101], b: f32[101]) { %a = add %x %b\n return %a }",
    "graph main(x: f32[40,103]) { %s = slice %x {start=[0,2], stop=[40,102]}\n %z = neg %s\n "
    "return %z }",
    "graph main(x: u8[5000], y: i8[5000]) { %a = bitwise_not %x\n %b = abs %y\n %c = cast %y "
    "{dtype=i16}\n return %a, %b, %c }",
    "graph main(x: bool[4097], y: f16[4097]) { %n = logical_not %x\n %z = where %n %y 1\n return "
    "%n, %z }",
    "graph main(x: f64[3000], y: f32[3000]) { %a = cast %x {dtype=f32}\n %z = mul %a %y\n return "
    "%z }",
    "graph main(x: i64[700], y: i32[700]) { %a = cast %x {dtype=i32}\n %z = add %a %y\n %w = gt %x "
    "3\n "
    "return %z, %w }",
    "graph main(x: f32[30,64], k: i64[50]) { %i = remainder %k 30\n %y = gather %x %i {axis=0}\n "
    "%z = "
    "exp %y\n return %z }",
    "graph main(x: f32[30,64], k: i64[50]) { %m = max %x {axes=[1], keepdim=1}\n %t = sub %x %m\n "
    "%i = "
    "remainder %k 30\n %y = gather %t %i {axis=0}\n %s = slice %y {start=[0,3], stop=[50,63]}\n %z "
    "= neg "
    "%s\n return %z, %t }",
    "graph main(x: f32[20,60], y: f32[20,40]) { %c = concat %x, %y {axis=1}\n %z = neg %c\n return "
    "%z }",
    "graph main(x: f32[50,61]) { %p = pad %x {lo=[1,2], hi=[0,1], value=3}\n %z = neg %p\n return "
    "%z }",
    "graph main(x: f32[1153]) { %s = slice %x {start=[1]}\n %r = reshape %s {shape=[9,128]}\n %y = "
    "softmax %r {axis=1}\n return %y }",
    "graph main(x: f32[18433]) { %s = slice %x {start=[1]}\n %r = reshape %s {shape=[9,2048]}\n %y "
    "= "
    "softmax %r {axis=1}\n return %y }",
    "graph main(x: f32[18435]) { %s = slice %x {start=[3]}\n %r = reshape %s {shape=[2,9216]}\n %y "
    "= sum "
    "%r {axes=[1]}\n return %y }",
    /* columns: chains, blocks of them, subtrees of these; few columns, vectors, several folds, epilogues */
    "graph main(x: f32[300,37]) { %y = sum %x {axes=[0]}\n %z = max %x {axes=[0]}\n return %y, %z "
    "}",
    "graph main(x: f32[5,128,40], b: f32[5,40]) { %y = sum %x {axes=[1]}\n %z = add %y %b\n return "
    "%z }",
    "graph main(x: f64[9000,3]) { %y = sum %x {axes=[0]}\n return %y }",
    "graph main(x: f32[2500,260]) { %y = sum %x {axes=[0]}\n return %y }",
    "graph main(x: bf16[1100,1024]) { %e = exp %x\n %y = sum %e {axes=[0]}\n return %y }",
    "graph main(x: f32[526337]) { %s = slice %x {start=[1]}\n %r = reshape %s {shape=[514,1024]}\n "
    "%y = "
    "sum %r {axes=[0]}\n return %y }",
    "graph main(x: i32[70,2,33]) { %y = prod %x {axes=[0,1]}\n return %y }",
    /* a few long rows: blocks, trees of their results */
    "graph main(x: f32[300001]) { %y = sum %x\n return %y }",
    "graph main(x: bool[140000]) { %y = sum %x\n %z = any %x\n return %y, %z }",
    "graph main(x: f32[2,140000]) { %y = logsumexp %x {axes=[1]}\n return %y }",
    /* products: pointers that forbid vectors, nothing to add, sums that are zeros of either sign */
    "graph main(x: f32[8193], w: f32[64,132]) { %s = slice %x {start=[1]}\n %r = reshape %s "
    "{shape=[128,64]}\n %y = matmul %r %w\n %z = relu %y\n return %z }",
    "graph main(x: f32[4201], w: f32[600,8]) { %s = slice %x {start=[1]}\n %r = reshape %s "
    "{shape=[7,600]}\n %y = matmul %r %w\n return %y }",
    "graph main(x: f32[5,0], w: f32[0,8]) { %y = matmul %x %w\n return %y }",
    "graph main(x: f32[30,600], w: f32[600,24]) { %a = mul %x 1e-30\n %b = mul %w 1e-30\n %y = "
    "matmul "
    "%a %b\n return %y }",
    "graph main(x: f32[24,600], w: f32[7,600], e: f32[24,7]) { %t = transpose %w\n %y = matmul %x "
    "%t\n "
    "%z = mul %y %e\n return %z }",
    "graph main(x: f64[9,300], y: f32) { %a = exp %x\n %b = neg %y\n return %a, %b }",
    /* rows of several blocks of additions, a block of threads each: many, without vectors, wherever they begin, of two inputs */
    "graph main(x: f32[128,8200]) { %y = softmax %x {axis=1}\n return %y }",
    "graph main(x: bf16[3,20001]) { %y = softmax %x {axis=1}\n return %y }",
    "graph main(x: f32[10001]) { %s = slice %x {start=[1]}\n %r = reshape %s {shape=[2,5000]}\n %y "
    "= layer_norm %r {ndims=1}\n %z = max %y {axes=[1]}\n return %y, %z }",
    "graph main(x: f32[3,5000], y: f32[3,5000]) { %s = add %x %y\n %m = max %s {axes=[1], "
    "keepdim=1}\n %d = sub %s %m\n %e = exp %d\n %z = sum %e {axes=[1]}\n return %z, %e }",
    "graph main(x: f32[5,4096], w: f32[4096]) { %y = layer_norm %x %w %w\n return %y }",
};

Test(gpu_plans, elements) {
    for (size_t i = 0; i < BZ_LEN(element_texts); i++) {
        pass_target any = pass_gpu_target;
        any.any_size = true;
        check(element_texts[i], &pass_gpu_target, 2 * i, "block");
        check(element_texts[i], &any, 2 * i + 1, "block");
    }
}

/* Columns folded in stages, over the middle axis of x: f32[@o,@k,@c]; y alike, b: of the columns. */
static const char *const strip_bodies[] = {
    "%s = softmax %x {axis=1}\n return %s",
    "%s = log_softmax %x {axis=1}\n %t = mul %s %y\n %u = sum %t {axes=[1]}\n return %s, %u",
    "%m = mean %x {axes=[1], keepdim=true}\n %d = sub %x %m\n %q = mul %d %d\n"
    "%v = mean %q {axes=[1], keepdim=true}\n %e = full {shape=[1], value=1e-5}\n %s = add %v %e\n"
    "%r = rsqrt %s\n %n = mul %d %r\n %z = mul %n %b\n return %z, %m, %r",
    "%h = cast %x {dtype=f16}\n %s = softmax %h {axis=1}\n %g = cast %y {dtype=f64}\n"
    "%t = mul %g %s\n %u = sum %t {axes=[1]}\n return %s, %u",
    "%a = relu %x\n %s = sum %a {axes=[1]}\n %m = max %a {axes=[1]}\n return %a, %s, %m",
    "%t = transpose %x\n %u = relu %t\n %v = transpose %u\n %p = slice %v {start=[0,1,0], "
    "stop=[_,_,_]}\n"
    "%q = pad %p {lo=[0,1,0], hi=[0,0,0], value=0.25}\n %s = softmax %q {axis=1}\n return %s",
};

static void check_strip(unsigned body, const int *size, const pass_target *t, uint64_t seed) {
    bz_text text = {0};
    irt_fill(&text, "graph main(x: f32[@o,@k,@c], y: f32[@o,@k,@c], b: f32[@c]) {\n", "okc", size);
    bz_textf(&text, "%s\n}", strip_bodies[body]);
    check(bz_text_c(&text), t, seed, "shared");
    bz_text_free(&text);
}

/* At the borders of warps, chains and rows at once; where shared memory holds all, some and nothing of what is read and kept. */
static const int strip_sizes[][3] = {
    {1, 2, 16},  {3, 5, 17},  {1, 127, 33}, {2, 128, 64}, {1, 129, 40}, {300, 3, 9},
    {2, 60, 70}, {1, 257, 8}, {1, 700, 33}, {1, 1100, 9}, {2, 1500, 5}, {40, 4, 24},
};

Test(gpu_plans, strips) {
    for (unsigned i = 0; i < BZ_LEN(strip_bodies); i++)
        for (unsigned k = 0; k < BZ_LEN(strip_sizes); k++) {
            pass_target t = pass_gpu_target;
            t.any_size = (i + k) % 2;
            if (!is_left_out()) check_strip(i, strip_sizes[k], &t, i + 7 * k);
        }
}

/* What makes the first kernel for n elements one piece of code. */
static void identity_of(bz_text *out, int64_t n) {
    char text[200];
    bz_error e = {0};
    snprintf(text, sizeof text,
             "graph main(x: f32[%lld], y: f32[%lld]) { %%z = add %%x %%y\n return %%z }",
             (long long)n, (long long)n);
    ir_module *m = irt_parse(text);
    pass_plan *p = pass_compile(m->graphs.p[0], &pass_gpu_target, &e);
    cr_assert(p, "%s", e.text);
    lp_identity(out, p->code->k.p[0], p->code);
    pass_plan_free(p);
    ir_module_free(m);
}

/* Indices are computed in 32 bits where they fit: kernels of sizes that do are one, and another one serves those that do not. */
Test(gpu_plans, indices_of_32_bits) {
    bz_text small = {0}, more = {0}, huge = {0};
    identity_of(&small, 1000);
    identity_of(&more, 500000000);
    identity_of(&huge, 3000000000);
    cr_expect(small.n == more.n && !memcmp(bz_text_c(&small), bz_text_c(&more), small.n));
    cr_expect(small.n == huge.n && memcmp(bz_text_c(&small), bz_text_c(&huge), small.n));
    bz_text_free(&small);
    bz_text_free(&more);
    bz_text_free(&huge);
}

/* ---- the same and more as CUDA C, on the emulated driver */

Test(gpu_plans, as_cuda) {
    static const int few[] = {3, 10, 32, 46, 63, 100, 128, 1025, 9001};
    static const char *const texts[] = {
        "graph main(x: f32[65,70], w: f32[70,33], b: f32[33]) { %d = matmul %x %w\n %s = add %d "
        "%b\n %y = gelu %s\n return %y }",
        "graph main(x: f32[3,513], w: f32[513,9]) { %y = matmul %x %w\n return %y }",
        "graph main(x: f32[65,9], w: f32[9,64], c: f32[65,64]) { %d = matmul %x %w\n %m = mul %d "
        "%c\n %n = add %m %d\n %o = mul %n %n\n %p = sub %o %c\n %y = mul %p %d\n return %y }",
        "graph main(x: f32[40,33]) { %t = transpose %x\n %y = exp %t\n return %y }",
        "graph main(x: f32[300,37]) { %y = sum %x {axes=[0]}\n %z = max %x {axes=[0]}\n return %y, "
        "%z }",
        "graph main(x: f32[9,4], k: i64[5]) { %i = remainder %k 9\n %y = gather %x %i {axis=0}\n "
        "return %y }",
        "graph main(x: f32[6,50]) { %y = cumsum %x {axis=1}\n %v, %i = sort %x {axis=1}\n return "
        "%y, %v, %i }",
        "graph main(x: f16[50], y: bf16[50], z: f64[50]) { %a = exp %x\n %b = tanh %y\n %c = log "
        "%z\n %d = sin %z\n %e = erf %x\n return %a, %b, %c, %d, %e }",
        "graph main(x: f64[60], y: f32[60]) { %a = cast %x {dtype=f16}\n %b = cast %x "
        "{dtype=bf16}\n %c = cast %x {dtype=i32}\n %d = cast %y {dtype=u8}\n %e = cast %y "
        "{dtype=i64}\n %f = cast %x {dtype=f32}\n return %a, %b, %c, %d, %e, %f }",
        "graph main(x: i32[60], y: i32[60]) { %a = floor_divide %x %y\n %b = remainder %x %y\n %c "
        "= left_shift %x %y\n %d = right_shift %x %y\n %e = maximum %x %y\n %f = popcount %x\n %g "
        "= count_leading_zeros %y\n return %a, %b, %c, %d, %e, %f, %g }",
        "graph main(x: i64[60], y: i64[60]) { %a = floor_divide %x %y\n %b = remainder %x %y\n %c "
        "= cast %x {dtype=bf16}\n %d = cast %x {dtype=f32}\n %e = pow %x %y\n return %a, %b, %c, "
        "%d, %e }",
        "graph main(x: f32[60], y: f32[60]) { %a = maximum %x %y\n %b = minimum %x %y\n %c = fmod "
        "%x %y\n %d = pow %x %y\n %e = atan2 %x %y\n %f = div %x %y\n %g = sqrt %x\n return %a, "
        "%b, %c, %d, %e, %f, %g }",
    };
    if (!plan_cuda_ready()) {
        fprintf(stderr, "skipped: no NVRTC, or no driver\n");
        return;
    }
    as_cuda = true;
    for (size_t i = 0; i < BZ_LEN(texts); i++)
        if (!is_left_out()) check(texts[i], &pass_gpu_target, 2 * i + 1, "");
    for (size_t i = 0; i < BZ_LEN(element_texts); i++)
        if (!is_left_out()) check(element_texts[i], &pass_gpu_target, 2 * i, "");
    for (size_t i = 0; i < BZ_LEN(long_sums); i++) check(long_sums[i], &pass_gpu_target, 2 * i, "");
    pass_target roomy = pass_gpu_target; /* an 8.0's shared memory */
    roomy.shared = 160 << 10;
    check("graph main(x: f32[128,12501]) { %y = softmax %x {axis=1}\n return %y }", &roomy, 1,
          "shared");
    check("graph main(x: bf16[130,16400], w: bf16[16400]) { %y = layer_norm %x %w\n return %y }",
          &roomy, 2, "shared");
    for (unsigned k = 0; k < BZ_LEN(strip_sizes); k++)
        if (!is_left_out())
            check_strip(k % BZ_LEN(strip_bodies), strip_sizes[k], &pass_gpu_target, k);
    for (size_t i = 0; i < BZ_LEN(programs); i++)
        for (size_t k = 0; k < BZ_LEN(few); k++) {
            char type[8];
            if (is_left_out()) continue;
            sscanf(programs[i].dtypes, "%7s", type);
            check_program(&programs[i], type, few[k]);
        }
    for (size_t i = 0; i < BZ_LEN(whole_programs); i++)
        for (size_t k = i % 2; k < BZ_LEN(few); k += 2) {
            char type[8];
            if (is_left_out()) continue;
            sscanf(whole_programs[i].dtypes, "%7s", type);
            check_program(&whole_programs[i], type, few[k]);
        }
}
