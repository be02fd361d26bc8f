/* test_cache.c - code kept on disk, by whole programs: warm processes, cold ones at once, places that cannot be written, whose code it is.
 * test_store.c looks at the files. */
#include "src/codegen/codegen.h"
#include "src/codegen/nvrtc.h"
#include "tests/support/cache_dir.h"
#include "tests/support/fakecuda.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* ---- warm processes */

static bool is_mapped(const char *name) {
    char line[1024];
    bool found = false;
    FILE *f = fopen("/proc/self/maps", "r");
    while (f && fgets(line, sizeof line, f)) found |= strstr(line, name) != NULL;
    if (f) fclose(f);
    return found;
}

typedef struct job {
    bz_device device;
    bool warm;
    uint64_t kernels; /* of this run, to the other processes by a pipe */
    float result[6];
} job;

/* Two kernels and more; what it came to goes to the pipe. */
static int work(void *arg) {
    job *j = arg;
    bz_context *c;
    if (bz_open(&(bz_options){.device = j->device, .threads = 1}, &c)) return 2;
    float in[6] = {1, 2, 3, 4, 5, 6};
    bz_tensor *x = bz_from_data(c, BZ_F32, in, BZ_SHAPE(2, 3));
    bz_tensor *y = bz_softmax(bz_exp(bz_matmul(bz_transpose(x, 0, 1), x)), 1);
    bz_tensor *z = bz_matmul(y, bz_transpose(x, 0, 1));
    bz_counters n;
    if (bz_to_host(z, j->result, sizeof j->result)) return 3;
    bz_get_counters(c, &n);
    if (j->warm ? n.kernels_built != 0 : n.kernels_loaded != 0) return 4;
    j->kernels = n.kernels_built + n.kernels_loaded;
    bz_close(c);
    return j->kernels ? 0 : 5;
}

static int work_and_tell(void *arg) {
    int *fd = ((int **)arg)[1];
    job *j = ((job **)arg)[0];
    const int s = work(j);
    if (s) return s;
    if (j->warm && (is_mapped("libbraze-llvm") || is_mapped("nvrtc"))) return 6;
    return write(fd[1], j, sizeof *j) == sizeof *j ? 0 : 7;
}

static void run(job *j) {
    int fd[2];
    cr_assert_eq(pipe(fd), 0);
    const int s = in_child(work_and_tell, (void *[]){j, fd});
    cr_assert_eq(s, 0, "%s process: %d", j->warm ? "warm" : "cold", s);
    cr_assert_eq(read(fd[0], j, sizeof *j), sizeof *j);
    close(fd[0]), close(fd[1]);
}

static void warm_is_as_cold(bz_device device, const char *compiler) {
    job cold = {.device = device}, warm = {.device = device, .warm = true};
    run(&cold);
    cr_expect_geq(cache_dir_count(), 1);
    for (int i = 0; i < 2; i++) { /* the second time nobody could compile */
        run(&warm);
        cr_expect_eq(warm.kernels, cold.kernels);
        cr_expect(memcmp(warm.result, cold.result, sizeof cold.result) == 0);
        setenv(compiler, "/nonexistent", 1);
    }
    cache_dir_remove();
}

Test(cache, a_warm_process_loads_no_llvm) {
    cache_dir_use();
    warm_is_as_cold(BZ_CPU, "BRAZE_LLVM");
}

static int no_nvrtc(void *arg) {
    bz_error e = {0};
    (void)arg;
    return nvrtc_open(&e) != BZ_OK;
}

Test(cache, a_warm_process_loads_no_nvrtc) {
    cache_dir_use();
    if (in_child(no_nvrtc, NULL)) {
        fprintf(stderr, "skipped: no NVRTC\n");
        cache_dir_remove();
        return;
    }
    fakecuda_use("80");
    warm_is_as_cold(BZ_CUDA, "BRAZE_NVRTC");
}

/* Changes the note's last line, the version; gives it. */
static int change_note(int to) {
    char path[100], text[1000] = "";
    snprintf(path, sizeof path, "%s/%s", cache_dir, RT_STORE_NVRTC);
    FILE *f = fopen(path, "r");
    cr_assert(f && fread(text, 1, sizeof text - 1, f) > 0);
    fclose(f);
    char *last = strrchr(text, '\n');
    cr_assert(last);
    while (last > text && last[-1] != '\n') last--;
    const int was = atoi(last);
    if (!to) return was;
    snprintf(last, 20, "%d\n", to);
    f = fopen(path, "w");
    cr_assert(f && fwrite(text, 1, strlen(text) + 1, f) && fclose(f) == 0);
    return was;
}

/* A note that is wrong of a library that lies where it says: nothing that it compiles gets the wrong key, and the note is mended. */
Test(cache, a_wrong_note_of_nvrtc_is_mended) {
    cache_dir_use();
    if (in_child(no_nvrtc, NULL)) {
        cache_dir_remove();
        return;
    }
    fakecuda_use("80");
    job cold = {.device = BZ_CUDA}, warm = {.device = BZ_CUDA, .warm = true};
    run(&cold);
    const uint32_t kept = cache_dir_count();
    const int version = change_note(12010);
    run(&cold); /* what has 12.1 in its key is not there, and is not kept */
    cr_expect_eq(cache_dir_count(), kept);
    cr_expect_eq(change_note(0), version);
    run(&warm);
    cache_dir_remove();
}

Test(cache, switched_off_it_keeps_nothing) {
    static const char *const off[] = {"", "off"};
    for (unsigned i = 0; i < BZ_LEN(off); i++) {
        cache_dir_use();
        setenv("XDG_CACHE_HOME", cache_dir, 1), setenv("HOME", cache_dir, 1);
        setenv("BRAZE_CACHE_DIR", off[i], 1);
        job j = {.device = BZ_CPU};
        run(&j), run(&j);
        unsetenv("BRAZE_CACHE_DIR");
        run(&j); /* in the default place, made now */
        char path[200];
        struct stat s;
        snprintf(path, sizeof path, "%s/braze", cache_dir);
        cr_expect(stat(path, &s) == 0 && (s.st_mode & 0777) == 0700, "%s", path);
        cache_dir_remove();
    }
}

/* ---- what cannot be written */

Test(cache, a_place_that_cannot_be_written_is_no_failure) {
    static const char *const places[] = {"/proc/self/braze", "/dev/null", "/nonexistent/a/b",
                                         "/dev/null/braze"};
    for (unsigned i = 0; i < BZ_LEN(places); i++) {
        setenv("BRAZE_CACHE_DIR", places[i], 1);
        job j = {.device = BZ_CPU};
        run(&j), run(&j);
    }
}

/* The same program, cold, in two processes at once. */
Test(cache, two_cold_processes_at_once) {
    cache_dir_use();
    pid_t pid[2];
    for (int i = 0; i < 2; i++)
        if ((pid[i] = fork()) == 0) {
            job j = {.device = BZ_CPU};
            const int s = work(&j);
            _exit(s == 4 ? 0 : s); /* it may find what the other has put */
        }
    for (int i = 0; i < 2; i++) {
        int status;
        waitpid(pid[i], &status, 0);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "process %d: %d", i, status);
    }
    job warm = {.device = BZ_CPU, .warm = true};
    run(&warm);
    cache_dir_remove();
}

/* ---- whose code it is */

typedef void look(int fd, const rt_store_file *f, const rt_binary *b);

static void for_each(look *f) {
    rt_store_files all = cache_dir_list();
    const int fd = cache_dir_open();
    cr_expect_gt(all.v.n, 0);
    for (uint32_t i = 0; i < all.v.n; i++) {
        char why[RT_STORE_WHY], *block;
        const char *wrong;
        const size_t n = rt_store_read(fd, all.v.p[i].name, false, &block, why);
        cr_assert(n, "%s", why);
        rt_binary *b = rt_binary_read(block, n, &wrong);
        cr_assert(b, "%s", wrong);
        f(fd, &all.v.p[i], b);
        rt_binary_drop(b);
    }
    close(fd);
    bz_vec_free(&all.v);
}

static void has_the_build(int fd, const rt_store_file *f, const rt_binary *b) {
    char key[4096];
    (void)fd, (void)f;
    for (uint32_t k = 0; k < b->nkernels; k++) {
        snprintf(key, sizeof key, "%.*s", (int)b->kernels[k].key_bytes, b->kernels[k].key);
        const char *build = strstr(key, cg_build);
        cr_assert(!strncmp(key, "x86-64", 6) && build && strstr(cg_build, ", build "), "%s", key);
        cr_expect_eq(build[strlen(cg_build)], '\n');
    }
}

/* Keys begin with the target and the build: what another build compiled has other names. */
Test(cache, keys_say_who_compiled) {
    cache_dir_use();
    job j = {.device = BZ_CPU};
    run(&j);
    for_each(has_the_build);
    cache_dir_remove();
}

static const char no_code[] = "\x7f"
                              "ELF and no more";

static void spoil(int fd, const rt_store_file *f, const rt_binary *b) {
    rt_binary *bad = rt_binary_new(b->kernels, b->nkernels, no_code, sizeof no_code, "");
    unlinkat(fd, f->name, 0);
    const int to = openat(fd, f->name, O_CREAT | O_WRONLY | O_EXCL, 0600);
    cr_assert(write(to, bad->block, bad->size) == (ssize_t)bad->size);
    close(to);
    rt_binary_drop(bad);
}

static void is_code(int fd, const rt_store_file *f, const rt_binary *b) {
    (void)fd, (void)f;
    cr_expect(b->n != sizeof no_code);
}

/* Code that is whole and does not load is compiled anew, and is in its place then, under each name. */
Test(cache, code_that_does_not_load_is_compiled) {
    cache_dir_use();
    job j = {.device = BZ_CPU};
    run(&j);
    for_each(spoil);
    run(&j);
    for_each(is_code);
    j.warm = true;
    run(&j);
    cache_dir_remove();
}
