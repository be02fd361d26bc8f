/* plugin.c - finds and opens libbraze-llvm.so, and passes the calls of codegen.h on to it.
 *
 *     cg_compile --> cg_open: places --dlopen--> entry --size, ABI, stamp--> kept for good
 *
 * The plug-in is opened at most once and never closed. A failed search is made again at the next
 * call: someone may have installed it meanwhile. */
#include "src/codegen/plugin.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const cg_externals[] = {"fma", "fmaf", NULL};

static _Atomic(const cg_plugin *) opened;
static pthread_mutex_t opening = PTHREAD_MUTEX_INITIALIZER;

static const struct {
    const char *name;
    unsigned bytes;
} isas[CG_NISAS] = {
#define ISA(e, isa_name, width) {isa_name, width},
    CG_ISAS(ISA)
#undef ISA
};

const char *cg_isa_name(cg_isa isa) {
    return isas[isa].name;
}

unsigned cg_vector_bytes(cg_isa isa) {
    return isas[isa].bytes;
}

/* ---- opening */

/* NULL, or why this plug-in cannot be used. */
static const char *mismatch(const cg_plugin *p) {
    if (p->size != sizeof *p || p->abi != LP_ABI || p->stamp != cg_plugin_stamp())
        return "it is of another build";
    return NULL;
}

/* The plug-in in `file`, or NULL and a line in `tried`. */
static const cg_plugin *open_file(const char *file, bz_text *tried) {
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        bz_textf(tried, "\n  %s", dlerror());
        return NULL;
    }
    cg_plugin_entry *entry;
    *(void **)&entry = dlsym(handle, CG_PLUGIN_ENTRY);
    const cg_plugin *p = entry ? entry() : NULL;
    const char *why = p ? mismatch(p) : "it has no entry " CG_PLUGIN_ENTRY;
    if (!why) return p;
    bz_textf(tried, "\n  %s: %s", file, why);
    dlclose(handle);
    return NULL;
}

/* The plug-in in the directory of `path` (a file), in the one above, or in lib beside it: PREFIX/bin finds PREFIX/lib. */
static const cg_plugin *open_beside(const char *path, bz_text *tried) {
    static const char *const places[] = {"", "../", "../lib/"};
    const char *slash = path ? strrchr(path, '/') : NULL;
    const cg_plugin *p = NULL;
    for (unsigned i = 0; slash && !p && i < BZ_LEN(places); i++) {
        bz_text file = {0};
        bz_text_add(&file, path, (size_t)(slash - path) + 1);
        bz_text_str(&file, places[i]);
        bz_text_str(&file, CG_PLUGIN_FILE);
        tried->failed |= file.failed;
        p = file.failed ? NULL : open_file(file.p, tried);
        tried->failed |= file.failed;
        bz_text_free(&file);
    }
    return p;
}

static const cg_plugin *search(bz_text *tried) {
    const char *chosen = getenv("BRAZE_LLVM");
    if (chosen && *chosen) return open_file(chosen, tried);
    Dl_info self;
    const cg_plugin *p = NULL;
    if (dladdr(&opened, &self)) p = open_beside(self.dli_fname, tried);
    char exe[PATH_MAX];
    ssize_t n = p ? -1 : readlink("/proc/self/exe", exe, sizeof exe - 1);
    if (n > 0) {
        exe[n] = 0;
        p = open_beside(exe, tried);
    }
    return p ? p : open_file(CG_PLUGIN_FILE, tried);
}

bz_status cg_open(bz_error *e) {
    if (atomic_load_explicit(&opened, memory_order_acquire)) return BZ_OK;
    pthread_mutex_lock(&opening);
    bz_status s = BZ_OK;
    if (!atomic_load_explicit(&opened, memory_order_relaxed)) {
        bz_text tried = {0};
        const cg_plugin *p = search(&tried);
        if (p)
            atomic_store_explicit(&opened, p, memory_order_release);
        else if (tried.failed)
            s = bz_fail(e, BZ_ENOMEM, "out of memory");
        else
            s = bz_fail(e, BZ_ECOMPILE,
                        "no usable " CG_PLUGIN_FILE " (set BRAZE_LLVM to its path); tried:%s",
                        bz_text_c(&tried));
        bz_text_free(&tried);
    }
    pthread_mutex_unlock(&opening);
    return s;
}

static const cg_plugin *plugin(void) {
    return atomic_load_explicit(&opened, memory_order_acquire);
}

const char *cg_version(void) {
    return plugin() ? plugin()->version : NULL;
}

/* ---- calls */

static bz_status verify(const lp_module *m, bz_error *e) {
    for (uint32_t n = 0; n < m->k.n; n++) {
        bz_status s = lp_verify(m->k.p[n], m, e);
        if (s != BZ_OK) return s;
    }
    return BZ_OK;
}

bz_status cg_compile(const lp_module *m, const cg_target *t, cg_object *out, bz_error *e) {
    *out = (cg_object){0};
    bz_status s = verify(m, e);
    if (s == BZ_OK) s = cg_open(e);
    return s == BZ_OK ? plugin()->compile(m, t, out, e) : s;
}

void cg_object_free(cg_object *o) {
    if (o->bytes) plugin()->release(o->bytes);
    *o = (cg_object){0};
}

bz_status cg_text(const lp_module *m, const cg_target *t, bz_text *llvm, bz_text *assembly,
                  bz_error *e) {
    cg_object ir = {0}, code = {0};
    bz_status s = verify(m, e);
    if (s == BZ_OK) s = cg_open(e);
    if (s == BZ_OK) s = plugin()->text(m, t, llvm ? &ir : NULL, assembly ? &code : NULL, e);
    if (s == BZ_OK && llvm) bz_text_add(llvm, (const char *)ir.bytes, ir.n);
    if (s == BZ_OK && assembly) bz_text_add(assembly, (const char *)code.bytes, code.n);
    cg_object_free(&ir);
    cg_object_free(&code);
    return s;
}

bz_status cg_export(const cg_export_unit *u, cg_object *out, bz_error *e) {
    *out = (cg_object){0};
    bz_status s = BZ_OK;
    for (size_t n = 0; s == BZ_OK && n < u->nvariants; n++) s = verify(u->variants[n].m, e);
    if (s == BZ_OK) s = cg_open(e);
    return s == BZ_OK ? plugin()->export(u, out, e) : s;
}
