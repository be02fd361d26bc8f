/* test_files.c - files that are replaced together: all of them or none, whatever fails on the way and whoever was killed before.
 *
 * The program has its own rename and renameat2, in front of libc's: the n-th call fails, or ends the process. */
#include "runtime/io/array.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { FILES = 3, NEVER = 99 };

static int fail_at = NEVER, kill_at = NEVER, exchanges = 1, calls;

static bool stopped(void) {
    if (calls == kill_at) _exit(7);
    return calls++ == fail_at;
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    if (!exchanges && flags) return errno = EINVAL, -1;
    if (stopped()) return errno = EPERM, -1;
    return (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

int rename(const char *from, const char *to) {
    if (stopped()) return errno = EPERM, -1;
    return (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

static char dir[64];

static void path_of(char path[96], int i) {
    static const char *const names[FILES] = {"step.o", "step.h", "braze_rt.o"};
    snprintf(path, 96, "%s/%s", dir, names[i]);
}

static bz_status replace(const char *text, bz_error *e) {
    char paths[FILES][96];
    rt_file f[FILES];
    rt_piece piece = {text, strlen(text)};
    for (int i = 0; i < FILES; i++) {
        path_of(paths[i], i);
        f[i] = (rt_file){.path = paths[i], .pieces = &piece, .npieces = 1};
    }
    calls = 0;
    return rt_files_replace(f, FILES, e);
}

/* What lies in file i: "" when there is none. */
static void read_file(int i, char out[16]) {
    char path[96];
    path_of(path, i);
    FILE *f = fopen(path, "rb");
    size_t n = f ? fread(out, 1, 15, f) : 0;
    out[n] = 0;
    if (f) fclose(f);
}

static void expect_all(const char *want, const char *what) {
    char got[16];
    for (int i = 0; i < FILES; i++) {
        read_file(i, got);
        cr_expect_str_eq(got, want, "%s: file %d is '%s', not '%s'", what, i, got, want);
    }
}

/* Nothing else lies in the directory. */
static int others(void) {
    int n = 0;
    DIR *d = opendir(dir);
    for (const struct dirent *x; (x = readdir(d));) n += strstr(x->d_name, ".tmp.") != NULL;
    closedir(d);
    return n;
}

static void remove_all(void) {
    char path[400];
    DIR *d = opendir(dir);
    for (const struct dirent *x; (x = readdir(d));) {
        snprintf(path, sizeof path, "%s/%s", dir, x->d_name);
        if (x->d_name[0] != '.') unlink(path);
    }
    closedir(d);
    rmdir(dir);
}

static void begin(void) {
    strcpy(dir, "/tmp/braze-files-XXXXXX");
    cr_assert(mkdtemp(dir));
    fail_at = kill_at = NEVER;
}

/* The n-th rename fails, n = 0, 1 ... until none does. */
static void fail_each(const char *before) {
    bool failed = true;
    for (int n = 0; failed && n < 10; n++) {
        bz_error e = {0};
        begin();
        if (*before) cr_assert_eq(replace(before, NULL), BZ_OK);
        fail_at = n;
        failed = replace("new", &e) != BZ_OK;
        expect_all(failed ? before : "new", before);
        cr_expect_eq(others(), 0);
        cr_expect(!failed || (e.status == BZ_EIO && strstr(e.text, "cannot write")), "%s", e.text);
        remove_all();
    }
    cr_expect(!failed);
}

Test(files, a_failure_leaves_the_old_ones) {
    for (exchanges = 0; exchanges <= 1; exchanges++) {
        fail_each("old");
        fail_each("");
    }
}

/* A process killed before its n-th rename; each file is whole, and the next export clears up. */
Test(files, what_a_killed_process_left_goes) {
    for (exchanges = 0; exchanges <= 1; exchanges++)
        for (int n = 0; n < FILES; n++) {
            int status;
            char got[16];
            begin();
            cr_assert_eq(replace("old", NULL), BZ_OK);
            pid_t pid = fork();
            if (pid == 0) {
                kill_at = n;
                replace("new", NULL);
                _exit(0);
            }
            waitpid(pid, &status, 0);
            cr_expect_eq(WEXITSTATUS(status), 7);
            cr_expect_gt(others(), 0);
            for (int i = 0; i < FILES; i++) {
                read_file(i, got);
                cr_expect(!strcmp(got, "old") || !strcmp(got, "new"), "file %d is '%s'", i, got);
            }
            cr_assert_eq(replace("next", NULL), BZ_OK);
            expect_all("next", "after a killed one");
            cr_expect_eq(others(), 0);
            remove_all();
        }
}

/* Of another's, of one that lives, and of what only looks like one, nothing goes. */
Test(files, nothing_else_goes) {
    static const char *const names[] = {"step.o.tmp.x.0", "step.o.tmp.99999999",
                                        "step.o.tmp.99999999.0x", "other.o.tmp.99999999.0",
                                        "step.o.tmp.1.0" /* lives */};
    char path[128];
    begin();
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, names[i]);
        close(open(path, O_CREAT | O_WRONLY, 0666));
    }
    cr_assert_eq(replace("new", NULL), BZ_OK);
    cr_expect_eq(others(), (int)(sizeof names / sizeof *names));
    remove_all();
}
