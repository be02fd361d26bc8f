/* test_export_link.c - exported files as a stranger uses them: a C program against the headers, a
 * plain link with libm and libpthread, two programs in one process on one pool. */
#include "tests/support/artefact.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char user[] =
    "#include <stdio.h>\n#include \"step.h\"\n#include \"norm.h\"\n"
    "int main(void) {\n"
    "    static float x[65 * 70], w[70 * 130], b[130], y[65 * 130], n[65 * 130];\n"
    "    for (int i = 0; i < 65 * 70; i++) x[i] = (float)(i % 13) - 6;\n"
    "    for (int i = 0; i < 70 * 130; i++) w[i] = (float)(i % 7) - 3;\n"
    "    for (int i = 0; i < 130; i++) b[i] = (float)i;\n"
    "    struct step_args a = {.x = x, .w = w, .b = b, .y = y};\n"
    "    struct norm_args s = {.x = y, .y = n};\n"
    "    int status = step(&a);\n"
    "    if (status) { puts(step_error(status)); return 1; }\n"
    "    status = norm(&s);\n"
    "    if (status) { puts(norm_error(status)); return 1; }\n"
    "    unsigned hash = 0;\n"
    "    const unsigned char *p = (const unsigned char *)n;\n"
    "    for (size_t i = 0; i < sizeof n; i++) hash = hash * 31 + p[i];\n"
    "    a.x = NULL;\n"
    "    printf(\"%08x %s\\n\", hash, step_error(step(&a)));\n"
    "    return 0;\n}\n";

static void export_text(const char *dir, const char *name, const char *text) {
    char prefix[128];
    bz_error e = {0};
    static const cg_isa isas[] = {CG_BASE, CG_V3, CG_V4};
    ir_module *m = ir_parse(text, strlen(text), name, &e);
    cr_assert(m, "%s", e.text);
    snprintf(prefix, sizeof prefix, "%s/%s", dir, name);
    cr_assert(!rt_export_graph(m->graphs.p[0], prefix, name, isas, 3, &e), "%s", e.text);
    ir_module_free(m);
}

static void sh(const char *dir, const char *command) {
    char line[1024];
    const char *cc = getenv("CC") ? getenv("CC") : "cc";
    snprintf(line, sizeof line, "cd %s && CC='%s' && (%s) >log 2>&1", dir, cc, command);
    if (system(line) == 0) return;
    snprintf(line, sizeof line, "%s/log", dir);
    size_t n;
    char *log = read_file(line, &n);
    cr_assert(false, "%s: %s", command, log ? log : "");
}

static void write_text(const char *dir, const char *name, const char *text) {
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "w");
    cr_assert(f);
    fputs(text, f);
    fclose(f);
}

Test(export_link, two_programs_link_and_agree, .timeout = 300) {
    char dir[64];
    temp_dir(dir);
    export_text(dir, "step",
                "graph main(x: f32[65,70], w: f32[70,130], b: f32[130]) {"
                " %1 = matmul %x %w\n %2 = add %1 %b\n %3 = relu %2\n return %3 as y }");
    export_text(dir, "norm",
                "graph main(x: f32[65,130]) { %1 = softmax %x {axis=-1}\n return %1 as y }");
    write_text(dir, "main.c", user);
    write_text(dir, "two.cpp", "#include \"step.h\"\n#include \"norm.h\"\n");
    sh(dir,
       "$CC -std=c11 -Wall -Wextra -Wpedantic -Wstrict-prototypes -Werror -c main.c -o main.o");
    sh(dir,
       "! command -v c++ || c++ -std=c++11 -Wall -Wextra -Wpedantic -Werror -fsyntax-only two.cpp");
    sh(dir, "$CC -pie -Wl,-z,text,--fatal-warnings main.o step.o norm.o braze_rt.o -lm -lpthread "
            "-o pie");
    sh(dir, "$CC -static-pie -Wl,-z,text main.o step.o norm.o braze_rt.o -lm -lpthread -o static");
    sh(dir, "$CC -no-pie main.o step.o norm.o braze_rt.o -lm -lpthread -o fixed");
    sh(dir, "$CC -shared -Wl,-z,text,-z,defs step.o braze_rt.o -lm -lpthread -o libstep.so");
    sh(dir, "! readelf -lW pie | grep GNU_STACK | grep RWE && ! readelf -dW pie | grep TEXTREL");
    sh(dir, "! readelf -dW pie | grep NEEDED | grep -vE 'lib(c|m|pthread)\\.so'");
    sh(dir, "./pie >want && grep -q 'argument x is NULL' want");
    sh(dir, "for p in pie static fixed; do for i in base avx2 avx512; do for t in 1 2 4; do"
            " BRAZE_ISA=$i BRAZE_THREADS=$t ./$p | cmp - want || exit 1; done; done; done");
    sh(dir, "! nm -u step.o | grep -vE ' U "
            "(_GLOBAL_OFFSET_TABLE_|bz_rt_(call|workspace|error)_v5|fma|fmaf)$'");
    remove_dir(dir);
}

Test(export_link, a_machine_below_is_told) {
    char dir[64], prefix[128];
    bz_error e = {0};
    const char *text = "graph main(x: f32[4]) { %1 = neg %x\n return %1 as y }";
    ir_module *m = ir_parse(text, strlen(text), "low", &e);
    temp_dir(dir);
    snprintf(prefix, sizeof prefix, "%s/low", dir);
    cr_assert(!rt_export_graph(m->graphs.p[0], prefix, "low", (cg_isa[]){CG_V3, CG_V4}, 2, &e));
    write_text(dir, "main.c",
               "#include <stdio.h>\n#include \"low.h\"\nint main(void) {\n"
               "    float x[4] = {0}, y[4];\n    struct low_args a = {.x = x, .y = y};\n"
               "    int s = low(&a);\n    puts(low_error(s));\n"
               "    return low_workspace() == 0 && s == low_EMACHINE ? 0 : 1;\n}\n");
    sh(dir, "$CC main.c low.o braze_rt.o -lm -lpthread -o low && BRAZE_ISA=base ./low >said");
    sh(dir, "grep -q 'BRAZE_ISA allows less than avx2, the least that this program has code for' "
            "said || ! cat said");
    remove_dir(dir);
    ir_module_free(m);
}
