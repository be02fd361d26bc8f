/* artefact.c - see artefact.h. */
#include "tests/support/artefact.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- files */

void temp_dir(char dir[64]) {
    snprintf(dir, 64, "/tmp/braze-export-XXXXXX");
    cr_assert(mkdtemp(dir), "no directory for the test");
}

static int compare(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char *list_dir(const char *dir) {
    char *names[64];
    unsigned n = 0;
    bz_text t = {0};
    DIR *d = opendir(dir);
    cr_assert(d);
    for (struct dirent *x; (x = readdir(d)) && n < BZ_LEN(names);)
        if (x->d_name[0] != '.') names[n++] = strdup(x->d_name);
    closedir(d);
    qsort(names, n, sizeof *names, compare);
    bz_text_str(&t, "");
    for (unsigned i = 0; i < n; i++) {
        bz_textf(&t, "%s ", names[i]);
        free(names[i]);
    }
    char *out = strdup(bz_text_c(&t));
    bz_text_free(&t);
    return out;
}

void remove_dir(const char *dir) {
    char path[512];
    DIR *d = opendir(dir);
    for (struct dirent *x; d && (x = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", dir, x->d_name);
        if (x->d_name[0] != '.') unlink(path);
    }
    if (d) closedir(d);
    rmdir(dir);
}

char *read_file(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    *n = (size_t)ftell(f);
    rewind(f);
    char *p = calloc(*n + 1, 1);
    cr_assert_eq(fread(p, 1, *n, f), *n);
    fclose(f);
    return p;
}

/* ---- loading */

static const rt_import imports[] = {
    {"fma", (rt_function *)(double (*)(double, double, double))fma},
    {"fmaf", (rt_function *)(float (*)(float, float, float))fmaf},
    {"bz_rt_call_v5", (rt_function *)bz_rt_call_v5},
    {"bz_rt_workspace_v5", (rt_function *)bz_rt_workspace_v5},
    {"bz_rt_workspace_of_v5", (rt_function *)bz_rt_workspace_of_v5},
    {"bz_rt_error_v5", (rt_function *)bz_rt_error_v5},
    {"bz_rt_cuda_call_v1", (rt_function *)bz_rt_cuda_call_v1},
    {"bz_rt_cuda_call_device_v1", (rt_function *)bz_rt_cuda_call_device_v1},
    {"bz_rt_cuda_workspace_v1", (rt_function *)bz_rt_cuda_workspace_v1},
    {"bz_rt_cuda_workspace_of_v1", (rt_function *)bz_rt_cuda_workspace_of_v1},
    {"bz_rt_cuda_error_v1", (rt_function *)bz_rt_cuda_error_v1},
    {NULL, NULL},
};

void artefact_load(artefact *a) {
    char path[128], message[RT_LOAD_MESSAGE];
    size_t n;
    snprintf(path, sizeof path, "%s.o", a->prefix);
    char *bytes = read_file(path, &n);
    a->code = rt_code_new();
    cr_assert(bytes && a->code);
    cr_assert_eq(rt_object_load(a->code, bytes, n, imports, &a->object, message), RT_LOAD_OK, "%s",
                 message);
    free(bytes);
    a->call = (int (*)(const void *))rt_object_find(a->object, "step");
    a->workspace = (size_t(*)(int64_t))rt_object_find(a->object, "step_workspace");
    a->error = (const char *(*)(int))rt_object_find(a->object, "step_error");
    cr_assert(a->call && a->workspace && a->error);
}

bool artefact_far(void) {
    const char *far = getenv("BRAZE_TEST_FAR");
    return far && !strcmp(far, "cuda");
}

artefact artefact_of(const ex_function *f, const cg_isa *isas, unsigned n) {
    artefact a = {.g = f->g};
    bz_error e = {0};
    temp_dir(a.dir);
    snprintf(a.prefix, sizeof a.prefix, "%s/step", a.dir);
    if (artefact_far())
        cr_assert(!rt_export_cuda(f, 1, a.prefix, &(unsigned){75}, 1, false, &e), "%s", e.text);
    else
        cr_assert(!rt_export(f, 1, a.prefix, isas, n, &e), "%s", e.text);
    cr_assert(!ex_fields_make(&a.fields, f, &e), "%s", e.text);
    artefact_load(&a);
    return a;
}

artefact artefact_new(const ir_graph *g, const cg_isa *isas, unsigned n) {
    const ex_function f = {.g = g, .name = "step", .key = -1, .base = -1};
    return artefact_of(&f, isas, n);
}

/* The workspace that an artefact keeps belongs to it for the life of the process, and its only pointer lies in a loaded object, where
 * LeakSanitizer does not look. */
__attribute__((visibility("default"))) const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void) {
    return "leak:grow_own\nleak:libcriterion.so"; /* its timers */
}

void artefact_free(artefact *a) {
    if (artefact_far()) bz_rt_cuda_stop();
    rt_object_free(a->object);
    rt_code_free(a->code);
    ex_fields_free(&a->fields);
    remove_dir(a->dir);
}

/* ---- calling */

static size_t size_of(const ir_graph *g, ir_ref r) {
    int64_t count = 0;
    ir_numel(g, r, &count);
    return (size_t)count * ir_dtype_bytes(ir_dtype(g, r));
}

/* 64-byte aligned memory for a tensor, with a guard behind it. */
enum { GUARD = 64, GUARD_BYTE = 0x5a };

static char *new_tensor(size_t bytes, const void *from) {
    char *p = aligned_alloc(64, (bytes + GUARD + 63) / 64 * 64);
    cr_assert(p);
    memset(p, GUARD_BYTE, bytes + GUARD);
    if (from && bytes) memcpy(p, from, bytes);
    return p;
}

static void free_tensor(char *p, size_t bytes) {
    for (size_t i = bytes; i < bytes + GUARD; i++)
        cr_assert_eq(p[i], GUARD_BYTE, "written behind a tensor");
    free(p);
}

static void put_pointer(char *args, const ex_field *x, char *p) {
    memcpy(args + x->at, &p, sizeof p);
}

static void take_output(const artefact *a, uint32_t i, const char *from, ir_value_array *out) {
    ir_ref r = a->g->outputs.p[i].node;
    size_t bytes = size_of(a->g, r);
    *out = (ir_value_array){.dtype = ir_dtype(a->g, r), .rank = ir_at(a->g, r)->rank};
    ir_static_shape(a->g, r, out->shape);
    out->data = bz_mem_alloc(bytes + 1);
    if (bytes) memcpy(out->data, from, bytes);
}

enum { MOST_FIELDS = 256 };

int artefact_run(const artefact *a, const ir_value_array *in, void *workspace, size_t bytes,
                 ir_value_array *out) {
    const ex_fields *f = &a->fields;
    const ir_graph *g = a->g;
    char *args = calloc(1, f->workspace + 16), *memory[2][MOST_FIELDS] = {{0}};
    cr_assert(f->ninputs <= MOST_FIELDS && f->noutputs <= MOST_FIELDS);
    for (uint32_t i = 0; i < f->ninputs; i++) {
        const ex_field *x = &f->input[i];
        if (!x->align) {
            memcpy(args + x->at, in[i].data, size_of(g, g->inputs.p[i].node));
            continue;
        }
        memory[0][i] = new_tensor(size_of(g, g->inputs.p[i].node), in[i].data);
        put_pointer(args, x, memory[0][i]);
    }
    for (uint32_t i = 0; i < f->noutputs; i++) {
        const ex_field *x = &f->output[i];
        if (!x->name) continue;
        memory[1][i] = new_tensor(size_of(g, g->outputs.p[i].node), NULL);
        put_pointer(args, x, memory[1][i]);
    }
    if (f->size_name) memcpy(args, &a->n, sizeof a->n);
    memcpy(args + f->workspace, &workspace, sizeof workspace);
    memcpy(args + f->workspace + 8, &bytes, sizeof bytes);
    int status = a->call(args);
    for (uint32_t i = 0; i < f->noutputs; i++) {
        int donated = g->outputs.p[i].donated;
        take_output(a, i, donated >= 0 ? memory[0][donated] : memory[1][i], &out[i]);
    }
    for (uint32_t i = 0; i < f->ninputs; i++)
        if (memory[0][i]) free_tensor(memory[0][i], size_of(g, g->inputs.p[i].node));
    for (uint32_t i = 0; i < f->noutputs; i++)
        if (memory[1][i]) free_tensor(memory[1][i], size_of(g, g->outputs.p[i].node));
    free(args);
    return status;
}
