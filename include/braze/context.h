/* context.h - contexts, scopes, errors, modes.
 *
 * A context owns everything that is made in it, and is used by one thread at a time; several contexts work in parallel. A call that comes
 * while another thread is in one gives BZ_EBUSY (builders: NULL), one on a closed context BZ_ESCOPE, NULL is BZ_EARG. */
#ifndef BRAZE_CONTEXT_H
#define BRAZE_CONTEXT_H

#include "braze/api.h"

typedef enum bz_device {
    BZ_DEVICE_DEFAULT, /* what $BRAZE_DEVICE says, else cpu */
    BZ_CPU,            /* machine code on all threads */
    BZ_REF,            /* the reference interpreter: slow, the definition */
    BZ_NULL,           /* compiles, runs nothing: results are zeros */
    BZ_CUDA,           /* a GPU, by NVIDIA's driver (docs/cuda.md) */
} bz_device;

typedef enum bz_mode {
    BZ_LAZY,  /* ops are recorded and run, fused, when a value is needed */
    BZ_EAGER, /* each op runs at once, a kernel of its own */
} bz_mode;

typedef enum bz_isa { BZ_ISA_BEST, BZ_ISA_BASE, BZ_ISA_AVX2, BZ_ISA_AVX512 } bz_isa;

typedef enum bz_numerics {
    BZ_NUMERICS_DEFAULT, /* what $BRAZE_NUMERICS says, else strict */
    BZ_STRICT,           /* every bit as docs/numerics.md says, on every device */
    BZ_FAST,             /* on a GPU the liberties of docs/fast.md, each with its tolerance */
} bz_numerics;

/* Zero-initialised = all defaults. */
typedef struct bz_options {
    bz_device device;
    bz_mode mode;
    bz_isa isa;    /* BEST: of this machine, capped by $BRAZE_ISA */
    int threads;   /* 0: $BRAZE_THREADS, else all processors of the process */
    uint64_t seed; /* of rand, randn, randint */
    /* of machine code in the process, above which unused kernels go; 0: as it is, $BRAZE_CODE MiB at first */
    uint64_t code_bytes;
    /* as $BRAZE_NAN=1: the first op that gives a NaN or an infinity from operands without is BZ_ENAN, with its line */
    bool find_nan;
    bool quiet; /* as $BRAZE_WARN=0: no warnings on stderr */
    int number; /* which device, where there are several: GPU 0, 1 ... as the driver counts them */
    bz_numerics numerics;
} bz_options;

/* Opens a context. options: NULL = all defaults. BZ_EARG for values out of range, BZ_EDEVICE for an ISA that the machine lacks or a device that is not there, either
 * of them for a switch in the environment that makes no sense (docs/switches.md), BZ_ENOMEM; *out is NULL then, and bz_message(NULL)
 * says why. */
BZ_API bz_status bz_open(const bz_options *options, bz_context **out);

/* Frees the context and all that is in it; its handles become stale. Pending writes to foreign memory are done first. NULL is fine.
 * An error that nobody asked for (bz_context_status, bz_message) nor forgot (bz_clear) is written to stderr, one line.
 * BZ_ESCOPE if it is closed already, BZ_EMODE from within a call on it (a function that is traced, a callback), BZ_EBUSY while another
 * thread is in one: nothing is freed then. */
BZ_API bz_status bz_close(bz_context *c);

/* After a failure that a GPU does not come back from (docs/cuda.md, Errors): the GPU's state in this process begins anew, and c works
 * again. What lies in its memory is lost, for every context on that GPU: values that were there are BZ_EDEVICE when they are asked for
 * ("lost when ..."), what is overwritten as a whole, comes from the host or is made anew is as ever. Memory of bz_pin is gone, too: it is
 * neither touched nor given back any more; copies under way are over. Compiled functions are traced again at their next call. Other
 * contexts on that GPU give BZ_EDEVICE until they are reset by this call as well, each by its own thread, or closed. The error that c has
 * stays until bz_clear. Waits for calls of other contexts on that GPU that are at work in the driver. Devices that lose nothing stay as
 * they are: BZ_OK. BZ_EMODE within a function that is traced; BZ_EDEVICE where the driver cannot do it (c stays lost: close it),
 * BZ_EUNSUPPORTED where it does not know how. */
BZ_API bz_status bz_device_reset(bz_context *c);

/* From now on new handles belong to a new scope, until its end. */
BZ_API bz_status bz_scope_begin(bz_context *c);

/* Frees the tensors of the innermost scope. BZ_ESCOPE when none is open. */
BZ_API bz_status bz_scope_end(bz_context *c);

/* Moves x to the scope around its own: it survives the end of this one. Gives x. */
BZ_API bz_tensor *bz_keep(bz_tensor *x);

/* Frees x now. NULL is fine; BZ_ESCOPE if it is free already. */
BZ_API bz_status bz_release(bz_tensor *x);

/* What went wrong first since bz_clear, BZ_OK if nothing; its text with op, shapes and source line ("" if nothing). The text is
 * valid until the next call on c. c NULL, or no context (any more): what this thread was told last without one, by a bz_open that failed,
 * a stale handle, a context that was closed or that another thread was in. */
BZ_API bz_status bz_context_status(const bz_context *c);
BZ_API const char *bz_message(const bz_context *c);
/* Forgets the error. Poisoned handles stay poisoned. */
BZ_API void bz_clear(bz_context *c);
/* What a status means in general: "shapes do not fit". */
BZ_API const char *bz_status_text(bz_status s);

/* Changes the mode; what was recorded stays recorded. In a function that is traced, until its end: it runs once for many calls. */
BZ_API bz_status bz_set_mode(bz_context *c, bz_mode mode);
BZ_API bz_mode bz_get_mode(const bz_context *c);

/* From now on, until its end, calls run in mixed precision, by torch.autocast's lists (docs/mixed.md): the f32 operands of matmul and linear are
 * cast to `to`, f16 or bf16; the halves among those of exp, log, pow, sum, softmax, norms and losses to f32; in-place ops are as ever.
 * Results have the dtype that follows, gradients lead back through the casts: those of f32 weights are f32. A region in another one
 * counts alone; BZ_F32: nothing is cast in it. One that a traced function leaves open ends with it; compiled functions are traced anew
 * for another region around their call. BZ_EDTYPE for other dtypes, BZ_ELIMIT for more than 32 in each other. */
BZ_API bz_status bz_autocast_begin(bz_context *c, bz_dtype to);

/* Ends the innermost one. BZ_EMODE when none is open, or none of the function's that is traced. */
BZ_API bz_status bz_autocast_end(bz_context *c);

/* Starts the random stream of c over from this seed. */
BZ_API bz_status bz_seed(bz_context *c, uint64_t seed);

/* A place in a stream of random numbers. Streams that differ in seed or stream are independent; stream 0 is that of bz_seed. All of the generator is in these three
 * numbers: who keeps them and sets them again draws the same. */
typedef struct bz_generator {
    uint64_t seed, stream;
    uint64_t offset; /* the next word of 32 bits, a multiple of 4 */
} bz_generator;

/* Where c draws next, and from where it is to draw. BZ_EMODE while bz_compile traces; BZ_EARG for NULL, and an offset that is no multiple of 4. */
BZ_API bz_status bz_get_generator(bz_context *c, bz_generator *out);
BZ_API bz_status bz_set_generator(bz_context *c, const bz_generator *g);

/* n generators of streams of their own, which are others the next time: g moves on by 4 n words. BZ_EARG for NULL, and n < 0. */
BZ_API bz_status bz_split_generator(bz_generator *g, bz_generator *out, int n);

/* g moved on as one draw of so many words does, up to a multiple of 4. bz_rand and bz_randn take a word an element, of f64 two, as bz_randint does; docs/numerics.md has
 * all. */
BZ_API void bz_jump_generator(bz_generator *g, uint64_t words);

/* What a context has done so far; times in nanoseconds. */
typedef struct bz_counters {
    uint64_t ops;            /* builders that recorded something */
    uint64_t evaluations;    /* programs run, compiled calls included */
    uint64_t plan_hits;      /* evaluations whose plan was there ... */
    uint64_t plan_misses;    /* ... and those that compiled */
    uint64_t kernels_built;  /* kernels turned into machine code */
    uint64_t kernels_shared; /* kernels found in the cache of the process */
    uint64_t kernels_loaded; /* kernels found in the cache on disk (docs/cache.md) */
    uint64_t launches;       /* kernels run: fused groups, horizontally joined ones count once */
    uint64_t compile_ns;     /* passes, code generation and loading */
    uint64_t run_ns;         /* running, when bz_profile is on */
    uint64_t bytes;          /* of buffers and arenas, now */
    uint64_t peak_bytes;     /* the most of that since bz_reset_peak */
    uint64_t warnings;       /* recordings that went past some thousand ops with no value read */
    /* buffers that had to come from the system: does not grow in a steady loop */
    uint64_t buffers_made;
    /* by kernels, to memory outside of them: of a write into a part, the part */
    uint64_t bytes_written;
    /* captured tensors that compiled functions packed to keep them so: of a weight that does not change, once (docs/memory.md) */
    uint64_t packed;
} bz_counters;
BZ_API void bz_get_counters(const bz_context *c, bz_counters *out);
BZ_API void bz_reset_peak(bz_context *c);

/* ---- limits, interrupts, progress */

/* What a context may use at most; 0: no limit. What would go beyond is BZ_ELIMIT and changes nothing. */
typedef enum bz_limit {
    BZ_LIMIT_BYTES, /* of buffers and arenas; a program that cannot fit is refused before it runs */
    BZ_LIMIT_OPS,   /* of a recording, those of gradients included */
    BZ_LIMIT_COMPILE_MS, /* of one compilation, looked at between its parts */
    BZ_LIMIT_PLANS, /* programs that are kept for the next time, of recordings and of each compiled function (a signature's): the one not
                     * used for the longest time is forgotten. 0: 512. Those that hold memory go earlier, where BZ_LIMIT_BYTES or a
                     * quarter of the machine's memory is reached */
    BZ_NLIMITS
} bz_limit;
BZ_API bz_status bz_set_limit(bz_context *c, bz_limit which, uint64_t value);
BZ_API uint64_t bz_get_limit(const bz_context *c, bz_limit which);

/* Ends the compilation, evaluation or call that c is in, or, if it is in none, the next one: it gives BZ_EINTERRUPTED, and all is as if it
 * had not begun: it can be tried again. A call that has begun to write donated inputs goes on to its end, and the next one is ended.
 * From any thread and from signal handlers. bz_clear forgets it. BZ_ESCOPE if c is closed (but it must not be closed meanwhile). */
BZ_API bz_status bz_interrupt(const bz_context *c);

/* f is called during compilations, by the thread that compiles: `done` of `total` parts of a phase are done. Anything but 0 ends the
 * compilation with BZ_EINTERRUPTED. It may not call braze on c, but bz_interrupt. NULL: none. */
typedef int bz_progress(void *user, const char *phase, uint64_t done, uint64_t total);
BZ_API bz_status bz_set_progress(bz_context *c, bz_progress *f, void *user);

/* Switches per-kernel timing on or off. */
BZ_API void bz_profile(bz_context *c, bool on);

#endif
