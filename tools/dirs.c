/* dirs.c - directories that are missing on the way to a file that is to be written, and that go again when it was not. */
#include "tools/tool.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MOST_SHOWN = 300 }; /* of a path */

static void make_one(tool_dirs *d, const char *path, size_t n, bz_error *e) {
    char *dir = bz_arena_alloc(&d->names, n + 1);
    if (!dir || !bz_vec_reserve(&d->made, 1)) {
        bz_fail(e, BZ_ENOMEM, "out of memory");
        return;
    }
    memcpy(dir, path, n);
    dir[n] = 0;
    if (mkdir(dir, 0777) == 0)
        bz_vec_push(&d->made, dir);
    else if (errno != EEXIST) /* the end of a long path says more, and there is room for the reason */
        bz_fail(e, BZ_EIO, "cannot make the directory %s%s: %s", n > MOST_SHOWN ? "..." : "",
                n > MOST_SHOWN ? dir + n - MOST_SHOWN : dir, strerror(errno));
}

void tool_dirs_for(tool_dirs *d, const char *path, bz_error *e) {
    for (const char *slash = strchr(path, '/'); slash && !e->status; slash = strchr(slash + 1, '/'))
        if (slash > path) make_one(d, path, (size_t)(slash - path), e);
}

void tool_dirs_done(tool_dirs *d, bool keep) {
    for (uint32_t i = d->made.n; i-- > 0 && !keep;) rmdir(d->made.p[i]);
    bz_vec_free(&d->made);
    bz_arena_free(&d->names);
}
