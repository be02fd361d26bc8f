/* ptx.h - a PTX interpreter: load a module, launch its kernels on the CPU, judge what they do.
 *
 *      text --ptx_load--> module --ptx_place--> addresses of its globals
 *                            |
 *      extents, shadows -----+--ptx_launch--> status, reports, counters, what was read and written
 *
 * The caller owns device memory: it hands out addresses, tells the interpreter through `ptx_memory`
 * what lies behind one, and keeps beside each allocation a `ptx_shadow` (which bytes were ever
 * written, who touched them in this launch). Nothing here knows the driver API; nothing is global
 * but read-only tables. A loaded module is read-only: several threads may launch from it at once,
 * except on the same shadows. */
#ifndef PTX_H
#define PTX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- base.c: host memory that is out ends the process, with a word ---- */

void *ptx_grow(void *p, size_t n); /* realloc that cannot fail */
void *ptx_zeroed(size_t n);

static inline uint64_t ptx_random(uint64_t *state) { /* splitmix64 */
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* ---- load.c: text to module
 * ---------------------------------------------------------------------- */

/* What the code runs on. `.target sm_N` above `sm` fails at load, as in a driver. */
typedef struct {
    unsigned sm;              /* 75, 80, 86, 89, 90, 100, 120 */
    unsigned multiprocessors; /* what %nsmid says; 0: 1 */
    uint32_t shared_limit;    /* static + dynamic bytes a block may have; 0: 232448 */
} ptx_target;

/* A caller's buffer for messages, "LINE:COLUMN: error: ..." a line; always ends with a NUL, cut
 * when full. */
typedef struct {
    char *text; /* may be NULL when cap is 0 */
    size_t cap;
    size_t len;
    unsigned errors;
} ptx_log;

typedef struct ptx_module ptx_module;

typedef struct {
    const char *name;
    uint32_t offset, size, align; /* in the parameter block */
} ptx_param;

typedef struct {
    const char *name;
    const ptx_param *params;
    unsigned n_params;
    uint32_t param_bytes;   /* of the whole parameter block */
    uint32_t shared_static; /* bytes of .shared that this kernel and what it calls use */
    uint32_t local_bytes;   /* stack a thread, calls included where they are not recursive */
    uint32_t registers;     /* an estimate from the declared live registers, at most 255 */
    uint32_t maxntid[3];    /* 0,0,0: not given */
    uint32_t reqntid[3];    /* 0,0,0: not given */
    uint32_t minctas, maxnreg;
    uint32_t reqcluster[3];  /* 0,0,0: not given */
    uint32_t maxclusterrank; /* 0: not given */
    bool explicit_cluster;   /* a launch must give the cluster's size */
    bool weak;
} ptx_kernel;

typedef enum { PTX_SPACE_NONE, PTX_GLOBAL, PTX_CONST, PTX_SHARED, PTX_LOCAL, PTX_PARAM } ptx_space;

typedef struct {
    const char *name;
    ptx_space space; /* PTX_GLOBAL or PTX_CONST */
    uint64_t size;
    uint32_t align;
    bool external, weak, managed;
    uint64_t address; /* 0 before ptx_place */
} ptx_global;

/* Parses and decodes `len` bytes of PTX (a final NUL is allowed). Everything unknown fails here,
 * with the place in `log`: never in the middle of a run. NULL on failure. The text is copied. */
ptx_module *ptx_load(const char *text, size_t len, const ptx_target *target, ptx_log *log);
void ptx_unload(ptx_module *module);

size_t ptx_kernel_count(const ptx_module *module);
const ptx_kernel *ptx_kernel_at(const ptx_module *module, size_t i);
const ptx_kernel *ptx_kernel_find(const ptx_module *module, const char *name);
size_t ptx_global_count(const ptx_module *module);
const ptx_global *ptx_global_at(const ptx_module *module, size_t i);
const ptx_global *ptx_global_find(const ptx_module *module, const char *name);
unsigned ptx_version(const ptx_module *module); /* 87 for .version 8.7 */
unsigned ptx_sm(const ptx_module *module);      /* 90 for .target sm_90a */

/* Where the module's globals go. `place` chooses an address for each (of `size`, `align`; extern
 * ones are looked up), `fill` receives the initial bytes afterwards (zeros where the text gives
 * none), so that a global may hold another's address. Either returning false ends ptx_place with
 * false. */
typedef struct {
    void *ctx;
    bool (*place)(void *ctx, const ptx_global *global, uint64_t *address);
    bool (*fill)(void *ctx, const ptx_global *global, const void *bytes);
} ptx_placer;

/* Must succeed before the first launch of a module that has globals. */
bool ptx_place(ptx_module *module, const ptx_placer *placer);

/* ---- shadow.c: what is known about the bytes of one allocation
 * ------------------------------------ */

typedef struct ptx_shadow ptx_shadow;

/* Of `size` bytes, none of them written yet. NULL when memory is out. */
ptx_shadow *ptx_shadow_new(uint64_t size);
void ptx_shadow_free(ptx_shadow *shadow);
/* Host copies and fills say here what they wrote; a copy between allocations carries the knowledge
 * on. */
void ptx_shadow_mark(ptx_shadow *shadow, uint64_t offset, uint64_t n);
void ptx_shadow_forget(ptx_shadow *shadow, uint64_t offset, uint64_t n);
void ptx_shadow_copy(ptx_shadow *to, uint64_t at, const ptx_shadow *from, uint64_t offset,
                     uint64_t n);
/* Offset of the first byte of the range that nobody wrote, or `offset + n`. */
uint64_t ptx_shadow_hole(const ptx_shadow *shadow, uint64_t offset, uint64_t n);

/* ---- memory as kernels see it
 * ---------------------------------------------------------------------- */

/* Generic addresses at and above 2^48 belong to the interpreter (shared, local and parameter
 * windows), global ones from 2^47 on too (what kernels allocate, the workspace of a cooperative grid);
 * the caller's lie below, address 0 to 4095 never being one. */
#define PTX_WINDOWS ((uint64_t)1 << 48)
#define PTX_HEAPS   ((uint64_t)1 << 47)

/* Memory for malloc in kernels, at most `bytes` at a time (CU_LIMIT_MALLOC_HEAP_SIZE); lives on between
 * launches, one of which may use it at a time. NULL when memory is out. */
typedef struct ptx_heap ptx_heap;
ptx_heap *ptx_heap_new(uint64_t bytes);
void ptx_heap_free(ptx_heap *heap);

enum {
    PTX_EXTENT_FREED = 1u << 0, /* was freed: any access is a fault, reported as use after free */
    PTX_EXTENT_READONLY = 1u << 1, /* .const, or mapped so: a store is a fault */
    PTX_EXTENT_DENIED = 1u << 2,   /* another device's memory without peer access: a fault */
};

/* One allocation. Must stay in place and unchanged while a launch runs. */
typedef struct {
    uint64_t base, size;
    uint8_t *host;      /* where byte `base` lies in this process, aligned as `base` up to 256 */
    ptx_shadow *shadow; /* NULL: no checks of first reads and races there */
    uint32_t flags;
    uint32_t slack;    /* bytes behind that a device's granule hides: reported there, no fault */
    const char *owner; /* for messages: "cuMemAlloc #12" */
    void *tag;         /* the caller's own */
} ptx_extent;

/* `find` returns the extent that holds `address`; when none does, the freed one that did or the
 * nearest below (for the message), or NULL. Called from several threads; answers are cached for the
 * launch. */
typedef struct {
    void *ctx;
    const ptx_extent *(*find)(void *ctx, uint64_t address);
    ptx_heap *heap; /* NULL: malloc in kernels finds no room */
} ptx_memory;

/* ---- exec_tensor.c: what a CUtensorMap holds here, for cp.async.bulk.tensor
 * ------------------------------------ */

enum { PTX_TENSOR_RANK = 5, PTX_TENSOR_MAGIC = 0x54f1u };

/* Sizes are in elements, strides in bytes, of the dimensions from the second on. At most 128 bytes. */
typedef struct {
    uint16_t magic;
    uint8_t rank, element; /* bytes of one */
    uint8_t swizzle;       /* 0, or the span in bytes: 32, 64, 128 */
    uint64_t address, stride[PTX_TENSOR_RANK - 1], dim[PTX_TENSOR_RANK];
    uint16_t box[PTX_TENSOR_RANK]; /* pixels: channels, then how many of them */
    uint8_t step[PTX_TENSOR_RANK]; /* of the dimensions from the second on; 0: 1 */
    bool pixels;                   /* im2col: pixels one after the other, within ... */
    int16_t lower[3], upper[3];    /* ... corners, from 0 and from the last: width, height, depth */
} ptx_tensor_map;
_Static_assert(sizeof(ptx_tensor_map) <= 128, "it lies in a CUtensorMap");

/* ---- launch.c
 * --------------------------------------------------------------------------------------- */

/* How a launch ended. All but PTX_OK, PTX_INVALID and PTX_NO_MEMORY are sticky errors of a context.
 */
typedef enum {
    PTX_OK,
    PTX_ILLEGAL_ADDRESS,     /* cuda 700 */
    PTX_MISALIGNED,          /* cuda 716 */
    PTX_TRAP,                /* cuda 719 */
    PTX_ASSERT,              /* cuda 710 */
    PTX_ILLEGAL_INSTRUCTION, /* cuda 715 */
    PTX_TIMEOUT,             /* cuda 702: deadlock, or more instructions than allowed */
    PTX_STACK_OVERFLOW,      /* cuda 719 with a sentence of its own */
    PTX_INVALID_PC,          /* cuda 718: a call through a bad function pointer */
    PTX_INVALID,             /* bad launch parameters; nothing ran */
    PTX_NO_MEMORY,           /* the host's memory is out; nothing can be said */
} ptx_status;

/* What is checked besides faults, which always end the launch. */
enum {
    PTX_CHECK_UNINIT = 1u << 0,      /* reads of shared or fresh global bytes that nobody wrote */
    PTX_CHECK_RACE_SHARED = 1u << 1, /* between the threads of a block, in global memory too */
    PTX_CHECK_RACE_GLOBAL = 1u << 2, /* between blocks */
    PTX_CHECK_ASYNC = 1u << 3,       /* cp.async destinations touched before the wait */
    PTX_CHECK_BARRIER = 1u << 4,     /* barriers in divergent code */
    PTX_CHECK_SETS = 1u << 5,        /* collect what was read and written, for ptx_result.ranges */
    PTX_CHECK_ALL = (1u << 6) - 1,
};

typedef enum {
    PTX_REPORT_OUT_OF_BOUNDS, /* this and the next five are faults: status says which */
    PTX_REPORT_USE_AFTER_FREE,
    PTX_REPORT_MISALIGNED,
    PTX_REPORT_TRAP,
    PTX_REPORT_DEADLOCK,
    PTX_REPORT_FAULT, /* any other that ends the launch */
    PTX_REPORT_UNINIT,
    PTX_REPORT_RACE_SHARED,
    PTX_REPORT_RACE_GLOBAL,
    PTX_REPORT_ASYNC,
    PTX_REPORT_BARRIER,
} ptx_report_kind;

/* One finding. Equal kinds at the same PTX line are one report with a count. Strings live while the
 * sink runs. */
typedef struct {
    ptx_report_kind kind;
    ptx_status status; /* PTX_OK for what does not end the launch */
    const char *kernel;
    uint32_t ptx_line;
    const char *file;   /* of the CUDA source, NULL without -lineinfo */
    uint32_t cuda_line; /* 0 without -lineinfo */
    uint32_t block[3], thread[3];
    uint64_t address; /* generic; 0 when the finding has none */
    ptx_space space;
    const char *owner; /* of global memory, or NULL */
    uint64_t count;
    const char *text; /* all of it as one line for a person */
} ptx_report;

/* Both are called by the thread that called ptx_launch, reports after the last block, in a fixed
 * order. */
typedef struct {
    void *ctx;
    void (*report)(void *ctx, const ptx_report *report);
    void (*print)(void *ctx, const char *text, size_t len); /* the kernel's printf; NULL: stdout */
} ptx_sink;

typedef struct {
    const ptx_module *module;
    const ptx_kernel *kernel;
    uint32_t grid[3], block[3];
    uint32_t cluster[3]; /* blocks; 0: as the kernel says, or one */
    uint32_t shared_dynamic;
    const void *params;    /* param_bytes of the kernel, laid out as `params[i].offset` says */
    size_t param_bytes;    /* at least the kernel's */
    bool cooperative;      /* all blocks are resident at once: grid-wide waits are allowed */
    uint64_t seed;         /* orders blocks, warps and the splits of a warp; 0: in order */
    unsigned host_threads; /* 0: as many as cores; the result does not depend on it */
    unsigned checks;       /* PTX_CHECK_* */
    bool count;            /* fill ptx_counters (costs time); else only instructions and blocks */
    uint32_t
        stack_bytes; /* a thread's local memory; 0: what the kernel needs, 64 KiB if recursive */
    uint64_t instruction_limit; /* warp instructions of a block before PTX_TIMEOUT; 0: 2^28 */
    const ptx_memory *memory;
    const ptx_sink *sink; /* NULL: findings are only counted */
} ptx_launch_params;

typedef enum {
    PTX_CLASS_FLOAT, /* f32, f64 arithmetic */
    PTX_CLASS_HALF,  /* f16, bf16 and pairs */
    PTX_CLASS_INT,
    PTX_CLASS_LOGIC, /* and, or, shifts, selections, predicates */
    PTX_CLASS_CONVERT,
    PTX_CLASS_SPECIAL, /* rcp, sqrt, ex2, lg2, sin, cos, tanh */
    PTX_CLASS_MOVE,
    PTX_CLASS_LOAD,
    PTX_CLASS_STORE,
    PTX_CLASS_ATOMIC,
    PTX_CLASS_ASYNC,   /* cp.async */
    PTX_CLASS_MATRIX,  /* mma, ldmatrix */
    PTX_CLASS_SHUFFLE, /* shfl, vote, match, redux */
    PTX_CLASS_BARRIER,
    PTX_CLASS_CONTROL,
    PTX_CLASSES
} ptx_class;

extern const char *const ptx_class_names[PTX_CLASSES];

/* Sums over the launch. "Ideal" is what the same bytes need when perfectly laid out; sectors have 32 bytes;
 * `distinct` needs PTX_CHECK_SETS; wavefronts beyond the ideal are bank conflicts; a round is blocks waiting
 * for each other's atomics. */
/* clang-format off */
#define PTX_COUNTERS(C)                                                                            \
    C(blocks) C(warp_instructions) C(lane_instructions) C(branches) C(divergent_branches)          \
    C(global_load_requests) C(global_load_sectors) C(global_load_sectors_ideal)                    \
    C(global_store_requests) C(global_store_sectors) C(global_store_sectors_ideal)                 \
    C(global_load_bytes) C(global_store_bytes) C(distinct_load_bytes) C(distinct_store_bytes)      \
    C(shared_requests) C(shared_wavefronts) C(shared_wavefronts_ideal) C(local_requests)           \
    C(local_bytes) C(barriers) C(atomics) C(rounds)
/* clang-format on */
typedef struct {
#define PTX_COUNTER(name) uint64_t name;
    PTX_COUNTERS(PTX_COUNTER)
#undef PTX_COUNTER
    uint64_t by_class[PTX_CLASSES]; /* warp instructions */
} ptx_counters;
/* The names of all but the last, in order: each is a uint64_t, so that they are an array, too. */
enum { PTX_COUNTER_NAMES = offsetof(ptx_counters, by_class) / sizeof(uint64_t) };
extern const char *const ptx_counter_names[PTX_COUNTER_NAMES];

typedef enum { PTX_READ = 1, PTX_WRITE = 2, PTX_ATOMIC = 4 } ptx_access;

/* Bytes [begin, end) of an extent, as offsets, touched in one way; sorted by extent base, access,
 * begin. */
typedef struct {
    const ptx_extent *extent;
    ptx_access access;
    uint64_t begin, end;
} ptx_range;

typedef struct {
    ptx_status status;
    uint64_t reports;  /* findings, faults included, after joining equal ones */
    ptx_range *ranges; /* with PTX_CHECK_SETS */
    size_t n_ranges;
    char message[512]; /* the fault or the refusal in words, empty when PTX_OK */
} ptx_result;

/* Runs a whole grid and returns how it ended (also in result->status). `counters` may be NULL; it
 * is added to, not cleared. `result` must be given and freed by ptx_result_free. The same module,
 * memory and seed give the same memory, reports and counters whatever `host_threads` says, as long
 * as no race is reported. */
ptx_status ptx_launch(const ptx_launch_params *launch, ptx_counters *counters, ptx_result *result);
void ptx_result_free(ptx_result *result);
void ptx_count(ptx_counters *sum, const ptx_counters *more); /* adds them */

const char *ptx_status_name(ptx_status status);
const char *ptx_report_name(ptx_report_kind kind);

#endif
