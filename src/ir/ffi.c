/* ffi.c - calls of C functions whose prototypes are known at run time alone, by libffi.
 *
 * The library is opened at the first call: $BRAZE_LIBFFI alone where that is set, else libffi.so.8 or .7. Its header gives the layout of
 * what is handed to it; without the header at the build there are no such calls. */
#include "src/ir/external.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#if defined(__has_include)
#if __has_include(<ffi.h>)
#include <ffi.h>
#define HAS_FFI 1
#endif
#endif

#ifdef HAS_FFI

static struct {
    ffi_status (*prepare)(ffi_cif *, ffi_abi, unsigned, ffi_type *, ffi_type **);
    void (*call)(ffi_cif *, void (*)(void), void *, void **);
    ffi_type *pointer, *u8, *s8, *u16, *s16, *u32, *s32, *u64, *s64, *f32, *f64, *nothing;
    bool there;
    char why[300];
} ffi;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static bool find(void *library) {
    const struct {
        const char *name;
        void *to;
    } names[] = {{"ffi_prep_cif", &ffi.prepare},     {"ffi_call", &ffi.call},
                 {"ffi_type_pointer", &ffi.pointer}, {"ffi_type_uint8", &ffi.u8},
                 {"ffi_type_sint8", &ffi.s8},        {"ffi_type_uint16", &ffi.u16},
                 {"ffi_type_sint16", &ffi.s16},      {"ffi_type_sint32", &ffi.s32},
                 {"ffi_type_sint64", &ffi.s64},      {"ffi_type_float", &ffi.f32},
                 {"ffi_type_uint32", &ffi.u32},      {"ffi_type_uint64", &ffi.u64},
                 {"ffi_type_double", &ffi.f64},      {"ffi_type_void", &ffi.nothing}};
    for (unsigned i = 0; i < BZ_LEN(names); i++) {
        void *at = dlsym(library, names[i].name);
        if (!at) {
            bz_snprintf(ffi.why, sizeof ffi.why, "it has no %s", names[i].name);
            return false;
        }
        memcpy(names[i].to, &at, sizeof at);
    }
    return true;
}

static void open_library(void) {
    const char *chosen = secure_getenv("BRAZE_LIBFFI");
    const char *const files[] = {chosen && *chosen ? chosen : "libffi.so.8",
                                 chosen && *chosen ? NULL : "libffi.so.7"};
    void *library = NULL;
    for (unsigned i = 0; i < BZ_LEN(files) && files[i] && !library; i++) {
        library = dlopen(files[i], RTLD_NOW | RTLD_LOCAL);
        const char *why = library ? NULL : dlerror();
        if (why && !*ffi.why) bz_snprintf(ffi.why, sizeof ffi.why, "%s", why);
    }
    ffi.there = library && find(library);
}

bool ir_ffi_there(bz_error *e) {
    pthread_once(&once, open_library);
    if (!ffi.there)
        bz_fail(e, BZ_EUNSUPPORTED,
                "no libffi: %s ($BRAZE_LIBFFI names the library, else it is libffi.so.8 or "
                "libffi.so.7)",
                ffi.why);
    return ffi.there;
}

static ffi_type *type_of(bz_dtype t) {
    switch (t) {
    case BZ_BOOL:
    case BZ_U8: return ffi.u8;
    case BZ_I8: return ffi.s8;
    case BZ_I16: return ffi.s16;
    case BZ_U16:
    case BZ_F16:
    case BZ_BF16: return ffi.u16;
    case BZ_U32: return ffi.u32;
    case BZ_U64: return ffi.u64;
    case BZ_I32: return ffi.s32;
    case BZ_F32: return ffi.f32;
    case BZ_F64: return ffi.f64;
    default: return ffi.s64;
    }
}

bz_status ir_external_run(const ir_external *x, const void *const *in, void *const *out,
                          const int64_t *sizes, int *status, bz_error *e) {
    enum { MOST = 1 + 2 * IR_EXTERNAL_MOST };
    ffi_type *types[MOST];
    void *values[MOST];
    const void *pointers[MOST];
    unsigned n = 0;
    ffi_cif cif;
    ffi_arg gave = 0;
    if (!ir_ffi_there(e)) return e->status;
    for (unsigned k = 0; k < 1 + x->nin + x->nout; k++, n++) {
        const bool by_value = k > 0 && k <= x->nin && x->slot[k - 1].rank == 0;
        pointers[n] = k == 0 ? x->user : k <= x->nin ? in[k - 1] : out[k - 1 - x->nin];
        types[n] = by_value ? type_of(x->slot[k - 1].dtype) : ffi.pointer;
        values[n] = by_value ? (void *)(uintptr_t)pointers[n] : (void *)&pointers[n];
    }
    for (unsigned i = 0; i < x->nsyms; i++, n++) {
        types[n] = ffi.s64;
        values[n] = (void *)(uintptr_t)&sizes[i];
    }
    if (ffi.prepare(&cif, FFI_DEFAULT_ABI, n, ffi.s32, types) != FFI_OK)
        return bz_fail(e, BZ_EUNSUPPORTED, "libffi refuses the prototype");
    ffi.call(&cif, x->fn, &gave, values);
    *status = (int)gave;
    return BZ_OK;
}

bz_status ir_ffi_fortran(ir_external_fn *f, void *const *arg, unsigned n, unsigned lengths,
                         bz_error *e) {
    enum { MOST = 40 };
    ffi_type *types[MOST];
    void *values[MOST];
    static int64_t one = 1;
    ffi_cif cif;
    bz_assert(n + lengths <= MOST);
    if (!ir_ffi_there(e)) return e->status;
    for (unsigned i = 0; i < n + lengths; i++) {
        types[i] = i < n ? ffi.pointer : ffi.s64;
        values[i] = i < n ? (void *)(uintptr_t)&arg[i] : (void *)&one;
    }
    if (ffi.prepare(&cif, FFI_DEFAULT_ABI, n + lengths, ffi.nothing, types) != FFI_OK)
        return bz_fail(e, BZ_EUNSUPPORTED, "libffi refuses the prototype");
    ffi.call(&cif, f, NULL, values);
    return BZ_OK;
}

#else

bool ir_ffi_there(bz_error *e) {
    bz_fail(e, BZ_EUNSUPPORTED, "braze was built without libffi (package libffi-dev)");
    return false;
}

bz_status ir_external_run(const ir_external *x, const void *const *in, void *const *out,
                          const int64_t *sizes, int *status, bz_error *e) {
    (void)x, (void)in, (void)out, (void)sizes, (void)status;
    return ir_ffi_there(e), e->status;
}

bz_status ir_ffi_fortran(ir_external_fn *f, void *const *arg, unsigned n, unsigned lengths,
                         bz_error *e) {
    (void)f, (void)arg, (void)n, (void)lengths;
    return ir_ffi_there(e), e->status;
}

#endif
