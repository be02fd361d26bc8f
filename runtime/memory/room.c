/* room.c - how much memory this process can have at all: what is more is refused before a page of it is touched.
 *
 * The system promises more than it has, and kills when the promise is called in. So the bound is memory and swap of the
 * machine, or less where a control group (a container) allows less. Limits of the process (ulimit -v) are the system's to say. */
#include "runtime/memory/memory.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysinfo.h>

static int64_t most = BZ_BYTES_MOST;
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* A limit in a file of /sys; one that says "max" is none. */
static void heed_file(const char *path) {
    FILE *f = fopen(path, "re");
    int64_t n;
    if (f && fscanf(f, "%" SCNd64, &n) == 1 && n > 0 && n < most) most = n;
    if (f) fclose(f);
}

/* The control group of this process, and the one at the root: in a container that is its own. */
static void heed_groups(void) {
    char line[512], path[600];
    FILE *f = fopen("/proc/self/cgroup", "re");
    while (f && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        const char *v1 = strstr(line, ":memory:");
        if (strncmp(line, "0::", 3) == 0)
            snprintf(path, sizeof path, "/sys/fs/cgroup%s/memory.max", line + 3);
        else if (v1)
            snprintf(path, sizeof path, "/sys/fs/cgroup/memory%s/memory.limit_in_bytes", v1 + 8);
        else
            continue;
        heed_file(path);
    }
    if (f) fclose(f);
    heed_file("/sys/fs/cgroup/memory.max");
    heed_file("/sys/fs/cgroup/memory/memory.limit_in_bytes");
}

static void look(void) {
    struct sysinfo s;
    if (sysinfo(&s) == 0) {
        double all = ((double)s.totalram + (double)s.totalswap) * s.mem_unit;
        if (all < (double)most) most = (int64_t)all;
    }
    heed_groups();
}

int64_t rt_memory_most(void) {
    pthread_once(&once, look);
    return most;
}

bz_status rt_check_room(const rt_memory *m, int64_t bytes, const char *what, bz_error *e) {
    char need[32], have[32];
    if (bytes <= rt_memory_size(m)) return BZ_OK;
    bz_size_text(need, (double)bytes);
    bz_size_text(have, (double)rt_memory_size(m));
    return bz_fail(e, BZ_ENOMEM, "out of memory: %s %s, %s has %s", what,
                   bytes == BZ_TOO_MANY ? "8 EiB or more" : need,
                   m->most ? "the device" : "this machine", have);
}
