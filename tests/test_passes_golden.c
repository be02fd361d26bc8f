/* test_passes_golden.c - what the passes make of small graphs, as text a person has read: tests/golden/passes.
 *
 *     # a sentence
 *     # pass: grad wrt=x,w canon        the passes in order: autocast DTYPE, which the text is read with; canon, expand, grad; then
 *                                       plan [eager], or a stage of the plan with its targets (tests/support/targets.c), each in
 *                                       turn; cuda: the kernels for a GPU as CUDA C, without what each text begins with
 *     graph main(...) { ... }
 *     # ----
 *     the graph they end with, and the plan
 *
 * grad takes the sum of the first output as the loss and gives the gradients as outputs: twice is the second order.
 * BRAZE_GOLDEN=update rewrites what is below the separator. */
#include "src/codegen/cuda.h"
#include "tests/support/irtest.h"
#include "tests/support/targets.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SEPARATOR "# ----\n"
#define FOLDER    "tests/golden/passes"

enum { MAX_WRT = 8, MAX_CASES = 64, NAME_BYTES = 256 };

/* ---- the passes */

static void grad(ir_graph *g, char *wrt, const char *file) {
    ir_ref of[MAX_WRT], out[MAX_WRT], loss = g->outputs.p[0].node;
    char names[MAX_WRT][32], *rest = NULL;
    unsigned n = 0;
    for (char *name = strtok_r(wrt, ",", &rest); name; name = strtok_r(NULL, ",", &rest), n++) {
        uint32_t i = 0;
        while (i < g->inputs.n && strcmp(g->inputs.p[i].name, name)) i++;
        cr_assert(i < g->inputs.n && n < MAX_WRT, "%s: no input is named %s", file, name);
        snprintf(names[n], sizeof names[n], "d%s", name);
        of[n] = g->inputs.p[i].node;
    }
    if (ir_at(g, loss)->rank) loss = ir_reduce(g, IR_SUM, loss, NULL, 0, false);
    cr_assert(n && !pass_grad(g, loss, 0, of, n, out), "%s: %s", file, g->err.text);
    g->outputs.n = 0;
    for (unsigned i = 0; i < n; i++) ir_output_add(g, names[i], out[i], -1);
}

static void plan(bz_text *t, const ir_graph *g, bool eager, const char *file) {
    pass_target target = targets[0].t;
    bz_error e = {0};
    target.eager = eager;
    target.keeps = true;
    pass_plan *p = pass_compile(g, &target, &e);
    cr_assert(p, "%s: %s", file, e.text);
    ir_print(t, p->graph);
    pass_plan_print(t, p);
    pass_plan_free(p);
}

static void cuda(bz_text *t, const ir_graph *g, const char *file) {
    const lp_module nothing = {0};
    bz_text start = {0}, all = {0};
    bz_error e = {0};
    pass_plan *p = pass_compile(g, &pass_gpu_target, &e);
    cr_assert(p, "%s: %s", file, e.text);
    cr_assert(!cuda_emit(&nothing, &start, &e) && !cuda_emit(p->code, &all, &e), "%s: %s", file,
              e.text);
    bz_text_str(t, bz_text_c(&all) + start.n);
    bz_text_free(&start);
    bz_text_free(&all);
    pass_plan_free(p);
}

/* What a stage gives for each target; for one that gives what the last did a line alone. */
static void stage(bz_text *t, const pass_info *p, const ir_graph *g, char **rest,
                  const char *file) {
    bz_text last = {0};
    unsigned n = 0;
    for (char *name = strtok_r(NULL, " ", rest); name || n == 0; n++) {
        unsigned k = 0;
        bz_text own = {0};
        bz_error e = {0};
        while (name && k < target_count && strcmp(targets[k].name, name)) k++;
        cr_assert(k < target_count, "%s: no target is named %s", file, name);
        cr_assert(!pass_print_stage(&own, g, p, &targets[k].t, &e), "%s: %s", file, e.text);
        bool same = n && !strcmp(bz_text_c(&own), bz_text_c(&last));
        if (name) bz_textf(t, "# %s%s\n", targets[k].name, same ? ": the same" : "");
        if (!same) bz_text_str(t, bz_text_c(&own));
        bz_text_free(&last);
        last = own;
        name = name ? strtok_r(NULL, " ", rest) : NULL;
    }
    bz_text_free(&last);
}

/* Applies a graph pass; takes `g` unless the module owns it. */
static ir_graph *graph_pass(const pass_info *p, ir_graph *g, const ir_module *m, const char *file) {
    bz_error e = {0};
    ir_graph *next = p->run(g, &targets[0].t, &e);
    cr_assert(next && !ir_verify(next, IR_ANY_GRAPH, &e), "%s: %s", file, e.text);
    if (g != m->graphs.p[0] && g != next) ir_graph_free(g);
    return next;
}

/* The text's module, read in a region where `words` begin with "autocast DTYPE". */
static ir_module *read_text(const char *text, char **words) {
    static const char region[] = "autocast ";
    ir_reading as = {0};
    if (!strncmp(*words, region, strlen(region))) {
        *words += strlen(region);
        size_t n = strcspn(*words, " ");
        cr_assert(ir_dtype_from_name(*words, n, &as.autocast), "no dtype '%s'", *words);
        *words += n;
    }
    return irt_parse_as(text, &as);
}

/* Runs the passes named in `words` on the text's graph; what comes out is appended to t. */
static void run_passes(bz_text *t, const char *text, char *words, const char *file) {
    ir_module *m = read_text(text, &words);
    ir_graph *g = m->graphs.p[0];
    char *rest = NULL;
    bool planned = false;
    for (char *word = strtok_r(words, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        cr_assert(!planned, "%s: nothing comes after the plan", file);
        if (!strcmp(word, "grad")) {
            char *wrt = strtok_r(NULL, " ", &rest);
            cr_assert(wrt && !strncmp(wrt, "wrt=", 4), "%s: grad needs wrt=NAME,NAME", file);
            grad(g, wrt + 4, file);
            continue;
        }
        if (!strcmp(word, "cuda")) {
            cuda(t, g, file);
            planned = true;
            continue;
        }
        if (!strcmp(word, "plan")) {
            const char *mode = strtok_r(NULL, " ", &rest);
            cr_assert(!mode || !strcmp(mode, "eager"), "%s: plan %s", file, mode);
            plan(t, g, mode, file);
            planned = true;
            continue;
        }
        const pass_info *p = pass_find(word, strlen(word));
        cr_assert(p, "%s: no pass is named %s", file, word);
        planned = !p->run;
        if (planned)
            stage(t, p, g, &rest, file);
        else
            g = graph_pass(p, g, m, file);
    }
    if (!planned) ir_print(t, g);
    if (g != m->graphs.p[0]) ir_graph_free(g);
    ir_module_free(m);
}

/* ---- the files */

static const char *line_end(const char *s) {
    const char *end = strchr(s, '\n');
    return end ? end : s + strlen(s);
}

/* The first lines that are not the same, with their number. */
static void expect_same(const char *file, const char *want, const char *got) {
    unsigned line = 1;
    while (*want && *got) {
        const char *w = line_end(want), *x = line_end(got);
        if (w - want != x - got || strncmp(want, got, (size_t)(w - want))) break;
        want = w + (*w == '\n');
        got = x + (*x == '\n');
        line++;
    }
    if (*want || *got)
        cr_expect_fail("%s differs at line %u after the separator:\n  want: %.*s\n  got:  %.*s",
                       file, line, (int)(line_end(want) - want), want, (int)(line_end(got) - got),
                       got);
}

static void write_case(const char *path, const char *head, size_t n, const char *got) {
    char full[512];
    const char *root = getenv("BRAZE_SRC");
    snprintf(full, sizeof full, "%s/%s", root ? root : ".", path);
    FILE *f = fopen(full, "wb");
    bool ok = f && fwrite(head, 1, n, f) == n && fputs(SEPARATOR, f) >= 0 && fputs(got, f) >= 0;
    ok = f && !fclose(f) && ok;
    cr_assert(ok, "%s cannot be written", full);
}

static void check_file(const char *name) {
    char path[sizeof FOLDER + NAME_BYTES], words[200];
    size_t size;
    snprintf(path, sizeof path, FOLDER "/%.*s", NAME_BYTES - 1, name);
    char *text = irt_read(path, &size);
    cr_assert(text, "%s does not open", path);
    const char *pass = strstr(text, "# pass: ");
    char *cut = strstr(text, SEPARATOR);
    const char *mode = getenv("BRAZE_GOLDEN");
    bool update = mode && !strcmp(mode, "update");
    cr_assert(pass && (cut || update), "%s has no line `# pass: NAME` or no separator", path);
    pass += strlen("# pass: ");
    snprintf(words, sizeof words, "%.*s", (int)(line_end(pass) - pass), pass);
    size_t head = cut ? (size_t)(cut - text) : size;
    const char *want = cut ? cut + strlen(SEPARATOR) : "";
    if (cut) *cut = 0;
    bz_text got = {0};
    run_passes(&got, text, words, path);
    if (update)
        write_case(path, text, head, bz_text_c(&got));
    else
        expect_same(path, want, bz_text_c(&got));
    bz_text_free(&got);
    bz_mem_free(text);
}

static int by_name(const void *a, const void *b) {
    return strcmp(a, b);
}

Test(passes_golden, files) {
    char path[512], names[MAX_CASES][NAME_BYTES];
    const char *root = getenv("BRAZE_SRC"), *only = getenv("GOLDEN_ONLY");
    unsigned n = 0;
    snprintf(path, sizeof path, "%s/" FOLDER, root ? root : ".");
    DIR *d = opendir(path);
    cr_assert(d, "%s does not open", path);
    for (struct dirent *f; (f = readdir(d));) {
        size_t length = strlen(f->d_name);
        if (length < 4 || strcmp(f->d_name + length - 3, ".bz")) continue;
        cr_assert(n < MAX_CASES, "more than %d files", MAX_CASES);
        snprintf(names[n++], sizeof *names, "%s", f->d_name);
    }
    closedir(d);
    qsort(names, n, sizeof *names, by_name);
    for (unsigned i = 0; i < n; i++)
        if (!only || !strcmp(only, names[i])) check_file(names[i]);
    cr_expect(n >= 16, "%u files", n);
}
