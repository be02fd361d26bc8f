/* nvrtc.h - NVIDIA's run-time compiler of CUDA C, opened when it is first asked for: $BRAZE_NVRTC alone when that is set, else
 * libnvrtc.so.13, .12, by name and where toolkits lie. */
#ifndef BRAZE_NVRTC_H
#define BRAZE_NVRTC_H

#include "src/ir/base/base.h"

typedef struct nvrtc_image { /* zero-initialised = empty */
    char *ptx;               /* text, with its final 0 */
    size_t ptx_bytes;        /* that included */
    void *cubin;             /* NULL: none was asked for */
    size_t cubin_bytes;
    char *log; /* what the compiler said: warnings, and of the assembler registers and spills */
} nvrtc_image;

/* BZ_ECOMPILE with the places tried if there is no usable library; a later call tries again. */
bz_status nvrtc_open(bz_error *e);
/* Major * 1000 + minor * 10, as 13000; 0 before it is open. Part of the key of kept images. */
int nvrtc_version(void);
/* $BRAZE_NVRTCFLAGS, "" when it is not set: options behind ours. Part of that key, too. */
const char *nvrtc_flags(void);
/* What $BRAZE_NVRTC says; "": nothing. */
const char *nvrtc_chosen(void);
/* Its file, once it is open; NULL. */
const char *nvrtc_file(void);
/* It compiles for this compute capability. False before it is open. */
bool nvrtc_knows(unsigned cc);
/* Compiles text for compute capability `cc` (80: sm_80): the PTX, and with `cubin` the machine code. No contraction, IEEE division and
 * square root, denormals kept. Errors: BZ_ECOMPILE with the first message and the lines around it; BZ_ENOMEM. `out` is empty then. Any
 * thread, several at once. */
bz_status nvrtc_compile(const char *text, unsigned cc, bool cubin, nvrtc_image *out, bz_error *e);
void nvrtc_image_free(nvrtc_image *i);

/* ---- nvrtc_log.c: what the log says of each kernel. *log goes on behind it (NULL: none follows); false: there was none. */
typedef struct nvrtc_use {
    const char *name; /* in the log: name_bytes of it */
    size_t name_bytes;
    unsigned registers, stack, spilled, shared; /* the last three in bytes */
} nvrtc_use;
bool nvrtc_next_use(const char **log, nvrtc_use *u);

/* ---- fatbin.c: n images of one text, each for compute capability cc[i], as one of *bytes bytes, which a driver loads: the machine code of
 * all, and the PTX of the first, for GPUs that are none of these and not older; NULL: no memory. bz_mem_free. */
void *fatbin_of(const nvrtc_image *i, const unsigned *cc, unsigned n, size_t *bytes);

#endif
