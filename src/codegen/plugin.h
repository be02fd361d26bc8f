/* plugin.h - the door between libbraze (plugin.c) and libbraze-llvm.so (llvm_plugin.c). Both are of
 * one build and hand each other the structs of loop.h and codegen.h as they are; the stamp says
 * whether that is so. */
#ifndef BRAZE_CODEGEN_PLUGIN_H
#define BRAZE_CODEGEN_PLUGIN_H

#include "src/codegen/codegen.h"

#include "braze/version.h"

#define CG_PLUGIN_FILE  "libbraze-llvm.so"
#define CG_PLUGIN_ENTRY "braze_llvm_entry_v1"
#define CG_TEXT_(x)     #x
#define CG_TEXT(x)      CG_TEXT_(x)
#define CG_VERSION                                                                                 \
    CG_TEXT(BZ_VERSION_MAJOR) "." CG_TEXT(BZ_VERSION_MINOR) "." CG_TEXT(BZ_VERSION_PATCH)
#define CG_EMITTER "1" /* for people; kept code goes by cg_build */

/* What one compile call asks for. The texts and objects that come back are the plug-in's memory:
 * `release` frees them. */
typedef struct cg_plugin {
    uint32_t size; /* of this struct */
    uint32_t abi;  /* LP_ABI */
    uint64_t stamp;
    const char *version, *build;
    bz_status (*compile)(const lp_module *m, const cg_target *t, cg_object *out, bz_error *e);
    bz_status (*text)(const lp_module *m, const cg_target *t, cg_object *llvm, cg_object *assembly,
                      bz_error *e);
    bz_status (*export)(const cg_export_unit *u, cg_object *out, bz_error *e);
    void (*release)(void *bytes);
    void (*fail_after)(long n); /* for tests: bz_mem_fail_after of the plug-in's own memory */
} cg_plugin;

typedef const cg_plugin *cg_plugin_entry(void);

/* ---- places.c */
/* Puts the absolute path of place k (0, 1 ...) behind `path`, or nothing where there is none; false: no more places. */
bool cg_place(unsigned k, bz_text *path);
bool cg_place_is_chosen(void); /* by $BRAZE_LLVM: then nothing else counts */
/* NULL, or why the loader must not see this file. */
const char *cg_place_damage(const char *path);

/* A number of everything that both sides must agree on: the ops by name and order, and the sizes of
 * what passes the door. */
static inline uint64_t cg_plugin_stamp(void) {
#define CG_NAME(E, ...)         #E " "
#define CG_STATUS_NAME(E, text) CG_NAME(E, text)
    static const char names[] = LP_OPS(CG_NAME)
#define IR_BASE CG_NAME
#include "src/ir/ops.def"
        BZ_DTYPES(CG_NAME) BZ_STATUSES(CG_STATUS_NAME) CG_EMITTER " " CG_VERSION;
#undef CG_NAME
#undef CG_STATUS_NAME
    const uint64_t sizes[] = {sizeof(lp_inst),        sizeof(lp_kernel), sizeof(lp_module),
                              sizeof(lp_param),       sizeof(lp_frame),  sizeof(cg_target),
                              sizeof(cg_export_unit), sizeof(cg_data),   sizeof(bz_error)};
    return bz_hash(bz_hash(0, names, sizeof names), sizes, sizeof sizes);
}

#endif
