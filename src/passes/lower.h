/* lower.h - what the files of the lowering share: groups of nodes, and the emitter of elements. Internal to src/passes. */
#ifndef BRAZE_LOWER_H
#define BRAZE_LOWER_H

#include "src/passes/pass.h"

/* ---- fuse.c: which nodes become one kernel */

typedef enum fuse_kind { FUSE_MAP, FUSE_ROW, FUSE_COL, FUSE_DOT } fuse_kind;

/* Nodes that become one kernel. `head`: MAP: a node with the iteration shape; ROW, COL: the first reduction; DOT: the dot. */
typedef struct fuse_group {
    fuse_kind kind;
    bool dead; /* merged into another */
    ir_ref head;
    BZ_VEC(ir_ref) nodes; /* ascending; elementwise, reductions, dots (movement is not listed: it is an index map) */
} fuse_group;

enum { FUSE_NO_GROUP = UINT32_MAX };

/* The iteration space of a group as symbols. FULL: the head's shape (ROW, COL: of what is reduced); KEPT: what a reduction leaves. A
 * node is on a level when its shape is the level's but for axes of size 1; its canonical index there is the level's symbols. */
typedef enum fuse_level { FUSE_NONE, FUSE_FULL, FUSE_KEPT } fuse_level;
typedef struct fuse_space {
    unsigned nfull, nkept;
    int64_t full[IR_MAX_RANK], kept[IR_MAX_RANK]; /* sizes, without 1s */
    ir_ex full_idx[IR_MAX_RANK], kept_idx[IR_MAX_RANK];
} fuse_space;

typedef struct fuse_result {
    const ir_graph *g;
    uint32_t *group_of; /* of each node; FUSE_NO_GROUP for inputs, constants, movement and dead nodes */
    bool *stored;       /* the node's value lies in a buffer of its own */
    BZ_VEC(fuse_group) groups;
    BZ_VEC(pass_refusal) refusals;
} fuse_result;

bz_status fuse_graph(const ir_graph *g, const pass_target *t, fuse_result *out, bz_error *e);
void fuse_free(fuse_result *f);
/* The space of a group whose head is `head`; every axis that is not 1 long gets idx[axis] from `sym`. */
void fuse_space_of(const ir_graph *g, ir_exprs *x, fuse_kind kind, ir_ref head, const ir_ex *sym, fuse_space *s);
fuse_level fuse_level_of(const ir_graph *g, const fuse_space *s, ir_ref r);
/* Canonical index of r on a level. */
void fuse_index(const ir_graph *g, ir_exprs *x, const fuse_space *s, fuse_level level, ir_ref r, ir_ex *idx);
/* The same element of the same value under other indices: reshape ... concat, not computing anything. */
static inline bool fuse_is_move(const ir_graph *g, ir_ref r) { return ir_op_is_movement(ir_at(g, r)->op); }

/* ---- emit.c: the value of any node at any index, as kernel-loop instructions.
 *
 * Index maps are expressions over symbols (rows, columns, reduced index ...). One symbol may be the vector symbol: it stands for
 * base + lane, in `width` bundles of `lanes` lanes: bundle u begins at base + u * lanes. A node that is bound (its value is in a
 * buffer, a local array, a register) ends the recursion; movement rewrites indices; elementwise ops emit their operands first. */

enum { EMIT_MAX_WIDTH = 16, EMIT_MAX_SYMS = 8 };

typedef struct emit_value {
    bool uniform; /* v[0] is a scalar, the same for every lane and bundle */
    lp_val v[EMIT_MAX_WIDTH];
} emit_value;

typedef enum emit_bind_kind { BIND_NONE, BIND_BUFFER, BIND_LOCAL, BIND_VALUE, BIND_SCALAR } emit_bind_kind;

typedef struct emit_bind {
    emit_bind_kind kind;
    lp_val p;         /* BUFFER, LOCAL: the pointer; SCALAR: the value */
    ir_ex offset;     /* LOCAL: where, as an expression over symbols */
    emit_value value; /* VALUE: for the current place whatever the index is (fusion has checked that it fits) */
} emit_bind;

typedef struct emit_memo {
    ir_ref node;
    uint32_t idx; /* into emitter.memo_idx: rank expressions */
    lp_val guard;
    emit_value value;
} emit_memo;

typedef struct emitter {
    const ir_graph *g;
    lp_builder *b; /* NULL: nothing is emitted; the expressions that loads and masks depend on are collected in `seen` */
    ir_exprs *x;
    emit_bind *bind; /* per node */
    struct {
        ir_ex sym;
        lp_val value;
    } syms[EMIT_MAX_SYMS];
    unsigned nsyms;
    ir_ex vec; /* the vector symbol, 0 = none: everything is scalar */
    unsigned lanes, width;
    lp_val tail;  /* mask of the lanes that exist (width is 1 then), 0 = all */
    lp_val guard[EMIT_MAX_WIDTH]; /* condition under which loads may happen (inside pad and concat), 0 = always */
    bool guard_uniform;
    BZ_VEC(ir_ex) seen;
    BZ_VEC(emit_memo) memo;
    BZ_VEC(ir_ex) memo_idx;
    bool failed; /* out of memory, or an op that has no kernel (then `unsupported` names the node) */
    ir_ref unsupported;
} emitter;

bool emit_init(emitter *m, const ir_graph *g, ir_exprs *x);
void emit_free(emitter *m);
void emit_sym(emitter *m, ir_ex sym, lp_val value); /* binds, or rebinds, a symbol to a scalar */
/* Chooses the vector symbol: base is the index of lane 0 of bundle 0. */
void emit_vector(emitter *m, ir_ex sym, lp_val base, unsigned lanes, unsigned width, lp_val tail);
void emit_scalar(emitter *m); /* no vector symbol */
/* Forgets values that were computed since `mark` (they belong to a region that has closed). */
unsigned emit_mark(const emitter *m);
void emit_forget(emitter *m, unsigned mark);

emit_value emit_node(emitter *m, ir_ref r, const ir_ex *idx);
lp_val emit_index(emitter *m, ir_ex e); /* a scalar i64; the vector symbol counts as its base */
/* Bundle u of a value as a vector of the current lanes. */
lp_val emit_lane_value(emitter *m, const emit_value *v, unsigned u);
/* Row-major offset of an index in the shape of r. */
ir_ex emit_offset(emitter *m, ir_ref r, const ir_ex *idx);
/* Stores a value of node r at its index: row-major in the buffer p, along the vector symbol. */
void emit_store(emitter *m, ir_ref r, lp_val p, const ir_ex *idx, const emit_value *v, unsigned flags);
/* What index of its operand a movement node reads at idx; false for pad and concat, which depend on conditions. */
bool emit_move_index(const ir_graph *g, ir_exprs *x, ir_ref r, const ir_ex *idx, ir_ex *at);
/* Indices of axes `axes` of a shape from one row-major number; idx[axes[i]] is written. */
void emit_delinearize(ir_exprs *x, ir_ex number, const int64_t *shape, const int64_t *axes, unsigned n, ir_ex *idx);

/* ---- lower_*.c: one kernel for one group. The context knows which nodes are stored and makes buffers on demand. */

typedef struct lower {
    const ir_graph *g;
    const pass_target *t;
    const fuse_result *f;
    const fuse_group *group;
    pass_plan *plan;
    bz_error *e;
    /* of the kernel at hand */
    ir_exprs x;
    emitter m;
    lp_kernel *k;
    lp_builder *b;
    BZ_VEC(uint32_t) buffers; /* plan buffers in parameter order */
    BZ_VEC(int64_t) extents;
    BZ_VEC(uint32_t) scalars;
    BZ_VEC(lp_kernel *) functions; /* that the kernel calls: CALL numbers refer to this list until the module is put together */
    uint32_t *buffer_of; /* node -> plan buffer, UINT32_MAX = none */
} lower;

/* Nodes of the group that are stored, ascending, in the arena of the plan. */
const ir_ref *lower_outputs(const lower *l, unsigned *n);
lp_val lower_output(lower *l, ir_ref r);                               /* declares r's buffer as an output parameter */
lp_val lower_work(lower *l, const char *name, bz_dtype t, int64_t count); /* memory shared by the phases */
/* Binds everything the group reads from outside: buffers and scalars. */
bool lower_bind_inputs(lower *l);

bool lower_map(lower *l);
bool lower_row(lower *l);
bool lower_col(lower *l);
bool lower_dot(lower *l);

/* Lanes of a full vector for the nodes of the group: decided by the widest dtype that is computed. */
unsigned lower_lanes(const lower *l);
/* Operations per element of all elementwise nodes of the group: how much interleaving pays. */
unsigned lower_ops(const lower *l);
/* One step acc = op(acc, x) of a reduction, masked lanes keep acc. */
lp_val lower_combine(lower *l, ir_reduce_kind kind, bz_dtype acc, lp_val a, lp_val x, lp_val mask);
ir_bits lower_identity(ir_reduce_kind kind, bz_dtype acc);
/* Pairwise bottom-up combination of p[0 .. n-1] (vectors of `lanes` at distance `stride`), result left in place 0. */
void lower_pairwise(lower *l, ir_reduce_kind kind, bz_dtype acc, lp_val p, lp_val base, int64_t n, int64_t stride, unsigned lanes, lp_val mask);
lp_val lower_tail_mask(lower *l, lp_val left, unsigned lanes); /* lane < left */

#endif
