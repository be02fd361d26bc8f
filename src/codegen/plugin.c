/* plugin.c - opens libbraze-llvm.so (places.c says where it may lie), and passes the calls of codegen.h on to it.
 *
 *     cg_compile --> cg_open: places --dlopen--> entry --size, ABI, stamp--> kept for good
 *
 * The plug-in is opened at most once and never closed. A failed search is made again at the next
 * call: someone may have installed it meanwhile. */
#include "src/codegen/plugin.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

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
    const char *why = cg_place_damage(file);
    if (why) {
        bz_textf(tried, "\n  %s: %s", file, why);
        return NULL;
    }
    void *handle = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!handle) {
        bz_textf(tried, "\n  %s", dlerror());
        return NULL;
    }
    cg_plugin_entry *entry;
    *(void **)&entry = dlsym(handle, CG_PLUGIN_ENTRY);
    const cg_plugin *p = entry ? entry() : NULL;
    why = p ? mismatch(p) : "it has no entry " CG_PLUGIN_ENTRY;
    if (!why) return p;
    bz_textf(tried, "\n  %s: %s", file, why);
    dlclose(handle);
    return NULL;
}

static const cg_plugin *search(bz_text *tried) {
    const cg_plugin *p = NULL;
    bz_text file = {0};
    for (unsigned k = 0; !p && !tried->failed && (file.n = 0, cg_place(k, &file)); k++) {
        tried->failed |= file.failed;
        if (!file.failed && file.n) p = open_file(file.p, tried);
    }
    bz_text_free(&file);
    return p;
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
                        tried.n ? bz_text_c(&tried) : " no place is known");
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

bool cg_is_of_this_build(void) {
    return plugin() && strcmp(plugin()->build, cg_build) == 0;
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
