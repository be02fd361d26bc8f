/* test_cache.c - code kept on disk: warm processes, files that are damaged, foreign or untrusted, eviction, several processes, processes
 * that are killed, disks that are full. */
#include "runtime/exec/store.h"
#include "src/codegen/codegen.h"
#include "src/codegen/nvrtc.h"
#include "tests/support/fakecuda.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* ---- a directory of this test's own, chosen before anything reads the environment */

static char dir[64];

static void remove_dir(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    if (*dir && system(command)) perror(dir);
}

static void use_dir(void) {
    strcpy(dir, "/tmp/braze-cache-XXXXXX");
    cr_assert(mkdtemp(dir));
    setenv("BRAZE_CACHE_DIR", dir, 1);
    chmod(dir, 0700);
}

/* Another process: f's result is its status; a signal: 128 and more. */
static int in_child(int (*f)(void *), void *arg) {
    int status;
    fflush(NULL);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) _exit(f(arg));
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int open_dir(void) {
    char why[RT_STORE_WHY];
    const int fd = rt_store_open(true, why);
    cr_assert_geq(fd, 0, "%s", why);
    return fd;
}

static rt_store_files list(void) {
    rt_store_files f = {{0}, 0};
    const int fd = open_dir();
    cr_assert(rt_store_list(fd, &f));
    close(fd);
    return f;
}

static uint32_t count(void) {
    rt_store_files f = list();
    const uint32_t n = f.v.n;
    bz_vec_free(&f.v);
    return n;
}

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
    cr_expect_geq(count(), 1);
    for (int i = 0; i < 2; i++) { /* the second time nobody could compile */
        run(&warm);
        cr_expect_eq(warm.kernels, cold.kernels);
        cr_expect(memcmp(warm.result, cold.result, sizeof cold.result) == 0);
        setenv(compiler, "/nonexistent", 1);
    }
    remove_dir();
}

Test(cache, a_warm_process_loads_no_llvm) {
    use_dir();
    warm_is_as_cold(BZ_CPU, "BRAZE_LLVM");
}

static int no_nvrtc(void *arg) {
    bz_error e = {0};
    (void)arg;
    return nvrtc_open(&e) != BZ_OK;
}

Test(cache, a_warm_process_loads_no_nvrtc) {
    use_dir();
    if (in_child(no_nvrtc, NULL)) {
        fprintf(stderr, "skipped: no NVRTC\n");
        remove_dir();
        return;
    }
    fakecuda_use("80");
    warm_is_as_cold(BZ_CUDA, "BRAZE_NVRTC");
}

/* Changes the note's last line, the version; gives it. */
static int change_note(int to) {
    char path[100], text[1000] = "";
    snprintf(path, sizeof path, "%s/%s", dir, RT_STORE_NVRTC);
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
    use_dir();
    if (in_child(no_nvrtc, NULL)) {
        remove_dir();
        return;
    }
    fakecuda_use("80");
    job cold = {.device = BZ_CUDA}, warm = {.device = BZ_CUDA, .warm = true};
    run(&cold);
    const uint32_t kept = count();
    const int version = change_note(12010);
    run(&cold); /* what has 12.1 in its key is not there, and is not kept */
    cr_expect_eq(count(), kept);
    cr_expect_eq(change_note(0), version);
    run(&warm);
    remove_dir();
}

Test(cache, switched_off_it_keeps_nothing) {
    static const char *const off[] = {"", "off"};
    for (unsigned i = 0; i < BZ_LEN(off); i++) {
        use_dir();
        setenv("XDG_CACHE_HOME", dir, 1), setenv("HOME", dir, 1);
        setenv("BRAZE_CACHE_DIR", off[i], 1);
        job j = {.device = BZ_CPU};
        run(&j), run(&j);
        unsetenv("BRAZE_CACHE_DIR");
        run(&j); /* in the default place, made now */
        char path[200];
        struct stat s;
        snprintf(path, sizeof path, "%s/braze", dir);
        cr_expect(stat(path, &s) == 0 && (s.st_mode & 0777) == 0700, "%s", path);
        remove_dir();
    }
}

/* ---- single files */

/* A binary of two kernels; the code is `bytes` times 'x'. */
static rt_binary *some(const char *key, size_t bytes) {
    char *code = malloc(bytes), second[64];
    cr_assert(code);
    memset(code, 'x', bytes);
    snprintf(second, sizeof second, "%s, second", key);
    const rt_binary_kernel k[] = {{"one", key, strlen(key), 1}, {"two", second, strlen(second), 3}};
    rt_binary *b = rt_binary_new(k, 2, code, bytes, "notes");
    cr_assert(b);
    free(code);
    return b;
}

static void put(const char *key, size_t bytes) {
    rt_binary *b = some(key, bytes);
    rt_store_put(b);
    rt_binary_drop(b);
}

static bool is_there(const char *key) {
    rt_binary *b = rt_store_get(key, strlen(key));
    if (!b) return false;
    bool whole = b->nkernels == 2 && !strcmp(b->kernels[1].name, "two") &&
                 b->kernels[1].nphases == 3 && !strcmp(b->notes, "notes") && b->n > 0;
    for (size_t i = 0; i < b->n && whole; i++) whole = ((const char *)b->bytes)[i] == 'x';
    cr_expect(whole);
    rt_binary_drop(b);
    return true;
}

/* Puts these bytes where the key's file was. */
static void place(const char *key, const char *bytes, size_t n, mode_t mode) {
    char name[RT_STORE_NAME], path[200];
    rt_store_name(key, strlen(key), name);
    snprintf(path, sizeof path, "%s/%s", dir, name);
    unlink(path);
    const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    cr_assert(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    fchmod(fd, mode);
    close(fd);
}

Test(cache, what_was_put_is_there) {
    use_dir();
    put("a", 1000), put("b", 1);
    cr_expect(is_there("a") && is_there("b") && is_there("a, second"));
    cr_expect(!is_there("c") && !is_there("") && !is_there("a, third"));
    cr_expect_eq(count(), 4);
    put("a", 1000); /* another process did the same */
    cr_expect(is_there("a") && is_there("a, second"));
    cr_expect_eq(count(), 4);
    remove_dir();
}

/* Every bit of the head, bits all over the rest, every length: a miss, and the file is gone. */
Test(cache, a_damaged_file_is_a_miss) {
    use_dir();
    rt_binary *b = some("key", 700);
    char *bytes = malloc(b->size + 1);
    cr_assert(bytes);
    for (size_t at = 0; at < b->size; at += at < 100 ? 1 : 7)
        for (unsigned bit = 0; bit < 8; bit += at < 60 ? 1 : 3) {
            memcpy(bytes, b->block, b->size);
            bytes[at] ^= (char)(1 << bit);
            place("key", bytes, b->size, 0600);
            cr_expect(!is_there("key"), "byte %zu, bit %u", at, bit);
            cr_expect_eq(count(), 0, "byte %zu, bit %u", at, bit);
        }
    memcpy(bytes, b->block, b->size);
    bytes[b->size] = 0;
    for (size_t n = 0; n <= b->size + 1; n += n < 100 || n >= b->size - 2 ? 1 : 13) {
        place("key", bytes, n, 0600);
        cr_expect_eq(is_there("key"), n == b->size, "%zu bytes of %zu", n, b->size);
    }
    place("other", bytes, b->size, 0600); /* a copy under another name */
    cr_expect(!is_there("other"));
    put("key", 700);
    cr_expect(is_there("key"));
    rt_binary_drop(b);
    free(bytes);
    remove_dir();
}

/* Sums that are right do not make parts that fit: blocks with any words in the head are refused, or read within their bounds. */
Test(cache, a_head_may_say_anything) {
    static const uint64_t words[] = {0, 1, 15, 16, 1000, UINT32_MAX, UINT64_MAX / 2, UINT64_MAX};
    rt_binary *b = some("key", 100);
    for (size_t at = 24; at + 8 <= 56 + 24; at += 8)
        for (unsigned i = 0; i < BZ_LEN(words); i++) {
            const char *why;
            char *block = bz_mem_alloc(b->size);
            memcpy(block, b->block, b->size);
            memcpy(block + at, &words[i], 8);
            const uint64_t sum = bz_hash(0, block + 16, b->size - 16);
            memcpy(block + 8, &sum, 8);
            rt_binary *x = rt_binary_read(block, b->size, &why);
            cr_expect((x != NULL) == (why == NULL));
            for (uint32_t k = 0; x && k < x->nkernels; k++) {
                const rt_binary_kernel *own = &x->kernels[k];
                cr_expect(own->name && own->name + strlen(own->name) < x->block + x->size);
                cr_expect(own->key && own->key + own->key_bytes <= x->block + x->size);
                cr_expect_lt(own->nphases, 1 << 16);
            }
            rt_binary_drop(x);
        }
    rt_binary_drop(b);
}

/* ---- whom to trust */

Test(cache, what_others_may_write_is_not_read) {
    use_dir();
    rt_binary *b = some("key", 100);
    put("mine", 100);
    static const mode_t bad[] = {0620, 0602, 0666};
    for (unsigned i = 0; i < BZ_LEN(bad); i++) {
        place("key", b->block, b->size, bad[i]);
        cr_expect(!is_there("key"), "file %o", bad[i]);
        chmod(dir, bad[i] | 0111);
        cr_expect(!is_there("mine"), "directory %o", bad[i]);
        put("never", 100);
        chmod(dir, 0700);
        cr_expect(is_there("mine") && !is_there("never"));
    }
    if (geteuid() == 0) { /* only root gives things away */
        place("key", b->block, b->size, 0600);
        char name[RT_STORE_NAME], path[200];
        rt_store_name("key", 3, name);
        snprintf(path, sizeof path, "%s/%s", dir, name);
        cr_expect(chown(path, 65534, 65534) == 0 && !is_there("key"));
        cr_expect(chown(dir, 65534, 65534) == 0 && !is_there("mine"));
        cr_expect(chown(dir, 0, 0) == 0 && is_there("mine"));
    }
    rt_binary_drop(b);
    remove_dir();
}

Test(cache, links_are_not_followed) {
    use_dir();
    char real[100], link[100], name[RT_STORE_NAME];
    put("key", 100);
    rt_store_name("key", 3, name);
    snprintf(real, sizeof real, "%s/%s", dir, name), snprintf(link, sizeof link, "%s/real", dir);
    cr_assert(rename(real, link) == 0 && symlink(link, real) == 0);
    cr_expect(!is_there("key"));
    cr_expect_eq(unlink(real), 0);
    cr_assert(rename(link, real) == 0);
    cr_expect(is_there("key"));
    snprintf(real, sizeof real, "%s.real", dir);
    cr_assert(rename(dir, real) == 0 && symlink(real, dir) == 0);
    cr_expect(!is_there("key"));
    cr_assert(unlink(dir) == 0 && rename(real, dir) == 0);
    cr_expect(is_there("key"));
    remove_dir();
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

/* What goes beyond a limit on files would end the process; here it is not written. */
Test(cache, a_full_disk_is_no_failure) {
    use_dir();
    struct rlimit old, most;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    most = old;
    most.rlim_cur = 2000;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
    put("large", 5000), put("small", 100);
    cr_expect(!is_there("large") && is_there("small"));
    cr_expect_eq(count(), 2);
    job j = {.device = BZ_CPU};
    run(&j);
    setrlimit(RLIMIT_FSIZE, &old);
    remove_dir();
}

/* Whichever allocation fails: nothing is there, or all of it. */
Test(cache, memory_that_lacks_is_a_miss) {
    use_dir();
    put("key", 3000);
    for (long n = 0, there = 0; !there; n++) {
        bz_mem_fail_after(n);
        rt_binary *b = rt_store_get("key", 3);
        bz_mem_fail_after(-1);
        there = b != NULL;
        rt_binary_drop(b);
        cr_assert_lt(n, 100);
    }
    const rt_binary_kernel k = {"one", "key", 3, 1};
    for (long n = 0, made = 0; !made; n++) {
        bz_mem_fail_after(n);
        rt_binary *b = rt_binary_new(&k, 1, "code", 4, NULL);
        bz_mem_fail_after(-1);
        made = b != NULL;
        rt_binary_drop(b);
    }
    remove_dir();
}

/* ---- how much is kept */

static void used(const char *key, time_t seconds_ago) {
    const struct timespec t[2] = {{.tv_sec = time(NULL) - seconds_ago},
                                  {.tv_sec = time(NULL) - seconds_ago}};
    char name[RT_STORE_NAME];
    const int fd = open_dir();
    rt_store_name(key, strlen(key), name);
    cr_expect_eq(utimensat(fd, name, t, 0), 0);
    close(fd);
}

Test(cache, the_longest_unused_goes) {
    enum { EACH = 300 << 10 };
    use_dir();
    setenv("BRAZE_CACHE_MIB", "1", 1);
    put("a", EACH), put("b", EACH), put("c", EACH);
    used("a", 3000), used("b", 2000), used("c", 1000);
    cr_expect(is_there("a")); /* used now */
    put("d", EACH);           /* 1.2 MiB: down to three quarters of one */
    cr_expect(is_there("a") && !is_there("b") && !is_there("b, second") && !is_there("c"));
    cr_expect(is_there("d") && is_there("d, second"));
    put("whole", 2 << 20); /* more than all that may be kept */
    cr_expect(!is_there("whole") && is_there("d"));
    rt_store_files f = list();
    cr_expect(f.v.n == 4 && f.bytes < 2 * (EACH + 1000), "%u files, %d bytes", f.v.n, (int)f.bytes);
    bz_vec_free(&f.v);
    remove_dir();
}

/* ---- several processes */

enum { KEYS = 12, ROUNDS = 150 };

/* Puts, gets and throws away; what it gets is whole (is_there looks). */
static int hammer(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    for (int i = 0; i < ROUNDS; i++) {
        char key[32];
        snprintf(key, sizeof key, "key %d", rand_r(&seed) % KEYS);
        const int what = rand_r(&seed) % 16;
        rt_binary *b = rt_store_get(key, strlen(key));
        if (b && (b->nkernels != 2 || ((const char *)b->bytes)[b->n - 1] != 'x')) return 1;
        rt_binary_drop(b);
        if (what < 8) put(key, 1000 + 500 * (size_t)(rand_r(&seed) % 30));
        if (what == 8) {
            char why[RT_STORE_WHY];
            const int fd = rt_store_open(false, why);
            if (fd < 0) return 2;
            rt_store_trim(fd, 20000);
            close(fd);
        }
        if (what == 9) rt_store_reject(key, strlen(key), "for the test");
    }
    return 0;
}

static int temporaries(void) {
    rt_store_files f = list();
    int n = 0;
    for (uint32_t i = 0; i < f.v.n; i++) n += f.v.p[i].temporary;
    bz_vec_free(&f.v);
    return n;
}

Test(cache, processes_do_not_hurt_each_other) {
    enum { PROCESSES = 4 };
    use_dir();
    pid_t pid[PROCESSES];
    for (uintptr_t i = 0; i < PROCESSES; i++)
        if ((pid[i] = fork()) == 0) _exit(hammer((void *)(i + 1)));
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        waitpid(pid[i], &status, 0);
        cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == 0, "process %d: %d", i, status);
    }
    cr_expect_eq(temporaries(), 0);
    put("last", 10);
    cr_expect(is_there("last"));
    remove_dir();
}

/* The same program, cold, in two processes at once. */
Test(cache, two_cold_processes_at_once) {
    use_dir();
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
    remove_dir();
}

static void write_on(void) {
    for (unsigned i = 0;; i++) {
        char key[32];
        snprintf(key, sizeof key, "key %u", i % KEYS);
        put(key, 60000);
    }
}

/* Killed at any moment: what has a name is whole, and what has none goes after a while. */
Test(cache, a_killed_process_leaves_nothing_wrong) {
    use_dir();
    unsigned left = 0, there = 0;
    for (unsigned i = 0; i < 40; i++) {
        int status;
        pid_t pid = fork();
        if (pid == 0) write_on();
        nanosleep(&(struct timespec){.tv_nsec = 3000000 + 171000 * i}, NULL);
        kill(pid, SIGKILL);
        waitpid(pid, &status, 0);
        for (unsigned k = 0; k < KEYS; k++) {
            char key[32];
            snprintf(key, sizeof key, "key %u", k);
            there += is_there(key);
        }
    }
    rt_store_files f = list();
    const int fd = open_dir();
    for (uint32_t i = 0; i < f.v.n; i++) {
        if (!f.v.p[i].temporary) continue;
        left++;
        const struct timespec old[2] = {{.tv_sec = time(NULL) - 7200},
                                        {.tv_sec = time(NULL) - 7200}};
        cr_expect_eq(utimensat(fd, f.v.p[i].name, old, 0), 0);
    }
    bz_vec_free(&f.v);
    cr_expect(there > 0, "%u", there);
    fprintf(stderr, "%u files were left half-written\n", left);
    rt_store_trim(fd, UINT64_MAX);
    close(fd);
    cr_expect_eq(temporaries(), 0);
    remove_dir();
}

/* A process that is writing right now keeps its file. */
Test(cache, fresh_temporaries_stay) {
    use_dir();
    char path[100];
    put("a", 10);
    snprintf(path, sizeof path, "%s/.new.%d.0", dir, (int)getpid());
    const int fd = open(path, O_CREAT | O_WRONLY, 0600), at = open_dir();
    rt_store_trim(at, UINT64_MAX);
    cr_expect_eq(temporaries(), 1);
    close(fd), close(at);
    remove_dir();
}

/* ---- whose code it is */

typedef void look(int fd, const rt_store_file *f, const rt_binary *b);

static void for_each(look *f) {
    rt_store_files all = list();
    const int fd = open_dir();
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
    use_dir();
    job j = {.device = BZ_CPU};
    run(&j);
    for_each(has_the_build);
    remove_dir();
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
    use_dir();
    job j = {.device = BZ_CPU};
    run(&j);
    for_each(spoil);
    run(&j);
    for_each(is_code);
    j.warm = true;
    run(&j);
    remove_dir();
}
