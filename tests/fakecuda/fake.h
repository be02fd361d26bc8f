/* fake.h - the room of the emulated CUDA driver: its objects and what its files offer each other.
 *
 *      exported cuX --enter--> fk_cuX --submit--> command graph --run--> copies, fills, ptx_launch
 *      (entry.c)               (one file a        (queue.c: order)       (work.c)      |
 *                               subject)                                               +--> reports
 *
 * One lock (fk.lock) covers everything; it is held from enter to leave and given up only around the
 * program's own callbacks. Handles are numbers that name a slot and a generation, never addresses,
 * so a stale or invented handle is an error and not a crash. */
#ifndef FAKECUDA_FAKE_H
#define FAKECUDA_FAKE_H

#include "../ptx/ptx.h"
#include "cuda_abi.h"

#include <pthread.h>
#include <stdio.h>

#define FK_EXPORT       __attribute__((visibility("default")))
#define FK_PRINTF(a, b) __attribute__((format(printf, a, b)))

/* Leaves the function with an error when a condition fails. */
#define FK_NEED(condition, code)                                                                   \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            return code;                                                                           \
        }                                                                                          \
    } while (0)
#define FK_VALID(condition) FK_NEED(condition, CUDA_ERROR_INVALID_VALUE)
#define FK_TRY(call)                                                                               \
    do {                                                                                           \
        const CUresult fk_r = (call);                                                              \
        if (fk_r != CUDA_SUCCESS) {                                                                \
            return fk_r;                                                                           \
        }                                                                                          \
    } while (0)

/* A variable for what a handle or number stands for; leaves the function when there is no such thing. */
#define FK_OBJECT(type, name, kind, handle, code)                                                  \
    type *name = fk_get(handle, kind);                                                             \
    FK_NEED(name, code)
#define FK_DEVICE_OF(name, number)                                                                 \
    fk_device *name = fk_device_of(number);                                                        \
    FK_NEED(name, CUDA_ERROR_INVALID_DEVICE)
#define FK_STREAM_OF(name, handle)                                                                 \
    CUresult name##_status;                                                                        \
    fk_stream *name = fk_stream_of(handle, &name##_status);                                        \
    FK_NEED(name, name##_status)

#define FK_FUNCTION_OF(name, handle)                                                               \
    fk_function *name;                                                                             \
    FK_TRY(fk_function_of(handle, fk_current(), &name))

/* A function that only reads: `find` says of whom, `value` what; its parameter for the answer is `out`. */
#define FK_GETTER(function, params, find, value)                                                   \
    CUresult fk_##function params {                                                                \
        FK_VALID(out);                                                                             \
        find;                                                                                      \
        *out = value;                                                                              \
        return CUDA_SUCCESS;                                                                       \
    }

enum { FK_MAX_DEVICES = 16 };

/* ---- handles (handle.c) ---------------------------------------------------------------------- */

typedef enum {
    FK_NONE,
    FK_CONTEXT,
    FK_STREAM,
    FK_EVENT,
    FK_MODULE,
    FK_FUNCTION,
    FK_LIBRARY,
    FK_KERNEL,
    FK_POOL,
    FK_GRAPH,
    FK_NODE,
    FK_EXEC,
    FK_USER_OBJECT,
    FK_LINK,
} fk_kind;

/* Every object begins with this. */
typedef struct {
    fk_kind kind;
    uint32_t slot, generation;
} fk_head;

/* Zeroed object of `size` bytes with a handle. Host memory that is out ends the process, here as in the
 * interpreter (ptx_grow). */
void *fk_new(fk_kind kind, size_t size);
/* Ends the handle and frees the object. */
void fk_delete(void *object);
/* Ends the handle; the object lives on until free(). */
void fk_unhandle(void *object);
/* The object behind `handle` if it is alive and of that kind, else NULL. */
void *fk_get(const void *handle, fk_kind kind);
void *fk_handle(const void *object);

/* ---- growing arrays -------------------------------------------------------------------------- */

typedef struct {
    void **at;
    size_t n, cap;
} fk_list;

void fk_push(fk_list *list, void *item);
/* Removes the first `item`, keeps the order; false if it is not there. */
bool fk_remove(fk_list *list, const void *item);
bool fk_has(const fk_list *list, const void *item);
void fk_list_free(fk_list *list);

/* ---- configuration, log, reports (trace.c) --------------------------------------------------- */

typedef enum { FN_RAW, FN_DEV, FN_CTX, FN_UNSAFE } fk_need;

typedef struct {
    uint64_t seed;
    int driver_version;
    unsigned checks;      /* PTX_CHECK_*, 0 with BRAZE_FAKE_CHECK=0 */
    unsigned threads;     /* host threads of the interpreter, 0: all */
    bool null;            /* launches do nothing */
    bool granule;         /* up to the end of a block's 512 bytes: a report, no fault */
    bool staged;          /* pageable sources are read at the call, not late */
    bool leaks;           /* list what is alive at exit */
    bool quiet;           /* reports are kept but not printed */
    int exit_status;      /* of a program that left reports or leaks; 0: leave it alone */
    const char *counters; /* file for the kernels' counters at exit */
    FILE *log;            /* calls, NULL: none */
} fk_config;

void fk_configure(void);
/* A detail for the log line of the call that runs. */
void fk_note(const char *format, ...) FK_PRINTF(1, 2);
/* Something the program did wrong, as one line; equal lines count once more. */
void fk_report(const char *format, ...) FK_PRINTF(1, 2);
/* Adds a launch to the counters that are written at exit. */
void fk_count_launch(const char *kernel, const ptx_counters *counters);

/* For tests and tools, by dlsym. */
FK_EXPORT size_t braze_fake_reports(void);
FK_EXPORT const char *braze_fake_report(size_t i);
FK_EXPORT void braze_fake_clear(void);
FK_EXPORT uint64_t braze_fake_calls(const char *function);
FK_EXPORT uint64_t braze_fake_commands(const char *kind);
FK_EXPORT void braze_fake_seed(uint64_t seed);
/* The n-th call from now (0: the next; what asks for an error's words is not counted) answers `code` and does nothing, but for what
 * gives something back, which does that, too; n < 0: none does. Gives how many were left to go of the one before, below 0 when it has
 * failed. */
FK_EXPORT long braze_fake_fail_after(long n, int code);
/* The function that failed so, without its version; NULL: none did since then. */
FK_EXPORT const char *braze_fake_failed(void);
/* Events, graphs, modules and streams of the program's that are there. */
FK_EXPORT size_t braze_fake_objects(void);
/* A counter of BRAZE_FAKE_COUNTERS, over a kernel's launches so far (NULL: all kernels'); 0: none was counted. */
FK_EXPORT uint64_t braze_fake_counter(const char *kernel, const char *what);
/* Blocks of memory, of devices and of the host, that were got and not given back. */
FK_EXPORT size_t braze_fake_living(void);

/* ---- memory ---------------------------------------------------------------------------------- */

typedef enum { FK_DEVICE, FK_HOST, FK_REGISTERED, FK_MANAGED } fk_place;

struct fk_context;
struct fk_pool;

typedef struct {
    ptx_extent extent; /* base, size, where the host finds the bytes, owner's name */
    ptx_extent denied; /* the same with PTX_EXTENT_DENIED, for devices without peer access */
    fk_place place;
    int device;
    struct fk_context *ctx; /* NULL once its context is gone, or for a pool's block */
    struct fk_pool *pool;
    uint64_t maker; /* of a pool's block: the context whose stream got it */
    uint64_t id, rounded;
    unsigned flags; /* of cuMemHostAlloc, cuMemHostRegister */
    bool dead;      /* freed, kept in quarantine so that late uses are recognised */
    bool doomed;    /* cuMemFreeAsync was called, the stream has not come to it */
    bool unborn;    /* cuMemAllocAsync was called, the stream has not come to it */
    bool global;    /* a module's variable or a graph's memory: not to be freed by hand */
    bool recurring; /* a graph's: comes and goes with each launch */
    char owner[48];
} fk_block;

/* A block of `bytes` on `device`, or NULL when the device's memory is out. `what` names it in
 * messages. */
fk_block *fk_block_new(int device, uint64_t bytes, const char *what);
fk_block *fk_block_host(void *memory, uint64_t bytes, fk_place place, const char *what);
/* Nobody may use it until the stream comes to its allocation. */
void fk_block_hide(fk_block *block, bool unborn);
/* Poisons it and puts it into quarantine; host blocks are forgotten at once. */
void fk_block_free(fk_block *block);
/* The living block that holds `address`; with `n`, all of [address, address + n). */
fk_block *fk_block_at(uint64_t address);
fk_block *fk_block_range(uint64_t address, uint64_t n);
/* The last block at or below the address, dead ones too: for messages. */
fk_block *fk_block_near(uint64_t address);
fk_block *fk_block_next(size_t *cursor); /* over the living ones; start with 0 */
bool fk_is_device_address(uint64_t address);
void fk_memory_reset(int device, struct fk_context *ctx); /* frees what a context owns */

/* ---- devices and contexts -------------------------------------------------------------------- */

typedef struct {
    unsigned sm;
    const char *name;
    int multiprocessors, gib;
    int shared_optin, shared_sm, threads_sm, blocks_sm;
    int l2_mib, clock_khz, memory_khz, bus_bits, copy_engines, f64_ratio;
} fk_profile;

typedef struct fk_device {
    int ordinal;
    const fk_profile *profile;
    uint64_t memory;
    struct fk_context *primary; /* stays at one address and handle for ever */
    unsigned primary_refs, primary_flags;
    struct fk_pool *default_pool, *pool, *graphs; /* graphs: what their nodes have allocated */
} fk_device;

struct fk_command;
typedef struct fk_stream {
    fk_head head;
    struct fk_context *ctx;
    unsigned flags, refs;
    int priority;
    uint64_t id;
    bool legacy;
    uint64_t owner; /* of a per-thread stream: the thread, else 0 */
    struct fk_command *tail;
    struct fk_capture *capture;
    fk_list capture_deps; /* of fk_node */
} fk_stream;

typedef struct fk_context {
    fk_head head;
    fk_device *device;
    bool primary, alive, resetting;
    unsigned flags, attached; /* attached: cuCtxAttach, beyond the creator */
    uint64_t id;
    CUresult error; /* the sticky one */
    size_t limits[CU_LIMIT_MAX];
    CUfunc_cache cache;
    ptx_heap *heap; /* of malloc in kernels; NULL before the first launch that may ask it */
    fk_stream *legacy;
    fk_list streams, modules, peers; /* streams: living ones, the legacy and per-thread ones too */
} fk_context;

/* What belongs to a host thread. */
typedef struct {
    fk_list stack; /* of context handles, the last is current */
    bool per_thread, in_callback;
    unsigned capture_mode;
    uint64_t id; /* never reused, 0: not yet given */
    char note[256];
} fk_thread;
extern _Thread_local fk_thread fk_self;
uint64_t fk_thread_id(void); /* context.c: also sees to it that the thread's stack is freed */

struct fk_state {
    pthread_mutex_t lock;
    pthread_cond_t moved; /* a command ended on another thread */
    bool started;
    fk_config config;
    int n_devices;
    fk_device devices[FK_MAX_DEVICES];
    uint64_t next_id;
};
extern struct fk_state fk;

/* The current context or NULL; its error must have been looked at by enter(). */
fk_context *fk_current(void);
fk_device *fk_device_of(CUdevice dev);
fk_context *fk_context_of(CUcontext handle); /* NULL stands for NULL */
void fk_context_close(fk_context *ctx);
bool fk_can_reach(const fk_context *ctx, int device);
double fk_now(void); /* queue.c: seconds */

/* ---- work: what a command or a graph node does (work.c) -------------------------------------- */

typedef enum {
    WORK_KERNEL,
    WORK_COPY,
    WORK_FILL,
    WORK_HOST,
    WORK_CALLBACK,
    WORK_RECORD,
    WORK_WAIT,
    WORK_EMPTY,
    WORK_ALLOC,
    WORK_FREE,
    WORK_CHILD,
    WORK_KINDS
} fk_work_kind;

typedef struct fk_module fk_module;
typedef struct fk_function fk_function;
typedef struct fk_event fk_event;
typedef struct fk_graph fk_graph;

/* One side of a copy: rows of a pitch, planes of a height, from an address that is the host's or
 * not. */
typedef struct {
    uint64_t address;
    bool pageable;
    uint64_t pitch, height;
} fk_side;

typedef struct {
    fk_work_kind kind;
    fk_context *ctx;
    union {
        struct {
            fk_function *function; /* valid while the work is queued */
            void *handle;          /* for nodes: the function may be gone */
            uint32_t grid[3], block[3], cluster[3], shared; /* cluster: 0: single blocks */
            bool cooperative;
            uint8_t *params; /* owned */
            uint32_t bytes;
        } kernel;
        struct {
            fk_side to, from;
            uint64_t width, rows, planes;
            void *staged; /* owned: the source, read at the call */
        } copy;
        struct {
            uint64_t to, pitch, width, rows;
            unsigned value, element;
        } fill;
        struct {
            CUhostFn fn;
            CUstreamCallback callback;
            void *user;
            CUstream stream;
        } host;
        fk_event *event; /* counted */
        struct {
            uint64_t address, id;
        } memory;        /* of a block: it may be gone when the command runs */
        fk_graph *child; /* owned, graphs only */
    };
} fk_work;

/* Takes what `work` owns. A capturing stream makes a node of it, any other a command. */
CUresult fk_submit(fk_stream *stream, fk_work *work);
void fk_work_copy(fk_work *to, const fk_work *from);
void fk_work_free(fk_work *work);
/* Reads or writes the program's own memory; false when it is not there. */
bool fk_pageable(void *here, uint64_t there, uint64_t n, bool write);

/* A range that a command read or wrote, for races between commands. */
typedef struct {
    uint64_t begin, end;
    unsigned access; /* ptx_access */
} fk_range;

/* ---- commands: a graph of what was queued, run late and in random order (queue.c, order.c) --- */

typedef struct fk_command {
    fk_work work;
    fk_stream *stream;      /* counted */
    uint64_t seq, known_at; /* known_at: when the host came to know that it ended, 0: not yet */
    unsigned refs, waits;   /* commands that must end first */
    enum { CMD_WAITING, CMD_RUNNING, CMD_DONE } state;
    fk_list followers;
    uint64_t base,
        *before; /* bit i: command base + i is ordered before this one; all below base are */
    size_t words;
    fk_range *ranges;
    size_t n_ranges;
    double ready, end; /* seconds on the device's clock */
    CUresult lost;     /* it, or what it waits for, is dropped: its context has failed so */
    char what[80];     /* for messages */
} fk_command;

/* Queues `work` after `deps` and whatever the stream's own rules say. `loose`: no stream rules (a node in
 * the middle of a graph). The caller gets no reference. */
fk_command *fk_enqueue(fk_stream *stream, fk_work *work, fk_command *const *deps, size_t n,
                       bool loose);
void fk_hold(fk_command *command);
void fk_drop(fk_command *command);
/* Runs, in random order, until `command` (NULL: everything of `ctx`, or all) has ended. */
void fk_finish(fk_command *command);
void fk_finish_context(fk_context *ctx);
/* Runs a few commands, as time would, without waiting. */
void fk_progress(void);
void fk_run_work(fk_command *command); /* work.c: with the lock held; fills ranges, end */
void fk_describe(fk_command *command); /* work.c: fills what */
void fk_queue_seed(uint64_t seed);

/* order.c: what is ordered before what, and the races */
bool fk_ordered(const fk_command *first, const fk_command *second);
void fk_order_begin(fk_command *command, fk_command *const *deps, size_t n);
void fk_order_end(fk_command *command);   /* looks for races */
void fk_order_known(fk_command *command); /* the host waited for it */
void fk_order_known_all(const fk_context *ctx);
fk_command *
fk_order_pending(const fk_context *ctx); /* the oldest that has not ended; NULL: any context */
bool fk_order_full(void);                /* too many commands on record: run some */

/* ---- streams, events, captures --------------------------------------------------------------- */

fk_stream *fk_stream_new(fk_context *ctx, unsigned flags, int priority);
void fk_stream_drop(fk_stream *stream);
/* The stream behind a handle (0, legacy and per-thread ones too); *status says why it is NULL. */
fk_stream *fk_stream_of(CUstream handle, CUresult *status);
void fk_stream_close(fk_stream *stream);

struct fk_event {
    fk_head head;
    fk_context *ctx;
    unsigned flags, refs;
    fk_command *last;           /* the last record, NULL: never */
    struct fk_capture *capture; /* recorded in a capture: these nodes */
    uint64_t capture_id;
    fk_list nodes;
};
void fk_event_hold(fk_event *event);
void fk_event_drop(fk_event *event);
void fk_event_became(fk_event *event, fk_command *record);
CUresult fk_record(fk_event *event, fk_stream *stream);

typedef struct fk_capture {
    uint64_t id, thread;
    unsigned mode;
    bool invalid,
        theirs; /* theirs: the graph is the program's, with `before` nodes in it at first */
    fk_graph *graph;
    size_t before;
    fk_stream *origin;
    fk_list streams; /* all that take part */
} fk_capture;

bool fk_capture_lives(const fk_capture *capture, uint64_t id);
CUresult fk_capture_add(fk_stream *stream, fk_work *work);
CUresult fk_capture_wait(fk_stream *stream, fk_event *event);
/* An operation that a capturing stream does not allow: spoils the capture. */
CUresult fk_capture_forbid(fk_stream *stream);
/* Whether enter() may let an unsafe call through on this thread. */
bool fk_capture_allows_unsafe(void);
/* Whether using the legacy stream of `ctx` is allowed; spoils the captures that it would join. */
CUresult fk_capture_implicit(fk_context *ctx);
void fk_capture_end(fk_capture *capture); /* ends it for all streams; the graph stays */

/* ---- modules --------------------------------------------------------------------------------- */

/* What the driver chose from an image. */
typedef struct {
    const char *ptx;
    size_t ptx_len;
    const uint8_t *cubin; /* for resource numbers, or NULL */
    size_t cubin_len;
    char *unpacked; /* owned */
} fk_image;

typedef struct {
    unsigned n;
    CUjit_option *options;
    void **values;
} fk_jit;

/* Finds what fits `sm` in `data`. On failure *why is a sentence. */
CUresult fk_image_open(const void *data, unsigned sm, fk_image *image, const char **why);
void fk_image_close(fk_image *image);
/* Registers of `kernel` in a cubin, 0 if it does not say. */
unsigned fk_cubin_registers(const uint8_t *cubin, size_t len, const char *kernel);
void fk_jit_logs(const fk_jit *jit, const char *error, double seconds); /* module.c */
char *fk_read_file(const char *path, size_t *len);

struct fk_function {
    fk_head head;
    fk_module *module;
    const ptx_kernel *kernel;
    unsigned registers;
    bool from_cubin; /* the register count is the assembler's */
    int max_dynamic, carveout;
    uint32_t cluster[3]; /* required, by the text or by an attribute; 0: none */
    bool wide_clusters;  /* of more than 8 blocks are allowed */
    int policy;
};

struct fk_module {
    fk_head head;
    fk_context *ctx;
    ptx_module *ptx;
    fk_list functions; /* one for each kernel */
    fk_list globals;   /* fk_block beside ptx_global_at(i) */
    struct fk_library *library;
};

typedef struct fk_kernel {
    fk_head head;
    struct fk_library *library;
    char *name;
    int max_dynamic[FK_MAX_DEVICES]; /* -1: not set */
} fk_kernel;

typedef struct fk_library {
    fk_head head;
    void *image;
    bool preserved; /* the caller keeps the image alive */
    fk_list kernels, modules;
} fk_library;

CUresult fk_module_load(fk_context *ctx, const void *image, const fk_jit *jit, fk_module **out);
void fk_module_close(fk_module *module);
CUresult fk_jit_check(const fk_jit *jit);
fk_function *fk_module_function(const fk_module *module, const char *name);
CUresult fk_library_module(fk_library *library, fk_context *ctx, fk_module **out);
/* A function from a CUfunction, or from a CUkernel in that type, in `ctx`. */
CUresult fk_function_of(CUfunction handle, fk_context *ctx, fk_function **out);
CUresult fk_func_config(CUfunction handle, unsigned config, unsigned most); /* is it one? */
unsigned fk_function_max_threads(const fk_function *f);
/* Blocks of `threads` that fit a multiprocessor; which limit says so does not matter. */
int fk_occupancy(const fk_function *f, uint32_t threads, uint64_t dynamic);

/* launch.c: checks a launch and packs its parameters into `work`. */
typedef struct {
    CUfunction func;
    unsigned grid[3], block[3], shared;
    void **params, **extra;
    unsigned cluster[3]; /* 0: not given */
    bool cooperative;
    bool node; /* of a graph: its grid may still be empty, until it is launched */
} fk_launch;
/* The clusters of a launch: as it says, or as the function wants them; 0: single blocks. */
CUresult fk_launch_cluster(const fk_launch *launch, const fk_function *f, uint32_t cluster[3]);
CUresult fk_launch_read(const CUlaunchConfig *config, fk_launch *launch);
CUresult fk_launch_work(fk_context *ctx, const fk_launch *launch, fk_work *work);

/* copy.c: descriptions to work */
CUresult fk_copy_work(fk_context *ctx, const CUDA_MEMCPY3D *copy, fk_work *work);
CUresult fk_fill_work(fk_context *ctx, const CUDA_MEMSET_NODE_PARAMS *fill, fk_work *work);
void fk_copy_describe(const fk_work *work, CUDA_MEMCPY3D *copy);
typedef enum { SYNCHRONOUS, ASYNCHRONOUS } fk_manner;
CUresult fk_copy(const CUDA_MEMCPY3D *copy, CUstream stream, fk_manner m);
CUresult fk_copy_2d(const CUDA_MEMCPY2D *copy, CUstream stream, fk_manner m);

/* ---- pools ----------------------------------------------------------------------------------- */

typedef struct fk_pool {
    fk_head head;
    fk_device *device;
    bool is_default;
    uint64_t max_size, threshold, used, used_high, reserved, reserved_high;
    int reuse[3];
    fk_list peers; /* fk_device */
} fk_pool;
fk_pool *fk_pool_new(fk_device *device, uint64_t max_size, bool is_default);
void fk_pool_took(fk_pool *pool, uint64_t bytes);
void fk_pool_gave(fk_pool *pool, uint64_t bytes);

/* ---- graphs ---------------------------------------------------------------------------------- */

typedef struct fk_node {
    fk_head head;
    fk_graph *graph;
    void *origin_handle; /* of the node that this one was copied from */
    fk_work work;
    CUgraphNodeType type;
    void *kernel_params; /* what KernelNodeGetParams hands out, owned */
    bool disabled;
    fk_list deps; /* of fk_node */
    size_t index; /* in graph->nodes */
    size_t mark;
} fk_node;

struct fk_graph {
    fk_head head;
    fk_list nodes;
    fk_list user_objects; /* each entry one reference */
    bool owned;           /* a child's, or an executable's copy: no handle of its own to destroy */
    bool capturing;
};

typedef struct {
    fk_head head;
    fk_graph *graph; /* a copy; children are expanded at launch */
    cuuint64_t flags;
    fk_command *last; /* a launch waits for the one before */
} fk_exec;

/* Whether all edges are full dependencies, the only ones here; NULL: they are. */
bool fk_plain_edges(const CUgraphEdgeData *edges, size_t n);
/* What a question for *n edges came to, with their data. */
CUresult fk_zero_edges(CUresult status, CUgraphEdgeData *edges, const size_t *n);
CUresult fk_graph_nodes(CUgraph graph, CUgraphNode *nodes, size_t *n, bool roots);
fk_graph *fk_graph_new(void);
void fk_graph_free(fk_graph *graph);
fk_graph *fk_graph_copy(const fk_graph *graph);
/* Adds a node that takes what `work` owns. */
fk_node *fk_graph_add(fk_graph *graph, fk_work *work, fk_node *const *deps, size_t n);
bool fk_graph_reaches(fk_graph *graph, const fk_node *from, const fk_node *to);
bool fk_graph_acyclic(fk_graph *graph);
bool fk_graph_sort(fk_graph *graph, fk_list *order); /* appends the nodes; false on a cycle */
/* The node, in children too, that was copied from the node with this handle. */
fk_node *fk_graph_find(const fk_graph *graph, const void *origin);
/* node.c: what a node of `type` does by its parameters; `old`: what it did before, whose attributes stay,
 * or NULL. Events, children and addresses are parameters too. ctx: the one that is named, or NULL. */
CUresult fk_node_work(CUgraphNodeType type, const void *params, CUcontext ctx, const fk_work *old,
                      fk_work *work);
void fk_node_replace(fk_node *node, fk_work *work);
CUresult fk_node_add(CUgraphNode *out, CUgraph graph, const CUgraphNode *deps, size_t n,
                     CUgraphNodeType type, const void *params, CUcontext ctx);
CUresult fk_node_set(CUgraphNode node, CUgraphNodeType type, const void *params, CUcontext ctx);
CUresult fk_exec_set(CUgraphExec exec, CUgraphNode node, CUgraphNodeType type, const void *params,
                     CUcontext ctx);
/* The general form: where the parameters of its type lie, and the context that it names. */
const void *fk_params_of(const CUgraphNodeParams *params);
CUcontext fk_params_ctx(const CUgraphNodeParams *params);
/* The older form in the newer one. */
const CUDA_KERNEL_NODE_PARAMS_v2 *fk_kernel_params(const CUDA_KERNEL_NODE_PARAMS_v1 *params,
                                                   CUDA_KERNEL_NODE_PARAMS_v2 *wide);

/* ---- the functions of the table -------------------------------------------------------------- */

enum fk_fn {
#define F(name, since, need, params, args) FN_##name,
#include "functions.def"
    FN_COUNT
};

typedef void (*fk_symbol)(void);

typedef struct {
    const char *name;
    int since;
    fk_need need;
    fk_symbol symbol, per_thread; /* NAME and NAME_ptsz or NAME_ptds */
} fk_entry;
extern const fk_entry fk_table[FN_COUNT], fk_absent[];
extern const size_t fk_n_absent;

#define F(name, since, need, params, args)                                                         \
    FK_EXPORT CUresult name params;                                                                \
    CUresult fk_##name params;
#define FC(name, since, need, params, call) FK_EXPORT CUresult name params;
#define PTSZ(form, name, since, need, params, does)                                                \
    form(name, since, need, params, does) FK_EXPORT CUresult name##_ptsz params;
#define PTDS(form, name, since, need, params, does)                                                \
    form(name, since, need, params, does) FK_EXPORT CUresult name##_ptds params;
#define FS(...)  PTSZ(F, __VA_ARGS__)
#define FSC(...) PTSZ(FC, __VA_ARGS__)
#define FD(...)  PTDS(F, __VA_ARGS__)
#define FDC(...) PTDS(FC, __VA_ARGS__)
#include "functions.def"

/* Locks, checks what the function needs, injects failures; leave() logs, counts and unlocks. */
CUresult fk_enter(enum fk_fn fn, bool per_thread);
CUresult fk_leave(enum fk_fn fn, CUresult result);
CUresult fk_words_of(CUresult error, bool sentence, const char **text);

#endif
