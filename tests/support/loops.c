/* loops.c - kernels of the tests. */
#include "tests/support/loops.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

char *loops_read(const char *path) {
    char full[512];
    const char *root = getenv("BRAZE_SRC");
    snprintf(full, sizeof full, "%s/%s", root ? root : ".", path);
    FILE *f = fopen(full, "rb");
    cr_assert(f, "%s does not open", full);
    char *text = calloc(1, 1 << 20);
    size_t n = fread(text, 1, (1 << 20) - 1, f);
    cr_assert(n > 0 && n < (1 << 20) - 1);
    fclose(f);
    return text;
}

lp_module *loops_parse(const char *text) {
    bz_error e = {0};
    lp_module *m = lp_parse(text, strlen(text), &e);
    cr_assert(m, "%s", e.text);
    for (uint32_t i = 0; i < m->k.n; i++)
        cr_assert_eq(lp_verify(m->k.p[i], m, &e), BZ_OK, "%s", e.text);
    return m;
}

lp_module *loops_load(const char *name) {
    char path[256];
    snprintf(path, sizeof path, "tests/kernels/%s.loop", name);
    char *text = loops_read(path);
    lp_module *m = loops_parse(text);
    free(text);
    return m;
}

static bool same_params(const lp_param *a, uint32_t na, const lp_param *b, uint32_t nb) {
    if (na != nb) return false;
    for (uint32_t i = 0; i < na; i++)
        if (a[i].dtype != b[i].dtype || a[i].access != b[i].access ||
            strcmp(a[i].name, b[i].name) != 0)
            return false;
    return true;
}

static bool same_inst(const lp_inst *x, const lp_inst *y) {
    return x->op == y->op && x->dtype == y->dtype && x->flags == y->flags && x->lanes == y->lanes &&
           x->nargs == y->nargs && x->args == y->args && x->site == y->site && x->imm == y->imm;
}

bool loops_same(const lp_kernel *a, const lp_kernel *b) {
    if (strcmp(a->name, b->name) != 0 || a->function != b->function) return false;
    if (!same_params(a->buffers.p, a->buffers.n, b->buffers.p, b->buffers.n) ||
        !same_params(a->extents.p, a->extents.n, b->extents.p, b->extents.n) ||
        !same_params(a->scalars.p, a->scalars.n, b->scalars.p, b->scalars.n))
        return false;
    if (a->inst.n != b->inst.n || a->args.n != b->args.n) return false;
    for (uint32_t i = 0; i < a->inst.n; i++)
        if (!same_inst(&a->inst.p[i], &b->inst.p[i])) return false;
    return a->args.n == 0 || memcmp(a->args.p, b->args.p, a->args.n * sizeof *a->args.p) == 0;
}

static lp_module *reparsed(lp_module *m) {
    bz_text t = {0};
    lp_print_module(&t, m);
    lp_module *again = loops_parse(bz_text_c(&t));
    bz_text_free(&t);
    lp_module_free(m);
    return again;
}

bz_status loops_run(const char *name, int way, lp_run_args a, bz_error *e) {
    lp_module *m = loops_load(name);
    if (way == LOOPS_REPARSED) m = reparsed(m);
    lp_kernel *k = m->k.p[m->k.n - 1], *clean = NULL;
    if (way == LOOPS_CLEANED) {
        cr_assert(clean = lp_clean(k));
        cr_assert_eq(lp_verify(clean, m, e), BZ_OK, "%s", e->text);
    }
    a.shuffle = way == LOOPS_SHUFFLED ? 12345 : 0;
    bz_status s = lp_run(clean ? clean : k, m, &a, e);
    lp_kernel_free(clean);
    lp_module_free(m);
    return s;
}
