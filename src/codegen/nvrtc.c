/* nvrtc.c - see nvrtc.h. No header of NVIDIA's is needed: these functions and their numbers have not changed since CUDA 11.1. */
#include "src/codegen/nvrtc.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct nvrtc_program nvrtc_program;
enum { FLAGS = 8 }; /* options of $BRAZE_NVRTCFLAGS */

/* X(result, name, parameters) */
#define FUNCTIONS(X)                                                                               \
    X(int, Version, (int *, int *))                                                                \
    X(const char *, GetErrorString, (int))                                                         \
    X(int, CreateProgram,                                                                          \
      (nvrtc_program **, const char *, const char *, int, const char *const *,                     \
       const char *const *))                                                                       \
    X(int, DestroyProgram, (nvrtc_program **))                                                     \
    X(int, CompileProgram, (nvrtc_program *, int, const char *const *))                            \
    X(int, GetPTXSize, (nvrtc_program *, size_t *))                                                \
    X(int, GetPTX, (nvrtc_program *, char *))                                                      \
    X(int, GetCUBINSize, (nvrtc_program *, size_t *))                                              \
    X(int, GetCUBIN, (nvrtc_program *, char *))                                                    \
    X(int, GetProgramLogSize, (nvrtc_program *, size_t *))                                         \
    X(int, GetProgramLog, (nvrtc_program *, char *))

/* Since CUDA 11.2 */
#define MAY_FUNCTIONS(X)                                                                           \
    X(int, GetNumSupportedArchs, (int *))                                                          \
    X(int, GetSupportedArchs, (int *))

static struct {
#define MEMBER(result, name, parameters) result(*name) parameters;
    FUNCTIONS(MEMBER)
    MAY_FUNCTIONS(MEMBER)
#undef MEMBER
    int version;
} api;
static _Atomic(bool) is_open; /* nvrtc_version looks without the lock */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the library */

static bool take_functions(void *lib) {
    bool all = true;
#define TAKE(result, name, parameters)                                                             \
    *(void **)&api.name = dlsym(lib, "nvrtc" #name);                                               \
    all &= api.name != NULL;
    MAY_FUNCTIONS(TAKE)
    all = true;
    FUNCTIONS(TAKE)
#undef TAKE
    int major = 0, minor = 0;
    if (!all || api.Version(&major, &minor)) return false;
    api.version = major * 1000 + minor * 10;
    return true;
}

static bool open_at(const char *path, bz_text *tried) {
    void *lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (lib && take_functions(lib)) return true;
    const char *why = lib ? "it lacks functions of NVRTC" : dlerror();
    bz_textf(tried, "\n  %s: %s", path, why ? why : "?");
    if (lib) dlclose(lib);
    return false;
}

const char *nvrtc_chosen(void) {
    const char *own = secure_getenv("BRAZE_NVRTC");
    return own ? own : "";
}

static bool open_any(bz_text *tried) {
    static const char *const places[] = {"libnvrtc.so.13", "libnvrtc.so.12",
                                         "/usr/local/cuda/lib64/libnvrtc.so.13",
                                         "/usr/local/cuda/lib64/libnvrtc.so.12"};
    if (*nvrtc_chosen()) return open_at(nvrtc_chosen(), tried);
    for (size_t i = 0; i < BZ_LEN(places); i++)
        if (open_at(places[i], tried)) return true;
    return false;
}

bz_status nvrtc_open(bz_error *e) {
    bz_text tried = {0};
    pthread_mutex_lock(&lock);
    if (!is_open) is_open = open_any(&tried);
    const bool done = is_open;
    pthread_mutex_unlock(&lock);
    if (!done)
        bz_fail(e, BZ_ECOMPILE,
                "no usable NVRTC, the compiler of CUDA C (set BRAZE_NVRTC to its path); tried:%s",
                bz_text_c(&tried));
    bz_text_free(&tried);
    return done ? BZ_OK : BZ_ECOMPILE;
}

int nvrtc_version(void) {
    return is_open ? api.version : 0;
}

const char *nvrtc_file(void) {
    Dl_info at;
    void *f;
    if (!is_open) return NULL;
    memcpy(&f, &api.Version, sizeof f);
    return dladdr(f, &at) ? at.dli_fname : NULL;
}

bool nvrtc_knows(unsigned cc) {
    enum { OLDEST = 75, NEWEST = 86 }; /* of those that cannot be asked */
    int known[64], n = 0;
    bool found = false;
    if (!is_open) return false;
    if (!api.GetNumSupportedArchs || !api.GetSupportedArchs || api.GetNumSupportedArchs(&n) ||
        n > (int)BZ_LEN(known) || api.GetSupportedArchs(known))
        return cc >= OLDEST && cc <= NEWEST;
    for (int i = 0; i < n; i++) found |= known[i] == (int)cc;
    return found;
}

/* ---- a compilation */

typedef int size_fn(nvrtc_program *, size_t *);
typedef int bytes_fn(nvrtc_program *, char *);

static char *get(nvrtc_program *p, size_fn *size, bytes_fn *bytes, size_t *n) {
    *n = 0;
    if (size(p, n)) return NULL;
    char *own = bz_mem_alloc(*n + 1);
    if (!own) return NULL;
    own[*n] = 0;
    if (!bytes(p, own)) return own;
    bz_mem_free(own);
    return NULL;
}

/* A line of the text that begins a function. */
static bool begins_function(const char *line) {
    return strncmp(line, "extern \"C\" __global__", 21) == 0 ||
           strncmp(line, "static __device__", 17) == 0;
}

/* Lines n - 2 .. n + 2 of the text, below the line that begins the function they are in: it has the name of the op. */
static void quote(bz_text *o, const char *text, long n) {
    const char *function = NULL;
    long at = 0;
    for (long line = 1; *text && line <= n + 2; line++) {
        const size_t length = strcspn(text, "\n");
        if (begins_function(text)) function = text, at = line;
        if (line == n - 2 && function && at < line)
            bz_textf(o, "\n  %6ld  %.*s", at, (int)strcspn(function, "("), function);
        if (line >= n - 2)
            bz_textf(o, "\n  %s%5ld  %.*s", line == n ? ">" : " ", line, (int)length, text);
        text += length + (text[length] == '\n');
    }
}

/* The first error in the log, "braze.cu(12): error: ...", with its lines. */
static bz_status say(const char *text, const char *log, int code, bz_error *e) {
    const char *at = log ? strstr(log, "): error") : NULL;
    bz_text o = {0};
    while (at && at > log && at[-1] != '\n') at--;
    if (at) {
        const char *paren = strchr(at, '(');
        bz_textf(&o, "%.*s", (int)strcspn(at, "\n"), at);
        quote(&o, text, paren ? strtol(paren + 1, NULL, 10) : 0);
    } else {
        bz_textf(&o, "%s%s%s", api.GetErrorString(code), log && *log ? ": " : "", log ? log : "");
    }
    bz_fail(e, BZ_ECOMPILE, "[nvrtc] %s", bz_text_c(&o));
    bz_text_free(&o);
    return BZ_ECOMPILE;
}

const char *nvrtc_flags(void) {
    const char *flags = secure_getenv("BRAZE_NVRTCFLAGS");
    return flags ? flags : "";
}

/* The words of those flags, each with its 0, appended to `all`. */
static unsigned add_flags(char *words, size_t room, const char **all) {
    unsigned n = 0;
    char *save = NULL;
    snprintf(words, room, "%s", nvrtc_flags());
    for (char *w = strtok_r(words, " ", &save); w && n < FLAGS; w = strtok_r(NULL, " ", &save))
        all[n++] = w;
    return n;
}

static bz_status run(nvrtc_program *p, const char *text, unsigned cc, bool cubin, nvrtc_image *out,
                     bz_error *e) {
    char arch[32], words[400];
    snprintf(arch, sizeof arch, "-arch=%s_%u", cubin ? "sm" : "compute", cc);
    const char *options[4 + FLAGS] = {arch, "--fmad=false", "--minimal", "--ptxas-options=-v"};
    const unsigned own = cubin ? 4 : 3, more = add_flags(words, sizeof words, options + own);
    const int code = api.CompileProgram(p, (int)(own + more), options);
    size_t n;
    out->log = get(p, api.GetProgramLogSize, api.GetProgramLog, &n);
    if (code) return say(text, out->log, code, e);
    out->ptx = get(p, api.GetPTXSize, api.GetPTX, &out->ptx_bytes);
    if (cubin) out->cubin = get(p, api.GetCUBINSize, api.GetCUBIN, &out->cubin_bytes);
    return out->ptx && (out->cubin || !cubin) ? BZ_OK : bz_fail(e, BZ_ENOMEM, "out of memory");
}

bz_status nvrtc_compile(const char *text, unsigned cc, bool cubin, nvrtc_image *out, bz_error *e) {
    nvrtc_program *p = NULL;
    *out = (nvrtc_image){0};
    bz_status s = nvrtc_open(e);
    if (s) return s;
    const int code = api.CreateProgram(&p, text, "braze.cu", 0, NULL, NULL);
    s = code ? say(text, NULL, code, e) : run(p, text, cc, cubin, out, e);
    if (!code) api.DestroyProgram(&p);
    if (s) nvrtc_image_free(out);
    return s;
}

void nvrtc_image_free(nvrtc_image *i) {
    bz_mem_free(i->ptx);
    bz_mem_free(i->cubin);
    bz_mem_free(i->log);
    *i = (nvrtc_image){0};
}
