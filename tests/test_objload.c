/* test_objload.c - the object loader: code runs, damage is refused, memory comes back.
 * build/tests/objects/kernel.o stands for a compiled kernel; the damage is done to its bytes. */
#include "runtime/exec/objload.h"

#include "runtime/export/aot_blob.h"

#include <criterion/criterion.h>
#include <elf.h>
#include <math.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct file {
    unsigned char *bytes;
    size_t size;
} file;

static file read_object(const char *name) {
    char path[4096];
    const char *build = getenv("BRAZE_BUILD");
    snprintf(path, sizeof path, "%s/%s", build ? build : "build", name);
    FILE *f = fopen(path, "rb");
    cr_assert(f != NULL, "%s", path);
    file it = {malloc(1 << 20), 0};
    it.size = fread(it.bytes, 1, 1 << 20, f);
    fclose(f);
    it.bytes = realloc(it.bytes, it.size); /* exact, so that ASan sees a read past the end */
    return it;
}

static const rt_import imports[] = {
    {"fmaf", (rt_function *)fmaf},
    {"memset", (rt_function *)memset},
    {NULL, NULL},
};

static rt_load_status load(rt_code *code, file f, rt_object **o, char *message) {
    return rt_object_load(code, f.bytes, f.size, imports, o, message);
}

static rt_object *load_good(rt_code *code, file f) {
    char message[RT_LOAD_MESSAGE];
    rt_object *o;
    rt_load_status status = load(code, f, &o, message);
    cr_assert_eq(status, RT_LOAD_OK, "%s", message);
    return o;
}

Test(objload, code_constants_data_and_calls_work) {
    rt_code *code = rt_code_new();
    file f = read_object("tests/objects/kernel.o");
    rt_object *o = load_good(code, f);
    memset(f.bytes, 0xff, f.size); /* the file is not needed any more */
    float (*dot8)(const float *) = (float (*)(const float *))rt_object_find(o, "dot8");
    float (*through)(float, int) = (float (*)(float, int))rt_object_find(o, "through_table");
    long (*count)(int) = (long (*)(int))rt_object_find(o, "count");
    void (*clear)(char *, unsigned long) =
        (void (*)(char *, unsigned long))rt_object_find(o, "clear");
    const float ones[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    cr_expect_eq(dot8(ones), 36.0f);
    cr_expect_eq(through(3.0f, 0), 6.5f);
    cr_expect_eq(through(3.0f, 1), -1.0f);
    cr_expect_eq(count(2), 106);
    cr_expect_eq(count(2), 207);
    cr_expect_eq(count(3), 108);
    char text[] = "abc";
    clear(text, 2);
    cr_expect(text[0] == 0 && text[1] == 0 && text[2] == 'c');
    cr_expect(rt_object_find(o, "weights") == NULL, "local symbols stay local");
    cr_expect(rt_object_find(o, "nothing") == NULL);
    rt_object_free(o);
    rt_code_free(code);
    free(f.bytes);
}

/* The access rights of the page that `address` lies in, from /proc/self/maps. */
static void rights(const void *address, char out[5]) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[512];
    strcpy(out, "?");
    while (fgets(line, sizeof line, maps)) {
        unsigned long from, to;
        char r[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, r) == 3 && (uintptr_t)address >= from &&
            (uintptr_t)address < to)
            memcpy(out, r, 5);
    }
    fclose(maps);
}

Test(objload, no_page_is_writable_and_executable) {
    rt_code *code = rt_code_new();
    file f = read_object("tests/objects/kernel.o");
    rt_object *o = load_good(code, f), *second = load_good(code, f);
    char text[5], data[5];
    rights((const void *)(uintptr_t)rt_object_find(o, "dot8"), text);
    rights((const void *)(uintptr_t)rt_object_find(o, "counter"), data);
    cr_expect_str_eq(text, "r-xp");
    cr_expect_str_eq(data, "rw-p");
    rt_object_free(o);
    rights((const void *)(uintptr_t)rt_object_find(second, "dot8"), text);
    cr_expect_str_eq(text, "r-xp");
    rt_object_free(second);
    rt_code_free(code);
    free(f.bytes);
}

Test(objload, memory_is_used_again) {
    rt_code *code = rt_code_new();
    file f = read_object("tests/objects/kernel.o");
    rt_object *o = load_good(code, f);
    rt_function *first = rt_object_find(o, "dot8");
    rt_object_free(o);
    for (int i = 0; i < 3000; i++) { /* several times a chunk, if nothing came back */
        o = load_good(code, f);
        cr_assert_eq(rt_object_find(o, "dot8"), first);
        rt_object_free(o);
    }
    rt_code_free(code);
    free(f.bytes);
}

Test(objload, many_objects_live_together) {
    enum { MANY = 700 };
    static rt_object *o[MANY];
    rt_code *code = rt_code_new();
    file f = read_object("tests/objects/kernel.o");
    for (int i = 0; i < MANY; i++) o[i] = load_good(code, f);
    for (int i = 0; i < MANY; i++)
        cr_assert_eq(((long (*)(int))rt_object_find(o[i], "count"))(0), 106,
                     "each has its own data");
    for (int i = 0; i < MANY; i++) rt_object_free(o[i]);
    rt_code_free(code);
    free(f.bytes);
}

typedef struct shared_load {
    rt_code *code;
    file f;
    int wrong;
} shared_load;

static void *load_often(void *arg) {
    shared_load *s = arg;
    for (int i = 0; i < 200; i++) {
        char message[RT_LOAD_MESSAGE];
        rt_object *o;
        if (load(s->code, s->f, &o, message) != RT_LOAD_OK) return NULL;
        s->wrong += ((long (*)(int))rt_object_find(o, "count"))(1) != 106;
        rt_object_free(o);
    }
    s->wrong--; /* from 1 to 0 when all went well */
    return NULL;
}

Test(objload, threads_load_into_one_memory_while_others_run_their_code) {
    file f = read_object("tests/objects/kernel.o");
    shared_load s[4];
    pthread_t t[4];
    rt_code *code = rt_code_new();
    for (int i = 0; i < 4; i++) {
        s[i] = (shared_load){code, f, 1};
        cr_assert_eq(pthread_create(&t[i], NULL, load_often, &s[i]), 0);
    }
    for (int i = 0; i < 4; i++) pthread_join(t[i], NULL);
    for (int i = 0; i < 4; i++) cr_expect_eq(s[i].wrong, 0);
    rt_code_free(code);
    free(f.bytes);
}

Test(objload, missing_import_is_named) {
    rt_code *code = rt_code_new();
    file f = read_object("tests/objects/kernel.o");
    char message[RT_LOAD_MESSAGE];
    rt_object *o;
    cr_expect_eq(rt_object_load(code, f.bytes, f.size, NULL, &o, message), RT_LOAD_UNRESOLVED);
    cr_expect(strstr(message, "undefined symbol ") &&
              (strstr(message, "fmaf") || strstr(message, "memset")));
    cr_expect(o == NULL);
    rt_code_free(code);
    free(f.bytes);
}

Test(objload, foreign_and_broken_files_are_told_apart) {
    rt_code *code = rt_code_new();
    file f = read_object("tests/objects/kernel.o");
    char message[RT_LOAD_MESSAGE];
    rt_object *o;
    cr_expect_eq(load(code, (file){f.bytes, 0}, &o, message), RT_LOAD_DAMAGED);
    cr_expect_eq(load(code, (file){f.bytes, 63}, &o, message), RT_LOAD_DAMAGED);
    Elf64_Ehdr *e = (Elf64_Ehdr *)(void *)f.bytes;
    e->e_machine = EM_AARCH64;
    cr_expect_eq(load(code, f, &o, message), RT_LOAD_FOREIGN);
    cr_expect_str_eq(message, "not a relocatable object for 64-bit x86");
    e->e_machine = EM_X86_64;
    e->e_type = ET_DYN;
    cr_expect_eq(load(code, f, &o, message), RT_LOAD_FOREIGN);
    e->e_type = ET_REL;
    e->e_shoff = UINT64_MAX - 8;
    cr_expect_eq(load(code, f, &o, message), RT_LOAD_DAMAGED);
    rt_code_free(code);
    free(f.bytes);
}

/* Every truncation ends in a status, and none in success: the section table is at the file's
 * end. */
Test(objload, truncations_are_refused) {
    rt_code *code = rt_code_new();
    file f = read_object("tests/objects/kernel.o");
    for (size_t size = 0; size < f.size; size++) {
        unsigned char *part = malloc(size + 1);
        memcpy(part, f.bytes, size);
        file cut = {realloc(part, size ? size : 1), size};
        char message[RT_LOAD_MESSAGE];
        rt_object *o;
        cr_assert_neq(load(code, cut, &o, message), RT_LOAD_OK, "%zu bytes", size);
        cr_assert(o == NULL && message[0] != 0);
        free(cut.bytes);
    }
    rt_code_free(code);
    free(f.bytes);
}

/* Every single flipped bit: accepted or refused with a message, never a crash or a leak. */
Test(objload, flipped_bits_never_crash) {
    rt_code *code = rt_code_new();
    file f = read_object("tests/objects/kernel.o");
    size_t refused = 0;
    for (size_t bit = 0; bit < f.size * 8; bit++) {
        f.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
        char message[RT_LOAD_MESSAGE];
        rt_object *o;
        rt_load_status status = load(code, f, &o, message);
        cr_assert_eq(status == RT_LOAD_OK, o != NULL);
        cr_assert_eq(status == RT_LOAD_OK, message[0] == 0);
        refused += status != RT_LOAD_OK;
        rt_object_free(o);
        f.bytes[bit / 8] ^= (unsigned char)(1u << bit % 8);
    }
    cr_expect_gt(refused, 1000);
    rt_code_free(code);
    free(f.bytes);
}

Test(objload, the_library_carries_the_run_time_of_exports) {
    file f = read_object("aot_rt.o");
    cr_assert_eq((size_t)(rt_aot_blob_end - rt_aot_blob), f.size);
    cr_expect(memcmp(rt_aot_blob, f.bytes, f.size) == 0);
    free(f.bytes);
}
