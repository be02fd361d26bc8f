/* kernels.h - machine code of kernels, shared by all contexts */
#ifndef RT_KERNELS_H
#define RT_KERNELS_H

#include "src/codegen/codegen.h"

typedef int32_t rt_phase(const lp_frame *, int64_t begin, int64_t end);
typedef struct rt_kernel {
    uint64_t hash;
    char *key;
    size_t key_bytes;
    unsigned nphases;
    rt_phase **phases;
    struct rt_loaded *of; /* the module that it was compiled in, and the next kernel of that */
    struct rt_kernel *sibling, *next;
} rt_kernel;
/* out[i] = code of m->k.p[i] (NULL for functions), which stays until rt_kernels_release. *built, *shared: how many were compiled, and
 * found. */
bz_status rt_kernels_get(const lp_module *m, cg_isa isa, const rt_kernel **out, unsigned *built,
                         unsigned *shared, const bz_watch *w, bz_error *e);
void rt_kernels_release(const rt_kernel *const *k, uint32_t n); /* entries may be NULL */
/* Of the process: at most so many bytes of code that no program uses are kept; and how many bytes there are in all. */
void rt_kernels_limit(size_t bytes);
size_t rt_kernels_bytes(void);

#endif
