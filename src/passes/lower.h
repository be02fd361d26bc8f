/* lower.h - what the files of the lowering share: groups of nodes, and the emitter of elements. Internal to src/passes. */
#ifndef BRAZE_LOWER_H
#define BRAZE_LOWER_H

#include "src/passes/access.h"
#include "src/passes/form.h"
#include "src/passes/pass.h"

/* ---- fuse.c: which nodes become one kernel */

/* Nodes that become one kernel. `head`: what its form is about, the first of several reductions; of elementwise loops a node with their
 * shape; of a band that of the last part. */
typedef struct fuse_group fuse_group;
struct fuse_group {
    const fuse_form *form;
    bool dead; /* merged into another */
    ir_ref head;
    BZ_VEC(ir_ref)
    nodes; /* ascending; elementwise, reductions, dots (movement is listed only where it is stored) */
    uint32_t
        values; /* computed or moved, at most, counted once for each index at which one is read */
    uint32_t turns; /* reshapes and windows below one element, one after the other, at most */
    bool repeats;   /* some are read at several indices */
    uint32_t steps; /* base operations per element of all members */
    /* BAND: the groups that hand rows to one another, in order; their nodes are all of `nodes` */
    fuse_group *parts;
    unsigned nparts, row;  /* row: the number of the part that is a ROW; the others are DOTs */
    BZ_VEC(ir_ref) handed; /* values that one part makes and others read */
};

/* Is r a member of the group? */
bool fuse_is_member(const fuse_group *group, ir_ref r);

#define FUSE_NO_GROUP UINT32_MAX
enum {
    FUSE_MAX_FOLDS = 16, /* reductions in one kernel */
    FUSE_MAX_PARTS = 6   /* groups in a band */
};

/* The iteration space of a group as symbols. */
typedef struct fuse_space {
    unsigned nfull, nkept;
    int64_t full[IR_MAX_RANK], kept[IR_MAX_RANK]; /* sizes, without 1s */
    ir_ex full_idx[IR_MAX_RANK], kept_idx[IR_MAX_RANK];
} fuse_space;

/* What a member reads through movement only: an input, a listed constant (which, as a member, reads itself), a node of a group. */
typedef struct fuse_read {
    ir_ref base;
    uint32_t ways; /* in how many ways movement leads there */
} fuse_read;

typedef struct fuse_result {
    const ir_graph *g;
    uint32_t
        *group_of; /* of each node; FUSE_NO_GROUP for inputs, constants, movement and dead nodes */
    bool *stored;  /* the node's value lies in a buffer of its own */
    BZ_VEC(fuse_group) groups;
    BZ_VEC(pass_refusal) refusals;
    BZ_VEC(fuse_read) reads; /* of node r: reads[first_read[r]] .. reads[first_read[r + 1]] */
    uint32_t *first_read;
} fuse_result;

bz_status fuse_graph(const ir_graph *g, const pass_target *t, fuse_result *out, bz_error *e);
void fuse_free(fuse_result *f);
/* ---- fuse_space.c */
/* The space of a group whose head is `head`; every axis that is not 1 long gets idx[axis] from `sym`
 * (NULL: the sizes are all that is asked for). */
void fuse_space_of(const ir_graph *g, const fuse_form *form, ir_ref head, const ir_ex *sym,
                   fuse_space *s);
fuse_level fuse_level_of(const ir_graph *g, const fuse_space *s, ir_ref r);
/* Canonical index of r on a level. */
void fuse_index(const ir_graph *g, ir_exprs *x, const fuse_space *s, fuse_level level, ir_ref r,
                ir_ex *idx);
/* Base operations per element of one node; 0 for what computes no values. */
unsigned fuse_steps(const ir_graph *g, ir_ref r);

/* ---- emit.c: the value of any node at any index, as kernel-loop instructions.
 *
 * Index maps are expressions over symbols (rows, columns, reduced index ...). One symbol may be the vector symbol: it stands for
 * base + lane, in `width` bundles of `lanes` lanes: bundle u begins at base + u * lanes. A node that is bound (its value is in a
 * buffer, a local array, a register) ends the recursion; movement rewrites indices; elementwise ops emit their operands first. */

enum { EMIT_MAX_WIDTH = 16, EMIT_MAX_SYMS = 48, EMIT_CHAINS = 256 };

typedef struct emit_value {
    bool uniform; /* v[0] is a scalar, the same for every lane and bundle */
    lp_val v[EMIT_MAX_WIDTH];
} emit_value;

typedef enum emit_bind_kind {
    BIND_NONE,
    BIND_BUFFER,
    BIND_LOCAL,
    BIND_VALUE,
    BIND_SCALAR
} emit_bind_kind;

typedef struct emit_bind {
    emit_bind_kind kind;
    lp_val p;     /* BUFFER, LOCAL: the pointer; SCALAR: the value */
    ir_ex offset; /* LOCAL: where, as an expression over symbols */
    ir_ex
        only_at; /* LOCAL: row-major offset of the one index that is kept there; 0 = any. Others are computed */
    emit_value
        value; /* VALUE: for the current place whatever the index is (fusion has checked that it fits) */
} emit_bind;

typedef struct emit_memo {
    ir_ref node;
    uint32_t idx; /* into emitter.memo_idx: rank expressions */
    lp_val guard;
    unsigned chain, before; /* emitter.recent[chain] before this one came */
    emit_value value;
} emit_memo;

/* Elements of a buffer that wait in a local array: p[offset] is local[at]. */
typedef struct emit_staged {
    lp_val p, local;
    ir_ex offset, at;
} emit_staged;

enum { EMIT_MAX_STAGED = 4 };

/* A number that the kernel is handed at its launch instead of having it in its code, so that launches which differ in nothing else
 * share that. `site`: it is that node, which the kernel names in an error; `constant`: the bits of
 * that node; `size`: any number of that value; 0: another number. */
typedef struct emit_extent_of {
    int64_t value;
    ir_ref site, constant;
    bool size;
} emit_extent_of;

/* A buffer that the kernel only reads, or writes a window of. Its launch hands over a pointer to element `at`, from which the offsets in
 * the code count: the number in the first of them is taken out, so that x[0], x[1] ... of a loop are read, or written, by one kernel. */
typedef struct emit_origin {
    lp_val p;
    int64_t at, count; /* count: elements of the buffer */
    bool known;
    bool asked; /* the kernel asks the pointer where it leads */
} emit_origin;

typedef struct emitter {
    const ir_graph *g;
    const pass_target *t;
    lp_builder *b;
    ir_exprs *x;
    emit_bind *bind; /* per node */
    struct {
        ir_ex sym;
        lp_val value;
    } syms[EMIT_MAX_SYMS];
    unsigned nsyms;
    ir_ex vec; /* the vector symbol, 0 = none: everything is scalar */
    unsigned lanes, width;
    /* vectors begin at multiples of their length, counted from pointers that are multiples, too: accesses say so */
    bool aligned;
    bool any_pitch; /* factors in indices may hang on a size, too */
    lp_val tail; /* mask of the lanes of the last bundle that exist, 0 = all */
    lp_val guard
        [EMIT_MAX_WIDTH]; /* condition under which loads may happen (inside pad and concat), 0 = always */
    bool guard_uniform;
    unsigned depth, branches; /* of pad and concat that are emitted as branches: open ones, all */
    lp_val
        ahead; /* buffer that is read from memory, in order: its vector loads ask ahead; 0 = none */
    ir_ex
        ahead_sym; /* ... for what they read when this symbol is `ahead_by` larger; 0: for what lies behind */
    int64_t ahead_by;
    emit_staged staged[EMIT_MAX_STAGED];
    unsigned nstaged;
    BZ_VEC(emit_memo) memo;
    unsigned recent[EMIT_CHAINS];   /* the newest memo of each chain + 1 */
    BZ_VEC(emit_extent_of) extents; /* of the kernel, in order */
    BZ_VEC(emit_origin) origins;
    BZ_VEC(ir_ex) memo_idx;
    bool
        failed; /* out of memory, or an op that has no kernel (then `unsupported` names the node) */
    ir_ref unsupported;
} emitter;

/* `bind`: one per node, all BIND_NONE. */
void emit_init(emitter *m, const ir_graph *g, const pass_target *t, ir_exprs *x, emit_bind *bind);
void emit_free(emitter *m);
void emit_fail(emitter *m); /* out of memory, or an op without a kernel: nothing more is emitted */
void emit_sym(emitter *m, ir_ex sym, lp_val value); /* binds, or rebinds, a symbol to a scalar */
/* Chooses the vector symbol: base is the index of lane 0 of bundle 0. */
void emit_vector(emitter *m, ir_ex sym, lp_val base, unsigned lanes, unsigned width, lp_val tail);
/* The mask of bundle u, 0 = all of it is there. */
lp_val emit_tail(const emitter *m, unsigned u);
void emit_scalar(emitter *m); /* no vector symbol */
/* Forgets values that were computed since `mark` (they belong to a region that has closed). */
unsigned emit_mark(const emitter *m);
void emit_forget(emitter *m, unsigned mark);

emit_value emit_node(emitter *m, ir_ref r, const ir_ex *idx);
emit_value emit_load(emitter *m, lp_val p, ir_ex offset); /* p[offset] for every lane */
/* The launch may move buffer p, of `count` elements, which is only read. */
void emit_may_move(emitter *m, lp_val p, int64_t count);
/* The kernel asks p itself whether it is aligned: by how much a launch moves it decides nothing. */
void emit_asked(emitter *m, lp_val p);
/* The element of its buffer that p leads to, once everything is emitted. */
int64_t emit_moved(const emitter *m, lp_val p);
/* An offset in p's buffer as one from where p leads to. */
ir_ex emit_from(emitter *m, lp_val p, ir_ex offset);
/* LP_ALIGNED for a vector at p[offset] that surely is, an offset from where p leads to; else 0. */
unsigned emit_alignment(const emitter *m, lp_val p, ir_ex offset);
/* Does a load with this step from lane to lane become a gather? */
bool emit_gathers(const emitter *m, int64_t step);
lp_val emit_index(emitter *m, ir_ex e); /* a scalar i64; the vector symbol counts as its base */
/* Bundle u of a value as a vector of the current lanes. */
lp_val emit_lane_value(emitter *m, const emit_value *v, unsigned u);
/* Row-major offset of an index in the shape of r. */
ir_ex emit_offset(emitter *m, ir_ref r, const ir_ex *idx);
/* A new extent of the kernel with this value at the launch at hand; `word`: for its name. */
lp_val emit_extent(emitter *m, const char *word, int64_t value);
/* A number >= 0 that indices are compared with or moved by: where kernels serve any size a large one hangs on that, and is handed over. */
lp_val emit_size(emitter *m, int64_t value);
/* How often something is done: handed over where kernels serve any size. */
lp_val emit_count(emitter *m, const char *word, int64_t value);
lp_val emit_cast(lp_builder *b, bz_dtype to, bz_dtype from, lp_val x);
/* p[offset] = v, along the vector symbol. */
void emit_store(emitter *m, lp_val p, ir_ex offset, const emit_value *v, unsigned flags);
#define PASS_NONE UINT32_MAX

/* ---- schedule.c: the order of the groups, and which run in one launch */
typedef struct schedule {
    BZ_VEC(uint32_t) groups; /* in order of running */
    BZ_VEC(uint32_t) starts; /* launch i: groups starts[i] .. starts[i+1] */
    uint32_t *launch_of;     /* of each group */
} schedule;
bool schedule_groups(const fuse_result *f, const pass_target *t, schedule *s);
void schedule_free(schedule *s);
/* ---- buffers.c: in which buffer each stored value lies */
typedef struct homes {
    uint32_t *buffer_of; /* node -> plan buffer, PASS_NONE = none */
    uint32_t *listed;    /* node -> where a constant that its own group stores lists its elements */
    uint32_t *first_output,
        *next_output; /* outputs that are node r: first_output[r], then next_output[i]; PASS_NONE ends */
    uint32_t *last_launch; /* the last launch that reads node r, plus 1; 0 = none */
    uint32_t *last_reader; /* the group that does, PASS_NONE = several */
    uint32_t *donor; /* of updates: the donated input that they may lie in, PASS_NONE = none */
} homes;

/* ---- collect.c: what values depend on, before any loop is chosen */
typedef struct collect_read {
    lp_val p; /* a buffer */
    ir_ex offset;
    bool guarded; /* not everywhere: below a pad or concat */
} collect_read;

/* Two parts of a concat meet where this symbol has this value. */
typedef struct collect_border {
    ir_ex sym;
    int64_t at;
} collect_border;

typedef struct collected {
    BZ_VEC(ir_ex) on; /* offsets of loads, conditions, indices that are values */
    BZ_VEC(collect_read) reads;
    BZ_VEC(collect_border) borders;
    access_seen seen;
} collected;

/* ---- A plan at work: what the stages of the pipeline leave for the next ones, and of a target's schedules, which make the loops of one group. */

typedef struct lower {
    const ir_graph *g;
    const pass_target *t;
    const fuse_result *f;
    const fuse_group *group;
    bool in_part; /* the group is a part of a band */
    bool together; /* others of its form are launched with it: what differs in sizes alone is one kernel */
    pass_plan *plan;
    bz_error *e;
    fuse_result fused; /* what f points to */
    schedule order;
    homes homes;
    uint32_t launch;         /* that buffers or kernels are made for */
    emit_bind *bind;         /* per node, BIND_NONE between kernels */
    uint32_t *slots, nslots; /* kernels of the plan by name */
    /* of the kernel at hand */
    ir_exprs x;
    emitter m;
    collected c;
    lp_kernel *k;
    lp_builder *b;
    fuse_space space;
    bool filling; /* UPDATE: the loops run over all elements, and store those that were there */
    ir_ex
        first; /* UPDATE: symbol of a number of the launch that stands for the one in the window's offset; 0: none */
    BZ_VEC(uint32_t) buffers; /* plan buffers in parameter order, and their BUFFER values */
    BZ_VEC(lp_val) pointers;
    BZ_VEC(uint32_t) scalars;
    BZ_VEC(ir_ref) outputs; /* members that are stored, ascending */
    BZ_VEC(lp_val) out_pointers;
    BZ_VEC(pass_kept) kept; /* phases that fill KEPT buffers */
} lower;

/* Begins a list; adds what the value of r at idx depends on; is all of it linear in sym, with steps of 0 or 1 alone if *dense? */
void collect_begin(lower *l);
void collect_node(lower *l, ir_ref r, const ir_ex *idx);
bool collect_linear(lower *l, ir_ex sym, bool *dense);
void collect_free(lower *l);

/* Calls visit(ctx, reader, base) for everything that a member reads (fuse_read), until one is false. */
typedef bool lower_visit(void *ctx, ir_ref reader, ir_ref base);
bool lower_reads(const fuse_result *f, ir_ref reader, lower_visit *visit, void *ctx);
/* ---- fuse_reads.c */
/* Behind reshapes: the same row-major elements. */
ir_ref fuse_same_buffer(const ir_graph *g, ir_ref r);
/* The value whose buffer update r may write in. */
static inline ir_ref fuse_updated(const ir_graph *g, ir_ref r) {
    return fuse_same_buffer(g, ir_operand(g, r, 0));
}
/* Does every member read value `q` only at the index at which `out` is stored (an update: at which it writes)? Then out may overwrite
 * q's buffer. */
bool fuse_only_in_place(const fuse_result *f, uint32_t group, ir_ref q, ir_ref out);

/* ---- names.c: appends what a group's kernel is called: a C identifier of at most 32 characters, the same for equal groups */
void name_group(bz_text *t, const ir_graph *g, const fuse_group *group);

/* ---- stages.c: plans from graphs, by the stages of pipeline.def. false: out of memory, or the error is in l->e */
#define PASS(...)
#define STAGE(fn, text, ...)                                                                       \
    pass_stage fn;                                                                                 \
    pass_stage_text text;
#include "src/passes/pipeline.def"
#undef PASS
#undef STAGE
void stages_free(lower *l);

/* ---- kept.c */
/* Is r, at the kernel at hand, made of inputs that last and of constants alone? */
bool kept_lasts(lower *l, ir_ref r);
/* The phase that comes next is all that fills a KEPT buffer, with what it makes of r, which lasts. */
void kept_add(lower *l, ir_ref r);

/* ---- lower.c */
void lower_free(lower *l);
/* Does the group store any element? */
bool lower_has_work(const lower *l, const fuse_group *g);

/* ---- buffers.c */
void buffers_free(homes *h);
/* For a kernel's own memory, ARENA or KEPT. PASS_NONE: out of memory, or (in l->e) too large for any. */
uint32_t buffers_work(lower *l, bz_dtype t, int64_t count, pass_place place);
/* Is r a member of the group? */
bool buffers_own(const lower *l, const fuse_group *g, ir_ref r);
/* Does the kernel of update r write where its operand lies? */
bool buffers_in_place(const lower *l, ir_ref r);

/* ---- gaps.c: the free stretches of an arena without end */
typedef struct arena_gap {
    int64_t from, size, largest; /* largest: size of the largest gap here and below */
    uint32_t left, right, rank;
} arena_gap;
typedef struct arena_gaps {
    BZ_VEC(arena_gap) pool;
    uint32_t root, unused; /* unused: a list through `left` */
    uint32_t ranks;
} arena_gaps;
/* One gap: all. gaps_free after it, even when it says that memory ran out (false). */
bool gaps_begin(arena_gaps *a);
int64_t gaps_take(arena_gaps *a, int64_t bytes); /* the lowest address with so many (> 0) free */
bool gaps_give(arena_gaps *a, int64_t from, int64_t bytes); /* takes back; false: out of memory */
void gaps_free(arena_gaps *a);

/* ---- memory.c: offsets in the arena */
bool memory_plan(pass_plan *p, bz_error *e);

/* ---- lower.c */
lp_val lower_work(lower *l, bz_dtype t, int64_t count); /* memory shared by the phases */
/* The same for a phase that comes next and fills it with what it makes of r alone: it stays from run to run where r lasts (kept.c). */
lp_val lower_work_of(lower *l, ir_ref r, bz_dtype t, int64_t count);
/* Adds a function that kernels call; gives its number for lp_call. An equal one is reused; `f` belongs to the plan then. */
bool lower_function(lower *l, lp_kernel *f, unsigned *number);
/* Emits the members that are stored and lie on `level` at the current symbols, all values first, then all stores. */
bool lower_store_outputs(lower *l, fuse_level level, unsigned flags);
ir_ex lower_sym(lower *l, const char *name,
                int64_t size); /* a symbol over 0 .. size-1; the constant 0 for size 1 */
ir_ex lower_vector_sym(lower *l, const char *name,
                       int64_t size); /* always a symbol: one that vectors may run along */
int64_t lower_count(const int64_t *sizes, unsigned n);
/* Where result k of the group's head lies, its only one if it is no tuple; 0: nobody wants it. */
lp_val lower_result(const lower *l, unsigned k);
/* What the outputs depend on, into l->c. */
void lower_collect(lower *l);
/* Makes the axes of node r the space of the loops. */
void lower_space_of(lower *l, ir_ref r);
/* What output r has at the current symbols: node and index, and where it is stored. False: it is not on this level. */
bool lower_place(lower *l, ir_ref r, fuse_level level, ir_ref *node, ir_ex *idx, ir_ex *offset);

/* A target's loops for groups of a form; all inputs are bound. False: out of memory, or l->m.unsupported. */
struct pass_schedule {
    const fuse_form *form;
    bool (*make)(lower *l);
    /* of forms that stand for another one (fuse_form.once): may a group with this head have it? */
    bool (*takes)(const pass_target *t, const ir_graph *g, ir_ref head);
};
/* The target's for a form; NULL: it has none. */
const pass_schedule *lower_schedule(const pass_target *t, const fuse_form *form);

#endif
