/* module.c - modules: load an image, place its variables, hand out its functions.
 *
 * The interpreter parses; what it says goes into the caller's JIT log. Variables become blocks of
 * the context's device, so that copies, checks and races know them by name. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

enum { LOG_BYTES = 16 << 10 };

/* ---- options of the JIT ---------------------------------------------------------------------- */

CUresult fk_jit_check(const fk_jit *jit) {
    FK_VALID(jit->n == 0 || (jit->options && jit->values));
    for (unsigned i = 0; i < jit->n; i++)
        FK_VALID((unsigned)jit->options[i] < CU_JIT_OPTIONS_KNOWN);
    return CUDA_SUCCESS;
}

static void **jit_value(const fk_jit *jit, CUjit_option option) {
    for (unsigned i = 0; i < jit->n; i++)
        if (jit->options[i] == option) return &jit->values[i];
    return NULL;
}

/* Copies a log into a buffer of the caller and says in the size option how much was written. */
static void give_log(const fk_jit *jit, CUjit_option buffer, CUjit_option size, const char *text) {
    void **at = jit_value(jit, buffer), **room = jit_value(jit, size);
    if (!at || !room || !*at) return;
    const size_t cap = (size_t)(uintptr_t)*room;
    if (cap > 0) {
        snprintf(*at, cap, "%s", text);
        *room = (void *)(uintptr_t)(strlen(*at) + (text[0] != 0));
    }
}

void fk_jit_logs(const fk_jit *jit, const char *error, double seconds) {
    give_log(jit, CU_JIT_INFO_LOG_BUFFER, CU_JIT_INFO_LOG_BUFFER_SIZE_BYTES, "");
    give_log(jit, CU_JIT_ERROR_LOG_BUFFER, CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES, error);
    void **wall = jit_value(jit, CU_JIT_WALL_TIME);
    if (wall) {
        const float ms = (float)(1e3 * seconds);
        memcpy(wall, &ms, sizeof ms);
    }
    if (error[0]) fk_note("%.200s", error);
}

/* ---- variables ------------------------------------------------------------------------------- */

static bool place(void *user, const ptx_global *global, uint64_t *address) {
    fk_module *m = user;
    if (global->external) return false;
    const uint64_t size = global->size ? global->size : 1;
    fk_block *b = fk_block_new(m->ctx->device->ordinal, size, global->name);
    if (!b) return false;
    fk_push(&m->globals, b);
    b->global = true;
    b->ctx = m->ctx;
    if (global->space == PTX_CONST) {
        b->extent.flags |= PTX_EXTENT_READONLY;
        b->denied.flags |= PTX_EXTENT_READONLY;
    }
    *address = b->extent.base;
    return true;
}

static bool fill(void *user, const ptx_global *global, const void *bytes) {
    (void)user;
    const fk_block *b = fk_block_at(global->address);
    memcpy(b->extent.host, bytes, global->size);
    if (b->extent.shadow) ptx_shadow_mark(b->extent.shadow, 0, global->size);
    return true;
}

/* ---- loading --------------------------------------------------------------------------------- */

/* The newest PTX that a driver of this version reads: 9.0 for 13.0, 8.x for 12.y. */
static unsigned newest_ptx(int driver) {
    return driver >= 13000   ? 90 + (unsigned)(driver - 13000) / 10
           : driver >= 12000 ? 80 + (unsigned)(driver - 12000) / 10
                             : 78;
}

static CUresult parse(fk_module *m, const fk_image *image, ptx_log *log) {
    const fk_profile *p = m->ctx->device->profile;
    const ptx_target target = {.sm = p->sm,
                               .multiprocessors = (unsigned)p->multiprocessors,
                               .shared_limit = (uint32_t)p->shared_optin};
    m->ptx = ptx_load(image->ptx, image->ptx_len, &target, log);
    FK_NEED(m->ptx, CUDA_ERROR_INVALID_PTX);
    if (ptx_version(m->ptx) > newest_ptx(fk.config.driver_version)) {
        snprintf(log->text, log->cap, "PTX .version %u.%u is newer than this driver reads",
                 ptx_version(m->ptx) / 10, ptx_version(m->ptx) % 10);
        return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
    }
    return CUDA_SUCCESS;
}

/* The interpreter's guess, within what the text or the caller allow the assembler. */
static unsigned estimate_registers(const ptx_kernel *k, const fk_jit *jit) {
    enum { LEAST = 8, FILE_SIZE = 65536 };
    void **option = jit_value(jit, CU_JIT_MAX_REGISTERS);
    unsigned most = option && *option ? (unsigned)(uintptr_t)*option : 255;
    const uint32_t threads = k->maxntid[0] * k->maxntid[1] * k->maxntid[2];
    if (threads > 0 && FILE_SIZE / (threads * (k->minctas ? k->minctas : 1)) < most)
        most = FILE_SIZE / (threads * (k->minctas ? k->minctas : 1));
    most = k->maxnreg && k->maxnreg < most ? k->maxnreg : most;
    const unsigned guess = k->registers < most ? k->registers : most;
    return guess < LEAST ? LEAST : guess;
}

static void make_functions(fk_module *m, const fk_image *image, const fk_jit *jit) {
    for (size_t i = 0; i < ptx_kernel_count(m->ptx); i++) {
        fk_function *f = fk_new(FK_FUNCTION, sizeof *f);
        fk_push(&m->functions, f);
        f->module = m;
        f->kernel = ptx_kernel_at(m->ptx, i);
        f->registers = fk_cubin_registers(image->cubin, image->cubin_len, f->kernel->name);
        f->from_cubin = f->registers != 0;
        if (!f->from_cubin) f->registers = estimate_registers(f->kernel, jit);
        enum { DEFAULT_SHARED = 48 << 10 };
        const uint32_t fixed = f->kernel->shared_static;
        memcpy(f->cluster, f->kernel->reqcluster, sizeof f->cluster);
        f->max_dynamic = fixed < DEFAULT_SHARED ? (int)(DEFAULT_SHARED - fixed) : 0;
        f->carveout = -1;
    }
}

static CUresult load_into(fk_module *m, const fk_image *image, const fk_jit *jit, ptx_log *log) {
    FK_TRY(parse(m, image, log));
    const ptx_placer placer = {m, place, fill};
    if (ptx_global_count(m->ptx) > 0 && !ptx_place(m->ptx, &placer)) {
        snprintf(log->text, log->cap, "a variable is external or does not fit");
        return CUDA_ERROR_OUT_OF_MEMORY;
    }
    make_functions(m, image, jit);
    return CUDA_SUCCESS;
}

CUresult fk_module_load(fk_context *ctx, const void *data, const fk_jit *jit, fk_module **out) {
    FK_TRY(fk_jit_check(jit));
    const double begin = fk_now();
    fk_image image;
    const char *why;
    CUresult status = fk_image_open(data, ctx->device->profile->sm, &image, &why);
    if (status != CUDA_SUCCESS) {
        fk_jit_logs(jit, why, 0);
        return status;
    }
    char *text = ptx_zeroed(LOG_BYTES);
    ptx_log log = {.text = text, .cap = LOG_BYTES};
    fk_module *m = fk_new(FK_MODULE, sizeof *m);
    fk_push(&ctx->modules, m);
    m->ctx = ctx;
    status = load_into(m, &image, jit, &log);
    fk_jit_logs(jit, text, fk_now() - begin);
    free(text);
    fk_image_close(&image);
    if (status == CUDA_SUCCESS)
        *out = m;
    else
        fk_module_close(m);
    return status;
}

void fk_module_close(fk_module *m) {
    fk_remove(&m->ctx->modules, m);
    for (size_t i = 0; i < m->functions.n; i++) fk_delete(m->functions.at[i]);
    for (size_t i = 0; i < m->globals.n; i++) fk_block_free(m->globals.at[i]);
    if (m->library) fk_remove(&m->library->modules, m);
    fk_list_free(&m->functions);
    fk_list_free(&m->globals);
    ptx_unload(m->ptx);
    fk_delete(m);
}

fk_function *fk_module_function(const fk_module *m, const char *name) {
    for (size_t i = 0; i < m->functions.n; i++) {
        fk_function *f = m->functions.at[i];
        if (strcmp(f->kernel->name, name) == 0) return f;
    }
    return NULL;
}

/* ---- the interface --------------------------------------------------------------------------- */

CUresult fk_cuModuleLoadDataEx(CUmodule *out, const void *image, unsigned n, CUjit_option *options,
                               void **values) {
    FK_VALID(out && image);
    fk_module *m;
    FK_TRY(fk_module_load(fk_current(), image, &(fk_jit){n, options, values}, &m));
    *out = fk_handle(m);
    return CUDA_SUCCESS;
}

CUresult fk_cuModuleLoad(CUmodule *out, const char *path) {
    FK_VALID(out && path);
    size_t len;
    char *image = fk_read_file(path, &len);
    FK_NEED(image, CUDA_ERROR_FILE_NOT_FOUND);
    const CUresult status = fk_cuModuleLoadDataEx(out, image, 0, NULL, NULL);
    free(image);
    return status;
}

CUresult fk_cuModuleUnload(CUmodule handle) {
    FK_OBJECT(fk_module, m, FK_MODULE, handle, CUDA_ERROR_INVALID_HANDLE);
    FK_NEED(!m->library, CUDA_ERROR_NOT_PERMITTED);
    fk_finish_context(m->ctx);
    m = fk_get(handle, FK_MODULE); /* another thread may have been faster */
    FK_NEED(m, CUDA_ERROR_INVALID_HANDLE);
    fk_module_close(m);
    return CUDA_SUCCESS;
}

FK_GETTER(cuModuleGetLoadingMode, (CUmoduleLoadingMode * out), (void)0, 1 /* eager */)

CUresult fk_cuModuleGetFunction(CUfunction *out, CUmodule handle, const char *name) {
    FK_VALID(out && name);
    FK_OBJECT(const fk_module, m, FK_MODULE, handle, CUDA_ERROR_INVALID_HANDLE);
    const fk_function *f = fk_module_function(m, name);
    FK_NEED(f, CUDA_ERROR_NOT_FOUND);
    *out = fk_handle(f);
    return CUDA_SUCCESS;
}

FK_GETTER(cuModuleGetFunctionCount, (unsigned *out, CUmodule handle),
          FK_OBJECT(const fk_module, m, FK_MODULE, handle, CUDA_ERROR_INVALID_HANDLE),
          (unsigned)m->functions.n)

CUresult fk_cuModuleEnumerateFunctions(CUfunction *functions, unsigned n, CUmodule handle) {
    FK_VALID(functions || n == 0);
    FK_OBJECT(const fk_module, m, FK_MODULE, handle, CUDA_ERROR_INVALID_HANDLE);
    for (unsigned i = 0; i < n; i++)
        functions[i] = i < m->functions.n ? fk_handle(m->functions.at[i]) : NULL;
    return CUDA_SUCCESS;
}

CUresult fk_cuModuleGetGlobal_v2(CUdeviceptr *ptr, size_t *bytes, CUmodule handle,
                                 const char *name) {
    FK_VALID((ptr || bytes) && name);
    FK_OBJECT(const fk_module, m, FK_MODULE, handle, CUDA_ERROR_INVALID_HANDLE);
    const ptx_global *global = ptx_global_find(m->ptx, name);
    FK_NEED(global, CUDA_ERROR_NOT_FOUND);
    if (ptr) *ptr = global->address;
    if (bytes) *bytes = global->size;
    return CUDA_SUCCESS;
}
