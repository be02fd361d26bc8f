/* cache_dir.c - see cache_dir.h. */
#include "tests/support/cache_dir.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

char cache_dir[64];

void cache_dir_remove(void) {
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", cache_dir);
    if (*cache_dir && system(command)) perror(cache_dir);
}

void cache_dir_use(void) {
    strcpy(cache_dir, "/tmp/braze-cache-XXXXXX");
    cr_assert(mkdtemp(cache_dir));
    setenv("BRAZE_CACHE_DIR", cache_dir, 1);
    chmod(cache_dir, 0700);
}

int in_child(int (*f)(void *), void *arg) {
    int status;
    fflush(NULL);
    pid_t pid = fork();
    cr_assert(pid >= 0);
    if (pid == 0) _exit(f(arg));
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int cache_dir_open(void) {
    char why[RT_STORE_WHY];
    const int fd = rt_store_open(true, why);
    cr_assert_geq(fd, 0, "%s", why);
    return fd;
}

rt_store_files cache_dir_list(void) {
    rt_store_files f = {{0}, 0};
    const int fd = cache_dir_open();
    cr_assert(rt_store_list(fd, &f));
    close(fd);
    return f;
}

uint32_t cache_dir_count(void) {
    rt_store_files f = cache_dir_list();
    const uint32_t n = f.v.n;
    bz_vec_free(&f.v);
    return n;
}
