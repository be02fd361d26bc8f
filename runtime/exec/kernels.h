/* kernels.h - code of kernels, shared by all contexts of the process.
 *
 *     loops --codegen.compile--> binary: an image of some kernels --codegen.load--> addresses of their phases
 *
 * A codegen is what makes code for one kind of machine: cpu_code.c for this one, runtime/cuda/code.c for GPUs. */
#ifndef RT_KERNELS_H
#define RT_KERNELS_H

#include "runtime/base/context.h"
#include "runtime/exec/binary.h"

typedef struct rt_codegen rt_codegen;
typedef struct rt_codegen_out { /* of one module: bz_mem_free */
    void *bytes;
    size_t n;
    char *notes; /* what the compiler said; NULL: nothing */
} rt_codegen_out;
typedef struct rt_codegen_functions {
    unsigned parallel; /* instructions above which two threads compile */
    bool moves;        /* what is loaded in one place is kept to be loaded in others */
    /* Appends "target | compiler": code of equal loops is the same where this is. Opens no compiler where that can be helped. */
    bz_status (*target)(const rt_codegen *g, bz_text *key, bz_error *e);
    /* What was compiled is what the target said: it may be kept on disk. */
    bool (*keeps)(const rt_codegen *g);
    /* Code of m's kernels, in an empty `out`. On any thread, several at once. */
    bz_status (*compile)(const rt_codegen *g, const lp_module *m, rt_codegen_out *out, bz_error *e);
    /* Loads such code; *bytes: how much room that takes. */
    bz_status (*load)(const rt_codegen *g, const rt_binary *b, void **object, size_t *bytes,
                      bz_error *e);
    /* Where a phase of one of its kernels is. BZ_ECOMPILE: it has none. */
    bz_status (*find)(const rt_codegen *g, void *object, const char *kernel, unsigned phase,
                      uintptr_t *at, bz_error *e);
    void (*unload)(void *object); /* on any thread; nothing of it runs */
} rt_codegen_functions;
struct rt_codegen { /* the start of each */
    const rt_codegen_functions *f;
    const void
        *place; /* that code is loaded into and found in: a driver's context; NULL: the process */
};

typedef struct rt_kernel {
    struct rt_kernel *next, *sibling; /* in its slot; of what was loaded together */
    struct rt_loaded *of;
    uint64_t hash;
    const char *key; /* behind the phases */
    size_t key_bytes;
    unsigned nphases;
    uintptr_t phases[]; /* addresses */
} rt_kernel;

/* How many kernels were compiled, found in the process, and found on disk. */
typedef struct rt_kernels_count {
    uint32_t built, shared, stored;
} rt_kernels_count;
/* out[i] = code of m->k.p[i] (NULL for functions), which stays until rt_kernels_release. */
bz_status rt_kernels_get(const lp_module *m, const rt_codegen *g, const rt_kernel **out,
                         rt_kernels_count *n, const bz_watch *w, bz_error *e);
void rt_kernels_release(const rt_kernel *const *k, uint32_t n); /* entries may be NULL */
/* planned.c: of all kernels of a plan, counted by the context. rt_kernels_release is due for plan->code->k.n, then bz_mem_free. NULL and the
 * error. */
const rt_kernel **rt_plan_code(bz_context *c, const pass_plan *p, const rt_codegen *g,
                               const bz_watch *w, bz_error *e);
/* The same: with BRAZE_DEBUG=1, what it took to make the plan of g and its code, in ns. plan: NULL where no pass is worth a word. */
void rt_say_times(const pass_plan *plan, const ir_graph *g, uint64_t passes, uint64_t code);
/* Of the process: at most so many bytes of code that no program uses are kept; and how many bytes there are in all. */
void rt_kernels_limit(size_t bytes);
size_t rt_kernels_bytes(void);
/* A place is about to go: so does what is loaded there and nobody uses. */
void rt_kernels_leave(const void *place);

/* ---- kernels_build.c: what is missing of m, by two threads when there is much: one binary each, NULL where one does all. keys: of
 * each kernel. */
bz_status rt_kernels_compile(const lp_module *m, const rt_codegen *g, const bool *missing,
                             const bz_text *keys, rt_binary *out[2], bz_error *e);

/* ---- cpu_code.c: machine code of this process; f: int32_t (const lp_frame *, int64_t begin, int64_t end) */
typedef int32_t rt_phase(const lp_frame *, int64_t begin, int64_t end);
typedef struct rt_cpu_codegen {
    rt_codegen base;
    cg_isa isa;
} rt_cpu_codegen;
rt_cpu_codegen rt_cpu_codegen_for(cg_isa isa);

#endif
