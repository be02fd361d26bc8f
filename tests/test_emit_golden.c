/* test_emit_golden.c - the LLVM IR of small kernels, word for word.
 *
 * Each tests/emit/NAME.golden holds a module, a line `=== ISA`, and the IR that it gives; more ISAs
 * may follow. BRAZE_GOLDEN=update writes the files anew. */
#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/support/jit_check.h"

static void path_of(bz_text *t, const char *name) {
    const char *root = getenv("BRAZE_SRC");
    bz_textf(t, "%s/tests/emit/%s.golden", root ? root : ".", name);
}

static void read_file(const char *path, bz_text *t) {
    char buffer[4096];
    FILE *f = fopen(path, "rb");
    cr_assert(f, "%s", path);
    for (size_t n; (n = fread(buffer, 1, sizeof buffer, f)) > 0;) bz_text_add(t, buffer, n);
    fclose(f);
}

static cg_isa isa_named(const char *name) {
    for (cg_isa i = CG_BASE; i < CG_NISAS; i++)
        if (strncmp(name, cg_isa_name(i), strlen(cg_isa_name(i))) == 0 &&
            name[strlen(cg_isa_name(i))] == '\n')
            return i;
    cr_assert_fail("unknown ISA %s", name);
    abort();
}

/* The file as it should be: its source, and for each ISA that it names the IR of today. */
static void regenerate(const bz_text *file, bz_text *out) {
    const char *mark = strstr(file->p, "=== ");
    cr_assert(mark);
    size_t source = (size_t)(mark - file->p);
    char *text = strndup(file->p, source);
    lp_module *m = jit_parse(text);
    bz_text_add(out, file->p, source);
    for (; mark; mark = strstr(mark + 1, "\n=== ") ? strstr(mark + 1, "\n=== ") + 1 : NULL) {
        cg_isa isa = isa_named(mark + 4);
        bz_error e = {0};
        bz_textf(out, "=== %s\n", cg_isa_name(isa));
        cr_assert_eq(cg_text(m, &(cg_target){.isa = isa}, out, NULL, &e), BZ_OK, "%s", e.text);
    }
    lp_module_free(m);
    free(text);
}

static void check(const char *name) {
    bz_text path = {0}, file = {0}, now = {0};
    path_of(&path, name);
    read_file(path.p, &file);
    regenerate(&file, &now);
    const char *mode = getenv("BRAZE_GOLDEN");
    if (mode && strcmp(mode, "update") == 0) {
        FILE *f = fopen(path.p, "wb");
        cr_assert(f && fwrite(now.p, 1, now.n, f) == now.n && fclose(f) == 0);
    } else {
        cr_assert_str_eq(now.p, file.p, "%s differs from what the emitter gives now:\n%s", path.p,
                         now.p);
    }
    bz_text_free(&path);
    bz_text_free(&file);
    bz_text_free(&now);
}

Test(emit_golden, scale) {
    check("scale");
}
Test(emit_golden, row_sum) {
    check("row_sum");
}
Test(emit_golden, clip) {
    check("clip");
}
Test(emit_golden, divide) {
    check("divide");
}
