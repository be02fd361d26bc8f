/* test_store.c - the files of code that is kept on disk: damaged, foreign or untrusted ones, eviction, several processes, processes that
 * are killed, disks that are full. test_cache.c looks at whole programs. */
#include "tests/support/cache_dir.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

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
    snprintf(path, sizeof path, "%s/%s", cache_dir, name);
    unlink(path);
    const int fd = open(path, O_CREAT | O_WRONLY | O_TRUNC, 0600);
    cr_assert(fd >= 0 && write(fd, bytes, n) == (ssize_t)n);
    fchmod(fd, mode);
    close(fd);
}

Test(store, what_was_put_is_there) {
    cache_dir_use();
    put("a", 1000), put("b", 1);
    cr_expect(is_there("a") && is_there("b") && is_there("a, second"));
    cr_expect(!is_there("c") && !is_there("") && !is_there("a, third"));
    cr_expect_eq(cache_dir_count(), 4);
    put("a", 1000); /* another process did the same */
    cr_expect(is_there("a") && is_there("a, second"));
    cr_expect_eq(cache_dir_count(), 4);
    cache_dir_remove();
}

/* Every bit of the head, bits all over the rest, every length: a miss, and the file is gone. */
Test(store, a_damaged_file_is_a_miss) {
    cache_dir_use();
    rt_binary *b = some("key", 700);
    char *bytes = malloc(b->size + 1);
    cr_assert(bytes);
    for (size_t at = 0; at < b->size; at += at < 100 ? 1 : 7)
        for (unsigned bit = 0; bit < 8; bit += at < 60 ? 1 : 3) {
            memcpy(bytes, b->block, b->size);
            bytes[at] ^= (char)(1 << bit);
            place("key", bytes, b->size, 0600);
            cr_expect(!is_there("key"), "byte %zu, bit %u", at, bit);
            cr_expect_eq(cache_dir_count(), 0, "byte %zu, bit %u", at, bit);
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
    cache_dir_remove();
}

/* Sums that are right do not make parts that fit: blocks with any words in the head are refused, or read within their bounds. */
Test(store, a_head_may_say_anything) {
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

Test(store, what_others_may_write_is_not_read) {
    cache_dir_use();
    rt_binary *b = some("key", 100);
    put("mine", 100);
    static const mode_t bad[] = {0620, 0602, 0666};
    for (unsigned i = 0; i < BZ_LEN(bad); i++) {
        place("key", b->block, b->size, bad[i]);
        cr_expect(!is_there("key"), "file %o", bad[i]);
        chmod(cache_dir, bad[i] | 0111);
        cr_expect(!is_there("mine"), "directory %o", bad[i]);
        put("never", 100);
        chmod(cache_dir, 0700);
        cr_expect(is_there("mine") && !is_there("never"));
    }
    if (geteuid() == 0) { /* only root gives things away */
        place("key", b->block, b->size, 0600);
        char name[RT_STORE_NAME], path[200];
        rt_store_name("key", 3, name);
        snprintf(path, sizeof path, "%s/%s", cache_dir, name);
        cr_expect(chown(path, 65534, 65534) == 0 && !is_there("key"));
        cr_expect(chown(cache_dir, 65534, 65534) == 0 && !is_there("mine"));
        cr_expect(chown(cache_dir, 0, 0) == 0 && is_there("mine"));
    }
    rt_binary_drop(b);
    cache_dir_remove();
}

Test(store, links_are_not_followed) {
    cache_dir_use();
    char real[100], link[100], name[RT_STORE_NAME];
    put("key", 100);
    rt_store_name("key", 3, name);
    snprintf(real, sizeof real, "%s/%s", cache_dir, name),
        snprintf(link, sizeof link, "%s/real", cache_dir);
    cr_assert(rename(real, link) == 0 && symlink(link, real) == 0);
    cr_expect(!is_there("key"));
    cr_expect_eq(unlink(real), 0);
    cr_assert(rename(link, real) == 0);
    cr_expect(is_there("key"));
    snprintf(real, sizeof real, "%s.real", cache_dir);
    cr_assert(rename(cache_dir, real) == 0 && symlink(real, cache_dir) == 0);
    cr_expect(!is_there("key"));
    cr_assert(unlink(cache_dir) == 0 && rename(real, cache_dir) == 0);
    cr_expect(is_there("key"));
    cache_dir_remove();
}

/* ---- what cannot be written */

/* What goes beyond a limit on files would end the process; here it is not written. */
Test(store, a_full_disk_is_no_failure) {
    cache_dir_use();
    struct rlimit old, most;
    cr_assert_eq(getrlimit(RLIMIT_FSIZE, &old), 0);
    most = old;
    most.rlim_cur = 2000;
    cr_assert_eq(setrlimit(RLIMIT_FSIZE, &most), 0);
    put("large", 5000), put("small", 100);
    cr_expect(!is_there("large") && is_there("small"));
    cr_expect_eq(cache_dir_count(), 2);
    setrlimit(RLIMIT_FSIZE, &old);
    cache_dir_remove();
}

/* A file system of 64 KiB in the directory's place, of this process alone; false: not allowed here. */
static bool small_disk(void) {
    return unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
           mount("none", cache_dir, "tmpfs", 0, "size=64k,mode=700") == 0;
}

Test(store, a_disk_without_room_keeps_what_fits) {
    cache_dir_use();
    if (small_disk()) {
        put("large", 200000), put("small", 100);
        cr_expect(!is_there("large") && is_there("small"));
        cr_expect_eq(cache_dir_count(), 2, "half of a file is left");
        cr_assert_eq(mount(NULL, cache_dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), 0);
        put("other", 100);
        cr_expect(!is_there("other") && is_there("small"));
        rt_store_reject("small", 5, "for the test"); /* it cannot go */
        cr_expect(is_there("small"));
        umount(cache_dir);
    } else {
        fprintf(stderr, "skipped: no disk can be made here\n");
    }
    cache_dir_remove();
}

/* Whichever allocation fails: nothing is there, or all of it. */
Test(store, memory_that_lacks_is_a_miss) {
    cache_dir_use();
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
    cache_dir_remove();
}

/* ---- how much is kept */

static void used(const char *key, time_t seconds_ago) {
    const struct timespec t[2] = {{.tv_sec = time(NULL) - seconds_ago},
                                  {.tv_sec = time(NULL) - seconds_ago}};
    char name[RT_STORE_NAME];
    const int fd = cache_dir_open();
    rt_store_name(key, strlen(key), name);
    cr_expect_eq(utimensat(fd, name, t, 0), 0);
    close(fd);
}

Test(store, the_longest_unused_goes) {
    enum { EACH = 300 << 10 };
    cache_dir_use();
    setenv("BRAZE_CACHE_MIB", "1", 1);
    put("a", EACH), put("b", EACH), put("c", EACH);
    used("a", 3000), used("b", 2000), used("c", 1000);
    cr_expect(is_there("a")); /* used now */
    put("d", EACH);           /* 1.2 MiB: down to three quarters of one */
    cr_expect(is_there("a") && !is_there("b") && !is_there("b, second") && !is_there("c"));
    cr_expect(is_there("d") && is_there("d, second"));
    put("whole", 2 << 20); /* more than all that may be kept */
    cr_expect(!is_there("whole") && is_there("d"));
    rt_store_files f = cache_dir_list();
    cr_expect(f.v.n == 4 && f.bytes < 2 * (EACH + 1000), "%u files, %d bytes", f.v.n, (int)f.bytes);
    bz_vec_free(&f.v);
    cache_dir_remove();
}

static int put_many(void *arg) {
    for (unsigned i = 0; i < 4; i++) {
        char key[32];
        snprintf(key, sizeof key, "%s %u", (const char *)arg, i);
        put(key, 300 << 10);
    }
    return 0;
}

/* Each process is within the limit by what it has put itself. */
Test(store, what_others_put_counts) {
    cache_dir_use();
    setenv("BRAZE_CACHE_MIB", "2", 1);
    put("first", 1000); /* this process has looked now: it is nearly empty */
    cr_expect_eq(in_child(put_many, "theirs"), 0);
    put_many("ours");
    rt_store_files f = cache_dir_list();
    cr_expect_leq(f.bytes, 2 << 20, "%d bytes", (int)f.bytes);
    bz_vec_free(&f.v);
    cache_dir_remove();
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
    rt_store_files f = cache_dir_list();
    int n = 0;
    for (uint32_t i = 0; i < f.v.n; i++) n += f.v.p[i].temporary;
    bz_vec_free(&f.v);
    return n;
}

Test(store, processes_do_not_hurt_each_other) {
    enum { PROCESSES = 4 };
    cache_dir_use();
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
    cache_dir_remove();
}

static void write_on(void) {
    for (unsigned i = 0;; i++) {
        char key[32];
        snprintf(key, sizeof key, "key %u", i % KEYS);
        put(key, 60000);
    }
}

/* Killed at any moment: what has a name is whole, and what has none goes after a while. */
Test(store, a_killed_process_leaves_nothing_wrong) {
    cache_dir_use();
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
    rt_store_files f = cache_dir_list();
    const int fd = cache_dir_open();
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
    cache_dir_remove();
}

/* A process that is writing right now keeps its file. */
Test(store, fresh_temporaries_stay) {
    cache_dir_use();
    char path[100];
    put("a", 10);
    snprintf(path, sizeof path, "%s/.new.%d.0", cache_dir, (int)getpid());
    const int fd = open(path, O_CREAT | O_WRONLY, 0600), at = cache_dir_open();
    rt_store_trim(at, UINT64_MAX);
    cr_expect_eq(temporaries(), 1);
    close(fd), close(at);
    cache_dir_remove();
}
