/* export_image.c - one data symbol with pointers in it, built by appending.
 *
 *     at = ex_put(m, &record, sizeof record);              the record's pointers are 0
 *     ex_link(m, at + offsetof(..., phases), NULL, where);  the linker fills them in */
#include "runtime/export/export.h"

#include <stdlib.h>
#include <string.h>

void ex_image_free(ex_image *m) {
    bz_vec_free(&m->bytes);
    bz_vec_free(&m->relocs);
    bz_arena_free(&m->names);
}

size_t ex_put(ex_image *m, const void *p, size_t n) {
    size_t at = (m->bytes.n + (size_t)7) / 8 * 8, more = at - m->bytes.n + n;
    if (m->failed || more > UINT32_MAX / 2 - m->bytes.n || !bz_vec_reserve(&m->bytes, more)) {
        m->failed = true;
        return 0;
    }
    memset(m->bytes.p + m->bytes.n, 0, at - m->bytes.n);
    if (n) memcpy(m->bytes.p + at, p, n);
    m->bytes.n = (uint32_t)(at + n);
    return at;
}

size_t ex_put_room(ex_image *m, size_t n) {
    void *zero = bz_mem_zero(n + 1, 1);
    m->failed |= !zero;
    size_t at = ex_put(m, zero, zero ? n : 0);
    bz_mem_free(zero);
    return at;
}

void ex_set(ex_image *m, size_t at, const void *p, size_t n) {
    if (!m->failed) memcpy(m->bytes.p + at, p, n);
}

size_t ex_put_text(ex_image *m, const char *fmt, ...) {
    bz_text t = {0};
    va_list ap;
    va_start(ap, fmt);
    bz_textfv(&t, fmt, ap);
    va_end(ap);
    m->failed |= t.failed;
    size_t at = ex_put(m, bz_text_c(&t), t.failed ? 0 : t.n + 1);
    bz_text_free(&t);
    return at;
}

void ex_link(ex_image *m, size_t at, const char *symbol, size_t addend) {
    const char *name = symbol ? bz_arena_str(&m->names, symbol) : m->name;
    cg_reloc r = {.offset = at, .symbol = name, .addend = (int64_t)addend};
    if (!name || !bz_vec_push(&m->relocs, r)) m->failed = true;
}

static int by_offset(const void *a, const void *b) {
    size_t x = ((const cg_reloc *)a)->offset, y = ((const cg_reloc *)b)->offset;
    return (x > y) - (x < y);
}

void ex_image_sort(ex_image *m) {
    if (m->relocs.n) qsort(m->relocs.p, m->relocs.n, sizeof *m->relocs.p, by_offset);
}
