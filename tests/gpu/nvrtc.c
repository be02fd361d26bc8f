/* nvrtc.c - the run-time compiler behind dlopen; nothing is linked, nothing is required. */
#include "nvrtc.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef void *program;

static struct {
    bool tried, ready;
    int (*create)(program *, const char *, const char *, int, const char *const *,
                  const char *const *);
    int (*compile)(program, int, const char *const *);
    int (*destroy)(program *);
    int (*ptx_size)(program, size_t *);
    int (*ptx)(program, char *);
    int (*log_size)(program, size_t *);
    int (*log)(program, char *);
} rtc;

static void *open_library(void) {
    const char *own = getenv("BRAZE_NVRTC");
    const char *const names[] = {own ? own : "libnvrtc.so.13", "libnvrtc.so.13", "libnvrtc.so.12",
                                 "/usr/local/cuda/lib64/libnvrtc.so"};
    if (own) return dlopen(own, RTLD_NOW | RTLD_LOCAL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        void *library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
        if (library) return library;
    }
    return NULL;
}

static bool bind(void *library, void *to, const char *name) {
    void *symbol = dlsym(library, name);
    memcpy(to, &symbol, sizeof symbol);
    return symbol != NULL;
}

bool nvrtc_present(void) {
    if (rtc.tried) return rtc.ready;
    rtc.tried = true;
    void *lib = open_library();
    rtc.ready = lib && bind(lib, &rtc.create, "nvrtcCreateProgram") &&
                bind(lib, &rtc.compile, "nvrtcCompileProgram") &&
                bind(lib, &rtc.destroy, "nvrtcDestroyProgram") &&
                bind(lib, &rtc.ptx_size, "nvrtcGetPTXSize") && bind(lib, &rtc.ptx, "nvrtcGetPTX") &&
                bind(lib, &rtc.log_size, "nvrtcGetProgramLogSize") &&
                bind(lib, &rtc.log, "nvrtcGetProgramLog");
    return rtc.ready;
}

enum { FLAGS = 64, FLAG_BYTES = 512 };
static char flags[FLAGS][FLAG_BYTES];
static int n_flags;

bool nvrtc_flag(char letter, const char *value) {
    if (n_flags == FLAGS || strlen(value) + 3 > FLAG_BYTES) return false;
    snprintf(flags[n_flags++], FLAG_BYTES, "-%c%s", letter, value);
    return true;
}

static void keep_log(program p, char *log, size_t cap) {
    size_t size = 0;
    if (cap > 0) log[0] = '\0';
    if (rtc.log_size(p, &size) != 0 || size == 0) return;
    char *all = malloc(size);
    if (all && rtc.log(p, all) == 0) snprintf(log, cap, "%s", all);
    free(all);
}

static char *take_ptx(program p) {
    size_t size = 0;
    if (rtc.ptx_size(p, &size) != 0 || size == 0) return NULL;
    char *text = malloc(size);
    if (text && rtc.ptx(p, text) != 0) {
        free(text);
        text = NULL;
    }
    return text;
}

static char *compile(const char *source, const char *name, const char *arch, bool lines, char *log,
                     size_t cap) {
    const char *options[FLAGS + 4] = {arch, "--std=c++17"};
    int n = 2;
    if (!n_flags) options[n++] = "--minimal"; /* headers of the toolkit want all of it */
    if (lines) options[n++] = "-lineinfo";
    for (int k = 0; k < n_flags; k++) options[n++] = flags[k];
    program p = NULL;
    if (!nvrtc_present() || rtc.create(&p, source, name, 0, NULL, NULL) != 0) {
        snprintf(log, cap, "no compiler");
        return NULL;
    }
    char *text = rtc.compile(p, n, options) == 0 ? take_ptx(p) : NULL;
    keep_log(p, log, cap);
    rtc.destroy(&p);
    return text;
}

char *nvrtc_compile(const char *source, const char *name, unsigned sm, bool lines, char *log,
                    size_t cap) {
    char arch[40];
    snprintf(arch, sizeof arch, "-arch=compute_%u%s", sm % NVRTC_OWN, sm > NVRTC_OWN ? "a" : "");
    return compile(source, name, arch, lines, log, cap);
}

bool nvrtc_assembles(const char *source, const char *name, unsigned sm, char *log, size_t cap) {
    char arch[40];
    snprintf(arch, sizeof arch, "-arch=sm_%u%s", sm % NVRTC_OWN, sm > NVRTC_OWN ? "a" : "");
    char *text = compile(source, name, arch, false, log, cap);
    free(text);
    return text != NULL;
}
