/* code.c - code of GPUs for the cache of kernels (runtime/exec/kernels.h): CUDA C by NVRTC, modules by the driver.
 *
 *     loops --cuda_emit--> text --NVRTC--> cubin and PTX: a fatbin --driver--> module of a driver's context --> functions
 *
 * A place (place.c) is a driver's context: its modules go when the last memory in it is closed, or with a reset. The fatbin is loaded in others, too. */
#include "runtime/cuda/cuda.h"
#include "runtime/base/env.h"
#include "src/codegen/cuda.h"
#include "src/codegen/nvrtc.h"

#include <stdio.h>

/* Starting on another text takes NVRTC as long as some kernels do. */
enum { PARALLEL_INSTS = 600 };

static const cuda_memory *memory_of(const rt_codegen *g) {
    return ((const cuda_codegen *)g)->m;
}

static bz_status target(const rt_codegen *g, bz_text *key, bz_error *e) {
    unsigned version;
    const bz_status s = cuda_compiler(&version, e);
    bz_textf(key, "sm_%u | nvrtc %u.%u, %s%s%s, %s", memory_of(g)->arch, version / 1000,
             version % 1000 / 10, ((const cuda_codegen *)g)->fast ? "fast" : "strict",
             *nvrtc_flags() ? " " : "", nvrtc_flags(), cg_build);
    return s;
}

static bool keeps(const rt_codegen *g) {
    (void)g;
    return cuda_compiler_is_as_told();
}

/* What the assembler made of the kernels, with BRAZE_DEBUG=2; what it has no registers for, with 1. */
static void say_use(const char *log) {
    nvrtc_use u;
    const int level = rt_env_get()->debug;
    while (level >= 1 && nvrtc_next_use(&log, &u))
        if (level >= 2 || u.spilled)
            fprintf(
                stderr,
                "braze: %.*s: %u registers, %u bytes of shared memory, %u of stack, %u spilled\n",
                (int)u.name_bytes, u.name, u.registers, u.shared, u.stack, u.spilled);
}

static bz_status compile(const rt_codegen *g, const lp_module *m, rt_codegen_out *out,
                         bz_error *e) {
    const unsigned arch = memory_of(g)->arch;
    bz_text text = {0};
    nvrtc_image image = {0};
    bz_status s = cuda_emit(m, &text, e);
    if (!s) s = nvrtc_compile(bz_text_c(&text), arch, true, &image, e);
    if (!s) out->bytes = fatbin_of(&image, &arch, 1, &out->n);
    if (!s && !out->bytes) s = bz_fail(e, BZ_ENOMEM, "out of memory");
    out->notes = image.log;
    image.log = NULL;
    nvrtc_image_free(&image);
    bz_text_free(&text);
    return s;
}

/* ---- modules */

typedef struct loaded {
    const cu_driver *d;
    cuda_place *place;
    cu_module module;
} loaded;

static bz_status load(const rt_codegen *g, const rt_binary *b, void **object, size_t *bytes,
                      bz_error *e) {
    cuda_memory *m = ((const cuda_codegen *)g)->m;
    loaded *l = bz_mem_zero(1, sizeof *l);
    if (!l) return bz_fail(e, BZ_ENOMEM, "out of memory");
    *l = (loaded){.d = m->d, .place = m->place};
    say_use(b->notes);
    const bz_status s = cuda_load(m, b->bytes, "kernels", &l->module, e);
    if (s) return bz_mem_free(l), s;
    *object = l;
    *bytes = b->n;
    return BZ_OK;
}

static bz_status find(const rt_codegen *g, void *object, const char *kernel, unsigned phase,
                      uintptr_t *at, bz_error *e) {
    cuda_memory *m = ((const cuda_codegen *)g)->m;
    bz_text name = {0};
    cu_function f = NULL;
    cuda_symbol(&name, kernel, phase);
    const bz_status s =
        name.failed
            ? bz_fail(e, BZ_ENOMEM, "out of memory")
            : cuda_check(m, m->d->module_function(&f, ((loaded *)object)->module, bz_text_c(&name)),
                         "cuModuleGetFunction", bz_text_c(&name), e);
    bz_text_free(&name);
    *at = (uintptr_t)f;
    return s;
}

/* Whoever launched it has waited for the end. */
static void unload(void *object) {
    loaded *l = object;
    if (cuda_place_enter_to_free(l->place)) {
        l->d->module_free(l->module);
        cuda_place_step_out(l->place);
    }
    bz_mem_free(l);
}

cuda_codegen cuda_codegen_for(cuda_memory *m, bool fast) {
    static const rt_codegen_functions functions = {.parallel = PARALLEL_INSTS,
                                                   .moves = true,
                                                   .target = target,
                                                   .keeps = keeps,
                                                   .compile = compile,
                                                   .load = load,
                                                   .find = find,
                                                   .unload = unload};
    return (cuda_codegen){.base = {.f = &functions, .place = m->place}, .m = m, .fast = fast};
}
