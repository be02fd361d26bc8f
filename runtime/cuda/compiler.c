/* compiler.c - which NVRTC compiles: part of the key of code that is kept. Opening it costs more than all code of a program that lies on
 * disk, so a note there says what it was:
 *
 *     $BRAZE_NVRTC as it was | its file, bytes, time of change | version
 *
 * A note holds as long as that file is as it was. Whoever compiles opens the library and writes a better one where it does not. */
#include "runtime/cuda/cuda.h"
#include "runtime/exec/store.h"
#include "src/codegen/nvrtc.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* All but the version, of a library's file. */
static void describe(bz_text *t, const char *file) {
    struct stat s = {0};
    if (stat(file, &s)) s.st_size = -1;
    bz_textf(t, "%s\n%s\n%lld %lld.%09ld\n", nvrtc_chosen(), file, (long long)s.st_size,
             (long long)s.st_mtim.tv_sec, s.st_mtim.tv_nsec);
}

/* The version that the note tells; 0: none, or of a library that is no longer so. gone: told in any case. */
static unsigned noted(bool gone) {
    char *note = rt_store_note(RT_STORE_NVRTC);
    const char *file = note ? strchr(note, '\n') : NULL;
    bz_text now = {0};
    unsigned version = 0;
    if (file) {
        const char *end = strchr(file + 1, '\n'), *rest = end ? strchr(end + 1, '\n') : NULL;
        if (rest) {
            bz_text path = {0};
            bz_text_add(&path, file + 1, (size_t)(end - file - 1));
            describe(&now, bz_text_c(&path));
            if (gone || (now.n == (size_t)(rest + 1 - note) && !memcmp(now.p, note, now.n)))
                version = (unsigned)strtoul(rest + 1, NULL, 10);
            bz_text_free(&path);
        }
    }
    bz_text_free(&now);
    bz_mem_free(note);
    return version;
}

static void write_note(void) {
    char file[PATH_MAX];
    bz_text t = {0};
    if (!nvrtc_file() || !realpath(nvrtc_file(), file)) return;
    describe(&t, file);
    bz_textf(&t, "%d\n", nvrtc_version());
    if (!t.failed) rt_store_write_note(RT_STORE_NVRTC, bz_text_c(&t));
    bz_text_free(&t);
}

static _Atomic(unsigned) told; /* from a note; 0: never */

/* Without a library, code that an earlier one compiled still runs. */
bz_status cuda_compiler(unsigned *version, bz_error *e) {
    bz_error own = {0};
    *version = (unsigned)nvrtc_version();
    if (*version) return BZ_OK;
    if (!(*version = noted(false))) {
        const bz_status s = nvrtc_open(&own);
        if (!s) write_note();
        *version = s ? noted(true) : (unsigned)nvrtc_version();
        if (!*version) return bz_fail(e, s, "%s", own.text);
    }
    if (!nvrtc_version()) told = *version;
    return BZ_OK;
}

/* Where it is not, keys of this process may have the other's version: nothing is kept from now on, and the next process knows better. */
bool cuda_compiler_is_as_told(void) {
    static _Atomic(bool) noted_again;
    const unsigned is = (unsigned)nvrtc_version();
    if (!told || told == is) return is != 0;
    if (is && !atomic_exchange(&noted_again, true)) write_note();
    return false;
}
