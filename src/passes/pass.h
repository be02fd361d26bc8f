/* pass.h - the passes: a recorded graph becomes a plan of kernels.
 *
 *     ir_graph --grad--> ir_graph --canon--> --expand--> ir_graph
 *              --fuse--> groups --schedule--> launches --buffers--> homes of values --lower--> kernels --memory--> pass_plan
 *
 * pipeline.def lists passes and stages in order. Every graph pass gives a new graph; none changes its argument. */
#ifndef BRAZE_PASS_H
#define BRAZE_PASS_H

#include "src/ir/ir.h"
#include "src/ir/loops/loop.h"

/* ---- what the machine code will run on, as far as the passes care. It never changes a result, but for `matrix`. */
enum { PASS_CACHED = 4 << 20 }; /* of the processors of today */

struct lower; /* of a plan at work */

typedef struct pass_schedule pass_schedule; /* how loops of one form are made: lower.h */

/* Sizes of caches in bytes, what a thread or an element costs, and how loops are made. */
typedef struct pass_machine {
    int64_t line, first,
        second;    /* of a line; of the cache nearest to a core, of the one behind it */
    int64_t last;  /* of all caches: what is larger comes from memory, and goes there past them */
    int64_t ahead; /* so long before it is read in order it is asked for; 0: never */
    unsigned streams; /* rows that are read side by side without loss */
    unsigned stride; /* elements from lane to lane up to which loading all between beats a gather */
    int64_t task;    /* elements that are worth a task */
    int64_t tasks;   /* that are enough, however many threads there are */
    int64_t alone; /* multiply-adds, times bytes of a number, that are not worth a second thread */
    int64_t wake_ns; /* a launch that takes less costs less than waking another thread */
    unsigned busy;   /* operations for an element that keep a core busy with nothing beside them */
    unsigned turn;   /* rows and columns of a tile that is turned; 0: none is */
    /* rows of that length, if they are few, are folded by several tasks */
    int64_t long_row, few_rows;
    bool short_indices; /* indices of 32 bits are cheaper: kernels are made for the sizes that they meet */
    int64_t columns; /* of a task that goes down rows */
    unsigned beside; /* vectors of elements that a thread computes side by side, at most */
    const pass_schedule *schedules;
    unsigned nschedules;
} pass_machine;
extern const pass_machine pass_cpu; /* cpu/cpu.c */
extern const pass_machine pass_gpu; /* gpu/gpu.c */

typedef struct pass_target {
    unsigned vector_bytes; /* 16, 32 or 64 */
    unsigned registers;    /* vector registers: 16 or 32 */
    bool masks;            /* masked loads and stores are cheap */
    bool eager;            /* one kernel per node: no fusion */
    bool matrix;           /* fast mode: sums of products may be those of matrix units (docs/fast.md) */
    bool any_size;         /* kernels are cut to serve other sizes, too, rather than to fit these */
    bool keeps; /* what kernels make of inputs that last stays from run to run (PASS_KEPT) */
    bool rows; /* a launch hands all its segments of one kernel over at once: lp_kernel.rows */
    unsigned threads; /* tasks are cut for about so many; any number runs */
    /* bytes of a temporary up to which it stays in the caches from one launch to the next */
    int64_t cached;
    int64_t shared; /* bytes of shared memory that a block of threads may have; processors: 0 */
    const pass_machine *machine;
    const bz_watch *watch; /* asked between the parts of a compilation; NULL: nobody */
} pass_target;

extern const pass_target pass_gpu_target; /* any graphics processor */
/* One of a compute capability (90), 0: any of today's; fast: results may be as docs/fast.md says. */
pass_target pass_gpu_of(unsigned capability, bool fast);

#define PASS(...)  +1
#define STAGE(...) +1
enum {
    PASS_COUNT = 0
#include "src/passes/pipeline.def"
};
#undef PASS
#undef STAGE

/* ---- the plan */

/* KEPT: nobody writes there between two runs */
typedef enum pass_place { PASS_INPUT, PASS_OUTPUT, PASS_ARENA, PASS_CONST, PASS_KEPT } pass_place;

typedef struct pass_buffer {
    bz_dtype dtype;
    int64_t count; /* elements, row-major contiguous */
    pass_place place;
    /* INPUT, OUTPUT: which one of the graph; CONST: the node of plan->graph that lists the elements. A donated input's buffer is its
     * output's too */
    uint32_t number;
    int64_t offset;       /* ARENA, KEPT: bytes from its start, a multiple of 64 */
    uint32_t first, last; /* launches that use it, first writes */
    bool taken;           /* INPUT: an output lies in it */
} pass_buffer;

/* A phase of a kernel that does nothing but to fill a KEPT buffer with what it makes of inputs that last: where these have the values that they
 * had when it ran, it need not run again. */
typedef struct pass_kept {
    uint32_t phase, ninputs;
    const uint32_t *inputs; /* of the graph, each once */
} pass_kept;

/* One use of a kernel: its code with these buffers, extents and scalars. */
typedef struct pass_segment {
    uint32_t kernel;         /* index in plan->code */
    const uint32_t *buffers; /* plan buffers, one per kernel buffer */
    /* the element of each that the kernel's pointer leads to: kernels that differ in offsets alone are one */
    const int64_t *at;
    const int64_t *extents;  /* among them the numbers of nodes of plan->graph that errors name */
    const uint32_t *scalars; /* graph inputs that are scalars, one per kernel scalar */
    const pass_kept *kept;   /* phases, ascending */
    uint32_t nkept;
} pass_segment;

/* What the runtime starts at once: segments that do not depend on each other (one kernel each in the sense of the reports, which
 * call a whole launch "a kernel"). Phase p of all segments runs, then phase p + 1. */
typedef struct pass_launch {
    /* "softmax_row_0", "gemm_bias_relu_1" ...: a C identifier, unique in the plan */
    const char *name;
    const pass_segment *segments;
    uint32_t nsegments;
    const ir_ref *nodes; /* of plan->graph, that it computes */
    uint32_t nnodes;
    int64_t bytes_read, bytes_written; /* of memory outside the kernel */
    int64_t flops, specials;           /* arithmetic operations; of them transcendental */
} pass_launch;

/* Why two neighbours did not become one kernel. */
typedef struct pass_refusal {
    ir_ref producer, consumer; /* nodes of plan->graph */
    const char *reason;
} pass_refusal;

typedef struct pass_plan {
    /* what was lowered (after all graph passes): nodes, names and source lines for reports. Owned */
    ir_graph *graph;
    /* owns graph's expressions; borrowed from the caller, must outlive the plan */
    ir_module *module;
    lp_module *code; /* kernels, functions first; each distinct kernel once. Owned */
    BZ_VEC(pass_buffer) buffers;
    BZ_VEC(pass_launch) launches;
    BZ_VEC(pass_refusal) refusals;
    /* graph output i lies in buffers[output[i]]; an output that is an unchanged input names that input's buffer (the runtime copies or
     * shares); outputs that are the same value name the same buffer */
    uint32_t *output;
    uint32_t noutputs;
    int64_t arena_bytes;     /* size of the arena: the exact peak of temporaries */
    int64_t kept_bytes;      /* of all KEPT buffers, one behind the other */
    int64_t arena_bound;     /* lower bound: most bytes live at once */
    uint64_t ns[PASS_COUNT]; /* that each pass took */
    bz_arena memory;
} pass_plan;

/* Bytes from the start of the segment's buffer i to where the kernel's pointer leads. */
size_t pass_bytes_before(const pass_plan *p, const pass_segment *s, uint32_t i);
/* Has every node a size? BZ_EUNSUPPORTED and the first that has not, with its line: symbols are not compiled. */
bz_status pass_check_static(const ir_graph *g, bz_error *e);
/* Runs the pipeline. The graph stays as it is. NULL and `e` (BZ_EUNSUPPORTED names the op; BZ_ENOMEM) on failure. */
pass_plan *pass_compile(const ir_graph *g, const pass_target *t, bz_error *e);
void pass_plan_free(pass_plan *p);
void pass_plan_print(
    bz_text *t,
    const pass_plan *p); /* buffers, launches and refusals, for golden tests and dumps */

/* ---- pipeline.c: the passes by name, for `braze opt`, dumps and golden tests */
typedef ir_graph *pass_fn(const ir_graph *g, const pass_target *t, bz_error *e);
typedef bool pass_stage(struct lower *l);
typedef void pass_stage_text(bz_text *t, const struct lower *l);
typedef struct pass_info {
    const char *name, *help;
    char letter;       /* of BRAZE_DUMP */
    pass_fn *run;      /* NULL: a stage */
    pass_stage *stage; /* src/passes/lower.h */
    pass_stage_text *text;
} pass_info;
extern const pass_info pass_table[PASS_COUNT];
const pass_info *pass_find(const char *name, size_t n);
/* Runs the pipeline up to that stage, and appends what it gives. */
bz_status pass_print_stage(bz_text *text, const ir_graph *g, const pass_info *stage,
                           const pass_target *t, bz_error *e);
/* Dumps after passes whose letters stand in `letters` go to stderr ("" = none). Process-wide, set before compiling. */
void pass_set_dump(const char *letters);
/* Beside the letters of passes: the graph as recorded, everything. */
enum { PASS_DUMP_RECORDED = 'g', PASS_DUMP_ALL = '*' };
bool pass_dump_knows(const char *letters); /* Does each letter stand for something? */

/* ---- grad.c: gradients, graph to graph. Appends to g the nodes that compute d loss / d wrt[i] and puts them in out[i]. `loss`: any
 * shape; seed: the gradient of the result with respect to `loss` (0: ones, then loss must be 0-d). wrt nodes may be any
 * nodes; a node that loss does not depend on gets zeros. Errors: BZ_EGRAD names the op without a rule; BZ_EDTYPE for wrt that is no
 * float. */
bz_status pass_grad(ir_graph *g, ir_ref loss, ir_ref seed, const ir_ref *wrt, unsigned n,
                    ir_ref *out);
/* ---- grad_cone.c: a workspace, whose first state is all zeros. Its tables have an entry for every node, 0 between two gradients: one
 * takes what its results depend on, however long the graph is. */
typedef struct pass_backward {
    ir_graph *g;
    ir_ref *grad;    /* of each node that existed at the start; 0 = none yet */
    ir_ref *results; /* of a tuple the last result that has a gradient, of that the one before */
    bool *depends;   /* the node depends on a wrt node, through floats */
    uint32_t room;
    ir_ref from;         /* of the nodes before it only the results are in a cone */
    BZ_VEC(ir_ref) cone; /* what gradients of the results flow to, ascending */
    uint64_t work;       /* nodes of all cones so far: tests count them */
} pass_backward;
/* Finds b->cone for results y. false: no memory. */
bool pass_cone(pass_backward *b, const ir_graph *g, const ir_ref *y, unsigned ny);
void pass_backward_free(pass_backward *b);
/* pass_grad for ny results together, each with its seed (seed NULL, or an entry 0: ones, for a 0-d result alone). */
bz_status pass_vjp(pass_backward *b, ir_graph *g, const ir_ref *y, const ir_ref *seed, unsigned ny,
                   const ir_ref *wrt, unsigned n, ir_ref *out);

/* ---- jvp.c: forward mode. out[k]: the sum over i of (d y[k] / d wrt[i]) tangent[i], of y[k]'s type; zeros where y[k] depends on none.
 * tangent: of wrt's types (NULL, or an entry 0: 1, for a 0-d one alone). The nodes have gradients and tangents like others. */
bz_status pass_jvp(pass_backward *b, ir_graph *g, const ir_ref *y, unsigned ny, const ir_ref *wrt,
                   const ir_ref *tangent, unsigned n, ir_ref *out);

/* ---- vmap.c: nodes over samples, one after another: each gets one more axis, the first, where an operand has it. */
typedef struct pass_batch {
    ir_graph *g;               /* where they are made */
    const ir_graph *of;        /* whose nodes they are; may be g: what nothing moves stays itself */
    ir_dim size;               /* samples */
    ir_ref *to;                /* what each node becomes; 0: it was not met yet */
    bool *over;                /* that has the axis */
    BZ_VEC(ir_ref) results;    /* of conds */
} pass_batch;
/* Tables for the nodes that `of` has now. false: no memory; pass_batch_end in either case. */
bool pass_batch_begin(pass_batch *q);
/* Input, or any node, r has x's samples along an axis. */
void pass_batch_input(pass_batch *q, ir_ref r, ir_ref x, unsigned axis);
/* Node r, whose operands were met, or are of g themselves. false: an error in g. */
bool pass_batch_node(pass_batch *q, ir_ref r);
/* What r became with its samples along an axis, repeated where they are all one. 0: an error in g. */
ir_ref pass_batch_moved(pass_batch *q, ir_ref r, unsigned axis);
void pass_batch_end(pass_batch *q);

/* Does the gradient of node r reach its operand k? Not through integers, nor where the rule is zero. */
bool pass_grad_flows(const ir_graph *g, ir_ref r, unsigned k);

/* ---- loops.c: g, with loops that save what a gradient reads in place of the whiles that they repeat. NULL and the error. */
ir_graph *pass_join_loops(const ir_graph *g, bz_error *e);

/* ---- pairs.c: complex numbers as pairs of real ones. Gives g itself where there is none. */
ir_graph *pass_pairs(const ir_graph *g, const pass_target *t, bz_error *e);
/* ---- canon.c: algebraic rules as data (rules.def), dead nodes dropped, until nothing changes. */
ir_graph *pass_canon(const ir_graph *g, const pass_target *t, bz_error *e);
enum { PASS_CONCAT_MOST = 64 }; /* operands of a concat that is one kernel */
/* ---- expand.c: what lowering does not take as one op becomes several: argmax and argmin, reductions of unusual axes ... */
ir_graph *pass_expand(const ir_graph *g, const pass_target *t, bz_error *e);
/* ---- expand_conv.c: node r of the old graph, a convolution, as a product. */
ir_ref pass_expand_conv(ir_graph *g, const ir_graph *old, const ir_map *map, ir_ref r);

#endif
