#include "tests/support/irtest.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ir_module *irt_parse(const char *text) {
    return irt_parse_as(text, &(ir_reading){0});
}

ir_module *irt_parse_as(const char *text, const ir_reading *as) {
    bz_error e = {0};
    bz_text t = {0};
    ir_module *m = ir_parse_as(text, strlen(text), NULL, as, &e);
    if (!m) ir_error_report(&t, &e, text, "test");
    cr_assert(m, "%s", bz_text_c(&t));
    return m;
}

void irt_fill(bz_text *t, const char *text, const char *names, const int *values) {
    for (; *text; text++) {
        const char *which = *text == '@' && text[1] ? strchr(names, text[1]) : NULL;
        if (which)
            bz_textf(t, "%d", values[which - names]), text++;
        else
            bz_text_add(t, text, 1);
    }
}

void irt_run_module(const ir_module *m, const ir_value_array *inputs, ir_value_array *out) {
    bz_error e = {0};
    bz_status s = ir_interpret(m->graphs.p[0], inputs, out, &e);
    cr_assert_eq(s, BZ_OK, "%s", e.text);
}

int64_t irt_numel(const ir_value_array *a) {
    int64_t n = 1;
    for (unsigned i = 0; i < a->rank; i++) n *= a->shape[i];
    return n;
}

double irt_get(const ir_value_array *a, int64_t i) {
    ir_bits b =
        ir_load_bits(a->dtype, (const char *)a->data + (size_t)i * ir_dtype_bytes(a->dtype));
    return ir_is_float(a->dtype) ? ir_bits_to_f64(a->dtype, b)
                                 : (double)ir_bits_to_i64(a->dtype, b);
}

void irt_set(ir_value_array *a, int64_t i, double v) {
    ir_store_bits(a->dtype, (char *)a->data + (size_t)i * ir_dtype_bytes(a->dtype),
                  ir_bits_from_f64(a->dtype, v));
}

void irt_free(ir_value_array *a, unsigned n) {
    for (unsigned i = 0; i < n; i++) bz_mem_free(a[i].data);
}

ir_value_array irt_array(bz_dtype t, unsigned rank, const int64_t *shape) {
    ir_value_array a = {.dtype = t, .rank = rank};
    for (unsigned i = 0; i < rank; i++) a.shape[i] = shape[i];
    a.data = bz_mem_zero((size_t)irt_numel(&a), ir_dtype_bytes(t));
    cr_assert(a.data);
    return a;
}

double *irt_run(const char *text, const ir_value_array *inputs, unsigned k, int64_t *n) {
    ir_value_array out[16] = {{0}};
    ir_module *m = irt_parse(text);
    unsigned count = m->graphs.p[0]->outputs.n;
    cr_assert(k < count && count <= BZ_LEN(out));
    irt_run_module(m, inputs, out);
    *n = irt_numel(&out[k]);
    double *v = bz_mem_alloc((size_t)(*n + 1) * sizeof *v);
    cr_assert(v);
    for (int64_t i = 0; i < *n; i++) v[i] = irt_get(&out[k], i);
    irt_free(out, count);
    ir_module_free(m);
    return v;
}

double irt_eval(const char *lines) {
    int64_t n;
    bz_text t = {0};
    bz_textf(&t, "graph main() {\n%s\nreturn %%r }", lines);
    double *v = irt_run(bz_text_c(&t), NULL, 0, &n), r = v[0];
    cr_assert_eq(n, 1);
    bz_mem_free(v);
    bz_text_free(&t);
    return r;
}

double irt_random(uint64_t *state) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(int64_t)(*state >> 11) * 0x1p-52 - 1;
}

char *irt_read(const char *path, size_t *n) {
    const char *root = getenv("BRAZE_SRC");
    char full[1024];
    snprintf(full, sizeof full, "%s/%s", root ? root : ".", path);
    FILE *f = fopen(full, "rb");
    if (!f) return NULL;
    fseek(f, 0, SEEK_END);
    long size = ftell(f);
    rewind(f);
    char *s = bz_mem_alloc((size_t)size + 1);
    cr_assert(s);
    *n = fread(s, 1, (size_t)size, f);
    s[*n] = '\0';
    fclose(f);
    return s;
}
