/* npz.c - NumPy's .npz files: a zip archive whose members are .npy files.
 *
 *     {w, b} --npy.c: heads--> w.npy, b.npy --zip.c--> file.npz
 *
 * NumPy adds ".npy" to every name that is saved; so do we. A name is looked for with ".npy" first, then as it is. */
#include "runtime/io/array.h"
#include "runtime/io/zip.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define SUFFIX ".npy"
enum { MAX_NAME = 4096, MOST_NAMED = 8 };

/* ---- reading */

typedef struct named { /* a member by its name */
    const char *name;
    uint32_t member;
} named;

struct rt_npz {
    void *bytes;
    size_t n;
    rt_zip *zip;
    named *sorted; /* members by their names, then their numbers */
    const char *path;
};

/* To the end of a stream that begins like an archive. */
static size_t wanted(const void *p, size_t n) {
    if (n < 2) return 2;
    return memcmp(p, "PK", 2) == 0 ? SIZE_MAX : 0;
}

static const rt_file_kind npz = {".npz file", wanted};

static int by_name(const void *p, const void *q) {
    const named *a = p, *b = q;
    int order = strcmp(a->name, b->name);
    return order ? order : (a->member > b->member) - (a->member < b->member);
}

static bz_status sort_members(rt_npz *z, bz_error *e) {
    uint32_t n = rt_zip_count(z->zip);
    z->sorted = bz_mem_zero((size_t)n + 1, sizeof *z->sorted);
    if (!z->sorted) return bz_fail(e, BZ_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < n; i++) z->sorted[i] = (named){rt_zip_name(z->zip, i), i};
    qsort(z->sorted, n, sizeof *z->sorted, by_name);
    return BZ_OK;
}

bz_status rt_npz_open(const char *path, rt_npz **out, bz_error *e) {
    *out = NULL;
    if (rt_zip_usable(e)) return e->status;
    rt_npz *z = bz_mem_zero(1, sizeof *z);
    if (!z) return bz_fail(e, BZ_ENOMEM, "out of memory");
    z->path = path;
    if (rt_file_map(path, &npz, &z->bytes, &z->n, e)) {
        bz_mem_free(z);
        return e->status;
    }
    if (!rt_zip_open(z->bytes, z->n, path, &z->zip, e) && !sort_members(z, e))
        return *out = z, BZ_OK;
    rt_npz_close(z);
    return e->status;
}

void rt_npz_close(rt_npz *z) {
    if (!z) return;
    rt_zip_close(z->zip);
    munmap(z->bytes, z->n);
    bz_mem_free(z->sorted);
    bz_mem_free(z);
}

/* The length of a member's name without ".npy". */
static size_t stem(const char *member) {
    size_t n = strlen(member), k = strlen(SUFFIX);
    return n > k && strcmp(member + n - k, SUFFIX) == 0 ? n - k : n;
}

void rt_npz_names(const rt_npz *z, bz_text *t) {
    for (uint32_t i = 0; i < rt_zip_count(z->zip); i++) {
        const char *name = rt_zip_name(z->zip, i);
        bz_textf(t, "%.*s\n", (int)stem(name), name);
    }
}

static bz_status no_such_name(const rt_npz *z, const char *name, bz_error *e) {
    bz_text t = {0};
    uint32_t n = rt_zip_count(z->zip);
    for (uint32_t i = 0; i < n && i < MOST_NAMED; i++) {
        const char *other = rt_zip_name(z->zip, i);
        bz_textf(&t, "%s%.*s", i ? ", " : "", (int)stem(other), other);
    }
    bz_fail(e, BZ_EARG, "%s has no array '%s'; it has %s%s", z->path, name,
            n ? bz_text_c(&t) : "none", n > MOST_NAMED ? ", ..." : "");
    bz_text_free(&t);
    return e->status;
}

/* Is the member's name before `name` + suffix, the same, behind it? */
static int compare(const char *member, const char *name, const char *suffix) {
    size_t n = strlen(name);
    int order = strncmp(member, name, n);
    return order ? order : strcmp(member + n, suffix);
}

/* The member `name` + suffix: how many of them, and the first. */
static uint32_t find(const rt_npz *z, const char *name, const char *suffix, uint32_t *first) {
    uint32_t count = rt_zip_count(z->zip), lo = 0, hi = count;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (compare(z->sorted[mid].name, name, suffix) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (hi = lo; hi < count && compare(z->sorted[hi].name, name, suffix) == 0;) hi++;
    *first = lo < hi ? z->sorted[lo].member : 0;
    return hi - lo;
}

bz_status rt_npz_read(rt_npz *z, const char *name, ir_value_array *out, bz_error *e) {
    uint32_t member = 0, found = find(z, name, SUFFIX, &member);
    size_t n;
    void *p;
    *out = (ir_value_array){0};
    if (!found) found = find(z, name, "", &member);
    if (!found) return no_such_name(z, name, e);
    if (found > 1)
        return bz_fail(e, BZ_EFORMAT, "%s has %u arrays '%s'", z->path, (unsigned)found, name);
    if (rt_zip_read(z->zip, member, &p, &n, e)) return e->status;
    bz_text where = {0};
    bz_textf(&where, "%s:%s", z->path, rt_zip_name(z->zip, member));
    bz_status s = rt_npy_decode(p, n, bz_text_c(&where), out, e);
    bz_text_free(&where);
    bz_mem_free(p);
    return s;
}

/* ---- saving */

/* No part of a path may lead out of the directory where others unpack the archive. */
static const char *fault_of(const char *name) {
    if (!name) return "is NULL";
    if (!*name) return "is empty";
    if (strlen(name) > MAX_NAME) return "is too long";
    if (*name == '/') return "begins with /";
    for (const char *p = name; *p; p += bz_utf8(p))
        if (!bz_utf8(p)) return "is not UTF-8";
    for (const char *p = name; *p; p++) {
        if ((unsigned char)*p < ' ' || *p == 127 || *p == '\\') return "is no name for a member";
        bool begins = p == name || p[-1] == '/';
        if (begins && p[0] == '.' && p[1] == '.' && (p[2] == '/' || !p[2]))
            return "leads out of the archive";
    }
    return NULL;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bz_status check_names(const char *const *names, uint32_t n, bz_error *e) {
    for (uint32_t i = 0; i < n; i++) {
        const char *fault = fault_of(names[i]);
        if (fault) return bz_fail(e, BZ_EARG, "name %u %s", (unsigned)i, fault);
    }
    const char **sorted = bz_mem_zero((size_t)n + 1, sizeof *sorted);
    if (!sorted) return bz_fail(e, BZ_ENOMEM, "out of memory");
    for (uint32_t i = 0; i < n; i++) sorted[i] = names[i];
    qsort(sorted, n, sizeof *sorted, by_text);
    for (uint32_t i = 1; i < n && !e->status; i++)
        if (strcmp(sorted[i - 1], sorted[i]) == 0)
            bz_fail(e, BZ_EARG, "two arrays are named '%s'", sorted[i]);
    bz_mem_free(sorted);
    return e->status;
}

/* Member and head of each array lie in `texts`, one after the other. */
static bool plan_members(rt_zip_member *m, const char *const *names, const ir_value_array *arrays,
                         uint32_t n, bz_arena *texts) {
    bz_text head = {0};
    bool good = true;
    for (uint32_t i = 0; i < n && good; i++) {
        head.n = 0;
        rt_npy_head(&head, &arrays[i]);
        size_t length = strlen(names[i]);
        char *name = bz_arena_alloc(texts, length + sizeof SUFFIX);
        char *own = head.failed ? NULL : bz_arena_alloc(texts, head.n);
        good = name && own;
        if (!good) break;
        memcpy(name, names[i], length);
        memcpy(name + length, SUFFIX, sizeof SUFFIX);
        memcpy(own, head.p, head.n);
        m[i] = (rt_zip_member){name, {{own, head.n}, {arrays[i].data, rt_array_bytes(&arrays[i])}}};
    }
    bz_text_free(&head);
    return good;
}

bz_status rt_npz_save(const char *path, const char *const *names, const ir_value_array *arrays,
                      uint32_t n, bool deflate, bz_error *e) {
    bz_error own = {0};
    bz_arena texts = {0};
    e = e ? e : &own;
    if (rt_zip_usable(e) || check_names(names, n, e)) return e->status;
    rt_zip_member *m = bz_mem_zero((size_t)n + 1, sizeof *m);
    rt_zip_plan plan = {m, n, deflate};
    rt_file file = {.path = path, .fill = rt_zip_write, .content = &plan};
    if (!m || !plan_members(m, names, arrays, n, &texts))
        bz_fail(e, BZ_ENOMEM, "out of memory");
    else
        rt_files_replace(&file, 1, e);
    bz_mem_free(m);
    bz_arena_free(&texts);
    return e->status;
}
